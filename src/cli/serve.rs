//! `serve`: runs until a signal. SIGTERM and SIGINT end it in order, a second one at once.

use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Failure;
use crate::{
    platform::{Clock, Config, config::ServeArgs, telemetry},
    startup::Application,
};

/// Ctrl-C, and what service managers and container engines send.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn catch() -> Result<Self, Failure> {
        let catch =
            |kind| signal(kind).map_err(|error| Failure::Told(format!("signals cannot be caught: {error}")));
        Ok(Self { interrupt: catch(SignalKind::interrupt())?, terminate: catch(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

pub async fn serve(args: &ServeArgs) -> Result<ExitCode, Failure> {
    let mut signals = Signals::catch()?;
    let config = Config::from_args(args)?;
    telemetry::init(&config.log)?;
    let application = tokio::select! {
        built = Application::build(config, Clock::system()) => built?,
        () = signals.next() => return Ok(ExitCode::SUCCESS),
    };
    let lifecycle = application.services().lifecycle.clone();
    let run = application.run();
    tokio::pin!(run);
    tokio::select! {
        ended = &mut run => { ended?; return Ok(ExitCode::SUCCESS); }
        () = signals.next() => lifecycle.stop(),
    }
    // The door closes with the tasks: long streams end first, so that nothing waits for them.
    tokio::select! {
        ended = run => { ended?; Ok(ExitCode::SUCCESS) }
        () = signals.next() => Err(Failure::Told("ended at once, as asked by a second signal".to_owned())),
    }
}
