//! One private Postgres for all tests of a run, and in it a fresh database for each.
//!
//! New databases are copies of one that is migrated and has its administrator, so that a test pays for neither.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use quaymaster::platform::{
    Database, Lifecycle,
    config::DatabaseConfig,
    db::embedded::{Cluster, Durability, Setup},
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, postgres::PgConnectOptions};
use tokio::sync::OnceCell;

const FOLDERS: &str = "quaymaster-suite-";
const TEMPLATE: &str = "template";
/// Of [`ADMIN_PASSWORD`], at the lowest cost: signing in is what most tests do first.
const ADMIN_HASH_COST: u32 = 4;
pub const ADMIN_PASSWORD: &str = "correct horse battery";

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A database of its own, migrated, with the user `admin`.
pub async fn fresh_database() -> PgConnectOptions {
    let cluster = CLUSTER.get_or_init(start).await;
    let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let mut db = cluster.options("postgres").connect().await.unwrap();
    let statement = format!("create database {name} template {TEMPLATE}");
    sqlx::query(AssertSqlSafe(statement)).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    cluster.options(&name)
}

/// A database with nothing in it.
pub async fn empty_database() -> PgConnectOptions {
    let cluster = CLUSTER.get_or_init(start).await;
    let name = format!("empty_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    cluster.ensure_database(&name).await.unwrap();
    cluster.options(&name)
}

/// Of the role that owns all of them, for processes that cannot be handed options.
pub fn password() -> String {
    fs::read_to_string(data_dir().join("secrets/database-password")).unwrap().trim().to_owned()
}

fn data_dir() -> PathBuf {
    std::env::temp_dir().join(format!("{FOLDERS}{}", std::process::id()))
}

async fn start() -> Cluster {
    remove_left_behind();
    let data_dir = data_dir();
    fs::create_dir(&data_dir).unwrap();
    // Postgres runs as another user when the tests run as root.
    fs::set_permissions(&data_dir, fs::Permissions::from_mode(0o711)).unwrap();
    let setup = Setup { data_dir, postgres_bin: None, durability: Durability::None };
    let cluster =
        Cluster::start(setup).await.unwrap_or_else(|error| panic!("the tests need Postgres: {error}"));
    cluster.ensure_database(TEMPLATE).await.unwrap();
    let config = DatabaseConfig::External(Box::new(cluster.options(TEMPLATE)));
    let database = Database::open(&config, &Lifecycle::new()).await.unwrap();
    database.migrate().await.unwrap();
    let hash = bcrypt::hash(ADMIN_PASSWORD, ADMIN_HASH_COST).unwrap();
    let statement = "insert into users (id, username, name, role, password_hash, created_at, updated_at)
                     values ($1, 'admin', 'Administrator', 'admin', $2, now(), now())";
    sqlx::query(statement).bind(uuid::Uuid::now_v7()).bind(hash).execute(database.pool()).await.unwrap();
    // A template that somebody is connected to cannot be copied.
    database.close().await;
    cluster
}

/// The process's end ends its Postgres, but leaves its files: the next run removes them.
fn remove_left_behind() {
    let folders =
        fs::read_dir(std::env::temp_dir()).unwrap().filter_map(Result::ok).map(|entry| entry.path());
    for folder in folders.filter(|folder| owner_is_gone(folder)) {
        // Another run may be removing it too.
        drop(fs::remove_dir_all(folder));
    }
}

fn owner_is_gone(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str());
    let pid = name.and_then(|name| name.strip_prefix(FOLDERS)).and_then(|pid| pid.parse::<u32>().ok());
    pid.is_some_and(|pid| !PathBuf::from(format!("/proc/{pid}")).exists())
}
