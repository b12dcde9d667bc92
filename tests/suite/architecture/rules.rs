//! The rules of the house, each a function from one source file to what breaks it there.

use super::source::{Path, Token, paths, tokens};

/// Imports go from a higher rank to a lower one; equals never import each other.
const RANKS: &[(usize, &[&str])] = &[
    (11, &["main"]),
    (10, &["cli"]),
    (9, &["startup"]),
    (8, &["routes", "schedule"]),
    (7, &["shells", "tunnels", "autostop", "alerts", "audit", "events", "metrics"]),
    (6, &["apps"]),
    (5, &["operations", "projects"]),
    (4, &["servers"]),
    (3, &["identity"]),
    (2, &["services"]),
    (1, &["remote", "web", "journal"]),
    (0, &["platform"]),
];

/// Who may talk to the database: the stores, and what has tables but no capability.
const SQL: &[&str] = &["*/store", "journal", "platform/db", "platform/claim", "platform/replica"];

/// Who may know of HTTP.
const HTTP: &[&str] = &["*/http", "web", "routes", "startup", "metrics", "identity/extract", "shells"];

/// The crates that are HTTP.
const HTTP_CRATES: &[&str] =
    &["actix_web", "actix_cors", "actix_ws", "actix_http", "tracing_actix_web", "utoipa_actix_web"];

pub const MOST_LINES: usize = 500;
pub const MANY_LINES: usize = 300;

/// A file below `src/`.
pub struct Source {
    /// From `src/`, without `.rs` and `/mod`: `apps/ops`, `apps`.
    pub name: String,
    pub text: String,
}

pub type Rule = fn(&Source) -> Vec<String>;

/// All of them, by name.
pub const RULES: &[(&str, Rule)] = &[
    ("imports go strictly down", imports_go_down),
    ("stores are private", stores_are_private),
    ("SQL is in the stores", sql_is_in_stores),
    ("HTTP is in its files", http_is_in_its_files),
    ("commands are not formatted", commands_are_not_formatted),
    ("secrets are not serialised", secrets_are_not_serialised),
    ("files have an end", files_have_an_end),
];

impl Source {
    pub fn new(path: &str, text: impl Into<String>) -> Self {
        let name = path.trim_end_matches(".rs");
        Self { name: name.strip_suffix("/mod").unwrap_or(name).to_owned(), text: text.into() }
    }

    /// The capability or floor that it belongs to.
    fn module(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }

    fn is_for_tests(&self) -> bool {
        self.name.split('/').any(|part| part == "tests" || part.ends_with("_tests"))
    }

    /// Without its unit tests, which come last in a file. They may do what the code may not.
    fn shipped(&self) -> Vec<Token<'_>> {
        let mut all = tokens(&self.text);
        if self.is_for_tests() {
            all.clear();
        }
        let attribute = ["#", "[", "cfg", "(", "test", ")", "]", "mod"];
        let tests = all.windows(attribute.len()).position(|seen| spells(seen, &attribute));
        all.truncate(tests.unwrap_or(all.len()));
        all
    }

    /// Whether it is one of `places` or below: `web`, `platform/db`, or in any capability `*/http`, which
    /// `users_http` is, too.
    fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| match place.strip_prefix("*/") {
            Some(part) => self.name.split('/').skip(1).any(|own| own.rsplit('_').next() == Some(part)),
            None => {
                self.name.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
        })
    }

    fn at(&self, line: usize, what: &str) -> String {
        format!("src/{}, line {line}: {what}", self.name)
    }
}

