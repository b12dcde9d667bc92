//! Claims on periodic jobs: every replica ticks, one row per job decides who acts.
//!
//! Times are the database's own clock, so replicas whose clocks differ still agree. A claim is not a lock: it says whose
//! turn this tick is and is never released. What a job does must therefore bear being cut off and repeated.

use std::time::Duration;

use sqlx::PgConnection;

use super::id::ReplicaId;

/// Ticks are not exact: one that comes early by less than this part of its interval still is the next one.
const SLACK: f64 = 0.1;

/// Whether `by` may act for this tick of the job `name`, which is done once `every` interval over all replicas.
pub async fn claim(db: &mut PgConnection, name: &str, by: ReplicaId, every: Duration) -> sqlx::Result<bool> {
    let pause = every.as_secs_f64() * (1.0 - SLACK);
    // Of two at once the second waits for the first one's row and then sees that it is not due.
    let claimed = sqlx::query!(
        "insert into job_claims (name, claimed_by, claimed_at, due_at)
         values ($1, $2, now(), now() + make_interval(secs => $3))
         on conflict (name) do update
            set claimed_by = excluded.claimed_by, claimed_at = excluded.claimed_at, due_at = excluded.due_at
          where job_claims.due_at <= now()",
        name,
        by.0,
        pause,
    )
    .execute(db)
    .await?;
    Ok(claimed.rows_affected() == 1)
}
