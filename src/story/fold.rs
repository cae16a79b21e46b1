//! The fold: the items of a cluster become stories. A cluster is what join keys may tie together; what is in no
//! common cluster never meets in one story, so clusters are folded one by one.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use chrono::TimeDelta;

use super::key::{self, Key};
use super::lineage;
use super::near;
use super::reading::{Reading, Role, slug};
use super::series::{self, Place, Posting, Union};

/// A commit follows its patch by so much at the most, where only titles tie them.
const APPLIED_WITHIN: TimeDelta = TimeDelta::days(180);
/// Clocks differ: a commit may seem to be older than its patch.
const CLOCK_SKEW: TimeDelta = TimeDelta::days(2);
/// How alike a commit's title and that of the patch that it links must be.
const LIKE: f64 = 0.5;

/// The items of one story, oldest first, and the postings among them.
#[derive(Debug)]
pub struct Group<'a> {
    /// Its items.
    pub readings: Vec<&'a Reading>,
    /// Its postings; their mails are positions in `readings`.
    pub postings: Vec<Posting>,
    /// The posting that each mail is part of or an answer to; positions in `readings` and `postings`.
    pub owner: HashMap<usize, usize>,
    /// Stories that may be this one too, and what speaks for it; too little to join them.
    pub near: BTreeSet<(Key, &'static str)>,
}

/// What stories learn from items that are not theirs: pull requests that list them, commits that mend them.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    readings: Vec<Reading>,
    /// Which of them mention a key.
    by_key: HashMap<Key, Vec<usize>>,
}

impl Outside {
    /// Items that mention what is folded, oldest first, and what became of the pull requests among them.
    pub fn new(readings: Vec<Reading>) -> Self {
        let mut by_key: HashMap<Key, Vec<usize>> = HashMap::new();
        for (at, reading) in readings.iter().enumerate() {
            for &key in reading.mentions() {
                by_key.entry(key).or_default().push(at);
            }
        }
        Self { readings, by_key }
    }

    /// All of them.
    pub fn readings(&self) -> &[Reading] {
        &self.readings
    }

    /// The same, given away.
    pub fn into_readings(self) -> Vec<Reading> {
        self.readings
    }

    /// Those that speak of a group and are not in it, oldest first.
    pub fn of(&self, group: &Group<'_>) -> Vec<&Reading> {
        if self.by_key.is_empty() {
            return Vec::new();
        }
        let keys = group.readings.iter().flat_map(|reading| reading.keys());
        let speaking = keys.filter_map(|key| self.by_key.get(key)).flatten();
        let speaking: BTreeSet<usize> = speaking.copied().collect();
        if speaking.is_empty() {
            return Vec::new();
        }
        let own: HashSet<Key> = group.readings.iter().map(|reading| reading.own).collect();
        let others = speaking.into_iter().map(|at| &self.readings[at]);
        others.filter(|other| !own.contains(&other.own)).collect()
    }
}

impl Group<'_> {
    /// A number that is another one where the story would be told from other items, in another arrangement or in other
    /// company. What the items themselves say plays no part. `heard` speaks of the group from outside.
    pub fn print(&self, heard: &[&Reading]) -> u64 {
        let mut hasher = DefaultHasher::new();
        for reading in self.readings.iter().chain(heard) {
            reading.kept.id.hash(&mut hasher);
        }
        self.readings.len().hash(&mut hasher);
        for posting in &self.postings {
            let Posting {
                mails,
                cover,
                ghost,
                version,
                total,
                at,
                rfc,
                resend,
                versioned,
                is_backport,
            } = posting;
            (mails, cover, ghost, version, total, at).hash(&mut hasher);
            (rfc, resend, versioned, is_backport).hash(&mut hasher);
        }
        let owned = (0..self.readings.len()).map(|at| self.owner.get(&at));
        owned.for_each(|owner| owner.hash(&mut hasher));
        self.near.hash(&mut hasher);
        hasher.finish()
    }
}

/// Puts readings in the order that the fold goes by: by time, then by what names them.
pub fn sort(readings: &mut [Reading]) {
    readings.sort_by(|a, b| (a.kept.at, &a.kept.reference).cmp(&(b.kept.at, &b.kept.reference)));
}

