//! A real Docker Engine and real compose apps, over a local socket.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, TryStreamExt};
use quaymaster::{
    platform::Lifecycle,
    remote::docker::{
        AppState, Container, ContainerState, Docker, Error, Follow, Health, LogQuery, Output, Tail,
        UnixSocket, summarise,
    },
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{
    docker::{App, engine, samples},
    eventually,
};

const LIMIT: Duration = Duration::from_secs(30);

fn client() -> Docker {
    let dial = UnixSocket { path: engine().socket().to_owned() };
    Docker::new(Arc::new(dial), Lifecycle::new())
}

/// The app's containers as soon as `ready` says so.
async fn containers_when(app: &App, what: &str, ready: impl Fn(&[Container]) -> bool) -> Vec<Container> {
    let docker = client();
    let ask =
        || async { docker.containers(app.dir()).await.map(|found| ready(&found).then_some(found)).unwrap() };
    eventually(what, LIMIT, ask).await
}

fn find<'a>(containers: &'a [Container], service: &str) -> &'a Container {
    containers.iter().find(|container| container.service == service).unwrap()
}

#[tokio::test]
async fn an_engine_tells_its_version() {
    let info = client().info().await.unwrap();
    assert!(info.version.starts_with(|first: char| first.is_ascii_digit()), "{}", info.version);
}

#[tokio::test]
async fn a_mixed_app_is_degraded_and_the_reason_names_the_services() {
    let app = App::new("mixed", &samples::mixed());
    app.up();
    let settled = |found: &[Container]| {
        found.len() == 4
            && find(found, "sick").health == Some(Health::Unhealthy)
            && ["migrate", "broken"].iter().all(|name| find(found, name).state == ContainerState::Exited)
    };
    let containers = containers_when(&app, "the app settles", settled).await;
    assert_eq!(find(&containers, "broken").exit_code, Some(3));
    assert_eq!(find(&containers, "steady").exit_code, None);
    let summary = summarise(&containers);
    assert_eq!(summary.state, AppState::Degraded);
    assert_eq!(summary.reason.as_deref(), Some("broken exited with 3; sick is unhealthy"));
    assert_eq!((summary.services_running, summary.services_total), (2, 3));
    assert!(summary.started_at.is_some());

    let mut surveyed = client().survey().await.unwrap();
    surveyed.retain(|container| container.working_dir == app.dir());
    let from_survey = summarise(&surveyed);
    assert_eq!((from_survey.state, from_survey.reason), (summary.state, summary.reason));
}

