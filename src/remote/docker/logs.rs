//! The output of containers, line by line, with where each line came from.
//!
//! Read here rather than by the API library because the far side says how long a frame is: a line keeps at most
//! [`LINE_MAX_BYTES`] whatever it says. Nothing is read ahead of the caller: an unread [`Lines`] stops the engine by TCP's, or
//! SSH's, own window. The text is a container's and not safe to show raw.

use std::{collections::VecDeque, pin::Pin, time::Duration};

use bytes::Bytes;
use chrono::DateTime;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use http_body_util::{BodyExt, Empty};
use hyper::{Request, StatusCode, body::Incoming};
use tokio::time::timeout;

use super::{Container, ContainerId, Error, Pace, error::shorten, http::Transport};
use crate::platform::Timestamp;

/// What is kept of a line. Docker itself splits at 16 KiB and puts the time before each part.
const LINE_MAX_BYTES: usize = 16 * 1024 + 64;
/// Containers whose output is read at once. Each holds a stream, over SSH a connection, of which a host gets so many.
const CONTAINERS_MAX: usize = 16;
/// Streams that are opened at once: sshd drops some of many that begin together (`MaxStartups`).
const OPENINGS_AT_ONCE: usize = 4;
/// What is read of a refusal.
const REFUSAL_MAX_BYTES: usize = 4 * 1024;
/// Between two pieces of output that exists already.
const PIECE_LIMIT: Duration = Duration::from_secs(30);
const HEADER_BYTES: usize = 8;

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
    Error::Refused { status: status.as_u16(), message: shorten(&String::from_utf8_lossy(&body)) }
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

/// How an engine sends output: frames with a header, or a terminal's bytes as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Framed,
    Raw,
}

/// A line, or the part of it that one frame held.
struct Piece {
    output: Output,
    bytes: Vec<u8>,
    cut: bool,
}

/// Takes a container's answer apart. The frame: one byte for the output, three zeros, a length (big endian), the bytes
/// (Docker Engine API, "Attach to a container", stream format). One frame is one line, or a part of an overlong one.
struct Demux {
    form: Form,
    header: Vec<u8>,
    /// Of the frame's payload.
    left: usize,
    current: Piece,
    ready: VecDeque<Piece>,
}

impl Demux {
    fn new(form: Form) -> Self {
        let current = Piece { output: Output::Stdout, bytes: Vec::new(), cut: false };
        Self { form, header: Vec::with_capacity(HEADER_BYTES), left: 0, current, ready: VecDeque::new() }
    }

    fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        if self.form == Form::Raw {
            self.feed_raw(bytes);
            return Ok(());
        }
        while !bytes.is_empty() {
            if self.left == 0 {
                let missing = HEADER_BYTES.saturating_sub(self.header.len());
                let (head, rest) = bytes.split_at(missing.min(bytes.len()));
                self.header.extend_from_slice(head);
                bytes = rest;
                if self.header.len() == HEADER_BYTES {
                    self.start_frame()?;
                }
                continue;
            }
            let (payload, rest) = bytes.split_at(self.left.min(bytes.len()));
            self.keep(payload);
            self.left = self.left.saturating_sub(payload.len());
            bytes = rest;
            if self.left == 0 {
                self.finish_line();
            }
        }
        Ok(())
    }

    fn feed_raw(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.keep(part);
            if part.ends_with(b"\n") {
                self.finish_line();
            }
        }
    }

    fn start_frame(&mut self) -> Result<(), Error> {
        let header: [u8; HEADER_BYTES] = self.header.as_slice().try_into().unwrap_or_default();
        self.header.clear();
        let [output, 0, 0, 0, length @ ..] = header else {
            return Err(Error::Protocol("output that is not in frames".to_owned()));
        };
        self.current.output = match output {
            1 => Output::Stdout,
            2 => Output::Stderr,
            _ => return Err(Error::Protocol("output of an unknown kind".to_owned())),
        };
        self.left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        Ok(())
    }

    /// Keeps the start of an overlong line and drops the rest, a newline at its end excepted.
    fn keep(&mut self, bytes: &[u8]) {
        let room = LINE_MAX_BYTES.saturating_sub(self.current.bytes.len());
        let (kept, dropped) = bytes.split_at(room.min(bytes.len()));
        self.current.bytes.extend_from_slice(kept);
        self.current.cut |= !matches!(dropped, [] | b"\n");
    }

    fn finish_line(&mut self) {
        let output = self.current.output;
        let next = Piece { output, bytes: Vec::new(), cut: false };
        let mut done = std::mem::replace(&mut self.current, next);
        if done.bytes.last() == Some(&b'\n') {
            done.bytes.pop();
            if done.bytes.last() == Some(&b'\r') {
                done.bytes.pop();
            }
        } else if self.form == Form::Framed {
            done.cut = true;
        }
        self.ready.push_back(done);
    }

    /// What a terminal wrote last needs no newline.
    fn end(&mut self) {
        if !self.current.bytes.is_empty() {
            self.finish_line();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(output: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        [&[output, 0, 0, 0], length.as_slice(), bytes].concat()
    }

    /// Text, output and whether it was cut, of each line; fed in pieces of `step` bytes.
    fn lines(form: Form, bytes: &[u8], step: usize) -> Result<Vec<(String, Output, bool)>, Error> {
        let mut demux = Demux::new(form);
        for piece in bytes.chunks(step) {
            demux.feed(piece)?;
        }
        demux.end();
        let line = |piece: Piece| (String::from_utf8(piece.bytes).unwrap(), piece.output, piece.cut);
        Ok(demux.ready.into_iter().map(line).collect())
    }

    #[test]
    fn frames_become_lines_however_they_arrive() {
        let bytes =
            [frame(1, b"one\n"), frame(2, b"two\n"), frame(1, b""), frame(1, b"\n"), frame(1, b"part")]
                .concat();
        let expected = [
            ("one", Output::Stdout, false),
            ("two", Output::Stderr, false),
            ("", Output::Stdout, false),
            ("part", Output::Stdout, true),
        ];
        for step in 1..=bytes.len() {
            let got = lines(Form::Framed, &bytes, step).unwrap();
            let got: Vec<_> = got.iter().map(|(text, output, cut)| (text.as_str(), *output, *cut)).collect();
            assert_eq!(got, expected, "in pieces of {step}");
        }
    }

    #[test]
    fn the_output_of_a_terminal_becomes_lines() {
        let got = lines(Form::Raw, b"one\r\ntwo", 2).unwrap();
        assert_eq!(
            got,
            [("one".to_owned(), Output::Stdout, false), ("two".to_owned(), Output::Stdout, false)]
        );
    }

    #[test]
    fn an_overlong_line_is_cut_and_the_next_is_whole() {
        let long = [vec![b'x'; 3 * LINE_MAX_BYTES], b"\n".to_vec()].concat();
        for (form, bytes) in [
            (Form::Framed, [frame(1, &long), frame(1, b"next\n")].concat()),
            (Form::Raw, [long.as_slice(), b"next\n"].concat()),
        ] {
            let got = lines(form, &bytes, 1000).unwrap();
            assert_eq!((got[0].0.len(), got[0].2), (LINE_MAX_BYTES, true));
            assert_eq!((got[1].0.as_str(), got[1].2), ("next", false));
        }
    }

    #[test]
    fn what_is_not_a_frame_is_refused() {
        for bytes in
            [b"HTTP/1.1 200 OK\r\n".as_slice(), &frame(0, b"x"), &frame(3, b"x"), &[1, 1, 0, 0, 0, 0, 0, 1]]
        {
            assert!(matches!(lines(Form::Framed, bytes, 4), Err(Error::Protocol(_))));
        }
    }

    #[test]
    fn a_frame_that_claims_four_gigabytes_keeps_one_line_of_it() {
        let mut demux = Demux::new(Form::Framed);
        demux.feed(&[1, 0, 0, 0, 255, 255, 255, 255]).unwrap();
        for _ in 0..100 {
            demux.feed(&[b'x'; 4096]).unwrap();
        }
        assert_eq!(demux.current.bytes.len(), LINE_MAX_BYTES);
    }
}
