//! Stories, and the links between items that form them: clusters, join keys, mentions.

use std::collections::{HashMap, HashSet};

use anyhow::Context as _;
use chrono::DateTime;
use sha2::{Digest as _, Sha256};

mod files;
mod filtered;
mod find;
mod folders;
mod index;
mod pages;
mod questions;
mod released;
mod shown;
mod stored;
mod values;

pub use self::files::{paths_after, stories_with_files};
pub use self::filtered::{
    FilteredStories, SearchEnd, Searched, filtered_stories, filtered_stories_after, search_typed,
};
pub use self::find::{NamedStory, StoryLookup, find_story, look_up_story};
pub use self::folders::{folders_of, stories_in_folder};
pub use self::pages::{
    ListFilter, ListedStory, listed_stories, named_stories, ranked_stories, stories_by_ids,
    stories_of_keys, stories_that_mention,
};
pub use self::questions::{
    NO_WORDS, StoryFilter, list_stories, match_begun, match_some, match_words, stories_near_key,
    story_by_id, story_of_item,
};
pub use self::released::{ReleaseNames, name_releases};
pub use self::shown::{
    best_of_the_week, best_stories, day_of, is_retracted, items_of_story, newest_matches,
    search_stories, story_of_link, unanswered_stories,
};
pub(in crate::store) use self::stored::fill_from_stories;
pub use self::stored::{
    StoredStory, StoryUpdate, latest_stories, next_number, pack, packed_stories, pulls_since,
    put_stories, remember_ids, remove_stories, stories_of_clusters, unpack_story,
};

use super::Tx;
use super::items::{LoadedItems, day, unpack};
use crate::item::{ItemKind, Person};
use crate::story::StoredItem;
use crate::story::key::{JoinKey, of_digest};

#[derive(Debug)]
pub struct Member {
    pub cluster: i64,
    pub item: StoredItem,
}

/// Puts each new item into a cluster of its own. Known items keep theirs.
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

/// The clusters that contain these join keys.
pub async fn clusters_of_keys(
    tx: &mut Tx,
    keys: &[JoinKey],
) -> anyhow::Result<HashMap<JoinKey, i64>> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
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

