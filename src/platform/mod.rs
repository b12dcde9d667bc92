//! The ground floor: what would fit any service. Configuration, errors, ids, time, the database, secrets, tasks.
//!
//! Nothing here knows of servers, apps or users, of SSH, or of HTTP routes.

pub mod claim;
pub mod clock;
pub mod config;
pub mod db;
pub mod doctor;
pub mod error;
pub mod id;
pub mod lifecycle;
pub mod password;
pub mod replica;
pub mod secret;
pub mod telemetry;
pub mod token;
pub mod vault;

pub use clock::{Clock, Timestamp};
pub use config::Config;
pub use db::Database;
pub use error::{Error, FieldError, Kind, Result};
pub use lifecycle::Lifecycle;
pub use secret::Secret;
