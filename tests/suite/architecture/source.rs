//! Just enough Rust to judge a source file by: its words without comments and literals, and the paths they form.

/// A word, a sign or `::`, and the line it stands on. A literal is the token `""`.
#[derive(Clone, Copy, Debug)]
pub struct Token<'a> {
    pub text: &'a str,
    pub line: usize,
}

/// A path with its groups expanded: `a::{b, c::d}` is two of them.
#[derive(Debug)]
pub struct Path<'a> {
    pub segments: Vec<&'a str>,
    pub line: usize,
    /// How many modules are written out around it in this file.
    pub inside: usize,
}

#[derive(PartialEq)]
enum Kind {
    Skipped,
    Literal,
    Code,
}

pub fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let (mut rest, mut line) = (source, 1);
    while let Some(first) = rest.chars().next() {
        let (kind, length) = next(rest, first);
        let (text, after) = rest.split_at(length);
        match kind {
            Kind::Skipped => {}
            Kind::Literal => found.push(Token { text: "\"\"", line }),
            Kind::Code => found.push(Token { text, line }),
        }
        line += text.matches('\n').count();
        rest = after;
    }
    found
}

/// What `rest` begins with, and its length in bytes.
fn next(rest: &str, first: char) -> (Kind, usize) {
    if first.is_whitespace() {
        (Kind::Skipped, first.len_utf8())
    } else if rest.starts_with("//") {
        (Kind::Skipped, rest.find('\n').unwrap_or(rest.len()))
    } else if rest.starts_with("/*") {
        (Kind::Skipped, block_comment(rest))
    } else if let Some(length) = raw_string(rest).or_else(|| string(rest)).or_else(|| character(rest)) {
        (Kind::Literal, length)
    } else if is_word(first) {
        (Kind::Code, rest.find(|c| !is_word(c)).unwrap_or(rest.len()))
    } else if rest.starts_with("::") {
        (Kind::Code, 2)
    } else {
        (Kind::Code, first.len_utf8())
    }
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// They nest.
fn block_comment(rest: &str) -> usize {
    let mut open = 0_usize;
    let mut last = ' ';
    for (at, c) in rest.char_indices() {
        let pair = (last, c);
        last = c;
        match pair {
            ('/', '*') => open += 1,
            ('*', '/') => open = open.saturating_sub(1),
            _ => continue,
        }
        // A sign belongs to one pair only: `/*/` opens and does not close.
        last = ' ';
        if open == 0 {
            return at + 1;
        }
    }
    rest.len()
}

fn raw_string(rest: &str) -> Option<usize> {
    let body = ["r", "br", "cr"].into_iter().find_map(|prefix| rest.strip_prefix(prefix))?;
    let hashes = body.len() - body.trim_start_matches('#').len();
    let body = body.trim_start_matches('#').strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let after = body.find(&end).map_or(0, |at| body.len() - at - end.len());
    Some(rest.len() - after)
}

fn string(rest: &str) -> Option<usize> {
    let body = ["\"", "b\"", "c\""].into_iter().find_map(|prefix| rest.strip_prefix(prefix))?;
    let mut escaped = false;
    let end = body.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    Some(rest.len() - end.map_or(0, |at| body.len() - at - 1))
}

/// `'x'` and `'\n'` are characters, `'x` is a lifetime.
fn character(rest: &str) -> Option<usize> {
    let body = ["'", "b'"].into_iter().find_map(|prefix| rest.strip_prefix(prefix))?;
    let mut chars = body.char_indices();
    let first = chars.next()?.1;
    if first == '\\' {
        chars.next();
        let (end, _) = chars.find(|(_, c)| *c == '\'')?;
        return Some(rest.len() - body.len() + end + 1);
    }
    let (end, _) = chars.next().filter(|(_, c)| *c == '\'')?;
    Some(rest.len() - body.len() + end + 1)
}

pub fn paths<'a>(tokens: &[Token<'a>]) -> Vec<Path<'a>> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut modules = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match (token.text, following(tokens, at)) {
            ("mod", [_, "{", ..]) => modules.push(depth),
            ("{", _) => depth += 1,
            ("}", _) => {
                depth = depth.saturating_sub(1);
                if modules.last() == Some(&depth) {
                    modules.pop();
                }
            }
            (word, ["::", ..]) if word.starts_with(is_word) => {
                at = tree(tokens, at, &[], modules.len(), &mut found);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// The two tokens after `at`.
fn following<'a>(tokens: &[Token<'a>], at: usize) -> [&'a str; 2] {
    [1, 2].map(|ahead| tokens.get(at + ahead).map_or("", |token| token.text))
}

