//! Stories, and what leads items to them: clusters, join keys, mentions.

use std::collections::HashMap;

use anyhow::Context as _;
use chrono::{DateTime, NaiveDate};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::SqlitePool;

use super::Tx;
use super::items::{day, unpack};
use crate::item::{Kind, Person};
use crate::story::key::{Key, of_digest};
use crate::story::{Kept, Story};

/// zstd's level for stories.
const COMPRESSION_LEVEL: i32 = 3;

/// An item with its cluster.
#[derive(Debug)]
pub struct Member {
    /// The cluster's number.
    pub cluster: i64,
    /// The item.
    pub kept: Kept,
}

/// Gives new items a cluster of their own; known ones keep theirs. Gives those that were new.
pub async fn add_members(tx: &mut Tx, items: &[i64]) -> anyhow::Result<()> {
    let items = serde_json::to_string(items)?;
    sqlx::query!(
        "INSERT INTO members (item_id, cluster) SELECT value, value FROM json_each($1) WHERE true ON CONFLICT DO NOTHING",
        items
    )
    .execute(&mut **tx)
    .await
    .context("adding items to clusters")?;
    Ok(())
}

/// The clusters of items.
pub async fn clusters_of_items(tx: &mut Tx, items: &[i64]) -> anyhow::Result<HashMap<i64, i64>> {
    let items = serde_json::to_string(items)?;
    let rows = sqlx::query!(
        r#"SELECT m.item_id AS "item_id!", m.cluster FROM json_each($1) j CROSS JOIN members m ON m.item_id = j.value"#,
        items
    )
    .fetch_all(&mut **tx)
    .await
    .context("asking for the clusters of items")?;
    Ok(rows
        .into_iter()
        .map(|row| (row.item_id, row.cluster))
        .collect())
}

/// The clusters that these join keys lead to.
pub async fn clusters_of_keys(tx: &mut Tx, keys: &[Key]) -> anyhow::Result<HashMap<Key, i64>> {
    let keys = serde_json::to_string(keys)?;
    let rows = sqlx::query!(
        r#"SELECT k.key AS "key!", m.cluster FROM json_each($1) j
           CROSS JOIN join_keys k ON k.key = j.value CROSS JOIN members m ON m.item_id = k.item_id"#,
        keys
    )
    .fetch_all(&mut **tx)
    .await
    .context("asking for the clusters of join keys")?;
    Ok(rows.into_iter().map(|row| (row.key, row.cluster)).collect())
}

/// Stores join keys with an item that carries each; whoever had one first keeps it.
pub async fn put_keys(tx: &mut Tx, keys: &[(Key, i64)]) -> anyhow::Result<()> {
    let keys = serde_json::to_string(keys)?;
    sqlx::query!(
        "INSERT INTO join_keys (key, item_id) SELECT value ->> 0, value ->> 1 FROM json_each($1) WHERE true
         ON CONFLICT DO NOTHING",
        keys
    )
    .execute(&mut **tx)
    .await
    .context("storing join keys")?;
    Ok(())
}

/// Stores what items say of other things.
pub async fn put_mentions(tx: &mut Tx, mentions: &[(Key, i64)]) -> anyhow::Result<()> {
    if mentions.is_empty() {
        return Ok(());
    }
    let mentions = serde_json::to_string(mentions)?;
    sqlx::query!(
        "INSERT INTO mentions (key, item_id) SELECT value ->> 0, value ->> 1 FROM json_each($1) WHERE true
         ON CONFLICT DO NOTHING",
        mentions
    )
    .execute(&mut **tx)
    .await
    .context("storing mentions")?;
    Ok(())
}

