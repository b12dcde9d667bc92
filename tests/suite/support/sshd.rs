//! A private OpenSSH server: own keys, own port, own log, ended with the test.

use std::{
    fmt::Write as _,
    fs::Permissions,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    sync::OnceLock,
};

use quaymaster::{
    platform::Secret,
    remote::ssh::{Auth, HostId, HostKey, PrivateKey, Target},
};
use tempfile::TempDir;
use tokio::process::Child;
use uuid::Uuid;

use super::{PATIENCE, tool, until};

/// The system account that tests log in to; made on first use and left there. Not root: its start-up files are whatever
/// the machine's owner made of them, and may hang.
pub const USER: &str = "quaymaster-test";
pub const PASSWORD: &str = "correct horse 'battery' $taple";

const SSHD: &str = "/usr/sbin/sshd";

/// What differs from test to test.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Types of host keys, as `ssh-keygen -t` takes them.
    pub host_keys: Vec<&'static str>,
    pub max_sessions: usize,
    /// Further lines of `sshd_config`.
    pub more: String,
    /// What the account's shell runs before each command.
    pub bashrc: Option<&'static str>,
    /// `UsePAM` and passwords by keyboard-interactive only.
    pub pam_only: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            host_keys: vec!["ed25519"],
            max_sessions: 10,
            more: String::new(),
            bashrc: None,
            pam_only: false,
        }
    }
}

pub struct Sshd {
    dir: TempDir,
    settings: Settings,
    pub port: u16,
    /// Lets [`USER`] in, and root.
    pub client_key: PrivateKey,
    child: Option<Child>,
    host: HostId,
}

impl Sshd {
    /// With one Ed25519 host key and OpenSSH's own limits.
    pub async fn start() -> Self {
        Self::with(Settings::default()).await
    }

    pub async fn with(settings: Settings) -> Self {
        std::fs::create_dir_all("/run/sshd").expect("make /run/sshd: run the tests as root");
        ensure_user();
        let client_key = PrivateKey::generate_ed25519().unwrap();
        let mut sshd = Self {
            dir: tempfile::tempdir().unwrap(),
            settings,
            port: free_port(),
            client_key: client_key.clone(),
            child: None,
            host: HostId(Uuid::now_v7()),
        };
        // The account reads its keys here, and commands of tests leave files.
        std::fs::set_permissions(sshd.dir.path(), Permissions::from_mode(0o777)).unwrap();
        sshd.authorize(&client_key);
        for kind in sshd.settings.host_keys.clone() {
            sshd.make_host_key(kind).await;
        }
        // Somebody else may take a port between asking for a free one and listening on it.
        while !sshd.listens().await {
            sshd.port = free_port();
        }
        sshd
    }

    /// The target that gets in: [`USER`], by key, with the pin of the first host key.
    pub async fn target(&self) -> Target {
        Target {
            host: self.host,
            revision: 1,
            address: "127.0.0.1".to_owned(),
            port: self.port,
            user: USER.to_owned(),
            auth: Auth::Key(self.client_key.clone()),
            host_key: Some(self.host_key(self.settings.host_keys[0]).await),
        }
    }

    /// The same by password.
    pub async fn password_target(&self, password: &str) -> Target {
        Target { auth: Auth::Password(Secret::from(password)), ..self.target().await }
    }

    /// Lets `key` in, too.
    pub fn authorize(&self, key: &PrivateKey) {
        self.authorize_line(&key.authorized_keys_line("test"));
    }

    pub fn authorize_line(&self, line: &str) {
        let path = self.path("authorized_keys");
        let mut lines = std::fs::read_to_string(&path).unwrap_or_default();
        writeln!(lines, "{}", line.trim()).unwrap();
        std::fs::write(path, lines).unwrap();
    }

    /// As OpenSSH's own tool tells it.
    pub async fn host_key(&self, kind: &str) -> HostKey {
        let path = self.path(&format!("host_{kind}.pub"));
        let listed = tool("ssh-keygen", &["-l", "-f", path.to_str().unwrap()]).await;
        let algorithm = std::fs::read_to_string(path).unwrap().split(' ').next().unwrap().to_owned();
        HostKey { algorithm, fingerprint: listed.split(' ').nth(1).unwrap().parse().unwrap() }
    }

