//! The byte stream to a host that SSH runs over, and the means to cut it.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::{error::Error, target::Target, text};

/// Connects to the first address of the target that answers, all within `limit`.
pub(super) async fn dial(target: &Target, limit: Duration) -> Result<TcpStream, Error> {
    let deadline = Instant::now() + limit;
    let addresses = look_up(target, limit).await?;
    let mut failed = Error::Dns { host: target.address.clone(), detail: "no address".to_owned() };
    for (index, address) in addresses.iter().enumerate() {
        // What is left is shared among the addresses that are left, so that a silent first one does not use it all.
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - index).unwrap_or(1).max(1);
        failed = match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Without it a keystroke waits for the acknowledgement of the one before. Best effort: slower, not wrong.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => explain(target, limit, &error),
            Err(_) => Error::TcpTimeout { at: target.at(), limit },
        };
    }
    Err(failed)
}

async fn look_up(target: &Target, limit: Duration) -> Result<Vec<SocketAddr>, Error> {
    let failed = |detail: String| Error::Dns { host: target.address.clone(), detail };
    let found =
        timeout_at(Instant::now() + limit, tokio::net::lookup_host((target.address.as_str(), target.port)))
            .await
            .map_err(|_| failed("the name server does not answer".to_owned()))?
            .map_err(|error| failed(text::clean(&error.to_string())))?;
    Ok(found.collect())
}

fn explain(target: &Target, limit: Duration, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Error::TcpRefused { at: target.at() },
        io::ErrorKind::TimedOut => Error::TcpTimeout { at: target.at(), limit },
        _ => Error::Unreachable { at: target.at(), detail: text::clean(&error.to_string()) },
    }
}

/// A stream that ends for both sides as soon as its token is cancelled.
///
/// The SSH library reads it in a task of its own, which outlives a caller that gave up; cutting the stream ends that
/// task, whatever state a host has led it into.
pub(super) struct Line<S> {
    stream: S,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<S> Line<S> {
    pub fn new(stream: S, token: CancellationToken) -> Self {
        Self { stream, cut: Box::pin(token.cancelled_owned()) }
    }

    /// Whether the line is cut; else the task is woken when it will be.
    fn is_cut(&mut self, context: &mut Context<'_>) -> bool {
        self.cut.as_mut().poll(context).is_ready()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Line<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_cut(context) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Line<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_cut(context) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_cut(context) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
