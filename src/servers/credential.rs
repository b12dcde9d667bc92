//! How Quaymaster gets in: checked when it is given, sealed for its row, opened for a connection only.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    platform::{
        Error, Result, Secret,
        id::ServerId,
        vault::{Place, Vault},
    },
    remote::ssh::{Auth, PrivateKey},
};

/// The comment of a generated key's line for `authorized_keys`.
const COMMENT: &str = "quaymaster";

/// Where a credential comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "camelCase")]
#[sqlx(type_name = "text", rename_all = "camelCase")]
pub enum CredentialKind {
    PrivateKey,
    Password,
    /// A key pair that Quaymaster made.
    Generated,
}

/// A credential as it rests.
#[derive(Clone)]
pub struct Credential {
    pub kind: CredentialKind,
    /// Of the key; a password has none.
    pub fingerprint: Option<String>,
    /// The line for `authorized_keys`, of a generated key.
    pub authorized_key: Option<String>,
    pub(in crate::servers) sealed: Vec<u8>,
}

/// Without the envelope, which says nothing and is long.
impl std::fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Credential({:?}, {:?})", self.kind, self.fingerprint)
    }
}

/// A credential that was given and is in order.
pub enum NewCredential {
    Key(PrivateKey),
    Password(Secret<String>),
    Generated(PrivateKey),
}

impl NewCredential {
    pub fn generate() -> Result<Self> {
        PrivateKey::generate_ed25519()
            .map(Self::Generated)
            .map_err(|error| Error::internal("make a key pair", error))
    }

    /// For a connection before it is kept anywhere.
    pub fn auth(&self) -> Auth {
        match self {
            Self::Key(key) | Self::Generated(key) => Auth::Key(key.clone()),
            Self::Password(password) => Auth::Password(password.clone()),
        }
    }

    /// As it rests in the row of `server`. A passphrase is not kept: the seal is what protects the key from here on.
    pub(in crate::servers) fn seal(&self, vault: &Vault, server: ServerId) -> Result<Credential> {
        let openssh = |key: &PrivateKey| {
            key.to_openssh().map_err(|error| Error::internal("write a private key", error))
        };
        let (kind, plain, key) = match self {
            Self::Key(key) => (CredentialKind::PrivateKey, openssh(key)?, Some(key)),
            Self::Generated(key) => (CredentialKind::Generated, openssh(key)?, Some(key)),
            Self::Password(password) => (CredentialKind::Password, password.clone(), None),
        };
        let authorized_key = match self {
            Self::Generated(key) => Some(key.authorized_keys_line(COMMENT)),
            Self::Key(_) | Self::Password(_) => None,
        };
        Ok(Credential {
            kind,
            fingerprint: key.map(|key| key.fingerprint().to_string()),
            authorized_key,
            sealed: vault.seal(place(server), plain.expose().as_bytes())?,
        })
    }
}

impl Credential {
    pub(in crate::servers) fn open(&self, vault: &Vault, server: ServerId) -> Result<Auth> {
        let plain = vault.open(place(server), &self.sealed)?;
        let text = std::str::from_utf8(plain.expose())
            .map(Secret::from)
            .map_err(|_| Error::internal("open a credential", "servers.credential_sealed is not text"))?;
        match self.kind {
            CredentialKind::Password => Ok(Auth::Password(text)),
            CredentialKind::PrivateKey | CredentialKind::Generated => PrivateKey::parse(&text, None)
                .map(Auth::Key)
                .map_err(|error| Error::internal("read a key from servers.credential_sealed", error)),
        }
    }
}

fn place(server: ServerId) -> Place {
    Place { table: "servers", column: "credential", row: server.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::vault;

    #[test]
    fn a_credential_opens_as_what_it_was_and_only_in_its_row() {
        let vault = Vault::new(&vault::generate_key()).unwrap();
        let (here, elsewhere) = (ServerId::make(), ServerId::make());
        let password = NewCredential::Password("canary".into()).seal(&vault, here).unwrap();
        assert!(
            matches!(password.open(&vault, here).unwrap(), Auth::Password(text) if text.expose() == "canary")
        );
        assert!(password.open(&vault, elsewhere).is_err());

        let made = NewCredential::generate().unwrap();
        let generated = made.seal(&vault, here).unwrap();
        let Auth::Key(key) = generated.open(&vault, here).unwrap() else { panic!("not a key") };
        assert_eq!(generated.fingerprint, Some(key.fingerprint().to_string()));
        assert!(generated.authorized_key.unwrap().ends_with(" quaymaster"));
    }
}
