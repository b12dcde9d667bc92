//! Running a command: from the request to its first byte, its output as it comes, how it ended.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use russh::ChannelMsg;
use tokio::time::timeout;
use uuid::Uuid;

use super::{
    channel::{self, Kind, OpenChannel, Over},
    command::{Command, Input, Mark},
    error::{Error, Step},
    group::ProcessGroup,
    pool::Pool,
    target::Target,
    text,
};

/// What an account's start-up files may print before the command begins.
const MAX_PRELUDE_BYTES: usize = 64 * 1024;
/// A child that outlives the command may hold its output open for ever; this is how long we listen on after the end.
const LINGER: Duration = Duration::from_secs(2);
/// The number of stderr in SSH (RFC 4254, section 5.2).
const STDERR: u32 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// A piece of output. At most one SSH packet, which the library bounds at 256 KiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    pub stream: Stream,
    pub data: Bytes,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 126 and 127 are the shell's: not executable, not found.
    Status(u32),
    /// Its name without `SIG`, as the host gives it.
    Signal(String),
}

impl Exit {
    pub fn is_success(&self) -> bool {
        *self == Self::Status(0)
    }
}

/// What a short command wrote, and how it ended.
#[derive(Clone, Debug)]
pub struct Output {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub exit: Exit,
}

/// How to start a command whose output is streamed.
#[derive(Clone, Copy, Debug)]
pub struct StartOptions {
    /// Marks its processes on the host, so that they can be found again: the id of the record that the caller keeps.
    pub run: Uuid,
}

impl Default for StartOptions {
    fn default() -> Self {
        Self { run: Uuid::now_v7() }
    }
}

/// A command that runs on a host.
///
/// Dropping it stops listening, not the command: end that with [`Engine::end`](super::Engine::end). Output waits on the
/// host while it is not read here.
pub struct Process {
    channel: OpenChannel,
    group: ProcessGroup,
    first: VecDeque<Chunk>,
    exit: Option<Exit>,
    ended: bool,
}

impl Process {
    pub fn group(&self) -> ProcessGroup {
        self.group
    }

    /// The next piece of output, in the host's order; `None` after the last. Then ask [`Process::exit`].
    ///
    /// It waits for as long as the command is silent: the caller has the time limit. May be dropped while waiting.
    pub async fn next(&mut self) -> Option<Chunk> {
        if let Some(chunk) = self.first.pop_front() {
            return Some(chunk);
        }
        while !self.ended {
            let message = if self.exit.is_some() {
                timeout(LINGER, self.channel.wait()).await.unwrap_or(None)
            } else {
                self.channel.wait().await
            };
            match message {
                Some(ChannelMsg::Data { data }) if !data.is_empty() => {
                    return Some(Chunk { stream: Stream::Stdout, data });
                }
                Some(ChannelMsg::ExtendedData { data, ext: STDERR }) if !data.is_empty() => {
                    return Some(Chunk { stream: Stream::Stderr, data });
                }
                Some(ChannelMsg::Close) | None => self.ended = true,
                Some(other) => self.note_exit(&other),
            }
        }
        None
    }

    /// How it ended, once [`Process::next`] said `None`. An error means that the connection ended first: how the command
    /// ended, and whether it did, is not known.
    pub fn exit(&self) -> Result<Exit, Error> {
        self.exit.clone().ok_or(Error::Closed { step: Step::Command })
    }

    fn note_exit(&mut self, message: &ChannelMsg) {
        if let Some(exit) = exit_of(message) {
            self.exit = Some(exit);
        }
    }
}

fn exit_of(message: &ChannelMsg) -> Option<Exit> {
    match message {
        ChannelMsg::ExitStatus { exit_status } => Some(Exit::Status(*exit_status)),
        ChannelMsg::ExitSignal { signal_name, .. } => {
            Some(Exit::Signal(text::clean(&format!("{signal_name:?}"))))
        }
        _ => None,
    }
}

/// A command that has begun: its channel, its process group, and what came with the mark.
pub(super) struct Begun {
    pub channel: OpenChannel,
    pub group: ProcessGroup,
    pub first: VecDeque<Chunk>,
    exit: Option<Exit>,
}

struct Marked {
    leader: u32,
    first: VecDeque<Chunk>,
    /// sshd tells the end of a short command as soon as it sees it, which can be before it passes on its output.
    exit: Option<Exit>,
}

