//! How Postgres is started: its command line, and what it must not find.

use std::{fs, path::PathBuf, process::Stdio};

use tokio::process::Command;

use super::{Account, Durability, PORT, folders, program};

/// How to start Postgres.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    pub(super) program: PathBuf,
    pub(super) account: Option<Account>,
    pub(super) cluster_dir: PathBuf,
    pub(super) socket_dir: PathBuf,
    pub(super) durability: Durability,
}

impl Launch {
    pub(super) fn command(&self) -> Command {
        let mut command = program::bound_command(&self.program, "INT", self.account.as_ref());
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command.arg("-D").arg(&self.cluster_dir).arg("-k").arg(&self.socket_dir);
        for setting in self.settings() {
            command.arg("-c").arg(setting);
        }
        command
    }

    fn settings(&self) -> Vec<String> {
        let mut settings: Vec<String> = [
            "listen_addresses=",
            "unix_socket_permissions=0700",
            "shared_buffers=32MB",
            "timezone=UTC",
            "log_timezone=UTC",
            "log_destination=stderr",
            "logging_collector=off",
            "log_line_prefix=",
            // Statements and the values that a constraint refused may be secrets.
            "log_min_error_statement=panic",
            "log_error_verbosity=terse",
        ]
        .map(str::to_owned)
        .into();
        settings.push(format!("port={PORT}"));
        if self.durability == Durability::None {
            settings
                .extend(["fsync=off", "full_page_writes=off", "synchronous_commit=off"].map(str::to_owned));
        }
        settings
    }

    /// A folder outside of the data directory is not left behind; in it, it is of no consequence.
    pub(super) fn remove_foreign_socket_dir(&self) {
        let is_ours = self.cluster_dir.parent().is_some_and(|data_dir| self.socket_dir.starts_with(data_dir));
        if !is_ours {
            // Not empty after an end that was not in order; the next start uses it again.
            let _ = fs::remove_dir(&self.socket_dir);
        }
    }

    /// What a killed Postgres left in its socket's folder, which is private to this cluster: its lock there names a
    /// process as `postmaster.pid` does, and would be taken as seriously.
    pub(super) fn clear_socket(&self) {
        let socket = folders::socket_name();
        for name in [format!("{socket}.lock"), socket] {
            // Mostly there is none; one that cannot be removed makes Postgres say so.
            let _ = fs::remove_file(self.socket_dir.join(name));
        }
    }
}
