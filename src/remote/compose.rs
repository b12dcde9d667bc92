//! Docker Compose on a host: which one it has, and the commands that we give it.
//!
//! Whatever differs between compose 1 (`docker-compose`, Python) and 2 (`docker compose`, a plugin, or a program under the
//! old name) is behind [`Compose`]. Only what compose *does* is used, never what it prints: what runs is asked of Docker, see
//! [`docker`](super::docker).

use std::fmt;

use super::ssh::{Command, RemotePath};

/// The compose of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compose {
    pub flavour: Flavour,
    pub version: Version,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// `docker compose`
    Plugin,
    /// `docker-compose`
    Standalone,
}

/// Shown as `2.29.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
    pub patch: u32,
}

/// What is done to an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Up,
    Down,
    Restart,
    Pull,
    /// Reads the compose file and says what is wrong with it. Prints nothing else: the file may hold secrets.
    Check,
}

/// From when on `--ansi` is there; before, it was `--no-ansi`.
const ANSI_SINCE: Version = Version { major: 1, minor: 28, patch: 0 };

/// How a command learns that nobody sits at it. A version that does not know a variable ignores it.
const ENVIRONMENT: [(&str, &str); 5] = [
    ("COMPOSE_ANSI", "never"),
    // Compose 2: one line per event.
    ("COMPOSE_PROGRESS", "plain"),
    ("BUILDKIT_PROGRESS", "plain"),
    ("COMPOSE_INTERACTIVE_NO_CLI", "1"),
    // Compose 1 gives up on an engine that is silent for 60 s, which a busy one is.
    ("COMPOSE_HTTP_TIMEOUT", "300"),
];

impl Compose {
    /// The command for `action` on the app in `dir`.
    pub fn command(self, dir: RemotePath, action: Action) -> Command {
        let command = match self.flavour {
            Flavour::Plugin => Command::new("docker").arg("compose"),
            Flavour::Standalone => Command::new("docker-compose"),
        };
        let command = command.dir(dir).args(self.plain().iter().copied()).args(action.args().iter().copied());
        ENVIRONMENT.iter().fold(command, |command, (name, value)| command.env(name, *value))
    }

    fn plain(self) -> &'static [&'static str] {
        if self.version >= ANSI_SINCE { &["--ansi", "never"] } else { &["--no-ansi"] }
    }
}

impl Action {
    fn args(self) -> &'static [&'static str] {
        match self {
            Self::Up => &["up", "-d"],
            Self::Down => &["down"],
            Self::Restart => &["restart"],
            Self::Pull => &["pull"],
            Self::Check => &["config", "--quiet"],
        }
    }
}

impl Version {
    /// What `version --short` printed: `2.29.1`, `v2.3.3`, `1.29.2`, also with a distributor's or a prerelease's suffix.
    pub fn parse(printed: &str) -> Option<Self> {
        let text = printed.trim();
        let text = text.strip_prefix('v').unwrap_or(text);
        let numbers = text.split(|char: char| !char.is_ascii_digit() && char != '.').next()?;
        let mut parts = numbers.split('.').map(str::parse::<u32>);
        let mut next = || parts.next()?.ok();
        Some(Self { major: next()?, minor: next()?, patch: next().unwrap_or(0) })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_compose_prints_is_read() {
        let cases = [
            ("2.29.1\n", Some("2.29.1")),
            ("v2.3.3", Some("2.3.3")),
            ("1.29.2", Some("1.29.2")),
            ("1.29.2, build unknown", Some("1.29.2")),
            ("v2.0.0-rc.1", Some("2.0.0")),
            ("2.27.0+ds1-0ubuntu1~24.04", Some("2.27.0")),
            ("5.0", Some("5.0.0")),
            ("docker: 'compose' is not a docker command.\nSee 'docker --help'", None),
            ("unknown flag: --short", None),
            ("Docker Compose version v2.1.0", None),
            ("", None),
            ("2", None),
            ("99999999999.1.1", None),
        ];
        for (printed, version) in cases {
            assert_eq!(Version::parse(printed).map(|read| read.to_string()).as_deref(), version, "{printed}");
        }
    }

    fn command(flavour: Flavour, version: &str, action: Action) -> Command {
        let compose = Compose { flavour, version: Version::parse(version).unwrap() };
        compose.command("/srv/a b".parse().unwrap(), action)
    }

    /// The same command without what is the same for all.
    fn expected(program: &'static str, args: &[&str]) -> Command {
        let command = Command::new(program).dir("/srv/a b".parse().unwrap()).args(args.iter().copied());
        ENVIRONMENT.iter().fold(command, |command, (name, value)| command.env(name, *value))
    }

    #[test]
    fn each_compose_gets_the_words_it_knows() {
        let cases = [
            (
                command(Flavour::Plugin, "2.29.1", Action::Up),
                expected("docker", &["compose", "--ansi", "never", "up", "-d"]),
            ),
            (
                command(Flavour::Standalone, "1.29.2", Action::Down),
                expected("docker-compose", &["--ansi", "never", "down"]),
            ),
            (
                command(Flavour::Standalone, "1.25.0", Action::Restart),
                expected("docker-compose", &["--no-ansi", "restart"]),
            ),
            (
                command(Flavour::Standalone, "2.3.3", Action::Pull),
                expected("docker-compose", &["--ansi", "never", "pull"]),
            ),
            (
                command(Flavour::Plugin, "2.0.0", Action::Check),
                expected("docker", &["compose", "--ansi", "never", "config", "--quiet"]),
            ),
        ];
        for (command, expected) in cases {
            assert_eq!(command, expected);
        }
    }
}
