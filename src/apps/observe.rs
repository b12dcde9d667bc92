//! Asking hosts what runs.

use std::time::Duration;

use super::{App, policy::Seen};
use crate::{
    platform::Error,
    remote::docker::{self, Container, Docker},
    servers::{self, Server},
    services::Services,
};

/// All of a look at one app: resolving, connecting, asking.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the host says of one app.
pub async fn one(services: &Services, server: &Server, app: &App) -> Seen {
    let asked = tokio::time::timeout(PATIENCE, containers(services, server, app)).await;
    match asked {
        Ok(Ok(containers)) => Seen::Containers(docker::summarise(&containers)),
        Ok(Err(error)) => Seen::Nothing { reason: reason(&error) },
        Err(_) => Seen::Nothing { reason: "timeout".to_owned() },
    }
}

/// The containers of one app, with their details.
pub async fn containers(services: &Services, server: &Server, app: &App) -> Result<Vec<Container>, Error> {
    let docker = client(services, server)?;
    let unreachable = |error| servers::docker_unavailable(&error);
    let mut containers = docker.containers(app.path.as_str()).await.map_err(unreachable)?;
    if let Some(real) = app.real_path.as_ref().filter(|real| **real != app.path) {
        containers.extend(docker.containers(real.as_str()).await.map_err(unreachable)?);
    }
    Ok(containers)
}

/// The client of a server's engine.
pub fn client(services: &Services, server: &Server) -> Result<Docker, Error> {
    let target = servers::ops::target(services, server)?;
    Ok(services.docker.of(&target))
}

/// What the host says of all of these apps, which are on it: one question for the whole host.
pub async fn many(services: &Services, server: &Server, apps: Vec<App>) -> Vec<(App, Seen)> {
    let asked = tokio::time::timeout(PATIENCE, survey(services, server)).await;
    let containers = match asked {
        Ok(Ok(containers)) => containers,
        Ok(Err(error)) => return unseen(apps, &reason(&error)),
        Err(_) => return unseen(apps, "timeout"),
    };
    let look = |app: App| {
        let mine: Vec<Container> =
            containers.iter().filter(|container| belongs(container, &app)).cloned().collect();
        let summary = docker::summarise(&mine);
        (app, Seen::Containers(summary))
    };
    apps.into_iter().map(look).collect()
}

async fn survey(services: &Services, server: &Server) -> Result<Vec<Container>, Error> {
    let docker = client(services, server)?;
    docker.survey().await.map_err(|error| servers::docker_unavailable(&error))
}

/// Compose labels containers with the folder as it was given, or as it is without symbolic links.
fn belongs(container: &Container, app: &App) -> bool {
    let folder = container.working_dir.as_str();
    folder == app.path.as_str() || app.real_path.as_ref().is_some_and(|real| folder == real.as_str())
}

fn unseen(apps: Vec<App>, reason: &str) -> Vec<(App, Seen)> {
    apps.into_iter().map(|app| (app, Seen::Nothing { reason: reason.to_owned() })).collect()
}

/// `server.tcp_timeout` is `tcp_timeout` for an app.
fn reason(error: &Error) -> String {
    error.code.strip_prefix("server.").unwrap_or(&error.code).to_owned()
}
