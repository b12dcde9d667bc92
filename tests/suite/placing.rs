//! Where apps may be put: by whom, on which server, and never two into one folder.

use serde_json::{Value, json};

use crate::support::{
    api::{Answer, Client, TestApi, text},
    docker::{App, samples},
    scene::Scene,
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

#[tokio::test]
async fn a_folder_that_leads_to_anything_by_way_of_the_system_is_none_for_an_app() {
    let api = TestApi::start().await;
    let (server, project) = (server(&api, "host").await, api.project("project").await);
    let body =
        |folder: &str| json!({"name": "x", "projectId": project, "serverId": server, "cdPath": folder});
    for folder in ["/proc/self/root/srv/x", "/proc", "//proc/1/cwd", "/./dev/fd/3", "/sys/x"] {
        assert_eq!(api.admin.post("/api/apps", body(folder)).await.refused_fields(), ["cdPath"], "{folder}");
    }
    let app = api.admin.post("/api/apps", body("/process/x")).await.is(201);
    let refused = api.admin.put(&path(&app), json!({"cdPath": "/proc/self/root/process/y"})).await;
    assert_eq!(refused.refused_fields(), ["cdPath"]);
}

#[tokio::test]
async fn a_folder_by_two_names_is_the_app_of_who_was_there_first() {
    let scene = Scene::start().await;
    let sample = App::new("twice", &samples::steady());
    let links = ["one", "two"].map(|name| format!("{}-{name}", sample.dir()));
    for link in &links {
        std::os::unix::fs::symlink(sample.dir(), link).unwrap();
    }
    let one = scene.app_at(&links[0]).await;
    let two = scene.app_at(&links[1]).await;
    assert_eq!(scene.act(&one, "start").await.is(200)["status"], "running");

    for action in ["start", "stop", "restart", "pull"] {
        let refused = scene.act(&two, action).await;
        assert_eq!(refused.body["code"], "app.path_taken", "{action}: {refused:?}");
        let operation = scene.operation(refused.body["operationId"].as_str().unwrap()).await;
        assert_eq!((&operation["state"], &operation["outputBytes"]), (&json!("failed"), &json!(0)));
    }
    // The first is what it was, and the other has none of its containers.
    let services = |app: &str| format!("/api/apps/{app}/services");
    assert_eq!(scene.api.admin.get(&services(&one)).await.is(200)[0]["state"], "running");
    assert_eq!(scene.api.admin.get(&services(&two)).await.is(200), json!([]));
    let body =
        json!({"name": "x", "projectId": scene.project, "serverId": scene.server, "cdPath": sample.dir()});
    scene.api.admin.post("/api/apps", body).await.is_refused(409, "app.path_taken");
    scene.act(&one, "stop").await.is(200);
}

#[tokio::test]
async fn a_link_to_the_folder_of_an_app_that_never_ran_is_refused_too() {
    let scene = Scene::start().await;
    let sample = App::new("straight", &samples::steady());
    let link = format!("{}-link", sample.dir());
    std::os::unix::fs::symlink(sample.dir(), &link).unwrap();
    let straight = scene.app(&sample).await;
    let linked = scene.app_at(&link).await;
    assert_eq!(scene.act(&linked, "start").await.body["code"], "app.path_taken");
    assert_eq!(scene.act(&straight, "start").await.is(200)["status"], "running");
    scene.act(&straight, "stop").await.is(200);
}
