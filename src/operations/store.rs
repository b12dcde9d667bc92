//! Every statement on `operations` and `operation_output`.
//!
//! Leases are compared with the database's own clock, so that replicas need not agree on the time.

use std::time::Duration;

use sqlx::{PgConnection, postgres::types::PgInterval};
use uuid::Uuid;

use super::{Action, Failure, Operation, Outcome, Request, State, Trigger};
use crate::{
    identity::Sight,
    platform::{
        Error, Result, Timestamp,
        id::{AppId, OperationId, ProjectId, ReplicaId, ServerId, UserId},
    },
    web::page::PageRequest,
};

/// A row as Postgres gives it.
struct Row {
    id: Uuid,
    app_id: Uuid,
    project_id: Uuid,
    server_id: Uuid,
    action: Action,
    state: State,
    trigger: Trigger,
    requested_by: Option<Uuid>,
    requested_by_name: Option<String>,
    timeout_minutes: Option<i32>,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    exit_code: Option<i32>,
    error_code: Option<String>,
    error_detail: Option<String>,
    cancel_requested_at: Option<Timestamp>,
    output_bytes: i64,
    output_cut: bool,
    sent_at: Option<Timestamp>,
    claim: i64,
}

impl From<Row> for Operation {
    fn from(row: Row) -> Self {
        Self {
            id: OperationId(row.id),
            app: AppId(row.app_id),
            project: ProjectId(row.project_id),
            server: ServerId(row.server_id),
            action: row.action,
            state: row.state,
            trigger: row.trigger,
            requested_by: row.requested_by.map(UserId),
            requested_by_name: row.requested_by_name,
            timeout_minutes: row.timeout_minutes,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            exit_code: row.exit_code,
            failure: row.error_code.zip(row.error_detail).map(|(code, detail)| Failure { code, detail }),
            cancel_requested_at: row.cancel_requested_at,
            output_bytes: row.output_bytes,
            output_cut: row.output_cut,
            sent_at: row.sent_at,
            claim: row.claim,
        }
    }
}

/// `query_as!` with the columns of [`Row`], from `operations o` joined with its app `a`.
macro_rules! select {
    ($rest:literal, $($argument:expr),* $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"select o.id, o.app_id, coalesce(a.project_id, o.project_id) as "project_id!", o.server_id, o.action as "action: Action", o.state as "state: State",
                      o.trigger as "trigger: Trigger", o.requested_by, o.requested_by_name, o.timeout_minutes,
                      o.created_at, o.started_at, o.finished_at, o.exit_code, o.error_code, o.error_detail,
                      o.cancel_requested_at, o.output_bytes, o.output_cut, o.sent_at, o.claim
               from operations o left join apps a on a.id = o.app_id "# + $rest,
            $($argument),*
        )
    };
}

pub async fn find(db: &mut PgConnection, id: OperationId) -> Result<Option<Operation>> {
    Ok(select!("where o.id = $1", id.0).fetch_optional(db).await?.map(Into::into))
}

pub async fn see(db: &mut PgConnection, sight: &Sight, id: OperationId) -> Result<Option<Operation>> {
    let projects = sight.projects();
    let row = select!(
        "where o.id = $1 and ($2::uuid[] is null or coalesce(a.project_id, o.project_id) = any($2))",
        id.0,
        projects.as_deref()
    );
    Ok(row.fetch_optional(db).await?.map(Into::into))
}

/// What a list may be narrowed to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    pub app: Option<AppId>,
    pub server: Option<ServerId>,
    pub state: Option<State>,
}

pub async fn list(
    db: &mut PgConnection,
    sight: &Sight,
    filter: Filter,
    page: PageRequest,
) -> Result<Vec<Operation>> {
    let projects = sight.projects();
    let rows = select!(
        "where ($1::uuid[] is null or coalesce(a.project_id, o.project_id) = any($1))
           and ($2::uuid is null or o.app_id = $2)
           and ($3::uuid is null or o.server_id = $3)
           and ($4::text is null or o.state = $4)
           and ($5::uuid is null or o.id < $5)
         order by o.id desc limit $6",
        projects.as_deref(),
        filter.app.map(|app| app.0),
        filter.server.map(|server| server.0),
        filter.state.map(State::as_str),
        page.before,
        page.fetch(),
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(Into::into).collect())
}

pub async fn unfinished(db: &mut PgConnection, app: AppId) -> Result<Option<Operation>> {
    let row = select!("where o.app_id = $1 and o.state in ('queued', 'running')", app.0);
    Ok(row.fetch_optional(db).await?.map(Into::into))
}

