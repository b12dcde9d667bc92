//! The periodic verb: probing the servers whose time has come.

use std::time::Duration;

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::sleep;

use super::{ops, store};
use crate::{
    platform::{Result, id::ServerId},
    services::Services,
};

/// Probes at once on one replica. More servers than that wait their turn.
const AT_ONCE: usize = 16;
/// While probes run, due servers are looked for this often: one that hangs does not hold up the others.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Probes what is due until nothing is. Any number of replicas may: each server is claimed by its row.
pub async fn probe_due(services: Services) -> Result<()> {
    let mut running = FuturesUnordered::new();
    loop {
        for id in claim(&services, AT_ONCE.saturating_sub(running.len())).await? {
            running.push(probe(&services, id));
        }
        if running.is_empty() {
            return Ok(());
        }
        tokio::select! {
            _ = running.next() => {}
            () = sleep(LOOK_EVERY) => {}
        }
    }
}

async fn claim(services: &Services, free: usize) -> Result<Vec<ServerId>> {
    let limit = i64::try_from(free).unwrap_or(0);
    if limit == 0 {
        return Ok(vec![]);
    }
    let now = services.clock.now();
    let until = now + ops::CLAIM_LASTS;
    store::claim_due(&mut *services.db.acquire().await?, now, until, limit).await
}

/// One that fails on our side is due again when its claim has run out.
async fn probe(services: &Services, id: ServerId) {
    if let Err(error) = ops::probe(services, id).await {
        tracing::warn!(server = %id, %error, "a probe failed on our side");
    }
}
