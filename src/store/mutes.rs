//! Mutes: stories, authors and words in titles that are no longer posted.

use std::collections::HashSet;

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::{Readers, Tx};
use crate::story::Story;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MuteKind {
    /// A story: its posts stay as they are.
    Story,
    /// A story that a maintainer retracted.
    Retracted,
    /// An author: no new posts.
    Author,
    /// Words of a title: no new posts.
    Words,
}

impl MuteKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Story => "story",
            Self::Retracted => "retracted",
            Self::Author => "author",
            Self::Words => "words",
        }
    }

    fn of(word: &str) -> anyhow::Result<Self> {
        let all = [Self::Story, Self::Retracted, Self::Author, Self::Words];
        let found = all.into_iter().find(|kind| kind.word() == word);
        found.with_context(|| format!("{word} is no kind of mute"))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MuteRow {
    pub id: i64,
    pub kind: MuteKind,
    /// The story's title, the author's name, or the words.
    pub shown: String,
    /// Unix seconds.
    pub at: i64,
    pub by: String,
}

#[derive(Debug)]
pub struct NewMute<'a> {
    pub kind: MuteKind,
    /// The story's title, the author's name, or the words.
    pub shown: &'a str,
    /// The item that gave the story its id.
    pub item: Option<i64>,
    pub by: &'a str,
}

/// All mutes, for use during a fold.
#[derive(Debug, Default)]
pub struct Mutes {
    items: HashSet<i64>,
    authors: HashSet<String>,
    words: Vec<String>,
}

impl Mutes {
    /// Whether the story with these items gets no new posts or edits.
    pub fn silences(&self, items: &[i64]) -> bool {
        items.iter().any(|item| self.items.contains(item))
    }

    /// Whether the story's author or title keeps it from being posted.
    pub fn bars(&self, story: &Story) -> bool {
        let title = story.title.to_lowercase();
        let author = story.author.as_ref().map(|author| author.to_lowercase());
        author.is_some_and(|author| self.authors.contains(&author))
            || self.words.iter().any(|words| title.contains(words))
    }
}

pub async fn mutes(tx: &mut Tx) -> anyhow::Result<Mutes> {
    let rows = sqlx::query!("SELECT kind, what, item_id FROM mutes")
        .fetch_all(&mut **tx)
        .await
        .context("reading what is muted")?;
    let mut mutes = Mutes::default();
    for row in rows {
        match MuteKind::of(&row.kind)? {
            MuteKind::Story | MuteKind::Retracted => mutes.items.extend(row.item_id),
            MuteKind::Author => {
                mutes.authors.insert(row.what);
            }
            MuteKind::Words => mutes.words.push(row.what),
        }
    }
    Ok(mutes)
}

/// Adds a mute. Returns `false` if it exists.
pub async fn add_mute(tx: &mut Tx, new: &NewMute<'_>, now: DateTime<Utc>) -> anyhow::Result<bool> {
    let (kind, now) = (new.kind.word(), now.timestamp());
    let what = match new.item {
        Some(item) => item.to_string(),
        None => new.shown.to_lowercase(),
    };
    let added = sqlx::query!(
        "INSERT INTO mutes (id, kind, what, shown, item_id, muted_at, muted_by)
         VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM mutes), $1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        kind,
        what,
        new.shown,
        new.item,
        now,
        new.by
    )
    .execute(&mut **tx)
    .await
    .context("muting")?;
    Ok(added.rows_affected() == 1)
}

/// All mutes, newest first.
pub async fn list_mutes(readers: &Readers) -> anyhow::Result<Vec<MuteRow>> {
    let rows =
        sqlx::query!("SELECT id, kind, shown, muted_at, muted_by FROM mutes ORDER BY id DESC")
            .fetch_all(&mut *readers.acquire().await?)
            .await
            .context("listing what is muted")?;
    let mute = |row: (i64, String, String, i64, String)| {
        let (id, kind, shown, at, by) = row;
        Ok(MuteRow {
            id,
            kind: MuteKind::of(&kind)?,
            shown,
            at,
            by,
        })
    };
    rows.into_iter()
        .map(|row| mute((row.id, row.kind, row.shown, row.muted_at, row.muted_by)))
        .collect()
}

/// Removes a mute and returns it.
pub async fn lift_mute(tx: &mut Tx, id: i64) -> anyhow::Result<Option<(MuteKind, String)>> {
    let lifted = sqlx::query!(
        r#"DELETE FROM mutes WHERE id = $1 RETURNING kind AS "kind!: String", shown AS "shown!: String""#,
        id
    )
    .fetch_optional(&mut **tx)
    .await
    .context("lifting a mute")?;
    lifted
        .map(|row| Ok((MuteKind::of(&row.kind)?, row.shown)))
        .transpose()
}
