//! `/api/apps`: apps as rows.

use actix_web::{HttpResponse, delete, get, post, put, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::{Validate, ValidationError};

pub use super::run_http::configure_operations;
use super::{
    App, Status, containers_http,
    ops::{self, Change, Filter, NewApp, Stretch},
    run_http,
};
use crate::{
    identity::{
        Asks,
        right::{AppsManage, AppsView},
    },
    platform::{
        Error, Result, Timestamp,
        clock::millis,
        id::{AppId, ProjectId, ServerId},
    },
    remote::ssh::RemotePath,
    services::Services,
    web::{Json, Page, PageQuery, Path, Query},
};

/// Under `{BASE_PATH}/api/apps`.
pub fn configure(config: &mut ServiceConfig) {
    config.service(list).service(create).service(get_one).service(change).service(remove).service(history);
    run_http::configure(config);
    containers_http::configure(config);
}

/// How many of an app's services run, of those that should.
#[derive(Debug, Serialize, ToSchema)]
struct ServiceCount {
    running: i32,
    total: i32,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = App)]
pub(super) struct AppView {
    id: AppId,
    name: String,
    project_id: ProjectId,
    server_id: ServerId,
    /// The folder of the compose file on the server.
    cd_path: String,
    #[schema(required = true)]
    app_url: Option<String>,
    /// Minutes after a start until the app is stopped; 0 is never.
    auto_stop_timeout: i32,
    status: Status,
    /// Why, for `degraded`, `error` and `unknown`.
    #[schema(required = true)]
    status_reason: Option<String>,
    /// Since when.
    #[schema(required = true)]
    status_at: Option<i64>,
    #[schema(required = true)]
    started_at: Option<i64>,
    /// When it will be stopped by itself.
    #[schema(required = true)]
    stop_at: Option<i64>,
    services: ServiceCount,
    created_at: i64,
    updated_at: i64,
}

impl From<App> for AppView {
    fn from(app: App) -> Self {
        Self {
            id: app.id,
            name: app.name,
            project_id: app.project,
            server_id: app.server,
            cd_path: app.path.as_str().to_owned(),
            app_url: app.url,
            auto_stop_timeout: app.auto_stop_minutes,
            status: app.status,
            status_reason: app.status_reason,
            status_at: app.status_at.map(millis),
            started_at: app.started_at.map(millis),
            stop_at: app.stop_at.map(millis),
            services: ServiceCount { running: app.services_running, total: app.services_total },
            created_at: millis(app.created_at),
            updated_at: millis(app.updated_at),
        }
    }
}

/// A web address, or nothing.
fn web_address(url: &str) -> Result<(), ValidationError> {
    let fine = url.is_empty() || crate::web::origin::is_web_address(url);
    if fine { Ok(()) } else { Err(ValidationError::new("url")) }
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AppBody {
    #[validate(length(min = 1, max = 100, message = "a name has 1 to 100 characters"))]
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    project_id: ProjectId,
    server_id: ServerId,
    /// Absolute, without NUL, line feed or `..`, at most 500 bytes.
    #[schema(max_length = 500, example = "/srv/apps/web")]
    cd_path: String,
    #[validate(
        length(max = 2000, message = "at most 2000 characters"),
        custom(function = web_address, message = "an address begins with http:// or https://")
    )]
    #[schema(max_length = 2000)]
    app_url: Option<String>,
    /// Minutes, 0 is never.
    #[serde(default)]
    #[validate(range(min = 0, max = 525_600, message = "0 (never) to 525600 minutes, which is a year"))]
    #[schema(minimum = 0, maximum = 525_600, default = 0)]
    auto_stop_timeout: i32,
}

