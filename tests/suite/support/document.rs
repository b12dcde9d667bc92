//! The OpenAPI document as a list of calls, and filling in what they need.

use std::sync::atomic::{AtomicU32, Ordering};

use quaymaster::{identity::Permission, routes};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{
    api::{TestApi, text},
    sshd::free_port,
};

/// A call.
pub struct Route {
    pub method: Method,
    pub path: String,
    /// `None`: it is public, or about the caller.
    pub permission: Option<Permission>,
    /// The names of its query parameters.
    pub query: Vec<String>,
    /// Of its body; `Null` where it takes none.
    pub schema: Value,
}

/// The OpenAPI document of what is mounted.
pub struct Document(Value);

impl Document {
    pub fn new() -> Self {
        Self(serde_json::to_value(routes::document()).unwrap())
    }

    /// Those that need a permission.
    pub fn routes(&self) -> Vec<Route> {
        self.all_routes().into_iter().filter(|route| route.permission.is_some()).collect()
    }

    pub fn all_routes(&self) -> Vec<Route> {
        let mut routes = vec![];
        for (path, item) in self.0["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let Some(name) = operation["x-permission"].as_str() else { continue };
                let permission = Permission::ALL.iter().find(|known| known.as_str() == name).copied();
                assert!(permission.is_some() || matches!(name, "public" | "authenticated"), "{path}: {name}");
                let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let query = parameters.filter(|parameter| parameter["in"] == "query");
                routes.push(Route {
                    method: method.to_uppercase().parse().unwrap(),
                    path: path.clone(),
                    permission,
                    query: query.map(|parameter| text(&parameter["name"])).collect(),
                    schema: self.resolve(schema),
                });
            }
        }
        routes
    }

    fn resolve(&self, schema: &Value) -> Value {
        match schema["$ref"].as_str() {
            Some(name) => self.0.pointer(name.trim_start_matches('#')).unwrap().clone(),
            None => schema.clone(),
        }
    }

    /// A body that is accepted: what is required, and every id that may be given.
    pub fn body(&self, schema: &Value, things: &Things) -> Value {
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let mut body = Map::new();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let id = things.named(name);
            if let Some(id) = id {
                body.insert(name.clone(), json!(id));
            } else if required.contains(&json!(name)) {
                body.insert(name.clone(), Self::value(name, &self.resolve(property)));
            }
        }
        Value::Object(body)
    }

    fn value(name: &str, schema: &Value) -> Value {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        if let Some(first) = schema["enum"].get(0) {
            return first.clone();
        }
        match (name, schema["type"].as_str()) {
            ("credential", _) => json!({"kind": "password", "password": "x"}),
            ("fingerprint", _) => json!(format!("SHA256:{}", "A".repeat(43))),
            ("address", _) => json!("127.0.0.1"),
            ("cdPath", _) => json!(format!("/srv/{number}")),
            ("password", _) => json!("a long enough password"),
            (_, Some("string")) => json!(format!("x{number}")),
            (_, Some("integer")) => schema["minimum"].clone(),
            _ => panic!("the body's {name} is not known how to be filled in: {schema}"),
        }
    }
}

/// One thing of each kind, all of one project.
#[derive(Clone)]
pub struct Things {
    pub project: String,
    pub server: String,
    pub app: String,
    pub operation: String,
    pub user: String,
}

impl Things {
    /// On a server that cannot be reached; with an operation that therefore failed.
    pub async fn unreachable(api: &TestApi) -> Self {
        let body = json!({
            "name": "nowhere", "address": "127.0.0.1", "sshUser": "root", "sshPort": free_port(),
            "credential": {"kind": "password", "password": "x"},
        });
        let server = text(&api.admin.post("/api/servers", body).await.is(201)["id"]);
        let (project, user) = (api.project("project").await, api.user("ann").await.0);
        let body = json!({"name": "app", "projectId": project, "serverId": server, "cdPath": "/srv/app"});
        let app = text(&api.admin.post("/api/apps", body).await.is(201)["id"]);
        let refused = api.admin.post(&format!("/api/apps/{app}/start"), json!({})).await.is(503);
        Self { project, server, app, operation: text(&refused["operationId"]), user }
    }

    /// The id of the thing that a field or a collection is of.
    fn named(&self, name: &str) -> Option<&str> {
        Some(match name {
            "projectId" | "projects" => &self.project,
            "serverId" | "servers" => &self.server,
            "appId" | "apps" => &self.app,
            "operationId" | "operations" => &self.operation,
            "userId" | "users" => &self.user,
            _ => return None,
        })
    }

    /// `/api/apps/{id}/start` with the id of this app.
    pub fn fill(&self, path: &str) -> String {
        let mut collection = "";
        let mut filled = vec![];
        for part in path.split('/') {
            let id = match part {
                "{id}" => self.named(collection),
                _ => part.strip_prefix('{').and_then(|name| self.named(name.trim_end_matches('}'))),
            };
            assert!(
                id.is_some() || !part.starts_with('{'),
                "{path}: {part} is not known how to be filled in"
            );
            filled.push(id.unwrap_or(part));
            collection = part;
        }
        filled.join("/")
    }
}
