//! Series: mails that are patches become revisions, and revisions of one effort become a lineage.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use super::key::JoinKey;
use super::reading::{Reading, Role};
use crate::item::subject::Subject;

/// How long after the last mail of a run the next one goes on.
pub(super) const RUN_WITHIN: TimeDelta = TimeDelta::hours(12);
/// Mails of one run may be out of order by so much.
const RUN_SKEW: TimeDelta = TimeDelta::minutes(10);
/// A cover letter's list of patches wraps a title no sooner.
const LISTED_CHARS: usize = 40;

/// Sets that grow together.
#[derive(Debug)]
pub struct DisjointSets(Vec<usize>);

impl DisjointSets {
    /// `count` sets of one.
    pub fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    /// The one that stands for the set of `at`.
    pub fn find(&mut self, at: usize) -> usize {
        let mut root = at;
        while self.0[root] != root {
            root = self.0[root];
        }
        let mut at = at;
        while self.0[at] != root {
            at = std::mem::replace(&mut self.0[at], root);
        }
        root
    }

    /// Makes two sets one; the smaller number stands for it, so that the order of joining plays no part.
    pub fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        self.0[a.max(b)] = a.min(b);
    }
}

/// One posting: positions of its mails in the list of readings.
#[derive(Debug, Clone)]
pub struct Posting {
    /// Its mails, cover first, then by number.
    pub mails: Vec<usize>,
    /// Its cover letter.
    pub cover: Option<usize>,
    /// The mail that its parts answer, where neither cover nor first part is here.
    pub missing_root: Option<JoinKey>,
    /// `vN`.
    pub version: u32,
    /// How many patches it counts.
    pub total: u32,
    /// When its first mail came.
    pub at: DateTime<Utc>,
    /// Asks for comments only.
    pub rfc: bool,
    /// Sent again.
    pub resend: bool,
    /// Whether it says which version it is.
    pub versioned: bool,
    /// Meant for a stable tree.
    pub is_backport: bool,
}

impl Posting {
    /// The mail that speaks for it: the cover, else the lowest part.
    pub fn lead(&self) -> usize {
        self.mails[0]
    }
}

/// Everything that is known of where mails are.
pub struct ClusterIndex<'a> {
    /// All items of the cluster, oldest first.
    pub readings: &'a [Reading],
    /// Which mail has which key.
    pub by_key: HashMap<JoinKey, usize>,
}

impl<'a> ClusterIndex<'a> {
    /// Looks the mails up.
    pub fn of(readings: &'a [Reading]) -> Self {
        let by_key = readings
            .iter()
            .enumerate()
            .map(|(at, reading)| (reading.own, at));
        Self {
            readings,
            by_key: by_key.collect(),
        }
    }

    /// The nearest mail above that is here.
    pub fn nearest_above(&self, at: usize) -> Option<usize> {
        let above = self.readings[at].above.iter();
        above
            .filter_map(|key| self.by_key.get(key).copied())
            .find(|&over| over != at)
    }
}

/// Finds the postings among the readings.
pub fn postings(index: &ClusterIndex<'_>) -> Vec<Posting> {
    let readings = index.readings;
    let mut union = DisjointSets::new(readings.len());
    let mut slots: HashMap<String, usize> = HashMap::new();
    let patches: Vec<usize> = (0..readings.len())
        .filter(|&at| readings[at].role == Role::Patch)
        .collect();
    let mut join = |union: &mut DisjointSets, slot: String, at: usize| match slots.get(&slot) {
        Some(&other) => union.join(other, at),
        None => {
            slots.insert(slot, at);
        }
    };
    for &at in &patches {
        let reading = &readings[at];
        let Some((number, _)) = reading.subject.part else {
            continue;
        };
        let revision = revision(reading);
        if let Some(run) = reading.run {
            join(&mut union, format!("run {run} {revision}"), at);
        }
        let root = match number {
            0 => Some(reading.own),
            _ => reading.above.first().copied(),
        };
        if let Some(root) = root {
            join(&mut union, format!("above {root} {revision}"), at);
        }
        let over = reading
            .above
            .iter()
            .filter_map(|key| index.by_key.get(key).copied());
        for over in over.filter(|&over| over != at) {
            if readings[over].role == Role::Patch && is_part_of(reading, &readings[over]) {
                union.join(over, at);
            }
        }
    }
    let mut sets: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &at in &patches {
        sets.entry(union.find(at)).or_default().push(at);
    }
    let postings: Vec<Posting> = sets
        .into_values()
        .map(|mails| posting(index, mails))
        .collect();
    join_split_runs(index, postings)
}

/// The properties that all mails of a revision share, read from their subjects.
fn revision(reading: &Reading) -> String {
    let subject = &reading.subject;
    format!(
        "{} v{} {}of {}",
        reading.item.author.email.to_lowercase(),
        subject.version,
        if subject.resend { "resent " } else { "" },
        subject.part.map_or(1, |(_, total)| total)
    )
}

