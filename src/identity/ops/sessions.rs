//! Signing in and out, and the life of a session.
//!
//! A session lives thirty days at most, and a week unused. Its access token is short-lived and only names it; its refresh
//! token rotates, and one that is used again ends the session, because somebody has a copy.

use std::{net::IpAddr, time::Duration};

use chrono::TimeDelta;
use serde_json::json;

use super::super::{Authority, CurrentUser, User, store, throttle};
use crate::{
    journal::{self, Action, Author, Signal, Subject},
    platform::{
        Error, Result, Secret, Timestamp,
        id::{SessionId, UserId},
        token,
    },
    services::Services,
};

const SESSION_LIFE: TimeDelta = TimeDelta::days(30);
const REFRESH_LIFE: TimeDelta = TimeDelta::days(7);
/// `last_seen_at` is a courtesy: writing it at every request would cost more than it tells.
const SEEN_EVERY: TimeDelta = TimeDelta::minutes(1);
const MAX_USER_AGENT: usize = 400;

/// Where a sign-in comes from.
pub struct Visitor<'a> {
    pub address: Option<IpAddr>,
    pub user_agent: Option<&'a str>,
    pub request_id: String,
}

impl Visitor<'_> {
    fn author(&self, user: Option<&User>) -> Author {
        Author {
            user: user.map(|user| user.id),
            username: user.map(|user| user.username.clone()),
            ip_address: self.address,
            request_id: Some(self.request_id.clone()),
        }
    }
}

/// What a sign-in, or a refresh, gives.
pub struct SignedIn {
    pub user: User,
    pub authority: Authority,
    pub access: String,
    pub access_life: Duration,
    pub refresh: Secret<String>,
    pub refresh_life: Duration,
}

fn wrong_credentials() -> Error {
    Error::unauthenticated("auth.invalid_credentials", "the name or the password is wrong")
}

/// One answer, in one time, for a wrong name, a wrong password and a disabled account.
pub async fn sign_in(
    services: &Services,
    name: &str,
    password: Secret<String>,
    visitor: &Visitor<'_>,
) -> Result<SignedIn> {
    let mut db = services.db.acquire().await?;
    let counters = throttle::counters(name, visitor.address);
    refuse_while_blocked(&mut db, &counters, services.clock.now()).await?;
    let found = store::find_by_name(&mut db, name).await?;
    drop(db);

    let hash = found.as_ref().map(|(_, hash)| hash.clone());
    let matches = services.passwords.verify(password, hash).await?;
    match found.filter(|(user, _)| matches && user.is_enabled) {
        Some((user, _)) => open_session(services, user, &counters, visitor).await,
        None => Err(count_failure(services, name, &counters, visitor).await?),
    }
}

async fn refuse_while_blocked(
    db: &mut sqlx::PgConnection,
    counters: &[throttle::Counter],
    now: Timestamp,
) -> Result<()> {
    let keys: Vec<Vec<u8>> = counters.iter().map(|counter| counter.key.clone()).collect();
    match store::blocked_until(db, &keys).await? {
        Some(until) if until > now => {
            let wait = u64::try_from((until - now).num_seconds()).unwrap_or(0) + 1;
            Err(Error::too_many_requests("auth.too_many_failures", wait))
        }
        Some(_) | None => Ok(()),
    }
}

/// Writes the failure down and gives the error that tells of it.
async fn count_failure(
    services: &Services,
    name: &str,
    counters: &[throttle::Counter],
    visitor: &Visitor<'_>,
) -> Result<Error> {
    let now = services.clock.now();
    let mut tx = services.db.begin().await?;
    for counter in counters {
        let failures = store::count_failure(&mut tx, &counter.key, now, throttle::MEMORY).await?;
        let wait = counter.wait(failures);
        if !wait.is_zero() {
            store::block(&mut tx, &counter.key, now + wait).await?;
        }
    }
    // People type passwords into the name field: a name that is nobody's is not written down.
    let known = store::find_by_name(&mut tx, name).await?.map(|(user, _)| user);
    let subject = known.as_ref().map_or(Subject::Nothing, |user| Subject::User(user.id));
    let author = visitor.author(known.as_ref());
    journal::record(&mut tx, now, &author, Action::LoginFailed, subject, json!({})).await?;
    tx.commit().await?;
    Ok(wrong_credentials())
}

async fn open_session(
    services: &Services,
    user: User,
    counters: &[throttle::Counter],
    visitor: &Visitor<'_>,
) -> Result<SignedIn> {
    let now = services.clock.now();
    let session = SessionId::make();
    let (refresh, refresh_hash) = token::random();
    let user_agent = visitor.user_agent.map(|text| text.get(..MAX_USER_AGENT).unwrap_or(text));

    let mut tx = services.db.begin().await?;
    let cleared = counters.iter().filter(|counter| counter.is_cleared_by_success());
    store::clear_failures(&mut tx, &cleared.map(|counter| counter.key.clone()).collect::<Vec<_>>()).await?;
    let row = store::NewSession {
        id: session,
        user: user.id,
        created_at: now,
        expires_at: now + SESSION_LIFE,
        ip_address: visitor.address.map(|address| address.to_string()),
        user_agent,
    };
    store::insert_session(&mut tx, &row).await?;
    store::insert_refresh_token(&mut tx, &refresh_hash, session, now).await?;
    store::signed_in(&mut tx, user.id, now).await?;
    let author = visitor.author(Some(&user));
    journal::record(&mut tx, now, &author, Action::Login, Subject::User(user.id), json!({})).await?;
    let live = live(&mut tx, session, user.id, now).await?;
    tx.commit().await?;
    signed_in(services, live, session, refresh, now)
}

