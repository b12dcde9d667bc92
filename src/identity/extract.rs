//! Where identity meets actix-web: who sent a request, and the extractors that handlers take.

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest, HttpResponse,
    body::{BoxBody, EitherBody, MessageBody},
    cookie::{Cookie, SameSite, time},
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::header,
    middleware::Next,
    web,
};

use super::{
    Asks, CurrentUser,
    ops::sessions::{self, Visitor},
    policy::Right,
};
use crate::{
    platform::{Error, Result},
    services::Services,
    web::{ClientAddress, RequestId, client::network, origin::AllowedOrigins, rate_limit::Limiter},
};

pub const ACCESS_COOKIE: &str = "qm_access";
pub const REFRESH_COOKIE: &str = "qm_refresh";

/// How a request named its session.
pub enum Presented {
    Bearer(String),
    Cookie(String),
}

impl Presented {
    pub fn of(request: &HttpRequest) -> Option<Self> {
        let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = header.and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| Self::Bearer(token.trim().to_owned()))
        });
        bearer.or_else(|| request.cookie(ACCESS_COOKIE).map(|cookie| Self::Cookie(cookie.value().to_owned())))
    }

    pub fn token(&self) -> &str {
        match self {
            Self::Bearer(token) | Self::Cookie(token) => token,
        }
    }
}

/// Where a request comes from, for sessions and the journal.
pub fn visitor(request: &HttpRequest) -> Visitor<'_> {
    let id = RequestId::current();
    Visitor {
        address: ClientAddress::of(request).ip,
        user_agent: request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok()),
        request_id: id.as_ref().map(RequestId::as_str).unwrap_or_default().to_owned(),
    }
}

async fn identify(services: &Services, request: &HttpRequest) -> Result<CurrentUser> {
    let presented = Presented::of(request)
        .ok_or_else(|| Error::unauthenticated("auth.required", "sign in, or send a bearer token"))?;
    let caller = sessions::authenticate(services, presented.token(), &visitor(request)).await?;
    if matches!(presented, Presented::Cookie(_)) {
        check_origin(request)?;
    }
    Ok(caller)
}

/// What a cookie authenticates must not come from a foreign page.
pub fn check_origin(request: &HttpRequest) -> Result<()> {
    let nothing = AllowedOrigins::default();
    let allowed = request.app_data::<web::Data<AllowedOrigins>>().map_or(&nothing, |data| data.get_ref());
    allowed.check(request)
}

/// Middleware around everything under `/api`: finds the caller, counts the request, and turns away who is not signed in,
/// but for the paths that `is_public` names. Outermost, so that no route can be reached around it.
pub async fn authenticate<B: MessageBody>(
    services: web::Data<Services>,
    limiter: web::Data<Limiter>,
    is_public: fn(&ServiceRequest) -> bool,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, actix_web::Error> {
    match admit(&services, &limiter, is_public, &request).await {
        Ok(()) => next.call(request).await.map(ServiceResponse::map_into_left_body),
        Err(error) => {
            let answer = HttpResponse::from_error(error);
            Ok(request.into_response(answer).map_into_right_body())
        }
    }
}

async fn admit(
    services: &Services,
    limiter: &Limiter,
    is_public: fn(&ServiceRequest) -> bool,
    request: &ServiceRequest,
) -> Result<()> {
    let caller = identify(services, request.request()).await;
    limiter.check(&limit_key(request.request(), &caller))?;
    match caller {
        Ok(caller) => {
            tracing::Span::current().record("user", &caller.user.username);
            request.extensions_mut().insert(caller);
            Ok(())
        }
        Err(_) if is_public(request) => Ok(()),
        Err(error) => Err(error),
    }
}

fn limit_key(request: &HttpRequest, caller: &Result<CurrentUser>) -> String {
    if let Ok(caller) = caller {
        return format!("user {}", caller.user.id);
    }
    let address = ClientAddress::of(request).ip;
    address.map_or_else(|| "address none".to_owned(), |address| format!("address {}", network(address)))
}

impl FromRequest for CurrentUser {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = request.extensions().get::<Self>().cloned();
        ready(
            caller.ok_or_else(|| Error::unauthenticated("auth.required", "sign in, or send a bearer token")),
        )
    }
}

impl<R: Right> FromRequest for Asks<R> {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        ready(CurrentUser::from_request(request, payload).into_inner().map(Self::new))
    }
}

/// A cookie that scripts cannot read and other sites cannot send.
pub fn cookie<'a>(
    name: &'a str,
    value: &'a str,
    path: String,
    life: std::time::Duration,
    is_secure: bool,
) -> Cookie<'a> {
    Cookie::build(name, value)
        .path(path)
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(is_secure)
        .max_age(time::Duration::try_from(life).unwrap_or(time::Duration::ZERO))
        .finish()
}
