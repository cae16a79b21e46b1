//! Posts: what is to be told, and what was.

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use sqlx::SqlitePool;

use super::Tx;
use super::items::ItemRow;

/// Puts an item under the post that stands for `root`, opening it if need be. Gives the post's number.
pub async fn put_in_post(
    tx: &mut Tx,
    root: &[u8],
    item: i64,
    is_sample: bool,
    now: DateTime<Utc>,
    due_at: DateTime<Utc>,
) -> anyhow::Result<i64> {
    let (now, due_at, sample) = (now.timestamp(), due_at.timestamp(), i64::from(is_sample));
    let post = sqlx::query_scalar!(
        r#"INSERT INTO posts (id, root, opened_at, due_at, sample)
           VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM posts), $1, $2, $3, $4)
           ON CONFLICT (root) DO UPDATE SET root = excluded.root RETURNING id AS "id!: i64""#,
        root,
        now,
        due_at,
        sample
    )
    .fetch_one(&mut **tx)
    .await
    .context("opening a post")?;
    sqlx::query!(
        "INSERT INTO post_items (post_id, item_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        post,
        item
    )
    .execute(&mut **tx)
    .await?;
    Ok(post)
}

/// The titles of a post's items.
pub async fn titles_in_post(tx: &mut Tx, post: i64) -> anyhow::Result<Vec<String>> {
    sqlx::query_scalar!(
        "SELECT i.title FROM post_items p JOIN items i ON i.id = p.item_id WHERE p.post_id = $1",
        post
    )
    .fetch_all(&mut **tx)
    .await
    .context("reading a post's titles")
}

/// Lets a post be told at `due_at` at the latest: its parts are all here.
pub async fn hasten_post(tx: &mut Tx, post: i64, due_at: DateTime<Utc>) -> anyhow::Result<()> {
    let due_at = due_at.timestamp();
    sqlx::query!(
        "UPDATE posts SET due_at = MIN(due_at, $2) WHERE id = $1 AND told_at IS NULL",
        post,
        due_at
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A post that is to be told.
#[derive(Debug, Clone)]
pub struct Owed {
    /// Its number.
    pub id: i64,
    /// Whether it is only a sample of a new feed.
    pub is_sample: bool,
}

/// The posts that are due, in the order in which they were opened; those of one moment by the age of what they tell.
pub async fn owed_posts(pool: &SqlitePool, now: DateTime<Utc>) -> anyhow::Result<Vec<Owed>> {
    let now = now.timestamp();
    sqlx::query_as!(
        Owed,
        r#"SELECT id AS "id!", sample AS "is_sample: bool" FROM posts
           WHERE told_at IS NULL AND due_at <= $1
           ORDER BY opened_at,
                    (SELECT MIN(i.at) FROM post_items p JOIN items i ON i.id = p.item_id WHERE p.post_id = posts.id), id
           LIMIT 500"#,
        now
    )
    .fetch_all(pool)
    .await
    .context("asking which posts are owed")
}

/// When the next post is due, unix seconds.
pub async fn next_owed_at(pool: &SqlitePool) -> anyhow::Result<Option<i64>> {
    let next =
        sqlx::query_scalar!(r#"SELECT MIN(due_at) AS "at: i64" FROM posts WHERE told_at IS NULL"#)
            .fetch_one(pool)
            .await
            .context("asking when the next post is due")?;
    Ok(next)
}

/// The items of a post, oldest first.
pub async fn items_of_post(pool: &SqlitePool, post: i64) -> anyhow::Result<Vec<ItemRow>> {
    sqlx::query_as!(
        ItemRow,
        r#"SELECT i.id, i.kind, i.ref AS reference, i.title, i.author, i.email, i.at, i.url, i.free_on,
               (SELECT json_group_array(json_object('name', f.name, 'kind', f.kind, 'url', f.url) ORDER BY f.id)
                FROM sightings s JOIN feeds f ON f.id = s.feed_id WHERE s.item_id = i.id) AS "feeds!: String"
           FROM post_items p JOIN items i ON i.id = p.item_id WHERE p.post_id = $1 ORDER BY i.at, i.id"#,
        post
    )
    .fetch_all(pool)
    .await
    .context("reading a post's items")
}

/// Records that a post was told.
pub async fn settle_post(tx: &mut Tx, post: i64, now: DateTime<Utc>) -> anyhow::Result<()> {
    let now = now.timestamp();
    sqlx::query!("UPDATE posts SET told_at = $2 WHERE id = $1", post, now)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
