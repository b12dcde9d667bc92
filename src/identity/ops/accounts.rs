//! Making, changing and removing accounts.
//!
//! There is always an enabled administrator: the last one can be neither disabled, demoted nor removed.

use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::{
    super::{CurrentUser, Permit, Role, User, right::UsersManage, store},
    attempts::Attempt,
};
use crate::{
    journal::{self, Action, Signal, Subject},
    platform::{Error, FieldError, Result, Secret, id::UserId, password},
    services::Services,
};

/// A new account, its fields checked but for the password.
pub struct NewUser {
    pub username: String,
    pub email: Option<String>,
    pub name: String,
    pub role: Role,
    pub is_enabled: bool,
    pub password: Secret<String>,
}

/// What to change; `None` stays as it is.
#[derive(Default)]
pub struct Change {
    pub username: Option<String>,
    /// `Some(None)` takes the address away.
    pub email: Option<Option<String>>,
    pub name: Option<String>,
    pub role: Option<Role>,
    pub is_enabled: Option<bool>,
    pub password: Option<Secret<String>>,
}

pub async fn list(services: &Services, _permit: &Permit<UsersManage>) -> Result<Vec<User>> {
    let mut db = services.db.acquire().await?;
    store::list(&mut db).await
}

pub async fn get(services: &Services, _permit: &Permit<UsersManage>, id: UserId) -> Result<User> {
    let mut db = services.db.acquire().await?;
    existing(&mut db, id).await
}

async fn existing(db: &mut PgConnection, id: UserId) -> Result<User> {
    store::find(db, id).await?.ok_or_else(|| Error::not_found("user"))
}

pub async fn add(services: &Services, permit: &Permit<UsersManage>, new: NewUser) -> Result<User> {
    let (user, hash) = prepare(services, new).await?;
    let mut tx = services.db.begin().await?;
    store::lock_accounts(&mut tx).await?;
    insert(&mut tx, permit, &user, &hash).await?;
    tx.commit().await?;
    Ok(user)
}

async fn insert(db: &mut PgConnection, permit: &Permit<UsersManage>, user: &User, hash: &str) -> Result<()> {
    refuse_names_of_others(db, user).await?;
    store::insert(db, user, hash).await?;
    let details = json!({"username": user.username, "role": user.role, "isEnabled": user.is_enabled});
    journal::record(db, user.created_at, permit.author(), Action::UserCreate, Subject::User(user.id), details)
        .await
}

/// Either name signs in: nobody's username may be another's e-mail address, or the other way round. The caller has locked
/// the accounts.
async fn refuse_names_of_others(db: &mut PgConnection, user: &User) -> Result<()> {
    if store::is_others_email(db, user.id, &user.username).await? {
        return Err(Error::conflict("user.username_taken", "another user has this as e-mail address"));
    }
    if let Some(email) = &user.email
        && store::is_others_username(db, user.id, email).await?
    {
        return Err(Error::conflict("user.email_taken", "another user has this as username"));
    }
    Ok(())
}

async fn prepare(services: &Services, new: NewUser) -> Result<(User, String)> {
    check_password("password", new.password.expose())?;
    let hash = services.passwords.hash(new.password).await?;
    let now = services.clock.now();
    let user = User {
        id: UserId::make(),
        username: new.username,
        email: new.email,
        name: new.name,
        role: new.role,
        is_enabled: new.is_enabled,
        created_at: now,
        updated_at: now,
        last_login_at: None,
    };
    Ok((user, hash))
}

fn check_password(field: &str, password: &str) -> Result<()> {
    password::check_length(password)
        .map_err(|message| Error::invalid(vec![FieldError { field: field.to_owned(), message }]))
}

/// Adds the first administrator if there is no account at all; says whether it did. Safe on any number of replicas.
pub async fn add_first(services: &Services, new: NewUser) -> Result<bool> {
    let mut db = services.db.acquire().await?;
    if !store::is_empty(&mut db).await? {
        return Ok(false);
    }
    drop(db);
    let (user, hash) = prepare(services, new).await?;
    let mut tx = services.db.begin().await?;
    store::lock_accounts(&mut tx).await?;
    let first = store::is_empty(&mut tx).await?;
    if first {
        insert(&mut tx, &Permit::of_the_house(), &user, &hash).await?;
        tx.commit().await?;
    }
    Ok(first)
}

pub async fn change(
    services: &Services,
    permit: &Permit<UsersManage>,
    id: UserId,
    change: Change,
) -> Result<User> {
    let hash = match &change.password {
        Some(password) => {
            check_password("password", password.expose())?;
            Some(services.passwords.hash(password.clone()).await?)
        }
        None => None,
    };
    let now = services.clock.now();
    let mut tx = services.db.begin().await?;
    store::lock_accounts(&mut tx).await?;
    let before = existing(&mut tx, id).await?;
    let after = User { updated_at: now, ..apply(before.clone(), change) };
    keep_an_admin(&mut tx, &before, after.is_enabled && after.role == Role::Admin).await?;
    refuse_names_of_others(&mut tx, &after).await?;
    store::update(&mut tx, &after).await?;
    if let Some(hash) = &hash {
        store::set_password(&mut tx, id, hash, now).await?;
    }
    if hash.is_some() || before.role != after.role || !after.is_enabled {
        store::end_sessions(&mut tx, id, None, now).await?;
        journal::notify(&mut tx, Signal::Access(id)).await?;
    }
    let details = difference(&before, &after, hash.is_some());
    journal::record(&mut tx, now, permit.author(), Action::UserUpdate, Subject::User(id), details).await?;
    tx.commit().await?;
    Ok(after)
}

