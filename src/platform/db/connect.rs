//! Waiting for a server that is starting, and for nothing else: a wrong password does not become right by waiting.

use std::{io::ErrorKind, time::Duration};

use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use tokio::time::{Instant, sleep, timeout};

use super::DbError;
use crate::platform::Lifecycle;

/// A Postgres in the container beside ours initialises itself in this time, also on a slow disk.
const START_WITHIN: Duration = Duration::from_mins(1);
const ATTEMPT_WITHIN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(250);

/// Returns when a connection could be made.
pub(super) async fn await_server(options: &PgConnectOptions, lifecycle: &Lifecycle) -> Result<(), DbError> {
    lifecycle.until_stopping(try_until_up(options, START_WITHIN)).await.ok_or(DbError::Stopped)?
}

async fn try_until_up(options: &PgConnectOptions, within: Duration) -> Result<(), DbError> {
    let deadline = Instant::now() + within;
    let mut told = false;
    loop {
        let error = match try_once(options).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if !may_be_starting(&error) || Instant::now() >= deadline {
            return Err(failed(options, error));
        }
        if !told {
            tracing::info!(at = place(options), %error, "waiting for the database");
            told = true;
        }
        sleep(PAUSE).await;
    }
}

async fn try_once(options: &PgConnectOptions) -> sqlx::Result<()> {
    connect(options).await?.close().await
}

/// A connection, within a time that also a server far away keeps.
pub(super) async fn connect(options: &PgConnectOptions) -> sqlx::Result<PgConnection> {
    timeout(ATTEMPT_WITHIN, options.connect()).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Refused, not there yet, not in the DNS yet, or saying itself that it starts.
fn may_be_starting(error: &sqlx::Error) -> bool {
    /// `cannot_connect_now`, PostgreSQL documentation, appendix A.
    const STARTING: &str = "57P03";
    match error {
        // A certificate that is refused is invalid data, and stays so.
        sqlx::Error::Io(error) => !matches!(
            error.kind(),
            ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::PermissionDenied
        ),
        sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(error) => error.code().as_deref() == Some(STARTING),
        _ => false,
    }
}

pub(super) fn failed(options: &PgConnectOptions, cause: sqlx::Error) -> DbError {
    DbError::Connect { at: place(options), cause }
}

/// Where it is, without who and with which password.
fn place(options: &PgConnectOptions) -> String {
    let name = options.get_database().unwrap_or_default();
    match options.get_socket() {
        Some(folder) => format!("{}/{name}", folder.display()),
        None => format!("{}:{}/{name}", options.get_host(), options.get_port()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_never_comes_is_given_up_by_name() {
        let closed = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let options = PgConnectOptions::new().host("127.0.0.1").port(closed).database("x").password("canary");
        let error = try_until_up(&options, Duration::ZERO).await.unwrap_err().to_string();
        assert!(error.contains(&format!("127.0.0.1:{closed}/x")), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }

    #[tokio::test]
    async fn shutdown_ends_the_wait() {
        let lifecycle = Lifecycle::new();
        lifecycle.shutdown(Duration::ZERO).await;
        let options = PgConnectOptions::new().socket("/nowhere");
        assert!(matches!(await_server(&options, &lifecycle).await, Err(DbError::Stopped)));
    }
}
