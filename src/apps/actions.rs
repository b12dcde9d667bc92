//! How the queue of operations acts on apps: which command, and what its end makes of the app.

use async_trait::async_trait;

use super::{App, observe, ops, policy, store};
use crate::{
    operations::{self, Action, Actions, Operation, Outcome},
    platform::{Error, Kind, Result},
    remote::{
        compose,
        host::{self, Folder},
        ssh,
    },
    servers::{self, Server},
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

    async fn app_and_server(&self, operation: &Operation) -> Result<(App, Server)> {
        let mut db = self.services.db.acquire().await?;
        let app = store::find(&mut db, operation.app).await?.ok_or_else(|| Error::not_found("app"))?;
        let server = servers::ops::get(&mut db, operation.server).await?;
        Ok((app, server))
    }
}

/// The shell's status for a program that is not there: compose was taken away, or replaced by the other flavour.
fn says_not_found(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failed { exit_code: Some(127), .. })
}

fn verb(action: Action) -> compose::Action {
    match action {
        Action::Start => compose::Action::Up,
        Action::Stop => compose::Action::Down,
        Action::Restart => compose::Action::Restart,
        Action::Pull => compose::Action::Pull,
    }
}

/// Refuses a folder that is not an app's, and learns its path without symbolic links.
async fn enter(services: &Services, target: &ssh::Target, app: &App) -> Result<()> {
    let refused = |detail: String| Err(Error::new(Kind::RemoteFailed, "operation.failed", detail));
    let looked = host::folder(&services.ssh, target, &app.path).await;
    match looked.map_err(|error| servers::unreachable(&error))? {
        Folder::Missing => {
            refused(format!("there is no folder {} on the host that this account may enter", app.path))
        }
        Folder::WithoutComposeFile => {
            refused(format!("there is no compose file in {} on the host", app.path))
        }
        Folder::Ready { real: Some(real) } if app.real_path.as_ref() == Some(&real) => Ok(()),
        Folder::Ready { real: Some(real) } => ops::settle_folder(services, app, &real).await,
        // Whose folder that is cannot be known, and it may be another app's.
        Folder::Ready { real: None } => refused(format!(
            "{} leads to a folder whose own path is too long, is not UTF-8 or is in another file system tree",
            app.path
        )),
    }
}

#[async_trait]
impl Actions for AppActions {
    async fn target(&self, operation: &Operation) -> Result<ssh::Target> {
        let server = servers::ops::get(&mut *self.services.db.acquire().await?, operation.server).await?;
        servers::ops::target(&self.services, &server)
    }

    async fn prepare(&self, operation: &Operation, target: &ssh::Target) -> Result<ssh::Command> {
        let (app, server) = self.app_and_server(operation).await?;
        let compose = servers::ops::compose(&self.services, &server).await?;
        enter(&self.services, target, &app).await?;
        Ok(compose.command(app.path, verb(operation.action)))
    }

    async fn conclude(&self, operation: &Operation, outcome: &Outcome) -> Result<()> {
        let services = &self.services;
        let mut db = services.db.acquire().await?;
        let Some(app) = store::find(&mut db, operation.app).await? else { return Ok(()) };
        let server = servers::ops::get(&mut db, operation.server).await?;
        drop(db);
        let seen = observe::one(services, &server, &app).await;
        if says_not_found(outcome) {
            servers::ops::forget_compose(services, &server).await?;
        }

        let now = services.clock.now();
        let mut tx = services.db.begin().await?;
        let Some(app) = store::lock(&mut tx, operation.app).await? else { return Ok(()) };
        if !operations::ops::finish(&mut tx, services, operation, outcome).await? {
            return Ok(());
        }
        let failures = operations::ops::failed_auto_stops(&mut tx, app.id, app.started_at).await?;
        let reading = policy::concluded(&app, operation, outcome, &seen, now, failures);
        ops::write(&mut tx, &app, &reading, now).await?;
        // What has just been started may not stay up: it is looked at from now on.
        store::schedule_check(&mut tx, app.id, now).await?;
        tx.commit().await?;
        Ok(())
    }
}
