//! A story as an entry of a section.

use chrono::NaiveDate;

use super::edits::OfEntry;
use super::tree::in_tree;
use super::way::{is_free, is_lwn};
use super::{Entry, Passage, Period, SectionKind, shown_link, shown_title};
use crate::item::prose;
use crate::post::plain;
use crate::post::story::standing;
use crate::story::StoryKind;

const TEASER_CHARS_MAX: usize = 480;

/// The most characters of an author's words in an entry, and of LWN's teaser.
const TEXT_CHARS_MAX: usize = 320;

/// A story with where it would stand.
pub(super) struct Placed<'a> {
    pub(super) passage: &'a Passage,
    pub(super) decided: OfEntry<'a>,
    pub(super) kind: SectionKind,
    /// The section by how it moved.
    pub(super) way: Option<SectionKind>,
    pub(super) rank: i32,
}

pub(super) fn entry(placed: &Placed<'_>, period: Period) -> Entry {
    let story = &placed.passage.after;
    let (commit, commits) = in_tree(placed.passage);
    let notes = placed.decided.notes.iter().filter(|note| !note.is_empty());
    let title = placed.decided.title;
    Entry {
        story: Some(story.id.clone()),
        id: String::new(),
        title: shown_title(if title.is_empty() {
            &story.title
        } else {
            title
        }),
        link: shown_link(story.url.as_deref()),
        // A commit's line has its hash and its day.
        author: match story.kind {
            StoryKind::Commit => String::new(),
            StoryKind::Series
            | StoryKind::Pull
            | StoryKind::Thread
            | StoryKind::Article
            | StoryKind::Release
            | StoryKind::Video => plain(story.author.as_deref().unwrap_or_default()),
        },
        stands: stands(placed, period),
        on: moved_on(placed.passage),
        commit,
        commits,
        text: text(placed),
        notes: notes.map(|&note| note.to_owned()).collect(),
        is_pinned: placed.decided.is_pinned,
        moved: placed.way,
        is_retitled: !title.is_empty(),
        picture: None,
    }
}

/// The day of the last step; of an article, a release or a video that of its own.
fn moved_on(passage: &Passage) -> NaiveDate {
    let story = &passage.after;
    match story.kind {
        StoryKind::Series | StoryKind::Commit | StoryKind::Pull => story.last_at.date_naive(),
        StoryKind::Thread | StoryKind::Article | StoryKind::Release | StoryKind::Video => {
            story.first_at.date_naive()
        }
    }
}

fn stands(placed: &Placed<'_>, period: Period) -> String {
    let story = &placed.passage.after;
    match story.kind {
        StoryKind::Article if is_lwn(story) => {
            match (is_free(story, period.to.date_naive()), story.free_on) {
                (true, _) => "free to read".to_owned(),
                (false, Some(day)) => {
                    format!("for subscribers until {}", day.format("%-d %B %Y"))
                }
                (false, None) => "for subscribers".to_owned(),
            }
        }
        StoryKind::Series | StoryKind::Commit => standing(story),
        StoryKind::Pull
        | StoryKind::Thread
        | StoryKind::Article
        | StoryKind::Release
        | StoryKind::Video => String::new(),
    }
}

/// The author's own words: the changes of a new version, or else the summary.
fn text(placed: &Placed<'_>) -> String {
    let story = &placed.passage.after;
    let newest = story.revisions.last();
    let change = newest.and_then(|newest| story.changes.get(&format!("v{}", newest.version)));
    let most = match placed.kind {
        SectionKind::Lwn => TEASER_CHARS_MAX,
        SectionKind::Highlights
        | SectionKind::Developments
        | SectionKind::NewSeries
        | SectionKind::NewVersions
        | SectionKind::Applied
        | SectionKind::Mainline
        | SectionKind::Videos
        | SectionKind::Slides
        | SectionKind::Missed
        | SectionKind::Projects
        | SectionKind::Note => TEXT_CHARS_MAX,
    };
    let words = match placed.kind {
        SectionKind::NewVersions => change.map_or_else(String::new, |change| plain(change)),
        // A line each.
        SectionKind::Developments | SectionKind::Applied | SectionKind::Mainline => String::new(),
        SectionKind::Lwn
        | SectionKind::Highlights
        | SectionKind::NewSeries
        | SectionKind::Videos
        | SectionKind::Slides
        | SectionKind::Missed
        | SectionKind::Projects
        | SectionKind::Note => plain(&story.summary.join(" ")),
    };
    prose::shorten(words.trim(), most)
}
