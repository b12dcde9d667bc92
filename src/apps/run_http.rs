//! Start, stop, restart, pull, extend; and cancelling any of them. Each waits for its end, unless asked not to.

use actix_web::{HttpRequest, HttpResponse, http::header, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::{
    App, Status,
    ops::{self, run},
};
use crate::{
    identity::{Asks, Sight, ops::sessions, policy, right::AppsOperate},
    operations::{self, Action, Operation, http::OperationView},
    platform::{
        Error, Result,
        clock::millis,
        id::{AppId, OperationId},
    },
    services::Services,
    web::{Json, OptionalJson, Path, Query},
};

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(start).service(stop).service(restart).service(pull).service(extend);
}

/// Under `{BASE_PATH}/api/operations`.
pub fn configure_operations(config: &mut ServiceConfig) {
    config.service(cancel);
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct WaitQuery {
    /// `false`: answer 202 at once, like `Prefer: respond-async`.
    #[param(default = true)]
    wait: Option<bool>,
}

impl WaitQuery {
    fn is_wanted(&self, request: &HttpRequest) -> bool {
        let prefer = request.headers().get("prefer").and_then(|value| value.to_str().ok());
        let prefers_not = prefer.is_some_and(|prefer| {
            prefer.split([',', ';']).any(|part| part.trim().eq_ignore_ascii_case("respond-async"))
        });
        self.wait.unwrap_or(!prefers_not)
    }
}

#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
struct StartBody {
    /// Minutes until this run is stopped, 0 is never; without it, the app's `autoStopTimeout`.
    #[validate(range(min = 0, max = 525_600, message = "0 (never) to 525600 minutes, which is a year"))]
    #[schema(minimum = 0, maximum = 525_600)]
    timeout: Option<i32>,
}

/// How an action went.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ActionAnswer {
    success: bool,
    app_id: AppId,
    /// What the app is now.
    status: Status,
    #[schema(required = true)]
    started_at: Option<i64>,
    /// When it will be stopped by itself.
    #[schema(required = true)]
    stop_at: Option<i64>,
    /// One sentence for a person.
    message: String,
    operation_id: OperationId,
}

impl ActionAnswer {
    fn new(app: &App, operation: &Operation) -> Self {
        let done = match operation.action {
            Action::Start => "was started",
            Action::Stop => "was stopped",
            Action::Restart => "was restarted",
            Action::Pull => "has its images pulled",
        };
        let message = match &app.status_reason {
            Some(reason) => format!("{} {done}; it is {}: {reason}", app.name, app.status.as_str()),
            None => format!("{} {done}", app.name),
        };
        Self {
            success: true,
            app_id: app.id,
            status: app.status,
            started_at: app.started_at.map(millis),
            stop_at: app.stop_at.map(millis),
            message,
            operation_id: operation.id,
        }
    }
}

/// Does `action`, and waits for its end if that is wanted.
async fn act(
    services: &Services,
    asks: &Asks<AppsOperate>,
    request: &HttpRequest,
    query: &WaitQuery,
    id: AppId,
    action: Action,
    minutes: Option<i32>,
) -> Result<HttpResponse> {
    let app = ops::see(&mut *services.db.acquire().await?, &asks.sight(), id).await?;
    let permit = asks.on_project(app.project)?;
    let asked = run::ask(services, &permit, id, action, minutes).await?;
    if !query.is_wanted(request) {
        return Ok(accepted(services, asked.operation().clone()));
    }
    let operation = operations::ops::wait(services, asked.operation().id).await?;
    let sight = sight_now(services, asks).await?;
    let mut db = services.db.acquire().await?;
    let app = ops::see(&mut db, &sight, id).await?;
    if let Some(error) = operations::ops::as_error(&mut db, &operation).await? {
        return Err(error);
    }
    Ok(HttpResponse::Ok().json(ActionAnswer::new(&app, &operation)))
}

