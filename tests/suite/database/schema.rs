//! Migrations, and the two tables of this floor.

use std::time::Duration;

use quaymaster::platform::{
    Database,
    claim::claim,
    db::{DbError, MigrateError, Schema},
    id::ReplicaId,
    replica,
};
use sqlx::PgPool;
use tempfile::TempDir;

use super::{data_dir, open};

/// A migrated database of its own in a cluster that stops with it.
struct Migrated {
    _folder: TempDir,
    database: Database,
}

impl Migrated {
    async fn make() -> Self {
        let folder = data_dir();
        let database = open(folder.path()).await.unwrap();
        database.migrate().await.unwrap();
        Self { _folder: folder, database }
    }

    fn pool(&self) -> &PgPool {
        self.database.pool()
    }
}

#[tokio::test]
async fn two_may_migrate_at_once() {
    let folder = data_dir();
    let database = open(folder.path()).await.unwrap();
    assert!(matches!(database.schema().await.unwrap(), Schema::Older { .. }));
    let (one, other) = tokio::join!(database.migrate(), database.migrate());
    one.unwrap();
    other.unwrap();
    assert!(matches!(database.schema().await.unwrap(), Schema::Current { .. }));
    database.close().await;
}

#[tokio::test]
async fn a_newer_or_altered_database_is_refused() {
    let migrated = Migrated::make().await;
    let database = &migrated.database;
    let run = |sql: &'static str| sqlx::query(sql).execute(migrated.pool());
    run("insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (9999, 'later', true, '', 0)")
    .await
    .unwrap();
    let error = database.migrate().await.unwrap_err();
    assert!(matches!(error, DbError::Migrate(MigrateError::Newer { theirs: 9999, .. })), "{error}");
    assert!(error.to_string().contains("start the newer Quaymaster, or restore a backup"), "{error}");
    run("delete from _sqlx_migrations where version = 9999").await.unwrap();
    database.migrate().await.unwrap();

    run("update _sqlx_migrations set checksum = 'x' where version = 2").await.unwrap();
    let error = database.migrate().await.unwrap_err();
    assert!(matches!(error, DbError::Migrate(MigrateError::Altered(2))), "{error}");
    database.close().await;
}

#[tokio::test]
async fn of_two_replicas_one_acts_for_a_tick() {
    let migrated = Migrated::make().await;
    let hour = Duration::from_hours(1);
    let mut tries = Vec::new();
    for _ in 0..8 {
        let pool = migrated.pool().clone();
        tries.push(async move {
            let mut db = pool.acquire().await.unwrap();
            claim(&mut db, "sweep", ReplicaId::make(), hour).await.unwrap()
        });
    }
    let won = futures_util::future::join_all(tries).await.into_iter().filter(|won| *won).count();
    assert_eq!(won, 1);
    let mut db = migrated.pool().acquire().await.unwrap();
    assert!(claim(&mut db, "another job", ReplicaId::make(), hour).await.unwrap());
    assert!(!claim(&mut db, "sweep", ReplicaId::make(), hour).await.unwrap());
    sqlx::query("update job_claims set due_at = now() where name = 'sweep'").execute(&mut *db).await.unwrap();
    assert!(claim(&mut db, "sweep", ReplicaId::make(), hour).await.unwrap(), "the next tick is another");
    drop(db);
    migrated.database.close().await;
}

#[tokio::test]
async fn silent_replicas_are_not_live_and_are_forgotten() {
    let migrated = Migrated::make().await;
    let mut db = migrated.pool().acquire().await.unwrap();
    let (here, silent, gone) = (ReplicaId::make(), ReplicaId::make(), ReplicaId::make());
    for id in [here, silent, gone] {
        replica::heartbeat(&mut db, id, "1.0.0").await.unwrap();
    }
    for (id, ago) in [(silent, "1 minute"), (gone, "2 days")] {
        sqlx::query("update replicas set seen_at = now() - $2::text::interval where id = $1")
            .bind(id)
            .bind(ago)
            .execute(&mut *db)
            .await
            .unwrap();
    }
    let live = replica::live(&mut db).await.unwrap();
    assert_eq!(live.iter().map(|replica| replica.id).collect::<Vec<_>>(), [here]);
    assert_eq!(replica::forget_silent(&mut db).await.unwrap(), 1);
    replica::heartbeat(&mut db, silent, "1.0.0").await.unwrap();
    assert_eq!(replica::live(&mut db).await.unwrap().len(), 2);
    replica::leave(&mut db, here).await.unwrap();
    assert_eq!(replica::live(&mut db).await.unwrap().len(), 1);
    drop(db);
    migrated.database.close().await;
}
