//! Where a byte stream to a Docker Engine comes from.
//!
//! The client above needs nothing but this: one fresh stream per request. How it is made (a local socket, a channel of an SSH
//! connection, a process on the host) is the business of the implementation, and so is saying why it could not be made.

use std::path::PathBuf;

use async_trait::async_trait;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::UnixStream,
};

use super::Error;

/// Both directions of one conversation.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

pub type Stream = Box<dyn Duplex>;

/// How the answer will be read. Over SSH, where streams share a connection, one that nobody reads could hold up the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// To its end, at once.
    Prompt,
    /// As fast as some caller takes it, which may be never.
    Callers,
}

#[async_trait]
pub trait Dial: Send + Sync {
    /// A new stream to the engine.
    async fn dial(&self, pace: Pace) -> Result<Stream, Error>;

    /// Asked after a stream broke before it carried an answer: what the host says is wrong, if it can tell more.
    async fn diagnose(&self) -> Option<Error> {
        None
    }
}

/// The engine of this machine, by its socket.
#[derive(Clone, Debug)]
pub struct UnixSocket {
    pub path: PathBuf,
}

#[async_trait]
impl Dial for UnixSocket {
    async fn dial(&self, _: Pace) -> Result<Stream, Error> {
        let stream = UnixStream::connect(&self.path).await.map_err(Error::from_socket)?;
        Ok(Box::new(stream))
    }
}
