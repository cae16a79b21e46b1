//! Queries about stories.

use anyhow::Context as _;

use crate::item::ItemKind;
use crate::store::Readers;
use crate::store::items::day;
use crate::store::packed;
use crate::story::Story;
use crate::story::key::JoinKey;

/// The most terms of a search; each walks through an index.
const TERMS_MAX: usize = 40;
/// The most words in a search for any of them.
const SOME_MAX: usize = 8;

/// A filter for stories; `None` matches everything.
#[derive(Debug, Clone, Default)]
pub struct StoryFilter {
    /// A full-text query.
    pub words: Option<String>,
    /// Part of the author's name.
    pub author: Option<String>,
    /// Part of the tree's name.
    pub tree: Option<String>,
    pub kind: Option<String>,
    pub state: Option<String>,
    /// A feed that carries some of it.
    pub feed: Option<String>,
    /// Changed since, unix seconds.
    pub since: Option<i64>,
    /// First seen before, unix seconds.
    pub until: Option<i64>,
    /// Only stories about BPF.
    pub only_relevant: bool,
    pub score: Option<i64>,
}

/// The message for an empty search.
pub const NO_WORDS: &str =
    "There is no word in that to look for: a word has at least one letter or digit.";

/// Turns a person's input into a full-text query: words, `"a phrase"`, `word*`, and a column before any of them
/// (`title:word`, `people:word`). Everything else is quoted, so no input is a syntax error.
pub fn match_words(typed: &str) -> String {
    terms(typed).join(" ")
}

/// The same, but any word is enough, and a word may continue.
pub fn match_some(typed: &str) -> String {
    let open = |term: String| {
        if term.ends_with('*') {
            term
        } else {
            format!("{term}*")
        }
    };
    let mut all: Vec<String> = terms(typed).into_iter().map(open).collect();
    all.truncate(SOME_MAX);
    all.join(" OR ")
}

/// The same for unfinished input: the last word may continue.
pub fn match_begun(typed: &str) -> String {
    let mut all = terms(typed);
    if let Some(last) = all.last_mut().filter(|last| !last.ends_with('*')) {
        last.push('*');
    }
    all.join(" ")
}

fn terms(typed: &str) -> Vec<String> {
    let mut terms = Vec::new();
    // A NUL would end the full-text query.
    let typed = typed.replace(char::is_control, " ");
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
    terms.truncate(TERMS_MAX);
    terms
}

/// Reads a stored story. `today` (days since 1970) decides whether an article is free by now.
pub(super) fn read(
    told: &[u8],
    state: &str,
    today: i64,
    free_on: Option<i64>,
    aliases: &str,
) -> anyhow::Result<Story> {
    let plain = packed::unpack(told).context("a story")?;
    let mut story: Story = serde_json::from_slice(&plain).context("reading a story")?;
    story.aliases = serde_json::from_str(aliases)?;
    story.free_on = free_on.and_then(day);
    if state == "paid" && free_on.is_some_and(|free_on| free_on <= today) {
        story.state = crate::story::State::Free;
    }
    Ok(story)
}

/// Stories, latest first, or best match first if `words` is set: at most `most` after the first `skip`.
pub async fn list_stories(
    readers: &Readers,
    wanted: &StoryFilter,
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
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("listing stories")?;
    rows.iter()
        .map(|row| read(&row.told, &row.state, today, row.free_on, &row.aliases))
        .collect()
}

/// The story with this id or former id.
pub async fn story_by_id(readers: &Readers, id: &str, today: i64) -> anyhow::Result<Option<Story>> {
    let number = sqlx::query_scalar!(
        r#"SELECT number AS "number!" FROM stories WHERE id = $1
           UNION ALL
           SELECT m.story FROM story_aliases a JOIN members m ON m.item_id = a.item_id WHERE a.alias = $1 LIMIT 1"#,
        id
    )
    .fetch_optional(&mut *readers.acquire().await?)
    .await
    .context("looking for a story")?;
    match number {
        Some(number) => story_by_number(readers, number, today).await,
        None => Ok(None),
    }
}

/// The stories of the cluster that contains a join key.
pub async fn stories_near_key(
    readers: &Readers,
    key: JoinKey,
    today: i64,
) -> anyhow::Result<Vec<Story>> {
    let numbers = sqlx::query_scalar!(
        r#"SELECT s.number AS "number!" FROM join_keys k JOIN members m ON m.item_id = k.item_id
           JOIN stories s ON s.cluster = m.cluster WHERE k.key = $1 ORDER BY s.last_at DESC, s.number DESC"#,
        key
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("looking for stories")?;
    let mut stories = Vec::new();
    for number in numbers {
        stories.extend(story_by_number(readers, number, today).await?);
    }
    Ok(stories)
}

/// The story with an item of that kind and reference.
pub async fn story_of_item(
    readers: &Readers,
    kind: ItemKind,
    digest: &[u8],
    today: i64,
) -> anyhow::Result<Option<Story>> {
    let kind = kind.code();
    let number = sqlx::query_scalar!(
        "SELECT m.story FROM item_keys k JOIN members m ON m.item_id = k.item_id WHERE k.kind = $1 AND k.digest = $2",
        kind,
        digest
    )
    .fetch_optional(&mut *readers.acquire().await?)
    .await?
    .flatten();
    match number {
        Some(number) => story_by_number(readers, number, today).await,
        None => Ok(None),
    }
}

pub(super) async fn story_by_number(
    readers: &Readers,
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
    .fetch_optional(&mut *readers.acquire().await?)
    .await
    .context("reading a story")?;
    row.map(|row| read(&row.told, &row.state, today, row.free_on, &row.aliases))
        .transpose()
}