/// `None` when the app has an unfinished operation already.
pub async fn insert(
    db: &mut PgConnection,
    id: OperationId,
    request: &Request,
    at: Timestamp,
) -> Result<Option<OperationId>> {
    let inserted = sqlx::query_scalar!(
        "insert into operations (id, app_id, project_id, server_id, action, state, trigger, requested_by, requested_by_name,
                                 request_id, timeout_minutes, created_at)
         values ($1, $2, $3, $4, $5, 'queued', $6, $7, $8, $9, $10, $11)
         on conflict (app_id) where state in ('queued', 'running') do nothing
         returning id",
        id.0,
        request.app.0,
        request.project.0,
        request.server.0,
        request.action as Action,
        request.trigger as Trigger,
        request.author.user.map(|user| user.0),
        request.author.username,
        request.author.request_id,
        request.timeout_minutes,
        at,
    )
    .fetch_optional(db)
    .await?;
    Ok(inserted.map(OperationId))
}

fn interval(duration: Duration) -> Result<PgInterval> {
    PgInterval::try_from(duration).map_err(|error| Error::internal("express a duration", error))
}

/// Takes the oldest waiting operation whose server has fewer than `per_server` running, if there is one.
pub async fn claim(
    db: &mut PgConnection,
    by: ReplicaId,
    lease: Duration,
    at: Timestamp,
    per_server: i64,
) -> Result<Option<OperationId>> {
    let claimed = sqlx::query_scalar!(
        "update operations set state = 'running', lease_owner = $1, lease_until = now() + $2::interval, claim = claim + 1,
                               started_at = coalesce(started_at, $3)
         where id = (select w.id from operations w
                     where w.state = 'queued'
                       and (select count(*) from operations r
                            where r.server_id = w.server_id and r.state = 'running') < $4
                     order by w.created_at, w.id limit 1 for update skip locked)
         returning id",
        by.0,
        interval(lease)?,
        at,
        per_server,
    )
    .fetch_optional(db)
    .await?;
    Ok(claimed.map(OperationId))
}

/// Takes over an operation whose lease has run out.
pub async fn claim_orphan(
    db: &mut PgConnection,
    by: ReplicaId,
    lease: Duration,
) -> Result<Option<OperationId>> {
    let claimed = sqlx::query_scalar!(
        "update operations set lease_owner = $1, lease_until = now() + $2::interval, claim = claim + 1
         where id = (select id from operations where state = 'running' and lease_until < now() order by lease_until
                     limit 1 for update skip locked)
         returning id",
        by.0,
        interval(lease)?,
    )
    .fetch_optional(db)
    .await?;
    Ok(claimed.map(OperationId))
}

/// What a renewal tells.
pub enum Renewal {
    Held { cancel_requested: bool },
    Lost,
}

pub async fn renew(db: &mut PgConnection, operation: &Operation, lease: Duration) -> Result<Renewal> {
    let row = sqlx::query_scalar!(
        r#"update operations set lease_until = now() + $3::interval
           where id = $1 and claim = $2 and state = 'running'
           returning cancel_requested_at is not null as "cancel_requested!""#,
        operation.id.0,
        operation.claim,
        interval(lease)?,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map_or(Renewal::Lost, |cancel_requested| Renewal::Held { cancel_requested }))
}

