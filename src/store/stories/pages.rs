//! Queries for the pages and the read API. Each is bounded, and leaves out stories that a maintainer took back.

use anyhow::Context as _;

use super::questions::read;
use super::shown::RANKED_MAX;
use crate::store::Readers;
use crate::story::key::JoinKey;
use crate::story::{Story, short_tree};

/// The most matches of a name that are looked through for one page of a person's stories.
const NAMED_MAX: i64 = 500;
/// The most stories that are read of those.
const NAMED_READ_MAX: i64 = 100;

/// A filter for lists; `None` matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListFilter {
    pub kind: Option<String>,
    pub state: Option<String>,
    /// The tree's name; only its last part counts, without `.git`.
    pub tree: Option<String>,
    /// The author's whole name, in any case.
    pub author: Option<String>,
    /// Changed at or after, unix seconds.
    pub since: Option<i64>,
    /// Changed before, unix seconds.
    pub until: Option<i64>,
}

/// A story in a list, with its place there.
#[derive(Debug, Clone)]
pub struct ListedStory {
    pub number: i64,
    /// Unix seconds.
    pub last_at: i64,
    pub story: Story,
}

pub(super) struct ListedRow {
    pub(super) number: i64,
    pub(super) last_at: i64,
    pub(super) told: Vec<u8>,
    pub(super) state: String,
    pub(super) free_on: Option<i64>,
}

impl ListedRow {
    pub(super) fn listed(self, today: i64) -> anyhow::Result<ListedStory> {
        Ok(ListedStory {
            number: self.number,
            last_at: self.last_at,
            story: read(&self.told, &self.state, today, self.free_on, "[]")?,
        })
    }
}

/// A query of [`listed_stories`] that reads an index from its beginning, narrowed to one tree or author.
macro_rules! list_query {
    ($index:tt, $narrowed:tt, $asked:expr) => {{
        let asked: &ListedAfter = $asked;
        sqlx::query_as!(
            ListedRow,
            r#"SELECT s.number AS "number!", s.last_at AS "last_at!", s.told AS "told!", s.state AS "state!", s.free_on
               FROM (SELECT number, last_at FROM stories INDEXED BY "#
                + $index
                + r#" WHERE relevant = 1 AND last_at <= $1 AND (last_at < $1 OR number < $2)
                       AND ($3 IS NULL OR last_at >= $3) AND ($4 IS NULL OR last_at < $4)
                       AND ($5 IS NULL OR kind = $5)
                       AND ($6 IS NULL OR CASE WHEN state = 'paid' AND free_on <= $7 THEN 'free' ELSE state END = $6)
                       AND "#
                + $narrowed
                + r#" AND number NOT IN (SELECT number FROM retracted_stories WHERE number IS NOT NULL)
                     ORDER BY last_at DESC, number DESC LIMIT $10) f
               CROSS JOIN stories s ON s.number = f.number
               ORDER BY f.last_at DESC, f.number DESC"#,
            asked.after.0,
            asked.after.1,
            asked.filter.since,
            asked.filter.until,
            asked.filter.kind,
            asked.filter.state,
            asked.today,
            asked.tree,
            asked.filter.author,
            asked.most
        )
        .fetch_all(&mut *asked.readers.acquire().await?)
        .await
    }};
}

/// The parameters of a list.
struct ListedAfter<'a> {
    readers: &'a Readers,
    filter: &'a ListFilter,
    tree: Option<&'a str>,
    after: (i64, i64),
    today: i64,
    most: i64,
}

/// Stories about BPF, those that changed last first, behind the place `after` (its time and number).
pub async fn listed_stories(
    readers: &Readers,
    filter: &ListFilter,
    after: Option<(i64, i64)>,
    today: i64,
    most: i64,
) -> anyhow::Result<Vec<ListedStory>> {
    let asked = ListedAfter {
        readers,
        filter,
        tree: filter.tree.as_deref().map(short_tree),
        after: after.unwrap_or((i64::MAX, i64::MAX)),
        today,
        most,
    };
    let rows = match (&filter.author, &filter.tree) {
        (Some(_), _) => list_query!(
            "stories_by_author",
            "author = $9 COLLATE NOCASE AND ($8 IS NULL OR tree_name = $8)",
            &asked
        ),
        (None, Some(_)) => list_query!("stories_by_tree", "tree_name = $8 AND $9 IS NULL", &asked),
        (None, None) => list_query!("stories_shown", "$8 IS NULL AND $9 IS NULL", &asked),
    };
    let rows = rows.context("listing stories for a page")?.into_iter();
    rows.map(|row| row.listed(today)).collect()
}

