//! Opening a channel on a pooled connection, and closing it whatever happens.

use std::{sync::Arc, time::Duration};

use russh::{Channel, ChannelMsg, ChannelOpenFailure, client::Msg};
use tokio::{sync::oneshot, time::timeout};

use super::{
    error::{Error, Step},
    pool::{Lane, Lease, Need, Pool, Refusal},
    target::Target,
};
use crate::platform::Lifecycle;

/// sshd frees a closed session only once it handled all that it had read, so one that is opened right behind the closing
/// of another can be refused. This is how long to wait then, and how often before the connection is given up.
const PAUSE: Duration = Duration::from_millis(20);
const MAX_PAUSES: usize = 10;
/// For telling the host that a channel is closed.
const CLOSE: Duration = Duration::from_secs(5);

/// What to open.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Session,
    /// OpenSSH's `direct-streamlocal@openssh.com`, to a Unix socket on the host.
    Unix(String),
}

/// Over which connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Over {
    Shared(Lane),
    Own,
}

/// An open channel. Dropping it closes it on the host and makes room in the pool.
pub(super) struct OpenChannel {
    inner: Option<(Channel<Msg>, Lease)>,
    lifecycle: Lifecycle,
}

/// Why one try failed, and whether another connection may do better.
enum Failed {
    Refused(Lease, ChannelOpenFailure),
    /// The connection ended, or does not answer. Nothing was begun on it.
    Broken(Error),
}

/// Opens a channel. A connection that turns out to be broken is replaced once; a host that allows fewer sessions than
/// assumed gets the channel over another connection.
pub(super) async fn open(
    pool: &Arc<Pool>,
    target: &Target,
    over: Over,
    kind: &Kind,
) -> Result<OpenChannel, Error> {
    let mut retried = false;
    let mut pauses = 0;
    let mut held = None;
    loop {
        let lease = match (held.take(), over) {
            (Some(lease), _) => lease,
            (None, Over::Shared(lane)) => pool.lease(target, lane, kind.need()).await?,
            (None, Over::Own) => pool.own(target).await?,
        };
        let error = match attempt(pool, lease, kind.clone()).await {
            Ok(channel) => return Ok(channel),
            Err(Failed::Refused(_, reason)) if matches!(kind, Kind::Unix(_)) => {
                return Err(kind.refused(&reason));
            }
            Err(Failed::Refused(mut lease, reason)) => match lease.note_refused() {
                Refusal::OneTooMany => continue,
                Refusal::NotYetFree if pauses < MAX_PAUSES => {
                    pauses += 1;
                    tokio::time::sleep(PAUSE).await;
                    // Kept meanwhile: dropping it would let the next in line run into the same.
                    held = Some(lease);
                    continue;
                }
                Refusal::NotYetFree | Refusal::Never => {
                    pauses = 0;
                    lease.retire();
                    kind.refused(&reason)
                }
            },
            Err(Failed::Broken(error)) => error,
        };
        if std::mem::replace(&mut retried, true) {
            return Err(error);
        }
    }
}

/// In a task of its own: a caller that gives up must not leave a channel that the host opened and nobody closes.
async fn attempt(pool: &Arc<Pool>, mut lease: Lease, kind: Kind) -> Result<OpenChannel, Failed> {
    let (answer, outcome) = oneshot::channel();
    let lifecycle = pool.lifecycle.clone();
    let limit = pool.limits.channel;
    pool.lifecycle.spawn(async move {
        let handle = &lease.connection().handle;
        let opening = async {
            match kind {
                Kind::Session => handle.channel_open_session().await,
                Kind::Unix(path) => handle.channel_open_direct_streamlocal(path).await,
            }
        };
        let opened = match timeout(limit, opening).await {
            Ok(Ok(channel)) => {
                lease.note_given();
                Ok(OpenChannel { inner: Some((channel, lease)), lifecycle })
            }
            Ok(Err(russh::Error::ChannelOpenFailure(reason))) => Err(Failed::Refused(lease, reason)),
            Ok(Err(error)) => {
                lease.retire();
                Err(Failed::Broken(Error::from(error).during(Step::Channel)))
            }
            Err(_) => {
                lease.retire();
                Err(Failed::Broken(Error::Timeout { step: Step::Channel, limit }))
            }
        };
        // If nobody waits any more, dropping it closes it.
        let _ = answer.send(opened);
    });
    outcome.await.unwrap_or(Err(Failed::Broken(Error::Closed { step: Step::Channel })))
}

impl Kind {
    fn need(&self) -> Need {
        match self {
            Self::Session => Need::Session,
            Self::Unix(_) => Need::Stream,
        }
    }

    fn refused(&self, reason: &ChannelOpenFailure) -> Error {
        let what = match self {
            Self::Session => "a session",
            Self::Unix(_) => "a stream to the Unix socket",
        };
        let detail = match reason {
            ChannelOpenFailure::AdministrativelyProhibited => "not allowed by sshd's settings",
            ChannelOpenFailure::ConnectFailed => {
                "not there, not for this account, or not allowed by sshd's settings"
            }
            ChannelOpenFailure::UnknownChannelType => "sshd does not know how",
            ChannelOpenFailure::ResourceShortage => "out of resources",
            ChannelOpenFailure::Other { .. } => "no reason known",
        };
        Error::ChannelRefused { what, detail: detail.to_owned() }
    }
}

impl OpenChannel {
    /// The next message; `None` after the last, or when the connection ended.
    pub async fn wait(&mut self) -> Option<ChannelMsg> {
        self.inner.as_mut()?.0.wait().await
    }

    /// Runs `line` by the account's shell. Its acceptance is the next [`ChannelMsg::Success`].
    pub async fn exec(&self, line: String) -> Result<(), Error> {
        let (channel, _) = self.inner.as_ref().ok_or(Error::Closed { step: Step::Channel })?;
        channel.exec(true, line).await.map_err(|error| Error::from(error).during(Step::Channel))
    }

    /// The channel itself and what keeps its connection, for a stream that closes it on its own.
    pub fn into_parts(mut self) -> Option<(Channel<Msg>, Lease)> {
        self.inner.take()
    }
}

impl Drop for OpenChannel {
    fn drop(&mut self) {
        let Some((channel, lease)) = self.inner.take() else { return };
        self.lifecycle.spawn(async move {
            // Room is made only after the host was told, so that its count is never above ours. A connection that does
            // not take a few bytes in this time is ended by its own inactivity limit.
            let _ = timeout(CLOSE, channel.close()).await;
            drop(lease);
        });
    }
}