/// What the asker sees after the wait, which may have outlived the session or the membership.
async fn sight_now(services: &Services, asks: &Asks<AppsOperate>) -> Result<Sight> {
    let caller = asks.caller();
    let authority = sessions::authority(services, caller.session, caller.user.id).await?;
    let ended = || Error::unauthenticated("auth.session_ended", "this session has ended; sign in again");
    authority.map(|authority| policy::sight(&authority)).ok_or_else(ended)
}

/// 202 with the operation and where to ask about it (RFC 7240, section 4.1).
fn accepted(services: &Services, operation: Operation) -> HttpResponse {
    let location = format!("{}/api/operations/{}", services.config.base_path, operation.id);
    HttpResponse::Accepted()
        .insert_header((header::LOCATION, location))
        .insert_header(("preference-applied", "respond-async"))
        .json(OperationView::from(operation))
}

/// `compose up -d`. While a start is under way, another joins it.
#[utoipa::path(
    operation_id = "startApp", tag = "apps", extensions(("x-permission" = json!("apps:operate"))),
    params(("id" = AppId, Path), WaitQuery, ("Prefer" = Option<String>, Header, description = "`respond-async`: answer 202 at once")), request_body(content = StartBody, description = "May be left out"),
    responses(
        (status = 200, body = ActionAnswer, description = "It was started"),
        (status = 202, body = OperationView, description = "It is queued; `Location` tells where to ask"),
        (status = 409, description = "`app.busy` with `operationId` and `action`; `operation.cancelled`"),
        (status = 502, description = "`operation.failed` with `exitCode`, `output` and `operationId`; `operation.timed_out`, `operation.lost`"),
        (status = 503, description = "`server.<reason>` with `reason`: the host cannot be reached"),
    )
)]
#[post("/{id}/start")]
async fn start(
    services: web::Data<Services>,
    asks: Asks<AppsOperate>,
    id: Path<AppId>,
    query: Query<WaitQuery>,
    request: HttpRequest,
    body: OptionalJson<StartBody>,
) -> Result<HttpResponse> {
    act(&services, &asks, &request, &query.0, id.0, Action::Start, body.0.timeout).await
}

/// `compose down`.
#[utoipa::path(
    operation_id = "stopApp", tag = "apps", extensions(("x-permission" = json!("apps:operate"))),
    params(("id" = AppId, Path), WaitQuery, ("Prefer" = Option<String>, Header, description = "`respond-async`: answer 202 at once")),
    responses(
        (status = 200, body = ActionAnswer, description = "It was stopped"),
        (status = 202, body = OperationView, description = "It is queued; `Location` tells where to ask"),
        (status = 409, description = "`app.busy` with `operationId` and `action`; `operation.cancelled`"),
        (status = 502, description = "`operation.failed` with `exitCode`, `output` and `operationId`; `operation.timed_out`, `operation.lost`"),
        (status = 503, description = "`server.<reason>` with `reason`: the host cannot be reached"),
    )
)]
#[post("/{id}/stop")]
async fn stop(
    services: web::Data<Services>,
    asks: Asks<AppsOperate>,
    id: Path<AppId>,
    query: Query<WaitQuery>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    act(&services, &asks, &request, &query.0, id.0, Action::Stop, None).await
}

/// `compose restart`.
#[utoipa::path(
    operation_id = "restartApp", tag = "apps", extensions(("x-permission" = json!("apps:operate"))),
    params(("id" = AppId, Path), WaitQuery, ("Prefer" = Option<String>, Header, description = "`respond-async`: answer 202 at once")),
    responses(
        (status = 200, body = ActionAnswer, description = "It was restarted"),
        (status = 202, body = OperationView, description = "It is queued; `Location` tells where to ask"),
        (status = 409, description = "`app.busy` with `operationId` and `action`; `operation.cancelled`"),
        (status = 502, description = "`operation.failed` with `exitCode`, `output` and `operationId`; `operation.timed_out`, `operation.lost`"),
        (status = 503, description = "`server.<reason>` with `reason`: the host cannot be reached"),
    )
)]
#[post("/{id}/restart")]
async fn restart(
    services: web::Data<Services>,
    asks: Asks<AppsOperate>,
    id: Path<AppId>,
    query: Query<WaitQuery>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    act(&services, &asks, &request, &query.0, id.0, Action::Restart, None).await
}

