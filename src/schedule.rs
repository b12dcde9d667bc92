//! Every periodic job and its cadence, on tokio-cron-scheduler.
//!
//! The scheduler is a metronome: each replica ticks, and a claimed row decides who acts. A job that takes longer than its
//! cadence skips ticks; one that fails says so and is tried at the next.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use crate::{
    apps, autostop, events, identity, operations,
    platform::{Result, claim, replica},
    servers,
    services::Services,
};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

/// Starts all of them; they end with the process.
pub async fn start(services: &Services) -> Result<(), JobSchedulerError> {
    let mut scheduler = JobScheduler::new().await?;
    let add = async |job: Result<Job, JobSchedulerError>| scheduler.add(job?).await;

    add(every(services, "replica", replica::HEARTBEAT_EVERY, Who::EachReplica, heartbeat)).await?;
    add(every(services, "autostop", SECOND, Who::EachReplica, autostop::jobs::stop_due)).await?;
    add(every(services, "apps", SECOND, Who::EachReplica, apps::jobs::refresh_due)).await?;
    add(every(services, "servers", SECOND, Who::EachReplica, servers::jobs::probe_due)).await?;
    add(every(services, "operations", HOUR, Who::One, operations::jobs::sweep)).await?;
    add(every(services, "sweep", HOUR, Who::One, sweep)).await?;

    scheduler.start().await?;
    let lifecycle = services.lifecycle.clone();
    services.lifecycle.spawn(async move {
        lifecycle.stopping().await;
        if let Err(error) = scheduler.shutdown().await {
            tracing::warn!(%error, "the timers did not stop");
        }
    });
    Ok(())
}

/// Who acts when a job is due.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    /// Every replica: the verb itself claims rows, or is about this replica.
    EachReplica,
    /// One of them.
    One,
}

fn every<V, F>(
    services: &Services,
    name: &'static str,
    cadence: Duration,
    who: Who,
    verb: V,
) -> Result<Job, JobSchedulerError>
where
    V: Fn(Services) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<()>> + Send + 'static,
{
    let (services, busy) = (services.clone(), Arc::new(AtomicBool::new(false)));
    Job::new_repeated_async(cadence, move |_, _| {
        let (services, busy, verb) = (services.clone(), busy.clone(), verb.clone());
        Box::pin(async move {
            if services.lifecycle.is_stopping() || busy.swap(true, Ordering::AcqRel) {
                return;
            }
            // Also when it panics: a job that is busy for ever would never run again.
            let _done = Done(busy);
            let run = act(services.clone(), name, cadence, who, verb);
            if let Some(Err(error)) = services.lifecycle.until_stopping(run).await {
                tracing::warn!(job = name, %error, "a periodic job failed; it is tried again when it is next due");
            }
        })
    })
}

/// Makes a job free for its next tick.
struct Done(Arc<AtomicBool>);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

async fn act<V, F>(services: Services, name: &str, cadence: Duration, who: Who, verb: V) -> Result<()>
where
    V: Fn(Services) -> F,
    F: Future<Output = Result<()>>,
{
    if who == Who::One {
        let mut db = services.db.acquire().await?;
        if !claim::claim(&mut db, name, services.replica, cadence).await? {
            return Ok(());
        }
    }
    verb(services).await
}

async fn heartbeat(services: Services) -> Result<()> {
    let mut db = services.db.acquire().await?;
    replica::heartbeat(&mut db, services.replica, env!("CARGO_PKG_VERSION")).await?;
    Ok(())
}

async fn sweep(services: Services) -> Result<()> {
    let gone = identity::ops::sessions::sweep(&services).await?;
    let events = events::jobs::sweep(&services).await?;
    let mut db = services.db.acquire().await?;
    let replicas = replica::forget_silent(&mut db).await?;
    tracing::debug!(gone, events, replicas, "swept");
    Ok(())
}
