//! The log: structured events to standard error and, if asked for, to a file; text for people, JSON for machines.
//!
//! The file is opened for appending, so that a rotation which copies and cuts it works without a signal. Panics are
//! logged like everything else.

use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal},
    panic::PanicHookInfo,
    path::PathBuf,
    sync::Mutex,
};

use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use super::config::{LogConfig, LogFormat};

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("LOG_FILE {} cannot be written: {cause}", path.display())]
    File { path: PathBuf, cause: io::Error },
    #[error("LOG_LEVEL: {0}")]
    Level(#[from] tracing_subscriber::filter::ParseError),
    #[error("logging was set up already: {0}")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text { colours: bool },
    Json,
}

/// Sends the events of this process, and its panics, where `config` says. To be called once, first of all.
pub fn init(config: &LogConfig) -> Result<(), TelemetryError> {
    let console = console_form(config.format, io::stderr().is_terminal());
    let file = config.file.as_ref().map(open).transpose()?;
    subscriber(config, console, io::stderr, file)?.try_init()?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

fn subscriber<W>(
    config: &LogConfig,
    console: Form,
    writer: W,
    file: Option<File>,
) -> Result<impl Subscriber + Send + Sync, TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder().parse(&config.level)?;
    let mut layers = vec![layer(console, writer)];
    if let Some(file) = file {
        layers.push(layer(file_form(config.format), Mutex::new(file)));
    }
    Ok(Registry::default().with(layers).with(filter))
}

fn layer<W>(form: Form, writer: W) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    match form {
        Form::Text { colours } => fmt::layer().with_ansi(colours).with_writer(writer).boxed(),
        Form::Json => {
            fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(writer).boxed()
        }
    }
}

fn console_form(format: LogFormat, is_terminal: bool) -> Form {
    match format {
        LogFormat::Json => Form::Json,
        LogFormat::Auto if !is_terminal => Form::Json,
        LogFormat::Text | LogFormat::Auto => Form::Text { colours: is_terminal },
    }
}

/// A file is never a terminal.
fn file_form(format: LogFormat) -> Form {
    console_form(format, false)
}

fn open(path: &PathBuf) -> Result<File, TelemetryError> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .map_err(|cause| TelemetryError::File { path: path.clone(), cause })
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    // A literal, or what was formatted; others panic with neither.
    let payload = panic.payload();
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message");
    let thread = std::thread::current().name().unwrap_or("without a name").to_owned();
    // Empty unless RUST_BACKTRACE asks for it.
    let backtrace = std::backtrace::Backtrace::capture();
    tracing::error!(target: "panic", location, thread, %backtrace, "{message}");
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn config(format: LogFormat, level: &str) -> LogConfig {
        LogConfig { level: level.to_owned(), file: None, format }
    }

    /// What is in the file after `events` were logged.
    fn logged(format: LogFormat, level: &str, events: impl FnOnce()) -> String {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let to = open(&file.path().to_owned()).unwrap();
        let subscriber = subscriber(&config(format, level), Form::Json, io::sink, Some(to)).unwrap();
        tracing::subscriber::with_default(subscriber, events);
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_terminal_gets_text_and_everything_else_json() {
        assert_eq!(console_form(LogFormat::Auto, true), Form::Text { colours: true });
        assert_eq!(console_form(LogFormat::Auto, false), Form::Json);
        assert_eq!(console_form(LogFormat::Text, false), Form::Text { colours: false });
        assert_eq!(console_form(LogFormat::Json, true), Form::Json);
    }

    #[test]
    fn a_file_gets_one_object_per_event_of_the_level_with_its_fields() {
        let text = logged(LogFormat::Auto, "info", || {
            tracing::info!(server = "quay-1", "probed");
            tracing::debug!("not asked for");
        });
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 1, "{text}");
        assert_eq!((&lines[0]["message"], &lines[0]["server"]), (&"probed".into(), &"quay-1".into()));
    }

    #[test]
    fn text_in_a_file_has_no_colours() {
        let text = logged(LogFormat::Text, "info", || tracing::warn!("a word"));
        assert!(text.contains("WARN"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }

    #[test]
    fn a_panic_is_logged_with_its_message_and_place() {
        let text = logged(LogFormat::Json, "info", || {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(log_panic));
            let caught = std::panic::catch_unwind(|| panic!("the quay is full"));
            std::panic::set_hook(before);
            assert!(caught.is_err());
        });
        assert!(text.contains("the quay is full") && text.contains("telemetry.rs:"), "{text}");
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_named() {
        let error = open(&PathBuf::from("/nowhere/quaymaster.log")).unwrap_err().to_string();
        assert!(error.starts_with("LOG_FILE /nowhere/quaymaster.log cannot be written"), "{error}");
    }
}
