//! Talking to machines. It knows neither the database nor HTTP.

pub mod ssh;
