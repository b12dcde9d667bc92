//! Absolute paths on a host.

use std::{fmt, str::FromStr};

/// An absolute path: no NUL, no line feed, no `..`, at most [`RemotePath::MAX_BYTES`]. Every other character is legal.
///
/// Doubled slashes, `.` segments and a last slash are taken away, so that one folder has one spelling.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RemotePath(String);

/// Why a text is not a [`RemotePath`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    #[error("a path begins with /")]
    Relative,
    #[error("a path cannot contain a NUL character or a line break")]
    Control,
    #[error("a path cannot contain a .. segment")]
    Parent,
    #[error("a path has at most {} bytes", RemotePath::MAX_BYTES)]
    TooLong,
}

impl RemotePath {
    pub const MAX_BYTES: usize = 500;

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RemotePath {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > Self::MAX_BYTES {
            return Err(InvalidPath::TooLong);
        }
        if text.contains(['\0', '\n']) {
            return Err(InvalidPath::Control);
        }
        if !text.starts_with('/') {
            return Err(InvalidPath::Relative);
        }
        let mut path = String::with_capacity(text.len());
        for segment in text.split('/') {
            match segment {
                "" | "." => {}
                ".." => return Err(InvalidPath::Parent),
                other => {
                    path.push('/');
                    path.push_str(other);
                }
            }
        }
        Ok(Self(if path.is_empty() { "/".to_owned() } else { path }))
    }
}

impl fmt::Display for RemotePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_folder_has_one_spelling() {
        for text in ["/srv/app", "/srv/app/", "//srv///app", "/srv/./app/."] {
            assert_eq!(text.parse::<RemotePath>().unwrap().as_str(), "/srv/app", "{text}");
        }
        assert_eq!("/./".parse::<RemotePath>().unwrap().as_str(), "/");
    }

    #[test]
    fn anything_else_that_a_folder_can_be_called_is_legal() {
        for text in ["/-rf", "/a b/'\"$(touch x)`;|&*?[~!#", "/..a/b..", "/ü/\t\r\u{1b}\\", "/ trailing "] {
            assert_eq!(text.parse::<RemotePath>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_could_mean_another_folder_or_line_is_refused() {
        let long = format!("/{}", "a".repeat(RemotePath::MAX_BYTES));
        let cases = [
            ("", InvalidPath::Relative),
            ("srv", InvalidPath::Relative),
            ("~/app", InvalidPath::Relative),
            ("/a/../b", InvalidPath::Parent),
            ("/..", InvalidPath::Parent),
            ("/a\nb", InvalidPath::Control),
            ("/a\0b", InvalidPath::Control),
            (&long, InvalidPath::TooLong),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<RemotePath>(), Err(expected), "{text:?}");
        }
    }
}
