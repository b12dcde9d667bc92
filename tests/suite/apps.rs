//! Compose apps on a real host: started, stopped, watched, and refused.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    PATIENCE,
    api::{TestApi, send, text},
    docker::{App, samples},
    docker_host::Setup,
    eventually,
    scene::{Scene, server_body},
};

/// What an app answers on the port that Docker chose for it.
async fn answer_of(scene: &Scene, app: &str) -> String {
    let services = scene.api.admin.get(&format!("/api/apps/{app}/services")).await.is(200);
    let port = services[0]["ports"][0]["public"].as_u64().unwrap();
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    let ask =
        || async { client.get(format!("http://127.0.0.1:{port}/")).send().await.ok()?.text().await.ok() };
    eventually("the app answers", PATIENCE, ask).await
}

#[tokio::test]
async fn an_app_is_started_answers_and_is_stopped() {
    let scene = Scene::start().await;
    let sample = App::new("hello", &samples::web());
    let app = scene.app(&sample).await;

    let path = format!("/api/apps/{app}/start");
    let started = scene.api.admin.post(&path, json!({"timeout": 60})).await.is(200);
    assert_eq!(
        (&started["success"], &started["appId"], &started["status"]),
        (&json!(true), &json!(app), &json!("running"))
    );
    let (from, until) = (started["startedAt"].as_i64().unwrap(), started["stopAt"].as_i64().unwrap());
    assert_eq!(until - from, 3_600_000);
    assert_eq!(answer_of(&scene, &app).await, "hello\n");
    let shown = scene.get(&app).await;
    assert_eq!(
        (&shown["status"], &shown["services"]),
        (&json!("running"), &json!({"running": 1, "total": 1}))
    );
    let server = scene.api.admin.get(&format!("/api/servers/{}", scene.server)).await.is(200);
    assert_eq!(server["runningAppsCount"], 1);

    let stopped = scene.act(&app, "stop").await.is(200);
    assert_eq!((&stopped["success"], &stopped["status"]), (&json!(true), &json!("stopped")));
    let services = scene.api.admin.get(&format!("/api/apps/{app}/services")).await.is(200);
    assert_eq!(services, json!([]));
    let shown = scene.get(&app).await;
    assert_eq!((&shown["startedAt"], &shown["stopAt"]), (&Value::Null, &Value::Null));

    let audited = scene.audited(&app).await;
    let actions: Vec<&str> = audited.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(actions, ["APP_CREATE", "APP_START", "APP_STOP"]);
    assert_eq!(audited[1].1["timeout"], 60);
}

#[tokio::test]
async fn a_folder_with_every_awkward_character_is_only_a_folder() {
    let scene = Scene::start().await;
    for name in ["a 'b' \"c\" $(touch MARK)", "-rf ; touch MARK", "`touch MARK`&&|*?", "naïve ⚓\ttab"] {
        let sample = App::new(name, &samples::steady());
        let app = scene.app(&sample).await;
        let started = scene.act(&app, "start").await.is(200);
        assert_eq!(started["status"], "running", "{name}");
        assert_eq!(scene.act(&app, "stop").await.is(200)["status"], "stopped", "{name}");
        let beside = std::path::Path::new(sample.dir()).parent().unwrap();
        let files: Vec<_> = std::fs::read_dir(beside).unwrap().collect();
        assert_eq!(files.len(), 1, "{name} made {files:?}");
    }
    assert!(!std::path::Path::new("/root/MARK").exists());
}

#[tokio::test]
async fn an_app_behind_a_symbolic_link_is_known_by_its_containers() {
    let scene = Scene::start().await;
    let sample = App::new("linked", &samples::steady());
    let link = format!("{}-link", sample.dir());
    std::os::unix::fs::symlink(sample.dir(), &link).unwrap();
    let app = scene.app_at(&link).await;
    assert_eq!(scene.act(&app, "start").await.is(200)["status"], "running");
    assert_eq!(scene.act(&app, "stop").await.is(200)["status"], "stopped");
}