/// `compose pull`: fetch newer images; what runs goes on with the old ones until the next start.
#[utoipa::path(
    operation_id = "pullApp", tag = "apps", extensions(("x-permission" = json!("apps:operate"))),
    params(("id" = AppId, Path), WaitQuery, ("Prefer" = Option<String>, Header, description = "`respond-async`: answer 202 at once")),
    responses(
        (status = 200, body = ActionAnswer, description = "The images were pulled"),
        (status = 202, body = OperationView, description = "It is queued; `Location` tells where to ask"),
        (status = 409, description = "`app.busy` with `operationId` and `action`; `operation.cancelled`"),
        (status = 502, description = "`operation.failed` with `exitCode`, `output` and `operationId`; `operation.timed_out`, `operation.lost`"),
        (status = 503, description = "`server.<reason>` with `reason`: the host cannot be reached"),
    )
)]
#[post("/{id}/pull")]
async fn pull(
    services: web::Data<Services>,
    asks: Asks<AppsOperate>,
    id: Path<AppId>,
    query: Query<WaitQuery>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    act(&services, &asks, &request, &query.0, id.0, Action::Pull, None).await
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
struct ExtendBody {
    #[validate(range(min = 1, max = 525_600, message = "1 to 525600 minutes, which is a year"))]
    #[schema(minimum = 1, maximum = 525_600)]
    minutes: i32,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ExtendAnswer {
    success: bool,
    app_id: AppId,
    #[schema(required = true)]
    stop_at: Option<i64>,
    message: String,
}

/// Move the time at which the app is stopped.
#[utoipa::path(
    operation_id = "extendApp", tag = "apps", extensions(("x-permission" = json!("apps:operate"))),
    params(("id" = AppId, Path)), request_body = ExtendBody,
    responses(
        (status = 200, body = ExtendAnswer, description = "Moved"),
        (status = 409, description = "`app.no_stop_time`: it is not going to be stopped by itself"),
    )
)]
#[post("/{id}/extend")]
async fn extend(
    services: web::Data<Services>,
    asks: Asks<AppsOperate>,
    id: Path<AppId>,
    body: Json<ExtendBody>,
) -> Result<web::Json<ExtendAnswer>> {
    let app = ops::see(&mut *services.db.acquire().await?, &asks.sight(), id.0).await?;
    let minutes = body.0.minutes;
    let app = run::extend(&services, &asks.on_project(app.project)?, id.0, minutes).await?;
    let message = format!("{} will run {minutes} minutes longer", app.name);
    Ok(web::Json(ExtendAnswer { success: true, app_id: app.id, stop_at: app.stop_at.map(millis), message }))
}

/// Cancel an operation: one that waits never begins, one that runs is ended on the host.
#[utoipa::path(
    operation_id = "cancelOperation", tag = "operations", extensions(("x-permission" = json!("apps:operate"))),
    params(("id" = OperationId, Path)),
    responses(
        (status = 200, body = OperationView, description = "It is cancelled, or is being ended"),
        (status = 409, description = "`operation.finished`: it has ended, or is being cancelled"),
    )
)]
#[post("/{id}/cancel")]
async fn cancel(
    services: web::Data<Services>,
    asks: Asks<AppsOperate>,
    id: Path<OperationId>,
) -> Result<web::Json<OperationView>> {
    let sight = asks.sight();
    let operation = operations::ops::see(&mut *services.db.acquire().await?, &sight, id.0).await?;
    run::cancel(&services, &asks.on_project(operation.project)?, &operation).await?;
    let operation = operations::ops::see(&mut *services.db.acquire().await?, &sight, id.0).await?;
    Ok(web::Json(operation.into()))
}
