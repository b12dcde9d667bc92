//! The error that verbs return: a kind (which becomes the HTTP status), a stable code, and what to do.
//!
//! Engines below have typed errors of their own; a verb turns them into this one where it knows what they mean for the
//! caller. The cause of an internal error is kept for the log and is never shown.

use std::{borrow::Cow, fmt};

use serde::Serialize;
use serde_json::{Map, Value};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of failure it is. Each has one HTTP status, see `web::problem`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request could not be parsed. 400
    Malformed,
    /// Nobody, or no longer anybody, is signed in. 401
    Unauthenticated,
    /// The caller sees the thing but may not do this. 403
    Forbidden,
    /// There is no such thing, or none that the caller may see. 404
    NotFound,
    /// There is such a thing, but not with this method. 405
    MethodNotAllowed,
    /// The state of things forbids it. 409
    Conflict,
    /// The request did not become whole in time. 408
    TooSlow,
    /// 413
    TooLarge,
    /// Fields are wrong; see [`Error::fields`]. 422
    Invalid,
    /// 429
    TooManyRequests {
        /// Seconds after which it makes sense to try again.
        retry_after: u64,
    },
    /// A fault of ours. 500
    Internal,
    /// The host did what was asked, and it failed. 502
    RemoteFailed,
    /// The host, or something that we need, cannot be reached. 503
    Unavailable,
}

/// A field that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Its path in the body or query: `name`, `credential.privateKey`.
    pub field: String,
    /// What is wrong and what would be right. Never holds the rejected value.
    pub message: String,
}

/// See the module.
#[derive(Debug)]
pub struct Error {
    pub kind: Kind,
    /// Stable and dotted: `server.name_taken`.
    pub code: Cow<'static, str>,
    /// One sentence for a person.
    pub detail: Cow<'static, str>,
    /// Boxed, so that a `Result` stays small.
    more: Box<More>,
}

#[derive(Debug, Default)]
struct More {
    fields: Vec<FieldError>,
    extra: Map<String, Value>,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub fn new(kind: Kind, code: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, code: code.into(), detail: detail.into(), more: Box::default() }
    }

    pub fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Malformed, "request.malformed", detail)
    }

    pub fn unauthenticated(code: &'static str, detail: &'static str) -> Self {
        Self::new(Kind::Unauthenticated, code, detail)
    }

    /// `permission` is what was missing, by name.
    pub fn forbidden(permission: &str) -> Self {
        Self::new(Kind::Forbidden, "permission.denied", format!("this needs the permission {permission}"))
    }

    /// `thing` in the singular: `server`. The code is `server.not_found`.
    pub fn not_found(thing: &'static str) -> Self {
        Self::new(
            Kind::NotFound,
            format!("{thing}.not_found"),
            format!("there is no such {thing}, or you may not see it"),
        )
    }

    pub fn conflict(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Conflict, code, detail)
    }

    pub fn invalid(fields: Vec<FieldError>) -> Self {
        let names: Vec<&str> = fields.iter().map(|field| field.field.as_str()).collect();
        let detail = format!("not acceptable: {}", names.join(", "));
        let more = Box::new(More { fields, ..More::default() });
        Self { more, ..Self::new(Kind::Invalid, "request.invalid", detail) }
    }

    pub fn invalid_field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError { field: field.into(), message: message.into() }])
    }

    pub fn too_many_requests(code: &'static str, retry_after: u64) -> Self {
        let detail = format!("too many requests: try again in {retry_after} s");
        Self::new(Kind::TooManyRequests { retry_after }, code, detail)
    }

    pub fn unavailable(code: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Unavailable, code, detail)
    }

    /// A fault of ours. `tried` says what was tried, for the log; the caller sees neither it nor the cause.
    pub fn internal(
        tried: impl Into<Cow<'static, str>>,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::new(Kind::Internal, "internal", tried).caused_by(cause)
    }

    /// The refused fields of an [`Kind::Invalid`] error.
    pub fn fields(&self) -> &[FieldError] {
        &self.more.fields
    }

    /// Further members of the problem document.
    pub fn extra(&self) -> &Map<String, Value> {
        &self.more.extra
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.more.cause = Some(cause.into());
        self
    }

    /// Adds a member to the problem document.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.extra.insert(name.to_owned(), value.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code, self.detail)?;
        let mut cause = self.more.cause.as_ref().map(|cause| cause.as_ref() as &dyn std::error::Error);
        while let Some(error) = cause {
            write!(formatter, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// `character_not_in_repertoire`, PostgreSQL documentation, appendix A: only NUL is valid UTF-8 and no text to Postgres.
const NOT_TEXT: &str = "22021";

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => {
                Self::unavailable("database.unavailable", "the database does not answer; try again shortly")
                    .caused_by(error)
            }
            sqlx::Error::Database(error) if error.code().as_deref() == Some(NOT_TEXT) => {
                Self::invalid_field("body", "text cannot contain the NUL character")
            }
            other if is_passing(&other) => {
                Self::unavailable("database.unavailable", "the database is busy; try again shortly")
                    .caused_by(other)
            }
            other => Self::internal("a statement failed", other),
        }
    }
}

/// Deadlock, serialisation failure, lock not available, statement cancelled, too many connections, shutting down
/// (PostgreSQL, appendix A): the same may succeed when tried again.
fn is_passing(error: &sqlx::Error) -> bool {
    const CODES: [&str; 7] = ["40P01", "40001", "55P03", "57014", "53300", "57P01", "57P03"];
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| CODES.contains(&code.as_ref()))
}

/// Turns the violation of a named constraint into what it means; every other error stays as it is.
pub fn on_constraint(error: sqlx::Error, meaning: impl FnOnce(&str) -> Option<Error>) -> Error {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::constraint)
        .and_then(meaning)
        .unwrap_or_else(|| error.into())
}
