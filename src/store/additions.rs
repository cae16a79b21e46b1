//! Feeds and channels that were added in chat.

use anyhow::Context as _;

use super::{Readers, Tx};
use crate::config::{Addition, TableKind};

/// All additions, the oldest first.
pub async fn list_additions(readers: &Readers) -> anyhow::Result<Vec<Addition>> {
    let rows = sqlx::query!(
        "SELECT kind, name, toml, added_at, added_by FROM additions ORDER BY added_at, kind, name"
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("reading what was added in chat")?;
    Ok(rows
        .into_iter()
        .map(|row| Addition {
            kind: match row.kind.as_str() {
                "channel" => TableKind::Channel,
                _ => TableKind::Feed,
            },
            name: row.name,
            toml: row.toml,
            at: row.added_at,
            by: row.added_by,
        })
        .collect())
}

/// Stores an addition. Returns `false` if one of that name exists.
pub async fn keep_addition(tx: &mut Tx, addition: &Addition) -> anyhow::Result<bool> {
    let kind = addition.kind.word();
    let kept = sqlx::query!(
        "INSERT INTO additions (kind, name, toml, added_at, added_by) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        kind,
        addition.name,
        addition.toml,
        addition.at,
        addition.by
    )
    .execute(&mut **tx)
    .await
    .context("keeping what was added in chat")?;
    Ok(kept.rows_affected() == 1)
}

/// Deletes an addition. Returns `false` if there is none.
pub async fn drop_addition(tx: &mut Tx, kind: TableKind, name: &str) -> anyhow::Result<bool> {
    let kind = kind.word();
    let dropped = sqlx::query!(
        "DELETE FROM additions WHERE kind = $1 AND name = $2",
        kind,
        name
    )
    .execute(&mut **tx)
    .await
    .context("dropping what was added in chat")?;
    Ok(dropped.rows_affected() == 1)
}
