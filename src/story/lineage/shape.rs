//! What is compared of a posting: who wrote it, what it is called, what it changes.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::item::diff::Sample;
use crate::story::key;
use crate::story::reading::{Earlier, Reading, first_line_author};
use crate::story::series::{Place, Posting};

/// Fewer lines in common are chance, if there are more to compare.
const LINES_MIN: usize = 3;
/// A mail's own date is believed if it is so much older than its arrival at the most.
const DELAYED_MAX: TimeDelta = TimeDelta::days(60);

/// A posting, as it is compared with others.
pub(super) struct Shape<'a> {
    pub(super) posting: &'a Posting,
    pub(super) lead: &'a Reading,
    /// Whose work it is, in all spellings: of several patches the sender, and another only where each names that one.
    pub(super) authors: BTreeSet<String>,
    /// Its title, normalised.
    pub(super) title: String,
    /// The normalised titles of its patches.
    pub(super) titles: BTreeSet<String>,
    /// The files that it touches.
    pub(super) paths: BTreeSet<&'a str>,
    /// The lines that it changes.
    pub(super) lines: Lines<'a>,
    /// b4's change-ids.
    pub(super) changes: BTreeSet<&'a str>,
    /// The mails that it names as former versions.
    pub(super) earlier: Vec<Earlier>,
    /// All that its mails are or answer.
    keys: BTreeSet<key::Key>,
    /// When it was sent.
    pub(super) sent_at: DateTime<Utc>,
    /// Whether its author uses its title for one batch of patches after another.
    pub(super) recurs: bool,
}

impl<'a> Shape<'a> {
    pub(super) fn of(place: &'a Place<'a>, posting: &'a Posting) -> Self {
        let mails: Vec<&Reading> = posting
            .mails
            .iter()
            .map(|&at| &place.readings[at])
            .collect();
        let parts = || mails.iter().filter(|mail| !mail.subject.is_cover());
        let lead = mails[0];
        Self {
            posting,
            lead,
            authors: authors(&mails),
            title: key::normal(&lead.subject.title),
            titles: parts()
                .map(|mail| key::normal(&mail.subject.title))
                .collect(),
            paths: mails
                .iter()
                .flat_map(|mail| mail.paths.iter().map(String::as_str))
                .collect(),
            lines: Lines::of(parts().map(|mail| &mail.lines)),
            changes: mails
                .iter()
                .flat_map(|mail| mail.changes.iter().map(String::as_str))
                .collect(),
            earlier: mails
                .iter()
                .flat_map(|mail| &mail.earlier)
                .copied()
                .collect(),
            keys: mails
                .iter()
                .flat_map(|mail| mail.above.iter().copied().chain([mail.own]))
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

    pub(super) fn is_by_author_of(&self, other: &Self) -> bool {
        !self.authors.is_disjoint(&other.authors)
    }

    /// Whether it names a mail of that version that is no mail of `former`, nor one that `former` answers.
    pub(super) fn names_other_than(&self, former: &Self) -> bool {
        let mut named = self
            .earlier
            .iter()
            .filter(|earlier| earlier.version == Some(former.version()))
            .peekable();
        named.peek().is_some() && !named.any(|earlier| former.keys.contains(&earlier.key))
    }
}

/// When a mail was sent: its own date, but for one that cannot be.
fn sent_at(mail: &Reading) -> DateTime<Utc> {
    let arrived_at = mail.kept.at;
    match mail.kept.written_at {
        Some(at) if at < arrived_at && arrived_at - at <= DELAYED_MAX => at,
        _ => arrived_at,
    }
}

fn authors(mails: &[&Reading]) -> BTreeSet<String> {
    let lead = mails[0];
    if mails.len() == 1 && lead.subject.part.is_none_or(|(_, total)| total <= 1) {
        return lead.authors.iter().cloned().collect();
    }
    let mut authors: BTreeSet<String> = key::identities(&lead.kept.author).into_iter().collect();
    // A cover letter is its author's; patches may be other people's.
    let named = |mail: &&Reading| first_line_author(&mail.kept.text);
    let named = match lead.subject.is_cover() {
        true => mails.iter().take(1).filter_map(named).next(),
        false => {
            let mut all = mails.iter().map(named);
            let first = all.next().flatten();
            first.filter(|first| all.all(|other| other.as_ref() == Some(first)))
        }
    };
    authors.extend(named.iter().flat_map(key::identities));
    authors
}

/// Marks the titles under which an author sends one batch of patches after another: two of one version that have no patch
/// in common.
pub(super) fn mark_recurring(shapes: &mut [Shape<'_>]) {
    let mut titled: BTreeMap<key::Key, Vec<usize>> = BTreeMap::new();
    for (p, shape) in shapes.iter().enumerate() {
        let is_batch = shape.posting.cover.is_some() && shape.titles.len() > 1;
        for author in shape.authors.iter().filter(|_| is_batch) {
            let title = key::titled(author, &shape.title);
            titled.entry(title).or_default().push(p);
        }
    }
    for together in titled.into_values() {
        let differ = |&a: &usize, &b: &usize| {
            let (a, b): (&Shape<'_>, &Shape<'_>) = (&shapes[a], &shapes[b]);
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
pub(super) struct Lines<'a> {
    samples: Vec<&'a Sample>,
    hashes: BTreeSet<u32>,
}

impl<'a> Lines<'a> {
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

    pub(super) fn is_known(&self) -> bool {
        !self.hashes.is_empty()
    }

    /// Whether a line with that hash would be in the samples if it was changed.
    fn would_show(&self, hash: u32) -> bool {
        let mut ends = self.samples.iter().map(|sample| sample.whole_to());
        ends.all(|end| end.is_none_or(|end| hash <= end))
    }

    /// The share of the smaller side's lines that the other has too, of those that both would show; 0 where these are too
    /// few to tell.
    pub(super) fn share_with(&self, other: &Self) -> f64 {
        let shown = |one: &Self, other: &Self| {
            let shown = one.hashes.iter().filter(|hash| other.would_show(**hash));
            shown.copied().collect::<BTreeSet<u32>>()
        };
        let (a, b) = (shown(self, other), shown(other, self));
        let least = a.len().min(b.len());
        let common = a.intersection(&b).count();
        // Of a patch of a line or two, all must be there.
        let is_enough = common >= LINES_MIN
            || (common == least && least == self.hashes.len().min(other.hashes.len()));
        match least > 0 && is_enough {
            true => common as f64 / least as f64,
            false => 0.0,
        }
    }
}

/// The numbers in a title: part 4 is not part 5.
pub(super) fn numbers(title: &str) -> Vec<&str> {
    title
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()))
        .collect()
}

/// Whether neither title names a piece of code that the other does not, unless one of them names none.
pub(super) fn names_agree(a: &str, b: &str) -> bool {
    let names = |title: &str| -> BTreeSet<String> {
        let words = title.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        words
            .filter(|word| word.contains('_'))
            .map(str::to_lowercase)
            .collect()
    };
    let (a, b) = (names(a), names(b));
    a.is_subset(&b) || b.is_subset(&a)
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
