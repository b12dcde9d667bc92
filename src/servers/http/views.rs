//! What is told of a server. Nothing that opens it.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::{
    CredentialKind, HostKeyPolicy, Server, Status,
    ops::{Report, Span, Step, StepName, StepOutcome},
    policy,
};
use crate::{
    platform::{Timestamp, clock::millis, id::ServerId},
    remote::ssh::HostKey,
    services::Services,
};

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Server)]
pub struct ServerView {
    id: ServerId,
    name: String,
    address: String,
    ssh_user: String,
    ssh_port: u16,
    /// As the last probe saw it; `unknown` where that is too old.
    status: Status,
    #[serde(flatten)]
    findings: FindingsView,
    /// Apps that run on it, wholly or in part, among those that the caller sees.
    running_apps_count: u32,
    /// The trusted one.
    #[schema(required = true)]
    host_key: Option<TrustedKeyView>,
    host_key_policy: HostKeyPolicy,
    /// What it showed last, where that is not the trusted one.
    #[schema(required = true)]
    offered_host_key: Option<HostKeyView>,
    credential: CredentialView,
    created_at: i64,
    updated_at: i64,
}

/// What the last probe found; all null where it is too old.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct FindingsView {
    /// Null while it is online: `tcp_refused`, `auth_failed`, `docker_down` …
    #[schema(required = true)]
    status_reason: Option<String>,
    /// One sentence for a person: what was tried and what to do.
    #[schema(required = true)]
    status_detail: Option<String>,
    #[schema(required = true)]
    last_checked: Option<i64>,
    #[schema(required = true)]
    running_containers: Option<u32>,
    /// Seconds since the machine started.
    #[schema(required = true)]
    uptime: Option<u64>,
    /// The version of its Docker Engine.
    #[schema(required = true)]
    docker: Option<String>,
    /// The version of its compose.
    #[schema(required = true)]
    compose: Option<String>,
    /// One command on the open connection, there and back.
    #[schema(required = true)]
    latency_ms: Option<u64>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TrustedKeyView {
    #[serde(flatten)]
    key: HostKeyView,
    trusted_at: i64,
}

