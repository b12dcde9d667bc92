//! Looking after apps from time to time: the truth about those that nothing is being done to.

use std::time::Duration;

use futures_util::{StreamExt, stream::FuturesUnordered};

use super::{observe, ops, policy, store};
use crate::{
    platform::{Result, id::ServerId},
    servers,
    services::Services,
};

/// While something runs on a host, its apps are asked about this often (one request on a connection that is open anyway);
/// otherwise as often as the host is probed.
const WHILE_RUNNING: Duration = Duration::from_secs(2);
/// While so many hosts are being asked by one replica, no further ones are claimed.
const HOSTS_AT_ONCE: usize = 16;
/// While hosts are being asked, due ones are looked for this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Asks the hosts whose apps are due, each by one replica. A host that is slow to answer does not hold up the others.
pub async fn refresh_due(services: Services) -> Result<()> {
    let mut asking = FuturesUnordered::new();
    loop {
        let now = services.clock.now();
        let next = now + services.config.probe_every;
        if asking.len() < HOSTS_AT_ONCE {
            let due = store::claim_checks(&mut *services.db.acquire().await?, now, next).await?;
            asking.extend(due.into_iter().map(|server| refresh_one(&services, server)));
        }
        if asking.is_empty() {
            return Ok(());
        }
        tokio::select! {
            _ = asking.next() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

async fn refresh_one(services: &Services, server: ServerId) {
    if let Err(error) = refresh(services, server).await {
        tracing::warn!(%server, %error, "cannot refresh the apps of a server; tried again when next due");
    }
}

/// Asks one host about its apps and writes what it says.
async fn refresh(services: &Services, server: ServerId) -> Result<()> {
    let mut db = services.db.acquire().await?;
    let apps = store::settled_on(&mut db, server).await?;
    let server = servers::ops::get(&mut db, server).await?;
    drop(db);
    let seen = observe::many(services, &server, apps).await;

    let now = services.clock.now();
    let mut any_up = false;
    let mut db = services.db.acquire().await?;
    for (app, seen) in seen {
        let reading = policy::probed(&app, &seen, now);
        any_up |= reading.status.is_up();
        if app.status_at.is_some() && reading == policy::Reading::of(&app) {
            continue;
        }
        let mut tx = sqlx::Connection::begin(&mut *db).await?;
        ops::write(&mut tx, &app, &reading, now).await?;
        tx.commit().await?;
    }
    if any_up && services.config.probe_every > WHILE_RUNNING {
        store::schedule_checks(&mut db, server.id, now + WHILE_RUNNING).await?;
    }
    Ok(())
}
