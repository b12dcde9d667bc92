//! Every statement on `users`, `sessions`, `refresh_tokens` and `login_failures`.

use std::{collections::HashMap, time::Duration};

use sqlx::{PgConnection, postgres::types::PgInterval, types::Json, types::ipnet::IpNet};
use uuid::Uuid;

use super::{Authority, ProjectRole, Role, User};
use crate::platform::{
    Error, Result, Timestamp,
    error::on_constraint,
    id::{ProjectId, SessionId, UserId},
};

macro_rules! user {
    ($row:expr) => {
        User {
            id: UserId($row.id),
            username: $row.username,
            email: $row.email,
            name: $row.name,
            role: $row.role,
            is_enabled: $row.is_enabled,
            created_at: $row.created_at,
            updated_at: $row.updated_at,
            last_login_at: $row.last_login_at,
        }
    };
}

pub async fn list(db: &mut PgConnection) -> Result<Vec<User>> {
    let rows = sqlx::query!(
        r#"select id, username, email, name, role as "role: Role", is_enabled, created_at, updated_at, last_login_at
           from users order by lower(username) limit 10000"#
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| user!(row)).collect())
}

pub async fn find(db: &mut PgConnection, id: UserId) -> Result<Option<User>> {
    let row = sqlx::query!(
        r#"select id, username, email, name, role as "role: Role", is_enabled, created_at, updated_at, last_login_at
           from users where id = $1"#,
        id.0
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| user!(row)))
}

/// By username or e-mail address, in any case, with the password's hash.
pub async fn find_by_name(db: &mut PgConnection, name: &str) -> Result<Option<(User, String)>> {
    let row = sqlx::query!(
        r#"select id, username, email, name, role as "role: Role", is_enabled, created_at, updated_at, last_login_at,
                  password_hash
           from users where lower(username) = lower($1) or lower(email) = lower($1)
           order by (lower(username) = lower($1)) desc limit 1"#,
        name
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| {
        let hash = row.password_hash.clone();
        (user!(row), hash)
    }))
}

pub async fn password_hash(db: &mut PgConnection, id: UserId) -> Result<Option<String>> {
    Ok(sqlx::query_scalar!("select password_hash from users where id = $1", id.0).fetch_optional(db).await?)
}

