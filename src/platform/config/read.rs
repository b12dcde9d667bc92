//! Collecting problems while reading, so that all are told at once.

use std::fmt;

use zeroize::Zeroize;

use crate::platform::Secret;

/// What is wrong with one setting: its name and one sentence that goes on from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub setting: &'static str,
    pub wrong: String,
}

/// All that was wrong.
#[derive(Debug, thiserror::Error)]
pub struct ConfigError {
    pub problems: Vec<Problem>,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.setting, self.wrong)
    }
}

/// One line per problem.
impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(formatter, "{separator}{problem}")?;
        }
        Ok(())
    }
}

/// Reads values and remembers what was wrong with them.
#[derive(Default)]
pub(super) struct Reader {
    problems: Vec<Problem>,
}

impl Reader {
    /// What was given, or `default` when nothing (or something wrong) was.
    pub(super) fn read<T>(
        &mut self,
        setting: &'static str,
        given: Option<&str>,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        self.maybe(setting, given, parse).unwrap_or(default)
    }

    /// What was given. A value of nothing but spaces counts as none: that is how compose files pass on an unset variable.
    pub(super) fn maybe<T>(
        &mut self,
        setting: &'static str,
        given: Option<&str>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = given.map(str::trim).filter(|text| !text.is_empty())?;
        parse(text).map_err(|wrong| self.refuse(setting, wrong)).ok()
    }

    pub(super) fn refuse(&mut self, setting: &'static str, wrong: impl Into<String>) {
        self.problems.push(Problem { setting, wrong: wrong.into() });
    }

    /// `value`, if all that it was read from was right.
    pub(super) fn finish<T>(self, value: T) -> Result<T, ConfigError> {
        if self.problems.is_empty() { Ok(value) } else { Err(ConfigError { problems: self.problems }) }
    }
}

/// The text of a secret setting, for reading it.
pub(super) fn exposed<T: Zeroize + AsRef<str>>(secret: Option<&Secret<T>>) -> Option<&str> {
    secret.map(|secret| secret.expose().as_ref())
}
