//! One authenticated SSH connection.
//!
//! The host's key is compared, as a whole, before anything else is sent: [`Client::check_server_key`] answers with an
//! error for an unknown or another key, which ends the connection inside the key exchange. No credential exists here
//! before [`authenticate`](super::auth::authenticate), which takes what [`handshake`] returned.

use std::{borrow::Cow, sync::Arc};

use russh::{
    Channel, Preferred, SshId,
    client::{self, ChannelOpenHandle, Config, Handle, Handler, Msg, Session},
    keys::PublicKeyOrCertificate,
};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    auth::authenticate,
    error::{Error, Step},
    host_key::{self, HostKey},
    limits::Limits,
    target::Target,
    transport::{self, Line},
};

const CLIENT_ID: &str = concat!("SSH-2.0-Quaymaster_", env!("CARGO_PKG_VERSION"));
/// Keep-alives without an answer before the connection counts as dead.
const KEEPALIVE_MAX: usize = 3;
/// Times the keep-alive interval: a live host answers each, so nothing at all for this long is a dead one. It also ends
/// a write that the host does not take, which keep-alives cannot see.
const INACTIVITY: u32 = 6;

/// An established connection. Dropping it closes it, whatever still runs over it.
pub(super) struct Connection {
    pub handle: Handle<Client>,
    _cut: DropGuard,
}

/// Dials, checks the host key, authenticates.
pub(super) async fn open(target: &Target, limits: &Limits) -> Result<Connection, Error> {
    let stream = transport::dial(target, limits.connect).await?;
    let mut connection = handshake(stream, target, limits).await?;
    login(&mut connection, target, limits).await?;
    Ok(connection)
}

/// Version, key exchange, host key. What it returns has shown the pinned key.
pub(super) async fn handshake(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    target: &Target,
    limits: &Limits,
) -> Result<Connection, Error> {
    let cut = CancellationToken::new();
    let guard = cut.clone().drop_guard();
    let client = Client { pin: target.host_key.clone() };
    let connecting = client::connect_stream(Arc::new(config(target, limits)), Line::new(stream, cut), client);
    let handle = timeout(limits.handshake, connecting)
        .await
        .map_err(|_| Error::Timeout { step: Step::Handshake, limit: limits.handshake })?
        .map_err(|error| error.during(Step::Handshake))?;
    Ok(Connection { handle, _cut: guard })
}

/// Sends the credential.
pub(super) async fn login(
    connection: &mut Connection,
    target: &Target,
    limits: &Limits,
) -> Result<(), Error> {
    timeout(limits.auth, authenticate(&mut connection.handle, target))
        .await
        .map_err(|_| Error::Timeout { step: Step::Auth, limit: limits.auth })?
        .map_err(|error| error.during(Step::Auth))
}

fn config(target: &Target, limits: &Limits) -> Config {
    Config {
        client_id: SshId::Standard(Cow::Borrowed(CLIENT_ID)),
        preferred: Preferred {
            key: Cow::Owned(host_key::preference(target.host_key.as_ref())),
            ..Preferred::DEFAULT
        },
        keepalive_interval: Some(limits.keepalive),
        keepalive_max: KEEPALIVE_MAX,
        inactivity_timeout: Some(limits.keepalive * INACTIVITY),
        nodelay: true,
        ..Config::default()
    }
}

/// Our side of the protocol: what a host may ask of us. It may ask nothing.
pub(super) struct Client {
    pin: Option<HostKey>,
}

impl Handler for Client {
    type Error = Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Error> {
        if key.certificate().is_some() {
            return Err(Error::Protocol("it shows a host certificate, which was not asked for".to_owned()));
        }
        let offered = HostKey::of(&key.public_key());
        match &self.pin {
            None => Err(Error::HostKeyUnknown { offered }),
            Some(pinned) if pinned.fingerprint == offered.fingerprint => Ok(true),
            Some(pinned) => Err(Error::HostKeyChanged { pinned: pinned.clone(), offered }),
        }
    }

    // Dropping the handle of a channel that the host wants to open refuses it; the library's default accepts.

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _connected_address: &str,
        _connected_port: u32,
        _originator_address: &str,
        _originator_port: u32,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _socket_path: &str,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _channel: Channel<Msg>,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _host_to_connect: &str,
        _port_to_connect: u32,
        _originator_address: &str,
        _originator_port: u32,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _socket_path: &str,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _channel: Channel<Msg>,
        _originator_address: &str,
        _originator_port: u32,
        _reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        Ok(())
    }
}
