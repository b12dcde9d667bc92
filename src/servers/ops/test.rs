//! Trying a machine step by step, for a person who wants to know what is wrong with it.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    super::{
        Address, NewCredential, Server, SshUser,
        policy::COMPOSE_MISSING,
        probe::{self, ComposeFinding, Findings},
    },
    host_key, probing, way_in,
};
use crate::{
    identity::{Permit, right::ServersManage},
    platform::Result,
    remote::{
        host::Look,
        ssh::{Check, Fingerprint, HostId, HostKey, Outcome, Target},
    },
    services::Services,
};

/// What came of a test.
#[derive(Debug)]
pub struct Report {
    pub steps: Vec<Step>,
    /// The key that the machine showed, trusted or not.
    pub offered: Option<HostKey>,
}

#[derive(Debug)]
pub struct Step {
    pub name: StepName,
    pub outcome: StepOutcome,
    pub took: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum StepName {
    Tcp,
    HostKey,
    Auth,
    Docker,
    Compose,
}

#[derive(Debug)]
pub enum StepOutcome {
    /// Perhaps with something to tell: a version, a fingerprint.
    Passed(Option<String>),
    Failed {
        reason: &'static str,
        detail: String,
    },
    /// A step before it failed.
    Skipped,
}

impl Report {
    pub fn passed(&self) -> bool {
        self.steps.iter().all(|step| matches!(step.outcome, StepOutcome::Passed(_)))
    }
}

/// A server that is not kept: only to be tried.
pub struct Trial {
    pub address: Address,
    pub ssh_user: SshUser,
    pub ssh_port: u16,
    pub credential: NewCredential,
    pub trust: Trust,
}

/// Which host key a trial sends its credential to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// None: it ends when the key was shown.
    Nothing,
    Fingerprint(Fingerprint),
    WhateverIsShown,
}

/// Tries a server over a new connection, and writes down what was found as a probe does.
pub async fn test(services: &Services, _permit: &Permit<ServersManage>, server: &Server) -> Result<Report> {
    let (report, findings) = examine(services, &way_in(services, server)?).await;
    let Some(server) = host_key::accept_new(services, server, &findings).await? else {
        probing::settle(services, server, &findings).await?;
        return Ok(report);
    };
    let (report, findings) = examine(services, &way_in(services, &server)?).await;
    probing::settle(services, &server, &findings).await?;
    Ok(report)
}

/// Tries a machine that is not kept. Nothing is written down.
pub async fn try_out(services: &Services, _permit: &Permit<ServersManage>, trial: Trial) -> Result<Report> {
    let mut target = Target {
        host: HostId(Uuid::now_v7()),
        revision: 0,
        address: trial.address.to_string(),
        port: trial.ssh_port,
        user: trial.ssh_user.to_string(),
        auth: trial.credential.auth(),
        host_key: None,
    };
    let (mut report, _) = examine(services, &target).await;
    target.host_key = match (report.offered.clone(), trial.trust) {
        (None, _) | (_, Trust::Nothing) => None,
        (Some(offered), Trust::WhateverIsShown) => Some(offered),
        // A fingerprint names the whole key, its algorithm too.
        (Some(offered), Trust::Fingerprint(fingerprint)) => Some(HostKey { fingerprint, ..offered }),
    };
    if target.host_key.is_some() {
        report = examine(services, &target).await.0;
    }
    services.docker.forget(target.host);
    services.ssh.forget(target.host);
    Ok(report)
}

async fn examine(services: &Services, target: &Target) -> (Report, Findings) {
    let began = services.clock.now();
    let check = services.ssh.check(target).await;
    let findings = match check.error() {
        Some(error) => Findings::refused(began, error.clone()),
        None => probe::look(services, target, Look::ForCompose).await,
    };
    let steps = vec![
        step(StepName::Tcp, &check.tcp, None),
        step(StepName::HostKey, &check.host_key, check.offered.as_ref().map(ToString::to_string)),
        step(StepName::Auth, &check.auth, None),
        docker_step(&check, &findings),
        compose_step(&findings),
    ];
    (Report { steps, offered: check.offered }, findings)
}

fn step(name: StepName, outcome: &Outcome, found: Option<String>) -> Step {
    match outcome {
        Outcome::Passed { took } => Step { name, outcome: StepOutcome::Passed(found), took: *took },
        Outcome::Failed { took, error } => {
            let outcome = StepOutcome::Failed { reason: error.reason(), detail: error.to_string() };
            Step { name, outcome, took: *took }
        }
        Outcome::NotTried => skipped(name),
    }
}

fn skipped(name: StepName) -> Step {
    Step { name, outcome: StepOutcome::Skipped, took: Duration::ZERO }
}

/// A machine that lets us in and then runs no command fails here.
fn docker_step(check: &Check, findings: &Findings) -> Step {
    let name = StepName::Docker;
    let outcome = match (&findings.ssh, &findings.docker) {
        (Err(_), _) if !check.passed() => return skipped(name),
        (Err(error), _) => StepOutcome::Failed { reason: error.reason(), detail: error.to_string() },
        (Ok(()), Some(Ok(engine))) => StepOutcome::Passed(Some(engine.version.clone())),
        (Ok(()), Some(Err(error))) => {
            let reason = error.reason().unwrap_or("docker_refused");
            StepOutcome::Failed { reason, detail: error.to_string() }
        }
        (Ok(()), None) => return skipped(name),
    };
    Step { name, outcome, took: findings.docker_took }
}

/// It does not need Docker to run, so it is told of whether or not that does.
fn compose_step(findings: &Findings) -> Step {
    let name = StepName::Compose;
    let outcome = match findings.compose {
        ComposeFinding::NotLookedFor => return skipped(name),
        ComposeFinding::Found(compose) => StepOutcome::Passed(Some(compose.version.to_string())),
        ComposeFinding::Missing => StepOutcome::Failed {
            reason: COMPOSE_MISSING,
            detail: "the host has neither docker compose nor docker-compose".to_owned(),
        },
    };
    Step { name, outcome, took: findings.host_took }
}
