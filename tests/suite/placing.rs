//! Where apps may be put: by whom, on which server, and never two into one folder.

use serde_json::{Value, json};

use crate::support::{
    api::{Answer, Client, TestApi, text},
    sshd::free_port,
};

/// A machine that is not there: for what happens before any is asked.
async fn server(api: &TestApi, name: &str) -> String {
    let body = json!({
        "name": name, "address": "127.0.0.1", "sshUser": "root", "sshPort": free_port(),
        "credential": {"kind": "password", "password": "x"},
    });
    text(&api.admin.post("/api/servers", body).await.is(201)["id"])
}

async fn put(client: &Client, name: &str, project: &str, server: &str) -> Answer {
    let folder = format!("/srv/{name}");
    let body = json!({"name": name, "projectId": project, "serverId": server, "cdPath": folder});
    client.post("/api/apps", body).await
}

fn path(app: &Value) -> String {
    format!("/api/apps/{}", text(&app["id"]))
}

#[tokio::test]
async fn seeing_a_server_by_one_project_is_no_right_to_put_another_projects_apps_there() {
    let api = TestApi::start().await;
    let (production, workshop, unseen) =
        (server(&api, "production").await, server(&api, "workshop").await, server(&api, "unseen").await);
    let (watched, own, second) =
        (api.project("watched").await, api.project("own").await, api.project("second").await);
    let (ann, client) = api.user("ann").await;
    api.member(&watched, &ann, "operator").await;
    api.member(&own, &ann, "maintainer").await;
    api.member(&second, &ann, "maintainer").await;
    put(&api.admin, "theirs", &watched, &production).await.is(201);
    let mine = put(&api.admin, "mine", &own, &workshop).await.is(201);

    put(&client, "evil", &own, &production).await.is_refused(403, "permission.denied");
    put(&client, "evil", &own, &unseen).await.is_refused(404, "server.not_found");
    put(&client, "evil", &watched, &production).await.is_refused(403, "permission.denied");
    let moved = json!({"serverId": production});
    client.put(&path(&mine), moved.clone()).await.is_refused(403, "permission.denied");
    client.put(&path(&mine), json!({"serverId": unseen})).await.is_refused(404, "server.not_found");
    let elsewhere = json!({"projectId": watched});
    client.put(&path(&mine), elsewhere).await.is_refused(403, "permission.denied");
    assert_eq!(api.admin.get(&path(&mine)).await.is(200)["serverId"], json!(workshop));

    // Where a project of one's own to manage is already, one's others may go.
    put(&client, "more", &own, &workshop).await.is(201);
    let other = put(&client, "other", &second, &workshop).await.is(201);
    client.put(&path(&other), json!({"projectId": own})).await.is(200);
    // An administrator places the first one; from then on it is a place of that project.
    put(&api.admin, "first", &own, &production).await.is(201);
    client.put(&path(&mine), moved).await.is(200);
}
