//! Connections, shared.
//!
//! Per target (host, revision, and all that leads there) two lanes of shared connections: [`Lane::Control`] for what the
//! engine itself reads to the end at once, [`Lane::Streams`] for output that a caller reads at its own pace. The SSH
//! library stops reading a whole connection while one of its channels is full, so a slow reader must not share one with
//! a probe. A lane's connection is opened once however many ask, by a task that no caller's end can break; further ones
//! only when every session of those there is taken. No lock is held while waiting for the network.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, watch},
    time::timeout,
};

use super::{
    breaker::Breaker,
    connection::{self, Connection},
    error::Error,
    host_key::Fingerprint,
    limits::Limits,
    target::{HostId, Target},
};
use crate::platform::Lifecycle;

/// Which shared connections a channel goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Control,
    Streams,
}

/// What a lease is for. sshd counts sessions, not forwarded streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Session,
    Stream,
}

pub(super) struct Pool {
    pub limits: Limits,
    pub lifecycle: Lifecycle,
    hosts: Mutex<HashMap<Key, Arc<Host>>>,
}

/// Everything that makes two targets the same but the credential, whose change is a new revision.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    host: HostId,
    revision: i64,
    address: String,
    port: u16,
    user: String,
    pin: Option<Fingerprint>,
}

impl Key {
    fn of(target: &Target) -> Self {
        Self {
            host: target.host,
            revision: target.revision,
            address: target.address.clone(),
            port: target.port,
            user: target.user.clone(),
            pin: target.host_key.as_ref().map(|key| key.fingerprint),
        }
    }
}

struct Host {
    state: Mutex<State>,
    /// Something changed for those who wait in line.
    freed: Notify,
    own: Arc<Semaphore>,
}

struct State {
    breaker: Breaker,
    control: LaneState,
    streams: LaneState,
    /// How many sessions a connection carries: the configured number until the host refused one.
    sessions: usize,
}

#[derive(Default)]
struct LaneState {
    connections: Vec<Arc<Shared>>,
    opening: Option<watch::Receiver<Option<Result<(), Error>>>>,
}

/// A connection and who uses it.
struct Shared {
    connection: Connection,
    sessions: Arc<Semaphore>,
    capacity: AtomicUsize,
    /// Sessions that the host has given and that are not closed, and the most that it ever gave at once.
    given: AtomicUsize,
    proven: AtomicUsize,
    usage: Mutex<Usage>,
}

struct Usage {
    leases: usize,
    since: Instant,
}

/// The right to open one channel on a connection, and what keeps it open. Dropping it makes room.
pub(super) struct Lease {
    shared: Arc<Shared>,
    host: Arc<Host>,
    session: Option<OwnedSemaphorePermit>,
    /// Whether the host gave the session.
    given: bool,
    _own: Option<OwnedSemaphorePermit>,
}

/// Why a host does not give a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// More than it allows on one connection.
    OneTooMany,
    /// It gave as many before: one that was closed just now still counts there, or its command lives on.
    NotYetFree,
    /// Not even one.
    Never,
}

/// What to do next for one who wants a lease.
enum Next {
    Use(Lease),
    AwaitOpening(watch::Receiver<Option<Result<(), Error>>>),
    AwaitRoom,
}

impl Pool {
    pub fn new(limits: Limits, lifecycle: Lifecycle) -> Arc<Self> {
        let pool = Arc::new(Self { limits, lifecycle, hosts: Mutex::default() });
        let idle = pool.limits.idle;
        pool.lifecycle.spawn(sweep(Arc::downgrade(&pool), pool.lifecycle.clone(), idle));
        pool
    }

    /// Room for one channel on a shared connection of `lane`, opened if need be.
    pub async fn lease(self: &Arc<Self>, target: &Target, lane: Lane, need: Need) -> Result<Lease, Error> {
        let host = self.host(target);
        let limit = self.limits.queue;
        let waiting = async {
            loop {
                let freed = host.freed.notified();
                tokio::pin!(freed);
                // From here on nothing that becomes free is missed.
                freed.as_mut().enable();
                match self.next(&host, target, lane, need)? {
                    Next::Use(lease) => return Ok(lease),
                    Next::AwaitOpening(mut opening) => match opening.wait_for(Option::is_some).await {
                        Ok(outcome) => outcome.clone().unwrap_or(Ok(()))?,
                        // The opening task died: forget it, so that the next round opens anew.
                        Err(_) => lock(&host.state).lane(lane).opening = None,
                    },
                    Next::AwaitRoom => freed.await,
                }
            }
        };
        // The time to open comes on top of the time in line.
        let patience = limit + self.limits.connect + self.limits.handshake + self.limits.auth;
        timeout(patience, waiting).await.unwrap_or(Err(Error::Busy { limit }))
    }

