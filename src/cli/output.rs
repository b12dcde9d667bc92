//! What the commands print: results to standard output, complaints to standard error. A reader that is gone is no error.

use std::{
    fmt::Display,
    io::{Write, stderr, stdout},
};

pub fn say(text: &str) {
    drop(writeln!(stdout(), "{text}"));
}

pub fn complain(what: &impl Display) {
    for line in what.to_string().lines() {
        drop(writeln!(stderr(), "quaymaster: {line}"));
    }
}
