//! What runs beside the requests: the worker, and forgetting what is old.

use std::sync::Arc;

use chrono::TimeDelta;

use super::{Actions, store, worker};
use crate::{platform::Result, services::Services};

/// How long records are kept. The audit log keeps what was done for longer.
const KEEP_RECORDS: TimeDelta = TimeDelta::days(90);
const KEEP_OUTPUT: TimeDelta = TimeDelta::days(30);
/// So that a sweep never holds rows for long.
const AT_ONCE: i64 = 200;

/// Starts taking operations from the queue.
pub fn start(services: &Services, actions: Arc<dyn Actions>) {
    services.lifecycle.spawn(worker::work(services.clone(), actions));
}

/// Forgets old records and old output.
pub async fn sweep(services: Services) -> Result<()> {
    let now = services.clock.now();
    let mut db = services.db.acquire().await?;
    while store::delete_old(&mut db, now - KEEP_RECORDS, AT_ONCE).await? > 0 {}
    while store::delete_old_output(&mut db, now - KEEP_OUTPUT, AT_ONCE).await? > 0 {}
    Ok(())
}
