//! The record and queue of what is done: waiting, joining, cancelling, output, crashes, timers, several replicas.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::support::{
    PATIENCE,
    api::{send, text},
    docker::{self, App, samples},
    docker_host::Setup,
    eventually,
    scene::Scene,
};

/// How many processes on this machine work in the folder that holds the marker `text`, see [`mark`].
fn processes_with(text: &str) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cwd/.qm-marker")).ok());
    lines.filter(|marker| marker == text.as_bytes()).count()
}

/// Marks an app's folder, so that processes that work in it can be found.
fn mark(sample: &App) -> String {
    let marker = uuid::Uuid::now_v7().to_string();
    std::fs::write(format!("{}/.qm-marker", sample.dir()), &marker).unwrap();
    marker
}

#[tokio::test]
async fn who_does_not_want_to_wait_gets_the_operation_and_where_to_ask() {
    let scene = Scene::start().await;
    let sample = App::new("async", &samples::steady());
    let app = scene.app(&sample).await;
    let start = scene.api.admin.request(Method::POST, &format!("/api/apps/{app}/start"));
    let answer = send(start.header("prefer", "respond-async")).await;
    assert_eq!(answer.header("preference-applied"), "respond-async");
    let location = answer.header("location").to_owned();
    let operation = answer.is(202);
    assert_eq!(location, format!("/api/operations/{}", text(&operation["id"])));
    assert_eq!(
        (&operation["appId"], &operation["serverId"], &operation["action"], &operation["trigger"]),
        (&json!(app), &json!(scene.server), &json!("start"), &json!("user"))
    );
    assert_eq!(scene.get(&app).await["status"], "starting");
    let done = scene.until_operation(operation["id"].as_str().unwrap(), &["succeeded", "failed"]).await;
    assert_eq!((&done["state"], &done["exitCode"]), (&json!("succeeded"), &json!(0)));
    assert_eq!(scene.get(&app).await["status"], "running");
    let listed = scene.api.admin.get(&format!("/api/operations?appId={app}&state=succeeded")).await.is(200);
    assert_eq!((&listed["items"][0]["id"], &listed["nextCursor"]), (&operation["id"], &json!(null)));
    let none = scene.api.admin.get(&format!("/api/operations?appId={app}&state=failed")).await.is(200);
    assert_eq!(none["items"], json!([]));
}

#[tokio::test]
async fn many_who_start_at_once_share_one_operation_and_another_action_is_busy() {
    let scene = Scene::start().await;
    let sample = App::new("shared", &samples::hanging());
    let app = scene.app(&sample).await;
    let first = scene.begin(&app, "start").await;
    for _ in 0..5 {
        assert_eq!(scene.begin(&app, "start").await, first);
    }
    let refused = scene.act(&app, "stop").await.is_refused(409, "app.busy");
    assert_eq!((&refused["operationId"], &refused["action"]), (&json!(first), &json!("start")));
    scene.api.admin.delete(&format!("/api/apps/{app}")).await.is_refused(409, "app.busy");
    scene.api.admin.post(&format!("/api/operations/{first}/cancel"), json!({})).await.is(200);
    scene.until_operation(&first, &["cancelled"]).await;
    assert_eq!(scene.audited(&app).await.iter().filter(|(action, _)| action == "APP_START").count(), 1);
}

#[tokio::test]
async fn cancel_ends_the_commands_processes_on_the_host() {
    let scene = Scene::start().await;
    let sample = App::new("hanging", &samples::hanging());
    let marker = mark(&sample);
    let app = scene.app(&sample).await;
    let waiting = {
        let (admin, path) = (scene.api.admin.clone(), format!("/api/apps/{app}/start"));
        async move { admin.post(&path, json!({})).await }
    };
    let cancelling = async {
        let id = eventually("the start is under way", PATIENCE, || async {
            let running = scene.api.admin.get("/api/operations?state=running").await.is(200);
            let begun = processes_with(&marker) > 0;
            begun.then(|| running["items"][0]["id"].as_str().map(str::to_owned)).flatten()
        })
        .await;
        let cancel = format!("/api/operations/{id}/cancel");
        scene.api.admin.post(&cancel, json!({})).await.is(200);
        id
    };
    let (answer, id) = tokio::join!(waiting, cancelling);
    answer.is_refused(409, "operation.cancelled");
    assert_eq!(scene.operation(&id).await["state"], "cancelled");
    assert_eq!(processes_with(&marker), 0);
    let again = scene.api.admin.post(&format!("/api/operations/{id}/cancel"), json!({})).await;
    again.is_refused(409, "operation.finished");
}

