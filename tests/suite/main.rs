//! Everything that is tested through the public door, on real parts: one binary, one file per capability.

mod database;
mod docker;
mod support;
