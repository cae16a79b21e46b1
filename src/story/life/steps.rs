//! The steps of a story, from mails, machines, trees and other stories.

use super::effort::{Answered, answered, is_subset, separate_parts};
use super::parts::{
    author_of, in_mainline_since, is_confirmed, name_of, number_of, repository, tree_tag,
};
use super::{MAINLINE_BY, StoryBuilder};
use crate::story::bot::{AnswerEffect, Claim, Notice, Share};
use crate::story::key::clean_name;
use crate::story::reading::{Reading, Role};
use crate::story::{Applied, AppliedCommit, Carrier, Event, Step};

impl StoryBuilder<'_> {
    pub(super) fn event(&mut self, reading: &Reading, state: Step, by: &str) {
        self.events.push(Event {
            at: reading.item.at,
            state,
            by: by.to_owned(),
            source: reading.item.reference.clone(),
            ..Event::default()
        });
    }

    /// The same with the address of the mail, where its archive has one.
    fn event_of_mail(&mut self, reading: &Reading, state: Step, by: &str) {
        self.events.push(Event {
            at: reading.item.at,
            state,
            by: by.to_owned(),
            source: reading.item.reference.clone(),
            link: reading.item.url.clone(),
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
                source: lead.item.reference.clone(),
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
            // Pull requests, threads and articles begin with their first item. Commits are steps by themselves.
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
                    self.reply(at, reading);
                }
                Role::Machine => self.machine(at, reading),
                Role::Patch | Role::Backport | Role::Pull | Role::Commit | Role::Lone => {}
            }
        }
    }

    fn reply(&mut self, at: usize, reading: &Reading) {
        let group = self.group;
        let Some(&p) = group.owner.get(&at) else {
            return self.answer_to_pull(reading);
        };
        let posting = &group.postings[p];
        let lead = group.readings[posting.lead()];
        let is_author = reading.same_author(lead);
        let of = answered(group, posting, reading);
        if reading.requests_changes() {
            self.event_of_mail(reading, Step::ChangesRequested, &name_of(reading));
        }
        if let Some(mut notice) = reading.thanks() {
            notice.by = name_of(reading);
            if notice.tree.is_empty() {
                notice.tree = tree_tag(lead).unwrap_or_default();
            }
            self.wait_for_commit(reading, notice, p);
            return;
        }
        if let Some((effect, share)) = reading.answer_effect(is_author) {
            self.end_or_refuse(reading, p, (effect, share), of);
        }
        if let Some(claim) = reading.claim().filter(|_| reading.subject.reply)
            && (!is_author || claim.is_plain && claim.place.is_sure && !claim.place.tree.is_empty())
        {
            self.claim(reading, p, claim, of);
        }
    }

    /// A person's answer to a pull request: whether it says that it was pulled.
    fn answer_to_pull(&mut self, reading: &Reading) {
        let group = self.group;
        let request = group.readings.iter().find(|other| other.role == Role::Pull);
        if request.is_some_and(|request| !reading.same_author(request)) && reading.says_pulled() {
            self.event_of_mail(reading, Step::Claimed, &name_of(reading));
        }
    }

    /// A word that ends a posting, if it is about all of it and nothing newer stands.
    fn end_or_refuse(
        &mut self,
        reading: &Reading,
        p: usize,
        (effect, share): (AnswerEffect, Share),
        of: Answered,
    ) {
        let group = self.group;
        let is_of_effort = self
            .main
            .is_none_or(|main| separate_parts(group, main, p).is_none());
        let is_whole = is_of_effort
            && match share {
                Share::Series => true,
                Share::Answered => {
                    of.part.is_none() && (of.is_direct || effect == AnswerEffect::Nacked)
                }
                Share::This => of.part.is_none(),
                Share::Parts(_) | Share::Some => false,
            };
        let by = name_of(reading);
        if effect == AnswerEffect::Nacked {
            self.event_of_mail(reading, Step::Nacked, &by);
            if !is_whole {
                self.claims.of_parts.insert(reading.item.reference.clone());
            }
            return;
        }
        if !is_whole || p + 1 < group.postings.len() {
            return;
        }
        match effect {
            AnswerEffect::Withdrawn => self.event_of_mail(reading, Step::Withdrawn, &by),
            AnswerEffect::Superseded => self.event_of_mail(reading, Step::Superseded, &by),
            AnswerEffect::Nacked => {}
        }
    }

    /// Adds a person's claim that the patch was applied.
    fn claim(&mut self, reading: &Reading, p: usize, claim: Claim, of: Answered) {
        let group = self.group;
        let posting = &group.postings[p];
        let tag = tree_tag(group.readings[posting.lead()]);
        let total = posting.total;
        // A maintainer who takes one part into a tree of his own answers that part; one who takes all often answers the last.
        let is_home = match claim.place.tree.as_str() {
            "" => tag.is_some(),
            tree => tag.as_deref().is_some_and(|tag| is_same_tree(tree, tag)),
        };
        let is_all = match &claim.share {
            Share::Series => true,
            Share::Parts(numbers) => (1..=total).all(|number| numbers.contains(&number)),
            Share::Some => false,
            Share::This => of.part.is_none(),
            Share::Answered => of.part.is_none_or(|part| is_home || part == total),
        };
        let is_of_effort = self
            .main
            .is_none_or(|main| separate_parts(group, main, p).is_none());
        self.claims.all |= is_all && is_of_effort && !is_subset(reading);
        self.event(reading, Step::Claimed, &name_of(reading));
        let (tree, branch) = if claim.place.tree.is_empty() {
            (tag.unwrap_or_default(), claim.place.branch)
        } else {
            (claim.place.tree, claim.place.branch)
        };
        self.applied.push(Applied {
            tree,
            branch,
            by: name_of(reading),
            at: reading.item.at,
            claimed: true,
            commits: Vec::new(),
        });
    }

    pub(super) fn notice(&mut self, reading: &Reading, mut notice: Notice, posting: Option<usize>) {
        let by = clean_name(notice.by.split('<').next().unwrap_or_default());
        let is_pull = || {
            let mut readings = self.group.readings.iter();
            notice.is_of_pull || readings.any(|reading| reading.role == Role::Pull)
        };
        if posting.is_none() && is_pull() {
            // A pull request that Linus Torvalds took is in mainline, whichever tree patchwork saw first.
            let state = if by == MAINLINE_BY {
                Step::Mainline
            } else {
                Step::Pulled
            };
            self.event(reading, state, &by);
            if state == Step::Mainline {
                self.merge_reported(reading.item.at);
            }
            return;
        }
        // Without a single commit nothing confirms it.
        let claimed = notice.commits.is_empty();
        let state = match (claimed, posting) {
            (true, _) => Step::Claimed,
            (false, Some(p)) => self.step_of(&notice, p),
            (false, None) => {
                if notice.without.is_empty() {
                    Step::Applied
                } else {
                    Step::PartlyApplied
                }
            }
        };
        self.claims.all |= claimed;
        self.event(reading, state, &by);
        notice.by = by;
        self.applied.push(applied_by(reading, notice, claimed));
    }

    /// Keeps the notice of a mail as a claim until one of its commits confirms it.
    pub(super) fn wait_for_commit(&mut self, reading: &Reading, notice: Notice, posting: usize) {
        let step = self.step_of(&notice, posting);
        let source = reading.item.reference.clone();
        let applied = applied_by(reading, notice, true);
        self.claims.thanks.push((applied, step, source));
    }

    /// Whether a notice covers a whole effort, or parts only.
    fn step_of(&self, notice: &Notice, p: usize) -> Step {
        let group = self.group;
        let is_part = self
            .main
            .is_some_and(|main| separate_parts(group, main, p).is_some());
        if !is_part && notice.is_whole(group.postings[p].total as usize) {
            Step::Applied
        } else {
            Step::PartlyApplied
        }
    }

    /// Adds the commits in the trees, which confirm claims in mails.
    pub(super) fn commits(&mut self) {
        let group = self.group;
        let newest = group.postings.last();
        let mut thanks = std::mem::take(&mut self.claims.thanks);
        for reading in group
            .readings
            .iter()
            .filter(|reading| reading.role == Role::Commit)
        {
            let hash = &reading.item.reference;
            let in_role = |role: &str| {
                let feeds = reading.item.feeds.iter();
                feeds
                    .filter(|feed| feed.role.as_deref() == Some(role))
                    .min()
            };
            let by_mail = thanks.iter_mut().map(|(applied, ..)| applied);
            if let Some((applied, at)) =
                self.applied.iter_mut().chain(by_mail).find_map(|applied| {
                    let mut commits = applied.commits.iter();
                    let at = commits.position(|commit| hash.starts_with(&commit.hash))?;
                    Some((applied, at))
                })
            {
                applied.commits[at].hash.clone_from(hash);
                applied.claimed = false;
            } else if let Some(tree) = ["next", "fixes", "topic"].into_iter().find_map(in_role) {
                let number = newest.and_then(|posting| number_of(group, posting, reading));
                self.apply(reading, tree, number);
            }
            if let Some(at) = in_mainline_since(&reading.item) {
                self.events.push(Event {
                    at,
                    state: Step::Mainline,
                    source: hash.clone(),
                    ..Event::default()
                });
            }
            if in_role("stable").is_some() {
                self.event(reading, Step::Stable, "");
            }
        }
        self.confirm_claims(thanks);
    }

    /// Confirms claims: a claim counts as done if a commit, or a bot that saw the tree, agrees.
    fn confirm_claims(&mut self, thanks: Vec<(Applied, Step, String)>) {
        let is_sure = |applied: &&Applied| !applied.claimed;
        let seen: Vec<String> = self
            .applied
            .iter()
            .filter(is_sure)
            .flat_map(|applied| applied.commits.iter().map(|commit| commit.hash.clone()))
            .collect();
        for (mut applied, step, source) in thanks {
            let mut hashes = applied.commits.iter().map(|commit| &commit.hash);
            let is_seen = hashes.any(|hash| {
                let mut seen = seen.iter();
                seen.any(|other| {
                    other.starts_with(hash.as_str()) || hash.starts_with(other.as_str())
                })
            });
            applied.claimed &= !is_seen;
            let state = if applied.claimed { Step::Claimed } else { step };
            self.claims.all |= step == Step::Applied;
            self.events.push(Event {
                at: applied.at,
                state,
                by: applied.by.clone(),
                source,
                ..Event::default()
            });
            self.applied.push(applied);
        }
        // A sentence that a commit confirms has done its work.
        let confirmed: Vec<String> = self
            .applied
            .iter()
            .filter(is_sure)
            .map(|applied| applied.short_tree().to_owned())
            .collect();
        self.applied.retain(|applied| {
            !applied.claimed
                || !applied.commits.is_empty()
                || !is_confirmed(&applied.tree, &confirmed)
        });
    }

    fn apply(&mut self, reading: &Reading, tree: &Carrier, number: Option<u32>) {
        let commit = AppliedCommit {
            hash: reading.item.reference.clone(),
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
            at: reading.item.at,
            claimed: false,
            commits: vec![commit],
        });
        self.event(reading, Step::Applied, "");
    }
}

/// The applied commits of a mail.
fn applied_by(reading: &Reading, notice: Notice, claimed: bool) -> Applied {
    Applied {
        tree: notice.tree,
        branch: notice.branch,
        by: notice.by,
        at: reading.item.at,
        claimed,
        commits: notice.commits,
    }
}

/// Whether a tree that a person names is the one that a subject's tag names: `bpf/bpf-next.git` and `bpf-next`.
fn is_same_tree(named: &str, tag: &str) -> bool {
    let first = tag.split('/').next().unwrap_or(tag);
    let mut parts = named.trim_end_matches(".git").split('/');
    parts.any(|part| part.eq_ignore_ascii_case(first)) || named.eq_ignore_ascii_case(tag)
}
