//! Posts: sent ones, and those that wait to be.

use std::collections::HashSet;

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::deliveries::{NewDelivery, Verb, queue};
use crate::post::story::Content;
use crate::store::{Database, Readers, Tx};

/// The most posts that a kernel release may change.
const LANDED_MAX: i64 = 5_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostState {
    /// It is sent, and edited when its story changes.
    Open,
    /// It waits for the next digest.
    Waiting,
    /// Somebody deleted its message: it is left alone.
    Muted,
    /// A maintainer retracted it.
    Retracted,
    /// Another post covers its story.
    Joined,
}

impl PostState {
    fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Waiting => "waiting",
            Self::Muted => "muted",
            Self::Retracted => "retracted",
            Self::Joined => "joined",
        }
    }

    fn of(word: &str) -> anyhow::Result<Self> {
        let all = [
            Self::Open,
            Self::Waiting,
            Self::Muted,
            Self::Retracted,
            Self::Joined,
        ];
        let found = all.into_iter().find(|state| state.word() == word);
        found.with_context(|| format!("{word} is no state of a post"))
    }
}

/// A stored post.
#[derive(Debug, Clone)]
pub struct PostRow {
    pub id: i64,
    pub channel_id: i64,
    /// The digest that lists it.
    pub digest_id: Option<i64>,
    pub state: PostState,
    /// The content it should have.
    pub content: Content,
    /// The keys of the milestones that its story had reached, with spaces between them; `None` if that was not noted yet.
    pub reached: Option<String>,
}

pub(super) struct BarePost {
    pub(super) id: i64,
    pub(super) channel_id: i64,
    pub(super) digest_id: Option<i64>,
    pub(super) state: String,
    pub(super) content: String,
    pub(super) reached: Option<String>,
}

impl BarePost {
    pub(super) fn read(self) -> anyhow::Result<PostRow> {
        Ok(PostRow {
            id: self.id,
            channel_id: self.channel_id,
            digest_id: self.digest_id,
            state: PostState::of(&self.state)?,
            content: serde_json::from_str(&self.content)
                .with_context(|| format!("reading the post {}", self.id))?,
            reached: self.reached,
        })
    }
}

