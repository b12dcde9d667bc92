//! Live events: what `journal::announce` wrote, to those who may see it, in the order in which it became true.
//!
//! The table is the truth and the [`Feed`] reads it once per process for all readers; a signal only wakes it. A reader
//! goes on from its last position, and is never owed memory: one that lags is sent away and comes back to the table.

mod feed;
pub mod http;
pub mod jobs;
pub mod policy;
mod reader;
mod store;

use std::{collections::HashSet, sync::Arc};

pub use feed::Feed;

use crate::platform::id::{ProjectId, ServerId};

/// An event as its readers get it.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its place in the stream; see `events.position`.
    pub position: i64,
    pub kind: &'static str,
    pub project: Option<ProjectId>,
    pub server: Option<ServerId>,
    /// One line of JSON.
    pub data: Arc<str>,
}

/// Whose events a reader is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    Everything,
    /// Those of these projects, and of the servers that carry their apps.
    Parts {
        projects: HashSet<ProjectId>,
        servers: HashSet<ServerId>,
    },
}
