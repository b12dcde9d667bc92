//! What a machine is called and how it is reached, parsed: these values may be connected to and shown.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// Why a text is not such a value: a rule for a person, without the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidField(pub &'static str);

const NAME_MAX_CHARS: usize = 100;
const USER_MAX_CHARS: usize = 64;
/// RFC 1035, section 2.3.4.
const HOST_NAME_MAX_BYTES: usize = 253;
const LABEL_MAX_BYTES: usize = 63;

/// What people call a machine: 1 to 100 characters, no blanks around.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

/// A host name, an IPv4 or an IPv6 address, the latter without brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(String);

/// The account on the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshUser(String);

impl FromStr for Name {
    type Err = InvalidField;

    fn from_str(text: &str) -> Result<Self, InvalidField> {
        let text = text.trim();
        let fits = (1..=NAME_MAX_CHARS).contains(&text.chars().count());
        if !fits || text.chars().any(char::is_control) {
            return Err(InvalidField("a name has 1 to 100 characters and no line breaks"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Address {
    type Err = InvalidField;

    fn from_str(text: &str) -> Result<Self, InvalidField> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<Ipv6Addr>() {
            return Ok(Self(address.to_string()));
        }
        if text.parse::<Ipv4Addr>().is_ok() || is_host_name(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(InvalidField("an address is a host name or an IP address, without a scheme, a user or a port"))
    }
}

/// Letters, digits, hyphens and, as in practice, underscores (RFC 1123, section 2.1). A last label of digits only would be a
/// mistyped IP address.
fn is_host_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        (1..=LABEL_MAX_BYTES).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= HOST_NAME_MAX_BYTES
        && text.split('.').all(is_label)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

impl FromStr for SshUser {
    type Err = InvalidField;

    fn from_str(text: &str) -> Result<Self, InvalidField> {
        // The last ones: accounts of a directory, such as `DOMAIN\user`, `user@realm` and `machine$`.
        let is_plain = |letter: char| {
            letter.is_alphanumeric() || matches!(letter, '.' | '_' | '-' | '+' | '@' | '\\' | '$')
        };
        let fits = (1..=USER_MAX_CHARS).contains(&text.chars().count());
        if !fits || text.starts_with('-') || !text.chars().all(is_plain) {
            return Err(InvalidField(
                "a user has 1 to 64 letters, digits and . _ - + @ \\ $, and no - in front",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

macro_rules! text {
    ($($name:ident)+) => {$(
        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    )+};
}

text! { Name Address SshUser }

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<String> {
        text.parse::<Address>().ok().map(|address| address.to_string())
    }

    #[test]
    fn host_names_and_ip_addresses_are_addresses() {
        for text in [
            "db1",
            "db-1.example.com",
            "example.com.",
            "a_b.local",
            "192.168.1.100",
            "xn--bcher-kva.example",
            "1a",
        ] {
            assert_eq!(address(text).as_deref(), Some(text));
        }
        for text in ["::1", "[::1]", "0:0::1"] {
            assert_eq!(address(text).as_deref(), Some("::1"));
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        let long = format!("{}.example", "a".repeat(64));
        let longer = ["abcdefghi"; 26].join(".");
        for text in [
            "",
            " ",
            ".",
            "a b",
            " a",
            "-oProxyCommand=x",
            "a..b",
            "a-.b",
            "root@host",
            "host:22",
            "ssh://host",
            "host/path",
            "256.1.1.1",
            "1.2.3",
            "$(id)",
            "a\nb",
            "bücher.example",
            "fe80::1%eth0",
            "[host]",
            &long,
            &longer,
        ] {
            assert_eq!(address(text), None, "{text:?}");
        }
    }

    #[test]
    fn users_of_systems_and_directories_are_users_and_options_are_not() {
        for text in ["root", "deploy-1", "CORP\\ann", "ann@corp.example", "host$", "jörg"] {
            assert!(text.parse::<SshUser>().is_ok(), "{text}");
        }
        for text in ["", "-l", "a b", "a\0", "a;b", "a'b", &"a".repeat(65)] {
            assert!(text.parse::<SshUser>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_name_has_something_to_read_on_one_line() {
        assert_eq!(" Server 1 ".parse::<Name>().unwrap().as_str(), "Server 1");
        assert!("ü".repeat(100).parse::<Name>().is_ok());
        for text in ["", "  ", "a\nb", "a\0b", &"a".repeat(101)] {
            assert!(text.parse::<Name>().is_err(), "{text:?}");
        }
    }
}
