//! The follows of people, and the news that wait for them. Personal data: see [`super::recipients`].

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Readers, Tx};
use crate::post::story::Line;

/// The kind of a follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(rename_all = "lowercase")]
pub enum FollowKind {
    Story,
    /// An author's stories.
    Author,
    /// The stories that a filter takes.
    Filter,
}

impl FollowKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Story => "story",
            Self::Author => "author",
            Self::Filter => "filter",
        }
    }
}

/// How a person gets the news of a follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(rename_all = "lowercase")]
pub enum FollowWay {
    /// By direct message.
    Direct,
    /// By a mention in the thread of the story's post.
    Thread,
}

impl FollowWay {
    pub fn word(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Thread => "thread",
        }
    }

    /// The way with this word.
    pub fn of(word: &str) -> Option<Self> {
        [Self::Direct, Self::Thread]
            .into_iter()
            .find(|way| way.word() == word)
    }
}

/// A stored follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowRow {
    pub id: i64,
    pub kind: FollowKind,
    /// The story's title, the name or the filter.
    pub shown: String,
    pub way: FollowWay,
    /// Unix seconds.
    pub added_at: i64,
}

/// A follow to store.
#[derive(Debug)]
pub struct NewFollow<'a> {
    pub recipient: i64,
    pub kind: FollowKind,
    /// The item's number, the name in small letters, or the filter: what makes it the same follow.
    pub what: &'a str,
    pub shown: &'a str,
    /// The item that gave the story its id.
    pub item: Option<i64>,
    pub way: FollowWay,
}

/// The result of [`add_follow`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowResult {
    Added,
    /// It was there; only the way has changed.
    Changed,
    /// It was there.
    Before,
    /// The person follows as much as anybody may.
    Full,
}

/// Stores a follow. A person has at most `most`.
pub async fn add_follow(
    tx: &mut Tx,
    new: &NewFollow<'_>,
    most: u32,
    now: DateTime<Utc>,
) -> anyhow::Result<FollowResult> {
    let (kind, way, now) = (new.kind.word(), new.way.word(), now.timestamp());
    let row = sqlx::query!(
        r#"SELECT (SELECT way FROM follows WHERE recipient_id = $1 AND kind = $2 AND what = $3) AS "way: FollowWay",
                  (SELECT COUNT(*) FROM follows WHERE recipient_id = $1) AS "many!: i64""#,
        new.recipient,
        kind,
        new.what
    )
    .fetch_one(&mut **tx)
    .await
    .context("asking what a person follows")?;
    match row.way {
        Some(was) if was == new.way => return Ok(FollowResult::Before),
        None if row.many >= i64::from(most) => return Ok(FollowResult::Full),
        Some(_) | None => {}
    }
    sqlx::query!(
        "INSERT INTO follows (recipient_id, kind, what, shown, item_id, way, added_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (recipient_id, kind, what) DO UPDATE SET way = excluded.way",
        new.recipient,
        kind,
        new.what,
        new.shown,
        new.item,
        way,
        now
    )
    .execute(&mut **tx)
    .await
    .context("storing a follow")?;
    Ok(match row.way {
        Some(_) => FollowResult::Changed,
        None => FollowResult::Added,
    })
}

/// The follows of a person, oldest first.
pub async fn list_follows(
    readers: &Readers,
    platform: &str,
    address: &str,
) -> anyhow::Result<Vec<FollowRow>> {
    sqlx::query_as!(
        FollowRow,
        r#"SELECT f.id AS "id!", f.kind AS "kind!: FollowKind", f.shown AS "shown!", f.way AS "way!: FollowWay",
                  f.added_at AS "added_at!"
           FROM recipients r JOIN follows f ON f.recipient_id = r.id
           WHERE r.platform = $1 AND r.address = $2 ORDER BY f.id"#,
        platform,
        address
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("listing what a person follows")
}

/// Ends a person's follow, and drops the news of a story that wait because of it. Returns what it followed.
pub async fn end_follow(
    tx: &mut Tx,
    recipient: i64,
    follow: i64,
) -> anyhow::Result<Option<String>> {
    let ended = sqlx::query!(
        "DELETE FROM follows WHERE recipient_id = $1 AND id = $2 RETURNING shown, item_id",
        recipient,
        follow
    )
    .fetch_optional(&mut **tx)
    .await
    .context("ending a follow")?;
    let Some(ended) = ended else { return Ok(None) };
    // Nobody gets news of a story that they left, and nobody who follows nothing gets any.
    sqlx::query!(
        "DELETE FROM follow_news WHERE recipient_id = $1
           AND ((SELECT story FROM members m WHERE m.item_id = follow_news.item_id)
                  = (SELECT story FROM members m WHERE m.item_id = $2)
                OR NOT EXISTS (SELECT 1 FROM follows f WHERE f.recipient_id = $1))",
        recipient,
        ended.item_id
    )
    .execute(&mut **tx)
    .await
    .context("dropping the news of a follow that ended")?;
    Ok(Some(ended.shown))
}

/// Whether anybody follows anything.
pub async fn is_anything_followed(tx: &mut Tx) -> anyhow::Result<bool> {
    let is = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT 1 FROM follows) AS "is!: bool""#);
    is.fetch_one(&mut **tx)
        .await
        .context("asking whether anybody follows anything")
}

