//! Every statement on `apps` and `app_status_history`.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{App, Status, policy::Reading};
use crate::{
    identity::Sight,
    platform::{
        Error, Result, Timestamp,
        error::on_constraint,
        id::{AppId, ProjectId, ServerId},
    },
    remote::ssh::RemotePath,
    web::page::PageRequest,
};

/// A row as Postgres gives it.
struct Row {
    id: Uuid,
    name: String,
    project_id: Uuid,
    server_id: Uuid,
    cd_path: String,
    real_path: Option<String>,
    app_url: Option<String>,
    auto_stop_timeout: i32,
    status: Status,
    status_reason: Option<String>,
    status_at: Option<Timestamp>,
    services_running: i32,
    services_total: i32,
    started_at: Option<Timestamp>,
    stop_at: Option<Timestamp>,
    run_minutes: Option<i32>,
    reading: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl TryFrom<Row> for App {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let id = row.id;
        let path = |text: &str| -> Result<RemotePath> {
            text.parse().map_err(|error| Error::internal(format!("read apps.cd_path of {id}"), error))
        };
        Ok(Self {
            id: AppId(row.id),
            name: row.name,
            project: ProjectId(row.project_id),
            server: ServerId(row.server_id),
            path: path(&row.cd_path)?,
            real_path: row.real_path.as_deref().map(path).transpose()?,
            url: row.app_url,
            auto_stop_minutes: row.auto_stop_timeout,
            status: row.status,
            status_reason: row.status_reason,
            status_at: row.status_at,
            services_running: row.services_running,
            services_total: row.services_total,
            started_at: row.started_at,
            stop_at: row.stop_at,
            run_minutes: row.run_minutes,
            reading: row.reading,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

macro_rules! select {
    ($rest:literal, $($argument:expr),* $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"select id, name, project_id, server_id, cd_path, real_path, app_url, auto_stop_timeout,
                      status as "status: Status", status_reason, status_at, services_running, services_total,
                      started_at, stop_at, run_minutes, reading, created_at, updated_at
               from apps "# + $rest,
            $($argument),*
        )
    };
}

fn all(rows: Vec<Row>) -> Result<Vec<App>> {
    rows.into_iter().map(App::try_from).collect()
}

pub async fn find(db: &mut PgConnection, id: AppId) -> Result<Option<App>> {
    select!("where id = $1", id.0).fetch_optional(db).await?.map(App::try_from).transpose()
}

pub async fn see(db: &mut PgConnection, sight: &Sight, id: AppId) -> Result<Option<App>> {
    let projects = sight.projects();
    let row =
        select!("where id = $1 and ($2::uuid[] is null or project_id = any($2))", id.0, projects.as_deref());
    row.fetch_optional(db).await?.map(App::try_from).transpose()
}

/// The row, locked until the transaction ends.
pub async fn lock(db: &mut PgConnection, id: AppId) -> Result<Option<App>> {
    select!("where id = $1 for update", id.0).fetch_optional(db).await?.map(App::try_from).transpose()
}

/// What a list may be narrowed to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    pub project: Option<ProjectId>,
    pub server: Option<ServerId>,
    pub status: Option<Status>,
}

pub async fn list(db: &mut PgConnection, sight: &Sight, filter: Filter) -> Result<Vec<App>> {
    let projects = sight.projects();
    let rows = select!(
        "where ($1::uuid[] is null or project_id = any($1))
           and ($2::uuid is null or project_id = $2)
           and ($3::uuid is null or server_id = $3)
           and ($4::text is null or status = $4)
         order by lower(name), id limit 10000",
        projects.as_deref(),
        filter.project.map(|project| project.0),
        filter.server.map(|server| server.0),
        filter.status.map(Status::as_str),
    );
    all(rows.fetch_all(db).await?)
}

/// The projects whose apps a server carries.
pub async fn projects_on(db: &mut PgConnection, server: ServerId) -> Result<Vec<ProjectId>> {
    let ids = sqlx::query_scalar!("select distinct project_id from apps where server_id = $1", server.0)
        .fetch_all(db)
        .await?;
    Ok(ids.into_iter().map(ProjectId).collect())
}

/// Those on a server that nothing is being done to.
pub async fn settled_on(db: &mut PgConnection, server: ServerId) -> Result<Vec<App>> {
    let rows =
        select!("where server_id = $1 and status not in ('starting', 'stopping') limit 10000", server.0);
    all(rows.fetch_all(db).await?)
}

/// Those whose time is over and that nothing is being done to, locked; the ones that another replica has are left out.
pub async fn lock_due(db: &mut PgConnection, now: Timestamp, limit: i64) -> Result<Vec<App>> {
    let rows = select!(
        "where stop_at <= $1 and status not in ('starting', 'stopping')
         order by stop_at limit $2 for update skip locked",
        now,
        limit,
    );
    all(rows.fetch_all(db).await?)
}

fn taken(error: sqlx::Error) -> Error {
    on_constraint(error, |constraint| match constraint {
        "apps_project_id_name_key" => {
            Some(Error::conflict("app.name_taken", "another app of this project has this name"))
        }
        "apps_server_id_cd_path_key" | "apps_server_id_real_path_key" => Some(path_taken()),
        "apps_project_id_fkey" => Some(Error::not_found("project")),
        "apps_server_id_fkey" => Some(Error::not_found("server")),
        _ => None,
    })
}

fn path_taken() -> Error {
    Error::conflict(
        "app.path_taken",
        "another app has this folder on this server; two of them would stop each other's containers",
    )
}

/// Refuses a folder that is another app's, by the name it was given or by its own: what two unique indexes cannot see
/// between them. Whoever gives an app a folder on this server waits until the transaction ends.
async fn claim_folder(db: &mut PgConnection, app: &App, folder: &RemotePath) -> Result<()> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended($1::text, 0))",
        format!("apps on {}", app.server)
    )
    .execute(&mut *db)
    .await?;
    let is_taken = sqlx::query_scalar!(
        r#"select exists (select 1 from apps where server_id = $1 and id <> $2 and (cd_path = $3 or real_path = $3))
           as "taken!""#,
        app.server.0,
        app.id.0,
        folder.as_str(),
    )
    .fetch_one(db)
    .await?;
    if is_taken { Err(path_taken()) } else { Ok(()) }
}