    /// A connection for one stream alone, not shared and closed with it.
    pub async fn own(self: &Arc<Self>, target: &Target) -> Result<Lease, Error> {
        let host = self.host(target);
        lock(&host.state).breaker.check(Instant::now())?;
        let limit = self.limits.queue;
        let own = timeout(limit, host.own.clone().acquire_owned())
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or(Error::Busy { limit })?;
        let opened = connection::open(target, &self.limits).await;
        let mut state = lock(&host.state);
        state.note(opened.as_ref().err());
        let shared = Arc::new(Shared::new(opened?, 1));
        drop(state);
        Ok(Lease::new(shared, host, None, Some(own)))
    }

    /// Drops what is kept for a host. Channels in use end in their own time.
    pub fn forget(&self, host: HostId) {
        lock(&self.hosts).retain(|key, _| key.host != host);
    }

    /// Lets the next call connect, whatever the last ones met.
    pub fn reset(&self, host: HostId) {
        for (_, entry) in lock(&self.hosts).iter().filter(|(key, _)| key.host == host) {
            lock(&entry.state).breaker.reset();
        }
    }

    /// How many shared connections to a host are open.
    pub fn connections(&self, host: HostId) -> usize {
        let hosts = lock(&self.hosts);
        let of_host = hosts.iter().filter(|(key, _)| key.host == host);
        of_host.map(|(_, entry)| lock(&entry.state).live()).sum()
    }

    fn host(&self, target: &Target) -> Arc<Host> {
        let key = Key::of(target);
        let mut hosts = lock(&self.hosts);
        if let Some(host) = hosts.get(&key) {
            return host.clone();
        }
        // What was kept for an earlier revision is of no use any more.
        hosts.retain(|other, _| other.host != key.host || other.revision > key.revision);
        let host = Arc::new(Host {
            state: Mutex::new(State {
                breaker: Breaker::default(),
                control: LaneState::default(),
                streams: LaneState::default(),
                sessions: self.limits.sessions_per_connection.max(1),
            }),
            freed: Notify::new(),
            own: Arc::new(Semaphore::new(self.limits.own_connections_per_host)),
        });
        hosts.insert(key, host.clone());
        host
    }

    fn next(
        self: &Arc<Self>,
        host: &Arc<Host>,
        target: &Target,
        lane: Lane,
        need: Need,
    ) -> Result<Next, Error> {
        let mut state = lock(&host.state);
        let state = &mut *state;
        let broken = state.breaker.check(Instant::now());
        let entry = state.lane(lane);
        entry.connections.retain(|shared| !shared.connection.handle.is_closed());
        for shared in &entry.connections {
            match need {
                Need::Stream => return Ok(Next::Use(Lease::new(shared.clone(), host.clone(), None, None))),
                Need::Session => {
                    if let Ok(permit) = shared.sessions.clone().try_acquire_owned() {
                        return Ok(Next::Use(Lease::new(shared.clone(), host.clone(), Some(permit), None)));
                    }
                }
            }
        }
        if let Some(opening) = &entry.opening {
            return Ok(Next::AwaitOpening(opening.clone()));
        }
        if !entry.connections.is_empty()
            && (broken.is_err() || entry.connections.len() >= self.limits.connections_per_host)
        {
            return Ok(Next::AwaitRoom);
        }
        broken?;
        let (sender, opening) = watch::channel(None);
        entry.opening = Some(opening.clone());
        self.lifecycle.spawn(open(self.clone(), host.clone(), target.clone(), lane, sender));
        Ok(Next::AwaitOpening(opening))
    }
}

/// Opens a connection for everyone who waits for one, and tells them.
async fn open(
    pool: Arc<Pool>,
    host: Arc<Host>,
    target: Target,
    lane: Lane,
    sender: watch::Sender<Option<Result<(), Error>>>,
) {
    let opened = connection::open(&target, &pool.limits).await;
    let outcome = {
        let mut state = lock(&host.state);
        state.note(opened.as_ref().err());
        let sessions = state.sessions;
        let lane = state.lane(lane);
        lane.opening = None;
        match opened {
            Ok(connection) => {
                lane.connections.push(Arc::new(Shared::new(connection, sessions)));
                Ok(())
            }
            // Those in line behind a connection that works keep waiting for it.
            Err(_) if !lane.connections.is_empty() => Ok(()),
            Err(error) => Err(error),
        }
    };
    match &outcome {
        Ok(()) => tracing::debug!(at = target.at(), ?lane, "connected"),
        Err(error) => tracing::debug!(at = target.at(), ?lane, %error, "not connected"),
    }
    sender.send_replace(Some(outcome));
    host.freed.notify_waiters();
}

