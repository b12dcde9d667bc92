//! Server-sent events (WHATWG HTML, section 9.2): a stream of [`Event`]s as a response that proxies do not buffer.

use std::{convert::Infallible, time::Duration};

use actix_web::{HttpRequest, HttpResponse, http::header};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::time::{Instant, interval_at};
use tokio_stream::wrappers::IntervalStream;

/// Often enough for proxies that close a silent connection after 30 s.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// One event. `data` is one line of JSON.
#[derive(Clone, Debug)]
pub struct Event {
    pub id: Option<String>,
    pub name: &'static str,
    pub data: String,
}

impl Event {
    fn into_bytes(self) -> Bytes {
        let id = self.id.map(|id| format!("id: {id}\n")).unwrap_or_default();
        Bytes::from(format!("{id}event: {}\ndata: {}\n\n", self.name, self.data))
    }
}

/// Where the reader left off: its `Last-Event-ID`, as a number.
pub fn last_event_id(request: &HttpRequest) -> Option<u64> {
    request.headers().get("last-event-id")?.to_str().ok()?.trim().parse().ok()
}

/// Whether the caller asked for a stream rather than a document.
pub fn is_wanted(request: &HttpRequest) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/event-stream"))
}

/// Answers with `events` until they end or the reader goes away.
pub fn respond(events: impl Stream<Item = Event> + 'static) -> HttpResponse {
    let beats = IntervalStream::new(interval_at(Instant::now() + KEEP_ALIVE, KEEP_ALIVE));
    let beats = beats.map(|_| Some(Bytes::from_static(b": \n\n")));
    // The end of the events, not of the beats, ends the answer.
    let events = events.map(|event| Some(event.into_bytes())).chain(stream::once(async { None }));
    let body = stream::select(events.boxed_local(), beats.boxed_local())
        .take_while(|part| std::future::ready(part.is_some()))
        .filter_map(std::future::ready)
        .map(Ok::<_, Infallible>);
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-cache, no-transform"))
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(stream::once(async { Ok(Bytes::from_static(b": \n\n")) }).chain(body))
}

#[cfg(test)]
mod tests {
    use actix_web::body;

    use super::*;

    #[tokio::test]
    async fn the_answer_ends_with_its_events() {
        let events = stream::iter([
            Event { id: Some("7".to_owned()), name: "output", data: "{}".to_owned() },
            Event { id: None, name: "end", data: "1".to_owned() },
        ]);
        let body = body::to_bytes(respond(events).into_body()).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert_eq!(text, ": \n\nid: 7\nevent: output\ndata: {}\n\nevent: end\ndata: 1\n\n");
    }
}
