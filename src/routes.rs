//! Every capability mounted once: the router and the OpenAPI document are made by the same calls.

mod dashboard;
mod document;

use actix_web::{
    App, HttpRequest, HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    get,
    http::header,
    middleware::{Next, from_fn},
    web,
};
use utoipa::openapi::OpenApi;
use utoipa_actix_web::{AppExt, scope, service_config::ServiceConfig};

pub use document::{UndeclaredRoutes, check};

use crate::{
    apps, identity, metrics, operations, platform::Error, projects, servers, services::Services,
    web::rate_limit::Limiter,
};

/// The only calls under `/api` that need no session, as method and path below `BASE_PATH`.
pub const PUBLIC: [(&str, &str); 5] = [
    ("POST", "/api/auth/login"),
    ("POST", "/api/auth/logout"),
    ("POST", "/api/auth/refresh"),
    ("POST", "/api/auth/signup"),
    ("GET", "/api/auth/status"),
];

/// The OpenAPI document of everything that is mounted.
pub fn document() -> OpenApi {
    let (_, collected) = App::new().into_utoipa_app().configure(mount).split_for_parts();
    document::finish(collected)
}

/// Mounts everything under `base`, which is empty or `/something`.
pub fn configure(base: &str, document: &OpenApi) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
    let (base, document) = (base.to_owned(), web::Data::new(document.clone()));
    move |config| {
        let root = web::scope(&base)
            .app_data(document.clone())
            .service(openapi_json)
            .service(web::scope("/auth").configure(identity::http::configure_alias))
            .configure(|config| mount(&mut ServiceConfig::new(config)))
            .configure(|config| document::configure(config, &base))
            .configure(|config| dashboard::configure(config, &base));
        config.service(root);
    }
}

fn mount(config: &mut ServiceConfig) {
    let api = scope::scope("/api")
        .service(scope::scope("/auth").configure(identity::http::configure))
        .service(scope::scope("/users").configure(identity::http::configure_users))
        .service(scope::scope("/servers").configure(servers::http::configure))
        .service(scope::scope("/projects").configure(projects::http::configure))
        .service(scope::scope("/apps").configure(apps::http::configure))
        .service(
            scope::scope("/operations")
                .configure(operations::http::configure)
                .configure(apps::http::configure_operations),
        )
        .default_service(web::to(no_such_route))
        .wrap(from_fn(authenticate));
    config.service(api).configure(metrics::http::configure);
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
    PUBLIC.iter().any(|(method, public)| request.method().as_str() == *method && path == *public)
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
