//! Running the programs of Postgres: as whom, with which environment, and so that they end when we are killed.

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use tokio::{process::Command, time::timeout};

use super::{Account, EmbeddedError};

/// A command for `program`, run by `account` in `/` with next to no environment: `PG…` variables that are meant for
/// clients would change the server.
pub(super) fn command(program: &Path, account: Option<&Account>) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        // The programs' messages are compared with and logged.
        .env("LC_ALL", "C")
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .current_dir("/")
        .stdin(Stdio::null())
        // Out of the terminal's group: Ctrl-C is for us, and we stop it when we are done with it.
        .process_group(0);
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
    command
}

/// The same, with `signal` sent to it by the kernel when the thread that spawns it ends, however it ends.
///
/// setpriv(1) of util-linux sets this up and then becomes the program. Without it the program would outlive a kill of
/// ours; the next start would find it and stop it.
pub(super) fn bound_command(program: &Path, signal: &str, account: Option<&Account>) -> Command {
    let Some(setpriv) = setpriv() else {
        tracing::warn!("setpriv (of util-linux) is missing: Postgres would outlive a kill of Quaymaster");
        return command(program, account);
    };
    let mut command = command(&setpriv, account);
    command.arg("--pdeathsig").arg(signal).arg("--").arg(program);
    command
}

/// The real one: `BusyBox`'s knows no parent-death signal.
fn setpriv() -> Option<PathBuf> {
    on_path("setpriv").filter(|path| !path.ends_with("busybox"))
}

/// Where `name` is, links followed: distributions link programs from folders without their siblings.
pub(super) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .and_then(|file| file.canonicalize().ok())
}

/// Runs it to its end; its output is an error unless it succeeds.
pub(super) async fn run(mut command: Command, within: Duration) -> Result<String, EmbeddedError> {
    let program = PathBuf::from(command.as_std().get_program());
    let output = timeout(within, command.kill_on_drop(true).output())
        .await
        .map_err(|_| EmbeddedError::Slow { program: program.clone(), within })?
        .map_err(|cause| EmbeddedError::Run { program: program.clone(), cause })?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(EmbeddedError::Program { program, output: told(&output) })
    }
}

fn told(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let text = text.trim();
    if text.is_empty() { output.status.to_string() } else { text.replace('\n', "; ") }
}