pub async fn insert(db: &mut PgConnection, app: &App) -> Result<()> {
    claim_folder(db, app, &app.path).await?;
    sqlx::query!(
        "insert into apps (id, name, project_id, server_id, cd_path, app_url, auto_stop_timeout, status, next_check_at,
                           created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $9)",
        app.id.0,
        app.name,
        app.project.0,
        app.server.0,
        app.path.as_str(),
        app.url,
        app.auto_stop_minutes,
        app.status as Status,
        app.created_at,
    )
    .execute(db)
    .await
    .map_err(taken)?;
    Ok(())
}

pub async fn update(db: &mut PgConnection, app: &App) -> Result<()> {
    claim_folder(db, app, &app.path).await?;
    sqlx::query!(
        "update apps set name = $2, project_id = $3, server_id = $4, cd_path = $5, real_path = $6, app_url = $7,
                         auto_stop_timeout = $8, updated_at = $9, next_check_at = $9
         where id = $1",
        app.id.0,
        app.name,
        app.project.0,
        app.server.0,
        app.path.as_str(),
        app.real_path.as_ref().map(RemotePath::as_str),
        app.url,
        app.auto_stop_minutes,
        app.updated_at,
    )
    .execute(db)
    .await
    .map_err(taken)?;
    Ok(())
}

pub async fn delete(db: &mut PgConnection, id: AppId) -> Result<()> {
    sqlx::query!("delete from apps where id = $1", id.0).execute(db).await?;
    Ok(())
}

