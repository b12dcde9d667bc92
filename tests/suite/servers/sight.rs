//! Who sees which server, and what one may do with those that one sees.

use serde_json::{Value, json};

use super::{add, nowhere, path};
use crate::support::api::{Client, TestApi, text};

/// An account that sees one server of two, by an app of its project.
struct Outsider {
    api: TestApi,
    client: Client,
    seen: Value,
    unseen: Value,
}

async fn add_app(api: &TestApi, project: &str, server: &Value, dir: &str) -> Value {
    let app = json!({"name": dir, "projectId": project, "serverId": server["id"], "cdPath": dir});
    api.admin.post("/api/apps", app).await.is(201)
}

async fn outsider() -> Outsider {
    let api = TestApi::start().await;
    let (user, client) = api.user("ann").await;
    let (seen, unseen) = (add(&api, nowhere("seen")).await, add(&api, nowhere("unseen")).await);
    let (ours, theirs) = (api.project("ours").await, api.project("theirs").await);
    api.member(&ours, &user, "maintainer").await;
    add_app(&api, &ours, &seen, "/a").await;
    add_app(&api, &theirs, &seen, "/b").await;
    add_app(&api, &theirs, &unseen, "/c").await;
    Outsider { api, client, seen, unseen }
}

#[tokio::test]
async fn a_member_sees_the_servers_that_carry_its_projects_apps() {
    let Outsider { api, client, seen, unseen } = outsider().await;
    let list = client.get("/api/servers").await.is(200);
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(list[0]["id"], seen["id"]);
    client.get(&path(&seen)).await.is(200);
    client.get(&format!("{}/history", path(&seen))).await.is(200);
    client.get(&format!("{}/status", path(&seen))).await.is(200);
    for end in ["", "/history", "/status"] {
        client.get(&format!("{}{end}", path(&unseen))).await.is_refused(404, "server.not_found");
    }
    let (_, nobody) = api.user("bob").await;
    assert_eq!(nobody.get("/api/servers").await.is(200), json!([]));
    nobody.get(&path(&seen)).await.is_refused(404, "server.not_found");
    api.stranger().get("/api/servers").await.is_refused(401, "auth.required");
}

#[tokio::test]
async fn only_an_administrator_changes_servers_and_what_is_out_of_sight_does_not_exist() {
    let Outsider { api, client, seen, unseen } = outsider().await;
    let fingerprint = json!({"fingerprint": format!("SHA256:{}", "A".repeat(43))});
    for (server, status, code) in [(&seen, 403, "permission.denied"), (&unseen, 404, "server.not_found")] {
        let path = path(server);
        client.put(&path, json!({"name": "mine"})).await.is_refused(status, code);
        client.delete(&path).await.is_refused(status, code);
        client.post(&format!("{path}/test"), json!({})).await.is_refused(status, code);
        client.post(&format!("{path}/host-key"), fingerprint.clone()).await.is_refused(status, code);
    }
    client.post("/api/servers", nowhere("mine")).await.is_refused(403, "permission.denied");
    client.post("/api/servers/test", nowhere("mine")).await.is_refused(403, "permission.denied");
    assert_eq!(api.admin.get("/api/servers").await.is(200).as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn running_apps_are_counted_among_those_that_the_caller_sees() {
    let Outsider { api, client, seen, .. } = outsider().await;
    let set = "update apps set status = case name when '/a' then 'degraded' else 'running' end";
    sqlx::query(set).execute(&api.db).await.unwrap();
    assert_eq!(api.admin.get(&path(&seen)).await.is(200)["runningAppsCount"], 2);
    assert_eq!(client.get(&path(&seen)).await.is(200)["runningAppsCount"], 1);
}

#[tokio::test]
async fn a_server_with_apps_stays() {
    let Outsider { api, seen, .. } = outsider().await;
    api.admin.delete(&path(&seen)).await.is_refused(409, "server.has_apps");
    let apps = api.admin.get("/api/apps").await.is(200);
    for app in apps.as_array().unwrap() {
        assert_eq!(api.admin.delete(&format!("/api/apps/{}", text(&app["id"]))).await.status.as_u16(), 204);
    }
    assert_eq!(api.admin.delete(&path(&seen)).await.status.as_u16(), 204);
}
