//! The MAINTAINERS file that was read from the tree of a feed.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::{Readers, Tx, packed};

/// The stored file of a feed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredFile {
    /// When it was read; `None`: never.
    pub read_at: Option<i64>,
    /// When it was tried last, unix seconds.
    pub tried_at: Option<i64>,
    pub text: Option<String>,
}

/// The stored file of a feed.
pub async fn stored_file(readers: &Readers, feed: &str) -> anyhow::Result<StoredFile> {
    let row = sqlx::query!(
        "SELECT read_at, tried_at, body FROM subsystem_files WHERE feed = $1",
        feed
    )
    .fetch_optional(&mut *readers.acquire().await?)
    .await
    .context("reading the subsystems")?;
    let Some(row) = row else {
        return Ok(StoredFile::default());
    };
    let text = row.body.map(|body| packed::unpack(&body)).transpose();
    // It can be read again from its tree, so a damaged copy is no reason to stop.
    let text = text.unwrap_or_else(|error| {
        tracing::warn!("the stored subsystems of {feed} are damaged: {error:#}");
        None
    });
    Ok(StoredFile {
        read_at: row.read_at.filter(|_| text.is_some()),
        tried_at: Some(row.tried_at),
        text: text.map(|plain| String::from_utf8_lossy(&plain).into_owned()),
    })
}

/// Stores the file of a feed.
pub async fn put_file(
    tx: &mut Tx,
    feed: &str,
    text: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let body = packed::pack(text.as_bytes()).context("the subsystems")?;
    let now = now.timestamp();
    sqlx::query!(
        "INSERT INTO subsystem_files (feed, tried_at, read_at, body) VALUES ($1, $2, $2, $3)
         ON CONFLICT (feed) DO UPDATE SET tried_at = $2, read_at = $2, body = $3",
        feed,
        now,
        body
    )
    .execute(&mut **tx)
    .await
    .context("storing the subsystems")?;
    Ok(())
}

/// Notes that the file of a feed could not be read.
pub async fn note_try(tx: &mut Tx, feed: &str, now: DateTime<Utc>) -> anyhow::Result<()> {
    let now = now.timestamp();
    sqlx::query!(
        "INSERT INTO subsystem_files (feed, tried_at) VALUES ($1, $2)
         ON CONFLICT (feed) DO UPDATE SET tried_at = $2",
        feed,
        now
    )
    .execute(&mut **tx)
    .await
    .context("noting that subsystems were not read")?;
    Ok(())
}