/// A follow of one person that sees a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Follower {
    pub recipient: i64,
    pub way: FollowWay,
}

/// The people who follow the story with these items, or its author. If several follows of a person see it, the one of the story
/// decides the way.
pub async fn followers(
    tx: &mut Tx,
    items: &[i64],
    author: Option<&str>,
) -> anyhow::Result<Vec<Follower>> {
    let items = serde_json::to_string(items)?;
    let author = author.map(str::to_lowercase);
    sqlx::query_as!(
        Follower,
        r#"SELECT f.recipient_id AS "recipient!: i64", f.way AS "way!: FollowWay"
           FROM (SELECT o.recipient_id, o.way, 0 AS place FROM json_each($1) j CROSS JOIN follows o ON o.item_id = j.value
                 UNION ALL
                 SELECT o.recipient_id, o.way, 1 FROM follows o WHERE o.item_id IS NULL AND o.kind = 'author' AND o.what = $2) f
           JOIN recipients r ON r.id = f.recipient_id AND r.suspended_at IS NULL
           ORDER BY f.place"#,
        items,
        author
    )
    .fetch_all(&mut **tx)
    .await
    .context("asking who follows a story")
}

/// The filters that people follow, without repetition.
pub async fn followed_filters(tx: &mut Tx) -> anyhow::Result<Vec<String>> {
    sqlx::query_scalar!(
        "SELECT DISTINCT what FROM follows WHERE item_id IS NULL AND kind = 'filter'"
    )
    .fetch_all(&mut **tx)
    .await
    .context("reading the filters that people follow")
}

/// The people who follow a filter.
pub async fn followers_of_filter(tx: &mut Tx, filter: &str) -> anyhow::Result<Vec<Follower>> {
    sqlx::query_as!(
        Follower,
        r#"SELECT f.recipient_id AS "recipient!: i64", f.way AS "way!: FollowWay" FROM follows f
           JOIN recipients r ON r.id = f.recipient_id AND r.suspended_at IS NULL
           WHERE f.item_id IS NULL AND f.kind = 'filter' AND f.what = $1"#,
        filter
    )
    .fetch_all(&mut **tx)
    .await
    .context("asking who follows a filter")
}

/// News of one story for one person, until they are sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowNews {
    /// The story as it stands; the message's words are made of the rest.
    pub line: Line,
    /// Its steps, oldest first.
    pub steps: Vec<String>,
    /// The mails that are no steps.
    pub mails: usize,
}

/// News that wait for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingNews {
    pub item: i64,
    /// The number of its story now.
    pub story: Option<i64>,
    pub way: FollowWay,
    pub news: FollowNews,
}

/// The news of these items' story that wait for a person, with the item of each.
pub async fn news_of_story(
    tx: &mut Tx,
    recipient: i64,
    items: &[i64],
) -> anyhow::Result<Option<(i64, FollowNews)>> {
    let items = serde_json::to_string(items)?;
    let row = sqlx::query!(
        r#"SELECT n.item_id AS "item!: i64", n.line AS "line!: String" FROM json_each($2) j
           CROSS JOIN follow_news n ON n.recipient_id = $1 AND n.item_id = j.value LIMIT 1"#,
        recipient,
        items
    )
    .fetch_optional(&mut **tx)
    .await
    .context("reading the news that wait for a person")?;
    let read = row.map(|row| anyhow::Ok((row.item, serde_json::from_str(&row.line)?)));
    read.transpose().context("reading news")
}

