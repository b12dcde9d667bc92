//! Trying a host step by step, for a person who wants to know what is wrong.

use std::time::{Duration, Instant};

use super::{connection, error::Error, host_key::HostKey, limits::Limits, target::Target, transport};

/// What came of each step. A step after one that failed was not tried.
#[derive(Clone, Debug)]
pub struct Check {
    pub tcp: Outcome,
    pub host_key: Outcome,
    pub auth: Outcome,
    /// The key that the host showed, trusted or not.
    pub offered: Option<HostKey>,
}

#[derive(Clone, Debug)]
pub enum Outcome {
    Passed { took: Duration },
    Failed { took: Duration, error: Error },
    NotTried,
}

impl Outcome {
    pub fn passed(&self) -> bool {
        matches!(self, Self::Passed { .. })
    }

    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::Failed { error, .. } => Some(error),
            Self::Passed { .. } | Self::NotTried => None,
        }
    }
}

impl Check {
    pub fn passed(&self) -> bool {
        self.tcp.passed() && self.host_key.passed() && self.auth.passed()
    }

    /// Why it did not pass.
    pub fn error(&self) -> Option<&Error> {
        [&self.tcp, &self.host_key, &self.auth].into_iter().find_map(Outcome::error)
    }
}

/// Over a new connection that is closed afterwards.
pub(super) async fn check(target: &Target, limits: &Limits) -> Check {
    let mut check =
        Check { tcp: Outcome::NotTried, host_key: Outcome::NotTried, auth: Outcome::NotTried, offered: None };
    let stream = take(&mut check.tcp, transport::dial(target, limits.connect)).await;
    let Some(stream) = stream else { return check };
    let connection = take(&mut check.host_key, connection::handshake(stream, target, limits)).await;
    check.offered = match check.host_key.error() {
        Some(Error::HostKeyUnknown { offered } | Error::HostKeyChanged { offered, .. }) => {
            Some(offered.clone())
        }
        Some(_) => None,
        None => target.host_key.clone(),
    };
    let Some(mut connection) = connection else { return check };
    take(&mut check.auth, connection::login(&mut connection, target, limits)).await;
    check
}

async fn take<T>(outcome: &mut Outcome, step: impl Future<Output = Result<T, Error>>) -> Option<T> {
    let begun = Instant::now();
    let result = step.await;
    let took = begun.elapsed();
    match result {
        Ok(value) => {
            *outcome = Outcome::Passed { took };
            Some(value)
        }
        Err(error) => {
            *outcome = Outcome::Failed { took, error };
            None
        }
    }
}
