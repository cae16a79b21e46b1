//! Storage of stories: compressed JSON, columns for filters, and full text.

use std::collections::HashMap;

use anyhow::Context as _;
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;

use super::index::put_index;
use crate::store::packed::{self, EndToEnd};
use crate::store::{Database, Tx, numbers};
use crate::story::Story;

/// Stories that are read at a time to fill a table.
const PAGE: i64 = 500;

/// The most pull requests that are read to find those that wait.
const PULLS_MAX: i64 = 2_000;

/// A stored story, before a fold.
#[derive(Debug)]
pub struct StoredStory {
    pub number: i64,
    pub id: String,
    pub cluster: i64,
    pub item_id: i64,
}

/// The stored stories of these clusters.
pub async fn stories_of_clusters(
    tx: &mut Tx,
    clusters: &[i64],
) -> anyhow::Result<Vec<StoredStory>> {
    let clusters = serde_json::to_string(clusters)?;
    sqlx::query_as!(
        StoredStory,
        r#"SELECT s.number AS "number!", s.id AS "id!", s.cluster AS "cluster!", s.item_id AS "item_id!"
           FROM json_each($1) j CROSS JOIN stories s ON s.cluster = j.value"#,
        clusters
    )
    .fetch_all(&mut **tx)
    .await
    .context("reading stories")
}

/// The compressed stories with these numbers.
pub async fn packed_stories(tx: &mut Tx, numbers: &[i64]) -> anyhow::Result<HashMap<i64, Vec<u8>>> {
    if numbers.is_empty() {
        return Ok(HashMap::new());
    }
    let numbers = serde_json::to_string(numbers)?;
    let rows = sqlx::query!(
        r#"SELECT s.number AS "number!", s.told AS "told!" FROM json_each($1) j CROSS JOIN stories s ON s.number = j.value"#,
        numbers
    )
    .fetch_all(&mut **tx)
    .await
    .context("reading what stories say")?;
    Ok(rows.into_iter().map(|row| (row.number, row.told)).collect())
}

/// A story to be stored.
#[derive(Debug)]
pub struct StoryUpdate<'a> {
    /// The number of the stored story with this id, or a new one.
    pub number: i64,
    /// Whether no stored story has this id.
    pub is_new: bool,
    pub cluster: i64,
    /// Its items, earliest first.
    pub items: Vec<i64>,
    /// Its items that may be in no story, or in another one.
    pub unplaced: Vec<i64>,
    pub story: &'a Story,
}

