//! `/api/servers`: machines, for those who see them; changing them is for administrators.

mod bodies;
mod views;

use actix_web::{HttpResponse, delete, get, post, put, web};
use utoipa_actix_web::service_config::ServiceConfig;

use self::{
    bodies::{HostKeyBody, ServerBody, ServerChange, TestBody},
    views::{ReportView, ServerView, SpanView, StatusView},
};
use super::{Looks, Server, ops, policy};
use crate::{
    identity::{
        self, Asks, Permission,
        policy::Right,
        right::{ServersManage, ServersView},
    },
    platform::{Result, id::ServerId},
    services::Services,
    web::{Json, Page, PageQuery, Path, Query},
};

/// Under `{BASE_PATH}/api/servers`.
pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list)
        .service(create)
        .service(try_out)
        .service(get_one)
        .service(change)
        .service(remove)
        .service(test)
        .service(trust)
        .service(status)
        .service(history);
}

/// The server, if the asker sees it: what is out of sight is 404 before any right is looked at.
async fn visible<R: Right>(services: &Services, asks: &Asks<R>, id: ServerId) -> Result<Server> {
    ops::see(&mut *services.db.acquire().await?, &asks.sight(), id).await
}

/// The servers: all of them, or those that carry apps of one's projects. By name.
#[utoipa::path(
    operation_id = "listServers", tag = "servers", extensions(("x-permission" = json!("servers:view"))),
    responses((status = 200, body = [ServerView], description = "The servers in sight"))
)]
#[get("")]
async fn list(services: web::Data<Services>, asks: Asks<ServersView>) -> Result<web::Json<Vec<ServerView>>> {
    let servers = ops::list(&mut *services.db.acquire().await?, &asks.sight()).await?;
    Ok(web::Json(servers.iter().map(|server| ServerView::new(&services, server)).collect()))
}

/// Add a server. It is looked at right away: the answer waits for that, at most 5 s.
///
/// With `hostKeyPolicy: acceptNew` the key that it shows at first contact is trusted; otherwise `offeredHostKey` says what
/// there is to compare and trust. For a `generated` credential the answer holds the line for `authorized_keys`.
#[utoipa::path(
    operation_id = "createServer", tag = "servers", extensions(("x-permission" = json!("servers:manage"))),
    request_body = ServerBody,
    responses(
        (status = 201, body = ServerView, description = "Added"),
        (status = 409, description = "`server.name_taken`"),
    )
)]
#[post("")]
async fn create(
    services: web::Data<Services>,
    asks: Asks<ServersManage>,
    body: Json<ServerBody>,
) -> Result<HttpResponse> {
    let permit = asks.globally()?;
    let server = ops::add(&services, &permit, body.0.parse()?).await?;
    Ok(HttpResponse::Created().json(ServerView::new(&services, &server)))
}

/// One server.
#[utoipa::path(
    operation_id = "getServer", tag = "servers", extensions(("x-permission" = json!("servers:view"))),
    params(("id" = ServerId, Path)),
    responses((status = 200, body = ServerView, description = "The server"))
)]
#[get("/{id}")]
async fn get_one(
    services: web::Data<Services>,
    asks: Asks<ServersView>,
    id: Path<ServerId>,
) -> Result<web::Json<ServerView>> {
    let server = visible(&services, &asks, id.0).await?;
    Ok(web::Json(ServerView::new(&services, &server)))
}

/// Change a server: what is left out stays as it is.
///
/// Another address or port is another machine: its trusted host key is dropped and `hostKeyPolicy` decides again.
/// A new `generated` credential is a new key pair.
#[utoipa::path(
    operation_id = "updateServer", tag = "servers", extensions(("x-permission" = json!("servers:manage"))),
    params(("id" = ServerId, Path)), request_body = ServerChange,
    responses(
        (status = 200, body = ServerView, description = "Changed"),
        (status = 409, description = "`server.name_taken`"),
    )
)]
#[put("/{id}")]
async fn change(
    services: web::Data<Services>,
    asks: Asks<ServersManage>,
    id: Path<ServerId>,
    body: Json<ServerChange>,
) -> Result<web::Json<ServerView>> {
    let server = visible(&services, &asks, id.0).await?;
    let permit = asks.globally()?;
    let server = ops::change(&services, &permit, server.id, body.0.parse()?).await?;
    Ok(web::Json(ServerView::new(&services, &server)))
}

