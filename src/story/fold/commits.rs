//! Joins commits with their patches, copies with their originals, and pull requests with their merges.

use std::collections::{BTreeMap, HashMap};

use chrono::TimeDelta;

use crate::story::key::{self, JoinKey};
use crate::story::reading::{Reading, Role, slug};
use crate::story::series::{ClusterIndex, DisjointSets, Posting};

/// A commit follows its patch by so much at the most, where only titles tie them.
const APPLIED_WITHIN: TimeDelta = TimeDelta::days(180);
/// Clocks differ: a commit may seem to be older than its patch.
const CLOCK_SKEW: TimeDelta = TimeDelta::days(2);
/// How alike a commit's title and that of the patch that it links must be.
const LIKE: f64 = 0.5;
/// Joins commits to the patches that they were made from, and copies to their originals.
pub(super) fn join_commits(
    index: &ClusterIndex<'_>,
    postings: &[Posting],
    union: &mut DisjointSets,
) {
    let readings = index.readings;
    // The item that first names a commit's hash: the commit itself, then notices, then copies.
    let mut spoken: HashMap<JoinKey, usize> = HashMap::new();
    for role in [Role::Commit, Role::Machine, Role::Talk] {
        for (at, reading) in readings.iter().enumerate().filter(|(_, r)| r.role == role) {
            let own =
                reading
                    .commits
                    .iter()
                    .take(if role == Role::Commit { 1 } else { usize::MAX });
            for &key in own {
                spoken.entry(key).or_insert(at);
            }
        }
    }
    let patches = PatchesByTitle::of(readings);
    let notices = notices(readings);
    let series = SeriesByBranch::of(index, postings);
    let copies = (0..readings.len())
        .filter(|&at| matches!(readings[at].role, Role::Commit | Role::Backport));
    for at in copies {
        let reading = &readings[at];
        let target = linked_patch(index, at)
            .or_else(|| notice_of(&notices, reading))
            .or_else(|| {
                let upstream = reading
                    .commits
                    .iter()
                    .skip(usize::from(reading.role == Role::Commit));
                upstream
                    .filter_map(|key| spoken.get(key).copied())
                    .find(|&other| other != at)
            })
            .or_else(|| series.merged(index, postings, at))
            .or_else(|| patches.like(readings, at));
        if let Some(target) = target {
            union.join(at, target);
        }
        // Copies of one commit belong together, also where that one is not here.
        for &key in &reading.commits {
            let first = *spoken.entry(key).or_insert(at);
            if target.is_none() || matches!(readings[first].role, Role::Commit | Role::Backport) {
                union.join(at, first);
            }
        }
    }
    join_twins(readings, union);
    join_pulls(readings, union);
}

/// The first notice that lists each commit.
fn notices(readings: &[Reading]) -> HashMap<JoinKey, usize> {
    let mut notices = HashMap::new();
    for (at, reading) in readings.iter().enumerate() {
        if matches!(reading.role, Role::Machine | Role::Talk) {
            for &commit in &reading.commits {
                notices.entry(commit).or_insert(at);
            }
        }
    }
    notices
}

/// The notice that lists a commit.
fn notice_of(notices: &HashMap<JoinKey, usize>, commit: &Reading) -> Option<usize> {
    let own = commit.commits.first();
    let own = own.filter(|_| commit.role == Role::Commit)?;
    notices.get(own).copied()
}

/// The patch that a commit's `Link:` leads to, if it is like it: links lead to reports and discussions as well.
fn linked_patch(index: &ClusterIndex<'_>, at: usize) -> Option<usize> {
    let commit = &index.readings[at];
    let linked = commit
        .links
        .iter()
        .filter_map(|key| index.by_key.get(key).copied());
    linked.into_iter().find(|&other| {
        let patch = &index.readings[other];
        let is_like = || strsim::normalized_levenshtein(commit.title(), patch.title()) >= LIKE;
        patch.role == Role::Patch
            && (commit.is_merge()
                || patch.subject.is_cover()
                || patch.same_author(commit)
                || is_like())
    })
}

/// Series by the branches that may be named after their cover letters' titles.
struct SeriesByBranch(HashMap<JoinKey, Vec<usize>>);

impl SeriesByBranch {
    fn of(index: &ClusterIndex<'_>, postings: &[Posting]) -> Self {
        let mut by_branch: HashMap<JoinKey, Vec<usize>> = HashMap::new();
        let has_merges = index.readings.iter().any(Reading::is_merge);
        for (p, posting) in postings.iter().enumerate().filter(|_| has_merges) {
            if let Some(cover) = posting.cover.map(|cover| &index.readings[cover]) {
                let branch = key::branch(&slug(&cover.subject.title));
                by_branch.entry(branch).or_default().push(p);
            }
        }
        Self(by_branch)
    }

