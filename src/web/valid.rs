//! Bodies, queries and path parameters, checked before a handler sees them.
//!
//! What cannot be parsed is 400, what is too long 413, what has a wrong type or value 422 with the field's path.
//! `validator`'s own errors repeat the rejected value, which may be a password: only its messages are passed on.

use std::{
    future::{Future, Ready, ready},
    pin::Pin,
    time::Duration,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use validator::{Validate, ValidationError, ValidationErrors, ValidationErrorsKind};

use crate::platform::{Error, FieldError, Kind, Result};

/// The longest body of an ordinary call. A private key is a few kilobytes.
pub const MAX_BODY_BYTES: usize = 256 * 1024;
/// A body is there by then: one that trickles in would hold its request for ever (CWE-400).
const PATIENCE: Duration = Duration::from_secs(10);

/// A JSON body that has passed its own rules.
pub struct Json<T>(pub T);

/// The same, where no body at all means the defaults.
pub struct OptionalJson<T>(pub T);

impl<T: DeserializeOwned + Validate + 'static> FromRequest for Json<T> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let body = read_within(PATIENCE, &request, payload).await?;
            parse(&request, &body).map(Json)
        })
    }
}

impl<T: DeserializeOwned + Validate + Default + 'static> FromRequest for OptionalJson<T> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let body = read_within(PATIENCE, &request, payload).await?;
            if body.is_empty() { Ok(Self(T::default())) } else { parse(&request, &body).map(Self) }
        })
    }
}

async fn read_within(limit: Duration, request: &HttpRequest, payload: Payload) -> Result<web::BytesMut> {
    let slow =
        || Error::new(Kind::Malformed, "request.timeout", format!("the body was not there within {limit:?}"));
    timeout(limit, read(request, payload)).await.unwrap_or_else(|_| Err(slow()))
}

async fn read(request: &HttpRequest, payload: Payload) -> Result<web::BytesMut> {
    let declared =
        request.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse().ok());
    if declared.is_some_and(|bytes: usize| bytes > MAX_BODY_BYTES) {
        return Err(too_large());
    }
    let mut payload = web::Payload::from_request(request, &mut { payload })
        .await
        .map_err(|error| Error::malformed("the body cannot be read").caused_by(error.to_string()))?;
    let mut body = web::BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| Error::malformed(format!("the body cannot be read: {error}")))?;
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn too_large() -> Error {
    Error::new(Kind::TooLarge, "request.too_large", format!("a body has at most {MAX_BODY_BYTES} bytes"))
}

fn parse<T: DeserializeOwned + Validate>(request: &HttpRequest, body: &[u8]) -> Result<T> {
    let media_type = request.headers().get("content-type").and_then(|value| value.to_str().ok());
    if media_type.is_some_and(|media_type| !media_type.to_ascii_lowercase().contains("json")) {
        return Err(Error::malformed("the body must be JSON: send Content-Type: application/json"));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value: T = serde_path_to_error::deserialize(&mut reader).map_err(|error| refuse(&error))?;
    reader.end().map_err(|error| Error::malformed(format!("the body is not JSON: {error}")))?;
    value.validate().map_err(|errors| Error::invalid(flatten(&errors)))?;
    Ok(value)
}

/// serde's messages name types and fields; for a wrong type they also repeat the value, which is cut away.
fn refuse(error: &serde_path_to_error::Error<serde_json::Error>) -> Error {
    let inner = error.inner();
    if !inner.is_data() {
        return Error::malformed(format!(
            "the body is not JSON, at line {} column {}",
            inner.line(),
            inner.column()
        ));
    }
    let text = inner.to_string();
    let path = error.path().to_string();
    let (field, message) = match text.strip_prefix("missing field `").and_then(|rest| rest.split_once('`')) {
        Some((name, _)) if path == "." => (name.to_owned(), "is required".to_owned()),
        Some((name, _)) => (format!("{path}.{name}"), "is required".to_owned()),
        None => (path, expectation(&text)),
    };
    Error::invalid_field(if field == "." { "body".to_owned() } else { field }, message)
}

fn expectation(text: &str) -> String {
    match text.split_once(", expected ") {
        Some((_, expected)) => {
            let expected = expected.split(" at line ").next().unwrap_or(expected);
            format!("expected {expected}")
        }
        None => "has a wrong type or value".to_owned(),
    }
}

/// `validator`'s tree as a list of paths and messages, in a stable order, names in camelCase as on the wire.
fn flatten(errors: &ValidationErrors) -> Vec<FieldError> {
    let mut fields = vec![];
    walk(errors, "", &mut fields);
    fields.sort_by(|a, b| a.field.cmp(&b.field));
    fields
}

fn walk(errors: &ValidationErrors, prefix: &str, fields: &mut Vec<FieldError>) {
    for (name, kind) in errors.errors() {
        let path = format!("{prefix}{}", camel_case(name));
        match kind {
            ValidationErrorsKind::Field(errors) => fields.extend(errors.iter().map(|error| FieldError {
                field: path.clone(),
                message: error.message.as_ref().map_or_else(|| error.code.to_string(), ToString::to_string),
            })),
            ValidationErrorsKind::Struct(inner) => walk(inner, &format!("{path}."), fields),
            ValidationErrorsKind::List(items) => {
                for (index, inner) in items {
                    walk(inner, &format!("{path}[{index}]."), fields);
                }
            }
        }
    }
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut done, word| {
        let mut letters = word.chars();
        done.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        done.push_str(letters.as_str());
        done
    })
}

/// A rule for names: one line, not blank, no white space around it.
pub fn name(text: &str) -> Result<(), ValidationError> {
    let fits = text.trim() == text && !text.is_empty() && !text.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(ValidationError::new("name")) }
}

