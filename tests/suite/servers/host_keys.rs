//! The life of a host key: shown, trusted, changed.

use quaymaster::{platform::id::ServerId, servers};
use serde_json::{Value, json};

use super::{add, assert_in, assert_is, audited, body, path, status, trusted, with};
use crate::support::{
    api::{Answer, TestApi, text},
    sshd::Sshd,
};

async fn trust(api: &TestApi, server: &Value, fingerprint: &Value) -> Answer {
    api.admin.post(&format!("{}/host-key", path(server)), json!({"fingerprint": fingerprint})).await
}

async fn details(api: &TestApi, server: &Value, action: &str) -> Vec<Value> {
    let rows = audited(api, server).await;
    rows.into_iter().filter(|(name, _)| name == action).map(|(_, details)| details).collect()
}

#[tokio::test]
async fn an_unknown_key_is_shown_and_gets_no_credential_until_it_is_trusted() {
    let (api, sshd) = (TestApi::start().await, Sshd::start().await);
    let real = sshd.host_key("ed25519").await.fingerprint.to_string();
    let ask = with(body(&sshd.target().await), json!({"hostKeyPolicy": "ask"}));
    let server = add(&api, ask).await;
    assert_is(&server, "unknown", "host_key_unknown");
    assert_eq!(server["hostKey"], Value::Null);
    assert_eq!(server["offeredHostKey"], json!({"algorithm": "ssh-ed25519", "fingerprint": real}));
    assert_eq!(sshd.logged("Accepted"), 0);

    let other = format!("SHA256:{}", "A".repeat(43));
    let refused = trust(&api, &server, &json!(other)).await.is_refused(409, "server.host_key_mismatch");
    assert_eq!(refused["offeredHostKey"]["fingerprint"], real);
    assert_eq!(refused["givenFingerprint"], other);
    for no_fingerprint in [json!("MD5:00"), json!(""), json!(7)] {
        let fields = trust(&api, &server, &no_fingerprint).await.refused_fields();
        assert_eq!(fields, ["fingerprint"]);
    }
    assert_eq!(api.admin.get(&path(&server)).await.is(200)["hostKey"], Value::Null);
    assert_eq!(sshd.logged("Accepted"), 0);

    let trusted = trust(&api, &server, &json!(real)).await.is(200);
    assert_in(&trusted);
    assert_eq!(trusted["hostKey"]["fingerprint"], real);
    assert!(trusted["hostKey"]["trustedAt"].as_i64().unwrap() > 0);
    assert_eq!(trusted["offeredHostKey"], Value::Null);
    let rows = details(&api, &server, "HOST_KEY_TRUST").await;
    assert_eq!(rows, [json!({"from": null, "to": {"algorithm": "ssh-ed25519", "fingerprint": real}})]);
    trust(&api, &server, &json!(real)).await.is(200);
    assert_eq!(
        details(&api, &server, "HOST_KEY_TRUST").await.len(),
        1,
        "what is trusted is not trusted anew"
    );
}

#[tokio::test]
async fn the_policy_accept_new_trusts_the_first_key_and_says_so() {
    let (api, sshd, server) = trusted().await;
    let real = sshd.host_key("ed25519").await.fingerprint.to_string();
    assert_eq!(server["hostKey"]["fingerprint"], real);
    let rows = details(&api, &server, "HOST_KEY_TRUST").await;
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0]["policy"], &rows[0]["to"]["fingerprint"]), (&json!("acceptNew"), &json!(real)));
}

#[tokio::test]
async fn a_policy_that_changes_to_accept_new_trusts_at_once() {
    let (api, sshd) = (TestApi::start().await, Sshd::start().await);
    let ask = with(body(&sshd.target().await), json!({"hostKeyPolicy": "ask"}));
    let server = add(&api, ask).await;
    assert_is(&server, "unknown", "host_key_unknown");
    let changed = api.admin.put(&path(&server), json!({"hostKeyPolicy": "acceptNew"})).await.is(200);
    assert_in(&changed);
}

