//! Sealing what must rest in the database: AES-256-GCM with a random 96-bit nonce (NIST SP 800-38D).
//!
//! An envelope is `version (1) | key id (4) | nonce (12) | ciphertext and tag`. The place of the value (table, column,
//! row id) is the associated data, so an envelope that was moved to another row does not open. Several keys may be
//! configured: the first seals, all open, which is what key rotation needs.

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead, KeyInit, Payload},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use zeroize::Zeroize;

use super::{Error, Result, Secret};

const VERSION: u8 = 1;
const KEY_BYTES: usize = 32;
const KEY_ID_BYTES: usize = 4;
const NONCE_BYTES: usize = 12;
const HEADER_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_BYTES;

/// Where a sealed value lives. It opens only there.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub table: &'static str,
    pub column: &'static str,
    pub row: Uuid,
}

impl Place {
    fn associated_data(&self) -> Vec<u8> {
        format!("{}.{}:{}", self.table, self.column, self.row).into_bytes()
    }
}

/// The ring of keys.
pub struct Vault {
    keys: Vec<(KeyId, Aes256Gcm)>,
}

type KeyId = [u8; KEY_ID_BYTES];

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("ENCRYPTION_KEY is empty; make one with: openssl rand -base64 32")]
    Empty,
    #[error("key {0} of ENCRYPTION_KEY is not 32 bytes in base64; make one with: openssl rand -base64 32")]
    Form(usize),
}

#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error("{0} is not a sealed value of version {VERSION}")]
    Form(String),
    #[error(
        "{0} was sealed with a key that is not in ENCRYPTION_KEY; add the former key after the present one"
    )]
    UnknownKey(String),
    #[error("{0} does not open: it was altered, or moved from another row")]
    Refused(String),
}

impl Vault {
    /// `keys`: 32 bytes each in base64, comma-separated.
    pub fn new(keys: &Secret<String>) -> Result<Self, KeyError> {
        let keys = keys
            .expose()
            .split(',')
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .enumerate()
            .map(|(index, text)| parse_key(text).ok_or(KeyError::Form(index + 1)))
            .collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(KeyError::Empty) } else { Ok(Self { keys }) }
    }

    /// Seals `plain` for `place` with the first key.
    pub fn seal(&self, place: Place, plain: &[u8]) -> Result<Vec<u8>> {
        let (id, cipher) =
            self.keys.first().ok_or_else(|| Error::internal("seal", "the key ring is empty"))?;
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let aad = place.associated_data();
        let sealed = cipher
            .encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: &aad })
            .map_err(|_| Error::internal("seal", "AES-GCM refused the value"))?;
        Ok([&[VERSION], id.as_slice(), &nonce, &sealed].concat())
    }

    /// Opens what [`Vault::seal`] made for the same place.
    pub fn open(&self, place: Place, envelope: &[u8]) -> Result<Secret<Vec<u8>>> {
        self.try_open(place, envelope).map_err(|error| Error::internal("open a sealed value", error))
    }

    fn try_open(&self, place: Place, envelope: &[u8]) -> Result<Secret<Vec<u8>>, OpenError> {
        let what = || format!("{}.{} of {}", place.table, place.column, place.row);
        let (header, sealed) =
            envelope.split_at_checked(HEADER_BYTES).ok_or_else(|| OpenError::Form(what()))?;
        let (prefix, nonce) = header.split_at(1 + KEY_ID_BYTES);
        let (&version, id) = prefix.split_first().ok_or_else(|| OpenError::Form(what()))?;
        if version != VERSION {
            return Err(OpenError::Form(what()));
        }
        let (_, cipher) =
            self.keys.iter().find(|(known, _)| known == id).ok_or_else(|| OpenError::UnknownKey(what()))?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| OpenError::Form(what()))?;
        let aad = place.associated_data();
        cipher
            .decrypt(&Nonce::from(nonce), Payload { msg: sealed, aad: &aad })
            .map(Secret::new)
            .map_err(|_| OpenError::Refused(what()))
    }
}

/// A new random key in the form that `ENCRYPTION_KEY` takes.
pub fn generate_key() -> Secret<String> {
    let mut key: [u8; KEY_BYTES] = rand::random();
    let text = STANDARD.encode(key);
    key.zeroize();
    Secret::new(text)
}

fn parse_key(text: &str) -> Option<(KeyId, Aes256Gcm)> {
    let mut bytes = STANDARD.decode(text).ok()?;
    let cipher = Aes256Gcm::new_from_slice(&bytes).ok();
    let id = key_id(&bytes);
    bytes.zeroize();
    Some((id?, cipher?))
}

/// The first bytes of the key's SHA-256: names a key without telling it.
fn key_id(key: &[u8]) -> Option<KeyId> {
    Sha256::digest(key).first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(row: u128) -> Place {
        Place { table: "servers", column: "credential", row: Uuid::from_u128(row) }
    }

    fn vault(keys: &[&Secret<String>]) -> Vault {
        let joined: Vec<&str> = keys.iter().map(|key| key.expose().as_str()).collect();
        Vault::new(&Secret::new(joined.join(","))).unwrap()
    }

    #[test]
    fn a_sealed_value_opens_in_its_place_and_nowhere_else() {
        let vault = vault(&[&generate_key()]);
        let sealed = vault.seal(place(1), b"hunter2").unwrap();
        assert!(!sealed.windows(7).any(|window| window == b"hunter2"));
        assert_eq!(vault.open(place(1), &sealed).unwrap().expose(), b"hunter2");
        assert!(vault.open(place(2), &sealed).is_err());
        let other_column = Place { column: "passphrase", ..place(1) };
        assert!(vault.open(other_column, &sealed).is_err());
    }

    #[test]
    fn the_same_value_is_never_sealed_alike_twice() {
        let vault = vault(&[&generate_key()]);
        assert_ne!(vault.seal(place(1), b"x").unwrap(), vault.seal(place(1), b"x").unwrap());
    }

    #[test]
    fn an_altered_or_cut_envelope_does_not_open() {
        let vault = vault(&[&generate_key()]);
        let sealed = vault.seal(place(1), b"hunter2").unwrap();
        for index in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[index] ^= 1;
            assert!(vault.open(place(1), &altered).is_err(), "byte {index}");
            assert!(vault.open(place(1), &sealed[..index]).is_err(), "cut at {index}");
        }
    }

    #[test]
    fn a_former_key_still_opens_and_the_first_seals() {
        let (old, new) = (generate_key(), generate_key());
        let sealed = vault(&[&old]).seal(place(1), b"hunter2").unwrap();
        let both = vault(&[&new, &old]);
        assert_eq!(both.open(place(1), &sealed).unwrap().expose(), b"hunter2");
        let resealed = both.seal(place(1), b"hunter2").unwrap();
        assert!(vault(&[&old]).open(place(1), &resealed).is_err());
        assert!(vault(&[&new]).open(place(1), &resealed).is_ok());
    }

    #[test]
    fn keys_of_another_form_are_refused_by_position() {
        let text = Secret::new(format!("{},c2hvcnQ=", generate_key().expose()));
        assert!(matches!(Vault::new(&text), Err(KeyError::Form(2))));
        assert!(matches!(Vault::new(&Secret::from(" , ")), Err(KeyError::Empty)));
    }
}
