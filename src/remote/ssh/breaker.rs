//! When to leave a host that is down alone: pure decisions, no clock and no chance of its own.

use std::time::{Duration, Instant};

use super::error::Error;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(1);
/// A wait is shortened by up to this share, so that many callers do not come back at one moment.
const JITTER: f64 = 0.2;

/// What is known from the last tries to connect.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    open: Option<(Instant, Error)>,
}

impl Breaker {
    /// `Err` while the host is left alone. What only a person can mend is told as itself: it stays true until the target
    /// changes, and trying it again would only fill the host's log, or get this machine banned.
    pub fn check(&self, now: Instant) -> Result<(), Error> {
        match &self.open {
            Some((until, error)) if now < *until => Err(if error.needs_a_person() {
                error.clone()
            } else {
                Error::BackingOff { retry_in: *until - now, cause: Box::new(error.clone()) }
            }),
            _ => Ok(()),
        }
    }

    /// `chance` from 0 to 1 moves the end of the wait.
    pub fn failed(&mut self, now: Instant, error: Error, chance: f64) {
        let doubled = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.open = Some((now + doubled.mul_f64(1.0 - JITTER * chance.clamp(0.0, 1.0)), error));
    }

    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Whether it holds nothing worth keeping.
    pub fn is_quiet(&self, now: Instant) -> bool {
        // Kept a while after its end, so that the next failure waits longer than this one.
        self.open.as_ref().is_none_or(|(until, _)| now > *until + LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Error {
        Error::TcpRefused { at: "127.0.0.1:1".to_owned() }
    }

    fn wait(breaker: &Breaker, now: Instant) -> Duration {
        match breaker.check(now) {
            Err(Error::BackingOff { retry_in, .. }) => retry_in,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_wait_doubles_from_a_second_to_a_minute() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..40 {
            breaker.failed(now, refused(), 0.0);
            waits.push(wait(&breaker, now).as_secs());
        }
        assert_eq!(waits[..8], [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(waits.last(), Some(&60));
    }

    #[test]
    fn chance_shortens_the_wait_by_a_fifth_at_most() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        breaker.failed(now, refused(), 1.0);
        assert_eq!(wait(&breaker, now), Duration::from_millis(800));
    }

    #[test]
    fn it_lets_through_when_the_wait_is_over_and_after_a_success() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        breaker.failed(now, refused(), 0.0);
        assert!(breaker.check(now + FIRST).is_ok());
        breaker.failed(now, refused(), 0.0);
        breaker.reset();
        assert!(breaker.check(now).is_ok());
        breaker.failed(now, refused(), 0.0);
        assert_eq!(wait(&breaker, now), FIRST);
    }

    #[test]
    fn what_a_person_must_mend_is_told_as_itself() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        let error = Error::AuthFailed { user: "a".into(), tried: "password", accepts: "publickey".into() };
        breaker.failed(now, error, 0.0);
        assert!(matches!(breaker.check(now), Err(Error::AuthFailed { .. })));
    }
}
