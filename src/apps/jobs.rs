//! Looking after apps from time to time: the truth about those that nothing is being done to.

use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::{observe, ops, policy, store};
use crate::{
    platform::{Result, id::ServerId},
    servers,
    services::Services,
};

/// While something runs on a host, its apps are asked about this often; otherwise as often as the host is probed.
const WHILE_RUNNING: Duration = Duration::from_secs(10);
/// Hosts asked at once by one replica.
const HOSTS_AT_ONCE: usize = 16;

/// Asks the hosts whose apps are due, each by one replica.
pub async fn refresh_due(services: Services) -> Result<()> {
    let now = services.clock.now();
    let next = now + services.config.probe_every;
    let due = store::claim_checks(&mut *services.db.acquire().await?, now, next).await?;
    stream::iter(due)
        .for_each_concurrent(HOSTS_AT_ONCE, |server| {
            let services = services.clone();
            async move {
                if let Err(error) = refresh(&services, server).await {
                    tracing::warn!(%server, %error, "cannot refresh the apps of a server; tried again when next due");
                }
            }
        })
        .await;
    Ok(())
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
        store::schedule_check(&mut db, server.id, now + WHILE_RUNNING).await?;
    }
    Ok(())
}
