//! The OpenAPI document: what is said once for all operations, its rules, and the page that shows it.

use actix_web::{
    HttpResponse,
    dev::Service as _,
    http::header::{self, HeaderName, HeaderValue},
    web,
};
use serde_json::json;
use utoipa::{
    OpenApi as _,
    openapi::{
        OpenApi, Server,
        extensions::Extensions,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::PUBLIC;
use crate::{
    identity::extract::ACCESS_COOKIE,
    platform::{Error, FieldError, Kind},
    web::{Problem, openapi},
};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Quaymaster",
        description = "An agentless control plane for Docker Compose apps on many hosts, over plain SSH.\n\n\
            Times are milliseconds since the Unix epoch. Errors are `application/problem+json` with a stable `code`. \
            `x-permission` names the permission that an operation needs.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
        contact()
    ),
    components(schemas(Problem, FieldError))
)]
struct Base;

/// A route that says nothing of who may use it is not served.
#[derive(Debug, thiserror::Error)]
#[error("these routes declare no permission, id or tag, or are public without being on the list: {0:?}")]
pub struct UndeclaredRoutes(Vec<String>);

/// The collected operations as a whole document.
pub fn finish(collected: OpenApi) -> OpenApi {
    let mut document = Base::openapi();
    document.merge(collected);
    document.servers = Some(vec![Server::new("/")]);
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let cookie = ApiKey::Cookie(ApiKeyValue::new(ACCESS_COOKIE));
    components.add_security_scheme("cookie", SecurityScheme::ApiKey(cookie));
    let none: [&str; 0] = [];
    document.security =
        Some(vec![SecurityRequirement::new("bearer", none), SecurityRequirement::new("cookie", none)]);
    openapi::complete(&mut document);
    document.extensions.get_or_insert_with(Extensions::default).merge(
        Extensions::builder()
            .add("x-public", json!(PUBLIC.map(|(method, path)| format!("{method} {path}"))))
            .build(),
    );
    document
}

/// Every operation names its permission, and the public ones under `/api` are the listed ones.
pub fn check(document: &OpenApi) -> Result<(), UndeclaredRoutes> {
    let mut wrong = openapi::undeclared(document);
    for (path, item) in document.paths.paths.iter().filter(|(path, _)| path.starts_with("/api")) {
        for (method, operation) in openapi::operations(item) {
            let listed = PUBLIC.contains(&(method, path.as_str()));
            if listed != (openapi::permission(operation) == Some(openapi::PUBLIC)) {
                wrong.push(format!("{method} {path}"));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(UndeclaredRoutes(wrong)) }
}

/// The error for a path and method that nothing serves.
pub fn no_such_route(document: &OpenApi, path: &str) -> Error {
    let known = document.paths.paths.iter().find(|(pattern, _)| matches(pattern, path));
    match known {
        Some((_, item)) => {
            let methods: Vec<&str> = openapi::operations(item).map(|(method, _)| method).collect();
            let detail = format!("this path takes {}", methods.join(", "));
            Error::new(Kind::MethodNotAllowed, "request.method_not_allowed", detail)
        }
        None => Error::not_found("route"),
    }
}

fn matches(pattern: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(part), Some(text)) if part == text || (part.starts_with('{') && !text.is_empty()) => {}
            (_, _) => return false,
        }
    }
}

/// Swagger UI sets styles from script and inlines its icons.
const DOCS_POLICY: &str =
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'";

/// The page at `/docs`, all of it from this binary.
pub fn configure(config: &mut web::ServiceConfig, base: &str) {
    let to = format!("{base}/docs/");
    let redirect = move || {
        let to = to.clone();
        async move { HttpResponse::PermanentRedirect().insert_header((header::LOCATION, to)).finish() }
    };
    let page = SwaggerUi::new("/{_:.*}").config(Config::from(format!("{base}/openapi.json")));
    config.service(web::resource("/docs").to(redirect));
    config.service(web::scope("/docs").service(page).wrap_fn(|request, service| {
        let answer = service.call(request);
        async move {
            let mut answer = answer.await?;
            let name = HeaderName::from_static("content-security-policy");
            answer.headers_mut().insert(name, HeaderValue::from_static(DOCS_POLICY));
            Ok(answer)
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_paths_of_its_form_only() {
        assert!(matches("/api/users/{id}", "/api/users/7"));
        assert!(!matches("/api/users/{id}", "/api/users/"));
        assert!(!matches("/api/users/{id}", "/api/users"));
        assert!(!matches("/api/users/{id}", "/api/users/7/x"));
    }
}