/// Groups a cluster's items, sorted by [`sort`], into stories.
pub fn groups(readings: &[Reading]) -> Vec<Group<'_>> {
    let place = Place::of(readings);
    let postings = series::postings(&place);
    let mut union = Union::new(readings.len());
    for posting in &postings {
        for &at in &posting.mails[1..] {
            union.join(posting.lead(), at);
        }
    }
    let mut owner: HashMap<usize, usize> = HashMap::new();
    for (p, posting) in postings.iter().enumerate() {
        owner.extend(posting.mails.iter().map(|&at| (at, p)));
    }
    join_answers(&place, &postings, &mut union, &mut owner);
    let mut lineages = lineage::lineages(&place, &postings, &owner);
    for (p, posting) in postings.iter().enumerate() {
        let first = postings[lineages.find(p)].lead();
        union.join(posting.lead(), first);
    }
    join_commits(&place, &postings, &mut union);
    let mut sets: BTreeMap<usize, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for at in 0..readings.len() {
        sets.entry(union.find(at)).or_default().0.push(at);
    }
    for (p, posting) in postings.iter().enumerate() {
        sets.entry(union.find(posting.lead()))
            .or_default()
            .1
            .push(p);
    }
    let mut groups: Vec<Group<'_>> = sets
        .into_values()
        .map(|(members, mine)| group(readings, &postings, &owner, members, mine))
        .collect();
    near::find_near(&mut groups);
    groups
}

fn group<'a>(
    readings: &'a [Reading],
    postings: &[Posting],
    owner: &HashMap<usize, usize>,
    members: Vec<usize>,
    mut mine: Vec<usize>,
) -> Group<'a> {
    let here: HashMap<usize, usize> = members
        .iter()
        .enumerate()
        .map(|(new, &old)| (old, new))
        .collect();
    // Versions that came in the same second are told apart by their numbers.
    mine.sort_by_key(|&p| (postings[p].at, postings[p].version, postings[p].lead()));
    let moved: HashMap<usize, usize> = mine
        .iter()
        .enumerate()
        .map(|(new, &old)| (old, new))
        .collect();
    Group {
        postings: mine
            .iter()
            .map(|&p| {
                let mut posting = postings[p].clone();
                posting.mails = posting.mails.iter().map(|at| here[at]).collect();
                posting.cover = posting.cover.map(|at| here[&at]);
                posting
            })
            .collect(),
        owner: members
            .iter()
            .filter_map(|at| Some((here[at], *moved.get(owner.get(at)?)?)))
            .collect(),
        readings: members.iter().map(|&at| &readings[at]).collect(),
        near: BTreeSet::new(),
    }
}

/// Joins what is no patch to what it answers: the nearest mail above that is here, else what else answers the same
/// missing one.
fn join_answers(
    place: &Place<'_>,
    postings: &[Posting],
    union: &mut Union,
    owner: &mut HashMap<usize, usize>,
) {
    let readings = place.readings;
    // A missing mail that parts answer is their cover; any other is known by those who answer it.
    let mut ghosts: HashMap<Key, usize> = HashMap::new();
    for posting in postings {
        if let Some(ghost) = posting.ghost {
            ghosts.entry(ghost).or_insert_with(|| posting.lead());
        }
    }
    for (at, reading) in readings.iter().enumerate() {
        if !matches!(reading.role, Role::Talk | Role::Machine | Role::Pull) {
            continue;
        }
        let is_request = reading.role == Role::Pull;
        if let Some(over) = place.nearest_above(at) {
            if !is_request {
                union.join(at, over);
            }
            continue;
        }
        for &ghost in reading.above.iter().filter(|_| !is_request) {
            match ghosts.get(&ghost) {
                Some(&other) => union.join(at, other),
                None => {
                    ghosts.insert(ghost, at);
                }
            }
        }
    }
    join_owners(place, &ghosts, owner);
}

/// Finds out whose answer a mail is: climbs to the first mail that is part of a posting. No mail is climbed over twice.
fn join_owners(place: &Place<'_>, ghosts: &HashMap<Key, usize>, owner: &mut HashMap<usize, usize>) {
    let readings = place.readings;
    let mut over_nothing = vec![false; readings.len()];
    let mut climbed_from = vec![usize::MAX; readings.len()];
    for start in 0..readings.len() {
        let (mut path, mut at) = (Vec::new(), start);
        let found = loop {
            if let Some(&posting) = owner.get(&at) {
                break Some(posting);
            }
            if over_nothing[at] {
                break None;
            }
            path.push(at);
            // Mails that answer each other in a circle are climbed once.
            climbed_from[at] = start;
            match place.nearest_above(at) {
                Some(over) if climbed_from[over] != start && readings[at].role != Role::Pull => {
                    at = over;
                }
                Some(_) | None => {
                    let ghost = readings[at].above.iter().find_map(|key| ghosts.get(key));
                    break ghost.and_then(|lead| owner.get(lead)).copied();
                }
            }
        };
        match found {
            Some(posting) => owner.extend(path.into_iter().map(|at| (at, posting))),
            None => path.into_iter().for_each(|at| over_nothing[at] = true),
        }
    }
}

