//! Postgres's log, passed on to ours, and its last lines kept for saying why it ended.

use std::{collections::VecDeque, sync::Mutex};

use tokio::io::{AsyncRead, AsyncReadExt};

/// Lines kept.
const TAIL_LINES: usize = 8;
/// A longer line is passed on in pieces.
const MAX_LINE_BYTES: usize = 4096;

/// The last lines that were worth a look.
#[derive(Debug, Default)]
pub(super) struct Tail(Mutex<VecDeque<String>>);

impl Tail {
    fn push(&self, line: &str) {
        if let Ok(mut lines) = self.0.lock() {
            if lines.len() == TAIL_LINES {
                lines.pop_front();
            }
            lines.push_back(line.to_owned());
        }
    }

    /// What it said last, in one line, and forgets it.
    pub(super) fn take(&self) -> String {
        self.0.lock().map(|mut lines| lines.drain(..).collect::<Vec<_>>().join("; ")).unwrap_or_default()
    }
}

/// Passes lines on until the far end closes.
pub(super) async fn follow(mut from: impl AsyncRead + Unpin, tail: &Tail) {
    let mut pending: Vec<u8> = Vec::new();
    let mut chunk = [0; MAX_LINE_BYTES];
    while let Ok(length) = from.read(&mut chunk).await {
        if length == 0 {
            break;
        }
        pending.extend(chunk.iter().take(length));
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            pass_on(&line, tail);
        }
        if pending.len() > MAX_LINE_BYTES {
            pass_on(&std::mem::take(&mut pending), tail);
        }
    }
    pass_on(&pending, tail);
}

fn pass_on(line: &[u8], tail: &Tail) {
    let line = String::from_utf8_lossy(line);
    let line = line.trim();
    if line.is_empty() {
        return;
    }
    if is_serious(line) {
        tail.push(line);
        tracing::warn!(target: "postgres", "{line}");
    } else {
        tracing::debug!(target: "postgres", "{line}");
    }
}

/// By the word that Postgres begins a message with; it uses its own name before it has read its settings. FATAL ends one
/// connection, or the server. A statement's ERROR is told to whoever ran it.
fn is_serious(line: &str) -> bool {
    let word = line.split_once(':').map(|(word, _)| word);
    matches!(word, Some("FATAL" | "PANIC" | "WARNING" | "postgres"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_fatal_lines_are_kept_and_the_others_are_not() {
        let tail = Tail::default();
        let reasons: Vec<String> = (0..20).map(|number| format!("FATAL:  reason {number}")).collect();
        let said = format!(
            "LOG:  starting\nERROR:  a statement's\n{}\nFATAL:  the last has no end of line",
            reasons.join("\n")
        );
        follow(said.as_bytes(), &tail).await;
        let told = tail.take();
        assert!(told.starts_with("FATAL:  reason 13"), "{told}");
        assert!(told.ends_with("no end of line"), "{told}");
        assert!(tail.take().is_empty());
    }

    #[tokio::test]
    async fn an_endless_line_does_not_fill_the_memory() {
        let tail = Tail::default();
        let said = format!("FATAL: {}", "x".repeat(100 * MAX_LINE_BYTES));
        follow(said.as_bytes(), &tail).await;
        assert!(tail.take().len() <= 3 * MAX_LINE_BYTES);
    }
}
