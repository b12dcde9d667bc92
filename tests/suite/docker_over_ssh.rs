//! Docker and compose on a host behind a real sshd: the ways to the engine, and telling apart what is wrong.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use quaymaster::{
    platform::Lifecycle,
    remote::{
        compose::Action,
        docker::{AppState, Docker, Engines, Follow, LogQuery, Tail, summarise},
        host::{self, Folder, Look},
        ssh::{Engine, Exit, Limits, RemotePath, RunLimits},
    },
};

use crate::support::{
    docker::{App, engine, samples},
    docker_host::{DockerHost, Setup},
};

const DOCKERS: &[&str] = &["/usr/local/bin/docker", "/usr/bin/docker", "/bin/docker"];

fn engines() -> (Engine, Engines) {
    let lifecycle = Lifecycle::new();
    let ssh = Engine::new(Limits::default(), lifecycle.clone());
    (ssh.clone(), Engines::new(ssh, lifecycle))
}

fn client(host: &DockerHost) -> Docker {
    engines().1.of(&host.target)
}

async fn assert_refused(setup: Setup, reason: &str) {
    let host = DockerHost::start(setup).await;
    let error = client(&host).info().await.unwrap_err();
    assert_eq!(error.reason(), Some(reason), "{error}");
}

#[tokio::test]
async fn a_host_tells_of_itself_in_one_round_trip() {
    let host = DockerHost::start(Setup::default()).await;
    let (ssh, _) = engines();
    let probe = host::probe(&ssh, &host.target, Look::ForCompose).await.unwrap();
    assert!(probe.uptime.unwrap() > Duration::ZERO && probe.has_binary);
    let compose = probe.compose.unwrap();
    assert!(compose.version.major >= 1);
    let quick = host::probe(&ssh, &host.target, Look::Quick).await.unwrap();
    assert_eq!(quick.compose, None);
}

#[tokio::test]
async fn an_app_is_started_seen_and_stopped_over_ssh() {
    let host = DockerHost::start(Setup::default()).await;
    let (ssh, engines) = engines();
    let docker = engines.of(&host.target);
    let compose = host::probe(&ssh, &host.target, Look::ForCompose).await.unwrap().compose.unwrap();
    let app = App::new("it's $(touch x) \"here\"", &samples::talker());
    let dir: RemotePath = app.dir().parse().unwrap();
    let limits = RunLimits::default();

    let up = ssh.run(&host.target, &compose.command(dir.clone(), Action::Up), limits).await.unwrap();
    assert!(up.exit.is_success(), "{up:?}");
    let words = String::from_utf8_lossy(&up.stderr);
    assert!(!words.contains('\u{1b}'), "it is plain text: {words}");
    let containers = docker.containers(app.dir()).await.unwrap();
    assert_eq!(summarise(&containers).state, AppState::Running);

    let query = LogQuery { tail: Tail::All, follow: Follow::Yes, since: None };
    let lines = docker.logs(&containers, query).await.unwrap();
    let texts: Vec<_> = lines.take(5).map_ok(|line| line.text).try_collect().await.unwrap();
    assert_eq!(texts, ["1", "2", "3", "4", "5"]);

    let down = ssh.run(&host.target, &compose.command(dir, Action::Down), limits).await.unwrap();
    assert!(down.exit.is_success(), "{down:?}");
    assert_eq!(summarise(&docker.containers(app.dir()).await.unwrap()).state, AppState::Stopped);
}

#[tokio::test]
async fn compose_says_what_is_wrong_with_a_file_and_a_hanging_one_hits_the_limit() {
    let host = DockerHost::start(Setup::default()).await;
    let (ssh, _) = engines();
    let compose = host::probe(&ssh, &host.target, Look::ForCompose).await.unwrap().compose.unwrap();
    let run = async |app: &App, action, time| {
        let command = compose.command(app.dir().parse().unwrap(), action);
        ssh.run(&host.target, &command, RunLimits { time, ..RunLimits::default() }).await
    };
    let limit = Duration::from_secs(30);
    let checked = run(&App::new("over-ssh-good", &samples::steady()), Action::Check, limit).await.unwrap();
    assert!(checked.exit.is_success() && checked.stdout.is_empty());
    for (app, action) in [
        (App::new("over-ssh-broken", &samples::broken()), Action::Check),
        (App::new("over-ssh-failing", &samples::failing()), Action::Up),
    ] {
        let ran = run(&app, action, limit).await.unwrap();
        assert!(matches!(ran.exit, Exit::Status(1..)) && !ran.stderr.is_empty(), "{ran:?}");
    }
    let hanging = App::new("over-ssh-hanging", &samples::hanging());
    let error = run(&hanging, Action::Up, Duration::from_secs(3)).await.unwrap_err();
    assert_eq!(error.reason(), "timeout", "{error}");
}

