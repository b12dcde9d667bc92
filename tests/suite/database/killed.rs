//! What is so after Postgres, Quaymaster or both were killed.
//!
//! For killing a whole Quaymaster this test binary runs once more as the holder of a data directory, see
//! [`hold_a_data_directory`].

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use quaymaster::platform::db::Schema;
use tokio::process::{Child, Command};

use super::{add_user, count_users, data_dir, open, postmaster, refused, start};
use crate::support::eventually;

/// Far longer than anything here takes, also on a machine that is busy with other things.
const SOON: Duration = Duration::from_mins(1);

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
        .args(["--exact", "database::killed::hold_a_data_directory", "--nocapture"])
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
        .args(["--exact", "database::killed::hold_a_data_directory"])
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
