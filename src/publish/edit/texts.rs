//! Texts of editors. Whoever writes one names the version that they began from, so nobody replaces words that they have not
//! seen.

use std::fmt;

use chrono::{DateTime, Utc};

use super::{Desk, EditResult, Editable, Edited, NotEdited, refused, with_text};
use crate::destination;
use crate::issue::prose::{ENTRY_CHARS_MAX, INTRO_CHARS_MAX, NOTE_CHARS_MAX, TITLE_CHARS_MAX};
use crate::issue::{EditKind, EditSubject, standing_texts};
use crate::post::{plain, plain_lines};
use crate::store::edits::{self, EditRow, NewEdit};
use crate::store::{Tx, suggestions};

/// The version that an editor began from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextBase {
    /// 0 if there was no text.
    Version(i64),
    /// The editor did not say. That is enough if nobody else wrote the text.
    Unsaid,
    /// Whatever the text is.
    Any,
}

/// A text as it is now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PresentText {
    /// 0 if no editor wrote it.
    pub version: i64,
    pub text: String,
    /// Who wrote it; empty if no editor did.
    pub by: String,
    pub at: DateTime<Utc>,
}

/// A text that was not saved, because another one came between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextConflict {
    pub present: PresentText,
    /// The text that was not saved.
    pub yours: String,
}

impl fmt::Display for TextConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { present, yours } = self;
        write!(
            f,
            "Your text was not saved, because {} changed it on {}. It is version {} now:\n{}\nYour text:\n{}",
            plain(&present.by),
            day_and_time(present.at),
            present.version,
            match present.text.as_str() {
                "" => "(no text)",
                text => text,
            },
            yours
        )
    }
}

/// `5 May at 12:30 UTC`.
pub fn day_and_time(at: DateTime<Utc>) -> String {
    at.format("%-d %B at %H:%M UTC").to_string()
}

/// The title, the remark or the introduction as it is now, from the edits of the coming issue. Remarks that were written at the
/// same time, or to stories that are one now, are one text.
pub fn present_text(rows: &[EditRow], subject: &Editable, kind: EditKind) -> PresentText {
    let of_it = |row: &&EditRow| row.undone.is_none() && subject.has(row.edit.subject);
    let all: Vec<&EditRow> = rows.iter().filter(of_it).collect();
    let last = match kind {
        EditKind::Note => {
            let edits = all.iter().map(|row| &row.edit);
            let standing = standing_texts(edits, EditKind::Note);
            if let Some(last) = standing.last() {
                let texts: Vec<&str> = standing.iter().map(|edit| edit.text.as_str()).collect();
                let by = all.iter().find(|row| row.edit.id == last.id);
                return PresentText {
                    version: last.id,
                    text: texts.join("\n\n"),
                    by: by.map_or_else(String::new, |row| row.by.clone()),
                    at: last.at,
                };
            }
            all.iter()
                .rev()
                .find(|row| row.edit.kind == EditKind::Add)
                .map(|row| (row, &row.edit.text))
        }
        kind => all.iter().rev().find_map(|row| match row.edit.kind {
            of if of == kind => Some((row, &row.edit.text)),
            EditKind::Add | EditKind::Accept
                if kind == EditKind::Title && !row.edit.title.is_empty() =>
            {
                Some((row, &row.edit.title))
            }
            _ => None,
        }),
    };
    match last {
        Some((row, text)) => PresentText {
            version: row.edit.id,
            text: text.clone(),
            by: row.by.clone(),
            at: row.edit.at,
        },
        None => PresentText::default(),
    }
}

impl Desk<'_> {
    /// Writes a text, if nobody else wrote one since the version that the editor began from.
    pub(super) async fn write(
        &self,
        tx: &mut Tx,
        subject: &Editable,
        kind: EditKind,
        text: &str,
        base: TextBase,
    ) -> EditResult<Edited> {
        let text = match kind {
            EditKind::Title => plain(text).trim().to_owned(),
            _ => plain_lines(text).trim_end().to_owned(),
        };
        if let Err(why) = check(subject, kind, &text) {
            return refused(why);
        }
        let rows = edits::edits_of_issue(tx, None).await?;
        let mut present = present_text(&rows, subject, kind);
        let is_current = match base {
            TextBase::Any => true,
            TextBase::Version(version) => version == present.version,
            TextBase::Unsaid => present.version == 0 || present.by == self.by.name,
        };
        if !is_current && present.text != text {
            if present.version == 0 {
                // It was undone since.
                present.by = "somebody".to_owned();
                present.at = self.now;
            }
            let conflict = TextConflict {
                present,
                yours: text,
            };
            return Ok(Err(NotEdited::Conflict(Box::new(conflict))));
        }
        let mut all = rows.into_iter().rev();
        let before = all.find(|row| row.undone.is_none() && subject.has(row.edit.subject));
        if present.version > 0 && present.text == text {
            return Ok(Ok(Edited {
                id: present.version,
                before,
                reader: None,
            }));
        }
        let new = NewEdit {
            text: &text,
            base: present.version,
            ..NewEdit::of(kind, Some(subject.first()), &self.by.name)
        };
        let id = edits::add_edit(tx, &new, self.now).await?;
        let what = match kind {
            EditKind::Intro => "issue: wrote the introduction".to_owned(),
            kind => format!("issue: {} {}", kind.word(), subject.named()),
        };
        self.record(tx, &with_text(what, &text)).await?;
        if kind == EditKind::Intro && present.version > 0 && present.by != self.by.name {
            let title = format!("{} changed the introduction", plain(&self.by.name));
            let words = format!(
                "It replaced that of {} on {}, which undo restores:\n{}",
                plain(&present.by),
                day_and_time(present.at),
                present.text
            );
            destination::notify_maintainers(tx, self.destinations, &title, &words, self.now)
                .await?;
        }
        Ok(Ok(Edited {
            id,
            before,
            reader: None,
        }))
    }
}

/// Checks that the subject has such a text, and its length.
fn check(subject: &Editable, kind: EditKind, text: &str) -> Result<(), String> {
    let most = match (kind, subject.first()) {
        (EditKind::Intro, EditSubject::Intro) => INTRO_CHARS_MAX,
        (EditKind::Intro, _) | (_, EditSubject::Intro) => {
            return Err("The introduction has no title and no remark; it is one text.".to_owned());
        }
        (EditKind::Title, EditSubject::Entry(_)) if text.is_empty() => {
            return Err("A free entry needs a title.".to_owned());
        }
        (EditKind::Title, _) => TITLE_CHARS_MAX,
        (EditKind::Note, EditSubject::Entry(_)) => ENTRY_CHARS_MAX,
        (EditKind::Note, _) => NOTE_CHARS_MAX,
        (kind, _) => return Err(format!("A {} has no text.", kind.word())),
    };
    match text.chars().count() {
        many if many > most => Err(format!(
            "The text has {many} characters; the limit is {most}."
        )),
        _ => Ok(()),
    }
}

/// The reader's words of a suggestion, before an editor wrote others.
///
/// # Errors
///
/// Returns an error if the database fails.
pub async fn readers_note(tx: &mut Tx, subject: &Editable) -> anyhow::Result<String> {
    let EditSubject::Suggestion(number) = subject.first() else {
        return Ok(String::new());
    };
    let row = suggestions::suggestion((&mut *tx).into(), number).await?;
    Ok(row.map_or_else(String::new, |row| row.note))
}
