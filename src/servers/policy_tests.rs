use crate::{
    platform::{
        Clock,
        id::ServerId,
        vault::{self, Vault},
    },
    remote::{
        compose::{Compose, Flavour, Version},
        docker::{self, EngineInfo},
        ssh::{Fingerprint, HostKey},
    },
    servers::{HostKeyPolicy, NewCredential, TrustedKey},
};

use super::*;

const EVERY: Duration = Duration::from_mins(1);
const RHYTHM: Rhythm = Rhythm { every: EVERY, chance: 0.5 };

fn key(letter: &str) -> HostKey {
    let fingerprint: Fingerprint = format!("SHA256:{}A", letter.repeat(42)).parse().unwrap();
    HostKey { algorithm: "ssh-ed25519".to_owned(), fingerprint }
}

fn server(now: Timestamp) -> Server {
    let id = ServerId::make();
    let vault = Vault::new(&vault::generate_key()).unwrap();
    Server {
        id,
        name: "a".parse().unwrap(),
        address: "a".parse().unwrap(),
        ssh_user: "root".parse().unwrap(),
        ssh_port: 22,
        credential: NewCredential::Password("x".into()).seal(&vault, id).unwrap(),
        host_key_policy: HostKeyPolicy::Ask,
        host_key: Some(TrustedKey { key: key("A"), trusted_at: now }),
        offered_key: None,
        status: Status::Unknown,
        status_reason: None,
        status_detail: None,
        facts: Facts::default(),
        compose: None,
        last_checked_at: None,
        revision: 1,
        next_probe_at: now,
        probe_failures: 0,
        created_at: now,
        updated_at: now,
        running_apps: 0,
    }
}

fn found(began: Timestamp, docker: Result<EngineInfo, docker::Error>, compose: ComposeFinding) -> Findings {
    Findings {
        ssh: Ok(()),
        docker: Some(docker),
        compose,
        uptime: Some(Duration::from_secs(5)),
        ..Findings::refused(began, timeout_at(Step::Auth))
    }
}

fn engine() -> EngineInfo {
    EngineInfo { version: "20.10.24".to_owned(), containers_running: 3 }
}

fn compose() -> ComposeFinding {
    let version = Version { major: 2, minor: 0, patch: 0 };
    ComposeFinding::Found(Compose { flavour: Flavour::Plugin, version })
}

fn timeout_at(step: Step) -> ssh::Error {
    ssh::Error::Timeout { step, limit: EVERY }
}

fn refused() -> ssh::Error {
    ssh::Error::TcpRefused { at: "a:22".to_owned() }
}

fn changed_to(letter: &str) -> ssh::Error {
    ssh::Error::HostKeyChanged { pinned: key("A"), offered: key(letter) }
}

fn auth_failed() -> ssh::Error {
    ssh::Error::AuthFailed { user: "root".to_owned(), tried: "password", accepts: "publickey".to_owned() }
}

#[test]
fn each_failure_of_ssh_has_its_status_and_reason() {
    let at = || "a:22".to_owned();
    let detail = String::new;
    let cases = [
        (ssh::Error::Dns { host: at(), detail: detail() }, Status::Offline, "dns"),
        (refused(), Status::Offline, "tcp_refused"),
        (ssh::Error::TcpTimeout { at: at(), limit: EVERY }, Status::Offline, "tcp_timeout"),
        (ssh::Error::Unreachable { at: at(), detail: detail() }, Status::Offline, "unreachable"),
        (ssh::Error::HostKeyUnknown { offered: key("A") }, Status::Unknown, "host_key_unknown"),
        (changed_to("B"), Status::Offline, "host_key_changed"),
        (auth_failed(), Status::Offline, "auth_failed"),
        (timeout_at(Step::Handshake), Status::Offline, "timeout"),
        (timeout_at(Step::Auth), Status::Offline, "timeout"),
        (timeout_at(Step::Session), Status::Offline, "timeout"),
        (timeout_at(Step::Shell), Status::Degraded, "timeout"),
        (timeout_at(Step::Command), Status::Degraded, "timeout"),
        (timeout_at(Step::Channel), Status::Degraded, "timeout"),
        (ssh::Error::Closed { step: Step::Session }, Status::Offline, "closed"),
        (ssh::Error::Busy { limit: EVERY }, Status::Degraded, "busy"),
        (ssh::Error::Shell(detail()), Status::Degraded, "shell"),
        (ssh::Error::Protocol(detail()), Status::Offline, "protocol"),
        (
            ssh::Error::BackingOff { retry_in: EVERY, cause: Box::new(refused()) },
            Status::Offline,
            "tcp_refused",
        ),
    ];
    let now = Clock::system().now();
    for (error, status, reason) in cases {
        let verdict = verdict(&Findings::refused(now, error.clone()));
        assert_eq!((verdict.status, verdict.reason), (status, Some(reason)), "{error}");
        assert_eq!(verdict.detail, Some(error.to_string()));
    }
}