/// Reads the path at `at`, below `prefix`, and returns the place after it.
fn tree<'a>(
    tokens: &[Token<'a>],
    mut at: usize,
    prefix: &[&'a str],
    inside: usize,
    found: &mut Vec<Path<'a>>,
) -> usize {
    let mut segments = prefix.to_vec();
    let line = tokens.get(at).map_or(0, |token| token.line);
    while let Some(token) = tokens.get(at) {
        match token.text {
            "{" => return group(tokens, at + 1, &segments, inside, found),
            word if word == "*" || word.starts_with(is_word) => segments.push(word),
            _ => break,
        }
        at += 1;
        if tokens.get(at).is_none_or(|token| token.text != "::") {
            break;
        }
        at += 1;
    }
    found.push(Path { segments, line, inside });
    at
}

fn group<'a>(
    tokens: &[Token<'a>],
    mut at: usize,
    prefix: &[&'a str],
    inside: usize,
    found: &mut Vec<Path<'a>>,
) -> usize {
    while let Some(token) = tokens.get(at) {
        match token.text {
            "}" => return at + 1,
            "," => at += 1,
            // A new name for what was just read.
            "as" => at += 2,
            word if word == "*" || word == "{" || word.starts_with(is_word) => {
                at = tree(tokens, at, prefix, inside, found);
            }
            _ => at += 1,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> String {
        tokens(source).iter().map(|token| token.text).collect::<Vec<_>>().join(" ")
    }

    fn read(source: &str) -> Vec<(String, usize)> {
        paths(&tokens(source)).iter().map(|path| (path.segments.join("::"), path.inside)).collect()
    }

    #[test]
    fn comments_and_literals_are_no_code() {
        assert_eq!(words("a // crate::b\n/* c /* d */ e */ f"), "a f");
        assert_eq!(
            words(r##"x("crate::\"y", r#"a "b" c"#, b"z", 'q', '\'', '\u{1f}')"##),
            r#"x ( "" , "" , "" , "" , "" , "" )"#
        );
        assert_eq!(words("fn f<'a>(x: &'a str) {}"), "fn f < ' a > ( x : & ' a str ) { }");
        assert_eq!(words(r#"("\\", b)"#), r#"( "" , b )"#);
    }

    #[test]
    fn a_token_knows_its_line() {
        let lines: Vec<usize> =
            tokens("a\n\"two\nlines\" b\n/* \n */ c").iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 2, 3, 5]);
    }

    #[test]
    fn groups_are_expanded() {
        let found = read("use crate::{apps::{self, ops as verbs}, servers::*, web};");
        let found: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(found, ["crate::apps::self", "crate::apps::ops", "crate::servers::*", "crate::web"]);
    }

    #[test]
    fn a_path_in_an_expression_is_a_path_and_a_struct_literal_ends_it() {
        let found = read("fn f() { crate::apps::App { id: super::x() }; a::<B>(); }");
        let found: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(found, ["crate::apps::App", "super::x", "a"]);
    }

    #[test]
    fn modules_written_out_in_the_file_are_counted() {
        let found =
            read("use a::b; mod tests { use c::d; fn f() { e::f(); } mod deeper { g::h!(); } } i::j!();");
        let depths: Vec<usize> = found.iter().map(|(_, inside)| *inside).collect();
        assert_eq!(depths, [0, 1, 1, 2, 0]);
    }
}
