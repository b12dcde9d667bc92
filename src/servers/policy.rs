//! What a probe's findings mean, how long they hold, and when to look again: pure decisions.

use std::time::Duration;

use chrono::TimeDelta;

use super::{
    Facts, KnownCompose, Server, Status,
    probe::{ComposeFinding, Findings},
};
use crate::{
    platform::Timestamp,
    remote::ssh::{self, Step},
};

pub const COMPOSE_MISSING: &str = "compose_missing";
pub const HOST_KEY_UNKNOWN: &str = "host_key_unknown";
pub const HOST_KEY_CHANGED: &str = "host_key_changed";
pub const AUTH_FAILED: &str = "auth_failed";

/// A status older than this many of the intervals at which its server is probed is no present one.
const STALE_AFTER_INTERVALS: i32 = 3;
/// A host that is down is asked more and more rarely, up to this many intervals apart.
const LONGEST_PAUSE: u32 = 5;
/// Probes come up to this much of their interval earlier or later, so that hosts are not all asked at one moment.
const JITTER: f64 = 0.2;
/// Compose is looked for again after this: it takes up to a second where it is written in Python.
const COMPOSE_HOLDS_FOR: TimeDelta = TimeDelta::hours(1);

/// Somebody who only looks is told of a probe that is younger.
const LOOK_HOLDS_FOR: TimeDelta = TimeDelta::seconds(5);

/// What is to be shown of a probe's findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub status: Status,
    pub reason: Option<&'static str>,
    /// One sentence for a person.
    pub detail: Option<String>,
}

/// What the probes' rhythm depends on.
#[derive(Clone, Copy, Debug)]
pub struct Rhythm {
    pub every: Duration,
    /// From 0 to 1, picks the point within the jitter.
    pub chance: f64,
}

pub(super) fn verdict(findings: &Findings) -> Verdict {
    if let Err(error) = &findings.ssh {
        let detail = Some(error.to_string());
        return Verdict { status: status_of(error), reason: Some(error.reason()), detail };
    }
    let degraded =
        |reason, detail| Verdict { status: Status::Degraded, reason: Some(reason), detail: Some(detail) };
    match (&findings.docker, findings.compose) {
        (Some(Err(error)), _) => degraded(error.reason().unwrap_or("docker_refused"), error.to_string()),
        (_, ComposeFinding::Missing) => {
            degraded(COMPOSE_MISSING, "the host has no docker compose".to_owned())
        }
        (Some(Ok(_)) | None, ComposeFinding::NotLookedFor | ComposeFinding::Found(_)) => {
            Verdict { status: Status::Online, reason: None, detail: None }
        }
    }
}

/// Whether a failure tells of a host that is away, of one that lets us in but does no work, or of neither.
pub fn status_of(error: &ssh::Error) -> Status {
    use ssh::Error as E;
    match error {
        E::BackingOff { cause, .. } => status_of(cause),
        E::Dns { .. }
        | E::TcpRefused { .. }
        | E::TcpTimeout { .. }
        | E::Unreachable { .. }
        | E::HostKeyChanged { .. }
        | E::AuthFailed { .. }
        | E::Closed { .. }
        | E::Protocol(_)
        | E::Timeout { step: Step::Handshake | Step::Auth | Step::Session, .. } => Status::Offline,
        E::Timeout { step: Step::Channel | Step::Shell | Step::Command, .. }
        | E::Busy { .. }
        | E::OutputLimit { .. }
        | E::ChannelRefused { .. }
        | E::Shell(_) => Status::Degraded,
        // It answers, but is not known to be who it should be; or the fault is ours.
        E::HostKeyUnknown { .. } | E::InvalidCommand(_) => Status::Unknown,
    }
}

/// The server as it is after a probe.
pub(super) fn after_probe(before: &Server, findings: &Findings, now: Timestamp, rhythm: Rhythm) -> Server {
    let verdict = verdict(findings);
    let probe_failures = failures_after(before.probe_failures, findings);
    let engine = findings.docker.as_ref().and_then(|asked| asked.as_ref().ok());
    Server {
        status: verdict.status,
        status_reason: verdict.reason.map(str::to_owned),
        status_detail: verdict.detail,
        offered_key: offered_after(before, findings),
        facts: Facts {
            running_containers: engine.map(|engine| engine.containers_running),
            docker: engine.map(|engine| engine.version.clone()),
            uptime: findings.uptime,
            latency: findings.latency,
        },
        compose: match findings.compose {
            ComposeFinding::NotLookedFor => before.compose,
            ComposeFinding::Missing => None,
            ComposeFinding::Found(compose) => Some(KnownCompose { compose, checked_at: findings.began }),
        },
        last_checked_at: Some(findings.began),
        probe_failures,
        next_probe_at: now + pause(rhythm, probe_failures),
        ..before.clone()
    }
}

