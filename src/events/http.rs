//! `/api/events`: live events as a stream.

use actix_web::{HttpRequest, HttpResponse, get, web};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Feed, reader::Reader};
use crate::{identity::CurrentUser, platform::Result, services::Services, web::sse};

/// Under `{BASE_PATH}/api/events`.
pub fn configure(config: &mut ServiceConfig) {
    config.service(stream).service(stream_status);
}

/// What changes, as it happens.
///
/// `server.status`, `app.status` and `operation.state`, each with an id and JSON that names its subject. `Last-Event-ID`
/// goes on from there. Besides them: `ready` first, with the position; `reset` instead of it when too much was missed:
/// load anew what is shown; `end` last, with its reason: `session_ended`, `too_slow` or `stopping`.
#[utoipa::path(
    operation_id = "streamEvents", tag = "events", extensions(("x-permission" = json!("authenticated"))),
    params(("last-event-id" = Option<String>, Header, description = "The id of the last event that was received")),
    responses(
        (status = 200, description = "The stream, of what the caller may see", content_type = "text/event-stream", body = String),
        (status = 503, description = "`events.too_many_readers`, `database.unavailable`"),
    )
)]
#[get("")]
async fn stream(
    services: web::Data<Services>,
    feed: web::Data<Feed>,
    caller: CurrentUser,
    request: HttpRequest,
) -> Result<HttpResponse> {
    open(&services, &feed, &caller, &request).await
}

/// The same stream, for older clients.
#[utoipa::path(
    operation_id = "streamStatusEvents", tag = "events", extensions(("x-permission" = json!("authenticated"))),
    params(("last-event-id" = Option<String>, Header, description = "The id of the last event that was received")),
    responses(
        (status = 200, description = "See `streamEvents`", content_type = "text/event-stream", body = String),
        (status = 503, description = "`events.too_many_readers`, `database.unavailable`"),
    )
)]
#[get("/status")]
async fn stream_status(
    services: web::Data<Services>,
    feed: web::Data<Feed>,
    caller: CurrentUser,
    request: HttpRequest,
) -> Result<HttpResponse> {
    open(&services, &feed, &caller, &request).await
}

async fn open(
    services: &Services,
    feed: &Feed,
    caller: &CurrentUser,
    request: &HttpRequest,
) -> Result<HttpResponse> {
    let seen = sse::last_event_id(request).and_then(|id| i64::try_from(id).ok());
    Ok(sse::respond(Reader::open(services, feed, caller, seen).await?.into_stream()))
}
