//! Every capability mounted once: the router and the OpenAPI document are made by the same calls.

mod dashboard;
mod document;

use actix_web::{
    App, HttpRequest, HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{HttpServiceFactory, ServiceRequest, ServiceResponse},
    get,
    http::header,
    middleware::{Next, from_fn},
    web,
};
use utoipa::openapi::{OpenApi, Server};
use utoipa_actix_web::{AppExt, OpenApiFactory, scope, service_config::ServiceConfig};

pub use document::{UndeclaredRoutes, check};

use crate::{
    apps, audit, events, identity, metrics, operations, platform::Error, projects, servers,
    services::Services, web::rate_limit::Limiter,
};

/// The only calls under `/api` that need no session, as method and path below `BASE_PATH`.
pub const PUBLIC: [(&str, &str); 5] = [
    ("POST", "/api/auth/login"),
    ("POST", "/api/auth/logout"),
    ("POST", "/api/auth/refresh"),
    ("POST", "/api/auth/signup"),
    ("GET", "/api/auth/status"),
];

/// Where older clients look for `/api/auth`.
const AUTH_ALIAS: &str = "/auth";

/// The OpenAPI document of everything that is mounted.
pub fn document() -> OpenApi {
    let (_, collected) = App::new().into_utoipa_app().configure(mount).split_for_parts();
    document::finish(collected)
}

/// Mounts everything under `base`, which is empty or `/something`.
pub fn configure(base: &str, document: &OpenApi) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
    let (base, mut document) = (base.to_owned(), document.clone());
    if !base.is_empty() {
        document.servers = Some(vec![Server::new(&base)]);
    }
    let document = web::Data::new(document);
    move |config| {
        let root = web::scope(&base)
            .app_data(document.clone())
            .service(openapi_json)
            .service(alias())
            .configure(|config| mount(&mut ServiceConfig::new(config)))
            .configure(|config| document::configure(config, &base))
            .configure(|config| dashboard::configure(config, &base));
        config.service(root);
    }
}

/// The older addresses of four public calls: behind the same middleware as those.
fn alias() -> impl HttpServiceFactory + 'static {
    web::scope(AUTH_ALIAS)
        .configure(identity::http::configure_alias)
        .default_service(web::to(no_such_route))
        .wrap(from_fn(authenticate))
}

fn mount(config: &mut ServiceConfig) {
    let api = scope::scope("/api")
        .service(part("/auth", identity::http::configure))
        .service(part("/users", identity::http::configure_users))
        .service(part("/audit-logs", audit::http::configure))
        .service(part("/events", events::http::configure))
        .service(part("/servers", servers::http::configure))
        .service(part("/projects", projects::http::configure))
        .service(part("/apps", apps::http::configure))
        .service(part("/operations", |config| {
            operations::http::configure(config);
            apps::http::configure_operations(config);
        }))
        .default_service(web::to(no_such_route))
        .wrap(from_fn(authenticate));
    config.service(api).configure(metrics::http::configure);
}

/// The calls of one capability. What none of them takes is told like everywhere under `/api`.
fn part(
    path: &'static str,
    configure: impl FnOnce(&mut ServiceConfig),
) -> impl HttpServiceFactory + OpenApiFactory + 'static {
    scope::scope(path).configure(configure).default_service(web::to(no_such_route))
}

async fn authenticate<B: MessageBody + 'static>(
    services: web::Data<Services>,
    limiter: web::Data<Limiter>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    identity::extract::authenticate(services, limiter, is_public, request, next).await
}

fn is_public(request: &ServiceRequest) -> bool {
    let base = request.app_data::<web::Data<Services>>().map(|services| services.config.base_path.as_str());
    let path = request.path().strip_prefix(base.unwrap_or_default()).unwrap_or_default();
    let is_this = |public: &str| {
        path == public || path.starts_with(AUTH_ALIAS) && public.strip_prefix("/api") == Some(path)
    };
    PUBLIC.iter().any(|(method, public)| request.method().as_str() == *method && is_this(public))
}

/// 405 where another method would do, 404 elsewhere.
async fn no_such_route(request: HttpRequest, document: web::Data<OpenApi>) -> Result<HttpResponse, Error> {
    let services = request.app_data::<web::Data<Services>>();
    let base = services.map(|services| services.config.base_path.as_str()).unwrap_or_default();
    let path = request.path().strip_prefix(base).unwrap_or_default();
    Err(document::no_such_route(&document, path))
}

#[get("/openapi.json")]
async fn openapi_json(document: web::Data<OpenApi>) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-cache")).json(document.get_ref())
}