async fn live(
    db: &mut sqlx::PgConnection,
    session: SessionId,
    user: UserId,
    now: Timestamp,
) -> Result<store::LiveSession> {
    store::live_session(db, session, user, now).await?.ok_or_else(wrong_credentials)
}

fn signed_in(
    services: &Services,
    live: store::LiveSession,
    session: SessionId,
    refresh: Secret<String>,
    now: Timestamp,
) -> Result<SignedIn> {
    Ok(SignedIn {
        access: services.signer.sign(live.user.id.0, session.0, now)?,
        access_life: services.signer.lifetime(),
        refresh,
        refresh_life: REFRESH_LIFE.to_std().unwrap_or_default(),
        user: live.user,
        authority: live.authority,
    })
}

/// A new access token for a refresh token, which is used up. Used again, it ends the session.
pub async fn refresh(services: &Services, token: &str, visitor: &Visitor<'_>) -> Result<SignedIn> {
    let now = services.clock.now();
    let hash = token::hash(token);
    let refused = || Error::unauthenticated("auth.refresh_refused", "this session has ended; sign in again");

    let mut tx = services.db.begin().await?;
    let known = store::lock_refresh_token(&mut tx, &hash).await?.ok_or_else(refused)?;
    if known.is_used {
        end_replayed(&mut tx, &known, visitor, now).await?;
        tx.commit().await?;
        return Err(refused());
    }
    if known.issued_at + REFRESH_LIFE < now {
        return Err(refused());
    }
    let live = store::live_session(&mut tx, known.session, known.user, now).await?.ok_or_else(refused)?;
    let (next, next_hash) = token::random();
    store::use_refresh_token(&mut tx, &hash, now).await?;
    store::insert_refresh_token(&mut tx, &next_hash, known.session, now).await?;
    tx.commit().await?;
    signed_in(services, live, known.session, next, now)
}

async fn end_replayed(
    db: &mut sqlx::PgConnection,
    token: &store::RefreshToken,
    visitor: &Visitor<'_>,
    now: Timestamp,
) -> Result<()> {
    if store::end_session(db, token.session, now).await?.is_none() {
        return Ok(());
    }
    let author = visitor.author(store::find(db, token.user).await?.as_ref());
    tracing::warn!(user = author.username, "a refresh token was used twice: its session is ended");
    let details = json!({"sessionId": token.session});
    journal::record(db, now, &author, Action::RefreshReused, Subject::User(token.user), details).await?;
    journal::notify(db, Signal::Access(token.user)).await
}

/// Ends a session and all its tokens. One that has ended already is fine.
pub async fn sign_out(services: &Services, session: SessionId, visitor: &Visitor<'_>) -> Result<()> {
    let now = services.clock.now();
    let mut tx = services.db.begin().await?;
    if let Some(user) = store::end_session(&mut tx, session, now).await? {
        let author = visitor.author(store::find(&mut tx, user).await?.as_ref());
        journal::record(&mut tx, now, &author, Action::Logout, Subject::User(user), json!({})).await?;
        journal::notify(&mut tx, Signal::Access(user)).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Who an access token stands for, if its session still lives. 401 otherwise, with the reason as code.
pub async fn authenticate(services: &Services, access: &str, visitor: &Visitor<'_>) -> Result<CurrentUser> {
    let now = services.clock.now();
    let claims = services.signer.verify(access, now).map_err(|refused| match refused {
        token::Refused::Expired(_) => {
            Error::unauthenticated("auth.expired", "the token has expired: refresh it")
        }
        token::Refused::Foreign => {
            Error::unauthenticated("auth.invalid_token", "this is not a token of ours")
        }
    })?;
    let (session, user) = (SessionId(claims.sid), UserId(claims.sub));
    let mut db = services.db.acquire().await?;
    let live = store::live_session(&mut db, session, user, now).await?.ok_or_else(|| {
        Error::unauthenticated("auth.session_ended", "this session has ended; sign in again")
    })?;
    if now - live.last_seen_at > SEEN_EVERY {
        store::touch_session(&mut db, session, now).await?;
    }
    let author = visitor.author(Some(&live.user));
    Ok(CurrentUser { user: live.user, session, authority: live.authority, author })
}

/// The session that a token names, even if the token has expired: for signing out.
pub fn session_of(services: &Services, access: &str) -> Option<SessionId> {
    match services.signer.verify(access, services.clock.now()) {
        Ok(claims) | Err(token::Refused::Expired(claims)) => Some(SessionId(claims.sid)),
        Err(token::Refused::Foreign) => None,
    }
}

/// Forgets sessions that ended long ago. A periodic verb: any replica may run it, any number of times.
pub async fn sweep(services: &Services) -> Result<u64> {
    let mut db = services.db.acquire().await?;
    store::sweep(&mut db, services.clock.now() - TimeDelta::days(1)).await
}
