//! The database: an external Postgres, or a private one that this process runs (see [`embedded`]), and the pool on it.
//!
//! [`Database::open`] waits a bounded time for an external server that is starting. Migrations go forward only, under
//! a lock, and a database that a newer Quaymaster has migrated is refused, see [`migrate`].

use std::{path::Path, sync::Arc, time::Duration};

use sqlx::{
    Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::{Lifecycle, Timestamp, config::DatabaseConfig};

mod connect;
pub mod embedded;
pub mod migrate;

pub use migrate::{MigrateError, Schema};

use embedded::{Cluster, Durability, EmbeddedError, Setup};

/// Connections per replica. A Postgres takes 100 by default, and several replicas share one.
const MAX_CONNECTIONS: u32 = 20;
/// A request waits this long for a connection before it is answered 503.
const ACQUIRE_WITHIN: Duration = Duration::from_secs(5);
const IDLE_FOR: Duration = Duration::from_mins(5);
const MAX_LIFETIME: Duration = Duration::from_mins(30);
/// At shutdown, connections in use may finish for this long.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// No statement of ours is meant to take longer: one that does holds locks that others wait for.
const LIMITS: [(&str, &str); 3] =
    [("statement_timeout", "30s"), ("lock_timeout", "10s"), ("idle_in_transaction_session_timeout", "60s")];
/// A migration waits this long for another replica's, or for a table that is in use.
const MIGRATE_LOCK_WITHIN: &str = "5min";
const NAME: &str = "quaymaster";

/// An open database. Clones share it.
#[derive(Clone, Debug)]
pub struct Database {
    pool: PgPool,
    /// How to reach it, without [`LIMITS`].
    options: PgConnectOptions,
    cluster: Option<Arc<Cluster>>,
}

#[derive(Debug, thiserror::Error)]
pub enum DbError {
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    #[error("the database at {at} cannot be used: {cause}")]
    Connect { at: String, cause: sqlx::Error },
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    #[error("stopped while waiting for the database")]
    Stopped,
}

impl Database {
    /// Starts the embedded database or waits for the external one, and connects. Does not migrate.
    pub async fn open(config: &DatabaseConfig, lifecycle: &Lifecycle) -> Result<Self, DbError> {
        let (options, cluster) = match config {
            DatabaseConfig::External(options) => (options.as_ref().clone(), None),
            DatabaseConfig::Embedded { data_dir, postgres_bin } => {
                let starting = start_cluster(data_dir, postgres_bin.as_deref());
                let cluster = lifecycle.until_stopping(starting).await.ok_or(DbError::Stopped)??;
                (cluster.options(NAME), Some(Arc::new(cluster)))
            }
        };
        Self::connect_to(options, cluster, lifecycle).await
    }

    /// Like [`Database::open`], but uses the embedded database that another Quaymaster runs if there is one: for
    /// commands beside `serve`.
    pub async fn open_or_join(config: &DatabaseConfig, lifecycle: &Lifecycle) -> Result<Self, DbError> {
        match Self::open(config, lifecycle).await {
            Err(DbError::Embedded(EmbeddedError::InUse(data_dir))) => {
                match Cluster::options_of_running(&data_dir, NAME) {
                    Some(options) => Self::connect_to(options, None, lifecycle).await,
                    None => Err(EmbeddedError::InUse(data_dir).into()),
                }
            }
            opened => opened,
        }
    }

    async fn connect_to(
        options: PgConnectOptions,
        cluster: Option<Arc<Cluster>>,
        lifecycle: &Lifecycle,
    ) -> Result<Self, DbError> {
        let options = options.application_name(NAME);
        connect::await_server(&options, lifecycle).await?;
        Ok(Self { pool: pool(&options), options, cluster })
    }

    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Brings the schema to the state that this binary knows. Many may call it at once.
    pub async fn migrate(&self) -> Result<(), DbError> {
        let mut db = self.connect().await?;
        let migrated = migrate::run(&migrate::MIGRATIONS, &mut db).await;
        // The lock is the session's: closing it releases the lock on every path.
        let _ = db.close().await;
        Ok(migrated?)
    }

    /// How the database's schema compares with the one that this binary knows.
    pub async fn schema(&self) -> Result<Schema, DbError> {
        let mut db = self.connect().await?;
        let schema = migrate::inspect(&migrate::MIGRATIONS, &mut db).await;
        let _ = db.close().await;
        schema.map_err(|cause| connect::failed(&self.options, cause))
    }

    /// What kind of server it is.
    pub async fn server(&self) -> Result<Server, DbError> {
        let mut db = self.connect().await?;
        let server = server(&mut db).await;
        let _ = db.close().await;
        server.map_err(|cause| connect::failed(&self.options, cause))
    }

    /// Closes the pool, then stops the embedded database, if there is one. To be called when all tasks have ended.
    pub async fn close(&self) {
        if tokio::time::timeout(CLOSE_WITHIN, self.pool.close()).await.is_err() {
            tracing::warn!("some connections to the database were still in use at the end");
        }
        if let Some(cluster) = &self.cluster {
            cluster.stop().await;
        }
    }

    /// A connection of its own, outside of the pool and without the limits of its statements.
    async fn connect(&self) -> Result<PgConnection, DbError> {
        let options = self.options.clone().options([("lock_timeout", MIGRATE_LOCK_WITHIN)]);
        connect::connect(&options).await.map_err(|cause| connect::failed(&self.options, cause))
    }
}

async fn start_cluster(data_dir: &Path, postgres_bin: Option<&Path>) -> Result<Cluster, EmbeddedError> {
    let setup = Setup {
        data_dir: data_dir.to_owned(),
        postgres_bin: postgres_bin.map(Path::to_owned),
        durability: Durability::Full,
    };
    let cluster = Cluster::start(setup).await?;
    cluster.ensure_database(NAME).await?;
    Ok(cluster)
}

/// What kind of server it is, for `doctor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub version: String,
    pub major: i32,
    pub now: Timestamp,
}

async fn server(db: &mut PgConnection) -> sqlx::Result<Server> {
    sqlx::query_as!(
        Server,
        r#"select current_setting('server_version') as "version!",
                  current_setting('server_version_num')::int / 10000 as "major!", clock_timestamp() as "now!""#
    )
    .fetch_one(db)
    .await
}

/// Whether the database answers.
pub async fn ping(pool: &PgPool) -> sqlx::Result<()> {
    pool.acquire().await?.ping().await
}

fn pool(options: &PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(MAX_CONNECTIONS)
        .acquire_timeout(ACQUIRE_WITHIN)
        .idle_timeout(IDLE_FOR)
        .max_lifetime(MAX_LIFETIME)
        .connect_lazy_with(options.clone().options(LIMITS))
}
