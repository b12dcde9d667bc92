use std::sync::atomic::Ordering;

use quaymaster::{
    platform::Lifecycle,
    remote::ssh::{Auth, Command, Error, Target},
};

use super::{engine, run};
use crate::support::{
    hostile::{Habit, Hostile},
    sshd::{PASSWORD, Settings, Sshd},
};

/// What sshd logs as soon as a client asks to be let in, by whatever method.
const ASKED_IN: &str = "userauth-request";

#[tokio::test]
async fn nothing_is_sent_to_a_host_whose_key_is_not_trusted() {
    let sshd = Sshd::start().await;
    let trusted = sshd.password_target(PASSWORD).await;
    let target = Target { host_key: None, ..trusted.clone() };
    match run(&engine(), &target, &Command::new("true")).await {
        Err(Error::HostKeyUnknown { offered }) => assert_eq!(Some(offered), trusted.host_key),
        other => panic!("{other:?}"),
    }
    assert!(sshd.logged("Connection from") > 0);
    assert_eq!(sshd.logged(ASKED_IN), 0);
    // The count can fail: a trusted host is asked.
    run(&engine(), &trusted, &Command::new("true")).await.unwrap();
    assert!(sshd.logged(ASKED_IN) > 0);
}

#[tokio::test]
async fn a_changed_key_of_the_same_or_another_type_gets_no_credential() {
    let mut sshd = Sshd::start().await;
    for kinds in [["ed25519"].as_slice(), &["rsa"], &["ecdsa"], &["rsa", "ecdsa"]] {
        let engine = engine();
        let target = sshd.password_target(PASSWORD).await;
        run(&engine, &target, &Command::new("true")).await.unwrap();
        let pinned = target.host_key.clone().unwrap();
        sshd.restart_with_host_keys(kinds).await;
        engine.forget(target.host);
        sshd.clear_log();
        match run(&engine, &target, &Command::new("true")).await {
            Err(Error::HostKeyChanged { pinned: before, offered }) => {
                assert_eq!(before, pinned);
                assert_ne!(offered.fingerprint, pinned.fingerprint);
            }
            other => panic!("{kinds:?}: {other:?}"),
        }
        assert_eq!(sshd.logged(ASKED_IN), 0, "{kinds:?}");
        // Told as itself within the back-off, and the connection is not tried again.
        let again = run(&engine, &target, &Command::new("true")).await.unwrap_err();
        assert_eq!(again.reason(), "host_key_changed");
        // Trusting the new key makes a new revision, which works at once.
        let retrusted = Target { revision: 2, ..sshd.password_target(PASSWORD).await };
        run(&engine, &retrusted, &Command::new("true")).await.unwrap();
    }
}

#[tokio::test]
async fn a_man_in_the_middle_gets_no_credential() {
    let lifecycle = Lifecycle::new();
    let impostor = Hostile::start(Habit::NeverEnds, &lifecycle).await;
    let sshd = Sshd::with(Settings { host_keys: vec!["rsa"], ..Settings::default() }).await;
    let honest = sshd.target().await;
    for auth in [Auth::Password("canary-password".into()), Auth::Key(sshd.client_key.clone())] {
        let target = Target { port: impostor.port, auth, ..honest.clone() };
        let error = run(&engine(), &target, &Command::new("true")).await.unwrap_err();
        assert_eq!(error.reason(), "host_key_changed");
    }
    assert_eq!(impostor.credentials.load(Ordering::SeqCst), 0);
    // The count can fail: who trusts it gives the credential.
    let check = engine().check(&impostor.target()).await;
    assert!(check.passed(), "{check:?}");
    assert_eq!(impostor.credentials.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_honest_host_with_several_keys_is_asked_for_the_pinned_one() {
    let kinds = vec!["rsa", "ecdsa", "ed25519"];
    let sshd = Sshd::with(Settings { host_keys: kinds.clone(), ..Settings::default() }).await;
    for kind in kinds {
        let target = Target { host_key: Some(sshd.host_key(kind).await), ..sshd.target().await };
        run(&engine(), &target, &Command::new("true"))
            .await
            .unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
}
