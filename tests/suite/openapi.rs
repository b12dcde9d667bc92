//! The OpenAPI document: that it is the committed one, and that every route keeps its word.

use std::collections::HashSet;

use quaymaster::routes;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::{PASSWORD, TestApi, send, text};

const NO_ID: &str = "01890000-0000-7000-8000-000000000000";

/// Method, path with ids filled in, and the operation.
fn operations() -> Vec<(Method, String, Value)> {
    let document = serde_json::to_value(routes::document()).unwrap();
    let paths = document["paths"].as_object().unwrap().clone();
    let mut all = vec![];
    for (path, item) in paths {
        let filled: Vec<&str> =
            path.split('/').map(|part| if part.starts_with('{') { NO_ID } else { part }).collect();
        for (method, operation) in item.as_object().unwrap() {
            if let Ok(method) = method.to_uppercase().parse::<Method>()
                && operation.get("operationId").is_some()
            {
                all.push((method, filled.join("/"), operation.clone()));
            }
        }
    }
    all
}

/// The least body that an operation takes, by its schema: no route may answer with what is wrong with it.
fn body_of(operation: &Value) -> Option<Value> {
    let schema = operation["requestBody"]["content"]["application/json"].get("schema")?;
    Some(least("body", schema, &serde_json::to_value(routes::document()).unwrap()["components"]["schemas"]))
}

fn least(name: &str, schema: &Value, schemas: &Value) -> Value {
    // Which of its fields are required hangs on its kind.
    if name == "credential" {
        return json!({"kind": "password", "password": PASSWORD});
    }
    if let Some(named) = schema["$ref"].as_str() {
        return least(name, &schemas[named.rsplit('/').next().unwrap()], schemas);
    }
    if let Some(first) = schema["oneOf"].get(0).or(schema["enum"].get(0)) {
        return if first.is_object() { least(name, first, schemas) } else { first.clone() };
    }
    if let Some(all) = schema["allOf"].as_array() {
        let parts = all.iter().flat_map(|part| least(name, part, schemas).as_object().unwrap().clone());
        return Value::Object(parts.collect());
    }
    match (schema["type"].as_str().unwrap_or_default(), schema["format"].as_str(), name) {
        ("object", ..) => {
            let names = schema["required"].as_array().cloned().unwrap_or_default();
            let field = |name: Value| {
                let name = text(&name);
                let value = least(&name, &schema["properties"][&name], schemas);
                (name, value)
            };
            Value::Object(names.into_iter().map(field).collect())
        }
        ("integer", ..) => schema["minimum"].as_i64().unwrap_or(1).into(),
        ("boolean", ..) => true.into(),
        (_, Some("uuid"), _) => NO_ID.into(),
        (_, Some("password"), _) | (_, _, "password") => PASSWORD.into(),
        (.., "fingerprint") => format!("SHA256:{}", "A".repeat(43)).into(),
        (.., "address") => "127.0.0.1".into(),
        (.., "cdPath") => "/srv/app".into(),
        _ => "name".into(),
    }
}

#[test]
fn the_committed_document_is_the_generated_one() {
    let generated = serde_json::to_string_pretty(&routes::document()).unwrap() + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/openapi.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == generated,
        "openapi/openapi.json is out of date: run quaymaster openapi > openapi/openapi.json"
    );
}

#[test]
fn every_operation_has_an_id_of_its_own_a_tag_a_permission_and_a_summary() {
    let mut ids = HashSet::new();
    for (method, path, operation) in operations() {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id.to_owned()), "{id} twice");
        assert!(operation["tags"].as_array().is_some_and(|tags| tags.len() == 1), "{method} {path}");
        assert!(operation["x-permission"].as_str().is_some_and(|name| !name.is_empty()), "{method} {path}");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}");
    }
    assert!(ids.len() > 20, "{ids:?}");
}

#[tokio::test]
async fn every_route_but_the_public_ones_wants_a_token_and_all_refuse_a_forged_one() {
    let api = TestApi::start().await;
    let forged = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.";
    for (method, path, operation) in operations() {
        if operation["x-permission"] == "public" {
            continue;
        }
        let answer = send(api.stranger().request(method.clone(), &path).json(&json!({}))).await;
        assert_eq!(answer.status, 401, "{method} {path}: {}", answer.body);
        let answer = send(api.stranger().request(method.clone(), &path).bearer_auth(forged)).await;
        assert_eq!(answer.status, 401, "{method} {path}: {}", answer.body);
    }
}

