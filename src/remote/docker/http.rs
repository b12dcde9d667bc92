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
/// To a working stream. The net under the limits of whoever dials, which say more.
const DIAL_LIMIT: Duration = Duration::from_secs(45);
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

/// Path and query only, and a `Host`, as RFC 9112 section 3.2 wants them towards an origin server; and no API version, see
/// [`unversioned`].
fn origin_form<B>(request: Request<B>) -> Result<Request<B>, Error> {
    let (mut parts, body) = request.into_parts();
    let path = unversioned(parts.uri.path_and_query().map_or("/", |path| path.as_str()));
    parts.uri = path.parse().map_err(|_| Error::Protocol("a request without a path".to_owned()))?;
    parts.headers.insert(HOST, HeaderValue::from_static("docker"));
    Ok(Request::from_parts(parts, body))
}

/// Takes the API version off a path: without one an engine answers in its own, with one that it does not know it refuses. What we
/// read has been there since version 1.24, and to negotiate one would cost a round trip for nothing.
fn unversioned(path: &str) -> &str {
    let is_version = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let version = path.strip_prefix("/v").and_then(|rest| rest.split_once('/')).map(|(version, _)| version);
    match version {
        Some(version) if is_version(version) => path.get("/v".len() + version.len()..).unwrap_or(path),
        _ => path,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_version_is_taken_off_a_path() {
        let cases = [
            ("/v1.52/containers/json?all=true", "/containers/json?all=true"),
            ("/containers/json?filters=/v1.2/", "/containers/json?filters=/v1.2/"),
            ("/version", "/version"),
            ("/volumes/v1.2", "/volumes/v1.2"),
            ("/", "/"),
        ];
        for (path, expected) in cases {
            assert_eq!(unversioned(path), expected);
        }
    }
}
