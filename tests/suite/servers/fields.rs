//! What a server is made of: what is taken, what is refused, what is told and what is not.

use serde_json::{Value, json};

use super::{add, audited, nowhere, path, with};
use crate::support::{api::TestApi, tool};

#[tokio::test]
async fn a_server_is_added_read_changed_and_removed() {
    let api = TestApi::start().await;
    let made = add(&api, nowhere("Production Server 1")).await;
    assert_eq!(made["name"], "Production Server 1");
    assert_eq!(made["hostKeyPolicy"], "ask");
    assert_eq!(made["runningAppsCount"], 0);
    assert_eq!(made["credential"], json!({"kind": "password", "fingerprint": null}));
    assert_eq!(api.admin.get(&path(&made)).await.is(200), made);
    assert_eq!(api.admin.get("/api/servers").await.is(200), json!([made]));

    let changed = api.admin.put(&path(&made), json!({"name": "db-1"})).await.is(200);
    assert_eq!(changed["name"], "db-1");
    for field in ["address", "sshUser", "sshPort", "credential", "hostKeyPolicy", "createdAt", "status"] {
        assert_eq!(changed[field], made[field], "{field}");
    }
    assert_eq!(api.admin.delete(&path(&made)).await.status.as_u16(), 204);
    api.admin.get(&path(&made)).await.is_refused(404, "server.not_found");
    assert_eq!(api.admin.get("/api/servers").await.is(200), json!([]));
}

#[tokio::test]
async fn the_port_is_22_unless_set() {
    let api = TestApi::start().await;
    let mut body = nowhere("a");
    // An address for documentation (RFC 5737) would be waited for.
    body["address"] = json!("no-such-host.invalid");
    body.as_object_mut().unwrap().remove("sshPort");
    assert_eq!(add(&api, body).await["sshPort"], 22);
}

#[tokio::test]
async fn each_field_that_is_wrong_is_named() {
    let api = TestApi::start().await;
    let long = "a".repeat(101);
    let wrong = [
        ("name", json!("")),
        ("name", json!("  ")),
        ("name", json!("a\nb")),
        ("name", json!(long)),
        ("name", json!(7)),
        ("address", json!("")),
        ("address", json!("a b")),
        ("address", json!("-oProxyCommand=x")),
        ("address", json!("ssh://host")),
        ("address", json!("host:22")),
        ("address", json!("1.2.3")),
        ("sshUser", json!("")),
        ("sshUser", json!("-l")),
        ("sshUser", json!("a;b")),
        ("sshUser", json!(long)),
        ("sshPort", json!(0)),
        ("sshPort", json!(65536)),
        ("sshPort", json!(-1)),
        ("sshPort", json!("22")),
        ("hostKeyPolicy", json!("never")),
    ];
    let kept = add(&api, nowhere("kept")).await;
    for (field, value) in wrong {
        let wrong = json!({field: value});
        let answer = api.admin.post("/api/servers", with(nowhere("x"), wrong.clone())).await;
        assert_eq!(answer.refused_fields(), [field], "{value}");
        assert_eq!(api.admin.put(&path(&kept), wrong).await.refused_fields(), [field], "{value}");
    }
    assert_eq!(api.admin.get("/api/servers").await.is(200), json!([kept]), "nothing is half-written");
    for field in ["name", "address", "sshUser", "credential"] {
        let mut body = nowhere("x");
        body.as_object_mut().unwrap().remove(field);
        assert_eq!(api.admin.post("/api/servers", body).await.refused_fields(), [field]);
    }
    let several = with(nowhere(""), json!({"address": "", "sshPort": 0}));
    let fields = api.admin.post("/api/servers", several).await.refused_fields();
    assert_eq!(fields, ["address", "name", "sshPort"]);
}

/// A private key of that type as its owner would paste it.
async fn key_file(args: &[&str]) -> (String, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let path = path.to_str().unwrap();
    tool("ssh-keygen", &[&["-q", "-f", path], args].concat()).await;
    let read = |path: String| std::fs::read_to_string(path).unwrap();
    (read(path.to_owned()), read(format!("{path}.pub")))
}

#[tokio::test]
async fn a_credential_that_cannot_be_is_refused_by_field() {
    let api = TestApi::start().await;
    let (locked, public) = key_file(&["-t", "ed25519", "-N", "the passphrase"]).await;
    let (key, passphrase) = ("credential.privateKey", "credential.passphrase");
    let wrong: [(Value, &str); 11] = [
        (json!({"kind": "agent"}), "credential.kind"),
        (json!({"password": "x"}), "credential.kind"),
        (json!({"kind": "password"}), "credential.password"),
        (json!({"kind": "password", "password": ""}), "credential.password"),
        (json!({"kind": "password", "password": "x".repeat(1025)}), "credential.password"),
        (json!({"kind": "privateKey"}), key),
        (json!({"kind": "privateKey", "privateKey": "canary"}), key),
        (json!({"kind": "privateKey", "privateKey": public}), key),
        (json!({"kind": "privateKey", "privateKey": locked}), passphrase),
        (json!({"kind": "privateKey", "privateKey": locked, "passphrase": "canary"}), passphrase),
        (json!({"kind": "privateKey", "privateKey": locked, "passphrase": ""}), passphrase),
    ];
    for (credential, field) in wrong {
        let answer =
            api.admin.post("/api/servers", with(nowhere("x"), json!({"credential": credential}))).await;
        assert!(!answer.body.to_string().contains("canary"), "{answer:?}");
        assert_eq!(answer.refused_fields(), [field], "{credential}");
    }
    let good = json!({"kind": "privateKey", "privateKey": locked, "passphrase": "the passphrase"});
    let made = add(&api, with(nowhere("x"), json!({"credential": good}))).await;
    assert_eq!(made["credential"]["kind"], "privateKey");
    assert!(made["credential"]["fingerprint"].as_str().unwrap().starts_with("SHA256:"));
}

