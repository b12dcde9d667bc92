//! The embedded cluster, external databases, migrations, claims and the register of replicas, on real Postgres.

mod cluster;
mod external;
mod killed;
mod schema;

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use quaymaster::platform::{
    Database, Lifecycle,
    config::DatabaseConfig,
    db::{
        DbError,
        embedded::{Cluster, Durability, EmbeddedError, Setup},
    },
};
use sqlx::PgPool;
use tempfile::TempDir;

/// A data directory whose parents anybody may enter.
fn data_dir() -> TempDir {
    let folder = tempfile::Builder::new().prefix("quaymaster-test-").tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
    folder
}

fn embedded(data_dir: &Path) -> DatabaseConfig {
    DatabaseConfig::Embedded { data_dir: data_dir.to_owned(), postgres_bin: None }
}

async fn open(data_dir: &Path) -> Result<Database, DbError> {
    Database::open(&embedded(data_dir), &Lifecycle::new()).await
}

async fn start(data_dir: &Path) -> Result<Cluster, EmbeddedError> {
    Cluster::start(Setup { data_dir: data_dir.to_owned(), postgres_bin: None, durability: Durability::None })
        .await
}

fn refused<T>(result: Result<T, impl std::fmt::Display>) -> String {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error.to_string(),
    }
}

fn postmaster(data_dir: &Path) -> Option<u32> {
    let text = fs::read_to_string(data_dir.join("postgres/postmaster.pid")).ok()?;
    text.lines().next()?.parse().ok()
}

async fn add_user(db: &PgPool, name: &str) {
    sqlx::query(
        "insert into users (id, username, name, role, password_hash, created_at, updated_at)
         values (gen_random_uuid(), $1, '', 'user', '', now(), now())",
    )
    .bind(name)
    .execute(db)
    .await
    .unwrap();
}

async fn count_users(db: &PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from users").fetch_one(db).await.unwrap()
}
