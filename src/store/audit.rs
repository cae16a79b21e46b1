//! Who changed what in chat. Rows are only ever added, in the transaction of the change that they tell of.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::{Readers, Tx};

/// Who changes something, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hand {
    /// The platform.
    pub platform: String,
    /// The person's id.
    pub person: String,
    /// The room.
    pub room: String,
    /// The server that it belongs to.
    pub community: Option<String>,
}

/// A change that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// When, unix seconds.
    pub at: i64,
    /// The platform.
    pub platform: String,
    /// The person's id.
    pub person: String,
    /// The room.
    pub room: String,
    /// What was changed.
    pub what: String,
}

/// Records a change.
///
/// # Errors
///
/// When the database fails.
pub async fn record(
    tx: &mut Tx,
    hand: &Hand,
    what: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let now = now.timestamp();
    sqlx::query!(
        "INSERT INTO audit (id, at, platform, person, room, community, what)
         VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM audit), $1, $2, $3, $4, $5, $6)",
        now,
        hand.platform,
        hand.person,
        hand.room,
        hand.community,
        what
    )
    .execute(&mut **tx)
    .await
    .context("recording who changed what")?;
    Ok(())
}

/// The last changes, the newest first.
///
/// # Errors
///
/// When the database fails.
pub async fn list_changes(readers: &Readers, most: i64) -> anyhow::Result<Vec<AuditRow>> {
    sqlx::query_as!(
        AuditRow,
        "SELECT at, platform, person, room, what FROM audit ORDER BY id DESC LIMIT $1",
        most
    )
    .fetch_all(&mut *readers.turn().await?)
    .await
    .context("reading who changed what")
}
