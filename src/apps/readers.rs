//! How many read the output of containers at once: each holds streams of its host, up to sixteen.

use crate::{
    platform::{
        Error, Result,
        id::{ServerId, UserId},
    },
    web::seats::{Seat, Seats},
};

const MAX_READERS: usize = 200;
const MAX_READERS_OF_ONE: usize = 20;
const MAX_READERS_ON_ONE_HOST: usize = 20;

/// The readers of this process. Clones share them.
#[derive(Clone, Debug)]
pub struct LogReaders {
    accounts: Seats<UserId>,
    hosts: Seats<ServerId>,
}

/// Given back when it is dropped.
#[derive(Debug)]
pub(super) struct LogSeat {
    _account: Seat<UserId>,
    _host: Seat<ServerId>,
}

impl Default for LogReaders {
    fn default() -> Self {
        Self {
            accounts: Seats::new(MAX_READERS, MAX_READERS_OF_ONE),
            hosts: Seats::new(MAX_READERS, MAX_READERS_ON_ONE_HOST),
        }
    }
}

impl LogReaders {
    pub(super) fn admit(&self, user: UserId, server: ServerId) -> Result<LogSeat> {
        let full = || {
            let detail = "too many logs are being read: close some, or try again later";
            Error::unavailable("logs.too_many_readers", detail)
        };
        let account = self.accounts.take(user).ok_or_else(full)?;
        let host = self.hosts.take(server).ok_or_else(full)?;
        Ok(LogSeat { _account: account, _host: host })
    }
}
