//! Trying servers step by step, kept or not.

use serde_json::{Value, json};

use super::{add, assert_in, assert_is, body, nowhere, path, trusted, with};
use crate::support::{
    api::TestApi,
    docker_host::{DockerHost, Setup},
    sshd::Sshd,
};

const STEPS: [&str; 5] = ["tcp", "hostKey", "auth", "docker", "compose"];

async fn try_out(api: &TestApi, body: Value) -> Value {
    api.admin.post("/api/servers/test", body).await.is(200)
}

/// Each step's name with `ok`, `skipped` or its reason.
fn outcomes(report: &Value) -> Vec<(String, String)> {
    let outcome = |step: &Value| match (&step["ok"], &step["skipped"], &step["reason"]) {
        (Value::Bool(true), _, Value::Null) => "ok".to_owned(),
        (_, Value::Bool(true), Value::Null) => "skipped".to_owned(),
        (_, _, reason) => {
            assert!(step["detail"].is_string() && step["mend"].is_string(), "{step}");
            reason.as_str().unwrap().to_owned()
        }
    };
    let steps = report["steps"].as_array().unwrap();
    steps.iter().map(|step| (step["step"].as_str().unwrap().to_owned(), outcome(step))).collect()
}

#[track_caller]
fn assert_steps(report: &Value, expected: [&str; 5]) {
    let expected: Vec<(String, String)> =
        STEPS.iter().zip(expected).map(|(step, outcome)| ((*step).to_owned(), outcome.to_owned())).collect();
    assert_eq!(outcomes(report), expected, "{report}");
    assert_eq!(report["ok"], json!(expected.iter().all(|(_, outcome)| outcome == "ok")));
}

#[tokio::test]
async fn a_machine_in_order_passes_every_step() {
    let (api, host) = (TestApi::start().await, DockerHost::start(Setup::default()).await);
    let report = try_out(&api, body(&host.target)).await;
    assert_steps(&report, ["ok"; 5]);
    assert!(report["offeredHostKey"]["fingerprint"].as_str().unwrap().starts_with("SHA256:"));
    assert!(report["steps"].as_array().unwrap().iter().all(|step| step["durationMs"].is_u64()));
    assert_eq!(api.admin.get("/api/servers").await.is(200), json!([]), "nothing is kept");
    let server = add(&api, body(&host.target)).await;
    let report = api.admin.post(&format!("{}/test", path(&server)), json!({})).await.is(200);
    assert_steps(&report, ["ok"; 5]);
}

#[tokio::test]
async fn a_trial_sends_its_credential_only_to_the_named_key() {
    let (api, sshd) = (TestApi::start().await, Sshd::start().await);
    let mut trial = body(&sshd.target().await);
    trial.as_object_mut().unwrap().remove("hostKeyPolicy");
    let report = try_out(&api, trial.clone()).await;
    assert_steps(&report, ["ok", "host_key_unknown", "skipped", "skipped", "skipped"]);
    let offered = report["offeredHostKey"]["fingerprint"].clone();
    assert_eq!(offered, json!(sshd.host_key("ed25519").await.fingerprint.to_string()));

    let other = json!({"hostKeyFingerprint": format!("SHA256:{}", "A".repeat(43))});
    let report = try_out(&api, with(trial.clone(), other)).await;
    assert_steps(&report, ["ok", "host_key_changed", "skipped", "skipped", "skipped"]);
    assert_eq!(sshd.logged("Accepted"), 0);

    let report = try_out(&api, with(trial.clone(), json!({"hostKeyFingerprint": offered}))).await;
    assert_eq!(outcomes(&report)[..3].iter().filter(|(_, outcome)| outcome == "ok").count(), 3, "{report}");
    let fields = api.admin.post("/api/servers/test", with(trial, json!({"hostKeyFingerprint": "x"}))).await;
    assert_eq!(fields.refused_fields(), ["hostKeyFingerprint"]);
}

#[tokio::test]
async fn a_trial_says_at_which_step_it_fails() {
    let api = TestApi::start().await;
    let refused = with(nowhere("x"), json!({"hostKeyPolicy": "acceptNew"}));
    assert_steps(&try_out(&api, refused).await, ["tcp_refused", "skipped", "skipped", "skipped", "skipped"]);
    let unknown = with(nowhere("x"), json!({"address": "no-such-host.invalid"}));
    assert_steps(&try_out(&api, unknown).await, ["dns", "skipped", "skipped", "skipped", "skipped"]);
    let sshd = Sshd::start().await;
    let wrong = json!({"credential": {"kind": "password", "password": "wrong"}});
    let report = try_out(&api, with(body(&sshd.target().await), wrong)).await;
    assert_steps(&report, ["ok", "ok", "auth_failed", "skipped", "skipped"]);
    let denied = DockerHost::start(Setup { user: Some("nobody"), ..Setup::default() }).await;
    let report = try_out(&api, body(&denied.target)).await;
    assert_steps(&report, ["ok", "ok", "ok", "docker_denied", "ok"]);
}

#[tokio::test]
async fn a_generated_key_cannot_be_tried_before_it_is_made() {
    let api = TestApi::start().await;
    let body = with(nowhere("x"), json!({"credential": {"kind": "generated"}}));
    assert_eq!(api.admin.post("/api/servers/test", body).await.refused_fields(), ["credential.kind"]);
}

#[tokio::test]
async fn the_test_of_a_kept_server_counts_as_a_probe() {
    let (api, mut sshd, server) = trusted().await;
    sshd.cut();
    sshd.stop().await;
    let test = format!("{}/test", path(&server));
    let report = api.admin.post(&test, json!({})).await.is(200);
    assert_steps(&report, ["tcp_refused", "skipped", "skipped", "skipped", "skipped"]);
    assert_is(&api.admin.get(&path(&server)).await.is(200), "offline", "tcp_refused");
    sshd.up().await;
    api.admin.post(&test, json!({})).await.is(200);
    assert_in(&api.admin.get(&path(&server)).await.is(200));
}