#[tokio::test]
async fn a_command_that_takes_too_long_is_ended_and_said_so() {
    let limit = Duration::from_secs(3);
    let scene = Scene::with(Setup::default(), |config| config.operation_timeout = limit).await;
    let sample = App::new("slow", &samples::hanging());
    let marker = mark(&sample);
    let app = scene.app(&sample).await;
    let refused = scene.act(&app, "start").await.is_refused(502, "operation.timed_out");
    assert!(refused["detail"].as_str().unwrap().contains("3 s"), "{refused}");
    assert_eq!(processes_with(&marker), 0);
    let id = refused["operationId"].as_str().unwrap();
    assert_eq!(scene.operation(id).await["state"], "failed");
}

#[tokio::test]
async fn output_is_kept_by_offset_and_followed_to_the_end() {
    let scene = Scene::start().await;
    let sample = App::new("output", &samples::steady());
    let app = scene.app(&sample).await;
    let id = scene.begin(&app, "start").await;
    let path = format!("/api/operations/{id}/output");
    let follow = |from: Option<&str>| {
        let request = scene.api.admin.request(Method::GET, &path).header("accept", "text/event-stream");
        match from {
            Some(from) => request.header("last-event-id", from),
            None => request,
        }
    };
    let live = send(follow(None)).await.is(200);
    let events = events_of(live.as_str().unwrap());
    let (last, pieces) = events.split_last().unwrap();
    assert_eq!((last.0.as_str(), &last.2["state"]), ("end", &json!("succeeded")));
    let joined: String = pieces.iter().map(|(_, _, data)| data["data"].as_str().unwrap()).collect();
    let whole = scene.api.admin.get(&path).await;
    assert!(whole.header("content-type").starts_with("text/plain"));
    assert_eq!(whole.is(200), json!(joined));
    assert!(joined.contains("steady"), "{joined}");
    assert_eq!(pieces.last().unwrap().1, joined.len().to_string());
    assert_eq!(scene.operation(&id).await["outputBytes"], json!(joined.len()));

    let resumed = send(follow(Some("5"))).await.is(200);
    let events = events_of(resumed.as_str().unwrap());
    assert_eq!(events[0].2["offset"], 5);
    let rest: String = events.iter().filter_map(|(_, _, data)| data["data"].as_str()).collect();
    assert_eq!(rest, joined[5..]);
}

/// Name, id and data of each event.
fn events_of(stream: &str) -> Vec<(String, String, serde_json::Value)> {
    let blocks = stream.split("\n\n").filter(|block| block.contains("event: "));
    let field = |block: &str, name: &str| {
        block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned()
    };
    let parse = |block| {
        let data = serde_json::from_str(&field(block, "data: ")).unwrap();
        (field(block, "event: "), field(block, "id: "), data)
    };
    blocks.map(parse).collect()
}

#[tokio::test]
async fn an_operation_is_waited_for_and_followed_on_another_replica() {
    let scene = Scene::start().await;
    let other = scene.api.replica().await;
    let sample = App::new("two", &samples::steady());
    let app = scene.app(&sample).await;
    let there = scene.api.admin.at(&other);
    let id = scene.begin(&app, "start").await;
    let path = format!("/api/operations/{id}/output");
    let request = there.request(Method::GET, &path).header("accept", "text/event-stream");
    let joined = format!("/api/apps/{app}/start");
    let (followed, waited) = tokio::join!(send(request), there.post(&joined, json!({})));
    assert!(followed.is(200).as_str().unwrap().contains("event: end"));
    assert_eq!(waited.is(200)["operationId"], json!(id));
}

