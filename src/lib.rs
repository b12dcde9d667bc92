//! Quaymaster: a control plane for Docker Compose apps on many hosts, over plain SSH.
//!
//! One crate, by capability. Imports go strictly down this table, which `tests/suite/architecture.rs` enforces:
//!
//! | rank | modules |
//! |---|---|
//! | 11 | `main` |
//! | 10 | `cli` |
//! | 9 | `startup` |
//! | 8 | `routes`, `schedule` |
//! | 7 | `autostop` `audit` `events` `metrics` |
//! | 6 | `apps` |
//! | 5 | `operations`, `projects` |
//! | 4 | `servers` |
//! | 3 | `identity` |
//! | 2 | `services` |
//! | 1 | `remote`, `web`, `journal` |
//! | 0 | `platform` |

pub mod apps;
pub mod audit;
pub mod autostop;
pub mod cli;
pub mod events;
pub mod identity;
pub mod journal;
pub mod metrics;
pub mod operations;
pub mod platform;
pub mod projects;
pub mod remote;
pub mod routes;
pub mod schedule;
pub mod servers;
pub mod services;
pub mod startup;
pub mod web;
