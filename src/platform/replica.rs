//! The register of running replicas: each says now and then that it lives.
//!
//! Times are the database's own clock. A replica that is not heard of is not proof of anything but that: leases, not this
//! register, decide about its work.

use std::time::Duration;

use sqlx::PgConnection;

use super::{Timestamp, id::ReplicaId};

/// How often a replica calls [`heartbeat`].
pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(10);
/// A replica that was silent for longer is not counted as running.
pub const SILENT_AFTER: Duration = Duration::from_secs(35);
/// Rows of replicas silent for longer are removed.
pub const FORGOTTEN_AFTER: Duration = Duration::from_hours(24);

/// A running Quaymaster process, as it last told of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    pub id: ReplicaId,
    pub version: String,
    pub started_at: Timestamp,
    pub seen_at: Timestamp,
}

/// Says that `id` lives. The first call registers it; so does one after a pause so long that it was forgotten.
pub async fn heartbeat(db: &mut PgConnection, id: ReplicaId, version: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into replicas (id, version, started_at, seen_at) values ($1, $2, now(), now())
         on conflict (id) do update set seen_at = excluded.seen_at",
        id.0,
        version,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes `id` as it ends, so that nobody waits for it.
pub async fn leave(db: &mut PgConnection, id: ReplicaId) -> sqlx::Result<()> {
    sqlx::query!("delete from replicas where id = $1", id.0).execute(db).await?;
    Ok(())
}

/// The replicas heard of within [`SILENT_AFTER`], the oldest first.
pub async fn live(db: &mut PgConnection) -> sqlx::Result<Vec<Replica>> {
    sqlx::query_as!(
        Replica,
        r#"select id as "id: ReplicaId", version, started_at, seen_at from replicas
            where seen_at > now() - make_interval(secs => $1) order by started_at, id"#,
        SILENT_AFTER.as_secs_f64(),
    )
    .fetch_all(db)
    .await
}

/// Removes the replicas that have been silent for [`FORGOTTEN_AFTER`]. Returns how many.
pub async fn forget_silent(db: &mut PgConnection) -> sqlx::Result<u64> {
    let forgotten = sqlx::query!(
        "delete from replicas where seen_at <= now() - make_interval(secs => $1)",
        FORGOTTEN_AFTER.as_secs_f64(),
    )
    .execute(db)
    .await?;
    Ok(forgotten.rows_affected())
}
