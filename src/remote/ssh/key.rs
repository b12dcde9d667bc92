//! Private keys of accounts on hosts: reading what people paste, making new ones.

use std::sync::Arc;

use russh::keys::{Algorithm, HashAlg, PrivateKeyWithHashAlg, decode_secret_key, ssh_key::LineEnding};

use super::host_key::Fingerprint;
use crate::platform::Secret;

/// A private key that can sign. Clones share it.
#[derive(Clone)]
pub struct PrivateKey(Arc<russh::keys::PrivateKey>);

/// Why a text is not usable as a private key. Never holds any of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("this is a public key; paste the private one, which begins with -----BEGIN")]
    Public,
    #[error("this is not a private key; it begins with -----BEGIN … PRIVATE KEY-----")]
    NotAKey,
    #[error("the key has a passphrase, and none was given")]
    PassphraseMissing,
    #[error("the passphrase does not open the key")]
    PassphraseWrong,
    #[error(
        "this kind of key is not supported; use Ed25519, ECDSA or RSA, or convert it: ssh-keygen -p -f FILE"
    )]
    Unsupported,
    #[error("the key is cut or damaged")]
    Damaged,
    #[error("a key could not be made")]
    NotMade,
}

/// A longer text is no key: RSA with 16,384 bits takes 13 kB.
const MAX_BYTES: usize = 32 * 1024;

/// The form of a PEM block, from its first line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    OpenSsh,
    Plain,
    Encrypted,
}

impl PrivateKey {
    /// Reads OpenSSH's own form, PKCS#8 plain and encrypted, PKCS#1 (RSA) and SEC1 (EC) in PEM.
    ///
    /// Windows line ends, blank lines around and a missing last line end are forgiven.
    pub fn parse(text: &Secret<String>, passphrase: Option<&Secret<String>>) -> Result<Self, KeyError> {
        if text.expose().len() > MAX_BYTES {
            return Err(KeyError::NotAKey);
        }
        let text = Secret::new(tidy(text.expose()));
        let encrypted = match form(text.expose())? {
            Form::OpenSsh => russh::keys::PrivateKey::from_openssh(text.expose())
                .map_err(|_| KeyError::Damaged)?
                .is_encrypted(),
            Form::Plain => false,
            Form::Encrypted => true,
        };
        let passphrase = match (encrypted, passphrase) {
            (true, None) => return Err(KeyError::PassphraseMissing),
            (true, Some(passphrase)) => Some(passphrase.expose().as_str()),
            (false, _) => None,
        };
        let failed = if encrypted { KeyError::PassphraseWrong } else { KeyError::Damaged };
        let key = decode_secret_key(text.expose(), passphrase).map_err(|error| match error {
            russh::keys::Error::UnknownAlgorithm(_) | russh::keys::Error::UnsupportedKeyType { .. } => {
                KeyError::Unsupported
            }
            _ => failed,
        })?;
        match key.algorithm() {
            Algorithm::Ed25519 | Algorithm::Ecdsa { .. } | Algorithm::Rsa { .. } => Ok(Self(Arc::new(key))),
            // DSA, hardware-bound keys, and what later versions add.
            _ => Err(KeyError::Unsupported),
        }
    }

