//! Making a host's text fit to be shown: one line, short, nothing that a terminal would act on.

/// Longer text from a host is cut here, in characters.
const MAX_CHARS: usize = 300;

/// Control characters become spaces, direction marks and the like go, runs of spaces become one; cut with an ellipsis.
pub(in crate::remote) fn clean(text: &str) -> String {
    let mut clean = String::new();
    let mut length = 0;
    for word in text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty()) {
        for character in (length > 0).then_some(' ').into_iter().chain(word.chars().filter(is_shown)) {
            if length == MAX_CHARS {
                clean.push('…');
                return clean;
            }
            clean.push(character);
            length += 1;
        }
    }
    clean
}

/// [`clean`] for bytes of unknown encoding.
pub(super) fn clean_bytes(bytes: &[u8]) -> String {
    clean(&String::from_utf8_lossy(bytes))
}

/// Unicode's bidirectional controls and zero-width characters can make text read as something else.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that Iterator::filter asks for")]
fn is_shown(character: &char) -> bool {
    !matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_line_breaks_do_not_survive() {
        assert_eq!(clean("\u{1b}[2Jgone\r\n\n here\0\u{202e}x"), "[2Jgone here x");
        assert_eq!(clean_bytes(b"\xff ok\x07"), "\u{fffd} ok");
    }

    #[test]
    fn long_text_is_cut() {
        let cut = clean(&"a".repeat(10_000));
        assert_eq!(cut.chars().count(), MAX_CHARS + 1);
    }
}
