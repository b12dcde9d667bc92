//! The process: the command line decides what it does and how it ends.

fn main() -> std::process::ExitCode {
    quaymaster::cli::run()
}
