//! Every statement on `servers` and `server_status_history`.

mod row;

use sqlx::PgConnection;
use uuid::Uuid;

use self::row::Row;
use super::{CredentialKind, HostKeyPolicy, Server, Status};
use crate::{
    identity::Sight,
    platform::{Error, Result, Timestamp, error::on_constraint, id::ServerId},
    remote::ssh::HostKey,
    web::page::PageRequest,
};

/// A server's columns, with the apps that run on it among the projects of `$1`; all where that is null.
macro_rules! select_servers {
    ($rest:tt, $($argument:expr),+) => {
        sqlx::query_as!(
            Row,
            r#"select s.id, s.name, s.address, s.ssh_user, s.ssh_port,
                      s.credential_kind as "credential_kind: CredentialKind", s.credential_sealed,
                      s.credential_fingerprint, s.authorized_key,
                      s.host_key_policy as "host_key_policy: HostKeyPolicy",
                      s.host_key_algorithm, s.host_key_fingerprint, s.host_key_trusted_at,
                      s.offered_key_algorithm, s.offered_key_fingerprint,
                      s.status as "status: Status", s.status_reason, s.status_detail, s.running_containers,
                      s.uptime_seconds, s.docker_version, s.compose_flavour, s.compose_version, s.compose_checked_at,
                      s.latency_ms, s.last_checked_at, s.revision, s.next_probe_at, s.probe_failures,
                      s.created_at, s.updated_at,
                      (select count(*) from apps a
                        where a.server_id = s.id and a.status in ('running', 'degraded')
                          and ($1::uuid[] is null or a.project_id = any($1))) as "running_apps!"
                 from servers s "# + $rest,
            $($argument),+
        )
    };
}

const LIST_MAX: i64 = 10_000;

pub async fn list(db: &mut PgConnection, sight: &Sight) -> Result<Vec<Server>> {
    let rows = select_servers!(
        "where $1::uuid[] is null
            or exists (select 1 from apps a where a.server_id = s.id and a.project_id = any($1))
         order by lower(s.name) limit $2",
        sight.projects() as Option<Vec<Uuid>>,
        LIST_MAX
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Server::try_from).collect()
}

pub async fn see(db: &mut PgConnection, sight: &Sight, id: ServerId) -> Result<Option<Server>> {
    let row = select_servers!(
        "where s.id = $2 and ($1::uuid[] is null
            or exists (select 1 from apps a where a.server_id = s.id and a.project_id = any($1)))",
        sight.projects() as Option<Vec<Uuid>>,
        id.0
    )
    .fetch_optional(db)
    .await?;
    row.map(Server::try_from).transpose()
}

/// Locked until the transaction ends.
pub async fn lock(db: &mut PgConnection, id: ServerId) -> Result<Option<Server>> {
    let row =
        select_servers!("where s.id = $2 for update of s", None::<Vec<Uuid>> as Option<Vec<Uuid>>, id.0)
            .fetch_optional(db)
            .await?;
    row.map(Server::try_from).transpose()
}

fn meaning(error: sqlx::Error) -> Error {
    on_constraint(error, |constraint| match constraint {
        "servers_name_key" => {
            Some(Error::conflict("server.name_taken", "another server has this name").with("field", "name"))
        }
        "apps_server_id_fkey" => {
            Some(Error::conflict("server.has_apps", "apps are on this server: remove or move them first"))
        }
        _ => None,
    })
}

