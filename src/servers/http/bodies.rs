//! What is sent about a server, and its way into types.

use serde::Deserialize;
use utoipa::ToSchema;
use validator::{Validate, ValidationError, ValidationErrors};

use super::super::{
    Address, CredentialKind, HostKeyPolicy, InvalidField, Name, NewCredential, SshUser,
    ops::{Change, NewServer, Trial, Trust},
};
use crate::{
    platform::{Error, Result, Secret},
    remote::ssh::{Fingerprint, KeyError, PrivateKey},
};

const DEFAULT_SSH_PORT: u16 = 22;
/// As sshd takes it.
const PASSWORD_MAX_CHARS: usize = 1024;

fn check<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<(), ValidationError> {
    text.parse::<T>()
        .map(drop)
        .map_err(|error| ValidationError::new("form").with_message(error.to_string().into()))
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NewServer)]
pub struct ServerBody {
    #[validate(custom(function = check::<Name>))]
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// A host name or an IP address.
    #[validate(custom(function = check::<Address>))]
    #[schema(min_length = 1, max_length = 253)]
    address: String,
    #[validate(custom(function = check::<SshUser>))]
    #[schema(min_length = 1, max_length = 64)]
    ssh_user: String,
    #[validate(range(min = 1, max = 65535, message = "a port is 1 to 65535"))]
    #[schema(minimum = 1, maximum = 65535, default = 22)]
    ssh_port: Option<i64>,
    /// `ask` unless set.
    host_key_policy: Option<HostKeyPolicy>,
    #[validate(nested)]
    credential: CredentialBody,
}

/// What is left out stays as it is.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerChange {
    #[validate(custom(function = check::<Name>))]
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// A host name or an IP address. Another one drops the trusted host key.
    #[validate(custom(function = check::<Address>))]
    #[schema(min_length = 1, max_length = 253)]
    address: Option<String>,
    #[validate(custom(function = check::<SshUser>))]
    #[schema(min_length = 1, max_length = 64)]
    ssh_user: Option<String>,
    /// Another one drops the trusted host key.
    #[validate(range(min = 1, max = 65535, message = "a port is 1 to 65535"))]
    #[schema(minimum = 1, maximum = 65535)]
    ssh_port: Option<i64>,
    host_key_policy: Option<HostKeyPolicy>,
    #[validate(nested)]
    credential: Option<CredentialBody>,
}

/// A server to be tried and not kept.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TestServer)]
pub struct TestBody {
    /// A host name or an IP address.
    #[validate(custom(function = check::<Address>))]
    #[schema(min_length = 1, max_length = 253)]
    address: String,
    #[validate(custom(function = check::<SshUser>))]
    #[schema(min_length = 1, max_length = 64)]
    ssh_user: String,
    #[validate(range(min = 1, max = 65535, message = "a port is 1 to 65535"))]
    #[schema(minimum = 1, maximum = 65535, default = 22)]
    ssh_port: Option<i64>,
    /// `ask` unless set.
    host_key_policy: Option<HostKeyPolicy>,
    /// The key to trust for this test, as `ssh-keygen -l` shows it.
    #[validate(custom(function = check::<Fingerprint>))]
    host_key_fingerprint: Option<String>,
    #[validate(nested)]
    credential: CredentialBody,
}

#[derive(Deserialize, Validate, ToSchema)]
#[schema(as = TrustHostKey)]
pub struct HostKeyBody {
    /// As `ssh-keygen -l` shows it: `SHA256:` and 43 characters.
    #[validate(custom(function = check::<Fingerprint>))]
    fingerprint: String,
}

/// How to get in. Goes in and never comes out.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NewCredential)]
pub struct CredentialBody {
    kind: CredentialKind,
    /// For `privateKey`: OpenSSH's own form, PKCS#8 or PEM; Ed25519, ECDSA or RSA.
    #[schema(value_type = Option<String>, format = Password)]
    private_key: Option<Secret<String>>,
    /// For a `privateKey` that has one.
    #[schema(value_type = Option<String>, format = Password)]
    passphrase: Option<Secret<String>>,
    /// For `password`.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<Secret<String>>,
}

