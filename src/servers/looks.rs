//! Probes that are asked for now: one at a time for each server, however many ask.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::watch;

use super::ops;
use crate::{platform::id::ServerId, services::Services};

/// The probes under way in this process because somebody asked. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Looks {
    under_way: Arc<Mutex<HashMap<ServerId, watch::Receiver<()>>>>,
}

impl Looks {
    /// Probes, or joins the probe that is under way, and returns when it is written down. One that fails on our side is
    /// logged and leaves the server as it was. Goes on when the asker goes away: others may have joined.
    pub(super) async fn look(&self, services: &Services, server: ServerId) {
        let mut done = self.join(services, server);
        // The sender never sends: it is dropped at the end.
        while done.changed().await.is_ok() {}
    }

    fn join(&self, services: &Services, server: ServerId) -> watch::Receiver<()> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(done) = under_way.get(&server) {
            return done.clone();
        }
        let (sender, done) = watch::channel(());
        under_way.insert(server, done.clone());
        let ending = Ending { looks: self.clone(), server, _sender: sender };
        let inner = services.clone();
        services.lifecycle.spawn(async move {
            let _ending = ending;
            let probe = Box::pin(ops::probe(&inner, server));
            if let Some(Err(error)) = inner.lifecycle.until_stopping(probe).await {
                tracing::warn!(%server, %error, "a probe failed on our side; it is due again soon");
            }
        });
        done
    }
}

/// Also when the task is dropped in the middle: who comes next starts anew.
struct Ending {
    looks: Looks,
    server: ServerId,
    _sender: watch::Sender<()>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.looks.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.server);
    }
}
