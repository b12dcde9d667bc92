//! Running one operation's command on its host: output kept, cancel and deadline obeyed, the exit status known.
//!
//! From the moment at which the command may have begun, no error of ours ends the attempt: how the command ends, or that
//! it cannot be known, is always written.

use std::time::{Duration, Instant};

use super::{Actions, Failure, Lease, Outcome, output::Recorder, store};
use crate::{
    platform::{Error, Kind, Result, id::OperationId},
    remote::ssh::{self, Exit, Life, Process, StartOptions, Step, Target},
    services::Services,
};

/// Between asking a process group to end and killing it: compose needs time to stop what it began.
const CANCEL_GRACE: Duration = Duration::from_secs(10);
/// How often a command that is not followed is asked after.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// A host, or a database, that cannot be asked for longer than this does not keep an operation open.
const OUT_OF_REACH: Duration = Duration::from_mins(1);
/// Before an operation that could not begin is queued again.
const BREATH: Duration = Duration::from_secs(1);

/// What became of an attempt.
pub enum Attempt {
    Ended(Outcome),
    /// Nothing began on the host, and it may be tried again.
    PutBack,
    /// The claim is not the latest: whatever is so, it is another's to say.
    NotOurs,
}

fn failed(exit_code: Option<i32>, code: impl Into<String>, detail: impl Into<String>) -> Outcome {
    Outcome::Failed { exit_code, failure: Failure { code: code.into(), detail: detail.into() } }
}

fn lost(why: &str) -> Outcome {
    let detail = format!("how it ended is not known ({why}); the app shows what the host says now");
    Outcome::Lost { failure: Failure { code: "operation.lost".to_owned(), detail } }
}

/// Runs a claimed operation that was never sent.
pub async fn run(services: &Services, actions: &dyn Actions, lease: &Lease) -> Result<Attempt> {
    let prepared = async {
        let target = actions.target(&lease.operation).await?;
        let command = actions.prepare(&lease.operation, &target).await?;
        end_former(services, &target, lease).await?;
        Ok::<_, Error>((target, command))
    };
    let prepared = tokio::select! {
        biased;
        () = lease.cancelled.cancelled() => return Ok(Attempt::Ended(Outcome::Cancelled)),
        prepared = prepared => prepared,
    };
    let (target, command) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return Ok(not_prepared(&error).await),
    };
    let mut db = services.db.acquire().await?;
    if !store::mark_sent(&mut db, &lease.operation, services.clock.now()).await? {
        return Ok(Attempt::NotOurs);
    }
    drop(db);
    let options = StartOptions { run: lease.operation.id.0 };
    let started = tokio::select! {
        started = services.ssh.start(&target, &command, options) => started,
        // A command whose first line nobody reads does not begin later; one that has begun is found and ended.
        () = lease.cancelled.cancelled() => return Ok(watch(services, &target, lease, "it was cancelled").await),
    };
    match started {
        Ok(process) => Ok(follow(services, &target, process, lease).await),
        Err(ssh::Error::Busy { .. }) => Ok(put_back().await),
        Err(error) if may_have_begun(&error) => Ok(watch(services, &target, lease, &error.to_string()).await),
        Err(error) => {
            Ok(Attempt::Ended(failed(None, format!("server.{}", error.reason()), error.to_string())))
        }
    }
}

async fn put_back() -> Attempt {
    tokio::time::sleep(BREATH).await;
    Attempt::PutBack
}

/// A database or a host that is busy is no verdict on the operation.
async fn not_prepared(error: &Error) -> Attempt {
    if matches!(error.code.as_ref(), "database.unavailable" | "server.busy") {
        return put_back().await;
    }
    if error.kind == Kind::Internal {
        tracing::error!(%error, "an operation cannot be prepared");
        return Attempt::Ended(failed(
            None,
            "internal",
            "something failed on our side; the log has the details",
        ));
    }
    Attempt::Ended(failed(None, error.code.clone(), error.detail.clone()))
}

/// Ends what an earlier operation on the app may have left running: two commands on one app would fight.
async fn end_former(services: &Services, target: &Target, lease: &Lease) -> Result<()> {
    let mut db = services.db.acquire().await?;
    let Some(former) = store::unsure_before(&mut db, &lease.operation).await? else { return Ok(()) };
    drop(db);
    match end(services, target, former).await {
        Ok(Life::Gone) => Ok(()),
        Ok(Life::Alive) => {
            let detail =
                "a command of an earlier operation still runs on the host and cannot be ended; end it there";
            Err(Error::new(Kind::RemoteFailed, "operation.failed", detail))
        }
        Err(error) => Err(Error::unavailable(format!("server.{}", error.reason()), error.to_string())),
    }
}

/// Ends what runs on the host for an operation, if anything does.
async fn end(services: &Services, target: &Target, operation: OperationId) -> Result<Life, ssh::Error> {
    match services.ssh.find(target, operation.0).await? {
        Some(group) => services.ssh.end(target, group, CANCEL_GRACE).await,
        None => Ok(Life::Gone),
    }
}

/// A line that was cut while the command was being sent says nothing about the command.
fn may_have_begun(error: &ssh::Error) -> bool {
    match error {
        ssh::Error::Closed { step } | ssh::Error::Timeout { step, .. } => match step {
            Step::Handshake | Step::Auth => false,
            Step::Channel | Step::Shell | Step::Command | Step::Session => true,
        },
        ssh::Error::Dns { .. }
        | ssh::Error::TcpRefused { .. }
        | ssh::Error::TcpTimeout { .. }
        | ssh::Error::Unreachable { .. }
        | ssh::Error::HostKeyUnknown { .. }
        | ssh::Error::HostKeyChanged { .. }
        | ssh::Error::AuthFailed { .. }
        | ssh::Error::BackingOff { .. }
        | ssh::Error::Busy { .. }
        | ssh::Error::OutputLimit { .. }
        | ssh::Error::ChannelRefused { .. }
        | ssh::Error::Shell(_)
        | ssh::Error::InvalidCommand(_)
        | ssh::Error::Protocol(_) => false,
    }
}

