//! The real parts that tests run on, and waiting for them.

pub mod docker;
pub mod docker_host;

use std::{future::Future, time::Duration};

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Asks until the answer is `Some`; fails naming `what` when `limit` has passed.
pub async fn eventually<T, F>(what: &str, limit: Duration, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let mut look = tokio::time::interval(LOOK_EVERY);
    let asking = async {
        loop {
            look.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    tokio::time::timeout(limit, asking).await.unwrap_or_else(|_| panic!("not within {limit:?}: {what}"))
}
