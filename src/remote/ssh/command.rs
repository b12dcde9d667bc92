//! Commands for a host: an argv and where to run it, turned into one line by one quoting function.
//!
//! sshd hands a command to the account's shell as text (RFC 4254, section 6.5), so text it must become; [`quote`] is the
//! only place where that happens, and there is no way to make a [`Command`] from text. The line is for POSIX shells.

use std::fmt::Write as _;

use uuid::Uuid;

use super::path::RemotePath;

/// Appended to the account's `PATH`, never before what the host chose: shells without login often lack these, and
/// Docker is commonly there (packages of some NAS makers, snap).
const MORE_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/snap/bin";

/// The environment variable that marks every process of one run. See [`ProcessGroup`](super::ProcessGroup).
pub(super) const RUN_VARIABLE: &str = "QUAYMASTER_RUN";

/// Linux takes at most 128 KiB in one argument, and the shell gets the line as one.
const MAX_LINE_BYTES: usize = 100 * 1024;

/// A program and its arguments, a folder to run it in, and further environment variables.
///
/// Program and names are constants of this program; values may come from anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    program: &'static str,
    args: Vec<String>,
    dir: Option<RemotePath>,
    env: Vec<(&'static str, String)>,
}

/// Why a command cannot be handed to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCommand {
    #[error("an argument holds a NUL character, which no program can be given")]
    Nul,
    #[error("the command is longer than {MAX_LINE_BYTES} bytes, which no shell can be given")]
    TooLong,
}

/// Where the standard input of a command comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Nothing,
    Channel,
}

impl Command {
    pub fn new(program: &'static str) -> Self {
        Self { program, args: Vec::new(), dir: None, env: Vec::new() }
    }

    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    #[must_use]
    pub fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Arguments that the program must not read as options: puts `--` before them.
    #[must_use]
    pub fn operands<A: Into<String>>(self, operands: impl IntoIterator<Item = A>) -> Self {
        self.arg("--").args(operands)
    }

    /// The folder to run in. A command whose folder is not there fails and says so on stderr.
    #[must_use]
    pub fn dir(mut self, dir: RemotePath) -> Self {
        self.dir = Some(dir);
        self
    }

    /// Sets an environment variable. Not for secrets: others on the host may be able to read it.
    #[must_use]
    pub fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// The line for the account's shell. It first writes [`Mark`] and the shell's process id on a line to stdout and one to
    /// stderr, then becomes the program (`exec`): that id stays, and with OpenSSH, which gives each command without a terminal a
    /// session of its own, it is also the id of the process group.
    pub(super) fn line(&self, mark: &Mark, input: Input) -> Result<String, InvalidCommand> {
        let mut line = format!(
            "export {RUN_VARIABLE}={} PATH=\"${{PATH:+$PATH:}}\"{MORE_PATH}",
            quote(&mark.run.to_string())
        );
        for (name, value) in &self.env {
            // Name and value are quoted as one word: a bad name is an error of `export`, never a command.
            let _ = write!(line, " {}", quote(&format!("{name}={value}")));
        }
        for stream in ["", " >&2"] {
            let _ = write!(line, " && printf '%s %s\\n' {} \"$$\"{stream}", quote(&mark.text()));
        }
        if let Some(dir) = &self.dir {
            let _ = write!(line, " && cd -- {}", quote(dir.as_str()));
        }
        line.push_str(" && exec");
        for word in std::iter::once(self.program).chain(self.args.iter().map(String::as_str)) {
            line.push(' ');
            line.push_str(&quote(word));
        }
        if input == Input::Nothing {
            line.push_str(" </dev/null");
        }
        if line.contains('\0') {
            return Err(InvalidCommand::Nul);
        }
        if line.len() > MAX_LINE_BYTES {
            return Err(InvalidCommand::TooLong);
        }
        Ok(line)
    }
}

/// What separates a command's output from whatever the account's start-up files print before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub run: Uuid,
}

impl Mark {
    pub fn text(&self) -> String {
        format!("quaymaster-run-{}", self.run.simple())
    }

    /// Looks for the mark's line in what came so far: the process id, and where the command's own output begins.
    pub fn find(&self, bytes: &[u8]) -> Option<(u32, usize)> {
        let mark = format!("{} ", self.text());
        let start = bytes.windows(mark.len()).position(|window| window == mark.as_bytes())? + mark.len();
        let rest = bytes.get(start..)?;
        let length = rest.iter().position(|&byte| byte == b'\n')?;
        let id = std::str::from_utf8(rest.get(..length)?).ok()?.trim().parse().ok()?;
        Some((id, start + length + 1))
    }
}

