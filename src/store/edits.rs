//! Editors' decisions for the coming issue. A decision is never deleted: undo marks it, so every text that an editor wrote
//! stays, and a decision's number is the version of its text.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::Tx;
use crate::issue::{Accepted, Edit, EditKind, EditSubject, Picture, SectionKind};

/// A decision to be stored.
#[derive(Debug, Clone)]
pub struct NewEdit<'a> {
    pub kind: EditKind,
    /// `None` for a free entry that this decision adds.
    pub subject: Option<EditSubject>,
    pub section: Option<SectionKind>,
    /// The place in the section, from 1.
    pub place: Option<u32>,
    /// The title of an added entry, or of an accepted suggestion.
    pub title: &'a str,
    /// A remark, a title, an introduction or an added text.
    pub text: &'a str,
    /// The version of the text that it replaces.
    pub base: i64,
    pub link: Option<&'a str>,
    pub picture: Option<&'a Picture>,
    pub by: &'a str,
}

impl<'a> NewEdit<'a> {
    /// A decision without text.
    pub fn of(kind: EditKind, subject: Option<EditSubject>, by: &'a str) -> Self {
        Self {
            kind,
            subject,
            section: None,
            place: None,
            title: "",
            text: "",
            base: 0,
            link: None,
            picture: None,
            by,
        }
    }
}

/// A decision with its editor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditRow {
    pub edit: Edit,
    pub by: String,
    /// The title of the item, or the link of the suggestion; else empty.
    pub about: String,
    /// When and by whom it was undone; the time in unix seconds.
    pub undone: Option<(i64, String)>,
}

/// Stores a decision for the coming issue. Returns its number.
pub async fn add_edit(tx: &mut Tx, new: &NewEdit<'_>, now: DateTime<Utc>) -> anyhow::Result<i64> {
    let (kind, section) = (new.kind.word(), new.section.map(SectionKind::word));
    let (item, suggestion, entry) = match new.subject {
        None | Some(EditSubject::Intro) => (None, None, None),
        Some(EditSubject::Story(item)) => (Some(item), None, None),
        Some(EditSubject::Suggestion(number)) => (None, Some(number), None),
        Some(EditSubject::Entry(number)) => (None, None, Some(number)),
    };
    let place = new.place.map(i64::from);
    let (file, alt) = match new.picture {
        Some(picture) => (Some(&*picture.file), &*picture.alt),
        None => (None, ""),
    };
    let now = now.timestamp();
    sqlx::query_scalar!(
        r#"INSERT INTO edits (id, kind, item_id, suggestion, entry, section, place, title, text, base, link, picture, alt, at,
                              person)
           VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM edits), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
           RETURNING id AS "id!""#,
        kind,
        item,
        suggestion,
        entry,
        section,
        place,
        new.title,
        new.text,
        new.base,
        new.link,
        file,
        alt,
        now,
        new.by
    )
    .fetch_one(&mut **tx)
    .await
    .context("keeping a decision")
}

/// Marks a decision for the coming issue as undone.
pub async fn undo_edit(tx: &mut Tx, id: i64, by: &str, now: DateTime<Utc>) -> anyhow::Result<()> {
    let now = now.timestamp();
    sqlx::query!(
        "UPDATE edits SET undone_at = $2, undone_by = $3 WHERE issue IS NULL AND undone_at IS NULL AND id = $1",
        id,
        now,
        by
    )
    .execute(&mut **tx)
    .await
    .context("taking a decision back")?;
    Ok(())
}

/// All decisions for an issue, or for the coming one (`None`), oldest first, those that were undone too.
pub async fn edits_of_issue(tx: &mut Tx, issue: Option<i64>) -> anyhow::Result<Vec<EditRow>> {
    let rows = sqlx::query!(
        r#"SELECT e.id AS "id!", e.kind AS "kind!", e.item_id, e.suggestion, e.entry, e.section, e.place,
                  e.title AS "title!", e.text AS "text!", e.base AS "base!", e.link, e.picture, e.alt AS "alt!",
                  e.at AS "at!", e.person AS "person!", e.undone_at, e.undone_by, p.width AS "width?", p.height AS "height?",
                  COALESCE(i.title, s.shown, '') AS "about!: String"
           FROM edits e LEFT JOIN pictures p ON p.file = e.picture LEFT JOIN items i ON i.id = e.item_id
                LEFT JOIN suggestions s ON s.id = e.suggestion
           WHERE e.issue IS $1 ORDER BY e.id"#,
        issue
    )
    .fetch_all(&mut **tx)
    .await
    .context("reading what was decided")?;
    let read = rows.into_iter().map(|row| {
        let kind =
            EditKind::of(&row.kind).with_context(|| format!("{} is no kind of edit", row.kind))?;
        let subject = match (row.item_id, row.suggestion, row.entry, kind) {
            (Some(item), ..) => EditSubject::Story(item),
            (_, Some(number), ..) => EditSubject::Suggestion(number),
            (_, _, Some(number), _) => EditSubject::Entry(number),
            (.., EditKind::Add) => EditSubject::Entry(row.id),
            (None, None, None, _) => EditSubject::Intro,
        };
        let side = |pixels: Option<i64>| pixels.and_then(|pixels| u32::try_from(pixels).ok());
        let (width, height) = (side(row.width), side(row.height));
        let alt = row.alt;
        let picture = row.picture.map(|file| Picture {
            file,
            alt,
            width: width.unwrap_or_default(),
            height: height.unwrap_or_default(),
        });
        let edit = Edit {
            id: row.id,
            kind,
            subject,
            section: row.section.as_deref().and_then(SectionKind::of),
            place: side(row.place),
            title: row.title,
            text: row.text,
            base: row.base,
            link: row.link,
            picture,
            at: DateTime::from_timestamp(row.at, 0).unwrap_or_default(),
        };
        Ok(EditRow {
            edit,
            by: row.person,
            about: row.about,
            undone: row.undone_at.zip(row.undone_by),
        })
    });
    read.collect()
}

/// Decisions for the coming issue that hold, oldest first.
pub async fn coming_edits(tx: &mut Tx) -> anyhow::Result<Vec<Edit>> {
    let rows = edits_of_issue(tx, None).await?.into_iter();
    let standing = rows.filter(|row| row.undone.is_none());
    Ok(standing.map(|row| row.edit).collect())
}

/// Accepted suggestions that are in no issue yet, oldest first.
pub async fn coming_suggestions(tx: &mut Tx) -> anyhow::Result<Vec<Accepted>> {
    let rows = sqlx::query!(
        "SELECT id, shown, note, at FROM suggestions WHERE state = 'accepted' AND issue IS NULL ORDER BY id"
    )
    .fetch_all(&mut **tx)
    .await
    .context("reading the suggestions that were taken")?;
    let read = rows.into_iter().map(|row| Accepted {
        id: row.id,
        link: row.shown,
        note: row.note,
        at: DateTime::from_timestamp(row.at, 0).unwrap_or_default(),
    });
    Ok(read.collect())
}

/// Records that these decisions went into an issue, with those that were undone before it.
pub async fn settle_decisions(
    tx: &mut Tx,
    number: u32,
    edits: &[i64],
    suggestions: &[i64],
) -> anyhow::Result<()> {
    let number = i64::from(number);
    let edits = serde_json::to_string(edits)?;
    sqlx::query!(
        "UPDATE edits SET issue = $1
         WHERE issue IS NULL AND (undone_at IS NOT NULL OR id IN (SELECT value FROM json_each($2)))",
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
