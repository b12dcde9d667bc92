//! The real binary as a process: started, asked, told to end, killed.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Output, Stdio},
};

use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::timeout,
};

use super::{PATIENCE, api::Client, eventually, postgres, sshd::free_port, tool};

pub const BINARY: &str = env!("CARGO_BIN_EXE_quaymaster");

/// Where commands run: a folder, and in it the data directory.
pub struct Place {
    pub folder: TempDir,
    /// `None`: the embedded one.
    pub database: Option<PgConnectOptions>,
}

impl Place {
    /// With a database of its own that has an administrator.
    pub async fn new() -> Self {
        Self { database: Some(postgres::fresh_database().await), ..Self::embedded() }
    }

    /// With nothing yet: the first start makes the database.
    pub fn embedded() -> Self {
        let folder = tempfile::Builder::new().prefix("quaymaster-test-").tempdir().unwrap();
        // Postgres is another user when we are root.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
        Self { folder, database: None }
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// With no more settings than a command needs here.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("DATA_DIR", self.data_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(database) = &self.database {
            command
                .env("DB_HOST", database.get_socket().unwrap())
                .env("DB_USER", database.get_username())
                .env("DB_PASSWORD", postgres::password())
                .env("DB_NAME", database.get_database().unwrap())
                .env("JWT_SECRET", "a secret for tests that is long enough")
                .env("ENCRYPTION_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
        } else {
            command.env("PATH", "/usr/bin:/bin");
        }
        command
    }

    pub async fn run(&self, arguments: &[&str]) -> Output {
        timeout(PATIENCE, self.command(arguments).output()).await.unwrap().unwrap()
    }

    /// `serve` on a free port, with these settings besides.
    pub fn spawn(&self, settings: &[(&str, &str)]) -> Serving {
        self.spawn_at(free_port(), settings)
    }

    pub fn spawn_at(&self, port: u16, settings: &[(&str, &str)]) -> Serving {
        let said = self.folder.path().join(format!("said-{port}-{}", uuid::Uuid::now_v7()));
        let child = self
            .command(&["serve"])
            .env("PORT", port.to_string())
            .env("RATE_LIMIT_REQUESTS", "1000000")
            .envs(settings.iter().copied())
            // A file, because nobody reads a pipe while the process runs.
            .stderr(fs::File::create(&said).unwrap())
            .spawn()
            .unwrap();
        Serving { child, port, said }
    }

    /// `serve`, once it answers.
    pub async fn serve(&self, settings: &[(&str, &str)]) -> Serving {
        let mut serving = self.spawn(settings);
        serving.is_up().await;
        serving
    }
}

/// A `serve` that was started. It is killed with its test.
pub struct Serving {
    pub child: Child,
    pub port: u16,
    said: PathBuf,
}

impl Serving {
    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn client(&self) -> Client {
        Client::new(&self.base())
    }

    /// What it has written to standard error so far.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap()
    }

    /// Waits until it serves; fails with its words if it ends instead.
    pub async fn is_up(&mut self) {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/health/ready", self.base());
        let child = &mut self.child;
        let mut ended = || child.try_wait().unwrap();
        let came = eventually("it serves, or ends", PATIENCE, || {
            let ended = ended();
            let asked = http.get(&url).send();
            async move {
                match ended {
                    Some(status) => Some(Err(status)),
                    None => asked.await.ok().filter(|answer| answer.status().is_success()).map(|_| Ok(())),
                }
            }
        })
        .await;
        came.unwrap_or_else(|status| panic!("{status}: {}", self.said()));
    }

    pub async fn signal(&self, name: &str) {
        tool("kill", &["-s", name, &self.child.id().unwrap().to_string()]).await;
    }

    /// `kill -9`.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Its exit code, once it has ended by itself.
    pub async fn ended(&mut self) -> Option<i32> {
        timeout(PATIENCE, self.child.wait()).await.expect("it does not end").unwrap().code()
    }
}
