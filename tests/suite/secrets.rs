//! Secrets go in and never come out: a canary in every field that holds one, then everything that Quaymaster says, logs, keeps
//! and leaves on a host is searched for each of them, in every form that it could take.

use std::{fs, path::Path};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};

use crate::support::{
    PATIENCE,
    api::{Client, send, text},
    docker::{App, samples},
    docker_host::{DockerHost, Setup},
    document::{Document, Things},
    postgres,
    process::{Place, Serving},
    scene::server_body,
    sshd::Sshd,
    tool,
};

/// What must not be seen anywhere, by name.
#[derive(Default)]
struct Canaries(Vec<(&'static str, Vec<String>)>);

impl Canaries {
    /// A new one, that nothing else can hold.
    fn make(&mut self, name: &'static str) -> String {
        let canary = format!("canary-{}", uuid::Uuid::now_v7().simple());
        self.add(name, canary.as_bytes());
        canary
    }

    fn add(&mut self, name: &'static str, secret: &[u8]) {
        assert!(secret.len() >= 16, "{name} could be found by chance");
        self.0.push((name, forms(secret)));
    }

    #[track_caller]
    fn are_not_in(&self, place: &str, said: &str) {
        for (name, forms) in &self.0 {
            for form in forms {
                if let Some(at) = said.find(form) {
                    let before = String::from_utf8_lossy(&said.as_bytes()[at.saturating_sub(300)..at]);
                    panic!("{place} holds the {name} as {form}, after …{before}");
                }
            }
        }
    }
}

/// As it is, in hexadecimal, as a list of numbers, and in base64 wherever it may begin in what was encoded.
fn forms(secret: &[u8]) -> Vec<String> {
    let list = |separator: &str| secret.iter().map(u8::to_string).collect::<Vec<_>>().join(separator);
    let hex = secret.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let mut forms = vec![list(", "), list(","), hex];
    forms.extend(std::str::from_utf8(secret).ok().map(str::to_owned));
    for skip in 0..3 {
        // Without the groups at both ends, which hold bits of what is around it.
        let whole = &secret[skip..skip + (secret.len() - skip) / 3 * 3];
        forms.push(STANDARD_NO_PAD.encode(whole));
        forms.push(URL_SAFE_NO_PAD.encode(whole));
    }
    forms
}

/// The private half of an Ed25519 key, from OpenSSH's own form (PROTOCOL.key): 64 bytes after their length, the first 32.
fn private_half(openssh: &str) -> Vec<u8> {
    let text: String = openssh.lines().filter(|line| !line.starts_with("-----")).collect();
    let bytes = STANDARD.decode(text).unwrap();
    let at = bytes.windows(4).rposition(|window| window == [0, 0, 0, 64]).unwrap();
    bytes[at + 4..at + 36].to_vec()
}

/// A service with a canary in every secret, and what it manages.
struct Watched {
    canaries: Canaries,
    place: Place,
    serving: Serving,
    db: PgPool,
    admin: Client,
    things: Things,
    /// What it has answered, but for the answers that hand out tokens.
    told: String,
    _host: DockerHost,
    _sshd: Sshd,
    _app: App,
}

impl Watched {
    fn log_file(place: &Place) -> String {
        place.folder.path().join("log").display().to_string()
    }

    async fn start() -> Self {
        let mut canaries = Canaries::default();
        let database = postgres::empty_database().await;
        let place = Place { database: Some(database.clone()), ..Place::embedded() };
        let jwt_secret = canaries.make("JWT_SECRET");
        let key: [u8; 32] = *b"canary key of thirty-two bytes!!";
        canaries.add("ENCRYPTION_KEY", &key);
        canaries.add("DB_PASSWORD", postgres::password().as_bytes());
        let password = canaries.make("ADMIN_PASSWORD");
        let (log, key) = (Self::log_file(&place), STANDARD.encode(key));
        let serving = place
            .serve(&[
                ("LOG_LEVEL", "trace"),
                ("LOG_FILE", &log),
                ("JWT_SECRET", &jwt_secret),
                ("ENCRYPTION_KEY", &key),
                ("ADMIN_PASSWORD", &password),
            ])
            .await;
        let admin = sign_in(&mut canaries, &serving.client(), "admin", &password).await;
        let (host, sshd) = (DockerHost::start(Setup::default()).await, Sshd::start().await);
        let app = App::new("canary", &samples::steady());
        let db = PgPool::connect_with(database).await.unwrap();
        let mut told = String::new();
        let user = add_user(&mut canaries, &admin, &serving.client(), &mut told).await;
        let server = add_servers(&mut canaries, &admin, &host, &sshd, &mut told).await;
        let things = add_app(&admin, user, server, &app, &mut told).await;
        Self { canaries, place, serving, db, admin, things, told, _host: host, _sshd: sshd, _app: app }
    }
}

/// Signs in and out of the cookies' sight: both tokens become canaries.
async fn sign_in(canaries: &mut Canaries, client: &Client, name: &str, password: &str) -> Client {
    let answer = client.post("/api/auth/login", json!({"username": name, "password": password})).await;
    for cookie in answer.cookies() {
        let value = cookie.split_once('=').unwrap().1.split(';').next().unwrap();
        canaries.add("cookie", value.rsplit('.').next().unwrap().as_bytes());
    }
    let token = text(&answer.is(200)["token"]);
    canaries.add("access token", token.rsplit('.').next().unwrap().as_bytes());
    client.clone().with_token(token)
}

/// An account whose password is set, used, mistyped, typed into the wrong field and changed.
async fn add_user(canaries: &mut Canaries, admin: &Client, client: &Client, told: &mut String) -> String {
    let [first, second, third, wrong, misplaced] = [
        "user's password",
        "changed password",
        "reset password",
        "wrong password",
        "password typed as a name",
    ]
    .map(|name| canaries.make(name));
    let made = admin.post("/api/users", json!({"username": "ann", "password": first})).await.is(201);
    *told += &made.to_string();
    let ann = sign_in(canaries, client, "ann", &first).await;
    for (name, password) in [("ann", &wrong), (misplaced.as_str(), &wrong)] {
        let body = json!({"username": name, "password": password});
        *told += &client.post("/api/auth/login", body).await.is(401).to_string();
    }
    let body = json!({"currentPassword": first, "newPassword": second});
    *told += &ann.put("/api/auth/password", body).await.body.to_string();
    let path = format!("/api/users/{}", text(&made["id"]));
    *told += &admin.put(&path, json!({"password": third})).await.is(200).to_string();
    for body in [
        json!({"currentPassword": wrong, "newPassword": [third]}),
        json!({"currentPassword": wrong, "newPassword": third}),
    ] {
        *told += &ann.put("/api/auth/password", body).await.body.to_string();
    }
    text(&made["id"])
}

/// Servers with each kind of credential, right and wrong ones. Gives the one that lets us in.
async fn add_servers(
    canaries: &mut Canaries,
    admin: &Client,
    host: &DockerHost,
    sshd: &Sshd,
    told: &mut String,
) -> String {
    let mut good = server_body(host);
    good["hostKeyPolicy"] = json!("acceptNew");
    let plain = text(&good["credential"]["privateKey"]);
    canaries.add("private key", &private_half(&plain));
    canaries.add("private key's text", plain.lines().nth(3).unwrap().as_bytes());
    let passphrase = canaries.make("passphrase");
    let locked = lock(&plain, &passphrase).await;
    canaries.add("locked private key's text", locked.lines().nth(3).unwrap().as_bytes());
    good["credential"] = json!({"kind": "privateKey", "privateKey": locked, "passphrase": passphrase});
    let server = admin.post("/api/servers", good.clone()).await.is(201);
    assert_eq!(server["status"], "online", "{server}");
    *told += &server.to_string();

    let password = canaries.make("server's password");
    let mut refused = good.clone();
    refused["name"] = json!("refused");
    refused["sshPort"] = json!(sshd.port);
    refused["credential"] = json!({"kind": "password", "password": password});
    let added = admin.post("/api/servers", refused.clone()).await.is(201);
    assert_eq!(added["statusReason"], "auth_failed", "{added}");
    *told += &added.to_string();
    refused["name"] = json!("generated");
    refused["credential"] = json!({"kind": "generated"});
    *told += &admin.post("/api/servers", refused.clone()).await.is(201).to_string();
    let wrong = canaries.make("wrong passphrase");
    for credential in [
        json!(password),
        json!([password]),
        json!({"kind": password}),
        json!({"kind": "password", "password": [password]}),
        json!({"kind": "password", "password": {"of": password}}),
        json!({"kind": "password", "password": "x", password.as_str(): 1}),
        json!({"kind": "password", "password": "x", "privateKey": plain}),
        json!({"kind": "privateKey", "privateKey": locked, "passphrase": wrong}),
        json!({"kind": "privateKey", "privateKey": password}),
        json!({"kind": "privateKey", "privateKey": plain.replace("OPENSSH", "RSA")}),
    ] {
        let mut body = refused.clone();
        body["credential"] = credential;
        *told += &admin.post("/api/servers", body.clone()).await.body.to_string();
        *told += &admin.post("/api/servers/test", body).await.body.to_string();
    }
    let cut = format!("{{\"name\": \"x\", \"credential\": {{\"password\": \"{password}\", ");
    let request = admin.request(Method::POST, "/api/servers").header("content-type", "application/json");
    *told += &send(request.body(cut)).await.is(400).to_string();
    let id = text(&server["id"]);
    *told += &admin.post(&format!("/api/servers/{id}/test"), json!({})).await.is(200).to_string();
    *told += &admin
        .put(&format!("/api/servers/{id}"), json!({"credential": good["credential"]}))
        .await
        .is(200)
        .to_string();
    id
}

/// The same key behind a passphrase, by OpenSSH's own tool.
async fn lock(key: &str, passphrase: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    fs::write(&path, key).unwrap();
    tool("chmod", &["600", path.to_str().unwrap()]).await;
    tool("ssh-keygen", &["-q", "-p", "-P", "", "-N", passphrase, "-f", path.to_str().unwrap()]).await;
    fs::read_to_string(path).unwrap()
}

/// An app that runs, so that there is something to be told of everything.
async fn add_app(admin: &Client, user: String, server: String, app: &App, told: &mut String) -> Things {
    let project = text(&admin.post("/api/projects", json!({"name": "canary"})).await.is(201)["id"]);
    let member = format!("/api/projects/{project}/members/{user}");
    admin.put(&member, json!({"role": "viewer"})).await.is(200);
    let body = json!({"name": "canary", "projectId": project, "serverId": server, "cdPath": app.dir()});
    let added = text(&admin.post("/api/apps", body).await.is(201)["id"]);
    let started = admin.post(&format!("/api/apps/{added}/start"), json!({})).await.is(200);
    *told += &started.to_string();
    Things { project, server, app: added, operation: text(&started["operationId"]), user }
}

/// What a call answers, headers and all; of one that does not end, its beginning.
async fn answer(client: &Client, path: &str) -> String {
    let answer = client.request(Method::GET, path).timeout(PATIENCE).send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    let mut said = format!("{path}: {:?}\n", answer.headers());
    let is_stream = answer.headers()["content-type"] == "text/event-stream";
    let mut answer = answer;
    while let Some(chunk) = answer.chunk().await.unwrap() {
        said += &String::from_utf8_lossy(&chunk);
        if is_stream {
            break;
        }
    }
    said
}

/// Every row of every table, as text.
async fn rows(db: &PgPool) -> String {
    let tables = "select tablename::text from pg_tables where schemaname = 'public'";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(db).await.unwrap();
    assert!(tables.len() > 10, "{tables:?}");
    let mut all = String::new();
    for table in tables {
        let rows = format!("select t::text from \"{table}\" t");
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(rows)).fetch_all(db).await.unwrap();
        all += &[table, rows.join("\n")].join(": ");
    }
    all
}

/// The arguments of every process of this machine, which is the host as well.
fn arguments() -> String {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ") + "\n").collect()
}

/// What was written since `mark` where an account of the host may write.
async fn files_since(mark: &Path, besides: &Path) -> String {
    let (mark, besides) = (mark.to_str().unwrap(), format!("{}/*", besides.display()));
    let places = ["/tmp", "/var/tmp", "/dev/shm", "/root", "/home"];
    let which = ["-xdev", "-type", "f", "-newer", mark, "-size", "-4M", "!", "-path", &besides];
    // The tests' own Postgres: its rows are searched.
    let which = [&which[..], &["!", "-path", "/tmp/quaymaster-suite-*"]].concat();
    // Files of others come and go meanwhile.
    let script = ["-c", "find \"$@\" 2>/dev/null || true", "sh"];
    let found = tool("sh", &[&script[..], &places, &which].concat()).await;
    let read =
        |path: &str| fs::read(path).map(|bytes| format!("{path}: {}\n", String::from_utf8_lossy(&bytes)));
    found.lines().filter_map(|path| read(path).ok()).collect()
}

#[tokio::test]
async fn no_secret_is_answered_logged_kept_in_the_clear_or_left_on_a_host() {
    let mark = tempfile::NamedTempFile::new().unwrap();
    let watched = Watched::start().await;
    let Watched { canaries, place, serving, db, admin, things, told, .. } = &watched;
    canaries.are_not_in("an answer", told);
    for route in Document::new().routes() {
        if route.method == Method::GET {
            let path = things.fill(&route.path);
            canaries.are_not_in(&path, &answer(admin, &path).await);
        }
    }
    for path in
        ["/api/auth/me", "/api/auth/verify", "/api/auth/status", "/health", "/openapi.json", "/api/events"]
    {
        canaries.are_not_in(path, &answer(admin, path).await);
    }
    canaries.are_not_in("the database", &rows(db).await);
    canaries.are_not_in("the process list", &arguments());
    canaries.are_not_in("a file of the host", &files_since(mark.path(), place.folder.path()).await);

    admin.post(&format!("/api/apps/{}/stop", things.app), json!({})).await.is(200);
    admin.post("/api/auth/logout", json!({})).await.is(200);
    let log = fs::read_to_string(Watched::log_file(place)).unwrap();
    assert!(log.contains("TRACE"), "the log is not as talkative as it can be");
    canaries.are_not_in("the log", &log);
    canaries.are_not_in("standard error", &serving.said());
}

#[test]
fn a_secret_is_recognised_in_whatever_form() {
    let mut canaries = Canaries::default();
    let canary = canaries.make("canary");
    let list: Vec<Value> = canary.bytes().map(Value::from).collect();
    for said in [
        canary.clone(),
        STANDARD.encode(format!("{canary}?")),
        STANDARD.encode(format!("-{canary}?")),
        URL_SAFE_NO_PAD.encode(format!("--{canary}")),
        json!(list).to_string(),
        format!("{:?}", canary.as_bytes()),
    ] {
        let caught = std::panic::catch_unwind(|| canaries.are_not_in("it", &said));
        assert!(caught.is_err(), "{said}");
    }
    canaries.are_not_in("it", &canary[1..]);
}