fn spells(seen: &[Token<'_>], wanted: &[&str]) -> bool {
    seen.len() == wanted.len() && seen.iter().zip(wanted).all(|(token, text)| token.text == *text)
}

fn rank(module: &str) -> Option<usize> {
    RANKS.iter().find(|(_, modules)| modules.contains(&module)).map(|(rank, _)| *rank)
}

fn imports_go_down(source: &Source) -> Vec<String> {
    let own = source.module();
    // The root only says which modules there are.
    if own == "lib" {
        return Vec::new();
    }
    let Some(own_rank) = rank(own) else {
        return vec![
            source.at(1, &format!("the module {own} has no rank; give it one in this test and in lib.rs")),
        ];
    };
    let all = tokens(&source.text);
    paths(&all)
        .iter()
        .filter_map(|path| {
            let other = target(source, path).filter(|other| *other != own)?;
            let what = match rank(other) {
                Some(rank) if rank < own_rank => return None,
                Some(rank) => format!("{own} (rank {own_rank}) imports {other} (rank {rank})"),
                None => format!("{own} imports crate::{other}, which is no module with a rank"),
            };
            Some(source.at(path.line, &what))
        })
        .collect()
}

/// The top module that a path leads to, if it leads into this crate.
fn target<'a>(source: &'a Source, path: &Path<'a>) -> Option<&'a str> {
    let (first, rest) = path.segments.split_first()?;
    match *first {
        "crate" => rest.first().copied(),
        // In the program, the library is a crate by its name.
        "quaymaster" if source.module() == "main" => rest.first().copied(),
        "super" => {
            let ups = path.segments.iter().take_while(|segment| **segment == "super").count();
            let depth = source.name.split('/').count() + path.inside;
            if ups < depth { Some(source.module()) } else { path.segments.get(ups).copied() }
        }
        _ => None,
    }
}

fn stores_are_private(source: &Source) -> Vec<String> {
    let all = tokens(&source.text);
    all.windows(3)
        .filter(|seen| {
            let public = seen.first().is_some_and(|token| matches!(token.text, "pub" | ")"));
            public && seen.get(1..).is_some_and(|rest| spells(rest, &["mod", "store"]))
        })
        .filter_map(|seen| {
            Some(source.at(seen.first()?.line, "a store belongs to its capability alone: `mod store;`"))
        })
        .collect()
}

fn sql_is_in_stores(source: &Source) -> Vec<String> {
    if source.is_in(SQL) {
        return Vec::new();
    }
    used(source, |segments| match segments {
        ["sqlx", item, ..] => {
            item.starts_with("query") || matches!(*item, "raw_sql" | "QueryBuilder" | "AssertSqlSafe")
        }
        _ => false,
    })
    .map(|line| source.at(line, "a statement outside of store.rs"))
    .collect()
}

fn http_is_in_its_files(source: &Source) -> Vec<String> {
    if source.is_in(HTTP) {
        return Vec::new();
    }
    used(source, |segments| segments.first().is_some_and(|root| HTTP_CRATES.contains(root)))
        .map(|line| source.at(line, "HTTP outside of http.rs"))
        .collect()
}

/// The lines of the paths that `wanted` picks, in the code that ships.
fn used(source: &Source, wanted: impl Fn(&[&str]) -> bool) -> impl Iterator<Item = usize> {
    let shipped = source.shipped();
    let mut lines: Vec<usize> =
        paths(&shipped).iter().filter(|path| wanted(&path.segments)).map(|path| path.line).collect();
    lines.dedup();
    lines.into_iter()
}

fn commands_are_not_formatted(source: &Source) -> Vec<String> {
    let shipped = source.shipped();
    (0..shipped.len())
        .filter_map(|at| {
            let rest = shipped.get(at..)?;
            let arguments = command_call(rest)?;
            let formatted =
                within_brackets(rest.get(arguments..)?).any(|pair| spells(pair, &["format", "!"]));
            formatted.then(|| {
                source.at(rest.first().map_or(0, |token| token.line), "text formatted into a command")
            })
        })
        .collect()
}

/// If a call that builds a command starts here, the place of its opening bracket.
fn command_call(rest: &[Token<'_>]) -> Option<usize> {
    let words: Vec<&str> = rest.iter().take(4).map(|token| token.text).collect();
    match words.as_slice() {
        ["Command", "::", _, "("] => Some(3),
        [".", "arg" | "args", "(", ..] => Some(2),
        _ => None,
    }
}

/// The neighbours between the bracket that `rest` starts with and the one that closes it.
fn within_brackets<'t, 's>(rest: &'t [Token<'s>]) -> impl Iterator<Item = &'t [Token<'s>]> {
    rest.get(..closing(rest)).unwrap_or_default().windows(2)
}

/// Where the bracket that `rest` starts with is closed.
fn closing(rest: &[Token<'_>]) -> usize {
    let mut open = 0_i32;
    let end = rest.iter().position(|token| {
        open += match token.text {
            "(" | "{" | "[" => 1,
            ")" | "}" | "]" => -1,
            _ => 0,
        };
        open == 0
    });
    end.unwrap_or(rest.len())
}

fn secrets_are_not_serialised(source: &Source) -> Vec<String> {
    let shipped = source.shipped();
    (0..shipped.len())
        .filter_map(|at| {
            let line = serialised_secret(shipped.get(at..)?)?;
            Some(source.at(line, "a secret in a type that derives Serialize"))
        })
        .collect()
}

/// The line of the derive that `rest` starts with, if it is one of Serialize on a type that holds a `Secret`.
fn serialised_secret(rest: &[Token<'_>]) -> Option<usize> {
    if !spells(rest.get(..3)?, &["[", "derive", "("]) {
        return None;
    }
    let derived = rest.get(..closing(rest))?;
    let item = rest.get(derived.len()..)?;
    let keyword = item.iter().position(|token| matches!(token.text, "struct" | "enum" | "union"))?;
    let item = item.get(keyword..)?;
    let body = item.iter().position(|token| matches!(token.text, "{" | "(" | ";"))?;
    let body = item.get(body..)?;
    let holds = |tokens: &[Token<'_>], word| tokens.iter().any(|token| token.text == word);
    let found = holds(derived, "Serialize") && holds(body.get(..closing(body))?, "Secret");
    found.then_some(rest.first()?.line)
}

fn files_have_an_end(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    let what = format!("{lines} lines; {MOST_LINES} is the end, and {MANY_LINES} asks for a split");
    if lines > MOST_LINES { vec![source.at(lines, &what)] } else { Vec::new() }
}
