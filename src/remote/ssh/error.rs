//! What can go wrong between Quaymaster and a host, in types that a caller can branch on.
//!
//! Messages say what was tried, on what, and what to do. Text that came from the host is cleaned and cut before it gets
//! into one; credentials never do.

use std::time::Duration;

use super::{command::InvalidCommand, host_key::HostKey, text};

/// Why a host could not be reached or did not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error("the name {host} has no address ({detail}); check the name, and the DNS of this machine")]
    Dns { host: String, detail: String },
    #[error("{at} refuses the connection; check that sshd runs there and listens on this port")]
    TcpRefused { at: String },
    #[error("{at} does not answer within {limit:?}; check the address, the port and firewalls between")]
    TcpTimeout { at: String, limit: Duration },
    #[error("{at} cannot be reached ({detail}); check the network between")]
    Unreachable { at: String, detail: String },
    /// Nothing is pinned for the host. No credential was sent.
    #[error("the host key is not trusted yet: {offered}; compare it on the host and trust it")]
    HostKeyUnknown { offered: HostKey },
    /// The host shows another key than the pinned one. No credential was sent.
    #[error(
        "the host key changed from {pinned} to {offered}; unless the host was set up anew, somebody is in between"
    )]
    HostKeyChanged { pinned: HostKey, offered: HostKey },
    #[error("{user} is not let in by {tried}; the host takes: {accepts}")]
    AuthFailed { user: String, tried: &'static str, accepts: String },
    #[error("no answer within {limit:?} while waiting for {step}")]
    Timeout { step: Step, limit: Duration },
    #[error("the host closed the connection during {step}")]
    Closed { step: Step },
    /// Not tried, because it just failed.
    #[error("not tried again for another {} s: {cause}", .retry_in.as_secs_f32().ceil())]
    BackingOff { retry_in: Duration, cause: Box<Error> },
    /// Every session of the host is taken, and none became free in time.
    #[error("the host is busy: no free session within {limit:?}")]
    Busy { limit: Duration },
    #[error("the command wrote more than {limit} bytes and was ended")]
    OutputLimit { limit: usize },
    #[error("the host refuses {what} ({detail})")]
    ChannelRefused { what: &'static str, detail: String },
    /// The account's shell ended, or wrote without end, before the command began.
    #[error(
        "the account's shell did not start the command: {0}; it must be a POSIX shell and let commands through"
    )]
    Shell(String),
    #[error(transparent)]
    InvalidCommand(#[from] InvalidCommand),
    #[error("the host does not speak SSH as expected: {0}")]
    Protocol(String),
}

/// What was being waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Version, key exchange and host key.
    Handshake,
    Auth,
    /// Opening a channel, or the answer to a request on it.
    Channel,
    /// The account's shell, before the command begins.
    Shell,
    Command,
    /// An established connection, between requests.
    Session,
}

impl std::fmt::Display for Step {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Handshake => "the SSH handshake",
            Self::Auth => "authentication",
            Self::Channel => "a channel",
            Self::Shell => "the account's shell",
            Self::Command => "the command",
            Self::Session => "the session",
        })
    }
}

impl Error {
    /// The word that clients see as `statusReason`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Dns { .. } => "dns",
            Self::TcpRefused { .. } => "tcp_refused",
            Self::TcpTimeout { .. } => "tcp_timeout",
            Self::Unreachable { .. } => "unreachable",
            Self::HostKeyUnknown { .. } => "host_key_unknown",
            Self::HostKeyChanged { .. } => "host_key_changed",
            Self::AuthFailed { .. } => "auth_failed",
            Self::Timeout { .. } => "timeout",
            Self::Closed { .. } => "closed",
            Self::BackingOff { cause, .. } => cause.reason(),
            Self::Busy { .. } => "busy",
            Self::OutputLimit { .. } => "output_limit",
            Self::ChannelRefused { .. } => "channel_refused",
            Self::Shell(_) => "shell",
            Self::InvalidCommand(_) => "invalid_command",
            Self::Protocol(_) => "protocol",
        }
    }

    /// Whether trying the same again, unchanged, is pointless until a person acts.
    pub fn needs_a_person(&self) -> bool {
        matches!(self, Self::HostKeyUnknown { .. } | Self::HostKeyChanged { .. } | Self::AuthFailed { .. })
    }

    /// Puts in the step, which the transport itself does not know.
    pub(super) fn during(self, step: Step) -> Self {
        match self {
            Self::Closed { .. } => Self::Closed { step },
            other => other,
        }
    }
}

impl From<russh::Error> for Error {
    fn from(error: russh::Error) -> Self {
        use russh::Error as E;
        match error {
            E::Disconnect
            | E::HUP
            | E::SendError
            | E::RecvError
            | E::IO(_)
            | E::KeepaliveTimeout
            | E::InactivityTimeout
            | E::ConnectionTimeout => Self::Closed { step: Step::Session },
            E::NoCommonAlgo { kind, theirs, .. } => Self::Protocol(format!(
                "no common {kind:?} algorithm; the host offers {}",
                text::clean(&theirs.join(", "))
            )),
            // russh's own words, which may quote the host.
            other => Self::Protocol(text::clean(&other.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backing_off_keeps_the_reason_of_the_failure() {
        let cause = Box::new(Error::TcpRefused { at: "127.0.0.1:22".to_owned() });
        let error = Error::BackingOff { retry_in: Duration::from_millis(1500), cause };
        assert_eq!(error.reason(), "tcp_refused");
        assert!(error.to_string().starts_with("not tried again for another 2 s"), "{error}");
    }
}
