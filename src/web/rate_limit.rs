//! How many requests one caller may make: a token bucket per key (GCRA), in this process.
//!
//! The limit keeps one caller from taking the service away from the others; guessing passwords has a limit of its own
//! that all replicas share, see `identity`.

use std::{num::NonZeroU32, time::Duration};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock, clock::DefaultClock};

use crate::platform::{Error, Result};

/// Above this many keys, those that are full again are forgotten.
const SWEEP_AT_KEYS: usize = 10_000;

/// Counts by a key in text form: `address 192.0.2.1`, `user …`.
pub struct Limiter {
    buckets: DefaultKeyedRateLimiter<String>,
    clock: DefaultClock,
}

impl Limiter {
    /// `requests` at once, and as many again spread over each `window`.
    pub fn new(requests: NonZeroU32, window: Duration) -> Self {
        let each = window.checked_div(requests.get()).filter(|each| !each.is_zero());
        let quota = each.and_then(Quota::with_period).map_or_else(
            || Quota::per_second(requests).allow_burst(requests),
            |quota| quota.allow_burst(requests),
        );
        Self { buckets: RateLimiter::keyed(quota), clock: DefaultClock::default() }
    }

    /// Counts one request of `key`, or says after how many seconds the next is welcome.
    pub fn check(&self, key: &str) -> Result<()> {
        if self.buckets.len() > SWEEP_AT_KEYS {
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
    fn one_caller_over_the_limit_does_not_touch_another() {
        let limiter = Limiter::new(NonZeroU32::new(3).unwrap(), Duration::from_secs(3600));
        for _ in 0..3 {
            limiter.check("a").unwrap();
        }
        assert!(limiter.check("a").is_err());
        assert!(limiter.check("b").is_ok());
    }
}
