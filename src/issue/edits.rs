//! The decisions of editors on an issue. They refer to items, so they survive later folds.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{Picture, SectionKind};

/// The kind of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EditKind {
    /// The story is in the issue, whatever its score, at the top of its section.
    Pin,
    /// It is not.
    Drop,
    /// It stands in another section.
    Move,
    /// A remark stands under it.
    Note,
    /// It has another title.
    Title,
    /// It stands at a place in its section.
    Order,
    /// The opening of the issue.
    Intro,
    /// A free entry.
    Add,
    /// A suggestion is in the issue.
    Accept,
    /// It is not.
    Decline,
}

impl EditKind {
    /// All.
    pub const ALL: [Self; 10] = [
        Self::Pin,
        Self::Drop,
        Self::Move,
        Self::Note,
        Self::Title,
        Self::Order,
        Self::Intro,
        Self::Add,
        Self::Accept,
        Self::Decline,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::Drop => "drop",
            Self::Move => "move",
            Self::Note => "note",
            Self::Title => "title",
            Self::Order => "order",
            Self::Intro => "intro",
            Self::Add => "add",
            Self::Accept => "accept",
            Self::Decline => "decline",
        }
    }

    /// The kind of a word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// The thing that a decision is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EditSubject {
    /// The introduction.
    Intro,
    /// A story, by one of its items.
    Story(i64),
    /// A suggestion, by its number.
    Suggestion(i64),
    /// A free entry, by the number of the decision that added it.
    Entry(i64),
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Its number; later ones are greater.
    pub id: i64,
    /// Its kind.
    pub kind: EditKind,
    /// Its subject.
    pub subject: EditSubject,
    /// Where the story is to stand.
    pub section: Option<SectionKind>,
    /// The place in the section, from 1, if this is an order.
    pub place: Option<u32>,
    /// The title of an added entry, or of an accepted suggestion.
    pub title: String,
    /// A remark, a title, an introduction or an added text; all but titles in Markdown.
    pub text: String,
    /// The version of the text that it replaces, and with it all before.
    pub base: i64,
    /// The link of an added entry.
    pub link: Option<String>,
    /// The picture of an added entry.
    pub picture: Option<Picture>,
    /// When.
    pub at: DateTime<Utc>,
}

/// A suggestion that an editor took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its number.
    pub id: i64,
    /// The link.
    pub link: String,
    /// The reader's note; may be empty.
    pub note: String,
    /// When it was handed in.
    pub at: DateTime<Utc>,
}

/// All that was decided.
#[derive(Debug, Clone, Default)]
pub struct Decided {
    /// Decisions that hold, oldest first.
    pub edits: Vec<Edit>,
    /// Suggestions that were taken, oldest first.
    pub accepted: Vec<Accepted>,
}

/// Decisions by their subject.
pub(super) type BySubject<'a> = HashMap<EditSubject, Vec<&'a Edit>>;

/// The decisions on one entry.
#[derive(Debug, Clone, Default)]
pub(super) struct OfEntry<'a> {
    pub(super) is_pinned: bool,
    pub(super) is_dropped: bool,
    /// Whether an editor gave it a place.
    pub(super) is_ordered: bool,
    pub(super) section: Option<SectionKind>,
    /// The remarks; an empty one is none, and says that there shall be none.
    pub(super) notes: Vec<&'a str>,
    /// The last title; empty for the thing's own.
    pub(super) title: &'a str,
    /// The numbers of the decisions.
    pub(super) ids: Vec<i64>,
}

impl OfEntry<'_> {
    /// Whether an editor wants it in the issue.
    pub(super) fn is_chosen(&self) -> bool {
        self.is_pinned || self.section.is_some()
    }
}

/// The texts of one kind that hold, of decisions about one thing, oldest first: a text replaces the version that it began from
/// and all before. Texts that began from the same version both hold, so no word is lost.
pub fn standing_texts<'a>(
    edits: impl DoubleEndedIterator<Item = &'a Edit>,
    kind: EditKind,
) -> Vec<&'a Edit> {
    let mut replaced = 0;
    let mut standing = Vec::new();
    for edit in edits.rev().filter(|edit| edit.kind == kind) {
        if edit.id > replaced {
            standing.push(edit);
        }
        replaced = replaced.max(edit.base);
    }
    standing.reverse();
    standing
}

impl Decided {
    /// The decisions on these subjects, which are one entry: a story has several items. A later decision replaces an earlier
    /// one: of a pin and a drop the last one counts. A pin without a section keeps an earlier move.
    pub(super) fn of<'a>(by_subject: &BySubject<'a>, subjects: &[EditSubject]) -> OfEntry<'a> {
        let mut edits: Vec<&Edit> = subjects
            .iter()
            .filter_map(|subject| by_subject.get(subject))
            .flatten()
            .copied()
            .collect();
        edits.sort_by_key(|edit| edit.id);
        let mut of = OfEntry::default();
        for edit in &edits {
            of.ids.push(edit.id);
            match edit.kind {
                EditKind::Pin => {
                    (of.is_pinned, of.is_dropped) = (true, false);
                    of.section = edit.section.or(of.section);
                }
                EditKind::Drop => (of.is_pinned, of.is_dropped) = (false, true),
                EditKind::Move => of.section = edit.section,
                EditKind::Accept | EditKind::Add => of.section = edit.section.or(of.section),
                EditKind::Order => of.is_ordered = true,
                EditKind::Note | EditKind::Title | EditKind::Intro | EditKind::Decline => {}
            }
            match edit.kind {
                EditKind::Title => of.title = &edit.text,
                EditKind::Accept | EditKind::Add if !edit.title.is_empty() => {
                    of.title = &edit.title;
                }
                _ => {}
            }
        }
        let notes = standing_texts(edits.iter().copied(), EditKind::Note);
        of.notes = notes.iter().map(|edit| edit.text.as_str()).collect();
        of
    }

    pub(super) fn by_subject(&self) -> BySubject<'_> {
        let mut by_subject = BySubject::new();
        for edit in &self.edits {
            by_subject.entry(edit.subject).or_default().push(edit);
        }
        by_subject
    }

    /// The introduction: the last that was written.
    pub(super) fn intro(&self) -> Option<&Edit> {
        let mut intros = self.edits.iter().rev();
        intros.find(|edit| edit.kind == EditKind::Intro)
    }
}
