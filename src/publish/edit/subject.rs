//! The things that editors change, and how they name them.

use chrono::{DateTime, Utc};

use super::super::{Rules, draft};
use crate::issue::{
    Compiled, EditKind, EditSubject, SectionKind, free_entry_id, subject_of_id, suggestion_id,
};
use crate::post::plain;
use crate::store::edits;
use crate::store::{Store, Tx, stories, suggestions};
use crate::story::Story;

/// A thing that can be edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Editable {
    /// Not empty; a story has several, that from which its id comes first.
    all: Vec<EditSubject>,
    /// The id by which editors name it; empty for the introduction.
    pub id: String,
    /// Its own title.
    pub title: String,
}

/// A name that is not that of a story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditableLookup {
    Known(Box<Editable>),
    /// There is no suggestion or free entry with this id.
    Missing(&'static str),
    /// The name may be that of a story.
    Other,
}

impl Editable {
    /// A thing of these subjects, which are not empty.
    pub fn new(all: Vec<EditSubject>, id: String, title: &str) -> Self {
        Self {
            all,
            id,
            title: title.to_owned(),
        }
    }

    /// Whether it is the link that a reader suggested.
    pub fn is_suggestion(&self) -> bool {
        matches!(self.all.first(), Some(EditSubject::Suggestion(_)))
    }

    /// The introduction.
    pub fn intro() -> Self {
        Self::new(vec![EditSubject::Intro], String::new(), "The introduction")
    }

    /// A story.
    ///
    /// # Errors
    ///
    /// Returns an error if the database fails, or if the story is gone since it was found.
    pub async fn of_story(tx: &mut Tx, story: &Story) -> anyhow::Result<Self> {
        let items = stories::items_of_story(tx, &story.id).await?;
        anyhow::ensure!(!items.is_empty(), "the story {} is gone", story.id);
        let all = items.into_iter().map(EditSubject::Story).collect();
        Ok(Self::new(all, story.id.clone(), &plain(&story.title)))
    }

    /// The introduction (`intro`), a suggestion (`s7`) or a free entry (`e12`).
    ///
    /// # Errors
    ///
    /// Returns an error if the database fails.
    pub async fn of_name(tx: &mut Tx, name: &str) -> anyhow::Result<EditableLookup> {
        let name = name.trim();
        if name == "intro" {
            return Ok(EditableLookup::Known(Box::new(Self::intro())));
        }
        Ok(match subject_of_id(name) {
            Some(EditSubject::Suggestion(number)) => {
                match suggestions::suggestion((&mut *tx).into(), number).await? {
                    Some(row) => EditableLookup::Known(Box::new(Self::new(
                        vec![EditSubject::Suggestion(number)],
                        suggestion_id(number),
                        &plain(&row.shown),
                    ))),
                    None => EditableLookup::Missing("suggestion"),
                }
            }
            Some(EditSubject::Entry(number)) => {
                let rows = edits::edits_of_issue(tx, None).await?;
                let added = rows.iter().find(|row| {
                    let is_it = row.edit.id == number && row.edit.kind == EditKind::Add;
                    is_it && row.undone.is_none()
                });
                match added {
                    Some(row) => EditableLookup::Known(Box::new(Self::new(
                        vec![EditSubject::Entry(number)],
                        free_entry_id(number),
                        &plain(&row.edit.title),
                    ))),
                    None => EditableLookup::Missing("free entry"),
                }
            }
            Some(EditSubject::Intro | EditSubject::Story(_)) | None => EditableLookup::Other,
        })
    }

    /// The subject that is stored with an edit.
    pub(super) fn first(&self) -> EditSubject {
        self.all.first().copied().unwrap_or(EditSubject::Intro)
    }

    /// Whether an edit of this subject is one of it.
    pub fn has(&self, subject: EditSubject) -> bool {
        self.all.contains(&subject)
    }

    /// Its id with its title.
    pub(super) fn named(&self) -> String {
        match self.id.as_str() {
            "" => self.title.clone(),
            id => format!("{id}: {}", self.title),
        }
    }

    /// The id by which a draft names it.
    fn name_in(&self, compiled: &Compiled) -> String {
        let of_item = |(_, item): &&(String, i64)| self.has(EditSubject::Story(*item));
        let known = compiled.ids.iter().find(of_item);
        known.map_or_else(|| self.id.clone(), |(id, _)| id.clone())
    }
}

/// A place in a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// From 1.
    At(u32),
    Up,
    Down,
}

impl Place {
    /// `up`, `down`, or a number from 1.
    pub fn of(word: &str) -> Option<Self> {
        match word {
            "up" => Some(Self::Up),
            "down" => Some(Self::Down),
            number => number.parse().ok().filter(|place| *place > 0).map(Self::At),
        }
    }
}

/// The section of an entry of the coming issue, and its new place there. `None` if the issue does not have it.
///
/// # Errors
///
/// Returns an error if the database fails.
pub async fn find_place(
    store: &Store,
    rules: Rules<'_>,
    subject: &Editable,
    place: Place,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<(SectionKind, u32)>> {
    let mut tx = store.snapshot().await?;
    let compiled = draft(&mut tx, rules, now).await?;
    tx.rollback().await;
    let name = subject.name_in(&compiled);
    let found = compiled.issue.sections.iter().find_map(|section| {
        let mut entries = section.entries.iter();
        let at = entries.position(|entry| entry.name() == name)?;
        Some((section, at + 1))
    });
    Ok(found.map(|(section, at)| {
        let last = section.entries.len();
        let wanted = match place {
            Place::At(wanted) => usize::try_from(wanted).unwrap_or(last),
            Place::Up => at - 1,
            Place::Down => at + 1,
        };
        let wanted = wanted.clamp(1, last);
        (section.kind, u32::try_from(wanted).unwrap_or(u32::MAX))
    }))
}
