//! One reading of the table for all readers of this process.

use std::{sync::Arc, time::Duration};

use tokio::sync::broadcast;

use super::{Event, store};
use crate::{
    journal::{Signal, Subscription},
    platform::{Error, Result, id::UserId},
    services::Services,
    web::seats::{Seat, Seats},
};

/// Events that a reader may be behind before it is sent away; all readers share this buffer.
const BUFFERED_EVENTS: usize = 1024;
const MAX_READERS: usize = 1000;
/// Browser tabs and a few scripts.
const MAX_READERS_OF_ONE: usize = 50;
const BATCH: i64 = 500;
/// Signals wake; this is for those that are lost.
const LOOK_EVERY: Duration = Duration::from_secs(3);
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The live events, for any number of readers here. Clones share it.
#[derive(Clone)]
pub struct Feed {
    sender: broadcast::Sender<Arc<Event>>,
    seats: Seats<UserId>,
}

impl Feed {
    /// Starts reading. What is committed after this returned reaches every reader that subscribed before.
    pub async fn start(services: &Services) -> Result<Self> {
        let signals = services.bus.subscribe();
        let mut db = services.db.acquire().await?;
        let position = store::kept(&mut db).await?.map_or(0, |kept| kept.last);
        drop(db);
        let seats = Seats::new(MAX_READERS, MAX_READERS_OF_ONE);
        let feed = Self { sender: broadcast::channel(BUFFERED_EVENTS).0, seats };
        let (task, inner) = (feed.clone(), services.clone());
        services.lifecycle.spawn(async move {
            inner.lifecycle.until_stopping(task.read_for_ever(&inner, signals, position)).await
        });
        Ok(feed)
    }

    /// Events from now on, and the place that is taken while they are read.
    pub(super) fn subscribe(&self, user: UserId) -> Result<(broadcast::Receiver<Arc<Event>>, Seat<UserId>)> {
        let seat = self.seats.take(user).ok_or_else(|| {
            let detail = "too many event streams are open: close some, or try again later";
            Error::unavailable("events.too_many_readers", detail)
        })?;
        Ok((self.sender.subscribe(), seat))
    }

    async fn read_for_ever(&self, services: &Services, mut signals: Subscription, mut position: i64) {
        loop {
            if let Err(error) = self.read(services, &mut position).await {
                tracing::warn!(%error, "events cannot be read; trying again");
                tokio::time::sleep(RETRY_AFTER).await;
                continue;
            }
            signals.wait_for(LOOK_EVERY, |signal| matches!(signal, Signal::Event(_))).await;
        }
    }

    /// Everything there is after `position`, which it moves.
    async fn read(&self, services: &Services, position: &mut i64) -> Result<()> {
        loop {
            let mut db = services.db.acquire().await?;
            let batch = store::after(&mut db, *position, BATCH).await?;
            drop(db);
            for event in batch.events {
                // Nobody reading is fine.
                drop(self.sender.send(Arc::new(event)));
            }
            *position = batch.last.unwrap_or(*position);
            if !batch.is_full {
                return Ok(());
            }
        }
    }
}