fn apply(mut user: User, change: Change) -> User {
    if let Some(username) = change.username {
        user.username = username;
    }
    if let Some(email) = change.email {
        user.email = email;
    }
    if let Some(name) = change.name {
        user.name = name;
    }
    if let Some(role) = change.role {
        user.role = role;
    }
    if let Some(is_enabled) = change.is_enabled {
        user.is_enabled = is_enabled;
    }
    user
}

/// For the audit row: each changed field, from and to; of a password only that it changed.
fn difference(before: &User, after: &User, password_changed: bool) -> Value {
    let mut changes = Map::new();
    let mut note = |name: &str, from: Value, to: Value| {
        if from != to {
            changes.insert(name.to_owned(), json!({"from": from, "to": to}));
        }
    };
    note("username", json!(before.username), json!(after.username));
    note("email", json!(before.email), json!(after.email));
    note("name", json!(before.name), json!(after.name));
    note("role", json!(before.role), json!(after.role));
    note("isEnabled", json!(before.is_enabled), json!(after.is_enabled));
    if password_changed {
        changes.insert("password".to_owned(), json!("changed"));
    }
    changes.into()
}

async fn keep_an_admin(db: &mut PgConnection, before: &User, stays_admin: bool) -> Result<()> {
    let was_admin = before.role == Role::Admin && before.is_enabled;
    if was_admin && !stays_admin && store::other_admins(db, before.id).await? == 0 {
        return Err(Error::conflict(
            "user.last_admin",
            "this is the last enabled administrator: make another one first",
        ));
    }
    Ok(())
}

pub async fn remove(services: &Services, permit: &Permit<UsersManage>, id: UserId) -> Result<()> {
    let now = services.clock.now();
    let mut tx = services.db.begin().await?;
    store::lock_accounts(&mut tx).await?;
    let user = existing(&mut tx, id).await?;
    keep_an_admin(&mut tx, &user, false).await?;
    store::delete(&mut tx, id).await?;
    journal::notify(&mut tx, Signal::Access(id)).await?;
    let details = json!({"username": user.username});
    journal::record(&mut tx, now, permit.author(), Action::UserDelete, Subject::User(id), details).await?;
    tx.commit().await?;
    Ok(())
}

/// Changes one's own password and ends one's other sessions.
pub async fn change_own_password(
    services: &Services,
    caller: &CurrentUser,
    current: Secret<String>,
    new: Secret<String>,
) -> Result<()> {
    check_password("newPassword", new.expose())?;
    let id = caller.user.id;
    let known = store::password_hash(&mut *services.db.acquire().await?, id).await?;
    let known = known.ok_or_else(|| Error::not_found("user"))?;
    // Whoever has found an open session may guess here as well as at the door.
    let (name, address) = (&caller.user.username, caller.author.ip_address);
    let attempt = Attempt::begin(services, name, Some(id), address).await?;
    let hashed = match services.passwords.verify(current, Some(known.clone())).await {
        Ok(true) => services.passwords.hash(new).await,
        Ok(false) => return Err(wrong_password(services, caller, &attempt).await?),
        Err(error) => Err(error),
    };
    let hash = match hashed {
        Ok(hash) => hash,
        Err(error) => {
            attempt.abandoned(services).await?;
            return Err(error);
        }
    };

    let now = services.clock.now();
    let mut tx = services.db.begin().await?;
    if !store::replace_password(&mut tx, id, caller.session, &known, &hash, now).await? {
        drop(tx);
        return Err(wrong_password(services, caller, &attempt).await?);
    }
    attempt.succeeded(&mut tx).await?;
    store::end_sessions(&mut tx, id, Some(caller.session), now).await?;
    journal::notify(&mut tx, Signal::Access(id)).await?;
    journal::record(&mut tx, now, &caller.author, Action::PasswordChange, Subject::User(id), json!({}))
        .await?;
    tx.commit().await?;
    Ok(())
}

/// Writes it down and gives the error that tells of it.
async fn wrong_password(services: &Services, caller: &CurrentUser, attempt: &Attempt) -> Result<Error> {
    let mut tx = services.db.begin().await?;
    attempt.failed(&mut tx).await?;
    let (now, subject) = (services.clock.now(), Subject::User(caller.user.id));
    journal::record(&mut tx, now, &caller.author, Action::PasswordChangeFailed, subject, json!({})).await?;
    tx.commit().await?;
    Ok(Error::invalid_field("currentPassword", "is not your present password"))
}

/// By username or e-mail address: for the command line.
pub async fn find_by_name(services: &Services, _permit: &Permit<UsersManage>, name: &str) -> Result<User> {
    let mut db = services.db.acquire().await?;
    let found = store::find_by_name(&mut db, name).await?;
    found.map(|(user, _)| user).ok_or_else(|| Error::not_found("user"))
}
