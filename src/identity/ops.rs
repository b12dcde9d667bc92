//! The verbs on accounts and on sessions.

pub mod accounts;
pub mod sessions;
