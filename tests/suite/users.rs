//! Accounts, as administrators make and change them, through HTTP.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::api::{PASSWORD, TestApi, text};

async fn admin_id(api: &TestApi) -> String {
    text(&api.admin.get("/api/auth/me").await.is(200)["id"])
}

#[tokio::test]
async fn an_account_is_made_read_changed_and_removed() {
    let api = TestApi::start().await;
    let body = json!({"username": "ann", "email": "Ann@example.com", "name": "Ann", "password": PASSWORD});
    let made = api.admin.post("/api/users", body).await.is(201);
    assert_eq!(
        (&made["role"], &made["isEnabled"], &made["lastLoginAt"]),
        (&json!("user"), &json!(true), &Value::Null)
    );
    assert!(!made.to_string().contains("password"), "{made}");
    let path = format!("/api/users/{}", text(&made["id"]));
    assert_eq!(api.admin.get(&path).await.is(200), made);
    let names = api.admin.get("/api/users").await.is(200);
    let names: Vec<_> = names.as_array().unwrap().iter().map(|user| text(&user["username"])).collect();
    assert_eq!(names, ["admin", "ann"]);

    let changed = api.admin.put(&path, json!({"name": "Anna", "role": "admin"})).await.is(200);
    assert_eq!(
        (&changed["name"], &changed["role"], &changed["email"]),
        (&json!("Anna"), &json!("admin"), &made["email"])
    );
    let without = api.admin.put(&path, json!({"email": null})).await.is(200);
    assert_eq!(without["email"], Value::Null);
    api.admin.delete(&path).await.is(204);
    api.admin.get(&path).await.is_refused(404, "user.not_found");
}

