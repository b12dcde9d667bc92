//! The command line: `serve`, and what is done beside it.
//!
//! Exit codes: 0 done, 1 failed, 2 not understood (a wrong argument or setting). What went wrong is said on standard
//! error in a sentence that tells what to do. Passwords are never arguments: other users of the machine see those.

mod accounts;
mod health;
mod output;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{
    platform::{
        Clock, Database, Error, Kind, Lifecycle,
        config::{ConfigError, DatabaseArgs, LogArgs, ServeArgs},
        db::{DbError, Schema},
        doctor::{self, Outcome},
        telemetry::{self, TelemetryError},
    },
    routes,
    startup::StartupError,
};

#[derive(Parser)]
#[command(name = "quaymaster", version, about, arg_required_else_help = true, propagate_version = false)]
#[command(
    after_help = "Settings are read from the environment and from a file .env, which never overrides it."
)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service
    Serve(Box<ServeArgs>),
    /// Bring the database's schema up to date and end
    Migrate {
        #[command(flatten)]
        database: Box<DatabaseArgs>,
        #[command(flatten)]
        log: LogArgs,
    },
    /// Print the OpenAPI document
    Openapi,
    /// List and change accounts, also while the service runs
    #[command(subcommand)]
    User(accounts::Command),
    /// Look at settings, machine and database, and say what to mend
    Doctor(Box<ServeArgs>),
    /// Ask the running service whether it can serve, for a container's health check
    Health(health::HealthArgs),
}

/// The settings of `serve`, from the environment alone.
#[derive(Parser)]
struct Environment {
    #[command(flatten)]
    settings: ServeArgs,
}

/// Why a command did not do what it was told.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Settings(#[from] ConfigError),
    #[error("the file .env cannot be read: {0}")]
    EnvFile(String),
    #[error(transparent)]
    Argument(#[from] clap::Error),
    #[error(transparent)]
    Log(#[from] TelemetryError),
    #[error(transparent)]
    Startup(#[from] StartupError),
    #[error(transparent)]
    Database(#[from] DbError),
    #[error("{}", told(.0))]
    Verb(#[from] Error),
    #[error("{0}")]
    Told(String),
}

impl Failure {
    fn code(&self) -> ExitCode {
        match self {
            Self::Settings(_) | Self::EnvFile(_) | Self::Argument(_) => ExitCode::from(2),
            Self::Log(_) | Self::Startup(_) | Self::Database(_) | Self::Verb(_) | Self::Told(_) => {
                ExitCode::FAILURE
            }
        }
    }
}

/// An error of a verb without its code, and with the fields that it refuses.
fn told(error: &Error) -> String {
    let fields: Vec<String> =
        error.fields().iter().map(|field| format!("{}: {}", field.field, field.message)).collect();
    match error.kind {
        Kind::Internal => error.to_string(),
        _ if fields.is_empty() => error.detail.to_string(),
        // The fields say more than "not acceptable".
        _ => fields.join("\n"),
    }
}

/// Does what the arguments of the process say.
pub fn run() -> ExitCode {
    match prepare_and_act() {
        Ok(code) => code,
        Err(Failure::Argument(error)) => error.exit(),
        Err(failure) => {
            output::complain(&failure);
            failure.code()
        }
    }
}

fn prepare_and_act() -> Result<ExitCode, Failure> {
    // Before there are other threads, and before clap reads the environment.
    read_env_file()?;
    let line = Line::try_parse()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Told(format!("no threads can be started: {error}")))?;
    runtime.block_on(act(line.command))
}

fn read_env_file() -> Result<(), Failure> {
    match dotenvy::dotenv() {
        Ok(_) => Ok(()),
        Err(error) if error.not_found() => Ok(()),
        // The line itself may hold a secret.
        Err(dotenvy::Error::LineParse(_, column)) => {
            Err(Failure::EnvFile(format!("a line of it is not NAME=value, at its character {column}")))
        }
        Err(error) => Err(Failure::EnvFile(error.to_string())),
    }
}

async fn act(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Serve(args) => Box::pin(serve::serve(&args)).await,
        Command::Migrate { database, log } => migrate(&database, log).await,
        Command::Openapi => openapi(),
        Command::User(command) => accounts::act(command).await,
        Command::Doctor(args) => Ok(examine(&args).await),
        Command::Health(args) => health::ask(&args).await,
    }
}

fn environment() -> Result<ServeArgs, Failure> {
    let mut settings = Environment::try_parse_from(["quaymaster"])?.settings;
    quieten(&mut settings.log);
    Ok(settings)
}

/// A command that ends by itself says what it did: its log is for what went wrong, unless more is asked for.
fn quieten(log: &mut LogArgs) {
    log.log_level.get_or_insert_with(|| "warn".to_owned());
}

async fn migrate(database: &DatabaseArgs, mut log: LogArgs) -> Result<ExitCode, Failure> {
    quieten(&mut log);
    let (config, log) = (database.database()?, log.read()?);
    telemetry::init(&log)?;
    let lifecycle = Lifecycle::new();
    let database = Database::open_or_join(&config, &lifecycle).await?;
    let migrated = async {
        database.migrate().await?;
        database.schema().await
    };
    let schema = migrated.await;
    database.close().await;
    match schema? {
        Schema::Current { version } => output::say(&format!("the database is at version {version}")),
        other => return Err(Failure::Told(format!("the database is not as expected: {other:?}"))),
    }
    Ok(ExitCode::SUCCESS)
}

fn openapi() -> Result<ExitCode, Failure> {
    let document = routes::document();
    routes::check(&document).map_err(StartupError::from)?;
    let text = serde_json::to_string_pretty(&document);
    output::say(&text.map_err(|error| Failure::Told(format!("the document cannot be written: {error}")))?);
    Ok(ExitCode::SUCCESS)
}

async fn examine(args: &ServeArgs) -> ExitCode {
    let lifecycle = Lifecycle::new();
    let checks = doctor::examine(args, &Clock::system(), &lifecycle).await;
    for check in &checks {
        let word = match check.outcome {
            Outcome::Ok => "ok  ",
            Outcome::Warn => "warn",
            Outcome::Fail => "FAIL",
        };
        output::say(&format!("{word}  {}: {}", check.name, check.detail));
        if let Some(mend) = &check.mend {
            output::say(&format!("      to mend it: {mend}"));
        }
    }
    let failed = checks.iter().any(|check| check.outcome == Outcome::Fail);
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_well_formed() {
        Line::command().debug_assert();
        Environment::command().debug_assert();
    }

    #[test]
    fn no_password_is_an_argument_of_an_account_command() {
        let line = Line::command();
        let user = line.find_subcommand("user").unwrap();
        for command in user.get_subcommands() {
            for argument in command.get_arguments().filter(|argument| argument.get_env().is_none()) {
                let takes_value = argument.get_action().takes_values();
                assert!(!(takes_value && argument.get_id().as_str().contains("password")), "{argument:?}");
            }
        }
    }
}