/// Lets go of everything that a replica holds, so that others need not wait for its leases.
pub async fn release(db: &mut PgConnection, by: ReplicaId) -> Result<()> {
    sqlx::query!(
        "update operations set lease_until = now() where lease_owner = $1 and state = 'running'",
        by.0
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Gives back what did not begin on the host. False: the claim is not the latest.
pub async fn requeue(db: &mut PgConnection, operation: &Operation) -> Result<bool> {
    let done = sqlx::query!(
        "update operations set state = 'queued', lease_owner = null, lease_until = null, sent_at = null
         where id = $1 and claim = $2 and state = 'running'",
        operation.id.0,
        operation.claim,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes down that the command is about to be sent. False: the claim is not the latest.
pub async fn mark_sent(db: &mut PgConnection, operation: &Operation, at: Timestamp) -> Result<bool> {
    let done = sqlx::query!(
        "update operations set sent_at = $3
         where id = $1 and claim = $2 and state = 'running' and lease_until > now() and sent_at is null",
        operation.id.0,
        operation.claim,
        at,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes the end, by whoever has the claim that `operation` was read under. False: it is not the latest, or it has ended.
pub async fn finish(
    db: &mut PgConnection,
    operation: &Operation,
    outcome: &Outcome,
    at: Timestamp,
) -> Result<bool> {
    let failure = outcome.failure();
    let done = sqlx::query!(
        "update operations set state = $3, finished_at = $4, exit_code = $5, error_code = $6, error_detail = $7,
                               lease_owner = null, lease_until = null
         where id = $1 and claim = $2 and state = $8",
        operation.id.0,
        operation.claim,
        outcome.state() as State,
        at,
        outcome.exit_code(),
        failure.map(|failure| failure.code.as_str()),
        failure.map(|failure| failure.detail.as_str()),
        operation.state as State,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The latest operation on the same app before this one that may have left a command running on the host.
pub async fn unsure_before(db: &mut PgConnection, operation: &Operation) -> Result<Option<OperationId>> {
    let before = sqlx::query_scalar!(
        "select id from (select id, state, error_code from operations
                         where app_id = $1 and id < $2 and sent_at is not null order by id desc limit 1) as last
         where state in ('lost', 'cancelled') or error_code = 'operation.timed_out'",
        operation.app.0,
        operation.id.0,
    )
    .fetch_optional(db)
    .await?;
    Ok(before.map(OperationId))
}

/// How many automatic stops of an app have failed since it was started.
pub async fn failed_auto_stops(db: &mut PgConnection, app: AppId, since: Option<Timestamp>) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from operations
           where app_id = $1 and trigger = 'autoStop' and state in ('failed', 'lost')
             and ($2::timestamptz is null or created_at >= $2)"#,
        app.0,
        since,
    )
    .fetch_one(db)
    .await?;
    Ok(count)
}

/// Asks whoever runs it to end it. False: it has ended, or was asked before.
pub async fn request_cancel(
    db: &mut PgConnection,
    id: OperationId,
    by: Option<UserId>,
    at: Timestamp,
) -> Result<bool> {
    let done = sqlx::query!(
        "update operations set cancel_requested_at = $2, cancelled_by = $3
         where id = $1 and state in ('queued', 'running') and cancel_requested_at is null",
        id.0,
        at,
        by.map(|user| user.0),
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Appends output that begins at `offset`. False: the claim is not the latest.
pub async fn append_output(
    db: &mut PgConnection,
    operation: &Operation,
    offset: i64,
    data: &[u8],
) -> Result<bool> {
    let done = sqlx::query!(
        "with held as (update operations set output_bytes = $3::bigint + octet_length($4::bytea)
                       where id = $1 and claim = $2 and state = 'running' returning id)
         insert into operation_output (operation_id, byte_offset, data) select id, $3::bigint, $4::bytea from held",
        operation.id.0,
        operation.claim,
        offset,
        data,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn mark_output_cut(db: &mut PgConnection, operation: &Operation) -> Result<()> {
    sqlx::query!(
        "update operations set output_cut = true where id = $1 and claim = $2",
        operation.id.0,
        operation.claim
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes records that ended before `before`, at most `limit`. Gives how many.
pub async fn delete_old(db: &mut PgConnection, before: Timestamp, limit: i64) -> Result<u64> {
    let done = sqlx::query!(
        "delete from operations where id in (select id from operations where finished_at < $1 limit $2)",
        before,
        limit,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Removes the output of at most `limit` operations that ended before `before`. Gives of how many.
pub async fn delete_old_output(db: &mut PgConnection, before: Timestamp, limit: i64) -> Result<u64> {
    let done = sqlx::query!(
        "with old as (select id from operations where finished_at < $1 and output_bytes > 0 limit $2),
              gone as (delete from operation_output where operation_id in (select id from old))
         update operations set output_bytes = 0, output_cut = true where id in (select id from old)",
        before,
        limit,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// The chunks from the one that holds byte `from`, at most `limit`: their offsets and their bytes.
pub async fn output(
    db: &mut PgConnection,
    id: OperationId,
    from: i64,
    limit: i64,
) -> Result<Vec<(i64, Vec<u8>)>> {
    let rows = sqlx::query!(
        "select byte_offset, data from operation_output
         where operation_id = $1 and byte_offset >= coalesce(
             (select max(byte_offset) from operation_output where operation_id = $1 and byte_offset <= $2), 0)
         order by byte_offset limit $3",
        id.0,
        from,
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.byte_offset, row.data)).collect())
}

/// The newest chunks, newest first.
pub async fn output_tail(db: &mut PgConnection, id: OperationId, limit: i64) -> Result<Vec<Vec<u8>>> {
    let rows = sqlx::query_scalar!(
        "select data from operation_output where operation_id = $1 order by byte_offset desc limit $2",
        id.0,
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}
