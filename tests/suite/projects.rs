//! Projects and their members, through HTTP.

use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::support::api::{Client, TestApi, text};

/// A server and an app on it, as rows: what runs on hosts is not this file's.
pub async fn app(db: &PgPool, project: &str, name: &str, status: &str) -> Uuid {
    let (server, app) = (Uuid::now_v7(), Uuid::now_v7());
    let project: Uuid = project.parse().unwrap();
    sqlx::query!(
        "insert into servers (id, name, address, ssh_user, ssh_port, credential_kind, credential_sealed,
                              host_key_policy, next_probe_at, created_at, updated_at)
         values ($1, $2, '192.0.2.1', 'root', 22, 'password', '', 'ask', now() + interval '1 day', now(), now())",
        server,
        server.to_string(),
    )
    .execute(db)
    .await
    .unwrap();
    sqlx::query!(
        "insert into apps (id, name, project_id, server_id, cd_path, status, next_check_at, created_at, updated_at)
         values ($1, $2, $3, $4, '/srv/' || $2, $5, now() + interval '1 day', now(), now())",
        app,
        name,
        project,
        server,
        status,
    )
    .execute(db)
    .await
    .unwrap();
    app
}

async fn names(client: &Client, path: &str, field: &str) -> Vec<String> {
    let list = client.get(path).await.is(200);
    list.as_array().unwrap().iter().map(|item| text(&item[field])).collect()
}

