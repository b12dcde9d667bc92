use super::*;
use crate::{
    operations::{Failure, State},
    platform::{
        Clock,
        id::{AppId, OperationId, ProjectId, ServerId},
    },
};

fn app(status: Status) -> App {
    let now = Clock::system().now();
    App {
        id: AppId::make(),
        name: "web".to_owned(),
        project: ProjectId::make(),
        server: ServerId::make(),
        path: "/srv/web".parse().unwrap(),
        real_path: None,
        url: None,
        auto_stop_minutes: 60,
        status,
        status_reason: None,
        status_at: None,
        services_running: 0,
        services_total: 0,
        started_at: None,
        stop_at: None,
        run_minutes: None,
        reading: 0,
        created_at: now,
        updated_at: now,
    }
}

fn operation(app: &App, action: Action, trigger: Trigger) -> Operation {
    Operation {
        id: OperationId::make(),
        app: app.id,
        project: app.project,
        server: app.server,
        action,
        state: State::Running,
        trigger,
        requested_by: None,
        requested_by_name: None,
        timeout_minutes: None,
        created_at: app.created_at,
        started_at: None,
        finished_at: None,
        exit_code: None,
        failure: None,
        cancel_requested_at: None,
        output_bytes: 0,
        output_cut: false,
        sent_at: None,
        claim: 1,
    }
}

fn seen(state: AppState) -> Seen {
    let running = u32::from(matches!(state, AppState::Running | AppState::Degraded));
    Seen::Containers(AppSummary {
        state,
        reason: None,
        services_running: running,
        services_total: 1,
        started_at: None,
    })
}

fn unseen() -> Seen {
    Seen::Nothing { reason: "tcp_timeout".to_owned() }
}

fn failed() -> Outcome {
    let failure = Failure { code: "operation.failed".to_owned(), detail: "no such image".to_owned() };
    Outcome::Failed { exit_code: Some(1), failure }
}

fn lost() -> Outcome {
    Outcome::Lost { failure: Failure { code: "operation.lost".to_owned(), detail: "gone".to_owned() } }
}

#[test]
fn a_host_that_cannot_be_asked_makes_an_app_unknown_and_keeps_its_stop() {
    let now = Clock::system().now();
    let running = App { stop_at: Some(now), started_at: Some(now), ..app(Status::Running) };
    let reading = probed(&running, &unseen(), now);
    assert_eq!((reading.status, reading.reason.as_deref()), (Status::Unknown, Some("tcp_timeout")));
    assert_eq!((reading.stop_at, reading.started_at), (Some(now), Some(now)));
}

#[test]
fn an_app_that_was_stopped_on_the_host_has_no_stop_any_more() {
    let now = Clock::system().now();
    let running = App { stop_at: Some(now), started_at: Some(now), ..app(Status::Running) };
    let reading = probed(&running, &seen(AppState::Stopped), now);
    assert_eq!((reading.status, reading.stop_at, reading.started_at), (Status::Stopped, None, None));
}

#[test]
fn an_app_that_was_started_on_the_host_runs_without_a_stop() {
    let now = Clock::system().now();
    let reading = probed(&app(Status::Stopped), &seen(AppState::Running), now);
    assert_eq!((reading.status, reading.stop_at, reading.started_at), (Status::Running, None, Some(now)));
}

#[test]
fn why_a_start_failed_stays_until_the_next() {
    let now = Clock::system().now();
    let broken = App { status_reason: Some("no such image".to_owned()), ..app(Status::Error) };
    let reading = probed(&broken, &seen(AppState::Stopped), now);
    assert_eq!((reading.status, reading.reason.as_deref()), (Status::Error, Some("no such image")));
    assert_eq!(probed(&broken, &seen(AppState::Running), now).status, Status::Running);
}

#[test]
fn a_start_sets_the_stop_by_its_own_time_or_the_apps() {
    let now = Clock::system().now();
    let app = app(Status::Starting);
    let own = operation(&app, Action::Start, Trigger::User);
    let reading = concluded(&app, &own, &Outcome::Succeeded, &seen(AppState::Running), now, 1);
    assert_eq!(reading.stop_at, Some(now + TimeDelta::minutes(60)));
    let given = Operation { timeout_minutes: Some(5), ..own.clone() };
    let reading = concluded(&app, &given, &Outcome::Succeeded, &seen(AppState::Running), now, 1);
    assert_eq!((reading.stop_at, reading.run_minutes), (Some(now + TimeDelta::minutes(5)), Some(5)));
    let never = Operation { timeout_minutes: Some(0), ..own };
    let reading = concluded(&app, &never, &Outcome::Succeeded, &seen(AppState::Running), now, 1);
    assert_eq!((reading.status, reading.stop_at), (Status::Running, None));
}

#[test]
fn a_start_that_failed_is_an_error_with_its_reason() {
    let now = Clock::system().now();
    let app = app(Status::Starting);
    let start = operation(&app, Action::Start, Trigger::User);
    let reading = concluded(&app, &start, &failed(), &seen(AppState::Stopped), now, 1);
    assert_eq!((reading.status, reading.reason.as_deref()), (Status::Error, Some("no such image")));
}

#[test]
fn a_start_whose_end_is_unknown_but_that_runs_is_still_stopped_in_time() {
    let now = Clock::system().now();
    let app = app(Status::Starting);
    let start = operation(&app, Action::Start, Trigger::User);
    let reading = concluded(&app, &start, &lost(), &seen(AppState::Running), now, 1);
    assert_eq!((reading.status, reading.stop_at), (Status::Running, Some(now + TimeDelta::minutes(60))));
}

#[test]
fn an_automatic_stop_that_failed_is_tried_again_ever_later() {
    let now = Clock::system().now();
    let app = app(Status::Stopping);
    let stop = operation(&app, Action::Stop, Trigger::AutoStop);
    let again = Some(now + TimeDelta::minutes(1));
    assert_eq!(concluded(&app, &stop, &failed(), &seen(AppState::Running), now, 1).stop_at, again);
    assert_eq!(concluded(&app, &stop, &failed(), &unseen(), now, 1).stop_at, again);
    assert_eq!(concluded(&app, &stop, &lost(), &seen(AppState::Running), now, 1).stop_at, again);
    assert_eq!(concluded(&app, &stop, &lost(), &seen(AppState::Stopped), now, 1).stop_at, None);
    let cancelled = concluded(&app, &stop, &Outcome::Cancelled, &seen(AppState::Running), now, 1);
    assert_eq!(cancelled.stop_at, Some(now + TimeDelta::minutes(15)));
    let minutes = [1, 2, 3, 7, 1000].map(|failures| retry_stop_after(failures).num_minutes());
    assert_eq!(minutes, [1, 2, 4, 64, 64]);
}

#[test]
fn a_stop_by_hand_that_failed_leaves_the_timer_as_it_was() {
    let now = Clock::system().now();
    let app = App { stop_at: Some(now), ..app(Status::Stopping) };
    let stop = operation(&app, Action::Stop, Trigger::User);
    assert_eq!(concluded(&app, &stop, &failed(), &seen(AppState::Running), now, 1).stop_at, Some(now));
    let reading = concluded(&app, &stop, &Outcome::Succeeded, &seen(AppState::Stopped), now, 1);
    assert_eq!((reading.status, reading.stop_at), (Status::Stopped, None));
}
