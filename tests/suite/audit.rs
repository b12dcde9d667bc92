//! Reading the audit log, through HTTP.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::{TestApi, send, text};

async fn items(api: &TestApi, query: &str) -> Vec<Value> {
    let page = api.admin.get(&format!("/api/audit-logs?{query}")).await.is(200);
    page["items"].as_array().unwrap().clone()
}

fn actions(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["action"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_change_leaves_a_row_with_who_what_where_from_and_the_requests_id() {
    let api = TestApi::start().await;
    let request = api.admin.request(Method::POST, "/api/projects").header("x-request-id", "build-42");
    let project = send(request.json(&json!({"name": "Quay"}))).await.is(201);
    let rows = items(&api, "action=PROJECT_CREATE").await;
    let row = rows.first().unwrap();
    assert_eq!(row["resourceId"], project["id"]);
    assert_eq!((&row["resourceType"], &row["username"]), (&json!("project"), &json!("admin")));
    assert_eq!((&row["requestId"], &row["ipAddress"]), (&json!("build-42"), &json!("127.0.0.1")));
    assert_eq!(row["details"], json!({"name": "Quay"}));
    assert!(row["createdAt"].as_i64().unwrap() > 1_700_000_000_000);
}

#[tokio::test]
async fn each_filter_narrows_by_its_field() {
    let api = TestApi::start().await;
    let (ann, client) = api.user("ann").await;
    let (quay, pier) = (api.project("Quay").await, api.project("Pier").await);
    api.member(&quay, &ann, "maintainer").await;
    client.put(&format!("/api/projects/{quay}"), json!({"description": "x"})).await.is(200);

    assert_eq!(actions(&items(&api, &format!("userId={ann}")).await), ["PROJECT_UPDATE", "LOGIN"]);
    assert_eq!(actions(&items(&api, "action=MEMBER_SET").await), ["MEMBER_SET"]);
    let of_quay = items(&api, &format!("resourceType=project&resourceId={quay}")).await;
    assert_eq!(actions(&of_quay), ["PROJECT_UPDATE", "MEMBER_SET", "PROJECT_CREATE"]);
    assert_eq!(items(&api, &format!("resourceType=server&resourceId={quay}")).await.len(), 0);
    assert_eq!(items(&api, &format!("resourceId={pier}")).await.len(), 1);
    let at = of_quay[1]["createdAt"].as_i64().unwrap();
    let since = items(&api, &format!("from={at}")).await;
    let until = items(&api, &format!("to={at}")).await;
    assert!(actions(&since).contains(&"MEMBER_SET") && !actions(&until).contains(&"MEMBER_SET"));
    assert!(actions(&until).contains(&"USER_CREATE") && !actions(&since).contains(&"USER_CREATE"));
}

#[tokio::test]
async fn pages_lead_through_all_rows_each_once() {
    let api = TestApi::start().await;
    for number in 0..5 {
        api.project(&format!("Project {number}")).await;
    }
    let (mut path, mut names) = ("/api/audit-logs?action=PROJECT_CREATE&limit=2".to_owned(), vec![]);
    loop {
        let page = api.admin.get(&path).await.is(200);
        names.extend(page["items"].as_array().unwrap().iter().map(|item| text(&item["details"]["name"])));
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/api/audit-logs?action=PROJECT_CREATE&limit=2&cursor={cursor}");
    }
    assert_eq!(names, ["Project 4", "Project 3", "Project 2", "Project 1", "Project 0"]);
}

#[tokio::test]
async fn a_wrong_parameter_is_named() {
    let api = TestApi::start().await;
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("userId=x", "userId"),
        ("resourceId=x", "resourceId"),
        ("from=yesterday", "from"),
        ("from=-1", "from"),
        ("to=9223372036854775807", "to"),
    ] {
        let answer = api.admin.get(&format!("/api/audit-logs?{query}")).await;
        assert_eq!(answer.refused_fields(), [field], "{query}");
    }
}

#[tokio::test]
async fn only_administrators_read_it() {
    let api = TestApi::start().await;
    let (_, client) = api.user("ann").await;
    client.get("/api/audit-logs").await.is_refused(403, "permission.denied");
    api.stranger().get("/api/audit-logs").await.is_refused(401, "auth.required");
}
