//! The settings as they are given: each an environment variable and a flag, all text until [`Config::from_args`] reads
//! them, so that every problem can be told at once and an empty variable counts as none.
//!
//! [`Config::from_args`]: super::Config::from_args

use std::convert::Infallible;

use clap::Args;

use crate::platform::Secret;

/// What `serve` takes.
#[derive(Args, Clone, Debug, Default)]
pub struct ServeArgs {
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub log: LogArgs,

    /// Port to listen on [default: 8080]
    #[arg(long, env = "PORT", help_heading = "HTTP")]
    pub port: Option<String>,
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, env = "HOST", help_heading = "HTTP")]
    pub host: Option<String>,
    /// Path that everything hangs under, such as /quay behind a proxy [default: none]
    #[arg(long, env = "BASE_PATH", help_heading = "HTTP")]
    pub base_path: Option<String>,
    /// Origins of browsers that may call from elsewhere, comma-separated, or * [default: only our own]
    #[arg(long, env = "CORS_ORIGIN", help_heading = "HTTP")]
    pub cors_origin: Option<String>,
    /// Whether such browsers may send cookies [default: false]
    #[arg(long, env = "CORS_CREDENTIALS", help_heading = "HTTP")]
    pub cors_credentials: Option<String>,
    /// Where people open the dashboard, such as `https://quay.example.com`; its origin is allowed too
    #[arg(long, env = "FRONTEND_URL", help_heading = "HTTP")]
    pub frontend_url: Option<String>,
    /// Networks of proxies whose X-Forwarded-* headers are believed, comma-separated [default: none]
    #[arg(long, env = "TRUSTED_PROXIES", help_heading = "HTTP")]
    pub trusted_proxies: Option<String>,
    /// Requests allowed per window, per address and per user [default: 100]
    #[arg(long, env = "RATE_LIMIT_REQUESTS", help_heading = "HTTP")]
    pub rate_limit_requests: Option<String>,
    /// That window, in milliseconds [default: 60000]
    #[arg(long, env = "RATE_LIMIT_WINDOW", help_heading = "HTTP")]
    pub rate_limit_window: Option<String>,

    /// Signs access tokens; at least 32 bytes [default: generated beside the embedded database]
    #[arg(long, env = "JWT_SECRET", hide_env_values = true, value_parser = secret, help_heading = "Identity")]
    pub jwt_secret: Option<Secret<String>>,
    /// How long an access token is good: 900, 15m, 1h [default: 15m]
    #[arg(long, env = "JWT_EXPIRES_IN", help_heading = "Identity")]
    pub jwt_expires_in: Option<String>,
    /// Seals credentials; 32 bytes in base64, or several by commas [default: generated beside the embedded database]
    #[arg(long, env = "ENCRYPTION_KEY", hide_env_values = true, value_parser = secret, help_heading = "Identity")]
    pub encryption_key: Option<Secret<String>>,
    /// Name of the first administrator, made while there is no user [default: admin]
    #[arg(long, env = "ADMIN_USERNAME", help_heading = "Identity")]
    pub admin_username: Option<String>,
    /// Password of the first administrator [default: generated and printed once]
    #[arg(long, env = "ADMIN_PASSWORD", hide_env_values = true, value_parser = secret, help_heading = "Identity")]
    pub admin_password: Option<Secret<String>>,
    /// Whether strangers may make an account [default: false]
    #[arg(long, env = "SIGNUP_ENABLED", help_heading = "Identity")]
    pub signup_enabled: Option<String>,

    /// How often a server is asked for its status, in milliseconds [default: 60000]
    #[arg(long, env = "PROBE_INTERVAL", help_heading = "Servers")]
    pub probe_interval: Option<String>,

    /// After this long a start, stop, restart or pull is ended on the host, in milliseconds [default: 900000]
    #[arg(long, env = "OPERATION_TIMEOUT", help_heading = "Servers")]
    pub operation_timeout: Option<String>,
}

/// Where the rows are: every command that reads or writes them takes this.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Database")]
pub struct DatabaseArgs {
    /// Such as `postgres://user:password@host:5432/name` [default: a private Postgres in the data directory]
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_parser = secret)]
    pub database_url: Option<Secret<String>>,
    /// Host of the database, instead of a URL; a path is the folder of its Unix socket
    #[arg(long, env = "DB_HOST")]
    pub db_host: Option<String>,
    /// [default: 5432]
    #[arg(long, env = "DB_PORT")]
    pub db_port: Option<String>,
    /// [default: quaymaster]
    #[arg(long, env = "DB_USER")]
    pub db_user: Option<String>,
    /// [default: none]
    #[arg(long, env = "DB_PASSWORD", hide_env_values = true, value_parser = secret)]
    pub db_password: Option<Secret<String>>,
    /// [default: quaymaster]
    #[arg(long, env = "DB_NAME")]
    pub db_name: Option<String>,
    /// TLS to the database: disable, prefer, require or verify-full [default: prefer]
    #[arg(long, env = "DB_SSL")]
    pub db_ssl: Option<String>,
    /// File with the certificates that verify-full trusts [default: the public ones]
    #[arg(long, env = "DB_SSL_ROOT_CERT")]
    pub db_ssl_root_cert: Option<String>,
    /// Folder for the embedded database and generated secrets [default: ./data in a checkout]
    ///
    /// Elsewhere the default is /var/lib/quaymaster for root and quaymaster in the user's own data directory for others.
    #[arg(long, env = "DATA_DIR")]
    pub data_dir: Option<String>,
    /// Folder of the programs of Postgres, for the embedded database [default: looked for]
    #[arg(long, env = "POSTGRES_BIN")]
    pub postgres_bin: Option<String>,
}

/// What is logged and where to.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Log")]
pub struct LogArgs {
    /// error, warn, info, debug or trace; or by module: `info,quaymaster::remote=debug` [default: info]
    #[arg(long, env = "LOG_LEVEL")]
    pub log_level: Option<String>,
    /// File that the log is appended to as well [default: none]
    #[arg(long, env = "LOG_FILE")]
    pub log_file: Option<String>,
    /// text, json or auto: text on a terminal and json otherwise [default: auto]
    #[arg(long, env = "LOG_FORMAT")]
    pub log_format: Option<String>,
}

#[expect(clippy::unnecessary_wraps, reason = "a value parser of clap may fail")]
fn secret(text: &str) -> Result<Secret<String>, Infallible> {
    Ok(text.into())
}
