//! The SQLite file: opening it, and one file per family of tables. The only SQL of the program stands here.
//!
//! Functions take the transaction and `now`; what belongs together is written in one transaction by the caller.

pub mod additions;
pub mod ahead;
pub mod attempts;
pub mod audit;
pub mod backup;
pub mod edits;
pub mod feeds;
pub mod figures;
pub mod issues;
pub mod items;
pub mod lock;
pub mod mutes;
pub mod outbox;
mod owner;
mod packed;
mod readers;
pub mod registered;
pub mod schema;
pub mod stories;
pub mod suggestions;
mod trouble;
pub mod troubles;
pub mod turns;
mod tx;
pub mod withdrawn;

pub use self::readers::{Database, Reader, Readers};
pub use self::trouble::Trouble;
pub use self::tx::Tx;

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use self::tx::{Connection, Writer};

/// How long a writer waits for another process that writes to the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// Pages of a new database; `items/texts` fills them whole.
const PAGE_BYTES: u32 = 8_192;
/// Pages that each connection for reading keeps, in KiB: the system keeps all of them too.
const READER_CACHE: &str = "-1024";

/// The database.
#[derive(Debug, Clone)]
pub struct Store {
    writer: Writer,
    readers: Readers,
}

impl Store {
    /// Opens the file, creating and migrating it as needed; what was before a migration is kept beside it.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened or written, is no database, or was made by a newer bpfnews.
    pub async fn open(path: &Path) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .page_size(PAGE_BYTES)
            .journal_mode(SqliteJournalMode::Wal)
            // A settled post must survive a power cut, or it would be told twice.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let what = |error: sqlx::Error| {
            let advice = trouble::advice(&error);
            anyhow::Error::new(error).context(format!(
                "opening the database {} ({advice})",
                path.display()
            ))
        };
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

    /// Begins a write transaction. It takes the write lock at once: a deferred one that reads first fails as soon as
    /// another process has written in between, whatever the time-out.
    ///
    /// # Errors
    ///
    /// When the lock cannot be had, or the file cannot be written.
    pub async fn write(&self) -> anyhow::Result<Tx> {
        let begin = async || Tx::begin(self.writer.turn().await?, "BEGIN IMMEDIATE").await;
        begin().await.context("taking the database's write lock")
    }

    /// Begins a transaction that reads: all of it sees one moment.
    ///
    /// # Errors
    ///
    /// When no connection can be had.
    pub async fn snapshot(&self) -> anyhow::Result<Tx> {
        let reader = Connection::Reader(self.readers.turn().await?);
        Tx::begin(reader, "BEGIN")
            .await
            .context("reading the database")
    }

    /// Where reading questions are asked.
    pub fn read(&self) -> &Readers {
        &self.readers
    }

    /// Closes the database; what was committed is on the disk already.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
