//! `/health`: 200 while the process can serve, 503 while it cannot, with the parts.

use std::time::{Duration, Instant};

use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::services::Services;

/// A database that takes longer to answer is as good as none.
const PATIENCE: Duration = Duration::from_secs(2);

pub fn configure(config: &mut ServiceConfig) {
    config.service(live).service(ready).service(health);
}

/// When the process began to serve.
#[derive(Clone, Copy)]
pub struct StartedAt(pub Instant);

#[derive(Serialize, ToSchema)]
struct Health {
    /// `ok`, or `unavailable`.
    status: &'static str,
    /// `ok`, or `unavailable`.
    database: &'static str,
    /// Seconds since the process began to serve.
    uptime: u64,
    version: &'static str,
}

async fn answer(services: &Services, started: StartedAt) -> HttpResponse {
    let answers = tokio::time::timeout(PATIENCE, crate::platform::db::ping(&services.db)).await;
    let is_ok = matches!(answers, Ok(Ok(()))) && !services.lifecycle.is_stopping();
    let word = |fine| if fine { "ok" } else { "unavailable" };
    let body = Health {
        status: word(is_ok),
        database: word(matches!(answers, Ok(Ok(())))),
        uptime: started.0.elapsed().as_secs(),
        version: env!("CARGO_PKG_VERSION"),
    };
    let mut answer = if is_ok { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.insert_header(("cache-control", "no-store")).json(body)
}

/// Whether the process can serve, with its parts.
#[utoipa::path(
    operation_id = "health", tag = "health", security(()), extensions(("x-permission" = json!("public"))),
    responses(
        (status = 200, body = Health, description = "It can"),
        (status = 503, body = Health, description = "It cannot; the parts say why"),
    )
)]
#[get("/health")]
async fn health(services: web::Data<Services>, started: web::Data<StartedAt>) -> HttpResponse {
    answer(&services, *started.get_ref()).await
}

/// Whether the process should get requests: the database answers and it is not stopping.
#[utoipa::path(
    operation_id = "ready", tag = "health", security(()), extensions(("x-permission" = json!("public"))),
    responses(
        (status = 200, body = Health, description = "It should"),
        (status = 503, body = Health, description = "It should not"),
    )
)]
#[get("/health/ready")]
async fn ready(services: web::Data<Services>, started: web::Data<StartedAt>) -> HttpResponse {
    answer(&services, *started.get_ref()).await
}

#[derive(Serialize, ToSchema)]
struct Alive {
    status: &'static str,
}

/// Whether the process is alive at all.
#[utoipa::path(
    operation_id = "live", tag = "health", security(()), extensions(("x-permission" = json!("public"))),
    responses((status = 200, body = Alive, description = "It is"))
)]
#[get("/health/live")]
async fn live() -> HttpResponse {
    HttpResponse::Ok().json(Alive { status: "ok" })
}
