//! Signing in and out, sessions and what protects them, through HTTP.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    PATIENCE,
    api::{Answer, Client, PASSWORD, TestApi, send, text},
    postgres::ADMIN_PASSWORD,
    until,
};

async fn login(client: &Client, name: &str, password: &str) -> Answer {
    client.post("/api/auth/login", json!({"username": name, "password": password})).await
}

/// `name=value` of a cookie that an answer sets.
fn cookie(answer: &Answer, name: &str) -> String {
    let cookies = answer.cookies();
    let cookie = cookies.iter().find(|cookie| cookie.starts_with(name)).unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

async fn refresh(client: &Client, cookie: &str) -> Answer {
    let request = client.request(Method::POST, "/api/auth/refresh").header("cookie", cookie);
    send(request.header("origin", origin(client))).await
}

fn origin(client: &Client) -> String {
    client.request(Method::GET, "").build().unwrap().url().origin().ascii_serialization()
}

#[tokio::test]
async fn one_signs_in_with_the_name_or_the_address_in_any_case() {
    let api = TestApi::start().await;
    api.user("ann").await;
    for name in ["ann", "ANN", "ann@example.com", "Ann@Example.COM"] {
        let body = login(&api.stranger(), name, PASSWORD).await.is(200);
        assert_eq!((&body["user"]["username"], &body["user"]["role"]), (&json!("ann"), &json!("user")));
        assert_eq!(body["user"]["permissions"], json!([]));
        assert_eq!(body["expiresIn"], 900);
        let client = api.stranger().with_token(text(&body["token"]));
        assert_eq!(client.get("/api/auth/verify").await.is(200)["user"], body["user"]);
        let me = client.get("/api/auth/me").await.is(200);
        assert_eq!((&me["email"], &me["plan"]), (&json!("ann@example.com"), &json!("self-hosted")));
    }
}

#[tokio::test]
async fn a_wrong_name_a_wrong_password_and_a_disabled_account_are_told_alike() {
    let api = TestApi::start().await;
    let (ann, _) = api.user("ann").await;
    let (bob, _) = api.user("bob").await;
    api.admin.put(&format!("/api/users/{bob}"), json!({"isEnabled": false})).await.is(200);
    let mut told = vec![];
    for (name, password) in [("nobody", PASSWORD), ("ann", "not her password"), ("bob", PASSWORD)] {
        let began = Instant::now();
        let answer = login(&api.stranger(), name, password).await;
        // A hash of cost 12 takes a hundred milliseconds on any machine: an answer without one would tell.
        assert!(began.elapsed() > Duration::from_millis(50), "{name}: {:?}", began.elapsed());
        assert!(answer.cookies().is_empty());
        let mut body = answer.is_refused(401, "auth.invalid_credentials");
        body["requestId"] = Value::Null;
        told.push(body);
    }
    assert!(told.iter().all(|body| *body == told[0]), "{told:?}");
    let rows = api.admin.get("/api/audit-logs?action=LOGIN_FAILED").await.is(200);
    let known: Vec<&Value> = rows["items"].as_array().unwrap().iter().map(|row| &row["resourceId"]).collect();
    assert_eq!(known, [&json!(bob), &json!(ann), &Value::Null]);
    assert!(!rows.to_string().contains("nobody"));
}

#[tokio::test]
async fn a_password_is_8_characters_to_71_bytes_and_never_cut() {
    let api = TestApi::start().await;
    let (ann, client) = api.user("ann").await;
    let change = |new: String| json!({"currentPassword": PASSWORD, "newPassword": new});
    for new in ["short".to_owned(), "x".repeat(72), "é".repeat(36), "nul \0 inside it".to_owned()] {
        let answer = client.put("/api/auth/password", change(new.clone())).await;
        let body = answer.is_refused(422, "request.invalid");
        assert_eq!(body["errors"][0]["field"], "newPassword");
        assert!(!body.to_string().contains(&new), "{body}");
        let answer = api.admin.put(&format!("/api/users/{ann}"), json!({"password": new})).await;
        assert_eq!(answer.refused_fields(), ["password"]);
    }
    let longest = "x".repeat(71);
    client.put("/api/auth/password", change(longest.clone())).await.is(200);
    login(&api.stranger(), "ann", &longest).await.is(200);
    login(&api.stranger(), "ann", &(longest + "y")).await.is_refused(401, "auth.invalid_credentials");
}

#[tokio::test]
async fn signing_out_ends_the_token_at_once_on_every_replica() {
    let api = TestApi::start().await;
    let other = api.replica().await;
    let (_, client) = api.user("ann").await;
    let second = api.stranger().sign_in("ann", PASSWORD).await;
    client.at(&other).get("/api/auth/me").await.is(200);
    let answer = client.post("/api/auth/logout", json!({})).await;
    assert!(answer.cookies().iter().all(|cookie| cookie.contains("Max-Age=0")), "{:?}", answer.cookies());
    assert_eq!(answer.is(200), json!({"success": true}));
    for client in [&client, &client.at(&other)] {
        client.get("/api/auth/me").await.is_refused(401, "auth.session_ended");
        assert_eq!(client.get("/api/auth/status").await.is(200), json!({"authenticated": false}));
    }
    second.get("/api/auth/me").await.is(200);
    api.stranger().post("/api/auth/logout", json!({})).await.is_refused(401, "auth.required");
}

#[tokio::test]
async fn an_expired_token_is_told_from_a_wrong_one_and_can_still_sign_out() {
    let api = TestApi::start().await;
    let (_, client) = api.user("ann").await;
    api.clock.advance(Duration::from_secs(901));
    client.get("/api/auth/me").await.is_refused(401, "auth.expired");
    let token = client.token.clone().unwrap();
    let (head, signature) = token.rsplit_once('.').unwrap();
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", head.split_once('.').unwrap().1);
    for wrong in
        [unsigned, head.to_owned(), format!("{head}."), format!("{head}.{}", signature.to_uppercase())]
    {
        let client = client.clone().with_token(wrong);
        client.get("/api/auth/me").await.is_refused(401, "auth.invalid_token");
    }
    client.post("/api/auth/logout", json!({})).await.is(200);
}

#[tokio::test]
async fn a_refresh_token_rotates_and_one_used_twice_ends_the_session() {
    let api = TestApi::start().await;
    api.user("ann").await;
    let first = login(&api.stranger(), "ann", PASSWORD).await;
    let old = cookie(&first, "qm_refresh");
    let second = refresh(&api.stranger(), &old).await;
    let new = cookie(&second, "qm_refresh");
    assert_ne!(old, new);
    let client = api.stranger().with_token(text(&second.is(200)["token"]));
    client.get("/api/auth/me").await.is(200);

    refresh(&api.stranger(), &old).await.is_refused(401, "auth.refresh_refused");
    client.get("/api/auth/me").await.is_refused(401, "auth.session_ended");
    refresh(&api.stranger(), &new).await.is_refused(401, "auth.refresh_refused");
    let rows = api.admin.get("/api/audit-logs?action=REFRESH_REUSED").await.is(200);
    assert_eq!(rows["items"].as_array().unwrap().len(), 1);
    refresh(&api.stranger(), "qm_refresh=unknown").await.is_refused(401, "auth.refresh_refused");
    api.stranger().post("/api/auth/refresh", json!({})).await.is_refused(401, "auth.refresh_refused");
}

#[tokio::test]
async fn of_two_refreshes_at_once_only_one_is_answered() {
    let api = TestApi::start().await;
    let other = api.replica().await;
    let old = cookie(&login(&api.stranger(), "admin", ADMIN_PASSWORD).await, "qm_refresh");
    let (here, there) = (api.stranger(), other.stranger());
    let (one, two) = tokio::join!(refresh(&here, &old), refresh(&there, &old));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
}

#[tokio::test]
async fn cookies_are_out_of_reach_for_scripts_and_other_sites() {
    let trusted = |config: &mut quaymaster::platform::Config| {
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    };
    let api = TestApi::start_with(trusted).await;
    let body = json!({"username": "admin", "password": ADMIN_PASSWORD});
    for (proto, is_secure) in [("http", false), ("https", true)] {
        let request = api.stranger().request(Method::POST, "/api/auth/login").json(&body);
        let cookies = send(request.header("x-forwarded-proto", proto)).await.cookies();
        assert_eq!(cookies.len(), 2);
        for (cookie, name, path) in
            [(&cookies[0], "qm_access=", "Path=/;"), (&cookies[1], "qm_refresh=", "Path=/api/auth/refresh;")]
        {
            let cookie = format!("{cookie};");
            assert!(cookie.starts_with(name), "{cookie}");
            for attribute in ["HttpOnly;", "SameSite=Strict;", "Max-Age=", path] {
                assert!(cookie.contains(attribute), "{attribute} {cookie}");
            }
            assert_eq!(cookie.contains("Secure;"), is_secure, "{cookie}");
        }
    }
    // The older address has a refresh call of its own.
    let answer = send(api.stranger().request(Method::POST, "/auth/login").json(&body)).await;
    assert!(answer.cookies()[1].contains("Path=/auth/refresh"));
}

#[tokio::test]
async fn a_change_by_cookie_must_come_from_an_allowed_origin() {
    let api = TestApi::start_with(|config| {
        let origin = "https://dash.example".parse().unwrap();
        config.cors = quaymaster::platform::config::Cors::Only(vec![origin]);
    })
    .await;
    let access = cookie(&login(&api.stranger(), "admin", ADMIN_PASSWORD).await, "qm_access");
    let client = api.stranger();
    let own = origin(&client);
    let post = |origin: Option<&str>, name: &str| {
        let request = client.request(Method::POST, "/api/projects").header("cookie", &access);
        let request = request.json(&json!({"name": name}));
        send(match origin {
            Some(origin) => request.header("origin", origin),
            None => request,
        })
    };
    let look_alike = format!("{own}.evil.example");
    for origin in [
        None,
        Some("null"),
        Some("https://evil.example"),
        Some(look_alike.as_str()),
        Some("https://dash.example.evil.example"),
        Some("http://dash.example"),
    ] {
        post(origin, "Refused").await.is_refused(403, "origin.refused");
    }
    post(Some(&own), "Own").await.is(201);
    post(Some("https://dash.example"), "Dash").await.is(201);
    // Reading needs none, and a bearer token is not sent by itself.
    send(client.request(Method::GET, "/api/projects").header("cookie", &access)).await.is(200);
    let bearer = api.admin.request(Method::POST, "/api/projects").header("origin", "https://evil.example");
    send(bearer.json(&json!({"name": "Bearer"}))).await.is(201);
    let logout = client.request(Method::POST, "/api/auth/logout").header("cookie", &access);
    send(logout.header("origin", "https://evil.example")).await.is_refused(403, "origin.refused");
}

#[tokio::test]
async fn a_forged_forwarded_address_is_not_believed() {
    let api = TestApi::start().await;
    for number in 0..7 {
        let request = api.stranger().request(Method::POST, "/api/auth/login");
        let request = request.header("x-forwarded-for", format!("198.51.100.{number}"));
        let answer = send(request.json(&json!({"username": "ann", "password": "wrong"}))).await;
        assert_eq!(answer.status, if number < 6 { 401 } else { 429 }, "{number}");
    }
    let rows = api.admin.get("/api/audit-logs?action=LOGIN_FAILED").await.is(200);
    assert!(rows["items"].as_array().unwrap().iter().all(|row| row["ipAddress"] == "127.0.0.1"), "{rows}");
}

fn behind_a_proxy(config: &mut quaymaster::platform::Config) {
    config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
}

/// Signs in as somebody at an address.
async fn from(client: Client, address: &str, name: &str, password: &str) -> Answer {
    let request = client.request(Method::POST, "/api/auth/login").header("x-forwarded-for", address);
    send(request.json(&json!({"username": name, "password": password}))).await
}

#[tokio::test]
async fn guessing_is_slowed_down_on_every_replica_and_nobody_else_is() {
    let api = TestApi::start_with(behind_a_proxy).await;
    let other = api.replica_with(behind_a_proxy).await;
    api.user("ann").await;
    api.user("bob").await;
    for _ in 0..6 {
        from(api.stranger(), "198.51.100.1", "ann", "wrong")
            .await
            .is_refused(401, "auth.invalid_credentials");
    }
    // Even the right password must wait now, on every replica: otherwise an answer would tell that it was right.
    for replica in [&api, &other] {
        let answer = from(replica.stranger(), "198.51.100.1", "ann", PASSWORD).await;
        let wait: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=3).contains(&wait), "{wait}");
        answer.is_refused(429, "auth.too_many_failures");
    }
    from(api.stranger(), "198.51.100.2", "ann", PASSWORD).await.is(200);
    from(other.stranger(), "198.51.100.1", "bob", PASSWORD).await.is(200);
    api.clock.advance(Duration::from_secs(4));
    from(api.stranger(), "198.51.100.1", "ann", PASSWORD).await.is(200);
}

