//! SSH servers that misbehave, each in one way.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use quaymaster::{
    platform::{Lifecycle, Secret},
    remote::ssh::{Auth, HostId, HostKey, PrivateKey, Target},
};
use russh::{
    Channel, ChannelId, MethodKind, MethodSet,
    keys::Algorithm,
    server::{self, Auth as Answer, ChannelOpenHandle, Msg, Response, Session, VerifiedPublicKey},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    net::{TcpListener, TcpStream},
};
use uuid::Uuid;

/// How a server misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Accepts and says nothing.
    Silent,
    /// Text before the version, for ever.
    EndlessBanner,
    /// One line that does not end.
    EndlessLine,
    /// A version, then nothing.
    SilentAfterVersion,
    /// A version, then a packet that claims this many bytes.
    PacketOf(u32),
    /// Not SSH at all.
    Http,
    /// Never answers the credential.
    SilentAuth,
    /// Closes the connection upon the credential.
    CloseOnAuth,
    /// Never answers the opening of a channel.
    SilentChannel,
    /// Never answers the request to run a command.
    SilentExec,
    /// Says that the command runs, and then nothing.
    SilentShell,
    /// Start-up files that print for ever.
    EndlessPrelude,
    /// The command prints for ever.
    EndlessOutput,
    /// The command never ends and prints nothing.
    NeverEnds,
    /// Closes the channel without saying how the command ended.
    NoExit,
    /// Answers with escape sequences, and a failing shell.
    EscapeSequences,
    /// Well-behaved, but takes passwords only by keyboard-interactive, with this many questions first.
    Questions(usize),
}

/// A listening server, ended with the test's lifecycle or process.
pub struct Hostile {
    pub port: u16,
    key: russh::keys::PrivateKey,
    /// Requests to authenticate, of whatever method, that reached it.
    pub credentials: Arc<AtomicUsize>,
    /// Connections that it has now.
    pub open: Arc<AtomicUsize>,
}

