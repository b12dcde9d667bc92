//! How servers are, for real: what is found, what is wrong, when it is looked at, and what of it is kept.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use quaymaster::{platform::Lifecycle, servers::jobs::probe_due};
use serde_json::{Value, json};

use super::{add, assert_in, assert_is, body, nowhere, path, status, trusted, with};
use crate::support::{
    PATIENCE,
    api::{Client, TestApi, text},
    docker_host::{DockerHost, Setup},
    eventually,
    sshd::Sshd,
    until,
};

const DOCKERS: &[&str] = &["/usr/local/bin/docker", "/usr/bin/docker", "/bin/docker"];
const COMPOSES: &[&str] =
    &["/usr/local/bin/docker-compose", "/usr/bin/docker-compose", "/bin/docker-compose"];

#[tokio::test]
async fn a_machine_in_order_is_online_and_tells_of_itself() {
    let (api, host) = (TestApi::start().await, DockerHost::start(Setup::default()).await);
    let server = add(&api, body(&host.target)).await;
    assert_eq!((&server["status"], &server["statusReason"]), (&json!("online"), &Value::Null), "{server}");
    let before = server["lastChecked"].as_i64().unwrap();
    let now = status(&api, &server).await;
    assert_eq!(
        (&now["status"], &now["reason"], &now["detail"]),
        (&json!("online"), &Value::Null, &Value::Null)
    );
    assert!(now["lastChecked"].as_i64().unwrap() > before);
    for number in ["runningContainers", "uptime", "latencyMs"] {
        assert!(now[number].is_u64(), "{number}: {now}");
        assert!(server[number].is_u64(), "{number}: {server}");
    }
    for version in ["docker", "compose"] {
        assert!(now[version].as_str().unwrap().starts_with(|c: char| c.is_ascii_digit()), "{version}: {now}");
        assert_eq!(now[version], server[version], "{version}");
    }
}

async fn assert_degraded(setup: Setup, reason: &str) {
    let (api, host) = (TestApi::start().await, DockerHost::start(setup).await);
    let server = add(&api, body(&host.target)).await;
    assert_is(&server, "degraded", reason);
    assert!(server["uptime"].is_u64() && server["statusDetail"].is_string(), "{server}");
    assert_is(&status(&api, &server).await, "degraded", reason);
}

#[tokio::test]
async fn a_machine_without_docker_is_degraded() {
    let docker_host = Some("unix:///no/such/socket".to_owned());
    assert_degraded(Setup { docker_host, hidden: DOCKERS, ..Setup::default() }, "docker_missing").await;
}

#[tokio::test]
async fn a_machine_whose_docker_denies_us_is_degraded() {
    assert_degraded(Setup { user: Some("nobody"), ..Setup::default() }, "docker_denied").await;
}

#[tokio::test]
async fn a_machine_whose_docker_is_down_is_degraded() {
    let docker_host = Some("unix:///no/such/socket".to_owned());
    assert_degraded(Setup { docker_host, ..Setup::default() }, "docker_down").await;
}

#[tokio::test]
async fn a_machine_without_compose_is_degraded() {
    assert_degraded(Setup { hidden: COMPOSES, ..Setup::default() }, "compose_missing").await;
}

#[tokio::test]
async fn a_machine_that_is_away_is_offline_and_back_when_it_is() {
    let (api, mut sshd, server) = trusted().await;
    sshd.cut();
    sshd.stop().await;
    let down = status(&api, &server).await;
    assert_is(&down, "offline", "tcp_refused");
    for fact in ["runningContainers", "uptime", "docker", "latencyMs"] {
        assert_eq!(down[fact], Value::Null, "{fact}");
    }
    sshd.up().await;
    assert_in(&status(&api, &server).await);
}

#[tokio::test]
async fn a_connection_that_died_unnoticed_is_made_again() {
    let (api, sshd, server) = trusted().await;
    sshd.cut();
    assert_in(&status(&api, &server).await);
}

#[tokio::test]
async fn a_name_without_an_address_is_told_as_such() {
    let api = TestApi::start().await;
    let server = add(&api, with(nowhere("x"), json!({"address": "no-such-host.invalid"}))).await;
    assert_is(&server, "offline", "dns");
}

