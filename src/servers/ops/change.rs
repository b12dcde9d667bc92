//! Adding, changing and removing servers.

use serde_json::{Map, Value, json};

use super::{
    super::{Address, Facts, HostKeyPolicy, Name, NewCredential, Server, SshUser, Status, store},
    drop_connections, get, not_found, probing, renewed, save_state,
};
use crate::{
    identity::{Permit, right::ServersManage},
    journal::{self, Action, Subject},
    platform::{Result, Timestamp, id::ServerId},
    services::Services,
};

/// A new server, its fields checked.
pub struct NewServer {
    pub name: Name,
    pub address: Address,
    pub ssh_user: SshUser,
    pub ssh_port: u16,
    pub host_key_policy: HostKeyPolicy,
    pub credential: NewCredential,
}

/// What to change; `None` stays as it is.
#[derive(Default)]
pub struct Change {
    pub name: Option<Name>,
    pub address: Option<Address>,
    pub ssh_user: Option<SshUser>,
    pub ssh_port: Option<u16>,
    pub host_key_policy: Option<HostKeyPolicy>,
    pub credential: Option<NewCredential>,
}

/// Adds a server and looks at it; the answer knows what was found if that took no more than a moment.
pub async fn add(services: &Services, permit: &Permit<ServersManage>, new: NewServer) -> Result<Server> {
    let now = services.clock.now();
    let id = ServerId::make();
    let server = Server {
        id,
        credential: new.credential.seal(&services.vault, id)?,
        name: new.name,
        address: new.address,
        ssh_user: new.ssh_user,
        ssh_port: new.ssh_port,
        host_key_policy: new.host_key_policy,
        host_key: None,
        offered_key: None,
        status: Status::Unknown,
        status_reason: None,
        status_detail: None,
        facts: Facts::default(),
        compose: None,
        last_checked_at: None,
        revision: 1,
        next_probe_at: now + probing::CLAIM_LASTS,
        probe_failures: 0,
        created_at: now,
        updated_at: now,
        running_apps: 0,
    };
    let mut tx = services.db.begin().await?;
    store::insert(&mut tx, &server).await?;
    let details = facts_of(&server);
    journal::record(&mut tx, now, permit.author(), Action::ServerCreate, Subject::Server(id), details.into())
        .await?;
    tx.commit().await?;
    probing::probe_awhile(services, id).await;
    get(&mut *services.db.acquire().await?, id).await
}

/// Changes a server. Another address or port is another machine: its trusted key is dropped and the policy decides again.
pub async fn change(
    services: &Services,
    permit: &Permit<ServersManage>,
    id: ServerId,
    change: Change,
) -> Result<Server> {
    let now = services.clock.now();
    let mut tx = services.db.begin().await?;
    let before = store::lock(&mut tx, id).await?.ok_or_else(not_found)?;
    let has_new_credential = change.credential.is_some();
    let after = apply(services, &before, change, now)?;
    let details = difference(&before, &after, has_new_credential);
    if details.is_empty() {
        return get(&mut tx, id).await;
    }
    store::update(&mut tx, &after).await?;
    save_state(&mut tx, &before, &after, now).await?;
    journal::record(&mut tx, now, permit.author(), Action::ServerUpdate, Subject::Server(id), details.into())
        .await?;
    tx.commit().await?;
    if after.revision != before.revision {
        drop_connections(services, id);
    }
    if after.revision != before.revision || after.host_key_policy != before.host_key_policy {
        probing::probe_awhile(services, id).await;
    }
    get(&mut *services.db.acquire().await?, id).await
}

fn apply(services: &Services, before: &Server, change: Change, now: Timestamp) -> Result<Server> {
    let credential = match &change.credential {
        Some(new) => new.seal(&services.vault, before.id)?,
        None => before.credential.clone(),
    };
    let mut after = Server {
        name: change.name.unwrap_or_else(|| before.name.clone()),
        address: change.address.unwrap_or_else(|| before.address.clone()),
        ssh_user: change.ssh_user.unwrap_or_else(|| before.ssh_user.clone()),
        ssh_port: change.ssh_port.unwrap_or(before.ssh_port),
        host_key_policy: change.host_key_policy.unwrap_or(before.host_key_policy),
        credential,
        updated_at: now,
        ..before.clone()
    };
    let moved = after.address != before.address || after.ssh_port != before.ssh_port;
    if moved {
        after.host_key = None;
    }
    let reconnects = moved || after.ssh_user != before.ssh_user || change.credential.is_some();
    Ok(if reconnects { renewed(after, now) } else { after })
}

/// What the audit tells of a server; no secret is in it.
fn facts_of(server: &Server) -> Map<String, Value> {
    let credential = json!({"kind": server.credential.kind, "fingerprint": server.credential.fingerprint});
    let trusted = server.host_key.as_ref().map(|trusted| trusted.key.fingerprint.to_string());
    let facts = [
        ("name", json!(server.name.as_str())),
        ("address", json!(server.address.as_str())),
        ("sshUser", json!(server.ssh_user.as_str())),
        ("sshPort", json!(server.ssh_port)),
        ("hostKeyPolicy", json!(server.host_key_policy)),
        ("hostKey", json!(trusted)),
        ("credential", credential),
    ];
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Each changed field, from and to; of a password only that it changed.
fn difference(before: &Server, after: &Server, has_new_credential: bool) -> Map<String, Value> {
    let (from, to) = (facts_of(before), facts_of(after));
    let mut changes: Map<String, Value> = from
        .into_iter()
        .filter_map(|(name, from)| {
            let to = to.get(&name)?;
            (from != *to).then(|| (name, json!({"from": from, "to": to})))
        })
        .collect();
    if has_new_credential {
        changes.entry("credential").or_insert_with(|| json!("changed"));
    }
    changes
}

/// Removes a server that carries no app; 409 `server.has_apps` otherwise. What was done on it stays in the audit log.
pub async fn remove(services: &Services, permit: &Permit<ServersManage>, id: ServerId) -> Result<()> {
    let now = services.clock.now();
    let mut tx = services.db.begin().await?;
    let name = store::delete(&mut tx, id).await?.ok_or_else(not_found)?;
    let details = json!({"name": name});
    journal::record(&mut tx, now, permit.author(), Action::ServerDelete, Subject::Server(id), details)
        .await?;
    tx.commit().await?;
    drop_connections(services, id);
    Ok(())
}
