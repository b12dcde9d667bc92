//! `/api/users`: accounts, for administrators.

use actix_web::{HttpResponse, delete, get, http::StatusCode, post, put, web};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::{
    Asks, Role, User,
    ops::accounts::{self, Change, NewUser},
    right::UsersManage,
};
use crate::{
    platform::{Result, Secret, clock::millis, id::UserId},
    services::Services,
    web::{Json, Path},
};

/// Under `{BASE_PATH}/api/users`.
pub fn configure(config: &mut ServiceConfig) {
    config.service(list).service(create).service(get_one).service(change).service(remove);
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = User)]
struct UserView {
    id: UserId,
    username: String,
    #[schema(required = true)]
    email: Option<String>,
    name: String,
    role: Role,
    is_enabled: bool,
    created_at: i64,
    updated_at: i64,
    #[schema(required = true)]
    last_login_at: Option<i64>,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            username: user.username,
            email: user.email,
            name: user.name,
            role: user.role,
            is_enabled: user.is_enabled,
            created_at: millis(user.created_at),
            updated_at: millis(user.updated_at),
            last_login_at: user.last_login_at.map(millis),
        }
    }
}

fn plain_username(name: &str) -> Result<(), validator::ValidationError> {
    let fine = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '_' | '-' | '@' | '+');
    if name.chars().all(fine) { Ok(()) } else { Err(validator::ValidationError::new("username")) }
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
struct UserBody {
    #[validate(length(min = 1, max = 64, message = "a username has 1 to 64 characters"),
               custom(function = plain_username, message = "a username has letters, digits and . _ - @ + only"))]
    #[schema(min_length = 1, max_length = 64)]
    username: String,
    #[validate(
        email(message = "not an e-mail address"),
        length(max = 254, message = "at most 254 characters")
    )]
    #[schema(format = Email, max_length = 254)]
    email: Option<String>,
    #[serde(default)]
    #[validate(length(max = 200, message = "a name has at most 200 characters"))]
    #[schema(max_length = 200)]
    name: String,
    role: Option<Role>,
    is_enabled: Option<bool>,
    /// 8 characters to 71 bytes of UTF-8.
    #[schema(value_type = String, format = Password)]
    password: Secret<String>,
}

/// What is left out stays as it is; an `email` of null is taken away.
#[expect(clippy::option_option, reason = "three cases: keep, take away, set")]
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
struct UserChange {
    #[validate(length(min = 1, max = 64, message = "a username has 1 to 64 characters"),
               custom(function = plain_username, message = "a username has letters, digits and . _ - @ + only"))]
    #[schema(min_length = 1, max_length = 64)]
    username: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[validate(
        email(message = "not an e-mail address"),
        length(max = 254, message = "at most 254 characters")
    )]
    #[schema(value_type = Option<String>, format = Email, max_length = 254)]
    email: Option<Option<String>>,
    #[validate(length(max = 200, message = "a name has at most 200 characters"))]
    #[schema(max_length = 200)]
    name: Option<String>,
    role: Option<Role>,
    is_enabled: Option<bool>,
    /// 8 characters to 71 bytes of UTF-8. Ends the account's sessions.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<Secret<String>>,
}

/// Tells "null" from "not there".
#[expect(clippy::option_option, reason = "three cases: keep, take away, set")]
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// All accounts, by name.
#[utoipa::path(
    operation_id = "listUsers", tag = "users", extensions(("x-permission" = json!("users:manage"))),
    responses((status = 200, body = [UserView], description = "All accounts"))
)]
#[get("")]
async fn list(services: web::Data<Services>, asks: Asks<UsersManage>) -> Result<web::Json<Vec<UserView>>> {
    let users = accounts::list(&services, &asks.globally()?).await?;
    Ok(web::Json(users.into_iter().map(Into::into).collect()))
}

/// Make an account.
#[utoipa::path(
    operation_id = "createUser", tag = "users", extensions(("x-permission" = json!("users:manage"))),
    request_body = UserBody,
    responses(
        (status = 201, body = UserView, description = "Made"),
        (status = 409, description = "`user.username_taken`, `user.email_taken`"),
    )
)]
#[post("")]
async fn create(
    services: web::Data<Services>,
    asks: Asks<UsersManage>,
    body: Json<UserBody>,
) -> Result<HttpResponse> {
    let permit = asks.globally()?;
    let body = body.0;
    let new = NewUser {
        username: body.username,
        email: body.email,
        name: body.name,
        role: body.role.unwrap_or(Role::User),
        is_enabled: body.is_enabled.unwrap_or(true),
        password: body.password,
    };
    let user = accounts::add(&services, &permit, new).await?;
    Ok(HttpResponse::build(StatusCode::CREATED).json(UserView::from(user)))
}

/// One account.
#[utoipa::path(
    operation_id = "getUser", tag = "users", extensions(("x-permission" = json!("users:manage"))),
    params(("id" = UserId, Path)),
    responses((status = 200, body = UserView, description = "The account"))
)]
#[get("/{id}")]
async fn get_one(
    services: web::Data<Services>,
    asks: Asks<UsersManage>,
    id: Path<UserId>,
) -> Result<web::Json<UserView>> {
    Ok(web::Json(accounts::get(&services, &asks.globally()?, id.0).await?.into()))
}

/// Change an account. A new role, password or disabling ends its sessions.
#[utoipa::path(
    operation_id = "updateUser", tag = "users", extensions(("x-permission" = json!("users:manage"))),
    params(("id" = UserId, Path)), request_body = UserChange,
    responses(
        (status = 200, body = UserView, description = "Changed"),
        (status = 409, description = "`user.last_admin`, `user.username_taken`, `user.email_taken`"),
    )
)]
#[put("/{id}")]
async fn change(
    services: web::Data<Services>,
    asks: Asks<UsersManage>,
    id: Path<UserId>,
    body: Json<UserChange>,
) -> Result<web::Json<UserView>> {
    let permit = asks.globally()?;
    let body = body.0;
    let change = Change {
        username: body.username,
        email: body.email,
        name: body.name,
        role: body.role,
        is_enabled: body.is_enabled,
        password: body.password,
    };
    Ok(web::Json(accounts::change(&services, &permit, id.0, change).await?.into()))
}

/// Remove an account and end its sessions. What it did stays in the audit log.
#[utoipa::path(
    operation_id = "deleteUser", tag = "users", extensions(("x-permission" = json!("users:manage"))),
    params(("id" = UserId, Path)),
    responses(
        (status = 204, description = "Removed"),
        (status = 409, description = "`user.last_admin`"),
    )
)]
#[delete("/{id}")]
async fn remove(
    services: web::Data<Services>,
    asks: Asks<UsersManage>,
    id: Path<UserId>,
) -> Result<HttpResponse> {
    accounts::remove(&services, &asks.globally()?, id.0).await?;
    Ok(HttpResponse::NoContent().finish())
}
