//! The embedded database: a private Postgres cluster in the data directory, run by this process.
//!
//! It listens on a Unix socket only, asks for a password (SCRAM) that only this process's user can read, keeps fsync on,
//! and runs as an unprivileged user when we are root. It is started again when it dies, stopped cleanly by
//! [`Cluster::stop`], and ends by itself when this process is killed. One data directory has one Quaymaster at a time.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    AssertSqlSafe, Connection,
    postgres::{PgConnectOptions, PgSslMode},
};

use super::connect;
use crate::platform::{Secret, config::SecretFolder, token};

mod account;
mod binaries;
mod folders;
mod init;
mod launch;
mod log;
mod pid_file;
mod program;
mod server;

pub use account::Account;
pub use binaries::Binaries;

use folders::Folders;
use launch::Launch;
use server::Server;

/// The cluster's only role.
const ROLE: &str = "quaymaster";
/// Names the socket; there is no TCP port.
const PORT: u16 = 5432;
/// In the data directory.
const CLUSTER_FOLDER: &str = "postgres";
/// Among the secrets.
const PASSWORD_FILE: &str = "database-password";

/// Which cluster to start and how.
#[derive(Clone, Debug)]
pub struct Setup {
    pub data_dir: PathBuf,
    /// Where the programs of Postgres are; None: they are looked for.
    pub postgres_bin: Option<PathBuf>,
    pub durability: Durability,
}

/// Whether what was committed must survive the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    Full,
    /// For tests: a crash of the machine, though not of Postgres, may lose everything.
    None,
}

/// A running cluster. Dropping it stops it too, without waiting for the end.
#[derive(Debug)]
pub struct Cluster {
    server: Server,
    socket_dir: PathBuf,
    password: Secret<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    #[error(
        "no PostgreSQL found: install it (Debian: apt-get install postgresql) or set POSTGRES_BIN or DATABASE_URL"
    )]
    NoBinaries,
    #[error("POSTGRES_BIN is {0}, where there are no programs initdb and postgres")]
    WrongBinaries(PathBuf),
    #[error(
        "the database in {folder} was made by PostgreSQL {made_by} and here is only {found}: install PostgreSQL \
         {made_by}, or set POSTGRES_BIN to where it is"
    )]
    Version { folder: PathBuf, made_by: u32, found: String },
    #[error("another Quaymaster runs on {0}: stop that one, or set another DATA_DIR")]
    InUse(PathBuf),
    #[error(
        "PostgreSQL does not run as root, and none of the users quaymaster, postgres and nobody exists: add one"
    )]
    NoAccount,
    #[error(
        "the database in {folder} belongs to another user (id {owner}) than it would run as ({account}): start \
         Quaymaster as that user or as root"
    )]
    Foreign { folder: PathBuf, owner: u32, account: String },
    #[error(
        "{folder} cannot be entered by {account}, as whom the database in {data_dir} would run: set DATA_DIR to a \
         place like /var/lib/quaymaster, or let others pass with: chmod o+x {folder}"
    )]
    Closed { folder: PathBuf, data_dir: PathBuf, account: String },
    #[error("the password of the database in {folder} is missing: restore {file} from a backup")]
    NoPassword { folder: PathBuf, file: PathBuf },
    #[error("{folder}, the only place short enough for the database's socket, is not ours: remove it")]
    SocketFolder { folder: PathBuf },
    #[error("{}: {cause}", path.display())]
    Io { path: PathBuf, cause: std::io::Error },
    #[error("{program} cannot be run: {cause}")]
    Run { program: PathBuf, cause: std::io::Error },
    #[error("{program} failed: {output}")]
    Program { program: PathBuf, output: String },
    #[error("{program} did not end within {within:?}")]
    Slow { program: PathBuf, within: Duration },
    #[error(
        "another PostgreSQL (process {pid}) runs on {folder}, and did not end within {}: stop it",
        seconds(pid_file::LINGER_WITHIN)
    )]
    Lingering { folder: PathBuf, pid: i32 },
    #[error("the embedded database does not start: {0}")]
    Start(String),
    #[error("the embedded database cannot be used: {0}")]
    Use(#[from] sqlx::Error),
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs())
}

