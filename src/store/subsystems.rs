//! The MAINTAINERS file that was read from the tree of a feed.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::{Readers, Tx, packed};

/// When the file of a feed was read and tried, in unix seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileTimes {
    /// `None`: never.
    pub read_at: Option<i64>,
    pub tried_at: Option<i64>,
}

/// When the file of a feed was read and tried.
pub async fn file_times(readers: &Readers, feed: &str) -> anyhow::Result<FileTimes> {
    let times = sqlx::query_as!(
        FileTimes,
        r#"SELECT read_at, tried_at AS "tried_at?" FROM subsystem_files WHERE feed = $1"#,
        feed
    )
    .fetch_optional(&mut *readers.acquire().await?)
    .await
    .context("reading when the subsystems were read")?;
    Ok(times.unwrap_or_default())
}

/// The stored file of a feed. It can be read again from its tree, so a damaged one is left out.
pub async fn stored_file(readers: &Readers, feed: &str) -> anyhow::Result<Option<String>> {
    let body = sqlx::query_scalar!("SELECT body FROM subsystem_files WHERE feed = $1", feed)
        .fetch_optional(&mut *readers.acquire().await?)
        .await
        .context("reading the subsystems")?;
    Ok(match body.flatten().map(|body| packed::unpack(&body)) {
        Some(Ok(plain)) => Some(String::from_utf8_lossy(&plain).into_owned()),
        Some(Err(error)) => {
            tracing::warn!("the stored subsystems of {feed} are damaged: {error:#}");
            None
        }
        None => None,
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
