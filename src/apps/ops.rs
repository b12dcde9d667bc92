//! The verbs on apps: making, changing and removing them here; what is done on their hosts in [`run`].

pub mod run;

use serde_json::{Map, Value, json};
use sqlx::PgConnection;

pub use super::store::{Filter, Stretch};
use super::{
    App, Status,
    policy::{Reading, Seen, probed},
    store,
};
use crate::{
    identity::{
        Asks, Permit, Sight,
        policy::Right,
        right::{AppsManage, AppsView},
    },
    journal::{self, Action, Event, Subject},
    operations,
    platform::{
        Error, Result, Timestamp,
        id::{AppId, ProjectId, ServerId},
    },
    projects,
    remote::ssh::RemotePath,
    servers,
    services::Services,
    web::page::PageRequest,
};

/// The proof that somebody may put an app into this project and onto this server.
pub struct Place {
    permit: Permit<AppsManage>,
    project: ProjectId,
    server: ServerId,
}

/// An app to be made.
pub struct NewApp {
    pub name: String,
    pub path: RemotePath,
    pub url: Option<String>,
    pub auto_stop_minutes: i32,
}

/// What to change; `None` stays as it is.
#[derive(Default)]
pub struct Change {
    pub name: Option<String>,
    pub place: Option<Place>,
    pub path: Option<RemotePath>,
    /// An empty one takes it away.
    pub url: Option<String>,
    pub auto_stop_minutes: Option<i32>,
}

pub async fn list(db: &mut PgConnection, sight: &Sight, filter: Filter) -> Result<Vec<App>> {
    store::list(db, sight, filter).await
}

/// The app, if it is within `sight`.
pub async fn see(db: &mut PgConnection, sight: &Sight, id: AppId) -> Result<App> {
    store::see(db, sight, id).await?.ok_or_else(|| Error::not_found("app"))
}

pub async fn history(
    db: &mut PgConnection,
    permit: &Permit<AppsView>,
    app: &App,
    page: PageRequest,
) -> Result<Vec<Stretch>> {
    permit.admits("app", app.project)?;
    store::history(db, app.id, page).await
}

/// The right to put an app there. Both must be seen, and the project be the asker's to manage.
///
/// A server is an account on a machine: an app on it runs what its folder says. Seeing one through some project is
/// therefore not enough; it must carry an app of a project that is the asker's to manage. The first one is an
/// administrator's to place.
pub async fn place(
    services: &Services,
    asks: &Asks<AppsManage>,
    project: ProjectId,
    server: ServerId,
) -> Result<Place> {
    let mut db = services.db.acquire().await?;
    let project = projects::ops::see(&mut db, &asks.sight(), project).await?.id;
    let permit = asks.on_project(project)?;
    let server = servers::ops::see(&mut db, &asks.sight(), server).await?.id;
    let carried = store::projects_on(&mut db, server).await?;
    if !carried.into_iter().any(|carried| asks.on_project(carried).is_ok()) {
        asks.globally()?;
    }
    Ok(Place { permit, project, server })
}

pub async fn add(services: &Services, place: Place, new: NewApp) -> Result<App> {
    let now = services.clock.now();
    let app = App {
        id: AppId::make(),
        name: new.name,
        project: place.project,
        server: place.server,
        path: new.path,
        real_path: None,
        url: new.url,
        auto_stop_minutes: new.auto_stop_minutes,
        status: Status::Unknown,
        status_reason: None,
        status_at: None,
        services_running: 0,
        services_total: 0,
        started_at: None,
        stop_at: None,
        run_minutes: None,
        reading: 0,
        created_at: now,
        updated_at: now,
    };
    let mut tx = services.db.begin().await?;
    store::insert(&mut tx, &app).await?;
    let details = json!({
        "name": app.name, "projectId": app.project, "serverId": app.server, "cdPath": app.path.as_str(),
        "autoStopTimeout": app.auto_stop_minutes,
    });
    journal::record(&mut tx, now, place.permit.author(), Action::AppCreate, Subject::App(app.id), details)
        .await?;
    tx.commit().await?;
    Ok(app)
}

pub async fn change(
    services: &Services,
    permit: &Permit<AppsManage>,
    id: AppId,
    change: Change,
) -> Result<App> {
    let now = services.clock.now();
    let mut tx = services.db.begin().await?;
    let before = lock_within(&mut tx, permit, id).await?;
    let mut after = App { updated_at: now, ..apply(before.clone(), change) };
    let moves = after.server != before.server || after.path != before.path;
    if moves {
        refuse_while_up(&mut tx, &before, "move").await?;
        after.real_path = None;
    }
    store::update(&mut tx, &after).await?;
    let details = difference(&before, &after);
    journal::record(&mut tx, now, permit.author(), Action::AppUpdate, Subject::App(id), details).await?;
    if moves {
        let nothing_known = Seen::Nothing { reason: "not_asked".to_owned() };
        write(&mut tx, &after, &probed(&after, &nothing_known, now), now).await?;
    }
    tx.commit().await?;
    Ok(after)
}

