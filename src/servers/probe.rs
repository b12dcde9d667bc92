//! Looking at a machine: over SSH for itself, its Docker and its compose. Knows no rows.

use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::{
    platform::Timestamp,
    remote::{
        compose::Compose,
        docker::{self, EngineInfo},
        host::{self, Look},
        ssh::{self, Command, RunLimits, Step, Target},
    },
    services::Services,
};

/// A whole look, connecting included. Beyond it the host counts as not answering.
const LIMIT: Duration = Duration::from_secs(30);
const ECHO_LIMITS: RunLimits = RunLimits { time: Duration::from_secs(5), output_bytes: 1024 };

/// What a look found out.
#[derive(Debug)]
pub(super) struct Findings {
    pub began: Timestamp,
    /// Whether the machine lets us in and runs commands.
    pub ssh: Result<(), ssh::Error>,
    /// `None`: it was not asked.
    pub docker: Option<Result<EngineInfo, docker::Error>>,
    pub compose: ComposeFinding,
    pub uptime: Option<Duration>,
    pub latency: Option<Duration>,
    /// How long the machine's own answers took, and how long its Docker's.
    pub host_took: Duration,
    pub docker_took: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ComposeFinding {
    NotLookedFor,
    Missing,
    Found(Compose),
}

impl Findings {
    pub fn refused(began: Timestamp, error: ssh::Error) -> Self {
        let compose = ComposeFinding::NotLookedFor;
        Self {
            began,
            ssh: Err(error),
            docker: None,
            compose,
            uptime: None,
            latency: None,
            host_took: Duration::ZERO,
            docker_took: Duration::ZERO,
        }
    }

    /// The host key that the machine showed while it was not trusted.
    pub fn offered(&self) -> Option<&ssh::HostKey> {
        match self.ssh.as_ref().err().map(bare)? {
            ssh::Error::HostKeyUnknown { offered } | ssh::Error::HostKeyChanged { offered, .. } => {
                Some(offered)
            }
            // Any other failure comes before a key is shown, or after it is trusted.
            _ => None,
        }
    }
}

/// What was the matter when the breaker opened.
fn bare(error: &ssh::Error) -> &ssh::Error {
    match error {
        ssh::Error::BackingOff { cause, .. } => bare(cause),
        other => other,
    }
}

/// Looks now, over the shared connection.
pub(super) async fn look(services: &Services, target: &Target, what: Look) -> Findings {
    let began = services.clock.now();
    // A probe is how we find out that a host is back: its own rhythm is its back-off.
    services.ssh.reset(target.host);
    // On the heap: what asks is as large as all its engines' futures together.
    let found = Box::pin(async {
        match ask(services, target, what, began).await {
            // The connection was dead before: a reboot, say. What was asked changes nothing, so it may be asked again.
            Findings { ssh: Err(ssh::Error::Closed { .. }), .. } => ask(services, target, what, began).await,
            found => found,
        }
    });
    timeout(LIMIT, found).await.unwrap_or_else(|_| {
        Findings::refused(began, ssh::Error::Timeout { step: Step::Session, limit: LIMIT })
    })
}

async fn ask(services: &Services, target: &Target, what: Look, began: Timestamp) -> Findings {
    let start = Instant::now();
    let host = match host::probe(&services.ssh, target, what).await {
        Ok(host) => host,
        Err(error) => return Findings::refused(began, error),
    };
    let host_took = start.elapsed();
    let latency = latency(services, target).await;
    let start = Instant::now();
    let docker = services.docker.of(target).info().await;
    let docker_took = start.elapsed();
    // Its own connection broke meanwhile: then it is the machine that has to be told of, not its Docker.
    let ssh = match &docker {
        Err(docker::Error::Ssh(error)) => Err(error.clone()),
        Ok(_) | Err(_) => Ok(()),
    };
    let compose = match (what, host.compose) {
        (Look::Quick, _) => ComposeFinding::NotLookedFor,
        (Look::ForCompose, Some(compose)) => ComposeFinding::Found(compose),
        (Look::ForCompose, None) => ComposeFinding::Missing,
    };
    Findings {
        began,
        ssh,
        docker: Some(docker),
        compose,
        uptime: host.uptime,
        latency,
        host_took,
        docker_took,
    }
}

/// There and back, on a connection that is open by now.
async fn latency(services: &Services, target: &Target) -> Option<Duration> {
    let start = Instant::now();
    let echoed = services.ssh.run(target, &Command::new("true"), ECHO_LIMITS).await;
    echoed.is_ok().then(|| start.elapsed())
}
