//! The SSH engine: short and streamed commands, byte streams to sockets, checks, over shared connections to many hosts.
//!
//! - A host's key is compared with the pinned one before any credential is sent, and this cannot be switched off.
//! - A command is an argv with one quoting function ([`Command`]); there is no way in for text.
//! - A host is not trusted: every wait has a limit, every buffer a bound, its words are cleaned before they are shown.
//! - Work that may have begun on a host is never begun again.
//!
//! It knows neither database nor HTTP. What a failure means for whoever asked is the caller's business ([`Error`]).

mod auth;
mod breaker;
mod channel;
mod check;
mod command;
mod connection;
mod error;
mod exec;
mod group;
mod host_key;
mod key;
mod limits;
mod path;
mod pool;
mod stream;
mod target;
pub(super) mod text;
mod transport;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::timeout;
use uuid::Uuid;

use self::{
    channel::{Kind, Over},
    command::Input,
    pool::{Lane, Pool},
};
use crate::platform::Lifecycle;

pub use self::{
    check::{Check, Outcome},
    command::{Command, InvalidCommand},
    error::{Error, Step},
    exec::{Chunk, Exit, Output, Process, StartOptions, Stream},
    group::{Life, ProcessGroup, Signal},
    host_key::{Fingerprint, HostKey, InvalidFingerprint},
    key::{KeyError, PrivateKey},
    limits::{Limits, RunLimits},
    path::{InvalidPath, RemotePath},
    stream::{ByteStream, Sharing},
    target::{Auth, HostId, Target},
};

/// Bounds for asking after a process group and signalling it.
const ASK: RunLimits = RunLimits { time: Duration::from_secs(15), output_bytes: 4096 };
/// Between two looks at whether a group has ended.
const LOOK: Duration = Duration::from_millis(200);
/// What a command that is given up gets to end by itself.
const GRACE: Duration = Duration::from_secs(2);

/// The engine. Clones share its connections.
#[derive(Clone)]
pub struct Engine {
    pool: Arc<Pool>,
}

impl Engine {
    /// Must be called inside the runtime: it spawns the task that closes idle connections.
    pub fn new(limits: Limits, lifecycle: Lifecycle) -> Self {
        Self { pool: Pool::new(limits, lifecycle) }
    }

    /// Runs a short command to its end. If it takes or writes too much, or the caller gives up, its processes are ended.
    pub async fn run(&self, target: &Target, command: &Command, limits: RunLimits) -> Result<Output, Error> {
        let over = Over::Shared(Lane::Control);
        let begun = exec::begin(&self.pool, target, over, command, Uuid::now_v7(), Input::Nothing).await?;
        let mut process = Process::from(begun);
        let mut ender = Ender { work: Some((self.clone(), target.clone(), process.group())) };
        let output = collect(&mut process, limits).await?;
        ender.work = None;
        Ok(output)
    }

    /// Starts a command whose output is read as it comes. The caller has the time limit.
    pub async fn start(
        &self,
        target: &Target,
        command: &Command,
        options: StartOptions,
    ) -> Result<Process, Error> {
        let over = Over::Shared(Lane::Streams);
        let begun = exec::begin(&self.pool, target, over, command, options.run, Input::Nothing).await?;
        Ok(begun.into())
    }

    /// Sends a signal to every process of the group, if it still is the run's.
    pub async fn signal(&self, target: &Target, group: ProcessGroup, signal: Signal) -> Result<Life, Error> {
        let found = self.ask(target, group.run, Some(group.leader), Some(signal)).await?;
        Ok(if found.is_some() { Life::Alive } else { Life::Gone })
    }

    /// Whether any process of the group lives.
    pub async fn is_alive(&self, target: &Target, group: ProcessGroup) -> Result<bool, Error> {
        Ok(self.ask(target, group.run, Some(group.leader), None).await?.is_some())
    }

    /// The living process group of a run, for a caller that does not know its id, or no longer does.
    pub async fn find(&self, target: &Target, run: Uuid) -> Result<Option<ProcessGroup>, Error> {
        self.ask(target, run, None, None).await
    }

