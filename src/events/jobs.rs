//! Forgetting: events are for those who watch, the journal is for ever.

use chrono::TimeDelta;

use super::store;
use crate::{platform::Result, services::Services};

const KEPT_FOR: TimeDelta = TimeDelta::days(1);
/// So that no statement holds many rows for long.
const BATCH: i64 = 1000;
/// What is left is the next run's.
const BATCHES: usize = 200;

/// Removes what is older than a day. Any replica may run it, any number of times.
pub async fn sweep(services: &Services) -> Result<u64> {
    let before = services.clock.now() - KEPT_FOR;
    let mut gone = 0;
    for _ in 0..BATCHES {
        let mut db = services.db.acquire().await?;
        let batch = store::forget(&mut db, before, BATCH).await?;
        gone += batch;
        if batch == 0 {
            break;
        }
    }
    Ok(gone)
}
