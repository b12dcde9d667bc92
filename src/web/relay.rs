//! A stream that is read on a task of its own, for a reader who may stop reading.
//!
//! A response is only asked for its next piece when its socket takes more, so one that nobody reads would hold whatever its
//! stream holds, without end. Here the stream goes on by itself into a small buffer, and is let go when that stays full.

use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use tokio::sync::mpsc;

use crate::platform::Lifecycle;

/// Pieces that wait for the reader; then its source waits, too.
const BUFFERED: usize = 64;

/// The stream ended before its time: its reader was too slow, or the process is stopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LetGo;

/// Reads `source` until it ends, nobody reads it any more, or its reader took nothing for `patience`.
pub fn relay<T: Send + 'static>(
    lifecycle: &Lifecycle,
    source: impl Stream<Item = T> + Send + 'static,
    patience: Duration,
) -> impl Stream<Item = Result<T, LetGo>> + Send + 'static {
    let (sender, receiver) = mpsc::channel(BUFFERED);
    let inner = lifecycle.clone();
    lifecycle.spawn(async move { inner.until_stopping(pass_on(source, sender, patience)).await });
    stream::unfold(Some(receiver), |receiver| async {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Some(item)) => Some((Ok(item), Some(receiver))),
            // The source's own end.
            Some(None) => None,
            None => Some((Err(LetGo), None)),
        }
    })
}

async fn pass_on<T>(source: impl Stream<Item = T>, sender: mpsc::Sender<Option<T>>, patience: Duration) {
    let mut source = std::pin::pin!(source);
    loop {
        let item = tokio::select! {
            item = source.next() => item,
            () = sender.closed() => return,
        };
        let is_last = item.is_none();
        if sender.send_timeout(item, patience).await.is_err() || is_last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_read_arrives_whole_and_ends_as_its_source() {
        let lifecycle = Lifecycle::new();
        let numbers = relay(&lifecycle, stream::iter(0..1000), Duration::from_secs(20));
        let seen: Vec<_> = numbers.collect().await;
        assert_eq!(seen, (0..1000).map(Ok).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_source_that_nobody_reads_is_let_go_and_its_reader_is_told() {
        let lifecycle = Lifecycle::new();
        let (held, dropped) = tokio::sync::oneshot::channel::<()>();
        let source = stream::repeat(0).map(move |number| (number, held.is_closed()).0);
        let numbers = relay(&lifecycle, source, Duration::from_millis(20));
        tokio::time::timeout(Duration::from_secs(20), dropped).await.unwrap().unwrap_err();
        let seen: Vec<_> = numbers.collect().await;
        assert_eq!((seen.len(), seen.last()), (BUFFERED + 1, Some(&Err(LetGo))));
    }

    #[tokio::test]
    async fn a_silent_source_is_let_go_with_its_reader() {
        let lifecycle = Lifecycle::new();
        let (held, dropped) = tokio::sync::oneshot::channel::<()>();
        let source = stream::pending::<()>().map(move |()| held.is_closed());
        drop(relay(&lifecycle, source, Duration::from_secs(20)));
        tokio::time::timeout(Duration::from_secs(20), dropped).await.unwrap().unwrap_err();
    }
}
