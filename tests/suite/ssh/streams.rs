use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

use quaymaster::{
    platform::Lifecycle,
    remote::ssh::{Command, RemotePath, Sharing},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixListener,
};

use super::{engine, run, script};
use crate::support::{
    PATIENCE,
    sshd::{Settings, Sshd},
    until,
};

/// A socket that sends back what it gets.
fn echo(sshd: &Sshd, lifecycle: &Lifecycle) -> RemotePath {
    let path = sshd.path("echo 'socket'");
    let listener = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
    let tasks = lifecycle.clone();
    lifecycle.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tasks.spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    path.to_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_unix_socket_of_the_host_is_reached_in_any_number() {
    let sshd = Sshd::start().await;
    let (engine, lifecycle) = (engine(), Lifecycle::new());
    let target = sshd.target().await;
    let path = echo(&sshd, &lifecycle);
    let mut streams = Vec::new();
    for number in 0..40_u8 {
        let mut stream = engine.open_unix(&target, &path, Sharing::Shared).await.unwrap();
        stream.write_all(&[number; 1000]).await.unwrap();
        streams.push((number, stream));
    }
    for (number, stream) in &mut streams {
        let mut got = [0; 1000];
        stream.read_exact(&mut got).await.unwrap();
        assert_eq!(got, [*number; 1000]);
        stream.shutdown().await.unwrap();
        assert_eq!(stream.read(&mut got).await.unwrap(), 0, "it ends when both sides are done");
    }
    // They take no session: with all of them open, commands run.
    run(&engine, &target, &Command::new("true")).await.unwrap();
    assert_eq!(engine.connections(target.host), 1);
}

#[tokio::test]
async fn a_stream_of_its_own_that_nobody_reads_holds_up_nothing() {
    let sshd = Sshd::start().await;
    let engine = engine();
    let target = sshd.target().await;
    let unread = engine.open_command(&target, &Command::new("yes"), Sharing::Own).await.unwrap();
    for _ in 0..20 {
        run(&engine, &target, &Command::new("true")).await.unwrap();
    }
    assert_eq!(sshd.logged("Accepted publickey"), 2);
    drop(unread);
    until(PATIENCE, "its connection closes with it", || async {
        sshd.logged("Closing connection") + sshd.logged("Connection closed by") > 0
    })
    .await;
}

#[tokio::test]
async fn a_socket_that_is_not_there_or_not_allowed_is_refused() {
    let sshd = Sshd::start().await;
    let nowhere: RemotePath = "/run/no-such.sock".parse().unwrap();
    let refused = engine().open_unix(&sshd.target().await, &nowhere, Sharing::Shared).await.err().unwrap();
    assert_eq!(refused.reason(), "channel_refused", "{refused}");

    let more = "AllowStreamLocalForwarding no".to_owned();
    let sshd = Sshd::with(Settings { more, ..Settings::default() }).await;
    let path = echo(&sshd, &Lifecycle::new());
    let refused = engine().open_unix(&sshd.target().await, &path, Sharing::Shared).await.err().unwrap();
    assert!(refused.to_string().contains("not allowed"), "{refused}");
}

#[tokio::test]
async fn a_command_is_spoken_to_over_its_stdin_and_stdout() {
    let sshd = Sshd::start().await;
    let engine = engine();
    let command = script("echo early; exec cat");
    let mut stream = engine.open_command(&sshd.target().await, &command, Sharing::Shared).await.unwrap();
    stream.write_all(&vec![7; 300_000]).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut got = Vec::new();
    stream.read_to_end(&mut got).await.unwrap();
    assert_eq!(got.len(), 6 + 300_000);
    assert!(got.starts_with(b"early\n"));
}
