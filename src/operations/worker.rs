//! Claiming operations and carrying them to their end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::Semaphore, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Actions, LEASE, LOST_AFTER, Lease, Operation, Outcome, RENEW_EVERY,
    execute::{self, Attempt},
    ops,
    store::{self, Renewal},
};
use crate::{
    journal::Signal,
    platform::{Result, id::OperationId},
    services::Services,
};

/// What one replica carries at once; the rest waits in the queue, or goes to another.
const MAX_AT_ONCE: usize = 64;
/// What all replicas do on one server at once: a slow one must not take every place.
const MAX_PER_SERVER: i64 = 8;
/// Without a signal the queue is read this often.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// Writing an end that cannot be written is tried again after this.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// One try at renewing a lease.
const RENEW_WITHIN: Duration = Duration::from_secs(2);

/// Takes operations from the queue until the process stops. What is under way then goes on for the process's grace.
pub async fn work(services: Services, actions: Arc<dyn Actions>) {
    let slots = Arc::new(Semaphore::new(MAX_AT_ONCE));
    let mut signals = services.bus.subscribe();
    loop {
        match take_all(&services, &actions, &slots).await {
            Ok(()) => {}
            Err(error) => tracing::warn!(%error, "cannot read the queue of operations; trying again"),
        }
        let wait = signals.wait_for(POLL_EVERY, |signal| signal == Signal::Queue);
        if services.lifecycle.until_stopping(wait).await.is_none() {
            return;
        }
    }
}

async fn take_all(services: &Services, actions: &Arc<dyn Actions>, slots: &Arc<Semaphore>) -> Result<()> {
    while !services.lifecycle.is_stopping() {
        let Ok(slot) = slots.clone().try_acquire_owned() else { return Ok(()) };
        let Some((id, orphan)) = claim(services).await? else { return Ok(()) };
        let (services, actions) = (services.clone(), actions.clone());
        let lifecycle = services.lifecycle.clone();
        lifecycle.spawn(async move {
            if let Err(error) = Box::pin(carry(&services, actions.as_ref(), id, orphan)).await {
                tracing::warn!(operation = %id, %error, "an operation was left; it is taken up when its lease is over");
            }
            drop(slot);
            // A place on the server is free for what waits for one.
            if let Err(error) = ops::wake_queue(&services).await {
                tracing::debug!(%error, "the queue is read at the next poll");
            }
        });
    }
    Ok(())
}

/// Whether an operation was begun under an earlier claim.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Orphan {
    Yes,
    No,
}

async fn claim(services: &Services) -> Result<Option<(OperationId, Orphan)>> {
    let mut tx = services.db.begin().await?;
    if let Some(id) = store::claim_orphan(&mut tx, services.replica, LEASE).await? {
        tx.commit().await?;
        return Ok(Some((id, Orphan::Yes)));
    }
    let now = services.clock.now();
    let Some(id) = store::claim(&mut tx, services.replica, LEASE, now, MAX_PER_SERVER).await? else {
        return Ok(None);
    };
    ops::announce_state(&mut tx, now, id).await?;
    tx.commit().await?;
    Ok(Some((id, Orphan::No)))
}

/// Carries a claimed operation to its end.
#[tracing::instrument(name = "operation", skip_all, fields(operation = %id))]
async fn carry(services: &Services, actions: &dyn Actions, id: OperationId, orphan: Orphan) -> Result<()> {
    let Some(operation) = store::find(&mut *services.db.acquire().await?, id).await? else {
        // It was old, and is forgotten.
        return Ok(());
    };
    if orphan == Orphan::Yes && operation.sent_at.is_none() {
        tracing::info!("whoever had claimed it is gone and nothing was sent: queueing it again");
        return ops::requeue(services, &operation).await;
    }
    let lease = Lease { operation, cancelled: CancellationToken::new() };
    if lease.operation.cancel_requested_at.is_some() {
        lease.cancelled.cancel();
    }
    let attempt = async {
        match orphan {
            Orphan::No => execute::run(services, actions, &lease).await,
            Orphan::Yes => Ok(execute::find_out(services, actions, &lease).await),
        }
    };
    tokio::select! {
        attempt = attempt => match attempt? {
            Attempt::Ended(outcome) => conclude(services, actions, &lease, &outcome).await,
            Attempt::PutBack => ops::requeue(services, &lease.operation).await,
            Attempt::NotOurs => Ok(()),
        },
        // The attempt is dropped: another may be at it by now, and nothing more is ours to write.
        () = keep(services, &lease) => Ok(()),
    }
}

/// Keeps the lease and listens for a cancel. Ends when the lease is lost, or can no longer be told from a lost one.
async fn keep(services: &Services, lease: &Lease) {
    let id = lease.operation.id;
    let mut signals = services.bus.subscribe();
    let mut last_renewed = Instant::now();
    loop {
        let asked = Instant::now();
        match timeout(RENEW_WITHIN, renew(services, &lease.operation)).await {
            Ok(Ok(Renewal::Held { cancel_requested })) => {
                last_renewed = asked;
                if cancel_requested {
                    lease.cancelled.cancel();
                }
            }
            Ok(Ok(Renewal::Lost)) => return tracing::warn!("another replica has taken the operation over"),
            Ok(Err(error)) => tracing::warn!(%error, "cannot renew the lease of an operation; trying again"),
            Err(_) => {
                tracing::warn!("the database is too slow to renew the lease of an operation; trying again");
            }
        }
        if last_renewed.elapsed() >= LOST_AFTER {
            return tracing::warn!(
                "the lease of an operation could not be renewed in time; leaving it to another"
            );
        }
        let patience = if last_renewed == asked { RENEW_EVERY } else { RENEW_EVERY / 4 };
        signals.wait_for(patience, |signal| signal == Signal::Operation(id)).await;
    }
}

async fn renew(services: &Services, operation: &Operation) -> Result<Renewal> {
    store::renew(&mut *services.db.acquire().await?, operation, LEASE).await
}

/// Writes the end; tries again while the lease holds, because what happened must not be forgotten.
async fn conclude(
    services: &Services,
    actions: &dyn Actions,
    lease: &Lease,
    outcome: &Outcome,
) -> Result<()> {
    let held = async {
        loop {
            match actions.conclude(&lease.operation, outcome).await {
                Ok(()) => return,
                Err(error) => tracing::warn!(%error, "cannot write how an operation ended; trying again"),
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    };
    tokio::select! {
        () = held => {}
        () = keep(services, lease) => {}
    }
    Ok(())
}
