//! The decisions of editors on an issue. They refer to items, so they survive later folds.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::SectionKind;

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
    /// The opening of the issue.
    Intro,
}

impl EditKind {
    /// All.
    pub const ALL: [Self; 5] = [Self::Pin, Self::Drop, Self::Move, Self::Note, Self::Intro];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::Drop => "drop",
            Self::Move => "move",
            Self::Note => "note",
            Self::Intro => "intro",
        }
    }

    /// The kind of a word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Its number; later ones are greater.
    pub id: i64,
    /// Its kind.
    pub kind: EditKind,
    /// An item of the story; `None` for an introduction.
    pub item: Option<i64>,
    /// Where the story is to stand.
    pub section: Option<SectionKind>,
    /// A remark or an introduction, in Markdown.
    pub text: String,
}

/// A suggestion that an editor took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its number.
    pub id: i64,
    /// The link.
    pub link: String,
    /// Its title; may be empty.
    pub title: String,
    /// The reader's note; may be empty.
    pub note: String,
    /// Where an editor put it.
    pub section: Option<SectionKind>,
    /// When it was handed in.
    pub at: DateTime<Utc>,
}

/// All that was decided.
#[derive(Debug, Clone, Default)]
pub struct Decided {
    /// Decisions, oldest first.
    pub edits: Vec<Edit>,
    /// Suggestions that were taken, oldest first.
    pub accepted: Vec<Accepted>,
}

/// The decisions on one story.
#[derive(Debug, Clone, Default)]
pub(super) struct OfStory<'a> {
    pub(super) is_pinned: bool,
    pub(super) is_dropped: bool,
    pub(super) section: Option<SectionKind>,
    pub(super) notes: Vec<&'a str>,
    /// The numbers of the decisions.
    pub(super) ids: Vec<i64>,
}

impl OfStory<'_> {
    /// Whether an editor wants it in the issue.
    pub(super) fn is_chosen(&self) -> bool {
        self.is_pinned || self.section.is_some()
    }
}

impl Decided {
    /// The decisions on the story with these items. A later decision replaces an earlier one: of a pin and a drop the last one
    /// counts. A pin without a section keeps an earlier move.
    pub(super) fn of<'a>(by_item: &HashMap<i64, Vec<&'a Edit>>, items: &[i64]) -> OfStory<'a> {
        let mut edits: Vec<&Edit> = items
            .iter()
            .filter_map(|item| by_item.get(item))
            .flatten()
            .copied()
            .collect();
        edits.sort_by_key(|edit| edit.id);
        let mut of = OfStory::default();
        for edit in edits {
            of.ids.push(edit.id);
            match edit.kind {
                EditKind::Pin => {
                    (of.is_pinned, of.is_dropped) = (true, false);
                    of.section = edit.section.or(of.section);
                }
                EditKind::Drop => (of.is_pinned, of.is_dropped) = (false, true),
                EditKind::Move => of.section = edit.section,
                EditKind::Note => of.notes.push(&edit.text),
                EditKind::Intro => {}
            }
        }
        of
    }

    pub(super) fn by_item(&self) -> HashMap<i64, Vec<&Edit>> {
        let mut by_item: HashMap<i64, Vec<&Edit>> = HashMap::new();
        for edit in &self.edits {
            if let Some(item) = edit.item {
                by_item.entry(item).or_default().push(edit);
            }
        }
        by_item
    }

    /// The introduction: the last that was written.
    pub(super) fn intro(&self) -> Option<&Edit> {
        let mut intros = self.edits.iter().rev();
        intros.find(|edit| edit.kind == EditKind::Intro)
    }
}