#[test]
fn a_machine_that_lets_us_in_is_online_or_degraded_by_its_docker_and_compose() {
    let now = Clock::system().now();
    let down = || Err(docker::Error::Down(String::new()));
    let refused = || Err(docker::Error::Refused { status: 500, message: String::new() });
    let cases = [
        (Ok(engine()), compose(), Status::Online, None),
        (Ok(engine()), ComposeFinding::NotLookedFor, Status::Online, None),
        (Ok(engine()), ComposeFinding::Missing, Status::Degraded, Some("compose_missing")),
        (Err(docker::Error::Missing), ComposeFinding::Missing, Status::Degraded, Some("docker_missing")),
        (Err(docker::Error::Denied(String::new())), compose(), Status::Degraded, Some("docker_denied")),
        (down(), compose(), Status::Degraded, Some("docker_down")),
        (refused(), compose(), Status::Degraded, Some("docker_refused")),
    ];
    for (docker, compose, status, reason) in cases {
        let verdict = verdict(&found(now, docker, compose));
        assert_eq!((verdict.status, verdict.reason), (status, reason));
    }
}

#[test]
fn what_a_probe_did_not_find_is_not_shown_from_before() {
    let now = Clock::system().now();
    let online = after_probe(&server(now), &found(now, Ok(engine()), compose()), now, RHYTHM);
    assert_eq!(online.facts.running_containers, Some(3));
    assert!(online.compose.is_some());
    let down = found(now, Err(docker::Error::Down(String::new())), ComposeFinding::NotLookedFor);
    let degraded = after_probe(&online, &down, now, RHYTHM);
    assert_eq!((degraded.facts.running_containers, degraded.facts.docker.clone()), (None, None));
    assert_eq!(degraded.facts.uptime, Some(Duration::from_secs(5)));
    assert_eq!(degraded.compose, online.compose, "not looked for is not gone");
    let gone = after_probe(&online, &Findings::refused(now, refused()), now, RHYTHM);
    assert_eq!(gone.facts, Facts::default());
}

#[test]
fn a_key_change_is_told_once_for_each_key_whatever_comes_between() {
    let now = Clock::system().now();
    let probed = |before: &Server, error| after_probe(before, &Findings::refused(now, error), now, RHYTHM);
    let well = after_probe(&server(now), &found(now, Ok(engine()), compose()), now, RHYTHM);
    let first = probed(&well, changed_to("B"));
    assert!(is_key_change(&well, &first));
    assert_eq!(untrusted_key(&first), Some(&key("B")));
    let second = probed(&first, changed_to("B"));
    assert!(!is_key_change(&first, &second));
    let away = probed(&second, refused());
    assert_eq!(untrusted_key(&away), None, "nothing was seen of its key");
    let back = probed(&away, changed_to("B"));
    assert!(!is_key_change(&away, &back));
    let other = probed(&back, changed_to("C"));
    assert!(is_key_change(&back, &other));
    let well = after_probe(&other, &found(now, Ok(engine()), compose()), now, RHYTHM);
    assert_eq!(well.offered_key, None);
    assert!(is_key_change(&well, &probed(&well, changed_to("C"))));
}

#[test]
fn a_machine_that_is_down_is_asked_more_rarely_up_to_a_bound() {
    let seconds = |failures| pause(RHYTHM, failures).num_seconds();
    assert_eq!([0, 1, 2, 3, 5, 6, 1000].map(seconds), [60, 60, 120, 180, 300, 300, 300]);
    let now = Clock::system().now();
    let after = |error| after_probe(&server(now), &Findings::refused(now, error), now, RHYTHM).probe_failures;
    assert_eq!(after(refused()), 1);
    assert_eq!(after(timeout_at(Step::Shell)), 0, "it is there");
    assert_eq!(after(auth_failed()), LONGEST_PAUSE, "each try is a line in its log");
}

#[test]
fn chance_moves_a_probe_by_a_fifth_at_most() {
    let seconds = |chance| pause(Rhythm { every: EVERY, chance }, 0).num_seconds();
    assert_eq!([0.0, 0.5, 1.0, 7.0].map(seconds), [48, 60, 72, 72]);
}

#[test]
fn an_old_status_is_not_shown_as_the_present_one() {
    let now = Clock::system().now();
    let at = |failures, age| {
        let last_checked_at = Some(now - TimeDelta::seconds(age));
        let server =
            Server { status: Status::Online, probe_failures: failures, last_checked_at, ..server(now) };
        present_status(&server, now, EVERY)
    };
    assert_eq!(at(0, 180), Status::Online);
    assert_eq!(at(0, 181), Status::Unknown);
    assert_eq!(at(5, 900), Status::Online, "it is asked every five intervals");
    assert_eq!(at(5, 901), Status::Unknown);
    assert_eq!(at(1_000_000, 901), Status::Unknown);
    assert_eq!(present_status(&server(now), now, EVERY), Status::Unknown);
    assert!(!is_present(&server(now), now, Duration::MAX));
}

#[test]
fn compose_is_looked_for_when_it_is_unknown_and_again_after_a_while() {
    let now = Clock::system().now();
    assert!(needs_compose(&server(now), now));
    let known = after_probe(&server(now), &found(now, Ok(engine()), compose()), now, RHYTHM);
    assert!(!needs_compose(&known, now + COMPOSE_HOLDS_FOR));
    assert!(needs_compose(&known, now + COMPOSE_HOLDS_FOR + TimeDelta::seconds(1)));
}
