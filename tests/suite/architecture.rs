//! The rules of the house, held against `src/`, and each held against a sample that breaks it: a rule that cannot fail
//! holds nothing.

#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/source.rs"]
mod source;

use std::{fs, io, path::Path};

use rules::{MANY_LINES, RULES, Source};

/// Every Rust file below `folder`, named from `root`.
fn sources(root: &Path, folder: &Path) -> io::Result<Vec<Source>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(sources(root, &path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).map_err(io::Error::other)?;
            found.push(Source::new(&name.to_string_lossy(), fs::read_to_string(&path)?));
        }
    }
    Ok(found)
}

/// What the rule of that name says of a file.
fn judge(rule: &str, path: &str, text: &str) -> Vec<String> {
    let source = Source::new(path, text);
    RULES.iter().filter(|(name, _)| *name == rule).flat_map(|(_, judge)| judge(&source)).collect()
}

#[test]
fn the_house_keeps_its_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let sources = sources(&root, &root).unwrap();
    assert!(sources.iter().any(|source| source.name == "platform/error"), "the sources were not found");
    for source in &sources {
        let lines = source.text.lines().count();
        if lines > MANY_LINES {
            eprintln!("src/{}: {lines} lines, more than {MANY_LINES}: think of a split", source.name);
        }
    }
    let broken: Vec<String> = RULES
        .iter()
        .flat_map(|(name, rule)| sources.iter().flat_map(rule).map(move |what| format!("{name}: {what}")))
        .collect();
    assert!(broken.is_empty(), "{} places break a rule:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn an_import_that_does_not_go_down_is_found() {
    let rule = "imports go strictly down";
    for (path, text) in [
        ("apps/ops.rs", "use crate::shells::Hub;"),
        ("apps/ops.rs", "use crate::{platform::Error, routes};"),
        ("projects/ops.rs", "use crate::operations::Operation;"),
        ("servers/mod.rs", "fn f() { crate::apps::list(); }"),
        ("servers/ops.rs", "use super::super::apps::App;"),
        ("servers/mod.rs", "use super::apps;"),
        ("remote/ssh/engine.rs", "use super::super::super::web::Page;"),
        ("remote/mod.rs", "mod inner { use super::super::journal::Entry; }"),
        ("platform/db/mod.rs", "#[cfg(test)] mod tests { use crate::identity::User; }"),
        ("services.rs", "use crate::identity;"),
        ("cli.rs", "use crate::main::run;"),
        ("schedule.rs", "use crate::routes::mount;"),
        ("apps/ops.rs", "use crate::utils::quote;"),
        ("helpers/mod.rs", ""),
    ] {
        assert!(!judge(rule, path, text).is_empty(), "{path}: {text}");
    }
    for (path, text) in [
        (
            "apps/ops.rs",
            "use crate::{operations, projects::{self, Project}, servers::Server}; use crate::apps::store;",
        ),
        ("apps/ops.rs", "use super::{App, policy}; mod tests { use super::super::App; use super::*; }"),
        ("remote/ssh/engine.rs", "use super::super::docker::Client; use crate::remote::compose;"),
        (
            "apps/http.rs",
            "// crate::shells::x\nconst X: &str = \"crate::shells::x\"; pub(crate) fn f() { self::g(); }",
        ),
        ("main.rs", "use quaymaster::cli; fn main() { quaymaster::startup::run(); }"),
        ("lib.rs", "pub mod apps;"),
    ] {
        assert_eq!(judge(rule, path, text), [""; 0], "{path}");
    }
}

#[test]
fn a_store_that_others_could_reach_is_found() {
    let rule = "stores are private";
    for text in ["pub mod store;", "pub(crate) mod store;", "pub(in crate::apps) mod store { }"] {
        assert_eq!(judge(rule, "apps/mod.rs", text).len(), 1, "{text}");
    }
    assert_eq!(judge(rule, "apps/mod.rs", "pub mod http; mod store; pub mod stores;"), [""; 0]);
}

