//! What the containers of an app make of the app.
//!
//! The rules, first that applies:
//! 1. no containers: stopped;
//! 2. nothing runs, is about to, or waits for its first start: stopped, or, when a container failed by itself, in error. The exit
//!    codes of a stop by signal (130, 137, 143) are no failure here, unless it was the kernel for want of memory;
//! 3. a service that should run does not, or is unhealthy: degraded, and the reason names it;
//! 4. running. A one-shot service that exited 0 has done its work: it is left out of the count.

use std::collections::BTreeMap;

use super::{Container, ContainerState, Details, Health, RestartPolicy};
use crate::platform::Timestamp;

/// Services that a reason names before it only counts.
const NAMED_MAX: usize = 3;
/// 128 + SIGINT, SIGKILL, SIGTERM: how a process ends that was told to.
const STOP_CODES: [i64; 3] = [130, 137, 143];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppState {
    Stopped,
    Running,
    Degraded,
    Error,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppSummary {
    pub state: AppState,
    /// Of `Degraded` and `Error`: `web exited with 137; db is unhealthy`.
    pub reason: Option<String>,
    pub services_running: u32,
    /// Without those whose work is done, as long as others run.
    pub services_total: u32,
    /// Of the longest running container, where the containers were inspected.
    pub started_at: Option<Timestamp>,
}

/// `containers`: those of one app.
pub fn summarise(containers: &[Container]) -> AppSummary {
    let mut services: BTreeMap<&str, Condition> = BTreeMap::new();
    for container in containers {
        let condition = condition(container);
        // Of a service's several containers the worst speaks for it.
        let worst = services.entry(&container.service).or_insert(condition);
        *worst = (*worst).max(condition);
    }
    let live = containers.iter().any(|container| condition(container).is_live());
    let problems: Vec<(&str, Condition)> = services
        .iter()
        .filter(|(_, condition)| if live { condition.is_problem() } else { condition.is_own_failure() })
        .map(|(service, condition)| (*service, *condition))
        .collect();
    let done = services.values().filter(|condition| live && **condition == Condition::Done).count();
    let up = services.values().filter(|condition| condition.runs()).count();
    AppSummary {
        state: match (live, problems.is_empty()) {
            (true, true) => AppState::Running,
            (true, false) => AppState::Degraded,
            (false, true) => AppState::Stopped,
            (false, false) => AppState::Error,
        },
        reason: reason(&problems),
        services_running: count(up),
        services_total: count(services.len().saturating_sub(done)),
        started_at: containers.iter().filter_map(running_since).min(),
    }
}

/// Of a container, and of its service: the better first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Condition {
    /// A one-shot that exited 0.
    Done,
    Up,
    Paused,
    NeverStarted,
    /// It ended, and should not have.
    Ended(i64),
    Dead,
    OutOfMemory,
    Unhealthy,
    Restarting,
}

impl Condition {
    /// The app is not at rest.
    fn is_live(self) -> bool {
        match self {
            Self::Up | Self::Paused | Self::NeverStarted | Self::Unhealthy | Self::Restarting => true,
            Self::Done | Self::Ended(_) | Self::Dead | Self::OutOfMemory => false,
        }
    }

    fn runs(self) -> bool {
        match self {
            Self::Up | Self::Unhealthy => true,
            Self::Done
            | Self::Paused
            | Self::NeverStarted
            | Self::Ended(_)
            | Self::Dead
            | Self::OutOfMemory
            | Self::Restarting => false,
        }
    }

    /// While others run.
    fn is_problem(self) -> bool {
        match self {
            Self::Done | Self::Up => false,
            Self::Paused
            | Self::NeverStarted
            | Self::Ended(_)
            | Self::Dead
            | Self::OutOfMemory
            | Self::Unhealthy
            | Self::Restarting => true,
        }
    }