#[tokio::test]
async fn the_real_path_of_a_folder_is_the_hosts_business() {
    let host = DockerHost::start(Setup::default()).await;
    let (ssh, _) = engines();
    let app = App::new("real", &samples::steady());
    let link = std::path::Path::new(app.dir()).with_file_name("link");
    std::os::unix::fs::symlink(app.dir(), &link).unwrap();
    let link = link.to_str().unwrap().parse().unwrap();
    let Folder::Ready { real: Some(real) } = host::folder(&ssh, &host.target, &link).await.unwrap() else {
        panic!("the folder has a compose file");
    };
    assert_eq!(real.as_str(), app.dir());
    let none = "/no/such/folder".parse().unwrap();
    assert_eq!(host::folder(&ssh, &host.target, &none).await.unwrap(), Folder::Missing);
}

#[tokio::test]
async fn without_forwarding_the_engine_is_reached_through_its_own_client() {
    let setup = Setup { sshd_config: "AllowStreamLocalForwarding no", ..Setup::default() };
    let host = DockerHost::start(setup).await;
    let docker = client(&host);
    docker.info().await.unwrap();
    let app = App::new("fallback", &samples::talker());
    app.up();
    let containers = docker.containers(app.dir()).await.unwrap();
    assert_eq!(containers.len(), 1);
    let query = LogQuery { tail: Tail::Last(1), follow: Follow::Yes, since: None };
    let mut lines = docker.logs(&containers, query).await.unwrap();
    assert!(lines.next().await.unwrap().is_ok());
}

#[tokio::test]
async fn without_a_client_the_engine_is_reached_through_its_socket() {
    let host = DockerHost::start(Setup { hidden: DOCKERS, ..Setup::default() }).await;
    client(&host).info().await.unwrap();
}

#[tokio::test]
async fn an_account_that_may_not_use_the_engine_is_denied() {
    let denied = Setup { user: Some("nobody"), ..Setup::default() };
    assert_refused(denied, "docker_denied").await;
}

#[tokio::test]
async fn an_engine_that_does_not_run_is_down() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("docker.sock");
    let setup = Setup { docker_host: Some(format!("unix://{}", path.display())), ..Setup::default() };
    assert_refused(setup.clone(), "docker_down").await;
    // Left behind by an engine that was killed.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert_refused(setup.clone(), "docker_down").await;
    let no_forwarding = Setup { sshd_config: "AllowStreamLocalForwarding no", ..setup };
    assert_refused(no_forwarding, "docker_down").await;
    let elsewhere = Setup { docker_host: Some("tcp://127.0.0.1:1".to_owned()), ..Setup::default() };
    assert_refused(elsewhere, "docker_down").await;
}

#[tokio::test]
async fn a_host_without_docker_says_so() {
    for docker_host in ["unix:///no/such/socket", "tcp://127.0.0.1:1"] {
        let docker_host = Some(docker_host.to_owned());
        let setup = Setup { docker_host, hidden: DOCKERS, ..Setup::default() };
        assert_refused(setup, "docker_missing").await;
    }
}

#[tokio::test]
async fn a_host_that_cannot_be_reached_keeps_the_reason_of_ssh() {
    let mut host = DockerHost::start(Setup::default()).await;
    host.target.host_key = None;
    assert_eq!(client(&host).info().await.unwrap_err().reason(), Some("host_key_unknown"));
}

#[tokio::test]
async fn questions_share_one_connection_and_followers_do_not_hold_them_up() {
    let host = DockerHost::start(Setup::default()).await;
    let (ssh, engines) = engines();
    let app = App::new("over-ssh-followed", &samples::talker());
    app.up();
    let containers = engines.of(&host.target).containers(app.dir()).await.unwrap();
    let query = LogQuery { tail: Tail::All, follow: Follow::Yes, since: None };
    let mut followers = Vec::new();
    for _ in 0..12 {
        followers.push(engines.of(&host.target).logs(&containers, query.clone()).await.unwrap());
    }
    // None of them is read while others ask.
    let questions = (0..20).map(|_| async { engines.of(&host.target).survey().await });
    futures_util::future::try_join_all(questions).await.unwrap();
    assert_eq!(ssh.connections(host.target.host), 1);
    for lines in &mut followers {
        assert_eq!(lines.next().await.unwrap().unwrap().text, "1");
    }
}

#[tokio::test]
async fn an_engine_that_comes_back_is_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("docker.sock");
    let docker_host = Some(format!("unix://{}", path.display()));
    let host = DockerHost::start(Setup { docker_host, ..Setup::default() }).await;
    let docker = client(&host);
    assert_eq!(docker.info().await.unwrap_err().reason(), Some("docker_down"));
    std::os::unix::fs::symlink(engine().socket(), &path).unwrap();
    docker.info().await.unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(docker.info().await.unwrap_err().reason(), Some("docker_down"));
}
