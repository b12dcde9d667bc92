//! What every operation of the OpenAPI document has in common, said once.
//!
//! Handlers document what is theirs; [`complete`] adds the errors that follow from the shape of an operation, and gives
//! every error answer the form of a [`Problem`]. [`undeclared`] finds operations that name no permission.

use serde_json::Value;
use utoipa::openapi::{
    Content, OpenApi, PathItem, Ref, RefOr, Response, ResponseBuilder,
    path::{Operation, ParameterIn},
};

/// The value of `x-permission` for a route that needs no session.
pub const PUBLIC: &str = "public";
const PERMISSION: &str = "x-permission";
const PROBLEM: &str = "application/problem+json";

/// Every operation of a path, to change it.
fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch, &mut item.head]
        .into_iter()
        .filter_map(Option::as_mut)
}

/// Every operation of a path, with its method.
pub fn operations(item: &PathItem) -> impl Iterator<Item = (&'static str, &Operation)> {
    [
        ("GET", &item.get),
        ("PUT", &item.put),
        ("POST", &item.post),
        ("DELETE", &item.delete),
        ("PATCH", &item.patch),
        ("HEAD", &item.head),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.as_ref().map(|operation| (method, operation)))
}

/// The permission that an operation names.
pub fn permission(operation: &Operation) -> Option<&str> {
    operation.extensions.as_ref()?.get(PERMISSION).and_then(Value::as_str)
}

/// Operations that name no permission, or that have no id or tag.
pub fn undeclared(document: &OpenApi) -> Vec<String> {
    let whole = |operation: &Operation| {
        permission(operation).is_some() && operation.operation_id.is_some() && operation.tags.is_some()
    };
    let all = document.paths.paths.iter().flat_map(|(path, item)| {
        operations(item).map(move |(method, operation)| (format!("{method} {path}"), operation))
    });
    all.filter(|(_, operation)| !whole(operation)).map(|(name, _)| name).collect()
}

/// Adds the answers that all operations of a kind share.
pub fn complete(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let has_parameter = path.contains('{');
        for operation in operations_mut(item) {
            add_errors(operation, has_parameter);
            give_problems_their_form(operation);
        }
    }
}

fn add_errors(operation: &mut Operation, has_parameter: bool) {
    let permission = permission(operation).unwrap_or_default().to_owned();
    let has_query = operation.parameters.as_ref().is_some_and(|parameters| {
        parameters.iter().any(|parameter| match parameter {
            RefOr::T(parameter) => parameter.parameter_in == ParameterIn::Query,
            RefOr::Ref(_) => false,
        })
    });
    let has_body = operation.request_body.is_some();
    let is_guarded = permission != PUBLIC;
    let errors = [
        ("400", has_body, "`request.malformed`: the body is not JSON"),
        (
            "401",
            is_guarded,
            "`auth.required`, `auth.expired`, `auth.session_ended`: sign in, or refresh the token",
        ),
        ("403", is_guarded, "`permission.denied`, or `origin.refused` for a cookie from a foreign page"),
        ("404", has_parameter, "There is no such thing, or the caller may not see it"),
        ("408", has_body, "`request.too_slow`"),
        ("413", has_body, "`request.too_large`"),
        ("422", has_body || has_query, "`request.invalid`: `errors` names each refused field"),
        ("429", true, "`rate_limit.exceeded`: wait `Retry-After` seconds"),
        ("500", true, "`internal`: the log has the details under the `requestId`"),
        ("503", true, "`database.unavailable`: try again shortly"),
    ];
    for (status, applies, description) in errors {
        if applies && !operation.responses.responses.contains_key(status) {
            let response = Response::new(description);
            operation.responses.responses.insert(status.to_owned(), RefOr::T(response));
        }
    }
}

fn give_problems_their_form(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let is_error = status.starts_with('4') || status.starts_with('5');
        if let RefOr::T(response) = response
            && is_error
            && response.content.is_empty()
        {
            let schema = Ref::from_schema_name("Problem");
            let content = Content::new(Some(schema));
            *response = ResponseBuilder::new()
                .description(response.description.clone())
                .content(PROBLEM, content)
                .build();
        }
    }
}
