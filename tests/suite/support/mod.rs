//! What the tests share.

pub mod api;
pub mod postgres;

use std::{future::Future, time::Duration};

use tokio::time::{Instant, sleep};

/// Waits until `condition` gives something, for at most `within`; `what` says what was waited for.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    within: Duration,
    mut condition: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(Instant::now() < deadline, "{what}: not within {within:?}");
        sleep(Duration::from_millis(10)).await;
    }
}
