//! One reader's stream: what it missed, then what happens, until its session ends.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures_util::{Stream, stream};
use serde_json::json;
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::{Instant, sleep_until},
};

use super::{
    Event, Feed, View,
    policy::{self, MAX_MISSED},
    store,
};
use crate::{
    identity::{Authority, CurrentUser, Role, ops::sessions},
    journal::{Signal, Subscription},
    platform::{
        Result,
        id::{SessionId, UserId},
    },
    services::Services,
    web::{seats::Seat, sse},
};

/// Rights are read again at least this often, and at once when a signal says that they changed.
const RECHECK_EVERY: Duration = Duration::from_secs(30);
/// While the database does not answer.
const RECHECK_AGAIN: Duration = Duration::from_secs(1);

/// Why a stream ends, for its last event.
#[derive(Clone, Copy)]
enum End {
    SessionEnded,
    TooSlow,
    Stopping,
}

impl End {
    fn reason(self) -> &'static str {
        match self {
            Self::SessionEnded => "session_ended",
            Self::TooSlow => "too_slow",
            Self::Stopping => "stopping",
        }
    }
}

pub(super) struct Reader {
    services: Services,
    user: UserId,
    session: SessionId,
    view: View,
    live: broadcast::Receiver<Arc<Event>>,
    signals: Subscription,
    recheck_at: Instant,
    /// What it was shown, or would have been if it could see all.
    position: i64,
    greeting: Option<sse::Event>,
    /// At most [`MAX_MISSED`].
    missed: VecDeque<Event>,
    ended: bool,
    _seat: Seat<UserId>,
}

impl Reader {
    /// `seen` is the position that the reader saw last.
    pub(super) async fn open(
        services: &Services,
        feed: &Feed,
        caller: &CurrentUser,
        seen: Option<i64>,
    ) -> Result<Self> {
        // Before the table is read: what is committed after that comes by the feed, so that nothing falls between.
        let signals = services.bus.subscribe();
        let (live, seat) = feed.subscribe(caller.user.id)?;
        let view = view_of(services, &caller.authority).await?;
        let start = catch_up(services, &view, seen).await?;
        Ok(Self {
            services: services.clone(),
            user: caller.user.id,
            session: caller.session,
            view,
            live,
            signals,
            // At once: the session may have ended since the request was let in.
            recheck_at: Instant::now(),
            position: start.position,
            greeting: Some(start.greeting),
            missed: start.missed,
            ended: false,
            _seat: seat,
        })
    }

    /// Nothing is read ahead: as long as nobody takes the next event, nothing is kept for this reader.
    pub(super) fn into_stream(self) -> impl Stream<Item = sse::Event> {
        stream::unfold(self, |mut reader| async move { Some((reader.next().await?, reader)) })
    }

    async fn next(&mut self) -> Option<sse::Event> {
        while !self.ended {
            if let Some(greeting) = self.greeting.take() {
                return Some(greeting);
            }
            // In this order: nothing is shown while there is doubt about the session.
            tokio::select! {
                biased;
                () = self.services.lifecycle.stopping() => return Some(self.end(End::Stopping)),
                signal = self.signals.next() => {
                    if matches!(signal, Signal::Everything) || signal == Signal::Access(self.user) {
                        self.recheck_at = Instant::now();
                    }
                }
                () = sleep_until(self.recheck_at) => {
                    if let Some(end) = self.recheck().await {
                        return Some(self.end(end));
                    }
                }
                Some(event) = async { self.missed.pop_front() } => {
                    if policy::may_see(&self.view, &event) {
                        return Some(shown(&event));
                    }
                }
                event = self.live.recv() => match event {
                    Ok(event) => {
                        if event.position > self.position && policy::may_see(&self.view, &event) {
                            return Some(shown(&event));
                        }
                    }
                    Err(RecvError::Lagged(_)) => return Some(self.end(End::TooSlow)),
                    Err(RecvError::Closed) => return Some(self.end(End::Stopping)),
                },
            }
        }
        None
    }

    fn end(&mut self, end: End) -> sse::Event {
        self.ended = true;
        sse::Event { id: None, name: "end", data: json!({"reason": end.reason()}).to_string() }
    }

    async fn recheck(&mut self) -> Option<End> {
        let known = match sessions::authority(&self.services, self.session, self.user).await {
            Ok(Some(authority)) => view_of(&self.services, &authority).await,
            Ok(None) => return Some(End::SessionEnded),
            Err(error) => Err(error),
        };
        match known {
            Ok(view) => {
                self.view = view;
                self.recheck_at = Instant::now() + RECHECK_EVERY;
            }
            // Without the database there are no events either.
            Err(error) => {
                tracing::warn!(%error, "a reader's rights cannot be read; trying again");
                self.recheck_at = Instant::now() + RECHECK_AGAIN;
            }
        }
        None
    }
}

fn shown(event: &Event) -> sse::Event {
    sse::Event { id: Some(event.position.to_string()), name: event.kind, data: event.data.to_string() }
}

async fn view_of(services: &Services, authority: &Authority) -> Result<View> {
    match authority.role {
        Role::Admin => Ok(View::Everything),
        Role::User => {
            let projects = authority.projects.keys().copied();
            let mut db = services.db.acquire().await?;
            let servers = store::servers_of(&mut db, projects.clone()).await?;
            Ok(View::Parts { projects: projects.collect(), servers })
        }
    }
}

struct Start {
    position: i64,
    greeting: sse::Event,
    missed: VecDeque<Event>,
}

/// From where a reader goes on. `ready` tells it the position, so that it can come back even before its first event;
/// `reset` likewise, and that it must load anew what it shows.
async fn catch_up(services: &Services, view: &View, seen: Option<i64>) -> Result<Start> {
    let mut db = services.db.acquire().await?;
    let kept = store::kept(&mut db).await?;
    let position = kept.map_or(0, |kept| kept.last);
    let here = |name| sse::Event { id: Some(position.to_string()), name, data: "{}".to_owned() };
    let Some(seen) = seen else {
        return Ok(Start { position, greeting: here("ready"), missed: VecDeque::new() });
    };
    let limit = i64::try_from(MAX_MISSED).unwrap_or(i64::MAX);
    let batch = store::between(&mut db, view, seen, position, limit + 1).await?;
    if !policy::is_whole_after(seen, kept) || batch.is_full {
        return Ok(Start { position, greeting: here("reset"), missed: VecDeque::new() });
    }
    let ready = sse::Event { id: Some(seen.to_string()), name: "ready", data: "{}".to_owned() };
    Ok(Start { position, greeting: ready, missed: batch.events.into() })
}
