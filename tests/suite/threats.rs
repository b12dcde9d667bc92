//! What an attacker would try: forged tokens, odd input, a host's hostile words, and a journal that cannot be written. Each
//! route of the OpenAPI document is tried by itself.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};

use crate::support::{
    PATIENCE,
    api::{Answer, TestApi, send, text},
    docker::{self, App, IMAGE, samples},
    docker_host::Setup,
    document::{Document, Route, Things},
    eventually,
    scene::Scene,
};

/// Of `support::api`.
const JWT_SECRET: &str = "a secret for tests that is long enough";
/// No answer takes longer than this, whatever is asked.
const AT_ONCE: Duration = Duration::from_secs(20);

fn part(token: &str, index: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap()).unwrap()
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A token whose signature is good, but for what is changed.
fn signed(header: &Header, claims: &Value, secret: &str) -> String {
    jsonwebtoken::encode(header, claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

#[tokio::test]
async fn only_a_token_that_is_ours_as_a_whole_lets_anybody_in() {
    let api = TestApi::start().await;
    let token = api.admin.token.clone().unwrap();
    let (header, claims) = (part(&token, 0), part(&token, 1));
    let kid = header["kid"].as_str().map(str::to_owned);
    let good = Header { kid: kid.clone(), ..Header::new(Algorithm::HS256) };
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        claims
    };
    let alg = |alg: &str| encoded(&json!({"alg": alg, "typ": "JWT", "kid": kid}));
    let (body, signature) = (encoded(&claims), token.rsplit('.').next().unwrap());
    let nobody = "0193d5d8-0000-7000-8000-000000000000";
    let tried = [
        ("no algorithm", format!("{}.{body}.", alg("none"))),
        ("no algorithm, in capitals", format!("{}.{body}.", alg("NONE"))),
        ("no algorithm, signed", format!("{}.{body}.{signature}", alg("none"))),
        ("an asymmetric one", format!("{}.{body}.{signature}", alg("RS256"))),
        ("an elliptic one", format!("{}.{body}.{signature}", alg("EdDSA"))),
        (
            "another hash",
            signed(&Header { kid: kid.clone(), ..Header::new(Algorithm::HS512) }, &claims, JWT_SECRET),
        ),
        ("another key", signed(&good, &claims, "another secret that is long enough!!")),
        ("an empty key", signed(&good, &claims, "")),
        ("its key's name as the key", signed(&good, &claims, kid.as_deref().unwrap())),
        ("no key named", signed(&Header::new(Algorithm::HS256), &claims, JWT_SECRET)),
        (
            "another key named",
            signed(&Header { kid: Some("../../dev/null".into()), ..good.clone() }, &claims, JWT_SECRET),
        ),
        ("another issuer", signed(&good, &with("iss", json!("somebody")), JWT_SECRET)),
        ("another session", signed(&good, &with("sid", json!(nobody)), JWT_SECRET)),
        ("another user", signed(&good, &with("sub", json!(nobody)), JWT_SECRET)),
        ("expired", signed(&good, &with("exp", json!(1)), JWT_SECRET)),
        ("no expiry", signed(&good, &with("exp", Value::Null), JWT_SECRET)),
        ("two tokens", format!("{token},{token}")),
        ("nothing", String::new()),
        ("dots", "...".to_owned()),
        ("far too long", format!("{token}{}", "A".repeat(6000))),
    ];
    for (what, forged) in &tried {
        let answer = api.stranger().with_token(forged.clone()).get("/api/auth/me").await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.body);
    }
    for end in (0..token.len()).step_by(7) {
        let answer = api.stranger().with_token(token[..end].to_owned()).get("/api/auth/me").await;
        assert_eq!(answer.status, 401, "the first {end} bytes: {}", answer.body);
    }
    // The check can fail: what the forger lacks is the secret alone.
    api.stranger().with_token(signed(&good, &claims, JWT_SECRET)).get("/api/auth/me").await.is(200);
    api.admin.post("/api/auth/logout", json!({})).await.is(200);
    api.admin.get("/api/auth/me").await.is_refused(401, "auth.session_ended");
}

async fn ask(api: &TestApi, route: &Route, path: &str, body: Option<&Value>) -> Answer {
    let request = api.admin.request(route.method.clone(), path);
    let answer = send(match body {
        Some(body) => request.json(body),
        None => request,
    });
    timeout(AT_ONCE, answer).await.unwrap_or_else(|_| panic!("{} {path} hangs on {body:?}", route.method))
}

/// Our own failure is a 500; the host's are 502 and 503.
#[track_caller]
fn is_no_failure(route: &Route, tried: &str, answer: &Answer) {
    let status = answer.status.as_u16();
    assert!(
        status < 500 || matches!(status, 502 | 503),
        "{} {} {tried}: {}",
        route.method,
        route.path,
        answer.body
    );
}

