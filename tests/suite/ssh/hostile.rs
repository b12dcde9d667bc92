use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use quaymaster::{
    platform::Lifecycle,
    remote::ssh::{Command, Engine, Limits, RunLimits, StartOptions},
};

use super::hasty;
use crate::support::{
    PATIENCE,
    hostile::{Habit, Hostile},
    sshd::{Settings, Sshd},
    until,
};

/// Far above the sum of the hasty limits, far below for ever.
const BOUND: Duration = Duration::from_secs(8);

async fn assert_ends(habit: Habit, reasons: &[&str]) {
    let lifecycle = Lifecycle::new();
    let server = Hostile::start(habit, &lifecycle).await;
    let engine = Engine::new(hasty(), lifecycle.clone());
    let target = server.target();
    let limits = RunLimits { time: Duration::from_millis(800), output_bytes: 1 << 20 };
    let begun = Instant::now();
    let error = engine.run(&target, &Command::new("true"), limits).await.unwrap_err();
    assert!(begun.elapsed() < BOUND, "{habit:?}: {:?}", begun.elapsed());
    assert!(reasons.contains(&error.reason()), "{habit:?}: {error:?}");
    let shown = error.to_string();
    assert!(!shown.contains("canary") && shown.len() < 1000, "{habit:?}: {shown}");
    assert!(!shown.chars().any(char::is_control), "{habit:?}: {shown:?}");
    // Nothing of it stays behind: no connection, no task.
    until(PATIENCE, "its connections are closed", || async {
        // Again and again: ending the command in the background may connect anew.
        engine.forget(target.host);
        server.open.load(Ordering::SeqCst) == 0
    })
    .await;
}

#[tokio::test]
async fn a_server_that_stalls_before_authentication_is_left_in_time() {
    assert_ends(Habit::Silent, &["timeout"]).await;
    assert_ends(Habit::SilentAfterVersion, &["timeout"]).await;
}

#[tokio::test]
async fn a_server_that_never_comes_to_the_point_is_left_in_time() {
    assert_ends(Habit::EndlessBanner, &["timeout", "protocol", "closed"]).await;
    assert_ends(Habit::EndlessLine, &["timeout", "protocol", "closed"]).await;
    assert_ends(Habit::Http, &["timeout", "protocol", "closed"]).await;
}

#[tokio::test]
async fn wrong_packet_sizes_are_an_error_and_no_panic() {
    for size in [0, 1, 4, 5, 16, 35_000, 256 * 1024, 300 * 1024, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        assert_ends(Habit::PacketOf(size), &["timeout", "protocol", "closed"]).await;
    }
}

#[tokio::test]
async fn a_server_that_stalls_at_authentication_is_left_in_time() {
    assert_ends(Habit::SilentAuth, &["timeout"]).await;
    assert_ends(Habit::CloseOnAuth, &["closed"]).await;
}

#[tokio::test]
async fn a_server_that_stalls_after_authentication_is_left_in_time() {
    assert_ends(Habit::SilentChannel, &["timeout"]).await;
    assert_ends(Habit::SilentExec, &["timeout"]).await;
    assert_ends(Habit::SilentShell, &["timeout"]).await;
    assert_ends(Habit::NeverEnds, &["timeout"]).await;
}

#[tokio::test]
async fn output_without_end_is_cut() {
    assert_ends(Habit::EndlessPrelude, &["shell"]).await;
    assert_ends(Habit::EndlessOutput, &["output_limit"]).await;
}

#[tokio::test]
async fn a_command_without_an_exit_status_has_not_succeeded() {
    assert_ends(Habit::NoExit, &["closed"]).await;
}

#[tokio::test]
async fn a_hosts_escape_sequences_do_not_reach_a_message() {
    assert_ends(Habit::EscapeSequences, &["shell"]).await;
}

#[tokio::test]
async fn the_password_answers_one_question_and_no_second() {
    let lifecycle = Lifecycle::new();
    let engine = Engine::new(hasty(), lifecycle.clone());
    let once = Hostile::start(Habit::Questions(1), &lifecycle).await;
    assert!(engine.check(&once.target()).await.passed());
    let twice = Hostile::start(Habit::Questions(2), &lifecycle).await;
    let check = engine.check(&twice.target()).await;
    assert_eq!(check.auth.error().unwrap().reason(), "auth_failed", "{check:?}");
}

#[tokio::test]
async fn noise_from_start_up_files_does_not_reach_the_output() {
    let bashrc = Some("echo welcome; echo dear guest >&2; printf 'no line end'\n");
    let sshd = Sshd::with(Settings { bashrc, ..Settings::default() }).await;
    let (engine, target) = (super::engine(), sshd.target().await);
    let command = Command::new("echo").arg("clean");
    let output = super::run(&engine, &target, &command).await.unwrap();
    assert_eq!(super::text(&output.stdout), "clean\n");
    let mut process = engine.start(&target, &command, StartOptions::default()).await.unwrap();
    assert_eq!(super::text(&process.next().await.unwrap().data), "clean\n");
}

#[tokio::test]
async fn start_up_files_that_fail_are_told_apart_from_the_command() {
    let bashrc = Some("echo 'account closed' >&2; exit 9");
    let sshd = Sshd::with(Settings { bashrc, ..Settings::default() }).await;
    let error = super::run(&super::engine(), &sshd.target().await, &Command::new("true")).await.unwrap_err();
    assert_eq!(error.reason(), "shell");
    assert!(error.to_string().contains("status 9 and said: account closed"), "{error}");
}

#[tokio::test]
async fn a_command_behind_start_up_files_that_hang_does_not_begin_when_nobody_waits_any_more() {
    let bashrc = Some("until [ -e ~/go ]; do read -t 0.05 -u 9 9<> <(:); done");
    let sshd = Sshd::with(Settings { bashrc, ..Settings::default() }).await;
    let limits = Limits { shell: Duration::from_millis(800), ..Limits::default() };
    let engine = Engine::new(limits, Lifecycle::new());
    let target = sshd.target().await;
    let begun = sshd.path("begun");
    let touch = Command::new("touch").operands([begun.to_str().unwrap()]);
    let error = super::run(&engine, &target, &touch).await.unwrap_err();
    assert_eq!(error.reason(), "timeout", "{error}");
    std::fs::write(sshd.path("go"), "").unwrap();
    // The next command waits for the first one's session to be closed in the end.
    engine.forget(target.host);
    until(PATIENCE, "the first shell has ended", || async { sshd.connection_processes().is_empty() }).await;
    assert!(!begun.exists());
    // The check can fail: with somebody waiting it begins.
    super::run(&engine, &target, &touch).await.unwrap();
    assert!(begun.exists());
}