/// Opens a post without a story, and queues it.
pub async fn open_and_queue(
    tx: &mut Tx,
    channel: i64,
    content: &Content,
    due_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> anyhow::Result<i64> {
    let new = NewPost {
        channel,
        item: None,
        state: PostState::Open,
        content,
        reached: None,
    };
    let post = open_post(tx, &new, now).await?;
    let send = NewDelivery {
        channel,
        post: Some(post),
        verb: Verb::Send,
        content: Some(content),
        due_at,
        in_thread: false,
    };
    queue(tx, &send).await?;
    Ok(post)
}

/// Queues the current content of a post.
pub async fn queue_content(
    tx: &mut Tx,
    post: &PostRow,
    verb: Verb,
    due_at: DateTime<Utc>,
) -> anyhow::Result<()> {
    let owed = NewDelivery {
        channel: post.channel_id,
        post: Some(post.id),
        verb,
        content: Some(&post.content),
        due_at,
        in_thread: false,
    };
    queue(tx, &owed).await
}

/// Filters these items: those that have posts.
pub async fn items_with_posts(tx: &mut Tx, items: &[i64]) -> anyhow::Result<HashSet<i64>> {
    let items = serde_json::to_string(items)?;
    let found = sqlx::query_scalar!(
        r#"SELECT DISTINCT p.item_id AS "item_id!: i64" FROM json_each($1) j CROSS JOIN posts p ON p.item_id = j.value"#,
        items
    )
    .fetch_all(&mut **tx)
    .await
    .context("asking which items have posts")?;
    Ok(found.into_iter().collect())
}

/// The posts of these items, oldest first.
pub async fn posts_of_items(tx: &mut Tx, items: &[i64]) -> anyhow::Result<Vec<PostRow>> {
    let items = serde_json::to_string(items)?;
    let rows = sqlx::query_as!(
        BarePost,
        r#"SELECT p.id AS "id!", p.channel_id AS "channel_id!", p.digest_id, p.state AS "state!",
                  p.content AS "content!", p.reached
           FROM json_each($1) j CROSS JOIN posts p ON p.item_id = j.value ORDER BY p.id"#,
        items
    )
    .fetch_all(&mut **tx)
    .await
    .context("reading the posts of a story")?;
    rows.into_iter().map(BarePost::read).collect()
}

/// A channel's posts that wait for its next digest.
pub async fn waiting_posts(tx: &mut Tx, channel: i64) -> anyhow::Result<Vec<PostRow>> {
    let rows = sqlx::query_as!(
        BarePost,
        "SELECT id, channel_id, digest_id, state, content, reached FROM posts
         WHERE channel_id = $1 AND state = 'waiting' ORDER BY id",
        channel
    )
    .fetch_all(&mut **tx)
    .await
    .context("reading what waits for a digest")?;
    rows.into_iter().map(BarePost::read).collect()
}

/// When the oldest post that waits for a channel's digest was opened, unix seconds. `None` also if the channel must
/// be searched first.
pub async fn waiting_since(readers: &Readers, channel: i64) -> anyhow::Result<Option<i64>> {
    let since = sqlx::query_scalar!(
        r#"SELECT MIN(opened_at) AS "at: i64" FROM posts WHERE channel_id = $1 AND state = 'waiting'
             AND (SELECT recall_from FROM channels WHERE id = $1) IS NULL"#,
        channel
    )
    .fetch_one(&mut *readers.acquire().await?)
    .await
    .context("asking what waits for a digest")?;
    Ok(since)
}

/// The posts of a channel about pull requests that are still open, were sent after `from` and until `to`, and of which the channel was
/// not warned, each with its packed story.
pub async fn posts_of_pulls(
    mut database: Database<'_>,
    channel: i64,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> anyhow::Result<Vec<(i64, Vec<u8>)>> {
    let (from, to) = (from.timestamp(), to.timestamp());
    let rows = sqlx::query!(
        r#"SELECT p.id AS "post!", s.told AS "told!" FROM stories s INDEXED BY stories_pulls
           CROSS JOIN members m ON m.story = s.number CROSS JOIN posts p ON p.item_id = m.item_id
           WHERE s.kind = 'pull' AND s.state = 'open' AND s.relevant = 1 AND s.first_at > $2 AND s.first_at <= $3
             AND p.channel_id = $1 AND p.state = 'open'
             AND instr(' ' || COALESCE(p.reached, '') || ' ', ' pull-waits ') = 0
           ORDER BY p.id"#,
        channel,
        from,
        to
    )
    .fetch_all(&mut *database.acquire().await?)
    .await
    .context("asking which pull requests wait")?;
    Ok(rows.into_iter().map(|row| (row.post, row.told)).collect())
}

/// The posts of stories that are in mainline or stable and moved since `since`, each with its packed story.
pub async fn posts_of_landed(
    tx: &mut Tx,
    since: DateTime<Utc>,
) -> anyhow::Result<Vec<(i64, Vec<u8>)>> {
    let since = since.timestamp();
    let rows = sqlx::query!(
        r#"SELECT p.id AS "post!", s.told AS "told!" FROM stories s INDEXED BY stories_by_time
           CROSS JOIN members m ON m.story = s.number CROSS JOIN posts p ON p.item_id = m.item_id
           WHERE s.last_at >= $1 AND s.state IN ('mainline', 'stable') AND p.state = 'open' ORDER BY p.id LIMIT $2"#,
        since,
        LANDED_MAX
    )
    .fetch_all(&mut **tx)
    .await
    .context("asking for the posts of what is in mainline")?;
    Ok(rows.into_iter().map(|row| (row.post, row.told)).collect())
}

/// The posts that a digest lists.
pub async fn posts_in_digest(tx: &mut Tx, digest: i64) -> anyhow::Result<Vec<PostRow>> {
    let rows = sqlx::query_as!(
        BarePost,
        r#"SELECT id AS "id!", channel_id, digest_id, state, content, reached FROM posts
           WHERE digest_id = $1 ORDER BY id"#,
        digest
    )
    .fetch_all(&mut **tx)
    .await
    .context("reading what a digest lists")?;
    rows.into_iter().map(BarePost::read).collect()
}

pub async fn post(tx: &mut Tx, id: i64) -> anyhow::Result<PostRow> {
    sqlx::query_as!(
        BarePost,
        "SELECT id, channel_id, digest_id, state, content, reached FROM posts WHERE id = $1",
        id
    )
    .fetch_one(&mut **tx)
    .await
    .context("reading a post")?
    .read()
}

/// Posts without a story that have this mark (an issue's), in all channels, oldest first.
pub async fn posts_by_mark(tx: &mut Tx, mark: &str) -> anyhow::Result<Vec<PostRow>> {
    let rows = sqlx::query_as!(
        BarePost,
        "SELECT id, channel_id, digest_id, state, content, reached FROM posts
         WHERE item_id IS NULL AND content ->> '$.mark' = $1 ORDER BY id",
        mark
    )
    .fetch_all(&mut **tx)
    .await
    .context("looking for posts by their mark")?;
    rows.into_iter().map(BarePost::read).collect()
}

/// Turns the answers below a post into posts of their own, so that they can be removed. Returns their numbers.
pub async fn answers_below(tx: &mut Tx, post: i64, now: DateTime<Utc>) -> anyhow::Result<Vec<i64>> {
    let now = now.timestamp();
    let answers = sqlx::query_scalar!(
        r#"INSERT INTO posts (id, channel_id, opened_at, state, content, receipt)
           SELECT (SELECT COALESCE(MAX(id), 0) FROM posts) + ROW_NUMBER() OVER (ORDER BY d.id), d.channel_id, $2,
                  'retracted', p.content, d.receipt
           FROM deliveries d JOIN posts p ON p.id = d.post_id
           WHERE d.post_id = $1 AND d.verb = 'reply' AND d.receipt IS NOT NULL RETURNING id AS "id!: i64""#,
        post,
        now
    )
    .fetch_all(&mut **tx)
    .await
    .context("reading the answers below a post")?;
    sqlx::query!(
        "UPDATE deliveries SET receipt = NULL WHERE post_id = $1 AND verb = 'reply'",
        post
    )
    .execute(&mut **tx)
    .await?;
    Ok(answers)
}

#[derive(Debug)]
pub struct NewPost<'a> {
    pub channel: i64,
    /// The item of its story; `None` for a digest.
    pub item: Option<i64>,
    /// Open, or waiting for a digest.
    pub state: PostState,
    pub content: &'a Content,
    /// See [`PostRow::reached`].
    pub reached: Option<&'a str>,
}

/// Opens a post and returns its number.
pub async fn open_post(tx: &mut Tx, new: &NewPost<'_>, now: DateTime<Utc>) -> anyhow::Result<i64> {
    let (now, state) = (now.timestamp(), new.state.word());
    let content = serde_json::to_string(new.content)?;
    sqlx::query_scalar!(
        r#"INSERT INTO posts (id, channel_id, item_id, opened_at, state, content, reached)
           VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM posts), $1, $2, $3, $4, $5, $6) RETURNING id AS "id!: i64""#,
        new.channel,
        new.item,
        now,
        state,
        content,
        new.reached
    )
    .fetch_one(&mut **tx)
    .await
    .context("opening a post")
}

/// Updates the content and state of a post.
pub async fn save_post(tx: &mut Tx, post: &PostRow) -> anyhow::Result<()> {
    let content = serde_json::to_string(&post.content)?;
    let state = post.state.word();
    sqlx::query!(
        "UPDATE posts SET state = $2, content = $3, reached = $4, digest_id = $5 WHERE id = $1",
        post.id,
        state,
        content,
        post.reached,
        post.digest_id
    )
    .execute(&mut **tx)
    .await
    .context("storing a post")?;
    Ok(())
}
