//! What is needed to reach a host.

use uuid::Uuid;

use super::{host_key::HostKey, key::PrivateKey};
use crate::platform::Secret;

/// Names a host for the pool: connections of one host are kept and dropped together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HostId(pub Uuid);

/// A host, how to get in, and the key it must show.
#[derive(Clone, Debug)]
pub struct Target {
    pub host: HostId,
    /// Goes up whenever anything below changes: a connection made for one revision never serves another.
    pub revision: i64,
    /// A name or an IP address; an IPv6 one without brackets.
    pub address: String,
    pub port: u16,
    pub user: String,
    pub auth: Auth,
    /// The key that the host must show. Without one nothing is sent but the question for its key.
    pub host_key: Option<HostKey>,
}

/// The credential.
#[derive(Clone, Debug)]
pub enum Auth {
    Key(PrivateKey),
    Password(Secret<String>),
}

impl Target {
    /// Address and port, for messages.
    pub(super) fn at(&self) -> String {
        if self.address.contains(':') {
            format!("[{}]:{}", self.address, self.port)
        } else {
            format!("{}:{}", self.address, self.port)
        }
    }
}
