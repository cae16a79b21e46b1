//! Lineages: the postings of one effort, from its first revision to its last.

use std::collections::{BTreeSet, HashMap};

use chrono::TimeDelta;

use super::key::{self, Key};
use super::reading::Reading;
use super::series::{Place, Posting, Union};

/// How far apart two revisions may be that nothing but their titles ties together.
const NEAR: TimeDelta = TimeDelta::days(180);
/// How far apart two postings of one version may be to be one effort.
const REPOST: TimeDelta = TimeDelta::days(60);
/// How alike two titles must be that are not the same (normalised Levenshtein, 0 … 1).
const LIKE: f64 = 0.8;
/// How alike where an answer in the thread ties them too.
const LIKE_IN_THREAD: f64 = 0.6;

/// What is known of two postings that may be one effort.
struct Pair<'a> {
    place: &'a Place<'a>,
    /// The earlier one.
    a: &'a Posting,
    /// The later one.
    b: &'a Posting,
}

/// Joins the postings of one effort: sets of positions in `postings`. `owner` tells of which posting a mail is part,
/// or to which it was an answer.
pub(super) fn lineages(
    place: &Place<'_>,
    postings: &[Posting],
    owner: &HashMap<usize, usize>,
) -> Union {
    let mut union = Union::new(postings.len());
    let mut order: Vec<usize> = (0..postings.len()).collect();
    order.sort_by_key(|&p| (postings[p].at, postings[p].version, postings[p].lead()));
    let changes: Vec<BTreeSet<&str>> = postings
        .iter()
        .map(|posting| {
            let mails = posting.mails.iter();
            mails
                .flat_map(|&at| place.readings[at].changes.iter().map(String::as_str))
                .collect()
        })
        .collect();
    let pairs: Vec<(usize, usize)> = order
        .iter()
        .enumerate()
        .flat_map(|(at, &a)| order[at + 1..].iter().map(move |&b| (a, b)))
        .collect();
    let pair = |&(a, b): &(usize, usize)| Pair {
        place,
        a: &postings[a],
        b: &postings[b],
    };
    // What the author says comes first; it always joins.
    for at in &pairs {
        let is_said = !changes[at.0].is_disjoint(&changes[at.1])
            || pair(at).is_linked()
            || pair(at).is_answered(owner, at.0);
        if is_said {
            union.join(at.0, at.1);
        }
    }
    // Then the titles, as long as nothing keeps the two apart.
    let is_apart = |&(a, b): &(usize, usize)| {
        !changes[a].is_empty() && !changes[b].is_empty() && changes[a].is_disjoint(&changes[b])
    };
    for at in pairs.iter().filter(|at| !is_apart(at)) {
        if pair(at).has_same_title() {
            union.join(at.0, at.1);
        }
    }
    // Last what is only alike, or has parts in common: a later version that has no other predecessor, with an earlier
    // that has no other heir.
    for at in pairs.iter().filter(|at| !is_apart(at)) {
        let (a, b) = *at;
        let mut joined = |one: usize, version: u32, other: usize| {
            (0..postings.len()).any(|p| {
                p != one
                    && p != other
                    && postings[p].version == version
                    && union.find(p) == union.find(one)
            })
        };
        let is_alike = pair(at).has_same_parts() || pair(at).is_alike();
        if is_alike && !joined(b, postings[a].version, a) && !joined(a, postings[b].version, b) {
            union.join(a, b);
        }
    }
    union
}

