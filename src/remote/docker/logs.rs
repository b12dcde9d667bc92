//! The output of containers, line by line, with where each line came from.
//!
//! Read here rather than by the API library, which keeps a line however long the far side makes it. Nothing is read ahead of the
//! caller: an unread [`Lines`] stops the engine by SSH's own window. The text is a container's and not safe to show raw.

use std::{pin::Pin, time::Duration};

use bytes::Bytes;
use chrono::DateTime;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use http_body_util::{BodyExt, Empty};
use hyper::{Request, StatusCode, body::Incoming};
use tokio::time::timeout;

use super::{
    Container, ContainerId, Error, Pace,
    demux::{Demux, Form, Piece},
    http::Transport,
};
use crate::{platform::Timestamp, remote::ssh::text::clean};

/// Containers whose output is read at once. Each holds a stream, over SSH a connection, of which a host gets so many.
const CONTAINERS_MAX: usize = 16;
/// Streams that are opened at once: sshd drops some of many that begin together (`MaxStartups`).
const OPENINGS_AT_ONCE: usize = 4;
/// What is read of a refusal.
const REFUSAL_MAX_BYTES: usize = 4 * 1024;
/// Between two pieces of output that exists already.
const PIECE_LIMIT: Duration = Duration::from_secs(30);

/// Ends with the first error.
pub type Lines = Pin<Box<dyn Stream<Item = Result<LogLine, Error>> + Send>>;

#[derive(Clone, Debug)]
pub struct LogQuery {
    pub tail: Tail,
    pub follow: Follow,
    /// Only lines from then on.
    pub since: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    All,
    /// Of each container.
    Last(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// What there is, several containers merged by time.
    No,
    /// And what comes, each container in its own order, until all have ended.
    Yes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    pub service: String,
    /// The container's name.
    pub container: String,
    pub output: Output,
    pub at: Option<Timestamp>,
    /// Without the line's end; bytes that are not UTF-8 are replaced.
    pub text: String,
    /// More of this line was left out, or comes as the next one.
    pub cut: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    Stdout,
    Stderr,
}

pub(super) async fn open(
    transport: &Transport,
    containers: &[Container],
    query: LogQuery,
) -> Result<Lines, Error> {
    if containers.len() > CONTAINERS_MAX {
        return Err(Error::TooMany { asked: containers.len(), max: CONTAINERS_MAX });
    }
    let opened = stream::iter(containers.to_vec()).map(|container| open_one(transport, container, &query));
    let sources: Vec<Lines> = opened.buffered(OPENINGS_AT_ONCE).try_collect().await?;
    Ok(match query.follow {
        Follow::Yes => Box::pin(stream::select_all(sources)),
        Follow::No => merge_by_time(sources),
    })
}

async fn open_one(transport: &Transport, container: Container, query: &LogQuery) -> Result<Lines, Error> {
    let request = Request::get(path(&container.id, query))
        .body(Empty::<Bytes>::new())
        .map_err(|error| Error::Protocol(error.to_string()))?;
    let response = transport.send(request, Pace::Callers).await?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Err(Error::Gone),
        status => return Err(refusal(status, response.into_body()).await),
    }
    let tty = container.details.as_ref().is_some_and(|details| details.tty);
    let reader = Reader {
        body: response.into_body(),
        demux: Demux::new(if tty { Form::Raw } else { Form::Framed }),
        limit: (query.follow == Follow::No).then_some(PIECE_LIMIT),
        service: container.service,
        container: container.name,
    };
    Ok(Box::pin(stream::try_unfold(reader, Reader::next)))
}

/// Without a version: the engine then takes its own.
fn path(id: &ContainerId, query: &LogQuery) -> String {
    let mut path = format!("/containers/{}/logs?stdout=1&stderr=1&timestamps=1", id.as_str());
    match query.tail {
        Tail::All => path.push_str("&tail=all"),
        Tail::Last(lines) => path.extend(["&tail=", &lines.to_string()]),
    }
    if query.follow == Follow::Yes {
        path.push_str("&follow=1");
    }
    if let Some(since) = query.since {
        // Seconds with nine decimals.
        path.extend(["&since=", &since.format("%s%.9f").to_string()]);
    }
    path
}

async fn refusal(status: StatusCode, body: Incoming) -> Error {
    let body = timeout(PIECE_LIMIT, http_body_util::Limited::new(body, REFUSAL_MAX_BYTES).collect()).await;
    let body = body.ok().and_then(Result::ok).map(http_body_util::Collected::to_bytes).unwrap_or_default();
    Error::Refused { status: status.as_u16(), message: clean(&String::from_utf8_lossy(&body)) }
}

/// One container's answer being read.
struct Reader {
    body: Incoming,
    demux: Demux,
    limit: Option<Duration>,
    service: String,
    container: String,
}

impl Reader {
    async fn next(mut self) -> Result<Option<(LogLine, Self)>, Error> {
        loop {
            if let Some(piece) = self.demux.ready.pop_front() {
                return Ok(Some((self.line(&piece), self)));
            }
            let Some(frame) = self.frame().await? else {
                self.demux.end();
                let last = self.demux.ready.pop_front();
                return Ok(last.map(|piece| (self.line(&piece), self)));
            };
            self.demux.feed(&frame)?;
        }
    }

    async fn frame(&mut self) -> Result<Option<Bytes>, Error> {
        let frame = match self.limit {
            None => self.body.frame().await,
            Some(limit) => timeout(limit, self.body.frame())
                .await
                .map_err(|_| Error::Timeout { tried: "reading the output of a container", limit })?,
        };
        Ok(frame.transpose()?.map(|frame| frame.into_data().unwrap_or_default()))
    }

    fn line(&self, piece: &Piece) -> LogLine {
        let text = String::from_utf8_lossy(&piece.bytes);
        let stamped = text.split_once(' ').and_then(|(stamp, rest)| {
            let at = DateTime::parse_from_rfc3339(stamp).ok()?;
            Some((at.to_utc(), rest.to_owned()))
        });
        let (at, text) = stamped.map_or_else(|| (None, text.into_owned()), |(at, rest)| (Some(at), rest));
        LogLine {
            service: self.service.clone(),
            container: self.container.clone(),
            output: piece.output,
            at,
            text,
            cut: piece.cut,
        }
    }
}

/// Always the earliest line of all sources: each of them is in order already.
fn merge_by_time(sources: Vec<Lines>) -> Lines {
    let sources: Vec<_> = sources.into_iter().map(|lines| Box::pin(lines.peekable())).collect();
    Box::pin(stream::try_unfold(sources, |mut sources| async move {
        let mut earliest = None;
        for (index, source) in sources.iter_mut().enumerate() {
            let at = match source.as_mut().peek().await {
                None => continue,
                Some(Ok(line)) => line.at,
                // Told at once, by being taken first.
                Some(Err(_)) => None,
            };
            if earliest.is_none_or(|(_, before)| at < before) {
                earliest = Some((index, at));
            }
        }
        let Some(source) = earliest.and_then(|(index, _)| sources.get_mut(index)) else {
            return Ok(None);
        };
        let line = source.next().await.transpose()?;
        Ok(line.map(|line| (line, sources)))
    }))
}
