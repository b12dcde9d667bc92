//! Where the programs of Postgres are, and of which version.

use std::{
    cmp::Reverse,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{EmbeddedError, folders::Folders, program};

const VERSION_WITHIN: Duration = Duration::from_secs(10);

/// A folder with `initdb` and `postgres`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    pub folder: PathBuf,
    /// The major version: clusters of one are not usable by another.
    pub major: u32,
}

impl Binaries {
    /// The first that fit a cluster made by `made_by`, or for a new one the first of all: `given` alone if there is one,
    /// else on `PATH`, then the newest of the usual folders, then where `pg_config` says.
    pub(super) async fn find(
        given: Option<&Path>,
        made_by: Option<u32>,
        folders: &Folders,
    ) -> Result<Self, EmbeddedError> {
        let found = Self::all(given).await?;
        match made_by {
            None => found.into_iter().next().ok_or(EmbeddedError::NoBinaries),
            Some(made_by) => choose(found, made_by, folders.cluster_dir()),
        }
    }

    /// All that are on this machine, the preferred first.
    pub async fn all(given: Option<&Path>) -> Result<Vec<Self>, EmbeddedError> {
        if let Some(folder) = given {
            if !is_complete(folder) {
                return Err(EmbeddedError::WrongBinaries(folder.to_owned()));
            }
            return Ok(vec![Self::of(folder.to_owned()).await?]);
        }
        let mut folders: Vec<PathBuf> = Vec::new();
        folders.extend(program::on_path("initdb").and_then(|file| file.parent().map(Path::to_owned)));
        folders.extend(installed(Path::new("/usr/lib/postgresql"), ""));
        folders.extend(installed(Path::new("/usr"), "pgsql-"));
        folders.extend(configured().await);
        let mut all: Vec<Self> = Vec::new();
        for folder in folders {
            if is_complete(&folder) && !all.iter().any(|known| known.folder == folder) {
                all.push(Self::of(folder).await?);
            }
        }
        Ok(all)
    }

    async fn of(folder: PathBuf) -> Result<Self, EmbeddedError> {
        let postgres = folder.join("postgres");
        let mut command = program::command(&postgres, None);
        command.arg("--version");
        let told = program::run(command, VERSION_WITHIN).await?;
        match major(&told) {
            Some(major) => Ok(Self { folder, major }),
            None => Err(EmbeddedError::Program {
                program: postgres,
                output: format!("says its version is {told}"),
            }),
        }
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

fn choose(found: Vec<Binaries>, made_by: u32, folder: PathBuf) -> Result<Binaries, EmbeddedError> {
    if found.is_empty() {
        return Err(EmbeddedError::NoBinaries);
    }
    let told: Vec<String> =
        found.iter().map(|found| format!("{} in {}", found.major, found.folder.display())).collect();
    found.into_iter().find(|found| found.major == made_by).ok_or_else(|| EmbeddedError::Version {
        folder,
        made_by,
        found: told.join(" and "),
    })
}

fn is_complete(folder: &Path) -> bool {
    ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file())
}

/// `{root}/{prefix}{version}/bin` as Debian and Red Hat have them, the newest first.
fn installed(root: &Path, prefix: &str) -> Vec<PathBuf> {
    let mut versions: Vec<u32> = std::fs::read_dir(root)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_prefix(prefix)?.parse().ok())
        .collect();
    versions.sort_unstable_by_key(|version| Reverse(*version));
    versions.iter().map(|version| root.join(format!("{prefix}{version}")).join("bin")).collect()
}

async fn configured() -> Option<PathBuf> {
    let mut command = program::command(&program::on_path("pg_config")?, None);
    command.arg("--bindir");
    let told = program::run(command, VERSION_WITHIN).await.ok()?;
    Some(PathBuf::from(told.trim()))
}

/// `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)` or `… 18beta1`.
fn major(told: &str) -> Option<u32> {
    let version = told.split_once("(PostgreSQL)")?.1.trim_start();
    let digits = version.find(|c: char| !c.is_ascii_digit()).map_or(version, |end| version.split_at(end).0);
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read() {
        assert_eq!(major("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major("postgres (PostgreSQL) devel"), None);
        assert_eq!(major("mysqld 8"), None);
    }

    #[test]
    fn the_version_that_made_the_cluster_is_chosen_or_asked_for() {
        let binaries = |major| Binaries { folder: format!("/pg/{major}").into(), major };
        let found = vec![binaries(17), binaries(15)];
        assert_eq!(choose(found.clone(), 15, "/data".into()).unwrap().major, 15);
        let error = choose(found, 14, "/data".into()).unwrap_err().to_string();
        assert!(error.contains("made by PostgreSQL 14"), "{error}");
        assert!(error.contains("17 in /pg/17 and 15 in /pg/15"), "{error}");
        assert!(matches!(choose(Vec::new(), 14, "/data".into()), Err(EmbeddedError::NoBinaries)));
    }

    #[test]
    fn the_newest_installed_comes_first() {
        let root = tempfile::tempdir().unwrap();
        for version in ["9", "15", "14", "old"] {
            std::fs::create_dir_all(root.path().join(version)).unwrap();
        }
        let told: Vec<PathBuf> = installed(root.path(), "");
        let expected: Vec<PathBuf> = ["15", "14", "9"].map(|v| root.path().join(v).join("bin")).into();
        assert_eq!(told, expected);
    }
}