impl Pair<'_> {
    fn lead(&self, posting: &Posting) -> &Reading {
        &self.place.readings[posting.lead()]
    }

    fn is_one_author(&self) -> bool {
        self.lead(self.a).same_author(self.lead(self.b))
    }

    /// The later names a mail of the earlier one as a former revision of itself.
    fn is_linked(&self) -> bool {
        let theirs: BTreeSet<Key> = self
            .a
            .mails
            .iter()
            .map(|&at| self.place.readings[at].own)
            .collect();
        let names = self.b.mails.iter().any(|&at| {
            let earlier = &self.place.readings[at].earlier;
            earlier
                .iter()
                .any(|key| theirs.contains(key) || Some(*key) == self.a.ghost)
        });
        let is_earlier = self.a.version < self.b.version || self.a.rfc || self.b.resend;
        names && is_earlier && (self.is_one_author() || self.likeness() >= LIKE_IN_THREAD)
    }

    /// The later was sent as an answer in the earlier one's thread.
    fn is_answered(&self, owner: &HashMap<usize, usize>, a: usize) -> bool {
        let answers = self
            .place
            .nearest_above(self.b.lead())
            .and_then(|over| owner.get(&over).copied());
        if answers != Some(a) || !self.is_one_author() {
            return false;
        }
        self.a.version < self.b.version || self.likeness() >= LIKE_IN_THREAD
    }

    /// How far apart they were sent.
    fn apart(&self) -> TimeDelta {
        self.b.at - self.a.at
    }

    fn titles(&self, posting: &Posting) -> BTreeSet<String> {
        let all = posting.mails.iter();
        all.filter(|&&at| Some(at) != posting.cover)
            .map(|&at| key::normal(&self.place.readings[at].subject.title))
            .collect()
    }

    /// Whether they change the same files, or have a patch in common.
    fn share_content(&self) -> bool {
        let paths = |posting: &Posting| -> BTreeSet<&String> {
            let all = posting.mails.iter();
            all.flat_map(|&at| &self.place.readings[at].paths).collect()
        };
        let (a, b) = (paths(self.a), paths(self.b));
        let several = self.a.total > 1 || self.b.total > 1;
        !a.is_disjoint(&b) || (several && !self.titles(self.a).is_disjoint(&self.titles(self.b)))
    }

    /// Whether the earlier one only asked for comments and the later one is meant.
    fn grew_up(&self) -> bool {
        self.a.rfc && !self.b.rfc
    }

    /// Whether both tell which files they change, and these are the same.
    fn same_paths(&self) -> bool {
        let paths = |posting: &Posting| &self.lead(posting).paths;
        !paths(self.a).is_empty() && paths(self.a) == paths(self.b)
    }

    fn has_same_title(&self) -> bool {
        let title = |posting: &Posting| key::normal(&self.lead(posting).subject.title);
        if !self.is_one_author() || self.apart() > NEAR || title(self.a) != title(self.b) {
            return false;
        }
        match self.a.version.cmp(&self.b.version) {
            std::cmp::Ordering::Less => true,
            // Not three patches that happen to have one title.
            std::cmp::Ordering::Equal => {
                self.b.resend || self.grew_up() || (self.apart() <= REPOST && self.share_content())
            }
            // What asked for comments counts anew once it is meant.
            std::cmp::Ordering::Greater => self.grew_up(),
        }
    }

    /// The later holds at least half of the patches of the smaller of the two.
    fn has_same_parts(&self) -> bool {
        if !self.is_one_author() || self.apart() > NEAR || self.a.version >= self.b.version {
            return false;
        }
        let (a, b) = (self.titles(self.a), self.titles(self.b));
        let common = a.intersection(&b).count();
        let least = a.len().min(b.len());
        match least {
            0 => false,
            1 => common == 1 && self.b.version == self.a.version + 1,
            _ => common * 2 >= least,
        }
    }

    fn is_alike(&self) -> bool {
        let (a, b) = (self.lead(self.a), self.lead(self.b));
        let (a, b) = (&a.subject.title, &b.subject.title);
        self.is_one_author()
            && self.apart() <= NEAR
            && self.b.version == self.a.version + 1
            && digits(a) == digits(b)
            && names_agree(a, b)
            && (self.likeness() >= LIKE
                || shared_words(a, b) >= 0.75
                || self.likeness() >= LIKE_IN_THREAD && self.same_paths())
    }

    fn likeness(&self) -> f64 {
        let title = |posting: &Posting| key::normal(&self.lead(posting).subject.title);
        strsim::normalized_levenshtein(&title(self.a), &title(self.b))
    }
}

/// The numbers in a title: part 4 is not part 5.
fn digits(title: &str) -> Vec<String> {
    title
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()))
        .map(str::to_owned)
        .collect()
}

/// Whether neither title names a piece of code that the other does not, unless one of them names none.
fn names_agree(a: &str, b: &str) -> bool {
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
fn shared_words(a: &str, b: &str) -> f64 {
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