#[test]
fn a_statement_outside_of_a_store_is_found() {
    let rule = "SQL is in the stores";
    let statements = ["sqlx::query!(\"select 1\");", "use sqlx::{PgPool, query_as};", "sqlx::raw_sql(x);"];
    for text in statements {
        for path in ["apps/ops.rs", "apps/http.rs", "platform/vault.rs", "storekeeper/mod.rs", "store.rs"] {
            assert!(!judge(rule, path, text).is_empty(), "{path}: {text}");
        }
        for path in [
            "apps/store.rs",
            "apps/store/reads.rs",
            "journal/mod.rs",
            "platform/db/migrate.rs",
            "platform/claim.rs",
        ] {
            assert_eq!(judge(rule, path, text), [""; 0], "{path}");
        }
    }
    assert_eq!(judge(rule, "apps/policy_tests.rs", "sqlx::query!(\"\");"), [""; 0]);
    assert_eq!(judge(rule, "apps/ops.rs", "use sqlx::PgConnection; fn f(e: sqlx::Error) {}"), [""; 0]);
    assert_eq!(
        judge(rule, "apps/ops.rs", "fn f() {} #[cfg(test)] mod tests { sqlx::query!(\"\"); }"),
        [""; 0]
    );
}

#[test]
fn http_in_the_wrong_file_is_found() {
    let rule = "HTTP is in its files";
    for text in ["use actix_web::web::Json;", "fn f() -> actix_web::Result<()> {}", "use actix_cors::Cors;"] {
        for path in ["apps/ops.rs", "apps/mod.rs", "platform/error.rs", "identity/policy.rs", "webs/mod.rs"] {
            assert!(!judge(rule, path, text).is_empty(), "{path}: {text}");
        }
        for path in [
            "apps/http.rs",
            "apps/http/bodies.rs",
            "apps/logs_http.rs",
            "web/problem.rs",
            "routes.rs",
            "startup.rs",
            "identity/extract.rs",
        ] {
            assert_eq!(judge(rule, path, text), [""; 0], "{path}");
        }
    }
}

#[test]
fn text_formatted_into_a_command_is_found() {
    let rule = "commands are not formatted";
    for text in [
        "Command::new(format!(\"cd {path}\"))",
        "remote::Command::shell(\n    &format!(\"x {y}\"),\n)",
        "command.arg(format!(\"{x}\"))",
        "command.arg(&format!(\"{x}\"))",
        "command.args([\"-C\", &format!(\"{x}\")])",
    ] {
        assert!(!judge(rule, "remote/exec.rs", text).is_empty(), "{text}");
    }
    for text in [
        "Command::new(\"docker\").arg(\"-C\").arg(path); log(format!(\"{x}\"))",
        "Command::new(DOCKER); format!(\"{x}\")",
        "// command.arg(format!(\"{x}\"))",
        "margin(format!(\"{x}\"))",
    ] {
        assert_eq!(judge(rule, "remote/exec.rs", text), [""; 0], "{text}");
    }
}

#[test]
fn a_secret_in_a_serialised_type_is_found() {
    let rule = "secrets are not serialised";
    for text in [
        "#[derive(Debug, Serialize)] pub struct Login { name: String, password: Secret<String> }",
        "#[derive(serde::Serialize)] #[serde(tag = \"kind\")] enum Credential { Key { key: Option<Secret<String>> } }",
        "#[derive(Serialize)] struct Token(Secret<String>);",
    ] {
        assert_eq!(judge(rule, "identity/http.rs", text).len(), 1, "{text}");
    }
    for text in [
        "#[derive(Debug, Deserialize)] struct Login { password: Secret<String> }",
        "#[derive(Serialize)] struct View { name: String } struct Login { password: Secret<String> }",
        "#[derive(Serialize)] struct Unit; fn f(x: Secret<String>) {}",
    ] {
        assert_eq!(judge(rule, "identity/http.rs", text), [""; 0], "{text}");
    }
}

#[test]
fn a_file_that_is_too_long_is_found() {
    let rule = "files have an end";
    assert_eq!(judge(rule, "apps/ops.rs", &"\n".repeat(500)), [""; 0]);
    assert_eq!(judge(rule, "apps/ops.rs", &"\n".repeat(501)).len(), 1);
}
