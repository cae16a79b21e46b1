//! The properties of a posting that are compared: author, title and changes.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::item::diff::Sample;
use crate::story::key;
use crate::story::reading::{Earlier, Reading, first_line_author};
use crate::story::series::{ClusterIndex, Posting};

/// Fewer common lines count only if they are all lines.
const LINES_MIN: usize = 3;
/// A mail's own date is believed if it is so much older than its arrival at the most.
const DELAYED_MAX: TimeDelta = TimeDelta::days(60);

/// A posting, as it is compared with others.
pub(super) struct PostingShape<'a> {
    pub(super) posting: &'a Posting,
    pub(super) lead: &'a Reading,
    /// Its authors in all spellings. Of several patches it is the sender; another person only if each patch names that one.
    pub(super) authors: BTreeSet<String>,
    /// Its title, normalised.
    pub(super) title: String,
    /// The numbers in its title: part 4 is not part 5.
    numbers: Vec<&'a str>,
    /// The pieces of code that its title names.
    names: BTreeSet<String>,
    /// The normalised titles of its patches.
    pub(super) titles: BTreeSet<String>,
    /// The files that it touches.
    pub(super) paths: BTreeSet<&'a str>,
    /// The lines that it changes.
    pub(super) lines: ChangedLines<'a>,
    /// b4's change-ids.
    pub(super) changes: BTreeSet<&'a str>,
    /// The mails that it names as former versions.
    pub(super) earlier: Vec<Earlier>,
    /// The mails that the `Link:` trailers of its patches name.
    pub(super) links: Vec<key::JoinKey>,
    /// When it was sent.
    pub(super) sent_at: DateTime<Utc>,
    /// Whether its author uses its title for one batch of patches after another.
    pub(super) recurs: bool,
}

impl<'a> PostingShape<'a> {
    pub(super) fn of(index: &'a ClusterIndex<'a>, posting: &'a Posting) -> Self {
        let mails: Vec<&Reading> = posting
            .mails
            .iter()
            .map(|&at| &index.readings[at])
            .collect();
        let parts = || mails.iter().filter(|mail| !mail.subject.is_cover());
        let lead = mails[0];
        Self {
            posting,
            lead,
            authors: authors(&mails),
            title: lead.title().to_owned(),
            numbers: numbers(&lead.subject.title),
            names: names(&lead.subject.title),
            titles: parts().map(|mail| mail.title().to_owned()).collect(),
            paths: mails
                .iter()
                .flat_map(|mail| mail.paths.iter().map(String::as_str))
                .collect(),
            lines: ChangedLines::of(parts().map(|mail| &mail.lines)),
            changes: mails
                .iter()
                .flat_map(|mail| mail.changes.iter().map(String::as_str))
                .collect(),
            links: parts().flat_map(|mail| &mail.links).copied().collect(),
            earlier: mails
                .iter()
                .flat_map(|mail| &mail.earlier)
                .copied()
                .collect(),
            sent_at: mails
                .iter()
                .map(|mail| sent_at(mail))
                .min()
                .unwrap_or_default(),
            recurs: false,
        }
    }

    pub(super) fn version(&self) -> u32 {
        self.posting.version
    }

    /// Whether nothing in the titles says that they are of different things: a number, or a piece of code that only one of
    /// them names where both name some.
    pub(super) fn titles_agree(&self, other: &Self) -> bool {
        let (a, b) = (&self.names, &other.names);
        self.numbers == other.numbers && (a.is_subset(b) || b.is_subset(a))
    }

    pub(super) fn is_by_author_of(&self, other: &Self) -> bool {
        !self.authors.is_disjoint(&other.authors)
    }
}

/// When a mail was sent: its own date, but for one that cannot be.
fn sent_at(mail: &Reading) -> DateTime<Utc> {
    let arrived_at = mail.item.at;
    match mail.item.written_at {
        Some(at) if at < arrived_at && arrived_at - at <= DELAYED_MAX => at,
        _ => arrived_at,
    }
}

/// A cover letter is its author's, and so is a single patch; a series may hold other people's patches.
fn authors(mails: &[&Reading]) -> BTreeSet<String> {
    let lead = mails[0];
    let is_single = lead.subject.part.is_none_or(|(_, total)| total <= 1);
    if is_single || lead.subject.is_cover() {
        return lead.authors.iter().cloned().collect();
    }
    let mut authors: BTreeSet<String> = key::identities(&lead.item.author).into_iter().collect();
    let mut named = mails.iter().map(|mail| first_line_author(&mail.item.text));
    let first = named.next().flatten();
    let is_agreed = mails.len() > 1 && named.all(|other| other == first);
    authors.extend(first.iter().filter(|_| is_agreed).flat_map(key::identities));
    authors
}

