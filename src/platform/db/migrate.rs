//! Migrations: the files of `migrations/`, forward only, each in its transaction, under sqlx's advisory lock.
//!
//! A database that knows a migration which this binary does not is newer: old code on it could destroy what it does not
//! understand, so it is refused. So is one whose history differs from ours.

use sqlx::{
    PgConnection,
    migrate::{Migrate, Migrator},
};

/// All migrations of this binary.
pub static MIGRATIONS: Migrator = sqlx::migrate!();
const TABLE: &str = "_sqlx_migrations";

/// The schema of a database compared with ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    Current {
        version: i64,
    },
    /// `pending` migrations are still to be run.
    Older {
        pending: usize,
    },
    Newer {
        theirs: i64,
        ours: i64,
    },
    /// This migration was another one when it was applied.
    Altered {
        version: i64,
    },
    /// It has this migration, which we do not have although we have later ones.
    Foreign {
        version: i64,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error(
        "the database is at version {theirs} and this Quaymaster knows up to {ours}: start the newer Quaymaster, or \
         restore a backup from before it"
    )]
    Newer { theirs: i64, ours: i64 },
    #[error(
        "migration {0} of the database is not the one that this Quaymaster has: it was altered after it ran, so the \
         schema cannot be trusted; start the Quaymaster that made this database"
    )]
    Altered(i64),
    #[error("the database has a migration {0} that this Quaymaster never had: it belongs to another build")]
    Foreign(i64),
    #[error("a migration failed; its changes were taken back: {0}")]
    Failed(#[source] sqlx::migrate::MigrateError),
}

/// Runs what is missing. Waits while another replica migrates.
pub async fn run(migrations: &Migrator, db: &mut PgConnection) -> Result<(), MigrateError> {
    let before = inspect(migrations, db).await.map_err(|error| MigrateError::Failed(error.into()))?;
    refuse(before)?;
    match migrations.run_direct(None, db, false).await {
        Ok(()) => {
            if let Schema::Older { pending } = before {
                tracing::info!(migrations = pending, "the database's schema is up to date");
            }
            Ok(())
        }
        // Another replica, a newer one, was faster between the look and the lock.
        Err(error) => {
            let after = inspect(migrations, db).await;
            after.map_or(Ok(()), refuse)?;
            Err(MigrateError::Failed(error))
        }
    }
}

fn refuse(schema: Schema) -> Result<(), MigrateError> {
    match schema {
        Schema::Current { .. } | Schema::Older { .. } => Ok(()),
        Schema::Newer { theirs, ours } => Err(MigrateError::Newer { theirs, ours }),
        Schema::Altered { version } => Err(MigrateError::Altered(version)),
        Schema::Foreign { version } => Err(MigrateError::Foreign(version)),
    }
}

/// Compares, changing nothing.
pub async fn inspect(migrations: &Migrator, db: &mut PgConnection) -> sqlx::Result<Schema> {
    let known: Vec<(i64, &[u8])> =
        migrations.iter().map(|migration| (migration.version, migration.checksum.as_ref())).collect();
    let has_table = sqlx::query_scalar!(r#"select to_regclass($1) is not null as "has_table!""#, TABLE)
        .fetch_one(&mut *db)
        .await?;
    if !has_table {
        return Ok(Schema::Older { pending: known.len() });
    }
    let applied =
        db.list_applied_migrations(TABLE).await.map_err(|error| sqlx::Error::Protocol(error.to_string()))?;
    let applied: Vec<(i64, &[u8])> =
        applied.iter().map(|migration| (migration.version, migration.checksum.as_ref())).collect();
    Ok(compare(&known, &applied))
}

fn compare(known: &[(i64, &[u8])], applied: &[(i64, &[u8])]) -> Schema {
    let newest =
        |migrations: &[(i64, &[u8])]| migrations.iter().map(|(version, _)| *version).max().unwrap_or(0);
    let (ours, theirs) = (newest(known), newest(applied));
    if theirs > ours {
        return Schema::Newer { theirs, ours };
    }
    for (version, checksum) in applied {
        match known.iter().find(|(known, _)| known == version) {
            None => return Schema::Foreign { version: *version },
            Some((_, expected)) if expected != checksum => return Schema::Altered { version: *version },
            Some(_) => {}
        }
    }
    match known.len().saturating_sub(applied.len()) {
        0 => Schema::Current { version: ours },
        pending => Schema::Older { pending },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_older_current_newer_altered_or_foreign() {
        let known: [(i64, &[u8]); 2] = [(1, b"a"), (3, b"b")];
        assert_eq!(compare(&known, &[]), Schema::Older { pending: 2 });
        assert_eq!(compare(&known, &[(1, b"a")]), Schema::Older { pending: 1 });
        assert_eq!(compare(&known, &known), Schema::Current { version: 3 });
        assert_eq!(compare(&known, &[(1, b"a"), (3, b"b"), (4, b"c")]), Schema::Newer { theirs: 4, ours: 3 });
        assert_eq!(compare(&known, &[(1, b"x")]), Schema::Altered { version: 1 });
        assert_eq!(compare(&known, &[(1, b"a"), (2, b"x")]), Schema::Foreign { version: 2 });
    }
}
