//! Builds a story from its items: its kind, its steps with their times, and its people.

use std::collections::BTreeSet;

use chrono::TimeDelta;

mod effort;
mod machines;
mod matter;
mod parts;
mod people;
mod scope;
mod steps;

use self::effort::main_posting;
use self::parts::{
    NOT_HERE, changes, fixes, kind_of, lacks_beginning, lead_of, named_author, names, references,
    revision, summary_source, title_of, tree_tag,
};
use super::bot::{self};
use super::group::{Group, Outside};
use super::key::JoinKey;
use super::reading::{Reading, Role};
use super::relevance::{self, FoldRules};
use super::{Applied, Backport, Event, Landed, State, Step, Story, StoryKind, summary};
use crate::item::ItemKind;

/// The letters of a story's id: no vowels but `a` and `e`, nothing that is mistaken for something else.
const ID_LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// How many letters: 50 bits.
const ID_LENGTH: usize = 10;
/// A pull request lists patches of the half year before it; an older patch of the same name is another.
const PULLED_WITHIN: TimeDelta = TimeDelta::days(180);
/// The person who merges into mainline.
const MAINLINE_BY: &str = "Linus Torvalds";

/// The id of a story whose earliest item has that key.
pub fn id_of(own: JoinKey) -> String {
    let bits = own.cast_unsigned();
    (0..ID_LENGTH)
        .map(|at| char::from(ID_LETTERS[(bits >> (5 * at)) as usize & 31]))
        .collect()
}

/// Whether a text has the form of a story's id.
pub fn is_id(text: &str) -> bool {
    text.len() == ID_LENGTH && text.bytes().all(|byte| ID_LETTERS.contains(&byte))
}

/// Whether a story is of answers to a patch that is not here: nobody began it, as far as is known.
pub fn answers_missing_patch(story: &Story) -> bool {
    story.kind == StoryKind::Thread && story.author.is_none() && story.title.starts_with(NOT_HERE)
}

/// Builds the story of a group.
pub fn build(group: &Group<'_>, outside: &Outside, rules: &FoldRules) -> Story {
    let mut builder = StoryBuilder {
        group,
        outside: outside.of(group),
        around: outside.readings(),
        main: main_posting(group),
        events: Vec::new(),
        applied: Vec::new(),
        claims: PeopleClaims::default(),
        verdicts: Vec::new(),
    };
    builder.postings();
    builder.mails();
    builder.commits();
    builder.outside_steps();
    builder.story(rules)
}

struct StoryBuilder<'a> {
    group: &'a Group<'a>,
    /// Items that mention this story.
    outside: Vec<&'a Reading>,
    /// Those items, and the outcome of pull requests among them.
    around: &'a [Reading],
    /// The newest posting of the whole effort.
    main: Option<usize>,
    events: Vec<Event>,
    applied: Vec<Applied>,
    claims: PeopleClaims,
    /// The verdicts of machines on patches.
    verdicts: Vec<machines::PatchVerdict>,
}

/// Statements of people that only the whole story can confirm.
#[derive(Default)]
struct PeopleClaims {
    /// Somebody says that all of it was applied.
    all: bool,
    /// Lists of commits that a person sent, with their step and the mail.
    thanks: Vec<(Applied, Step, String)>,
    /// Mails that refuse a part only.
    of_parts: BTreeSet<String>,
}

