//! The OpenAPI document: that it is the committed one, and that every route keeps its word.

use std::collections::HashSet;

use quaymaster::routes;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::{TestApi, send};

/// Method, path with ids filled in, and the operation.
fn operations() -> Vec<(Method, String, Value)> {
    let document = serde_json::to_value(routes::document()).unwrap();
    let paths = document["paths"].as_object().unwrap().clone();
    let mut all = vec![];
    for (path, item) in paths {
        let filled: Vec<&str> = path
            .split('/')
            .map(|part| if part.starts_with('{') { "01890000-0000-7000-8000-000000000000" } else { part })
            .collect();
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
    for (method, path, operation) in operations() {
        let permission = operation["x-permission"].as_str().unwrap();
        if matches!(permission, "public" | "authenticated") {
            continue;
        }
        let answer = send(client.request(method.clone(), &path).json(&json!({}))).await;
        let is_empty_list =
            answer.status == 200 && (answer.body == json!([]) || answer.body["items"] == json!([]));
        // A body is looked at before the right: 422 tells nothing of what there is.
        let is_refused = matches!(answer.status.as_u16(), 403 | 404 | 422);
        assert!(is_refused || is_empty_list, "{method} {path}: {} {}", answer.status, answer.body);
    }
}

#[tokio::test]
async fn an_unknown_id_is_404_for_an_administrator_too() {
    let api = TestApi::start().await;
    for (method, path, _) in operations() {
        let has_id = path.contains("01890000");
        if has_id && method == Method::GET {
            let answer = api.admin.get(&path).await;
            assert_eq!(answer.status, 404, "{method} {path}: {}", answer.body);
            let nonsense = path.replace("01890000-0000-7000-8000-000000000000", "nonsense");
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
