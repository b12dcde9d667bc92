//! A whole scene: Quaymaster, and one real host that it manages, with an sshd and a Docker Engine.

use quaymaster::{platform::Config, remote::ssh::Auth};
use serde_json::{Value, json};

use super::{
    PATIENCE,
    api::{Answer, TestApi, text},
    docker::App,
    docker_host::{DockerHost, Setup},
    eventually,
};

pub struct Scene {
    pub api: TestApi,
    pub host: DockerHost,
    pub server: String,
    pub project: String,
}

impl Scene {
    pub async fn start() -> Self {
        Box::pin(Self::with(Setup::default(), |_| {})).await
    }

    pub async fn with(setup: Setup, change: impl FnOnce(&mut Config)) -> Self {
        let host = DockerHost::start(setup).await;
        let api = Box::pin(TestApi::start_with(change)).await;
        let server = text(&api.admin.post("/api/servers", server_body(&host)).await.is(201)["id"]);
        trust(&api, &server, &host).await.is(200);
        let project = api.project("project").await;
        Self { api, host, server, project }
    }

    /// Registers a compose app that is already on the host.
    pub async fn app(&self, app: &App) -> String {
        self.app_at(app.dir()).await
    }

    pub async fn app_at(&self, folder: &str) -> String {
        let count = self.api.admin.get("/api/apps").await.is(200).as_array().unwrap().len();
        let body = json!({
            "name": format!("app {count}"), "projectId": self.project, "serverId": self.server, "cdPath": folder,
        });
        text(&self.api.admin.post("/api/apps", body).await.is(201)["id"])
    }

    pub async fn act(&self, app: &str, action: &str) -> Answer {
        self.api.admin.post(&format!("/api/apps/{app}/{action}"), json!({})).await
    }

    /// Begins an action without waiting for its end; gives the operation's id.
    pub async fn begin(&self, app: &str, action: &str) -> String {
        let path = format!("/api/apps/{app}/{action}?wait=false");
        text(&self.api.admin.post(&path, json!({})).await.is(202)["id"])
    }

    pub async fn get(&self, app: &str) -> Value {
        self.api.admin.get(&format!("/api/apps/{app}")).await.is(200)
    }

    pub async fn operation(&self, id: &str) -> Value {
        self.api.admin.get(&format!("/api/operations/{id}")).await.is(200)
    }

    /// Waits until an operation has a state.
    pub async fn until_operation(&self, id: &str, states: &[&str]) -> Value {
        eventually(&format!("the operation is one of {states:?}"), PATIENCE, || async {
            let operation = self.operation(id).await;
            states.contains(&operation["state"].as_str().unwrap()).then_some(operation)
        })
        .await
    }

    /// Waits until an app has a status.
    pub async fn until_app(&self, id: &str, status: &str) -> Value {
        eventually(&format!("the app is {status}"), PATIENCE, || async {
            let app = self.get(id).await;
            (app["status"] == status).then_some(app)
        })
        .await
    }

    /// The audit rows about a thing, oldest first, as action and details.
    pub async fn audited(&self, resource: &str) -> Vec<(String, Value)> {
        sqlx::query_as("select action, details from audit_logs where resource_id = $1::uuid order by id")
            .bind(resource)
            .fetch_all(&self.api.db)
            .await
            .unwrap()
    }
}

pub fn server_body(host: &DockerHost) -> Value {
    let Auth::Key(key) = &host.target.auth else { panic!("the host takes keys") };
    json!({
        "name": "host", "address": host.target.address, "sshPort": host.target.port, "sshUser": host.target.user,
        "credential": {"kind": "privateKey", "privateKey": key.to_openssh().unwrap().expose()},
    })
}

pub async fn trust(api: &TestApi, server: &str, host: &DockerHost) -> Answer {
    let fingerprint = host.target.host_key.as_ref().unwrap().fingerprint.to_string();
    api.admin.post(&format!("/api/servers/{server}/host-key"), json!({"fingerprint": fingerprint})).await
}
