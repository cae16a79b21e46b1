//! Series: mails that are patches become revisions, and revisions of one effort become a lineage.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use super::key::Key;
use super::reading::{Reading, Role};

/// How long after the last mail of a run the next one goes on.
const RUN_WITHIN: TimeDelta = TimeDelta::hours(12);
/// Mails of one run may be out of order by so much.
const RUN_SKEW: TimeDelta = TimeDelta::minutes(10);

/// Sets that grow together.
#[derive(Debug)]
pub struct Union(Vec<usize>);

impl Union {
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
    pub ghost: Option<Key>,
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
}

impl Posting {
    /// The mail that speaks for it: the cover, else the lowest part.
    pub fn lead(&self) -> usize {
        self.mails[0]
    }
}

/// Everything that is known of where mails are.
pub struct Place<'a> {
    /// All items of the cluster, oldest first.
    pub readings: &'a [Reading],
    /// Which mail has which key.
    pub by_key: HashMap<Key, usize>,
}

impl<'a> Place<'a> {
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
pub fn postings(place: &Place<'_>) -> Vec<Posting> {
    let readings = place.readings;
    let mut union = Union::new(readings.len());
    let mut slots: BTreeMap<String, usize> = BTreeMap::new();
    let patches: Vec<usize> = (0..readings.len())
        .filter(|&at| readings[at].role == Role::Patch)
        .collect();
    let mut join = |union: &mut Union, slot: String, at: usize| match slots.get(&slot) {
        Some(&other) => union.join(other, at),
        None => {
            slots.insert(slot, at);
        }
    };
    for &at in &patches {
        let reading = &readings[at];
        let Some((number, total)) = reading.subject.part else {
            continue;
        };
        let author = reading.kept.author.email.to_lowercase();
        let revision = format!(
            "{author} v{} {}of {total}",
            reading.subject.version,
            if reading.subject.resend {
                "resent "
            } else {
                ""
            }
        );
        if let Some(run) = reading.run {
            join(&mut union, format!("run {run} {revision}"), at);
        }
        if number == 0 {
            join(&mut union, format!("above {} {revision}", reading.own), at);
            continue;
        }
        if let Some(&over) = reading.above.first() {
            join(&mut union, format!("above {over} {revision}"), at);
        }
        // A part that answers the part before it belongs to what that one answers.
        let over = reading
            .above
            .iter()
            .filter_map(|key| place.by_key.get(key).copied());
        for over in over.filter(|&over| over != at) {
            let upper = &readings[over];
            if upper.role == Role::Patch
                && upper.subject.same_revision(&reading.subject)
                && upper.subject.resend == reading.subject.resend
            {
                union.join(over, at);
            }
        }
    }
    let mut sets: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &at in &patches {
        sets.entry(union.find(at)).or_default().push(at);
    }
    let mut postings: Vec<Posting> = sets
        .into_values()
        .map(|mails| posting(place, mails))
        .collect();
    mend(place, &mut postings);
    postings
}

/// Puts together what was sent in several runs, or without threading: a posting that answers nothing and goes on where
/// another of the same author, version and total ends, within hours.
fn mend(place: &Place<'_>, postings: &mut Vec<Posting>) {
    let reading = |at: usize| &place.readings[at];
    let number = |at: usize| reading(at).subject.part.map_or(1, |(number, _)| number);
    let ends = |posting: &Posting| {
        let numbers = posting.mails.iter().map(|&at| number(at));
        (
            numbers.clone().min().unwrap_or(0),
            numbers.max().unwrap_or(0),
        )
    };
    postings.sort_by_key(|posting| (ends(posting).0, posting.at, posting.lead()));
    let mut at = 0;
    while at < postings.len() {
        let later = &postings[at];
        let (least, _) = ends(later);
        let lead = reading(later.lead());
        let is_rest = later.total > 1 && least > 0 && lead.above.is_empty();
        let former = (0..postings.len())
            .filter(|&p| p != at && is_rest)
            .find(|&p| {
                let former = &postings[p];
                let first = reading(former.lead());
                let after =
                    lead.sent_at() - reading(former.mails[former.mails.len() - 1]).sent_at();
                ends(former).1 + 1 == least
                    && (former.version, former.total, former.resend, former.rfc)
                        == (later.version, later.total, later.resend, later.rfc)
                    && first.subject.trees == lead.subject.trees
                    && first
                        .kept
                        .author
                        .email
                        .eq_ignore_ascii_case(&lead.kept.author.email)
                    && after >= -RUN_SKEW
                    && after <= RUN_WITHIN
            });
        let Some(former) = former else {
            at += 1;
            continue;
        };
        let mut mails = postings[former].mails.clone();
        mails.extend(&postings[at].mails);
        postings[former] = posting(place, mails);
        postings.remove(at);
        at = 0;
    }
    postings.sort_by_key(|posting| posting.lead());
}

fn posting(place: &Place<'_>, mut mails: Vec<usize>) -> Posting {
    let number = |at: usize| {
        place.readings[at]
            .subject
            .part
            .map_or(1, |(number, _)| number)
    };
    mails.sort_by_key(|&at| (number(at), at));
    let lead = &place.readings[mails[0]];
    let has_first = number(mails[0]) <= 1;
    let ghost = lead
        .above
        .first()
        .copied()
        .filter(|over| number(mails[0]) > 0 && !place.by_key.contains_key(over));
    Posting {
        cover: (number(mails[0]) == 0).then_some(mails[0]),
        ghost: ghost
            .filter(|_| lead.subject.part.is_some_and(|(_, total)| total > 1) || !has_first),
        version: lead.subject.version,
        total: lead.subject.part.map_or(1, |(_, total)| total.max(1)),
        at: mails
            .iter()
            .map(|&at| place.readings[at].kept.at)
            .min()
            .unwrap_or(lead.kept.at),
        rfc: lead.subject.rfc,
        resend: lead.subject.resend,
        mails,
    }
}
