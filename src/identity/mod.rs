//! Accounts, sessions and rights: who somebody is, and what they may do.
//!
//! A right is proven by a value: an [`Asks`] says who asks for which right, [`Asks::globally`] and [`Asks::on_project`]
//! turn it into a [`Permit`] or refuse, and verbs that change something take the `Permit`. Rows are found inside the
//! asker's [`Sight`], so that what one may not see does not exist. Rights are read from the database at every request:
//! a token only names its session.

pub mod extract;
pub mod http;
pub mod ops;
pub mod policy;
mod store;
mod throttle;
mod users_http;
mod watch;

use std::{collections::HashMap, marker::PhantomData};

pub use policy::{Permission, right};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
pub use watch::while_allowed;

use crate::{
    journal::Author,
    platform::{
        Error, Result, Timestamp,
        id::{ProjectId, SessionId, UserId},
    },
};

/// What an account is in the whole installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Role {
    /// May do everything.
    Admin,
    /// May do what its projects allow.
    User,
}

/// What an account is within one project. Each may do what the former may.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema, sqlx::Type,
)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum ProjectRole {
    /// Sees apps, their state and their output.
    Viewer,
    /// Also starts and stops them.
    Operator,
    /// Also changes them, the project and its members.
    Maintainer,
}

/// An account.
#[derive(Clone, Debug)]
pub struct User {
    pub id: UserId,
    pub username: String,
    pub email: Option<String>,
    pub name: String,
    pub role: Role,
    pub is_enabled: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub last_login_at: Option<Timestamp>,
}

/// What decides about rights.
#[derive(Clone, Debug)]
pub struct Authority {
    pub role: Role,
    pub projects: HashMap<ProjectId, ProjectRole>,
}

/// The signed-in caller of a request.
#[derive(Clone, Debug)]
pub struct CurrentUser {
    pub user: User,
    pub session: SessionId,
    pub authority: Authority,
    pub author: Author,
}

/// Which projects' things somebody sees.
#[derive(Clone, Debug)]
pub enum Sight {
    Everything,
    Projects(Vec<ProjectId>),
}

impl Sight {
    /// For a statement's `($1::uuid[] is null or project_id = any($1))`.
    pub fn projects(&self) -> Option<Vec<Uuid>> {
        match self {
            Self::Everything => None,
            Self::Projects(projects) => Some(projects.iter().map(|project| project.0).collect()),
        }
    }

    pub fn is_everything(&self) -> bool {
        matches!(self, Self::Everything)
    }
}

/// Somebody asks to use the right `R`; nothing is decided yet.
pub struct Asks<R> {
    caller: CurrentUser,
    right: PhantomData<R>,
}

impl<R: policy::Right> Asks<R> {
    pub(in crate::identity) fn new(caller: CurrentUser) -> Self {
        Self { caller, right: PhantomData }
    }

    pub fn caller(&self) -> &CurrentUser {
        &self.caller
    }

    /// What the asker sees at all. Look the thing up within it first: what is outside does not exist (404).
    pub fn sight(&self) -> Sight {
        policy::sight(&self.caller.authority)
    }

    /// The right to use `R` anywhere, or 403.
    pub fn globally(&self) -> Result<Permit<R>> {
        self.decide(policy::scope_anywhere(&self.caller.authority, R::PERMISSION))
    }

    /// The right to use `R` on the things of a project, or 403.
    pub fn on_project(&self, project: ProjectId) -> Result<Permit<R>> {
        self.decide(policy::scope_on(&self.caller.authority, R::PERMISSION, project))
    }

    fn decide(&self, scope: Option<Scope>) -> Result<Permit<R>> {
        let scope = scope.ok_or_else(|| Error::forbidden(R::PERMISSION.as_str()))?;
        Ok(Permit { author: self.caller.author.clone(), scope, right: PhantomData })
    }
}

/// What a [`Permit`] is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    All,
    /// The things of this project.
    Project(ProjectId),
}

/// The proof that somebody may use the right `R` within a [`Scope`].
pub struct Permit<R> {
    author: Author,
    scope: Scope,
    right: PhantomData<R>,
}

impl<R: policy::Right> Permit<R> {
    /// The house's own right, for timers and the command line: nobody asked over the network.
    pub fn of_the_house() -> Self {
        Self { author: Author::default(), scope: Scope::All, right: PhantomData }
    }

    /// Whether it is good for a `thing` of this project. A verb asks when it has locked the row: the thing may have gone
    /// to another project since the permit was given, and is not there then (404).
    pub fn admits(&self, thing: &'static str, project: ProjectId) -> Result<()> {
        match self.scope {
            Scope::All => Ok(()),
            Scope::Project(own) if own == project => Ok(()),
            Scope::Project(_) => Err(Error::not_found(thing)),
        }
    }

    /// Who does it, for the journal.
    pub fn author(&self) -> &Author {
        &self.author
    }
}
