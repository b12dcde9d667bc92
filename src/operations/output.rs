//! Output on its way from the host to the database: gathered for a moment, written by offset, bounded.
//!
//! The reader of the SSH channel hands chunks to [`Recorder::write`], which waits while [`QUEUED_CHUNKS`] are unwritten: then
//! the SSH window closes and the host's program waits in turn. What comes after [`MAX_BYTES`] is dropped and said so.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use sqlx::PgPool;
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};

use super::{Operation, store};
use crate::{
    journal::{self, Signal},
    platform::{Error, Kind, Lifecycle, Result},
};

/// The most output that is kept of one operation.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;
/// The longest chunk that is written at once.
pub const MAX_CHUNK: usize = 32 * 1024;
/// Output is written at the latest this long after it came.
const GATHER: Duration = Duration::from_millis(40);
const QUEUED_CHUNKS: usize = 64;
const MAX_TAIL: usize = 4 * 1024;
const WRITE_TRIES: u32 = 5;
const WRITE_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Writes the output of one operation.
pub struct Recorder {
    sender: mpsc::Sender<Bytes>,
    task: JoinHandle<()>,
    tail: Tail,
}

impl Recorder {
    /// Goes on behind the output that the operation has already.
    pub fn start(db: PgPool, lifecycle: &Lifecycle, operation: Operation) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUED_CHUNKS);
        let writer = Writer { db, offset: operation.output_bytes, operation, is_cut: false };
        let task = lifecycle.spawn(writer.write_all(receiver));
        Self { sender, task, tail: Tail::default() }
    }

    /// Queues a chunk; waits while too much is queued.
    pub async fn write(&mut self, data: Bytes) {
        self.tail.push(&data);
        // A writer that ended has given up, and said so in the log: how the command ends is still worth knowing.
        drop(self.sender.send(data).await);
    }

    /// Waits until everything is written. Gives the last lines, for the error that may be told.
    pub async fn finish(self) -> String {
        drop(self.sender);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the writer of an operation's output failed");
        }
        self.tail.into_text()
    }
}

struct Writer {
    db: PgPool,
    operation: Operation,
    offset: i64,
    is_cut: bool,
}

impl Writer {
    async fn write_all(mut self, mut chunks: mpsc::Receiver<Bytes>) {
        while let Some(first) = chunks.recv().await {
            let gathered = gather(first, &mut chunks).await;
            if let Err(error) = self.write(&gathered).await {
                tracing::warn!(operation = %self.operation.id, %error, "the rest of an operation's output is not kept");
                return;
            }
        }
    }

    /// Tries for a while: a database that is away for a moment costs no output.
    async fn write(&mut self, gathered: &[u8]) -> Result<()> {
        for _ in 1..WRITE_TRIES {
            match self.append(gathered).await {
                Err(error) if error.kind == Kind::Unavailable => tokio::time::sleep(WRITE_AGAIN_AFTER).await,
                done => return done,
            }
        }
        self.append(gathered).await
    }

    async fn append(&mut self, gathered: &[u8]) -> Result<()> {
        let room = MAX_BYTES.saturating_sub(usize::try_from(self.offset).unwrap_or(MAX_BYTES));
        let kept = gathered.get(..room).unwrap_or(gathered);
        let mut tx = self.db.begin().await?;
        let mut offset = self.offset;
        for chunk in kept.chunks(MAX_CHUNK) {
            if !store::append_output(&mut tx, &self.operation, offset, chunk).await? {
                return Err(Error::conflict(
                    "operation.not_ours",
                    "another replica has taken the operation over",
                ));
            }
            offset += i64::try_from(chunk.len()).unwrap_or(0);
        }
        if kept.len() < gathered.len() && !self.is_cut {
            store::mark_output_cut(&mut tx, &self.operation).await?;
            self.is_cut = true;
        }
        journal::notify(&mut tx, Signal::Output(self.operation.id)).await?;
        tx.commit().await?;
        self.offset = offset;
        Ok(())
    }
}

async fn gather(first: Bytes, chunks: &mut mpsc::Receiver<Bytes>) -> BytesMut {
    let mut gathered = BytesMut::from(first);
    let deadline = Instant::now() + GATHER;
    while gathered.len() < MAX_CHUNK {
        match tokio::time::timeout_at(deadline, chunks.recv()).await {
            Ok(Some(more)) => gathered.extend_from_slice(&more),
            // Quiet for a moment, or the end.
            Ok(None) | Err(_) => break,
        }
    }
    gathered
}

/// The last bytes, in a bounded buffer.
#[derive(Default)]
pub struct Tail(Vec<u8>);

impl Tail {
    pub fn push(&mut self, data: &[u8]) {
        self.0.extend_from_slice(data);
        let over = self.0.len().saturating_sub(MAX_TAIL);
        self.0.drain(..over);
    }

    /// The last whole lines, as text without control sequences: it may be shown anywhere.
    pub fn into_text(self) -> String {
        last_lines(&self.0)
    }
}

const SHOWN_LINES: usize = 20;

fn last_lines(bytes: &[u8]) -> String {
    let text = plain_text(&String::from_utf8_lossy(bytes));
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let from = lines.len().saturating_sub(SHOWN_LINES);
    lines.get(from..).unwrap_or_default().join("\n")
}

/// The host's words without escape sequences (ECMA-48) and control characters; a carriage return is a new line.
fn plain_text(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' if letters.next_if_eq(&'[').is_some() => {
                // Parameters, then one final byte.
                while letters.next().is_some_and(|next| !('@'..='~').contains(&next)) {}
            }
            '\u{1b}' => drop(letters.next()),
            '\r' if letters.peek() != Some(&'\n') => plain.push('\n'),
            '\n' | '\t' => plain.push(letter),
            letter if letter.is_control() => {}
            letter => plain.push(letter),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_last_lines_without_what_a_terminal_would_obey() {
        let mut tail = Tail::default();
        tail.push(b"Creating \x1b[32mweb\x1b[0m ... \x1b[1A\r\nerror\x07: \xff no such image\n\n");
        assert_eq!(tail.into_text(), "Creating web ...\nerror: \u{fffd} no such image");
    }

    #[test]
    fn the_tail_is_bounded() {
        let mut tail = Tail::default();
        for line in 0..10_000 {
            tail.push(format!("line {line}\n").as_bytes());
        }
        let text = tail.into_text();
        assert_eq!(text.lines().count(), SHOWN_LINES);
        assert!(text.ends_with("line 9999"));
    }
}