/// Why the command is no longer followed.
enum Stop {
    Exited,
    Cancelled,
    TimedOut,
}

async fn follow(services: &Services, target: &Target, mut process: Process, lease: &Lease) -> Attempt {
    let mut recorder = Recorder::start(services.db.clone(), &services.lifecycle, lease.operation.clone());
    let limit = services.config.operation_timeout;
    let stop = tokio::select! {
        () = pump(&mut process, &mut recorder) => Stop::Exited,
        () = lease.cancelled.cancelled() => Stop::Cancelled,
        () = tokio::time::sleep(limit) => Stop::TimedOut,
    };
    let life = match stop {
        Stop::Exited => Ok(Life::Gone),
        Stop::Cancelled | Stop::TimedOut => terminate(services, target, &mut process, &mut recorder).await,
    };
    let last_lines = recorder.finish().await;
    match (stop, process.exit()) {
        (Stop::Exited, Ok(exit)) => Attempt::Ended(ended(&exit, &last_lines)),
        // The line was cut, which says nothing about the command.
        (Stop::Exited, Err(error)) => watch(services, target, lease, &error.to_string()).await,
        (Stop::Cancelled, _) => Attempt::Ended(cancelled(&life)),
        (Stop::TimedOut, _) => Attempt::Ended(timed_out(&life, limit)),
    }
}

async fn pump(process: &mut Process, recorder: &mut Recorder) {
    while let Some(chunk) = process.next().await {
        recorder.write(chunk.data).await;
    }
}

/// Ends the process group on the host and keeps what it still says.
async fn terminate(
    services: &Services,
    target: &Target,
    process: &mut Process,
    recorder: &mut Recorder,
) -> Result<Life, ssh::Error> {
    let end = services.ssh.end(target, process.group(), CANCEL_GRACE);
    // The output ends when the last process of the group has closed it, or is read no longer.
    let drain = tokio::time::timeout(CANCEL_GRACE + Duration::from_secs(2), pump(process, recorder));
    let (life, _) = tokio::join!(end, drain);
    life
}

fn ended(exit: &Exit, last_lines: &str) -> Outcome {
    match exit {
        Exit::Status(0) => Outcome::Succeeded,
        Exit::Status(code) => {
            let detail = last_lines.lines().last().unwrap_or("the command said nothing");
            failed(i32::try_from(*code).ok(), "operation.failed", detail)
        }
        Exit::Signal(signal) => {
            failed(None, "operation.failed", format!("the command was ended on the host by SIG{signal}"))
        }
    }
}

/// Cancelled is what is known to have ended.
fn cancelled(life: &Result<Life, ssh::Error>) -> Outcome {
    match life {
        Ok(Life::Gone) => Outcome::Cancelled,
        Ok(Life::Alive) => lost("it was told to end and still runs"),
        Err(error) => lost(&error.to_string()),
    }
}

fn timed_out(life: &Result<Life, ssh::Error>, limit: Duration) -> Outcome {
    let seconds = limit.as_secs();
    match life {
        Ok(Life::Gone) => failed(
            None,
            "operation.timed_out",
            format!("not done after {seconds} s, so it was ended on the host"),
        ),
        Ok(Life::Alive) | Err(_) => lost("it took too long, and whether it was ended is not known"),
    }
}

/// How things stand with a command that another process of ours had sent.
pub async fn find_out(services: &Services, actions: &dyn Actions, lease: &Lease) -> Attempt {
    let began = Instant::now();
    let target = loop {
        match actions.target(&lease.operation).await {
            Ok(target) => break target,
            Err(error) if error.kind == Kind::Unavailable && began.elapsed() < OUT_OF_REACH => {}
            Err(error) => return Attempt::Ended(lost(&error.detail)),
        }
        tokio::time::sleep(BREATH).await;
    };
    watch(services, &target, lease, "the Quaymaster that ran it ended before it did").await
}

/// Waits until a command that nobody follows has ended on its host. How, only the app's state can tell.
async fn watch(services: &Services, target: &Target, lease: &Lease, why: &str) -> Attempt {
    let id = lease.operation.id;
    let limit = services.config.operation_timeout;
    let (began, mut last_contact, mut is_seen) = (Instant::now(), Instant::now(), false);
    loop {
        if lease.cancelled.is_cancelled() {
            let life = end(services, target, id).await;
            // What had ended by itself before was not cancelled.
            let is_ours = is_seen || lease.operation.sent_at.is_none();
            let outcome = if is_ours { cancelled(&life) } else { lost(why) };
            return Attempt::Ended(outcome);
        }
        match services.ssh.find(target, id.0).await {
            Ok(Some(_)) => (last_contact, is_seen) = (Instant::now(), true),
            Ok(None) => return Attempt::Ended(lost(why)),
            Err(error) if error.needs_a_person() || last_contact.elapsed() > OUT_OF_REACH => {
                return Attempt::Ended(lost(&error.to_string()));
            }
            Err(_) => {}
        }
        if began.elapsed() > limit {
            return Attempt::Ended(timed_out(&end(services, target, id).await, limit));
        }
        tokio::select! {
            () = tokio::time::sleep(ASK_EVERY) => {}
            () = lease.cancelled.cancelled() => {}
        }
    }
}
