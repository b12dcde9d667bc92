//! The durable record, and the queue, of what is done to apps.
//!
//! An operation is a row before it is an act. A replica claims it with a lease and runs it through [`Actions`], which
//! `apps` implements; its output goes to the database by byte offset. When a lease runs out, another replica asks the host
//! how things stand: what was never sent is queued again, what was is never sent twice. Every operation ends in one of
//! [`State`]'s final states, and the app's own state is written in the same transaction.

mod execute;
pub mod http;
pub mod jobs;
pub mod ops;
pub mod output;
mod output_http;
mod store;
mod worker;

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use crate::{
    journal::Author,
    platform::{
        Result, Timestamp,
        id::{AppId, OperationId, ProjectId, ServerId, UserId},
    },
    remote::ssh,
};

/// What is done to an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "camelCase")]
#[sqlx(type_name = "text", rename_all = "camelCase")]
#[schema(as = OperationAction)]
pub enum Action {
    /// `compose up -d`
    Start,
    /// `compose down`
    Stop,
    /// `compose restart`
    Restart,
    /// `compose pull`
    Pull,
}

impl Action {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Pull => "pull",
        }
    }
}

/// How far an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "camelCase")]
#[sqlx(type_name = "text", rename_all = "camelCase")]
#[schema(as = OperationState)]
pub enum State {
    Queued,
    Running,
    Succeeded,
    Failed,
    Cancelled,
    /// Whoever ran it died, and how it ended is not known. The app was probed and shows what is so.
    Lost,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }

    pub fn is_final(self) -> bool {
        match self {
            Self::Queued | Self::Running => false,
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::Lost => true,
        }
    }
}

/// Who wanted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "camelCase")]
#[sqlx(type_name = "text", rename_all = "camelCase")]
#[schema(as = OperationTrigger)]
pub enum Trigger {
    User,
    Token,
    AutoStop,
    Schedule,
}

/// Why an operation did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Stable: `operation.failed`, or `server.<reason>` when the host could not be reached.
    pub code: String,
    /// One sentence for a person.
    pub detail: String,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Operation {
    pub id: OperationId,
    pub app: AppId,
    /// Where the app is now, or was when it was removed; decides who may see the operation.
    pub project: ProjectId,
    pub server: ServerId,
    pub action: Action,
    pub state: State,
    pub trigger: Trigger,
    pub requested_by: Option<UserId>,
    pub requested_by_name: Option<String>,
    pub timeout_minutes: Option<i32>,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub exit_code: Option<i32>,
    pub failure: Option<Failure>,
    pub cancel_requested_at: Option<Timestamp>,
    pub output_bytes: i64,
    pub output_cut: bool,
    pub sent_at: Option<Timestamp>,
    /// The number of the claim that it was read under.
    pub claim: i64,
}

/// What is to be done, before it is a row.
#[derive(Clone, Debug)]
pub struct Request {
    pub app: AppId,
    pub project: ProjectId,
    pub server: ServerId,
    pub action: Action,
    pub trigger: Trigger,
    pub author: Author,
    /// For a start: minutes until the app is stopped again; `None` is the app's own setting.
    pub timeout_minutes: Option<i32>,
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Succeeded,
    Failed { exit_code: Option<i32>, failure: Failure },
    Cancelled,
    Lost { failure: Failure },
}

impl Outcome {
    pub fn state(&self) -> State {
        match self {
            Self::Succeeded => State::Succeeded,
            Self::Failed { .. } => State::Failed,
            Self::Cancelled => State::Cancelled,
            Self::Lost { .. } => State::Lost,
        }
    }

    fn exit_code(&self) -> Option<i32> {
        match self {
            Self::Succeeded => Some(0),
            Self::Failed { exit_code, .. } => *exit_code,
            Self::Cancelled | Self::Lost { .. } => None,
        }
    }

    fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Succeeded | Self::Cancelled => None,
            Self::Failed { failure, .. } | Self::Lost { failure } => Some(failure),
        }
    }
}

/// What the queue needs to know about actions; `apps` implements it and `startup` hands it over.
#[async_trait]
pub trait Actions: Send + Sync + 'static {
    /// The machine of an operation. The host is not asked.
    async fn target(&self, operation: &Operation) -> Result<ssh::Target>;

    /// The command of an operation on that machine, or why there is none: the host is asked what it needs.
    async fn prepare(&self, operation: &Operation, target: &ssh::Target) -> Result<ssh::Command>;

    /// Asks the host what is so now, and writes the operation's end ([`ops::finish`]) and the app's state in one
    /// transaction. Called again after an error.
    async fn conclude(&self, operation: &Operation, outcome: &Outcome) -> Result<()>;
}

/// The hold of a replica on an operation that it runs.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub operation: Operation,
    /// Cancelled when somebody asked to cancel the operation.
    pub cancelled: CancellationToken,
}

/// A lease that is not renewed is over after this, by the database's clock.
pub(crate) const LEASE: Duration = Duration::from_secs(12);
/// How often it is renewed.
pub(crate) const RENEW_EVERY: Duration = Duration::from_secs(2);
/// Who could not renew it for this long takes it for lost, before another may take it.
pub(crate) const LOST_AFTER: Duration = Duration::from_secs(9);