/// The number of the next story.
pub async fn next_number(tx: &mut Tx) -> anyhow::Result<i64> {
    sqlx::query_scalar!(r#"SELECT COALESCE(MAX(number), 0) + 1 AS "number!: i64" FROM stories"#)
        .fetch_one(&mut **tx)
        .await
        .context("asking for the next story's number")
}

/// Remembers ids that lead to the story of an item, each with the item that gave it.
pub async fn remember_ids(tx: &mut Tx, ids: &[(&str, i64)]) -> anyhow::Result<()> {
    let ids = serde_json::to_string(ids)?;
    sqlx::query!(
        "INSERT INTO story_aliases (alias, item_id) SELECT value ->> 0, value ->> 1 FROM json_each($1) WHERE true
         ON CONFLICT DO NOTHING",
        ids
    )
    .execute(&mut **tx)
    .await
    .context("remembering the ids of stories")?;
    Ok(())
}

/// Deletes stories whose items are in other stories now. Their ids stay as aliases.
pub async fn remove_stories(tx: &mut Tx, gone: &[StoredStory]) -> anyhow::Result<()> {
    if gone.is_empty() {
        return Ok(());
    }
    let ids = gone.iter();
    let ids: Vec<(&str, i64)> = ids.map(|before| (&*before.id, before.item_id)).collect();
    remember_ids(tx, &ids).await?;
    let gone: Vec<i64> = gone.iter().map(|before| before.number).collect();
    take_out_of_search(tx, &gone).await?;
    let gone = serde_json::to_string(&gone)?;
    sqlx::query!(
        "UPDATE members SET story = NULL WHERE story IN (SELECT value FROM json_each($1))",
        gone
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "DELETE FROM stories WHERE number IN (SELECT value FROM json_each($1))",
        gone
    )
    .execute(&mut **tx)
    .await
    .context("removing stories")?;
    Ok(())
}

/// Packs a story: JSON, compressed. Equal stories give equal bytes.
pub fn pack(story: &Story) -> anyhow::Result<Vec<u8>> {
    packed::pack(&serde_json::to_vec(story)?).context("a story")
}

/// Reverses [`pack`].
pub fn unpack_story(packed: &[u8]) -> anyhow::Result<Story> {
    let plain = packed::unpack(packed).context("a story")?;
    serde_json::from_slice(&plain).context("reading a story")
}

/// The latest stories that are about BPF and not muted, each with the item that gave its id.
pub async fn latest_stories(tx: &mut Tx, most: i64) -> anyhow::Result<Vec<(i64, Story)>> {
    let rows = sqlx::query!(
        "SELECT item_id, told FROM stories
         WHERE relevant = 1 AND number NOT IN (SELECT m.story FROM mutes u JOIN members m ON m.item_id = u.item_id
                                               WHERE m.story IS NOT NULL)
         ORDER BY last_at DESC, number DESC LIMIT $1",
        most
    )
    .fetch_all(&mut **tx)
    .await
    .context("reading the latest stories")?;
    let read = rows
        .iter()
        .map(|row| Ok((row.item_id, unpack_story(&row.told)?)));
    read.collect()
}

/// The pull requests about BPF that were sent since `since`, and were not retracted.
pub async fn pulls_since(
    mut database: Database<'_>,
    since: DateTime<Utc>,
) -> anyhow::Result<Vec<Story>> {
    let since = since.timestamp();
    let rows = sqlx::query_scalar!(
        "SELECT told FROM stories INDEXED BY stories_pulls
         WHERE kind = 'pull' AND relevant = 1 AND first_at >= $1
           AND number NOT IN (SELECT number FROM retracted_stories)
         ORDER BY first_at DESC, number DESC LIMIT $2",
        since,
        PULLS_MAX
    )
    .fetch_all(&mut *database.acquire().await?)
    .await
    .context("reading the pull requests")?;
    rows.iter().map(|told| unpack_story(told)).collect()
}

/// Stores new or changed stories and their full text, with a fixed number of statements.
pub async fn put_stories(
    tx: &mut Tx,
    stories: &[(StoryUpdate<'_>, Vec<u8>)],
) -> anyhow::Result<()> {
    if stories.is_empty() {
        return Ok(());
    }
    let (mut rows, mut searched_by, mut members) = (Vec::new(), Vec::new(), Vec::new());
    let mut all_told = EndToEnd::default();
    for (after, told) in stories {
        let story = after.story;
        let (number, first) = (
            after.number,
            after.items.first().copied().unwrap_or_default(),
        );
        let (told_at, told_bytes) = all_told.put(told);
        rows.push(json!({
            "number": number, "id": story.id, "item": first, "cluster": after.cluster, "kind": story.kind,
            "state": story.state, "author": story.author, "tree": story.tree, "first_at": story.first_at.timestamp(),
            "last_at": story.last_at.timestamp(), "score": story.score, "relevant": i64::from(story.relevant),
            "free_on": story.free_on.map(days), "told_at": told_at, "told_bytes": told_bytes,
        }));
        let (title, people, words) = searched(story);
        searched_by.push(json!([number, title, people, words]));
        members.extend(after.unplaced.iter().map(|item| json!([item, number])));
    }
    let (rows, searched_by) = (
        serde_json::to_string(&rows)?,
        serde_json::to_string(&searched_by)?,
    );
    sqlx::query!(
        "WITH j (v) AS MATERIALIZED (SELECT value FROM json_each($1))
         INSERT INTO stories (number, id, item_id, cluster, kind, state, author, tree, first_at, last_at, score, relevant,
                              free_on, told)
         SELECT v ->> 'number', v ->> 'id', v ->> 'item', v ->> 'cluster', v ->> 'kind', v ->> 'state', v ->> 'author',
                v ->> 'tree', v ->> 'first_at', v ->> 'last_at', v ->> 'score', v ->> 'relevant', v ->> 'free_on',
                substr($2, v ->> 'told_at', v ->> 'told_bytes')
         FROM j WHERE true
         ON CONFLICT (number) DO UPDATE SET item_id = excluded.item_id, cluster = excluded.cluster,
             kind = excluded.kind, state = excluded.state, author = excluded.author, tree = excluded.tree,
             first_at = excluded.first_at, last_at = excluded.last_at, score = excluded.score,
             relevant = excluded.relevant, free_on = excluded.free_on, told = excluded.told",
        rows,
        all_told.0
    )
    .execute(&mut **tx)
    .await
    .context("storing stories")?;
    let numbered = stories.iter().map(|(after, _)| (after.number, after.story));
    let numbered: Vec<(i64, &Story)> = numbered.collect();
    put_index(tx, &numbered).await?;
    let known = stories.iter().filter(|(after, _)| !after.is_new);
    let known: Vec<i64> = known.map(|(after, _)| after.number).collect();
    take_out_of_search(tx, &known).await?;
    sqlx::query!(
        "WITH j (v) AS MATERIALIZED (SELECT value FROM json_each($1))
         INSERT INTO story_search (rowid, title, people, words) SELECT v ->> 0, v ->> 1, v ->> 2, v ->> 3 FROM j",
        searched_by
    )
    .execute(&mut **tx)
    .await
    .context("putting stories into the full text")?;
    let counted = stories.iter();
    let counted = counted.map(|(after, _)| (after.number, after.is_new, after.story));
    numbers::put_figures(tx, counted).await?;
    put_members(tx, &members).await
}

/// Fills the tables beside the stored stories, after the migrations that made them: those of lists and filters, and the figures
/// unless they are there. A story that cannot be read is left out.
pub(in crate::store) async fn fill_from_stories(
    connection: &mut sqlx::SqliteConnection,
    has_figures: bool,
) -> anyhow::Result<()> {
    let mut after = 0;
    loop {
        let page = sqlx::query!(
            r#"SELECT number AS "number!", told AS "told!" FROM stories
               WHERE number > $1 AND relevant = 1 ORDER BY number LIMIT $2"#,
            after,
            PAGE
        )
        .fetch_all(&mut *connection)
        .await
        .context("reading the stories after an upgrade")?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = last.number;
        let read = page.iter();
        let read = read.filter_map(|row| Some((row.number, unpack_story(&row.told).ok()?)));
        let stories: Vec<(i64, Story)> = read.collect();
        let stories: Vec<(i64, &Story)> = stories.iter().map(|(n, story)| (*n, story)).collect();
        put_index(connection, &stories).await?;
        if !has_figures {
            let new = stories
                .iter()
                .map(|(number, story)| (*number, true, *story));
            numbers::put_figures(connection, new).await?;
        }
    }
}

/// Deletes stories from the full text.
async fn take_out_of_search(tx: &mut Tx, stories: &[i64]) -> anyhow::Result<()> {
    if stories.is_empty() {
        return Ok(());
    }
    let stories = serde_json::to_string(stories)?;
    sqlx::query!(
        "DELETE FROM story_search WHERE rowid IN (SELECT value FROM json_each($1))",
        stories
    )
    .execute(&mut **tx)
    .await
    .context("taking stories out of the full text")?;
    Ok(())
}

async fn put_members(tx: &mut Tx, members: &[serde_json::Value]) -> anyhow::Result<()> {
    if members.is_empty() {
        return Ok(());
    }
    let members = serde_json::to_string(members)?;
    sqlx::query!(
        "UPDATE members SET story = j.value ->> 1 FROM json_each($1) j
         WHERE members.item_id = j.value ->> 0 AND members.story IS NOT j.value ->> 1",
        members
    )
    .execute(&mut **tx)
    .await
    .context("putting items into stories")?;
    Ok(())
}

/// The columns of full text: title; people; titles of patches, summary, changes, tree, CVEs.
fn searched(story: &Story) -> (String, String, String) {
    let people = story
        .people
        .iter()
        .map(|part| part.name.as_str())
        .chain(story.author.as_deref());
    let patches = story
        .revisions
        .iter()
        .flat_map(|revision| revision.patches.iter().map(|patch| patch.subject.as_str()));
    let mut words: Vec<&str> = patches
        .chain(story.summary.iter().map(String::as_str))
        .chain(story.changes.values().map(String::as_str))
        .chain(story.cves.iter().map(String::as_str))
        .chain(story.tree.as_deref())
        .collect();
    let mut seen = std::collections::HashSet::new();
    words.retain(|word| seen.insert(*word));
    (
        story.title.clone(),
        people.collect::<Vec<_>>().join("\n"),
        words.join("\n"),
    )
}

pub(super) fn days(day: NaiveDate) -> i64 {
    day.signed_duration_since(DateTime::UNIX_EPOCH.date_naive())
        .num_days()
}
