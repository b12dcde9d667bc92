//! `/api/operations/{id}/output`: plain text, or a stream that follows until the end and can be taken up at any byte.

use std::{future::ready, time::Duration};

use actix_web::{HttpRequest, HttpResponse, get, http::header, web};
use bytes::Bytes;
use futures_util::{FutureExt, Stream, StreamExt, future::BoxFuture, stream};
use serde_json::json;

use super::{
    Operation,
    http::OperationView,
    ops::{self, Piece},
};
use crate::{
    identity::{Asks, Sight, right::AppsView, while_allowed},
    journal::{Signal, bus::Subscription},
    platform::{Result, id::OperationId},
    services::Services,
    web::{
        Path,
        sse::{self, Event},
    },
};

/// Without a signal a follower looks again this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the host wrote while it was done: all of it so far, or, with `Accept: text/event-stream`, live to the end.
///
/// Events are `output` with `{"offset", "data"}` (the id is the offset after it, so `Last-Event-ID` resumes at that byte)
/// and, last, `end` with the operation.
#[utoipa::path(
    operation_id = "getOperationOutput", tag = "operations", extensions(("x-permission" = json!("apps:view"))),
    params(
        ("id" = OperationId, Path),
        ("Last-Event-ID" = Option<String>, Header, description = "Bytes received so far, when following"),
    ),
    responses((status = 200, description = "The output", content((String = "text/plain"), (String = "text/event-stream"))))
)]
#[get("/{id}/output")]
pub async fn output(
    services: web::Data<Services>,
    asks: Asks<AppsView>,
    id: Path<OperationId>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    // Subscribed before the first look, so that nothing falls between the two.
    let signals = services.bus.subscribe();
    let sight = asks.sight();
    let operation = ops::see(&mut *services.db.acquire().await?, &sight, id.0).await?;
    let (services, caller) = (services.get_ref().clone(), asks.caller());
    if !sse::is_wanted(&request) {
        let body = while_allowed(&services, caller, whole(&services, &operation), sees(&services, id.0));
        return Ok(text(body.map(Result::flatten)));
    }
    let from = sse::last_event_id(&request).and_then(|at| i64::try_from(at).ok()).unwrap_or(0);
    let reader = Reader { services: services.clone(), sight, id: id.0, at: from, carry: vec![] };
    let events = while_allowed(&services, caller, follow(reader, signals), sees(&services, id.0));
    // Without a last event: who may come back does.
    Ok(sse::respond(events.filter_map(|event| ready(event.ok()))))
}

/// Whether the operation is still in sight.
fn sees(services: &Services, id: OperationId) -> impl Fn(Sight) -> BoxFuture<'static, Result<()>> + use<> {
    let services = services.clone();
    move |sight| {
        let services = services.clone();
        async move { ops::see(&mut *services.db.acquire().await?, &sight, id).await.map(drop) }.boxed()
    }
}

/// Everything up to now, read in pieces so that a large output does not stand in memory.
fn whole(services: &Services, operation: &Operation) -> impl Stream<Item = Result<Bytes>> + Send + use<> {
    let (services, id, end) = (services.clone(), operation.id, operation.output_bytes);
    stream::try_unfold(0, move |at| {
        let services = services.clone();
        async move {
            if at >= end {
                return Ok(None);
            }
            let mut db = services.db.acquire().await?;
            let pieces = ops::output(&mut db, id, at).await?;
            let bytes: Vec<u8> = pieces.iter().flat_map(|piece| piece.data.iter().copied()).collect();
            let next = at + i64::try_from(bytes.len()).unwrap_or(0);
            Ok((!bytes.is_empty()).then(|| (Bytes::from(bytes), next)))
        }
    })
}

/// One that breaks off is cut on the wire as well: it must not look whole.
fn text(body: impl Stream<Item = Result<Bytes>> + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // The host's words must not be taken for a page of ours.
        .insert_header((header::CONTENT_DISPOSITION, "inline; filename=\"output.txt\""))
        .streaming(body)
}

