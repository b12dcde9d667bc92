//! HTTP/1.1 over a dialled stream: one stream per request, so that a follower never holds up a question.
//!
//! A stream whose answer is read as a whole carries at most [`ANSWER_MAX_BYTES`] towards us; beyond it reading fails. This is
//! what bounds an answer, whatever the engine, or whoever poses as one, sends.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use hyper::{
    Request, Response,
    body::{Body, Incoming},
    client::conn::http1,
    header::{HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::timeout,
};

use super::{Dial, Error, Pace, dial::Stream};
use crate::platform::Lifecycle;

/// The largest answer that is read as a whole: some ten thousand containers in a list.
const ANSWER_MAX_BYTES: u64 = 32 * 1024 * 1024;
/// To a working stream and through the HTTP handshake.
const DIAL_LIMIT: Duration = Duration::from_secs(10);
/// To the head of an answer.
const HEAD_LIMIT: Duration = Duration::from_secs(20);

/// Sends requests to one engine.
#[derive(Clone)]
pub(super) struct Transport {
    pub dial: Arc<dyn Dial>,
    pub lifecycle: Lifecycle,
}

impl Transport {
    /// Sends `request` on a stream of its own.
    pub async fn send<B>(&self, request: Request<B>, pace: Pace) -> Result<Response<Incoming>, Error>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let opening = self.open(pace);
        let mut sender = timeout(DIAL_LIMIT, opening)
            .await
            .map_err(|_| Error::Timeout { tried: "reaching the Docker Engine", limit: DIAL_LIMIT })??;
        match timeout(HEAD_LIMIT, sender.send_request(origin_form(request)?)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(self.dial.diagnose().await.unwrap_or_else(|| error.into())),
            Err(_) => Err(Error::Timeout { tried: "asking the Docker Engine", limit: HEAD_LIMIT }),
        }
    }

    /// The connection's task ends with its sender and its response, with the stream, or with the process.
    async fn open<B>(&self, pace: Pace) -> Result<http1::SendRequest<B>, Error>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let left = match pace {
            Pace::Prompt => ANSWER_MAX_BYTES,
            Pace::Callers => u64::MAX,
        };
        let stream = Capped { stream: self.dial.dial(pace).await?, left };
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let lifecycle = self.lifecycle.clone();
        self.lifecycle.spawn(async move {
            // How it ended is told to the holder of the response.
            let _ = lifecycle.until_stopping(connection.with_upgrades()).await;
        });
        Ok(sender)
    }
}

/// Path and query only, and a `Host`, as RFC 9112 section 3.2 wants them towards an origin server.
fn origin_form<B>(request: Request<B>) -> Result<Request<B>, Error> {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = path.parse().map_err(|_| Error::Protocol("a request without a path".to_owned()))?;
    parts.headers.insert(HOST, HeaderValue::from_static("docker"));
    Ok(Request::from_parts(parts, body))
}

/// A stream that fails to read beyond its allowance.
struct Capped {
    stream: Stream,
    left: u64,
}

impl AsyncRead for Capped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == 0 {
            let error = Error::Protocol("it is longer than we read".to_owned());
            return Poll::Ready(Err(io::Error::other(error)));
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        let read = buf.filled().len().saturating_sub(before);
        self.left = self.left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
        polled
    }
}

impl AsyncWrite for Capped {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
