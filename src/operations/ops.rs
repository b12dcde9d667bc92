//! The verbs on operations: ask for one, wait for its end, cancel it, write its end.

use std::time::Duration;

use serde_json::json;
use sqlx::PgConnection;

pub use super::store::Filter;
use super::{Operation, Outcome, Request, State, store};
use crate::{
    identity::{Permit, Sight, right::AppsOperate},
    journal::{self, Action as Audited, Event, Signal, Subject},
    platform::{
        Error, Result, Timestamp,
        id::{AppId, OperationId},
    },
    services::Services,
    web::page::PageRequest,
};

/// Without a signal a waiting request looks again this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Asking, finding the app busy, and finding it free again: more often than this it cannot be a coincidence.
const MAX_TRIES: usize = 5;

/// What asking for an operation gives.
#[derive(Clone, Debug)]
pub enum Asked {
    /// A new one is queued.
    Queued(Operation),
    /// The same action was under way already.
    Joined(Operation),
}

impl Asked {
    pub fn operation(&self) -> &Operation {
        match self {
            Self::Queued(operation) | Self::Joined(operation) => operation,
        }
    }
}

/// Queues an operation, joins the same one that is unfinished, or says that the app is busy with another (409).
pub async fn ask(db: &mut PgConnection, at: Timestamp, request: &Request) -> Result<Asked> {
    for _ in 0..MAX_TRIES {
        if let Some(id) = store::insert(db, OperationId::make(), request, at).await? {
            let operation = existing(db, id).await?;
            announce(db, at, &operation).await?;
            journal::notify(db, Signal::Queue).await?;
            return Ok(Asked::Queued(operation));
        }
        match store::unfinished(db, request.app).await? {
            Some(other) if other.action == request.action => return Ok(Asked::Joined(other)),
            Some(other) => return Err(busy(&other)),
            // It has ended between the two statements.
            None => {}
        }
    }
    Err(Error::unavailable("app.busy", "operations on this app come and go too quickly; try again"))
}

fn busy(other: &Operation) -> Error {
    let action = other.action.as_str();
    Error::conflict("app.busy", format!("a {action} of this app is not finished; wait for it or cancel it"))
        .with("operationId", other.id.to_string())
        .with("action", action)
}

async fn existing(db: &mut PgConnection, id: OperationId) -> Result<Operation> {
    store::find(db, id).await?.ok_or_else(|| Error::not_found("operation"))
}

pub async fn see(db: &mut PgConnection, sight: &Sight, id: OperationId) -> Result<Operation> {
    store::see(db, sight, id).await?.ok_or_else(|| Error::not_found("operation"))
}

pub async fn list(
    db: &mut PgConnection,
    sight: &Sight,
    filter: Filter,
    page: PageRequest,
) -> Result<Vec<Operation>> {
    store::list(db, sight, filter, page).await
}

/// The operation that an app is busy with.
pub async fn unfinished(db: &mut PgConnection, app: AppId) -> Result<Option<Operation>> {
    store::unfinished(db, app).await
}

async fn announce(db: &mut PgConnection, at: Timestamp, operation: &Operation) -> Result<()> {
    let event = Event::OperationState {
        operation: operation.id,
        app: operation.app,
        project: operation.project,
        action: operation.action.as_str(),
        state: operation.state.as_str(),
    };
    journal::announce(db, at, &event).await?;
    journal::notify(db, Signal::Operation(operation.id)).await
}

/// Tells of an operation's present state.
pub(super) async fn announce_state(db: &mut PgConnection, at: Timestamp, id: OperationId) -> Result<()> {
    let operation = existing(db, id).await?;
    announce(db, at, &operation).await
}

