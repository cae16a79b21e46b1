//! Prepares the input of relevance: see [`Matter`].

use std::collections::BTreeSet;

use super::StoryBuilder;
use super::effort::listed_titles;
use super::parts::{lead_of, name_of, names};
use crate::story::reading::{Reading, Role};
use crate::story::relevance::Matter;
use crate::story::{Step, Story, StoryKind};

impl StoryBuilder<'_> {
    /// Whether LWN wrote it, or wrote of it.
    fn is_of_lwn(&self) -> bool {
        let own = self.group.readings.iter().copied();
        let mut articles = own
            .chain(self.outside.iter().copied())
            .filter(|reading| reading.role == Role::Lone);
        articles.any(|article| article.item.feeds.iter().any(|feed| feed.kind == "lwn"))
    }

    /// The titles that the cover letter lists beside those of present parts, and whether other parts are unknown. If the cover
    /// letter lists the files of all parts, the titles add nothing.
    fn missing_parts(&self, own: &[&Reading]) -> (Vec<String>, bool) {
        let Some(posting) = self.main.map(|main| &self.group.postings[main]) else {
            return (Vec::new(), false);
        };
        let here: BTreeSet<&str> = own
            .iter()
            .filter(|reading| !reading.subject.is_cover())
            .map(|reading| reading.subject.title.as_str())
            .collect();
        let cover = posting.cover.map(|cover| self.group.readings[cover]);
        let others: Vec<String> = cover
            .map(|cover| listed_titles(&cover.item.text))
            .unwrap_or_default()
            .into_iter()
            .filter(|title| !here.contains(title.as_str()))
            .collect();
        if cover.is_some_and(|cover| !cover.paths.is_empty()) {
            return (Vec::new(), false);
        }
        let is_incomplete = here.len() + others.len() < posting.total as usize;
        (others, is_incomplete)
    }

    /// The items that speak for a story: the mails of the newest revision; else the first mail, or the commits.
    pub(super) fn own_readings(&self, kind: StoryKind) -> Vec<&Reading> {
        let group = self.group;
        if self.main.is_some() {
            let mails = self.main_mails().iter();
            return mails.map(|&at| group.readings[at]).collect();
        }
        let all = group.readings.iter().copied();
        match kind {
            StoryKind::Thread | StoryKind::Pull => all.take(1).collect(),
            _ => all
                .filter(|reading| reading.role != Role::Talk && reading.role != Role::Machine)
                .collect(),
        }
    }

    pub(super) fn matter(&self, story: &Story) -> Matter {
        let group = self.group;
        let lead = lead_of(group);
        let own = self.own_readings(story.kind);
        let home = group
            .readings
            .iter()
            .flat_map(|reading| &reading.item.feeds)
            .filter(|feed| feed.home);
        let reviewers: BTreeSet<String> = group
            .readings
            .iter()
            .filter(|reading| reading.role == Role::Talk && !reading.same_author(lead))
            .map(|reading| name_of(reading))
            .collect();
        let patches = own.iter().filter(|reading| !reading.subject.is_cover());
        let (others, is_incomplete) = self.missing_parts(&own);
        Matter {
            others,
            is_incomplete,
            home: names(home),
            titles: std::iter::once(lead.subject.title.clone())
                .chain(patches.map(|reading| reading.subject.title.clone()))
                .collect(),
            trees: own
                .first()
                .map(|reading| reading.subject.trees.clone())
                .unwrap_or_default(),
            texts: own
                .iter()
                .map(|reading| reading.item.text.clone())
                .collect(),
            paths: own
                .iter()
                .flat_map(|reading| reading.paths.iter().cloned())
                .collect(),
            reviewers: u32::try_from(reviewers.len()).unwrap_or(u32::MAX),
            nacked: story.events.iter().any(|event| event.state == Step::Nacked),
            applied: !story.applied.is_empty() || !story.commits.is_empty(),
            cve: !story.cves.is_empty(),
            lwn: self.is_of_lwn(),
            backport: group
                .readings
                .iter()
                .all(|reading| reading.role == Role::Backport),
        }
    }
}
