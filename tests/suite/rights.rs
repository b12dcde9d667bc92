//! Who may do what to whose things: every route of the OpenAPI document, every role, own and foreign things. A new route is in
//! it by itself; one whose body or path cannot be filled in fails here until this knows how.

use std::sync::atomic::{AtomicU32, Ordering};

use quaymaster::{
    identity::{Permission, ProjectRole},
    routes,
};
use reqwest::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::support::{
    api::{Answer, Client, TestApi, send, text},
    sshd::free_port,
};

/// A call that needs a permission.
struct Route {
    method: Method,
    path: String,
    permission: Permission,
    /// Of its body; `Null` where it takes none.
    schema: Value,
}

struct Document(Value);

impl Document {
    fn routes(&self) -> Vec<Route> {
        let mut routes = vec![];
        for (path, item) in self.0["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let Some(name) = operation["x-permission"].as_str() else { continue };
                // What needs no permission is in the list of public routes, or is about the caller.
                let Some(permission) = Permission::ALL.iter().find(|known| known.as_str() == name) else {
                    assert!(matches!(name, "public" | "authenticated"), "{path}: {name}");
                    continue;
                };
                let schema = operation["requestBody"]["content"]["application/json"]["schema"].clone();
                routes.push(Route {
                    method: method.to_uppercase().parse().unwrap(),
                    path: path.clone(),
                    permission: *permission,
                    schema: self.resolve(&schema),
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
    fn body(&self, schema: &Value, things: &Things) -> Value {
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let mut body = Map::new();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let id = things.named(name);
            if let Some(id) = id {
                body.insert(name.clone(), json!(id));
            } else if required.contains(&json!(name)) {
                body.insert(name.clone(), self.value(name, &self.resolve(property)));
            }
        }
        Value::Object(body)
    }

    fn value(&self, name: &str, schema: &Value) -> Value {
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
struct Things {
    project: String,
    server: String,
    app: String,
    operation: String,
    user: String,
}

impl Things {
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
    fn fill(&self, path: &str) -> String {
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Own,
    Foreign,
    /// The path is one's own, the ids in the body are not.
    Smuggled,
}

struct Caller {
    name: &'static str,
    role: Option<ProjectRole>,
    is_admin: bool,
    client: Client,
    id: Option<String>,
}

struct Stage {
    api: TestApi,
    callers: Vec<Caller>,
    servers: [String; 2],
}

impl Stage {
    async fn new() -> Self {
        let api = TestApi::start().await;
        let mut callers = vec![];
        for (name, role) in [
            ("stranger", None),
            ("viewer", Some(ProjectRole::Viewer)),
            ("operator", Some(ProjectRole::Operator)),
            ("maintainer", Some(ProjectRole::Maintainer)),
        ] {
            let (id, client) = api.user(name).await;
            callers.push(Caller { name, role, is_admin: false, client, id: Some(id) });
        }
        callers.push(Caller {
            name: "admin",
            role: None,
            is_admin: true,
            client: api.admin.clone(),
            id: None,
        });
        let servers = [server(&api, "own").await, server(&api, "foreign").await];
        Self { api, callers, servers }
    }

    /// New things: what was done to others before does not matter.
    async fn things(&self, server: &str, members: bool) -> Things {
        let db = &self.api.db;
        let [user, project, app, operation] = [(); 4].map(|()| Uuid::now_v7());
        sqlx::query("insert into projects (id, name, created_at, updated_at) values ($1, $2, now(), now())")
            .bind(project)
            .bind(project.to_string())
            .execute(db)
            .await
            .unwrap();
        sqlx::query(
            "insert into users (id, username, name, role, password_hash, created_at, updated_at)
             values ($1, $1::text, '', 'user', '', now(), now())",
        )
        .bind(user)
        .execute(db)
        .await
        .unwrap();
        let callers = self.callers.iter().filter(|caller| members && caller.role.is_some());
        let callers = callers.map(|caller| (caller.id.clone().unwrap(), caller.name));
        for (member, role) in callers.chain([(user.to_string(), "viewer")]) {
            sqlx::query(
                "insert into project_members (project_id, user_id, role, created_at) values ($1, $2::uuid, $3, now())",
            )
            .bind(project)
            .bind(member)
            .bind(role)
            .execute(db)
            .await
            .unwrap();
        }
        sqlx::query(
            "insert into apps (id, name, project_id, server_id, cd_path, next_check_at, created_at, updated_at)
             values ($1, 'app', $2, $3::uuid, '/' || $1, now() + interval '1 d', now(), now())",
        )
        .bind(app)
        .bind(project)
        .bind(server)
        .execute(db)
        .await
        .unwrap();
        sqlx::query(
            "insert into operations (id, app_id, server_id, action, state, trigger, created_at, finished_at)
             values ($1, $2, $3::uuid, 'start', 'succeeded', 'user', now(), now())",
        )
        .bind(operation)
        .bind(app)
        .bind(server)
        .execute(db)
        .await
        .unwrap();
        let [user, project, app, operation] = [user, project, app, operation].map(|id| id.to_string());
        Things { project, server: server.to_owned(), app, operation, user }
    }
}

/// A server that cannot be reached: what is asked of it fails soon.
async fn server(api: &TestApi, name: &str) -> String {
    let body = json!({
        "name": name, "address": "127.0.0.1", "sshUser": "root", "sshPort": free_port(),
        "credential": {"kind": "password", "password": "x"},
    });
    text(&api.admin.post("/api/servers", body).await.is(201)["id"])
}

/// Whether `answer` is what this caller must get; the reason if not.
fn judge(
    route: &Route,
    caller: &Caller,
    whose: Whose,
    names_things: bool,
    answer: &Answer,
) -> Result<(), &'static str> {
    let status = answer.status.as_u16();
    let refused = matches!(status, 401 | 403 | 404);
    if status == 422 || status == 400 || status >= 500 && status != 502 && status != 503 {
        return Err("the request itself failed");
    }
    let least = route.permission.least_project_role();
    let is_global = !names_things || route.path.starts_with("/api/users");
    let wanted: &[u16] = match (caller.is_admin, least) {
        (true, _) => return if refused { Err("an administrator may") } else { Ok(()) },
        (false, None) if is_global => &[403],
        (false, Some(_)) if is_global => {
            return if refused { Err("a list is filtered, not refused") } else { Ok(()) };
        }
        (false, None) if whose == Whose::Own && caller.role.is_some() => &[403],
        (false, Some(least)) if whose == Whose::Own && caller.role.is_some() => {
            if caller.role.is_some_and(|role| role >= least) {
                return if refused { Err("this role may") } else { Ok(()) };
            }
            &[403]
        }
        // One's own thing that one may not change at all: how the foreign id is told does not matter.
        (false, least) if whose == Whose::Smuggled && caller.role.is_some() && caller.role < least => {
            &[403, 404]
        }
        (false, None) if whose == Whose::Smuggled && caller.role.is_some() => &[403],
        (false, _) => &[404],
    };
    if wanted.contains(&status) {
        Ok(())
    } else {
        Err("it must be refused: 403 for what one sees, 404 for what one does not")
    }
}

async fn call(route: &Route, caller: &Caller, path: &str, body: Option<Value>) -> Answer {
    let request = caller.client.request(route.method.clone(), path);
    send(match body {
        Some(body) => request.json(&body),
        None => request,
    })
    .await
}

#[tokio::test]
async fn every_role_may_on_every_route_what_its_permission_says_and_no_more() {
    let stage = Stage::new().await;
    let document = Document(serde_json::to_value(routes::document()).unwrap());
    // Servers are seen by who has apps on them.
    let standing =
        (stage.things(&stage.servers[0], true).await, stage.things(&stage.servers[1], false).await);
    let (mut wrong, mut cells) = (vec![], 0);
    for route in document.routes() {
        for caller in &stage.callers {
            for whose in [Whose::Own, Whose::Foreign, Whose::Smuggled] {
                let own = stage.things(&stage.servers[0], true).await;
                let foreign = stage.things(&stage.servers[1], false).await;
                let (of_path, of_body) = match whose {
                    Whose::Own => (&own, &own),
                    Whose::Foreign => (&foreign, &foreign),
                    Whose::Smuggled => (&own, &foreign),
                };
                let body = (!route.schema.is_null()).then(|| document.body(&route.schema, of_body));
                let names = |key: &str| body.as_ref().is_some_and(|body| body.get(key).is_some());
                let body_names_things = names("projectId") || names("serverId");
                if whose == Whose::Smuggled && !(body_names_things && route.path.contains('{')) {
                    continue;
                }
                let path = of_path.fill(&route.path);
                let names_things = body_names_things || path != route.path;
                let answer = call(&route, caller, &path, body.clone()).await;
                cells += 1;
                if let Err(why) = judge(&route, caller, whose, names_things, &answer) {
                    wrong.push(format!(
                        "{} {} by {} on {whose:?}: {} {} ({why}; sent {body:?})",
                        route.method, route.path, caller.name, answer.status, answer.body
                    ));
                }
                if !caller.is_admin && route.method == Method::GET {
                    let told = answer.body.to_string();
                    let leaks = [&foreign.app, &foreign.operation, &foreign.server, &standing.1.project];
                    if leaks.iter().any(|id| told.contains(id.as_str()) && !path.contains(id.as_str())) {
                        wrong.push(format!("GET {path} tells {} of foreign things: {told}", caller.name));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {cells}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cells > 300, "{cells}");
}
