//! A small pool of read connections; the most recently used one is taken first.
//!
//! sqlx's own pool is not used, for the same reason as in `tx`: it pings a connection after each use, which doubles
//! the cost of a small query.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const READERS_MAX: u32 = 4;
/// How long to wait for a free connection.
const TURN_TIMEOUT: Duration = Duration::from_secs(30);

/// The pool of read connections.
#[derive(Debug, Clone)]
pub struct Readers(Arc<Shared>);

struct Shared {
    options: SqliteConnectOptions,
    idle: Mutex<Vec<SqliteConnection>>,
    turns: Arc<Semaphore>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<SqliteConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Readers {
    pub(super) async fn open(options: SqliteConnectOptions) -> sqlx::Result<Self> {
        let readers = Self(Arc::new(Shared {
            options,
            idle: Mutex::default(),
            turns: Arc::new(Semaphore::new(READERS_MAX as usize)),
        }));
        drop(readers.take().await?);
        Ok(readers)
    }

    /// Waits for a free connection. Do not ask for a second one while holding the first: if all callers did, all
    /// would wait.
    ///
    /// # Errors
    ///
    /// Returns an error if no connection can be opened, or if none becomes free in time.
    pub async fn acquire(&self) -> anyhow::Result<ReadConnection> {
        self.take().await.context("reading the database")
    }

    async fn take(&self) -> sqlx::Result<ReadConnection> {
        let turn = Arc::clone(&self.0.turns).acquire_owned();
        let turn = tokio::time::timeout(TURN_TIMEOUT, turn)
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)?
            .map_err(|_| sqlx::Error::PoolClosed)?;
        let idle = self.0.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.0.options.connect().await?,
        };
        Ok(ReadConnection {
            connection: Some(connection),
            home: Arc::clone(&self.0),
            _turn: turn,
        })
    }

    /// Closes the pool, once every connection is returned.
    pub(super) async fn close(&self) {
        let all = self.0.turns.acquire_many(READERS_MAX).await;
        self.0.turns.close();
        drop(all);
        let idle = std::mem::take(&mut *self.0.idle());
        for connection in idle {
            if let Err(error) = connection.close().await {
                tracing::debug!("closing the database: {error}");
            }
        }
    }
}

/// A read connection. Dropping it returns it to the pool.
#[derive(Debug)]
pub struct ReadConnection {
    /// `None` after `give_up`.
    connection: Option<SqliteConnection>,
    home: Arc<Shared>,
    _turn: OwnedSemaphorePermit,
}

impl ReadConnection {
    /// Closes the connection instead of returning it.
    pub(super) fn give_up(mut self) {
        self.connection = None;
    }
}

impl Deref for ReadConnection {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        self.connection.as_ref().expect("it is not given up")
    }
}

impl DerefMut for ReadConnection {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.connection.as_mut().expect("it is not given up")
    }
}

impl Drop for ReadConnection {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.home.idle().push(connection);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::READERS_MAX;
    use crate::store::{Readers, Store};

    const SOON: Duration = Duration::from_millis(100);

    async fn answer(readers: &Readers) -> i64 {
        let mut reader = readers.acquire().await.expect("a connection");
        sqlx::query_scalar("SELECT COUNT(*) FROM feeds")
            .fetch_one(&mut *reader)
            .await
            .expect("an answer")
    }

    #[tokio::test]
    async fn a_query_waits_for_a_free_reader_and_a_lost_reader_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("a.sqlite")).await;
        let store = store.expect("a new file");
        let readers = store.read();
        let mut held = Vec::new();
        for _ in 0..READERS_MAX {
            held.push(readers.acquire().await.expect("a connection"));
        }
        assert!(
            timeout(SOON, readers.acquire()).await.is_err(),
            "one too many"
        );
        held.pop().expect("one").give_up();
        assert_eq!(timeout(SOON, answer(readers)).await.expect("free"), 0);
        drop(held);

        // A cancelled query leaves its connection usable.
        for _ in 0..20 {
            let mut reader = readers.acquire().await.expect("a connection");
            let long = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) SELECT i FROM n";
            let asked = sqlx::query(long).fetch_all(&mut *reader);
            assert!(timeout(Duration::from_micros(50), asked).await.is_err());
        }
        assert_eq!(answer(readers).await, 0);

        let last = readers.acquire().await.expect("a connection");
        assert!(
            timeout(SOON, store.close()).await.is_err(),
            "it waits for the last one"
        );
        drop(last);
        store.close().await;
        assert!(readers.acquire().await.is_err());
    }
}
