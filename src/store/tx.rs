//! Transactions: one writer at a time on its own connection, and any number of readers.
//!
//! A mutex holds the write connection. sqlx's pool would ping it before and after each use, and each ping wakes
//! SQLite's thread.

use std::any::Any;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::readers::ReadConnection;

/// How long a writer waits for other writers of this process.
const TURN_TIMEOUT: Duration = Duration::from_secs(600);
/// Keeps rollback data beyond 64 KiB in memory instead of a temporary file. Not during migrations, which sort large
/// indexes there. Overwrites what is deleted, as far as that costs no write, so that erased people leave no trace.
const PRAGMAS: &str = "PRAGMA temp_store = MEMORY; PRAGMA secure_delete = FAST";

/// The write connection. It is opened again after it was lost.
#[derive(Clone)]
pub(super) struct Writer {
    options: SqliteConnectOptions,
    writing: Arc<Mutex<Writing>>,
}

/// The state that one writer hands to the next.
#[derive(Default)]
pub(super) struct Writing {
    connection: Option<SqliteConnection>,
    cache: Cached,
}

/// A cached value beside the database. See [`Tx::take_cache`].
type Cached = Option<Box<dyn Any + Send>>;

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Writer {
    /// Uses an open connection; `options` open the next one.
    pub(super) async fn on(
        mut connection: SqliteConnection,
        options: SqliteConnectOptions,
    ) -> sqlx::Result<Self> {
        sqlx::query(PRAGMAS).execute(&mut connection).await?;
        Ok(Self {
            options,
            writing: Arc::new(Mutex::new(Writing {
                connection: Some(connection),
                cache: None,
            })),
        })
    }

    /// Waits until no other task of this process writes.
    pub(super) async fn acquire(&self) -> sqlx::Result<Connection> {
        let turn = Arc::clone(&self.writing).lock_owned();
        let mut turn = tokio::time::timeout(TURN_TIMEOUT, turn)
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)?;
        if turn.connection.is_none() {
            let mut connection = self.options.connect().await?;
            sqlx::query(PRAGMAS).execute(&mut connection).await?;
            *turn = Writing {
                connection: Some(connection),
                cache: None,
            };
        }
        Ok(Connection::Writer(turn))
    }

    pub(super) async fn close(&self) {
        let writing = std::mem::take(&mut *self.writing.lock().await);
        if let Some(connection) = writing.connection
            && let Err(error) = connection.close().await
        {
            tracing::debug!("closing the database: {error}");
        }
    }
}

pub(super) enum Connection {
    Writer(OwnedMutexGuard<Writing>),
    Reader(ReadConnection),
}

impl Deref for Connection {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        match self {
            Self::Writer(turn) => turn.connection.as_ref().expect("a turn begins with one"),
            Self::Reader(connection) => connection,
        }
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        match self {
            Self::Writer(turn) => turn.connection.as_mut().expect("a turn begins with one"),
            Self::Reader(connection) => connection,
        }
    }
}

impl Connection {
    /// Rolls back. If that fails, the connection is closed.
    async fn roll_back(mut self) {
        if let Err(error) = sqlx::query("ROLLBACK").execute(&mut *self).await {
            // SQLite ends a transaction by itself if the disk is full.
            tracing::debug!("rolling back: {error}");
            match self {
                Self::Writer(mut turn) => *turn = Writing::default(),
                Self::Reader(reader) => reader.give_up(),
            }
        }
    }

    /// The cached value, if this is the write connection.
    fn cache(&mut self) -> Option<&mut Cached> {
        match self {
            Self::Writer(turn) => Some(&mut turn.cache),
            Self::Reader(_) => None,
        }
    }
}

/// A transaction. Dropping it rolls back.
pub struct Tx {
    /// `None` after the end.
    connection: Option<Connection>,
    cache: Cached,
    version: Option<i64>,
}

impl Tx {
    pub(super) async fn begin(connection: Connection, begin: &'static str) -> sqlx::Result<Self> {
        // If the caller stops waiting, BEGIN may still run: dropping `tx` rolls it back.
        let mut tx = Self {
            connection: Some(connection),
            cache: None,
            version: None,
        };
        sqlx::query(begin).execute(&mut *tx).await?;
        // Only a commit returns the cached value.
        tx.cache = tx
            .connection
            .as_mut()
            .and_then(Connection::cache)
            .and_then(Option::take);
        Ok(tx)
    }