#[tokio::test]
async fn what_is_public_is_the_list_and_health() {
    let public: HashSet<String> = operations()
        .into_iter()
        .filter(|(_, _, operation)| operation["x-permission"] == "public")
        .map(|(method, path, _)| format!("{method} {path}"))
        .collect();
    let mut listed: HashSet<String> =
        routes::PUBLIC.iter().map(|(method, path)| format!("{method} {path}")).collect();
    listed.extend(["GET /health", "GET /health/live", "GET /health/ready"].map(str::to_owned));
    assert_eq!(public, listed);
}

/// What needs a permission that no project role has is the administrators' alone.
#[tokio::test]
async fn a_user_in_no_project_can_use_nothing_that_needs_a_permission() {
    let api = TestApi::start().await;
    let (_, client) = api.user("ann").await;
    let (bob, _) = api.user("bob").await;
    for (method, path, operation) in operations() {
        let permission = operation["x-permission"].as_str().unwrap();
        if matches!(permission, "public" | "authenticated") {
            continue;
        }
        // An account that there is: without the right to it, it must be as if there were none, or refused.
        let path = if path.starts_with("/api/users/") { path.replace(NO_ID, &bob) } else { path };
        let body = body_of(&operation).unwrap_or_else(|| json!({}));
        let answer = send(client.request(method.clone(), &path).json(&body)).await;
        let is_empty_list =
            answer.status == 200 && (answer.body == json!([]) || answer.body["items"] == json!([]));
        let is_refused = matches!(answer.status.as_u16(), 403 | 404);
        assert!(is_refused || is_empty_list, "{method} {path}: {} {}", answer.status, answer.body);
    }
}

/// Otherwise the test above would pass for want of a good body.
#[tokio::test]
async fn the_least_body_of_each_operation_is_taken_from_an_administrator() {
    let api = TestApi::start().await;
    for (method, path, operation) in operations() {
        let Some(body) = body_of(&operation).filter(|_| operation["x-permission"] != "public") else {
            continue;
        };
        let answer = send(api.admin.request(method.clone(), &path).json(&body)).await;
        let is_own_password = path == "/api/auth/password";
        assert!(answer.status != 422 || is_own_password, "{method} {path} {body}: {}", answer.body);
        assert_ne!(answer.status, 400, "{method} {path} {body}: {}", answer.body);
    }
}

#[tokio::test]
async fn an_unknown_id_is_404_for_an_administrator_too() {
    let api = TestApi::start().await;
    for (method, path, _) in operations() {
        let has_id = path.contains(NO_ID);
        if has_id && method == Method::GET {
            let answer = api.admin.get(&path).await;
            assert_eq!(answer.status, 404, "{method} {path}: {}", answer.body);
            let nonsense = path.replace(NO_ID, "nonsense");
            assert_eq!(api.admin.get(&nonsense).await.status, 404, "{nonsense}");
        }
    }
}

#[tokio::test]
async fn head_is_get_without_the_body_and_only_browsers_get_the_page() {
    let api = TestApi::start().await;
    let head = send(api.stranger().request(Method::HEAD, "/health")).await;
    assert_eq!((head.status.as_u16(), head.header("content-type")), (200, "application/json"));
    assert_eq!(head.body, json!(""));
    api.stranger().get("/metrics").await.is_refused(404, "route.not_found");
    api.stranger().get("/assets/gone.js").await.is_refused(404, "route.not_found");
    let page = send(api.stranger().request(Method::GET, "/servers").header("accept", "text/html,*/*")).await;
    assert!(page.header("content-type").starts_with("text/html"), "{page:?}");
    assert_eq!(api.admin.get("/api/users").await.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_body_that_is_no_object_and_a_text_with_a_nul_are_named() {
    let api = TestApi::start().await;
    for body in [json!(["admin", "x"]), json!("x"), json!(7)] {
        assert_eq!(api.stranger().post("/api/auth/login", body).await.refused_fields(), ["body"]);
    }
    let body = json!({"name": "a\u{0}b"});
    assert_eq!(api.admin.post("/api/projects", body).await.refused_fields(), ["name"]);
    let body = json!({"username": "ann", "password": "long enough", "role": 1});
    assert_eq!(api.admin.post("/api/users", body).await.refused_fields(), ["role"]);
}
