//! Reading what happened. The write side is `journal`'s; a row is never changed, and outlives what it tells of.

pub mod http;
pub mod ops;
mod store;

use serde_json::Value;
use uuid::Uuid;

use crate::platform::{
    Timestamp,
    id::{AuditId, UserId},
};

/// One row: who did what to which thing, from where.
#[derive(Clone, Debug)]
pub struct Entry {
    pub id: AuditId,
    /// Nobody: the house itself, or somebody unknown.
    pub user: Option<UserId>,
    /// As it was then.
    pub username: Option<String>,
    pub action: String,
    pub resource_type: String,
    pub resource_id: Option<Uuid>,
    pub details: Value,
    pub ip_address: Option<String>,
    pub request_id: Option<String>,
    pub created_at: Timestamp,
}

/// Which rows; `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub user: Option<UserId>,
    pub action: Option<String>,
    pub resource_type: Option<String>,
    pub resource_id: Option<Uuid>,
    /// Not before this.
    pub from: Option<Timestamp>,
    /// Before this.
    pub to: Option<Timestamp>,
}
