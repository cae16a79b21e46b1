//! Items as the page of a story needs them: with the address where a person reads each, bounded in number.

use std::collections::HashMap;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::columns::unpack;
use crate::item::{CommitHash, ItemKey, ItemKind, MessageId, Person, hex};
use crate::source;
use crate::store::Readers;
use crate::story::key::{JoinKey, of_digest};

/// An item that a page links.
#[derive(Debug, Clone)]
pub struct PageItem {
    /// Its number in the database.
    pub id: i64,
    pub kind: ItemKind,
    /// Commit hash, Message-ID or key.
    pub reference: String,
    pub title: String,
    pub author: Person,
    pub at: DateTime<Utc>,
    /// The page for people.
    pub link: Option<String>,
    /// The mail that it answers.
    pub parent: Option<JoinKey>,
    /// The id of its story.
    pub story: Option<String>,
}

/// The prose of an item, and its kept headers.
#[derive(Debug, Clone, Default)]
pub struct PageText {
    pub headers: Vec<(String, String)>,
    pub text: String,
}

/// An item's row, as pages read it.
struct PageItemRow {
    id: i64,
    kind: i64,
    reference: String,
    title: String,
    author: String,
    email: String,
    at: i64,
    url: Option<String>,
    parent: Option<Vec<u8>>,
    story: Option<String>,
    feeds: String,
}

/// A feed that carries an item.
#[derive(Deserialize)]
struct PageCarrier {
    url: Option<String>,
}

impl PageItemRow {
    fn item(self) -> Option<PageItem> {
        let kind = ItemKind::from_code(self.kind)?;
        let feeds: Vec<PageCarrier> = serde_json::from_str(&self.feeds).unwrap_or_default();
        let urls = feeds.iter().map(|feed| feed.url.as_deref());
        Some(PageItem {
            id: self.id,
            kind,
            link: source::page_of(kind, &self.reference, self.url, urls),
            reference: self.reference,
            title: self.title,
            author: Person {
                name: self.author,
                email: self.email,
            },
            at: DateTime::from_timestamp(self.at, 0).unwrap_or_default(),
            parent: self.parent.as_deref().and_then(of_digest),
            story: self.story,
        })
    }
}

/// The items of a story, the last to arrive first; at most `most`.
pub async fn items_on_page(
    readers: &Readers,
    story: &str,
    most: i64,
) -> anyhow::Result<Vec<PageItem>> {
    let rows = sqlx::query_as!(
        PageItemRow,
        r#"SELECT i.id AS "id!", i.kind AS "kind!", i.ref AS "reference!", i.title AS "title!", i.author AS "author!",
                  i.email AS "email!", i.at AS "at!", i.url, i.parent, s.id AS "story?: String",
                  (SELECT json_group_array(json_object('url', f.url) ORDER BY f.id)
                   FROM sightings g JOIN feeds f ON f.id = g.feed_id WHERE g.item_id = i.id) AS "feeds!: String"
           FROM stories s CROSS JOIN members m ON m.story = s.number CROSS JOIN items i ON i.id = m.item_id
           WHERE s.id = $1 ORDER BY m.item_id DESC LIMIT $2"#,
        story,
        most
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("reading the items of a page")?;
    Ok(rows.into_iter().filter_map(PageItemRow::item).collect())
}

/// The mails and commits with these names: Message-IDs and whole hashes. Others are left out.
pub async fn items_by_name(
    readers: &Readers,
    names: impl Iterator<Item = &str>,
) -> anyhow::Result<Vec<PageItem>> {
    let keys: Vec<(i64, String)> = names.filter_map(key_of_name).collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let keys = serde_json::to_string(&keys)?;
    let rows = sqlx::query_as!(
        PageItemRow,
        r#"SELECT i.id AS "id!", i.kind AS "kind!", i.ref AS "reference!", i.title AS "title!", i.author AS "author!",
                  i.email AS "email!", i.at AS "at!", i.url, i.parent,
                  (SELECT s.id FROM members m JOIN stories s ON s.number = m.story WHERE m.item_id = i.id) AS "story?: String",
                  (SELECT json_group_array(json_object('url', f.url) ORDER BY f.id)
                   FROM sightings g JOIN feeds f ON f.id = g.feed_id WHERE g.item_id = i.id) AS "feeds!: String"
           FROM json_each($1) j
           CROSS JOIN item_keys k ON k.kind = j.value ->> 0 AND k.digest = unhex(j.value ->> 1)
           CROSS JOIN items i ON i.id = k.item_id"#,
        keys
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("reading items by their names")?;
    Ok(rows.into_iter().filter_map(PageItemRow::item).collect())
}

fn key_of_name(name: &str) -> Option<(i64, String)> {
    let (kind, key) = match CommitHash::parse(name) {
        Some(hash) => (ItemKind::Commit, ItemKey::commit(&hash)),
        None => {
            let id = MessageId::parse(name).filter(|id| id.as_str().contains('@'))?;
            (ItemKind::Message, ItemKey::message(&id))
        }
    };
    Some((kind.code(), hex(&key.digest())))
}

/// The prose and headers of items. One that cannot be read is left out.
pub async fn texts_on_page(
    readers: &Readers,
    items: &[i64],
) -> anyhow::Result<HashMap<i64, PageText>> {
    if items.is_empty() {
        return Ok(HashMap::new());
    }
    let items = serde_json::to_string(items)?;
    let rows = sqlx::query!(
        r#"SELECT i.id AS "id!", i.head AS "head: Vec<u8>", i.tail AS "tail: Vec<u8>"
           FROM json_each($1) j CROSS JOIN whole_items i ON i.id = j.value"#,
        items
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("reading the texts of a page")?;
    let texts = rows.into_iter().filter_map(|row| {
        let (headers, text) = unpack(row.head, row.tail).ok()?;
        Some((row.id, PageText { headers, text }))
    });
    Ok(texts.collect())
}