/// One word for a POSIX shell, whatever it holds.
///
/// Everything but plainly harmless characters goes between single quotes, where a POSIX shell reads nothing but the
/// closing quote. Quotes and backslashes go outside, each behind a backslash.
fn quote(word: &str) -> String {
    let harmless = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | ':' | ',' | '+' | '@' | '%')
    };
    if !word.is_empty() && word.chars().all(harmless) {
        return word.to_owned();
    }
    let mut quoted = String::with_capacity(word.len() + 2);
    quoted.push('\'');
    for character in word.chars() {
        match character {
            '\'' => quoted.push_str("'\\''"),
            '\\' => quoted.push_str("'\\\\'"),
            other => quoted.push(other),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

    use proptest::prelude::*;

    use super::*;

    const SHELLS: [&[&str]; 4] = [&["sh"], &["dash"], &["bash"], &["busybox", "sh"]];

    fn mark() -> Mark {
        Mark { run: Uuid::from_u128(7) }
    }

    /// What a real shell makes of the line: the command's own stdout.
    #[expect(clippy::disallowed_methods, reason = "a test without a runtime may block")]
    fn output(shell: &[&str], line: &str, env: &[(&str, &str)]) -> Vec<u8> {
        let output = std::process::Command::new(shell[0])
            .args(&shell[1..])
            .args(["-c", line])
            .envs(env.iter().copied())
            .output()
            .unwrap_or_else(|error| panic!("install {}: {error}", shell[0]));
        let (id, start) = mark().find(&output.stdout).unwrap_or_else(|| panic!("{output:?}"));
        assert!(id > 1);
        output.stdout[start..].to_vec()
    }

    /// Each argument as the program received it: `printf` repeats its format for each.
    fn assert_exact(args: &[String]) {
        let mut expected: Vec<u8> = args.iter().flat_map(|arg| [arg.as_bytes(), b"\0"].concat()).collect();
        if args.is_empty() {
            expected = b"\0".to_vec();
        }
        let line = Command::new("printf").arg("%s\\000").args(args).line(&mark(), Input::Nothing).unwrap();
        for shell in SHELLS {
            assert_eq!(output(shell, &line, &[]), expected, "{shell:?} {line}");
        }
    }

    #[test]
    fn nothing_in_an_argument_is_read_by_the_shell() {
        let dir = tempfile::tempdir().unwrap();
        let touched = dir.path().join("touched");
        let touch = touched.to_str().unwrap();
        let payloads = [
            format!("$(touch {touch})"),
            format!("`touch {touch}`"),
            format!("'; touch {touch}; '"),
            format!("\"; touch {touch}; \""),
            format!("\ntouch {touch}\n"),
            format!("\\'; touch {touch} #"),
            format!("x & touch {touch} | > {touch}"),
        ];
        assert_exact(&payloads);
        assert!(!touched.exists());
        let plain = [
            "",
            " ",
            "-n",
            "--",
            "-rf",
            "~",
            "~root",
            "*",
            "?",
            "[a]",
            "{a,b}",
            "a=b",
            "!!",
            "#",
            "ü 船 🚢",
            "\r\t\u{7f}",
            "\\",
            "\\\\n",
            "$HOME",
            "%s",
            "'",
            "\"",
        ];
        assert_exact(&plain.map(str::to_owned));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_argument_arrives_as_it_is(args in prop::collection::vec("([^\0]|[\\\\'\"$`!*? \n;&|<>()~#-]){0,24}", 0..6)) {
            assert_exact(&args);
        }

        #[test]
        fn any_folder_is_entered(name in "[^\0\n/]{1,40}") {
            prop_assume!(name != "." && name != ".." && name.len() <= 255);
            let parent = tempfile::tempdir().unwrap();
            let dir = parent.path().join(OsStr::from_bytes(name.as_bytes()));
            std::fs::create_dir(&dir).unwrap();
            let path: RemotePath = dir.to_str().unwrap().parse().unwrap();
            let line = Command::new("pwd").dir(path.clone()).line(&mark(), Input::Nothing).unwrap();
            for shell in SHELLS {
                let shown = output(shell, &line, &[("CDPATH", "/"), ("OLDPWD", "/")]);
                prop_assert_eq!(shown, [path.as_str().as_bytes(), b"\n"].concat());
            }
        }
    }

    #[test]
    fn variables_reach_the_program_and_the_hosts_path_stays_first() {
        let line = Command::new("env")
            .env("FIRST", "a b'$(x)")
            .env("SECOND", "")
            .line(&mark(), Input::Nothing)
            .unwrap();
        for shell in SHELLS {
            let shown = String::from_utf8(output(shell, &line, &[("PATH", "/usr/bin:/bin")])).unwrap();
            let lines: Vec<&str> = shown.lines().collect();
            assert!(lines.contains(&"FIRST=a b'$(x)") && lines.contains(&"SECOND="), "{shown}");
            assert!(lines.contains(&"QUAYMASTER_RUN=00000000-0000-0000-0000-000000000007"), "{shown}");
            assert!(lines.contains(&format!("PATH=/usr/bin:/bin:{MORE_PATH}").as_str()), "{shown}");
        }
    }

    #[test]
    fn a_bad_variable_name_runs_nothing() {
        let line = Command::new("true").env("A;touch x", "1").line(&mark(), Input::Nothing).unwrap();
        assert!(line.contains("'A;touch x=1'"), "{line}");
    }

    #[test]
    fn a_nul_is_refused_wherever_it_is() {
        for command in [Command::new("a").arg("b\0"), Command::new("a").env("B", "\0")] {
            assert_eq!(command.line(&mark(), Input::Nothing), Err(InvalidCommand::Nul));
        }
        let long = Command::new("a").arg("b".repeat(MAX_LINE_BYTES));
        assert_eq!(long.line(&mark(), Input::Nothing), Err(InvalidCommand::TooLong));
    }

    #[test]
    fn the_mark_is_found_behind_noise_and_only_when_its_line_is_whole() {
        let mark = mark();
        let text = format!("welcome\n{} 4711\nout", mark.text());
        let (id, start) = mark.find(text.as_bytes()).unwrap();
        assert_eq!((id, &text[start..]), (4711, "out"));
        for cut in 0..text.len() - "\nout".len() {
            assert!(mark.find(&text.as_bytes()[..cut]).is_none());
        }
        assert!(mark.find(format!("{} x\n", mark.text()).as_bytes()).is_none());
    }
}
