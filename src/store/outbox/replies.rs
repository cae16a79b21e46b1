//! Replies below a post that no attempt was made to send yet, so that they may still change.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use crate::post::story::Content;
use crate::store::Tx;

/// The replies below a post that were not tried yet, with their deliveries' numbers, oldest first.
pub async fn untried_replies(tx: &mut Tx, post: i64) -> anyhow::Result<Vec<(i64, Content)>> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", content AS "content!" FROM deliveries
           WHERE post_id = $1 AND verb = 'reply' AND state = 'owed' AND attempts = 0 AND content IS NOT NULL ORDER BY id"#,
        post
    )
    .fetch_all(&mut **tx)
    .await
    .context("looking for replies that wait")?;
    let rows = rows.into_iter();
    rows.map(|row| Ok((row.id, serde_json::from_str(&row.content)?)))
        .collect()
}

/// Changes the content of a reply that was not tried yet, and makes it due at `due_at` at the latest.
pub async fn update_reply(
    tx: &mut Tx,
    id: i64,
    content: &Content,
    due_at: Option<DateTime<Utc>>,
) -> anyhow::Result<()> {
    let content = serde_json::to_string(content)?;
    let due_at = due_at.map_or(i64::MAX, |at| at.timestamp());
    sqlx::query!(
        "UPDATE deliveries SET content = $2, version = version + 1, due_at = MIN(due_at, $3)
         WHERE id = $1 AND state = 'owed' AND attempts = 0",
        id,
        content,
        due_at
    )
    .execute(&mut **tx)
    .await
    .context("changing a reply that waits")?;
    Ok(())
}