/// What no field expects.
fn odd_values() -> Vec<Value> {
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    vec![
        Value::Null,
        json!("\u{0}"),
        json!("a\u{0}b"),
        json!("\u{202e}\u{feff}\u{ffff}"),
        json!("' or 1=1; --"),
        json!("$(reboot)`reboot`;reboot"),
        json!("x".repeat(100_000)),
        json!(""),
        json!(-1),
        json!(0),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1e300),
        json!(true),
        json!([]),
        json!({}),
        deep,
    ]
}

#[tokio::test]
async fn no_value_of_any_field_makes_it_fail() {
    let api = TestApi::start().await;
    let document = Document::new();
    let things = Things::unreachable(&api).await;
    let mut tried = 0;
    for route in document.all_routes().iter().filter(|route| route.schema["properties"].is_object()) {
        let path = things.fill(&route.path);
        let good = document.body(&route.schema, &things);
        for name in route.schema["properties"].as_object().unwrap().keys() {
            for odd in odd_values() {
                let mut body = good.clone();
                body[name] = odd;
                let answer = ask(&api, route, &path, Some(&body)).await;
                is_no_failure(route, &format!("{name}: {:.80}", body[name].to_string()), &answer);
                tried += 1;
            }
        }
        for body in odd_values() {
            is_no_failure(
                route,
                &format!("{:.80}", body.to_string()),
                &ask(&api, route, &path, Some(&body)).await,
            );
        }
    }
    assert!(tried > 300, "{tried}");
}

#[tokio::test]
async fn no_parameter_of_a_path_or_a_query_makes_it_fail() {
    let api = TestApi::start().await;
    let (document, things) = (Document::new(), Things::unreachable(&api).await);
    let long = "x".repeat(4000);
    let odd = [
        "%00",
        "a%00b",
        "%ff%fe",
        "..%2f..%2fetc%2fpasswd",
        "-1",
        "9223372036854775808",
        "1e9",
        "'",
        "%e2%80%ae",
        &long,
        "",
    ];
    for route in document.all_routes() {
        for value in odd {
            let path: Vec<&str> =
                route.path.split('/').map(|part| if part.starts_with('{') { value } else { part }).collect();
            if path.join("/") != route.path && !value.is_empty() {
                is_no_failure(&route, value, &ask(&api, &route, &path.join("/"), None).await);
            }
            for name in route.query.iter().filter(|_| route.method == Method::GET) {
                let path = format!("{}?{name}={value}", things.fill(&route.path));
                is_no_failure(&route, &path, &ask(&api, &route, &path, None).await);
            }
        }
    }
}

/// What the tables hold that a change would change, but for what is seen of hosts from time to time.
async fn state(api: &TestApi) -> Map<String, Value> {
    let mut state = Map::new();
    for (table, columns) in [
        ("users", "id, username, email, name, role, is_enabled, password_hash, updated_at"),
        (
            "servers",
            "id, name, address, ssh_user, ssh_port, credential_sealed, host_key_fingerprint, host_key_policy",
        ),
        ("projects", "*"),
        ("project_members", "*"),
        ("apps", "id, name, project_id, cd_path, auto_stop_timeout, status, stop_at"),
        ("operations", "id, state, cancel_requested_at"),
        ("sessions", "id, revoked_at"),
        ("refresh_tokens", "*"),
        ("audit_logs", "id"),
    ] {
        let statement = format!(
            "select coalesce(json_agg(t order by t::text), '[]') from (select {columns} from {table}) t"
        );
        let rows: Value =
            sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_one(&api.db).await.unwrap();
        state.insert(table.to_owned(), rows);
    }
    state
}

async fn execute(api: &TestApi, statement: &'static str) {
    sqlx::raw_sql(statement).execute(&api.db).await.unwrap();
}

#[tokio::test]
async fn a_change_that_cannot_be_written_into_the_journal_does_not_happen() {
    let api = TestApi::start().await;
    let (document, things) = (Document::new(), Things::unreachable(&api).await);
    let member = format!("/api/projects/{}/members/{}", things.project, things.user);
    api.admin.put(&member, json!({"role": "viewer"})).await.is(200);
    execute(
        &api,
        "create function refuse() returns trigger language plpgsql as $$ begin raise 'canary of the journal'; end $$;
         create trigger refuse before insert on audit_logs for each row execute function refuse();",
    )
    .await;
    let before = state(&api).await;
    let mut refused = vec![];
    for route in document.all_routes().iter().filter(|route| route.method != Method::GET) {
        let body = (!route.schema.is_null()).then(|| changed(document.body(&route.schema, &things), route));
        let answer = ask(&api, route, &things.fill(&route.path), body.as_ref()).await;
        assert_eq!(
            state(&api).await,
            before,
            "{} {} left something: {}",
            route.method,
            route.path,
            answer.body
        );
        assert!(!answer.body.to_string().contains("canary"), "{}", answer.body);
        if answer.status == 500 {
            refused.push(format!("{} {}", route.method, route.path));
        }
    }
    for change in [
        "POST /api/users",
        "PUT /api/users/{id}",
        "DELETE /api/users/{id}",
        "POST /api/projects",
        "PUT /api/projects/{id}",
        "DELETE /api/projects/{id}",
        "PUT /api/projects/{id}/members/{userId}",
        "DELETE /api/projects/{id}/members/{userId}",
        "POST /api/servers",
        "PUT /api/servers/{id}",
        "POST /api/apps",
        "PUT /api/apps/{id}",
        "DELETE /api/apps/{id}",
        "POST /api/apps/{id}/start",
        "POST /api/apps/{id}/stop",
        "POST /api/apps/{id}/restart",
        "POST /api/apps/{id}/pull",
        "POST /api/auth/logout",
    ] {
        assert!(refused.iter().any(|route| route == change), "{change} was not refused: {refused:?}");
    }
    execute(&api, "drop trigger refuse on audit_logs").await;
    api.admin.delete(&format!("/api/apps/{}", things.app)).await.is(204);
}

