//! A host as Quaymaster sees it: an sshd whose sessions find the private Docker Engine, or something wrong with it.
//!
//! It runs in PID and mount namespaces of its own: what it hides or replaces is so only for its sessions, and its end takes
//! them along. It lives as long as the test that started it.

use std::{
    fs::Permissions,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use quaymaster::remote::ssh::{Auth, HostId, HostKey, PrivateKey, Target};
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::{docker, eventually, sshd};

/// What is special about the host.
#[derive(Clone, Default)]
pub struct Setup {
    /// `None`: that of the private engine.
    pub docker_host: Option<String>,
    /// Lines for `sshd_config`.
    pub sshd_config: &'static str,
    /// Programs that the host does not have.
    pub hidden: &'static [&'static str],
    /// Who signs in; `root` unless set. The only other one is `nobody`.
    pub user: Option<&'static str>,
    /// A folder whose programs are found before the host's own.
    pub programs: Option<PathBuf>,
}

pub struct DockerHost {
    pub target: Target,
    child: Child,
    _dir: TempDir,
}

/// Arguments: the folder, and then what is hidden. Accounts are replaced so that `nobody` has a shell.
const START: &str = r#"
dir=$1; shift
mount --bind "$dir/passwd" /etc/passwd
mount --bind "$dir/shadow" /etc/shadow
for program; do [ ! -e "$program" ] || mount --bind /dev/null "$program"; done
exec /usr/sbin/sshd -D -e -f "$dir/sshd_config"
"#;

const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nsshd:x:100:65534::/run/sshd:/bin/false\n\
                      nobody:x:65534:65534::/:/bin/sh\n";
const SHADOW: &str = "root:*:1::::::\nsshd:*:1::::::\nnobody:*:1::::::\n";

impl DockerHost {
    #[expect(clippy::disallowed_methods, reason = "its end must not need a runtime")]
    pub async fn start(setup: Setup) -> Self {
        let dir = tempfile::Builder::new().prefix("qm-sshd-").tempdir().unwrap();
        let (host, user) = (PrivateKey::generate_ed25519().unwrap(), PrivateKey::generate_ed25519().unwrap());
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        write_files(dir.path(), &setup, port, &host, &user);
        // sshd wants it, and a machine without a running sshd may not have it.
        std::fs::create_dir_all("/run/sshd").unwrap();
        let child = std::process::Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "unshare", "--mount", "--pid", "--fork", "--kill-child=KILL"])
            .args(["--mount-proc", "sh", "-ec", START, "sh"])
            .arg(dir.path())
            .args(setup.hidden)
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(dir.path().join("log")).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("install util-linux: {error}"));
        let target = Target {
            host: HostId(uuid::Uuid::now_v7()),
            revision: 1,
            address: "127.0.0.1".to_owned(),
            port,
            user: setup.user.unwrap_or("root").to_owned(),
            auth: Auth::Key(user),
            host_key: Some(HostKey { algorithm: "ssh-ed25519".to_owned(), fingerprint: host.fingerprint() }),
        };
        let listens = || async { TcpStream::connect(("127.0.0.1", port)).await.ok() };
        eventually("sshd listens (is openssh-server installed?)", Duration::from_secs(10), listens).await;
        Self { target, child, _dir: dir }
    }
}

impl DockerHost {
    /// Kills every open connection, as a network that goes away does.
    pub fn cut_connections(&self) {
        for id in self.connections() {
            sshd::run("kill", &["-KILL", &id.to_string()]);
        }
    }

    pub fn has_connections(&self) -> bool {
        !self.connections().is_empty()
    }

    /// The processes of sshd that serve a connection: they name the account that is signed in.
    fn connections(&self) -> Vec<u32> {
        let title = |id: &u32| std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
        sshd::children(self.child.id()).into_iter().filter(|id| title(id).contains("@notty")).collect()
    }
}

impl Drop for DockerHost {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write_files(dir: &Path, setup: &Setup, port: u16, host: &PrivateKey, user: &PrivateKey) {
    let write = |name: &str, text: &str, mode: u32| {
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    };
    std::fs::set_permissions(dir, Permissions::from_mode(0o755)).unwrap();
    write("passwd", PASSWD, 0o644);
    write("shadow", SHADOW, 0o600);
    write("host_key", host.to_openssh().unwrap().expose(), 0o600);
    write("authorized_keys", &user.authorized_keys_line("test"), 0o644);
    let docker_host = setup.docker_host.clone().unwrap_or_else(|| docker::engine().host());
    let own = setup.programs.as_ref().map(|folder| format!("{}:", folder.display())).unwrap_or_default();
    let config = format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey {dir}/host_key\nPidFile none\n\
         AuthorizedKeysFile {dir}/authorized_keys\nStrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\n\
         PasswordAuthentication no\nUseDNS no\nSetEnv DOCKER_HOST={docker_host} \
         PATH={own}/usr/bin:/bin:/usr/sbin:/sbin\n{more}\n",
        dir = dir.display(),
        more = setup.sshd_config,
    );
    write("sshd_config", &config, 0o644);
}