/// What is left out stays as it is; an empty `appUrl` is taken away.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AppChange {
    #[validate(length(min = 1, max = 100, message = "a name has 1 to 100 characters"))]
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    project_id: Option<ProjectId>,
    server_id: Option<ServerId>,
    /// Absolute, without NUL, line feed or `..`, at most 500 bytes.
    #[schema(max_length = 500)]
    cd_path: Option<String>,
    #[validate(
        length(max = 2000, message = "at most 2000 characters"),
        custom(function = web_address, message = "an address begins with http:// or https://")
    )]
    #[schema(max_length = 2000)]
    app_url: Option<String>,
    /// Minutes, 0 is never. A run that is under way keeps its time.
    #[validate(range(min = 0, max = 525_600, message = "0 (never) to 525600 minutes, which is a year"))]
    #[schema(minimum = 0, maximum = 525_600)]
    auto_stop_timeout: Option<i32>,
}

/// What is below these leads elsewhere, and by many names to one folder.
const NO_FOLDERS_OF_APPS: [&str; 3] = ["proc", "dev", "sys"];

fn parse_path(text: &str) -> Result<RemotePath> {
    let path: RemotePath = text.parse().map_err(|error: crate::remote::ssh::InvalidPath| {
        Error::invalid_field("cdPath", error.to_string())
    })?;
    let top = path.as_str().split('/').nth(1).unwrap_or_default();
    if NO_FOLDERS_OF_APPS.contains(&top) {
        return Err(Error::invalid_field("cdPath", "an app's folder is not in /proc, /dev or /sys"));
    }
    Ok(path)
}

fn parse_name(name: &str) -> Result<String> {
    let name = name.trim();
    if name.is_empty() {
        return Err(Error::invalid_field("name", "a name has 1 to 100 characters"));
    }
    Ok(name.to_owned())
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct ListQuery {
    project_id: Option<ProjectId>,
    server_id: Option<ServerId>,
    status: Option<Status>,
}

/// Apps by name.
#[utoipa::path(
    operation_id = "listApps", tag = "apps", extensions(("x-permission" = json!("apps:view"))),
    params(ListQuery),
    responses((status = 200, body = [AppView], description = "The apps that the caller sees"))
)]
#[get("")]
async fn list(
    services: web::Data<Services>,
    asks: Asks<AppsView>,
    query: Query<ListQuery>,
) -> Result<web::Json<Vec<AppView>>> {
    let filter = Filter { project: query.0.project_id, server: query.0.server_id, status: query.0.status };
    let apps = ops::list(&mut *services.db.acquire().await?, &asks.sight(), filter).await?;
    Ok(web::Json(apps.into_iter().map(Into::into).collect()))
}

/// Add an app: a folder with a compose file on a server.
#[utoipa::path(
    operation_id = "createApp", tag = "apps", extensions(("x-permission" = json!("apps:manage"))),
    request_body = AppBody,
    responses(
        (status = 201, body = AppView, description = "Added"),
        (status = 404, description = "`project.not_found`, `server.not_found`"),
        (status = 409, description = "`app.name_taken`, `app.path_taken`"),
    )
)]
#[post("")]
async fn create(
    services: web::Data<Services>,
    asks: Asks<AppsManage>,
    body: Json<AppBody>,
) -> Result<HttpResponse> {
    let body = body.0;
    let new = NewApp {
        name: parse_name(&body.name)?,
        path: parse_path(&body.cd_path)?,
        url: body.app_url.filter(|url| !url.is_empty()),
        auto_stop_minutes: body.auto_stop_timeout,
    };
    let place = ops::place(&services, &asks, body.project_id, body.server_id).await?;
    let app = ops::add(&services, place, new).await?;
    Ok(HttpResponse::Created().json(AppView::from(app)))
}

/// One app.
#[utoipa::path(
    operation_id = "getApp", tag = "apps", extensions(("x-permission" = json!("apps:view"))),
    params(("id" = AppId, Path)),
    responses((status = 200, body = AppView, description = "The app"))
)]
#[get("/{id}")]
async fn get_one(
    services: web::Data<Services>,
    asks: Asks<AppsView>,
    id: Path<AppId>,
) -> Result<web::Json<AppView>> {
    let app = ops::see(&mut *services.db.acquire().await?, &asks.sight(), id.0).await?;
    Ok(web::Json(app.into()))
}

