//! `/api/operations`: the record of what was done, and cancelling what is under way.

use actix_web::{get, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    Action, Operation, State, Trigger,
    ops::{self, Filter},
    output_http,
};
use crate::{
    identity::{Asks, right::AppsView},
    platform::{
        Result,
        clock::millis,
        id::{AppId, OperationId, ServerId, UserId},
    },
    services::Services,
    web::{Page, PageQuery, Path, Query},
};

/// Under `{BASE_PATH}/api/operations`. Cancelling also changes the app, so `apps` mounts it.
pub fn configure(config: &mut ServiceConfig) {
    config.service(list).service(get_one).service(output_http::output);
}

/// An operation on the wire.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Operation)]
pub struct OperationView {
    id: OperationId,
    app_id: AppId,
    server_id: ServerId,
    action: Action,
    state: State,
    trigger: Trigger,
    #[schema(required = true)]
    requested_by: Option<UserId>,
    /// The name of that user at the time.
    #[schema(required = true)]
    requested_by_name: Option<String>,
    created_at: i64,
    #[schema(required = true)]
    started_at: Option<i64>,
    #[schema(required = true)]
    finished_at: Option<i64>,
    #[schema(required = true)]
    exit_code: Option<i32>,
    #[schema(required = true)]
    error: Option<FailureView>,
    /// When somebody asked to cancel it.
    #[schema(required = true)]
    cancel_requested_at: Option<i64>,
    /// How much output is kept, in bytes.
    output_bytes: i64,
    /// Whether there was more than is kept.
    output_cut: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OperationFailure)]
struct FailureView {
    /// Stable: `operation.failed`, `operation.timed_out`, `operation.lost`, `server.<reason>`.
    code: String,
    /// One sentence for a person.
    detail: String,
}

impl From<Operation> for OperationView {
    fn from(operation: Operation) -> Self {
        Self {
            id: operation.id,
            app_id: operation.app,
            server_id: operation.server,
            action: operation.action,
            state: operation.state,
            trigger: operation.trigger,
            requested_by: operation.requested_by,
            requested_by_name: operation.requested_by_name,
            created_at: millis(operation.created_at),
            started_at: operation.started_at.map(millis),
            finished_at: operation.finished_at.map(millis),
            exit_code: operation.exit_code,
            error: operation
                .failure
                .map(|failure| FailureView { code: failure.code, detail: failure.detail }),
            cancel_requested_at: operation.cancel_requested_at.map(millis),
            output_bytes: operation.output_bytes,
            output_cut: operation.output_cut,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct ListQuery {
    app_id: Option<AppId>,
    server_id: Option<ServerId>,
    state: Option<State>,
    /// How many, 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

/// What was done to the apps that the caller sees, newest first.
#[utoipa::path(
    operation_id = "listOperations", tag = "operations", extensions(("x-permission" = json!("apps:view"))),
    params(ListQuery),
    responses((status = 200, body = Page<OperationView>, description = "One page"))
)]
#[get("")]
async fn list(
    services: web::Data<Services>,
    asks: Asks<AppsView>,
    query: Query<ListQuery>,
) -> Result<web::Json<Page<OperationView>>> {
    let query = query.0;
    let page = PageQuery { limit: query.limit, cursor: query.cursor }.parse()?;
    let filter = Filter { app: query.app_id, server: query.server_id, state: query.state };
    let mut db = services.db.acquire().await?;
    let rows = ops::list(&mut db, &asks.sight(), filter, page).await?;
    Ok(web::Json(Page::new(rows, page, |operation| operation.id.0)))
}

/// One operation.
#[utoipa::path(
    operation_id = "getOperation", tag = "operations", extensions(("x-permission" = json!("apps:view"))),
    params(("id" = OperationId, Path)),
    responses((status = 200, body = OperationView, description = "The operation"))
)]
#[get("/{id}")]
async fn get_one(
    services: web::Data<Services>,
    asks: Asks<AppsView>,
    id: Path<OperationId>,
) -> Result<web::Json<OperationView>> {
    let mut db = services.db.acquire().await?;
    Ok(web::Json(ops::see(&mut db, &asks.sight(), id.0).await?.into()))
}
