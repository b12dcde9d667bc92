//! Running one operation's command on its host: output kept, cancel and deadline obeyed, the exit status known.

use std::time::{Duration, Instant};

use super::{Actions, Failure, Lease, Outcome, Work, output::Recorder, store};
use crate::{
    platform::Result,
    remote::ssh::{self, Exit, Process, ProcessGroup, StartOptions, Step},
    services::Services,
};

/// Between asking a process group to end and killing it: compose needs time to stop what it began.
const CANCEL_GRACE: Duration = Duration::from_secs(10);

/// What became of an attempt.
pub enum Attempt {
    Ended(Outcome),
    /// The lease is somebody else's now: whatever is so, it is theirs to say.
    NotOurs,
}

/// Runs a claimed operation that was never sent.
pub async fn run(services: &Services, actions: &dyn Actions, lease: &Lease) -> Result<Attempt> {
    let work = match actions.prepare(&lease.operation).await {
        Ok(work) => work,
        Err(failure) => return Ok(Attempt::Ended(Outcome::Failed { exit_code: None, failure })),
    };
    if lease.cancelled.is_cancelled() {
        return Ok(Attempt::Ended(Outcome::Cancelled));
    }
    let id = lease.operation.id;
    let mut db = services.db.acquire().await?;
    if !store::mark_sent(&mut db, id, services.replica, services.clock.now()).await? {
        return Ok(Attempt::NotOurs);
    }
    drop(db);
    match services.ssh.start(&work.target, &work.command, StartOptions { run: id.0 }).await {
        Ok(process) => follow(services, &work, process, lease).await,
        Err(error) if may_have_begun(&error) => watch(services, &work, lease, &error.to_string()).await,
        Err(error) => {
            let failure = Failure { code: format!("server.{}", error.reason()), detail: error.to_string() };
            Ok(Attempt::Ended(Outcome::Failed { exit_code: None, failure }))
        }
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
enum End {
    Exited,
    Cancelled,
    TimedOut,
    NotOurs,
}

async fn follow(services: &Services, work: &Work, mut process: Process, lease: &Lease) -> Result<Attempt> {
    let id = lease.operation.id;
    let group = process.group();
    store::set_remote_pid(&mut *services.db.acquire().await?, id, group.leader).await?;
    let mut recorder =
        Recorder::start(services.db.clone(), &services.lifecycle, id, lease.operation.output_bytes);
    let limit = services.config.operation_timeout;
    let end = tokio::select! {
        () = pump(&mut process, &mut recorder) => End::Exited,
        () = lease.cancelled.cancelled() => End::Cancelled,
        () = tokio::time::sleep(limit) => End::TimedOut,
        () = lease.lost.cancelled() => End::NotOurs,
    };
    match end {
        End::NotOurs => return Ok(Attempt::NotOurs),
        End::Exited => {}
        End::Cancelled | End::TimedOut => terminate(services, work, group, &mut process, &mut recorder).await,
    }
    let last_lines = recorder.finish().await?;
    match (&end, process.exit()) {
        // The line was cut, which says nothing about the command.
        (End::Exited, Err(error)) => watch(services, work, lease, &error.to_string()).await,
        (_, exit) => Ok(Attempt::Ended(outcome(&end, exit, limit, &last_lines))),
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
    work: &Work,
    group: ProcessGroup,
    process: &mut Process,
    recorder: &mut Recorder,
) {
    let end = services.ssh.end(&work.target, group, CANCEL_GRACE);
    let ended = async {
        if let Err(error) = end.await {
            tracing::warn!(%error, "cannot tell whether the remote command ended; the app is probed for what is so");
        }
    };
    // The output ends when the last process of the group has closed it, or is read no longer.
    let drain = tokio::time::timeout(CANCEL_GRACE + Duration::from_secs(2), pump(process, recorder));
    drop(tokio::join!(ended, drain));
}

fn outcome(end: &End, exit: Result<Exit, ssh::Error>, limit: Duration, last_lines: &str) -> Outcome {
    let failed = |exit_code, code: &str, detail: String| Outcome::Failed {
        exit_code,
        failure: Failure { code: code.to_owned(), detail },
    };
    match (end, exit) {
        (End::Cancelled, _) => Outcome::Cancelled,
        (End::TimedOut, _) => {
            let seconds = limit.as_secs();
            failed(
                None,
                "operation.timed_out",
                format!("not done after {seconds} s, so it was ended on the host"),
            )
        }
        (_, Ok(Exit::Status(0))) => Outcome::Succeeded,
        (_, Ok(Exit::Status(code))) => {
            let detail = last_lines.lines().last().unwrap_or("the command said nothing").to_owned();
            failed(i32::try_from(code).ok(), "operation.failed", detail)
        }
        (_, Ok(Exit::Signal(signal))) => {
            failed(None, "operation.failed", format!("the command was ended on the host by SIG{signal}"))
        }
        (_, Err(error)) => Outcome::Lost { failure: lost(&error.to_string()) },
    }
}

/// How things stand with a command that another process of ours had sent.
pub async fn find_out(services: &Services, actions: &dyn Actions, lease: &Lease) -> Result<Attempt> {
    let work = match actions.prepare(&lease.operation).await {
        Ok(work) => work,
        Err(failure) => return Ok(Attempt::Ended(Outcome::Lost { failure })),
    };
    watch(services, &work, lease, "the Quaymaster that ran it ended before it did").await
}

/// Waits until a command that is followed no longer has ended on its host. How, only the app's state can tell.
async fn watch(services: &Services, work: &Work, lease: &Lease, why: &str) -> Result<Attempt> {
    let deadline = tokio::time::sleep(services.config.operation_timeout);
    tokio::pin!(deadline);
    let mut last_contact = Instant::now();
    let mut group = None;
    loop {
        match services.ssh.find(&work.target, lease.operation.id.0).await {
            Ok(Some(found)) => {
                last_contact = Instant::now();
                group = Some(found);
            }
            Ok(None) => break,
            Err(error) if error.needs_a_person() || last_contact.elapsed() > OUT_OF_REACH => {
                return Ok(Attempt::Ended(Outcome::Lost { failure: lost(&error.to_string()) }));
            }
            Err(_) => {}
        }
        tokio::select! {
            () = tokio::time::sleep(ASK_EVERY) => {}
            () = lease.lost.cancelled() => return Ok(Attempt::NotOurs),
            () = lease.cancelled.cancelled() => {
                end(services, work, group).await;
                return Ok(Attempt::Ended(Outcome::Cancelled));
            }
            () = &mut deadline => {
                end(services, work, group).await;
                break;
            }
        }
    }
    Ok(Attempt::Ended(Outcome::Lost { failure: lost(why) }))
}

/// A host that cannot be asked for longer than this does not keep an operation open.
const OUT_OF_REACH: Duration = Duration::from_secs(60);
const ASK_EVERY: Duration = Duration::from_millis(500);

async fn end(services: &Services, work: &Work, group: Option<ProcessGroup>) {
    let Some(group) = group else { return };
    if let Err(error) = services.ssh.end(&work.target, group, CANCEL_GRACE).await {
        tracing::warn!(%error, "cannot tell whether the remote command ended");
    }
}

fn lost(why: &str) -> Failure {
    Failure {
        code: "operation.lost".to_owned(),
        detail: format!("how it ended is not known ({why}); the app shows what the host says now"),
    }
}
