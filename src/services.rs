//! What every verb may need: the engines and the settings, made once in `startup`, cheap to clone.
//!
//! No capability's own type is in here; live registries are handed to those who use them.

use std::sync::Arc;

use sqlx::PgPool;

use crate::{
    journal::Bus,
    platform::{
        Clock, Lifecycle, config::Config, id::ReplicaId, password::Passwords, token::Signer, vault::Vault,
    },
    remote::{docker, ssh},
};

#[derive(Clone)]
pub struct Services {
    pub db: PgPool,
    pub ssh: ssh::Engine,
    pub docker: docker::Engines,
    pub vault: Arc<Vault>,
    pub passwords: Passwords,
    pub signer: Signer,
    pub clock: Clock,
    pub bus: Bus,
    pub lifecycle: Lifecycle,
    pub config: Arc<Config>,
    /// This process among its like.
    pub replica: ReplicaId,
}