/// Writes down where an app's folder is without symbolic links. 409 if that is another app's folder. `app` is locked.
pub async fn set_real_path(db: &mut PgConnection, app: &App, path: &RemotePath) -> Result<()> {
    claim_folder(db, app, path).await?;
    sqlx::query!("update apps set real_path = $2 where id = $1", app.id.0, path.as_str())
        .execute(db)
        .await
        .map_err(taken)?;
    Ok(())
}

pub async fn set_stop_at(db: &mut PgConnection, id: AppId, at: Timestamp, minutes: i32) -> Result<()> {
    sqlx::query!("update apps set stop_at = $2, run_minutes = $3 where id = $1", id.0, at, minutes)
        .execute(db)
        .await?;
    Ok(())
}

pub async fn clear_stop_at(db: &mut PgConnection, id: AppId) -> Result<()> {
    sqlx::query!("update apps set stop_at = null where id = $1", id.0).execute(db).await?;
    Ok(())
}

/// Writes a state that was read while `reading` was the count. False: somebody wrote a newer one meanwhile.
pub async fn write_reading(
    db: &mut PgConnection,
    app: &App,
    reading: &Reading,
    now: Timestamp,
) -> Result<bool> {
    let done = sqlx::query!(
        "update apps set status = $3, status_reason = $4, services_running = $5, services_total = $6, started_at = $7,
                         stop_at = $8, run_minutes = $9, reading = reading + 1,
                         status_at = case when status = $3 and status_reason is not distinct from $4
                                     then coalesce(status_at, $10) else $10 end
         where id = $1 and reading = $2",
        app.id.0,
        app.reading,
        reading.status as Status,
        reading.reason,
        reading.services_running,
        reading.services_total,
        reading.started_at,
        reading.stop_at,
        reading.run_minutes,
        now,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Claims the servers whose apps are due to be asked about: those rows are not due again before `next`.
pub async fn claim_checks(db: &mut PgConnection, now: Timestamp, next: Timestamp) -> Result<Vec<ServerId>> {
    let rows = sqlx::query_scalar!(
        r#"with due as (update apps set next_check_at = $2
                        where id in (select id from apps where next_check_at <= $1 order by next_check_at limit 1000
                                     for update skip locked)
                        returning server_id)
           select distinct server_id as "server!" from due"#,
        now,
        next,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(ServerId).collect())
}

/// Puts the next look at a server's apps to `next`: sooner when something runs there.
pub async fn schedule_check(db: &mut PgConnection, server: ServerId, next: Timestamp) -> Result<()> {
    sqlx::query!("update apps set next_check_at = $2 where server_id = $1", server.0, next)
        .execute(db)
        .await?;
    Ok(())
}

/// Writes a change of state down and ends the one before.
pub async fn add_history(db: &mut PgConnection, id: AppId, reading: &Reading, at: Timestamp) -> Result<()> {
    sqlx::query!("update app_status_history set until_at = greatest(from_at, $2) where app_id = $1 and until_at is null", id.0, at)
        .execute(&mut *db)
        .await?;
    sqlx::query!(
        "insert into app_status_history (id, app_id, status, reason, from_at) values ($1, $2, $3, $4, $5)",
        Uuid::now_v7(),
        id.0,
        reading.status as Status,
        reading.reason,
        at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// One stretch of time in one state.
pub struct Stretch {
    pub id: Uuid,
    pub status: Status,
    pub reason: Option<String>,
    pub from: Timestamp,
    pub until: Option<Timestamp>,
}

pub async fn history(db: &mut PgConnection, id: AppId, page: PageRequest) -> Result<Vec<Stretch>> {
    let rows = sqlx::query_as!(
        Stretch,
        r#"select id, status as "status: Status", reason, from_at as "from", until_at as until from app_status_history
           where app_id = $1 and ($2::uuid is null or id < $2) order by id desc limit $3"#,
        id.0,
        page.before,
        page.fetch(),
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}
