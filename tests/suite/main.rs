//! One binary, one file per capability.

mod database;
mod support;
