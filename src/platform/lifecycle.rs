//! Every task of the process, and its end.
//!
//! Nothing is spawned but through [`Lifecycle::spawn`], so that shutdown can ask all tasks to stop, wait for them for a
//! bounded time, and say how many did not. A task that should end early listens to [`Lifecycle::stopping`].

use std::{future::Future, time::Duration};

use tokio::{runtime::Handle, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A cheap handle on the process's tasks; clones share them.
#[derive(Clone, Debug)]
pub struct Lifecycle {
    tasks: TaskTracker,
    stop: CancellationToken,
    runtime: Handle,
}

impl Lifecycle {
    /// Tasks will run on the runtime that this is called in. HTTP workers have runtimes of their own, each of one thread:
    /// what a request starts must outlive the request's worker and not share its thread.
    #[expect(clippy::new_without_default, reason = "it needs a running runtime, which a default should not")]
    pub fn new() -> Self {
        Self { tasks: TaskTracker::new(), stop: CancellationToken::new(), runtime: Handle::current() }
    }

    /// Runs `task` to its end, or to the end of the process's grace time.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tasks.spawn_on(task, &self.runtime)
    }

    /// Ends as soon as shutdown has begun.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// A token that is cancelled when shutdown begins, for handing to engines that have their own way of waiting.
    pub fn token(&self) -> CancellationToken {
        self.stop.child_token()
    }

    /// Runs `work` until it ends or shutdown begins; `None` in the latter case.
    pub async fn until_stopping<F: Future>(&self, work: F) -> Option<F::Output> {
        self.stop.run_until_cancelled(work).await
    }

    /// Asks every task to stop and waits for them, at most `grace`. Returns how many were still running.
    pub async fn shutdown(&self, grace: Duration) -> usize {
        self.stop.cancel();
        self.tasks.close();
        match tokio::time::timeout(grace, self.tasks.wait()).await {
            Ok(()) => 0,
            Err(_) => self.tasks.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn shutdown_waits_for_tasks_that_listen() {
        let lifecycle = Lifecycle::new();
        let inner = lifecycle.clone();
        let task = lifecycle.spawn(async move { inner.stopping().await });
        assert_eq!(lifecycle.shutdown(Duration::from_secs(5)).await, 0);
        task.await.unwrap();
    }

    #[tokio::test]
    async fn shutdown_counts_tasks_that_do_not() {
        let lifecycle = Lifecycle::new();
        let _task = lifecycle.spawn(std::future::pending::<()>());
        assert_eq!(lifecycle.shutdown(Duration::from_millis(10)).await, 1);
    }
}
