//! Each kind of credential, on a real sshd.

use serde_json::json;

use super::{add, assert_in, assert_is, body, credential, path, status, trusted, with};
use crate::support::{
    api::TestApi,
    sshd::{PASSWORD, Sshd},
};

#[tokio::test]
async fn a_private_key_lets_us_in_and_another_does_not() {
    let (api, _sshd, server) = trusted().await;
    let other = Sshd::start().await.target().await;
    let changed = api.admin.put(&path(&server), json!({"credential": credential(&other)})).await.is(200);
    assert_is(&changed, "offline", "auth_failed");
    assert_eq!(
        changed["hostKey"]["fingerprint"], server["hostKey"]["fingerprint"],
        "the machine is the same"
    );
    let again = status(&api, &server).await;
    assert_is(&again, "offline", "auth_failed");
    let user = server["sshUser"].as_str().unwrap();
    assert!(again["detail"].as_str().unwrap().contains(user), "{again}");
}

#[tokio::test]
async fn a_password_lets_us_in_and_a_wrong_one_does_not() {
    let (api, sshd) = (TestApi::start().await, Sshd::start().await);
    let server = add(&api, body(&sshd.password_target(PASSWORD).await)).await;
    assert_in(&server);
    let wrong = json!({"credential": {"kind": "password", "password": "wrong"}});
    let changed = api.admin.put(&path(&server), wrong).await.is(200);
    assert_is(&changed, "offline", "auth_failed");
}

#[tokio::test]
async fn a_generated_key_lets_us_in_once_its_line_is_on_the_machine() {
    let (api, sshd) = (TestApi::start().await, Sshd::start().await);
    let generated = json!({"credential": {"kind": "generated"}});
    let server = add(&api, with(body(&sshd.target().await), generated)).await;
    assert_is(&server, "offline", "auth_failed");
    let line = server["credential"]["authorizedKey"].as_str().unwrap();
    assert!(line.starts_with("ssh-ed25519 ") && line.ends_with(" quaymaster"), "{line}");
    sshd.authorize_line(line);
    assert_in(&status(&api, &server).await);
    let now = api.admin.get(&path(&server)).await.is(200);
    assert_eq!(now["credential"], server["credential"], "the line can be read again");
}

#[tokio::test]
async fn a_changed_user_is_another_way_in() {
    let (api, _sshd, server) = trusted().await;
    let changed = api.admin.put(&path(&server), json!({"sshUser": "no-such-user"})).await.is(200);
    assert_is(&changed, "offline", "auth_failed");
    let changed = api.admin.put(&path(&server), json!({"sshUser": server["sshUser"]})).await.is(200);
    assert_in(&changed);
}