async fn a_changed_key_is_a_hard_stop(kind: &'static str) {
    let (api, mut sshd, server) = trusted().await;
    let old = server["hostKey"].clone();
    sshd.cut();
    sshd.restart_with_host_keys(&[kind]).await;
    let new = sshd.host_key(kind).await.fingerprint.to_string();
    sshd.clear_log();

    for _ in 0..2 {
        assert_is(&status(&api, &server).await, "offline", "host_key_changed");
    }
    let now = api.admin.get(&path(&server)).await.is(200);
    assert_is(&now, "offline", "host_key_changed");
    assert_eq!(now["hostKey"], old, "the trusted one stays");
    assert_eq!(now["offeredHostKey"]["fingerprint"], new);
    let seen = details(&api, &server, "HOST_KEY_CHANGED").await;
    assert_eq!(seen.len(), 1, "told once: {seen:?}");
    assert_eq!(seen[0]["pinned"]["fingerprint"], old["fingerprint"]);
    assert_eq!(seen[0]["offered"]["fingerprint"], new);
    assert_eq!(sshd.logged("Accepted"), 0, "no credential was sent");
    let mut db = api.services.db.acquire().await.unwrap();
    let row = servers::ops::get(&mut db, text(&server["id"]).parse::<ServerId>().unwrap()).await.unwrap();
    let refused = servers::ops::target(&api.services, &row).unwrap_err();
    assert_eq!(refused.code, "server.host_key_changed", "nothing runs");

    let trusted = trust(&api, &server, &json!(new)).await.is(200);
    assert_in(&trusted);
    assert_eq!(trusted["hostKey"]["fingerprint"], new);
    let rows = details(&api, &server, "HOST_KEY_TRUST").await;
    assert_eq!(rows.last().unwrap()["from"]["fingerprint"], old["fingerprint"]);
    assert_eq!(rows.last().unwrap()["to"]["fingerprint"], new);
}

#[tokio::test]
async fn a_changed_key_of_the_same_type_is_a_hard_stop() {
    Box::pin(a_changed_key_is_a_hard_stop("ed25519")).await;
}

#[tokio::test]
async fn a_changed_key_of_another_type_is_a_hard_stop() {
    Box::pin(a_changed_key_is_a_hard_stop("ecdsa")).await;
}

#[tokio::test]
async fn a_test_over_a_new_connection_sees_a_changed_key_that_an_open_one_hides() {
    let (api, mut sshd, server) = trusted().await;
    sshd.restart_with_host_keys(&["ed25519"]).await;
    let report = api.admin.post(&format!("{}/test", path(&server)), json!({})).await.is(200);
    assert_eq!(report["steps"][1]["reason"], "host_key_changed", "{report}");
    assert_is(&api.admin.get(&path(&server)).await.is(200), "offline", "host_key_changed");
    assert_is(&status(&api, &server).await, "offline", "host_key_changed");
}

#[tokio::test]
async fn another_port_is_another_machine_and_the_policy_decides_again() {
    let (api, sshd, server) = trusted().await;
    let second = Sshd::start().await;
    let moved = json!({"sshPort": second.port, "hostKeyPolicy": "ask"});
    let changed = api.admin.put(&path(&server), moved).await.is(200);
    assert_eq!(changed["hostKey"], Value::Null);
    assert_is(&changed, "unknown", "host_key_unknown");
    let theirs = second.host_key("ed25519").await.fingerprint.to_string();
    assert_eq!(changed["offeredHostKey"]["fingerprint"], theirs);
    assert_eq!(second.logged("Accepted"), 0);
    let back = json!({"sshPort": sshd.port, "hostKeyPolicy": "acceptNew"});
    let changed = api.admin.put(&path(&server), back).await.is(200);
    assert_in(&changed);
    assert_eq!(changed["hostKey"]["fingerprint"], server["hostKey"]["fingerprint"]);
}

#[tokio::test]
async fn a_key_cannot_be_trusted_while_the_machine_is_away() {
    let (api, mut sshd, server) = trusted().await;
    let pinned = server["hostKey"]["fingerprint"].clone();
    sshd.stop().await;
    let refused = trust(&api, &server, &pinned).await.is_refused(503, "server.tcp_refused");
    assert_eq!(refused["reason"], "tcp_refused");
}
