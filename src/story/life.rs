//! A story told from its items: what it is, what became of it and when, who had a part in it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::bot::{self, Notice, Verdict, Word};
use super::fold::{Group, Outside};
use super::key::{self, Key, clean_name};
use super::reading::{self, Reading, Role};
use super::relevance::{self, Matter, Words};
use super::series::Posting;
use super::{
    Applied, AppliedCommit, Backport, Carrier, Event, Landed, Part, Patch, Revision, State, Step,
    Story, StoryKind, summary,
};
use crate::item::Kind;
use crate::item::trailer::trailers;

/// The letters of a story's id: no vowels but `a` and `e`, nothing that is mistaken for something else.
const ID_LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// How many letters: 50 bits.
const ID_LENGTH: usize = 10;
/// A pull request lists what was posted in the half year before it; an older namesake is another patch.
const PULLED_WITHIN: TimeDelta = TimeDelta::days(180);
/// Who merges into mainline.
const MAINLINE_BY: &str = "Linus Torvalds";

/// The id that a story has whose earliest item has that key.
pub fn id_of(own: Key) -> String {
    let bits = own.cast_unsigned();
    (0..ID_LENGTH)
        .map(|at| char::from(ID_LETTERS[(bits >> (5 * at)) as usize & 31]))
        .collect()
}

/// Tells the story of a group.
pub fn tell(group: &Group<'_>, outside: &Outside, words: &Words) -> Story {
    let mut teller = Teller {
        group,
        outside: mentions(group, outside),
        around: &outside.readings,
        events: Vec::new(),
        applied: Vec::new(),
    };
    teller.postings();
    teller.mails();
    teller.commits();
    teller.others();
    teller.story(words)
}

/// What of the outside speaks of this group.
fn mentions<'a>(group: &Group<'_>, outside: &'a Outside) -> Vec<&'a Reading> {
    if outside.readings.is_empty() {
        return Vec::new();
    }
    let keys: BTreeSet<Key> = group
        .readings
        .iter()
        .flat_map(|reading| reading.keys())
        .collect();
    let own: BTreeSet<Key> = group.readings.iter().map(|reading| reading.own).collect();
    outside
        .readings
        .iter()
        .filter(|other| !own.contains(&other.own))
        .filter(|other| {
            reading::mentions(other)
                .iter()
                .any(|key| keys.contains(key))
        })
        .collect()
}

struct Teller<'a> {
    group: &'a Group<'a>,
    /// What speaks of this story.
    outside: Vec<&'a Reading>,
    /// That, and what became of the pull requests among it.
    around: &'a [Reading],
    events: Vec<Event>,
    applied: Vec<Applied>,
}