    /// Takes the value that an earlier transaction cached. It is gone if this transaction is not committed, or if
    /// another process has written since.
    ///
    /// # Errors
    ///
    /// Returns an error if the database cannot be asked for other writers.
    pub async fn take_cache<T: Send + 'static>(&mut self) -> sqlx::Result<Option<T>> {
        let Some(cache) = self.cache.take() else {
            return Ok(None);
        };
        let version = self.version().await?;
        let cache = cache.downcast::<(i64, T)>().ok();
        Ok(cache
            .filter(|cache| cache.0 == version)
            .map(|cache| cache.1))
    }

    /// Caches a value for the next transaction.
    ///
    /// # Errors
    ///
    /// Returns an error if the database cannot be asked for other writers.
    pub async fn put_cache<T: Send + 'static>(&mut self, value: T) -> sqlx::Result<()> {
        let version = self.version().await?;
        self.cache = Some(Box::new((version, value)));
        Ok(())
    }

    pub fn cache<T: Send + 'static>(&self) -> Option<&T> {
        let cache = self.cache.as_ref()?.downcast_ref::<(i64, T)>()?;
        Some(&cache.1)
    }

    /// Drops the cached value, because its source has changed.
    pub fn drop_cache(&mut self) {
        self.cache = None;
    }

    /// A number that changes if another connection writes. None can before this transaction ends.
    async fn version(&mut self) -> sqlx::Result<i64> {
        if let Some(version) = self.version {
            return Ok(version);
        }
        let version = sqlx::query_scalar("PRAGMA data_version")
            .fetch_one(&mut **self)
            .await?;
        self.version = Some(version);
        Ok(version)
    }

    /// Commits.
    ///
    /// # Errors
    ///
    /// Returns an error if the data cannot be written; nothing is kept then.
    pub async fn commit(mut self) -> sqlx::Result<()> {
        sqlx::query("COMMIT").execute(&mut *self).await?;
        let cache = self.cache.take();
        if let Some(place) = self.connection.as_mut().and_then(Connection::cache) {
            *place = cache;
        }
        self.connection = None;
        Ok(())
    }

    /// Rolls back, and waits until that is done.
    pub async fn rollback(mut self) {
        if let Some(connection) = self.connection.take() {
            connection.roll_back().await;
        }
    }
}

impl Deref for Tx {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        self.connection.as_ref().expect("it has not ended")
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.connection.as_mut().expect("it has not ended")
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").finish_non_exhaustive()
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        match (tokio::runtime::Handle::try_current(), connection) {
            (Ok(runtime), connection) => {
                runtime.spawn(connection.roll_back());
            }
            // Closing the connection ends the transaction too.
            (Err(_), Connection::Writer(mut turn)) => *turn = Writing::default(),
            (Err(_), Connection::Reader(reader)) => reader.give_up(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    use crate::store::Store;

    async fn open(folder: &tempfile::TempDir) -> Store {
        let file = folder.path().join("a.sqlite");
        Store::open(&file)
            .await
            .expect("a new file, or one that is closed")
    }

    async fn count(store: &Store) -> i64 {
        let mut reader = store.read().acquire().await.expect("a good database");
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM feeds").fetch_one(&mut *reader);
        count.await.expect("a good database")
    }

    async fn put(tx: &mut super::Tx, name: &str) {
        sqlx::query("INSERT INTO feeds (name, kind, added_at) VALUES ($1, 'feed', 0)")
            .bind(name)
            .execute(&mut **tx)
            .await
            .expect("a new name");
    }

    #[tokio::test]
    async fn a_dropped_transaction_is_rolled_back_before_the_next_one_writes() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(&folder).await;
        for _ in 0..20 {
            let mut tx = store.write().await.expect("nobody else writes");
            put(&mut tx, "lost").await;
            drop(tx);
        }
        let mut tx = store.write().await.expect("nobody else writes");
        put(&mut tx, "kept").await;
        tx.commit().await.expect("room on the disk");
        assert_eq!(count(&store).await, 1);
        let mut snapshot = store.snapshot().await.expect("a good database");
        for name in ["later", "later still"] {
            let seen: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM feeds")
                .fetch_one(&mut *snapshot)
                .await
                .expect("a good database");
            assert_eq!(seen, 1, "it sees the moment of its first question");
            let mut tx = store.write().await.expect("readers do not block");
            put(&mut tx, name).await;
            tx.commit().await.expect("room on the disk");
        }
        snapshot.rollback().await;
        assert_eq!(count(&store).await, 3);
    }

    #[tokio::test]
    async fn a_dropped_wait_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(&folder).await;
        for polls in 0..40 {
            let mut begun = pin!(store.write());
            for _ in 0..polls {
                let over =
                    poll_fn(|context| Poll::Ready(begun.as_mut().poll(context).is_ready())).await;
                if over {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        let mut tx = store.write().await.expect("nobody else writes");
        put(&mut tx, "kept").await;
        tx.commit().await.expect("room on the disk");
        assert_eq!(count(&store).await, 1);
        store.close().await;
        let again = open(&folder).await;
        assert_eq!(count(&again).await, 1);
    }
}
