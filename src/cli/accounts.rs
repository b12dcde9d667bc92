//! `user`: accounts from the machine itself, for when nobody can sign in. Everything goes through the same verbs as the
//! API, with the house's own right.

use std::{
    io::{BufRead, stdin},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use validator::ValidateEmail;

use super::{Failure, environment, output};
use crate::{
    identity::{
        Permit, Role, User,
        ops::accounts::{self, Change, NewUser},
        policy,
        right::UsersManage,
    },
    platform::{Clock, Config, Secret, config::DatabaseArgs, telemetry, token},
    services::Services,
    startup::Engines,
    web::valid,
};

#[derive(Subcommand)]
pub enum Command {
    /// Print all accounts
    List {
        #[command(flatten)]
        database: Box<DatabaseArgs>,
    },
    /// Make an account
    Create {
        /// 1 to 64 letters, digits and . _ - @ +
        username: String,
        /// An administrator, who may do everything
        #[arg(long)]
        admin: bool,
        #[arg(long)]
        email: Option<String>,
        /// The person's name
        #[arg(long, default_value = "")]
        name: String,
        #[command(flatten)]
        password: PasswordArgs,
        #[command(flatten)]
        database: Box<DatabaseArgs>,
    },
    /// Give an account another password, and end its sessions
    ResetPassword {
        /// Username or e-mail address
        user: String,
        #[command(flatten)]
        password: PasswordArgs,
        #[command(flatten)]
        database: Box<DatabaseArgs>,
    },
    /// Let an account sign in again
    Enable {
        /// Username or e-mail address
        user: String,
        #[command(flatten)]
        database: Box<DatabaseArgs>,
    },
    /// Keep an account from signing in, and end its sessions
    Disable {
        /// Username or e-mail address
        user: String,
        #[command(flatten)]
        database: Box<DatabaseArgs>,
    },
}

#[derive(Args)]
pub struct PasswordArgs {
    /// Read the password from the first line of standard input, instead of making one and printing it
    #[arg(long)]
    password_stdin: bool,
}

impl Command {
    fn database(&self) -> &DatabaseArgs {
        match self {
            Self::List { database }
            | Self::Create { database, .. }
            | Self::ResetPassword { database, .. }
            | Self::Enable { database, .. }
            | Self::Disable { database, .. } => database,
        }
    }
}

pub async fn act(command: Command) -> Result<ExitCode, Failure> {
    let mut settings = environment()?;
    settings.database = command.database().clone();
    // Generated secrets are the service's to make: here they would be of no use.
    let config = Config::inspect(&settings)?;
    telemetry::init(&config.log)?;
    let engines = Engines::join(config, Clock::system()).await?;
    let done = perform(&engines.services, command).await;
    engines.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn perform(services: &Services, command: Command) -> Result<(), Failure> {
    let permit = Permit::of_the_house();
    match command {
        Command::List { .. } => list(services, &permit).await,
        Command::Create { username, admin, email, name, password, .. } => {
            let role = if admin { Role::Admin } else { Role::User };
            let new = NewUser { username, email, name, role, is_enabled: true, password: "".into() };
            create(services, &permit, new, &password).await
        }
        Command::ResetPassword { user, password, .. } => {
            let (password, origin) = password.get()?;
            let change = Change { password: Some(password.clone()), ..Change::default() };
            let user = change_by_name(services, &permit, &user, change).await?;
            output::say(&format!("the password of {} is changed; its sessions are ended", user.username));
            origin.show(&password);
            Ok(())
        }
        Command::Enable { user, .. } => {
            let change = Change { is_enabled: Some(true), ..Change::default() };
            let user = change_by_name(services, &permit, &user, change).await?;
            output::say(&format!("{} can sign in", user.username));
            Ok(())
        }
        Command::Disable { user, .. } => {
            let change = Change { is_enabled: Some(false), ..Change::default() };
            let user = change_by_name(services, &permit, &user, change).await?;
            output::say(&format!("{} cannot sign in; its sessions are ended", user.username));
            Ok(())
        }
    }
}

async fn list(services: &Services, permit: &Permit<UsersManage>) -> Result<(), Failure> {
    for user in accounts::list(services, permit).await? {
        let role = match user.role {
            Role::Admin => "admin",
            Role::User => "user",
        };
        let state = if user.is_enabled { "enabled" } else { "disabled" };
        let email = user.email.as_deref().unwrap_or("-");
        let seen = user.last_login_at.map_or_else(|| "never".to_owned(), |at| at.to_rfc3339());
        output::say(&format!("{}\t{role}\t{state}\t{email}\t{seen}", user.username));
    }
    Ok(())
}

async fn create(
    services: &Services,
    permit: &Permit<UsersManage>,
    new: NewUser,
    password: &PasswordArgs,
) -> Result<(), Failure> {
    check(&new)?;
    let (password, origin) = password.get()?;
    let user = accounts::add(services, permit, NewUser { password: password.clone(), ..new }).await?;
    output::say(&format!("{} is made", user.username));
    origin.show(&password);
    Ok(())
}

fn check(new: &NewUser) -> Result<(), Failure> {
    let wrong = |what: &str| Err(Failure::Told(what.to_owned()));
    if !policy::is_username(&new.username) {
        return wrong("a username has 1 to 64 letters, digits and . _ - @ + only");
    }
    if new.email.as_ref().is_some_and(|email| !email.validate_email() || email.len() > 254) {
        return wrong("--email is not an e-mail address of at most 254 characters");
    }
    if new.name.chars().count() > 200 || valid::text(&new.name).is_err() {
        return wrong("--name has more than 200 characters, or control characters");
    }
    Ok(())
}

async fn change_by_name(
    services: &Services,
    permit: &Permit<UsersManage>,
    name: &str,
    change: Change,
) -> Result<User, Failure> {
    let user = accounts::find_by_name(services, permit, name).await;
    let user = user.map_err(|error| match error.kind {
        crate::platform::Kind::NotFound => {
            Failure::Told(format!("there is no account {name}: see quaymaster user list"))
        }
        _ => error.into(),
    })?;
    Ok(accounts::change(services, permit, user.id, change).await?)
}

/// Where a password comes from.
#[derive(Clone, Copy)]
enum Origin {
    Given,
    Made,
}

impl Origin {
    /// Whoever gave a password knows it; one that was made is shown this once.
    fn show(self, password: &Secret<String>) {
        match self {
            Self::Given => {}
            Self::Made => output::say(&format!("password: {}", password.expose())),
        }
    }
}

impl PasswordArgs {
    fn get(&self) -> Result<(Secret<String>, Origin), Failure> {
        if !self.password_stdin {
            return Ok((token::random().0, Origin::Made));
        }
        let mut line = String::new();
        stdin()
            .lock()
            .read_line(&mut line)
            .map_err(|error| Failure::Told(format!("standard input cannot be read: {error}")))?;
        let password = line.strip_suffix('\n').unwrap_or(&line);
        Ok((password.strip_suffix('\r').unwrap_or(password).into(), Origin::Given))
    }
}
