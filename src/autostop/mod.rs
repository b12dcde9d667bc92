//! Stopping apps when their time is over.
//!
//! Every replica looks once a second; the row of a due app is locked, its stop is queued and its time is cleared in one
//! transaction, so that it happens once. Stops that fail get a new time, see `apps::policy`.

pub mod jobs;
