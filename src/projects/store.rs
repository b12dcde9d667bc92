//! The statements on `projects` and `project_members`, and those on `apps` that belong to a project's end.

use sqlx::PgConnection;

use super::{Member, Project};
use crate::{
    identity::{ProjectRole, Sight},
    platform::{
        Error, Result, Timestamp,
        error::on_constraint,
        id::{AppId, ProjectId, UserId},
    },
};

pub async fn list(db: &mut PgConnection, sight: &Sight) -> Result<Vec<Project>> {
    select(db, sight, None).await
}

pub async fn find(db: &mut PgConnection, sight: &Sight, id: ProjectId) -> Result<Option<Project>> {
    Ok(select(db, sight, Some(id)).await?.pop())
}

async fn select(db: &mut PgConnection, sight: &Sight, only: Option<ProjectId>) -> Result<Vec<Project>> {
    let seen = sight.projects();
    let projects = sqlx::query_as!(
        Project,
        r#"select p.id as "id: ProjectId", p.name, p.description, p.created_at, p.updated_at,
                  count(a.id) as "apps_count!",
                  count(a.id) filter (where a.status in ('running', 'degraded')) as "running_apps_count!"
             from projects p left join apps a on a.project_id = p.id
            where ($1::uuid[] is null or p.id = any($1)) and ($2::uuid is null or p.id = $2)
            group by p.id order by lower(p.name) limit 10000"#,
        seen.as_deref(),
        only.map(|id| id.0),
    )
    .fetch_all(db)
    .await?;
    Ok(projects)
}

fn taken(error: sqlx::Error) -> Error {
    on_constraint(error, |constraint| {
        (constraint == "projects_name_key")
            .then(|| Error::conflict("project.name_taken", "another project has this name"))
    })
}

pub async fn insert(db: &mut PgConnection, project: &Project) -> Result<()> {
    sqlx::query!(
        "insert into projects (id, name, description, created_at, updated_at) values ($1, $2, $3, $4, $5)",
        project.id.0,
        project.name,
        project.description,
        project.created_at,
        project.updated_at,
    )
    .execute(db)
    .await
    .map_err(taken)?;
    Ok(())
}

pub async fn update(db: &mut PgConnection, project: &Project) -> Result<()> {
    sqlx::query!(
        "update projects set name = $2, description = $3, updated_at = $4 where id = $1",
        project.id.0,
        project.name,
        project.description,
        project.updated_at,
    )
    .execute(db)
    .await
    .map_err(taken)?;
    Ok(())
}

/// The project's name, its row locked until the transaction ends: what refers to it waits.
pub async fn lock(db: &mut PgConnection, id: ProjectId) -> Result<Option<String>> {
    let name = sqlx::query_scalar!("select name from projects where id = $1 for update", id.0)
        .fetch_optional(db)
        .await?;
    Ok(name)
}

pub struct AppName {
    pub id: AppId,
    pub name: String,
}

/// The apps of a project, locked like it.
pub async fn lock_apps(db: &mut PgConnection, project: ProjectId) -> Result<Vec<AppName>> {
    let apps = sqlx::query_as!(
        AppName,
        r#"select id as "id: AppId", name from apps where project_id = $1 order by id for update"#,
        project.0
    )
    .fetch_all(db)
    .await?;
    Ok(apps)
}

/// The names of the apps that run, are on the way to or from it, or have unfinished work.
pub async fn busy_apps(db: &mut PgConnection, project: ProjectId) -> Result<Vec<String>> {
    let names = sqlx::query_scalar!(
        "select a.name from apps a
          where a.project_id = $1
            and (a.status in ('running', 'starting', 'stopping', 'degraded')
                 or exists (select from operations o where o.app_id = a.id and o.state in ('queued', 'running')))
          order by lower(a.name)",
        project.0
    )
    .fetch_all(db)
    .await?;
    Ok(names)
}

/// With its apps and members.
pub async fn delete(db: &mut PgConnection, id: ProjectId) -> Result<()> {
    sqlx::query!("delete from apps where project_id = $1", id.0).execute(&mut *db).await?;
    sqlx::query!("delete from projects where id = $1", id.0).execute(db).await?;
    Ok(())
}

pub async fn members(db: &mut PgConnection, project: ProjectId) -> Result<Vec<Member>> {
    select_members(db, project, None).await
}

pub async fn member(db: &mut PgConnection, project: ProjectId, user: UserId) -> Result<Option<Member>> {
    Ok(select_members(db, project, Some(user)).await?.pop())
}

async fn select_members(
    db: &mut PgConnection,
    project: ProjectId,
    only: Option<UserId>,
) -> Result<Vec<Member>> {
    let members = sqlx::query_as!(
        Member,
        r#"select u.id as "user: UserId", u.username, u.name, m.role as "role: ProjectRole", m.created_at
             from project_members m join users u on u.id = m.user_id
            where m.project_id = $1 and ($2::uuid is null or m.user_id = $2)
            order by lower(u.username) limit 10000"#,
        project.0,
        only.map(|id| id.0),
    )
    .fetch_all(db)
    .await?;
    Ok(members)
}

pub async fn member_ids(db: &mut PgConnection, project: ProjectId) -> Result<Vec<UserId>> {
    let ids = sqlx::query_scalar!(
        r#"select user_id as "user_id: UserId" from project_members where project_id = $1"#,
        project.0
    )
    .fetch_all(db)
    .await?;
    Ok(ids)
}

pub async fn set_member(
    db: &mut PgConnection,
    project: ProjectId,
    user: UserId,
    role: ProjectRole,
    at: Timestamp,
) -> Result<()> {
    sqlx::query!(
        "insert into project_members (project_id, user_id, role, created_at) values ($1, $2, $3, $4)
         on conflict on constraint project_members_pkey do update set role = excluded.role",
        project.0,
        user.0,
        role as ProjectRole,
        at,
    )
    .execute(db)
    .await
    .map_err(|error| {
        on_constraint(error, |constraint| {
            (constraint == "project_members_user_id_fkey").then(|| Error::not_found("user"))
        })
    })?;
    Ok(())
}

/// Whether there was one.
pub async fn delete_member(db: &mut PgConnection, project: ProjectId, user: UserId) -> Result<bool> {
    let deleted =
        sqlx::query!("delete from project_members where project_id = $1 and user_id = $2", project.0, user.0)
            .execute(db)
            .await?;
    Ok(deleted.rows_affected() == 1)
}
