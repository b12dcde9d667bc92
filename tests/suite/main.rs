//! One binary, one file per capability.

mod database;
mod projects;
mod support;
