//! What Docker says of an app's containers now: its services and their output.

use std::{future::ready, time::Duration};

use actix_web::{HttpRequest, HttpResponse, get, http::header, web};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{App, LogReaders, observe, ops, readers::LogSeat};
use crate::{
    identity::{Asks, CurrentUser, Sight, right::AppsView, while_allowed},
    platform::{Error, Result, clock::millis, id::AppId},
    remote::docker::{
        Container, ContainerState, Follow, Health, Lines, LogLine, LogQuery, Output, Port, Protocol, Tail,
    },
    servers,
    services::Services,
    web::{
        Path, Query,
        relay::{LetGo, relay},
        sse::{self, Event},
    },
};

/// Lines of each container that are shown when nobody says how many.
const DEFAULT_TAIL: u32 = 200;
const MAX_TAIL: u32 = 10_000;
/// A reader that takes nothing for so long is let go: its lines hold streams of the host.
const READER_PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(list).service(logs);
}

/// A container of an app.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Service)]
struct ServiceView {
    /// The service's name in the compose file.
    service: String,
    /// The container's name.
    name: String,
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited`, `dead`.
    state: &'static str,
    /// `starting`, `healthy`, `unhealthy`; null without a health check.
    #[schema(required = true)]
    health: Option<&'static str>,
    image: String,
    ports: Vec<PortView>,
    /// Of a container that has ended.
    #[schema(required = true)]
    exit_code: Option<i64>,
    #[schema(required = true)]
    started_at: Option<i64>,
    #[schema(required = true)]
    finished_at: Option<i64>,
    #[schema(required = true)]
    restarts: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ServicePort)]
struct PortView {
    /// The host's address that it is published on; null when it is only exposed.
    #[schema(required = true)]
    address: Option<String>,
    #[schema(required = true)]
    public: Option<u16>,
    private: u16,
    /// `tcp`, `udp`, `sctp`.
    protocol: &'static str,
}

impl From<Port> for PortView {
    fn from(port: Port) -> Self {
        let protocol = match port.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        };
        Self { address: port.address, public: port.public, private: port.private, protocol }
    }
}

fn state_word(state: ContainerState) -> &'static str {
    match state {
        ContainerState::Created => "created",
        ContainerState::Running => "running",
        ContainerState::Paused => "paused",
        ContainerState::Restarting => "restarting",
        ContainerState::Removing => "removing",
        ContainerState::Exited => "exited",
        ContainerState::Dead => "dead",
    }
}

fn health_word(health: Health) -> &'static str {
    match health {
        Health::Starting => "starting",
        Health::Healthy => "healthy",
        Health::Unhealthy => "unhealthy",
    }
}

impl From<Container> for ServiceView {
    fn from(container: Container) -> Self {
        let details = container.details.unwrap_or_default();
        Self {
            service: container.service,
            name: container.name,
            state: state_word(container.state),
            health: container.health.map(health_word),
            image: container.image,
            ports: container.ports.into_iter().map(Into::into).collect(),
            exit_code: container.exit_code,
            started_at: details.started_at.map(millis),
            finished_at: details.finished_at.map(millis),
            restarts: Some(details.restart_count),
        }
    }
}

async fn containers_of(services: &Services, app: &App) -> Result<Vec<Container>> {
    let server = servers::ops::get(&mut *services.db.acquire().await?, app.server).await?;
    observe::containers(services, &server, app).await
}

/// What Docker says of the app's containers now.
#[utoipa::path(
    operation_id = "listAppServices", tag = "apps", extensions(("x-permission" = json!("apps:view"))),
    params(("id" = AppId, Path)),
    responses(
        (status = 200, body = [ServiceView], description = "Its containers; empty when it is stopped"),
        (status = 503, description = "`server.<reason>` with `reason`: the host cannot be asked"),
    )
)]
#[get("/{id}/services")]
async fn list(
    services: web::Data<Services>,
    asks: Asks<AppsView>,
    id: Path<AppId>,
) -> Result<web::Json<Vec<ServiceView>>> {
    let app = ops::see(&mut *services.db.acquire().await?, &asks.sight(), id.0).await?;
    let containers = containers_of(&services, &app).await?;
    Ok(web::Json(containers.into_iter().map(Into::into).collect()))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct LogsQuery {
    /// Stay and send what comes, as events.
    #[param(default = false)]
    follow: Option<bool>,
    /// The last lines of each container, 0 to 10000.
    #[param(minimum = 0, maximum = 10_000, default = 200)]
    tail: Option<u32>,
    /// Of one service only.
    service: Option<String>,
}

/// What the app's containers wrote: text, or, when followed, events `log` with
/// `{"service", "container", "stream", "at", "line", "cut"}` and, last, `end`.
#[utoipa::path(
    operation_id = "getAppLogs", tag = "apps", extensions(("x-permission" = json!("apps:view"))),
    params(("id" = AppId, Path), LogsQuery),
    responses(
        (status = 200, description = "The lines", content((String = "text/plain"), (String = "text/event-stream"))),
        (status = 503, description = "`server.<reason>` with `reason`: the host cannot be asked; `logs.too_many_readers`"),
    )
)]
#[get("/{id}/logs")]
async fn logs(
    services: web::Data<Services>,
    readers: web::Data<LogReaders>,
    asks: Asks<AppsView>,
    id: Path<AppId>,
    query: Query<LogsQuery>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let tail = query.0.tail.unwrap_or(DEFAULT_TAIL);
    if tail > MAX_TAIL {
        return Err(Error::invalid_field("tail", "0 to 10000 lines"));
    }
    let app = ops::see(&mut *services.db.acquire().await?, &asks.sight(), id.0).await?;
    let seat = readers.admit(asks.caller().user.id, app.server)?;
    let mut containers = containers_of(&services, &app).await?;
    if let Some(service) = &query.0.service {
        containers.retain(|container| container.service == *service);
    }
    let is_followed = query.0.follow.unwrap_or(false) || sse::is_wanted(&request);
    let follow = if is_followed { Follow::Yes } else { Follow::No };
    let wanted = LogQuery { tail: Tail::Last(tail), follow, since: None };
    let server = servers::ops::get(&mut *services.db.acquire().await?, app.server).await?;
    let docker = observe::client(&services, &server)?;
    let lines =
        docker.logs(&containers, wanted).await.map_err(|error| servers::docker_unavailable(&error))?;
    Ok(if is_followed {
        let shown = guarded(&services, asks.caller(), id.0, seat, events(lines));
        // Without a last event: who may come back does.
        sse::respond(shown.filter_map(|event| ready(event.ok())))
    } else {
        text(guarded(&services, asks.caller(), id.0, seat, plain(lines)).map(Result::flatten))
    })
}

/// Passes on what the reader may see of the app, as long as it may and does read.
fn guarded<T: Send + 'static>(
    services: &Services,
    caller: &CurrentUser,
    id: AppId,
    seat: LogSeat,
    source: impl Stream<Item = T> + Send + 'static,
) -> impl Stream<Item = Result<T>> + 'static {
    let inner = services.clone();
    let sees = move |sight: Sight| {
        let services = inner.clone();
        async move { ops::see(&mut *services.db.acquire().await?, &sight, id).await.map(drop) }
    };
    let allowed = while_allowed(services, caller, source, sees);
    let seated = allowed.map(move |item| {
        let _taken = &seat;
        item
    });
    relay(&services.lifecycle, seated, READER_PATIENCE).map(|item| item.unwrap_or_else(|LetGo| Err(let_go())))
}

fn let_go() -> Error {
    Error::unavailable("logs.reader_let_go", "nobody took the lines, or this Quaymaster is stopping")
}

fn plain(lines: Lines) -> impl Stream<Item = Result<Bytes>> + Send {
    lines.map(|line| match line {
        Ok(line) => Ok(Bytes::from(format!("{} | {}\n", line.service, line.text))),
        Err(error) => Err(servers::docker_unavailable(&error)),
    })
}

/// One that breaks off is cut on the wire as well: it must not look whole.
fn text(body: impl Stream<Item = Result<Bytes>> + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_DISPOSITION, "inline; filename=\"logs.txt\""))
        .streaming(body)
}

fn events(lines: Lines) -> impl Stream<Item = Event> + Send {
    let lines = lines.map(|line| match line {
        Ok(line) => Event { id: None, name: "log", data: line_json(&line) },
        Err(error) => Event { id: None, name: "error", data: error_json(&error.to_string()) },
    });
    lines.chain(stream::iter([Event { id: None, name: "end", data: "{}".to_owned() }]))
}

fn line_json(line: &LogLine) -> String {
    let stream = match line.output {
        Output::Stdout => "stdout",
        Output::Stderr => "stderr",
    };
    serde_json::json!({
        "service": line.service, "container": line.container, "stream": stream, "at": line.at.map(millis),
        "line": line.text, "cut": line.cut,
    })
    .to_string()
}

fn error_json(detail: &str) -> String {
    serde_json::json!({ "detail": detail }).to_string()
}