    /// Ends a group: asks it to, and after `grace` makes it. Returns once nothing of it lives, or says that it still does.
    pub async fn end(&self, target: &Target, group: ProcessGroup, grace: Duration) -> Result<Life, Error> {
        for (signal, patience) in [(Signal::Term, grace), (Signal::Kill, GRACE)] {
            if self.signal(target, group, signal).await? == Life::Gone {
                return Ok(Life::Gone);
            }
            let gone = timeout(patience, async {
                let mut looks = tokio::time::interval(LOOK);
                // The first tick is at once: a command that obeys is gone by then, or by the next.
                loop {
                    looks.tick().await;
                    if !self.is_alive(target, group).await? {
                        return Ok::<_, Error>(());
                    }
                }
            });
            if let Ok(outcome) = gone.await {
                return outcome.map(|()| Life::Gone);
            }
        }
        Ok(if self.is_alive(target, group).await? { Life::Alive } else { Life::Gone })
    }

    /// A stream to a Unix socket on the host. [`Error::ChannelRefused`] where sshd forbids it or nothing listens there.
    pub async fn open_unix(
        &self,
        target: &Target,
        path: &RemotePath,
        sharing: Sharing,
    ) -> Result<ByteStream, Error> {
        let kind = Kind::Unix(path.as_str().to_owned());
        let channel = channel::open(&self.pool, target, over(sharing), &kind).await?;
        ByteStream::new(channel, Bytes::new())
    }

    /// A stream to the stdin and stdout of a command. What it writes to stderr is lost.
    pub async fn open_command(
        &self,
        target: &Target,
        command: &Command,
        sharing: Sharing,
    ) -> Result<ByteStream, Error> {
        let run = Uuid::now_v7();
        let begun = exec::begin(&self.pool, target, over(sharing), command, run, Input::Channel).await?;
        ByteStream::new(begun.channel, exec::stdout(begun.first))
    }

    /// Tries the host now, step by step, over a new connection.
    pub async fn check(&self, target: &Target) -> Check {
        let check = check::check(target, &self.pool.limits).await;
        if check.passed() {
            self.reset(target.host);
        }
        check
    }

    /// Drops the shared connections of a host. What runs over them may end.
    pub fn forget(&self, host: HostId) {
        self.pool.forget(host);
    }

    /// Lets the next call connect at once, whatever the last ones met.
    pub fn reset(&self, host: HostId) {
        self.pool.reset(host);
    }

    /// How many shared connections to a host are open.
    pub fn connections(&self, host: HostId) -> usize {
        self.pool.connections(host)
    }

    async fn ask(
        &self,
        target: &Target,
        run: Uuid,
        leader: Option<u32>,
        signal: Option<Signal>,
    ) -> Result<Option<ProcessGroup>, Error> {
        let question = group::question(run, leader, signal);
        let over = Over::Shared(Lane::Control);
        let begun = exec::begin(&self.pool, target, over, &question, Uuid::now_v7(), Input::Nothing).await?;
        let output = collect(&mut begun.into(), ASK).await?;
        group::answer(run, &output)
    }
}

fn over(sharing: Sharing) -> Over {
    match sharing {
        Sharing::Shared => Over::Shared(Lane::Control),
        Sharing::Own => Over::Own,
    }
}

async fn collect(process: &mut Process, limits: RunLimits) -> Result<Output, Error> {
    timeout(limits.time, exec::collect(process, limits.output_bytes))
        .await
        .unwrap_or(Err(Error::Timeout { step: Step::Command, limit: limits.time }))
}

/// Ends a command that is given up, in the background: the caller does not wait for it.
struct Ender {
    work: Option<(Engine, Target, ProcessGroup)>,
}

impl Drop for Ender {
    fn drop(&mut self) {
        let Some((engine, target, group)) = self.work.take() else { return };
        engine.pool.lifecycle.clone().spawn(async move {
            if let Err(error) = engine.end(&target, group, GRACE).await {
                tracing::warn!(at = target.at(), %error, "a command that was given up may still run");
            }
        });
    }
}
