//! Tokens: signed access tokens (JWT, HS256 pinned) and random ones of which only the hash is kept.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Error, Result, Secret, Timestamp};

/// The shortest `JWT_SECRET` that is accepted, in bytes: the key size of HMAC-SHA-256 (RFC 7518, section 3.2).
pub const MIN_SECRET_BYTES: usize = 32;
const ISSUER: &str = "quaymaster";

/// What an access token says: who, by which session, until when. Rights are not in it: they are read at each use.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    /// The user.
    pub sub: Uuid,
    /// The session.
    pub sid: Uuid,
    /// Seconds since the epoch.
    pub iat: i64,
    pub exp: i64,
}

/// Makes and reads access tokens.
#[derive(Clone)]
pub struct Signer {
    encoding: EncodingKey,
    decoding: DecodingKey,
    kid: String,
    lifetime: Duration,
}

/// Why a token is refused.
#[derive(Debug)]
pub enum Refused {
    /// It is ours and was good once. What it says is given, for ending its session.
    Expired(Claims),
    /// Not a token that this signer made.
    Foreign,
}

#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error(
        "JWT_SECRET has {0} bytes; at least {MIN_SECRET_BYTES} are needed; make one with: openssl rand -base64 48"
    )]
    TooShort(usize),
}

impl Signer {
    pub fn new(secret: &Secret<String>, lifetime: Duration) -> Result<Self, SecretError> {
        let bytes = secret.expose().as_bytes();
        if bytes.len() < MIN_SECRET_BYTES {
            return Err(SecretError::TooShort(bytes.len()));
        }
        let kid =
            URL_SAFE_NO_PAD.encode(Sha256::digest([b"kid:", bytes].concat()).get(..6).unwrap_or_default());
        Ok(Self {
            encoding: EncodingKey::from_secret(bytes),
            decoding: DecodingKey::from_secret(bytes),
            kid,
            lifetime,
        })
    }

    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// A token for `session` of `user`, good from `now` for [`Signer::lifetime`].
    pub fn sign(&self, user: Uuid, session: Uuid, now: Timestamp) -> Result<String> {
        let iat = now.timestamp();
        let lifetime = i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX);
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: user,
            sid: session,
            iat,
            exp: iat.saturating_add(lifetime),
        };
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &claims, &self.encoding)
            .map_err(|error| Error::internal("sign a token", error))
    }

    /// The claims of a token that this signer made and that has not expired at `now`.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, Refused> {
        let claims = self.read(token).ok_or(Refused::Foreign)?;
        if claims.exp > now.timestamp() { Ok(claims) } else { Err(Refused::Expired(claims)) }
    }

    fn read(&self, token: &str) -> Option<Claims> {
        if jsonwebtoken::decode_header(token).ok()?.kid.as_deref() != Some(&self.kid) {
            return None;
        }
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_issuer(&[ISSUER]);
        rules.set_required_spec_claims(&["iss", "sub", "exp"]);
        // Compared with the caller's clock instead.
        rules.validate_exp = false;
        jsonwebtoken::decode::<Claims>(token, &self.decoding, &rules).ok().map(|data| data.claims)
    }
}

/// 256 random bits for a token that is looked up by its hash, and that hash.
pub fn random() -> (Secret<String>, Vec<u8>) {
    let bytes: [u8; 32] = rand::random();
    let token = URL_SAFE_NO_PAD.encode(bytes);
    let hash = hash(&token);
    (Secret::new(token), hash)
}

/// SHA-256. Enough for a token of 256 random bits, which cannot be guessed the way a password can.
pub fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Clock;

    fn signer(secret: &str) -> Signer {
        Signer::new(&secret.into(), Duration::from_mins(15)).unwrap()
    }

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_token_is_read_until_it_expires() {
        let now = Clock::system().now();
        let (user, session) = (Uuid::now_v7(), Uuid::now_v7());
        let token = signer(SECRET).sign(user, session, now).unwrap();
        let claims = signer(SECRET).verify(&token, now).unwrap();
        assert_eq!((claims.sub, claims.sid), (user, session));
        let later = now + chrono::TimeDelta::seconds(900);
        assert!(matches!(signer(SECRET).verify(&token, later), Err(Refused::Expired(_))));
    }

    #[test]
    fn forged_foreign_and_cut_tokens_are_refused() {
        let now = Clock::system().now();
        let token = signer(SECRET).sign(Uuid::now_v7(), Uuid::now_v7(), now).unwrap();
        assert!(signer("another secret of thirty-two bytes").verify(&token, now).is_err());
        for cut in 0..token.len() {
            assert!(signer(SECRET).verify(&token[..cut], now).is_err());
        }
        let body = token.split('.').nth(1).unwrap();
        let kid = signer(SECRET).kid;
        for alg in ["none", "HS384", "RS256"] {
            let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}","kid":"{kid}"}}"#));
            assert!(signer(SECRET).verify(&format!("{header}.{body}."), now).is_err(), "{alg}");
        }
    }

    #[test]
    fn a_short_secret_is_refused() {
        assert!(Signer::new(&"short".into(), Duration::from_secs(1)).is_err());
    }
}