    pub fn generate_ed25519() -> Result<Self, KeyError> {
        russh::keys::PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519)
            .map(|key| Self(Arc::new(key)))
            .map_err(|_| KeyError::NotMade)
    }

    /// OpenSSH's own form, without a passphrase: what rests sealed.
    pub fn to_openssh(&self) -> Result<Secret<String>, KeyError> {
        let text = self.0.to_openssh(LineEnding::LF).map_err(|_| KeyError::NotMade)?;
        Ok(Secret::new(text.to_string()))
    }

    /// The line for `~/.ssh/authorized_keys`. Characters of `comment` that would break the line become `-`.
    pub fn authorized_keys_line(&self, comment: &str) -> String {
        let comment: String = comment
            .trim()
            .chars()
            .map(|c| if c.is_control() || c.is_whitespace() { '-' } else { c })
            .collect();
        let mut key = self.0.public_key().clone();
        key.set_comment("");
        // A key that was parsed or made can be written.
        let line = key.to_openssh().unwrap_or_default();
        format!("{} {comment}", line.trim_end()).trim_end().to_owned()
    }

    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.0.public_key())
    }

    pub(super) fn is_rsa(&self) -> bool {
        self.0.algorithm().is_rsa()
    }

    pub(super) fn signer(&self, rsa_hash: Option<HashAlg>) -> PrivateKeyWithHashAlg {
        PrivateKeyWithHashAlg::new(self.0.clone(), rsa_hash)
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "PrivateKey({})", self.fingerprint())
    }
}

/// One line end, nothing around the lines.
fn tidy(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len() + 1);
    for line in text.trim_start_matches('\u{feff}').trim().lines() {
        tidy.push_str(line.trim());
        tidy.push('\n');
    }
    tidy
}

fn form(text: &str) -> Result<Form, KeyError> {
    if text.contains("PUBLIC KEY-----") || ["ssh-", "ecdsa-", "sk-"].iter().any(|name| text.starts_with(name))
    {
        return Err(KeyError::Public);
    }
    let label = text
        .lines()
        .filter_map(|line| line.strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
        .find(|label| label.ends_with("PRIVATE KEY"))
        .ok_or(KeyError::NotAKey)?;
    let wrapped = text.lines().any(|line| line.starts_with("Proc-Type:") && line.contains("ENCRYPTED"));
    match (label, wrapped) {
        ("OPENSSH PRIVATE KEY", false) => Ok(Form::OpenSsh),
        ("ENCRYPTED PRIVATE KEY", false) => Ok(Form::Encrypted),
        ("PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY", false) => Ok(Form::Plain),
        // OpenSSL's old encryption, with a key from a single MD5. One combination of it was common.
        ("RSA PRIVATE KEY", true) if text.contains("DEK-Info: AES-128-CBC,") => Ok(Form::Encrypted),
        _ => Err(KeyError::Unsupported),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_key_is_read_again_whatever_the_line_ends() {
        let key = PrivateKey::generate_ed25519().unwrap();
        let text = key.to_openssh().unwrap();
        let text = text.expose();
        for form in
            [text.clone(), text.replace('\n', "\r\n"), text.trim_end().to_owned(), format!("\n  {text}\n")]
        {
            let again = PrivateKey::parse(&Secret::new(form), None).unwrap();
            assert_eq!(again.fingerprint(), key.fingerprint());
        }
    }

    #[test]
    fn a_comment_cannot_add_a_line_to_authorized_keys() {
        let key = PrivateKey::generate_ed25519().unwrap();
        let line = key.authorized_keys_line("quaymaster\nssh-rsa evil");
        assert_eq!(line.lines().count(), 1);
        assert!(line.starts_with("ssh-ed25519 AAAA") && line.ends_with(" quaymaster-ssh-rsa-evil"), "{line}");
        assert_eq!(PrivateKey::parse(&line.into(), None).unwrap_err(), KeyError::Public);
    }

    #[test]
    fn what_is_no_key_is_called_so() {
        let cases = [
            ("", KeyError::NotAKey),
            ("hunter2", KeyError::NotAKey),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", KeyError::NotAKey),
            ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", KeyError::Public),
            ("-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----", KeyError::Unsupported),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", KeyError::Damaged),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\n", KeyError::Damaged),
        ];
        for (text, expected) in cases {
            assert_eq!(PrivateKey::parse(&text.into(), None).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn its_debug_form_does_not_tell_it() {
        let key = PrivateKey::generate_ed25519().unwrap();
        assert_eq!(format!("{key:?}"), format!("PrivateKey({})", key.fingerprint()));
    }
}
