//! The real parts that tests run on, started privately and ended with them, and waiting for them.

pub mod api;
pub mod docker;
pub mod docker_host;
pub mod document;
pub mod hostile;
pub mod postgres;
pub mod process;
pub mod scene;
pub mod sshd;

use std::{future::Future, time::Duration};

/// Long enough for a loaded machine; a test that needs it all has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Asks until the answer is `Some`; fails naming `what` when `limit` has passed.
pub async fn eventually<T, F>(what: &str, limit: Duration, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let mut look = tokio::time::interval(LOOK_EVERY);
    let asking = async {
        loop {
            look.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    tokio::time::timeout(limit, asking).await.unwrap_or_else(|_| panic!("not within {limit:?}: {what}"))
}

/// Waits until `condition` holds, or fails the test after `limit`, saying `what` did not come true.
pub async fn until<F>(limit: Duration, what: &str, mut condition: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    eventually(what, limit, || {
        let holds = condition();
        async { holds.await.then_some(()) }
    })
    .await;
}

/// Runs a program of this machine and returns its stdout; fails the test if it is not there or fails.
pub async fn tool(program: &str, args: &[&str]) -> String {
    let output = tokio::process::Command::new(program)
        .args(args)
        .stdin(std::process::Stdio::null())
        .output()
        .await
        .unwrap_or_else(|error| panic!("install {program}: {error}"));
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
