//! `/api/auth`: signing in and out, and one's own account.

use actix_web::{HttpRequest, HttpResponse, get, post, put, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

pub use super::users_http::configure as configure_users;
use super::{
    Authority, CurrentUser, Role, User,
    extract::{self, ACCESS_COOKIE, Presented, REFRESH_COOKIE},
    ops::{accounts, sessions},
    policy,
};
use crate::{
    platform::{Error, Kind, Result, Secret, clock::millis, id::UserId},
    services::Services,
    web::{ClientAddress, Json, valid},
};

/// Under `{BASE_PATH}/api/auth`.
pub fn configure(config: &mut ServiceConfig) {
    config
        .service(login)
        .service(logout)
        .service(refresh)
        .service(status)
        .service(verify)
        .service(me)
        .service(signup)
        .service(change_password);
}

/// Under `{BASE_PATH}/auth`, for older clients: the same four calls.
pub fn configure_alias(config: &mut web::ServiceConfig) {
    config.service(login).service(logout).service(refresh).service(status);
}

#[derive(Deserialize, Validate, ToSchema)]
struct LoginBody {
    /// The username, or the e-mail address.
    #[validate(length(min = 1, max = 254, message = "a name has 1 to 254 characters"))]
    #[schema(min_length = 1, max_length = 254)]
    username: String,
    #[schema(value_type = String, format = Password)]
    password: Secret<String>,
}

/// Who is signed in, in short.
#[derive(Serialize, ToSchema)]
struct Identity {
    id: UserId,
    username: String,
    role: Role,
    /// What the account may do somewhere, `<thing>:<verb>`.
    permissions: Vec<&'static str>,
}

impl Identity {
    fn new(user: &User, authority: &Authority) -> Self {
        let permissions = policy::held_somewhere(authority);
        Self {
            id: user.id,
            username: user.username.clone(),
            role: user.role,
            permissions: permissions.into_iter().map(policy::Permission::as_str).collect(),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LoginAnswer {
    user: Identity,
    /// The access token, for `Authorization: Bearer`.
    token: String,
    /// Seconds until it expires.
    expires_in: u64,
}

#[derive(Serialize, ToSchema)]
struct VerifyAnswer {
    user: Identity,
}

#[derive(Serialize, ToSchema)]
struct StatusAnswer {
    authenticated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Identity>,
}

#[derive(Serialize, ToSchema)]
struct Success {
    success: bool,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Me {
    #[serde(flatten)]
    identity: Identity,
    email: Option<String>,
    name: String,
    created_at: i64,
    /// Always `self-hosted`: there are no others.
    plan: &'static str,
}

#[derive(Deserialize, Validate, ToSchema)]
struct SignupBody {
    #[validate(length(min = 1, max = 200, message = "a name has 1 to 200 characters"),
               custom(function = valid::name, message = "a name is one line without spaces around it"))]
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    #[validate(
        email(message = "not an e-mail address"),
        length(max = 64, message = "at most 64 characters")
    )]
    #[schema(format = Email, max_length = 64)]
    email: String,
    /// 8 characters to 71 bytes of UTF-8.
    #[schema(value_type = String, format = Password)]
    password: Secret<String>,
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PasswordBody {
    #[schema(value_type = String, format = Password)]
    current_password: Secret<String>,
    /// 8 characters to 71 bytes of UTF-8.
    #[schema(value_type = String, format = Password)]
    new_password: Secret<String>,
}

/// The answer to a sign-in, with its cookies.
fn answer(services: &Services, request: &HttpRequest, signed_in: &sessions::SignedIn) -> HttpResponse {
    let body = LoginAnswer {
        user: Identity::new(&signed_in.user, &signed_in.authority),
        token: signed_in.access.clone(),
        expires_in: signed_in.access_life.as_secs(),
    };
    let mut response = HttpResponse::Ok().json(body);
    set_cookie(services, request, &mut response, ACCESS_COOKIE, &signed_in.access, signed_in.access_life);
    set_cookie(
        services,
        request,
        &mut response,
        REFRESH_COOKIE,
        signed_in.refresh.expose(),
        signed_in.refresh_life,
    );
    response
}

/// The refresh cookie goes to the refresh call only: the one beside the call that is being answered.
fn set_cookie(
    services: &Services,
    request: &HttpRequest,
    response: &mut HttpResponse,
    name: &str,
    value: &str,
    life: std::time::Duration,
) {
    let base = &services.config.base_path;
    let path = match name {
        REFRESH_COOKIE => {
            request.path().rsplit_once('/').map_or("", |(parent, _)| parent).to_owned() + "/refresh"
        }
        _ => format!("{base}/"),
    };
    let frontend = services.config.frontend_url.as_deref().unwrap_or_default();
    let is_secure = ClientAddress::of(request).https || frontend.starts_with("https://");
    let cookie = extract::cookie(name, value, path, life, is_secure);
    // A token has no character that a cookie may not have.
    drop(response.add_cookie(&cookie));
}

/// Sign in with a name and a password.
#[utoipa::path(
    operation_id = "login", tag = "auth", security(()), extensions(("x-permission" = json!("public"))),
    request_body = LoginBody,
    responses(
        (status = 200, description = "Signed in; two cookies are set", body = LoginAnswer),
        (status = 401, description = "`auth.invalid_credentials`: wrong name or password, or a disabled account"),
        (status = 429, description = "`auth.too_many_failures`: wait `Retry-After` seconds"),
    )
)]
#[post("/login")]
async fn login(
    services: web::Data<Services>,
    request: HttpRequest,
    body: Json<LoginBody>,
) -> Result<HttpResponse> {
    let LoginBody { username, password } = body.0;
    let signed_in = sessions::sign_in(&services, &username, password, &extract::visitor(&request)).await?;
    Ok(answer(&services, &request, &signed_in))
}

