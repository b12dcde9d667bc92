//! The Docker Engines of many hosts, over SSH.
//!
//! Two ways lead to an engine: a stream that sshd forwards to its socket (0.4 ms, and any number at once), or, where that is not
//! allowed or the engine is elsewhere, `docker system dial-stdio` run on the host (17 ms, and each takes one of the host's
//! sessions). Which one works is remembered with the client of a host.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use super::{Dial, Docker, Error, Pace, Stream};
use crate::{
    platform::Lifecycle,
    remote::{
        host::{self, Endpoint, Look, Probe, SocketState},
        ssh::{self, Command, Exit, HostId, RemotePath, RunLimits, Sharing, Target, text::clean},
    },
};

/// Clients that are kept. Beyond it one is dropped, which costs its host's next question two round trips.
const CLIENTS_MAX: usize = 4096;
const ASK_LIMITS: RunLimits = RunLimits { time: Duration::from_secs(15), output_bytes: 16 * 1024 };

/// Clients by host. Clones share them.
#[derive(Clone)]
pub struct Engines {
    ssh: ssh::Engine,
    lifecycle: Lifecycle,
    clients: Arc<Mutex<HashMap<HostId, (i64, Docker)>>>,
}

impl Engines {
    pub fn new(ssh: ssh::Engine, lifecycle: Lifecycle) -> Self {
        Self { ssh, lifecycle, clients: Arc::default() }
    }

    /// The client of a host's engine. Nothing is asked of the host yet.
    pub fn of(&self, target: &Target) -> Docker {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((revision, docker)) = clients.get(&target.host)
            && *revision == target.revision
        {
            return docker.clone();
        }
        if clients.len() >= CLIENTS_MAX
            && let Some(any) = clients.keys().next().copied()
        {
            clients.remove(&any);
        }
        let dial = OverSsh { ssh: self.ssh.clone(), target: target.clone(), known: Mutex::default() };
        let docker = Docker::new(Arc::new(dial), self.lifecycle.clone());
        clients.insert(target.host, (target.revision, docker.clone()));
        docker
    }

    /// Drops what is kept of a host.
    pub fn forget(&self, host: HostId) {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).remove(&host);
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Route {
    Socket(RemotePath),
    Command,
}

struct OverSsh {
    ssh: ssh::Engine,
    target: Target,
    known: Mutex<Option<Route>>,
}

#[async_trait]
impl Dial for OverSsh {
    async fn dial(&self, pace: Pace) -> Result<Stream, Error> {
        let sharing = match pace {
            Pace::Prompt => Sharing::Shared,
            Pace::Callers => Sharing::Own,
        };
        if let Some(route) = self.known() {
            match self.open(&route, sharing).await {
                Err(ssh::Error::ChannelRefused { .. }) => self.remember(None),
                opened => return Ok(opened?),
            }
        }
        self.discover(sharing).await
    }

    /// The engine may have moved, and a command that ended told nobody why: its words are on stderr.
    async fn diagnose(&self) -> Option<Error> {
        let route = self.known();
        self.remember(None);
        if route != Some(Route::Command) {
            return None;
        }
        let question = Command::new("docker").args(["version", "--format", "{{.Server.Version}}"]);
        let said = self.ssh.run(&self.target, &question, ASK_LIMITS).await.ok()?;
        let code = match said.exit {
            Exit::Status(code) => Some(code),
            Exit::Signal(_) => None,
        };
        Error::from_words(&String::from_utf8_lossy(&said.stderr), code)
    }
}

impl OverSsh {
    async fn discover(&self, sharing: Sharing) -> Result<Stream, Error> {
        let probe = host::probe(&self.ssh, &self.target, Look::Quick).await?;
        let mut route = choose(&probe)?;
        let mut opened = self.open(&route, sharing).await;
        if matches!(opened, Err(ssh::Error::ChannelRefused { .. })) && probe.has_binary {
            route = Route::Command;
            opened = self.open(&route, sharing).await;
        }
        match opened {
            Ok(stream) => {
                self.remember(Some(route));
                Ok(stream)
            }
            Err(ssh::Error::ChannelRefused { detail, .. }) => Err(Error::Down(detail)),
            Err(error) => Err(error.into()),
        }
    }

    async fn open(&self, route: &Route, sharing: Sharing) -> Result<Stream, ssh::Error> {
        let stream = match route {
            Route::Socket(path) => self.ssh.open_unix(&self.target, path, sharing).await?,
            Route::Command => {
                let command = Command::new("docker").args(["system", "dial-stdio"]);
                self.ssh.open_command(&self.target, &command, sharing).await?
            }
        };
        Ok(Box::new(stream))
    }

    fn known(&self) -> Option<Route> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, route: Option<Route>) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = route;
    }
}

/// The way to try first, or why there is none.
fn choose(probe: &Probe) -> Result<Route, Error> {
    match (&probe.endpoint, probe.has_binary) {
        (Endpoint::Socket { path, state: SocketState::Open }, _) => match path.parse() {
            Ok(path) => Ok(Route::Socket(path)),
            Err(_) => Ok(Route::Command),
        },
        (Endpoint::Socket { path, state: SocketState::Denied }, _) => {
            let group = if probe.in_docker_group { "" } else { "; this account is not in the group docker" };
            Err(Error::Denied([clean(path).as_str(), group].concat()))
        }
        (Endpoint::Socket { path, state: SocketState::Absent }, true) => {
            Err(Error::Down(["there is no socket at ", &clean(path)].concat()))
        }
        (Endpoint::Elsewhere, true) => Ok(Route::Command),
        (Endpoint::Socket { .. } | Endpoint::Elsewhere, false) => Err(Error::Missing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_follows_from_what_the_host_says() {
        let socket = |state| Endpoint::Socket { path: "/run/d.sock".to_owned(), state };
        let way = |endpoint, has_binary| {
            let probe = Probe { uptime: None, has_binary, endpoint, in_docker_group: false, compose: None };
            choose(&probe).map_err(|error| error.reason())
        };
        let by_socket = || Ok(Route::Socket("/run/d.sock".parse().unwrap()));
        assert_eq!(way(socket(SocketState::Open), true), by_socket());
        assert_eq!(way(socket(SocketState::Open), false), by_socket());
        assert_eq!(way(socket(SocketState::Denied), true), Err(Some("docker_denied")));
        assert_eq!(way(socket(SocketState::Denied), false), Err(Some("docker_denied")));
        assert_eq!(way(socket(SocketState::Absent), true), Err(Some("docker_down")));
        assert_eq!(way(socket(SocketState::Absent), false), Err(Some("docker_missing")));
        assert_eq!(way(Endpoint::Elsewhere, true), Ok(Route::Command));
        assert_eq!(way(Endpoint::Elsewhere, false), Err(Some("docker_missing")));
    }
}
