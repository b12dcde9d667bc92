//! `postmaster.pid`, which Postgres leaves behind when it is killed, and whoever it names.
//!
//! Postgres removes it itself when the process it names is gone. It cannot when that number has gone to another process
//! of the same user, which after a restart of a container is the rule: then the file is made to name nobody. It is
//! never removed, because Postgres also reads in it which shared memory must be free.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use super::{EmbeddedError, io_error};

/// How long a Postgres that is left over may take to end.
pub(super) const LINGER_WITHIN: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);
/// Above the kernel's highest `pid_max`, 2^22 (proc(5)).
const NOBODY: i32 = i32::MAX;

/// Whom the file names.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    Nobody,
    /// A Postgres that may be on this cluster: `ours` if it was surely started by a Quaymaster before.
    Postgres {
        pid: i32,
        ours: bool,
    },
    /// A process that cannot be a Postgres on this cluster.
    Stranger,
}

struct Process {
    uid: u32,
    name: String,
    arguments: Vec<u8>,
}

/// Returns when Postgres can be started on `cluster_dir`: nobody is there any more.
pub(super) async fn settle(cluster_dir: &Path) -> Result<(), EmbeddedError> {
    let path = cluster_dir.join("postmaster.pid");
    let deadline = Instant::now() + LINGER_WITHIN;
    let mut asked = false;
    loop {
        let Ok(text) = fs::read_to_string(&path) else { return Ok(()) };
        match named(&text, cluster_dir) {
            Named::Nobody => return Ok(()),
            Named::Stranger => return disown(&path, &text),
            Named::Postgres { pid, .. } if Instant::now() >= deadline => {
                return Err(EmbeddedError::Lingering { folder: cluster_dir.to_owned(), pid });
            }
            Named::Postgres { pid, ours: true } if !asked => {
                tracing::info!(pid, "stopping the Postgres of a Quaymaster that was killed");
                interrupt(pid);
                asked = true;
            }
            Named::Postgres { .. } => sleep(PAUSE).await,
        }
    }
}

/// Whether the file says that the Postgres with this process id takes connections.
pub(super) fn is_ready(cluster_dir: &Path, pid: u32) -> bool {
    // The first line is the process id, the eighth the state (pidfile.h of PostgreSQL 10 and later).
    fs::read_to_string(cluster_dir.join("postmaster.pid")).is_ok_and(|text| {
        let mut lines = text.lines();
        lines.next().and_then(|line| line.trim().parse().ok()) == Some(pid)
            && lines.nth(6).is_some_and(|state| state.trim() == "ready")
    })
}

/// The folder of the socket of the Postgres that takes connections on `cluster_dir`.
pub(super) fn socket_dir_of_running(cluster_dir: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(cluster_dir.join("postmaster.pid")).ok()?;
    let pid = text.lines().next()?.trim().parse().ok()?;
    // The fifth line.
    let socket_dir = text.lines().nth(4)?;
    (is_ready(cluster_dir, pid) && Process::read(i32::try_from(pid).ok()?)?.name == "postgres")
        .then(|| PathBuf::from(socket_dir))
}

/// SIGINT: Postgres ends its connections and itself.
pub(super) fn interrupt(pid: i32) {
    signal(pid, Signal::INT);
}

/// SIGQUIT: Postgres ends at once, to recover when it starts again.
pub(super) fn quit(pid: i32) {
    signal(pid, Signal::QUIT);
}

fn signal(pid: i32, signal: Signal) {
    // It may have ended meanwhile, which is what was wanted.
    let _ = Pid::from_raw(pid).filter(|_| pid > 1).map(|pid| kill_process(pid, signal));
}

fn named(text: &str, cluster_dir: &Path) -> Named {
    let pid = text.lines().next().and_then(|line| line.trim().parse::<i32>().ok());
    let Some(pid) = pid.filter(|pid| *pid > 0) else { return Named::Nobody };
    let Some(process) = Process::read(pid) else { return Named::Nobody };
    let owner = fs::metadata(cluster_dir).map(|metadata| metadata.uid()).ok();
    classify(pid, &process, owner, cluster_dir)
}

fn classify(pid: i32, process: &Process, owner: Option<u32>, cluster_dir: &Path) -> Named {
    // Postgres runs only as the owner of its folder. One that has ended but is not yet buried has the name still.
    if process.name != "postgres" || owner.is_some_and(|owner| owner != process.uid) {
        return Named::Stranger;
    }
    let folder = cluster_dir.as_os_str().as_encoded_bytes();
    let mut arguments = process.arguments.split(|byte| *byte == 0);
    let ours = arguments.any(|argument| argument == b"-D") && arguments.next() == Some(folder);
    Named::Postgres { pid, ours }
}

impl Process {
    /// proc(5). What cannot be read for lack of rights is left empty.
    fn read(pid: i32) -> Option<Self> {
        let folder = Path::new("/proc").join(pid.to_string());
        Some(Self {
            uid: fs::metadata(&folder).ok()?.uid(),
            name: fs::read_to_string(folder.join("comm")).ok()?.trim_end().to_owned(),
            arguments: fs::read(folder.join("cmdline")).unwrap_or_default(),
        })
    }
}

fn disown(path: &Path, text: &str) -> Result<(), EmbeddedError> {
    let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
    fs::write(path, format!("{NOBODY}\n{rest}")).map_err(io_error(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(name: &str, arguments: &[u8]) -> Process {
        Process { uid: 101, name: name.to_owned(), arguments: arguments.to_vec() }
    }

    fn classified(process: &Process, owner: u32) -> Named {
        classify(7, process, Some(owner), Path::new("/d/postgres"))
    }

    #[test]
    fn only_a_postgres_of_the_folders_owner_may_be_on_it() {
        let ours = process("postgres", b"/usr/bin/postgres\0-D\0/d/postgres\0-k\0/d/run\0");
        assert_eq!(classified(&ours, 101), Named::Postgres { pid: 7, ours: true });
        assert_eq!(classified(&ours, 102), Named::Stranger);
        let other = process("postgres", b"/usr/bin/postgres\0-D\0/elsewhere\0");
        assert_eq!(classified(&other, 101), Named::Postgres { pid: 7, ours: false });
        let zombie = process("postgres", b"");
        assert_eq!(classified(&zombie, 101), Named::Postgres { pid: 7, ours: false });
        assert_eq!(classified(&process("quaymaster", b"-D\0/d/postgres"), 101), Named::Stranger);
    }

    #[test]
    fn a_file_that_names_nobody_alive_is_left_to_postgres() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "x", "-5", &NOBODY.to_string()] {
            assert_eq!(named(text, folder.path()), Named::Nobody, "{text:?}");
        }
    }

    #[tokio::test]
    async fn a_file_that_names_another_program_is_made_to_name_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("postmaster.pid");
        fs::write(&path, format!("{}\n/d/postgres\n1\n", std::process::id())).unwrap();
        settle(folder.path()).await.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{NOBODY}\n/d/postgres\n1\n"));
    }

    #[test]
    fn ready_is_said_by_the_process_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("postmaster.pid");
        fs::write(&path, "7\n/d\n1\n5432\n/d/run\n\n  12 34\nready   \n").unwrap();
        assert!(is_ready(folder.path(), 7));
        assert!(!is_ready(folder.path(), 8));
        fs::write(&path, "7\n/d\n1\n5432\n/d/run\n\n  12 34\nstarting\n").unwrap();
        assert!(!is_ready(folder.path(), 7));
    }
}
