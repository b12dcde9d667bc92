//! A database that Quaymaster does not run: reached by TCP, with and without TLS.

use std::{fs, os::unix::fs::MetadataExt, path::Path, process::Stdio, time::Duration};

use quaymaster::platform::{
    Database, Lifecycle, Secret,
    config::{DatabaseArgs, DatabaseConfig},
    db::DbError,
};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{data_dir, start};

/// A cluster whose Postgres listens on a port, with a certificate for `localhost`.
struct External {
    folder: TempDir,
    port: u16,
}

impl External {
    async fn make() -> Self {
        let folder = data_dir();
        start(folder.path()).await.unwrap().stop().await;
        let rules = folder.path().join("postgres/pg_hba.conf");
        fs::write(&rules, "host all all 127.0.0.1/32 scram-sha-256\n").unwrap();
        certify(folder.path()).await;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { folder, port }
    }

    fn run(&self) -> Child {
        let cluster = self.folder.path().canonicalize().unwrap().join("postgres");
        let mut command = Command::new("postgres");
        become_owner(&mut command, &cluster);
        command
            .arg("-D")
            .arg(&cluster)
            .args(["-c", "unix_socket_directories=", "-c", "listen_addresses=127.0.0.1", "-c", "ssl=on"])
            .arg("-p")
            .arg(self.port.to_string())
            .current_dir("/")
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    fn args(&self) -> DatabaseArgs {
        let password = fs::read_to_string(self.folder.path().join("secrets/database-password")).unwrap();
        DatabaseArgs {
            db_host: Some("127.0.0.1".to_owned()),
            db_port: Some(self.port.to_string()),
            db_password: Some(password.trim().into()),
            db_name: Some("postgres".to_owned()),
            ..DatabaseArgs::default()
        }
    }

    /// With TLS as `mode` says, to `host`, trusting our own authority if `trusting`.
    fn config(&self, mode: &str, host: &str, trusting: Trusting) -> DatabaseConfig {
        let authority = self.folder.path().join("ca.crt").display().to_string();
        let args = DatabaseArgs {
            db_ssl: Some(mode.to_owned()),
            db_host: Some(host.to_owned()),
            db_ssl_root_cert: matches!(trusting, Trusting::Ours).then_some(authority),
            ..self.args()
        };
        args.database().unwrap()
    }
}

#[derive(Clone, Copy)]
enum Trusting {
    Ours,
    ThePublicOnes,
}

fn become_owner(command: &mut Command, path: &Path) {
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        let owner = fs::metadata(path).unwrap();
        command.uid(owner.uid()).gid(owner.gid());
    }
}

/// An authority, `ca.crt`, and the cluster's `server.crt` and `server.key`.
async fn certify(folder: &Path) {
    let script = "
        ec='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
        openssl req -x509 $ec -keyout ca.key -out ca.crt -days 2 -subj /CN=authority
        openssl req $ec -keyout postgres/server.key -out server.csr -subj /CN=localhost
        printf 'subjectAltName=DNS:localhost' > server.ext
        openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 \
            -extfile server.ext -out postgres/server.crt
        chmod 600 postgres/server.key
        chown --reference=postgres postgres/server.key postgres/server.crt";
    let output = Command::new("sh").args(["-ec", script]).current_dir(folder).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Within half of the time for which a server that is starting is waited for.
async fn open(config: &DatabaseConfig) -> Result<Database, DbError> {
    let lifecycle = Lifecycle::new();
    let opening = Database::open(config, &lifecycle);
    tokio::time::timeout(Duration::from_secs(30), opening).await.expect("nothing is waited for in vain")
}

async fn uses_tls(config: &DatabaseConfig) -> Result<bool, DbError> {
    let database = open(config).await?;
    let uses_tls = sqlx::query_scalar("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
        .fetch_one(database.pool())
        .await
        .unwrap();
    database.close().await;
    Ok(uses_tls)
}

#[tokio::test]
async fn a_server_that_is_starting_is_waited_for() {
    let external = External::make().await;
    let config = external.args().database().unwrap();
    // Polled in this order: the first attempt finds nobody.
    let (database, _server) = tokio::join!(open(&config), async { external.run() });
    let database = database.unwrap();
    database.migrate().await.unwrap();
    database.close().await;
}

#[tokio::test]
async fn a_wrong_password_is_told_at_once() {
    let external = External::make().await;
    let _server = external.run();
    open(&external.args().database().unwrap()).await.unwrap().close().await;
    let args = DatabaseArgs { db_password: Some(Secret::from("canary")), ..external.args() };
    let config = args.database().unwrap();
    let error = open(&config).await.unwrap_err().to_string();
    assert!(error.contains(&format!("127.0.0.1:{}/postgres", external.port)), "{error}");
    assert!(error.contains("password authentication failed"), "{error}");
    assert!(!error.contains("canary"), "{error}");
}

#[tokio::test]
async fn tls_is_as_was_demanded() {
    let external = External::make().await;
    let _server = external.run();
    let uses = async |mode, host, trusting| uses_tls(&external.config(mode, host, trusting)).await;
    assert!(!uses("disable", "localhost", Trusting::Ours).await.unwrap());
    assert!(uses("prefer", "localhost", Trusting::ThePublicOnes).await.unwrap());
    assert!(uses("require", "127.0.0.1", Trusting::ThePublicOnes).await.unwrap());
    assert!(uses("verify-full", "localhost", Trusting::Ours).await.unwrap());
    let unknown = uses("verify-full", "localhost", Trusting::ThePublicOnes).await.unwrap_err();
    assert!(unknown.to_string().contains("UnknownIssuer"), "{unknown}");
    let misnamed = uses("verify-full", "127.0.0.1", Trusting::Ours).await.unwrap_err();
    assert!(misnamed.to_string().contains("not valid for name"), "{misnamed}");
}
