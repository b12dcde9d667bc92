//! What `quaymaster doctor` looks at on this floor: settings, the machine, the database. Looking changes nothing but
//! that an embedded database which does not run is started for the moment.

use std::{
    fs,
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
    path::Path,
};

use super::{
    Clock, Config, Database, Lifecycle, Timestamp,
    config::{ConfigError, DatabaseConfig, ServeArgs},
    db::{
        self, Schema,
        embedded::{Binaries, Cluster, EmbeddedError},
    },
};

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub name: &'static str,
    pub outcome: Outcome,
    /// What is so.
    pub detail: String,
    /// What to do about it; None when nothing need be done.
    pub mend: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Ok,
    /// It works, but not as it should.
    Warn,
    /// `serve` would not start, or not work.
    Fail,
}

/// The oldest server whose functions our statements use.
const OLDEST_POSTGRES: i32 = 13;
/// Expiry times are made by our clock and leases by the database's.
const CLOCKS_DIFFER_MS: i64 = 2_000;

impl Check {
    fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Ok, detail: detail.into(), mend: None }
    }

    fn warn(name: &'static str, detail: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Warn, detail: detail.into(), mend: Some(mend.into()) }
    }

    fn fail(name: &'static str, detail: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Fail, detail: detail.into(), mend: Some(mend.into()) }
    }
}

/// Everything, in the order in which it should be mended.
pub async fn examine(args: &ServeArgs, clock: &Clock, lifecycle: &Lifecycle) -> Vec<Check> {
    let config = match Config::inspect(args) {
        Ok(config) => config,
        Err(error) => return refused_settings(&error),
    };
    let mut checks = vec![Check::ok("settings", "all are of the right form")];
    if let DatabaseConfig::Embedded { data_dir, postgres_bin } = &config.database {
        checks.push(programs(Binaries::all(postgres_bin.as_deref()).await));
        checks.push(writable(data_dir));
    }
    checks.push(port(SocketAddr::new(config.host, config.port)));
    checks.extend(database(&config.database, clock, lifecycle).await);
    checks
}

fn refused_settings(error: &ConfigError) -> Vec<Check> {
    error
        .problems
        .iter()
        .map(|problem| Check::fail("settings", problem.to_string(), format!("correct {}", problem.setting)))
        .collect()
}

fn programs(found: Result<Vec<Binaries>, EmbeddedError>) -> Check {
    const NAME: &str = "PostgreSQL programs";
    let mend = "install it (Debian: apt-get install postgresql), or set POSTGRES_BIN or DATABASE_URL";
    match found {
        Err(error) => Check::fail(NAME, error.to_string(), mend),
        Ok(found) if found.is_empty() => Check::fail(NAME, "none found", mend),
        Ok(found) => {
            let told: Vec<String> =
                found.iter().map(|found| format!("{} in {}", found.major, found.folder.display())).collect();
            Check::ok(NAME, told.join(", "))
        }
    }
}

/// Tried by writing: modes alone do not tell of read-only mounts and full disks.
fn writable(data_dir: &Path) -> Check {
    const NAME: &str = "data directory";
    let shown = data_dir.display();
    let Some(there) = data_dir.ancestors().find(|folder| folder.is_dir()) else {
        return Check::fail(NAME, format!("{shown} is nowhere"), "set DATA_DIR to another place");
    };
    let probe = there.join(format!(".quaymaster-doctor-{}", std::process::id()));
    let written = fs::write(&probe, "x").and_then(|()| fs::remove_file(&probe));
    let us = rustix::process::geteuid().as_raw();
    match written {
        Ok(()) if there == data_dir => Check::ok(NAME, format!("{shown} can be written by user id {us}")),
        Ok(()) => Check::ok(NAME, format!("{shown} will be made by user id {us}")),
        Err(error) => Check::fail(
            NAME,
            format!("{} cannot be written by user id {us}: {error}", there.display()),
            "give it to that user, or set DATA_DIR to another place",
        ),
    }
}

