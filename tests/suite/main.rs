//! Quaymaster through its public doors, on the real parts it works with: one binary, one file per capability.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "here a panic is the verdict, in helpers as well"
)]

mod apps;
mod architecture;
mod audit;
mod auth;
mod cli;
mod crash;
mod database;
mod docker;
mod docker_over_ssh;
mod events;
mod openapi;
mod operations;
mod placing;
mod projects;
mod requests;
mod rights;
mod secrets;
mod servers;
mod ssh;
mod support;
mod threats;
mod users;
mod watching;
