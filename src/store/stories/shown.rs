//! Queries for chat commands. Each reads a bounded number of stories and leaves out retracted ones.

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};

use url::Url;

use super::questions::{read, story_by_number};
use crate::item::ItemKey;
use crate::item::link::canonical_link;
use crate::store::items::LINK;
use crate::store::{Readers, Tx};
use crate::story::Story;

/// While there is no issue: the stretch of time to search for the best stories, and how many to return.
const WEEK: TimeDelta = TimeDelta::days(7);
const BEST_MAX: i64 = 50;
/// How many times so many rows are read, because of stories that are left out.
const BEST_TURNS_MAX: i64 = 8;
/// The most matches of a search to rank. If more stories have the words, only the newest ones are ranked: to rank a match
/// takes 5 µs, and most stories have common words.
pub(super) const RANKED_MAX: i64 = 1_500;
/// The most matches to look through for completions.
const MATCHES_MAX: i64 = 1_000;

/// A stored story, without its former titles.
struct StoryRow {
    told: Vec<u8>,
    state: String,
    free_on: Option<i64>,
}

impl StoryRow {
    fn story(&self, today: i64) -> anyhow::Result<Story> {
        read(&self.told, &self.state, today, self.free_on, "[]")
    }
}

/// The day of a time, in days since 1970. Stories that become free on a day are compared with it.
pub fn day_of(now: DateTime<Utc>) -> i64 {
    now.timestamp().div_euclid(86_400)
}

/// The best stories about BPF of the seven days before `now`. Readers see them while there is no issue.
pub async fn best_of_the_week(readers: &Readers, now: DateTime<Utc>) -> anyhow::Result<Vec<Story>> {
    best_stories(readers, (now - WEEK).timestamp(), day_of(now), BEST_MAX).await
}

/// The best stories about BPF that changed since `since` (unix seconds): highest score first, then latest. Stories whose
/// beginning is not stored yet are left out. A new database has many of them.
pub async fn best_stories(
    readers: &Readers,
    since: i64,
    today: i64,
    most: i64,
) -> anyhow::Result<Vec<Story>> {
    let (mut best, wanted) = (Vec::new(), usize::try_from(most).unwrap_or(0));
    for turn in 0..BEST_TURNS_MAX {
        let rows = best_rows(readers, since, turn * most, most).await?;
        let is_last = rows.len() < wanted;
        for row in rows {
            let story = row.story(today)?;
            // A story that moved between two of these queries comes twice.
            let is_there = best.iter().any(|known: &Story| known.id == story.id);
            if !story.lacks_beginning && !is_there && best.len() < wanted {
                best.push(story);
            }
        }
        if is_last || best.len() >= wanted {
            break;
        }
    }
    Ok(best)
}