pub async fn insert(db: &mut PgConnection, server: &Server) -> Result<()> {
    sqlx::query!(
        "insert into servers
           (id, name, address, ssh_user, ssh_port, credential_kind, credential_sealed, credential_fingerprint,
            authorized_key, host_key_policy, status, revision, next_probe_at, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        server.id.0,
        server.name.as_str(),
        server.address.as_str(),
        server.ssh_user.as_str(),
        i32::from(server.ssh_port),
        server.credential.kind as CredentialKind,
        server.credential.sealed,
        server.credential.fingerprint,
        server.credential.authorized_key,
        server.host_key_policy as HostKeyPolicy,
        server.status as Status,
        server.revision,
        server.next_probe_at,
        server.created_at,
        server.updated_at,
    )
    .execute(&mut *db)
    .await
    .map_err(meaning)?;
    open_history(db, server, server.created_at).await
}

/// What people set.
pub async fn update(db: &mut PgConnection, server: &Server) -> Result<()> {
    sqlx::query!(
        "update servers
            set name = $2, address = $3, ssh_user = $4, ssh_port = $5, credential_kind = $6, credential_sealed = $7,
                credential_fingerprint = $8, authorized_key = $9, host_key_policy = $10, host_key_algorithm = $11,
                host_key_fingerprint = $12, host_key_trusted_at = $13, revision = $14, updated_at = $15
          where id = $1",
        server.id.0,
        server.name.as_str(),
        server.address.as_str(),
        server.ssh_user.as_str(),
        i32::from(server.ssh_port),
        server.credential.kind as CredentialKind,
        server.credential.sealed,
        server.credential.fingerprint,
        server.credential.authorized_key,
        server.host_key_policy as HostKeyPolicy,
        server.host_key.as_ref().map(|trusted| &trusted.key.algorithm),
        server.host_key.as_ref().map(|trusted| trusted.key.fingerprint.to_string()),
        server.host_key.as_ref().map(|trusted| trusted.trusted_at),
        server.revision,
        server.updated_at,
    )
    .execute(db)
    .await
    .map_err(meaning)?;
    Ok(())
}

/// What probes find.
pub async fn save_state(db: &mut PgConnection, server: &Server) -> Result<()> {
    let offered = server.offered_key.as_ref();
    let compose = server.compose;
    sqlx::query!(
        "update servers
            set status = $2, status_reason = $3, status_detail = $4, offered_key_algorithm = $5,
                offered_key_fingerprint = $6, running_containers = $7, uptime_seconds = $8, docker_version = $9,
                compose_flavour = $10, compose_version = $11, compose_checked_at = $12, latency_ms = $13,
                last_checked_at = $14, next_probe_at = $15, probe_failures = $16
          where id = $1",
        server.id.0,
        server.status as Status,
        server.status_reason,
        server.status_detail,
        offered.map(|key| &key.algorithm),
        offered.map(|key| key.fingerprint.to_string()),
        server.facts.running_containers.and_then(|count| i32::try_from(count).ok()),
        server.facts.uptime.and_then(|uptime| i64::try_from(uptime.as_secs()).ok()),
        server.facts.docker,
        compose.map(|known| row::flavour_name(known.compose.flavour)),
        compose.map(|known| known.compose.version.to_string()),
        compose.map(|known| known.checked_at),
        server.facts.latency.and_then(|latency| i32::try_from(latency.as_millis()).ok()),
        server.last_checked_at,
        server.next_probe_at,
        i32::try_from(server.probe_failures).unwrap_or(i32::MAX),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends the open row of the history and begins the next. Together with [`save_state`] where status or reason changed.
pub async fn turn_history(db: &mut PgConnection, server: &Server, at: Timestamp) -> Result<()> {
    sqlx::query!(
        "update server_status_history set until_at = greatest(from_at, $2) where server_id = $1 and until_at is null",
        server.id.0,
        at
    )
    .execute(&mut *db)
    .await?;
    open_history(db, server, at).await
}

async fn open_history(db: &mut PgConnection, server: &Server, at: Timestamp) -> Result<()> {
    sqlx::query!(
        "insert into server_status_history (id, server_id, status, reason, from_at) values ($1, $2, $3, $4, $5)",
        Uuid::now_v7(),
        server.id.0,
        server.status as Status,
        server.status_reason,
        at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A span of time in which nothing changed.
pub struct Span {
    pub id: Uuid,
    pub status: Status,
    pub reason: Option<String>,
    pub from: Timestamp,
    /// `None`: it still holds.
    pub until: Option<Timestamp>,
}

/// The newest first.
pub async fn history(db: &mut PgConnection, id: ServerId, page: PageRequest) -> Result<Vec<Span>> {
    let spans = sqlx::query_as!(
        Span,
        r#"select id, status as "status: Status", reason, from_at as "from", until_at as "until"
             from server_status_history
            where server_id = $1 and ($2::uuid is null or id < $2) order by id desc limit $3"#,
        id.0,
        page.before,
        page.fetch(),
    )
    .fetch_all(db)
    .await?;
    Ok(spans)
}

/// The name of what was removed.
pub async fn delete(db: &mut PgConnection, id: ServerId) -> Result<Option<String>> {
    sqlx::query_scalar!("delete from servers where id = $1 returning name", id.0)
        .fetch_optional(db)
        .await
        .map_err(meaning)
}

/// Takes up to `limit` servers whose probe is due; nobody else gets them before `until`.
pub async fn claim_due(
    db: &mut PgConnection,
    now: Timestamp,
    until: Timestamp,
    limit: i64,
) -> Result<Vec<ServerId>> {
    let ids = sqlx::query_scalar!(
        "update servers set next_probe_at = $2
          where id in (select id from servers where next_probe_at <= $1
                        order by next_probe_at limit $3 for update skip locked)
         returning id",
        now,
        until,
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(ids.into_iter().map(ServerId).collect())
}

/// Compose as it was found for this revision of the server.
pub async fn save_compose(db: &mut PgConnection, server: &Server) -> Result<()> {
    sqlx::query!(
        "update servers set compose_flavour = $3, compose_version = $4, compose_checked_at = $5
          where id = $1 and revision = $2",
        server.id.0,
        server.revision,
        server.compose.map(|known| row::flavour_name(known.compose.flavour)),
        server.compose.map(|known| known.compose.version.to_string()),
        server.compose.map(|known| known.checked_at),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The key that somebody wanted to trust was not it: this one is.
pub async fn save_offered(db: &mut PgConnection, id: ServerId, offered: &HostKey) -> Result<()> {
    sqlx::query!(
        "update servers set offered_key_algorithm = $2, offered_key_fingerprint = $3 where id = $1",
        id.0,
        offered.algorithm,
        offered.fingerprint.to_string(),
    )
    .execute(db)
    .await?;
    Ok(())
}