async fn lock(db: &mut PgConnection, id: AppId) -> Result<App> {
    store::lock(db, id).await?.ok_or_else(|| Error::not_found("app"))
}

/// The row, if `permit` is good for it now that nobody can move it.
async fn lock_within<R: Right>(db: &mut PgConnection, permit: &Permit<R>, id: AppId) -> Result<App> {
    let app = lock(db, id).await?;
    permit.admits("app", app.project)?;
    Ok(app)
}

/// Keeps what the host says an app's folder is without symbolic links, or refuses one that is another app's.
pub(super) async fn settle_folder(services: &Services, seen: &App, real: &RemotePath) -> Result<()> {
    let mut tx = services.db.begin().await?;
    let app = lock(&mut tx, seen.id).await?;
    if app.server != seen.server || app.path != seen.path {
        return Err(Error::conflict(
            "app.changed_meanwhile",
            "the app was moved while its folder was looked at",
        ));
    }
    store::set_real_path(&mut tx, &app, real).await?;
    tx.commit().await?;
    Ok(())
}

fn apply(mut app: App, change: Change) -> App {
    if let Some(name) = change.name {
        app.name = name;
    }
    if let Some(place) = change.place {
        app.project = place.project;
        app.server = place.server;
    }
    if let Some(path) = change.path {
        app.path = path;
    }
    if let Some(url) = change.url {
        app.url = Some(url).filter(|url| !url.is_empty());
    }
    if let Some(minutes) = change.auto_stop_minutes {
        app.auto_stop_minutes = minutes;
    }
    app
}

/// For the audit row: each changed field, from and to.
fn difference(before: &App, after: &App) -> Value {
    let mut changes = Map::new();
    let mut note = |name: &str, from: Value, to: Value| {
        if from != to {
            changes.insert(name.to_owned(), json!({"from": from, "to": to}));
        }
    };
    note("name", json!(before.name), json!(after.name));
    note("projectId", json!(before.project), json!(after.project));
    note("serverId", json!(before.server), json!(after.server));
    note("cdPath", json!(before.path.as_str()), json!(after.path.as_str()));
    note("appUrl", json!(before.url), json!(after.url));
    note("autoStopTimeout", json!(before.auto_stop_minutes), json!(after.auto_stop_minutes));
    changes.into()
}

/// What runs would be left behind without anybody who could stop it.
async fn refuse_while_up(db: &mut PgConnection, app: &App, verb: &str) -> Result<()> {
    if let Some(operation) = operations::ops::unfinished(db, app.id).await? {
        let action = operation.action.as_str();
        let detail = format!("a {action} of this app is not finished; wait for it or cancel it");
        return Err(Error::conflict("app.busy", detail).with("operationId", operation.id.to_string()));
    }
    if app.status.is_up() {
        return Err(Error::conflict("app.running", format!("stop the app before you {verb} it")));
    }
    Ok(())
}

pub async fn remove(services: &Services, permit: &Permit<AppsManage>, id: AppId) -> Result<()> {
    let now = services.clock.now();
    let mut tx = services.db.begin().await?;
    let app = lock_within(&mut tx, permit, id).await?;
    refuse_while_up(&mut tx, &app, "remove").await?;
    store::delete(&mut tx, id).await?;
    let details = json!({"name": app.name, "projectId": app.project, "serverId": app.server});
    journal::record(&mut tx, now, permit.author(), Action::AppDelete, Subject::App(id), details).await?;
    tx.commit().await?;
    Ok(())
}

/// Writes a state; tells of it if it is another. False: a newer one was written since `app` was read.
pub(super) async fn write(
    db: &mut PgConnection,
    app: &App,
    reading: &Reading,
    now: Timestamp,
) -> Result<bool> {
    if !store::write_reading(db, app, reading, now).await? {
        return Ok(false);
    }
    if app.status_at.is_none() || reading.status != app.status || reading.reason != app.status_reason {
        store::add_history(db, app.id, reading, now).await?;
    }
    if *reading != Reading::of(app) {
        announce(db, app, reading, now).await?;
    }
    Ok(true)
}

async fn announce(db: &mut PgConnection, app: &App, reading: &Reading, now: Timestamp) -> Result<()> {
    let event = Event::AppStatus {
        app: app.id,
        project: app.project,
        server: app.server,
        status: reading.status.as_str(),
        reason: reading.reason.clone(),
    };
    journal::announce(db, now, &event).await
}