/// Stores join keys, each with an item that carries it. A key that is stored keeps its item.
pub async fn put_keys(tx: &mut Tx, keys: &[(JoinKey, i64)]) -> anyhow::Result<()> {
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

/// Replaces the mentions of these items. Returns the keys that are no longer mentioned.
pub async fn put_mentions(
    tx: &mut Tx,
    items: &[i64],
    mentions: &[(JoinKey, i64)],
) -> anyhow::Result<Vec<JoinKey>> {
    let items = serde_json::to_string(items)?;
    let known = sqlx::query!(
        r#"SELECT key AS "key!", item_id AS "item_id!" FROM mentions WHERE item_id IN (SELECT value FROM json_each($1))"#,
        items
    )
    .fetch_all(&mut **tx)
    .await
    .context("asking what items speak of")?;
    let known: HashSet<(JoinKey, i64)> = known.iter().map(|row| (row.key, row.item_id)).collect();
    let now: HashSet<(JoinKey, i64)> = mentions.iter().copied().collect();
    let gone: Vec<(JoinKey, i64)> = known.difference(&now).copied().collect();
    let new: Vec<(JoinKey, i64)> = now.difference(&known).copied().collect();
    if !gone.is_empty() {
        let gone = serde_json::to_string(&gone)?;
        sqlx::query!(
            "DELETE FROM mentions WHERE (key, item_id) IN (SELECT value ->> 0, value ->> 1 FROM json_each($1))",
            gone
        )
        .execute(&mut **tx)
        .await
        .context("forgetting mentions that are gone")?;
    }
    if !new.is_empty() {
        let new = serde_json::to_string(&new)?;
        sqlx::query!(
            "INSERT INTO mentions (key, item_id) SELECT value ->> 0, value ->> 1 FROM json_each($1)",
            new
        )
        .execute(&mut **tx)
        .await
        .context("storing mentions")?;
    }
    Ok(gone.into_iter().map(|(key, _)| key).collect())
}

/// Moves whole clusters: each pair is (from, to), and no `to` is the `from` of another pair.
pub async fn move_clusters(tx: &mut Tx, moves: &[(i64, i64)]) -> anyhow::Result<()> {
    if moves.is_empty() {
        return Ok(());
    }
    let moves = serde_json::to_string(moves)?;
    sqlx::query!(
        "UPDATE members SET cluster = j.value ->> 1 FROM json_each($1) j WHERE members.cluster = j.value ->> 0",
        moves
    )
    .execute(&mut **tx)
    .await
    .context("joining clusters")?;
    sqlx::query!(
        "UPDATE stories SET cluster = j.value ->> 1 FROM json_each($1) j WHERE stories.cluster = j.value ->> 0",
        moves
    )
    .execute(&mut **tx)
    .await
    .context("joining the clusters of stories")?;
    Ok(())
}

/// Deletes everything that folding made, except the former ids of stories.
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

/// Deletes aliases that are ids of stories again.
pub async fn forget_needless_aliases(tx: &mut Tx) -> anyhow::Result<()> {
    sqlx::query!("DELETE FROM story_aliases WHERE alias IN (SELECT id FROM stories)")
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The number of stories and a hash over all of them, to detect whether a refold changed anything.
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

/// The items of these clusters, except those that the caller has read already.
pub async fn members_of_clusters(
    tx: &mut Tx,
    clusters: &[i64],
    but: &[i64],
) -> anyhow::Result<Vec<Member>> {
    if clusters.is_empty() {
        return Ok(Vec::new());
    }
    let (clusters, but) = (
        serde_json::to_string(clusters)?,
        serde_json::to_string(but)?,
    );
    let rows = sqlx::query_as!(
        MemberRow,
        r#"SELECT i.id AS "id!", m.cluster AS "cluster!", i.kind AS "kind!", i.ref AS "reference!", i.title AS "title!",
                  i.author AS "author!", i.email AS "email!", i.at AS "at!", i.known_at, i.written_at, i.url, i.parent,
                  i.free_on, i.freed_at, i.head AS "head: Vec<u8>", i.tail AS "tail: Vec<u8>",
                  (SELECT json_group_array(json_object('name', f.name, 'kind', f.kind, 'url', f.url, 'role', f.role,
                                                       'branch', f.branch, 'home', json(iif(f.bpf_only, 'true', 'false')),
                                                       'seen_at', s.seen_at, 'absent_at', s.absent_at)
                                           ORDER BY f.name)
                   FROM sightings s JOIN feeds f ON f.id = s.feed_id WHERE s.item_id = i.id) AS "feeds!: String"
           FROM json_each($1) j CROSS JOIN members m ON m.cluster = j.value
           CROSS JOIN whole_items i ON i.id = m.item_id
           WHERE i.id NOT IN (SELECT value FROM json_each($2))"#,
        clusters,
        but
    )
    .fetch_all(&mut **tx)
    .await
    .context("reading the items of clusters")?;
    rows.into_iter().map(MemberRow::member).collect()
}

/// All items of the story that contains this item.
pub async fn items_beside(tx: &mut Tx, item: i64) -> anyhow::Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"SELECT item_id AS "id!" FROM members WHERE story = (SELECT story FROM members WHERE item_id = $1)"#,
        item
    )
    .fetch_all(&mut **tx)
    .await
    .context("reading a story's items")
}

/// Items with their clusters. The text of `loaded` items is not read again.
pub async fn members_by_number(
    tx: &mut Tx,
    items: &[i64],
    at_hand: &LoadedItems<'_>,
) -> anyhow::Result<Vec<Member>> {
    let items = serde_json::to_string(items)?;
    let known: Vec<i64> = at_hand.keys().copied().collect();
    let known = serde_json::to_string(&known)?;
    let rows = sqlx::query_as!(
        MemberRow,
        r#"SELECT i.id AS "id!", m.cluster AS "cluster!", i.kind AS "kind!", i.ref AS "reference!", i.title AS "title!",
                  i.author AS "author!", i.email AS "email!", i.at AS "at!", i.known_at, i.written_at, i.url, i.parent,
                  i.free_on, i.freed_at, iif(i.id IN (SELECT value FROM json_each($2)), NULL, i.head) AS "head: Vec<u8>",
                  iif(i.id IN (SELECT value FROM json_each($2)), NULL, i.tail) AS "tail: Vec<u8>",
                  (SELECT json_group_array(json_object('name', f.name, 'kind', f.kind, 'url', f.url, 'role', f.role,
                                                       'branch', f.branch, 'home', json(iif(f.bpf_only, 'true', 'false')),
                                                       'seen_at', s.seen_at, 'absent_at', s.absent_at)
                                           ORDER BY f.name)
                   FROM sightings s JOIN feeds f ON f.id = s.feed_id WHERE s.item_id = i.id) AS "feeds!: String"
           FROM json_each($1) j CROSS JOIN members m ON m.item_id = j.value
           CROSS JOIN whole_items i ON i.id = m.item_id"#,
        items,
        known
    )
    .fetch_all(&mut **tx)
    .await
    .context("reading items")?;
    let member = |row: MemberRow| {
        let item = at_hand.get(&row.id);
        let mut member = row.member()?;
        if let Some(loaded) = item {
            let (stored, item) = (&mut member.item, loaded.item);
            (stored.headers, stored.text) = (item.headers.clone(), item.text.clone());
        }
        Ok(member)
    };
    rows.into_iter().map(member).collect()
}