/// Stores news for a person. Those of the same item are replaced, and keep their time.
pub async fn keep_news(
    tx: &mut Tx,
    follower: Follower,
    item: i64,
    news: &FollowNews,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let (way, line, now) = (
        follower.way.word(),
        serde_json::to_string(news)?,
        now.timestamp(),
    );
    sqlx::query!(
        "INSERT INTO follow_news (recipient_id, item_id, way, line, moved_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (recipient_id, item_id) DO UPDATE SET line = excluded.line, way = excluded.way",
        follower.recipient,
        item,
        way,
        line,
        now
    )
    .execute(&mut **tx)
    .await
    .context("storing the news of a follow")?;
    Ok(())
}

/// When the next message to each person with news is due, unix seconds. Nobody gets another one while one is queued.
///
/// News wait for `gap_s` since the first of them. So long lies between two messages too, and a person gets at most `hourly_max`
/// in an hour.
pub async fn due_messages(
    readers: &Readers,
    gap_s: i64,
    hourly_max: u32,
) -> anyhow::Result<Vec<(i64, i64)>> {
    let before = i64::from(hourly_max) - 1;
    let rows = sqlx::query!(
        r#"SELECT n.recipient_id AS "recipient!: i64",
                  MAX(MIN(n.moved_at) + $1,
                      COALESCE((SELECT settled_at + $1 FROM deliveries d
                                WHERE d.recipient_id = n.recipient_id AND d.state = 'done' ORDER BY d.id DESC LIMIT 1), 0),
                      COALESCE((SELECT settled_at + 3600 FROM deliveries d
                                WHERE d.recipient_id = n.recipient_id AND d.state = 'done'
                                ORDER BY d.id DESC LIMIT 1 OFFSET $2), 0)) AS "at!: i64"
           FROM follow_news n
           WHERE NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.recipient_id = n.recipient_id AND d.state = 'owed')
           GROUP BY n.recipient_id"#,
        gap_s,
        before
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("asking who gets news")?;
    Ok(rows
        .into_iter()
        .map(|row| (row.recipient, row.at))
        .collect())
}

/// Takes the news that wait for a person, the oldest first. Those of retracted stories are dropped.
pub async fn take_news(tx: &mut Tx, recipient: i64) -> anyhow::Result<Vec<WaitingNews>> {
    let rows = sqlx::query!(
        r#"SELECT n.item_id, n.way AS "way!: FollowWay", n.line, m.story AS "story: i64"
           FROM follow_news n LEFT JOIN members m ON m.item_id = n.item_id
           WHERE n.recipient_id = $1 AND (m.story IS NULL OR m.story NOT IN (SELECT number FROM retracted_stories))
           ORDER BY n.moved_at, n.item_id"#,
        recipient
    )
    .fetch_all(&mut **tx)
    .await
    .context("reading the news for a person")?;
    sqlx::query!("DELETE FROM follow_news WHERE recipient_id = $1", recipient)
        .execute(&mut **tx)
        .await
        .context("taking the news for a person")?;
    let read = rows.into_iter().map(|row| {
        Ok(WaitingNews {
            item: row.item_id,
            story: row.story,
            way: row.way,
            news: serde_json::from_str(&row.line).context("reading news")?,
        })
    });
    read.collect()
}

/// The post of a story that a person can see, and its room: in the room where the person asked for messages, or on its server.
pub async fn post_for(
    tx: &mut Tx,
    recipient: i64,
    item: i64,
) -> anyhow::Result<Option<(i64, String)>> {
    let row = sqlx::query!(
        r#"SELECT p.id AS "post!: i64", c.address AS "room!: String"
           FROM recipients r
           JOIN members own ON own.item_id = $2
           JOIN members m ON m.story = own.story
           JOIN posts p ON p.item_id = m.item_id AND p.state = 'open' AND p.receipt IS NOT NULL
           JOIN channels c ON c.id = p.channel_id AND c.platform = r.platform AND c.configured = 1 AND c.paused_at IS NULL
             AND (c.address = r.asked_in OR c.community = r.community)
           WHERE r.id = $1 ORDER BY c.address = r.asked_in DESC, p.id DESC LIMIT 1"#,
        recipient,
        item
    )
    .fetch_optional(&mut **tx)
    .await
    .context("looking for the post of a story")?;
    Ok(row.map(|row| (row.post, row.room)))
}

/// The platform of a recipient.
pub async fn platform_of(tx: &mut Tx, recipient: i64) -> anyhow::Result<String> {
    sqlx::query_scalar!("SELECT platform FROM recipients WHERE id = $1", recipient)
        .fetch_one(&mut **tx)
        .await
        .context("asking for the platform of a recipient")
}
