//! The schema version of a file, and its migration. A file in use is never migrated, an old file is copied first, and
//! no migration is reversed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use sqlx::migrate::Migrator;
use sqlx::{Connection as _, SqliteConnection};

use super::copy;
use super::lock::{Lock, LockAttempt};
use super::stories;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// How many copies from before a migration are kept.
const COPIES_MAX: usize = 2;

/// The schema of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    Empty,
    /// It has this version and needs migrations.
    Older(i64),
    /// It has the newest version.
    Current,
    /// A newer bpfnews made it.
    Newer(i64),
}

/// The version that this program migrates to.
pub fn newest() -> i64 {
    MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0)
}

impl Schema {
    pub fn version(self) -> i64 {
        match self {
            Self::Empty => 0,
            Self::Older(version) | Self::Newer(version) => version,
            Self::Current => newest(),
        }
    }

    /// Reads the schema of a file.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read, or is not a database of bpfnews.
    pub async fn of(database: &mut SqliteConnection) -> anyhow::Result<Self> {
        let tables = sqlx::query_scalar!(r#"SELECT name AS "name!" FROM sqlite_schema"#)
            .fetch_all(&mut *database)
            .await
            .context("reading which tables there are")?;
        if tables.is_empty() {
            return Ok(Self::Empty);
        }
        if !tables.iter().any(|table| table == "_sqlx_migrations") {
            bail!("this is a SQLite file, but none of bpfnews");
        }
        let applied = sqlx::query_scalar!(r#"SELECT version AS "version!" FROM _sqlx_migrations"#)
            .fetch_all(&mut *database)
            .await
            .context("reading which version it has")?;
        let Some(version) = applied.iter().copied().max() else {
            return Ok(Self::Empty);
        };
        if applied
            .iter()
            .any(|&known| !MIGRATIONS.version_exists(known))
        {
            return Ok(Self::Newer(version));
        }
        let lacks = MIGRATIONS.iter().any(|m| !applied.contains(&m.version));
        Ok(if lacks {
            Self::Older(version)
        } else {
            Self::Current
        })
    }
}

/// Migrates a database.
///
/// # Errors
///
/// Returns an error if a newer bpfnews made it, if it needs a migration while in use, or if it cannot be copied or
/// written.
pub(super) async fn bring_up_to_date(
    connection: &mut SqliteConnection,
    path: &Path,
) -> anyhow::Result<()> {
    match Schema::of(connection).await? {
        Schema::Current => Ok(()),
        Schema::Empty => migrate(connection).await,
        Schema::Newer(version) => Err(too_new(version, path)),
        Schema::Older(version) => {
            // The process that uses it is an older bpfnews, which would not understand the new tables.
            let _lock = match Lock::try_take(path, "upgrade")? {
                LockAttempt::Ours(lock) => lock,
                LockAttempt::Theirs(holder) => bail!(
                    "it has schema {version}, this bpfnews wants {}, and {holder} uses it: stop that one, then start \
                     this one",
                    newest()
                ),
            };
            let kept = copy_before(path, version);
            copy::replace(connection, &kept)
                .await
                .with_context(|| format!("keeping a copy of it first, as {}", kept.display()))?;
            migrate(connection).await?;
            tracing::info!(
                "the database has schema {} now; as it was before it is kept as {}",
                newest(),
                kept.display()
            );
            forget_old_copies(path);
            Ok(())
        }
    }
}

/// Applies the missing migrations under the write lock, because another process may start on the same new file.
pub(super) async fn migrate(connection: &mut SqliteConnection) -> anyhow::Result<()> {
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    let has_figures = has_table(&mut tx, "series_figures").await?;
    let has_values = has_table(&mut tx, "story_values").await?;
    let has_files = has_table(&mut tx, "story_files").await?;
    MIGRATIONS.run(&mut *tx).await?;
    // These tables are made of the stories, which SQL cannot read.
    if !(has_figures && has_values && has_files) {
        stories::fill_from_stories(&mut tx, has_figures).await?;
    }
    tx.commit().await?;
    Ok(())
}

async fn has_table(connection: &mut SqliteConnection, name: &str) -> anyhow::Result<bool> {
    let many = sqlx::query_scalar!(
        r#"SELECT COUNT(*) AS "many!: i64" FROM sqlite_schema WHERE type = 'table' AND name = $1"#,
        name
    )
    .fetch_one(connection)
    .await
    .context("reading which tables there are")?;
    Ok(many > 0)
}

/// The error for a file that a newer bpfnews made.
pub(super) fn too_new(version: i64, path: &Path) -> anyhow::Error {
    let copies = copies(path);
    let known = copies
        .iter()
        .rev()
        .find(|(version, _)| *version <= newest());
    let or = match known {
        Some((_, copy)) => format!(
            ", or go back to what was before the upgrade: bpfnews restore {}",
            copy.display()
        ),
        None => String::new(),
    };
    anyhow::anyhow!(
        "it has schema {version}, and this bpfnews knows no newer one than {}: start the newer bpfnews that made \
         it{or}",
        newest()
    )
}

fn copy_before(path: &Path, version: i64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".schema-{version}.backup"));
    name.into()
}

/// The copies beside a database, oldest version first.
fn copies(path: &Path) -> Vec<(i64, PathBuf)> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let stem = path.file_name().map(|name| name.to_string_lossy());
    let stem = format!("{}.schema-", stem.unwrap_or_default());
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut copies: Vec<(i64, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let version = name.strip_prefix(&stem)?.strip_suffix(".backup")?;
            Some((version.parse().ok()?, folder.join(name)))
        })
        .collect();
    copies.sort();
    copies
}

fn forget_old_copies(path: &Path) {
    let mut copies = copies(path);
    copies.truncate(copies.len().saturating_sub(COPIES_MAX));
    for (_, copy) in copies {
        if let Err(error) = fs::remove_file(&copy) {
            tracing::warn!("{} could not be removed: {error}", copy.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::store::Store;

    /// Tables, views and columns in the order of the migrations.
    #[tokio::test]
    async fn the_columns_stay() {
        let store = Store::open(Path::new(":memory:")).await;
        let store = store.expect("a new database");
        let mut tx = store.write().await.expect("nobody else writes");
        let columns: Vec<String> = sqlx::query_scalar(
            "SELECT t.name || ': ' || group_concat(c.name, ' ' ORDER BY c.cid)
             FROM sqlite_schema t JOIN pragma_table_info(t.name) c
             WHERE t.type IN ('table', 'view') AND t.name NOT LIKE 'sqlite_%' GROUP BY t.name ORDER BY t.name",
        )
        .fetch_all(&mut *tx)
        .await
        .expect("a good database");
        insta::assert_snapshot!(columns.join("\n"));
    }
}