/// A host key, by the fingerprint that `ssh-keygen -l` shows.
#[derive(Serialize, ToSchema)]
#[schema(as = HostKey)]
pub struct HostKeyView {
    algorithm: String,
    fingerprint: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CredentialView {
    kind: CredentialKind,
    /// Of the public key; a password has none.
    #[schema(required = true)]
    fingerprint: Option<String>,
    /// The line for `authorized_keys` on the machine, of a `generated` key.
    #[serde(skip_serializing_if = "Option::is_none")]
    authorized_key: Option<String>,
}

/// How a server is, right now.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ServerProbe)]
pub struct StatusView {
    status: Status,
    #[schema(required = true)]
    reason: Option<String>,
    #[schema(required = true)]
    detail: Option<String>,
    #[schema(required = true)]
    running_containers: Option<u32>,
    /// Seconds since the machine started.
    #[schema(required = true)]
    uptime: Option<u64>,
    #[schema(required = true)]
    last_checked: Option<i64>,
    #[schema(required = true)]
    docker: Option<String>,
    #[schema(required = true)]
    compose: Option<String>,
    #[schema(required = true)]
    latency_ms: Option<u64>,
}

impl From<&HostKey> for HostKeyView {
    fn from(key: &HostKey) -> Self {
        Self { algorithm: key.algorithm.clone(), fingerprint: key.fingerprint.to_string() }
    }
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl FindingsView {
    fn new(services: &Services, server: &Server) -> Self {
        let last_checked = server.last_checked_at.map(millis);
        if !policy::is_present(server, services.clock.now(), services.config.probe_every) {
            return Self {
                status_reason: None,
                status_detail: None,
                last_checked,
                running_containers: None,
                uptime: None,
                docker: None,
                compose: None,
                latency_ms: None,
            };
        }
        Self {
            status_reason: server.status_reason.clone(),
            status_detail: server.status_detail.clone(),
            last_checked,
            running_containers: server.facts.running_containers,
            uptime: server.facts.uptime.map(|uptime| uptime.as_secs()),
            docker: server.facts.docker.clone(),
            compose: server.compose.map(|known| known.compose.version.to_string()),
            latency_ms: server.facts.latency.map(whole_millis),
        }
    }
}

impl ServerView {
    pub fn new(services: &Services, server: &Server) -> Self {
        Self {
            id: server.id,
            name: server.name.to_string(),
            address: server.address.to_string(),
            ssh_user: server.ssh_user.to_string(),
            ssh_port: server.ssh_port,
            status: policy::present_status(server, services.clock.now(), services.config.probe_every),
            findings: FindingsView::new(services, server),
            running_apps_count: server.running_apps,
            host_key: server.host_key.as_ref().map(|trusted| TrustedKeyView {
                key: (&trusted.key).into(),
                trusted_at: millis(trusted.trusted_at),
            }),
            host_key_policy: server.host_key_policy,
            offered_host_key: policy::untrusted_key(server).map(Into::into),
            credential: CredentialView {
                kind: server.credential.kind,
                fingerprint: server.credential.fingerprint.clone(),
                authorized_key: server.credential.authorized_key.clone(),
            },
            created_at: millis(server.created_at),
            updated_at: millis(server.updated_at),
        }
    }
}

impl StatusView {
    pub fn new(services: &Services, server: &Server) -> Self {
        let findings = FindingsView::new(services, server);
        Self {
            status: policy::present_status(server, services.clock.now(), services.config.probe_every),
            reason: findings.status_reason,
            detail: findings.status_detail,
            running_containers: findings.running_containers,
            uptime: findings.uptime,
            last_checked: findings.last_checked,
            docker: findings.docker,
            compose: findings.compose,
            latency_ms: findings.latency_ms,
        }
    }
}

/// A span of time in which the status was one and the same.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ServerStatusSpan)]
pub struct SpanView {
    #[serde(skip)]
    id: Uuid,
    status: Status,
    #[schema(required = true)]
    reason: Option<String>,
    from: i64,
    /// Null: it still holds.
    #[schema(required = true)]
    until: Option<i64>,
    /// Until now, where it still holds.
    duration_ms: i64,
}

impl SpanView {
    pub fn new(span: Span, now: Timestamp) -> Self {
        Self {
            id: span.id,
            status: span.status,
            reason: span.reason,
            from: millis(span.from),
            until: span.until.map(millis),
            duration_ms: (span.until.unwrap_or(now) - span.from).num_milliseconds().max(0),
        }
    }

    /// What a page goes on from.
    pub fn key(&self) -> Uuid {
        self.id
    }
}

/// What came of a test.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ServerTest)]
pub struct ReportView {
    /// Every step passed.
    ok: bool,
    steps: Vec<StepView>,
    /// The key that it showed, trusted or not.
    #[schema(required = true)]
    offered_host_key: Option<HostKeyView>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ServerTestStep)]
struct StepView {
    step: StepName,
    ok: bool,
    /// It was not tried, because one before it failed.
    skipped: bool,
    #[schema(required = true)]
    reason: Option<&'static str>,
    /// What was found, or what went wrong.
    #[schema(required = true)]
    detail: Option<String>,
    /// What to do about it.
    #[schema(required = true)]
    mend: Option<&'static str>,
    #[schema(required = true)]
    duration_ms: Option<u64>,
}

impl From<Report> for ReportView {
    fn from(report: Report) -> Self {
        Self {
            ok: report.passed(),
            offered_host_key: report.offered.as_ref().map(Into::into),
            steps: report.steps.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Step> for StepView {
    fn from(step: Step) -> Self {
        let skipped = matches!(step.outcome, StepOutcome::Skipped);
        let (ok, reason, detail) = match step.outcome {
            StepOutcome::Passed(found) => (true, None, found),
            StepOutcome::Failed { reason, detail } => (false, Some(reason), Some(detail)),
            StepOutcome::Skipped => (false, None, None),
        };
        Self {
            step: step.name,
            ok,
            skipped,
            reason,
            detail,
            mend: reason.map(policy::mend),
            duration_ms: (!skipped).then(|| whole_millis(step.took)),
        }
    }
}
