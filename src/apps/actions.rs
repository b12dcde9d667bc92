//! How the queue of operations acts on apps: which command, and what its end makes of the app.

use async_trait::async_trait;

use super::{App, observe, ops, policy, store};
use crate::{
    operations::{self, Action, Actions, Failure, Operation, Outcome, Work},
    platform::{Error, Kind, Result},
    remote::{
        compose,
        ssh::{self, Command, RemotePath, RunLimits},
    },
    servers,
    services::Services,
};

/// See [`Actions`].
pub struct AppActions {
    services: Services,
}

impl AppActions {
    pub fn new(services: Services) -> Self {
        Self { services }
    }

    async fn work(&self, operation: &Operation) -> Result<Work> {
        let services = &self.services;
        let mut db = services.db.acquire().await?;
        let app = store::find(&mut db, operation.app).await?.ok_or_else(|| Error::not_found("app"))?;
        let server = servers::ops::get(&mut db, operation.server).await?;
        drop(db);
        let target = servers::ops::target(services, &server)?;
        let compose = servers::ops::compose(services, &server).await?;
        if app.real_path.is_none() {
            resolve(services, &target, &app).await?;
        }
        Ok(Work { target, command: compose.command(app.path, verb(operation.action)) })
    }
}

fn verb(action: Action) -> compose::Action {
    match action {
        Action::Start => compose::Action::Up,
        Action::Stop => compose::Action::Down,
        Action::Restart => compose::Action::Restart,
        Action::Pull => compose::Action::Pull,
    }
}

/// Learns the folder's path without symbolic links, by which compose may label its containers.
async fn resolve(services: &Services, target: &ssh::Target, app: &App) -> Result<()> {
    let command = Command::new("pwd").arg("-P").dir(app.path.clone());
    let output = services
        .ssh
        .run(target, &command, RunLimits::default())
        .await
        .map_err(|error| servers::unreachable(&error))?;
    if !output.exit.is_success() {
        let detail = format!("there is no folder {} on the host that this account may enter", app.path);
        return Err(Error::new(Kind::RemoteFailed, "operation.failed", detail));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    // A path that we cannot hold cannot be matched either; the one that was given still can.
    if let Ok(path) = text.strip_suffix('\n').unwrap_or(&text).parse::<RemotePath>() {
        store::set_real_path(&mut *services.db.acquire().await?, app, &path).await?;
    }
    Ok(())
}

#[async_trait]
impl Actions for AppActions {
    async fn prepare(&self, operation: &Operation) -> Result<Work, Failure> {
        self.work(operation).await.map_err(|error| {
            if error.kind == Kind::Internal {
                tracing::error!(%error, "an operation cannot be prepared");
                let detail = "something failed on our side; the log has the details".to_owned();
                return Failure { code: "internal".to_owned(), detail };
            }
            Failure { code: error.code.into_owned(), detail: error.detail.into_owned() }
        })
    }

    async fn conclude(&self, operation: &Operation, outcome: &Outcome) -> Result<()> {
        let services = &self.services;
        let mut db = services.db.acquire().await?;
        let Some(app) = store::find(&mut db, operation.app).await? else { return Ok(()) };
        let server = servers::ops::get(&mut db, operation.server).await?;
        drop(db);
        let seen = observe::one(services, &server, &app).await;

        let now = services.clock.now();
        let mut tx = services.db.begin().await?;
        let Some(app) = store::lock(&mut tx, operation.app).await? else { return Ok(()) };
        if !operations::ops::finish(&mut tx, services, operation, outcome).await? {
            return Ok(());
        }
        let reading = policy::concluded(&app, operation, outcome, &seen, now);
        ops::write(&mut tx, &app, &reading, now).await?;
        tx.commit().await?;
        Ok(())
    }
}