/// Opens a session and runs `command` in it, up to the mark that its shell writes first.
///
/// If it gives up before the mark came, the command does not begin later: writing the mark to a channel that is closed
/// fails, and the line ends there.
pub(super) async fn begin(
    pool: &Arc<Pool>,
    target: &Target,
    over: Over,
    command: &Command,
    run: Uuid,
    input: Input,
) -> Result<Begun, Error> {
    let mark = Mark { run };
    let line = command.line(&mark, input)?;
    let mut channel = channel::open(pool, target, over, &Kind::Session).await?;
    // From here on the command may have begun: nothing is tried again.
    let limit = pool.limits.channel;
    timeout(limit, accepted(&mut channel, line))
        .await
        .unwrap_or(Err(Error::Timeout { step: Step::Channel, limit }))?;
    let limit = pool.limits.shell;
    let Marked { leader, first, exit } = timeout(limit, marked(&mut channel, &mark))
        .await
        .unwrap_or(Err(Error::Timeout { step: Step::Shell, limit }))?;
    Ok(Begun { channel, group: ProcessGroup { run, leader }, first, exit })
}

async fn accepted(channel: &mut OpenChannel, line: String) -> Result<(), Error> {
    channel.exec(line).await?;
    loop {
        match channel.wait().await {
            Some(ChannelMsg::Success) => return Ok(()),
            Some(ChannelMsg::Failure) => {
                let detail = "not allowed by sshd's settings".to_owned();
                return Err(Error::ChannelRefused { what: "to run a command", detail });
            }
            Some(ChannelMsg::Close) | None => return Err(Error::Closed { step: Step::Channel }),
            // The window may be adjusted before the answer.
            Some(_) => {}
        }
    }
}

/// What came before and after the mark on one stream.
#[derive(Default)]
struct Prelude {
    bytes: BytesMut,
    leader: Option<u32>,
}

impl Prelude {
    /// After the mark everything is the command's own and kept; what came before it is dropped.
    fn push(&mut self, data: &[u8], mark: &Mark) {
        self.bytes.extend_from_slice(data);
        if self.leader.is_none()
            && let Some((leader, start)) = mark.find(&self.bytes)
        {
            self.leader = Some(leader);
            let _ = self.bytes.split_to(start);
        }
    }
}

/// Reads up to the marks on both streams.
async fn marked(channel: &mut OpenChannel, mark: &Mark) -> Result<Marked, Error> {
    let (mut out, mut err) = (Prelude::default(), Prelude::default());
    let mut exit = None;
    loop {
        match channel.wait().await {
            Some(ChannelMsg::Data { data }) => out.push(&data, mark),
            Some(ChannelMsg::ExtendedData { data, ext: STDERR }) => err.push(&data, mark),
            Some(ChannelMsg::Close) | None => return Err(no_command(exit.as_ref(), &out.bytes, &err.bytes)),
            Some(other) => exit = exit_of(&other).or(exit),
        }
        if let (Some(leader), Some(_)) = (out.leader, err.leader) {
            let first = [(Stream::Stdout, out.bytes), (Stream::Stderr, err.bytes)]
                .into_iter()
                .filter(|(_, bytes)| !bytes.is_empty())
                .map(|(stream, bytes)| Chunk { stream, data: bytes.freeze() })
                .collect();
            return Ok(Marked { leader, first, exit });
        }
        if out.bytes.len() + err.bytes.len() > MAX_PRELUDE_BYTES {
            return Err(Error::Shell(format!("it wrote more than {MAX_PRELUDE_BYTES} bytes first")));
        }
    }
}

fn no_command(exit: Option<&Exit>, prelude: &[u8], said: &[u8]) -> Error {
    let Some(exit) = exit else { return Error::Closed { step: Step::Shell } };
    let how = match exit {
        Exit::Status(status) => format!("it ended with status {status}"),
        Exit::Signal(signal) => format!("it was ended by signal {signal}"),
    };
    let said = text::clean_bytes(if said.is_empty() { prelude } else { said });
    Error::Shell(if said.is_empty() { how } else { format!("{how} and said: {said}") })
}

impl From<Begun> for Process {
    fn from(begun: Begun) -> Self {
        let Begun { channel, group, first, exit } = begun;
        Self { channel, group, first, exit, ended: false }
    }
}

/// What of a command's stdout came with the mark.
pub(super) fn stdout(first: VecDeque<Chunk>) -> Bytes {
    first.into_iter().find(|chunk| chunk.stream == Stream::Stdout).map(|chunk| chunk.data).unwrap_or_default()
}

/// Reads a command to its end.
pub(super) async fn collect(process: &mut Process, limit: usize) -> Result<Output, Error> {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    while let Some(chunk) = process.next().await {
        if stdout.len() + stderr.len() + chunk.data.len() > limit {
            return Err(Error::OutputLimit { limit });
        }
        match chunk.stream {
            Stream::Stdout => stdout.extend_from_slice(&chunk.data),
            Stream::Stderr => stderr.extend_from_slice(&chunk.data),
        }
    }
    Ok(Output { stdout, stderr, exit: process.exit()? })
}
