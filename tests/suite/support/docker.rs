//! A Docker Engine of the test run's own, and compose apps on it.
//!
//! The engine comes from `scripts/private-docker`, which ends with the pipe that this process holds: also when the process is
//! killed, and though statics are never dropped. It starts with the first test that wants it and takes half a second. In short,
//! the recipe is: `dockerd` in PID and mount namespaces of its own (killing the first process ends every container and mount),
//! `--bridge none --iptables=false` and a private `--default-address-pool` (docker-proxy carries published ports), and a
//! `docker import` of a static busybox.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ExitStatus, Stdio},
    sync::{LazyLock, Mutex},
};

use tempfile::TempDir;

pub const IMAGE: &str = "quaymaster/busybox:test";

/// Holds the pipe: see the module.
pub struct PrivateDocker {
    _child: Child,
    socket: PathBuf,
}

static ENGINE: LazyLock<PrivateDocker> = LazyLock::new(PrivateDocker::start);

/// The engine of this test run.
pub fn engine() -> &'static PrivateDocker {
    &ENGINE
}

impl PrivateDocker {
    #[expect(clippy::disallowed_methods, reason = "it outlives the runtime of the test that starts it")]
    fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/private-docker");
        let mut child = std::process::Command::new(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C ends the tests; the engine then ends by its pipe, and clears up.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{script}: {error}"));
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let socket = line.trim().strip_prefix("unix://").expect("the engine says on stderr what it lacks");
        Self { socket: socket.into(), _child: child }
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The value for `DOCKER_HOST`.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }
}

/// A compose app in a folder of its own. Its containers end with the engine.
pub struct App {
    dir: PathBuf,
    _parent: TempDir,
}

impl App {
    /// `folder` is the name of the app's folder, and so of its compose project; whatever compose makes of it.
    ///
    /// Each name is one test's: compose would take the apps of two folders of one name for one project.
    pub fn new(folder: &str, compose_yaml: &str) -> Self {
        static NAMES: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
        assert!(NAMES.lock().unwrap().insert(folder.to_owned()), "another test has an app called {folder}");
        let parent = tempfile::Builder::new().prefix("qm-app-").tempdir().unwrap();
        let dir = parent.path().join(folder);
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("docker-compose.yml"), compose_yaml).unwrap();
        Self { dir, _parent: parent }
    }

    pub fn dir(&self) -> &str {
        self.dir.to_str().unwrap()
    }

    /// As Quaymaster would run it, but from here.
    #[expect(clippy::disallowed_methods, reason = "also called from drop, where nothing can be awaited")]
    pub fn compose(&self, args: &[&str]) -> ExitStatus {
        let run = std::process::Command::new("docker-compose")
            .args(args)
            .current_dir(&self.dir)
            .env("DOCKER_HOST", engine().host())
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("install docker-compose: {error}"));
        if !run.status.success() {
            eprintln!("docker-compose {args:?}: {}", String::from_utf8_lossy(&run.stderr));
        }
        run.status
    }

    pub fn up(&self) {
        assert!(self.compose(&["up", "-d"]).success());
    }
}

/// The sample apps. None needs a network of its own unless it says so, which spares half a second.
pub mod samples {
    use super::IMAGE;

    /// Answers HTTP with `hello` on the port it publishes on 127.0.0.1, which Docker chooses.
    pub fn web() -> String {
        let serve = "mkdir /www && echo hello > /www/index.html && exec httpd -f -p 8000 -h /www";
        service("web", serve, "ports: ['127.0.0.1::8000']")
    }

    /// A service that stays up, one whose work is done, one that fails, and a sick one.
    pub fn mixed() -> String {
        let sick = "network_mode: none\n    healthcheck: {test: ['CMD', 'false'], interval: 1s, retries: 1}";
        [
            service("steady", "echo out; echo err >&2; exec sleep 1000", "network_mode: none"),
            more("migrate", "exit 0", "network_mode: none"),
            more("broken", "exit 3", "network_mode: none"),
            more("sick", "exec sleep 1000", sick),
        ]
        .concat()
    }

    /// One service that stays up.
    pub fn steady() -> String {
        service("steady", "exec sleep 1000", "network_mode: none")
    }

    /// Says the numbers from 1 to 5, and goes on when the file `/go` is there.
    pub fn talker() -> String {
        let talk = "seq 1 5; until [ -e /go ]; do sleep 0.05; done; echo more; exec sleep 1000";
        service("talker", talk, "network_mode: none")
    }

    /// `up` of it fails at once: there is no such image, and nowhere to pull it from.
    pub fn failing() -> String {
        service("web", "true", "network_mode: none").replace(IMAGE, "localhost:1/quaymaster/none")
    }

    /// `up` of it does not end: it waits for the health of a service that is first asked for it in an hour.
    pub fn hanging() -> String {
        let slow = "network_mode: none\n    healthcheck: {test: ['CMD', 'true'], interval: 1h}";
        let waits = "network_mode: none\n    depends_on: {slow: {condition: service_healthy}}";
        [service("slow", "exec sleep 1000", slow), more("web", "exec sleep 1000", waits)].concat()
    }

    /// Not YAML.
    pub fn broken() -> String {
        "services: [".to_owned()
    }

    fn service(name: &str, script: &str, rest: &str) -> String {
        format!("version: '2.4'\nservices:\n{}", more(name, script, rest))
    }

    /// Ends at once when told to: as process 1 a shell would ignore SIGTERM.
    fn more(name: &str, script: &str, rest: &str) -> String {
        format!(
            "  {name}:\n    image: {IMAGE}\n    command: ['sh', '-c', '{script}']\n    stop_signal: SIGKILL\n    {rest}\n"
        )
    }
}
