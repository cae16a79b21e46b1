//! One-time links to the editors' desk, and sessions. The database has only hashes of their secrets.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::{Database, Tx};

/// The purpose of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeskKeyKind {
    /// A link, which becomes a session once.
    Link,
    Session,
}

impl DeskKeyKind {
    fn word(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Session => "session",
        }
    }
}

/// The editor whom a link or a session belongs to, with what gave the right to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeskKey {
    pub platform: String,
    pub person: String,
    pub room: String,
    pub community: Option<String>,
    pub roles: Vec<String>,
    /// Whether the editor manages the place.
    pub manages: bool,
    /// Unix seconds.
    pub ends_at: i64,
}

/// Stores a link or a session under the hash of its secret, and drops those that ended.
pub async fn put_key(
    tx: &mut Tx,
    hash: &str,
    kind: DeskKeyKind,
    key: &DeskKey,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let (now, kind) = (now.timestamp(), kind.word());
    sqlx::query!("DELETE FROM desk_keys WHERE ends_at <= $1", now)
        .execute(&mut **tx)
        .await
        .context("dropping old sessions")?;
    let roles = serde_json::to_string(&key.roles)?;
    sqlx::query!(
        "INSERT INTO desk_keys (hash, kind, platform, person, room, community, roles, manages, made_at, ends_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        hash,
        kind,
        key.platform,
        key.person,
        key.room,
        key.community,
        roles,
        key.manages,
        now,
        key.ends_at
    )
    .execute(&mut **tx)
    .await
    .context("keeping a session")?;
    Ok(())
}

/// The link or session with this hash, unless it ended.
pub async fn key(
    mut from: Database<'_>,
    hash: &str,
    kind: DeskKeyKind,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<DeskKey>> {
    let (now, kind) = (now.timestamp(), kind.word());
    let row = sqlx::query!(
        r#"SELECT platform, person, room, community, roles, manages AS "manages: bool", ends_at FROM desk_keys
           WHERE hash = $1 AND kind = $2 AND ends_at > $3"#,
        hash,
        kind,
        now
    )
    .fetch_optional(&mut *from.acquire().await?)
    .await
    .context("reading a session")?;
    let read = row.map(|row| {
        Ok(DeskKey {
            platform: row.platform,
            person: row.person,
            room: row.room,
            community: row.community,
            roles: serde_json::from_str(&row.roles).context("reading the roles of a session")?,
            manages: row.manages,
            ends_at: row.ends_at,
        })
    });
    read.transpose()
}

/// Removes a link or a session. Returns whether it was there.
pub async fn drop_key(tx: &mut Tx, hash: &str) -> anyhow::Result<bool> {
    let dropped = sqlx::query!("DELETE FROM desk_keys WHERE hash = $1", hash)
        .execute(&mut **tx)
        .await
        .context("ending a session")?;
    Ok(dropped.rows_affected() == 1)
}

/// Removes all links and sessions, or those of one person. Returns how many there were.
pub async fn drop_keys(tx: &mut Tx, person: Option<&str>) -> anyhow::Result<u64> {
    let dropped = sqlx::query!(
        "DELETE FROM desk_keys WHERE $1 IS NULL OR person = $1",
        person
    )
    .execute(&mut **tx)
    .await
    .context("ending sessions")?;
    Ok(dropped.rows_affected())
}
