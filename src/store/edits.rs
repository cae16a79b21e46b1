//! Editors' decisions for the coming issue. A decision that replaces another one does not delete it until the issue
//! is published, so editors can undo it.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::Tx;
use crate::issue::{Accepted, Edit, EditKind, SectionKind};

#[derive(Debug, Clone)]
pub struct NewEdit<'a> {
    pub kind: EditKind,
    /// The item that gave the story its id.
    pub item: Option<i64>,
    /// The section in which the story goes.
    pub section: Option<SectionKind>,
    /// A remark or an introduction, in Markdown.
    pub text: &'a str,
    pub by: &'a str,
}

/// Stores a decision for the coming issue.
pub async fn add_edit(tx: &mut Tx, new: &NewEdit<'_>, now: DateTime<Utc>) -> anyhow::Result<()> {
    let (kind, section) = (new.kind.word(), new.section.map(SectionKind::word));
    let now = now.timestamp();
    sqlx::query!(
        "INSERT INTO edits (id, kind, item_id, section, text, at, person)
         VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM edits), $1, $2, $3, $4, $5, $6)",
        kind,
        new.item,
        section,
        new.text,
        now,
        new.by
    )
    .execute(&mut **tx)
    .await
    .context("keeping a decision")?;
    Ok(())
}

/// A decision for the coming issue, and its editor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditRow {
    /// Later decisions have greater numbers.
    pub id: i64,
    pub kind: EditKind,
    /// The section in which the story goes.
    pub section: Option<SectionKind>,
    /// A remark or an introduction, in Markdown.
    pub text: String,
    /// Unix seconds.
    pub at: i64,
    pub by: String,
}

/// The latest decision for the coming issue about a story with these items, or about the introduction (`None`).
/// Earlier ones are kept, so that each undo goes back one step.
pub async fn last_edit(tx: &mut Tx, items: Option<&[i64]>) -> anyhow::Result<Option<EditRow>> {
    let items = items.map(serde_json::to_string).transpose()?;
    let row = sqlx::query!(
        r#"SELECT id AS "id!: i64", kind, section, text, at, person FROM edits
           WHERE issue IS NULL AND iif($1 IS NULL, kind = 'intro', item_id IN (SELECT value FROM json_each($1)))
           ORDER BY id DESC LIMIT 1"#,
        items
    )
    .fetch_optional(&mut **tx)
    .await
    .context("reading the last decision")?;
    let read = row.map(|row| {
        Ok(EditRow {
            id: row.id,
            kind: EditKind::of(&row.kind)
                .with_context(|| format!("{} is no kind of edit", row.kind))?,
            section: row.section.as_deref().and_then(SectionKind::of),
            text: row.text,
            at: row.at,
            by: row.person,
        })
    });
    read.transpose()
}

/// Undoes a decision for the coming issue.
pub async fn forget_edit(tx: &mut Tx, id: i64) -> anyhow::Result<()> {
    sqlx::query!("DELETE FROM edits WHERE issue IS NULL AND id = $1", id)
        .execute(&mut **tx)
        .await
        .context("taking a decision back")?;
    Ok(())
}

/// Decisions for the coming issue, oldest first.
pub async fn coming_edits(tx: &mut Tx) -> anyhow::Result<Vec<Edit>> {
    let rows = sqlx::query!(
        "SELECT id, kind, item_id, section, text FROM edits WHERE issue IS NULL ORDER BY id"
    )
    .fetch_all(&mut **tx)
    .await
    .context("reading what was decided")?;
    let read = rows.into_iter().map(|row| {
        Ok(Edit {
            id: row.id,
            kind: EditKind::of(&row.kind)
                .with_context(|| format!("{} is no kind of edit", row.kind))?,
            item: row.item_id,
            section: row.section.as_deref().and_then(SectionKind::of),
            text: row.text,
        })
    });
    read.collect()
}

/// Accepted suggestions that are in no issue yet, oldest first.
pub async fn coming_suggestions(tx: &mut Tx) -> anyhow::Result<Vec<Accepted>> {
    let rows = sqlx::query!(
        "SELECT id, shown, title, note, section, at FROM suggestions WHERE state = 'accepted' AND issue IS NULL ORDER BY id"
    )
    .fetch_all(&mut **tx)
    .await
    .context("reading the suggestions that were taken")?;
    let read = rows.into_iter().map(|row| Accepted {
        id: row.id,
        link: row.shown,
        title: row.title,
        note: row.note,
        section: row.section.as_deref().and_then(SectionKind::of),
        at: DateTime::from_timestamp(row.at, 0).unwrap_or_default(),
    });
    Ok(read.collect())
}

/// Records that these decisions went into an issue.
pub async fn settle_decisions(
    tx: &mut Tx,
    number: u32,
    edits: &[i64],
    suggestions: &[i64],
) -> anyhow::Result<()> {
    let number = i64::from(number);
    let edits = serde_json::to_string(edits)?;
    sqlx::query!(
        "UPDATE edits SET issue = $1 WHERE issue IS NULL AND id IN (SELECT value FROM json_each($2))",
        number,
        edits
    )
    .execute(&mut **tx)
    .await
    .context("keeping which edits an issue has")?;
    let suggestions = serde_json::to_string(suggestions)?;
    sqlx::query!(
        "UPDATE suggestions SET issue = $1 WHERE id IN (SELECT value FROM json_each($2))",
        number,
        suggestions
    )
    .execute(&mut **tx)
    .await
    .context("keeping which suggestions an issue has")?;
    Ok(())
}
