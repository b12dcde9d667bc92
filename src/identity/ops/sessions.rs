//! Signing in and out, and the life of a session.
//!
//! A session lives thirty days at most, and a week unused. Its access token is short-lived and only names it; its refresh
//! token rotates, and one that is used again ends the session, because somebody has a copy.

use std::{net::IpAddr, time::Duration};

use chrono::TimeDelta;
use serde_json::json;

use super::{
    super::{Authority, CurrentUser, User, store},
    attempts::Attempt,
};
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
    let found = store::find_by_name(&mut *services.db.acquire().await?, name).await?;
    let (user, hash) = found.unzip();
    let id = user.as_ref().map(|user| user.id);
    let attempt = Attempt::begin(services, name, id, visitor.address).await?;
    let matches = match services.passwords.verify(password, hash.clone()).await {
        Ok(matches) => matches,
        Err(error) => {
            attempt.abandoned(services).await?;
            return Err(error);
        }
    };
    if let (Some(user), Some(hash), true) = (&user, &hash, matches)
        && let Some(signed_in) = open_session(services, user, hash, &attempt, visitor).await?
    {
        return Ok(signed_in);
    }
    // People type passwords into the name field: a name that is nobody's is not written down.
    let subject = id.map_or(Subject::Nothing, Subject::User);
    let mut tx = services.db.begin().await?;
    attempt.failed(&mut tx).await?;
    let (now, author) = (services.clock.now(), visitor.author(user.as_ref()));
    journal::record(&mut tx, now, &author, Action::LoginFailed, subject, json!({})).await?;
    tx.commit().await?;
    Err(wrong_credentials())
}

/// `None`: the account is disabled, or its password is another one since it was verified.
async fn open_session(
    services: &Services,
    user: &User,
    verified: &str,
    attempt: &Attempt,
    visitor: &Visitor<'_>,
) -> Result<Option<SignedIn>> {
    let now = services.clock.now();
    let session = SessionId::make();
    let (refresh, refresh_hash) = token::random();
    let user_agent = visitor.user_agent.map(|text| text.get(..MAX_USER_AGENT).unwrap_or(text));

    let mut tx = services.db.begin().await?;
    if !store::signed_in(&mut tx, user.id, verified, now).await? {
        return Ok(None);
    }
    attempt.succeeded(&mut tx).await?;
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
    let author = visitor.author(Some(user));
    journal::record(&mut tx, now, &author, Action::Login, Subject::User(user.id), json!({})).await?;
    let live = live(&mut tx, session, user.id, now).await?;
    tx.commit().await?;
    signed_in(services, live, session, refresh, now).map(Some)
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

/// What the user of a session may do now; `None` when the session has ended. For streams, which outlive their request.
pub async fn authority(services: &Services, session: SessionId, user: UserId) -> Result<Option<Authority>> {
    let mut db = services.db.acquire().await?;
    let live = store::live_session(&mut db, session, user, services.clock.now()).await?;
    Ok(live.map(|live| live.authority))
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