pub async fn is_empty(db: &mut PgConnection) -> Result<bool> {
    let any = sqlx::query_scalar!(r#"select exists (select 1 from users) as "any!""#).fetch_one(db).await?;
    Ok(!any)
}

/// Makes the callers of this transaction wait for each other.
pub async fn lock_accounts(db: &mut PgConnection) -> Result<()> {
    sqlx::query!("lock table users in share row exclusive mode").execute(db).await?;
    Ok(())
}

fn taken(error: sqlx::Error) -> Error {
    on_constraint(error, |constraint| match constraint {
        "users_username_key" => {
            Some(Error::conflict("user.username_taken", "another user has this username"))
        }
        "users_email_key" => {
            Some(Error::conflict("user.email_taken", "another user has this e-mail address"))
        }
        _ => None,
    })
}

pub async fn insert(db: &mut PgConnection, user: &User, password_hash: &str) -> Result<()> {
    sqlx::query!(
        "insert into users (id, username, email, name, role, is_enabled, password_hash, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        user.id.0,
        user.username,
        user.email,
        user.name,
        user.role as Role,
        user.is_enabled,
        password_hash,
        user.created_at,
        user.updated_at,
    )
    .execute(db)
    .await
    .map_err(taken)?;
    Ok(())
}

pub async fn update(db: &mut PgConnection, user: &User) -> Result<()> {
    sqlx::query!(
        "update users set username = $2, email = $3, name = $4, role = $5, is_enabled = $6, updated_at = $7 where id = $1",
        user.id.0,
        user.username,
        user.email,
        user.name,
        user.role as Role,
        user.is_enabled,
        user.updated_at,
    )
    .execute(db)
    .await
    .map_err(taken)?;
    Ok(())
}

/// Another password in the place of the one that was verified. False: it is another one already, or the session has ended.
pub async fn replace_password(
    db: &mut PgConnection,
    id: UserId,
    session: SessionId,
    verified: &str,
    hash: &str,
    at: Timestamp,
) -> Result<bool> {
    let done = sqlx::query!(
        "update users set password_hash = $4, updated_at = $5
         where id = $1 and password_hash = $3 and is_enabled
           and exists (select 1 from sessions s where s.id = $2 and s.revoked_at is null)",
        id.0,
        session.0,
        verified,
        hash,
        at,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn set_password(db: &mut PgConnection, id: UserId, hash: &str, at: Timestamp) -> Result<()> {
    sqlx::query!("update users set password_hash = $2, updated_at = $3 where id = $1", id.0, hash, at)
        .execute(db)
        .await?;
    Ok(())
}

pub async fn delete(db: &mut PgConnection, id: UserId) -> Result<()> {
    sqlx::query!("delete from users where id = $1", id.0).execute(db).await?;
    Ok(())
}

/// How many enabled administrators there are besides `id`.
pub async fn other_admins(db: &mut PgConnection, id: UserId) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from users where role = 'admin' and is_enabled and id <> $1"#,
        id.0
    )
    .fetch_one(db)
    .await?;
    Ok(count)
}

/// Notes a sign-in with the password that `verified` is the hash of. False: the account is disabled, or has another one
/// by now. Until the transaction ends, it keeps both.
pub async fn signed_in(db: &mut PgConnection, id: UserId, verified: &str, at: Timestamp) -> Result<bool> {
    let done = sqlx::query!(
        "update users set last_login_at = $3 where id = $1 and password_hash = $2 and is_enabled",
        id.0,
        verified,
        at,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether the account has signed in from this network since.
pub async fn has_signed_in_from(
    db: &mut PgConnection,
    user: UserId,
    network: IpNet,
    since: Timestamp,
) -> Result<bool> {
    let known = sqlx::query_scalar!(
        r#"select exists (select 1 from sessions
                           where user_id = $1 and created_at > $3 and ip_address::inet <<= $2) as "known!""#,
        user.0,
        network as IpNet,
        since,
    )
    .fetch_one(db)
    .await?;
    Ok(known)
}

/// A session that may be used, with what decides about its user's rights.
pub struct LiveSession {
    pub user: User,
    pub authority: Authority,
    pub last_seen_at: Timestamp,
}

pub async fn live_session(
    db: &mut PgConnection,
    session: SessionId,
    user: UserId,
    now: Timestamp,
) -> Result<Option<LiveSession>> {
    let row = sqlx::query!(
        r#"select u.id, u.username, u.email, u.name, u.role as "role: Role", u.is_enabled, u.created_at, u.updated_at,
                  u.last_login_at, s.last_seen_at,
                  coalesce((select jsonb_object_agg(m.project_id, m.role) from project_members m where m.user_id = u.id),
                           '{}') as "projects!: Json<HashMap<Uuid, ProjectRole>>"
           from sessions s join users u on u.id = s.user_id
           where s.id = $1 and u.id = $2 and s.revoked_at is null and s.expires_at > $3 and u.is_enabled"#,
        session.0,
        user.0,
        now,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| {
        let projects = row.projects.0.iter().map(|(id, role)| (ProjectId(*id), *role)).collect();
        let last_seen_at = row.last_seen_at;
        let user = user!(row);
        LiveSession { authority: Authority { role: user.role, projects }, user, last_seen_at }
    }))
}

pub struct NewSession<'a> {
    pub id: SessionId,
    pub user: UserId,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub ip_address: Option<String>,
    pub user_agent: Option<&'a str>,
}

