//! The SSH engine against real sshd, and against servers that misbehave.

mod commands;
mod hostile;
mod login;
mod pool;
mod streams;
mod trust;

use std::time::Duration;

use quaymaster::{
    platform::Lifecycle,
    remote::ssh::{Command, Engine, Error, Limits, Output, RunLimits, Target},
};

fn engine() -> Engine {
    Engine::new(Limits::default(), Lifecycle::new())
}

/// With limits short enough to run into.
fn hasty() -> Limits {
    let soon = Duration::from_millis(800);
    Limits {
        connect: soon,
        handshake: soon,
        auth: soon,
        channel: soon,
        shell: soon,
        queue: soon,
        ..Limits::default()
    }
}

async fn run(engine: &Engine, target: &Target, command: &Command) -> Result<Output, Error> {
    engine.run(target, command, RunLimits::default()).await
}

/// A script for the host's shell, in tests only: the engine itself has no way in for text.
fn script(text: &str) -> Command {
    Command::new("sh").args(["-c", text])
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
