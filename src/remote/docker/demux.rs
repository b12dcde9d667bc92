//! Takes the output of a container apart as an engine sends it: in frames, or as a terminal's bytes.
//!
//! The far side says how long a frame is. What is kept of a line is [`LINE_MAX_BYTES`], whatever it says.

use std::collections::VecDeque;

use super::{Error, Output};

/// What is kept of a line. Docker itself splits at 16 KiB and puts the time before each part.
const LINE_MAX_BYTES: usize = 16 * 1024 + 64;
const HEADER_BYTES: usize = 8;

/// How an engine sends output: frames with a header, or a terminal's bytes as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Framed,
    Raw,
}

/// A line, or the part of it that one frame held.
pub(super) struct Piece {
    pub output: Output,
    pub bytes: Vec<u8>,
    pub cut: bool,
}

/// Takes a container's answer apart. The frame: one byte for the output, three zeros, a length (big endian), the bytes
/// (Docker Engine API, "Attach to a container", stream format). One frame is one line, or a part of an overlong one.
pub(super) struct Demux {
    form: Form,
    header: Vec<u8>,
    /// Of the frame's payload.
    left: usize,
    current: Piece,
    pub ready: VecDeque<Piece>,
}

impl Demux {
    pub fn new(form: Form) -> Self {
        let current = Piece { output: Output::Stdout, bytes: Vec::new(), cut: false };
        Self { form, header: Vec::with_capacity(HEADER_BYTES), left: 0, current, ready: VecDeque::new() }
    }

    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
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
    pub fn end(&mut self) {
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