#[tokio::test]
async fn guesses_at_once_are_no_more_than_guesses_in_a_row() {
    let api = TestApi::start_with(behind_a_proxy).await;
    let other = api.replica_with(behind_a_proxy).await;
    api.user("ann").await;
    // Of one IPv6 network, too, however many addresses it has.
    let guesses = (0..30).map(|number| {
        let client = if number % 2 == 0 { api.stranger() } else { other.stranger() };
        async move { from(client, &format!("2001:db8::{number:x}"), "ann", "wrong").await.status.as_u16() }
    });
    let mut answers = futures_util::future::join_all(guesses).await;
    answers.sort_unstable();
    // Six, and those that were held back until the first waits were over.
    let tried = answers.iter().filter(|status| **status == 401).count();
    assert!((6..=8).contains(&tried), "{answers:?}");
    assert!(answers.iter().all(|status| matches!(status, 401 | 429)), "{answers:?}");
}

#[tokio::test]
async fn right_passwords_at_once_are_all_answered() {
    let api = TestApi::start().await;
    api.user("ann").await;
    let ten = (0..10).map(|_| async { login(&api.stranger(), "ann", PASSWORD).await.status.as_u16() });
    assert_eq!(futures_util::future::join_all(ten).await, [200; 10]);
    let counted: i64 = sqlx::query_scalar("select coalesce(sum(failures + pending), 0) from login_failures")
        .fetch_one(&api.db)
        .await
        .unwrap();
    assert_eq!(counted, 0);
}

