//! The embedded cluster, migrations, claims and the register of replicas, on real Postgres.
//!
//! Tests that kill a whole Quaymaster run this test binary once more as the holder of a data directory, see
//! [`hold_a_data_directory`].

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use quaymaster::platform::{
    Database, Lifecycle,
    claim::claim,
    config::DatabaseConfig,
    db::{
        DbError, MigrateError, Schema,
        embedded::{Cluster, Durability, EmbeddedError, Setup},
    },
    id::ReplicaId,
    replica,
};
use sqlx::{Connection, PgPool};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::support::eventually;

const SOON: Duration = Duration::from_secs(20);

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

fn is_running(pid: u32) -> bool {
    // A zombie has ended.
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

async fn ended(pid: u32) {
    eventually("the process ends", SOON, || async move { (!is_running(pid)).then_some(()) }).await;
}

async fn kill(pid: u32) {
    let killed = Command::new("kill").arg("-9").arg(pid.to_string()).status().await.unwrap();
    assert!(killed.success());
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

#[tokio::test]
async fn what_was_written_is_there_after_the_next_start() {
    let folder = data_dir();
    let database = open(folder.path()).await.unwrap();
    database.migrate().await.unwrap();
    add_user(database.pool(), "ann").await;
    database.close().await;
    assert!(postmaster(folder.path()).is_none(), "Postgres was stopped in order");

    let database = open(folder.path()).await.unwrap();
    database.migrate().await.unwrap();
    assert_eq!(count_users(database.pool()).await, 1);
    database.close().await;
}

#[tokio::test]
async fn postgres_is_private_durable_and_not_root() {
    let folder = data_dir();
    let database = open(folder.path()).await.unwrap();
    let pid = postmaster(folder.path()).unwrap();
    let us = fs::metadata("/proc/self").unwrap().uid();
    let runs_as = fs::metadata(format!("/proc/{pid}")).unwrap().uid();
    assert!(if us == 0 { runs_as != 0 } else { runs_as == us });
    for (path, mode) in
        [("postgres", 0o700), ("run", 0o700), ("secrets", 0o700), ("secrets/database-password", 0o600)]
    {
        let metadata = fs::metadata(folder.path().join(path)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{path}");
    }
    for (setting, expected) in [("fsync", "on"), ("listen_addresses", ""), ("server_encoding", "UTF8")] {
        let value: String = sqlx::query_scalar("select current_setting($1)")
            .bind(setting)
            .fetch_one(database.pool())
            .await
            .unwrap();
        assert_eq!(value, expected, "{setting}");
    }
    let rules = fs::read_to_string(folder.path().join("postgres/pg_hba.conf")).unwrap();
    assert!(!rules.lines().any(|rule| !rule.starts_with('#') && rule.contains("trust")), "{rules}");
    database.close().await;
}

#[tokio::test]
async fn a_wrong_password_does_not_open_it() {
    let folder = data_dir();
    let cluster = start(folder.path()).await.unwrap();
    let wrong = cluster.options("postgres").password("wrong");
    let error = refused(sqlx::PgConnection::connect_with(&wrong).await);
    assert!(error.contains("password authentication failed"), "{error}");
    cluster.stop().await;
}

#[tokio::test]
async fn a_second_quaymaster_on_the_data_directory_is_refused() {
    let folder = data_dir();
    let first = start(folder.path()).await.unwrap();
    let error = refused(start(folder.path()).await);
    assert!(error.starts_with("another Quaymaster runs on "), "{error}");
    first.stop().await;
    start(folder.path()).await.unwrap().stop().await;
}

#[tokio::test]
async fn postgres_that_dies_is_started_again() {
    let folder = data_dir();
    let database = open(folder.path()).await.unwrap();
    database.migrate().await.unwrap();
    add_user(database.pool(), "ann").await;
    let first = postmaster(folder.path()).unwrap();
    kill(first).await;
    ended(first).await;
    let users = eventually("the database answers again", SOON, || async {
        sqlx::query_scalar::<_, i64>("select count(*) from users").fetch_one(database.pool()).await.ok()
    })
    .await;
    assert_eq!(users, 1);
    assert_ne!(postmaster(folder.path()).unwrap(), first);
    database.close().await;
}

/// Not a test by itself: run by the tests below as a process of its own that is killed.
#[tokio::test]
async fn hold_a_data_directory() {
    let Some(folder) = std::env::var_os(HELD).map(PathBuf::from) else { return };
    let database = open(&folder).await.unwrap();
    database.migrate().await.unwrap();
    fs::write(folder.join("held"), "").unwrap();
    std::future::pending::<()>().await;
}

const HELD: &str = "QUAYMASTER_TEST_HOLDS";

/// Starts another process that holds `folder`, and returns when Postgres runs.
async fn holder(folder: &Path) -> Child {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "database::hold_a_data_directory", "--nocapture"])
        .env(HELD, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mark = folder.join("held");
    eventually("the holder runs", SOON, || async { mark.exists().then_some(()) }).await;
    child
}

#[tokio::test]
async fn postgres_ends_when_quaymaster_is_killed_and_the_next_start_works() {
    let folder = data_dir();
    let mut holder = holder(folder.path()).await;
    let error = refused(start(folder.path()).await);
    assert!(error.starts_with("another Quaymaster"), "{error}");
    let postgres = postmaster(folder.path()).unwrap();
    holder.kill().await.unwrap();
    ended(postgres).await;
    let database = open(folder.path()).await.unwrap();
    assert!(matches!(database.schema().await.unwrap(), Schema::Current { .. }));
    database.close().await;
}

#[tokio::test]
async fn both_killed_at_once_leave_nothing_that_stops_the_next_start() {
    let folder = data_dir();
    let mut holder = holder(folder.path()).await;
    let postgres = postmaster(folder.path()).unwrap();
    kill(postgres).await;
    holder.kill().await.unwrap();
    assert!(folder.path().join("postgres/postmaster.pid").exists());
    let database = open(folder.path()).await.unwrap();
    assert_eq!(count_users(database.pool()).await, 0);
    database.close().await;
}

#[tokio::test]
async fn a_postgres_left_over_by_a_killed_quaymaster_is_stopped_and_replaced() {
    let folder = data_dir();
    start(folder.path()).await.unwrap().stop().await;
    let mut left_over = left_over_postgres(folder.path());
    let pid = left_over.id().unwrap();
    eventually("it runs", SOON, || async { (postmaster(folder.path()) == Some(pid)).then_some(()) }).await;
    // Somebody must bury it, as init would.
    let (cluster, status) = tokio::join!(start(folder.path()), left_over.wait());
    assert!(status.unwrap().success());
    cluster.unwrap().stop().await;
}

fn left_over_postgres(data_dir: &Path) -> Child {
    let data_dir = data_dir.canonicalize().unwrap();
    let cluster = data_dir.join("postgres");
    let owner = fs::metadata(&cluster).unwrap();
    let mut command = Command::new("postgres");
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        command.uid(owner.uid()).gid(owner.gid());
    }
    command
        .current_dir("/")
        .arg("-D")
        .arg(&cluster)
        .arg("-k")
        .arg(data_dir.join("run"))
        .args(["-c", "listen_addresses="])
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn a_stale_pid_file_that_names_another_living_process_is_no_obstacle() {
    let folder = data_dir();
    start(folder.path()).await.unwrap().stop().await;
    let owner = fs::metadata(folder.path().join("postgres")).unwrap();
    let mut command = Command::new("tail");
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        command.uid(owner.uid()).gid(owner.gid());
    }
    // Of Postgres's own user, so that Postgres alone would take it for a server.
    let mut stranger = command.args(["-f", "/dev/null"]).current_dir("/").kill_on_drop(true).spawn().unwrap();
    let stale = format!("{}\n/nowhere\n1\n5432\n/nowhere\n\n  1 1\nready   \n", stranger.id().unwrap());
    let path = folder.path().join("postgres/postmaster.pid");
    fs::write(&path, &stale).unwrap();
    fs::write(folder.path().join("run/.s.PGSQL.5432.lock"), &stale).unwrap();
    std::os::unix::fs::chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
    start(folder.path()).await.unwrap().stop().await;
    assert!(stranger.try_wait().unwrap().is_none(), "the stranger was left alone");
}

#[tokio::test]
async fn a_cluster_of_another_version_is_refused_by_name() {
    let folder = data_dir();
    start(folder.path()).await.unwrap().stop().await;
    fs::write(folder.path().join("postgres/PG_VERSION"), "9\n").unwrap();
    let error = refused(start(folder.path()).await);
    assert!(error.contains("made by PostgreSQL 9 and here is only "), "{error}");
}

#[tokio::test]
async fn a_lost_password_is_named() {
    let folder = data_dir();
    start(folder.path()).await.unwrap().stop().await;
    fs::remove_file(folder.path().join("secrets/database-password")).unwrap();
    let error = refused(start(folder.path()).await);
    assert!(error.contains("secrets/database-password from a backup"), "{error}");
}

#[tokio::test]
async fn a_cluster_cut_short_while_it_was_made_is_made_anew() {
    let folder = data_dir();
    let unfinished = folder.path().join("postgres.unfinished");
    fs::create_dir(&unfinished).unwrap();
    fs::write(unfinished.join("PG_VERSION"), "15\n").unwrap();
    start(folder.path()).await.unwrap().stop().await;
    assert!(!unfinished.exists());
}

#[tokio::test]
async fn a_data_directory_with_a_long_or_odd_name_works() {
    let folder = data_dir();
    for name in ["a".repeat(120), "with spaces, 'quotes' and ü".to_owned()] {
        let cluster = start(&folder.path().join(name)).await.unwrap();
        sqlx::PgConnection::connect_with(&cluster.options("postgres")).await.unwrap();
        cluster.stop().await;
    }
}

#[tokio::test]
async fn without_binaries_one_sentence_says_what_to_do() {
    let folder = data_dir();
    let setup = Setup {
        data_dir: folder.path().join("data"),
        postgres_bin: Some(folder.path().to_owned()),
        durability: Durability::None,
    };
    let error = refused(Cluster::start(setup).await);
    assert!(error.starts_with("POSTGRES_BIN is "), "{error}");
    let none = EmbeddedError::NoBinaries.to_string();
    assert!(
        none.starts_with("no PostgreSQL found: install it (Debian: apt-get install postgresql)"),
        "{none}"
    );
}

#[tokio::test]
async fn a_folder_that_postgres_cannot_reach_is_named() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        // Then Postgres runs as ourselves and reaches what we do.
        return;
    }
    let folder = data_dir();
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let error = refused(start(&closed.join("data")).await);
    let named = closed.canonicalize().unwrap().display().to_string();
    assert!(error.starts_with(&format!("{named} cannot be entered by ")), "{error}");
    assert!(error.contains(&format!("chmod o+x {named}")), "{error}");
}

#[tokio::test]
async fn an_unprivileged_user_runs_it_as_itself() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        // Every other test shows it then.
        return;
    }
    let folder = data_dir();
    let nobody = 65534;
    std::os::unix::fs::chown(folder.path(), Some(nobody), Some(nobody)).unwrap();
    let program = folder.path().join("holder");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut child = Command::new(&program)
        .args(["--exact", "database::hold_a_data_directory"])
        .env(HELD, folder.path())
        .current_dir("/")
        .uid(nobody)
        .gid(nobody)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mark = folder.path().join("held");
    eventually("the holder runs", SOON, || async { mark.exists().then_some(()) }).await;
    let postgres = postmaster(folder.path()).unwrap();
    assert_eq!(fs::metadata(format!("/proc/{postgres}")).unwrap().uid(), nobody);
    child.kill().await.unwrap();
    ended(postgres).await;
}

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
    let hour = Duration::from_secs(3600);
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
