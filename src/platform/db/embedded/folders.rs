//! The data directory: its lock, the cluster's folder in it, and where the socket is.
//!
//! ```text
//! DATA_DIR/           others may pass through, no more, when Postgres runs as another user
//!   lock              held while a Quaymaster runs on it
//!   secrets/          ours alone
//!   postgres/         the cluster, of the user that Postgres runs as
//!   run/              the socket, of the same
//! ```

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};

use super::{Account, Binaries, CLUSTER_FOLDER, EmbeddedError, PORT, io_error, program};

/// `sun_path` of unix(7) has 108 bytes, the last of which ends it.
const MAX_SOCKET_PATH: usize = 107;
const TRY_WITHIN: Duration = Duration::from_secs(10);
const LOCK_TRIES: u32 = 20;
const LOCK_AGAIN_AFTER: Duration = Duration::from_millis(50);
const LEFT_OVER_ENDS_WITHIN: Duration = Duration::from_secs(10);

/// A data directory that is ours until this is dropped.
#[derive(Debug)]
pub(super) struct Folders {
    data_dir: PathBuf,
    lock: File,
}

impl Folders {
    /// Makes and locks it.
    pub(super) async fn prepare(data_dir: &Path) -> Result<Self, EmbeddedError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o711).create(data_dir).map_err(io_error(data_dir))?;
        let data_dir = data_dir.canonicalize().map_err(io_error(data_dir))?;
        let path = data_dir.join("lock");
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io_error(&path))?;
        match lock_soon(&lock).await {
            Ok(()) => Ok(Self { data_dir, lock }),
            Err(TryLockError::WouldBlock) => Err(EmbeddedError::InUse(data_dir)),
            Err(TryLockError::Error(cause)) => Err(io_error(&path)(cause)),
        }
    }

    pub(super) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub(super) fn cluster_dir(&self) -> PathBuf {
        self.data_dir.join(CLUSTER_FOLDER)
    }

    /// Keeps the lock alone.
    pub(super) fn into_lock(self) -> File {
        self.lock
    }

    /// The major version of Postgres that made the cluster; None when there is none.
    pub(super) fn version(&self) -> Result<Option<u32>, EmbeddedError> {
        let path = self.cluster_dir().join("PG_VERSION");
        match fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().map(Some).map_err(|_| {
                io_error(&path)(io::Error::new(io::ErrorKind::InvalidData, "is not a version of PostgreSQL"))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error(&path)(error)),
        }
    }

    /// User and group of the cluster; None when there is none.
    pub(super) fn cluster_owner(&self) -> Result<Option<(u32, u32)>, EmbeddedError> {
        let path = self.cluster_dir();
        match fs::metadata(&path) {
            Ok(metadata) => Ok(Some((metadata.uid(), metadata.gid()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error(&path)(error)),
        }
    }

    /// Lets `account` pass through the data directory, and makes sure that it can get there.
    pub(super) async fn open_to(
        &self,
        account: Option<&Account>,
        binaries: &Binaries,
    ) -> Result<(), EmbeddedError> {
        let Some(account) = account else { return Ok(()) };
        let mode = fs::metadata(&self.data_dir).map_err(io_error(&self.data_dir))?.permissions().mode();
        if mode & 0o011 != 0o011 {
            fs::set_permissions(&self.data_dir, Permissions::from_mode(mode | 0o011))
                .map_err(io_error(&self.data_dir))?;
        }
        // Tried rather than computed: access lists and mounts have a say too.
        let mut command = program::command(&binaries.program("postgres"), Some(account));
        command.arg("--version");
        program::run(command, TRY_WITHIN).await?;
        let mut command = program::command(&binaries.program("postgres"), Some(account));
        command.arg("--version").current_dir(&self.data_dir);
        match program::run(command, TRY_WITHIN).await {
            Err(EmbeddedError::Run { cause, .. }) if cause.kind() == io::ErrorKind::PermissionDenied => {
                Err(EmbeddedError::Closed {
                    folder: closed_to(account, &self.data_dir),
                    data_dir: self.data_dir.clone(),
                    account: account.name.clone(),
                })
            }
            other => other.map(drop),
        }
    }

    /// An empty folder to make the cluster in; what an attempt that was cut short left there is removed.
    pub(super) async fn make_unfinished(&self, account: Option<&Account>) -> Result<PathBuf, EmbeddedError> {
        let path = self.data_dir.join("postgres.unfinished");
        let deadline = Instant::now() + LEFT_OVER_ENDS_WITHIN;
        loop {
            match fs::remove_dir_all(&path) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                // An initdb that was killed leaves a child for a moment, which still writes.
                Err(error)
                    if error.kind() == io::ErrorKind::DirectoryNotEmpty && Instant::now() < deadline =>
                {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(error) => return Err(io_error(&path)(error)),
            }
        }
        make_private(&path, account)?;
        Ok(path)
    }

    /// A folder for the socket that only Postgres's user can enter.
    ///
    /// In the data directory if that makes a path short enough, and one that Postgres's list of such folders can hold.
    /// Else where names are short; its name is then told by the data directory's.
    pub(super) fn socket_dir(&self, account: Option<&Account>) -> Result<PathBuf, EmbeddedError> {
        let near = self.data_dir.join("run");
        if fits(&near) {
            make_private(&near, account)?;
            return Ok(near);
        }
        let hash = Sha256::digest(self.data_dir.as_os_str().as_bytes());
        let name = hash.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
        let folder = short_folder(account.is_some()).join(format!("quaymaster-{name:016x}"));
        make_private(&folder, account)?;
        Ok(folder)
    }
}

fn fits(folder: &Path) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_.+~".contains(byte);
    let bytes = folder.as_os_str().as_bytes();
    bytes.len() + socket_name().len() < MAX_SOCKET_PATH && bytes.iter().all(plain)
}