#[tokio::test]
async fn guessing_from_everywhere_does_not_keep_an_owner_out_who_is_at_home() {
    let api = TestApi::start_with(behind_a_proxy).await;
    api.user("ann").await;
    from(api.stranger(), "198.51.100.7", "ann", PASSWORD).await.is(200);
    from(api.stranger(), "2001:db8:7::1", "ann", PASSWORD).await.is(200);
    from(api.stranger(), "203.0.113.1", "ann", "wrong").await.is(401);
    // As if it had gone on so from a hundred other addresses.
    sqlx::query(
        "update login_failures set failures = 100, blocked_until = now() + interval '9 s' where failures > 0",
    )
    .execute(&api.db)
    .await
    .unwrap();
    from(api.stranger(), "203.0.113.9", "ann", PASSWORD).await.is_refused(429, "auth.too_many_failures");
    from(api.stranger(), "198.51.100.7", "ann", PASSWORD).await.is(200);
    from(api.stranger(), "2001:db8:7::2", "ann", PASSWORD).await.is(200);
    // Being at home is no licence to guess, and a home is one for a time.
    for _ in 0..6 {
        from(api.stranger(), "198.51.100.7", "ann", "wrong").await.is(401);
    }
    from(api.stranger(), "198.51.100.7", "ann", PASSWORD).await.is(429);
    let long_ago = "update sessions set created_at = now() - interval '31 days'";
    sqlx::query(long_ago).execute(&api.db).await.unwrap();
    from(api.stranger(), "2001:db8:7::2", "ann", PASSWORD).await.is(429);
}

