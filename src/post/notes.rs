//! The notes beside a post's title.

use chrono::Datelike as _;

use super::matters::matters;
use super::plain;
use super::steps::standing;
use crate::story::{State, Story, StoryKind};

/// The most CVEs that are named.
const CVES_MAX: usize = 3;

/// The notes beside a story's title; see [`super::story::Post::notes`].
pub(super) fn notes(story: &Story) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(newest) = story.revisions.last() {
        if newest.version > 1 && standing(story) != format!("v{}", newest.version) {
            notes.push(format!("v{}", newest.version));
        }
        let is_later = newest.posted_at.date_naive() != story.first_at.date_naive();
        if story.revisions.len() > 1 && is_later {
            let is_same_year = newest.posted_at.year() == story.first_at.year();
            let day = if is_same_year { "%-d %b" } else { "%-d %b %Y" };
            notes.push(format!("first {}", story.first_at.format(day)));
        }
        if newest.total > 1 {
            let (here, total) = (newest.patches.len(), newest.total);
            // A cover letter alone says how many there are; its patches may be on their way, or on another list.
            notes.push(if here >= total as usize || here == 0 {
                format!("{total} patches")
            } else {
                format!("{here} of {total} patches")
            });
        }
    }
    notes.extend(story.cves.iter().take(CVES_MAX).map(|cve| plain(cve)));
    if story.kind == StoryKind::Article
        && story.state == State::Paid
        && let Some(day) = story.free_on
    {
        notes.push(format!("free on {}", day.format("%-d %B %Y")));
    }
    notes.extend(matters(story));
    notes
}