/// Stories about BPF whose people's names have these words, the latest first, behind a story's number.
/// [`super::match_words`] writes `words`; the caller compares whole names. Only so many matches are looked through. The
/// number tells where to go on; `None` if there are no more matches.
pub async fn named_stories(
    readers: &Readers,
    words: &str,
    after: Option<i64>,
    today: i64,
) -> anyhow::Result<(Vec<ListedStory>, Option<i64>)> {
    let after = after.unwrap_or(i64::MAX);
    let matches = sqlx::query_scalar!(
        r#"SELECT rowid AS "number!: i64" FROM story_search WHERE story_search MATCH $1 AND rowid < $2
           ORDER BY rowid DESC LIMIT $3"#,
        words,
        after,
        NAMED_MAX
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("looking for a person")?;
    let is_full = i64::try_from(matches.len())? == NAMED_MAX;
    let last_match = matches.last().copied().filter(|_| is_full);
    let matches = serde_json::to_string(&matches)?;
    let rows = sqlx::query_as!(
        ListedRow,
        r#"SELECT s.number AS "number!", s.last_at AS "last_at!", s.told AS "told!", s.state AS "state!", s.free_on
           FROM json_each($1) j CROSS JOIN stories s ON s.number = j.value
           WHERE s.relevant = 1 AND s.number NOT IN (SELECT number FROM retracted_stories WHERE number IS NOT NULL)
           ORDER BY j.key LIMIT $2"#,
        matches,
        NAMED_READ_MAX
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("listing the stories of a person")?;
    let is_cut = i64::try_from(rows.len())? == NAMED_READ_MAX;
    let behind = match is_cut {
        true => rows.last().map(|row| row.number),
        false => last_match,
    };
    let stories: anyhow::Result<Vec<ListedStory>> =
        rows.into_iter().map(|row| row.listed(today)).collect();
    Ok((stories?, behind))
}

/// Stories about BPF that match, best match first, without the first `skip`, among the newest [`RANKED_MAX`] matches.
/// [`super::match_words`] writes `words`.
pub async fn ranked_stories(
    readers: &Readers,
    words: &str,
    skip: i64,
    today: i64,
    most: i64,
) -> anyhow::Result<Vec<ListedStory>> {
    let rows = sqlx::query_as!(
        ListedRow,
        r#"SELECT s.number AS "number!", s.last_at AS "last_at!", s.told AS "told!", s.state AS "state!", s.free_on
           FROM (SELECT rowid AS number, rank AS worth FROM story_search
                 WHERE story_search MATCH $1 AND EXISTS (SELECT 1 FROM story_values v WHERE v.story = story_search.rowid)
                 ORDER BY rowid DESC LIMIT $2) f
           CROSS JOIN stories s ON s.number = f.number
           WHERE s.relevant = 1 AND s.number NOT IN (SELECT number FROM retracted_stories WHERE number IS NOT NULL)
           ORDER BY f.worth, s.last_at DESC, s.number DESC LIMIT $3 OFFSET $4"#,
        words,
        RANKED_MAX,
        most,
        skip
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("searching stories for a page")?;
    let rows = rows.into_iter();
    rows.map(|row| row.listed(today)).collect()
}

/// The stories with these ids, the latest first.
pub async fn stories_by_ids(
    readers: &Readers,
    ids: &[&str],
    today: i64,
) -> anyhow::Result<Vec<Story>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids = serde_json::to_string(ids)?;
    let rows = sqlx::query_as!(
        ListedRow,
        r#"SELECT s.number AS "number!", s.last_at AS "last_at!", s.told AS "told!", s.state AS "state!", s.free_on
           FROM json_each($1) j CROSS JOIN stories s ON s.id = j.value
           WHERE s.number NOT IN (SELECT number FROM retracted_stories WHERE number IS NOT NULL)
           ORDER BY s.last_at DESC, s.number DESC"#,
        ids
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("reading stories by their ids")?;
    stories_of_rows(rows, today)
}

/// The stories with an item that carries one of these join keys, the latest first.
pub async fn stories_of_keys(
    readers: &Readers,
    keys: &[JoinKey],
    today: i64,
    most: i64,
) -> anyhow::Result<Vec<Story>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let keys = serde_json::to_string(keys)?;
    let rows = sqlx::query_as!(
        ListedRow,
        r#"SELECT s.number AS "number!", s.last_at AS "last_at!", s.told AS "told!", s.state AS "state!", s.free_on
           FROM (SELECT DISTINCT m.story FROM json_each($1) j CROSS JOIN join_keys k ON k.key = j.value
                 CROSS JOIN members m ON m.item_id = k.item_id) f
           CROSS JOIN stories s ON s.number = f.story
           WHERE s.number NOT IN (SELECT number FROM retracted_stories WHERE number IS NOT NULL)
           ORDER BY s.last_at DESC, s.number DESC LIMIT $2"#,
        keys,
        most
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("looking for the stories of commits")?;
    stories_of_rows(rows, today)
}

/// The stories that mention one of these keys: fixes, pull requests, articles; the latest first.
pub async fn stories_that_mention(
    readers: &Readers,
    keys: &[JoinKey],
    today: i64,
    most: i64,
) -> anyhow::Result<Vec<Story>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let keys = serde_json::to_string(keys)?;
    let rows = sqlx::query_as!(
        ListedRow,
        r#"SELECT s.number AS "number!", s.last_at AS "last_at!", s.told AS "told!", s.state AS "state!", s.free_on
           FROM (SELECT DISTINCT m.story FROM json_each($1) j CROSS JOIN mentions n ON n.key = j.value
                 CROSS JOIN members m ON m.item_id = n.item_id LIMIT 200) f
           CROSS JOIN stories s ON s.number = f.story
           WHERE s.number NOT IN (SELECT number FROM retracted_stories WHERE number IS NOT NULL)
           ORDER BY s.last_at DESC, s.number DESC LIMIT $2"#,
        keys,
        most
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("looking for stories that mention another")?;
    stories_of_rows(rows, today)
}

fn stories_of_rows(rows: Vec<ListedRow>, today: i64) -> anyhow::Result<Vec<Story>> {
    let rows = rows.into_iter();
    rows.map(|row| Ok(row.listed(today)?.story)).collect()
}
