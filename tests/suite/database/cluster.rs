//! What the embedded cluster is, and what it refuses.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
};

use quaymaster::platform::{
    Clock, Database, Lifecycle,
    config::ServeArgs,
    db::embedded::{Cluster, Durability, EmbeddedError, Setup},
    doctor::{self, Outcome},
};
use sqlx::Connection;

use super::{add_user, count_users, data_dir, embedded, open, postmaster, refused, start};

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
async fn another_command_joins_the_database_that_runs() {
    let folder = data_dir();
    let serving = open(folder.path()).await.unwrap();
    serving.migrate().await.unwrap();
    add_user(serving.pool(), "ann").await;
    let joined = Database::open_or_join(&embedded(folder.path()), &Lifecycle::new()).await.unwrap();
    assert_eq!(count_users(joined.pool()).await, 1);
    joined.close().await;
    assert_eq!(count_users(serving.pool()).await, 1, "it runs on");
    serving.close().await;
    assert!(Cluster::options_of_running(folder.path(), "quaymaster").is_none());
}

#[tokio::test]
async fn the_doctor_finds_nothing_wrong_before_and_after_the_first_start() {
    let folder = data_dir();
    let mut args = ServeArgs { port: Some("0".to_owned()), ..ServeArgs::default() };
    args.database.data_dir = Some(folder.path().display().to_string());
    let examine = async || doctor::examine(&args, &Clock::system(), &Lifecycle::new()).await;
    let before = examine().await;
    assert!(before.iter().all(|check| check.outcome == Outcome::Ok), "{before:#?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "looking changes nothing");
    let database = open(folder.path()).await.unwrap();
    let unmigrated = examine().await;
    let schema = unmigrated.iter().find(|check| check.name == "schema").unwrap();
    assert_eq!(schema.outcome, Outcome::Warn, "{schema:?}");
    database.migrate().await.unwrap();
    database.close().await;
    let after = examine().await;
    assert!(after.iter().all(|check| check.outcome == Outcome::Ok), "{after:#?}");
    assert!(after.iter().any(|check| check.detail.contains("the newest")), "{after:#?}");
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