/// Remove a server that carries no app. Nothing happens on the machine.
#[utoipa::path(
    operation_id = "deleteServer", tag = "servers", extensions(("x-permission" = json!("servers:manage"))),
    params(("id" = ServerId, Path)),
    responses(
        (status = 204, description = "Removed"),
        (status = 409, description = "`server.has_apps`: remove or move them first"),
    )
)]
#[delete("/{id}")]
async fn remove(
    services: web::Data<Services>,
    asks: Asks<ServersManage>,
    id: Path<ServerId>,
) -> Result<HttpResponse> {
    let server = visible(&services, &asks, id.0).await?;
    ops::remove(&services, &asks.globally()?, server.id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Try a server that is not kept, step by step. Nothing is written down.
///
/// The credential is sent only to the key that `hostKeyFingerprint` names, or with `hostKeyPolicy: acceptNew` to the one
/// that is shown. Otherwise the test ends at the step `hostKey`, with `offeredHostKey` to compare.
#[utoipa::path(
    operation_id = "testNewServer", tag = "servers", extensions(("x-permission" = json!("servers:manage"))),
    request_body = TestBody,
    responses((status = 200, body = ReportView, description = "What came of each step, also where one failed"))
)]
#[post("/test")]
async fn try_out(
    services: web::Data<Services>,
    asks: Asks<ServersManage>,
    body: Json<TestBody>,
) -> Result<web::Json<ReportView>> {
    let permit = asks.globally()?;
    let report = ops::try_out(&services, &permit, body.0.parse()?).await?;
    Ok(web::Json(report.into()))
}

/// Try a server step by step, over a new connection. What it finds counts as a probe.
#[utoipa::path(
    operation_id = "testServer", tag = "servers", extensions(("x-permission" = json!("servers:manage"))),
    params(("id" = ServerId, Path)),
    responses((status = 200, body = ReportView, description = "What came of each step, also where one failed"))
)]
#[post("/{id}/test")]
async fn test(
    services: web::Data<Services>,
    asks: Asks<ServersManage>,
    id: Path<ServerId>,
) -> Result<web::Json<ReportView>> {
    let server = visible(&services, &asks, id.0).await?;
    let report = ops::test(&services, &asks.globally()?, &server).await?;
    Ok(web::Json(report.into()))
}

/// Trust the host key with this fingerprint, if it is the one that the server shows right now, and probe.
#[utoipa::path(
    operation_id = "trustHostKey", tag = "servers", extensions(("x-permission" = json!("servers:manage"))),
    params(("id" = ServerId, Path)), request_body = HostKeyBody,
    responses(
        (status = 200, body = ServerView, description = "Trusted"),
        (status = 409, description = "`server.host_key_mismatch`: it shows another key now, see `offeredHostKey`; \
                                      `server.changed_meanwhile`"),
        (status = 503, description = "The server cannot be reached: `server.tcp_refused` and so on, with `reason`"),
    )
)]
#[post("/{id}/host-key")]
async fn trust(
    services: web::Data<Services>,
    asks: Asks<ServersManage>,
    id: Path<ServerId>,
    body: Json<HostKeyBody>,
) -> Result<web::Json<ServerView>> {
    let server = visible(&services, &asks, id.0).await?;
    let permit = asks.globally()?;
    let server = ops::trust(&services, &permit, &server, body.0.parse()?).await?;
    Ok(web::Json(ServerView::new(&services, &server)))
}

/// Probe a server now. Who does not manage servers is told of the last probe when that is seconds old, or when what it found
/// needs a person to mend.
#[utoipa::path(
    operation_id = "probeServer", tag = "servers", extensions(("x-permission" = json!("servers:view"))),
    params(("id" = ServerId, Path)),
    responses((status = 200, body = StatusView, description = "How it is, also where it cannot be reached"))
)]
#[get("/{id}/status")]
async fn status(
    services: web::Data<Services>,
    looks: web::Data<Looks>,
    asks: Asks<ServersView>,
    id: Path<ServerId>,
) -> Result<web::Json<StatusView>> {
    let mut server = visible(&services, &asks, id.0).await?;
    let manages = identity::policy::holds_globally(&asks.caller().authority, Permission::ServersManage);
    if manages || policy::is_worth_a_look(&server, services.clock.now()) {
        looks.look(&services, server.id).await;
        server = visible(&services, &asks, server.id).await?;
    }
    Ok(web::Json(StatusView::new(&services, &server)))
}

/// When its status was what, the newest first.
#[utoipa::path(
    operation_id = "listServerHistory", tag = "servers", extensions(("x-permission" = json!("servers:view"))),
    params(("id" = ServerId, Path), PageQuery),
    responses((status = 200, body = Page<SpanView>, description = "A page of its history"))
)]
#[get("/{id}/history")]
async fn history(
    services: web::Data<Services>,
    asks: Asks<ServersView>,
    id: Path<ServerId>,
    page: Query<PageQuery>,
) -> Result<web::Json<Page<SpanView>>> {
    let server = visible(&services, &asks, id.0).await?;
    let page = page.0.parse()?;
    let spans = ops::history(&mut *services.db.acquire().await?, server.id, page).await?;
    let now = services.clock.now();
    let spans = spans.into_iter().map(|span| SpanView::new(span, now)).collect();
    Ok(web::Json(Page::new(spans, page, SpanView::key)))
}
