//! The statements on `events`.

use std::collections::HashSet;

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Event, View, policy::Kept};
use crate::{
    journal,
    platform::{
        Result, Timestamp,
        id::{ProjectId, ServerId},
    },
};

/// A row, and whether this binary knows its kind: one that a newer replica wrote is passed over.
struct Row {
    position: i64,
    kind: String,
    project_id: Option<Uuid>,
    server_id: Option<Uuid>,
    data: Value,
}

impl Row {
    fn into_event(self) -> Option<Event> {
        Some(Event {
            position: self.position,
            kind: journal::Event::KINDS.into_iter().find(|kind| *kind == self.kind)?,
            project: self.project_id.map(ProjectId),
            server: self.server_id.map(ServerId),
            data: self.data.to_string().into(),
        })
    }
}

/// Some events in their order.
pub struct Batch {
    pub events: Vec<Event>,
    /// The position of the last row, shown or not.
    pub last: Option<i64>,
    pub is_full: bool,
}

impl Batch {
    fn of(rows: Vec<Row>, limit: i64) -> Self {
        let is_full = i64::try_from(rows.len()).is_ok_and(|rows| rows >= limit);
        let last = rows.last().map(|row| row.position);
        Self { events: rows.into_iter().filter_map(Row::into_event).collect(), last, is_full }
    }
}

pub async fn after(db: &mut PgConnection, position: i64, limit: i64) -> Result<Batch> {
    let rows = sqlx::query_as!(
        Row,
        r#"select position as "position!", kind, project_id, server_id, data
             from events where position > $1 order by position limit $2"#,
        position,
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(Batch::of(rows, limit))
}

/// What of `view` stands between two positions, the second included.
pub async fn between(db: &mut PgConnection, view: &View, after: i64, to: i64, limit: i64) -> Result<Batch> {
    let (projects, servers): (Option<Vec<Uuid>>, Vec<Uuid>) = match view {
        View::Everything => (None, vec![]),
        View::Parts { projects, servers } => (
            Some(projects.iter().map(|project| project.0).collect()),
            servers.iter().map(|server| server.0).collect(),
        ),
    };
    let rows = sqlx::query_as!(
        Row,
        r#"select position as "position!", kind, project_id, server_id, data
             from events
            where position > $1 and position <= $2
              and ($3::uuid[] is null or project_id = any($3) or server_id = any($4))
            order by position limit $5"#,
        after,
        to,
        projects.as_deref(),
        &servers,
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(Batch::of(rows, limit))
}

pub async fn kept(db: &mut PgConnection) -> Result<Option<Kept>> {
    let row = sqlx::query!(
        "select (select min(position) from events) as first, (select max(position) from events) as last"
    )
    .fetch_one(db)
    .await?;
    Ok(row.first.zip(row.last).map(|(first, last)| Kept { first, last }))
}

/// The servers that carry an app of these projects.
pub async fn servers_of(
    db: &mut PgConnection,
    projects: impl Iterator<Item = ProjectId>,
) -> Result<HashSet<ServerId>> {
    let projects: Vec<Uuid> = projects.map(|project| project.0).collect();
    let servers = sqlx::query_scalar!(
        r#"select distinct server_id as "server_id: ServerId" from apps where project_id = any($1)"#,
        &projects
    )
    .fetch_all(db)
    .await?;
    Ok(servers.into_iter().collect())
}

/// Removes the head of the stream up to the first event that is not older than `before`; returns how many. What stays has
/// no hole, and the last one always stays: it tells readers how far they are.
pub async fn forget(db: &mut PgConnection, before: Timestamp, limit: i64) -> Result<u64> {
    let gone = sqlx::query!(
        "delete from events where position in (
             select position from events
              where position < coalesce((select min(position) from events where created_at >= $1),
                                        (select max(position) from events))
              order by position limit $2)",
        before,
        limit,
    )
    .execute(db)
    .await?;
    Ok(gone.rows_affected())
}
