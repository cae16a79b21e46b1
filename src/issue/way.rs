//! How a story moved in a period, and the section for that.

use chrono::NaiveDate;
use url::Url;

use super::patches::{is_lone_patch, posted_revision};
use super::{Passage, Period, SectionKind};
use crate::item::subject::Subject;
use crate::story::{State, Step, Story, StoryKind};

/// The score of a thread without a patch that an issue lists.
const THREAD_SCORE_MIN: i32 = 1;
/// Where slides stand: endings of paths, and hosts.
const SLIDE_ENDINGS: [&str; 5] = [".pdf", ".odp", ".ppt", ".pptx", ".key"];
const SLIDE_HOSTS: [&str; 2] = ["speakerdeck.com", "www.slideshare.net"];

/// The section of a story by how it moved; `None` if it did not move, or not in a way that an issue lists.
pub(super) fn way(passage: &Passage, period: Period) -> Option<SectionKind> {
    let (before, after) = (passage.before.as_ref(), &passage.after);
    match after.kind {
        StoryKind::Series | StoryKind::Commit => way_of_patches(passage),
        // The kernel cycle lists pull requests.
        StoryKind::Pull => None,
        StoryKind::Thread if is_lone_patch(passage) || begins_with_answer(passage) => None,
        StoryKind::Thread => {
            (before.is_none() && after.score >= THREAD_SCORE_MIN).then_some(SectionKind::Missed)
        }
        StoryKind::Article => {
            let is_news = before.is_none_or(|before| {
                !is_free(before, period.from.date_naive()) && is_free(after, period.to.date_naive())
            });
            is_news.then(|| match (is_lwn(after), is_slides(after)) {
                (true, _) => SectionKind::Lwn,
                (false, true) => SectionKind::Slides,
                (false, false) => SectionKind::Missed,
            })
        }
        StoryKind::Release => before.is_none().then_some(SectionKind::Projects),
        StoryKind::Video => before.is_none().then_some(SectionKind::Videos),
    }
}

/// Whether the first present mail of a thread answers a missing one, which would state the topic.
fn begins_with_answer(passage: &Passage) -> bool {
    let mut mails = passage.after.messages.iter();
    let first = mails.find_map(|id| passage.mails.get(id));
    first.is_some_and(|first| Subject::parse(&first.title).reply)
}

pub(super) fn way_of_patches(passage: &Passage) -> Option<SectionKind> {
    let (before, after) = (passage.before.as_ref(), &passage.after);
    let reached = |is: fn(&Story) -> bool| is(after) && !before.is_some_and(is);
    if reached(is_mainline) {
        return Some(SectionKind::Mainline);
    }
    if reached(is_applied) {
        return Some(SectionKind::Applied);
    }
    // Events after it was applied: a revert, or a vulnerability.
    let tells = |step: Step| {
        let has = |story: &Story| story.events.iter().any(|event| event.state == step);
        has(after) && !before.is_some_and(has)
    };
    if tells(Step::Reverted) || tells(Step::Cve) {
        return Some(SectionKind::Developments);
    }
    let is_over = matches!(
        after.state,
        State::Superseded | State::Withdrawn | State::Rejected
    );
    if is_over || is_applied(after) {
        return None;
    }
    let newest = posted_revision(passage)?;
    Some(match before.is_some() || newest.version > 1 {
        true => SectionKind::NewVersions,
        false => SectionKind::NewSeries,
    })
}

/// Whether it reached mainline.
pub fn is_mainline(story: &Story) -> bool {
    matches!(story.state, State::Mainline | State::Stable)
}

/// Whether it is in a tree, or on its way into mainline.
pub fn is_applied(story: &Story) -> bool {
    is_mainline(story)
        || matches!(
            story.state,
            State::Applied | State::PartlyApplied | State::Pulled
        )
}

pub(super) fn is_lwn(story: &Story) -> bool {
    let url = story.url.as_deref().and_then(|url| Url::parse(url).ok());
    url.is_some_and(|url| url.host_str() == Some("lwn.net"))
}

pub(super) fn is_free(story: &Story, day: NaiveDate) -> bool {
    story.state != State::Paid || story.free_on.is_some_and(|free_on| free_on <= day)
}

fn is_slides(story: &Story) -> bool {
    let is_named = |feed: &String| {
        let feed = feed.to_lowercase();
        feed.contains("slides") || feed.contains("presentations")
    };
    story.feeds.iter().any(is_named) || story.url.as_deref().is_some_and(leads_to_slides)
}

pub(super) fn leads_to_slides(link: &str) -> bool {
    let Ok(url) = Url::parse(link) else {
        return false;
    };
    let path = url.path().to_lowercase();
    let host = url.host_str().unwrap_or_default();
    SLIDE_ENDINGS.iter().any(|ending| path.ends_with(ending))
        || SLIDE_HOSTS.contains(&host)
        || (host == "docs.google.com" && path.starts_with("/presentation/"))
}

pub(super) fn leads_to_video(link: &str) -> bool {
    let url = Url::parse(link).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    ["youtube.com", "www.youtube.com", "youtu.be", "vimeo.com"].contains(&host)
}
