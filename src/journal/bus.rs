//! `LISTEN/NOTIFY`, fanned out to the tasks of this process.
//!
//! A signal only wakes: whoever hears one reads the database, and reads it from time to time without one, because a
//! notification may be lost with a connection. After a lost connection every listener is woken once.

use std::{fmt, str::FromStr, time::Duration};

use sqlx::{PgPool, postgres::PgListener};
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::platform::{
    Lifecycle,
    id::{OperationId, UserId},
};

pub(super) const CHANNEL: &str = "quaymaster";
/// A listener that lags further behind is told so and reads the database.
const BUFFERED_SIGNALS: usize = 1024;
const RECONNECT_AFTER: Duration = Duration::from_secs(1);

/// What may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// An event with this id was written.
    Event(i64),
    /// An operation is waiting to be claimed.
    Queue,
    /// An operation changed state, or was asked to end.
    Operation(OperationId),
    /// An operation has more output.
    Output(OperationId),
    /// A session of this user ended, or the user's rights changed.
    Access(UserId),
    /// Anything: the connection was lost for a while.
    Everything,
}

impl fmt::Display for Signal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(id) => write!(formatter, "event {id}"),
            Self::Queue => formatter.write_str("queue -"),
            Self::Operation(id) => write!(formatter, "operation {id}"),
            Self::Output(id) => write!(formatter, "output {id}"),
            Self::Access(id) => write!(formatter, "access {id}"),
            Self::Everything => formatter.write_str("everything -"),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("not a signal")]
pub struct NotASignal;

impl FromStr for Signal {
    type Err = NotASignal;

    fn from_str(text: &str) -> Result<Self, NotASignal> {
        let (name, value) = text.split_once(' ').ok_or(NotASignal)?;
        let id = || value.parse::<Uuid>().map_err(|_| NotASignal);
        match name {
            "event" => value.parse().map(Self::Event).map_err(|_| NotASignal),
            "queue" => Ok(Self::Queue),
            "operation" => id().map(|id| Self::Operation(OperationId(id))),
            "output" => id().map(|id| Self::Output(OperationId(id))),
            "access" => id().map(|id| Self::Access(UserId(id))),
            "everything" => Ok(Self::Everything),
            _ => Err(NotASignal),
        }
    }
}

/// The signals of all replicas, for any number of listeners here.
#[derive(Clone, Debug)]
pub struct Bus {
    sender: broadcast::Sender<Signal>,
}

impl Bus {
    /// Starts listening; returns at once.
    pub fn start(db: PgPool, lifecycle: &Lifecycle) -> Self {
        let bus = Self { sender: broadcast::channel(BUFFERED_SIGNALS).0 };
        let (task, inner) = (bus.clone(), lifecycle.clone());
        lifecycle.spawn(async move { inner.until_stopping(task.listen_for_ever(db)).await });
        bus
    }

    pub fn subscribe(&self) -> Subscription {
        Subscription { receiver: self.sender.subscribe() }
    }

    async fn listen_for_ever(&self, db: PgPool) {
        loop {
            if let Err(error) = self.listen(&db).await {
                tracing::warn!(%error, "lost the notification connection; reading by polling until it is back");
            }
            tokio::time::sleep(RECONNECT_AFTER).await;
        }
    }

    async fn listen(&self, db: &PgPool) -> sqlx::Result<()> {
        let mut listener = PgListener::connect_with(db).await?;
        listener.listen(CHANNEL).await?;
        self.send(Signal::Everything);
        loop {
            // Nothing: the connection was lost and made again. What a newer replica beside this one says may be unknown.
            let signal =
                listener.try_recv().await?.map_or(Ok(Signal::Everything), |note| note.payload().parse());
            if let Ok(signal) = signal {
                self.send(signal);
            }
        }
    }

    /// Nobody listening is fine.
    fn send(&self, signal: Signal) {
        drop(self.sender.send(signal));
    }
}

/// A listener's place.
#[derive(Debug)]
pub struct Subscription {
    receiver: broadcast::Receiver<Signal>,
}

impl Subscription {
    /// The next signal. One who was too slow hears [`Signal::Everything`].
    pub async fn next(&mut self) -> Signal {
        match self.receiver.recv().await {
            Ok(signal) => signal,
            Err(broadcast::error::RecvError::Lagged(_)) => Signal::Everything,
            // The bus is gone with the process.
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }

    /// Waits until `wanted` may have happened, at most `patience`.
    pub async fn wait_for(&mut self, patience: Duration, wanted: impl Fn(Signal) -> bool) {
        let wait = async {
            loop {
                let signal = self.next().await;
                if signal == Signal::Everything || wanted(signal) {
                    return;
                }
            }
        };
        // Running out of patience is as good as a signal: the caller looks again.
        drop(tokio::time::timeout(patience, wait).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_survive_the_wire() {
        let id = Uuid::now_v7();
        for signal in [
            Signal::Event(42),
            Signal::Queue,
            Signal::Operation(OperationId(id)),
            Signal::Output(OperationId(id)),
            Signal::Access(UserId(id)),
            Signal::Everything,
        ] {
            assert_eq!(signal.to_string().parse::<Signal>().unwrap(), signal);
        }
        assert!("operation x".parse::<Signal>().is_err());
    }
}
