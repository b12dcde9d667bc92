//! The verbs on accounts and on sessions.

pub mod accounts;
mod attempts;
pub mod sessions;
