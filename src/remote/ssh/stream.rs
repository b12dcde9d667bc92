//! A byte stream over a channel: to a Unix socket on the host, or to a command's stdin and stdout.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf as _, Bytes};
use russh::{ChannelStream, client::Msg};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    channel::OpenChannel,
    error::{Error, Step},
    pool::Lease,
};

/// Whether a stream may be on a connection with others.
///
/// The SSH library stops reading a connection while one of its channels is not read. So a stream whose reader may be slow
/// (a person's browser at the end of it, say) gets a connection of its own, and only short exchanges share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// The caller reads all that comes, at once.
    Shared,
    /// Costs a connection (some 25 ms and 80 kB), closed with the stream.
    Own,
}

/// Reads and writes bytes. Dropping it closes the channel.
pub struct ByteStream {
    stream: ChannelStream<Msg>,
    /// What came before it became a stream.
    first: Bytes,
    _lease: Lease,
}

impl ByteStream {
    pub(super) fn new(channel: OpenChannel, first: Bytes) -> Result<Self, Error> {
        let (channel, lease) = channel.into_parts().ok_or(Error::Closed { step: Step::Channel })?;
        Ok(Self { stream: channel.into_stream(), first, _lease: lease })
    }
}

impl AsyncRead for ByteStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let length = self.first.len().min(buffer.remaining());
        buffer.put_slice(self.first.get(..length).unwrap_or_default());
        self.first.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ByteStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // The library takes an empty write for a mistake; elsewhere it is none.
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
