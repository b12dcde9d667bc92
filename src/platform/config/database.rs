//! Which database: an external one by URL or by parts, or the embedded one, and where the data directory is.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::{
    DatabaseArgs, parse,
    read::{ConfigError, Reader, exposed},
};

const ROOTS_DATA_DIR: &str = "/var/lib/quaymaster";

/// Where the rows are.
#[derive(Clone)]
pub enum DatabaseConfig {
    /// A private Postgres in `data_dir`, run by ourselves.
    Embedded {
        data_dir: PathBuf,
        postgres_bin: Option<PathBuf>,
    },
    External(Box<PgConnectOptions>),
}

/// Without the options, which hold the password.
impl fmt::Debug for DatabaseConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded { data_dir, .. } => write!(formatter, "Embedded({})", data_dir.display()),
            Self::External(options) => {
                write!(formatter, "External({}:{})", options.get_host(), options.get_port())
            }
        }
    }
}

impl DatabaseArgs {
    /// The database alone, for commands other than `serve`.
    pub fn database(&self) -> Result<DatabaseConfig, ConfigError> {
        let mut reader = Reader::default();
        let database = self.read(&mut reader, &self.read_data_dir());
        reader.finish(database)
    }

    pub(super) fn read_data_dir(&self) -> PathBuf {
        match self.data_dir.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            // Absolute from here on: Postgres is started in a folder of its own.
            Some(text) => std::path::absolute(text).unwrap_or_else(|_| PathBuf::from(text)),
            None => default_data_dir(&Surroundings::look()),
        }
    }

    pub(super) fn read(&self, reader: &mut Reader, data_dir: &Path) -> DatabaseConfig {
        let url = exposed(self.database_url.as_ref()).filter(|url| !url.trim().is_empty());
        let host = self.db_host.as_deref().filter(|host| !host.trim().is_empty());
        let options = match (url, host) {
            (Some(_), Some(_)) => {
                reader.refuse(
                    "DB_HOST",
                    "is set beside DATABASE_URL, which already names the database: drop DB_HOST and the other DB_* \
                     settings, or drop DATABASE_URL",
                );
                None
            }
            (Some(url), None) => reader.maybe("DATABASE_URL", Some(url), parse_url),
            (None, Some(host)) => Some(self.read_parts(reader, host.trim())),
            (None, None) => {
                self.refuse_parts_without_host(reader);
                None
            }
        };
        match options {
            Some(options) => DatabaseConfig::External(Box::new(self.with_tls(reader, options))),
            None => DatabaseConfig::Embedded {
                data_dir: data_dir.to_owned(),
                postgres_bin: reader.maybe("POSTGRES_BIN", self.postgres_bin.as_deref(), parse::path),
            },
        }
    }

    fn read_parts(&self, reader: &mut Reader, host: &str) -> PgConnectOptions {
        let port = reader
            .read("DB_PORT", self.db_port.as_deref(), 5432, |text| parse::number(text, &(1..=u16::MAX)));
        let text = |given: &Option<String>| {
            given.clone().filter(|text| !text.is_empty()).unwrap_or_else(|| "quaymaster".to_owned())
        };
        let options =
            PgConnectOptions::new().port(port).username(&text(&self.db_user)).database(&text(&self.db_name));
        let options = if host.starts_with('/') { options.socket(host) } else { options.host(host) };
        match exposed(self.db_password.as_ref()).filter(|password| !password.is_empty()) {
            Some(password) => options.password(password),
            None => options,
        }
    }

    /// `DB_USER` alone would silently start the embedded database instead of the one that was meant.
    fn refuse_parts_without_host(&self, reader: &mut Reader) {
        let given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
        let password = exposed(self.db_password.as_ref()).is_some_and(|text| !text.is_empty());
        for (setting, given) in [
            ("DB_PORT", given(&self.db_port)),
            ("DB_USER", given(&self.db_user)),
            ("DB_PASSWORD", password),
            ("DB_NAME", given(&self.db_name)),
        ] {
            if given {
                reader.refuse(setting, "is set without DB_HOST: set that too, or drop it");
            }
        }
    }

    fn with_tls(&self, reader: &mut Reader, mut options: PgConnectOptions) -> PgConnectOptions {
        if let Some(mode) = reader.maybe("DB_SSL", self.db_ssl.as_deref(), parse_tls) {
            options = options.ssl_mode(mode);
        }
        match reader.maybe("DB_SSL_ROOT_CERT", self.db_ssl_root_cert.as_deref(), parse_readable) {
            Some(file) => options.ssl_root_cert(file),
            None => options,
        }
    }
}