/// By hand: what is needed depends on the kind.
impl Validate for CredentialBody {
    fn validate(&self) -> Result<(), ValidationErrors> {
        let wrong = match self.kind {
            CredentialKind::PrivateKey if given(self.private_key.as_ref()).is_none() => {
                Some(("private_key", "is required"))
            }
            CredentialKind::Password => match given(self.password.as_ref()) {
                None => Some(("password", "is required")),
                Some(password) if password.expose().chars().count() > PASSWORD_MAX_CHARS => {
                    Some(("password", "a password has at most 1024 characters"))
                }
                Some(_) => None,
            },
            CredentialKind::PrivateKey | CredentialKind::Generated => None,
        };
        let Some((field, message)) = wrong else { return Ok(()) };
        let mut errors = ValidationErrors::new();
        errors.add(field, ValidationError::new("form").with_message(message.into()));
        Err(errors)
    }
}

/// Forms send an empty text for nothing.
fn given(secret: Option<&Secret<String>>) -> Option<&Secret<String>> {
    secret.filter(|secret| !secret.expose().is_empty())
}

impl CredentialBody {
    fn parse(&self) -> Result<NewCredential> {
        match self.kind {
            CredentialKind::Generated => NewCredential::generate(),
            CredentialKind::Password => given(self.password.as_ref())
                .map(|password| NewCredential::Password(password.clone()))
                .ok_or_else(|| Error::invalid_field("credential.password", "is required")),
            CredentialKind::PrivateKey => {
                let text = given(self.private_key.as_ref())
                    .ok_or_else(|| Error::invalid_field("credential.privateKey", "is required"))?;
                PrivateKey::parse(text, given(self.passphrase.as_ref()))
                    .map(NewCredential::Key)
                    .map_err(|error| Error::invalid_field(key_field(error), error.to_string()))
            }
        }
    }
}

fn key_field(error: KeyError) -> &'static str {
    match error {
        KeyError::PassphraseMissing | KeyError::PassphraseWrong => "credential.passphrase",
        KeyError::Public
        | KeyError::NotAKey
        | KeyError::Unsupported
        | KeyError::Damaged
        | KeyError::NotMade => "credential.privateKey",
    }
}

fn field<T: std::str::FromStr<Err = InvalidField>>(name: &str, text: &str) -> Result<T> {
    text.parse().map_err(|error: InvalidField| Error::invalid_field(name, error.to_string()))
}

fn port(number: i64) -> Result<u16> {
    number.try_into().map_err(|_| Error::invalid_field("sshPort", "a port is 1 to 65535"))
}

impl ServerBody {
    pub fn parse(self) -> Result<NewServer> {
        Ok(NewServer {
            name: field("name", &self.name)?,
            address: field("address", &self.address)?,
            ssh_user: field("sshUser", &self.ssh_user)?,
            ssh_port: self.ssh_port.map_or(Ok(DEFAULT_SSH_PORT), port)?,
            host_key_policy: self.host_key_policy.unwrap_or(HostKeyPolicy::Ask),
            credential: self.credential.parse()?,
        })
    }
}

impl ServerChange {
    pub fn parse(self) -> Result<Change> {
        Ok(Change {
            name: self.name.map(|text| field("name", &text)).transpose()?,
            address: self.address.map(|text| field("address", &text)).transpose()?,
            ssh_user: self.ssh_user.map(|text| field("sshUser", &text)).transpose()?,
            ssh_port: self.ssh_port.map(port).transpose()?,
            host_key_policy: self.host_key_policy,
            credential: self.credential.map(|credential| credential.parse()).transpose()?,
        })
    }
}

impl TestBody {
    pub fn parse(self) -> Result<Trial> {
        if self.credential.kind == CredentialKind::Generated {
            let message = "there is nothing to test yet: the key is made when the server is saved";
            return Err(Error::invalid_field("credential.kind", message));
        }
        let trust = match (&self.host_key_fingerprint, self.host_key_policy) {
            (Some(text), _) => Trust::Fingerprint(parse_fingerprint("hostKeyFingerprint", text)?),
            (None, Some(HostKeyPolicy::AcceptNew)) => Trust::WhateverIsShown,
            (None, Some(HostKeyPolicy::Ask) | None) => Trust::Nothing,
        };
        Ok(Trial {
            address: field("address", &self.address)?,
            ssh_user: field("sshUser", &self.ssh_user)?,
            ssh_port: self.ssh_port.map_or(Ok(DEFAULT_SSH_PORT), port)?,
            credential: self.credential.parse()?,
            trust,
        })
    }
}

impl HostKeyBody {
    pub fn parse(self) -> Result<Fingerprint> {
        parse_fingerprint("fingerprint", &self.fingerprint)
    }
}

fn parse_fingerprint(field: &str, text: &str) -> Result<Fingerprint> {
    text.parse().map_err(|error| Error::invalid_field(field, format!("{error}")))
}
