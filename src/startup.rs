//! Making the service and running it, apart, so that tests start the very object that `main` starts.

use std::{net::SocketAddr, num::NonZeroUsize, sync::Arc, time::Duration, time::Instant};

use actix_cors::Cors;
use actix_web::{
    App, HttpServer,
    dev::{Server, ServerHandle},
    http::{Method, header},
    middleware::{Compress, from_fn},
    web,
};
use tracing_actix_web::TracingLogger;

use crate::{
    apps::{AppActions, LogReaders},
    events::Feed,
    identity::{Role, ops::accounts},
    journal::Bus,
    metrics::http::StartedAt,
    operations,
    platform::{
        Clock, Error, Lifecycle, Secret,
        config::{self, Config},
        db::{Database, DbError},
        id::ReplicaId,
        password::Passwords,
        token::{self, Signer},
        vault::{KeyError, Vault},
    },
    remote::{docker, ssh},
    routes, schedule,
    servers::Looks,
    services::Services,
    web::{
        client::TrustedProxies, head, headers, origin::AllowedOrigins, rate_limit::Limiter, request_id,
        request_id::RequestSpan,
    },
};

/// What is under way when the process is asked to stop has this long.
const GRACE: Duration = Duration::from_secs(10);
/// Slow clients may not hold a worker: the head of a request is here by then (CWE-400).
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
const MAX_WORKERS: usize = 8;

