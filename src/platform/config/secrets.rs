//! The two secrets that everything rests on: given, or, beside the embedded database, generated once and kept in
//! `DATA_DIR/secrets`.
//!
//! With an external database they must be given: several replicas share it, and it outlives this machine's disk.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    DatabaseConfig, ServeArgs,
    read::{Reader, exposed},
};
use crate::platform::{
    Secret, token,
    vault::{self, Vault},
};

/// See the module. Both are known to be of the right form.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// Signs access tokens: for `token::Signer`.
    pub jwt: Secret<String>,
    /// Seals credentials: for `vault::Vault`.
    pub encryption: Secret<String>,
}

/// A folder of secrets, each a file, all readable by their owner only.
#[derive(Clone, Debug)]
pub(in crate::platform) struct SecretFolder(PathBuf);

struct Kind {
    setting: &'static str,
    file: &'static str,
    make_one: &'static str,
    generate: fn() -> Secret<String>,
    check: fn(&Secret<String>) -> Result<(), String>,
}

const JWT: Kind = Kind {
    setting: "JWT_SECRET",
    file: "jwt-secret",
    make_one: "openssl rand -base64 48",
    generate: || token::random().0,
    check: |secret| {
        token::Signer::new(secret, Duration::from_secs(1)).map(drop).map_err(|error| error.to_string())
    },
};

const ENCRYPTION: Kind = Kind {
    setting: "ENCRYPTION_KEY",
    file: "encryption-key",
    make_one: "openssl rand -base64 32",
    generate: vault::generate_key,
    check: |secret| Vault::new(secret).map(drop).map_err(|error| error.to_string()),
};

impl Secrets {
    pub(super) fn settle(
        reader: &mut Reader,
        args: &ServeArgs,
        database: &DatabaseConfig,
        data_dir: &Path,
    ) -> Self {
        Self::read(reader, args, database, |kind| {
            SecretFolder::of(data_dir).get_or_make(kind.file, kind.generate)
        })
    }

    pub(super) fn inspect(
        reader: &mut Reader,
        args: &ServeArgs,
        database: &DatabaseConfig,
        data_dir: &Path,
    ) -> Self {
        Self::read(reader, args, database, |kind| {
            Ok(SecretFolder::of(data_dir).get(kind.file)?.unwrap_or_else(kind.generate))
        })
    }

    fn read(
        reader: &mut Reader,
        args: &ServeArgs,
        database: &DatabaseConfig,
        kept: impl Fn(&Kind) -> io::Result<Secret<String>>,
    ) -> Self {
        Self {
            jwt: read(reader, &JWT, exposed(args.jwt_secret.as_ref()), database, &kept),
            encryption: read(reader, &ENCRYPTION, exposed(args.encryption_key.as_ref()), database, &kept),
        }
    }
}

fn read(
    reader: &mut Reader,
    kind: &Kind,
    given: Option<&str>,
    database: &DatabaseConfig,
    kept: impl Fn(&Kind) -> io::Result<Secret<String>>,
) -> Secret<String> {
    let given = given.map(str::trim).filter(|text| !text.is_empty()).map(Secret::from);
    let secret = match (given, database) {
        (Some(secret), _) => secret,
        (None, DatabaseConfig::Embedded { .. }) => match kept(kind) {
            Ok(secret) => secret,
            Err(error) => {
                reader.refuse(kind.setting, format!("cannot be kept in the data directory: {error}"));
                return (kind.generate)();
            }
        },
        (None, DatabaseConfig::External(_)) => {
            let wrong =
                format!("is not set, which a database of your own needs; make one with: {}", kind.make_one);
            reader.refuse(kind.setting, wrong);
            return (kind.generate)();
        }
    };
    if let Err(wrong) = (kind.check)(&secret) {
        // Those sentences begin with the setting's name, as a problem does.
        reader.refuse(kind.setting, wrong.trim_start_matches(kind.setting).trim_start());
    }
    secret
}

impl SecretFolder {
    pub(in crate::platform) fn of(data_dir: &Path) -> Self {
        Self(data_dir.join("secrets"))
    }

    pub(in crate::platform) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(in crate::platform) fn get(&self, name: &str) -> io::Result<Option<Secret<String>>> {
        let path = self.path(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text.trim().into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(on(&path, &error)),
        }
    }

    pub(in crate::platform) fn get_or_make(
        &self,
        name: &str,
        generate: impl FnOnce() -> Secret<String>,
    ) -> io::Result<Secret<String>> {
        if let Some(secret) = self.get(name)? {
            return Ok(secret);
        }
        let secret = generate();
        match self.write(name, &secret) {
            // Another process made it meanwhile: that one counts.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.get(name)?.ok_or_else(|| on(&self.0.join(name), &error))
            }
            Err(error) => Err(on(&self.0.join(name), &error)),
            Ok(()) => Ok(secret),
        }
    }

    /// Whole or not at all, and never over one that is there: losing it would lose all that it sealed.
    fn write(&self, name: &str, secret: &Secret<String>) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        fs::set_permissions(&self.0, fs::Permissions::from_mode(0o700))?;
        let temporary = self.0.join(format!(".{name}.{}", std::process::id()));
        let written =
            write_new(&temporary, secret).and_then(|()| fs::hard_link(&temporary, self.0.join(name)));
        fs::remove_file(&temporary)?;
        written?;
        fs::File::open(&self.0)?.sync_all()
    }
}

fn write_new(path: &Path, secret: &Secret<String>) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    writeln!(file, "{}", secret.expose())?;
    file.sync_all()
}

fn on(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_only_its_owner_can_read_it() {
        let data_dir = tempfile::tempdir().unwrap();
        let folder = SecretFolder::of(data_dir.path());
        assert!(folder.get("a").unwrap().is_none());
        let made = folder.get_or_make("a", vault::generate_key).unwrap();
        let again = folder.get_or_make("a", || panic!("made a second time")).unwrap();
        assert_eq!(made.expose(), again.expose());
        let permissions = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(permissions(&folder.0), 0o700);
        assert_eq!(permissions(&folder.0.join("a")), 0o600);
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1, "nothing temporary stays");
    }
}
