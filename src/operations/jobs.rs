//! What runs for as long as the process: the worker.

use std::sync::Arc;

use super::{Actions, worker};
use crate::services::Services;

/// Starts taking operations from the queue.
pub fn start(services: &Services, actions: Arc<dyn Actions>) {
    services.lifecycle.spawn(worker::work(services.clone(), actions));
}