struct Reader {
    services: Services,
    sight: Sight,
    id: OperationId,
    /// The next byte to read.
    at: i64,
    /// The first bytes of a character whose rest is not written yet.
    carry: Vec<u8>,
}

/// The events from the reader's place to the end of the operation. Ends early when the database fails: the browser comes
/// back with its `Last-Event-ID`.
fn follow(reader: Reader, signals: Subscription) -> impl Stream<Item = Event> + Send {
    stream::unfold(Some((reader, signals)), |state| async move {
        let (mut reader, mut signals) = state?;
        loop {
            match reader.read().await {
                Ok(Some(Batch { events, is_last })) => {
                    let next = (!is_last).then_some((reader, signals));
                    return Some((stream::iter(events), next));
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(%error, "a follower of output was let go");
                    return None;
                }
            }
            let id = reader.id;
            let of_mine = move |signal| signal == Signal::Output(id) || signal == Signal::Operation(id);
            let wait = signals.wait_for(LOOK_EVERY, of_mine);
            reader.services.lifecycle.until_stopping(wait).await?;
        }
    })
    .flatten()
}

struct Batch {
    events: Vec<Event>,
    is_last: bool,
}

impl Reader {
    /// What is new; `None` while there is nothing.
    async fn read(&mut self) -> Result<Option<Batch>> {
        let mut db = self.services.db.acquire().await?;
        // The state is read before the output: an operation that is over by then writes no more.
        let operation = ops::see(&mut db, &self.sight, self.id).await?;
        let pieces = ops::output(&mut db, self.id, self.at).await?;
        let mut events: Vec<Event> = pieces.into_iter().filter_map(|piece| self.event(&piece)).collect();
        let is_last = operation.state.is_final() && self.at >= operation.output_bytes;
        if is_last {
            let data = serde_json::to_string(&OperationView::from(operation)).unwrap_or_default();
            events.push(Event { id: None, name: "end", data });
        }
        Ok((!events.is_empty()).then_some(Batch { events, is_last }))
    }

    /// JSON carries text: a character that is cut by the end of a piece waits for its rest, what is none is replaced.
    fn event(&mut self, piece: &Piece) -> Option<Event> {
        let offset = piece.offset - i64::try_from(self.carry.len()).unwrap_or(0);
        self.at = piece.offset + i64::try_from(piece.data.len()).unwrap_or(0);
        let mut bytes = std::mem::take(&mut self.carry);
        bytes.extend_from_slice(&piece.data);
        self.carry = bytes.split_off(whole_characters(&bytes));
        if bytes.is_empty() {
            return None;
        }
        let next = self.at - i64::try_from(self.carry.len()).unwrap_or(0);
        let data = json!({"offset": offset, "data": String::from_utf8_lossy(&bytes)}).to_string();
        Some(Event { id: Some(next.to_string()), name: "output", data })
    }
}

/// How many of these bytes do not belong to a character that may yet be completed.
fn whole_characters(bytes: &[u8]) -> usize {
    const LONGEST: usize = 4;
    let from = bytes.len().saturating_sub(LONGEST);
    let tail = bytes.get(from..).unwrap_or_default();
    let start = tail.iter().rposition(|byte| (byte & 0b1100_0000) != 0b1000_0000);
    let Some(start) = start else { return bytes.len() };
    match std::str::from_utf8(tail.get(start..).unwrap_or_default()) {
        // No length: the sequence is well-formed as far as it goes.
        Err(error) if error.error_len().is_none() => from + start,
        Ok(_) | Err(_) => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_that_is_cut_waits_for_its_rest() {
        let text = "aé€🚢".as_bytes();
        let whole: Vec<usize> = (0..=text.len()).map(|end| whole_characters(&text[..end])).collect();
        assert_eq!(whole, [0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10]);
    }

    #[test]
    fn bytes_that_are_no_text_do_not_wait() {
        assert_eq!(whole_characters(&[b'a', 0xff]), 2);
        assert_eq!(whole_characters(&[0x80, 0x80, 0x80, 0x80, 0x80]), 5);
        assert_eq!(whole_characters(&[0xc0, 0x20]), 2);
    }
}