pub async fn insert_session(db: &mut PgConnection, session: &NewSession<'_>) -> Result<()> {
    sqlx::query!(
        "insert into sessions (id, user_id, created_at, last_seen_at, expires_at, ip_address, user_agent)
         values ($1, $2, $3, $3, $4, $5, $6)",
        session.id.0,
        session.user.0,
        session.created_at,
        session.expires_at,
        session.ip_address,
        session.user_agent,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn touch_session(db: &mut PgConnection, session: SessionId, now: Timestamp) -> Result<()> {
    sqlx::query!("update sessions set last_seen_at = $2 where id = $1", session.0, now).execute(db).await?;
    Ok(())
}

/// Whose session it was, if it had not ended before.
pub async fn end_session(db: &mut PgConnection, session: SessionId, at: Timestamp) -> Result<Option<UserId>> {
    let user = sqlx::query_scalar!(
        "update sessions set revoked_at = $2 where id = $1 and revoked_at is null returning user_id",
        session.0,
        at
    )
    .fetch_optional(db)
    .await?;
    Ok(user.map(UserId))
}

/// Ends the sessions of a user, but for `except`.
pub async fn end_sessions(
    db: &mut PgConnection,
    user: UserId,
    except: Option<SessionId>,
    at: Timestamp,
) -> Result<()> {
    sqlx::query!(
        "update sessions set revoked_at = $2
         where user_id = $1 and revoked_at is null and ($3::uuid is null or id <> $3)",
        user.0,
        at,
        except.map(|session| session.0),
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn insert_refresh_token(
    db: &mut PgConnection,
    hash: &[u8],
    session: SessionId,
    at: Timestamp,
) -> Result<()> {
    sqlx::query!(
        "insert into refresh_tokens (token_hash, session_id, issued_at) values ($1, $2, $3)",
        hash,
        session.0,
        at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A refresh token, locked until the transaction ends.
pub struct RefreshToken {
    pub session: SessionId,
    pub user: UserId,
    pub issued_at: Timestamp,
    pub is_used: bool,
}

pub async fn lock_refresh_token(db: &mut PgConnection, hash: &[u8]) -> Result<Option<RefreshToken>> {
    let row = sqlx::query!(
        r#"select t.session_id, s.user_id, t.issued_at, t.used_at is not null as "is_used!"
           from refresh_tokens t join sessions s on s.id = t.session_id
           where t.token_hash = $1 for update of t"#,
        hash
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| RefreshToken {
        session: SessionId(row.session_id),
        user: UserId(row.user_id),
        issued_at: row.issued_at,
        is_used: row.is_used,
    }))
}

pub async fn use_refresh_token(db: &mut PgConnection, hash: &[u8], at: Timestamp) -> Result<()> {
    sqlx::query!("update refresh_tokens set used_at = $2 where token_hash = $1", hash, at)
        .execute(db)
        .await?;
    Ok(())
}

/// How a counter stands.
pub struct Count {
    /// Attempts in a row that failed or are not decided, the last included.
    pub failures: i32,
    /// Those that are not decided.
    pub pending: i32,
    pub blocked_until: Option<Timestamp>,
}

/// Counts an attempt as failed, and as not decided. The row is locked until the transaction ends.
pub async fn count_attempt(
    db: &mut PgConnection,
    key: &[u8],
    now: Timestamp,
    memory: Duration,
) -> Result<Count> {
    let memory = PgInterval::try_from(memory)
        .map_err(|error| Error::internal("count an attempt to sign in", error))?;
    let count = sqlx::query_as!(
        Count,
        "insert into login_failures as f (key, failures, pending, last_at) values ($1, 1, 1, $2)
         on conflict on constraint login_failures_pkey do update
         set failures = case when f.last_at < $2 - $3::interval then 1 else least(f.failures, 1000000) + 1 end,
             pending = case when f.last_at < $2 - $3::interval then 1 else least(f.pending, 1000000) + 1 end,
             last_at = $2
         returning failures, pending, blocked_until",
        key,
        now,
        memory,
    )
    .fetch_one(db)
    .await?;
    Ok(count)
}

/// One counted attempt did fail.
pub async fn decide_attempt(db: &mut PgConnection, key: &[u8]) -> Result<()> {
    sqlx::query!("update login_failures set pending = greatest(pending - 1, 0) where key = $1", key)
        .execute(db)
        .await?;
    Ok(())
}

pub async fn block(db: &mut PgConnection, key: &[u8], until: Timestamp) -> Result<()> {
    sqlx::query!("update login_failures set blocked_until = $2 where key = $1", key, until)
        .execute(db)
        .await?;
    Ok(())
}

pub async fn clear_failures(db: &mut PgConnection, key: &[u8]) -> Result<()> {
    sqlx::query!("delete from login_failures where key = $1", key).execute(db).await?;
    Ok(())
}

/// Takes back one counted attempt, and the wait that it brought.
pub async fn take_back_attempt(db: &mut PgConnection, key: &[u8], block: Option<Timestamp>) -> Result<()> {
    sqlx::query!(
        "update login_failures set failures = greatest(failures - 1, 0), pending = greatest(pending - 1, 0),
                                   blocked_until = nullif(blocked_until, $2)
         where key = $1",
        key,
        block,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes what is of no use any more; bounded, so that a sweep never holds the tables for long.
pub async fn sweep(db: &mut PgConnection, before: Timestamp) -> Result<u64> {
    let sessions = sqlx::query!(
        "delete from sessions where id in (select id from sessions where expires_at < $1 limit 1000)",
        before
    )
    .execute(&mut *db)
    .await?;
    let failures = sqlx::query!(
        "delete from login_failures where key in (select key from login_failures where last_at < $1 limit 1000)",
        before
    )
    .execute(db)
    .await?;
    Ok(sessions.rows_affected() + failures.rows_affected())
}
