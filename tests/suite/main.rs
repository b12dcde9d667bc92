//! Everything that is tested through the public door, on real parts.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "here a panic is the verdict, in helpers as well"
)]

mod docker;
mod docker_over_ssh;
mod support;
