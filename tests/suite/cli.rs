//! The command line, as its own process.

use std::process::{Output, Stdio};

use quaymaster::platform::{Database, Lifecycle, config::DatabaseConfig};
use serde_json::Value;
use tokio::{io::AsyncWriteExt, time::timeout};

use crate::support::{PATIENCE, postgres, process::Place, sshd::free_port};

async fn run_with_input(place: &Place, arguments: &[&str], input: &str) -> Output {
    let mut child = place.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn complaint(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[track_caller]
fn is_done(output: &Output) -> String {
    assert!(output.status.success(), "{}", complaint(output));
    out(output)
}

#[tokio::test]
async fn without_a_command_it_says_what_there_is_and_wrong_arguments_are_usage_errors() {
    let place = Place::new().await;
    let nothing = place.run(&[]).await;
    assert_eq!(nothing.status.code(), Some(2));
    for command in ["serve", "migrate", "openapi", "user", "doctor", "health"] {
        assert!(complaint(&nothing).contains(command), "{command}");
    }
    assert_eq!(place.run(&["nonsense"]).await.status.code(), Some(2));
    assert_eq!(place.run(&["--help"]).await.status.code(), Some(0));
    let version = is_done(&place.run(&["--version"]).await);
    assert_eq!(version.trim(), format!("quaymaster {}", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn every_wrong_setting_is_told_in_a_line_of_its_own() {
    let place = Place::new().await;
    let output = place.command(&["serve"]).env("PORT", "x").env("HOST", "y").output().await.unwrap();
    assert_eq!(output.status.code(), Some(2));
    let lines: Vec<String> = complaint(&output).lines().map(str::to_owned).collect();
    assert!(lines.iter().any(|line| line.starts_with("quaymaster: PORT ")), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("quaymaster: HOST ")), "{lines:?}");
}

#[tokio::test]
async fn a_file_env_gives_settings_and_does_not_override_the_environment() {
    let place = Place::new().await;
    std::fs::write(place.folder.path().join(".env"), "PORT=from-file\nHOST=from-file\n").unwrap();
    let output = place.command(&["serve"]).env("HOST", "from-environment").output().await.unwrap();
    let complaint = complaint(&output);
    assert!(complaint.contains("PORT is not"), "{complaint}");
    std::fs::write(place.folder.path().join(".env"), "JWT_SECRET='canary\n").unwrap();
    let output = place.run(&["doctor"]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(!self::complaint(&output).contains("canary"), "{output:?}");
}

#[tokio::test]
async fn openapi_prints_the_document_the_same_each_time() {
    let place = Place::new().await;
    let first = is_done(&place.run(&["openapi"]).await);
    assert!(first.ends_with("}\n"));
    assert!(serde_json::from_str::<Value>(&first).unwrap()["paths"]["/api/auth/login"].is_object());
    assert_eq!(is_done(&place.run(&["openapi"]).await), first);
}

#[tokio::test]
async fn migrate_brings_an_empty_database_up_to_date() {
    let mut place = Place::new().await;
    place.database = Some(postgres::empty_database().await);
    assert!(is_done(&place.run(&["migrate"]).await).contains("at version"));
    is_done(&place.run(&["migrate"]).await);
    let config = DatabaseConfig::External(Box::new(place.database.clone().unwrap()));
    let database = Database::open(&config, &Lifecycle::new()).await.unwrap();
    sqlx::query("select from events").fetch_optional(database.pool()).await.unwrap();
}

#[tokio::test]
async fn accounts_are_made_listed_and_changed_and_a_made_password_is_shown_once() {
    let place = Place::new().await;
    let made = is_done(&place.run(&["user", "create", "ann", "--email", "ann@example.com"]).await);
    assert!(made.contains("password: "), "{made}");
    let list = is_done(&place.run(&["user", "list"]).await);
    assert!(list.contains("admin\tadmin\tenabled"), "{list}");
    assert!(list.contains("ann\tuser\tenabled\tann@example.com\tnever"), "{list}");

    let given = "a password by stdin";
    let arguments = ["user", "reset-password", "ann@example.com", "--password-stdin"];
    let reset = is_done(&run_with_input(&place, &arguments, &format!("{given}\n")).await);
    assert!(!reset.contains(given), "{reset}");
    is_done(&place.run(&["user", "disable", "ann"]).await);
    assert!(is_done(&place.run(&["user", "list"]).await).contains("ann\tuser\tdisabled"));
    is_done(&place.run(&["user", "enable", "ann"]).await);
    let boss = is_done(
        &run_with_input(&place, &["user", "create", "boss", "--admin", "--password-stdin"], given).await,
    );
    assert!(!boss.contains("password"), "{boss}");
    assert!(is_done(&place.run(&["user", "list"]).await).contains("boss\tadmin\tenabled"));
}

#[tokio::test]
async fn a_command_that_cannot_be_done_says_why_and_fails() {
    let place = Place::new().await;
    for (arguments, why) in [
        (&["user", "disable", "admin"][..], "last enabled administrator"),
        (&["user", "disable", "nobody"], "there is no account nobody"),
        (&["user", "create", "admin"], "another user has this username"),
        (&["user", "create", "a b"], "letters, digits"),
        (&["user", "create", "ann", "--email", "nobody"], "e-mail"),
        (&["health", "--url", "https://127.0.0.1/"], "is not a URL like"),
        (&["health", "--url", "http://127.0.0.1:1/"], "cannot be asked"),
    ] {
        let output = place.run(arguments).await;
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(complaint(&output).contains(why), "{arguments:?}: {}", complaint(&output));
    }
    let short =
        run_with_input(&place, &["user", "reset-password", "admin", "--password-stdin"], "short\n").await;
    assert_eq!(short.status.code(), Some(1));
    assert!(complaint(&short).contains("at least 8 characters"), "{}", complaint(&short));
}

#[tokio::test]
async fn serve_ends_in_order_on_either_signal() {
    let place = Place::new().await;
    for name in ["TERM", "INT"] {
        let mut serving = place.serve(&[]).await;
        serving.signal(name).await;
        assert_eq!(serving.ended().await, Some(0), "{name}");
    }
}

#[tokio::test]
async fn health_asks_where_the_settings_say_and_doctor_finds_nothing_to_mend() {
    let place = Place::new().await;
    let port = free_port();
    let ask = || async { place.command(&["health"]).env("PORT", port.to_string()).output().await.unwrap() };
    assert_eq!(ask().await.status.code(), Some(1));
    let mut serving = place.spawn_at(port, &[]);
    serving.is_up().await;
    assert_eq!(is_done(&ask().await).trim(), "ok");
    let examined = is_done(&place.run(&["doctor"]).await);
    assert!(examined.contains("ok    database"), "{examined}");
    assert!(!examined.contains("FAIL"), "{examined}");
}