/// A rule for longer text: no control characters but line ends and tabs.
pub fn text(text: &str) -> Result<(), ValidationError> {
    let fits = |letter: char| !letter.is_control() || matches!(letter, '\n' | '\r' | '\t');
    if text.chars().all(fits) { Ok(()) } else { Err(ValidationError::new("text")) }
}

/// Query parameters.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(parse_query(request.query_string()).map(Self))
    }
}

fn parse_query<T: DeserializeOwned>(query: &str) -> Result<T> {
    let parse = |query: &str| web::Query::<T>::from_query(query).map(web::Query::into_inner);
    let error = match parse(query) {
        Ok(parsed) => return Ok(parsed),
        Err(error) => error.to_string(),
    };
    if let Some(name) = missing_field(&error) {
        return Err(Error::invalid_field(name, "is required"));
    }
    // The error does not say which parameter it means: each is tried alone.
    let is_wrong = |pair: &&str| parse(pair).is_err_and(|error| missing_field(&error.to_string()).is_none());
    let wrong = query.split('&').filter(is_wrong).map(|pair| FieldError {
        field: pair.split('=').next().unwrap_or_default().to_owned(),
        message: "has a wrong form".to_owned(),
    });
    let fields: Vec<FieldError> = wrong.collect();
    if fields.is_empty() {
        return Err(Error::invalid_field("query", "a parameter is given twice"));
    }
    Err(Error::invalid(fields))
}

fn missing_field(error: &str) -> Option<&str> {
    error.split("missing field `").nth(1)?.split('`').next()
}

/// A path parameter. What is not even an id names nothing: 404.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Path<T> {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let parsed = web::Path::<T>::from_request(request, payload).into_inner();
        ready(parsed.map(|path| Self(path.into_inner())).map_err(|_| Error::not_found("thing")))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use futures_util::stream;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, Validate)]
    #[serde(rename_all = "camelCase")]
    struct Outer {
        #[validate(length(min = 1, max = 3, message = "1 to 3 characters"))]
        short_name: String,
        #[validate(nested)]
        inner: Inner,
    }

    #[derive(Debug, Deserialize, Validate)]
    struct Inner {
        #[validate(range(min = 1, max = 10, message = "1 to 10"))]
        size: u32,
    }

    fn parsed(body: &str) -> Result<Outer> {
        parse(&TestRequest::default().to_http_request(), body.as_bytes())
    }

    fn refused(body: &str) -> Vec<(String, String)> {
        let error = parsed(body).unwrap_err();
        assert_eq!(error.kind, Kind::Invalid, "{error}");
        error.fields().iter().map(|field| (field.field.clone(), field.message.clone())).collect()
    }

    fn pair(field: &str, message: &str) -> (String, String) {
        (field.to_owned(), message.to_owned())
    }

    #[test]
    fn every_wrong_field_is_named_by_its_path() {
        assert_eq!(
            refused(r#"{"shortName":"","inner":{"size":0}}"#),
            [pair("inner.size", "1 to 10"), pair("shortName", "1 to 3 characters")]
        );
        assert_eq!(refused(r#"{"shortName":"a"}"#), [pair("inner", "is required")]);
        assert_eq!(refused(r#"{"shortName":"a","inner":{}}"#), [pair("inner.size", "is required")]);
    }

    #[test]
    fn a_wrong_type_is_named_and_its_value_is_not_repeated() {
        let fields = refused(r#"{"shortName":"a","inner":{"size":"canary"}}"#);
        assert_eq!(fields, [pair("inner.size", "expected u32")]);
        assert_eq!(refused("[]")[0].0, "body");
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let request = TestRequest::default().insert_header(("content-length", "2")).to_http_request();
        let begun = stream::iter([Ok(web::Bytes::from_static(b"{"))]).chain(stream::pending());
        let payload = Payload::Stream { payload: begun.boxed_local() };
        let refused = read_within(Duration::from_millis(20), &request, payload).await.unwrap_err();
        assert_eq!((refused.kind, &*refused.code), (Kind::Malformed, "request.timeout"));
    }

    #[derive(Debug, Deserialize)]
    struct Filter {
        size: Option<u32>,
        before: Option<i64>,
    }

    #[test]
    fn every_wrong_query_parameter_is_named() {
        let names = |query| {
            let error = parse_query::<Filter>(query).unwrap_err();
            error.fields().iter().map(|field| field.field.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names("size=x&other=1"), ["size"]);
        assert_eq!(names("size=-1&before=y"), ["size", "before"]);
        assert_eq!(names("size=1&size=2"), ["query"]);
        let filter = parse_query::<Filter>("size=1&other=x").unwrap();
        assert_eq!((filter.size, filter.before), (Some(1), None));
    }

    #[test]
    fn names_are_one_line_and_texts_have_no_control_characters() {
        assert!(name("Größe 2").is_ok() && text("one\n\ttwo").is_ok());
        for bad in ["", " ", " a", "a\n", "a\0b", "a\u{1b}[1m"] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
        assert!(text("a\0").is_err() && text("\u{1b}[1m").is_err());
    }

    #[test]
    fn what_is_not_json_is_malformed() {
        for body in ["", "{", "{\"shortName\":", "{}x", "\u{0}"] {
            let error = parsed(body).unwrap_err();
            let missing = body == "{}x";
            assert!(error.kind == Kind::Malformed || missing, "{body}: {error}");
        }
        let body = r#"{"shortName":"a","inner":{"size":1}} trailing"#;
        assert_eq!(parsed(body).unwrap_err().kind, Kind::Malformed);
        let body = r#"{"shortName":"a","inner":{"size":1}}"#;
        assert_eq!(parsed(body).unwrap().inner.size, 1);
    }
}