/// Marks the titles under which an author sends one batch of patches after another: two of one version that have no patch
/// in common.
pub(super) fn mark_recurring(shapes: &mut [PostingShape<'_>]) {
    let mut titled: BTreeMap<key::JoinKey, Vec<usize>> = BTreeMap::new();
    for (p, shape) in shapes.iter().enumerate() {
        let is_batch = shape.posting.cover.is_some() && shape.titles.len() > 1;
        for author in shape.authors.iter().filter(|_| is_batch) {
            let title = key::titled(author, &shape.title);
            titled.entry(title).or_default().push(p);
        }
    }
    for together in titled.into_values() {
        let differ = |&a: &usize, &b: &usize| {
            let (a, b): (&PostingShape<'_>, &PostingShape<'_>) = (&shapes[a], &shapes[b]);
            a.version() == b.version()
                && a.posting.rfc == b.posting.rfc
                && a.titles.is_disjoint(&b.titles)
        };
        let recurs = together
            .iter()
            .enumerate()
            .any(|(at, a)| together[at + 1..].iter().any(|b| differ(a, b)));
        if recurs {
            together.iter().for_each(|&p| shapes[p].recurs = true);
        }
    }
}

/// The lines that the patches of a posting change, as far as samples of them are kept.
#[derive(Debug, Default)]
pub(super) struct ChangedLines<'a> {
    samples: Vec<&'a Sample>,
    hashes: BTreeSet<u32>,
}

impl<'a> ChangedLines<'a> {
    fn of(samples: impl Iterator<Item = &'a Sample>) -> Self {
        let samples: Vec<&Sample> = samples.filter(|sample| sample.total > 0).collect();
        Self {
            hashes: samples
                .iter()
                .flat_map(|sample| sample.hashes.iter().copied())
                .collect(),
            samples,
        }
    }

    /// Whether a line with that hash would be in the samples if it was changed.
    fn would_show(&self, hash: u32) -> bool {
        let mut ends = self.samples.iter().map(|sample| sample.complete_up_to());
        ends.all(|end| end.is_none_or(|end| hash <= end))
    }

    /// The common changes of two postings.
    pub(super) fn common_with(&self, other: &Self) -> CommonLines {
        let shown = |one: &Self, other: &Self| {
            let shown = one.hashes.iter().filter(|hash| other.would_show(**hash));
            shown.copied().collect::<BTreeSet<u32>>()
        };
        let (a, b) = (shown(self, other), shown(other, self));
        let of = a.len().min(b.len());
        CommonLines {
            lines: a.intersection(&b).count(),
            of,
            is_sampled: of < self.hashes.len().min(other.hashes.len()),
        }
    }
}

/// How many lines two postings change in common.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CommonLines {
    lines: usize,
    /// Of how many of the smaller side's that both samples would show.
    of: usize,
    /// Whether the smaller side has more than that.
    is_sampled: bool,
}

impl CommonLines {
    /// Whether at least that share is common. A few lines out of many mean nothing.
    pub(super) fn is_at_least(self, share: f64) -> bool {
        let is_enough = self.of > LINES_MIN || (self.of > 0 && !self.is_sampled);
        is_enough && self.lines as f64 >= share * self.of as f64
    }

    /// The same, of more than a line or two.
    pub(super) fn is_surely_at_least(self, share: f64) -> bool {
        self.of > LINES_MIN && self.is_at_least(share)
    }
}

fn numbers(title: &str) -> Vec<&str> {
    title
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()))
        .collect()
}

fn names(title: &str) -> BTreeSet<String> {
    title
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| word.contains('_'))
        .map(str::to_lowercase)
        .collect()
}

/// The share of the shorter title's words that the other has too, prefix apart.
pub(super) fn shared_words(a: &str, b: &str) -> f64 {
    let words = |title: &str| -> BTreeSet<String> {
        let title = title.split_once(": ").map_or(title, |(_, rest)| rest);
        key::normal(title).split(' ').map(str::to_owned).collect()
    };
    let (a, b) = (words(a), words(b));
    let least = a.len().min(b.len());
    if least < 3 {
        return 0.0;
    }
    a.intersection(&b).count() as f64 / least as f64
}