#[tokio::test]
async fn what_happens_on_the_host_is_seen_without_being_told() {
    let scene = Scene::with(Setup::default(), |config| config.probe_every = Duration::from_secs(1)).await;
    let sample = App::new("outside", &samples::steady());
    let app = scene.app(&sample).await;
    scene.until_app(&app, "stopped").await;
    sample.up();
    let shown = scene.until_app(&app, "running").await;
    assert_eq!(shown["stopAt"], Value::Null);
    assert!(sample.compose(&["kill"]).success());
    scene.until_app(&app, "stopped").await;
    let history = scene.api.admin.get(&format!("/api/apps/{app}/history")).await.is(200);
    let statuses: Vec<&str> =
        history["items"].as_array().unwrap().iter().map(|item| item["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["stopped", "running", "stopped"]);
}

#[tokio::test]
async fn a_sick_a_failed_and_a_finished_service_are_told_apart() {
    let scene = Scene::with(Setup::default(), |config| config.probe_every = Duration::from_secs(1)).await;
    let sample = App::new("told-apart", &samples::mixed());
    let app = scene.app(&sample).await;
    scene.act(&app, "start").await.is(200);
    let shown = eventually("both faults are seen", PATIENCE, || async {
        let shown = scene.get(&app).await;
        let reason = shown["statusReason"].as_str().unwrap_or_default();
        (reason.contains("broken") && reason.contains("sick")).then_some(shown)
    })
    .await;
    assert_eq!(shown["status"], "degraded");
    assert!(!shown["statusReason"].as_str().unwrap().contains("migrate"), "{shown}");

    let logs = scene.api.admin.get(&format!("/api/apps/{app}/logs?service=steady&tail=10")).await.is(200);
    // Docker reads the two streams by two hands: what is written at once may come in either order.
    let mut lines: Vec<&str> = logs.as_str().unwrap().lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["steady | err", "steady | out"]);
}

#[tokio::test]
async fn logs_are_followed_live() {
    let scene = Scene::start().await;
    let sample = App::new("live-logs", &samples::talker());
    let app = scene.app(&sample).await;
    scene.act(&app, "start").await.is(200);
    let path = format!("/api/apps/{app}/logs?follow=true&tail=2");
    let request = scene.api.admin.request(reqwest::Method::GET, &path).timeout(PATIENCE);
    let mut answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut seen = String::new();
    let mut told = false;
    while !seen.contains("more") {
        seen += &String::from_utf8_lossy(&answer.chunk().await.unwrap().unwrap());
        if seen.contains(r#""line":"5""#) && !told {
            assert!(sample.compose(&["exec", "-T", "talker", "sh", "-c", ": > /go"]).success());
            told = true;
        }
    }
    assert!(!seen.contains(r#""line":"3""#), "{seen}");
}

#[tokio::test]
async fn a_compose_file_that_is_broken_is_told_with_its_words() {
    let scene = Scene::start().await;
    for (folder, yaml) in [("broken", samples::broken()), ("failing", samples::failing())] {
        let sample = App::new(folder, &yaml);
        let app = scene.app(&sample).await;
        let refused = scene.act(&app, "start").await.is_refused(502, "operation.failed");
        assert_eq!(refused["exitCode"], 1, "{refused}");
        assert!(!refused["output"].as_str().unwrap().is_empty(), "{refused}");
        let shown = scene.get(&app).await;
        assert_eq!(shown["status"], "error", "{shown}");
        assert!(!shown["statusReason"].as_str().unwrap().is_empty());
        let operation = scene.operation(refused["operationId"].as_str().unwrap()).await;
        assert_eq!((&operation["state"], &operation["exitCode"]), (&json!("failed"), &json!(1)));
    }
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_said_so() {
    let scene = Scene::start().await;
    let app = scene.app_at("/no/such/folder").await;
    let refused = scene.act(&app, "start").await.is_refused(502, "operation.failed");
    assert!(refused["detail"].as_str().unwrap().contains("/no/such/folder"), "{refused}");
}

#[tokio::test]
async fn the_app_of_a_folder_above_is_not_touched() {
    let scene = Scene::start().await;
    let sample = App::new("above", &samples::steady());
    let below = format!("{}/below", sample.dir());
    std::fs::create_dir(&below).unwrap();
    let app = scene.app_at(&below).await;
    let refused = scene.act(&app, "start").await.is_refused(502, "operation.failed");
    assert!(refused["detail"].as_str().unwrap().contains("no compose file"), "{refused}");
    sample.up();
    scene.act(&app, "stop").await.is_refused(502, "operation.failed");
    let above = scene.app(&sample).await;
    scene.until_app(&above, "running").await;
}

#[tokio::test]
async fn restart_and_pull_do_what_compose_does() {
    let scene = Scene::start().await;
    let sample = App::new("again", &samples::steady());
    let app = scene.app(&sample).await;
    scene.act(&app, "start").await.is(200);
    let path = format!("/api/apps/{app}/services");
    let before = scene.api.admin.get(&path).await.is(200)[0]["startedAt"].clone();
    assert_eq!(scene.act(&app, "restart").await.is(200)["status"], "running");
    assert_ne!(scene.api.admin.get(&path).await.is(200)[0]["startedAt"], before);
    // Nothing listens where its image is to come from: the refusal is compose's own.
    std::fs::write(format!("{}/docker-compose.yml", sample.dir()), samples::failing()).unwrap();
    let pulled = scene.act(&app, "pull").await.is_refused(502, "operation.failed");
    assert!(pulled["output"].as_str().unwrap().contains("localhost:1"), "{pulled}");
    assert_eq!(scene.get(&app).await["status"], "running");
}

#[tokio::test]
async fn an_unreachable_server_is_503_with_its_reason_and_its_apps_are_unknown() {
    let mut scene = Scene::with(Setup::default(), |config| config.probe_every = Duration::from_secs(1)).await;
    let sample = App::new("cut-off", &samples::steady());
    let app = scene.app(&sample).await;
    scene.act(&app, "start").await.is(200);
    let elsewhere = crate::support::sshd::free_port();
    scene
        .api
        .admin
        .put(&format!("/api/servers/{}", scene.server), json!({"sshPort": elsewhere}))
        .await
        .is(200);
    scene.host.target.port = elsewhere;
    let shown = scene.until_app(&app, "unknown").await;
    assert_eq!(shown["startedAt"], scene.get(&app).await["startedAt"]);
    let refused = scene.act(&app, "stop").await;
    assert_eq!(refused.status.as_u16(), 503, "{refused:?}");
    assert_eq!(refused.body["code"], format!("server.{}", text(&refused.body["reason"])));
}

#[tokio::test]
async fn an_app_that_runs_can_be_renamed_but_neither_moved_nor_removed() {
    let scene = Scene::start().await;
    let sample = App::new("fixed", &samples::steady());
    let app = scene.app(&sample).await;
    let path = format!("/api/apps/{app}");
    let admin = &scene.api.admin;
    scene.act(&app, "start").await.is(200);
    assert_eq!(admin.put(&path, json!({"name": "renamed"})).await.is(200)["name"], "renamed");
    admin.put(&path, json!({"cdPath": "/elsewhere"})).await.is_refused(409, "app.running");
    admin.delete(&path).await.is_refused(409, "app.running");
    admin.delete(&format!("/api/servers/{}", scene.server)).await.is_refused(409, "server.has_apps");
    scene.act(&app, "stop").await.is(200);
    assert_eq!(admin.put(&path, json!({"cdPath": "/elsewhere/"})).await.is(200)["cdPath"], "/elsewhere");
    admin.delete(&path).await.is(204);
    admin.get(&path).await.is_refused(404, "app.not_found");
    // The record of what was done outlives the app.
    let operations = admin.get(&format!("/api/operations?appId={app}")).await.is(200);
    assert_eq!(operations["items"].as_array().unwrap().len(), 2);
    admin.delete(&format!("/api/servers/{}", scene.server)).await.is(204);
}

#[tokio::test]
async fn each_field_out_of_range_is_refused_by_name_and_nothing_is_written() {
    let scene = Scene::start().await;
    let good = json!({
        "name": "web", "projectId": scene.project, "serverId": scene.server, "cdPath": "/srv/web",
        "appUrl": "http://127.0.0.1:8080", "autoStopTimeout": 60,
    });
    for (field, bad) in [
        ("name", json!("")),
        ("name", json!("   ")),
        ("name", json!("x".repeat(101))),
        ("name", json!(7)),
        ("projectId", json!("no id")),
        ("serverId", json!(null)),
        ("cdPath", json!("relative")),
        ("cdPath", json!("/a/../b")),
        ("cdPath", json!("/a\u{0}b")),
        ("cdPath", json!("/a\nb")),
        ("cdPath", json!(format!("/{}", "x".repeat(500)))),
        ("appUrl", json!("javascript:alert(1)")),
        ("appUrl", json!("not a url")),
        ("autoStopTimeout", json!(-1)),
        ("autoStopTimeout", json!(525_601)),
        ("autoStopTimeout", json!(1.5)),
        ("autoStopTimeout", json!("60")),
    ] {
        let mut body = good.clone();
        body[field] = bad.clone();
        let fields = scene.api.admin.post("/api/apps", body).await.refused_fields();
        assert_eq!(fields, [field], "{bad}");
    }
    for field in ["name", "projectId", "serverId", "cdPath"] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(field);
        assert_eq!(scene.api.admin.post("/api/apps", body).await.refused_fields(), [field]);
    }
    assert_eq!(scene.api.admin.get("/api/apps").await.is(200), json!([]));

    let app = scene.api.admin.post("/api/apps", good.clone()).await.is(201);
    let mut twin = good.clone();
    twin["cdPath"] = json!("/srv/./other/");
    scene.api.admin.post("/api/apps", twin).await.is_refused(409, "app.name_taken");
    let mut twin = good.clone();
    twin["name"] = json!("other");
    twin["cdPath"] = json!("/srv//web/");
    scene.api.admin.post("/api/apps", twin).await.is_refused(409, "app.path_taken");
    let start = format!("/api/apps/{}/start", text(&app["id"]));
    for bad in [json!({"timeout": -1}), json!({"timeout": 525_601}), json!({"timeout": "soon"})] {
        assert_eq!(scene.api.admin.post(&start, bad).await.refused_fields(), ["timeout"]);
    }
}

#[tokio::test]
async fn unknown_apps_are_404_whatever_is_asked_of_them() {
    let api = TestApi::start().await;
    for id in ["0193d5d8-0000-7000-8000-000000000000", "nonsense"] {
        for (method, path) in [
            ("GET", ""),
            ("PUT", ""),
            ("DELETE", ""),
            ("POST", "/start"),
            ("POST", "/stop"),
            ("POST", "/restart"),
            ("POST", "/pull"),
            ("POST", "/extend"),
            ("GET", "/services"),
            ("GET", "/logs"),
            ("GET", "/history"),
        ] {
            let request = api.admin.request(method.parse().unwrap(), &format!("/api/apps/{id}{path}"));
            let body = if path == "/extend" { json!({"minutes": 5}) } else { json!({}) };
            let answer = send(if method == "GET" { request } else { request.json(&body) }).await;
            assert_eq!(answer.status.as_u16(), 404, "{method} {path} {id}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn members_see_and_do_what_their_role_allows_and_strangers_see_nothing() {
    let scene = Scene::start().await;
    let sample = App::new("members", &samples::steady());
    let app = scene.app(&sample).await;
    let path = format!("/api/apps/{app}");
    let mut clients = vec![];
    for role in ["viewer", "operator", "maintainer"] {
        let (id, client) = scene.api.user(role).await;
        scene.api.member(&scene.project, &id, role).await;
        clients.push(client);
    }
    let (_, stranger) = scene.api.user("stranger").await;

    assert_eq!(stranger.get("/api/apps").await.is(200), json!([]));
    assert_eq!(stranger.get("/api/servers").await.is(200), json!([]));
    stranger.get(&path).await.is_refused(404, "app.not_found");
    stranger.post(&format!("{path}/start"), json!({})).await.is_refused(404, "app.not_found");
    stranger.delete(&path).await.is_refused(404, "app.not_found");

    let [viewer, operator, maintainer] = &clients[..] else { panic!("three clients") };
    assert_eq!(viewer.get(&path).await.is(200)["id"], json!(app));
    for action in ["start", "stop", "restart", "pull"] {
        viewer.post(&format!("{path}/{action}"), json!({})).await.is_refused(403, "permission.denied");
    }
    viewer.put(&path, json!({"name": "x"})).await.is_refused(403, "permission.denied");

    let started = operator.post(&format!("{path}/start"), json!({})).await.is(200);
    let operation = format!("/api/operations/{}", text(&started["operationId"]));
    assert_eq!(viewer.get(&operation).await.is(200)["requestedByName"], "operator");
    stranger.get(&operation).await.is_refused(404, "operation.not_found");
    stranger.get(&format!("{operation}/output")).await.is_refused(404, "operation.not_found");
    viewer.post(&format!("{operation}/cancel"), json!({})).await.is_refused(403, "permission.denied");
    operator.post(&format!("{path}/stop"), json!({})).await.is(200);
    operator.put(&path, json!({"name": "x"})).await.is_refused(403, "permission.denied");

    assert_eq!(maintainer.put(&path, json!({"name": "mine"})).await.is(200)["name"], "mine");
    // A server that carries none of the maintainer's apps is not there for the maintainer.
    let mut other = server_body(&scene.host);
    other["name"] = json!("other host");
    let other = text(&scene.api.admin.post("/api/servers", other).await.is(201)["id"]);
    maintainer.put(&path, json!({"serverId": other})).await.is_refused(404, "server.not_found");
    maintainer.delete(&path).await.is(204);
}
