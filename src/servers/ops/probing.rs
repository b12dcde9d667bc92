//! Probing: look at a machine, then write down what was found, unless it has changed or was looked at since.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;
use tokio::time::timeout;

use super::{
    super::{
        Server,
        policy::{self, Rhythm},
        probe::{self, Findings},
        store,
    },
    get, host_id, host_key, key_details, not_found, save_state, way_in,
};
use crate::{
    journal::{self, Action, Author, Subject},
    platform::{Result, id::ServerId},
    remote::host::Look,
    services::Services,
};

/// Whoever claims a probe has done it, or died, by then.
pub const CLAIM_LASTS: TimeDelta = TimeDelta::seconds(90);
/// What an answer waits for a probe that it started. A host that is there takes a fraction of it.
const AWHILE: Duration = Duration::from_secs(5);

/// Probes now and writes it down. The server as it is then.
pub async fn probe(services: &Services, id: ServerId) -> Result<Server> {
    let server = get(&mut *services.db.acquire().await?, id).await?;
    let now = services.clock.now();
    let what = if policy::needs_compose(&server, now) { Look::ForCompose } else { Look::Quick };
    if server.status_reason.as_deref() == Some(policy::HOST_KEY_CHANGED) {
        // A connection from before the change would hide it.
        services.ssh.forget(host_id(id));
    }
    let findings = probe::look(services, &way_in(services, &server)?, what).await;
    match host_key::accept_new(services, &server, &findings).await? {
        Some(server) => {
            let findings = probe::look(services, &way_in(services, &server)?, what).await;
            settle(services, &server, &findings).await
        }
        None => settle(services, &server, &findings).await,
    }
}

/// Probes in the background and waits for it only a moment.
pub(super) async fn probe_awhile(services: &Services, id: ServerId) {
    let inner = services.clone();
    let task = services.lifecycle.spawn(async move {
        if let Some(Err(error)) = inner.lifecycle.until_stopping(Box::pin(probe(&inner, id))).await {
            tracing::warn!(server = %id, %error, "a probe failed on our side; it is due again soon");
        }
    });
    // A slow host is told of by its event, later.
    drop(timeout(AWHILE, task).await);
}

/// Writes down what was found of `seen`.
pub(super) async fn settle(services: &Services, seen: &Server, findings: &Findings) -> Result<Server> {
    let now = services.clock.now();
    let mut tx = services.db.begin().await?;
    let before = store::lock(&mut tx, seen.id).await?.ok_or_else(not_found)?;
    let is_outdated = before.revision != seen.revision
        || before.last_checked_at.is_some_and(|checked| checked > findings.began);
    if is_outdated {
        return Ok(before);
    }
    let rhythm = Rhythm { every: services.config.probe_every, chance: rand::random() };
    let after = policy::after_probe(&before, findings, now, rhythm);
    save_state(&mut tx, &before, &after, now).await?;
    let has_changed_key = policy::is_key_change(&before, &after);
    if has_changed_key {
        let pinned = after.host_key.as_ref().map(|trusted| &trusted.key);
        let details =
            json!({"pinned": key_details(pinned), "offered": key_details(after.offered_key.as_ref())});
        let subject = Subject::Server(after.id);
        journal::record(&mut tx, now, &Author::default(), Action::HostKeyChanged, subject, details).await?;
    }
    tx.commit().await?;
    if has_changed_key {
        services.ssh.forget(host_id(after.id));
    }
    Ok(after)
}
