//! Projects: groups of apps, and who may do what with them.
//!
//! A project is found within the asker's sight, and its members' roles decide about its apps. Counting apps, and
//! removing them with their project, is done on the rows of `apps` from below, because that module stands above this one.

pub mod http;
pub mod ops;
mod store;

use crate::{
    identity::ProjectRole,
    platform::{
        Timestamp,
        id::{ProjectId, UserId},
    },
};

/// A group of apps.
#[derive(Clone, Debug)]
pub struct Project {
    pub id: ProjectId,
    pub name: String,
    pub description: String,
    pub apps_count: i64,
    /// Of these, those that run, be it badly.
    pub running_apps_count: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// An account's place in a project.
#[derive(Clone, Debug)]
pub struct Member {
    pub user: UserId,
    pub username: String,
    pub name: String,
    pub role: ProjectRole,
    pub created_at: Timestamp,
}