/// Change an app. One that runs can be renamed, not moved.
#[utoipa::path(
    operation_id = "updateApp", tag = "apps", extensions(("x-permission" = json!("apps:manage"))),
    params(("id" = AppId, Path)), request_body = AppChange,
    responses(
        (status = 200, body = AppView, description = "Changed"),
        (status = 409, description = "`app.running`, `app.busy`, `app.name_taken`, `app.path_taken`"),
    )
)]
#[put("/{id}")]
async fn change(
    services: web::Data<Services>,
    asks: Asks<AppsManage>,
    id: Path<AppId>,
    body: Json<AppChange>,
) -> Result<web::Json<AppView>> {
    let app = ops::see(&mut *services.db.acquire().await?, &asks.sight(), id.0).await?;
    let permit = asks.on_project(app.project)?;
    let body = body.0;
    let place = match (body.project_id, body.server_id) {
        (None, None) => None,
        (project, server) => {
            let (project, server) = (project.unwrap_or(app.project), server.unwrap_or(app.server));
            Some(ops::place(&services, &asks, project, server).await?)
        }
    };
    let change = Change {
        name: body.name.as_deref().map(parse_name).transpose()?,
        place,
        path: body.cd_path.as_deref().map(parse_path).transpose()?,
        url: body.app_url,
        auto_stop_minutes: body.auto_stop_timeout,
    };
    Ok(web::Json(ops::change(&services, &permit, id.0, change).await?.into()))
}

/// Remove an app from here. Its folder on the server stays.
#[utoipa::path(
    operation_id = "deleteApp", tag = "apps", extensions(("x-permission" = json!("apps:manage"))),
    params(("id" = AppId, Path)),
    responses(
        (status = 204, description = "Removed"),
        (status = 409, description = "`app.running`: stop it first; `app.busy`"),
    )
)]
#[delete("/{id}")]
async fn remove(
    services: web::Data<Services>,
    asks: Asks<AppsManage>,
    id: Path<AppId>,
) -> Result<HttpResponse> {
    let app = ops::see(&mut *services.db.acquire().await?, &asks.sight(), id.0).await?;
    ops::remove(&services, &asks.on_project(app.project)?, id.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A stretch of time in one state.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AppStatusChange)]
struct StretchView {
    status: Status,
    #[schema(required = true)]
    reason: Option<String>,
    from: i64,
    /// Null while it lasts.
    #[schema(required = true)]
    until: Option<i64>,
    /// Until now, while it lasts.
    duration_ms: i64,
}

impl From<(Stretch, Timestamp)> for StretchView {
    fn from((stretch, now): (Stretch, Timestamp)) -> Self {
        let until = stretch.until.unwrap_or(now);
        Self {
            status: stretch.status,
            reason: stretch.reason,
            from: millis(stretch.from),
            until: stretch.until.map(millis),
            duration_ms: (until - stretch.from).num_milliseconds().max(0),
        }
    }
}

/// What the app's state was, newest first.
#[utoipa::path(
    operation_id = "getAppHistory", tag = "apps", extensions(("x-permission" = json!("apps:view"))),
    params(("id" = AppId, Path), PageQuery),
    responses((status = 200, body = Page<StretchView>, description = "One page"))
)]
#[get("/{id}/history")]
async fn history(
    services: web::Data<Services>,
    asks: Asks<AppsView>,
    id: Path<AppId>,
    query: Query<PageQuery>,
) -> Result<web::Json<Page<StretchView>>> {
    let page = query.0.parse()?;
    let mut db = services.db.acquire().await?;
    let app = ops::see(&mut db, &asks.sight(), id.0).await?;
    let rows = ops::history(&mut db, &asks.on_project(app.project)?, &app, page).await?;
    let now = services.clock.now();
    let rows = rows.into_iter().map(|stretch| (stretch, now)).collect();
    Ok(web::Json(Page::new(rows, page, |(stretch, _)| stretch.id)))
}
