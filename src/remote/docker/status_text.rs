//! The status text of the container list: `Up 3 minutes (unhealthy)`, `Exited (137) 2 minutes ago`.
//!
//! The list has no field for the exit code, and for health only since API 1.53; the text has had both, in these words, since
//! Docker 1.12. Reading it lets one call tell of a whole host where an inspection of each container would take hundreds.

use super::Health;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Status {
    pub exit_code: Option<i64>,
    pub health: Option<Health>,
}

/// Words that we do not know tell nothing.
pub(super) fn read(text: &str) -> Status {
    let parenthesis = text.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(inner, _)| inner);
    let Some(inner) = parenthesis else {
        return Status::default();
    };
    let first_word = text.split_whitespace().next().unwrap_or_default();
    match first_word {
        "Up" => Status { health: health(inner), ..Status::default() },
        "Exited" | "Restarting" => Status { exit_code: inner.parse().ok(), ..Status::default() },
        _ => Status::default(),
    }
}

fn health(inner: &str) -> Option<Health> {
    match inner {
        "healthy" => Some(Health::Healthy),
        "unhealthy" => Some(Health::Unhealthy),
        "health: starting" => Some(Health::Starting),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wording_of_docker_is_read() {
        let health = |health| Status { health: Some(health), exit_code: None };
        let exit = |code| Status { health: None, exit_code: Some(code) };
        let cases = [
            ("Up 3 minutes", Status::default()),
            ("Up Less than a second", Status::default()),
            ("Up 3 minutes (healthy)", health(Health::Healthy)),
            ("Up About an hour (unhealthy)", health(Health::Unhealthy)),
            ("Up 1 second (health: starting)", health(Health::Starting)),
            ("Up 2 hours (Paused)", Status::default()),
            ("Exited (0) 2 seconds ago", exit(0)),
            ("Exited (137) 4 weeks ago", exit(137)),
            ("Exited (-1) 4 weeks ago", exit(-1)),
            ("Restarting (1) 5 seconds ago", exit(1)),
            ("Created", Status::default()),
            ("Dead", Status::default()),
            ("Removal In Progress", Status::default()),
            ("", Status::default()),
            ("Exited (", Status::default()),
            ("Exited (x) )(", Status::default()),
        ];
        for (text, status) in cases {
            assert_eq!(read(text), status, "{text}");
        }
    }
}