    /// Nobody asked it to end like this.
    fn is_own_failure(self) -> bool {
        match self {
            Self::Ended(code) => code != 0 && !STOP_CODES.contains(&code),
            Self::Dead | Self::OutOfMemory => true,
            Self::Done
            | Self::Up
            | Self::Paused
            | Self::NeverStarted
            | Self::Unhealthy
            | Self::Restarting => false,
        }
    }

    fn words(self) -> String {
        match self {
            Self::Done => "is done".to_owned(),
            Self::Up => "runs".to_owned(),
            Self::Paused => "is paused".to_owned(),
            Self::NeverStarted => "was never started".to_owned(),
            Self::Ended(code) => format!("exited with {code}"),
            Self::Dead => "is dead".to_owned(),
            Self::OutOfMemory => "ran out of memory".to_owned(),
            Self::Unhealthy => "is unhealthy".to_owned(),
            Self::Restarting => "restarts".to_owned(),
        }
    }
}

fn condition(container: &Container) -> Condition {
    match container.state {
        ContainerState::Running if container.health == Some(Health::Unhealthy) => Condition::Unhealthy,
        ContainerState::Running => Condition::Up,
        ContainerState::Created => Condition::NeverStarted,
        ContainerState::Paused => Condition::Paused,
        ContainerState::Restarting => Condition::Restarting,
        ContainerState::Dead => Condition::Dead,
        // Somebody ordered it away: it says nothing of the app any more.
        ContainerState::Removing => Condition::Done,
        ContainerState::Exited => ended(container),
    }
}

fn ended(container: &Container) -> Condition {
    // An exit code that nobody told is not known to be good.
    let code = container.exit_code.unwrap_or(-1);
    let Some(Details { restart_policy, oom_killed, .. }) = &container.details else {
        return if code == 0 { Condition::Done } else { Condition::Ended(code) };
    };
    let stays_up = match restart_policy {
        RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
        RestartPolicy::No | RestartPolicy::OnFailure => false,
    };
    match code {
        _ if *oom_killed => Condition::OutOfMemory,
        0 if !stays_up => Condition::Done,
        code => Condition::Ended(code),
    }
}

fn reason(problems: &[(&str, Condition)]) -> Option<String> {
    if problems.is_empty() {
        return None;
    }
    let mut named: Vec<String> = problems
        .iter()
        .take(NAMED_MAX)
        .map(|(service, condition)| format!("{service} {}", condition.words()))
        .collect();
    let more = problems.len().saturating_sub(NAMED_MAX);
    if more > 0 {
        named.push(format!("{more} more"));
    }
    Some(named.join("; "))
}