async fn best_rows(
    readers: &Readers,
    since: i64,
    skip: i64,
    most: i64,
) -> anyhow::Result<Vec<StoryRow>> {
    sqlx::query_as!(
        StoryRow,
        r#"SELECT s.told AS "told!", s.state AS "state!", s.free_on
           FROM (SELECT number, score, last_at FROM stories INDEXED BY stories_by_worth
                 WHERE last_at >= $1 AND relevant = 1
                   AND number NOT IN (SELECT m.story FROM mutes u JOIN members m ON m.item_id = u.item_id
                                      WHERE m.story IS NOT NULL)
                 ORDER BY score DESC, last_at DESC, number DESC LIMIT $2 OFFSET $3) b
           CROSS JOIN stories s ON s.number = b.number
           ORDER BY b.score DESC, b.last_at DESC, b.number DESC"#,
        since,
        most,
        skip
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("asking for the best stories")
}

/// Stories about BPF that match, best match first, among the newest [`RANKED_MAX`] matches. [`super::match_words`] and its
/// like write `words`.
pub async fn search_stories(
    readers: &Readers,
    words: &str,
    today: i64,
    most: i64,
) -> anyhow::Result<Vec<Story>> {
    let rows = sqlx::query_as!(
        StoryRow,
        r#"SELECT s.told AS "told!", s.state AS "state!", s.free_on
           FROM (SELECT rowid AS number, rank AS worth FROM story_search
                 WHERE story_search MATCH $1 AND EXISTS (SELECT 1 FROM story_values v WHERE v.story = story_search.rowid)
                 ORDER BY rowid DESC LIMIT $2) f
           CROSS JOIN stories s ON s.number = f.number
           WHERE s.relevant = 1
             AND s.number NOT IN (SELECT number FROM retracted_stories)
           ORDER BY f.worth, s.last_at DESC, s.number DESC LIMIT $3"#,
        words,
        RANKED_MAX,
        most
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("searching the stories")?;
    rows.iter().map(|row| row.story(today)).collect()
}

/// Stories about BPF that match, newest first. Cheap enough to run on every key press.
pub async fn newest_matches(
    readers: &Readers,
    words: &str,
    today: i64,
    most: i64,
) -> anyhow::Result<Vec<Story>> {
    let rows = sqlx::query_as!(
        StoryRow,
        r#"SELECT s.told AS "told!", s.state AS "state!", s.free_on
           FROM (SELECT rowid AS number FROM story_search WHERE story_search MATCH $1
                 ORDER BY rowid DESC LIMIT $2) f
           CROSS JOIN stories s ON s.number = f.number
           WHERE s.relevant = 1
             AND s.number NOT IN (SELECT number FROM retracted_stories)
           ORDER BY s.number DESC LIMIT $3"#,
        words,
        MATCHES_MAX,
        most
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("looking for stories")?;
    rows.iter().map(|row| row.story(today)).collect()
}

/// Series about BPF without an answer that changed since `since` (unix seconds).
pub async fn unanswered_stories(
    readers: &Readers,
    since: i64,
    today: i64,
    most: i64,
) -> anyhow::Result<Vec<Story>> {
    let rows = sqlx::query_as!(
        StoryRow,
        r#"SELECT told AS "told!", state AS "state!", free_on FROM stories INDEXED BY stories_unanswered
           WHERE kind = 'series' AND state IN ('posted', 'discussed') AND relevant = 1 AND last_at >= $1
             AND number NOT IN (SELECT number FROM retracted_stories)
           ORDER BY last_at DESC LIMIT $2"#,
        since,
        most
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("asking what waits for an answer")?;
    rows.iter().map(|row| row.story(today)).collect()
}

/// The story of an article, a release or a video at this address.
pub async fn story_of_link(
    readers: &Readers,
    link: &Url,
    today: i64,
) -> anyhow::Result<Option<Story>> {
    let digest = ItemKey::content(&canonical_link(link)).digest();
    let digest = digest.as_slice();
    let number = sqlx::query_scalar!(
        "SELECT m.story FROM item_keys k JOIN members m ON m.item_id = k.item_id WHERE k.kind = $1 AND k.digest = $2",
        LINK,
        digest
    )
    .fetch_optional(&mut *readers.acquire().await?)
    .await
    .context("looking for the story of a link")?
    .flatten();
    match number {
        Some(number) => story_by_number(readers, number, today).await,
        None => Ok(None),
    }
}

/// Whether a maintainer retracted the story with this id.
pub async fn is_retracted(readers: &Readers, id: &str) -> anyhow::Result<bool> {
    let many = sqlx::query_scalar!(
        r#"SELECT COUNT(*) AS "many!: i64" FROM stories s
           WHERE s.id = $1 AND s.number IN (SELECT number FROM retracted_stories)"#,
        id
    )
    .fetch_one(&mut *readers.acquire().await?)
    .await
    .context("asking whether a story was taken back")?;
    Ok(many > 0)
}

/// The items of the story with this id, first the item that gave the id.
pub async fn items_of_story(tx: &mut Tx, id: &str) -> anyhow::Result<Vec<i64>> {
    sqlx::query_scalar!(
        "SELECT m.item_id FROM stories s JOIN members m ON m.story = s.number WHERE s.id = $1
         ORDER BY m.item_id <> s.item_id, m.item_id",
        id
    )
    .fetch_all(&mut **tx)
    .await
    .context("reading the items of a story")
}
