//! Attempts at a password: counted as failed before it is looked at, and taken back when it was right.

use std::{net::IpAddr, time::Duration};

use chrono::TimeDelta;
use tokio::time::{Instant, sleep};

use super::super::{store, throttle};
use crate::{
    platform::{Error, Result, Timestamp, id::UserId},
    services::Services,
    web::client::network,
};

/// An account's owner is known where it signed in from within this time.
const KNOWN_FOR: TimeDelta = TimeDelta::days(30);
/// Attempts that wait only for the outcome of others, which may be right, are held back this long.
const PATIENCE: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// One attempt that was let through. Its outcome is to be told.
pub(super) struct Attempt {
    counted: Vec<Counted>,
}

struct Counted {
    counter: throttle::Counter,
    /// The wait that it brought upon those who come next.
    block: Option<Timestamp>,
}

/// Why an attempt is not let through.
enum Held {
    /// By failures: for so many seconds.
    Blocked(u64),
    /// By attempts that are still being looked at.
    Undecided(u64),
}

impl Attempt {
    /// Counts an attempt at the account that goes by `name`, `user` if there is one. 429 while there were too many.
    pub async fn begin(
        services: &Services,
        name: &str,
        user: Option<UserId>,
        address: Option<IpAddr>,
    ) -> Result<Self> {
        let mut counters = throttle::counters(name, address).to_vec();
        if is_at_home(services, user, address).await? {
            counters.retain(|counter| !counter.is_of_account());
        }
        // One order for all, so that no two wait for each other.
        counters.sort_by(|a, b| a.key.cmp(&b.key));
        let until = Instant::now() + PATIENCE;
        loop {
            match Self::count(services, &counters).await? {
                Ok(attempt) => return Ok(attempt),
                Err(Held::Undecided(_)) if Instant::now() < until => sleep(LOOK_EVERY).await,
                Err(Held::Undecided(wait) | Held::Blocked(wait)) => {
                    return Err(Error::too_many_requests("auth.too_many_failures", wait));
                }
            }
        }
    }

    /// All or none: the rows stay locked until they are written, so that many at once come one after the other.
    async fn count(services: &Services, counters: &[throttle::Counter]) -> Result<Result<Self, Held>> {
        let mut tx = services.db.begin().await?;
        let now = services.clock.now();
        let mut counted = vec![];
        for counter in counters {
            let count = store::count_attempt(&mut tx, &counter.key, now, throttle::MEMORY).await?;
            if let Some(until) = count.blocked_until.filter(|until| *until > now) {
                let wait = u64::try_from((until - now).num_seconds()).unwrap_or(0) + 1;
                // One of the pending is this one.
                return Ok(Err(if count.pending > 1 { Held::Undecided(wait) } else { Held::Blocked(wait) }));
            }
            let wait = counter.wait(count.failures);
            let block = (!wait.is_zero()).then(|| now + wait);
            if let Some(until) = block {
                store::block(&mut tx, &counter.key, until).await?;
            }
            counted.push(Counted { counter: counter.clone(), block });
        }
        tx.commit().await?;
        Ok(Ok(Self { counted }))
    }

    /// It was right. To be called in the transaction that acts on it.
    pub async fn succeeded(&self, db: &mut sqlx::PgConnection) -> Result<()> {
        for Counted { counter, block } in &self.counted {
            if counter.is_cleared_by_success() {
                store::clear_failures(db, &counter.key).await?;
            } else {
                store::take_back_attempt(db, &counter.key, *block).await?;
            }
        }
        Ok(())
    }

    /// It was wrong, as it was counted. To be called in the transaction that writes it down.
    pub async fn failed(&self, db: &mut sqlx::PgConnection) -> Result<()> {
        for Counted { counter, .. } in &self.counted {
            store::decide_attempt(db, &counter.key).await?;
        }
        Ok(())
    }

    /// The password could not be looked at: nobody learned anything.
    pub async fn abandoned(&self, services: &Services) -> Result<()> {
        let mut tx = services.db.begin().await?;
        for Counted { counter, block } in &self.counted {
            store::take_back_attempt(&mut tx, &counter.key, *block).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Guessing from elsewhere must not keep an owner out where it is known.
async fn is_at_home(services: &Services, user: Option<UserId>, address: Option<IpAddr>) -> Result<bool> {
    let (Some(user), Some(address)) = (user, address) else { return Ok(false) };
    let since = services.clock.now() - KNOWN_FOR;
    store::has_signed_in_from(&mut *services.db.acquire().await?, user, network(address), since).await
}
