//! What a host says of itself in one round trip: how long it is up, where its Docker is, which compose it has.
//!
//! A fixed script asks; nothing is ever put into its text. Docker's endpoint is found the way Docker's own client finds it:
//! `DOCKER_HOST`, then the current context, then the default socket.

use std::{collections::HashMap, time::Duration};

use super::{
    compose::{Compose, Flavour, Version},
    ssh::{self, Command, Engine, RemotePath, RunLimits, Target},
};

const SCRIPT: &str = include_str!("host_probe.sh");
const LIMITS: RunLimits = RunLimits { time: Duration::from_secs(20), output_bytes: 16 * 1024 };

/// How much to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// What takes a few milliseconds.
    Quick,
    /// And for compose: up to a second where it is version 1.
    ForCompose,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// `None` where there is no `/proc/uptime`.
    pub uptime: Option<Duration>,
    /// There is a `docker` on the `PATH`.
    pub has_binary: bool,
    pub endpoint: Endpoint,
    /// The account is in the group `docker`.
    pub in_docker_group: bool,
    /// `None` also when it was not asked for.
    pub compose: Option<Compose>,
}

/// Where Docker's client would look for the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Socket {
        path: String,
        state: SocketState,
    },
    /// Only Docker's own client gets there: `tcp://…`, `ssh://…`.
    Elsewhere,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketState {
    Open,
    /// It is there, but not for this account.
    Denied,
    Absent,
}

pub async fn probe(engine: &Engine, target: &Target, look: Look) -> Result<Probe, ssh::Error> {
    let command = Command::new("sh").args(["-c", SCRIPT, "sh"]);
    let command = match look {
        Look::Quick => command,
        Look::ForCompose => command.arg("compose"),
    };
    let ran = engine.run(target, &command, LIMITS).await?;
    Ok(Probe::read(&String::from_utf8_lossy(&ran.stdout)))
}

/// An app's folder on a host, as far as the account sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Folder {
    /// It is not there, or may not be entered.
    Missing,
    /// Compose would look for its file in the folders above, and act on whatever app it finds there.
    WithoutComposeFile,
    Ready {
        /// Its path without symbolic links, which is what compose 1 labels containers with; compose 2 keeps the path that
        /// it was started in. `None` when it is none that we can hold.
        real: Option<RemotePath>,
    },
}

/// The names that compose looks for; a `.env` may name others.
const FOLDER_SCRIPT: &str = r#"
cd -- "$1" 2>/dev/null || { echo missing; exit; }
for file in compose.yaml compose.yml docker-compose.yaml docker-compose.yml; do
  if [ -e "$file" ]; then echo ready; pwd -P; exit; fi
done
if grep -qs '^COMPOSE_FILE=' .env; then echo ready; pwd -P; else echo bare; fi
"#;

/// Looks at an app's folder.
pub async fn folder(engine: &Engine, target: &Target, dir: &RemotePath) -> Result<Folder, ssh::Error> {
    let command = Command::new("sh").args(["-c", FOLDER_SCRIPT, "sh", dir.as_str()]);
    let ran = engine.run(target, &command, LIMITS).await?;
    Ok(read_folder(&ran.stdout))
}

fn read_folder(printed: &[u8]) -> Folder {
    let text = String::from_utf8_lossy(printed);
    match text.split_once('\n') {
        Some(("ready", path)) => {
            let is_text = std::str::from_utf8(printed).is_ok();
            let real = path.strip_suffix('\n').and_then(|path| path.parse().ok()).filter(|_| is_text);
            Folder::Ready { real }
        }
        Some(("bare", _)) => Folder::WithoutComposeFile,
        _ => Folder::Missing,
    }
}

impl Probe {
    /// A line that we do not know is skipped: a host's start-up files may print as well.
    fn read(output: &str) -> Self {
        let facts: HashMap<&str, &str> =
            output.lines().filter_map(|line| line.trim_end().split_once('=')).collect();
        let fact = |name| facts.get(name).copied();
        let compose = |name, flavour| Some(Compose { flavour, version: Version::parse(fact(name)?)? });
        Self {
            uptime: fact("uptime").and_then(seconds),
            has_binary: fact("binary").is_some(),
            endpoint: endpoint(fact("endpoint").unwrap_or_default(), fact("socket").unwrap_or_default()),
            in_docker_group: fact("group").is_some(),
            compose: compose("plugin", Flavour::Plugin)
                .or_else(|| compose("standalone", Flavour::Standalone)),
        }
    }
}

fn endpoint(text: &str, socket: &str) -> Endpoint {
    let state = match socket {
        "open" => SocketState::Open,
        "denied" => SocketState::Denied,
        _ => SocketState::Absent,
    };
    match text.strip_prefix("unix://") {
        Some(path) => Endpoint::Socket { path: path.to_owned(), state },
        None => Endpoint::Elsewhere,
    }
}

/// `/proc/uptime`: seconds with two decimals (proc(5)).
fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_answer_is_read() {
        let probe = Probe::read(
            "Welcome!\nuptime=4711.25\nbinary=yes\nendpoint=unix:///run/my docker.sock\nsocket=open\ngroup=yes\n\
             standalone=1.29.2\n",
        );
        assert_eq!(probe.uptime, Some(Duration::from_millis(4_711_250)));
        let path = "/run/my docker.sock".to_owned();
        assert_eq!(probe.endpoint, Endpoint::Socket { path, state: SocketState::Open });
        assert!(probe.has_binary && probe.in_docker_group);
        assert_eq!(probe.compose.unwrap().flavour, Flavour::Standalone);
    }

    #[test]
    fn a_plugin_comes_before_the_standalone_program() {
        let probe = Probe::read("plugin=2.29.1\nstandalone=1.29.2\n");
        assert_eq!(probe.compose.map(|compose| compose.flavour), Some(Flavour::Plugin));
    }

    #[test]
    fn a_host_that_says_nothing_is_a_host_without_docker() {
        for output in ["", "uptime=-1\nuptime\n=\nplugin=abc", "uptime=NaN", "uptime=1e999"] {
            let probe = Probe::read(output);
            assert_eq!((probe.uptime, probe.has_binary, probe.compose), (None, false, None));
        }
        assert_eq!(Probe::read("endpoint=tcp://10.0.0.1:2375").endpoint, Endpoint::Elsewhere);
    }
}