#[tokio::test]
async fn an_app_is_stopped_when_its_time_is_over_once_over_all_replicas() {
    let scene = Scene::start().await;
    let other = scene.api.replica().await;
    let sample = App::new("timer", &samples::steady());
    let app = scene.app(&sample).await;
    let start = format!("/api/apps/{app}/start");
    scene.api.admin.post(&start, json!({"timeout": 1})).await.is(200);
    let almost = Duration::from_secs(50);
    scene.api.clock.advance(almost);
    other.clock.advance(almost);
    let extended =
        scene.api.admin.post(&format!("/api/apps/{app}/extend"), json!({"minutes": 1})).await.is(200);
    let stop_at = extended["stopAt"].as_i64().unwrap();
    assert_eq!(scene.get(&app).await["stopAt"], json!(stop_at));

    let past = Duration::from_mins(1);
    scene.api.clock.advance(past);
    other.clock.advance(past);
    scene.until_app(&app, "stopped").await;
    let operations = scene.api.admin.get(&format!("/api/operations?appId={app}")).await.is(200);
    let stops: Vec<_> =
        operations["items"].as_array().unwrap().iter().filter(|item| item["action"] == "stop").collect();
    assert_eq!(stops.len(), 1, "{operations}");
    assert_eq!((&stops[0]["trigger"], &stops[0]["requestedBy"]), (&json!("autoStop"), &json!(null)));
    let delay = stops[0]["createdAt"].as_i64().unwrap() - stop_at;
    assert!((0..=2000).contains(&delay), "stopped {delay} ms after its time");
    let audited = scene.audited(&app).await;
    let auto: Vec<_> = audited.iter().filter(|(action, _)| action == "AUTO_STOP").collect();
    assert_eq!(auto.len(), 1);
    assert_eq!((&auto[0].1["reason"], &auto[0].1["timeout"]), (&json!("timeout"), &json!(2)));
}

#[tokio::test]
async fn an_app_without_a_stop_time_cannot_be_extended() {
    let scene = Scene::start().await;
    let sample = App::new("endless", &samples::steady());
    let app = scene.app(&sample).await;
    scene.act(&app, "start").await.is(200);
    let extend = format!("/api/apps/{app}/extend");
    scene.api.admin.post(&extend, json!({"minutes": 5})).await.is_refused(409, "app.no_stop_time");
    assert_eq!(scene.api.admin.post(&extend, json!({"minutes": 0})).await.refused_fields(), ["minutes"]);
}

/// The claim of a replica that died, as it is found in the database.
async fn orphan(scene: &Scene, id: &str, sent: bool) {
    let done = sqlx::query(
        "update operations set lease_owner = $2, lease_until = now() - interval '1 s', state = 'running',
                               started_at = now(), sent_at = case when $3 then now() end
         where id = $1::uuid",
    )
    .bind(id)
    .bind(uuid::Uuid::now_v7())
    .bind(sent)
    .execute(&scene.api.db)
    .await
    .unwrap();
    assert_eq!(done.rows_affected(), 1);
}

async fn insert_queued(scene: &Scene, app: &str) -> String {
    let id = uuid::Uuid::now_v7();
    let mut tx = scene.api.db.begin().await.unwrap();
    sqlx::query(
        "insert into operations (id, app_id, project_id, server_id, action, state, trigger, created_at, started_at,
                                 lease_owner, lease_until)
         values ($1, $2::uuid, (select project_id from apps where id = $2::uuid), $3::uuid, 'start', 'running', 'user', now(), now(), $4, now() + interval '1 h')",
    )
    .bind(id)
    .bind(app)
    .bind(&scene.server)
    .bind(uuid::Uuid::now_v7())
    .execute(&mut *tx)
    .await
    .unwrap();
    sqlx::query("update apps set status = 'starting' where id = $1::uuid")
        .bind(app)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    id.to_string()
}

#[tokio::test]
async fn what_a_dead_replica_had_claimed_but_not_sent_is_done_by_another() {
    let scene = Scene::start().await;
    let sample = App::new("orphan", &samples::steady());
    let app = scene.app(&sample).await;
    let id = insert_queued(&scene, &app).await;
    orphan(&scene, &id, false).await;
    assert_eq!(scene.until_operation(&id, &["succeeded"]).await["exitCode"], 0);
    scene.until_app(&app, "running").await;
}

#[tokio::test]
async fn what_a_dead_replica_had_sent_is_lost_never_sent_again_and_the_app_shows_what_is_so() {
    let scene = Scene::start().await;
    let sample = App::new("lost", &samples::steady());
    let app = scene.app(&sample).await;
    let id = insert_queued(&scene, &app).await;
    orphan(&scene, &id, true).await;
    let lost = scene.until_operation(&id, &["lost", "succeeded", "failed"]).await;
    assert_eq!((&lost["state"], &lost["error"]["code"]), (&json!("lost"), &json!("operation.lost")));
    let shown = scene.get(&app).await;
    assert_eq!(shown["status"], "stopped", "nothing was started: {shown}");
    scene.act(&app, "start").await.is(200);
}