/// Joins commits to the patches that they were made from, and copies to what they are copies of.
fn join_commits(place: &Place<'_>, postings: &[Posting], union: &mut Union) {
    let readings = place.readings;
    // Who speaks of a commit by its hash: first the commit itself, then notices, then copies.
    let mut spoken: HashMap<Key, usize> = HashMap::new();
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
    let patches = Patches::of(readings);
    let notices = notices(readings);
    let series = Covers::of(place, postings);
    let copies = (0..readings.len())
        .filter(|&at| matches!(readings[at].role, Role::Commit | Role::Backport));
    for at in copies {
        let reading = &readings[at];
        let target = linked_patch(place, at)
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
            .or_else(|| series.merged(place, postings, at))
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
fn notices(readings: &[Reading]) -> HashMap<Key, usize> {
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
fn notice_of(notices: &HashMap<Key, usize>, commit: &Reading) -> Option<usize> {
    let own = commit.commits.first();
    let own = own.filter(|_| commit.role == Role::Commit)?;
    notices.get(own).copied()
}

/// The patch that a commit's `Link:` leads to, if it is like it: links lead to reports and discussions as well.
fn linked_patch(place: &Place<'_>, at: usize) -> Option<usize> {
    let commit = &place.readings[at];
    let linked = commit
        .links
        .iter()
        .filter_map(|key| place.by_key.get(key).copied());
    linked.into_iter().find(|&other| {
        let patch = &place.readings[other];
        let is_like = || strsim::normalized_levenshtein(commit.title(), patch.title()) >= LIKE;
        patch.role == Role::Patch
            && (commit.is_merge()
                || patch.subject.is_cover()
                || patch.same_author(commit)
                || is_like())
    })
}

/// Series by the branches that may be named after their cover letters' titles.
struct Covers(HashMap<Key, Vec<usize>>);

impl Covers {
    fn of(place: &Place<'_>, postings: &[Posting]) -> Self {
        let mut by_branch: HashMap<Key, Vec<usize>> = HashMap::new();
        let has_merges = place.readings.iter().any(Reading::is_merge);
        for (p, posting) in postings.iter().enumerate().filter(|_| has_merges) {
            if let Some(cover) = posting.cover.map(|cover| &place.readings[cover]) {
                let branch = key::branch(&slug(&cover.subject.title));
                by_branch.entry(branch).or_default().push(p);
            }
        }
        Self(by_branch)
    }

    /// The series whose cover letter's title a merge's branch is named after, and whose author its message names.
    fn merged(&self, place: &Place<'_>, postings: &[Posting], at: usize) -> Option<usize> {
        let merge = &place.readings[at];
        let branch = merge.branch.filter(|_| merge.is_merge())?;
        let named = self.0.get(&branch)?;
        let text = merge.kept.text.to_lowercase();
        let fits = named.iter().map(|&p| &postings[p]).filter(|posting| {
            let after = merge.kept.at - posting.at;
            after >= -CLOCK_SKEW
                && after <= APPLIED_WITHIN
                && posting.cover.is_some_and(|cover| {
                    let authors = &place.readings[cover].authors;
                    authors.iter().any(|author| text.contains(author.as_str()))
                })
        });
        fits.max_by_key(|posting| (posting.at, posting.lead()))
            .map(Posting::lead)
    }
}

/// Patches by author and title.
struct Patches(HashMap<Key, Vec<usize>>);

impl Patches {
    fn of(readings: &[Reading]) -> Self {
        let mut by_title: HashMap<Key, Vec<usize>> = HashMap::new();
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
            let after = commit.kept.at - readings[patch].kept.at;
            after >= -CLOCK_SKEW && after <= APPLIED_WITHIN
        });
        fits.max().copied()
    }
}

/// Joins commits that were rebased or picked: one author, one title, one author date.
fn join_twins(readings: &[Reading], union: &mut Union) {
    let mut first: BTreeMap<(i64, &str), Vec<usize>> = BTreeMap::new();
    for (at, reading) in readings
        .iter()
        .enumerate()
        .filter(|(_, r)| r.role == Role::Commit && !r.is_merge())
    {
        if let Some(written_at) = reading.kept.written_at {
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

/// Joins pull requests with the merge that they became, and with what pr-tracker-bot says of them.
fn join_pulls(readings: &[Reading], union: &mut Union) {
    let mut requests: HashMap<Key, Vec<usize>> = HashMap::new();
    let mut notices: HashMap<Key, usize> = HashMap::new();
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
        let told = merge.commits.iter().filter_map(|key| notices.get(key));
        let notice = told.min().copied();
        let asked = merge.branch.and_then(|branch| requests.get(&branch));
        let request = asked.into_iter().flatten().copied().find(|&request| {
            let after = merge.kept.at - readings[request].kept.at;
            after >= -CLOCK_SKEW && after <= APPLIED_WITHIN
        });
        if let Some(with) = request.or(notice) {
            union.join(at, with);
        }
    }
}
