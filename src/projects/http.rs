//! `/api/projects`.

use actix_web::{HttpResponse, delete, get, post, put, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::{
    Member, Project,
    ops::{self, Change, NewProject},
};
use crate::{
    identity::{
        Asks, Authority, ProjectRole, Role,
        right::{ProjectsCreate, ProjectsManage, ProjectsView},
    },
    platform::{
        Result,
        clock::millis,
        id::{ProjectId, UserId},
    },
    services::Services,
    web::{Json, Path, valid},
};

/// Under `{BASE_PATH}/api/projects`.
pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list)
        .service(create)
        .service(get_one)
        .service(change)
        .service(remove)
        .service(list_members)
        .service(set_member)
        .service(remove_member);
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Project)]
struct ProjectView {
    id: ProjectId,
    name: String,
    description: String,
    apps_count: i64,
    /// Those that are `running` or `degraded`.
    running_apps_count: i64,
    /// The caller's own role in it; null for administrators, who need none.
    #[schema(required = true)]
    role: Option<ProjectRole>,
    created_at: i64,
    updated_at: i64,
}

impl ProjectView {
    fn new(project: Project, caller: &Authority) -> Self {
        let role = match caller.role {
            Role::Admin => None,
            Role::User => caller.projects.get(&project.id).copied(),
        };
        Self {
            id: project.id,
            name: project.name,
            description: project.description,
            apps_count: project.apps_count,
            running_apps_count: project.running_apps_count,
            role,
            created_at: millis(project.created_at),
            updated_at: millis(project.updated_at),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Member)]
struct MemberView {
    user_id: UserId,
    username: String,
    name: String,
    role: ProjectRole,
    created_at: i64,
}

impl From<Member> for MemberView {
    fn from(member: Member) -> Self {
        Self {
            user_id: member.user,
            username: member.username,
            name: member.name,
            role: member.role,
            created_at: millis(member.created_at),
        }
    }
}

#[derive(Deserialize, Validate, ToSchema)]
struct ProjectBody {
    #[validate(length(min = 1, max = 100, message = "a name has 1 to 100 characters"),
               custom(function = valid::name, message = "a name is one line without spaces around it"))]
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    #[serde(default)]
    #[validate(length(max = 2000, message = "a description has at most 2000 characters"),
               custom(function = valid::text, message = "a description is text, without control characters"))]
    #[schema(max_length = 2000)]
    description: String,
}

/// What is left out stays as it is.
#[derive(Deserialize, Validate, ToSchema)]
struct ProjectChange {
    #[validate(length(min = 1, max = 100, message = "a name has 1 to 100 characters"),
               custom(function = valid::name, message = "a name is one line without spaces around it"))]
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    #[validate(length(max = 2000, message = "a description has at most 2000 characters"),
               custom(function = valid::text, message = "a description is text, without control characters"))]
    #[schema(max_length = 2000)]
    description: Option<String>,
}

#[derive(Deserialize, Validate, ToSchema)]
struct MemberBody {
    role: ProjectRole,
}

/// The projects that the caller sees, by name.
#[utoipa::path(
    operation_id = "listProjects", tag = "projects", extensions(("x-permission" = json!("projects:view"))),
    responses((status = 200, body = [ProjectView], description = "Those that the caller is a member of; all, for administrators"))
)]
#[get("")]
async fn list(
    services: web::Data<Services>,
    asks: Asks<ProjectsView>,
) -> Result<web::Json<Vec<ProjectView>>> {
    let projects = ops::list(&services, &asks.sight()).await?;
    let authority = &asks.caller().authority;
    Ok(web::Json(projects.into_iter().map(|project| ProjectView::new(project, authority)).collect()))
}

/// Make a project.
#[utoipa::path(
    operation_id = "createProject", tag = "projects", extensions(("x-permission" = json!("projects:create"))),
    request_body = ProjectBody,
    responses(
        (status = 201, body = ProjectView, description = "Made"),
        (status = 409, description = "`project.name_taken`"),
    )
)]
#[post("")]
async fn create(
    services: web::Data<Services>,
    asks: Asks<ProjectsCreate>,
    body: Json<ProjectBody>,
) -> Result<HttpResponse> {
    let permit = asks.globally()?;
    let ProjectBody { name, description } = body.0;
    let project = ops::add(&services, &permit, NewProject { name, description }).await?;
    Ok(HttpResponse::Created().json(ProjectView::new(project, &asks.caller().authority)))
}

