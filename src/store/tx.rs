//! Transactions: one that writes at a time, on a connection kept for it, and reading ones beside it.
//!
//! The connection for writing stands under a lock of its own rather than in a pool: a pool asks a connection whether it
//! lives before and after each use, and each such question wakes SQLite's thread once more.

use std::any::Any;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::readers::Reader;

/// How long a writer waits for the others of its own process.
const TURN_TIMEOUT: Duration = Duration::from_secs(600);
/// What a statement may have to take back is, beyond 64 KiB, else a file that is made and deleted each time. Not yet while
/// the database is migrated, for an index that is made of a large table is sorted there too.
const TEMPORARY: &str = "PRAGMA temp_store = MEMORY";

/// The connection for writing; it is made anew where it was lost.
#[derive(Clone)]
pub(super) struct Writer {
    options: SqliteConnectOptions,
    writing: Arc<Mutex<Writing>>,
}

/// What one writer hands to the next.
#[derive(Default)]
pub(super) struct Writing {
    connection: Option<SqliteConnection>,
    aside: Aside,
}

/// What lies in memory beside the database. See [`Tx::take_aside`].
type Aside = Option<Box<dyn Any + Send>>;

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Writer {
    /// On a connection that is open, and that `options` make anew.
    pub(super) async fn on(
        mut connection: SqliteConnection,
        options: SqliteConnectOptions,
    ) -> sqlx::Result<Self> {
        sqlx::query(TEMPORARY).execute(&mut connection).await?;
        Ok(Self {
            options,
            writing: Arc::new(Mutex::new(Writing {
                connection: Some(connection),
                aside: None,
            })),
        })
    }

    /// The connection, once nobody else of this process writes.
    pub(super) async fn turn(&self) -> sqlx::Result<Connection> {
        let turn = Arc::clone(&self.writing).lock_owned();
        let mut turn = tokio::time::timeout(TURN_TIMEOUT, turn)
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)?;
        if turn.connection.is_none() {
            let mut connection = self.options.connect().await?;
            sqlx::query(TEMPORARY).execute(&mut connection).await?;
            *turn = Writing {
                connection: Some(connection),
                aside: None,
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

/// A connection that somebody has to himself.
pub(super) enum Connection {
    Writer(OwnedMutexGuard<Writing>),
    Reader(Reader),
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
    /// Ends what was begun. A connection that cannot do that is given up.
    async fn roll_back(mut self) {
        if let Err(error) = sqlx::query("ROLLBACK").execute(&mut *self).await {
            // SQLite itself ends a transaction when the disk is full.
            tracing::debug!("rolling back: {error}");
            match self {
                Self::Writer(mut turn) => *turn = Writing::default(),
                Self::Reader(reader) => reader.give_up(),
            }
        }
    }

    /// What lies in memory beside the database, if this is the connection for writing.
    fn aside(&mut self) -> Option<&mut Aside> {
        match self {
            Self::Writer(turn) => Some(&mut turn.aside),
            Self::Reader(_) => None,
        }
    }
}

/// A transaction; rolled back when dropped.
pub struct Tx {
    /// `None` once it has ended.
    connection: Option<Connection>,
    aside: Aside,
    version: Option<i64>,
}

impl Tx {
    pub(super) async fn begin(connection: Connection, begin: &'static str) -> sqlx::Result<Self> {
        // Whoever gives up waiting may have begun it: it is rolled back then.
        let mut tx = Self {
            connection: Some(connection),
            aside: None,
            version: None,
        };
        sqlx::query(begin).execute(&mut *tx).await?;
        // Out of the others' reach: it is put back by a commit alone.
        tx.aside = tx
            .connection
            .as_mut()
            .and_then(Connection::aside)
            .and_then(Option::take);
        Ok(tx)
    }

    /// Takes what earlier transactions put aside, which lies in memory and says what the database says. Where this one is not
    /// committed, or another process has written since, nothing of it is left for the next.
    ///
    /// # Errors
    ///
    /// When the database cannot be asked whether somebody else wrote.
    pub async fn take_aside<T: Send + 'static>(&mut self) -> sqlx::Result<Option<T>> {
        let Some(aside) = self.aside.take() else {
            return Ok(None);
        };
        let version = self.version().await?;
        let aside = aside.downcast::<(i64, T)>().ok();
        Ok(aside
            .filter(|aside| aside.0 == version)
            .map(|aside| aside.1))
    }

    /// Puts aside what the next transaction may take.
    ///
    /// # Errors
    ///
    /// When the database cannot be asked.
    pub async fn put_aside<T: Send + 'static>(&mut self, value: T) -> sqlx::Result<()> {
        let version = self.version().await?;
        self.aside = Some(Box::new((version, value)));
        Ok(())
    }

    /// Looks at what was put aside.
    pub fn aside<T: Send + 'static>(&self) -> Option<&T> {
        let aside = self.aside.as_ref()?.downcast_ref::<(i64, T)>()?;
        Some(&aside.1)
    }

    /// Forgets what was put aside: what it was made from has changed.
    pub fn forget_aside(&mut self) {
        self.aside = None;
    }

    /// A number that changes when another connection writes, which none can before this transaction ends.
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

    /// Keeps what was written.
    ///
    /// # Errors
    ///
    /// When it cannot be written; nothing of it is kept then.
    pub async fn commit(mut self) -> sqlx::Result<()> {
        sqlx::query("COMMIT").execute(&mut *self).await?;
        let aside = self.aside.take();
        if let Some(place) = self.connection.as_mut().and_then(Connection::aside) {
            *place = aside;
        }
        self.connection = None;
        Ok(())
    }

    /// Forgets what was written, and waits until that is done.
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
            // Closing it ends the transaction too.
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
        let mut reader = store.read().turn().await.expect("a good database");
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
    async fn what_is_dropped_is_rolled_back_before_the_next_one_writes() {
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
    async fn who_gives_up_waiting_leaves_nothing_behind() {
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