#[tokio::test]
async fn the_end_of_an_operation_that_cannot_be_written_is_not_forgotten() {
    let scene = Scene::start().await;
    let sample = App::new("unwritten", &samples::steady());
    let app = scene.app(&sample).await;
    execute(
        &scene.api,
        "create sequence refused;
         create function refuse() returns trigger language plpgsql as $$ begin
             perform nextval('refused'); raise 'the journal is full'; end $$;
         create trigger refuse before insert on audit_logs for each row when (new.action = 'OPERATION_FINISH')
             execute function refuse();",
    )
    .await;
    let operation = scene.begin(&app, "start").await;
    eventually("its end was to be written", PATIENCE, || async {
        let tried: bool =
            sqlx::query_scalar("select is_called from refused").fetch_one(&scene.api.db).await.unwrap();
        tried.then_some(())
    })
    .await;
    assert_eq!(scene.operation(&operation).await["state"], "running");
    assert_eq!(scene.get(&app).await["status"], "starting");
    execute(&scene.api, "drop trigger refuse on audit_logs").await;
    scene.until_operation(&operation, &["succeeded"]).await;
    assert_eq!(scene.get(&app).await["status"], "running");
}

/// With something to change, where all that is required would leave it as it is.
fn changed(mut body: Value, route: &Route) -> Value {
    if route.schema["properties"].get("name").is_some() {
        body["name"] = json!("another name");
    }
    if route.schema["properties"].get("role").is_some() && route.path.contains("members") {
        body["role"] = json!("operator");
    }
    body
}

/// A request to the private engine itself, as somebody on the host could send it.
async fn engine(path: &str, body: Value) -> Value {
    let mut stream = UnixStream::connect(docker::engine().socket()).await.unwrap();
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: docker\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).await.unwrap();
    let mut said = String::new();
    timeout(AT_ONCE, stream.read_to_string(&mut said)).await.unwrap().unwrap();
    assert!(said.starts_with("HTTP/1.1 2"), "{said}");
    serde_json::from_str(said.split_once("\r\n\r\n").unwrap().1.trim()).unwrap_or_default()
}

#[tokio::test]
async fn what_a_host_says_of_an_app_cannot_break_its_state_or_a_terminal() {
    let scene = Scene::with(Setup::default(), |config| config.probe_every = Duration::from_secs(1)).await;
    let sample = App::new("hostile", &samples::steady());
    let app = scene.app(&sample).await;
    scene.until_app(&app, "stopped").await;
    let service = format!("web\u{0}\u{1b}[2J\u{1b}]0;owned\u{7}\r\n\u{202e}evil{}", "x".repeat(20_000));
    let container = json!({
        "Image": IMAGE, "Cmd": ["sleep", "1000"], "StopSignal": "SIGKILL", "HostConfig": {"NetworkMode": "none"},
        "Healthcheck": {"Test": ["CMD", "false"], "Interval": 1_000_000_000_u64, "Retries": 1},
        "Labels": {
            "com.docker.compose.project": "hostile", "com.docker.compose.service": service,
            "com.docker.compose.oneoff": "False", "com.docker.compose.project.working_dir": sample.dir(),
        },
    });
    let id = text(&engine("/containers/create", container).await["Id"]);
    engine(&format!("/containers/{id}/start"), json!({})).await;
    let path = format!("/api/apps/{app}");
    let shown = eventually("its sick service is seen", PATIENCE, || async {
        let shown = scene.get(&app).await;
        (shown["status"] == "degraded").then_some(shown)
    })
    .await;
    let services = scene.api.admin.get(&format!("{path}/services")).await.is(200);
    let history = scene.api.admin.get(&format!("{path}/history")).await.is(200);
    for said in [&shown["statusReason"], &services[0]["service"], &history["items"][0]["reason"]] {
        let said = text(said);
        assert!(said.contains("web") && said.len() < 2000, "{said}");
        let obeyed = |letter: char| letter.is_control() || letter == '\u{202e}';
        assert!(!said.contains(obeyed), "{said:?}");
    }
}
