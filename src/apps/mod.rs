//! Compose apps: what they are, what is done to them, and what the host says of them.
//!
//! The state of an app is what Docker said last, or `unknown` when its host cannot be asked; while something is being done
//! to it, it is what is being done. A row in `apps` points at one folder on one server, which no other row may.

mod actions;
mod containers_http;
pub mod http;
pub mod jobs;
mod observe;
pub mod ops;
pub mod policy;
mod readers;
mod run_http;
mod store;

pub use actions::AppActions;
pub use readers::LogReaders;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    platform::{
        Timestamp,
        id::{AppId, ProjectId, ServerId},
    },
    remote::ssh::RemotePath,
};

/// What an app is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
#[schema(as = AppStatus)]
pub enum Status {
    Stopped,
    Starting,
    Running,
    Stopping,
    /// Some service that should run does not, or is unhealthy.
    Degraded,
    /// The last start failed, or its containers ended by themselves with an error.
    Error,
    /// Its server cannot be asked.
    Unknown,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Degraded => "degraded",
            Self::Error => "error",
            Self::Unknown => "unknown",
        }
    }

    /// Whether containers of it run, as far as is known.
    pub fn is_up(self) -> bool {
        match self {
            Self::Starting | Self::Running | Self::Stopping | Self::Degraded => true,
            Self::Stopped | Self::Error | Self::Unknown => false,
        }
    }
}

/// One row.
#[derive(Clone, Debug)]
pub struct App {
    pub id: AppId,
    pub name: String,
    pub project: ProjectId,
    pub server: ServerId,
    /// The folder of its compose file, as it was given.
    pub path: RemotePath,
    /// The same folder without symbolic links, once the host was asked.
    pub real_path: Option<RemotePath>,
    pub url: Option<String>,
    /// Minutes after a start until it is stopped; 0 is never.
    pub auto_stop_minutes: i32,
    pub status: Status,
    pub status_reason: Option<String>,
    pub status_at: Option<Timestamp>,
    pub services_running: i32,
    pub services_total: i32,
    pub started_at: Option<Timestamp>,
    pub stop_at: Option<Timestamp>,
    /// How long this run was given.
    pub run_minutes: Option<i32>,
    /// The count of state writes, for telling an older probe from a newer write.
    pub reading: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}
