//! A query's connection: from the pool, or that of a transaction.

use std::ops::{Deref, DerefMut};

use sqlx::SqliteConnection;

use super::readers::{ReadConnection, Readers};
use super::tx::Tx;

/// The connection for a query.
#[derive(Debug)]
pub enum Database<'a> {
    /// One from the pool.
    Readers(&'a Readers),
    Tx(&'a mut Tx),
}

/// A connection for one query.
pub(super) enum QueryConnection<'a> {
    Taken(ReadConnection),
    Lent(&'a mut SqliteConnection),
}

impl<'a> From<&'a Readers> for Database<'a> {
    fn from(readers: &'a Readers) -> Self {
        Self::Readers(readers)
    }
}

impl<'a> From<&'a mut Tx> for Database<'a> {
    fn from(tx: &'a mut Tx) -> Self {
        Self::Tx(tx)
    }
}

impl Database<'_> {
    pub(super) async fn acquire(&mut self) -> anyhow::Result<QueryConnection<'_>> {
        Ok(match self {
            Self::Readers(readers) => QueryConnection::Taken(readers.acquire().await?),
            Self::Tx(tx) => QueryConnection::Lent(tx),
        })
    }
}

impl Deref for QueryConnection<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        match self {
            Self::Taken(reader) => reader,
            Self::Lent(connection) => connection,
        }
    }
}

impl DerefMut for QueryConnection<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        match self {
            Self::Taken(reader) => reader,
            Self::Lent(connection) => connection,
        }
    }
}