#[tokio::test]
async fn an_app_is_known_by_its_exact_folder() {
    let app = App::new("it's a \"shop\" $(touch x) ü", &samples::web());
    let longer = App::new("shop", &samples::steady());
    app.up();
    longer.up();
    let containers = client().containers(app.dir()).await.unwrap();
    assert_eq!(containers.len(), 1);
    assert_eq!(summarise(&containers).state, AppState::Running);
    let port = find(&containers, "web").ports.first().unwrap().public.unwrap();
    let page = eventually("the app answers", LIMIT, || async {
        reqwest::get(format!("http://127.0.0.1:{port}/")).await.ok()?.text().await.ok()
    });
    assert_eq!(page.await, "hello\n");

    let parent = std::path::Path::new(app.dir()).parent().unwrap().to_str().unwrap();
    assert_eq!(client().containers(parent).await.unwrap(), []);
    app.compose(&["down"]);
    assert_eq!(client().containers(app.dir()).await.unwrap(), []);
    assert_eq!(client().containers(longer.dir()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_app_killed_by_hand_is_stopped_and_a_one_off_is_not_the_apps() {
    let app = App::new("killed", &samples::steady());
    app.up();
    assert!(app.compose(&["run", "-d", "steady"]).success());
    let containers = client().containers(app.dir()).await.unwrap();
    assert_eq!(containers.len(), 1, "{containers:?}");
    app.compose(&["kill"]);
    let exited = |found: &[Container]| found.iter().all(|one| one.state == ContainerState::Exited);
    let containers = containers_when(&app, "the container ends", exited).await;
    assert_eq!(find(&containers, "steady").exit_code, Some(137));
    assert_eq!(summarise(&containers).state, AppState::Stopped);
}

#[tokio::test]
async fn the_last_lines_come_from_all_containers_in_the_order_of_time() {
    let app = App::new("logs", &samples::mixed());
    app.up();
    let containers = client().containers(app.dir()).await.unwrap();
    let query = LogQuery { tail: Tail::All, follow: Follow::No, since: None };
    let lines = eventually("both lines are there", LIMIT, || async {
        let lines = client().logs(&containers, query.clone()).await.unwrap();
        let lines: Vec<_> = lines.try_collect().await.unwrap();
        (lines.len() == 2).then_some(lines)
    });
    let lines = lines.await;
    assert!(lines.iter().all(|line| line.service == "steady" && line.at.is_some() && !line.cut));
    assert!(lines[0].at <= lines[1].at);
    let said = |output| lines.iter().filter(move |line| line.output == output).map(|line| line.text.as_str());
    assert_eq!(said(Output::Stdout).collect::<Vec<_>>(), ["out"]);
    assert_eq!(said(Output::Stderr).collect::<Vec<_>>(), ["err"]);
}

#[tokio::test]
async fn a_follower_gets_the_tail_and_then_what_comes() {
    let app = App::new("talker", &samples::talker());
    app.up();
    let docker = client();
    let containers = docker.containers(app.dir()).await.unwrap();
    let all = LogQuery { tail: Tail::All, follow: Follow::No, since: None };
    eventually("five lines are there", LIMIT, || async {
        let lines = docker.logs(&containers, all.clone()).await.unwrap();
        (lines.count().await == 5).then_some(())
    })
    .await;
    let query = LogQuery { tail: Tail::Last(2), follow: Follow::Yes, since: None };
    let mut lines = docker.logs(&containers, query).await.unwrap();
    let mut next =
        async || tokio::time::timeout(LIMIT, lines.try_next()).await.unwrap().unwrap().map(|line| line.text);
    assert_eq!(next().await.as_deref(), Some("4"));
    assert_eq!(next().await.as_deref(), Some("5"));
    assert!(app.compose(&["exec", "-T", "talker", "sh", "-c", ": > /go"]).success());
    assert_eq!(next().await.as_deref(), Some("more"));
    app.compose(&["kill"]);
    assert_eq!(next().await, None);
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_down() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("docker.sock");
    let docker = Docker::new(Arc::new(UnixSocket { path: path.clone() }), Lifecycle::new());
    assert_eq!(docker.info().await.unwrap_err().reason(), Some("docker_down"));
    // A socket that nobody listens on any more.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(matches!(docker.info().await, Err(Error::Down(_))));
}

/// Something that is no engine: sends `answer` to everyone, and `then` without end unless it is empty.
fn impostor(
    lifecycle: &Lifecycle,
    answer: &'static [u8],
    then: &'static [u8],
) -> (Docker, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("docker.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let inner = lifecycle.clone();
    lifecycle.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            inner.spawn(async move {
                let mut question = [0; 4096];
                let _ = stream.read(&mut question).await;
                let mut sent = stream.write_all(answer).await;
                while sent.is_ok() && !then.is_empty() {
                    sent = stream.write_all(then).await;
                }
            });
        }
    });
    (Docker::new(Arc::new(UnixSocket { path }), lifecycle.clone()), dir)
}

#[tokio::test]
async fn an_impostor_is_told_from_an_engine_and_cannot_fill_the_memory() {
    let lifecycle = Lifecycle::new();
    let endless = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[";
    let cases: [(&[u8], &[u8]); 5] = [
        (b"SSH-2.0-OpenSSH_9.2\r\n", b""),
        (b"", b""),
        (endless, &[b' '; 4096]),
        (b"HTTP/1.1 200 OK\r\nX: ", &[b'x'; 4096]),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b""),
    ];
    for (answer, then) in cases {
        let (docker, _dir) = impostor(&lifecycle, answer, then);
        let error = tokio::time::timeout(LIMIT, docker.survey()).await.unwrap().unwrap_err();
        assert_eq!(error.reason(), Some("docker_down"), "{error}");
    }
}

#[tokio::test]
async fn output_that_is_no_output_ends_with_an_error() {
    let lifecycle = Lifecycle::new();
    let app = App::new("honest", &samples::steady());
    app.up();
    let containers = client().containers(app.dir()).await.unwrap();
    let (docker, _dir) = impostor(&lifecycle, b"HTTP/1.1 200 OK\r\n\r\n", b"no frames at all");
    let query = LogQuery { tail: Tail::All, follow: Follow::Yes, since: None };
    let mut lines = docker.logs(&containers, query).await.unwrap();
    assert!(matches!(lines.next().await, Some(Err(Error::Protocol(_)))));
    assert!(lines.next().await.is_none());
}