#[tokio::test]
async fn each_field_out_of_range_is_named_and_nothing_is_written() {
    let api = TestApi::start().await;
    let good = json!({"username": "ann", "email": "ann@example.com", "name": "Ann", "role": "user",
                      "isEnabled": true, "password": PASSWORD});
    let long = "x".repeat(255);
    let wrong = [
        ("username", json!("")),
        ("username", json!(&long[..65])),
        ("username", json!("a b")),
        ("username", json!("a\0b")),
        ("username", json!(7)),
        ("email", json!("nobody")),
        ("email", json!(format!("{long}@example.com"))),
        ("name", json!(&long[..201])),
        ("name", json!("a\0b")),
        ("role", json!("owner")),
        ("isEnabled", json!("yes")),
        ("password", json!("short")),
        ("password", json!("x".repeat(72))),
        ("password", json!("with a \0 in it")),
        ("password", json!(null)),
    ];
    for (field, value) in wrong {
        let mut body = good.clone();
        body[field] = value.clone();
        let fields = api.admin.post("/api/users", body).await.refused_fields();
        assert!(!fields.is_empty() && fields.iter().all(|name| name == field), "{field} {value}: {fields:?}");
    }
    for field in ["username", "password"] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(field);
        assert_eq!(api.admin.post("/api/users", body).await.refused_fields(), [field]);
    }
    assert_eq!(api.admin.get("/api/users").await.is(200).as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn names_and_addresses_are_taken_once_in_whatever_case() {
    let api = TestApi::start().await;
    let (ann, _) = api.user("ann").await;
    let (bob, _) = api.user("bob").await;
    let body =
        |username: &str, email: &str| json!({"username": username, "email": email, "password": PASSWORD});
    api.admin.post("/api/users", body("ANN", "x@example.com")).await.is_refused(409, "user.username_taken");
    api.admin.post("/api/users", body("x", "ANN@example.com")).await.is_refused(409, "user.email_taken");
    let path = format!("/api/users/{bob}");
    api.admin.put(&path, json!({"username": "Ann"})).await.is_refused(409, "user.username_taken");
    let own = format!("/api/users/{ann}");
    api.admin.put(&own, json!({"username": "ANN"})).await.is(200);
}

#[tokio::test]
async fn the_last_enabled_administrator_stays() {
    let api = TestApi::start().await;
    let path = format!("/api/users/{}", admin_id(&api).await);
    let changes = [json!({"isEnabled": false}), json!({"role": "user"})];
    for change in &changes {
        api.admin.put(&path, change.clone()).await.is_refused(409, "user.last_admin");
    }
    api.admin.delete(&path).await.is_refused(409, "user.last_admin");

    let (other, client) = api.user("other").await;
    let others = format!("/api/users/{other}");
    api.admin.put(&others, json!({"role": "admin", "isEnabled": false})).await.is(200);
    api.admin.delete(&path).await.is_refused(409, "user.last_admin");
    api.admin.put(&others, json!({"isEnabled": true})).await.is(200);
    let client = client.sign_in("other", PASSWORD).await;
    client.put(&path, changes[0].clone()).await.is(200);
    api.admin.get("/api/users").await.is_refused(401, "auth.session_ended");
    client.delete(&others).await.is_refused(409, "user.last_admin");
}

#[tokio::test]
async fn two_administrators_cannot_remove_each_other_at_once() {
    let api = TestApi::start().await;
    let (other, client) = api.user("other").await;
    let others = format!("/api/users/{other}");
    api.admin.put(&others, json!({"role": "admin"})).await.is(200);
    let client = client.sign_in("other", PASSWORD).await;
    let admins = format!("/api/users/{}", admin_id(&api).await);
    let (one, two) = tokio::join!(api.admin.delete(&others), client.delete(&admins));
    let removed = [one, two].iter().filter(|answer| answer.status == 204).count();
    assert!(removed <= 1);
    let left =
        sqlx::query_scalar!(r#"select count(*) as "count!" from users where role = 'admin' and is_enabled"#);
    assert_eq!(left.fetch_one(&api.db).await.unwrap(), 1);
}

#[tokio::test]
async fn disabling_changing_role_and_a_new_password_end_the_sessions_on_every_replica() {
    let api = TestApi::start().await;
    let other = api.replica().await;
    let (ann, mut client) = api.user("ann").await;
    let path = format!("/api/users/{ann}");
    let new = "another password";
    for (change, password) in [
        (json!({"role": "admin"}), PASSWORD),
        (json!({"password": new}), new),
        (json!({"isEnabled": false}), ""),
    ] {
        client.at(&other).get("/api/auth/me").await.is(200);
        api.admin.put(&path, change.clone()).await.is(200);
        for client in [&client, &client.at(&other)] {
            client.get("/api/auth/me").await.is_refused(401, "auth.session_ended");
        }
        if !password.is_empty() {
            client.token = None;
            client = client.sign_in("ann", password).await;
        }
    }
    // Anything else leaves them.
    api.admin.put(&path, json!({"isEnabled": true})).await.is(200);
    let client = api.stranger().sign_in("ann", new).await;
    api.admin.put(&path, json!({"name": "Anna"})).await.is(200);
    client.get("/api/auth/me").await.is(200);
}

#[tokio::test]
async fn removing_an_account_ends_its_sessions_and_keeps_what_it_did_in_the_log() {
    let api = TestApi::start().await;
    let (ann, client) = api.user("ann").await;
    api.admin.delete(&format!("/api/users/{ann}")).await.is(204);
    client.get("/api/auth/me").await.is_refused(401, "auth.session_ended");
    let rows = api.admin.get(&format!("/api/audit-logs?userId={ann}")).await.is(200);
    assert_eq!(rows["items"][0]["username"], "ann");
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_is_an_administrators_is_403() {
    let api = TestApi::start().await;
    let (_, client) = api.user("ann").await;
    for id in [Uuid::now_v7().to_string(), "nonsense".to_owned()] {
        let path = format!("/api/users/{id}");
        assert_eq!(api.admin.get(&path).await.status, 404);
        assert_eq!(api.admin.put(&path, json!({"name": "x"})).await.status, 404);
        assert_eq!(api.admin.delete(&path).await.status, 404);
    }
    client.get("/api/users").await.is_refused(403, "permission.denied");
    let body = json!({"username": "eve", "password": PASSWORD});
    client.post("/api/users", body).await.is_refused(403, "permission.denied");
    client.get(&format!("/api/users/{}", admin_id(&api).await)).await.is_refused(403, "permission.denied");
}

#[tokio::test]
async fn nobodys_username_is_anothers_address() {
    let api = TestApi::start().await;
    let (vic, _) = api.user("vic").await;
    let password = "long enough for a test";
    let taken = json!({"username": "vic@example.com", "password": password});
    api.admin.post("/api/users", taken).await.is_refused(409, "user.username_taken");
    let taken = json!({"username": "eve", "email": "admin@example.com", "password": password});
    let eve = api.admin.post("/api/users", taken).await.is(201);
    let path = format!("/api/users/{}", eve["id"].as_str().unwrap());
    api.admin.put(&path, json!({"username": "VIC@example.com"})).await.is_refused(409, "user.username_taken");
    let path = format!("/api/users/{vic}");
    api.admin.put(&path, json!({"username": "someone@example.com"})).await.is(200);
    let taken = json!({"username": "mal", "email": "someone@example.com", "password": password});
    api.admin.post("/api/users", taken).await.is_refused(409, "user.email_taken");
}