impl Cluster {
    /// Makes the cluster if there is none, starts it, and returns when it takes connections.
    pub async fn start(setup: Setup) -> Result<Self, EmbeddedError> {
        let folders = Folders::prepare(&setup.data_dir).await?;
        let account = Account::choose(&folders)?;
        let made_by = folders.version()?;
        let binaries = Binaries::find(setup.postgres_bin.as_deref(), made_by, &folders).await?;
        folders.open_to(account.as_ref(), &binaries).await?;
        let password = password(&folders, made_by.is_some())?;
        if made_by.is_none() {
            init::init(&folders, account.as_ref(), &binaries, &password, setup.durability).await?;
        }
        let socket_dir = folders.socket_dir(account.as_ref())?;
        let launch = Launch {
            program: binaries.program("postgres"),
            account,
            cluster_dir: folders.cluster_dir(),
            socket_dir: socket_dir.clone(),
            durability: setup.durability,
        };
        let server = Server::start(&launch, folders.into_lock())?;
        server.ready().await?;
        Ok(Self { server, socket_dir, password })
    }

    /// How to reach `database` in it.
    pub fn options(&self, database: &str) -> PgConnectOptions {
        options(&self.socket_dir, &self.password, database)
    }

    /// How to reach `database` in the cluster that another process runs in `data_dir`; None when none runs there, or
    /// when its files are not ours to read.
    pub fn options_of_running(data_dir: &Path, database: &str) -> Option<PgConnectOptions> {
        let socket_dir = pid_file::socket_dir_of_running(&data_dir.join(CLUSTER_FOLDER))?;
        let password = SecretFolder::of(data_dir).get(PASSWORD_FILE).ok()??;
        Some(options(&socket_dir, &password, database))
    }

    /// Whether `data_dir` has a cluster, running or not.
    pub fn exists(data_dir: &Path) -> bool {
        data_dir.join(CLUSTER_FOLDER).join("PG_VERSION").is_file()
    }

    /// Makes `name` unless it is there.
    pub async fn ensure_database(&self, name: &str) -> Result<(), EmbeddedError> {
        let mut db = connect::connect(&self.options("postgres")).await?;
        let there = sqlx::query_scalar!(
            r#"select exists (select from pg_database where datname = $1) as "there!""#,
            name
        )
        .fetch_one(&mut db)
        .await?;
        if !there {
            // An identifier cannot be a parameter; doubled quotes cannot be left.
            let quoted = name.replace('"', "\"\"");
            sqlx::query(AssertSqlSafe(format!("create database \"{quoted}\""))).execute(&mut db).await?;
        }
        db.close().await?;
        Ok(())
    }

    /// Stops it cleanly and returns when it has ended.
    pub async fn stop(&self) {
        self.server.stop().await;
    }

    /// The process id of Postgres while it takes connections.
    pub fn pid(&self) -> Option<u32> {
        self.server.pid()
    }
}

/// The role's password. A cluster that is there knows one already, so then a new one would be of no use.
fn password(folders: &Folders, is_made: bool) -> Result<Secret<String>, EmbeddedError> {
    let secrets = SecretFolder::of(folders.data_dir());
    let failed = |cause| EmbeddedError::Io { path: folders.data_dir().to_owned(), cause };
    if !is_made {
        return secrets.get_or_make(PASSWORD_FILE, || token::random().0).map_err(failed);
    }
    let kept = secrets.get(PASSWORD_FILE).map_err(failed)?;
    kept.ok_or_else(|| EmbeddedError::NoPassword {
        folder: folders.cluster_dir(),
        file: secrets.path(PASSWORD_FILE),
    })
}

fn options(socket_dir: &Path, password: &Secret<String>, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(socket_dir)
        .port(PORT)
        .username(ROLE)
        .password(password.expose())
        .database(database)
        .ssl_mode(PgSslMode::Disable)
}

fn io_error(path: &Path) -> impl FnOnce(std::io::Error) -> EmbeddedError {
    let path = path.to_owned();
    move |cause| EmbeddedError::Io { path, cause }
}
