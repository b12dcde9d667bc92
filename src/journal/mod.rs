//! What happened: the audit row and the live event of a change, written in the transaction of the change.
//!
//! The write side only, low in the house, with plain ids; reading and verifying the log is `audit`'s. A change whose row
//! cannot be written does not happen. [`Bus`] tells the tasks of this process what any replica has written.

pub mod bus;

use std::net::IpAddr;

use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

pub use bus::{Bus, Signal, Subscription};

use crate::platform::{
    Result, Timestamp,
    id::{AppId, AuditId, OperationId, ProjectId, ServerId, UserId},
};

/// Who made a change, and from where. The house itself (timers, recovery) has no user.
#[derive(Clone, Debug, Default)]
pub struct Author {
    pub user: Option<UserId>,
    pub username: Option<String>,
    pub ip_address: Option<IpAddr>,
    pub request_id: Option<String>,
}

/// What a row is about.
#[derive(Clone, Copy, Debug)]
pub enum Subject {
    User(UserId),
    Server(ServerId),
    Project(ProjectId),
    App(AppId),
    Operation(OperationId),
    /// No single thing: a failed sign-in under an unknown name.
    Nothing,
}

impl Subject {
    fn columns(self) -> (&'static str, Option<Uuid>) {
        match self {
            Self::User(id) => ("user", Some(id.0)),
            Self::Server(id) => ("server", Some(id.0)),
            Self::Project(id) => ("project", Some(id.0)),
            Self::App(id) => ("app", Some(id.0)),
            Self::Operation(id) => ("operation", Some(id.0)),
            Self::Nothing => ("none", None),
        }
    }
}

/// What was done, in the words of CONTRACT, section 8.
macro_rules! actions {
    ($($name:ident = $text:literal;)+) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Action { $($name,)+ }

        impl Action {
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

actions! {
    Login = "LOGIN";
    LoginFailed = "LOGIN_FAILED";
    Logout = "LOGOUT";
    RefreshReused = "REFRESH_REUSED";
    PasswordChange = "PASSWORD_CHANGE";
    PasswordChangeFailed = "PASSWORD_CHANGE_FAILED";
    UserCreate = "USER_CREATE";
    UserUpdate = "USER_UPDATE";
    UserDelete = "USER_DELETE";
    ServerCreate = "SERVER_CREATE";
    ServerUpdate = "SERVER_UPDATE";
    ServerDelete = "SERVER_DELETE";
    HostKeyTrust = "HOST_KEY_TRUST";
    HostKeyChanged = "HOST_KEY_CHANGED";
    ProjectCreate = "PROJECT_CREATE";
    ProjectUpdate = "PROJECT_UPDATE";
    ProjectDelete = "PROJECT_DELETE";
    MemberSet = "MEMBER_SET";
    MemberRemove = "MEMBER_REMOVE";
    AppCreate = "APP_CREATE";
    AppUpdate = "APP_UPDATE";
    AppDelete = "APP_DELETE";
    AppStart = "APP_START";
    AppStop = "APP_STOP";
    AppRestart = "APP_RESTART";
    AppPull = "APP_PULL";
    AppExtend = "APP_EXTEND";
    AutoStop = "AUTO_STOP";
    OperationFinish = "OPERATION_FINISH";
    OperationCancel = "OPERATION_CANCEL";
}

/// Writes the audit row of a change.
pub async fn record(
    db: &mut PgConnection,
    at: Timestamp,
    by: &Author,
    action: Action,
    subject: Subject,
    details: Value,
) -> Result<()> {
    let (resource_type, resource_id) = subject.columns();
    sqlx::query!(
        "insert into audit_logs
           (id, user_id, username, action, resource_type, resource_id, details, ip_address, request_id, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        AuditId::make().0,
        by.user.map(|user| user.0),
        by.username,
        action.as_str(),
        resource_type,
        resource_id,
        details,
        by.ip_address.map(|ip| ip.to_string()),
        by.request_id,
        at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What dashboards are told at once.
#[derive(Clone, Debug)]
pub enum Event {
    ServerStatus {
        server: ServerId,
        status: &'static str,
        reason: Option<String>,
    },
    AppStatus {
        app: AppId,
        project: ProjectId,
        server: ServerId,
        status: &'static str,
        reason: Option<String>,
    },
    OperationState {
        operation: OperationId,
        app: AppId,
        project: ProjectId,
        action: &'static str,
        state: &'static str,
    },
}

impl Event {
    /// Every kind there is.
    pub const KINDS: [&'static str; 3] = ["server.status", "app.status", "operation.state"];

    fn kind(&self) -> &'static str {
        match self {
            Self::ServerStatus { .. } => "server.status",
            Self::AppStatus { .. } => "app.status",
            Self::OperationState { .. } => "operation.state",
        }
    }

    /// Who may see it: the members of a project, or those who see a server.
    fn audience(&self) -> (Option<Uuid>, Option<Uuid>) {
        match self {
            Self::ServerStatus { server, .. } => (None, Some(server.0)),
            Self::AppStatus { project, .. } | Self::OperationState { project, .. } => (Some(project.0), None),
        }
    }

    fn data(&self, at: Timestamp) -> Value {
        let at = at.timestamp_millis();
        match self {
            Self::ServerStatus { server, status, reason } => {
                json!({"serverId": server, "status": status, "reason": reason, "at": at})
            }
            Self::AppStatus { app, project, server, status, reason } => json!({
                "appId": app, "projectId": project, "serverId": server, "status": status, "reason": reason, "at": at,
            }),
            Self::OperationState { operation, app, project, action, state } => json!({
                "operationId": operation, "appId": app, "projectId": project, "action": action, "state": state, "at": at,
            }),
        }
    }
}

/// Writes an event; its readers hear of it when the transaction commits, in the order of the commits.
pub async fn announce(db: &mut PgConnection, at: Timestamp, event: &Event) -> Result<()> {
    let (project, server) = event.audience();
    let id = sqlx::query_scalar!(
        "insert into events (kind, project_id, server_id, data, created_at) values ($1, $2, $3, $4, $5) returning id",
        event.kind(),
        project,
        server,
        event.data(at),
        at,
    )
    .fetch_one(&mut *db)
    .await?;
    notify(db, Signal::Event(id)).await
}

/// Wakes the tasks of every replica that wait for `signal`, when the transaction commits.
pub async fn notify(db: &mut PgConnection, signal: Signal) -> Result<()> {
    sqlx::query!("select pg_notify($1, $2)", bus::CHANNEL, signal.to_string()).execute(db).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_upper_case_words_and_each_has_its_own() {
        let mut seen = std::collections::HashSet::new();
        for action in Action::ALL {
            let text = action.as_str();
            assert!(text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{text}");
            assert!(seen.insert(text), "{text} twice");
        }
    }
}
