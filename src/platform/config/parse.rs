//! How each kind of value is read. Every refusal says what would be right, and never repeats a secret.

use std::{num::NonZeroU32, ops::RangeInclusive, path::PathBuf, str::FromStr, time::Duration};

use ipnet::IpNet;

use super::{BasePath, Cors, LogFormat, Origin};

type Parsed<T> = Result<T, String>;

pub(super) fn number<T: FromStr + PartialOrd + std::fmt::Display>(
    text: &str,
    range: &RangeInclusive<T>,
) -> Parsed<T> {
    text.parse()
        .ok()
        .filter(|number| range.contains(number))
        .ok_or_else(|| format!("is not a whole number from {} to {}", range.start(), range.end()))
}

pub(super) fn count(text: &str) -> Parsed<NonZeroU32> {
    text.parse().map_err(|_| "is not a whole number from 1".to_owned())
}

pub(super) fn milliseconds(text: &str, range: RangeInclusive<u64>) -> Parsed<Duration> {
    number(text, &range).map(Duration::from_millis).map_err(|wrong| format!("{wrong}, in milliseconds"))
}

pub(super) fn switch(text: &str) -> Parsed<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("is neither true nor false".to_owned()),
    }
}

/// `900`, `900s`, `15m`, `1h`, `7d`; a bare number is seconds.
pub(super) fn lifetime(text: &str, range: RangeInclusive<Duration>) -> Parsed<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let (number, unit) = text.split_at(digits.len());
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err("is not a duration like 900, 15m, 1h or 1d".to_owned()),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(seconds))
        .map(Duration::from_secs)
        .ok_or_else(|| "is not a duration like 900, 15m, 1h or 1d".to_owned())
        .and_then(|lifetime| {
            if range.contains(&lifetime) {
                Ok(lifetime)
            } else {
                Err(format!("is not from {} to {} seconds", range.start().as_secs(), range.end().as_secs()))
            }
        })
}

pub(super) fn networks(text: &str) -> Parsed<Vec<IpNet>> {
    listed(text)
        .map(|part| {
            part.parse::<IpNet>()
                .or_else(|_| part.parse().map(|address: std::net::IpAddr| IpNet::from(address)))
                .map_err(|_| format!("has {part:?}, which is not a network like 10.0.0.0/8 or an address"))
        })
        .collect()
}

pub(super) fn cors(text: &str) -> Parsed<Cors> {
    if text == "*" {
        return Ok(Cors::Any);
    }
    listed(text)
        .map(|part| part.parse().map_err(|wrong| format!("has {part:?}, which {wrong}")))
        .collect::<Parsed<Vec<Origin>>>()
        .map(Cors::Only)
}

/// A lone word that is no level would be taken for a module's name, and then nothing else would be logged.
pub(super) fn log_level(text: &str) -> Parsed<String> {
    let without_spaces = listed(text).collect::<Vec<_>>().join(",");
    let is_level = |word: &str| word.parse::<tracing::level_filters::LevelFilter>().is_ok();
    let words_are_levels = listed(text).filter(|part| !part.contains(['=', '['])).all(is_level);
    if words_are_levels && tracing_subscriber::EnvFilter::builder().parse(&without_spaces).is_ok() {
        Ok(without_spaces)
    } else {
        Err("is not a level (error, warn, info, debug, trace) or a list like info,quaymaster::remote=debug"
            .to_owned())
    }
}

pub(super) fn log_format(text: &str) -> Parsed<LogFormat> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        "auto" => Ok(LogFormat::Auto),
        _ => Err("is none of text, json and auto".to_owned()),
    }
}

pub(super) fn user_name(text: &str) -> Parsed<String> {
    let fits = (1..=64).contains(&text.chars().count());
    if fits && !text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        Ok(text.to_owned())
    } else {
        Err("is not a name of 1 to 64 characters without spaces".to_owned())
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it stands beside the others as a reader of values")]
pub(super) fn path(text: &str) -> Parsed<PathBuf> {
    Ok(PathBuf::from(text))
}

fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

impl FromStr for Origin {
    type Err = String;

    /// `scheme://host[:port]` and nothing more (RFC 6454); lower-cased, without the scheme's own port.
    fn from_str(text: &str) -> Parsed<Self> {
        let wrong = || "is not an origin like https://quay.example.com or http://10.0.0.5:8080".to_owned();
        let text = text.to_ascii_lowercase();
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let default_port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return Err(wrong()),
        };
        let (host, port) = split_port(rest).ok_or_else(wrong)?;
        if !is_host(host) {
            return Err(wrong());
        }
        Ok(Self(match port {
            Some(port) if port != default_port => format!("{scheme}://{host}:{port}"),
            Some(_) | None => format!("{scheme}://{host}"),
        }))
    }
}

fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    // The colons inside of an IPv6 address are before its bracket.
    let host_ends = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    match authority.get(host_ends..)?.find(':') {
        None => Some((authority, None)),
        Some(colon) => {
            let (host, port) = authority.split_at_checked(host_ends + colon)?;
            let port = port.strip_prefix(':')?.parse().ok().filter(|port| *port != 0)?;
            Some((host, Some(port)))
        }
    }
}

fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.len() <= 253
                && host.split('.').all(|label| {
                    !label.is_empty()
                        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
                })
        }
    }
}

impl FromStr for BasePath {
    type Err = String;

    /// Nothing, or a path: `quay`, `/quay/` and `/quay` are one.
    fn from_str(text: &str) -> Parsed<Self> {
        let trimmed = text.trim_matches('/');
        if trimmed.is_empty() {
            return Ok(Self::default());
        }
        let safe = trimmed.split('/').all(|segment| {
            !matches!(segment, "" | "." | "..")
                && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b))
        });
        if safe {
            Ok(Self(format!("/{trimmed}")))
        } else {
            Err("is not a path of letters, digits, - _ . ~ and / such as /quay".to_owned())
        }
    }
}

/// A web address without user, query or fragment, and the origin it has.
pub(super) fn web_address(text: &str) -> Parsed<(String, Origin)> {
    let wrong = || "is not an address like https://quay.example.com or https://example.com/quay".to_owned();
    let trimmed = text.trim_end_matches('/');
    let (scheme, rest) = trimmed.split_once("://").ok_or_else(wrong)?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let origin: Origin = format!("{scheme}://{authority}").parse().map_err(|_| wrong())?;
    let path: BasePath = path.parse().map_err(|_| wrong())?;
    Ok((format!("{origin}{path}"), origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port_and_nothing_more() {
        let parse = |text: &str| text.parse::<Origin>().map(|origin| origin.to_string());
        assert_eq!(parse("https://Quay.Example.com:443").unwrap(), "https://quay.example.com");
        assert_eq!(parse("http://[::1]:8080").unwrap(), "http://[::1]:8080");
        for wrong in [
            "quay.example.com",
            "https://quay.example.com/",
            "https://a@quay.example.com",
            "https://quay.example.com?x",
            "https://quay.example.com:0",
            "https://quay.example.com:99999",
            "https://*.example.com",
            "ftp://quay.example.com",
            "https://",
            "https://a..b",
            "http://[::1",
            "null",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_base_path_has_one_form() {
        let parse = |text: &str| text.parse::<BasePath>().map(|path| path.to_string());
        for same in ["quay", "/quay", "/quay/"] {
            assert_eq!(parse(same).unwrap(), "/quay");
        }
        assert_eq!(parse("/").unwrap(), "");
        assert_eq!(parse("/a/b").unwrap(), "/a/b");
        for wrong in ["/a//b", "/../a", "/a b", "/a?b", "/{id}", "/ä"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_lifetime_is_seconds_or_has_its_unit() {
        let range = Duration::from_secs(10)..=Duration::from_hours(720);
        let parse = |text: &str| lifetime(text, range.clone()).map(|lifetime| lifetime.as_secs());
        for (text, seconds) in [("3600", 3600), ("90s", 90), ("15m", 900), ("1h", 3600), ("7d", 604_800)] {
            assert_eq!(parse(text), Ok(seconds));
        }
        for wrong in ["", "m", "15 m", "-1", "1.5h", "15min", "9", "31d", "99999999999999999999d"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_log_level_is_a_level_and_not_any_word() {
        for right in ["info", "WARN", "off", "info,quaymaster::remote=debug", "debug, sqlx=warn"] {
            assert!(log_level(right).is_ok(), "{right}");
        }
        for wrong in ["verbose", "info,quaymaster", "loud=very"] {
            assert!(log_level(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_web_address_knows_its_origin() {
        let (address, origin) = web_address("https://example.com:8443/quay/").unwrap();
        assert_eq!(
            (address.as_str(), origin.as_str()),
            ("https://example.com:8443/quay", "https://example.com:8443")
        );
        assert!(web_address("https://example.com/?x").is_err());
    }
}