/// Closes what nobody used for a while, until shutdown or until the engine is gone.
async fn sweep(pool: Weak<Pool>, lifecycle: Lifecycle, idle: Duration) {
    let mut ticks =
        tokio::time::interval((idle / 4).clamp(Duration::from_millis(50), Duration::from_secs(30)));
    while lifecycle.until_stopping(ticks.tick()).await.is_some() {
        let Some(pool) = pool.upgrade() else { return };
        let now = Instant::now();
        lock(&pool.hosts).retain(|_, host| {
            let mut state = lock(&host.state);
            for lane in [Lane::Control, Lane::Streams] {
                state.lane(lane).connections.retain(|shared| !shared.is_idle(now, idle));
            }
            // Others who hold it may be about to put a connection into it.
            Arc::strong_count(host) > 1 || state.live() > 0 || !state.breaker.is_quiet(now)
        });
    }
}

impl State {
    fn lane(&mut self, lane: Lane) -> &mut LaneState {
        match lane {
            Lane::Control => &mut self.control,
            Lane::Streams => &mut self.streams,
        }
    }

    fn live(&self) -> usize {
        let all = self.control.connections.iter().chain(&self.streams.connections);
        all.filter(|shared| !shared.connection.handle.is_closed()).count()
    }

    fn note(&mut self, failure: Option<&Error>) {
        match failure {
            None => self.breaker.reset(),
            Some(error) => self.breaker.failed(Instant::now(), error.clone(), rand::random()),
        }
    }
}

impl Shared {
    fn new(connection: Connection, sessions: usize) -> Self {
        Self {
            connection,
            sessions: Arc::new(Semaphore::new(sessions)),
            capacity: AtomicUsize::new(sessions),
            given: AtomicUsize::new(0),
            proven: AtomicUsize::new(0),
            usage: Mutex::new(Usage { leases: 0, since: Instant::now() }),
        }
    }

    fn is_idle(&self, now: Instant, idle: Duration) -> bool {
        let usage = lock(&self.usage);
        usage.leases == 0 && now.saturating_duration_since(usage.since) >= idle
    }
}

impl Lease {
    fn new(
        shared: Arc<Shared>,
        host: Arc<Host>,
        session: Option<OwnedSemaphorePermit>,
        own: Option<OwnedSemaphorePermit>,
    ) -> Self {
        lock(&shared.usage).leases += 1;
        Self { shared, host, session, given: false, _own: own }
    }

    pub fn connection(&self) -> &Connection {
        &self.shared.connection
    }

    /// Takes the connection out of the pool: it is broken. Other channels on it end in their own time.
    pub fn retire(&self) {
        let mut state = lock(&self.host.state);
        for lane in [Lane::Control, Lane::Streams] {
            state.lane(lane).connections.retain(|other| !Arc::ptr_eq(other, &self.shared));
        }
    }

    /// The host opened the channel; forwarded streams are not counted.
    pub fn note_given(&mut self) {
        if self.session.is_none() {
            return;
        }
        self.given = true;
        let given = self.shared.given.fetch_add(1, Ordering::Relaxed) + 1;
        self.shared.proven.fetch_max(given, Ordering::Relaxed);
    }

    /// The host refused the session. What that means, and what was learned, is kept.
    pub fn note_refused(&mut self) -> Refusal {
        let proven = self.shared.proven.load(Ordering::Relaxed);
        if self.shared.given.load(Ordering::Relaxed) < proven {
            return Refusal::NotYetFree;
        }
        // Never below what it gave: a refusal can come late, when the sessions that caused it are gone.
        let floor = proven.max(1);
        let shrunk = self.shared.capacity.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |capacity| {
            (capacity > floor).then(|| capacity - 1)
        });
        let (Ok(capacity), Some(session)) = (shrunk, self.session.take()) else {
            return if proven > 0 { Refusal::NotYetFree } else { Refusal::Never };
        };
        session.forget();
        let mut state = lock(&self.host.state);
        state.sessions = state.sessions.min(capacity - 1);
        Refusal::OneTooMany
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.given {
            self.shared.given.fetch_sub(1, Ordering::Relaxed);
        }
        drop(self.session.take());
        {
            let mut usage = lock(&self.shared.usage);
            usage.leases = usage.leases.saturating_sub(1);
            usage.since = Instant::now();
        }
        self.host.freed.notify_waiters();
    }
}

/// A panic elsewhere leaves no half-made state under these locks: each section is a few plain assignments.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
