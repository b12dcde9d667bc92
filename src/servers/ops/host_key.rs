//! Trusting host keys: by a person who compared them, or the first one where the policy says so.

use serde_json::json;

use super::{
    super::{HostKeyPolicy, Server, TrustedKey, probe::Findings, store, unreachable},
    drop_connections, get, key_details, not_found, probing, renewed, save_state, way_in,
};
use crate::{
    identity::{Permit, right::ServersManage},
    journal::{self, Action, Author, Subject},
    platform::{Error, Result},
    remote::ssh::{self, Fingerprint, HostKey},
    services::Services,
};

/// Trusts the key with this fingerprint if it is the one that the machine shows right now, and probes.
pub async fn trust(
    services: &Services,
    permit: &Permit<ServersManage>,
    server: &Server,
    given: Fingerprint,
) -> Result<Server> {
    let offered = offered_now(services, server).await?;
    if offered.fingerprint != given {
        store::save_offered(&mut *services.db.acquire().await?, server.id, &offered).await?;
        return Err(mismatch(given, &offered));
    }
    let is_trusted = server.host_key.as_ref().is_some_and(|trusted| trusted.key == offered);
    if !is_trusted && pin(services, permit.author(), server, offered, By::APerson).await?.is_none() {
        return Err(Error::conflict(
            "server.changed_meanwhile",
            "the server was changed while its key was looked at: look again",
        ));
    }
    services.ssh.reset(super::host_id(server.id));
    probing::probe_awhile(services, server.id).await;
    get(&mut *services.db.acquire().await?, server.id).await
}

/// The key that the machine shows to a new connection. Credentials are sent only if it is the trusted one.
async fn offered_now(services: &Services, server: &Server) -> Result<HostKey> {
    let check = services.ssh.check(&way_in(services, server)?).await;
    match (&check.offered, check.error()) {
        (Some(offered), _) => Ok(offered.clone()),
        (None, Some(error)) => Err(unreachable(error)),
        (None, None) => Err(Error::internal("look at a host key", "the check passed without a key")),
    }
}

fn mismatch(given: Fingerprint, offered: &HostKey) -> Error {
    let detail = format!("the host shows {offered} now, not {given}: compare it on the host itself");
    Error::conflict("server.host_key_mismatch", detail)
        .with("givenFingerprint", given.to_string())
        .with("offeredHostKey", key_details(Some(offered)))
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    APerson,
    ThePolicy,
}

/// The server with the key that it showed at first contact, where the policy trusts that one.
pub(super) async fn accept_new(
    services: &Services,
    server: &Server,
    findings: &Findings,
) -> Result<Option<Server>> {
    match (&findings.ssh, server.host_key_policy) {
        (Err(ssh::Error::HostKeyUnknown { offered }), HostKeyPolicy::AcceptNew) => {
            pin(services, &Author::default(), server, offered.clone(), By::ThePolicy).await
        }
        (Ok(()) | Err(_), HostKeyPolicy::AcceptNew | HostKeyPolicy::Ask) => Ok(None),
    }
}

/// `None`: the server was changed since it was read.
async fn pin(
    services: &Services,
    author: &Author,
    seen: &Server,
    key: HostKey,
    by: By,
) -> Result<Option<Server>> {
    let now = services.clock.now();
    let mut tx = services.db.begin().await?;
    let before = store::lock(&mut tx, seen.id).await?.ok_or_else(not_found)?;
    if before.revision != seen.revision {
        return Ok(None);
    }
    let pinned = before.host_key.as_ref().map(|trusted| &trusted.key);
    let mut details = json!({"from": key_details(pinned), "to": key_details(Some(&key))});
    if by == By::ThePolicy
        && let Some(details) = details.as_object_mut()
    {
        details.insert("policy".to_owned(), json!(HostKeyPolicy::AcceptNew));
    }
    let host_key = Some(TrustedKey { key, trusted_at: now });
    let after = renewed(Server { host_key, updated_at: now, ..before.clone() }, now);
    store::update(&mut tx, &after).await?;
    save_state(&mut tx, &before, &after, now).await?;
    journal::record(&mut tx, now, author, Action::HostKeyTrust, Subject::Server(seen.id), details).await?;
    tx.commit().await?;
    drop_connections(services, seen.id);
    Ok(Some(after))
}