/// End this session: its tokens and its open sockets.
#[utoipa::path(
    operation_id = "logout", tag = "auth", extensions(("x-permission" = json!("public"))),
    responses(
        (status = 200, body = Success, description = "Signed out; the cookies are cleared"),
        (status = 401, description = "`auth.required`: nobody was signed in"),
        (status = 403, description = "`origin.refused`"),
    )
)]
#[post("/logout")]
async fn logout(services: web::Data<Services>, request: HttpRequest) -> Result<HttpResponse> {
    let presented = Presented::of(&request);
    if matches!(presented, Some(Presented::Cookie(_))) {
        extract::check_origin(&request)?;
    }
    // An expired token still names the session that is to end.
    let session = presented.and_then(|presented| sessions::session_of(&services, presented.token()));
    let session = session.ok_or_else(|| Error::unauthenticated("auth.required", "nobody is signed in"))?;
    sessions::sign_out(&services, session, &extract::visitor(&request)).await?;
    let mut response = HttpResponse::Ok().json(Success { success: true });
    for name in [ACCESS_COOKIE, REFRESH_COOKIE] {
        set_cookie(&services, &request, &mut response, name, "", std::time::Duration::ZERO);
    }
    Ok(response)
}

/// A new access token for the refresh cookie, which rotates.
#[utoipa::path(
    operation_id = "refresh", tag = "auth", security(()), extensions(("x-permission" = json!("public"))),
    responses(
        (status = 200, body = LoginAnswer, description = "A new token; both cookies are set anew"),
        (status = 401, description = "`auth.refresh_refused`: unknown, expired or used before (then the session is ended)"),
        (status = 403, description = "`origin.refused`"),
    )
)]
#[post("/refresh")]
async fn refresh(services: web::Data<Services>, request: HttpRequest) -> Result<HttpResponse> {
    let cookie = request.cookie(REFRESH_COOKIE).ok_or_else(|| {
        Error::unauthenticated("auth.refresh_refused", "there is no refresh cookie; sign in")
    })?;
    extract::check_origin(&request)?;
    let signed_in = sessions::refresh(&services, cookie.value(), &extract::visitor(&request)).await?;
    Ok(answer(&services, &request, &signed_in))
}

