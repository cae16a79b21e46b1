//! The steps of a life: what mails, machines, trees and other stories tell of it.

use chrono::TimeDelta;

use super::parts::{
    author_of, is_confirmed, is_mainline_tree, name_of, number_of, repository, short_tree, tree_tag,
};
use super::{MAINLINE_BY, PULLED_WITHIN, Teller};
use crate::story::bot::{self, Notice, Word};
use crate::story::key::clean_name;
use crate::story::reading::{Reading, Role};
use crate::story::series::Posting;
use crate::story::{Applied, AppliedCommit, Carrier, Event, Step};

impl Teller<'_> {
    pub(super) fn event(&mut self, reading: &Reading, state: Step, by: &str) {
        self.events.push(Event {
            at: reading.kept.at,
            state,
            by: by.to_owned(),
            source: reading.kept.reference.clone(),
            ..Event::default()
        });
    }

    pub(super) fn postings(&mut self) {
        let group = self.group;
        for (p, posting) in group.postings.iter().enumerate() {
            let lead = group.readings[posting.lead()];
            let state = if p == 0 { Step::Posted } else { Step::Revised };
            self.events.push(Event {
                at: posting.at,
                state,
                by: author_of(lead),
                source: lead.kept.reference.clone(),
                ..Event::default()
            });
            let answer = group.readings.iter().enumerate().find(|(at, reading)| {
                reading.role == Role::Talk
                    && group.owner.get(at) == Some(&p)
                    && !reading.same_author(lead)
            });
            if let Some((_, answer)) = answer {
                self.event(answer, Step::Discussed, &name_of(answer));
                self.mark_ai_made(answer);
            }
        }
        if group.postings.is_empty() {
            // Pull requests, threads, articles: the first item is the beginning. Commits tell of themselves.
            let first = group
                .readings
                .iter()
                .find(|reading| reading.role != Role::Machine);
            if let Some(first) = first.filter(|first| first.role != Role::Commit) {
                self.event(first, Step::Posted, &author_of(first));
            }
        }
    }

    pub(super) fn mails(&mut self) {
        let group = self.group;
        for (at, reading) in group.readings.iter().enumerate() {
            match reading.role {
                Role::Talk => {
                    self.ai_made(at, reading);
                    self.talk(at, reading);
                }
                Role::Machine => self.machine(at, reading),
                Role::Patch | Role::Backport | Role::Pull | Role::Commit | Role::Lone => {}
            }
        }
    }

    fn talk(&mut self, at: usize, reading: &Reading) {
        let group = self.group;
        let posting = group.owner.get(&at).map(|&p| &group.postings[p]);
        let Some(posting) = posting else {
            return;
        };
        let is_author = reading.same_author(group.readings[posting.lead()]);
        if let Some(mut notice) = bot::thanks(&reading.kept) {
            notice.by = name_of(reading);
            if notice.tree.is_empty() {
                notice.tree = tree_tag(group.readings[posting.lead()]).unwrap_or_default();
            }
            self.notice(reading, notice, Some(posting));
            return;
        }
        match bot::word(&reading.kept, is_author) {
            Some(Word::Withdrawn) => self.event(reading, Step::Withdrawn, &name_of(reading)),
            Some(Word::Nacked) => self.event(reading, Step::Nacked, &name_of(reading)),
            Some(Word::Superseded) => self.event(reading, Step::Superseded, &name_of(reading)),
            None => {}
        }
        if let Some(tree) =
            bot::claim(&reading.kept).filter(|_| !is_author && reading.subject.reply)
        {
            let lead = group.readings[posting.lead()];
            let tree = if tree.is_empty() {
                tree_tag(lead).unwrap_or_default()
            } else {
                tree
            };
            self.event(reading, Step::Claimed, &name_of(reading));
            self.applied.push(Applied {
                tree,
                branch: None,
                by: name_of(reading),
                at: reading.kept.at,
                claimed: true,
                commits: Vec::new(),
            });
        }
    }

    pub(super) fn notice(&mut self, reading: &Reading, notice: Notice, posting: Option<&Posting>) {
        let by = clean_name(notice.by.split('<').next().unwrap_or_default());
        if posting.is_none() {
            // A pull request that Linus Torvalds took is in mainline, whatever tree patchwork saw it in first.
            let state = if by == MAINLINE_BY {
                Step::Mainline
            } else {
                Step::Pulled
            };
            self.event(reading, state, &by);
            return;
        }
        let total = posting.map_or(1, |posting| posting.total as usize);
        let is_whole = notice.without.is_empty() && notice.commits.len() >= total
            || notice.commits.is_empty() && notice.without.is_empty();
        // Without a single commit nothing confirms it.
        let claimed = notice.commits.is_empty();
        let state = match (claimed, is_whole) {
            (true, _) => Step::Claimed,
            (false, true) => Step::Applied,
            (false, false) => Step::PartlyApplied,
        };
        self.event(reading, state, &by);
        self.applied.push(Applied {
            tree: notice.tree,
            branch: notice.branch,
            by,
            at: reading.kept.at,
            claimed,
            commits: notice.commits,
        });
    }

    /// What the trees themselves tell, which confirms what mails say.
    pub(super) fn commits(&mut self) {
        let group = self.group;
        let newest = group.postings.last();
        for reading in group
            .readings
            .iter()
            .filter(|reading| reading.role == Role::Commit)
        {
            let hash = &reading.kept.reference;
            let in_role = |role: &str| {
                let feeds = reading.kept.feeds.iter();
                feeds
                    .filter(|feed| feed.role.as_deref() == Some(role))
                    .min()
            };
            if let Some(told) = self.applied.iter_mut().find_map(|applied| {
                let mut commits = applied.commits.iter_mut();
                commits.find(|told| hash.starts_with(&told.hash))
            }) {
                told.hash.clone_from(hash);
            } else if let Some(tree) = ["next", "fixes", "topic"].into_iter().find_map(in_role) {
                let number = newest.and_then(|posting| number_of(group, posting, reading));
                self.apply(reading, tree, number);
            }
            if in_role("mainline").is_some() {
                self.event(reading, Step::Mainline, "");
            }
            if in_role("stable").is_some() {
                self.event(reading, Step::Stable, "");
            }
        }
        // A sentence that a commit confirms has done its work.
        let confirmed: Vec<String> = self
            .applied
            .iter()
            .filter(|applied| !applied.claimed)
            .map(|applied| short_tree(&applied.tree))
            .collect();
        self.applied
            .retain(|applied| !applied.claimed || !is_confirmed(&applied.tree, &confirmed));
    }

    fn apply(&mut self, reading: &Reading, tree: &Carrier, number: Option<u32>) {
        let commit = AppliedCommit {
            hash: reading.kept.reference.clone(),
            number,
            subject: reading.subject.title.clone(),
        };
        let name = repository(tree);
        let same = self.applied.iter_mut().find(|applied| {
            !applied.claimed && applied.tree == name && applied.branch == tree.branch
        });
        if let Some(applied) = same {
            applied.commits.push(commit);
            return;
        }
        self.applied.push(Applied {
            tree: name,
            branch: tree.branch.clone(),
            by: String::new(),
            at: reading.kept.at,
            claimed: false,
            commits: vec![commit],
        });
        self.event(reading, Step::Applied, "");
    }

    /// What items of other stories say of this one.
    pub(super) fn others(&mut self) {
        for other in std::mem::take(&mut self.outside) {
            match other.role {
                Role::Pull => self.pulled(other),
                Role::Commit => {
                    let state = match other.subject.title.starts_with("Revert ") {
                        true => Step::Reverted,
                        false => Step::Fixed,
                    };
                    self.event(other, state, &author_of(other));
                }
                Role::Talk if bot::cve(&other.kept).is_some() => self.event(other, Step::Cve, ""),
                Role::Talk | Role::Machine | Role::Patch | Role::Backport | Role::Lone => {}
            }
            self.outside.push(other);
        }
    }

    /// A pull request that lists patches of this story, and the merge that it became.
    fn pulled(&mut self, request: &Reading) {
        let last_at = self
            .group
            .postings
            .last()
            .map_or(self.group.readings[0].kept.at, |posting| posting.at);
        let after = request.kept.at - last_at;
        if after < TimeDelta::zero() || after > PULLED_WITHIN {
            return;
        }
        self.event(request, Step::Pulled, &name_of(request));
        let answers = self
            .around
            .iter()
            .filter(|other| other.above.contains(&request.own));
        let merged = answers
            .filter_map(|other| Some((other.kept.at, bot::pull_merged(&other.kept)?)))
            .find(|(_, merge)| is_mainline_tree(&merge.tree));
        if let Some((at, merge)) = merged {
            self.events.push(Event {
                at,
                state: Step::Mainline,
                by: MAINLINE_BY.to_owned(),
                source: merge.hash,
                ..Event::default()
            });
        }
    }
}
