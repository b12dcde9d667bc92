//! The verbs on machines.
//!
//! One that talks to a machine does so between its transactions, never inside one.

mod change;
mod host_key;
mod probing;
mod test;

use serde_json::{Value, json};
use sqlx::PgConnection;

pub use self::{
    change::{Change, NewServer, add, change, remove},
    host_key::trust,
    probing::{CLAIM_LASTS, probe},
    test::{Report, Step, StepName, StepOutcome, Trial, Trust, test, try_out},
};
pub use super::store::Span;
use super::{Facts, KnownCompose, Server, Status, compose_missing, policy, store, unreachable};
use crate::{
    identity::Sight,
    journal::{self, Event},
    platform::{Error, Result, Timestamp, id::ServerId},
    remote::{
        compose::Compose,
        host::{self, Look},
        ssh::{self, HostId, HostKey, Target},
    },
    services::Services,
    web::page::PageRequest,
};

/// The servers in sight, by name.
pub async fn list(db: &mut PgConnection, sight: &Sight) -> Result<Vec<Server>> {
    store::list(db, sight).await
}

/// A server in sight: every one, or those that carry an app of one's projects. 404 otherwise.
pub async fn see(db: &mut PgConnection, sight: &Sight, id: ServerId) -> Result<Server> {
    store::see(db, sight, id).await?.ok_or_else(not_found)
}

/// For the house's own work.
pub async fn get(db: &mut PgConnection, id: ServerId) -> Result<Server> {
    see(db, &Sight::Everything, id).await
}

fn not_found() -> Error {
    Error::not_found("server")
}

/// The changes of a server's status, the newest first. Find the server within one's sight first.
pub async fn history(db: &mut PgConnection, id: ServerId, page: PageRequest) -> Result<Vec<Span>> {
    store::history(db, id, page).await
}

/// What the engines need to work on a server. 503 while its host key is changed: then nothing runs, whoever still holds
/// an open connection.
pub fn target(services: &Services, server: &Server) -> Result<Target> {
    match (&server.host_key, &server.offered_key) {
        (Some(trusted), Some(offered))
            if server.status_reason.as_deref() == Some(policy::HOST_KEY_CHANGED) =>
        {
            let (pinned, offered) = (trusted.key.clone(), offered.clone());
            Err(unreachable(&ssh::Error::HostKeyChanged { pinned, offered }))
        }
        _ => way_in(services, server),
    }
}

/// [`target`] for finding out how a server is, which a changed key must not hinder.
fn way_in(services: &Services, server: &Server) -> Result<Target> {
    Ok(Target {
        host: host_id(server.id),
        revision: server.revision,
        address: server.address.to_string(),
        port: server.ssh_port,
        user: server.ssh_user.to_string(),
        auth: server.credential.open(&services.vault, server.id)?,
        host_key: server.host_key.as_ref().map(|trusted| trusted.key.clone()),
    })
}

fn host_id(id: ServerId) -> HostId {
    HostId(id.0)
}

/// Which compose a server has: what is remembered, else looked up and remembered.
pub async fn compose(services: &Services, server: &Server) -> Result<Compose> {
    if let Some(known) = server.compose {
        return Ok(known.compose);
    }
    let target = target(services, server)?;
    let checked_at = services.clock.now();
    let found =
        host::probe(&services.ssh, &target, Look::ForCompose).await.map_err(|error| unreachable(&error))?;
    let compose = found.compose.ok_or_else(compose_missing)?;
    let known = Server { compose: Some(KnownCompose { compose, checked_at }), ..server.clone() };
    store::save_compose(&mut *services.db.acquire().await?, &known).await?;
    Ok(compose)
}

/// Forgets which compose a server has, when a run says that it is not there: the next [`compose`] of a fresh row looks.
pub async fn forget_compose(services: &Services, server: &Server) -> Result<()> {
    let unknown = Server { compose: None, ..server.clone() };
    store::save_compose(&mut *services.db.acquire().await?, &unknown).await
}

/// Writes what changed in how a server is and, if its status or reason did, tells of it.
async fn save_state(db: &mut PgConnection, before: &Server, after: &Server, at: Timestamp) -> Result<()> {
    store::save_state(db, after).await?;
    if before.status == after.status && before.status_reason == after.status_reason {
        return Ok(());
    }
    store::turn_history(db, after, at).await?;
    let (status, reason) = (after.status.as_str(), after.status_reason.clone());
    journal::announce(db, at, &Event::ServerStatus { server: after.id, status, reason }).await
}

/// The server once something that connections depend on has changed: what was known of it holds no more.
fn renewed(server: Server, now: Timestamp) -> Server {
    Server {
        revision: server.revision + 1,
        offered_key: None,
        status: Status::Unknown,
        status_reason: None,
        status_detail: None,
        facts: Facts::default(),
        compose: None,
        last_checked_at: None,
        // The verb probes itself; should this replica die before that, another one does.
        next_probe_at: now + probing::CLAIM_LASTS,
        probe_failures: 0,
        ..server
    }
}

/// Drops the connections that were made before a change.
fn drop_connections(services: &Services, id: ServerId) {
    services.docker.forget(host_id(id));
    services.ssh.forget(host_id(id));
    services.ssh.reset(host_id(id));
}

/// A key as the audit shows it.
fn key_details(key: Option<&HostKey>) -> Value {
    key.map_or(
        Value::Null,
        |key| json!({"algorithm": key.algorithm, "fingerprint": key.fingerprint.to_string()}),
    )
}