async fn audit(db: &PgPool, action: &str) -> Vec<Value> {
    sqlx::query_scalar!("select details from audit_logs where action = $1 order by id", action)
        .fetch_all(db)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_project_is_made_read_changed_and_removed_and_each_change_is_audited() {
    let api = TestApi::start().await;
    let body = json!({"name": "Quay", "description": "first"});
    let made = api.admin.post("/api/projects", body).await.is(201);
    assert_eq!(
        (made["name"].as_str(), made["description"].as_str(), &made["role"]),
        (Some("Quay"), Some("first"), &Value::Null)
    );
    assert_eq!((made["appsCount"].as_i64(), made["runningAppsCount"].as_i64()), (Some(0), Some(0)));
    let path = format!("/api/projects/{}", text(&made["id"]));
    assert_eq!(api.admin.get(&path).await.is(200), made);

    let changed = api.admin.put(&path, json!({"name": "Pier"})).await.is(200);
    assert_eq!((changed["name"].as_str(), changed["description"].as_str()), (Some("Pier"), Some("first")));
    assert!(changed["updatedAt"].as_i64() >= made["updatedAt"].as_i64());

    api.admin.delete(&path).await.is(204);
    api.admin.get(&path).await.is_refused(404, "project.not_found");
    api.admin.delete(&path).await.is_refused(404, "project.not_found");
    assert_eq!(audit(&api.db, "PROJECT_CREATE").await, [json!({"name": "Quay"})]);
    assert_eq!(audit(&api.db, "PROJECT_UPDATE").await, [json!({"name": {"from": "Quay", "to": "Pier"}})]);
    assert_eq!(audit(&api.db, "PROJECT_DELETE").await, [json!({"name": "Pier", "apps": []})]);
}

#[tokio::test]
async fn two_projects_cannot_have_one_name_in_whatever_case() {
    let api = TestApi::start().await;
    api.project("Quay").await;
    let other = api.project("Pier").await;
    api.admin.post("/api/projects", json!({"name": "qUAY"})).await.is_refused(409, "project.name_taken");
    let path = format!("/api/projects/{other}");
    api.admin.put(&path, json!({"name": "quay"})).await.is_refused(409, "project.name_taken");
    api.admin.put(&path, json!({"name": "PIER"})).await.is(200);
    assert_eq!(names(&api.admin, "/api/projects", "name").await, ["PIER", "Quay"]);
}

#[tokio::test]
async fn each_field_out_of_range_is_named() {
    let api = TestApi::start().await;
    for name in ["", " ", " Quay", "a\nb", "a\0b", &"x".repeat(101)] {
        let refused = api.admin.post("/api/projects", json!({"name": name})).await.refused_fields();
        assert_eq!(refused.first().map(String::as_str), Some("name"), "{name:?}");
    }
    for description in ["a\0b", &"x".repeat(2001)] {
        let body = json!({"name": "Quay", "description": description});
        assert_eq!(api.admin.post("/api/projects", body).await.refused_fields(), ["description"]);
    }
    assert_eq!(api.admin.post("/api/projects", json!({})).await.refused_fields(), ["name"]);
    assert_eq!(api.admin.post("/api/projects", json!({"name": 7})).await.refused_fields(), ["name"]);
    let project = api.project("Quay").await;
    let (user, _) = api.user("ann").await;
    let path = format!("/api/projects/{project}/members/{user}");
    assert_eq!(api.admin.put(&path, json!({"role": "owner"})).await.refused_fields(), ["role"]);
    assert_eq!(api.admin.put(&path, json!({})).await.refused_fields(), ["role"]);
}

#[tokio::test]
async fn a_project_counts_its_apps_and_those_that_run() {
    let api = TestApi::start().await;
    let (quay, pier) = (api.project("Quay").await, api.project("Pier").await);
    for status in ["running", "degraded", "stopped", "unknown"] {
        app(&api.db, &quay, status, status).await;
    }
    app(&api.db, &pier, "elsewhere", "running").await;
    let project = api.admin.get(&format!("/api/projects/{quay}")).await.is(200);
    assert_eq!((project["appsCount"].as_i64(), project["runningAppsCount"].as_i64()), (Some(4), Some(2)));
}

#[tokio::test]
async fn a_project_with_a_running_app_stays_and_one_without_takes_its_apps_along() {
    let api = TestApi::start().await;
    let (quay, pier) = (api.project("Quay").await, api.project("Pier").await);
    let path = format!("/api/projects/{quay}");
    let (one, other) =
        (app(&api.db, &quay, "one", "stopped").await, app(&api.db, &pier, "other", "stopped").await);
    for status in ["running", "starting", "stopping", "degraded"] {
        sqlx::query!("update apps set status = $2 where id = $1", one, status)
            .execute(&api.db)
            .await
            .unwrap();
        let refused = api.admin.delete(&path).await.is_refused(409, "project.has_running_apps");
        assert!(text(&refused["detail"]).contains("one"), "{refused}");
    }
    sqlx::query!("update apps set status = 'error' where id = $1", one).execute(&api.db).await.unwrap();
    let operation = Uuid::now_v7();
    sqlx::query!(
        "insert into operations (id, app_id, project_id, server_id, action, state, trigger, created_at)
         values ($1, $2, (select project_id from apps where id = $2), $1, 'start', 'queued', 'user', now())",
        operation,
        one
    )
    .execute(&api.db)
    .await
    .unwrap();
    api.admin.delete(&path).await.is_refused(409, "project.has_running_apps");
    sqlx::query!("update operations set state = 'failed', finished_at = now() where id = $1", operation)
        .execute(&api.db)
        .await
        .unwrap();

    api.admin.delete(&path).await.is(204);
    let left = sqlx::query_scalar!("select id from apps").fetch_all(&api.db).await.unwrap();
    assert_eq!(left, [other]);
    assert_eq!(audit(&api.db, "PROJECT_DELETE").await, [json!({"name": "Quay", "apps": ["one"]})]);
    let app_rows = audit(&api.db, "APP_DELETE").await;
    assert_eq!(app_rows, [json!({"name": "one", "projectId": quay, "reason": "project_deleted"})]);
}

#[tokio::test]
async fn a_member_sees_its_projects_only_and_what_it_is_in_them() {
    let api = TestApi::start().await;
    let (quay, pier) = (api.project("Quay").await, api.project("Pier").await);
    let (ann, client) = api.user("ann").await;
    assert!(names(&client, "/api/projects", "name").await.is_empty());
    api.member(&quay, &ann, "viewer").await;

    assert_eq!(names(&client, "/api/projects", "name").await, ["Quay"]);
    assert_eq!(client.get(&format!("/api/projects/{quay}")).await.is(200)["role"], "viewer");
    for path in [format!("/api/projects/{pier}"), format!("/api/projects/{pier}/members")] {
        client.get(&path).await.is_refused(404, "project.not_found");
    }
    let foreign = format!("/api/projects/{pier}");
    client.put(&foreign, json!({"name": "x"})).await.is_refused(404, "project.not_found");
    client.delete(&foreign).await.is_refused(404, "project.not_found");
    let place = format!("{foreign}/members/{ann}");
    client.put(&place, json!({"role": "maintainer"})).await.is_refused(404, "project.not_found");
    client.delete(&place).await.is_refused(404, "project.not_found");
}

#[tokio::test]
async fn each_role_may_do_what_it_is_for_and_no_more() {
    let api = TestApi::start().await;
    let quay = api.project("Quay").await;
    let path = format!("/api/projects/{quay}");
    let (ann, client) = api.user("ann").await;
    let (bob, _) = api.user("bob").await;
    let bobs = format!("{path}/members/{bob}");
    for role in ["viewer", "operator"] {
        api.member(&quay, &ann, role).await;
        client.put(&path, json!({"description": "x"})).await.is_refused(403, "permission.denied");
        client.put(&bobs, json!({"role": "viewer"})).await.is_refused(403, "permission.denied");
        client.delete(&bobs).await.is_refused(403, "permission.denied");
        client.delete(&path).await.is_refused(403, "permission.denied");
        assert_eq!(names(&client, &format!("{path}/members"), "username").await, ["ann"]);
    }
    api.member(&quay, &ann, "maintainer").await;
    client.put(&path, json!({"description": "x"})).await.is(200);
    client.put(&bobs, json!({"role": "maintainer"})).await.is(200);
    client.put(&bobs, json!({"role": "viewer"})).await.is(200);
    client.delete(&bobs).await.is(204);
    client.delete(&path).await.is_refused(403, "permission.denied");
    client.post("/api/projects", json!({"name": "Own"})).await.is_refused(403, "permission.denied");
}

#[tokio::test]
async fn members_come_change_and_go_and_every_step_is_audited() {
    let api = TestApi::start().await;
    let quay = api.project("Quay").await;
    let (ann, client) = api.user("ann").await;
    let path = format!("/api/projects/{quay}/members");
    let place = format!("{path}/{ann}");
    let made = api.admin.put(&place, json!({"role": "operator"})).await.is(200);
    assert_eq!((made["userId"].as_str(), made["role"].as_str()), (Some(ann.as_str()), Some("operator")));
    assert_eq!(api.admin.put(&place, json!({"role": "operator"})).await.is(200), made);
    api.admin.put(&place, json!({"role": "viewer"})).await.is(200);
    let list = api.admin.get(&path).await.is(200);
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!((list[0]["username"].as_str(), list[0]["role"].as_str()), (Some("ann"), Some("viewer")));

    api.admin.delete(&place).await.is(204);
    api.admin.delete(&place).await.is_refused(404, "member.not_found");
    assert!(names(&client, "/api/projects", "name").await.is_empty());
    let nobody = format!("{path}/{}", Uuid::now_v7());
    api.admin.put(&nobody, json!({"role": "viewer"})).await.is_refused(404, "user.not_found");
    let steps: Vec<Value> =
        audit(&api.db, "MEMBER_SET").await.iter().map(|row| json!([row["from"], row["to"]])).collect();
    assert_eq!(steps, [json!([null, "operator"]), json!(["operator", "viewer"])]);
    assert_eq!(audit(&api.db, "MEMBER_REMOVE").await.len(), 1);
}
