//! The service itself, on a port and a database of its own, and clients of its REST API.

use std::{ops::Deref, time::Duration};

use quaymaster::{
    platform::{
        Clock, Lifecycle,
        config::{Config, ServeArgs},
    },
    services::Services,
    startup::Application,
};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::postgres;

pub const ADMIN_PASSWORD: &str = "an admin's password";
pub const USER_PASSWORD: &str = "a user's password";
/// Longer than any answer takes, shorter than a person's patience with a test that hangs.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// A running service. Used as a client it is the administrator.
pub struct TestApi {
    admin: Client,
    /// What the service works with, to move its clock or to look behind the door.
    pub services: Services,
    _data_dir: TempDir,
}

/// Somebody who calls. Clones are the same person.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Null where there was no JSON.
    pub body: Value,
    pub text: String,
}

impl Deref for TestApi {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.admin
    }
}

impl TestApi {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With other settings. Unless set, nothing periodic comes in a test's way: servers are probed every ten minutes.
    pub async fn with(set: impl FnOnce(&mut ServeArgs)) -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        let mut args = ServeArgs {
            port: Some("0".to_owned()),
            admin_password: Some(ADMIN_PASSWORD.into()),
            rate_limit_requests: Some("100000".to_owned()),
            jwt_expires_in: Some("24h".to_owned()),
            probe_interval: Some("600000".to_owned()),
            ..ServeArgs::default()
        };
        args.database.data_dir = Some(data_dir.path().display().to_string());
        set(&mut args);
        let mut config = Config::from_args(&args).unwrap_or_else(|error| panic!("{error}"));
        config.database = postgres::database().await;
        let application = Application::build(config, Clock::system()).await.unwrap();
        let (address, services) = (application.address(), application.services().clone());
        // It has a lifecycle of its own, which ends with the test's runtime.
        drop(Lifecycle::new().spawn(application.run()));
        let http = reqwest::Client::builder().timeout(ANSWER_WITHIN).build().unwrap();
        let nobody = Client { http, base: format!("http://{address}"), token: None };
        let admin = nobody.sign_in("admin", ADMIN_PASSWORD).await;
        Self { admin, services, _data_dir: data_dir }
    }

    /// Somebody who is not signed in.
    pub fn nobody(&self) -> Client {
        Client { token: None, ..self.admin.clone() }
    }

    /// Makes an account without any project and signs it in; its id comes along.
    pub async fn add_user(&self, username: &str) -> (Client, String) {
        let body = json!({"username": username, "name": username, "password": USER_PASSWORD});
        let user = self.post("/api/users", &body).await.expect(201);
        (self.nobody().sign_in(username, USER_PASSWORD).await, id(&user))
    }

    /// The audit rows of a thing, the oldest first: action and details.
    pub async fn audited(&self, resource: &str) -> Vec<(String, Value)> {
        sqlx::query_as("select action, details from audit_logs where resource_id = $1::uuid order by id")
            .bind(resource)
            .fetch_all(&self.services.db)
            .await
            .unwrap()
    }
}

/// The `id` of a body.
pub fn id(body: &Value) -> String {
    body["id"].as_str().unwrap_or_else(|| panic!("no id in {body}")).to_owned()
}

impl Client {
    pub async fn sign_in(&self, username: &str, password: &str) -> Self {
        let body = json!({"username": username, "password": password});
        let answer = self.post("/api/auth/login", &body).await.expect(200);
        Self { token: Some(answer["token"].as_str().unwrap().to_owned()), ..self.clone() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body.to_string())).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, Some(body.to_string())).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    /// Any request; the body is sent as it is, and as JSON.
    pub async fn send(&self, method: Method, path: &str, body: Option<String>) -> Answer {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let response = request.send().await.unwrap_or_else(|error| panic!("{path}: {error}"));
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        Answer { status, body: serde_json::from_str(&text).unwrap_or_default(), text }
    }

    /// For what the above does not do: headers, streams.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

impl Answer {
    /// The body, if the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }

    /// The body of a problem with this status and code.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Value {
        let body = self.expect(status);
        assert_eq!(body["code"], code, "{body}");
        body
    }

    /// The names of the refused fields, if that is what the answer is about.
    #[track_caller]
    pub fn refused_fields(self) -> Vec<String> {
        let body = self.refused(422, "request.invalid");
        let errors = body["errors"].as_array().unwrap();
        errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
    }
}