/// Moves whole clusters: each pair is (from, to).
pub async fn move_clusters(tx: &mut Tx, moves: &[(i64, i64)]) -> anyhow::Result<()> {
    for (from, to) in moves {
        sqlx::query!(
            "UPDATE members SET cluster = $2 WHERE cluster = $1",
            from,
            to
        )
        .execute(&mut **tx)
        .await
        .context("joining clusters")?;
        sqlx::query!(
            "UPDATE stories SET cluster = $2 WHERE cluster = $1",
            from,
            to
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// Forgets everything that folding made, but for the ids that stories had.
pub async fn clear(tx: &mut Tx) -> anyhow::Result<()> {
    sqlx::query!("INSERT INTO story_aliases (alias, item_id) SELECT id, item_id FROM stories WHERE true ON CONFLICT DO NOTHING")
        .execute(&mut **tx)
        .await?;
    sqlx::query!("DELETE FROM members")
        .execute(&mut **tx)
        .await?;
    sqlx::query!("DELETE FROM join_keys")
        .execute(&mut **tx)
        .await?;
    sqlx::query!("DELETE FROM mentions")
        .execute(&mut **tx)
        .await?;
    sqlx::query!("DELETE FROM stories")
        .execute(&mut **tx)
        .await?;
    sqlx::query!("DELETE FROM story_search")
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Forgets aliases that are ids again.
pub async fn forget_needless_aliases(tx: &mut Tx) -> anyhow::Result<()> {
    sqlx::query!("DELETE FROM story_aliases WHERE alias IN (SELECT id FROM stories)")
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// A digest over all stories, to see whether a refold changed anything: how many there are, and a sum of what they say.
pub async fn digest(tx: &mut Tx) -> anyhow::Result<(usize, Vec<u8>)> {
    let rows = sqlx::query!("SELECT id, told FROM stories ORDER BY id")
        .fetch_all(&mut **tx)
        .await?;
    let mut digest = Sha256::new();
    for row in &rows {
        digest.update(&row.id);
        digest.update(&row.told);
    }
    Ok((rows.len(), digest.finalize().to_vec()))
}

/// The items of these clusters.
pub async fn members_of_clusters(tx: &mut Tx, clusters: &[i64]) -> anyhow::Result<Vec<Member>> {
    let clusters = serde_json::to_string(clusters)?;
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT i.id AS "id!", m.cluster AS "cluster!", i.kind AS "kind!", i.ref AS "reference!", i.title AS "title!",
                  i.author AS "author!", i.email AS "email!", i.at AS "at!", i.written_at, i.url, i.parent, i.free_on,
                  t.body,
                  (SELECT json_group_array(json_object('name', f.name, 'kind', f.kind, 'url', f.url, 'role', f.role,
                                                       'branch', f.branch, 'home', json(iif(f.bpf_only, 'true', 'false')))
                                           ORDER BY f.name)
                   FROM sightings s JOIN feeds f ON f.id = s.feed_id WHERE s.item_id = i.id) AS "feeds!: String"
           FROM json_each($1) j CROSS JOIN members m ON m.cluster = j.value
           CROSS JOIN items i ON i.id = m.item_id LEFT JOIN texts t ON t.item_id = i.id"#,
        clusters
    )
    .fetch_all(&mut **tx)
    .await
    .context("reading the items of clusters")?;
    rows.into_iter().map(Row::member).collect()
}

/// New or changed items with their clusters.
pub async fn members_by_number(tx: &mut Tx, items: &[i64]) -> anyhow::Result<Vec<Member>> {
    let items = serde_json::to_string(items)?;
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT i.id AS "id!", m.cluster AS "cluster!", i.kind AS "kind!", i.ref AS "reference!", i.title AS "title!",
                  i.author AS "author!", i.email AS "email!", i.at AS "at!", i.written_at, i.url, i.parent, i.free_on,
                  t.body,
                  (SELECT json_group_array(json_object('name', f.name, 'kind', f.kind, 'url', f.url, 'role', f.role,
                                                       'branch', f.branch, 'home', json(iif(f.bpf_only, 'true', 'false')))
                                           ORDER BY f.name)
                   FROM sightings s JOIN feeds f ON f.id = s.feed_id WHERE s.item_id = i.id) AS "feeds!: String"
           FROM json_each($1) j CROSS JOIN members m ON m.item_id = j.value
           CROSS JOIN items i ON i.id = m.item_id LEFT JOIN texts t ON t.item_id = i.id"#,
        items
    )
    .fetch_all(&mut **tx)
    .await
    .context("reading items")?;
    rows.into_iter().map(Row::member).collect()
}

/// An item's row, as folding reads it.
struct Row {
    id: i64,
    cluster: i64,
    kind: i64,
    reference: String,
    title: String,
    author: String,
    email: String,
    at: i64,
    written_at: Option<i64>,
    url: Option<String>,
    parent: Option<Vec<u8>>,
    free_on: Option<i64>,
    body: Option<Vec<u8>>,
    feeds: String,
}

impl Row {
    fn member(self) -> anyhow::Result<Member> {
        // A text that cannot be unpacked stops only itself: the item is folded without it.
        let (headers, text) = self
            .body
            .as_deref()
            .and_then(|body| unpack(body).ok())
            .unwrap_or_default();
        let time = |at: i64| DateTime::from_timestamp(at, 0).unwrap_or_default();
        Ok(Member {
            cluster: self.cluster,
            kept: Kept {
                id: self.id,
                kind: Kind::from_code(self.kind)
                    .with_context(|| format!("item {} is of no known kind", self.id))?,
                reference: self.reference,
                title: self.title,
                author: Person {
                    name: self.author,
                    email: self.email,
                },
                at: time(self.at),
                written_at: self.written_at.map(time),
                url: self.url,
                parent: self.parent.as_deref().and_then(of_digest),
                paid: self.free_on.map(day),
                feeds: serde_json::from_str(&self.feeds).context("reading the feeds of an item")?,
                text,
                headers,
            },
        })
    }
}

/// The items that mention any of these keys.
pub async fn items_that_mention(tx: &mut Tx, keys: &[Key]) -> anyhow::Result<Vec<i64>> {
    let keys = serde_json::to_string(keys)?;
    sqlx::query_scalar!(
        r#"SELECT DISTINCT n.item_id AS "item_id!" FROM json_each($1) j CROSS JOIN mentions n ON n.key = j.value"#,
        keys
    )
    .fetch_all(&mut **tx)
    .await
    .context("asking who mentions this")
}

/// A story as it was stored, before a fold.
#[derive(Debug)]
pub struct Before {
    /// Its number.
    pub number: i64,
    /// Its id.
    pub id: String,
    /// The cluster that it is in.
    pub cluster: i64,
    /// Its earliest item.
    pub item_id: i64,
    /// The whole of it, compressed.
    pub told: Vec<u8>,
}

/// The stories of these clusters, as they stand.
pub async fn stories_of_clusters(tx: &mut Tx, clusters: &[i64]) -> anyhow::Result<Vec<Before>> {
    let clusters = serde_json::to_string(clusters)?;
    sqlx::query_as!(
        Before,
        r#"SELECT s.number AS "number!", s.id AS "id!", s.cluster AS "cluster!", s.item_id AS "item_id!", s.told AS "told!"
           FROM json_each($1) j CROSS JOIN stories s ON s.cluster = j.value"#,
        clusters
    )
    .fetch_all(&mut **tx)
    .await
    .context("reading stories")
}

/// A story to be stored.
#[derive(Debug)]
pub struct After<'a> {
    /// Its number: of the story with this id, or a new one.
    pub number: i64,
    /// Its cluster.
    pub cluster: i64,
    /// Its items, the earliest first.
    pub items: Vec<i64>,
    /// The story.
    pub story: &'a Story,
}

/// The number of the next story.
pub async fn next_number(tx: &mut Tx) -> anyhow::Result<i64> {
    sqlx::query_scalar!(r#"SELECT COALESCE(MAX(number), 0) + 1 AS "number!: i64" FROM stories"#)
        .fetch_one(&mut **tx)
        .await
        .context("asking for the next story's number")
}

/// Removes stories whose items are in others now. Their ids stay as aliases.
pub async fn remove_stories(tx: &mut Tx, gone: &[Before]) -> anyhow::Result<()> {
    if gone.is_empty() {
        return Ok(());
    }
    let aliases: Vec<_> = gone
        .iter()
        .map(|before| (&before.id, before.item_id))
        .collect();
    let aliases = serde_json::to_string(&aliases)?;
    sqlx::query!(
        "INSERT INTO story_aliases (alias, item_id) SELECT value ->> 0, value ->> 1 FROM json_each($1) WHERE true
         ON CONFLICT DO NOTHING",
        aliases
    )
    .execute(&mut **tx)
    .await
    .context("remembering the ids of stories")?;
    let gone: Vec<i64> = gone.iter().map(|before| before.number).collect();
    let gone = serde_json::to_string(&gone)?;
    sqlx::query!(
        "UPDATE members SET story = NULL WHERE story IN (SELECT value FROM json_each($1))",
        gone
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "DELETE FROM story_search WHERE rowid IN (SELECT value FROM json_each($1))",
        gone
    )
    .execute(&mut **tx)
    .await
    .context("removing stories from the full text")?;
    sqlx::query!(
        "DELETE FROM stories WHERE number IN (SELECT value FROM json_each($1))",
        gone
    )
    .execute(&mut **tx)
    .await
    .context("removing stories")?;
    Ok(())
}

/// The story as it is stored: JSON, compressed. Equal stories give equal bytes.
pub fn pack(story: &Story) -> anyhow::Result<Vec<u8>> {
    let plain = serde_json::to_vec(story)?;
    zstd::bulk::compress(&plain, COMPRESSION_LEVEL).context("compressing a story")
}

/// Stores stories, new or changed, with what full text finds them by.
pub async fn put_stories(tx: &mut Tx, stories: &[(After<'_>, Vec<u8>)]) -> anyhow::Result<()> {
    let mut members = Vec::new();
    for (after, told) in stories {
        let story = after.story;
        let (kind, state) = (word(&story.kind)?, word(&story.state)?);
        let (first_at, last_at) = (story.first_at.timestamp(), story.last_at.timestamp());
        let free_on = story.free_on.map(days);
        let first = after.items.first().copied().unwrap_or_default();
        sqlx::query!(
            "INSERT INTO stories (number, id, item_id, cluster, kind, state, author, tree, first_at, last_at, score,
                                  relevant, free_on, told)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
             ON CONFLICT (number) DO UPDATE SET item_id = excluded.item_id, cluster = excluded.cluster,
                 kind = excluded.kind, state = excluded.state, author = excluded.author, tree = excluded.tree,
                 first_at = excluded.first_at, last_at = excluded.last_at, score = excluded.score,
                 relevant = excluded.relevant, free_on = excluded.free_on, told = excluded.told",
            after.number,
            story.id,
            first,
            after.cluster,
            kind,
            state,
            story.author,
            story.tree,
            first_at,
            last_at,
            story.score,
            story.relevant,
            free_on,
            told
        )
        .execute(&mut **tx)
        .await
        .context("storing a story")?;
        let (title, people, words) = searched(story);
        sqlx::query!("DELETE FROM story_search WHERE rowid = $1", after.number)
            .execute(&mut **tx)
            .await?;
        sqlx::query!(
            "INSERT INTO story_search (rowid, title, people, words) VALUES ($1, $2, $3, $4)",
            after.number,
            title,
            people,
            words
        )
        .execute(&mut **tx)
        .await
        .context("putting a story into the full text")?;
        members.extend(after.items.iter().map(|item| json!([item, after.number])));
    }
    put_members(tx, &members).await
}

async fn put_members(tx: &mut Tx, members: &[serde_json::Value]) -> anyhow::Result<()> {
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

/// What full text looks in: the title; people; titles of patches, summary, changes, tree, commits.
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

/// The word by which serde writes a variant.
fn word(variant: &impl serde::Serialize) -> anyhow::Result<String> {
    match serde_json::to_value(variant)? {
        serde_json::Value::String(word) => Ok(word),
        other => anyhow::bail!("{other} is no word"),
    }
}

fn days(day: NaiveDate) -> i64 {
    day.signed_duration_since(DateTime::UNIX_EPOCH.date_naive())
        .num_days()
}

/// Which stories are wanted; `None` means any.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Words, as full text looks for them.
    pub words: Option<String>,
    /// Part of the author's name.
    pub author: Option<String>,
    /// Part of the tree's name.
    pub tree: Option<String>,
    /// The kind's word.
    pub kind: Option<String>,
    /// The state's word.
    pub state: Option<String>,
    /// A feed that carries some of it.
    pub feed: Option<String>,
    /// Moved since, unix seconds.
    pub since: Option<i64>,
    /// First seen before, unix seconds.
    pub until: Option<i64>,
    /// Only what is about BPF.
    pub only_relevant: bool,
    /// The least score.
    pub score: Option<i64>,
}

/// What a person typed, as full text takes it: words, `"a phrase"`, `word*`, and a column before any of them
/// (`title:word`, `people:word`). Everything else is quoted, so that nothing is a syntax error.
pub fn match_words(typed: &str) -> String {
    let mut terms = Vec::new();
    let mut rest = typed.trim();
    while !rest.is_empty() {
        let column = ["title:", "people:", "words:"]
            .into_iter()
            .find(|column| rest.starts_with(column));
        let column = column.unwrap_or_default();
        rest = &rest[column.len()..];
        let (term, after) = match rest.strip_prefix('"') {
            Some(phrase) => phrase.split_once('"').unwrap_or((phrase, "")),
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        let (term, star) = term
            .strip_suffix('*')
            .map_or((term, ""), |term| (term, "*"));
        if term.chars().any(char::is_alphanumeric) {
            terms.push(format!("{column}\"{}\"{star}", term.replace('"', " ")));
        }
        rest = after.trim_start();
    }
    terms.join(" ")
}

/// Reads a stored story: `today` (days since 1970) decides whether an article is free by now.
fn read(
    told: &[u8],
    state: &str,
    today: i64,
    free_on: Option<i64>,
    aliases: &str,
) -> anyhow::Result<Story> {
    let plain = zstd::decode_all(told).context("unpacking a story")?;
    let mut story: Story = serde_json::from_slice(&plain).context("reading a story")?;
    story.aliases = serde_json::from_str(aliases)?;
    story.free_on = free_on.and_then(day);
    if state == "paid" && free_on.is_some_and(|free_on| free_on <= today) {
        story.state = crate::story::State::Free;
    }
    Ok(story)
}

/// Stories, the latest first (or the best match first, where words are wanted), up to `most` after the first `skip`.
pub async fn list_stories(
    pool: &SqlitePool,
    wanted: &Wanted,
    today: i64,
    most: i64,
    skip: i64,
) -> anyhow::Result<Vec<Story>> {
    let rows = sqlx::query!(
        r#"SELECT s.told AS "told!", s.state AS "state!", s.free_on,
                  (SELECT json_group_array(a.alias ORDER BY a.alias) FROM members m CROSS JOIN story_aliases a ON a.item_id = m.item_id
                   WHERE m.story = s.number AND a.alias <> s.id) AS "aliases!: String"
           FROM stories s
           LEFT JOIN (SELECT rowid AS number, rank FROM story_search WHERE $1 IS NOT NULL AND story_search MATCH COALESCE($1, 'a')) f
                  ON f.number = s.number
           WHERE ($1 IS NULL OR f.number IS NOT NULL)
             AND ($2 IS NULL OR instr(lower(s.author), lower($2)) > 0)
             AND ($3 IS NULL OR instr(lower(s.tree), lower($3)) > 0)
             AND ($4 IS NULL OR s.kind = $4)
             AND ($5 IS NULL OR CASE WHEN s.state = 'paid' AND s.free_on <= $6 THEN 'free' ELSE s.state END = $5)
             AND ($7 IS NULL OR s.last_at >= $7) AND ($8 IS NULL OR s.first_at < $8)
             AND ($9 = 0 OR s.relevant = 1) AND ($10 IS NULL OR s.score >= $10)
             AND ($13 IS NULL OR EXISTS (SELECT 1 FROM members m JOIN sightings g ON g.item_id = m.item_id
                                         JOIN feeds d ON d.id = g.feed_id WHERE m.story = s.number AND d.name = $13))
           ORDER BY f.rank, s.last_at DESC, s.number DESC LIMIT $11 OFFSET $12"#,
        wanted.words,
        wanted.author,
        wanted.tree,
        wanted.kind,
        wanted.state,
        today,
        wanted.since,
        wanted.until,
        wanted.only_relevant,
        wanted.score,
        most,
        skip,
        wanted.feed
    )
    .fetch_all(pool)
    .await
    .context("listing stories")?;
    rows.iter()
        .map(|row| read(&row.told, &row.state, today, row.free_on, &row.aliases))
        .collect()
}

/// The story with that id, now or before; `None` where there is none.
pub async fn story_by_id(pool: &SqlitePool, id: &str, today: i64) -> anyhow::Result<Option<Story>> {
    let number = sqlx::query_scalar!(
        r#"SELECT number AS "number!" FROM stories WHERE id = $1
           UNION ALL
           SELECT m.story FROM story_aliases a JOIN members m ON m.item_id = a.item_id WHERE a.alias = $1 LIMIT 1"#,
        id
    )
    .fetch_optional(pool)
    .await
    .context("looking for a story")?;
    match number {
        Some(number) => story_by_number(pool, number, today).await,
        None => Ok(None),
    }
}

/// The stories that a join key may lead to: those of the cluster in which it is.
pub async fn stories_near_key(
    pool: &SqlitePool,
    key: Key,
    today: i64,
) -> anyhow::Result<Vec<Story>> {
    let numbers = sqlx::query_scalar!(
        r#"SELECT s.number AS "number!" FROM join_keys k JOIN members m ON m.item_id = k.item_id
           JOIN stories s ON s.cluster = m.cluster WHERE k.key = $1 ORDER BY s.last_at DESC, s.number DESC"#,
        key
    )
    .fetch_all(pool)
    .await
    .context("looking for stories")?;
    let mut stories = Vec::new();
    for number in numbers {
        stories.extend(story_by_number(pool, number, today).await?);
    }
    Ok(stories)
}

/// The story with an item of that kind and reference.
pub async fn story_of_item(
    pool: &SqlitePool,
    kind: Kind,
    digest: &[u8],
    today: i64,
) -> anyhow::Result<Option<Story>> {
    let kind = kind.code();
    let number = sqlx::query_scalar!(
        "SELECT m.story FROM item_keys k JOIN members m ON m.item_id = k.item_id WHERE k.kind = $1 AND k.digest = $2",
        kind,
        digest
    )
    .fetch_optional(pool)
    .await?
    .flatten();
    match number {
        Some(number) => story_by_number(pool, number, today).await,
        None => Ok(None),
    }
}

async fn story_by_number(
    pool: &SqlitePool,
    number: i64,
    today: i64,
) -> anyhow::Result<Option<Story>> {
    let row = sqlx::query!(
        r#"SELECT s.told, s.state, s.free_on,
                  (SELECT json_group_array(a.alias ORDER BY a.alias) FROM members m CROSS JOIN story_aliases a ON a.item_id = m.item_id
                   WHERE m.story = s.number AND a.alias <> s.id) AS "aliases!: String"
           FROM stories s WHERE s.number = $1"#,
        number
    )
    .fetch_optional(pool)
    .await
    .context("reading a story")?;
    row.map(|row| read(&row.told, &row.state, today, row.free_on, &row.aliases))
        .transpose()
}