#[tokio::test]
async fn a_password_that_was_changed_while_it_was_looked_at_opens_nothing() {
    let api = TestApi::start().await;
    let (ann, _) = api.user("ann").await;
    for change in [json!({"password": "another password"}), json!({"password": PASSWORD, "isEnabled": false})]
    {
        // The attempt has read the hash, and waits here to be counted.
        let mut held = api.db.begin().await.unwrap();
        sqlx::query("lock table login_failures in exclusive mode").execute(&mut *held).await.unwrap();
        let stranger = api.stranger();
        let (answer, ()) = tokio::join!(login(&stranger, "ann", PASSWORD), async {
            let waits = "select exists (select 1 from pg_locks where relation = 'login_failures'::regclass and not granted)";
            until(PATIENCE, "the attempt waits", || async {
                sqlx::query_scalar::<_, bool>(waits).fetch_one(&api.db).await.unwrap()
            })
            .await;
            api.admin.put(&format!("/api/users/{ann}"), change).await.is(200);
            held.rollback().await.unwrap();
        });
        answer.is_refused(401, "auth.invalid_credentials");
        api.admin
            .put(&format!("/api/users/{ann}"), json!({"password": PASSWORD, "isEnabled": true}))
            .await
            .is(200);
    }
}

#[tokio::test]
async fn guessing_at_the_change_of_a_password_is_slowed_down_and_written_down() {
    let api = TestApi::start().await;
    let (ann, client) = api.user("ann").await;
    let body = |current: &str| json!({"currentPassword": current, "newPassword": "a new password"});
    for _ in 0..6 {
        assert_eq!(
            client.put("/api/auth/password", body("wrong")).await.refused_fields(),
            ["currentPassword"]
        );
    }
    client.put("/api/auth/password", body(PASSWORD)).await.is_refused(429, "auth.too_many_failures");
    login(&api.stranger(), "ann", PASSWORD).await.is_refused(429, "auth.too_many_failures");
    let rows = api.admin.get("/api/audit-logs?action=PASSWORD_CHANGE_FAILED").await.is(200);
    let subjects: Vec<&Value> =
        rows["items"].as_array().unwrap().iter().map(|row| &row["resourceId"]).collect();
    assert_eq!(subjects, [&json!(ann); 6]);
    api.clock.advance(Duration::from_secs(4));
    client.put("/api/auth/password", body(PASSWORD)).await.is(200);
}