    /// The series of a merge: its cover letter's title is the name of the branch, and the message names its author.
    fn merged(&self, index: &ClusterIndex<'_>, postings: &[Posting], at: usize) -> Option<usize> {
        let merge = &index.readings[at];
        let branch = merge.branch.filter(|_| merge.is_merge())?;
        let named = self.0.get(&branch)?;
        let text = merge.item.text.to_lowercase();
        let fits = named.iter().map(|&p| &postings[p]).filter(|posting| {
            let after = merge.item.at - posting.at;
            after >= -CLOCK_SKEW
                && after <= APPLIED_WITHIN
                && posting.cover.is_some_and(|cover| {
                    let authors = &index.readings[cover].authors;
                    authors.iter().any(|author| text.contains(author.as_str()))
                })
        });
        fits.max_by_key(|posting| (posting.at, posting.lead()))
            .map(Posting::lead)
    }
}

/// Patches by author and title.
struct PatchesByTitle(HashMap<JoinKey, Vec<usize>>);

impl PatchesByTitle {
    fn of(readings: &[Reading]) -> Self {
        let mut by_title: HashMap<JoinKey, Vec<usize>> = HashMap::new();
        let has_commits = readings.iter().any(|reading| reading.role == Role::Commit);
        let patches = readings.iter().enumerate().filter(|(_, reading)| {
            has_commits && reading.role == Role::Patch && !reading.subject.is_cover()
        });
        for (at, reading) in patches {
            for &title in reading.titled() {
                by_title.entry(title).or_default().push(at);
            }
        }
        Self(by_title)
    }

    /// The latest patch with a commit's title and author that was posted before it was committed.
    fn like(&self, readings: &[Reading], at: usize) -> Option<usize> {
        let commit = &readings[at];
        if commit.role != Role::Commit || commit.is_merge() {
            return None;
        }
        let titles = commit.titled().iter();
        let same = titles.filter_map(|title| self.0.get(title)).flatten();
        let fits = same.filter(|&&patch| {
            let after = commit.item.at - readings[patch].item.at;
            after >= -CLOCK_SKEW && after <= APPLIED_WITHIN
        });
        fits.max().copied()
    }
}

/// Joins commits that were rebased or picked: one author, one title, one author date.
fn join_twins(readings: &[Reading], union: &mut DisjointSets) {
    let mut first: BTreeMap<(i64, &str), Vec<usize>> = BTreeMap::new();
    for (at, reading) in readings
        .iter()
        .enumerate()
        .filter(|(_, r)| r.role == Role::Commit && !r.is_merge())
    {
        if let Some(written_at) = reading.item.written_at {
            let key = (written_at.timestamp(), reading.title());
            first.entry(key).or_default().push(at);
        }
    }
    for twins in first.values().filter(|twins| twins.len() > 1) {
        let mut by_author: HashMap<&str, usize> = HashMap::new();
        for &at in twins {
            let authors = &readings[at].authors;
            let twin = authors
                .iter()
                .filter_map(|author| by_author.get(author.as_str()));
            if let Some(&twin) = twin.min() {
                union.join(twin, at);
            }
            for author in authors {
                by_author.entry(author).or_insert(at);
            }
        }
    }
}

/// Joins pull requests with their merges, and with the notices of pr-tracker-bot.
fn join_pulls(readings: &[Reading], union: &mut DisjointSets) {
    let mut requests: HashMap<JoinKey, Vec<usize>> = HashMap::new();
    let mut notices: HashMap<JoinKey, usize> = HashMap::new();
    for (at, reading) in readings.iter().enumerate() {
        match (reading.role, reading.branch) {
            (Role::Pull, Some(branch)) => requests.entry(branch).or_default().push(at),
            (Role::Machine, _) => {
                for &commit in &reading.commits {
                    notices.entry(commit).or_insert(at);
                }
            }
            _ => {}
        }
    }
    for (at, merge) in readings.iter().enumerate().filter(|(_, r)| r.is_merge()) {
        let listed = merge.commits.iter().filter_map(|key| notices.get(key));
        let notice = listed.min().copied();
        let asked = merge.branch.and_then(|branch| requests.get(&branch));
        let request = asked.into_iter().flatten().copied().find(|&request| {
            let after = merge.item.at - readings[request].item.at;
            after >= -CLOCK_SKEW && after <= APPLIED_WITHIN
        });
        if let Some(with) = request.or(notice) {
            union.join(at, with);
        }
    }
}
