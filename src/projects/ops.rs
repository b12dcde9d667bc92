//! The verbs on projects and their members.

use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::{Member, Project, store};
use crate::{
    identity::{
        Permit, ProjectRole, Sight,
        right::{ProjectsCreate, ProjectsManage},
    },
    journal::{self, Action, Signal, Subject},
    platform::{
        Error, Result,
        id::{ProjectId, UserId},
    },
    services::Services,
};

/// So many names tell what is in the way; more would not be read.
const NAMED_IN_AN_ERROR: usize = 5;

/// A new project, its fields checked.
pub struct NewProject {
    pub name: String,
    pub description: String,
}

/// What to change; `None` stays as it is.
#[derive(Default)]
pub struct Change {
    pub name: Option<String>,
    pub description: Option<String>,
}

/// Those in sight, by name.
pub async fn list(services: &Services, sight: &Sight) -> Result<Vec<Project>> {
    let mut db = services.db.acquire().await?;
    store::list(&mut db, sight).await
}

/// The project, if it is in sight: otherwise there is none.
pub async fn see(db: &mut PgConnection, sight: &Sight, id: ProjectId) -> Result<Project> {
    store::find(db, sight, id).await?.ok_or_else(|| Error::not_found("project"))
}

pub async fn add(services: &Services, permit: &Permit<ProjectsCreate>, new: NewProject) -> Result<Project> {
    let now = services.clock.now();
    let project = Project {
        id: ProjectId::make(),
        name: new.name,
        description: new.description,
        apps_count: 0,
        running_apps_count: 0,
        created_at: now,
        updated_at: now,
    };
    let mut tx = services.db.begin().await?;
    store::insert(&mut tx, &project).await?;
    let details = json!({"name": project.name});
    journal::record(
        &mut tx,
        now,
        permit.author(),
        Action::ProjectCreate,
        Subject::Project(project.id),
        details,
    )
    .await?;
    tx.commit().await?;
    Ok(project)
}

pub async fn change(
    services: &Services,
    permit: &Permit<ProjectsManage>,
    id: ProjectId,
    change: Change,
) -> Result<Project> {
    permit.admits("project", id)?;
    let now = services.clock.now();
    let mut tx = services.db.begin().await?;
    store::lock(&mut tx, id).await?.ok_or_else(|| Error::not_found("project"))?;
    let before = see(&mut tx, &Sight::Everything, id).await?;
    let after = Project {
        name: change.name.unwrap_or_else(|| before.name.clone()),
        description: change.description.unwrap_or_else(|| before.description.clone()),
        updated_at: now,
        ..before.clone()
    };
    store::update(&mut tx, &after).await?;
    let details = difference(&before, &after);
    journal::record(&mut tx, now, permit.author(), Action::ProjectUpdate, Subject::Project(id), details)
        .await?;
    tx.commit().await?;
    Ok(after)
}

/// For the audit row: each changed field, from and to.
fn difference(before: &Project, after: &Project) -> Value {
    let mut changes = Map::new();
    for (field, from, to) in
        [("name", &before.name, &after.name), ("description", &before.description, &after.description)]
    {
        if from != to {
            changes.insert(field.to_owned(), json!({"from": from, "to": to}));
        }
    }
    changes.into()
}

/// Removes a project and the rows of its apps; what is on the hosts stays. Refused while one of the apps runs, or is
/// being worked on. It takes the right to make projects, which no project's own maintainer has.
pub async fn remove(services: &Services, permit: &Permit<ProjectsCreate>, id: ProjectId) -> Result<()> {
    let now = services.clock.now();
    let mut tx = services.db.begin().await?;
    // With these rows locked no app can join the project, and none of its apps can be started.
    let name = store::lock(&mut tx, id).await?.ok_or_else(|| Error::not_found("project"))?;
    let apps = store::lock_apps(&mut tx, id).await?;
    let busy = store::busy_apps(&mut tx, id).await?;
    if !busy.is_empty() {
        return Err(has_running_apps(&busy));
    }

    for app in &apps {
        let details = json!({"name": app.name, "projectId": id, "reason": "project_deleted"});
        journal::record(&mut tx, now, permit.author(), Action::AppDelete, Subject::App(app.id), details)
            .await?;
    }
    for user in store::member_ids(&mut tx, id).await? {
        journal::notify(&mut tx, Signal::Access(user)).await?;
    }
    store::delete(&mut tx, id).await?;
    let names: Vec<&str> = apps.iter().map(|app| app.name.as_str()).collect();
    let details = json!({"name": name, "apps": names});
    journal::record(&mut tx, now, permit.author(), Action::ProjectDelete, Subject::Project(id), details)
        .await?;
    tx.commit().await?;
    Ok(())
}

fn has_running_apps(busy: &[String]) -> Error {
    let named = busy.iter().take(NAMED_IN_AN_ERROR).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if busy.len() > NAMED_IN_AN_ERROR { ", …" } else { "" };
    Error::conflict("project.has_running_apps", format!("stop its apps first: {named}{more}"))
}

/// By name. The project has been found in sight.
pub async fn members(db: &mut PgConnection, project: &Project) -> Result<Vec<Member>> {
    store::members(db, project.id).await
}

/// Makes an account a member, or gives a member another role. Maintainers are equals: each may change the others.
pub async fn set_member(
    services: &Services,
    permit: &Permit<ProjectsManage>,
    project: ProjectId,
    user: UserId,
    role: ProjectRole,
) -> Result<Member> {
    permit.admits("project", project)?;
    let now = services.clock.now();
    let mut tx = services.db.begin().await?;
    store::lock(&mut tx, project).await?.ok_or_else(|| Error::not_found("project"))?;
    let before = store::member(&mut tx, project, user).await?;
    store::set_member(&mut tx, project, user, role, now).await?;
    let member = store::member(&mut tx, project, user).await?.ok_or_else(|| Error::not_found("user"))?;
    let former = before.map(|member| member.role);
    if former != Some(role) {
        let details = json!({"userId": user, "username": member.username, "from": former, "to": role});
        let subject = Subject::Project(project);
        journal::record(&mut tx, now, permit.author(), Action::MemberSet, subject, details).await?;
        journal::notify(&mut tx, Signal::Access(user)).await?;
    }
    tx.commit().await?;
    Ok(member)
}

pub async fn remove_member(
    services: &Services,
    permit: &Permit<ProjectsManage>,
    project: ProjectId,
    user: UserId,
) -> Result<()> {
    permit.admits("project", project)?;
    let now = services.clock.now();
    let mut tx = services.db.begin().await?;
    let member = store::member(&mut tx, project, user).await?.ok_or_else(|| Error::not_found("member"))?;
    if !store::delete_member(&mut tx, project, user).await? {
        return Err(Error::not_found("member"));
    }
    let details = json!({"userId": user, "username": member.username, "role": member.role});
    let subject = Subject::Project(project);
    journal::record(&mut tx, now, permit.author(), Action::MemberRemove, subject, details).await?;
    journal::notify(&mut tx, Signal::Access(user)).await?;
    tx.commit().await?;
    Ok(())
}