#[tokio::test]
async fn strangers_make_accounts_only_where_the_settings_allow_it() {
    let closed = TestApi::start().await;
    let body = json!({"name": "Eve", "email": "eve@example.com", "password": PASSWORD});
    closed.stranger().post("/api/auth/signup", body.clone()).await.is_refused(403, "auth.signup_disabled");

    let open = TestApi::start_with(|config| config.signup_enabled = true).await;
    let answer = open.stranger().post("/api/auth/signup", body.clone()).await;
    assert_eq!(answer.cookies().len(), 2);
    let made = answer.is(201);
    assert_eq!(
        (&made["user"]["username"], &made["user"]["role"]),
        (&json!("eve@example.com"), &json!("user"))
    );
    open.stranger().post("/api/auth/signup", body).await.is(409);
    for (field, value) in [("email", "nobody"), ("name", ""), ("name", "a\0b"), ("password", "short")] {
        let mut body = json!({"name": "Bob", "email": "bob@example.com", "password": PASSWORD});
        body[field] = json!(value);
        let fields = open.stranger().post("/api/auth/signup", body).await.refused_fields();
        assert!(fields.iter().all(|name| name == field), "{field}: {fields:?}");
    }
}

#[tokio::test]
async fn a_new_password_needs_the_old_one_and_ends_the_other_sessions() {
    let api = TestApi::start().await;
    let (_, client) = api.user("ann").await;
    let other = api.stranger().sign_in("ann", PASSWORD).await;
    let body = |current: &str| json!({"currentPassword": current, "newPassword": "a new password"});
    let refused = client.put("/api/auth/password", body("wrong")).await.refused_fields();
    assert_eq!(refused, ["currentPassword"]);
    client.put("/api/auth/password", body(PASSWORD)).await.is(200);
    client.get("/api/auth/me").await.is(200);
    other.get("/api/auth/me").await.is_refused(401, "auth.session_ended");
    login(&api.stranger(), "ann", PASSWORD).await.is_refused(401, "auth.invalid_credentials");
    login(&api.stranger(), "ann", "a new password").await.is(200);
}

