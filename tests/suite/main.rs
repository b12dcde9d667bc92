//! Everything that is tested through the public door, on real parts: one binary, one file per capability.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "here a panic is the verdict, in helpers as well"
)]

mod database;
mod docker;
mod docker_over_ssh;
mod support;
