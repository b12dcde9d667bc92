use std::time::{Duration, Instant};

use futures_util::future::join_all;
use quaymaster::{
    platform::Lifecycle,
    remote::ssh::{Command, Engine, Error, Limits, StartOptions, Target},
};

use super::{engine, run, script, text};
use crate::support::{
    PATIENCE,
    sshd::{Settings, Sshd, free_port},
    until,
};

const ACCEPTED: &str = "Accepted publickey";

async fn many(engine: &Engine, target: &Target, count: usize) {
    let command = Command::new("true");
    let runs = (0..count).map(|_| run(engine, target, &command));
    for output in join_all(runs).await {
        assert!(output.unwrap().exit.is_success());
    }
}

#[tokio::test]
async fn a_hundred_at_once_open_one_connection() {
    let sshd = Sshd::with(Settings { max_sessions: 100, ..Settings::default() }).await;
    let limits = Limits { sessions_per_connection: 100, ..Limits::default() };
    let engine = Engine::new(limits, Lifecycle::new());
    let target = sshd.target().await;
    many(&engine, &target, 100).await;
    assert_eq!(sshd.logged(ACCEPTED), 1);
    assert_eq!(engine.connections(target.host), 1);
}

#[tokio::test]
async fn more_than_the_hosts_sessions_wait_in_line_or_take_further_connections() {
    for max_sessions in [10, 3, 1] {
        let sshd = Sshd::with(Settings { max_sessions, ..Settings::default() }).await;
        let engine = engine();
        let target = sshd.target().await;
        many(&engine, &target, 60).await;
        let opened = sshd.logged(ACCEPTED);
        assert!((2..=4).contains(&opened), "{opened} connections for {max_sessions} sessions");
    }
}

#[tokio::test]
async fn a_host_that_gives_no_session_is_told_so() {
    let sshd = Sshd::with(Settings { max_sessions: 0, ..Settings::default() }).await;
    let error = run(&engine(), &sshd.target().await, &Command::new("true")).await.unwrap_err();
    assert_eq!(error.reason(), "channel_refused", "{error}");
}

#[tokio::test]
async fn a_caller_that_gives_up_does_not_break_the_others() {
    let sshd = Sshd::start().await;
    let engine = engine();
    let target = sshd.target().await;
    let command = Command::new("true");
    let mut first = Box::pin(run(&engine, &target, &command));
    // Far enough to have begun the connection that the second will wait for.
    assert!(futures_util::poll!(first.as_mut()).is_pending());
    let mut second = Box::pin(run(&engine, &target, &command));
    assert!(futures_util::poll!(second.as_mut()).is_pending());
    drop(first);
    second.await.unwrap();
    assert_eq!(sshd.logged(ACCEPTED), 1);
}

#[tokio::test]
async fn a_connection_that_was_cut_is_replaced() {
    let sshd = Sshd::start().await;
    let engine = engine();
    let target = sshd.target().await;
    for expected in 1..4 {
        many(&engine, &target, 3).await;
        assert_eq!(sshd.logged(ACCEPTED), expected);
        sshd.cut();
    }
}

#[tokio::test]
async fn a_command_that_may_have_begun_is_not_begun_again() {
    let sshd = Sshd::start().await;
    let engine = engine();
    let target = sshd.target().await;
    let file = sshd.path("begun");
    let begin = format!("echo begun >> {}; sleep 60", file.display());
    let command = script(&begin);
    let running = run(&engine, &target, &command);
    let cut = async {
        until(PATIENCE, "the command begins", || async { file.exists() }).await;
        sshd.cut();
    };
    let (outcome, ()) = tokio::join!(running, cut);
    assert!(matches!(outcome, Err(Error::Closed { .. })), "{outcome:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 1);
}

#[tokio::test]
async fn another_revision_does_not_use_the_older_connections() {
    let sshd = Sshd::start().await;
    let engine = engine();
    let target = sshd.target().await;
    run(&engine, &target, &Command::new("true")).await.unwrap();
    let newer = Target { revision: 2, ..target };
    run(&engine, &newer, &Command::new("true")).await.unwrap();
    assert_eq!(sshd.logged(ACCEPTED), 2);
    assert_eq!(engine.connections(newer.host), 1);
    until(PATIENCE, "the older connection closes", || async {
        sshd.logged("Connection closed by")
            + sshd.logged("Received disconnect")
            + sshd.logged("Closing connection")
            > 0
    })
    .await;
}

#[tokio::test]
async fn an_unused_connection_is_closed_and_a_used_one_is_not() {
    let sshd = Sshd::start().await;
    let limits = Limits { idle: Duration::from_millis(300), ..Limits::default() };
    let engine = Engine::new(limits, Lifecycle::new());
    let target = sshd.target().await;
    let mut process =
        engine.start(&target, &script("sleep 1; echo done"), StartOptions::default()).await.unwrap();
    run(&engine, &target, &Command::new("true")).await.unwrap();
    assert_eq!(engine.connections(target.host), 2);
    assert_eq!(text(&process.next().await.unwrap().data), "done\n");
    assert!(process.next().await.is_none() && process.exit().unwrap().is_success());
    drop(process);
    until(PATIENCE, "idle connections close", || async { engine.connections(target.host) == 0 }).await;
}

#[tokio::test]
async fn a_host_that_is_down_is_left_alone_and_tried_again_when_asked() {
    let mut sshd = Sshd::start().await;
    let engine = engine();
    let target = sshd.target().await;
    sshd.stop().await;
    let first = run(&engine, &target, &Command::new("true")).await.unwrap_err();
    assert!(matches!(first, Error::TcpRefused { .. }), "{first:?}");
    let begun = Instant::now();
    let second = run(&engine, &target, &Command::new("true")).await.unwrap_err();
    assert!(matches!(second, Error::BackingOff { .. }), "{second:?}");
    assert_eq!(second.reason(), "tcp_refused");
    assert!(begun.elapsed() < Duration::from_millis(100));

    sshd.up().await;
    assert!(engine.check(&target).await.passed(), "a check does not wait");
    run(&engine, &target, &Command::new("true")).await.unwrap();

    let nobody = Target { port: free_port(), revision: 2, ..target };
    run(&engine, &nobody, &Command::new("true")).await.unwrap_err();
    engine.reset(nobody.host);
    let third = run(&engine, &nobody, &Command::new("true")).await.unwrap_err();
    assert!(matches!(third, Error::TcpRefused { .. }), "{third:?}");
}

#[tokio::test]
async fn a_name_without_an_address_is_told_so() {
    let sshd = Sshd::start().await;
    let target = Target { address: "nowhere.invalid".into(), ..sshd.target().await };
    let error = run(&engine(), &target, &Command::new("true")).await.unwrap_err();
    assert_eq!(error.reason(), "dns");
}
