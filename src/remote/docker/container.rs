//! What is known of a container, in our own words.
//!
//! Two sources tell of the same thing: the list (one call for a whole host; health and exit code only in its status text) and
//! the inspection of one container (everything). What a source does not tell is `None`, never a guess.

use std::collections::HashMap;

use bollard::models::{
    ContainerInspectResponse, ContainerStateStatusEnum, ContainerSummary, ContainerSummaryStateEnum,
    HealthStatusEnum, PortSummary, PortSummaryTypeEnum, RestartPolicyNameEnum,
};
use chrono::DateTime;

use super::{Error, status_text};
use crate::{platform::Timestamp, remote::ssh::text::clean};

/// Compose's labels, the same since version 1.
pub(super) const LABEL_PROJECT: &str = "com.docker.compose.project";
pub(super) const LABEL_WORKING_DIR: &str = "com.docker.compose.project.working_dir";
const LABEL_SERVICE: &str = "com.docker.compose.service";
const LABEL_ONE_OFF: &str = "com.docker.compose.oneoff";

/// The full id of a container: 64 hexadecimal digits, so it is safe in a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerId(String);

impl ContainerId {
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        fits.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    pub id: ContainerId,
    /// Without the leading slash: `shop_web_1`, `shop-web-1`.
    pub name: String,
    pub service: String,
    /// Compose's project name.
    pub project: String,
    /// The directory compose was run in: this is what ties a container to an app.
    pub working_dir: String,
    pub image: String,
    pub state: ContainerState,
    /// Of a container that has ended.
    pub exit_code: Option<i64>,
    /// `None` without a health check.
    pub health: Option<Health>,
    pub ports: Vec<Port>,
    pub created_at: Option<Timestamp>,
    /// Only from an inspection.
    pub details: Option<Details>,
}

