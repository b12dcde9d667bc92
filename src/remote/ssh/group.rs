//! The processes of a command on a host: finding them again, asking whether they live, ending them.
//!
//! A process id alone is not enough: the host may have given it to another process since. So every run carries a mark in
//! its environment, and a group is taken for the run's only if one of its processes has it (Linux, proc(5)).

use uuid::Uuid;

use super::{command::Command, error::Error, exec::Output, text};

/// A command's process group on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessGroup {
    /// What its processes are marked with; see [`StartOptions`](super::StartOptions).
    pub run: Uuid,
    /// The id of the group, and of the process that leads it.
    pub leader: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Please end.
    Term,
    /// End.
    Kill,
}

/// Whether processes of a group live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    Alive,
    Gone,
}

/// Arguments: the group or nothing, the run, the name of a signal or nothing. Answers `alive GROUP`, `gone` or `unknown`.
///
/// A shell that has not yet become the command has the mark in its arguments only, hence `cmdline`. The fields after the
/// parenthesis of `stat` are state, parent and group. Of this script itself only the group, its own, could match.
const SCRIPT: &str = r#"
group=$1 run=$2 signal=$3
if ! [ -r /proc/self/stat ]; then echo unknown; exit; fi
if [ -n "$group" ] && ! kill -0 "-$group" 2>/dev/null; then echo gone; exit; fi
for file in $(grep -slF -e "QUAYMASTER_RUN=$run" /proc/[0-9]*/environ /proc/[0-9]*/cmdline); do
  stat=$(cat "${file%/*}/stat" 2>/dev/null) || continue
  set -f; set -- ${stat##*) }; set +f
  if [ "$1" = Z ] || [ "$3" = "$$" ] || [ "$3" != "${group:-$3}" ]; then continue; fi
  if [ -n "$signal" ] && ! kill "-$signal" "-$3"; then exit 1; fi
  echo "alive $3"; exit
done
echo gone
"#;

/// Asks after a group (or any group of `run`), and sends it a signal if it lives.
pub(super) fn question(run: Uuid, leader: Option<u32>, signal: Option<Signal>) -> Command {
    let signal = match signal {
        None => "",
        Some(Signal::Term) => "TERM",
        Some(Signal::Kill) => "KILL",
    };
    let leader = leader.map_or_else(String::new, |leader| leader.to_string());
    Command::new("sh").args(["-c", SCRIPT, "sh"]).args([leader, run.to_string(), signal.to_owned()])
}

/// The living group that the host named, if any.
pub(super) fn answer(run: Uuid, output: &Output) -> Result<Option<ProcessGroup>, Error> {
    let shown = String::from_utf8_lossy(&output.stdout);
    let mut words = shown.split_whitespace();
    match (words.next(), words.next().map(str::parse)) {
        (Some("alive"), Some(Ok(leader))) => Ok(Some(ProcessGroup { run, leader })),
        (Some("gone"), None) => Ok(None),
        (Some("unknown"), None) => {
            Err(Error::Protocol("it has no /proc, which is needed to tell processes apart".to_owned()))
        }
        _ => Err(Error::Protocol(format!(
            "it did not say whether a command runs: {}",
            text::clean_bytes(&output.stderr)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::ssh::Exit;

    fn said(stdout: &str) -> Result<Option<ProcessGroup>, Error> {
        let output = Output { stdout: stdout.into(), stderr: b"no\x1b".to_vec(), exit: Exit::Status(0) };
        answer(Uuid::from_u128(1), &output)
    }

    #[test]
    fn only_a_clear_answer_counts() {
        assert_eq!(said("alive 42\n").unwrap().unwrap().leader, 42);
        assert_eq!(said("gone\n").unwrap(), None);
        for unclear in ["", "alive", "alive x", "gone 3", "unknown", "hello"] {
            assert!(said(unclear).is_err(), "{unclear}");
        }
    }
}
