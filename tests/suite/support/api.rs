//! The service as `main` starts it, on a port and a database of its own, and a small client.

use std::{num::NonZeroU32, time::Duration};

use quaymaster::{
    platform::{
        Clock, Config,
        config::{DatabaseConfig, ServeArgs},
    },
    services::Services,
    startup::Application,
};
use reqwest::{Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use sqlx::{PgPool, postgres::PgConnectOptions};
use tempfile::TempDir;

use super::postgres::{self, ADMIN_PASSWORD};

/// No answer takes longer, but for those that are meant to stay open.
const PATIENCE: Duration = Duration::from_secs(30);
pub const PASSWORD: &str = "a password for tests";

/// A running Quaymaster.
pub struct TestApi {
    /// `http://127.0.0.1:PORT`
    pub base: String,
    pub services: Services,
    pub db: PgPool,
    pub clock: Clock,
    /// Signed in as the first administrator.
    pub admin: Client,
    database: PgConnectOptions,
    handle: actix_web::dev::ServerHandle,
    _data_dir: TempDir,
}

impl TestApi {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// With settings that differ from the usual.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_on(postgres::fresh_database().await, change).await
    }

    /// Another process on the same database.
    pub async fn replica(&self) -> Self {
        self.replica_with(|_| {}).await
    }

    /// Another process on the same database, with settings that differ from the usual.
    pub async fn replica_with(&self, change: impl FnOnce(&mut Config)) -> Self {
        Self::start_on(self.database.clone(), change).await
    }

    async fn start_on(database: PgConnectOptions, change: impl FnOnce(&mut Config)) -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        let mut config = config(&data_dir);
        config.database = DatabaseConfig::External(Box::new(database.clone()));
        change(&mut config);
        let clock = Clock::system();
        let application = Box::pin(Application::build(config, clock.clone())).await.unwrap();
        let base = format!("http://{}", application.address());
        let (services, handle) = (application.services().clone(), application.handle());
        spawn(async move { application.run().await.unwrap() });
        let admin = Client::new(&base).sign_in("admin", ADMIN_PASSWORD).await;
        let db = services.db.clone();
        Self { base, services, db, clock, admin, database, handle, _data_dir: data_dir }
    }

    /// Nobody.
    pub fn stranger(&self) -> Client {
        Client::new(&self.base)
    }

    /// Makes an account with [`PASSWORD`]; gives its id and a client that is signed in as it.
    pub async fn user(&self, name: &str) -> (String, Client) {
        let body = json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD});
        let user = self.admin.post("/api/users", body).await.is(201);
        (text(&user["id"]), self.stranger().sign_in(name, PASSWORD).await)
    }

    pub async fn project(&self, name: &str) -> String {
        text(&self.admin.post("/api/projects", json!({"name": name})).await.is(201)["id"])
    }

    pub async fn member(&self, project: &str, user: &str, role: &str) {
        let path = format!("/api/projects/{project}/members/{user}");
        self.admin.put(&path, json!({"role": role})).await.is(200);
    }
}

/// Asks it to end without waiting: the tests' processes end together.
impl Drop for TestApi {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

#[expect(clippy::disallowed_methods, reason = "the service under test is what ends the service's own tasks")]
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}

fn config(data_dir: &TempDir) -> Config {
    let mut args = ServeArgs {
        port: Some("0".to_owned()),
        jwt_secret: Some("a secret for tests that is long enough".into()),
        encryption_key: Some("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".into()),
        ..ServeArgs::default()
    };
    args.database.data_dir = Some(data_dir.path().display().to_string());
    let mut config = Config::from_args(&args).unwrap();
    config.rate_limit.requests = NonZeroU32::new(1_000_000).unwrap();
    config
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

/// Somebody who calls the API, signed in or not.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    pub token: Option<String>,
}

impl Client {
    pub fn new(base: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { http, base: base.to_owned(), token: None }
    }

    pub async fn sign_in(self, name: &str, password: &str) -> Self {
        let body = json!({"username": name, "password": password});
        let token = text(&self.post("/api/auth/login", body).await.is(200)["token"]);
        self.with_token(token)
    }

    pub fn with_token(self, token: String) -> Self {
        Self { token: Some(token), ..self }
    }

    /// The same caller at another replica.
    pub fn at(&self, api: &TestApi) -> Self {
        self.at_base(&api.base)
    }

    /// The same caller at another address.
    pub fn at_base(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::PUT, path).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        send(self.request(Method::DELETE, path)).await
    }
}

/// Sends what [`Client::request`] began.
pub async fn send(request: RequestBuilder) -> Answer {
    let answer = request.timeout(PATIENCE).send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let text = answer.text().await.unwrap();
    Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// JSON, or the text itself where it is none.
    pub body: Value,
}

impl Answer {
    /// The body, of an answer that must have this status.
    #[track_caller]
    pub fn is(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }

    /// The problem document of a refusal.
    #[track_caller]
    #[expect(clippy::wrong_self_convention, reason = "it asserts, and gives what is left")]
    pub fn is_refused(self, status: u16, code: &str) -> Value {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let body = self.is(status);
        assert_eq!(
            (body["code"].as_str(), body["status"].as_u64()),
            (Some(code), Some(status.into())),
            "{body}"
        );
        body
    }

    /// The names of the fields of a 422.
    #[track_caller]
    pub fn refused_fields(self) -> Vec<String> {
        let body = self.is_refused(422, "request.invalid");
        body["errors"].as_array().unwrap().iter().map(|error| text(&error["field"])).collect()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Each cookie that is set, as it is set.
    pub fn cookies(&self) -> Vec<String> {
        self.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }
}