/// The name that Postgres gives its socket.
pub(super) fn socket_name() -> String {
    format!(".s.PGSQL.{PORT}")
}

fn short_folder(is_root: bool) -> PathBuf {
    if is_root && Path::new("/run").is_dir() {
        return PathBuf::from("/run");
    }
    std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|folder| !is_root && folder.is_dir() && folder.as_os_str().len() < 40 && fits(folder))
        .unwrap_or_else(|| PathBuf::from("/tmp"))
}

/// Makes `folder` for `account` alone. In a folder like `/tmp` anybody could have made it before: then it is refused,
/// because whoever owns it could put a socket of their own there and would be told the password.
fn make_private(folder: &Path, account: Option<&Account>) -> Result<(), EmbeddedError> {
    if let Err(error) = DirBuilder::new().mode(0o700).create(folder)
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(io_error(folder)(error));
    }
    let metadata = fs::symlink_metadata(folder).map_err(io_error(folder))?;
    let owners = [Some(rustix::process::geteuid().as_raw()), account.map(|account| account.uid)];
    if !metadata.is_dir() || !owners.contains(&Some(metadata.uid())) {
        return Err(EmbeddedError::SocketFolder { folder: folder.to_owned() });
    }
    fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(io_error(folder))?;
    account.map_or(Ok(()), |account| account.own(folder))
}

/// The outermost folder on the way to `path` whose mode keeps `account` out.
fn closed_to(account: &Account, path: &Path) -> PathBuf {
    let mut way: Vec<&Path> = path.ancestors().collect();
    way.reverse();
    let closed = |folder: &&&Path| {
        fs::metadata(folder).is_ok_and(|metadata| {
            let shift = match (metadata.uid() == account.uid, metadata.gid() == account.gid) {
                (true, _) => 6,
                (false, true) => 3,
                (false, false) => 0,
            };
            (metadata.mode() >> shift) & 1 == 0
        })
    };
    way.iter().find(closed).map_or_else(|| path.to_owned(), |folder| folder.to_path_buf())
}

/// A program that is just being started shares its parent's locks until it is itself (fork(2), execve(2)), so a lock that
/// was given back may seem held for a moment more.
async fn lock_soon(lock: &File) -> Result<(), TryLockError> {
    for _ in 1..LOCK_TRIES {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_AGAIN_AFTER).await,
            done => return done,
        }
    }
    lock.try_lock()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_path_of_at_most_107_bytes_fits() {
        let folder = |length: usize| PathBuf::from(format!("/{}", "a".repeat(length - 1)));
        let longest = MAX_SOCKET_PATH - 1 - socket_name().len();
        assert_eq!(folder(longest).join(socket_name()).as_os_str().len(), MAX_SOCKET_PATH);
        assert!(fits(&folder(longest)));
        assert!(!fits(&folder(longest + 1)));
        assert!(!fits(Path::new("/a,b")), "Postgres would take it for two folders");
    }

    #[test]
    fn a_link_in_place_of_the_socket_folder_is_refused() {
        let around = tempfile::tempdir().unwrap();
        let link = around.path().join("link");
        std::os::unix::fs::symlink("/tmp", &link).unwrap();
        assert!(matches!(make_private(&link, None), Err(EmbeddedError::SocketFolder { .. })));
    }

    #[tokio::test]
    async fn one_data_directory_is_locked_once() {
        let folder = tempfile::tempdir().unwrap();
        let first = Folders::prepare(folder.path()).await.unwrap();
        assert!(matches!(Folders::prepare(folder.path()).await, Err(EmbeddedError::InUse(_))));
        drop(first);
        Folders::prepare(folder.path()).await.unwrap();
    }
}
