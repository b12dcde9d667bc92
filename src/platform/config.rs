//! Configuration: from text to types, once, at the start. What is refused is told all at once, one sentence each: the
//! setting, what is wrong with it, and what would be right.
//!
//! Nothing else reads the environment. Reading changes nothing but the generated secrets, see [`Secrets`].

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    num::NonZeroU32,
    path::PathBuf,
    time::Duration,
};

use ipnet::IpNet;

use super::{Secret, password};

mod args;
mod database;
mod parse;
mod read;
mod secrets;

pub use args::{DatabaseArgs, LogArgs, ServeArgs};
pub use database::DatabaseConfig;
pub use read::{ConfigError, Problem};
pub(super) use secrets::SecretFolder;
pub use secrets::Secrets;

use read::Reader;

/// Everything that `serve` was told.
#[derive(Clone, Debug)]
pub struct Config {
    pub host: IpAddr,
    /// 0 lets the system choose.
    pub port: u16,
    pub base_path: BasePath,
    pub cors: Cors,
    /// Whether browsers at [`Config::cors`] origins may send cookies. Never with [`Cors::Any`].
    pub cors_credentials: bool,
    /// Where people open the dashboard, without a slash at its end. Its origin is among those of `cors`.
    pub frontend_url: Option<String>,
    pub trusted_proxies: Vec<IpNet>,
    pub rate_limit: RateLimit,
    pub database: DatabaseConfig,
    pub data_dir: PathBuf,
    pub secrets: Secrets,
    pub access_token_lifetime: Duration,
    pub first_admin: FirstAdmin,
    pub signup_enabled: bool,
    pub probe_every: Duration,
    /// What is done to an app and takes longer is ended on the host.
    pub operation_timeout: Duration,
    pub log: LogConfig,
}

/// The account that is made while there is none.
#[derive(Clone, Debug)]
pub struct FirstAdmin {
    pub username: String,
    /// None: one is to be generated and printed once.
    pub password: Option<Secret<String>>,
}

/// `requests` per `window`, per address and per user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    pub requests: NonZeroU32,
    pub window: Duration,
}

/// The path that everything hangs under: empty, or with a slash before and none after.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BasePath(String);

/// `scheme://host[:port]`, in the one form that browsers send.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin(String);

/// Which other origins may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cors {
    /// These, beside our own. Empty: none.
    Only(Vec<Origin>),
    Any,
}

#[derive(Clone, Debug)]
pub struct LogConfig {
    /// In the form of `tracing_subscriber::EnvFilter`; known to be well-formed.
    pub level: String,
    pub file: Option<PathBuf>,
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
    /// Text on a terminal, JSON otherwise.
    Auto,
}

impl Config {
    /// Reads the settings; beside an embedded database, generates the secrets that are not there yet.
    pub fn from_args(args: &ServeArgs) -> Result<Self, ConfigError> {
        Self::read(args, Secrets::settle)
    }

    /// Like [`Config::from_args`], but writes nothing: a secret that would be generated is made up for the moment.
    pub fn inspect(args: &ServeArgs) -> Result<Self, ConfigError> {
        Self::read(args, Secrets::inspect)
    }

