//! One private Postgres for the test run, and a database of its own for whoever asks.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use quaymaster::platform::{
    config::DatabaseConfig,
    db::embedded::{Cluster, Durability, Setup},
};
use sqlx::postgres::PgConnectOptions;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

type Answer = oneshot::Sender<PgConnectOptions>;

/// Postgres ends with the thread that started it, so that thread must outlive every test.
static CLUSTER: LazyLock<mpsc::UnboundedSender<Answer>> = LazyLock::new(|| {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(serve(receiver));
    });
    sender
});

const FOLDER: &str = "quaymaster-suite-";

async fn serve(mut asked: mpsc::UnboundedReceiver<Answer>) {
    remove_left_overs();
    let data_dir = std::env::temp_dir().join(format!("{FOLDER}{}", std::process::id()));
    fs::create_dir(&data_dir).unwrap();
    fs::set_permissions(&data_dir, fs::Permissions::from_mode(0o711)).unwrap();
    let setup = Setup { data_dir, postgres_bin: None, durability: Durability::None };
    let cluster = Cluster::start(setup).await.unwrap_or_else(|error| panic!("{error}"));
    while let Some(answer) = asked.recv().await {
        let name = format!("test_{}", Uuid::now_v7().simple());
        cluster.ensure_database(&name).await.unwrap();
        drop(answer.send(cluster.options(&name)));
    }
}

/// Of runs that have ended: nothing is dropped at the end of a test run.
fn remove_left_overs() {
    let is_left_over = |path: &Path| {
        let process = path.file_name()?.to_str()?.strip_prefix(FOLDER)?.parse::<u32>().ok()?;
        Some(!Path::new("/proc").join(process.to_string()).exists())
    };
    let folders: Vec<PathBuf> =
        fs::read_dir(std::env::temp_dir()).unwrap().flatten().map(|entry| entry.path()).collect();
    for folder in folders.iter().filter(|path| is_left_over(path) == Some(true)) {
        // Another run may do the same.
        let _ = fs::remove_dir_all(folder);
    }
}

/// A new, empty database.
pub async fn database() -> DatabaseConfig {
    let (sender, receiver) = oneshot::channel();
    CLUSTER.send(sender).expect("the private Postgres has failed, see above");
    let options = receiver.await.expect("the private Postgres has failed, see above");
    DatabaseConfig::External(Box::new(options))
}
