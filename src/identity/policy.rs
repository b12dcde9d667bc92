//! The decisions about rights: pure, one table. And what a username is.

use super::{Authority, ProjectRole, Role, Scope, Sight};
use crate::platform::id::ProjectId;

/// A kind of right, for the compiler: a verb that takes `Permit<right::AppsOperate>` cannot be called with less.
pub trait Right {
    const PERMISSION: Permission;
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $least:expr;)+) => {
        /// A right by name, `<thing>:<verb>`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Permission { $($(#[$doc])* $name,)+ }

        impl Permission {
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// The least role in a project that has it there; `None`: administrators only.
            pub fn least_project_role(self) -> Option<ProjectRole> {
                match self { $(Self::$name => $least,)+ }
            }
        }

        /// One type per permission.
        pub mod right {
            $(
                $(#[$doc])*
                pub struct $name;

                impl super::Right for $name {
                    const PERMISSION: super::Permission = super::Permission::$name;
                }
            )+
        }
    };
}

permissions! {
    /// See servers: all of them, or those that carry apps of one's projects.
    ServersView = "servers:view", Some(ProjectRole::Viewer);
    /// Add, change, probe and remove servers, trust their keys.
    ServersManage = "servers:manage", None;
    ProjectsView = "projects:view", Some(ProjectRole::Viewer);
    ProjectsCreate = "projects:create", None;
    /// Change a project and its members.
    ProjectsManage = "projects:manage", Some(ProjectRole::Maintainer);
    AppsView = "apps:view", Some(ProjectRole::Viewer);
    /// Start, stop, restart, pull, extend, cancel.
    AppsOperate = "apps:operate", Some(ProjectRole::Operator);
    /// Add, change and remove apps.
    AppsManage = "apps:manage", Some(ProjectRole::Maintainer);
    UsersManage = "users:manage", None;
    AuditView = "audit:view", None;
    SshConnect = "ssh:connect", None;
    SshData = "ssh:data", None;
    SshDisconnect = "ssh:disconnect", None;
    SshAdhoc = "ssh:adhoc", None;
    SystemMonitor = "system:monitor", None;
}

pub fn holds_globally(authority: &Authority, _permission: Permission) -> bool {
    match authority.role {
        Role::Admin => true,
        Role::User => false,
    }
}

pub fn holds_on(authority: &Authority, permission: Permission, project: ProjectId) -> bool {
    let here = authority.projects.get(&project);
    let enough = |least| here.is_some_and(|role| *role >= least);
    holds_globally(authority, permission) || permission.least_project_role().is_some_and(enough)
}

/// What a permit reaches that is asked for anywhere; `None`: there is none.
pub fn scope_anywhere(authority: &Authority, permission: Permission) -> Option<Scope> {
    holds_globally(authority, permission).then_some(Scope::All)
}

/// What a permit reaches that is asked for in a project; `None`: there is none.
pub fn scope_on(authority: &Authority, permission: Permission, project: ProjectId) -> Option<Scope> {
    let here = || holds_on(authority, permission, project).then_some(Scope::Project(project));
    scope_anywhere(authority, permission).or_else(here)
}

/// Everything that an account may do somewhere, for dashboards to know what to offer.
pub fn held_somewhere(authority: &Authority) -> Vec<Permission> {
    let somewhere = |permission: &Permission| {
        holds_globally(authority, *permission)
            || authority.projects.keys().any(|project| holds_on(authority, *permission, *project))
    };
    Permission::ALL.iter().copied().filter(somewhere).collect()
}

pub fn sight(authority: &Authority) -> Sight {
    match authority.role {
        Role::Admin => Sight::Everything,
        Role::User => Sight::Projects(authority.projects.keys().copied().collect()),
    }
}

/// 1 to 64 letters, digits and `. _ - @ +`.
pub fn is_username(text: &str) -> bool {
    let fits = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '_' | '-' | '@' | '+');
    (1..=64).contains(&text.chars().count()) && text.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(role: ProjectRole) -> (Authority, ProjectId) {
        let project = ProjectId::make();
        (Authority { role: Role::User, projects: [(project, role)].into() }, project)
    }

    fn names(permissions: &[Permission]) -> Vec<&'static str> {
        permissions.iter().map(|permission| permission.as_str()).collect()
    }

    #[test]
    fn an_administrator_may_do_everything_everywhere() {
        let admin = Authority { role: Role::Admin, projects: [].into() };
        assert_eq!(held_somewhere(&admin), Permission::ALL);
        assert!(holds_on(&admin, Permission::AppsManage, ProjectId::make()));
        assert!(sight(&admin).is_everything());
    }

    #[test]
    fn each_project_role_adds_to_the_one_before() {
        let viewer = ["servers:view", "projects:view", "apps:view"];
        assert_eq!(names(&held_somewhere(&member(ProjectRole::Viewer).0)), viewer);
        let operator = names(&held_somewhere(&member(ProjectRole::Operator).0));
        assert_eq!(operator, [&viewer[..], &["apps:operate"]].concat());
        let maintainer = names(&held_somewhere(&member(ProjectRole::Maintainer).0));
        let all =
            ["servers:view", "projects:view", "projects:manage", "apps:view", "apps:operate", "apps:manage"];
        assert_eq!(maintainer, all);
    }

    #[test]
    fn a_right_in_one_project_is_none_in_another() {
        let (authority, project) = member(ProjectRole::Maintainer);
        assert!(holds_on(&authority, Permission::AppsManage, project));
        assert!(!holds_on(&authority, Permission::AppsView, ProjectId::make()));
        assert!(!holds_globally(&authority, Permission::AppsView));
        assert_eq!(sight(&authority).projects(), Some(vec![project.0]));
    }

    #[test]
    fn a_permit_reaches_no_further_than_the_project_it_was_asked_for() {
        let (authority, project) = member(ProjectRole::Maintainer);
        assert_eq!(scope_on(&authority, Permission::AppsManage, project), Some(Scope::Project(project)));
        assert_eq!(scope_on(&authority, Permission::AppsManage, ProjectId::make()), None);
        assert_eq!(scope_anywhere(&authority, Permission::AppsManage), None);
        let admin = Authority { role: Role::Admin, projects: [].into() };
        assert_eq!(scope_on(&admin, Permission::AppsManage, project), Some(Scope::All));

        let permit = super::super::Permit::<right::AppsManage> {
            author: crate::journal::Author::default(),
            scope: Scope::Project(project),
            right: std::marker::PhantomData,
        };
        assert!(permit.admits("app", project).is_ok());
        assert_eq!(permit.admits("app", ProjectId::make()).unwrap_err().code, "app.not_found");
    }

    #[test]
    fn who_is_in_no_project_sees_nothing() {
        let nobody = Authority { role: Role::User, projects: [].into() };
        assert!(held_somewhere(&nobody).is_empty());
        assert_eq!(sight(&nobody).projects(), Some(vec![]));
    }
}
