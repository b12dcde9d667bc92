//! Who may do what to whose things: every route of the OpenAPI document, every role, own and foreign things. A new route is in
//! it by itself; one whose body or path cannot be filled in fails here until this knows how.

use quaymaster::identity::ProjectRole;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    api::{Answer, Client, TestApi, send, text},
    document::{Document, Route, Things},
    sshd::free_port,
};

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
            "insert into operations (id, app_id, project_id, server_id, action, state, trigger, created_at, finished_at)
             values ($1, $2, (select project_id from apps where id = $2), $3::uuid, 'start', 'succeeded', 'user', now(), now())",
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
    let least = route.permission.unwrap().least_project_role();
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
    let document = Document::new();
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
