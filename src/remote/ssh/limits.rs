//! How long to wait and how much to hold, in one place.

use std::time::Duration;

/// Bounds for everything that depends on a host. The defaults suit a fleet on a LAN or across the world.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Looking up the name and connecting, over all its addresses.
    pub connect: Duration,
    /// Version, key exchange and host key.
    pub handshake: Duration,
    pub auth: Duration,
    /// Opening a channel, and each answer to a request on it.
    pub channel: Duration,
    /// From the request to run a command to its begin: the account's start-up files run in between, and can hang.
    pub shell: Duration,
    /// Waiting in line for a session while all are taken.
    pub queue: Duration,
    /// A connection that nobody uses is closed after this time.
    pub idle: Duration,
    /// Nothing heard for this long: ask. Three questions without an answer: the connection is dead.
    pub keepalive: Duration,
    /// Shared connections to one host, per lane.
    pub connections_per_host: usize,
    /// Connections of their own for streams to one host. See [`Sharing::Own`](super::Sharing).
    pub own_connections_per_host: usize,
    /// Sessions on one connection; sshd's `MaxSessions` is 10 unless set. Where a host allows fewer, that is learned.
    pub sessions_per_connection: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            handshake: Duration::from_secs(10),
            auth: Duration::from_secs(15),
            channel: Duration::from_secs(10),
            shell: Duration::from_secs(15),
            queue: Duration::from_secs(30),
            idle: Duration::from_mins(5),
            keepalive: Duration::from_secs(15),
            connections_per_host: 4,
            own_connections_per_host: 32,
            sessions_per_connection: 10,
        }
    }
}

/// Bounds for one short command.
#[derive(Clone, Copy, Debug)]
pub struct RunLimits {
    pub time: Duration,
    /// Of stdout and stderr together.
    pub output_bytes: usize,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self { time: Duration::from_secs(30), output_bytes: 1024 * 1024 }
    }
}
