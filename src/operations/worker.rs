//! Claiming operations and carrying them to their end.

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{
    Actions, LEASE, Lease, Outcome, RENEW_EVERY,
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
/// Without a signal the queue is read this often.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// Writing an end that cannot be written is tried again after this.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Takes operations from the queue until the process stops.
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
        });
    }
    Ok(())
}

/// Whether an operation was begun by a process of ours that is gone.
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
    let Some(id) = store::claim(&mut tx, services.replica, LEASE, services.clock.now()).await? else {
        return Ok(None);
    };
    ops::announce_state(&mut tx, services.clock.now(), id).await?;
    tx.commit().await?;
    Ok(Some((id, Orphan::No)))
}

/// Carries a claimed operation to its end.
#[tracing::instrument(name = "operation", skip_all, fields(operation = %id))]
async fn carry(services: &Services, actions: &dyn Actions, id: OperationId, orphan: Orphan) -> Result<()> {
    let Some(operation) = store::find(&mut *services.db.acquire().await?, id).await? else {
        // Its app was removed meanwhile, and it with it.
        return Ok(());
    };
    if orphan == Orphan::Yes && operation.sent_at.is_none() {
        tracing::info!("the Quaymaster that claimed it is gone and nothing was sent: queueing it again");
        return ops::requeue(services, id).await;
    }
    let lease = Lease { operation, cancelled: CancellationToken::new(), lost: CancellationToken::new() };
    let attempt = async {
        match orphan {
            Orphan::No => execute::run(services, actions, &lease).await,
            Orphan::Yes => execute::find_out(services, actions, &lease).await,
        }
    };
    tokio::select! {
        attempt = attempt => match attempt? {
            Attempt::Ended(outcome) => conclude(services, actions, &lease, &outcome).await,
            Attempt::NotOurs => Ok(()),
        },
        () = keep(services, &lease) => Ok(()),
    }
}

/// Keeps the lease and listens for a cancel. Ends when the lease is lost.
async fn keep(services: &Services, lease: &Lease) {
    let id = lease.operation.id;
    let mut signals = services.bus.subscribe();
    loop {
        match renew(services, id).await {
            Ok(Renewal::Held { cancel_requested: true }) => lease.cancelled.cancel(),
            Ok(Renewal::Held { cancel_requested: false }) => {}
            Ok(Renewal::Lost) => return lease.lost.cancel(),
            Err(error) => tracing::warn!(%error, "cannot renew the lease; trying again"),
        }
        signals.wait_for(RENEW_EVERY, |signal| signal == Signal::Operation(id)).await;
    }
}

async fn renew(services: &Services, id: OperationId) -> Result<Renewal> {
    store::renew(&mut *services.db.acquire().await?, id, services.replica, LEASE).await
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