impl StoryBuilder<'_> {
    fn story(mut self, rules: &FoldRules) -> Story {
        self.events.sort();
        self.events.dedup();
        self.applied
            .sort_by(|a, b| (a.at, &a.tree, &a.branch).cmp(&(b.at, &b.tree, &b.branch)));
        let group = self.group;
        let kind = kind_of(group);
        let lead = lead_of(group);
        let first = group.readings[0];
        let cves = self.cves();
        let free_on = lead.item.paid_until().flatten();
        let (mainline, stable) = (self.mainline(), self.stable());
        let talks = group
            .readings
            .iter()
            .filter(|reading| reading.role == Role::Talk)
            .count();
        let own_talk = usize::from(
            kind == StoryKind::Thread && lead.role == Role::Talk && !lead.subject.reply,
        );
        let mut story = Story {
            id: id_of(first.own),
            aliases: Vec::new(),
            kind,
            title: title_of(lead),
            url: lead.item.url.clone(),
            author: named_author(lead),
            tree: tree_tag(lead).or_else(|| {
                self.applied
                    .first()
                    .map(|applied| applied.short_tree().to_owned())
            }),
            state: self.state(kind, lead, mainline.is_some(), !stable.is_empty()),
            score: 0,
            relevant: false,
            why: Vec::new(),
            first_at: first.item.at,
            last_at: self.last_at(),
            lacks_beginning: lacks_beginning(group, kind, lead),
            feeds: names(
                group
                    .readings
                    .iter()
                    .flat_map(|reading| &reading.item.feeds),
            ),
            revisions: group
                .postings
                .iter()
                .map(|posting| revision(group, posting))
                .collect(),
            follow_ups: u32::try_from(talks - own_talk).unwrap_or(u32::MAX),
            people: self.people(lead, &rules.machines),
            scope: self.scope(kind, &rules.machines),
            mainline,
            stable,
            fixes: fixes(group),
            cves,
            messages: references(group, ItemKind::Message),
            commits: self.hashes(),
            summary: match lead.role {
                // A machine's text does not describe the story.
                Role::Machine => Vec::new(),
                _ => summary::summary(summary_source(group, lead)),
            },
            changes: changes(group),
            free_on,
            events: std::mem::take(&mut self.events),
            checks: self.checks(),
            applied: std::mem::take(&mut self.applied),
        };
        let judged = relevance::judge(&self.matter(&story), rules);
        (story.relevant, story.score, story.why) = (judged.relevant, judged.score, judged.why);
        let near = group
            .near
            .iter()
            .map(|(own, why)| format!("perhaps one with {}: {why}, but nothing more", id_of(*own)));
        story.why.extend(near);
        story.why.extend(self.why_machines());
        story
    }

    fn has(&self, state: Step) -> bool {
        self.events.iter().any(|event| event.state == state)
    }

    fn state(&self, kind: StoryKind, lead: &Reading, is_mainline: bool, is_stable: bool) -> State {
        match kind {
            StoryKind::Series | StoryKind::Commit | StoryKind::Pull => {}
            StoryKind::Thread => return State::Open,
            StoryKind::Article => {
                let is_lwn = lead.item.feeds.iter().any(|feed| feed.kind == "lwn");
                return match (lead.item.paid_until().is_some(), is_lwn) {
                    (true, _) => State::Paid,
                    (false, true) => State::Free,
                    (false, false) => State::Published,
                };
            }
            StoryKind::Release | StoryKind::Video => return State::Published,
        }
        if is_stable {
            return State::Stable;
        }
        if is_mainline {
            return State::Mainline;
        }
        if self.has(Step::Pulled) {
            return State::Pulled;
        }
        if kind == StoryKind::Pull {
            return State::Open;
        }
        if kind == StoryKind::Commit {
            return State::Applied;
        }
        self.series_state()
    }

    fn series_state(&self) -> State {
        let main = self.main.map(|main| &self.group.postings[main]);
        let total = main.map_or(1, |posting| posting.total as usize);
        let subjects: BTreeSet<&str> = self
            .applied
            .iter()
            .flat_map(|applied| applied.commits.iter().map(|commit| commit.subject.as_str()))
            .collect();
        let said = self.applied.iter().any(|applied| applied.claimed);
        let is_all = !subjects.is_empty() && subjects.len() >= total;
        if self.has(Step::Applied) || self.claims.all || is_all {
            return State::Applied;
        }
        if !subjects.is_empty() || said {
            return State::PartlyApplied;
        }
        let since = self.group.postings.last().map(|posting| posting.at);
        let word = self.events.iter().rev().find(|event| {
            let ends = matches!(
                event.state,
                Step::Withdrawn | Step::Superseded | Step::Nacked | Step::Rejected
            );
            ends && since.is_none_or(|since| event.at >= since)
                && !self.claims.of_parts.contains(&event.source)
        });
        match word.map(|event| event.state) {
            Some(Step::Withdrawn) => State::Withdrawn,
            Some(Step::Superseded) => State::Superseded,
            Some(Step::Nacked | Step::Rejected) => State::Rejected,
            _ if self.has(Step::Discussed) => State::Discussed,
            _ => State::Posted,
        }
    }

    fn mainline(&self) -> Option<Landed> {
        let event = self
            .events
            .iter()
            .find(|event| event.state == Step::Mainline)?;
        Some(Landed {
            hash: event.source.clone(),
            at: event.at,
        })
    }

    fn stable(&self) -> Vec<Backport> {
        let mut stable = Vec::new();
        for reading in self
            .group
            .readings
            .iter()
            .filter(|reading| reading.role == Role::Commit)
        {
            let feeds = reading.item.feeds.iter();
            stable.extend(
                feeds
                    .filter(|feed| feed.role.as_deref() == Some("stable"))
                    .map(|feed| Backport {
                        branch: feed.branch.clone().unwrap_or_else(|| feed.name.clone()),
                        hash: reading.item.reference.clone(),
                        at: reading.item.at,
                    }),
            );
        }
        stable.sort_by(|a, b| (a.at, &a.branch, &a.hash).cmp(&(b.at, &b.branch, &b.hash)));
        stable
    }

    fn cves(&self) -> Vec<String> {
        let all = self
            .group
            .readings
            .iter()
            .copied()
            .chain(self.outside.iter().copied());
        let cves: BTreeSet<String> = all
            .filter_map(|reading| bot::announced_cve(&reading.item))
            .collect();
        cves.into_iter().collect()
    }

    /// The latest thing that a person did, or the latest step; a machine's report is no activity.
    fn last_at(&self) -> chrono::DateTime<chrono::Utc> {
        let people = self
            .group
            .readings
            .iter()
            .filter(|reading| reading.role != Role::Machine);
        let steps = self.events.iter();
        let steps = steps.filter(|event| !event.state.is_of_machine());
        let first = self.group.readings[0].item.at;
        people
            .map(|reading| reading.item.at)
            .chain(steps.map(|event| event.at))
            .max()
            .unwrap_or(first)
    }

    fn hashes(&self) -> Vec<String> {
        let mut hashes: Vec<String> = references(self.group, ItemKind::Commit);
        for applied in &self.applied {
            for commit in &applied.commits {
                if !hashes.iter().any(|hash| hash.starts_with(&commit.hash)) {
                    hashes.push(commit.hash.clone());
                }
            }
        }
        hashes
    }
}

#[cfg(test)]
mod tests;
