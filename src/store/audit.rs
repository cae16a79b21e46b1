//! The audit log of changes made in chat. Rows are only added, in the transaction of the change.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::{Readers, Tx};

/// A person who changes something, and the room in which they do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub platform: String,
    pub person: String,
    pub room: String,
    /// The server or space of the room.
    pub community: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Unix seconds.
    pub at: i64,
    pub platform: String,
    pub person: String,
    pub room: String,
    pub what: String,
}

pub async fn record(
    tx: &mut Tx,
    actor: &Actor,
    what: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let now = now.timestamp();
    sqlx::query!(
        "INSERT INTO audit (id, at, platform, person, room, community, what)
         VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM audit), $1, $2, $3, $4, $5, $6)",
        now,
        actor.platform,
        actor.person,
        actor.room,
        actor.community,
        what
    )
    .execute(&mut **tx)
    .await
    .context("recording who changed what")?;
    Ok(())
}

/// The last changes, the newest first.
pub async fn list_changes(readers: &Readers, most: i64) -> anyhow::Result<Vec<AuditRow>> {
    sqlx::query_as!(
        AuditRow,
        "SELECT at, platform, person, room, what FROM audit ORDER BY id DESC LIMIT $1",
        most
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("reading who changed what")
}