fn parse_url(text: &str) -> Result<PgConnectOptions, String> {
    let wrong = "is not a URL like postgres://user:password@host:5432/name";
    if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
        return Err(wrong.to_owned());
    }
    // The cause is left out: it may repeat parts of the URL, which holds the password.
    text.parse().map_err(|_| wrong.to_owned())
}

fn parse_tls(text: &str) -> Result<PgSslMode, String> {
    match text.to_ascii_lowercase().as_str() {
        "disable" | "false" => Ok(PgSslMode::Disable),
        "prefer" => Ok(PgSslMode::Prefer),
        "require" | "true" => Ok(PgSslMode::Require),
        "verify-full" => Ok(PgSslMode::VerifyFull),
        _ => Err("is none of disable, prefer, require, verify-full, true and false".to_owned()),
    }
}

fn parse_readable(text: &str) -> Result<PathBuf, String> {
    match std::fs::File::open(text) {
        Ok(_) => Ok(PathBuf::from(text)),
        Err(error) => Err(format!("names a file that cannot be read: {error}")),
    }
}

/// What the default of `DATA_DIR` depends on.
struct Surroundings {
    here: PathBuf,
    is_checkout: bool,
    /// Whether others than the owner may enter this folder: the embedded database of root runs as somebody else.
    is_open: bool,
    is_root: bool,
    xdg_data_home: Option<PathBuf>,
    home: Option<PathBuf>,
}

impl Surroundings {
    fn look() -> Self {
        use std::os::unix::fs::PermissionsExt;
        let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        Self {
            is_checkout: here.join("Cargo.toml").is_file() && here.join("migrations").is_dir(),
            is_open: here.ancestors().all(|folder| {
                folder.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0)
            }),
            here,
            is_root: rustix::process::geteuid().is_root(),
            xdg_data_home: folder("XDG_DATA_HOME"),
            home: folder("HOME"),
        }
    }
}

fn default_data_dir(around: &Surroundings) -> PathBuf {
    if around.is_checkout && (around.is_open || !around.is_root) {
        return around.here.join("data");
    }
    if around.is_root {
        return PathBuf::from(ROOTS_DATA_DIR);
    }
    let of_home = || around.home.as_ref().map(|home| home.join(".local/share"));
    match around.xdg_data_home.clone().or_else(of_home) {
        Some(folder) => folder.join("quaymaster"),
        None => around.here.join("data"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around() -> Surroundings {
        Surroundings {
            here: "/src/quaymaster".into(),
            is_checkout: false,
            is_open: true,
            is_root: false,
            xdg_data_home: None,
            home: Some("/home/ann".into()),
        }
    }

    #[test]
    fn the_data_directory_is_where_its_user_would_look_for_it() {
        let of = |around: Surroundings| default_data_dir(&around).display().to_string();
        let checkout = || Surroundings { is_checkout: true, ..around() };
        assert_eq!(of(checkout()), "/src/quaymaster/data");
        assert_eq!(of(Surroundings { is_root: true, ..checkout() }), "/src/quaymaster/data");
        let closed = Surroundings { is_root: true, is_open: false, ..checkout() };
        assert_eq!(of(closed), "/var/lib/quaymaster");
        assert_eq!(of(around()), "/home/ann/.local/share/quaymaster");
        let xdg = Surroundings { xdg_data_home: Some("/d".into()), ..around() };
        assert_eq!(of(xdg), "/d/quaymaster");
        assert_eq!(of(Surroundings { is_root: true, ..around() }), "/var/lib/quaymaster");
        assert_eq!(of(Surroundings { home: None, ..around() }), "/src/quaymaster/data");
    }
}