#[tokio::test]
async fn a_name_is_taken_whatever_its_case() {
    let api = TestApi::start().await;
    add(&api, nowhere("Alpha")).await;
    let other = add(&api, nowhere("Beta")).await;
    api.admin.post("/api/servers", nowhere("ALPHA")).await.is_refused(409, "server.name_taken");
    api.admin.put(&path(&other), json!({"name": "alpha"})).await.is_refused(409, "server.name_taken");
    api.admin.put(&path(&other), json!({"name": "BETA"})).await.is(200);
}

#[tokio::test]
async fn what_is_not_there_is_not_found_on_every_path() {
    let api = TestApi::start().await;
    for id in ["01890000-0000-7000-8000-000000000000", "no-id"] {
        let server = format!("/api/servers/{id}");
        assert_eq!(api.admin.get(&server).await.status.as_u16(), 404);
        assert_eq!(api.admin.put(&server, json!({"name": "x"})).await.status.as_u16(), 404);
        assert_eq!(api.admin.delete(&server).await.status.as_u16(), 404);
        for path in ["status", "history"] {
            assert_eq!(api.admin.get(&format!("{server}/{path}")).await.status.as_u16(), 404, "{path}");
        }
        let fingerprint = format!("SHA256:{}", "A".repeat(43));
        let trust = api.admin.post(&format!("{server}/host-key"), json!({"fingerprint": fingerprint})).await;
        assert_eq!(trust.status.as_u16(), 404);
        assert_eq!(api.admin.post(&format!("{server}/test"), json!({})).await.status.as_u16(), 404);
    }
}

#[tokio::test]
async fn each_change_is_audited_with_what_it_changed_and_without_secrets() {
    let api = TestApi::start().await;
    let server = add(&api, nowhere("before")).await;
    api.admin.put(&path(&server), json!({"name": "after"})).await.is(200);
    api.admin.put(&path(&server), json!({"name": "after"})).await.is(200);
    let password = json!({"credential": {"kind": "password", "password": "other"}});
    api.admin.put(&path(&server), password).await.is(200);
    api.admin.put(&path(&server), json!({"credential": {"kind": "generated"}})).await.is(200);
    api.admin.delete(&path(&server)).await;

    let rows = audited(&api, &server).await;
    let actions: Vec<&str> = rows.iter().map(|(action, _)| action.as_str()).collect();
    let updates = ["SERVER_UPDATE"; 3];
    assert_eq!(actions, [&["SERVER_CREATE"], &updates[..], &["SERVER_DELETE"]].concat(), "no change, no row");
    assert_eq!(rows[0].1["name"], "before");
    assert_eq!(rows[1].1, json!({"name": {"from": "before", "to": "after"}}));
    assert_eq!(rows[2].1, json!({"credential": "changed"}));
    assert_eq!(rows[3].1["credential"]["to"]["kind"], "generated");
    assert_eq!(rows[4].1, json!({"name": "after"}));
}

#[tokio::test]
async fn no_answer_row_or_event_holds_a_secret() {
    let api = TestApi::start().await;
    let (locked, _) = key_file(&["-t", "ed25519", "-N", "canary-passphrase"]).await;
    let middle = locked.lines().nth(2).unwrap();
    let secrets = ["canary-password", "canary-passphrase", middle];
    let kinds = [
        json!({"kind": "password", "password": "canary-password"}),
        json!({"kind": "privateKey", "privateKey": locked, "passphrase": "canary-passphrase"}),
    ];
    let mut told = String::new();
    for credential in kinds {
        let body = with(nowhere("x"), json!({"credential": credential}));
        told += &api.admin.post("/api/servers/test", body.clone()).await.body.to_string();
        let server = api.admin.post("/api/servers", body).await;
        let path = path(&server.body);
        told += &server.body.to_string();
        told += &api.admin.put(&path, json!({"credential": credential})).await.body.to_string();
        told += &api.admin.post(&format!("{path}/test"), json!({})).await.body.to_string();
        for path in [path.clone(), format!("{path}/status"), format!("{path}/history")] {
            told += &api.admin.get(&path).await.body.to_string();
        }
        api.admin.delete(&path).await;
    }
    for table in ["audit_logs", "events"] {
        let rows: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select t::text from {table} t")))
                .fetch_all(&api.services.db)
                .await
                .unwrap();
        assert!(!rows.is_empty());
        told += &rows.concat();
    }
    for secret in secrets {
        assert!(!told.contains(secret), "{secret}");
    }
    assert!(!told.contains("PRIVATE KEY"));
}
