//! Other stories that belong to one: fixes, reverts, pull requests, articles, and perhaps earlier attempts.

use std::collections::{HashMap, HashSet};

use crate::item::MessageId;
use crate::store::Readers;
use crate::store::items::PageItem;
use crate::store::stories;
use crate::story::key::{self, JoinKey};
use crate::story::life::near_ids;
use crate::story::{Step, Story, StoryKind};

/// The most stories below one heading.
const SHOWN_MAX: usize = 12;
/// The most stories that one query returns.
const FOUND_MAX: i64 = 40;
/// The most names of a story that others may mention.
const KEYS_MAX: usize = 200;

/// Stories below a heading.
pub(super) struct Related {
    pub(super) heading: &'static str,
    pub(super) stories: Vec<Story>,
}

/// The headings, in their order on the page.
const FIXES: &str = "Fixes";
const FIXED_BY: &str = "Fixed by";
const REVERTED_BY: &str = "Reverted by";
const PULLS: &str = "Pull requests";
const ARTICLES: &str = "Articles and talks";
const MENTIONED: &str = "Mentioned in";
const NEAR: &str = "Perhaps the same work";
const HEADINGS: [&str; 7] = [
    FIXES,
    FIXED_BY,
    REVERTED_BY,
    PULLS,
    ARTICLES,
    MENTIONED,
    NEAR,
];

/// The stories that belong to `story`, by heading. Each is named once.
pub(super) async fn related(
    readers: &Readers,
    story: &Story,
    items: &HashMap<String, PageItem>,
    today: i64,
) -> anyhow::Result<Vec<Related>> {
    let mut found: Vec<(&'static str, Story)> = Vec::new();
    let mended: Vec<JoinKey> = story
        .fixes
        .iter()
        .filter_map(|hash| key::commit(hash))
        .collect();
    let fixed = stories::stories_of_keys(readers, &mended, today, FOUND_MAX).await?;
    let fixed = fixed.into_iter().filter(|other| has_fixed(story, other));
    found.extend(fixed.map(|other| (FIXES, other)));
    let by_step: HashMap<&str, &'static str> = story
        .events
        .iter()
        .filter_map(|event| {
            let heading = match event.state {
                Step::Fixed => FIXED_BY,
                Step::Reverted => REVERTED_BY,
                Step::Pulled => PULLS,
                _ => return None,
            };
            Some((items.get(&event.source)?.story.as_deref()?, heading))
        })
        .collect();
    let ids: Vec<&str> = by_step.keys().copied().collect();
    let named = stories::stories_by_ids(readers, &ids, today).await?;
    found.extend(named.into_iter().map(|other| {
        let heading = by_step.get(other.id.as_str()).copied();
        (heading.unwrap_or(MENTIONED), other)
    }));
    let mentioning = stories::stories_that_mention(readers, &keys(story), today, FOUND_MAX).await?;
    found.extend(mentioning.into_iter().map(|other| {
        let heading = match other.kind {
            StoryKind::Commit | StoryKind::Series => FIXED_BY,
            StoryKind::Pull => PULLS,
            StoryKind::Article | StoryKind::Release | StoryKind::Video => ARTICLES,
            StoryKind::Thread => MENTIONED,
        };
        (heading, other)
    }));
    let near: Vec<&str> = near_ids(story).take(SHOWN_MAX).collect();
    let near = stories::stories_by_ids(readers, &near, today).await?;
    found.extend(near.into_iter().map(|other| (NEAR, other)));
    Ok(by_heading(story, found))
}

/// Whether `story` fixes a commit of `other`: a join key alone may lead to a neighbour.
fn has_fixed(story: &Story, other: &Story) -> bool {
    let mut fixes = story.fixes.iter();
    fixes.any(|hash| {
        let mut commits = other.commits.iter();
        commits.any(|commit| commit.starts_with(hash.as_str()) || hash.starts_with(commit.as_str()))
    })
}

/// The keys by which other items mention a story: its commits, and the mails of its versions.
fn keys(story: &Story) -> Vec<JoinKey> {
    let commits = story.commits.iter().filter_map(|hash| key::commit(hash));
    let versions = story.revisions.iter().rev();
    let mails = versions.flat_map(|revision| {
        let patches = revision.patches.iter().map(|patch| &patch.message_id);
        std::iter::once(&revision.root).chain(patches)
    });
    let mails = mails.filter_map(|id| MessageId::parse(id).map(|id| key::mail(&id)));
    commits.chain(mails).take(KEYS_MAX).collect()
}

fn by_heading(story: &Story, found: Vec<(&'static str, Story)>) -> Vec<Related> {
    let mut seen = HashSet::from([story.id.clone()]);
    let found: Vec<(&'static str, Story)> = found
        .into_iter()
        .filter(|(_, other)| seen.insert(other.id.clone()))
        .collect();
    let group = |heading: &'static str| {
        let stories = found.iter().filter(|(of, _)| *of == heading);
        let stories = stories.take(SHOWN_MAX).map(|(_, other)| other.clone());
        Related {
            heading,
            stories: stories.collect(),
        }
    };
    let groups = HEADINGS.into_iter().map(group);
    groups.filter(|group| !group.stories.is_empty()).collect()
}
