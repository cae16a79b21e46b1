//! Copies of the database, made while it is in use. Each copy is whole, synced to disk, and verified.
//!
//! A copy carries a request for its restore, by `restore` or by hand: before anything is sent to a channel, the
//! channel's messages since the copy are searched (see `outbox::recall_all`).

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use chrono::{DateTime, Utc};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

pub use super::copy::beside;
use super::copy::{copy, sync_folder};
use super::outbox;
use super::schema::{self, Schema};
use super::{Store, lock};

/// A verified copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    pub bytes: u64,
    pub schema: Schema,
}

/// Copies the database to a new file.
///
/// # Errors
///
/// Returns an error if the file exists, if the copy cannot be written, or if it is damaged.
pub async fn backup(store: &Store, file: &Path, now: DateTime<Utc>) -> anyhow::Result<Checked> {
    let part = beside(file, ".part");
    let done = async {
        let mut connection = store.read().acquire().await?;
        copy(&mut connection, &part).await?;
        drop(connection);
        let mut copy = open(&part).await?;
        let mut tx = copy.begin().await?;
        outbox::recall_all(&mut tx, now.timestamp()).await?;
        tx.commit().await?;
        copy.close().await?;
        let checked = check(&part).await?;
        File::open(&part)?.sync_all()?;
        // Unlike a rename, a hard link never replaces another file.
        fs::hard_link(&part, file).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => anyhow::anyhow!("it is there already"),
            _ => error.into(),
        })?;
        sync_folder(file)?;
        Ok(checked)
    };
    ensure!(
        !file.exists(),
        "{} is there already and is not written over: name another file",
        file.display()
    );
    let done: anyhow::Result<Checked> = done.await;
    let _ = fs::remove_file(&part);
    done.with_context(|| format!("copying the database to {}", file.display()))
}

/// Verifies a copy and reads its schema version.
///
/// # Errors
///
/// Returns an error that says how the copy is damaged.
pub async fn check(file: &Path) -> anyhow::Result<Checked> {
    let what = || format!("reading {}", file.display());
    let bytes = fs::metadata(file).with_context(what)?.len();
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let mut database = options.connect().await.with_context(what)?;
    let wrong = sqlx::query_scalar!("PRAGMA integrity_check(3)")
        .fetch_all(&mut database)
        .await
        .with_context(what)?;
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    if wrong != ["ok"] {
        bail!(
            "{} is damaged and of no use: {}",
            file.display(),
            wrong.join("; ")
        );
    }
    let schema = Schema::of(&mut database).await.with_context(what)?;
    database.close().await?;
    Ok(Checked { bytes, schema })
}

/// A copy that is ready to replace a database.
#[derive(Debug)]
pub struct Restoring {
    database: PathBuf,
    ready: PathBuf,
    /// Channels are searched from this time on, unix seconds.
    pub recall_from: i64,
}

/// Prepares a backup to replace the database: verifies it, migrates it, and marks its channels to be searched.
///
/// # Errors
///
/// Returns an error if the file is not a backup of bpfnews, is damaged, was made by a newer bpfnews, or if the disk
/// is full.
pub async fn prepare(database: &Path, file: &Path) -> anyhow::Result<Restoring> {
    let checked = check(file).await?;
    match checked.schema {
        Schema::Empty => bail!("{} is empty: it holds nothing to restore", file.display()),
        Schema::Newer(version) => {
            return Err(schema::too_new(version, database))
                .with_context(|| format!("looking at {}", file.display()));
        }
        Schema::Older(_) | Schema::Current => {}
    }
    let ready = beside(database, ".restoring");
    let made = async {
        let mut from = SqliteConnectOptions::new()
            .filename(file)
            .read_only(true)
            .connect()
            .await?;
        copy(&mut from, &ready).await?;
        from.close().await?;
        let mut new = open(&ready).await?;
        schema::migrate(&mut new).await?;
        let mut tx = new.begin().await?;
        let recall_from = outbox::recall_restored(&mut tx).await?;
        tx.commit().await?;
        new.close().await?;
        let made = File::open(&ready)?;
        lock::give_to_owner_of(database, &made);
        made.sync_all()?;
        Ok(recall_from)
    };
    let made: anyhow::Result<i64> = made.await;
    if made.is_err() {
        let _ = fs::remove_file(&ready);
    }
    let recall_from =
        made.with_context(|| format!("making {} ready beside the database", file.display()))?;
    Ok(Restoring {
        database: database.to_owned(),
        ready,
        recall_from,
    })
}

impl Restoring {
    /// Replaces the database and keeps the old one as `aside` (`None`: there was none). At any moment a whole
    /// database has the name: the old one or the new one.
    ///
    /// # Errors
    ///
    /// Returns an error if the files cannot be renamed.
    pub async fn put_in_place(self, aside: &Path) -> anyhow::Result<bool> {
        let was_there = self.database.exists();
        if was_there {
            // If possible, move the write-ahead log into the file, so that the file is whole without it.
            let _ = checkpoint(&self.database).await;
            fs::hard_link(&self.database, aside)
                .with_context(|| format!("keeping the database as {}", aside.display()))?;
        }
        for ending in ["-wal", "-shm", "-journal"] {
            // These files belong to the old database and would corrupt the new one.
            let file = beside(&self.database, ending);
            match fs::rename(&file, beside(aside, ending)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("moving {}", file.display()));
                }
                _ => {}
            }
        }
        fs::rename(&self.ready, &self.database)
            .with_context(|| format!("writing {}", self.database.display()))?;
        sync_folder(&self.database)?;
        Ok(was_there)
    }
}

async fn checkpoint(database: &Path) -> anyhow::Result<()> {
    let options = SqliteConnectOptions::new().filename(database);
    let mut old = options
        .journal_mode(SqliteJournalMode::Wal)
        .connect()
        .await?;
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&mut old)
        .await?;
    old.close().await?;
    Ok(())
}

/// Opens a copy for changes: exclusively, and without files beside it.
async fn open(file: &Path) -> anyhow::Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Delete)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true);
    Ok(options.connect().await?)
}