/// Whether somebody is signed in. Always 200.
#[utoipa::path(
    operation_id = "authStatus", tag = "auth", security(()), extensions(("x-permission" = json!("public"))),
    responses((status = 200, body = StatusAnswer, description = "Who is signed in, if anybody"))
)]
#[get("/status")]
async fn status(services: web::Data<Services>, request: HttpRequest) -> HttpResponse {
    let caller = match Presented::of(&request) {
        Some(presented) => {
            sessions::authenticate(&services, presented.token(), &extract::visitor(&request)).await.ok()
        }
        None => None,
    };
    let user = caller.map(|caller| Identity::new(&caller.user, &caller.authority));
    HttpResponse::Ok().json(StatusAnswer { authenticated: user.is_some(), user })
}

/// Who this token stands for.
#[utoipa::path(
    operation_id = "verify", tag = "auth", extensions(("x-permission" = json!("authenticated"))),
    responses(
        (status = 200, body = VerifyAnswer, description = "The token is good"),
    )
)]
#[get("/verify")]
async fn verify(caller: CurrentUser) -> HttpResponse {
    HttpResponse::Ok().json(VerifyAnswer { user: Identity::new(&caller.user, &caller.authority) })
}

/// One's own account.
#[utoipa::path(
    operation_id = "me", tag = "auth", extensions(("x-permission" = json!("authenticated"))),
    responses(
        (status = 200, body = Me, description = "The caller's account"),
    )
)]
#[get("/me")]
async fn me(caller: CurrentUser) -> HttpResponse {
    HttpResponse::Ok().json(Me {
        identity: Identity::new(&caller.user, &caller.authority),
        email: caller.user.email,
        name: caller.user.name,
        created_at: millis(caller.user.created_at),
        plan: "self-hosted",
    })
}

/// Make an account for oneself, where the settings allow it.
#[utoipa::path(
    operation_id = "signup", tag = "auth", security(()), extensions(("x-permission" = json!("public"))),
    request_body = SignupBody,
    responses(
        (status = 201, body = LoginAnswer, description = "The account is made and signed in"),
        (status = 403, description = "`auth.signup_disabled`"),
        (status = 409, description = "`user.email_taken`"),
    )
)]
#[post("/signup")]
async fn signup(
    services: web::Data<Services>,
    request: HttpRequest,
    body: Json<SignupBody>,
) -> Result<HttpResponse> {
    if !services.config.signup_enabled {
        let detail = "accounts are made by an administrator here";
        return Err(Error::new(Kind::Forbidden, "auth.signup_disabled", detail));
    }
    let SignupBody { name, email, password } = body.0;
    let new = accounts::NewUser {
        username: email.clone(),
        email: Some(email.clone()),
        name,
        role: Role::User,
        is_enabled: true,
        password: password.clone(),
    };
    accounts::add(&services, &super::Permit::of_the_house(), new).await?;
    let signed_in = sessions::sign_in(&services, &email, password, &extract::visitor(&request)).await?;
    let mut response = answer(&services, &request, &signed_in);
    *response.status_mut() = actix_web::http::StatusCode::CREATED;
    Ok(response)
}

/// Change one's own password; every other session of the account ends.
#[utoipa::path(
    operation_id = "changePassword", tag = "auth", extensions(("x-permission" = json!("authenticated"))),
    request_body = PasswordBody,
    responses(
        (status = 200, body = Success, description = "Changed"),
        (status = 422, description = "The present password is wrong, or the new one does not do"),
    )
)]
#[put("/password")]
async fn change_password(
    services: web::Data<Services>,
    caller: CurrentUser,
    body: Json<PasswordBody>,
) -> Result<HttpResponse> {
    let PasswordBody { current_password, new_password } = body.0;
    accounts::change_own_password(&services, &caller, current_password, new_password).await?;
    Ok(HttpResponse::Ok().json(Success { success: true }))
}
