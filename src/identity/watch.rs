//! Streams that outlive their request, for as long as their reader may see what they show.
//!
//! Signing out, disabling and a change of rights are signalled on every replica; what is not signalled, like a thing that
//! went to another project, is found out by looking again from time to time.

use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use tokio::time::{Instant, sleep_until};

use super::{CurrentUser, Sight, ops::sessions, policy};
use crate::{
    journal::{Signal, Subscription},
    platform::{
        Error, Kind, Result,
        id::{SessionId, UserId},
    },
    services::Services,
};

/// Rights are read again at least this often, and at once when a signal says that they changed.
const RECHECK_EVERY: Duration = Duration::from_secs(30);

/// Passes `source` on until the session of `caller` ends or `sees` says that the thing is out of its sight. Then, and when
/// that cannot be found out, the error is the last item. When the process stops, the stream ends with it.
pub fn while_allowed<S, F>(
    services: &Services,
    caller: &CurrentUser,
    source: S,
    sees: impl Fn(Sight) -> F + Send + Sync + 'static,
) -> impl Stream<Item = Result<S::Item>> + Send + 'static
where
    S: Stream<Item: Send> + Send + 'static,
    F: Future<Output = Result<()>> + Send + 'static,
{
    let watch = Watch {
        signals: services.bus.subscribe(),
        services: services.clone(),
        user: caller.user.id,
        session: caller.session,
        sees,
        // At once: the session may have ended since the request was let in.
        recheck_at: Instant::now(),
    };
    stream::unfold(Some((Box::pin(source), watch)), |state| async {
        let (mut source, mut watch) = state?;
        let item = watch.next(&mut source).await?;
        let goes_on = item.is_ok();
        Some((item, goes_on.then_some((source, watch))))
    })
}

struct Watch<C> {
    services: Services,
    user: UserId,
    session: SessionId,
    signals: Subscription,
    sees: C,
    recheck_at: Instant,
}

impl<C, F> Watch<C>
where
    C: Fn(Sight) -> F,
    F: Future<Output = Result<()>>,
{
    async fn next<S: Stream + Unpin>(&mut self, source: &mut S) -> Option<Result<S::Item>> {
        loop {
            // In this order: nothing is shown while there is doubt about the reader's rights.
            tokio::select! {
                biased;
                () = self.services.lifecycle.stopping() => return None,
                signal = self.signals.next() => {
                    if signal == Signal::Everything || signal == Signal::Access(self.user) {
                        self.recheck_at = Instant::now();
                    }
                }
                () = sleep_until(self.recheck_at) => {
                    if let Err(error) = self.recheck().await {
                        return Some(Err(error));
                    }
                    self.recheck_at = Instant::now() + RECHECK_EVERY;
                }
                item = source.next() => return item.map(Ok),
            }
        }
    }

    async fn recheck(&self) -> Result<()> {
        let authority = sessions::authority(&self.services, self.session, self.user).await?;
        let authority = authority.ok_or_else(|| {
            Error::new(Kind::Unauthenticated, "auth.session_ended", "this session has ended; sign in again")
        })?;
        (self.sees)(policy::sight(&authority)).await
    }
}