impl Teller<'_> {
    fn event(&mut self, reading: &Reading, state: Step, by: &str) {
        self.events.push(Event {
            at: reading.kept.at,
            state,
            by: by.to_owned(),
            source: reading.kept.reference.clone(),
        });
    }

    fn postings(&mut self) {
        let group = self.group;
        for (p, posting) in group.postings.iter().enumerate() {
            let lead = group.readings[posting.lead()];
            let state = if p == 0 { Step::Posted } else { Step::Revised };
            self.events.push(Event {
                at: posting.at,
                state,
                by: author_of(lead),
                source: lead.kept.reference.clone(),
            });
            let answer = group.readings.iter().enumerate().find(|(at, reading)| {
                reading.role == Role::Talk
                    && group.owner.get(at) == Some(&p)
                    && !reading.same_author(lead)
            });
            if let Some((_, answer)) = answer {
                self.event(answer, Step::Discussed, &name_of(answer));
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

    fn mails(&mut self) {
        let group = self.group;
        for (at, reading) in group.readings.iter().enumerate() {
            match reading.role {
                Role::Talk => self.talk(at, reading),
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

    fn machine(&mut self, at: usize, reading: &Reading) {
        let group = self.group;
        let posting = group.owner.get(&at).map(|&p| &group.postings[p]);
        if let Some(notice) = bot::applied(&reading.kept) {
            self.notice(reading, notice, posting);
        } else if let Some(merge) = bot::pull_merged(&reading.kept) {
            let state = if is_mainline_tree(&merge.tree) {
                Step::Mainline
            } else {
                Step::Pulled
            };
            self.events.push(Event {
                at: reading.kept.at,
                state,
                by: String::new(),
                source: merge.hash,
            });
        } else {
            let state = match bot::verdict(&reading.kept) {
                Verdict::Passed => Step::CiPassed,
                Verdict::Failed => Step::CiFailed,
                Verdict::Reported => Step::Reported,
            };
            self.event(reading, state, &name_of(reading));
        }
    }

    fn notice(&mut self, reading: &Reading, notice: Notice, posting: Option<&Posting>) {
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
    fn commits(&mut self) {
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
    fn others(&mut self) {
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
            });
        }
    }

    fn story(mut self, words: &Words) -> Story {
        self.events.sort();
        self.events.dedup();
        self.applied
            .sort_by(|a, b| (a.at, &a.tree, &a.branch).cmp(&(b.at, &b.tree, &b.branch)));
        let group = self.group;
        let kind = kind_of(group);
        let lead = lead_of(group);
        let first = group.readings[0];
        let cves = self.cves();
        let free_on = lead.kept.paid.flatten();
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
            url: lead.kept.url.clone(),
            author: Some(author_of(lead)).filter(|author| !author.is_empty()),
            tree: tree_tag(lead).or_else(|| {
                self.applied
                    .first()
                    .map(|applied| short_tree(&applied.tree))
            }),
            state: self.state(kind, lead, mainline.is_some(), !stable.is_empty()),
            score: 0,
            relevant: false,
            why: Vec::new(),
            first_at: first.kept.at,
            last_at: self.last_at(),
            feeds: names(
                group
                    .readings
                    .iter()
                    .flat_map(|reading| &reading.kept.feeds),
            ),
            revisions: group
                .postings
                .iter()
                .map(|posting| revision(group, posting))
                .collect(),
            follow_ups: u32::try_from(talks - own_talk).unwrap_or(u32::MAX),
            people: self.people(lead),
            mainline,
            stable,
            fixes: fixes(group),
            cves,
            messages: references(group, Kind::Message),
            commits: self.hashes(),
            summary: summary::summary(telling_text(group, lead)),
            changes: changes(group),
            free_on,
            events: std::mem::take(&mut self.events),
            applied: std::mem::take(&mut self.applied),
        };
        let judged = relevance::judge(&self.matter(&story), words);
        (story.relevant, story.score, story.why) = (judged.relevant, judged.score, judged.why);
        let near = group
            .near
            .iter()
            .map(|(own, why)| format!("perhaps one with {}: {why}, but nothing more", id_of(*own)));
        story.why.extend(near);
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
                let is_lwn = lead.kept.feeds.iter().any(|feed| feed.kind == "lwn");
                return match (lead.kept.paid.is_some(), is_lwn) {
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
        let newest = self.group.postings.last();
        let total = newest.map_or(1, |posting| posting.total as usize);
        let subjects: BTreeSet<&str> = self
            .applied
            .iter()
            .flat_map(|applied| applied.commits.iter().map(|commit| commit.subject.as_str()))
            .collect();
        let said = self.applied.iter().any(|applied| applied.claimed);
        if self.has(Step::Applied) || (!subjects.is_empty() && subjects.len() >= total) {
            return State::Applied;
        }
        if !subjects.is_empty() {
            return State::PartlyApplied;
        }
        if said {
            return State::Applied;
        }
        let since = newest.map(|posting| posting.at);
        let word = self.events.iter().rev().find(|event| {
            let ends = matches!(
                event.state,
                Step::Withdrawn | Step::Superseded | Step::Nacked | Step::Rejected
            );
            ends && since.is_none_or(|since| event.at >= since)
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
            let feeds = reading.kept.feeds.iter();
            stable.extend(
                feeds
                    .filter(|feed| feed.role.as_deref() == Some("stable"))
                    .map(|feed| Backport {
                        branch: feed.branch.clone().unwrap_or_else(|| feed.name.clone()),
                        hash: reading.kept.reference.clone(),
                        at: reading.kept.at,
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
        let cves: BTreeSet<String> = all.filter_map(|reading| bot::cve(&reading.kept)).collect();
        cves.into_iter().collect()
    }

    /// The latest thing that a person did, or the latest step; a machine's report is no activity.
    fn last_at(&self) -> chrono::DateTime<chrono::Utc> {
        let people = self
            .group
            .readings
            .iter()
            .filter(|reading| reading.role != Role::Machine);
        let steps = self.events.iter().filter(|event| {
            !matches!(
                event.state,
                Step::CiPassed | Step::CiFailed | Step::Reported
            )
        });
        let first = self.group.readings[0].kept.at;
        people
            .map(|reading| reading.kept.at)
            .chain(steps.map(|event| event.at))
            .max()
            .unwrap_or(first)
    }

    fn people(&self, lead: &Reading) -> Vec<Part> {
        const ROLES: [(&str, &str); 8] = [
            ("Reviewed-by", "reviewer"),
            ("Acked-by", "acker"),
            ("Tested-by", "tester"),
            ("Nacked-by", "nacker"),
            ("Reported-by", "reporter"),
            ("Suggested-by", "suggester"),
            ("Co-developed-by", "author"),
            ("NAKed-by", "nacker"),
        ];
        let mut people = BTreeSet::new();
        let mut put = |role: &str, name: &str| {
            let name = clean_name(name);
            if !name.is_empty() {
                people.insert(Part {
                    role: role.to_owned(),
                    name,
                });
            }
        };
        put("author", &author_of(lead));
        for reading in &self.group.readings {
            if reading.role == Role::Machine {
                continue;
            }
            for trailer in trailers(&reading.kept.text) {
                if let Some((_, role)) = ROLES.iter().find(|(name, _)| trailer.is(name)) {
                    put(role, trailer.person());
                }
            }
        }
        for applied in &self.applied {
            put("applier", &applied.by);
        }
        people.into_iter().collect()
    }

    fn hashes(&self) -> Vec<String> {
        let mut hashes: Vec<String> = references(self.group, Kind::Commit);
        for applied in &self.applied {
            for commit in &applied.commits {
                if !hashes.iter().any(|hash| hash.starts_with(&commit.hash)) {
                    hashes.push(commit.hash.clone());
                }
            }
        }
        hashes
    }

    fn matter(&self, story: &Story) -> Matter {
        let group = self.group;
        let own = group.postings.last().map_or_else(
            || {
                let all = group.readings.iter().copied();
                let own: Vec<&Reading> = match story.kind {
                    StoryKind::Thread | StoryKind::Pull => all.take(1).collect(),
                    _ => all
                        .filter(|reading| {
                            reading.role != Role::Talk && reading.role != Role::Machine
                        })
                        .collect(),
                };
                own
            },
            |posting| posting.mails.iter().map(|&at| group.readings[at]).collect(),
        );
        let home = group
            .readings
            .iter()
            .flat_map(|reading| &reading.kept.feeds)
            .filter(|feed| feed.home);
        let reviewers: BTreeSet<String> = group
            .readings
            .iter()
            .filter(|reading| reading.role == Role::Talk && !reading.same_author(lead_of(group)))
            .map(|reading| name_of(reading))
            .collect();
        Matter {
            home: names(home),
            titles: std::iter::once(story.title.clone())
                .chain(own.iter().map(|reading| reading.subject.title.clone()))
                .collect(),
            trees: own
                .first()
                .map(|reading| reading.subject.trees.clone())
                .unwrap_or_default(),
            texts: own
                .iter()
                .map(|reading| reading.kept.text.clone())
                .collect(),
            reviewers: u32::try_from(reviewers.len()).unwrap_or(u32::MAX),
            nacked: story.events.iter().any(|event| event.state == Step::Nacked),
            applied: !story.applied.is_empty() || !story.commits.is_empty(),
            cve: !story.cves.is_empty(),
            lwn: story.kind == StoryKind::Article
                && lead_of(group)
                    .kept
                    .feeds
                    .iter()
                    .any(|feed| feed.kind == "lwn"),
            backport: group
                .readings
                .iter()
                .all(|reading| reading.role == Role::Backport),
        }
    }
}

fn kind_of(group: &Group<'_>) -> StoryKind {
    let has = |role: Role| group.readings.iter().any(|reading| reading.role == role);
    let lone = group
        .readings
        .iter()
        .find(|reading| reading.role == Role::Lone);
    if !group.postings.is_empty() || has(Role::Backport) {
        StoryKind::Series
    } else if has(Role::Pull) {
        StoryKind::Pull
    } else if has(Role::Commit) {
        StoryKind::Commit
    } else {
        match lone.map(|reading| reading.kept.kind) {
            Some(Kind::Article) => StoryKind::Article,
            Some(Kind::Release) => StoryKind::Release,
            Some(Kind::Video) => StoryKind::Video,
            Some(Kind::Message | Kind::Commit) | None => StoryKind::Thread,
        }
    }
}

/// The item that speaks for a story: the newest revision's lead, the request, the commit, the first mail by a person.
fn lead_of<'a>(group: &Group<'a>) -> &'a Reading {
    if let Some(posting) = group.postings.last() {
        return group.readings[posting.lead()];
    }
    let by_role = |role: Role| group.readings.iter().find(|reading| reading.role == role);
    by_role(Role::Pull)
        .or_else(|| by_role(Role::Commit))
        .or_else(|| by_role(Role::Backport))
        .or_else(|| by_role(Role::Lone))
        .or_else(|| {
            group
                .readings
                .iter()
                .find(|reading| reading.role == Role::Talk)
        })
        .unwrap_or(&group.readings[0])
}

fn title_of(reading: &Reading) -> String {
    match reading.subject.title.is_empty() {
        true => "(no subject)".to_owned(),
        false => reading.subject.title.clone(),
    }
}

/// Who wrote an item: whom a patch's first line names, else who sent it.
fn author_of(reading: &Reading) -> String {
    let named = (reading.role == Role::Patch && !reading.subject.is_cover())
        .then(|| reading::first_line_author(&reading.kept.text))
        .flatten();
    match named.filter(|person| !person.name.is_empty()) {
        Some(person) => clean_name(&person.name),
        None => name_of(reading),
    }
}

fn name_of(reading: &Reading) -> String {
    let author = &reading.kept.author;
    let name = clean_name(&author.name);
    if name.is_empty() {
        author.email.clone()
    } else {
        name
    }
}

fn names<'a>(feeds: impl Iterator<Item = &'a Carrier>) -> Vec<String> {
    let names: BTreeSet<&str> = feeds.map(|feed| feed.name.as_str()).collect();
    names.into_iter().map(str::to_owned).collect()
}

fn references(group: &Group<'_>, kind: Kind) -> Vec<String> {
    let mine = group
        .readings
        .iter()
        .filter(|reading| reading.kept.kind == kind);
    mine.map(|reading| reading.kept.reference.clone()).collect()
}

/// The tree that a subject's tags name: the first word that is one.
fn tree_tag(reading: &Reading) -> Option<String> {
    const TREES: [&str; 6] = ["bpf", "net", "next", "fixes", "for-", "sched_ext"];
    let tags = &reading.subject.trees;
    let is_tree = |tag: &&String| {
        let tag = tag.to_ascii_lowercase();
        TREES.iter().any(|tree| tag.contains(tree))
    };
    tags.iter().find(is_tree).or_else(|| tags.first()).cloned()
}

/// A tree's name without folder and `.git`.
fn short_tree(tree: &str) -> String {
    let bare = tree.trim_end_matches('/').trim_end_matches(".git");
    bare.rsplit('/').next().unwrap_or(bare).to_owned()
}

fn is_mainline_tree(tree: &str) -> bool {
    tree.contains("torvalds/")
}

/// Whether a tree that a sentence named is among those in which there are commits.
fn is_confirmed(claimed: &str, confirmed: &[String]) -> bool {
    let mut words = claimed.trim_end_matches(".git").split('/');
    claimed.is_empty() && !confirmed.is_empty()
        || words.any(|word| confirmed.iter().any(|tree| tree.eq_ignore_ascii_case(word)))
}

/// A tree as notices name it: the last two parts of its address.
fn repository(feed: &Carrier) -> String {
    let url = feed.url.as_deref().unwrap_or(&feed.name);
    let url = url
        .split(['?', '#'])
        .next()
        .unwrap_or(url)
        .trim_end_matches('/');
    let parts: Vec<&str> = url.rsplit('/').take(2).collect();
    parts.into_iter().rev().collect::<Vec<_>>().join("/")
}

fn number_of(group: &Group<'_>, posting: &Posting, commit: &Reading) -> Option<u32> {
    let title = key::normal(&commit.subject.title);
    let mail = posting
        .mails
        .iter()
        .find(|&&at| key::normal(&group.readings[at].subject.title) == title)?;
    Some(
        group.readings[*mail]
            .subject
            .part
            .map_or(1, |(number, _)| number),
    )
}

fn revision(group: &Group<'_>, posting: &Posting) -> Revision {
    let lead = group.readings[posting.lead()];
    let patches = posting
        .mails
        .iter()
        .filter(|&&at| Some(at) != posting.cover);
    let mut patches: Vec<Patch> = patches
        .map(|&at| {
            let mail = group.readings[at];
            Patch {
                number: mail.subject.part.map_or(1, |(number, _)| number),
                subject: mail.subject.title.clone(),
                message_id: mail.kept.reference.clone(),
            }
        })
        .collect();
    // A part that was sent twice counts once.
    patches.dedup_by_key(|patch| patch.number);
    Revision {
        version: posting.version,
        posted_at: posting.at,
        root: lead.kept.reference.clone(),
        cover: posting.cover.is_some(),
        total: posting.total,
        patches,
    }
}

/// The text that a summary is made from.
fn telling_text<'a>(group: &Group<'a>, lead: &'a Reading) -> &'a str {
    let is_bare = group
        .postings
        .last()
        .is_some_and(|posting| posting.cover.is_none() && posting.total > 1);
    let merge = group.readings.iter().find(|reading| reading.is_merge());
    match merge.filter(|_| is_bare) {
        Some(merge) => &merge.kept.text,
        None => &lead.kept.text,
    }
}

fn changes(group: &Group<'_>) -> BTreeMap<String, String> {
    let mut changes = BTreeMap::new();
    for posting in group.postings.iter().filter(|posting| posting.version > 1) {
        let said = posting
            .mails
            .iter()
            .take(2)
            .find_map(|&at| summary::change(&group.readings[at].kept.text, posting.version));
        if let Some(said) = said {
            changes.insert(format!("v{}", posting.version), said);
        }
    }
    changes
}

/// What the newest revision, or else the commits, say they mend.
fn fixes(group: &Group<'_>) -> Vec<String> {
    let newest: Vec<&Reading> = match group.postings.last() {
        Some(posting) => posting.mails.iter().map(|&at| group.readings[at]).collect(),
        None => {
            let commits = group.readings.iter().copied();
            commits
                .filter(|reading| reading.role == Role::Commit)
                .collect()
        }
    };
    let fixes: BTreeSet<String> = newest
        .iter()
        .flat_map(|reading| reading::mended(&reading.kept.text))
        .collect();
    fixes.into_iter().collect()
}