/// Kept while nothing was seen of the machine's key, so that one change is told of once.
fn offered_after(before: &Server, findings: &Findings) -> Option<ssh::HostKey> {
    match &findings.ssh {
        Ok(()) | Err(ssh::Error::AuthFailed { .. }) => None,
        Err(_) => findings.offered().or(before.offered_key.as_ref()).cloned(),
    }
}

/// The key that the machine shows and that is not trusted, while that is so.
pub fn untrusted_key(server: &Server) -> Option<&ssh::HostKey> {
    let is_shown = matches!(server.status_reason.as_deref(), Some(HOST_KEY_UNKNOWN | HOST_KEY_CHANGED));
    server.offered_key.as_ref().filter(|_| is_shown)
}

/// Whether a probe was the first to see this other key.
pub(super) fn is_key_change(before: &Server, after: &Server) -> bool {
    after.status_reason.as_deref() == Some(HOST_KEY_CHANGED) && before.offered_key != after.offered_key
}

/// What only a person can mend is asked for rarely at once: each try is a line in the host's log, and may get us banned.
fn failures_after(before: u32, findings: &Findings) -> u32 {
    match &findings.ssh {
        Ok(()) => 0,
        Err(ssh::Error::AuthFailed { .. }) => LONGEST_PAUSE.max(before.saturating_add(1)),
        Err(error) if status_of(error) == Status::Degraded => 0,
        Err(_) => before.saturating_add(1),
    }
}

/// Until the next probe.
pub fn pause(rhythm: Rhythm, failures: u32) -> TimeDelta {
    let factor =
        f64::from(intervals(failures)) * (1.0 - JITTER + 2.0 * JITTER * rhythm.chance.clamp(0.0, 1.0));
    TimeDelta::from_std(rhythm.every.mul_f64(factor)).unwrap_or(TimeDelta::MAX)
}

fn intervals(failures: u32) -> u32 {
    failures.clamp(1, LONGEST_PAUSE)
}

/// Whether the status may still be shown as the present one.
pub fn is_present(server: &Server, now: Timestamp, every: Duration) -> bool {
    let interval = TimeDelta::from_std(every).unwrap_or(TimeDelta::MAX);
    let limit = i32::try_from(intervals(server.probe_failures))
        .ok()
        .and_then(|intervals| interval.checked_mul(STALE_AFTER_INTERVALS.saturating_mul(intervals)))
        .unwrap_or(TimeDelta::MAX);
    server.last_checked_at.is_some_and(|checked| now - checked <= limit)
}

/// The status to show: what the last probe saw, unless that is too old.
pub fn present_status(server: &Server, now: Timestamp, every: Duration) -> Status {
    if is_present(server, now, every) { server.status } else { Status::Unknown }
}

/// Whether somebody who does not manage servers makes us probe one. What a person must mend stays as it is until then: each
/// try is a line in the host's log, and may get us banned there.
pub(super) fn is_worth_a_look(server: &Server, now: Timestamp) -> bool {
    let needs_a_person =
        matches!(server.status_reason.as_deref(), Some(HOST_KEY_UNKNOWN | HOST_KEY_CHANGED | AUTH_FAILED));
    !needs_a_person && server.last_checked_at.is_none_or(|checked| now - checked > LOOK_HOLDS_FOR)
}

pub(super) fn needs_compose(server: &Server, now: Timestamp) -> bool {
    server.compose.is_none_or(|known| now - known.checked_at > COMPOSE_HOLDS_FOR)
}

/// What a person does about a reason.
pub fn mend(reason: &str) -> &'static str {
    match reason {
        "dns" => "check the name, and the DNS of the machine that Quaymaster runs on",
        "tcp_refused" => "check that sshd runs on the host and listens on this port",
        "tcp_timeout" | "unreachable" => "check the address, the port and the firewalls between",
        HOST_KEY_UNKNOWN => {
            "compare the fingerprint with the host's own (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub) and trust it"
        }
        HOST_KEY_CHANGED => {
            "find out why it changed; if the host was set up anew, compare the new fingerprint on it and trust that"
        }
        AUTH_FAILED => {
            "check the user and the credential; a generated key must be in the user's authorized_keys"
        }
        "docker_missing" => "install Docker on the host, or put it on the PATH of this user",
        "docker_denied" => "let this user use Docker: add it to the group docker and sign in anew",
        "docker_down" => "start Docker on the host: systemctl start docker",
        COMPOSE_MISSING => "install the compose plugin (docker-compose-plugin) or docker-compose on the host",
        "timeout" | "busy" => "look at the host's load; it answers too slowly",
        "shell" => "give the account a POSIX shell that lets commands through",
        "channel_refused" => "check MaxSessions and the forwarding settings in the host's sshd_config",
        _ => "look at the host's sshd log",
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
