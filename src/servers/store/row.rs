//! A row of `servers` as it comes, and what it means. A value that cannot be is named by its column.

use std::{str::FromStr, time::Duration};

use uuid::Uuid;

use super::super::{
    Credential, CredentialKind, Facts, HostKeyPolicy, KnownCompose, Server, Status, TrustedKey,
};
use crate::{
    platform::{Error, Result, Timestamp, id::ServerId},
    remote::{
        compose::{Compose, Flavour, Version},
        ssh::HostKey,
    },
};

pub struct Row {
    pub id: Uuid,
    pub name: String,
    pub address: String,
    pub ssh_user: String,
    pub ssh_port: i32,
    pub credential_kind: CredentialKind,
    pub credential_sealed: Vec<u8>,
    pub credential_fingerprint: Option<String>,
    pub authorized_key: Option<String>,
    pub host_key_policy: HostKeyPolicy,
    pub host_key_algorithm: Option<String>,
    pub host_key_fingerprint: Option<String>,
    pub host_key_trusted_at: Option<Timestamp>,
    pub offered_key_algorithm: Option<String>,
    pub offered_key_fingerprint: Option<String>,
    pub status: Status,
    pub status_reason: Option<String>,
    pub status_detail: Option<String>,
    pub running_containers: Option<i32>,
    pub uptime_seconds: Option<i64>,
    pub docker_version: Option<String>,
    pub compose_flavour: Option<String>,
    pub compose_version: Option<String>,
    pub compose_checked_at: Option<Timestamp>,
    pub latency_ms: Option<i32>,
    pub last_checked_at: Option<Timestamp>,
    pub revision: i64,
    pub next_probe_at: Timestamp,
    pub probe_failures: i32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub running_apps: i64,
}

impl TryFrom<Row> for Server {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let id = row.id;
        Ok(Self {
            id: ServerId(id),
            name: parsed(id, "name", &row.name)?,
            address: parsed(id, "address", &row.address)?,
            ssh_user: parsed(id, "ssh_user", &row.ssh_user)?,
            ssh_port: number(id, "ssh_port", row.ssh_port)?,
            credential: Credential {
                kind: row.credential_kind,
                fingerprint: row.credential_fingerprint,
                authorized_key: row.authorized_key,
                sealed: row.credential_sealed,
            },
            host_key_policy: row.host_key_policy,
            host_key: host_key(id, row.host_key_algorithm, row.host_key_fingerprint)?
                .zip(row.host_key_trusted_at)
                .map(|(key, trusted_at)| TrustedKey { key, trusted_at }),
            offered_key: host_key(id, row.offered_key_algorithm, row.offered_key_fingerprint)?,
            status: row.status,
            status_reason: row.status_reason,
            status_detail: row.status_detail,
            facts: Facts {
                running_containers: some(id, "running_containers", row.running_containers)?,
                uptime: some(id, "uptime_seconds", row.uptime_seconds)?.map(Duration::from_secs),
                docker: row.docker_version,
                latency: some(id, "latency_ms", row.latency_ms)?.map(Duration::from_millis),
            },
            compose: compose(id, row.compose_flavour.as_deref(), row.compose_version.as_deref())?
                .zip(row.compose_checked_at)
                .map(|(compose, checked_at)| KnownCompose { compose, checked_at }),
            last_checked_at: row.last_checked_at,
            revision: row.revision,
            next_probe_at: row.next_probe_at,
            probe_failures: number(id, "probe_failures", row.probe_failures)?,
            created_at: row.created_at,
            updated_at: row.updated_at,
            running_apps: number(id, "running_apps", row.running_apps)?,
        })
    }
}

pub fn flavour_name(flavour: Flavour) -> &'static str {
    match flavour {
        Flavour::Plugin => "plugin",
        Flavour::Standalone => "standalone",
    }
}

fn corrupt(id: Uuid, column: &str, why: impl std::fmt::Display) -> Error {
    Error::internal("read a server", format!("servers.{column} of {id}: {why}"))
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(id: Uuid, column: &str, text: &str) -> Result<T> {
    text.parse().map_err(|error| corrupt(id, column, error))
}

fn number<F, T: TryFrom<F, Error: std::fmt::Display>>(id: Uuid, column: &str, value: F) -> Result<T> {
    value.try_into().map_err(|error| corrupt(id, column, error))
}

fn some<F, T: TryFrom<F, Error: std::fmt::Display>>(
    id: Uuid,
    column: &str,
    value: Option<F>,
) -> Result<Option<T>> {
    value.map(|value| number(id, column, value)).transpose()
}

fn host_key(id: Uuid, algorithm: Option<String>, fingerprint: Option<String>) -> Result<Option<HostKey>> {
    let key = |(algorithm, fingerprint): (String, String)| {
        Ok(HostKey { algorithm, fingerprint: parsed(id, "…_key_fingerprint", &fingerprint)? })
    };
    algorithm.zip(fingerprint).map(key).transpose()
}

fn compose(id: Uuid, flavour: Option<&str>, version: Option<&str>) -> Result<Option<Compose>> {
    let Some((flavour, version)) = flavour.zip(version) else { return Ok(None) };
    let flavour = match flavour {
        "plugin" => Flavour::Plugin,
        "standalone" => Flavour::Standalone,
        other => return Err(corrupt(id, "compose_flavour", other)),
    };
    let version = Version::parse(version).ok_or_else(|| corrupt(id, "compose_version", version))?;
    Ok(Some(Compose { flavour, version }))
}