#[tokio::test]
async fn a_line_that_is_cut_while_a_command_runs_leaves_no_eternal_operation() {
    let scene = Scene::start().await;
    let sample = App::new("cut", &samples::hanging());
    let marker = mark(&sample);
    let app = scene.app(&sample).await;
    let id = scene.begin(&app, "start").await;
    eventually("the command runs", PATIENCE, || async { (processes_with(&marker) > 0).then_some(()) }).await;
    assert!(scene.host.has_connections(), "there is one to cut");
    scene.host.cut_connections();
    eventually("it is watched again", PATIENCE, || async { scene.host.has_connections().then_some(()) })
        .await;
    assert_eq!(scene.operation(&id).await["state"], "running");
    scene.api.admin.post(&format!("/api/operations/{id}/cancel"), json!({})).await.is(200);
    scene.until_operation(&id, &["cancelled"]).await;
    assert_eq!(processes_with(&marker), 0);
}

#[tokio::test]
async fn who_holds_an_older_claim_writes_nothing_more() {
    let scene = Scene::start().await;
    let sample = App::new("stolen", &samples::hanging());
    let marker = mark(&sample);
    let app = scene.app(&sample).await;
    let id = scene.begin(&app, "start").await;
    eventually("the command runs", PATIENCE, || async { (processes_with(&marker) > 0).then_some(()) }).await;
    // As if another replica had taken it over, and died.
    let stolen: i64 = sqlx::query_scalar(
        "update operations set claim = claim + 1, lease_owner = $2, lease_until = now() - interval '1 s'
         where id = $1::uuid and state = 'running' returning claim",
    )
    .bind(&id)
    .bind(uuid::Uuid::now_v7())
    .fetch_one(&scene.api.db)
    .await
    .unwrap();
    eventually("it is taken over again", PATIENCE, || async {
        let claim: i64 = sqlx::query_scalar("select claim from operations where id = $1::uuid")
            .bind(&id)
            .fetch_one(&scene.api.db)
            .await
            .unwrap();
        (claim > stolen).then_some(())
    })
    .await;
    assert_eq!(scene.operation(&id).await["state"], "running");
    scene.api.admin.post(&format!("/api/operations/{id}/cancel"), json!({})).await.is(200);
    scene.until_operation(&id, &["cancelled", "lost"]).await;
    assert_eq!(processes_with(&marker), 0);
    let ends =
        scene.audited(&id).await.into_iter().filter(|(action, _)| action == "OPERATION_FINISH").count();
    assert_eq!(ends, 1);
}

/// Makes a server look as if eight operations were running on it.
async fn occupy(scene: &Scene) {
    for number in 0..8 {
        let app = scene.app_at(&format!("/occupied/{number}")).await;
        insert_queued(scene, &app).await;
    }
}

#[tokio::test]
async fn what_a_busy_server_has_no_place_for_waits_and_can_be_cancelled_without_a_trace() {
    let scene = Scene::start().await;
    let sample = App::new("waiting", &samples::steady());
    let app = scene.app(&sample).await;
    scene.until_app(&app, "stopped").await;
    occupy(&scene).await;
    let id = scene.begin(&app, "start").await;
    assert_eq!(scene.get(&app).await["status"], "starting");
    let cancelled = scene.api.admin.post(&format!("/api/operations/{id}/cancel"), json!({})).await.is(200);
    assert_eq!((&cancelled["state"], &cancelled["startedAt"]), (&json!("cancelled"), &json!(null)));
    assert_eq!(scene.get(&app).await["status"], "stopped");
}

#[tokio::test]
async fn an_extension_is_not_undone_by_a_probe_that_began_before_it() {
    let scene = Scene::start().await;
    let sample = App::new("extended", &samples::steady());
    let app = scene.app(&sample).await;
    scene.api.admin.post(&format!("/api/apps/{app}/start"), json!({"timeout": 60})).await.is(200);
    let reading = || async {
        let count: i64 = sqlx::query_scalar("select reading from apps where id = $1::uuid")
            .bind(&app)
            .fetch_one(&scene.api.db)
            .await
            .unwrap();
        count
    };
    let before = reading().await;
    scene.api.admin.post(&format!("/api/apps/{app}/extend"), json!({"minutes": 5})).await.is(200);
    assert!(reading().await > before, "a probe's write is refused when the count has gone up");
}

#[tokio::test]
async fn the_private_engine_is_the_one_that_is_used() {
    let scene = Scene::start().await;
    let status = scene.api.admin.get(&format!("/api/servers/{}/status", scene.server)).await.is(200);
    assert_eq!(status["status"], "online", "{status}");
    assert!(docker::engine().host().starts_with("unix:///"));
}