#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    #[error(transparent)]
    Database(#[from] DbError),
    #[error(transparent)]
    EncryptionKey(#[from] KeyError),
    #[error(transparent)]
    JwtSecret(#[from] token::SecretError),
    #[error(transparent)]
    Routes(#[from] routes::UndeclaredRoutes),
    #[error("cannot listen on {address}: {cause}; is another program using it? choose another PORT or HOST")]
    Listen { address: SocketAddr, cause: std::io::Error },
    #[error(transparent)]
    Verb(#[from] Error),
    #[error("cannot start the timers: {0}")]
    Schedule(#[from] tokio_cron_scheduler::JobSchedulerError),
    #[error("the server ended: {0}")]
    Serve(std::io::Error),
}

/// The engines, without the door: for the command line, and the first half of [`Application`].
pub struct Engines {
    pub services: Services,
    pub database: Database,
}

impl Engines {
    /// Opens the database, brings its schema up to date and makes the services.
    pub async fn open(config: Config, clock: Clock) -> Result<Self, StartupError> {
        let lifecycle = Lifecycle::new();
        let database = Database::open(&config.database, &lifecycle).await?;
        Self::on(database, config, clock, lifecycle).await
    }

    /// The same beside a Quaymaster that may already run on the embedded database.
    pub async fn join(config: Config, clock: Clock) -> Result<Self, StartupError> {
        let lifecycle = Lifecycle::new();
        let database = Database::open_or_join(&config.database, &lifecycle).await?;
        Self::on(database, config, clock, lifecycle).await
    }

    async fn on(
        database: Database,
        config: Config,
        clock: Clock,
        lifecycle: Lifecycle,
    ) -> Result<Self, StartupError> {
        let vault = Arc::new(Vault::new(&config.secrets.encryption)?);
        let signer = Signer::new(&config.secrets.jwt, config.access_token_lifetime)?;
        let passwords = Passwords::new()?;
        database.migrate().await?;
        let db = database.pool().clone();
        let ssh = ssh::Engine::new(ssh::Limits::default(), lifecycle.clone());
        let services = Services {
            docker: docker::Engines::new(ssh.clone(), lifecycle.clone()),
            ssh,
            bus: Bus::start(db.clone(), &lifecycle),
            db,
            vault,
            passwords,
            signer,
            clock,
            lifecycle,
            config: Arc::new(config),
            replica: ReplicaId::make(),
        };
        Ok(Self { services, database })
    }

    /// Ends every task, then the database.
    pub async fn close(self) {
        let left = self.services.lifecycle.shutdown(GRACE).await;
        if left > 0 {
            tracing::warn!(left, "tasks did not end in time; what they did is taken up at the next start");
        }
        if let Err(error) = operations::ops::release(&self.services).await {
            tracing::warn!(%error, "cannot let go of operations; others take them up when their leases are over");
        }
        self.database.close().await;
    }
}

/// The service, listening but not yet serving.
pub struct Application {
    engines: Engines,
    server: Server,
    address: SocketAddr,
}

impl Application {
    pub async fn build(config: Config, clock: Clock) -> Result<Self, StartupError> {
        let document = routes::document();
        routes::check(&document)?;
        let engines = Engines::open(config, clock).await?;
        match Self::listen(&engines.services, document).await {
            Ok((server, address)) => Ok(Self { engines, server, address }),
            Err(error) => {
                engines.close().await;
                Err(error)
            }
        }
    }

    async fn listen(
        services: &Services,
        document: utoipa::openapi::OpenApi,
    ) -> Result<(Server, SocketAddr), StartupError> {
        let wanted = SocketAddr::new(services.config.host, services.config.port);
        let listen = |cause| StartupError::Listen { address: wanted, cause };
        let socket = std::net::TcpListener::bind(wanted).map_err(listen)?;
        let address = socket.local_addr().map_err(listen)?;
        add_first_admin(services).await?;
        schedule::start(services).await?;
        let feed = Feed::start(services).await?;
        operations::jobs::start(services, Arc::new(AppActions::new(services.clone())));
        let server = serve(services.clone(), feed, document, socket).map_err(listen)?;
        Ok((server, address))
    }

    /// Where it listens: with `PORT=0`, what the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn services(&self) -> &Services {
        &self.engines.services
    }

    pub fn handle(&self) -> ServerHandle {
        self.server.handle()
    }

    /// Serves until it is told to stop, then ends everything it started.
    pub async fn run(self) -> Result<(), StartupError> {
        tracing::info!(address = %self.address, version = env!("CARGO_PKG_VERSION"), "serving");
        let outcome = self.server.await.map_err(StartupError::Serve);
        tracing::info!("stopping");
        self.engines.close().await;
        outcome
    }
}

fn serve(
    services: Services,
    feed: Feed,
    document: utoipa::openapi::OpenApi,
    socket: std::net::TcpListener,
) -> std::io::Result<Server> {
    let config = services.config.clone();
    let limiter = web::Data::new(Limiter::new(config.rate_limit.requests, config.rate_limit.window));
    let proxies = web::Data::new(TrustedProxies(config.trusted_proxies.clone()));
    let origins = web::Data::new(AllowedOrigins(match &config.cors {
        config::Cors::Only(origins) => origins.iter().map(|origin| origin.as_str().to_owned()).collect(),
        config::Cors::Any => vec![],
    }));
    let (lifecycle, started) = (services.lifecycle.clone(), web::Data::new(StartedAt(Instant::now())));
    let (services, feed) = (web::Data::new(services), web::Data::new(feed));
    let log_readers = web::Data::new(LogReaders::default());
    let looks = web::Data::new(Looks::default());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(services.clone())
            .app_data(feed.clone())
            .app_data(log_readers.clone())
            .app_data(looks.clone())
            .app_data(limiter.clone())
            .app_data(proxies.clone())
            .app_data(origins.clone())
            .app_data(started.clone())
            .configure(routes::configure(config.base_path.as_str(), &document))
            .wrap(cors(&config))
            .wrap(Compress::default())
            .wrap(from_fn(headers::add))
            .wrap(TracingLogger::<RequestSpan>::new())
            .wrap(from_fn(request_id::assign))
            .wrap(from_fn(head::as_get))
    })
    .workers(std::thread::available_parallelism().map_or(2, NonZeroUsize::get).min(MAX_WORKERS))
    .client_request_timeout(HEAD_PATIENCE)
    .shutdown_timeout(GRACE.as_secs())
    .shutdown_signal(async move { lifecycle.stopping().await })
    .listen(socket)?
    .run();
    Ok(server)
}

fn cors(config: &Config) -> Cors {
    let methods = [Method::GET, Method::POST, Method::PUT, Method::DELETE];
    let allowed = [header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT];
    let named = ["prefer", "last-event-id", "x-request-id"];
    let cors = Cors::default()
        .allowed_methods(methods)
        .allowed_headers(allowed)
        .allowed_headers(named)
        .expose_headers(["x-request-id", "location", "retry-after"])
        .max_age(600);
    let cors = if config.cors_credentials { cors.supports_credentials() } else { cors };
    match &config.cors {
        config::Cors::Only(origins) => {
            origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin.as_str()))
        }
        config::Cors::Any => cors.allow_any_origin(),
    }
    // A foreign origin gets its answer without the headers that would let a page read it.
    .block_on_origin_mismatch(false)
}

async fn add_first_admin(services: &Services) -> Result<(), Error> {
    let first = &services.config.first_admin;
    let generated = first.password.is_none();
    let password = first.password.clone().unwrap_or_else(|| token::random().0);
    let new = accounts::NewUser {
        username: first.username.clone(),
        email: None,
        name: "Administrator".to_owned(),
        role: Role::Admin,
        is_enabled: true,
        password: password.clone(),
    };
    if accounts::add_first(services, new).await? && generated {
        print_once(&first.username, &password);
    }
    Ok(())
}

/// To standard error, not to the log: logs are kept and shipped.
#[expect(clippy::print_stderr, reason = "the one moment at which this password may be seen")]
fn print_once(username: &str, password: &Secret<String>) {
    eprintln!("\n  The first administrator was made. This is shown once:\n");
    eprintln!("    username  {username}\n    password  {}\n", password.expose());
}