/// An item's row, as folding reads it.
struct MemberRow {
    id: i64,
    cluster: i64,
    kind: i64,
    reference: String,
    title: String,
    author: String,
    email: String,
    at: i64,
    known_at: Option<i64>,
    written_at: Option<i64>,
    url: Option<String>,
    parent: Option<Vec<u8>>,
    free_on: Option<i64>,
    freed_at: Option<i64>,
    head: Option<Vec<u8>>,
    tail: Option<Vec<u8>>,
    feeds: String,
}

impl MemberRow {
    fn member(self) -> anyhow::Result<Member> {
        // A damaged text affects only its own item, which is folded without it.
        let (headers, text) = unpack(self.head, self.tail).unwrap_or_default();
        let time = |at: i64| DateTime::from_timestamp(at, 0).unwrap_or_default();
        Ok(Member {
            cluster: self.cluster,
            item: StoredItem {
                id: self.id,
                kind: ItemKind::from_code(self.kind)
                    .with_context(|| format!("item {} is of no known kind", self.id))?,
                reference: self.reference,
                title: self.title,
                author: Person {
                    name: self.author,
                    email: self.email,
                },
                at: time(self.at),
                known_at: time(self.known_at.unwrap_or(self.at)),
                written_at: self.written_at.map(time),
                url: self.url,
                parent: self.parent.as_deref().and_then(of_digest),
                paid: self.free_on.map(day),
                freed_at: self.freed_at.map(time),
                feeds: serde_json::from_str(&self.feeds).context("reading the feeds of an item")?,
                text,
                headers,
            },
        })
    }
}

/// The clusters with news in a stretch of time (unix seconds, `to` excluded): items that became known, items that
/// those mention, and articles that became free.
pub async fn clusters_between(tx: &mut Tx, from: i64, to: i64) -> anyhow::Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"WITH came (item_id) AS (
               SELECT id FROM items WHERE known_at IS NULL AND at >= $1 AND at < $2
               UNION SELECT id FROM items WHERE known_at >= $1 AND known_at < $2
               UNION SELECT item_id FROM sightings WHERE seen_at >= $1 AND seen_at < $2
               UNION SELECT id FROM items WHERE freed_at >= $1 AND freed_at < $2
               UNION SELECT id FROM items WHERE free_on > $1 / 86400 AND free_on <= $2 / 86400)
           SELECT m.cluster AS "cluster!" FROM came c CROSS JOIN members m ON m.item_id = c.item_id
           UNION
           SELECT m.cluster FROM came c CROSS JOIN mentions n ON n.item_id = c.item_id
           CROSS JOIN join_keys k ON k.key = n.key CROSS JOIN members m ON m.item_id = k.item_id"#,
        from,
        to
    )
    .fetch_all(&mut **tx)
    .await
    .context("asking what moved")
}

/// The items that mention any of these keys, each with a key that it mentions.
pub async fn items_that_mention(
    tx: &mut Tx,
    keys: &[JoinKey],
) -> anyhow::Result<Vec<(JoinKey, i64)>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let keys = serde_json::to_string(keys)?;
    let rows = sqlx::query!(
        r#"SELECT n.key AS "key!", n.item_id AS "item_id!" FROM json_each($1) j CROSS JOIN mentions n ON n.key = j.value"#,
        keys
    )
    .fetch_all(&mut **tx)
    .await
    .context("asking who mentions this")?;
    Ok(rows.into_iter().map(|row| (row.key, row.item_id)).collect())
}
