//! As whom Postgres runs: as ourselves, or, since it refuses root, as an unprivileged user when we are root.

use std::{fs, path::Path};

use super::{EmbeddedError, folders::Folders};

/// Those that may be there, the best first.
const NAMES: [&str; 3] = ["quaymaster", "postgres", "nobody"];

/// An unprivileged user that root becomes to run Postgres.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
}

impl Account {
    /// None: as ourselves. A cluster that is there keeps the user that it was made by.
    pub(super) fn choose(folders: &Folders) -> Result<Option<Self>, EmbeddedError> {
        let ours = rustix::process::geteuid().as_raw();
        let owner = folders.cluster_owner()?;
        if ours != 0 {
            return match owner {
                Some((owner, _)) if owner != ours => Err(EmbeddedError::Foreign {
                    folder: folders.cluster_dir(),
                    owner,
                    account: format!("id {ours}"),
                }),
                _ => Ok(None),
            };
        }
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        match owner {
            Some((uid, gid)) if uid != 0 => Ok(Some(Self { name: name_of(&users, uid), uid, gid })),
            _ => NAMES.iter().find_map(|name| find(&users, name)).map(Some).ok_or(EmbeddedError::NoAccount),
        }
    }

    /// Hands `path` over to this user.
    pub(super) fn own(&self, path: &Path) -> Result<(), EmbeddedError> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid)).map_err(super::io_error(path))
    }
}

/// passwd(5): `name:password:uid:gid:…`
fn find(users: &str, name: &str) -> Option<Account> {
    entries(users).find(|account| account.name == name && account.uid != 0)
}

fn name_of(users: &str, uid: u32) -> String {
    entries(users)
        .find(|account| account.uid == uid)
        .map_or_else(|| format!("id {uid}"), |account| account.name)
}

fn entries(users: &str) -> impl Iterator<Item = Account> {
    users.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Account { name, uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name_and_never_root() {
        let users = "root:x:0:0::/root:/bin/sh\npostgresql:x:9:9::/:\npostgres:x:101:104:,,,:/var/lib:/bin/sh\n\
                     broken\nquaymaster:x:0:0::/:\n";
        let found = find(users, "postgres").unwrap();
        assert_eq!((found.uid, found.gid), (101, 104));
        assert!(find(users, "quaymaster").is_none());
        assert!(find(users, "broken").is_none());
        assert_eq!(name_of(users, 9), "postgresql");
        assert_eq!(name_of(users, 77), "id 77");
    }
}