#[tokio::test]
async fn changes_are_kept_as_history_and_announced_once() {
    let (api, mut sshd, server) = trusted().await;
    for _ in 0..3 {
        status(&api, &server).await;
    }
    sshd.cut();
    sshd.stop().await;
    for _ in 0..3 {
        assert_is(&status(&api, &server).await, "offline", "tcp_refused");
    }
    let history = format!("{}/history", path(&server));
    let all = api.admin.get(&history).await.is(200);
    let spans = all["items"].as_array().unwrap();
    let statuses: Vec<&str> = spans.iter().map(|span| span["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["offline", server["status"].as_str().unwrap(), "unknown"]);
    assert_eq!((&spans[0]["reason"], &spans[0]["until"]), (&json!("tcp_refused"), &Value::Null));
    for (newer, older) in spans.iter().zip(&spans[1..]) {
        assert_eq!(newer["from"], older["until"]);
        let length = older["until"].as_i64().unwrap() - older["from"].as_i64().unwrap();
        assert!((older["durationMs"].as_i64().unwrap() - length).abs() <= 1, "{older}");
    }
    let page = api.admin.get(&format!("{history}?limit=2")).await.is(200);
    let rest = format!("{history}?limit=2&cursor={}", text(&page["nextCursor"]));
    let rest = api.admin.get(&rest).await.is(200);
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["nextCursor"]), (1, &Value::Null));
    assert_eq!(rest["items"][0]["status"], "unknown");
    assert_eq!(api.admin.get(&format!("{history}?limit=0")).await.refused_fields(), ["limit"]);

    let announced: Vec<String> = sqlx::query_scalar(
        "select data ->> 'status' from events where kind = 'server.status' and data ->> 'serverId' = $1 order by id",
    )
    .bind(text(&server["id"]))
    .fetch_all(&api.db)
    .await
    .unwrap();
    assert_eq!(announced, [server["status"].as_str().unwrap(), "offline"]);
}

#[tokio::test]
async fn the_periodic_probe_finds_out_by_itself() {
    let (api, mut sshd, server) = trusted().await;
    sshd.cut();
    sshd.stop().await;
    api.clock.advance(Duration::from_secs(90));
    let offline = eventually("the server is seen to be offline", PATIENCE, || async {
        let now = api.admin.get(&path(&server)).await.is(200);
        (now["status"] == "offline").then_some(now)
    });
    assert_is(&offline.await, "offline", "tcp_refused");
}

#[tokio::test]
async fn a_due_server_is_probed_once_however_many_replicas_there_are() {
    let (api, sshd) = (TestApi::start().await, Sshd::start().await);
    let other = api.replica().await;
    // Without a trusted key each probe is a connection of its own, which sshd counts.
    let server = add(&api, with(body(&sshd.target().await), json!({"hostKeyPolicy": "ask"}))).await;
    let first = server["lastChecked"].as_i64().unwrap();
    sshd.clear_log();
    for replica in [&api, &other] {
        replica.clock.advance(Duration::from_secs(90));
    }
    let due = [&api, &other, &api, &other].map(|replica| probe_due(replica.services.clone()));
    futures_util::future::try_join_all(due).await.unwrap();
    until(PATIENCE, "the probe is written down", || async {
        api.admin.get(&path(&server)).await.is(200)["lastChecked"].as_i64() > Some(first)
    })
    .await;
    assert_eq!(sshd.logged("Connection from"), 1);
}

/// A machine that hangs up on whoever calls, and counts them.
async fn hanging_up() -> (u16, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, calls) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counter = calls.clone();
    Lifecycle::new().spawn(async move {
        while listener.accept().await.is_ok() {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    (port, calls)
}

/// Somebody who sees the server by an app of their project, and no more.
async fn viewer(api: &TestApi, server: &Value) -> Client {
    let project = api.project("theirs").await;
    let app = json!({"name": "app", "projectId": project, "serverId": server["id"], "cdPath": "/a"});
    api.admin.post("/api/apps", app).await.is(201);
    let (id, client) = api.user("viewer").await;
    api.member(&project, &id, "viewer").await;
    client
}

#[tokio::test]
async fn a_viewer_cannot_make_us_call_a_machine_again_and_again() {
    let api = TestApi::start().await;
    let (port, calls) = hanging_up().await;
    let server = add(&api, with(nowhere("busy"), json!({"sshPort": port}))).await;
    let viewer = viewer(&api, &server).await;
    let path = format!("{}/status", path(&server));
    let before = (calls.load(Ordering::SeqCst), server["lastChecked"].clone());
    for _ in 0..5 {
        assert_eq!(viewer.get(&path).await.is(200)["lastChecked"], before.1);
    }
    assert_eq!(calls.load(Ordering::SeqCst), before.0);

    api.clock.advance(Duration::from_secs(6));
    let five = (0..5).map(|_| async { viewer.get(&path).await.is(200)["lastChecked"].clone() });
    let seen = futures_util::future::join_all(five).await;
    assert!(seen.iter().all(|checked| *checked == seen[0] && *checked != before.1), "{seen:?}");
    let once = calls.load(Ordering::SeqCst);
    assert!(once > before.0);

    // Who manages servers may look whenever they like.
    assert_ne!(status(&api, &server).await["lastChecked"], seen[0]);
    assert!(calls.load(Ordering::SeqCst) > once);
}

#[tokio::test]
async fn a_viewer_cannot_make_us_try_again_what_a_person_must_mend() {
    let (api, sshd) = (TestApi::start().await, Sshd::start().await);
    let target = sshd.target().await;
    let refused = with(body(&target), json!({"sshUser": "nobody-of-this-name"}));
    let server = add(&api, refused).await;
    assert_is(&server, "offline", "auth_failed");
    let viewer = viewer(&api, &server).await;
    let path = format!("{}/status", path(&server));
    api.clock.advance(Duration::from_mins(1));
    assert_eq!(viewer.get(&path).await.is(200)["lastChecked"], server["lastChecked"]);
    assert_ne!(status(&api, &server).await["lastChecked"], server["lastChecked"]);
}
