//! Talks to machines: SSH, and over it Docker, Compose and the host itself.
//!
//! Nothing here knows the database or HTTP routes. What the far side says is never trusted: every answer has a cap,
//! every wait a time limit, and every command is an argv.

pub mod compose;
pub mod docker;
pub mod host;
pub mod ssh;
