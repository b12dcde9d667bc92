use std::time::{Duration, Instant};

use quaymaster::remote::ssh::{
    Command, Error, Exit, Life, Process, ProcessGroup, RemotePath, RunLimits, Signal, StartOptions, Stream,
};
use uuid::Uuid;

use super::{engine, run, script, text};
use crate::support::{PATIENCE, sshd::Sshd, until};

const GRACE: Duration = Duration::from_secs(5);

/// Reads lines until one holds `wanted`.
async fn read_until(process: &mut Process, wanted: &str) {
    let mut seen = String::new();
    while !seen.contains(wanted) {
        let chunk = process.next().await.unwrap_or_else(|| panic!("ended before {wanted}: {seen}"));
        seen.push_str(text(&chunk.data));
    }
}

/// Whether a process of this machine, which is the host of these tests, lives.
fn lives(id: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn a_command_gets_its_arguments_folder_and_variables_exactly() {
    let sshd = Sshd::start().await;
    let engine = engine();
    let target = sshd.target().await;
    let touched = sshd.path("touched");
    let payload = format!("$(touch {0})`touch {0}`'; touch {0}; \"", touched.display());
    let dir = sshd.path(&payload.replace('/', "_"));
    std::fs::create_dir(&dir).unwrap();
    let command = Command::new("sh")
        .args(["-c", "pwd; printf '%s|' \"$@\"; printf '%s' \"$EXTRA\"", "sh"])
        .args(["", " a  b ", "*", "-n", "\\", "ü\n", &payload])
        .dir(dir.to_str().unwrap().parse().unwrap())
        .env("EXTRA", &payload);
    let output = run(&engine, &target, &command).await.unwrap();
    let expected = format!("{}\n| a  b |*|-n|\\|ü\n|{payload}|{payload}", dir.display());
    assert_eq!(text(&output.stdout), expected);
    assert!(!touched.exists());
}

#[tokio::test]
async fn how_a_command_ends_is_told() {
    let sshd = Sshd::start().await;
    let engine = engine();
    let target = sshd.target().await;
    let output = run(&engine, &target, &script("echo out; echo err >&2; exit 3")).await.unwrap();
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("out\n", "err\n"));
    assert_eq!(output.exit, Exit::Status(3));
    let output = run(&engine, &target, &script("kill -KILL $$")).await.unwrap();
    assert_eq!(output.exit, Exit::Signal("KILL".to_owned()));
    let output = run(&engine, &target, &Command::new("no-such-program")).await.unwrap();
    assert_eq!(output.exit, Exit::Status(127));
    let nowhere: RemotePath = "/no/such/folder".parse().unwrap();
    let output = run(&engine, &target, &Command::new("true").dir(nowhere)).await.unwrap();
    assert!(!output.exit.is_success() && text(&output.stderr).contains("/no/such/folder"), "{output:?}");
    let output = run(&engine, &target, &Command::new("cat")).await.unwrap();
    assert!(output.stdout.is_empty(), "stdin is empty");
    let error = run(&engine, &target, &Command::new("echo").arg("\0")).await.unwrap_err();
    assert_eq!(error.reason(), "invalid_command");
}

#[tokio::test]
async fn output_is_streamed_in_order_and_tells_its_stream() {
    let sshd = Sshd::start().await;
    let engine = engine();
    let go = sshd.path("go");
    let command = script("echo one; until [ -e \"$GO\" ]; do sleep 0.02; done; echo two >&2")
        .env("GO", go.to_str().unwrap());
    let mut process = engine.start(&sshd.target().await, &command, StartOptions::default()).await.unwrap();
    let first = process.next().await.unwrap();
    assert_eq!((first.stream, text(&first.data)), (Stream::Stdout, "one\n"));
    std::fs::write(go, "").unwrap();
    let second = process.next().await.unwrap();
    assert_eq!((second.stream, text(&second.data)), (Stream::Stderr, "two\n"));
    assert!(process.next().await.is_none());
    assert_eq!(process.exit().unwrap(), Exit::Status(0));
}

#[tokio::test]
async fn a_large_output_arrives_whole_through_a_slow_reader() {
    const BYTES: usize = 24 * 1024 * 1024;
    let sshd = Sshd::start().await;
    let engine = engine();
    let target = sshd.target().await;
    let command = Command::new("head").args(["-c", &BYTES.to_string(), "/dev/zero"]);
    let mut process = engine.start(&target, &command, StartOptions::default()).await.unwrap();
    // Not read meanwhile: other commands go on.
    for _ in 0..5 {
        run(&engine, &target, &Command::new("true")).await.unwrap();
    }
    let mut total = 0;
    while let Some(chunk) = process.next().await {
        total += chunk.data.len();
    }
    assert_eq!(total, BYTES);
    assert!(process.exit().unwrap().is_success());
}

#[tokio::test]
async fn a_time_limit_ends_the_command_and_nothing_else() {
    let sshd = Sshd::start().await;
    let engine = engine();
    let target = sshd.target().await;
    let mut other =
        engine.start(&target, &script("echo on; sleep 60"), StartOptions::default()).await.unwrap();
    read_until(&mut other, "on").await;
    let file = sshd.path("pid");
    let command = script("echo $$ > \"$FILE\"; sleep 60").env("FILE", file.to_str().unwrap());
    let limits = RunLimits { time: Duration::from_millis(500), ..RunLimits::default() };
    let error = engine.run(&target, &command, limits).await.unwrap_err();
    assert_eq!(error.reason(), "timeout");
    let id = std::fs::read_to_string(file).unwrap();
    until(PATIENCE, "the command is ended", || async { !lives(id.trim()) }).await;
    assert!(engine.is_alive(&target, other.group()).await.unwrap());
    engine.end(&target, other.group(), GRACE).await.unwrap();
}