/// What only the inspection of a container tells.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Details {
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub restart_policy: RestartPolicy,
    pub restart_count: u64,
    /// The kernel killed it for want of memory.
    pub oom_killed: bool,
    /// Its output is a terminal's: one raw stream.
    pub tty: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerState {
    Created,
    Running,
    Paused,
    Restarting,
    Removing,
    Exited,
    Dead,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Starting,
    Healthy,
    Unhealthy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RestartPolicy {
    #[default]
    No,
    OnFailure,
    Always,
    UnlessStopped,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The host's address that it is published on; `None` when it is only exposed.
    pub address: Option<String>,
    pub public: Option<u16>,
    pub private: u16,
    pub protocol: Protocol,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

impl Container {
    /// From an entry of the list. `None` for what is not a service's container: another's, or a one-off `compose run`.
    pub(super) fn from_list(entry: ContainerSummary) -> Result<Option<Self>, Error> {
        let mut labels = entry.labels.unwrap_or_default();
        let Some((project, service, working_dir)) = compose_labels(&mut labels) else {
            return Ok(None);
        };
        let id = entry.id.as_deref().and_then(ContainerId::parse);
        let id = id.ok_or_else(|| Error::Protocol("a container without an id".to_owned()))?;
        let state = entry.state.and_then(ContainerState::from_list);
        let state = state.ok_or_else(|| Error::Protocol("a container without a state".to_owned()))?;
        let text = status_text::read(entry.status.as_deref().unwrap_or_default());
        let name = entry.names.unwrap_or_default().into_iter().next().unwrap_or_default();
        Ok(Some(Self {
            id,
            name: clean(name.trim_start_matches('/')),
            service: clean(&service),
            project: clean(&project),
            // Only ever compared.
            working_dir,
            image: clean(&entry.image.unwrap_or_default()),
            state,
            exit_code: text.exit_code.filter(|_| state.has_ended()),
            health: text.health,
            ports: entry.ports.unwrap_or_default().into_iter().map(Port::from).collect(),
            created_at: entry.created.and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
            details: None,
        }))
    }

    /// Completes an entry of the list with what the inspection says; where both tell, the inspection is later and wins.
    pub(super) fn with_inspection(mut self, inspected: ContainerInspectResponse) -> Self {
        let state = inspected.state.unwrap_or_default();
        let policy = inspected.host_config.and_then(|config| config.restart_policy?.name);
        self.details = Some(Details {
            started_at: state.started_at.as_deref().and_then(time),
            finished_at: state.finished_at.as_deref().and_then(time),
            restart_policy: RestartPolicy::from(policy.unwrap_or(RestartPolicyNameEnum::NO)),
            restart_count: inspected.restart_count.and_then(|count| count.try_into().ok()).unwrap_or(0),
            oom_killed: state.oom_killed.unwrap_or(false),
            tty: inspected.config.and_then(|config| config.tty).unwrap_or(false),
        });
        self.state = state.status.and_then(ContainerState::from_inspection).unwrap_or(self.state);
        self.exit_code = state.exit_code.filter(|_| self.state.has_ended());
        self.health = state.health.and_then(|health| Health::from_inspection(health.status?));
        self.created_at = inspected.created.as_deref().and_then(time).or(self.created_at);
        self
    }
}

impl ContainerState {
    fn from_list(state: ContainerSummaryStateEnum) -> Option<Self> {
        use ContainerSummaryStateEnum as Docker;
        Some(match state {
            Docker::CREATED => Self::Created,
            // It runs until it has stopped.
            Docker::RUNNING | Docker::STOPPING => Self::Running,
            Docker::PAUSED => Self::Paused,
            Docker::RESTARTING => Self::Restarting,
            Docker::REMOVING => Self::Removing,
            Docker::EXITED => Self::Exited,
            Docker::DEAD => Self::Dead,
            Docker::EMPTY => return None,
        })
    }

    fn from_inspection(state: ContainerStateStatusEnum) -> Option<Self> {
        use ContainerStateStatusEnum as Docker;
        Some(match state {
            Docker::CREATED => Self::Created,
            Docker::RUNNING | Docker::STOPPING => Self::Running,
            Docker::PAUSED => Self::Paused,
            Docker::RESTARTING => Self::Restarting,
            Docker::REMOVING => Self::Removing,
            Docker::EXITED => Self::Exited,
            Docker::DEAD => Self::Dead,
            Docker::EMPTY => return None,
        })
    }

    /// Whether an exit code means anything.
    fn has_ended(self) -> bool {
        match self {
            Self::Exited | Self::Dead | Self::Restarting => true,
            Self::Created | Self::Running | Self::Paused | Self::Removing => false,
        }
    }
}

impl Health {
    fn from_inspection(health: HealthStatusEnum) -> Option<Self> {
        match health {
            HealthStatusEnum::STARTING => Some(Self::Starting),
            HealthStatusEnum::HEALTHY => Some(Self::Healthy),
            HealthStatusEnum::UNHEALTHY => Some(Self::Unhealthy),
            HealthStatusEnum::NONE | HealthStatusEnum::EMPTY => None,
        }
    }
}

impl From<RestartPolicyNameEnum> for RestartPolicy {
    fn from(name: RestartPolicyNameEnum) -> Self {
        match name {
            RestartPolicyNameEnum::NO | RestartPolicyNameEnum::EMPTY => Self::No,
            RestartPolicyNameEnum::ON_FAILURE => Self::OnFailure,
            RestartPolicyNameEnum::ALWAYS => Self::Always,
            RestartPolicyNameEnum::UNLESS_STOPPED => Self::UnlessStopped,
        }
    }
}

impl From<PortSummary> for Port {
    fn from(port: PortSummary) -> Self {
        Self {
            address: port.ip.filter(|address| !address.is_empty()),
            public: port.public_port,
            private: port.private_port,
            protocol: match port.typ {
                Some(PortSummaryTypeEnum::UDP) => Protocol::Udp,
                Some(PortSummaryTypeEnum::SCTP) => Protocol::Sctp,
                Some(PortSummaryTypeEnum::TCP | PortSummaryTypeEnum::EMPTY) | None => Protocol::Tcp,
            },
        }
    }
}

/// Project, service and directory of a service's container.
fn compose_labels(labels: &mut HashMap<String, String>) -> Option<(String, String, String)> {
    // Compose 1 writes Python's `True`, later ones as well, but not by a promise.
    if labels.get(LABEL_ONE_OFF).is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return None;
    }
    Some((
        labels.remove(LABEL_PROJECT)?,
        labels.remove(LABEL_SERVICE)?,
        labels.remove(LABEL_WORKING_DIR).unwrap_or_default(),
    ))
}

/// Docker writes the year 1 for "never".
fn time(text: &str) -> Option<Timestamp> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc()).filter(|at| at.timestamp() > 0)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const ID: &str = "b6c0d8a379430f6e9c7eee62ed77bc03393056b6608b3420d3b066a031f984a6";

    /// A container that nothing special is known of.
    pub fn container(service: &str, state: ContainerState) -> Container {
        Container {
            id: ContainerId::parse(ID).unwrap(),
            name: service.to_owned(),
            service: service.to_owned(),
            project: "shop".to_owned(),
            working_dir: "/srv/shop".to_owned(),
            image: "quaymaster/busybox:test".to_owned(),
            state,
            exit_code: None,
            health: None,
            ports: Vec::new(),
            created_at: None,
            details: None,
        }
    }

    fn entry(labels: &[(&str, &str)], state: ContainerSummaryStateEnum, status: &str) -> ContainerSummary {
        ContainerSummary {
            id: Some(ID.to_owned()),
            names: Some(vec!["/shop_web_1".to_owned()]),
            labels: Some(
                labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            ),
            state: Some(state),
            status: Some(status.to_owned()),
            ..ContainerSummary::default()
        }
    }

    const WEB: [(&str, &str); 3] =
        [(LABEL_PROJECT, "shop"), (LABEL_SERVICE, "web"), (LABEL_WORKING_DIR, "/srv/shop")];

    #[test]
    fn an_entry_of_the_list_is_read() {
        let entry = entry(&WEB, ContainerSummaryStateEnum::EXITED, "Exited (137) 2 minutes ago");
        let container = Container::from_list(entry).unwrap().unwrap();
        assert_eq!(container.name, "shop_web_1");
        assert_eq!(container.working_dir, "/srv/shop");
        assert_eq!((container.state, container.exit_code), (ContainerState::Exited, Some(137)));
    }

    #[test]
    fn one_offs_and_strangers_are_left_out() {
        let running = ContainerSummaryStateEnum::RUNNING;
        let one_off = [WEB.as_slice(), &[(LABEL_ONE_OFF, "True")]].concat();
        assert_eq!(Container::from_list(entry(&one_off, running, "Up")).unwrap(), None);
        assert_eq!(Container::from_list(entry(&[], running, "Up")).unwrap(), None);
        let service = [WEB.as_slice(), &[(LABEL_ONE_OFF, "False")]].concat();
        assert!(Container::from_list(entry(&service, running, "Up")).unwrap().is_some());
    }

    #[test]
    fn an_id_that_would_change_a_path_is_refused() {
        for text in ["", "../../info", &ID[1..], &ID.replace('b', "/")] {
            assert_eq!(ContainerId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_year_one_means_never() {
        assert_eq!(time("0001-01-01T00:00:00Z"), None);
        assert!(time("2026-11-21T10:05:07.212501004Z").is_some());
    }
}
