//! The Postgres process and its supervision, on a thread of its own.
//!
//! The thread is there because the parent-death signal is bound to the thread that spawned the child, and a runtime's
//! threads may end before their process does. It lives exactly as long as the supervision, and holds the data
//! directory's lock until Postgres has ended.

use std::{fs::File, process::ExitStatus, time::Duration};

use tokio::{
    process::Child,
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    EmbeddedError,
    launch::Launch,
    log::{self, Tail},
    pid_file,
};

/// Recovery after a crash of the machine may take this long.
const READY_WITHIN: Duration = Duration::from_mins(5);
const READY_PAUSE: Duration = Duration::from_millis(10);
/// For ending in order, and then for ending at once.
const STOP_WITHIN: Duration = Duration::from_secs(20);
const QUIT_WITHIN: Duration = Duration::from_secs(5);
/// For reading what Postgres said last.
const DRAIN_WITHIN: Duration = Duration::from_millis(200);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// One that ran for this long is started again without a longer pause than the first.
const STEADY_AFTER: Duration = Duration::from_mins(1);

#[derive(Clone, Debug)]
enum State {
    Starting,
    Ready {
        pid: u32,
    },
    Stopped,
    /// It could not be started the first time.
    Failed(String),
}

/// A supervised Postgres.
#[derive(Debug)]
pub(super) struct Server {
    stop: CancellationToken,
    state: watch::Receiver<State>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Server {
    pub(super) fn start(launch: &Launch, lock: File) -> Result<Self, EmbeddedError> {
        let failed = |cause| EmbeddedError::Run { program: launch.program.clone(), cause };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let stop = CancellationToken::new();
        let (tell, state) = watch::channel(State::Starting);
        let (asked, supervised) = (stop.clone(), launch.clone());
        std::thread::Builder::new()
            .name("postgres".to_owned())
            .spawn(move || {
                let last = runtime.block_on(supervise(&supervised, &asked, &tell));
                supervised.remove_foreign_socket_dir();
                drop(lock);
                tell.send_replace(last);
            })
            .map_err(failed)?;
        Ok(Self { stop, state })
    }

    /// Returns when it takes connections for the first time.
    pub(super) async fn ready(&self) -> Result<(), EmbeddedError> {
        let mut state = self.state.clone();
        let settled = state.wait_for(|state| !matches!(state, State::Starting)).await;
        match settled.as_deref() {
            Ok(State::Ready { .. }) => Ok(()),
            Ok(State::Failed(why)) => Err(EmbeddedError::Start(why.clone())),
            Ok(State::Starting | State::Stopped) | Err(_) => {
                Err(EmbeddedError::Start("it was stopped".to_owned()))
            }
        }
    }

    pub(super) fn pid(&self) -> Option<u32> {
        match *self.state.borrow() {
            State::Ready { pid } => Some(pid),
            State::Starting | State::Stopped | State::Failed(_) => None,
        }
    }

    pub(super) async fn stop(&self) {
        self.stop.cancel();
        let mut state = self.state.clone();
        // An error says that the thread is gone, and Postgres with it.
        let _ = state.wait_for(|state| matches!(state, State::Stopped | State::Failed(_))).await;
    }
}

/// Why a run of Postgres is over.
enum Over {
    /// We were asked to stop it.
    Asked,
    Ended {
        why: String,
        was_ready: bool,
    },
}

async fn supervise(launch: &Launch, stop: &CancellationToken, tell: &watch::Sender<State>) -> State {
    let began = Instant::now();
    let mut was_ever_ready = false;
    let mut pause = FIRST_PAUSE;
    loop {
        let run_began = Instant::now();
        let (why, was_ready) = match run_once(launch, stop, tell).await {
            Over::Asked => return State::Stopped,
            Over::Ended { why, was_ready } => (why, was_ready),
        };
        was_ever_ready |= was_ready;
        if was_ever_ready {
            tell.send_replace(State::Starting);
            if run_began.elapsed() >= STEADY_AFTER {
                pause = FIRST_PAUSE;
            }
            tracing::error!(why, again_in = ?pause, "the embedded database ended; it is started again");
        } else if !is_held_by_the_former(&why) || began.elapsed() >= pid_file::LINGER_WITHIN {
            return State::Failed(why);
        }
        if stop.run_until_cancelled(sleep(pause)).await.is_none() {
            return State::Stopped;
        }
        if was_ever_ready {
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// The parts of a Postgres that was killed end a moment after it, and a new one waits for them.
fn is_held_by_the_former(why: &str) -> bool {
    ["lock file \"postmaster.pid\" already exists", "pre-existing shared memory block", "is still in use"]
        .iter()
        .any(|sign| why.contains(sign))
}

async fn run_once(launch: &Launch, stop: &CancellationToken, tell: &watch::Sender<State>) -> Over {
    match stop.run_until_cancelled(pid_file::settle(&launch.cluster_dir)).await {
        None => return Over::Asked,
        Some(Err(error)) => return Over::Ended { why: error.to_string(), was_ready: false },
        Some(Ok(())) => {}
    }
    launch.clear_socket();
    let (mut child, pid) = match spawn(launch) {
        Ok(spawned) => spawned,
        Err(why) => return Over::Ended { why, was_ready: false },
    };
    let tail = Tail::default();
    let stderr = child.stderr.take();
    let following = async {
        if let Some(stderr) = stderr {
            log::follow(stderr, &tail).await;
        }
    };
    let watching = watch_over(&mut child, pid, launch, stop, tell);
    tokio::pin!(following, watching);
    let over = tokio::select! {
        over = &mut watching => over,
        // Nobody can write to its log any more, so it is ending.
        () = &mut following => return with_reason(watching.await, &tail),
    };
    let _ = timeout(DRAIN_WITHIN, following).await;
    with_reason(over, &tail)
}

fn with_reason(over: Over, tail: &Tail) -> Over {
    match (over, tail.take()) {
        (Over::Ended { was_ready, .. }, said) if !said.is_empty() => Over::Ended { why: said, was_ready },
        (over, _) => over,
    }
}

async fn watch_over(
    child: &mut Child,
    pid: u32,
    launch: &Launch,
    stop: &CancellationToken,
    tell: &watch::Sender<State>,
) -> Over {
    let mut was_ready = false;
    let ending = tokio::select! {
        ended = child.wait() => Some(ended),
        () = stop.cancelled() => None,
        () = report_ready(launch, pid, tell, &mut was_ready) => None,
    };
    match ending {
        Some(ended) => Over::Ended { why: told(ended), was_ready },
        None if stop.is_cancelled() => {
            end(child, pid).await;
            Over::Asked
        }
        None => {
            end(child, pid).await;
            Over::Ended { why: format!("it was not ready within {} s", READY_WITHIN.as_secs()), was_ready }
        }
    }
}

/// Tells when Postgres takes connections; returns only if that takes too long.
async fn report_ready(launch: &Launch, pid: u32, tell: &watch::Sender<State>, was_ready: &mut bool) {
    let deadline = Instant::now() + READY_WITHIN;
    while !pid_file::is_ready(&launch.cluster_dir, pid) {
        if Instant::now() >= deadline {
            return;
        }
        sleep(READY_PAUSE).await;
    }
    *was_ready = true;
    tell.send_replace(State::Ready { pid });
    std::future::pending::<()>().await;
}

fn told(ended: std::io::Result<ExitStatus>) -> String {
    match ended {
        Ok(status) => format!("postgres ended: {status}"),
        Err(error) => format!("postgres ended: {error}"),
    }
}

/// In order if it can, at once if not.
async fn end(child: &mut Child, pid: u32) {
    let Ok(pid) = i32::try_from(pid) else { return };
    pid_file::interrupt(pid);
    if timeout(STOP_WITHIN, child.wait()).await.is_ok() {
        return;
    }
    tracing::warn!("the embedded database does not end in order; ending it at once");
    pid_file::quit(pid);
    if timeout(QUIT_WITHIN, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}

fn spawn(launch: &Launch) -> Result<(Child, u32), String> {
    let child = launch
        .command()
        .spawn()
        .map_err(|cause| EmbeddedError::Run { program: launch.program.clone(), cause }.to_string())?;
    let pid = child.id().ok_or_else(|| "postgres ended as it started".to_owned())?;
    Ok((child, pid))
}