/// One project.
#[utoipa::path(
    operation_id = "getProject", tag = "projects", extensions(("x-permission" = json!("projects:view"))),
    params(("id" = ProjectId, Path)),
    responses((status = 200, body = ProjectView, description = "The project"))
)]
#[get("/{id}")]
async fn get_one(
    services: web::Data<Services>,
    asks: Asks<ProjectsView>,
    id: Path<ProjectId>,
) -> Result<web::Json<ProjectView>> {
    let mut db = services.db.acquire().await?;
    let project = ops::see(&mut db, &asks.sight(), id.0).await?;
    Ok(web::Json(ProjectView::new(project, &asks.caller().authority)))
}

/// Change a project's name or description.
#[utoipa::path(
    operation_id = "updateProject", tag = "projects", extensions(("x-permission" = json!("projects:manage"))),
    params(("id" = ProjectId, Path)), request_body = ProjectChange,
    responses(
        (status = 200, body = ProjectView, description = "Changed"),
        (status = 409, description = "`project.name_taken`"),
    )
)]
#[put("/{id}")]
async fn change(
    services: web::Data<Services>,
    asks: Asks<ProjectsManage>,
    id: Path<ProjectId>,
    body: Json<ProjectChange>,
) -> Result<web::Json<ProjectView>> {
    let permit = asks.on_project(seen(&services, &asks, id.0).await?.id)?;
    let ProjectChange { name, description } = body.0;
    let project = ops::change(&services, &permit, id.0, Change { name, description }).await?;
    Ok(web::Json(ProjectView::new(project, &asks.caller().authority)))
}

/// Remove a project and its apps from Quaymaster. What is on the hosts stays as it is.
#[utoipa::path(
    operation_id = "deleteProject", tag = "projects", extensions(("x-permission" = json!("projects:create"))),
    params(("id" = ProjectId, Path)),
    responses(
        (status = 204, description = "Removed"),
        (status = 409, description = "`project.has_running_apps`: one of its apps runs, or is being worked on"),
    )
)]
#[delete("/{id}")]
async fn remove(
    services: web::Data<Services>,
    asks: Asks<ProjectsCreate>,
    id: Path<ProjectId>,
) -> Result<HttpResponse> {
    seen(&services, &asks, id.0).await?;
    ops::remove(&services, &asks.globally()?, id.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Who is a member.
#[utoipa::path(
    operation_id = "listMembers", tag = "projects", extensions(("x-permission" = json!("projects:view"))),
    params(("id" = ProjectId, Path)),
    responses((status = 200, body = [MemberView], description = "The members, by name"))
)]
#[get("/{id}/members")]
async fn list_members(
    services: web::Data<Services>,
    asks: Asks<ProjectsView>,
    id: Path<ProjectId>,
) -> Result<web::Json<Vec<MemberView>>> {
    let mut db = services.db.acquire().await?;
    let project = ops::see(&mut db, &asks.sight(), id.0).await?;
    let members = ops::members(&mut db, &project).await?;
    Ok(web::Json(members.into_iter().map(Into::into).collect()))
}

/// Make an account a member, or give a member another role. It takes effect at once.
#[utoipa::path(
    operation_id = "setMember", tag = "projects", extensions(("x-permission" = json!("projects:manage"))),
    params(("id" = ProjectId, Path), ("userId" = UserId, Path)), request_body = MemberBody,
    responses((status = 200, body = MemberView, description = "The member as it is now"))
)]
#[put("/{id}/members/{userId}")]
async fn set_member(
    services: web::Data<Services>,
    asks: Asks<ProjectsManage>,
    path: Path<(ProjectId, UserId)>,
    body: Json<MemberBody>,
) -> Result<web::Json<MemberView>> {
    let (project, user) = path.0;
    let permit = asks.on_project(seen(&services, &asks, project).await?.id)?;
    let member = ops::set_member(&services, &permit, project, user, body.0.role).await?;
    Ok(web::Json(member.into()))
}

/// Take a member out. It takes effect at once.
#[utoipa::path(
    operation_id = "removeMember", tag = "projects", extensions(("x-permission" = json!("projects:manage"))),
    params(("id" = ProjectId, Path), ("userId" = UserId, Path)),
    responses((status = 204, description = "Removed"))
)]
#[delete("/{id}/members/{userId}")]
async fn remove_member(
    services: web::Data<Services>,
    asks: Asks<ProjectsManage>,
    path: Path<(ProjectId, UserId)>,
) -> Result<HttpResponse> {
    let (project, user) = path.0;
    let permit = asks.on_project(seen(&services, &asks, project).await?.id)?;
    ops::remove_member(&services, &permit, project, user).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// What is out of sight is 404 before anything is said of permissions.
async fn seen<R: crate::identity::policy::Right>(
    services: &Services,
    asks: &Asks<R>,
    id: ProjectId,
) -> Result<Project> {
    let mut db = services.db.acquire().await?;
    ops::see(&mut db, &asks.sight(), id).await
}