/// Whether a patch stands in the revision of a mail above it: that of the same version and count, or, where their tags
/// disagree, its own author's cover letter that it answers directly, sent a little before. A cover letter that was
/// forgotten may answer one of its author's patches.
fn is_part_of(part: &Reading, upper: &Reading) -> bool {
    if upper.subject.same_revision(&part.subject) && upper.subject.resend == part.subject.resend {
        return !part.subject.is_cover() || is_same_sender(upper, part);
    }
    let (a, b) = (&upper.subject, &part.subject);
    // A cover letter without a version may be that of an earlier one, which a later version often answers.
    let within = if b.versioned && !a.versioned {
        RUN_SKEW
    } else {
        RUN_WITHIN
    };
    let after = part.sent_at() - upper.sent_at();
    a.is_cover()
        && part.above.first() == Some(&upper.own)
        && is_same_sender(upper, part)
        && (a.version == b.version || !(a.versioned && b.versioned))
        && after >= -RUN_SKEW
        && after <= within
}

fn is_same_sender(a: &Reading, b: &Reading) -> bool {
    let (a, b) = (&a.item.author, &b.item.author);
    a.email.eq_ignore_ascii_case(&b.email)
}

fn number(reading: &Reading) -> u32 {
    reading.subject.part.map_or(1, |(number, _)| number)
}

/// Joins postings that were sent in several runs, or without threading: postings of one author, version and total, sent within
/// hours, of which one continues the other or is its cover letter.
fn join_split_runs(index: &ClusterIndex<'_>, postings: Vec<Posting>) -> Vec<Posting> {
    let mut alike: BTreeMap<String, Vec<Posting>> = BTreeMap::new();
    for posting in postings {
        let lead = &index.readings[posting.lead()];
        let trees = lead.subject.trees.join(" ");
        let key = format!("{} {} {trees}", revision(lead), posting.rfc);
        alike.entry(key).or_default().push(posting);
    }
    let mut joined: Vec<Posting> = Vec::new();
    for mut postings in alike.into_values() {
        if postings.len() > 1 && postings[0].total > 1 {
            join_runs(index, &mut postings);
        }
        joined.extend(postings);
    }
    joined.sort_by_key(Posting::lead);
    joined
}

fn join_runs(index: &ClusterIndex<'_>, postings: &mut Vec<Posting>) {
    let first = |posting: &Posting| number(&index.readings[posting.mails[0]]);
    postings.sort_by_key(|posting| (first(posting), posting.at, posting.lead()));
    let mut at = 0;
    while at < postings.len() {
        let later = &postings[at];
        let former = (0..postings.len())
            .filter(|&p| p != at)
            .find(|&p| continues(index, &postings[p], later));
        let Some(former) = former else {
            at += 1;
            continue;
        };
        let mut mails = postings[former].mails.clone();
        mails.extend(&postings[at].mails);
        postings[former] = posting(index, mails);
        postings.remove(at);
        at = 0;
    }
}

/// Whether `later` is the rest of `former`: its parts follow on those, or it has the parts of which that is the cover.
fn continues(index: &ClusterIndex<'_>, former: &Posting, later: &Posting) -> bool {
    let reading = |at: usize| &index.readings[at];
    let (lead, last) = (
        reading(later.lead()),
        reading(former.mails[former.mails.len() - 1]),
    );
    let after = lead.sent_at() - last.sent_at();
    if number(lead) == 0 || after > RUN_WITHIN {
        return false;
    }
    // A provider that replaces Message-IDs leaves parts that answer a mail which never was, and a cover letter may be sent
    // once it was missed: it lists them.
    let is_cover_alone = former.cover.is_some() && former.mails.len() == 1;
    let is_unthreaded = index.nearest_above(later.lead()).is_none();
    (is_cover_alone && is_unthreaded && after >= -RUN_WITHIN && lists_part(last, lead))
        || (lead.above.is_empty() && number(last) + 1 == number(lead) && after >= -RUN_SKEW)
}

/// Whether a cover letter's list of patches has a part, as far as a wrapped line shows its title.
fn lists_part(cover: &Reading, part: &Reading) -> bool {
    let title: String = part.subject.title.chars().take(LISTED_CHARS).collect();
    !title.is_empty() && cover.item.text.contains(&title)
}

fn posting(index: &ClusterIndex<'_>, mut mails: Vec<usize>) -> Posting {
    let reading = |at: usize| &index.readings[at];
    mails.sort_by_key(|&at| (number(reading(at)), at));
    let lead = reading(mails[0]);
    let has_first = number(lead) <= 1;
    let missing_root = lead
        .above
        .first()
        .copied()
        .filter(|over| number(lead) > 0 && !index.by_key.contains_key(over));
    // Where cover and parts disagree, those of them that say a version are believed, and the parts know how many they are.
    let subjects = || mails.iter().map(|&at| &reading(at).subject);
    let versioned = subjects().find(|subject| subject.versioned);
    let total = |subject: &Subject| subject.part.map_or(1, |(_, total)| total);
    let parts = subjects().filter(|subject| !subject.is_cover());
    let total = parts
        .map(total)
        .max()
        .unwrap_or_else(|| total(&lead.subject));
    Posting {
        cover: (number(lead) == 0).then_some(mails[0]),
        missing_root: missing_root.filter(|_| total > 1 || !has_first),
        version: versioned.map_or(1, |subject| subject.version),
        total: total.max(1),
        at: mails
            .iter()
            .map(|&at| reading(at).item.at)
            .min()
            .unwrap_or(lead.item.at),
        rfc: lead.subject.rfc,
        resend: lead.subject.resend,
        versioned: versioned.is_some(),
        is_backport: lead.is_backport,
        mails,
    }
}
