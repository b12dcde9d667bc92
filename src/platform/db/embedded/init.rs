//! Making a cluster: whole or not at all.

use std::{fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path, time::Duration};

use super::{Account, Binaries, Durability, EmbeddedError, ROLE, folders::Folders, io_error, program};
use crate::platform::Secret;

const INIT_WITHIN: Duration = Duration::from_mins(2);

/// Makes it beside its place and moves it there when it is complete, so that one cut short is never taken for one.
pub(super) async fn init(
    folders: &Folders,
    account: Option<&Account>,
    binaries: &Binaries,
    password: &Secret<String>,
    durability: Durability,
) -> Result<(), EmbeddedError> {
    let unfinished = folders.make_unfinished(account).await?;
    let password_file = folders.data_dir().join(".initial-password");
    write_password(&password_file, account, password)?;
    let made = run_initdb(&unfinished, &password_file, account, binaries, durability).await;
    fs::remove_file(&password_file).map_err(io_error(&password_file))?;
    made?;
    fs::rename(&unfinished, folders.cluster_dir()).map_err(io_error(&unfinished))?;
    let data_dir = folders.data_dir();
    fs::File::open(data_dir).and_then(|folder| folder.sync_all()).map_err(io_error(data_dir))?;
    tracing::info!(folder = %folders.cluster_dir().display(), version = binaries.major, "made the embedded database");
    Ok(())
}

/// initdb reads it as `account`, from a file only.
fn write_password(
    path: &Path,
    account: Option<&Account>,
    password: &Secret<String>,
) -> Result<(), EmbeddedError> {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(io_error(path)(error));
    }
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io_error(path))?;
    writeln!(file, "{}", password.expose()).map_err(io_error(path))?;
    account.map_or(Ok(()), |account| account.own(path))
}

async fn run_initdb(
    folder: &Path,
    password_file: &Path,
    account: Option<&Account>,
    binaries: &Binaries,
    durability: Durability,
) -> Result<(), EmbeddedError> {
    let mut command = program::bound_command(&binaries.program("initdb"), "KILL", account);
    command
        .arg("--pgdata")
        .arg(folder)
        .arg("--pwfile")
        .arg(password_file)
        .args(["--username", ROLE, "--encoding", "UTF8", "--no-locale"])
        .args(["--auth-local", "scram-sha-256", "--auth-host", "reject"]);
    if durability == Durability::None {
        command.arg("--no-sync");
    }
    program::run(command, INIT_WITHIN).await.map(drop)
}
