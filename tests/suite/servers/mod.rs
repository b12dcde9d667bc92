//! Servers through REST, on real machines: this one, behind private sshds, with the private Docker Engine or without.

mod credentials;
mod fields;
mod host_keys;
mod probes;
mod sight;
mod trials;

use quaymaster::remote::ssh::{Auth, Target};
use serde_json::{Value, json};

use crate::support::{
    api::{TestApi, text},
    sshd::{Sshd, free_port},
};

/// The body that adds a machine whose first key is trusted.
fn body(target: &Target) -> Value {
    json!({
        "name": format!("machine {}", target.port),
        "address": target.address,
        "sshUser": target.user,
        "sshPort": target.port,
        "hostKeyPolicy": "acceptNew",
        "credential": credential(target),
    })
}

fn credential(target: &Target) -> Value {
    match &target.auth {
        Auth::Key(key) => json!({"kind": "privateKey", "privateKey": key.to_openssh().unwrap().expose()}),
        Auth::Password(password) => json!({"kind": "password", "password": password.expose()}),
    }
}

/// A body in which nothing is wrong, for a machine that is not there.
fn nowhere(name: &str) -> Value {
    json!({
        "name": name, "address": "127.0.0.1", "sshUser": "root", "sshPort": free_port(),
        "credential": {"kind": "password", "password": "x"},
    })
}

/// `body` with other values for some fields.
fn with(mut body: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else { panic!("not an object: {changes}") };
    for (name, value) in changes {
        body[name.as_str()] = value;
    }
    body
}

async fn add(api: &TestApi, body: Value) -> Value {
    api.admin.post("/api/servers", body).await.is(201)
}

fn path(server: &Value) -> String {
    format!("/api/servers/{}", text(&server["id"]))
}

/// The audit rows of a server, the oldest first: action and details.
async fn audited(api: &TestApi, server: &Value) -> Vec<(String, Value)> {
    sqlx::query_as("select action, details from audit_logs where resource_id = $1::uuid order by id")
        .bind(text(&server["id"]))
        .fetch_all(&api.db)
        .await
        .unwrap()
}

/// Probes now.
async fn status(api: &TestApi, server: &Value) -> Value {
    api.admin.get(&format!("{}/status", path(server))).await.is(200)
}

/// A machine may be without a Docker of its own: then it is degraded.
fn lets_us_in(body: &Value) -> bool {
    body["status"] == "online" || body["status"] == "degraded"
}

#[track_caller]
fn assert_in(body: &Value) {
    assert!(lets_us_in(body), "{body}");
}

#[track_caller]
fn assert_is(body: &Value, status: &str, reason: &str) {
    let reason_field = if body.get("statusReason").is_some() { "statusReason" } else { "reason" };
    assert_eq!((&body["status"], &body[reason_field]), (&json!(status), &json!(reason)), "{body}");
}

/// An sshd and a server for it whose key is trusted.
async fn trusted() -> (TestApi, Sshd, Value) {
    let (api, sshd) = (TestApi::start().await, Sshd::start().await);
    let server = add(&api, body(&sshd.target().await)).await;
    assert_in(&server);
    (api, sshd, server)
}
