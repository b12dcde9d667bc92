//! What can go wrong between us and a Docker Engine, told apart by what a person has to mend.
//!
//! An engine that cannot be reached rarely says why in a form made for programs: the reason is in what its client prints.
//! [`Error::from_words`] reads that, and is the one place that knows the wordings.

use std::{io, time::Duration};

use crate::remote::ssh::{self, text::clean};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no docker on the host, or not on the PATH of this user")]
    Missing,
    #[error("this user may not use the host's Docker Engine: {0}")]
    Denied(String),
    #[error("the host's Docker Engine does not answer: {0}")]
    Down(String),
    #[error("{tried} took longer than {} s", limit.as_secs())]
    Timeout { tried: &'static str, limit: Duration },
    /// The container went away between being listed and being asked about.
    #[error("there is no such container any more")]
    Gone,
    #[error("the Docker Engine refused: {message} (status {status})")]
    Refused { status: u16, message: String },
    #[error("{asked} containers are more than the {max} whose output is read at once; name a service")]
    TooMany { asked: usize, max: usize },
    /// Not Docker's API, or more of it than we read.
    #[error("the answer is not one of a Docker Engine: {0}")]
    Protocol(String),
    #[error(transparent)]
    Ssh(#[from] ssh::Error),
    /// The byte stream to the engine broke, or could not be made.
    #[error("the connection to the Docker Engine broke: {0}")]
    Broken(#[source] io::Error),
}

impl Error {
    /// Why the engine cannot be used, as clients know it. `None`: it can, only this one question failed.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Ssh(error) => Some(error.reason()),
            Self::Missing => Some("docker_missing"),
            Self::Denied(_) => Some("docker_denied"),
            Self::Timeout { .. } => Some("timeout"),
            Self::Down(_) | Self::Protocol(_) | Self::Broken(_) => Some("docker_down"),
            Self::Gone | Self::Refused { .. } | Self::TooMany { .. } => None,
        }
    }

    /// Reads what `docker` printed before it ended with `exit_code`. `None`: nothing that we know the meaning of.
    pub fn from_words(stderr: &str, exit_code: Option<u32>) -> Option<Self> {
        let words = stderr.to_ascii_lowercase();
        let says = |needle: &str| words.contains(needle);
        if says("permission denied") && (says("docker.sock") || says("docker daemon") || says("connect")) {
            Some(Self::Denied(clean(stderr)))
        } else if says("cannot connect to the docker daemon")
            || says("is the docker daemon running")
            || says("connection refused")
            || says("error during connect")
            || says("no such file or directory") && says("dial unix")
        {
            Some(Self::Down(clean(stderr)))
        } else if exit_code == Some(127) || says("docker: not found") || says("docker: command not found") {
            Some(Self::Missing)
        } else {
            None
        }
    }

    /// The error of a failed attempt on a local Unix socket.
    pub fn from_socket(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::Denied(error.to_string()),
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Self::Down(error.to_string()),
            _ => Self::Broken(error),
        }
    }
}

/// An error of ours that travelled through bollard comes out as it went in.
impl From<bollard::errors::Error> for Error {
    fn from(error: bollard::errors::Error) -> Self {
        use bollard::errors::Error as Bollard;
        match error {
            Bollard::DockerResponseServerError { status_code: 404, .. } => Self::Gone,
            Bollard::DockerResponseServerError { status_code, message } => {
                Self::Refused { status: status_code, message: clean(&message) }
            }
            Bollard::IOError { err } => Self::from(err),
            Bollard::HyperResponseError { err } => Self::from(err),
            other => Self::Protocol(clean(&other.to_string())),
        }
    }
}

impl From<hyper::Error> for Error {
    fn from(error: hyper::Error) -> Self {
        // An error of our own stream, such as its cap, is what hyper's error was caused by.
        let ours = std::error::Error::source(&error)
            .and_then(|cause| cause.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref::<Self>());
        match ours {
            Some(Self::Protocol(why)) => Self::Protocol(why.clone()),
            _ if error.is_parse() => Self::Protocol(clean(&error.to_string())),
            _ => Self::Broken(io::Error::other(error)),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(ours) => ours,
            Err(error) => Self::Broken(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_docker_are_understood() {
        let cases: &[(&str, Option<u32>, Option<&str>)] = &[
            (
                "Got permission denied while trying to connect to the Docker daemon socket at \
                 unix:///var/run/docker.sock: Get \"http://%2Fvar%2Frun%2Fdocker.sock/v1.24/version\": dial unix \
                 /var/run/docker.sock: connect: permission denied",
                Some(1),
                Some("docker_denied"),
            ),
            (
                "permission denied while trying to connect to the Docker daemon socket at unix:///run/x.sock",
                Some(1),
                Some("docker_denied"),
            ),
            (
                "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
                Some(1),
                Some("docker_down"),
            ),
            ("dial unix /run/x.sock: connect: connection refused", Some(1), Some("docker_down")),
            ("dial unix /run/x.sock: connect: no such file or directory", Some(1), Some("docker_down")),
            ("sh: 1: docker: not found", Some(127), Some("docker_missing")),
            ("bash: line 1: docker: command not found", Some(127), Some("docker_missing")),
            ("", Some(127), Some("docker_missing")),
            ("something else", Some(1), None),
            ("", Some(0), None),
            ("", None, None),
        ];
        for (stderr, exit_code, reason) in cases {
            let got = Error::from_words(stderr, *exit_code);
            assert_eq!(got.as_ref().and_then(Error::reason), *reason, "{stderr}");
        }
    }
}
