//! One binary, one file per capability.

mod architecture;
mod database;
mod support;
