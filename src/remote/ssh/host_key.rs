//! Host keys: named by the fingerprint of the whole key, so that another type is another key.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PublicKey};

/// SHA-256 of the public key blob, as `ssh-keygen -l` shows it: `SHA256:` and 43 characters of base64.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

/// The text is not `SHA256:` and 43 characters of base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is SHA256: and 43 characters, as ssh-keygen -l shows it")]
pub struct InvalidFingerprint;

/// A key that a host showed, or that is pinned for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostKey {
    /// Its type, as in the first word of a `known_hosts` entry: `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa`.
    pub algorithm: String,
    pub fingerprint: Fingerprint,
}

/// In the order in which they are asked for when nothing is pinned. RSA with SHA-1 is not among them.
const ALGORITHMS: [Algorithm; 6] = [
    Algorithm::Ed25519,
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
];

/// The signature algorithms to offer for a host with this pin: its own type first, so that a host with several keys
/// shows the pinned one; then all others, so that a changed type is seen as a changed key.
pub(super) fn preference(pin: Option<&HostKey>) -> Vec<Algorithm> {
    let mut algorithms = ALGORITHMS.to_vec();
    // The sort is stable: within each half the order stays.
    algorithms.sort_by_key(|algorithm| pin.is_none_or(|pin| pin.algorithm != type_name(algorithm)));
    algorithms
}

/// RSA keys have one type name whatever the hash of the signature.
fn type_name(algorithm: &Algorithm) -> &str {
    match algorithm {
        Algorithm::Rsa { .. } => "ssh-rsa",
        other => other.as_str(),
    }
}

impl HostKey {
    pub(super) fn of(key: &PublicKey) -> Self {
        let algorithm = type_name(&key.algorithm()).to_owned();
        Self { algorithm, fingerprint: Fingerprint::of(key) }
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.fingerprint, self.algorithm)
    }
}

impl Fingerprint {
    pub(super) fn of(key: &PublicKey) -> Self {
        use sha2::{Digest, Sha256};
        // A key that was parsed can be written again; an empty digest would match no pin.
        Self(Sha256::digest(key.to_bytes().unwrap_or_default()).into())
    }
}

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let encoded = text.trim().strip_prefix("SHA256:").ok_or(InvalidFingerprint)?;
        let bytes = STANDARD_NO_PAD.decode(encoded).map_err(|_| InvalidFingerprint)?;
        bytes.try_into().map(Self).map_err(|_| InvalidFingerprint)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SHA256:{}", STANDARD_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: &str = "SHA256:uNiVztksCsDhcc0u9e8BrrJXVGDaktcqEk7wuUB1pOE";

    #[test]
    fn a_fingerprint_is_read_as_it_is_shown() {
        assert_eq!(SHOWN.parse::<Fingerprint>().unwrap().to_string(), SHOWN);
    }

    #[test]
    fn other_forms_are_refused() {
        let md5 = "MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48";
        for text in ["", "SHA256:", "SHA256:abcd", md5, &SHOWN[7..], &format!("{SHOWN}=")] {
            assert_eq!(text.parse::<Fingerprint>(), Err(InvalidFingerprint), "{text}");
        }
    }

    #[test]
    fn the_pinned_type_is_asked_for_first_and_no_other_is_left_out() {
        let fingerprint = SHOWN.parse().unwrap();
        for (name, first) in [("ssh-rsa", "rsa-sha2-512"), ("ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384")] {
            let order = preference(Some(&HostKey { algorithm: name.to_owned(), fingerprint }));
            assert_eq!(order[0].as_str(), first);
            assert_eq!(order.len(), ALGORITHMS.len());
        }
        assert_eq!(preference(None), ALGORITHMS);
    }
}
