//! Machines: where they are, how to get in, which host key is trusted, and how they are.
//!
//! - A credential rests sealed, bound to its row, and never comes out again; only its fingerprint is shown.
//! - The host key is pinned. Another address or port is another machine: the pin is dropped and the policy decides again.
//! - `revision` goes up with everything that a connection depends on, so that none made before is used after.
//! - A status is what a probe saw, with its time; one that is too old is not shown as present. Unknown is not offline.
//!
//! What runs on a machine is the business of `apps`.

mod credential;
mod fields;
pub mod http;
pub mod jobs;
mod looks;
pub mod ops;
pub mod policy;
mod probe;
mod store;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use credential::{Credential, CredentialKind, NewCredential};
pub use fields::{Address, InvalidField, Name, SshUser};
pub use looks::Looks;

use crate::{
    platform::{Error, Kind, Timestamp, id::ServerId},
    remote::{compose::Compose, docker, ssh},
};

/// How a machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
#[schema(as = ServerStatus)]
pub enum Status {
    /// SSH, Docker and compose work.
    Online,
    /// SSH works, Docker or compose does not.
    Degraded,
    /// It cannot be reached, or does not let us in.
    Offline,
    /// Not yet, or not lately, probed; or its key is not trusted yet.
    Unknown,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Degraded => "degraded",
            Self::Offline => "offline",
            Self::Unknown => "unknown",
        }
    }
}

/// What happens when no host key is pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "camelCase")]
#[sqlx(type_name = "text", rename_all = "camelCase")]
pub enum HostKeyPolicy {
    /// Somebody has to trust it.
    Ask,
    /// The first one is trusted. A changed one never is.
    AcceptNew,
}

/// A pinned host key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedKey {
    pub key: ssh::HostKey,
    pub trusted_at: Timestamp,
}

/// What the last probe learned besides the status; all empty while the machine is not reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Of Docker, whether compose's or not.
    pub running_containers: Option<u32>,
    pub uptime: Option<Duration>,
    /// The engine's version: `20.10.24`.
    pub docker: Option<String>,
    /// One command on the open connection, there and back.
    pub latency: Option<Duration>,
}

/// The compose of a machine, and when it was last looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownCompose {
    pub compose: Compose,
    pub checked_at: Timestamp,
}

/// A machine.
#[derive(Clone, Debug)]
pub struct Server {
    pub id: ServerId,
    pub name: Name,
    pub address: Address,
    pub ssh_user: SshUser,
    pub ssh_port: u16,
    pub credential: Credential,
    pub host_key_policy: HostKeyPolicy,
    pub host_key: Option<TrustedKey>,
    /// What the machine last offered while that was not, or no longer, trusted.
    pub offered_key: Option<ssh::HostKey>,
    /// As the last probe saw it. To be shown through [`policy::present_status`].
    pub status: Status,
    pub status_reason: Option<String>,
    /// One sentence for a person.
    pub status_detail: Option<String>,
    pub facts: Facts,
    pub compose: Option<KnownCompose>,
    /// When the last probe began.
    pub last_checked_at: Option<Timestamp>,
    pub revision: i64,
    pub next_probe_at: Timestamp,
    /// Probes in a row that did not get in.
    pub probe_failures: u32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Apps that run on it, wholly or in part; of those that the asker sees.
    pub running_apps: u32,
}

/// The answer where a machine cannot be reached: 503, with the reason as code and as a member.
pub fn unreachable(error: &ssh::Error) -> Error {
    unavailable(error.reason(), error.to_string())
}

/// The same for its Docker Engine. One that works but refused this one question is 502.
pub fn docker_unavailable(error: &docker::Error) -> Error {
    match error.reason() {
        Some(reason) => unavailable(reason, format!("{error}; {}", policy::mend(reason))),
        None => Error::new(Kind::RemoteFailed, "server.docker_refused", error.to_string())
            .with("reason", "docker_refused"),
    }
}

fn compose_missing() -> Error {
    let detail = format!("the host has no docker compose; {}", policy::mend(policy::COMPOSE_MISSING));
    unavailable(policy::COMPOSE_MISSING, detail)
}

fn unavailable(reason: &'static str, detail: String) -> Error {
    Error::unavailable(format!("server.{reason}"), detail).with("reason", reason)
}
