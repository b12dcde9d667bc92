//! How the queue of operations acts on apps: which command, and what its end makes of the app.

use async_trait::async_trait;

use super::{App, observe, ops, policy, store};
use crate::{
    operations::{self, Action, Actions, Failure, Operation, Outcome, Work},
    platform::{Error, Kind, Result},
    remote::{
        compose,
        host::{self, Folder},
        ssh,
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
        enter(services, &target, &app).await?;
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
