//! What tests share: the real parts, started privately and ended with the test.

pub mod hostile;
pub mod sshd;

use std::time::Duration;

use tokio::time::{interval, timeout};

/// Long enough for a loaded machine; a test that needs it all has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `condition` holds, or fails the test after `deadline`, saying `what` did not come true.
pub async fn eventually<F>(deadline: Duration, what: &str, mut condition: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    let holds = async {
        let mut looks = interval(Duration::from_millis(20));
        loop {
            looks.tick().await;
            if condition().await {
                return;
            }
        }
    };
    timeout(deadline, holds).await.unwrap_or_else(|_| panic!("not within {deadline:?}: {what}"));
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
