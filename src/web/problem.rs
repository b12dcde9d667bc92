//! Errors on the wire: `application/problem+json` (RFC 9457) with a stable `code` and the request's id.
//!
//! An internal error is logged here with its cause, and answered without it.

use actix_web::{HttpResponse, ResponseError, http::StatusCode, http::header};
use serde::Serialize;
use serde_json::{Map, Value};

use super::RequestId;
use crate::platform::{Error, FieldError, Kind};

/// The shape of every error answer. An error may carry further members, named at its operation.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Always `about:blank`: `code` tells problems apart.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The status in words.
    pub title: String,
    /// The HTTP status again.
    pub status: u16,
    /// One sentence for a person: what is wrong and what to do.
    pub detail: String,
    /// Stable and dotted: `server.name_taken`.
    pub code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = true)]
    pub request_id: Option<String>,
    /// The refused fields, for 422.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<FieldError>,
    #[serde(flatten)]
    #[schema(ignore)]
    extra: Map<String, Value>,
}

impl Problem {
    pub fn of(error: &Error) -> Self {
        let status = status(error.kind);
        let internal = error.kind == Kind::Internal;
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: if internal { INTERNAL.to_owned() } else { error.detail.to_string() },
            code: error.code.to_string(),
            request_id: RequestId::current().map(|id| id.as_str().to_owned()),
            errors: error.fields().to_vec(),
            extra: error.extra().clone(),
        }
    }
}

const INTERNAL: &str = "something failed on our side; the log has the details under this request id";

fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::Malformed => StatusCode::BAD_REQUEST,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::TooSlow => StatusCode::REQUEST_TIMEOUT,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Kind::RemoteFailed => StatusCode::BAD_GATEWAY,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        status(self.kind)
    }

    fn error_response(&self) -> HttpResponse {
        if self.kind == Kind::Internal {
            tracing::error!(error = %self, "a request failed on our side");
        }
        let mut answer = HttpResponse::build(self.status_code());
        answer.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        answer.insert_header((header::CACHE_CONTROL, "no-store"));
        match self.kind {
            Kind::TooManyRequests { retry_after } => {
                answer.insert_header((header::RETRY_AFTER, retry_after));
            }
            Kind::Unauthenticated => {
                answer.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
            }
            // What is left of the body is not waited for.
            Kind::TooSlow | Kind::TooLarge => {
                answer.force_close();
            }
            Kind::Malformed
            | Kind::Forbidden
            | Kind::NotFound
            | Kind::MethodNotAllowed
            | Kind::Conflict
            | Kind::Invalid
            | Kind::Internal
            | Kind::RemoteFailed
            | Kind::Unavailable => {}
        }
        // `json` keeps a content type that is already there.
        answer.json(Problem::of(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_internal_error_is_answered_without_its_cause() {
        let error = Error::internal("read the canary", "canary at 10.0.0.1");
        let shown = serde_json::to_string(&Problem::of(&error)).unwrap();
        assert!(!shown.contains("canary"), "{shown}");
        assert!(error.to_string().contains("canary at 10.0.0.1"), "{error}");
    }

    #[test]
    fn extra_members_stand_beside_the_standard_ones() {
        let error = Error::conflict("app.busy", "busy").with("operationId", "x");
        let shown = serde_json::to_value(Problem::of(&error)).unwrap();
        assert_eq!(shown["operationId"], "x");
        assert_eq!(shown["status"], 409);
        assert_eq!(shown["type"], "about:blank");
        assert!(shown.get("errors").is_none());
    }
}