#[tokio::test]
async fn what_is_no_good_request_is_told_by_its_status() {
    let api = TestApi::start().await;
    let post = |body: &'static str| {
        let request = api.admin.request(Method::POST, "/api/users");
        send(request.header("content-type", "application/json").body(body))
    };
    for body in ["", "{", "{\"username\": \"x\"", "nonsense"] {
        post(body).await.is_refused(400, "request.malformed");
    }
    let huge = json!({"username": "x".repeat(10 * 1024 * 1024)});
    api.admin.post("/api/users", huge).await.is_refused(413, "request.too_large");
    let form = api.admin.request(Method::POST, "/api/users").header("content-type", "text/plain").body("{}");
    send(form).await.is_refused(400, "request.malformed");
    api.admin.get("/api/nothing").await.is_refused(404, "route.not_found");
    send(api.admin.request(Method::PATCH, "/api/users")).await.is_refused(405, "request.method_not_allowed");
    api.admin.delete("/api/auth/login").await.is_refused(405, "request.method_not_allowed");
    login(&api.stranger(), "a\0b", PASSWORD).await.is_refused(422, "request.invalid");
    let refused = login(&api.stranger(), &"x".repeat(255), PASSWORD).await;
    assert_eq!(refused.refused_fields(), ["username"]);
}

#[tokio::test]
async fn the_callers_request_id_is_in_the_answer_when_it_is_well_formed() {
    let api = TestApi::start().await;
    let with =
        |id: &'static str| send(api.stranger().request(Method::GET, "/api/users").header("x-request-id", id));
    let answer = with("build-42").await;
    assert_eq!(answer.header("x-request-id"), "build-42");
    assert_eq!(answer.is_refused(401, "auth.required")["requestId"], "build-42");
    let answer = with("not a good id").await;
    let made = answer.header("x-request-id").to_owned();
    assert!(made.parse::<uuid::Uuid>().is_ok(), "{made}");
    assert_eq!(answer.is(401)["requestId"], made.as_str());
}

#[tokio::test]
async fn too_many_requests_are_refused_with_the_time_to_wait() {
    let api = TestApi::start_with(|config| config.rate_limit.requests = 5.try_into().unwrap()).await;
    let mut last = api.stranger().get("/api/auth/status").await;
    for _ in 0..6 {
        last = api.stranger().get("/api/auth/status").await;
    }
    assert!(last.header("retry-after").parse::<u64>().unwrap() >= 1);
    last.is_refused(429, "rate_limit.exceeded");
    // The older addresses are no way around it.
    for (method, path) in [(Method::GET, "/auth/status"), (Method::POST, "/auth/login")] {
        send(api.stranger().request(method, path)).await.is_refused(429, "rate_limit.exceeded");
    }
    // Counted by user, not by the address that all share.
    api.admin.get("/api/auth/me").await.is(200);
}
