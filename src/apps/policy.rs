//! What an app's state becomes: pure decisions from what was known and what the host says.

use chrono::TimeDelta;

use super::{App, Status};
use crate::{
    operations::{Action, Operation, Outcome, Trigger},
    platform::Timestamp,
    remote::docker::{AppState, AppSummary},
};

/// An automatic stop that somebody cancelled comes again after this: cancelling it is not the same as extending for ever.
const CANCELLED_STOP_AFTER: TimeDelta = TimeDelta::minutes(15);
/// The longest time between two tries at an automatic stop.
const LONGEST_RETRY: TimeDelta = TimeDelta::minutes(64);

/// When an automatic stop that has failed so often is tried again: after a minute, two, four, up to about an hour.
fn retry_stop_after(failures: i64) -> TimeDelta {
    let doublings = u32::try_from(failures.clamp(1, 7) - 1).unwrap_or(0);
    TimeDelta::minutes(1 << doublings).min(LONGEST_RETRY)
}

/// What the host said of an app.
#[derive(Clone, Debug)]
pub enum Seen {
    Containers(AppSummary),
    /// It could not be asked; the reason is the server's.
    Nothing {
        reason: String,
    },
}

/// What is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub status: Status,
    pub reason: Option<String>,
    pub services_running: i32,
    pub services_total: i32,
    pub started_at: Option<Timestamp>,
    pub stop_at: Option<Timestamp>,
    pub run_minutes: Option<i32>,
}

impl Reading {
    /// The state as it stands.
    pub fn of(app: &App) -> Self {
        Self {
            status: app.status,
            reason: app.status_reason.clone(),
            services_running: app.services_running,
            services_total: app.services_total,
            started_at: app.started_at,
            stop_at: app.stop_at,
            run_minutes: app.run_minutes,
        }
    }

    /// Of an app whose host was never asked about it.
    pub fn unasked() -> Self {
        Self {
            status: Status::Unknown,
            reason: None,
            services_running: 0,
            services_total: 0,
            started_at: None,
            stop_at: None,
            run_minutes: None,
        }
    }

    /// The app with this state.
    pub fn onto(self, app: App) -> App {
        App {
            status: self.status,
            status_reason: self.reason,
            services_running: self.services_running,
            services_total: self.services_total,
            started_at: self.started_at,
            stop_at: self.stop_at,
            run_minutes: self.run_minutes,
            ..app
        }
    }

    fn is_up(&self) -> bool {
        self.status.is_up()
    }

    fn stop_in(&mut self, minutes: i32, now: Timestamp) {
        let runs_out = minutes > 0;
        self.run_minutes = runs_out.then_some(minutes);
        self.stop_at = runs_out.then(|| now + TimeDelta::minutes(minutes.into()));
    }
}

/// What a probe makes of an app that nothing is being done to.
pub fn probed(app: &App, seen: &Seen, now: Timestamp) -> Reading {
    let before = Reading::of(app);
    let summary = match seen {
        Seen::Nothing { reason } => {
            return Reading { status: Status::Unknown, reason: Some(reason.clone()), ..before };
        }
        Seen::Containers(summary) => summary,
    };
    let down = |status, reason| Reading {
        status,
        reason,
        services_running: count(summary.services_running),
        services_total: count(summary.services_total),
        started_at: None,
        stop_at: None,
        run_minutes: None,
    };
    let up = |status| Reading {
        status,
        reason: summary.reason.clone(),
        services_running: count(summary.services_running),
        services_total: count(summary.services_total),
        started_at: before.started_at.or(summary.started_at).or(Some(now)),
        ..before.clone()
    };
    match summary.state {
        AppState::Running => up(Status::Running),
        AppState::Degraded => up(Status::Degraded),
        AppState::Error => down(Status::Error, summary.reason.clone()),
        // Why the last start failed stays to be seen until the next one.
        AppState::Stopped if app.status == Status::Error => down(Status::Error, before.reason.clone()),
        AppState::Stopped => down(Status::Stopped, None),
    }
}

fn count(services: u32) -> i32 {
    i32::try_from(services).unwrap_or(i32::MAX)
}

/// What the end of an operation makes of its app. `failures`: of automatic stops, in this run, this one included.
pub fn concluded(
    app: &App,
    operation: &Operation,
    outcome: &Outcome,
    seen: &Seen,
    now: Timestamp,
    failures: i64,
) -> Reading {
    let mut reading = match operation.action {
        Action::Pull => return probed(app, seen, now),
        // While it was done the state said so; what it was before does not matter to what is seen now.
        Action::Start | Action::Stop | Action::Restart => {
            let settled = App { status: Status::Unknown, status_reason: None, ..app.clone() };
            probed(&settled, seen, now)
        }
    };
    let succeeded = *outcome == Outcome::Succeeded;
    match operation.action {
        Action::Start => {
            if reading.is_up() && succeeded {
                reading.started_at = Some(now);
            }
            // A start that failed half-way, or whose end is not known, must not run for ever either.
            if reading.is_up() && (succeeded || app.stop_at.is_none()) {
                reading.stop_in(operation.timeout_minutes.unwrap_or(app.auto_stop_minutes), now);
            }
            if let (false, Outcome::Failed { failure, .. }) = (reading.is_up(), outcome)
                && reading.status != Status::Unknown
            {
                reading.status = Status::Error;
                reading.reason = Some(failure.detail.clone());
            }
        }
        Action::Stop => {
            let was_automatic = operation.trigger == Trigger::AutoStop;
            let may_still_run = reading.is_up() || reading.status == Status::Unknown;
            match outcome {
                Outcome::Succeeded => (reading.stop_at, reading.run_minutes) = (None, None),
                Outcome::Cancelled if may_still_run && was_automatic => {
                    reading.stop_at = Some(now + CANCELLED_STOP_AFTER);
                }
                Outcome::Failed { .. } | Outcome::Lost { .. } if may_still_run && was_automatic => {
                    reading.stop_at = Some(now + retry_stop_after(failures));
                }
                Outcome::Cancelled | Outcome::Failed { .. } | Outcome::Lost { .. } => {}
            }
        }
        Action::Restart => {
            if reading.is_up() && succeeded {
                reading.started_at = Some(now);
            }
        }
        Action::Pull => {}
    }
    reading
}

#[cfg(test)]
mod tests;
