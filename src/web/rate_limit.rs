//! How many requests one caller may make: a token bucket per key (GCRA), in this process.
//!
//! The limit keeps one caller from taking the service away from the others; guessing passwords has a limit of its own
//! that all replicas share, see `identity`.

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock, clock::DefaultClock};

use crate::platform::{Error, Result};

/// Above this many keys, those that are full again are forgotten.
const SWEEP_AT_KEYS: usize = 10_000;

/// Counts by a key in text form: `address 192.0.2.1`, `user …`.
pub struct Limiter {
    buckets: DefaultKeyedRateLimiter<String>,
    clock: DefaultClock,
    started: Instant,
    /// The second since the start at which the next sweep may begin.
    sweep_at: AtomicU64,
}

impl Limiter {
    /// `requests` at once, and as many again spread over each `window`.
    pub fn new(requests: NonZeroU32, window: Duration) -> Self {
        let each = window.checked_div(requests.get()).filter(|each| !each.is_zero());
        let quota = each.and_then(Quota::with_period).map_or_else(
            || Quota::per_second(requests).allow_burst(requests),
            |quota| quota.allow_burst(requests),
        );
        Self {
            buckets: RateLimiter::keyed(quota),
            clock: DefaultClock::default(),
            started: Instant::now(),
            sweep_at: AtomicU64::new(0),
        }
    }

    /// A sweep looks at every key: once in a second, and by one caller, is enough.
    fn may_sweep(&self) -> bool {
        let now = self.started.elapsed().as_secs();
        let due = self.sweep_at.load(Ordering::Relaxed);
        now >= due
            && self.sweep_at.compare_exchange(due, now + 1, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Counts one request of `key`, or says after how many seconds the next is welcome.
    pub fn check(&self, key: &str) -> Result<()> {
        if self.buckets.len() > SWEEP_AT_KEYS && self.may_sweep() {
            self.buckets.retain_recent();
        }
        self.buckets.check_key(&key.to_owned()).map_err(|refused| {
            let wait = refused.wait_time_from(self.clock.now());
            Error::too_many_requests("rate_limit.exceeded", wait.as_secs() + 1)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_callers_do_not_make_each_request_a_sweep() {
        let limiter = Limiter::new(NonZeroU32::new(3).unwrap(), Duration::from_hours(1));
        let began = Instant::now();
        let sweeps: u64 = (0..1000).map(|_| u64::from(limiter.may_sweep())).sum();
        assert!((1..=began.elapsed().as_secs() + 2).contains(&sweeps), "{sweeps}");
    }

    #[test]
    fn one_caller_over_the_limit_does_not_touch_another() {
        let limiter = Limiter::new(NonZeroU32::new(3).unwrap(), Duration::from_hours(1));
        for _ in 0..3 {
            limiter.check("a").unwrap();
        }
        assert!(limiter.check("a").is_err());
        assert!(limiter.check("b").is_ok());
    }
}