    fn read(
        args: &ServeArgs,
        secrets: impl FnOnce(&mut Reader, &ServeArgs, &DatabaseConfig, &std::path::Path) -> Secrets,
    ) -> Result<Self, ConfigError> {
        let mut reader = Reader::default();
        let data_dir = args.database.read_data_dir();
        let database = args.database.read(&mut reader, &data_dir);
        let secrets = secrets(&mut reader, args, &database, &data_dir);
        let (cors, cors_credentials, frontend_url) = read_cors(&mut reader, args);
        let config = Self {
            host: reader.read("HOST", args.host.as_deref(), IpAddr::V4(Ipv4Addr::LOCALHOST), |text| {
                text.parse().map_err(|_| "is not an IP address like 127.0.0.1 or ::".to_owned())
            }),
            port: reader
                .read("PORT", args.port.as_deref(), 8080, |text| parse::number(text, &(0..=u16::MAX))),
            base_path: reader.read("BASE_PATH", args.base_path.as_deref(), BasePath::default(), str::parse),
            cors,
            cors_credentials,
            frontend_url,
            trusted_proxies: reader.read(
                "TRUSTED_PROXIES",
                args.trusted_proxies.as_deref(),
                Vec::new(),
                parse::networks,
            ),
            rate_limit: read_rate_limit(&mut reader, args),
            database,
            data_dir,
            secrets,
            access_token_lifetime: reader.read(
                "JWT_EXPIRES_IN",
                args.jwt_expires_in.as_deref(),
                Duration::from_mins(15),
                |text| parse::lifetime(text, Duration::from_secs(10)..=Duration::from_hours(720)),
            ),
            first_admin: read_first_admin(&mut reader, args),
            signup_enabled: reader.read(
                "SIGNUP_ENABLED",
                args.signup_enabled.as_deref(),
                false,
                parse::switch,
            ),
            probe_every: reader.read(
                "PROBE_INTERVAL",
                args.probe_interval.as_deref(),
                Duration::from_mins(1),
                |text| parse::milliseconds(text, 1_000..=86_400_000),
            ),
            operation_timeout: reader.read(
                "OPERATION_TIMEOUT",
                args.operation_timeout.as_deref(),
                Duration::from_mins(15),
                |text| parse::milliseconds(text, 1_000..=86_400_000),
            ),
            log: args.log.read_with(&mut reader),
        };
        reader.finish(config)
    }
}

impl LogArgs {
    /// The log's settings alone, for commands other than `serve`.
    pub fn read(&self) -> Result<LogConfig, ConfigError> {
        let mut reader = Reader::default();
        let log = self.read_with(&mut reader);
        reader.finish(log)
    }

    fn read_with(&self, reader: &mut Reader) -> LogConfig {
        LogConfig {
            level: reader.read("LOG_LEVEL", self.log_level.as_deref(), "info".to_owned(), parse::log_level),
            file: reader.maybe("LOG_FILE", self.log_file.as_deref(), parse::path),
            format: reader.read("LOG_FORMAT", self.log_format.as_deref(), LogFormat::Auto, parse::log_format),
        }
    }
}

fn read_cors(reader: &mut Reader, args: &ServeArgs) -> (Cors, bool, Option<String>) {
    let mut cors =
        reader.read("CORS_ORIGIN", args.cors_origin.as_deref(), Cors::Only(Vec::new()), parse::cors);
    let credentials = reader.read("CORS_CREDENTIALS", args.cors_credentials.as_deref(), false, parse::switch);
    if cors == Cors::Any && credentials {
        reader.refuse(
            "CORS_ORIGIN",
            "is * while CORS_CREDENTIALS is true: then any site could act for a person who is signed in; \
             list the exact origins",
        );
    }
    let frontend = reader.maybe("FRONTEND_URL", args.frontend_url.as_deref(), parse::web_address);
    if let (Cors::Only(origins), Some((_, origin))) = (&mut cors, &frontend)
        && !origins.contains(origin)
    {
        origins.push(origin.clone());
    }
    (cors, credentials, frontend.map(|(address, _)| address))
}

fn read_rate_limit(reader: &mut Reader, args: &ServeArgs) -> RateLimit {
    const REQUESTS: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);
    RateLimit {
        requests: reader.read(
            "RATE_LIMIT_REQUESTS",
            args.rate_limit_requests.as_deref(),
            REQUESTS,
            parse::count,
        ),
        window: reader.read(
            "RATE_LIMIT_WINDOW",
            args.rate_limit_window.as_deref(),
            Duration::from_mins(1),
            |text| parse::milliseconds(text, 1_000..=86_400_000),
        ),
    }
}

fn read_first_admin(reader: &mut Reader, args: &ServeArgs) -> FirstAdmin {
    let username =
        reader.read("ADMIN_USERNAME", args.admin_username.as_deref(), "admin".to_owned(), parse::user_name);
    let password = reader.maybe("ADMIN_PASSWORD", read::exposed(args.admin_password.as_ref()), |text| {
        password::check_length(text)
            .map(|()| Secret::from(text))
            .map_err(|rule| format!("is not acceptable: {rule}"))
    });
    FirstAdmin { username, password }
}

impl BasePath {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Origin {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
