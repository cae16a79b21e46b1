//! The SQLite database, with one file per group of tables. All SQL of the program is here.
//!
//! Functions take the transaction and `now`. The caller decides which writes share a transaction.

pub mod additions;
pub mod ahead;
pub mod attempts;
pub mod audit;
pub mod backup;
mod copy;
mod database;
pub mod desk_keys;
pub mod edits;
pub mod feeds;
pub mod figures;
pub mod follow_standing;
pub mod follows;
pub mod installation;
pub mod issues;
pub mod items;
pub mod lock;
pub mod mailings;
pub mod mutes;
pub mod numbers;
pub mod outbox;
mod owner;
mod packed;
pub mod personal;
pub mod pictures;
mod readers;
pub mod recipients;
pub mod registered;
pub mod schema;
mod storage_problem;
pub mod stories;
pub mod subscribers;
pub mod subsystems;
pub mod suggestions;
pub mod troubles;
pub mod turns;
mod tx;
pub mod wanted;
pub mod withdrawn;

pub use self::database::Database;
pub use self::readers::{ReadConnection, Readers};
pub use self::storage_problem::StorageProblem;
pub use self::tx::Tx;

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use self::tx::{Connection, Writer};

/// How long a writer waits for another process that is writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// The page size of a new database; `items/texts` fills whole pages.
const PAGE_BYTES: u32 = 8_192;
/// The page cache of each read connection, in KiB. It is small because the system caches all pages too.
const READER_CACHE: &str = "-1024";

#[derive(Debug, Clone)]
pub struct Store {
    writer: Writer,
    readers: Readers,
}

impl Store {
    /// Opens the file. Creates and migrates it if needed, and keeps a copy from before a migration.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be opened or written, is not a database, or was made by a newer bpfnews.
    pub async fn open(path: &Path) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .page_size(PAGE_BYTES)
            .journal_mode(SqliteJournalMode::Wal)
            // A settled delivery must survive a power cut, or it would be posted twice.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let what = |error: sqlx::Error| {
            let advice = storage_problem::advice(&error);
            anyhow::Error::new(error).context(format!(
                "opening the database {} ({advice})",
                path.display()
            ))
        };
        check_place(path)?;
        owner::keep_to_owner(path);
        let mut connection = options.connect().await.map_err(what)?;
        schema::bring_up_to_date(&mut connection, path)
            .await
            .with_context(|| format!("opening the database {}", path.display()))?;
        let writer = Writer::on(connection, options.clone())
            .await
            .map_err(what)?;
        let options = options
            .create_if_missing(false)
            .pragma("cache_size", READER_CACHE);
        let readers = Readers::open(options).await.map_err(what)?;
        Ok(Self { writer, readers })
    }

    /// Begins a write transaction. It takes the write lock at once: a deferred transaction that reads first fails,
    /// regardless of the timeout, if another process writes in between.
    ///
    /// # Errors
    ///
    /// Returns an error if the lock cannot be taken or the file cannot be written.
    pub async fn write(&self) -> anyhow::Result<Tx> {
        let begin = async || Tx::begin(self.writer.acquire().await?, "BEGIN IMMEDIATE").await;
        begin().await.context("taking the database's write lock")
    }

    /// Begins a read transaction, which sees one snapshot.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no connection.
    pub async fn snapshot(&self) -> anyhow::Result<Tx> {
        let reader = Connection::Reader(self.readers.acquire().await?);
        Tx::begin(reader, "BEGIN")
            .await
            .context("reading the database")
    }

    /// Moves the write-ahead log into the database, and empties it, so that no erased data stays there. Returns `false` if
    /// a reader needs it.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be written.
    pub async fn checkpoint(&self) -> anyhow::Result<bool> {
        let mut writer = self.writer.acquire().await.context("emptying the log")?;
        let busy: i64 = sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_one(&mut *writer)
            .await
            .context("emptying the write-ahead log")?;
        Ok(busy == 0)
    }

    /// The connections for queries.
    pub fn read(&self) -> &Readers {
        &self.readers
    }

    /// Closes the database. Committed data is on disk already.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Checks that there is a folder for the database, without opening the file.
///
/// # Errors
///
/// Returns an error that names the folder, or the path if it is a folder itself.
pub fn check_place(path: &Path) -> anyhow::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        anyhow::bail!(
            "opening the database {}: there is no folder {}; create it, and let bpfnews' user write it",
            path.display(),
            folder.display()
        );
    }
    anyhow::ensure!(
        !path.is_dir(),
        "opening the database {}: that is a folder; name a file",
        path.display()
    );
    Ok(())
}