impl Hostile {
    pub async fn start(habit: Habit, lifecycle: &Lifecycle) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let key = russh::keys::PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            key: key.clone(),
            credentials: Arc::default(),
            open: Arc::default(),
        };
        let (credentials, open) = (server.credentials.clone(), server.open.clone());
        let tasks = lifecycle.clone();
        lifecycle.spawn(async move {
            while let Some(Ok((stream, _))) = tasks.until_stopping(listener.accept()).await {
                let (key, credentials, open) = (key.clone(), credentials.clone(), open.clone());
                tasks.spawn(async move {
                    open.fetch_add(1, Ordering::SeqCst);
                    serve(habit, stream, key, credentials).await;
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        server
    }

    /// The target that trusts it.
    pub fn target(&self) -> Target {
        let public = PrivateKey::parse(
            &Secret::new(self.key.to_openssh(russh::keys::ssh_key::LineEnding::LF).unwrap().to_string()),
            None,
        )
        .unwrap();
        Target {
            host: HostId(Uuid::now_v7()),
            revision: 1,
            address: "127.0.0.1".to_owned(),
            port: self.port,
            user: "root".to_owned(),
            auth: Auth::Password("canary-password".into()),
            host_key: Some(HostKey {
                algorithm: "ssh-ed25519".to_owned(),
                fingerprint: public.fingerprint(),
            }),
        }
    }
}

async fn serve(
    habit: Habit,
    mut stream: TcpStream,
    key: russh::keys::PrivateKey,
    credentials: Arc<AtomicUsize>,
) {
    const VERSION: &[u8] = b"SSH-2.0-Hostile\r\n";
    match habit {
        Habit::Silent => {}
        Habit::EndlessBanner => while stream.write_all(b"welcome\r\n").await.is_ok() {},
        Habit::EndlessLine => while stream.write_all(&[b'x'; 4096]).await.is_ok() {},
        Habit::SilentAfterVersion => drop(stream.write_all(VERSION).await),
        Habit::PacketOf(length) => {
            let _ = stream.write_all(VERSION).await;
            let _ = stream.write_all(&[length.to_be_bytes().as_slice(), &[0xff; 64]].concat()).await;
        }
        Habit::Http => drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await),
        _ => {
            // In between, so that the client's end is seen even while a handler hangs.
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            let (mut from, mut to) = stream.into_split();
            let (mut inner_from, mut inner_to) = tokio::io::split(ours);
            tokio::select! {
                _ = tokio::io::copy(&mut from, &mut inner_to) => {}
                () = speak(habit, theirs, key, credentials) => {}
                _ = async { tokio::join!(tokio::io::copy(&mut inner_from, &mut to), std::future::pending::<()>()) } => {}
            }
            return;
        }
    }
    // Holds the connection until the other side gives up.
    let mut sink = [0; 4096];
    while stream.read(&mut sink).await.is_ok_and(|length| length > 0) {}
}

async fn speak(
    habit: Habit,
    stream: DuplexStream,
    key: russh::keys::PrivateKey,
    credentials: Arc<AtomicUsize>,
) {
    let mut methods = MethodSet::empty();
    methods.push(match habit {
        Habit::Questions(_) => MethodKind::KeyboardInteractive,
        _ => MethodKind::Password,
    });
    let config = server::Config {
        keys: vec![key],
        methods,
        auth_rejection_time: Duration::ZERO,
        inactivity_timeout: None,
        ..server::Config::default()
    };
    let server = Server { habit, credentials, asked: 0 };
    if let Ok(session) = server::run_stream(Arc::new(config), stream, server).await {
        let _ = session.await;
    }
}

struct Server {
    habit: Habit,
    credentials: Arc<AtomicUsize>,
    asked: usize,
}

impl Server {
    async fn answer(&self) -> Result<Answer, russh::Error> {
        self.credentials.fetch_add(1, Ordering::SeqCst);
        match self.habit {
            Habit::SilentAuth => std::future::pending().await,
            Habit::CloseOnAuth => Err(russh::Error::Disconnect),
            _ => Ok(Answer::Accept),
        }
    }
}

impl server::Handler for Server {
    type Error = russh::Error;

    async fn auth_password(&mut self, _user: &str, _password: &str) -> Result<Answer, russh::Error> {
        if matches!(self.habit, Habit::Questions(_)) {
            return Ok(Answer::reject());
        }
        self.answer().await
    }

    async fn auth_publickey(
        &mut self,
        _user: &str,
        _key: VerifiedPublicKey<'_>,
    ) -> Result<Answer, russh::Error> {
        self.answer().await
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Answer, russh::Error> {
        let Habit::Questions(questions) = self.habit else { return Ok(Answer::reject()) };
        if response.is_some_and(|mut answers| answers.any(|answer| answer == "canary-password")) {
            self.asked += 1;
            if self.asked >= questions {
                return Ok(Answer::Accept);
            }
        }
        let prompts = vec![("Password: ".into(), false)];
        Ok(Answer::Partial { name: "".into(), instructions: "".into(), prompts: prompts.into() })
    }

    async fn channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        if self.habit == Habit::SilentChannel {
            std::future::pending::<()>().await;
        }
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        line: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        if self.habit == Habit::SilentExec {
            return Ok(());
        }
        session.channel_success(channel)?;
        let handle = session.handle();
        let line = String::from_utf8_lossy(line);
        let mark = line.split_whitespace().find(|word| word.starts_with("quaymaster-run-")).unwrap();
        let mark = format!("{mark} 4711\n");
        let habit = self.habit;
        // Ended with the connection: sending fails then.
        let begin = match habit {
            Habit::SilentShell | Habit::EndlessPrelude | Habit::EscapeSequences => None,
            _ => Some(mark),
        };
        if let Some(begin) = begin {
            session.data(channel, begin.clone().into_bytes())?;
            session.extended_data(channel, 1, begin.into_bytes())?;
        }
        match habit {
            Habit::EndlessPrelude | Habit::EndlessOutput => {
                Lifecycle::new()
                    .spawn(async move { while handle.data(channel, vec![b'x'; 16 * 1024]).await.is_ok() {} });
            }
            Habit::NoExit => session.close(channel)?,
            Habit::EscapeSequences => {
                session.extended_data(channel, 1, b"\x1b[2J\x1b]0;owned\x07go away\n".to_vec())?;
                session.exit_status_request(channel, 1)?;
                session.close(channel)?;
            }
            Habit::Questions(_) => {
                session.exit_status_request(channel, 0)?;
                session.close(channel)?;
            }
            _ => {}
        }
        Ok(())
    }
}
