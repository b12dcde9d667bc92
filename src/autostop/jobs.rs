//! The tick.

use crate::{apps::ops::run, platform::Result, services::Services};

/// Queues the stop of all apps that are due.
pub async fn stop_due(services: Services) -> Result<()> {
    // A batch a transaction: many at once neither hold locks for long nor wait for the next tick.
    while run::stop_due(&services).await? > 0 {}
    Ok(())
}