fn running_since(container: &Container) -> Option<Timestamp> {
    let runs = match container.state {
        ContainerState::Running | ContainerState::Paused => true,
        ContainerState::Created
        | ContainerState::Restarting
        | ContainerState::Removing
        | ContainerState::Exited
        | ContainerState::Dead => false,
    };
    container.details.as_ref().filter(|_| runs)?.started_at
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{super::container::tests::container, *};
    use ContainerState::{Created, Dead, Exited, Paused, Removing, Restarting, Running};

    fn exited(service: &str, code: i64) -> Container {
        Container { exit_code: Some(code), ..container(service, Exited) }
    }

    fn with_health(service: &str, health: Health) -> Container {
        Container { health: Some(health), ..container(service, Running) }
    }

    fn with_policy(container: Container, restart_policy: RestartPolicy) -> Container {
        Container { details: Some(Details { restart_policy, ..Details::default() }), ..container }
    }

    fn killed_by_the_kernel(service: &str) -> Container {
        let details = Some(Details { oom_killed: true, ..Details::default() });
        Container { details, ..exited(service, 137) }
    }

    #[track_caller]
    fn check(containers: &[Container], state: AppState, reason: Option<&str>, running: u32, total: u32) {
        let got = summarise(containers);
        assert_eq!((got.state, got.reason.as_deref()), (state, reason));
        assert_eq!((got.services_running, got.services_total), (running, total));
    }

    #[test]
    fn an_app_that_runs_is_running() {
        check(&[container("web", Running)], AppState::Running, None, 1, 1);
        check(&[container("web", Running), container("web", Running)], AppState::Running, None, 1, 1);
        check(&[with_health("web", Health::Healthy)], AppState::Running, None, 1, 1);
        check(&[with_health("web", Health::Starting)], AppState::Running, None, 1, 1);
    }

    #[test]
    fn a_one_shot_that_has_done_its_work_is_fine() {
        check(&[container("web", Running), exited("migrate", 0)], AppState::Running, None, 1, 1);
        check(&[exited("a", 0), exited("b", 0)], AppState::Stopped, None, 0, 2);
        check(&[container("web", Running), container("old", Removing)], AppState::Running, None, 1, 1);
    }

    #[test]
    fn an_app_at_rest_is_stopped() {
        check(&[], AppState::Stopped, None, 0, 0);
        for code in STOP_CODES {
            check(&[exited("web", code), exited("db", 0)], AppState::Stopped, None, 0, 2);
        }
        check(&[container("web", Removing)], AppState::Stopped, None, 0, 1);
    }

    #[test]
    fn an_app_that_failed_as_a_whole_is_in_error() {
        check(&[exited("web", 1)], AppState::Error, Some("web exited with 1"), 0, 1);
        check(&[exited("web", 1), exited("db", 143)], AppState::Error, Some("web exited with 1"), 0, 2);
        check(&[killed_by_the_kernel("web")], AppState::Error, Some("web ran out of memory"), 0, 1);
        check(&[container("web", Dead)], AppState::Error, Some("web is dead"), 0, 1);
    }

    #[test]
    fn a_service_that_should_run_and_does_not_degrades_the_app() {
        let web = || container("web", Running);
        let cases = [
            (exited("db", 137), "db exited with 137"),
            (exited("db", 1), "db exited with 1"),
            (killed_by_the_kernel("db"), "db ran out of memory"),
            (with_policy(exited("db", 0), RestartPolicy::Always), "db exited with 0"),
            (container("db", Dead), "db is dead"),
            (container("db", Restarting), "db restarts"),
            (container("db", Paused), "db is paused"),
            (container("db", Created), "db was never started"),
        ];
        for (other, reason) in cases {
            check(&[web(), other], AppState::Degraded, Some(reason), 1, 2);
        }
        check(
            &[web(), with_health("db", Health::Unhealthy)],
            AppState::Degraded,
            Some("db is unhealthy"),
            2,
            2,
        );
    }

    #[test]
    fn an_app_that_is_neither_at_rest_nor_well_is_degraded() {
        check(&[container("web", Created)], AppState::Degraded, Some("web was never started"), 0, 1);
        check(&[container("web", Restarting)], AppState::Degraded, Some("web restarts"), 0, 1);
        check(&[container("web", Paused)], AppState::Degraded, Some("web is paused"), 0, 1);
    }

    #[test]
    fn the_worst_of_a_services_containers_speaks_for_it() {
        let containers = [container("web", Running), exited("web", 1)];
        check(&containers, AppState::Degraded, Some("web exited with 1"), 0, 1);
    }

    #[test]
    fn a_long_list_of_reasons_is_counted() {
        let containers: Vec<_> =
            ["a", "b", "c", "d", "e"].iter().map(|service| container(service, Paused)).collect();
        let reason = "a is paused; b is paused; c is paused; 2 more";
        check(&containers, AppState::Degraded, Some(reason), 0, 5);
    }

    #[test]
    fn the_longest_running_container_says_since_when() {
        let at = |second| chrono::DateTime::from_timestamp(second, 0);
        let since = |state, second| Container {
            details: Some(Details { started_at: at(second), ..Details::default() }),
            exit_code: Some(0),
            ..container("web", state)
        };
        let containers = [since(Running, 30), since(Running, 20), since(Exited, 10)];
        assert_eq!(summarise(&containers).started_at, at(20));
    }
}