fn port(address: SocketAddr) -> Check {
    const NAME: &str = "port";
    match TcpListener::bind(address) {
        Ok(_) => Check::ok(NAME, format!("{address} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Check::warn(
            NAME,
            format!("{address} is in use"),
            "that is so while Quaymaster runs; if it does not, set PORT to another one",
        ),
        Err(error) => Check::fail(NAME, format!("{address}: {error}"), "set HOST and PORT to others"),
    }
}

async fn database(config: &DatabaseConfig, clock: &Clock, lifecycle: &Lifecycle) -> Vec<Check> {
    const NAME: &str = "database";
    if let DatabaseConfig::Embedded { data_dir, .. } = config
        && !Cluster::exists(data_dir)
    {
        return vec![Check::ok(NAME, "will be made at the first start")];
    }
    let database = match Database::open_or_join(config, lifecycle).await {
        Ok(database) => database,
        // Those sentences say what to do themselves, as far as anybody can.
        Err(error) => {
            return vec![Check { name: NAME, outcome: Outcome::Fail, detail: error.to_string(), mend: None }];
        }
    };
    let checks = look_into(&database, clock).await;
    database.close().await;
    checks.unwrap_or_else(|error| vec![Check::fail(NAME, error.to_string(), "see the database's own log")])
}

async fn look_into(database: &Database, clock: &Clock) -> Result<Vec<Check>, db::DbError> {
    let server = database.server().await?;
    let now = clock.now();
    Ok(vec![version(&server), clocks(server.now, now), schema(database.schema().await?)])
}

fn version(server: &db::Server) -> Check {
    const NAME: &str = "database";
    let detail = format!("PostgreSQL {}", server.version);
    if server.major < OLDEST_POSTGRES {
        Check::fail(NAME, detail, format!("use PostgreSQL {OLDEST_POSTGRES} or later"))
    } else {
        Check::ok(NAME, detail)
    }
}

fn clocks(theirs: Timestamp, ours: Timestamp) -> Check {
    const NAME: &str = "clocks";
    let apart = (theirs - ours).num_milliseconds().abs();
    if apart > CLOCKS_DIFFER_MS {
        Check::warn(
            NAME,
            format!("this machine's and the database's are {apart} ms apart"),
            "set both by NTP: sessions and timers would end early or late",
        )
    } else {
        Check::ok(NAME, "this machine and the database agree")
    }
}

fn schema(schema: Schema) -> Check {
    const NAME: &str = "schema";
    match schema {
        Schema::Current { version } => Check::ok(NAME, format!("at version {version}, the newest")),
        Schema::Older { pending } => Check::warn(
            NAME,
            format!("{pending} migrations are not yet run"),
            "the next start runs them, or: quaymaster migrate",
        ),
        Schema::Newer { theirs, ours } => Check::fail(
            NAME,
            format!("at version {theirs}; this Quaymaster knows up to {ours}"),
            "start the newer Quaymaster, or restore a backup from before it",
        ),
        Schema::Altered { version } => Check::fail(
            NAME,
            format!("migration {version} is not the one that this Quaymaster has"),
            "start the Quaymaster that made this database",
        ),
        Schema::Foreign { version } => Check::fail(
            NAME,
            format!("migration {version} is not known to this Quaymaster"),
            "start the Quaymaster that made this database",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_told_from_one_that_cannot_be() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(port(taken.local_addr().unwrap()).outcome, Outcome::Warn);
        assert_eq!(port("127.0.0.1:0".parse().unwrap()).outcome, Outcome::Ok);
        assert_eq!(port("192.0.2.1:0".parse().unwrap()).outcome, Outcome::Fail);
    }

    #[test]
    fn a_data_directory_that_is_not_there_yet_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let check = writable(&folder.path().join("a/b"));
        assert_eq!(check.outcome, Outcome::Ok, "{check:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert_eq!(writable(Path::new("/proc/nowhere")).outcome, Outcome::Fail);
    }

    #[test]
    fn missing_programs_an_old_server_and_clocks_apart_are_told_with_their_cure() {
        assert!(programs(Ok(Vec::new())).mend.unwrap().contains("apt-get install postgresql"));
        let now = Clock::system().now();
        let server = |major| db::Server { version: format!("{major}.1"), major, now };
        assert_eq!(version(&server(12)).outcome, Outcome::Fail);
        assert_eq!(version(&server(13)).outcome, Outcome::Ok);
        assert_eq!(clocks(now, now + chrono::TimeDelta::seconds(3)).outcome, Outcome::Warn);
        assert_eq!(clocks(now, now).outcome, Outcome::Ok);
    }

    #[tokio::test]
    async fn every_wrong_setting_is_a_check() {
        let args = ServeArgs { port: Some("x".into()), host: Some("x".into()), ..ServeArgs::default() };
        let checks = examine(&args, &Clock::system(), &Lifecycle::new()).await;
        assert_eq!(checks.len(), 2);
        assert!(checks.iter().all(|check| check.outcome == Outcome::Fail && check.mend.is_some()));
    }
}
