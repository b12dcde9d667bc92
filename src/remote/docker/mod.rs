//! One host's Docker Engine, asked over its own API.
//!
//! What runs for an app is asked by compose's labels, not read from compose's output, so that compose 1 and 2 answer alike. The
//! engine is not trusted: every call has a time limit, every answer a cap in bytes, every text is cut. Where the byte streams
//! come from is behind [`Dial`]; [`Engines`] makes them over SSH.

mod container;
mod demux;
mod dial;
mod engines;
mod error;
mod http;
mod logs;
mod state;
mod status_text;

use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};

use bollard::query_parameters::ListContainersOptionsBuilder;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::timeout;

pub use container::{Container, ContainerId, ContainerState, Details, Health, Port, Protocol, RestartPolicy};
use container::{LABEL_PROJECT, LABEL_WORKING_DIR};
pub use dial::{Dial, Duplex, Pace, Stream, UnixSocket};
pub use engines::Engines;
pub use error::Error;
use http::Transport;
pub use logs::{Follow, Lines, LogLine, LogQuery, Output, Tail};
pub use state::{AppState, AppSummary, summarise};

use crate::{platform::Lifecycle, remote::ssh::text::clean};

/// For any one call, whatever number of requests it makes, and the way to the host.
const CALL_LIMIT: Duration = Duration::from_mins(1);
/// Inspections at once. Each is a channel of the host's one connection.
const INSPECTIONS_AT_ONCE: usize = 8;
/// Containers of one app that are inspected; the rest stays as the list tells it.
const INSPECTIONS_MAX: usize = 256;

/// A client of one engine. Clones share it.
#[derive(Clone)]
pub struct Docker {
    transport: Transport,
}

/// What an engine says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineInfo {
    /// `20.10.24`.
    pub version: String,
    /// All of the host's, compose's or not.
    pub containers_running: u32,
}

impl Docker {
    pub fn new(dial: Arc<dyn Dial>, lifecycle: Lifecycle) -> Self {
        Self { transport: Transport { dial, lifecycle } }
    }

    pub async fn info(&self) -> Result<EngineInfo, Error> {
        let info =
            self.call("asking the Docker Engine for itself", |api| async move { api.info().await }).await?;
        let version = info.server_version.ok_or_else(|| Error::Protocol("no version".to_owned()))?;
        let running = info.containers_running.and_then(|count| count.try_into().ok()).unwrap_or(0);
        Ok(EngineInfo { version: clean(&version), containers_running: running })
    }

    /// The containers of the app in `working_dir`, with everything known of them. One-off containers are not the app's.
    pub async fn containers(&self, working_dir: &str) -> Result<Vec<Container>, Error> {
        let mut label = LABEL_WORKING_DIR.to_owned();
        label.push('=');
        label.push_str(working_dir);
        let mut listed = self.list(label).await?;
        // The engine's filter is the saving, this is the decision.
        listed.retain(|container| container.working_dir == working_dir);
        listed.sort_by(|a, b| (&a.service, &a.name).cmp(&(&b.service, &b.name)));
        let rest = listed.split_off(listed.len().min(INSPECTIONS_MAX));
        let inspected = stream::iter(listed).map(|container| self.inspect(container));
        let inspected = inspected.buffered(INSPECTIONS_AT_ONCE).try_collect::<Vec<_>>();
        let inspected = limited("inspecting containers", inspected).await?;
        Ok(inspected.into_iter().flatten().chain(rest).collect())
    }

    /// Every compose container of the host in one request: without [`Details`].
    pub async fn survey(&self) -> Result<Vec<Container>, Error> {
        self.list(LABEL_PROJECT.to_owned()).await
    }

    /// The output of `containers`, which must be of this engine; see [`LogQuery`].
    pub async fn logs(&self, containers: &[Container], query: LogQuery) -> Result<Lines, Error> {
        logs::open(&self.transport, containers, query).await
    }

    async fn list(&self, label: String) -> Result<Vec<Container>, Error> {
        let filters = HashMap::from([("label", vec![label])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let listed = self
            .call("listing containers", |api| async move { api.list_containers(Some(options)).await })
            .await?;
        listed.into_iter().filter_map(|entry| Container::from_list(entry).transpose()).collect()
    }

    /// `None` when it is gone meanwhile.
    async fn inspect(&self, container: Container) -> Result<Option<Container>, Error> {
        let id = &container.id;
        let asked = self.call("inspecting a container", |api| async move {
            api.inspect_container(id.as_str(), None).await
        });
        match asked.await {
            Ok(inspected) => Ok(Some(container.with_inspection(inspected))),
            Err(Error::Gone) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn call<T, F>(
        &self,
        tried: &'static str,
        ask: impl FnOnce(bollard::Docker) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, bollard::errors::Error>>,
    {
        let api = self.api()?;
        limited(tried, async { Ok(ask(api).await?) }).await
    }

    /// The library's client on our streams. It keeps nothing from call to call.
    fn api(&self) -> Result<bollard::Docker, Error> {
        let transport = self.transport.clone();
        let send = move |request| {
            let transport = transport.clone();
            async move {
                let sent = transport.send(request, Pace::Prompt).await;
                sent.map_err(|error| bollard::errors::Error::IOError { err: std::io::Error::other(error) })
            }
        };
        let limit = CALL_LIMIT.as_secs();
        let version = bollard::API_DEFAULT_VERSION;
        Ok(bollard::Docker::connect_with_custom_transport(send, Some("http://docker"), limit, version)?)
    }
}

async fn limited<T>(tried: &'static str, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let timed_out = Error::Timeout { tried, limit: CALL_LIMIT };
    timeout(CALL_LIMIT, work).await.unwrap_or(Err(timed_out))
}