#[tokio::test]
async fn a_command_that_writes_too_much_is_ended() {
    let sshd = Sshd::start().await;
    let engine = engine();
    let target = sshd.target().await;
    let file = sshd.path("pid");
    let command = script("echo $$ > \"$FILE\"; exec yes").env("FILE", file.to_str().unwrap());
    let limits = RunLimits { output_bytes: 100_000, ..RunLimits::default() };
    let error = engine.run(&target, &command, limits).await.unwrap_err();
    assert!(matches!(error, Error::OutputLimit { limit: 100_000 }), "{error:?}");
    let id = std::fs::read_to_string(file).unwrap();
    until(PATIENCE, "the command is ended", || async { !lives(id.trim()) }).await;
}

#[tokio::test]
async fn a_command_whose_caller_gives_up_is_ended() {
    let sshd = Sshd::start().await;
    let engine = engine();
    let target = sshd.target().await;
    let file = sshd.path("pid");
    let command = script("echo $$ > \"$FILE\"; sleep 60").env("FILE", file.to_str().unwrap());
    let begun = until(PATIENCE, "the command begins", || async {
        std::fs::read_to_string(&file).is_ok_and(|id| id.ends_with('\n'))
    });
    tokio::select! {
        output = run(&engine, &target, &command) => panic!("{output:?}"),
        () = begun => {}
    }
    let id = std::fs::read_to_string(&file).unwrap();
    until(PATIENCE, "the command is ended", || async { !lives(id.trim()) }).await;
}

#[tokio::test]
async fn ending_a_command_ends_its_grandchildren_even_if_they_do_not_want_to() {
    let sshd = Sshd::start().await;
    let engine = engine();
    let target = sshd.target().await;
    for (obeys, grace) in [("", GRACE), ("trap '' TERM;", Duration::from_millis(300))] {
        let tree = format!(
            "{obeys} sh -c '{obeys} sh -c \"{obeys} sleep 61; true\"; true' & sleep 62 & echo ready; wait; sleep 63"
        );
        let mut process = engine.start(&target, &script(&tree), StartOptions::default()).await.unwrap();
        read_until(&mut process, "ready").await;
        let group = process.group();
        assert!(engine.is_alive(&target, group).await.unwrap());
        assert_eq!(engine.end(&target, group, grace).await.unwrap(), Life::Gone);
        assert!(!engine.is_alive(&target, group).await.unwrap());
        let left = std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
            let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let group_of = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(2)?.parse().ok());
            group_of == Some(group.leader) && !stat.contains(") Z ")
        });
        assert_eq!(left.count(), 0);
        while process.next().await.is_some() {}
        assert!(matches!(process.exit(), Ok(Exit::Signal(_))), "{:?}", process.exit());
    }
}

#[tokio::test]
async fn a_group_is_not_taken_for_another_that_has_its_number() {
    let sshd = Sshd::start().await;
    let engine = engine();
    let target = sshd.target().await;
    let mut process =
        engine.start(&target, &script("echo on; sleep 60"), StartOptions::default()).await.unwrap();
    read_until(&mut process, "on").await;
    let group = process.group();
    let other = ProcessGroup { run: Uuid::now_v7(), ..group };
    assert_eq!(engine.signal(&target, other, Signal::Kill).await.unwrap(), Life::Gone);
    assert!(!engine.is_alive(&target, other).await.unwrap());
    assert!(engine.is_alive(&target, group).await.unwrap());
    assert_eq!(engine.signal(&target, group, Signal::Kill).await.unwrap(), Life::Alive);
    until(PATIENCE, "the command ends", || async { !engine.is_alive(&target, group).await.unwrap() }).await;
}

#[tokio::test]
async fn a_run_is_found_again_by_its_id_alone() {
    let sshd = Sshd::start().await;
    let target = sshd.target().await;
    let run = Uuid::now_v7();
    let mut process =
        engine().start(&target, &script("echo on; sleep 60"), StartOptions { run }).await.unwrap();
    read_until(&mut process, "on").await;
    let group = process.group();
    drop(process);
    // Another engine, as another replica would have after a crash of the first.
    let engine = engine();
    assert_eq!(engine.find(&target, run).await.unwrap(), Some(group));
    assert_eq!(engine.end(&target, group, GRACE).await.unwrap(), Life::Gone);
    assert_eq!(engine.find(&target, run).await.unwrap(), None);
}

#[tokio::test]
async fn a_child_that_keeps_the_output_open_does_not_keep_the_caller() {
    let sshd = Sshd::start().await;
    let begun = Instant::now();
    let output = run(&engine(), &sshd.target().await, &script("sleep 20 & echo started")).await.unwrap();
    assert_eq!((text(&output.stdout), output.exit), ("started\n", Exit::Status(0)));
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_leading_dash_is_an_operand_where_it_is_meant() {
    let sshd = Sshd::start().await;
    let output =
        run(&engine(), &sshd.target().await, &Command::new("basename").operands(["--help"])).await.unwrap();
    assert_eq!(text(&output.stdout), "--help\n");
}