    /// Starts again, on the same port, with new host keys of these types only.
    pub async fn restart_with_host_keys(&mut self, kinds: &[&'static str]) {
        self.stop().await;
        self.settings.host_keys = kinds.to_vec();
        for kind in kinds {
            self.make_host_key(kind).await;
        }
        self.up().await;
    }

    /// Stops listening. Connections that are open stay so; see [`Sshd::cut`].
    pub async fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().await.unwrap();
        }
    }

    pub async fn up(&mut self) {
        assert!(self.listens().await, "port {} is taken", self.port);
    }

    /// Starts sshd; `false` if its port is taken.
    async fn listens(&mut self) -> bool {
        let config = self.path("sshd_config");
        std::fs::write(&config, self.config()).unwrap();
        self.clear_log();
        let mut child = tokio::process::Command::new(SSHD)
            .args(["-D", "-f"])
            .arg(&config)
            .arg("-E")
            .arg(self.path("log"))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("install openssh-server");
        let log = self.path("log");
        until(PATIENCE, "sshd listens, or says why not", || {
            let ended = child.try_wait().unwrap().is_some();
            let listens = std::fs::read_to_string(&log).unwrap_or_default().contains("Server listening on");
            async move { ended || listens }
        })
        .await;
        let listens = child.try_wait().unwrap().is_none();
        self.child = Some(child);
        listens
    }

    /// Kills every open connection, as a network that goes away does.
    pub fn cut(&self) {
        for id in self.connection_processes() {
            run("kill", &["-KILL", &id.to_string()]);
        }
    }

    /// The processes that sshd forked, one or two per connection.
    pub fn connection_processes(&self) -> Vec<u32> {
        self.child.as_ref().and_then(Child::id).map(children).unwrap_or_default()
    }

    /// How many lines of the log hold `text`.
    pub fn logged(&self, text: &str) -> usize {
        let log = std::fs::read(self.path("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).lines().filter(|line| line.contains(text)).count()
    }

    pub fn clear_log(&self) {
        // sshd appends, so it goes on at the new end.
        std::fs::write(self.path("log"), "").unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    async fn make_host_key(&self, kind: &str) {
        let path = self.path(&format!("host_{kind}"));
        let _ = std::fs::remove_file(&path);
        tool("ssh-keygen", &["-q", "-t", kind, "-N", "", "-f", path.to_str().unwrap()]).await;
    }

    fn config(&self) -> String {
        let Settings { host_keys, max_sessions, more, bashrc, pam_only } = &self.settings;
        let (pam, password) = if *pam_only { ("yes", "no") } else { ("no", "yes") };
        let mut config = format!(
            "Port {}\nListenAddress 127.0.0.1\nPidFile none\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM {pam}\n\
             KbdInteractiveAuthentication {pam}\nPasswordAuthentication {password}\nPermitRootLogin yes\n\
             LogLevel DEBUG1\nMaxStartups 500\nMaxSessions {max_sessions}\n{more}\n",
            self.port,
            self.path("authorized_keys").display(),
        );
        if let Some(bashrc) = bashrc {
            std::fs::write(self.path(".bashrc"), bashrc).unwrap();
            writeln!(config, "SetEnv HOME={}", self.dir.path().display()).unwrap();
        }
        for kind in host_keys {
            writeln!(config, "HostKey {}", self.path(&format!("host_{kind}")).display()).unwrap();
        }
        config
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.cut();
    }
}

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

pub fn children(parent: u32) -> Vec<u32> {
    let stat = |id: u32| std::fs::read_to_string(Path::new("/proc").join(id.to_string()).join("stat")).ok();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let of_parent = |id: &u32| {
        stat(*id).and_then(|stat| stat.rsplit(") ").next()?.split(' ').nth(1)?.parse().ok()) == Some(parent)
    };
    // Only sshd's own: the commands that run for a connection must not learn of its end from us.
    let of_sshd =
        |id: &u32| std::fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name == "sshd\n");
    let direct: Vec<u32> = ids.filter(of_parent).filter(of_sshd).collect();
    direct.iter().flat_map(|&id| [children(id), vec![id]].concat()).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "used where no runtime is to be had: in Drop, and once for all tests"
)]
pub fn run(program: &str, args: &[&str]) -> bool {
    std::process::Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .success()
}

#[expect(clippy::disallowed_methods, reason = "once for all tests, which wait for it")]
fn ensure_user() {
    static MADE: OnceLock<()> = OnceLock::new();
    MADE.get_or_init(|| {
        use std::io::Write as _;
        if !run("id", &["-u", USER]) {
            assert!(run("useradd", &["--create-home", "--shell", "/bin/bash", USER]), "useradd failed");
        }
        let mut chpasswd =
            std::process::Command::new("chpasswd").stdin(Stdio::piped()).spawn().expect("install passwd");
        let line = format!("{USER}:{PASSWORD}\n");
        chpasswd.stdin.take().unwrap().write_all(line.as_bytes()).unwrap();
        assert!(chpasswd.wait().unwrap().success(), "chpasswd failed");
    });
}