/// Gives back to the queue what was claimed and never sent.
pub(super) async fn requeue(services: &Services, operation: &Operation) -> Result<()> {
    let mut tx = services.db.begin().await?;
    if store::requeue(&mut tx, operation).await? {
        announce_state(&mut tx, services.clock.now(), operation.id).await?;
        journal::notify(&mut tx, Signal::Queue).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Tells every replica to look at the queue.
pub(super) async fn wake_queue(services: &Services) -> Result<()> {
    journal::notify(&mut *services.db.acquire().await?, Signal::Queue).await
}

/// Lets go of what this replica holds and cannot carry to its end: another takes it up at once.
pub async fn release(services: &Services) -> Result<()> {
    let mut tx = services.db.begin().await?;
    store::release(&mut tx, services.replica).await?;
    journal::notify(&mut tx, Signal::Queue).await?;
    tx.commit().await?;
    Ok(())
}

/// How many automatic stops of an app have failed since it was started.
pub async fn failed_auto_stops(db: &mut PgConnection, app: AppId, since: Option<Timestamp>) -> Result<i64> {
    store::failed_auto_stops(db, app, since).await
}

/// Writes the end of a claimed operation. False: the claim is not the latest, and nothing may be written.
///
/// To be called in the transaction that writes the app's state.
pub async fn finish(
    db: &mut PgConnection,
    services: &Services,
    operation: &Operation,
    outcome: &Outcome,
) -> Result<bool> {
    write_end(db, services.clock.now(), operation, outcome).await
}

async fn write_end(
    db: &mut PgConnection,
    at: Timestamp,
    operation: &Operation,
    outcome: &Outcome,
) -> Result<bool> {
    if !store::finish(db, operation, outcome, at).await? {
        return Ok(false);
    }
    announce_state(db, at, operation.id).await?;
    let details = json!({
        "appId": operation.app,
        "action": operation.action.as_str(),
        "state": outcome.state().as_str(),
        "exitCode": outcome.exit_code(),
        "error": outcome.failure().map(|failure| failure.code.as_str()),
    });
    let nobody = journal::Author::default();
    journal::record(db, at, &nobody, Audited::OperationFinish, Subject::Operation(operation.id), details)
        .await?;
    Ok(true)
}

/// What a cancel did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancel {
    /// It was waiting and has ended; its app is what it was.
    Ended,
    /// Whoever runs it was asked to end it.
    Asked,
    /// It had ended before, or was asked before.
    Nothing,
}

/// Cancels an operation in the caller's transaction: one that waits ends at once, one that runs is asked to end.
pub async fn cancel(
    db: &mut PgConnection,
    at: Timestamp,
    permit: &Permit<AppsOperate>,
    operation: &Operation,
) -> Result<Cancel> {
    if !store::request_cancel(db, operation.id, permit.author().user, at).await? {
        return Ok(Cancel::Nothing);
    }
    let details = json!({"appId": operation.app, "action": operation.action.as_str()});
    let subject = Subject::Operation(operation.id);
    journal::record(db, at, permit.author(), Audited::OperationCancel, subject, details).await?;
    let is_waiting = operation.state == State::Queued;
    if is_waiting && write_end(db, at, operation, &Outcome::Cancelled).await? {
        return Ok(Cancel::Ended);
    }
    journal::notify(db, Signal::Operation(operation.id)).await?;
    Ok(Cancel::Asked)
}

/// Waits for the end of an operation, whichever replica runs it.
pub async fn wait(services: &Services, id: OperationId) -> Result<Operation> {
    let mut signals = services.bus.subscribe();
    loop {
        let operation = existing(&mut *services.db.acquire().await?, id).await?;
        if operation.state.is_final() {
            return Ok(operation);
        }
        signals.wait_for(LOOK_EVERY, |signal| signal == Signal::Operation(id)).await;
        if services.lifecycle.is_stopping() {
            return Err(Error::unavailable(
                "service.stopping",
                "this Quaymaster is stopping; the operation goes on",
            )
            .with("operationId", id.to_string()));
        }
    }
}

/// The error that a failed, cancelled or lost operation is to who waited for it; `None` for one that succeeded.
pub async fn as_error(db: &mut PgConnection, operation: &Operation) -> Result<Option<Error>> {
    let (code, detail) = match (&operation.failure, operation.state) {
        (_, State::Succeeded | State::Queued | State::Running) => return Ok(None),
        (Some(failure), State::Failed | State::Lost) => (failure.code.clone(), failure.detail.clone()),
        (None, State::Failed | State::Lost) => ("operation.failed".to_owned(), "it failed".to_owned()),
        (_, State::Cancelled) => {
            let error = Error::conflict("operation.cancelled", "the operation was cancelled");
            return Ok(Some(error.with("operationId", operation.id.to_string())));
        }
    };
    let id = operation.id.to_string();
    if let Some(reason) = code.strip_prefix("server.").map(str::to_owned) {
        return Ok(Some(Error::unavailable(code, detail).with("reason", reason).with("operationId", id)));
    }
    let output = last_output(db, operation.id).await?;
    let error = Error::new(crate::platform::Kind::RemoteFailed, code, detail)
        .with("exitCode", operation.exit_code)
        .with("output", output)
        .with("operationId", id);
    Ok(Some(error))
}

/// The last lines of output, plain.
async fn last_output(db: &mut PgConnection, id: OperationId) -> Result<String> {
    let mut tail = super::output::Tail::default();
    for chunk in store::output_tail(db, id, 2).await?.iter().rev() {
        tail.push(chunk);
    }
    Ok(tail.into_text())
}

/// A piece of output and where the next one begins.
pub struct Piece {
    pub offset: i64,
    pub data: Vec<u8>,
}

/// The output from byte `from` on, as far as it is written and as much as fits an answer's chunk.
pub async fn output(db: &mut PgConnection, id: OperationId, from: i64) -> Result<Vec<Piece>> {
    const CHUNKS: i64 = 16;
    let chunks = store::output(db, id, from, CHUNKS).await?;
    let pieces = chunks.into_iter().filter_map(|(offset, mut data)| {
        let skip = usize::try_from(from - offset).unwrap_or(0);
        (skip < data.len()).then(|| {
            let data = data.split_off(skip);
            Piece { offset: offset.max(from), data }
        })
    });
    Ok(pieces.collect())
}
