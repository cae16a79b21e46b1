//! Lineages: the postings of one effort, from its first revision to its last.

mod shape;

use std::collections::{BTreeMap, HashMap};

use chrono::TimeDelta;

use self::shape::{Common, Shape};
use super::key::{self, Key};
use super::series::{Place, Posting, RUN_WITHIN, Union};

/// How far apart two revisions may be that nothing but their titles ties together.
const NEAR: TimeDelta = TimeDelta::days(180);
/// How far apart two postings of one version may be to be one effort.
const REPOST: TimeDelta = TimeDelta::days(60);
/// How alike two titles must be that are not the same (normalised Levenshtein, 0 … 1).
const LIKE: f64 = 0.8;
/// How alike titles are that differ in nothing but a letter or two.
const SAME: f64 = 0.9;
/// How alike where an answer in the thread, or the same files, tie them too.
const LIKE_IN_THREAD: f64 = 0.6;
/// The share of the smaller patch's changed lines that makes the other one a version of it.
const SAME_LINES: f64 = 0.5;
/// The share that is enough where a `Link:` ties them too.
const LINKED_LINES: f64 = 0.2;

/// What is known of two postings that may be one effort.
struct Pair<'a> {
    /// The earlier one.
    a: &'a Shape<'a>,
    /// The later one.
    b: &'a Shape<'a>,
}

/// Joins the postings of one effort: sets of positions in `postings`. `owner` tells of which posting a mail is part,
/// or to which it was an answer.
pub(super) fn lineages(
    place: &Place<'_>,
    postings: &[Posting],
    owner: &HashMap<usize, usize>,
) -> Union {
    let mut shapes: Vec<Shape<'_>> = postings
        .iter()
        .map(|posting| Shape::of(place, posting))
        .collect();
    // In the order in which they were sent: moderation may let a first version through after the second.
    let mut order: Vec<usize> = (0..postings.len()).collect();
    order.sort_by_key(|&p| (shapes[p].sent_at, postings[p].version, postings[p].lead()));
    let mut rank = vec![0; order.len()];
    for (at, &p) in order.iter().enumerate() {
        rank[p] = at;
    }
    shape::mark_recurring(&mut shapes);
    let mut efforts = Efforts {
        place,
        shapes: &shapes,
        rank,
        union: Union::new(postings.len()),
    };
    efforts.join_said(owner);
    efforts.join_titled();
    efforts.join_alike();
    efforts.union
}

struct Efforts<'a> {
    place: &'a Place<'a>,
    shapes: &'a [Shape<'a>],
    /// The place of each posting in the order of sending.
    rank: Vec<usize>,
    union: Union,
}

impl<'a> Efforts<'a> {
    /// Two postings, the earlier one first.
    fn ordered(&self, one: usize, other: usize) -> (usize, usize) {
        match self.rank[one] <= self.rank[other] {
            true => (one, other),
            false => (other, one),
        }
    }

    fn pair(&self, a: usize, b: usize) -> Pair<'a> {
        Pair {
            a: &self.shapes[a],
            b: &self.shapes[b],
        }
    }

    /// What the author says comes first: it always joins.
    fn join_said(&mut self, owner: &HashMap<usize, usize>) {
        let mut by_change: HashMap<&str, usize> = HashMap::new();
        let mut by_ghost: HashMap<Key, Vec<usize>> = HashMap::new();
        let mut by_mail: HashMap<usize, usize> = HashMap::new();
        for (p, shape) in self.shapes.iter().enumerate() {
            for change in &shape.changes {
                let first = *by_change.entry(change).or_insert(p);
                self.union.join(first, p);
            }
            by_mail.extend(shape.posting.mails.iter().map(|&at| (at, p)));
            if let Some(ghost) = shape.posting.ghost {
                by_ghost.entry(ghost).or_default().push(p);
            }
        }
        for p in 0..self.shapes.len() {
            for earlier in &self.shapes[p].earlier {
                let here = self.place.by_key.get(&earlier.key);
                let named = here.and_then(|at| by_mail.get(at)).into_iter();
                for &other in named.chain(by_ghost.get(&earlier.key).into_iter().flatten()) {
                    let is_named = |pair: &Pair<'_>| pair.is_revision_named(earlier.version);
                    self.join_former(other, p, is_named);
                }
                // A link may lead to what was said of the earlier version.
                if let Some(&other) = here.and_then(|at| owner.get(at)) {
                    let is_version = |of: &Pair<'_>| Some(of.a.version()) == earlier.version;
                    let is_named = |of: &Pair<'_>| is_version(of) && of.is_revision_named(None);
                    self.join_former(other, p, is_named);
                }
            }
            for link in &self.shapes[p].links {
                let here = self.place.by_key.get(link);
                if let Some(&other) = here.and_then(|at| by_mail.get(at)) {
                    self.join_former(other, p, |pair| pair.is_linked());
                }
            }
            let over = self.place.nearest_above(self.shapes[p].posting.lead());
            if let Some(&other) = over.and_then(|over| owner.get(&over))
                && other != p
                && self.pair(other, p).is_answered(over)
            {
                self.union.join(other, p);
            }
        }
    }

    /// Joins a posting to an earlier one, if that is so.
    fn join_former(&mut self, former: usize, later: usize, is_one: impl Fn(&Pair<'_>) -> bool) {
        let is_before = former != later && self.rank[former] < self.rank[later];
        if is_before && is_one(&self.pair(former, later)) {
            self.union.join(former, later);
        }
    }

    /// Then one author's title, as long as nothing keeps the two apart.
    fn join_titled(&mut self) {
        let mut titled: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
        for (p, shape) in self.shapes.iter().enumerate() {
            for author in &shape.authors {
                let title = key::titled(author, &shape.title);
                titled.entry(title).or_default().push(p);
            }
        }
        for together in titled.into_values() {
            for (at, &one) in together.iter().enumerate() {
                for &other in &together[at + 1..] {
                    let (a, b) = self.ordered(one, other);
                    if self.union.find(a) != self.union.find(b) && self.pair(a, b).has_same_title()
                    {
                        self.union.join(a, b);
                    }
                }
            }
        }
    }

    /// Last what is only alike, the nearest first: a later version that has no other predecessor, with an earlier that has
    /// no other heir.
    fn join_alike(&mut self) {
        let mut by_author: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (p, shape) in self.shapes.iter().enumerate() {
            for author in &shape.authors {
                by_author.entry(author).or_default().push(p);
            }
        }
        let mut pairs: Vec<(Likeness, TimeDelta, usize, usize)> = Vec::new();
        for together in by_author.into_values() {
            for (at, &one) in together.iter().enumerate() {
                for &other in &together[at + 1..] {
                    let (a, b) = self.ordered(one, other);
                    if self.union.find(a) == self.union.find(b) {
                        continue;
                    }
                    let pair = self.pair(a, b);
                    pairs.extend(pair.likeness().map(|like| (like, pair.apart(), a, b)));
                }
            }
        }
        let by_rank = |&(like, apart, a, b): &(Likeness, TimeDelta, usize, usize)| {
            (like, apart, self.rank[a], self.rank[b])
        };
        pairs.sort_by_key(by_rank);
        pairs.dedup();
        let mut versions = self.versions();
        for (_, _, a, b) in pairs {
            let (one, other) = (self.union.find(a), self.union.find(b));
            if one == other {
                continue;
            }
            let (of_a, of_b) = (self.shapes[a].version(), self.shapes[b].version());
            // What grew up begins anew at version 1.
            let is_taken = of_a != of_b
                && (versions[&one].contains(&of_b) || versions[&other].contains(&of_a));
            if is_taken {
                continue;
            }
            self.union.join(a, b);
            let (gone, stays) = (one.max(other), one.min(other));
            let moved = versions.remove(&gone).unwrap_or_default();
            versions.entry(stays).or_default().extend(moved);
        }
    }

    /// The versions in each effort, by the posting that stands for it.
    fn versions(&mut self) -> HashMap<usize, Vec<u32>> {
        let mut versions: HashMap<usize, Vec<u32>> = HashMap::new();
        for p in 0..self.shapes.len() {
            let effort = self.union.find(p);
            let version = self.shapes[p].version();
            versions.entry(effort).or_default().push(version);
        }
        versions
    }
}

/// What makes one posting a later version of another whose title differs, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    /// They change the same lines.
    Lines,
    /// They have parts in common.
    Parts,
    /// Their titles are alike.
    Title,
}

impl Pair<'_> {
    fn is_one_author(&self) -> bool {
        self.a.is_by_author_of(self.b)
    }

    /// Whether the earlier is the revision as which the later names it. `version` is the one that it is named by.
    fn is_revision_named(&self, version: Option<u32>) -> bool {
        let (a, b) = (self.a, self.b);
        // A link to `v1` says so whoever wrote that; a link in other words may lead to anything.
        let is_said = version == Some(a.version()) && a.version() < b.version();
        let is_earlier = a.version() < b.version() || a.posting.rfc || b.posting.resend;
        is_said || is_earlier && (self.is_one_author() || self.title_likeness() >= LIKE_IN_THREAD)
    }

    /// Whether a `Link:` of the later to the earlier leads to its former version: links lead to much else.
    fn is_linked(&self) -> bool {
        let is_like = || {
            let lines = self.lines_in_common();
            lines.is_surely_at_least(LINKED_LINES) || self.title_likeness() >= LIKE_IN_THREAD
        };
        self.is_one_author() && self.a.version() < self.b.version() && is_like()
    }

    /// Whether the later was sent in the earlier one's thread, as an answer to the mail at `over`: as the next version, or in
    /// one run with it.
    fn is_answered(&self, over: Option<usize>) -> bool {
        let (a, b) = (self.a, self.b);
        if !self.is_one_author() {
            return false;
        }
        let is_in_run = b.posting.total > 1
            && over.is_some_and(|over| a.posting.cover == Some(over))
            && (b.sent_at - a.sent_at).abs() <= RUN_WITHIN;
        let is_like = || self.title_likeness() >= LIKE_IN_THREAD && self.titles_agree();
        a.version() < b.version() || is_in_run || is_like()
    }

    /// How far apart they were sent.
    fn apart(&self) -> TimeDelta {
        self.b.sent_at - self.a.sent_at
    }

    /// Whether the earlier one only asked for comments and the later one is meant.
    fn grew_up(&self) -> bool {
        self.a.posting.rfc && !self.b.posting.rfc
    }

    /// Whether b4 knows the two as different efforts.
    fn is_apart(&self) -> bool {
        let (a, b) = (&self.a.changes, &self.b.changes);
        !a.is_empty() && !b.is_empty()
    }

    /// Whether one may be a version of the other at all: a backport is none of what it copies.
    fn may_be_one(&self) -> bool {
        self.is_one_author()
            && self.apart() <= NEAR
            && self.a.posting.is_backport == self.b.posting.is_backport
    }

    fn has_same_title(&self) -> bool {
        if !self.may_be_one() || self.a.title != self.b.title {
            return false;
        }
        // A maintainer's batches have one title for ever: only their patches tell them apart.
        if self.a.recurs && self.b.recurs {
            return self.apart() <= REPOST && self.shares_most();
        }
        let (a, b) = (self.a.version(), self.b.version());
        match a.cmp(&b) {
            std::cmp::Ordering::Less => true,
            _ if self.is_apart() => false,
            // Not three patches that happen to have one title.
            std::cmp::Ordering::Equal => {
                self.b.posting.resend
                    || self.grew_up()
                    || (self.apart() <= REPOST && self.shares_content())
            }
            // What asked for comments counts anew once it is meant; others forget to count.
            std::cmp::Ordering::Greater => {
                self.grew_up()
                    || (!self.b.posting.versioned && (self.b.posting.resend || self.shares_most()))
            }
        }
    }

    /// Whether they change the same files, or have a patch in common.
    fn shares_content(&self) -> bool {
        let (a, b) = (self.a, self.b);
        let is_several = a.posting.total > 1 || b.posting.total > 1;
        !a.paths.is_disjoint(&b.paths) || (is_several && !a.titles.is_disjoint(&b.titles))
    }

    /// Whether most of the smaller one is in the other.
    fn shares_most(&self) -> bool {
        self.parts_in_common() || self.shares_lines()
    }

    /// Whether the later holds at least half of the patches of the smaller of the two.
    fn parts_in_common(&self) -> bool {
        let (a, b) = (self.a, self.b);
        let common = a.titles.intersection(&b.titles).count();
        let least = a.titles.len().min(b.titles.len());
        match least {
            0 => false,
            1 => common == 1 && b.version() <= a.version() + 1,
            _ => common * 2 >= least,
        }
    }

    /// What of the smaller one's changed lines the other changes too, in the same files.
    fn lines_in_common(&self) -> Common {
        match self.a.paths.is_disjoint(&self.b.paths) {
            true => Common::default(),
            false => self.a.lines.common_with(&self.b.lines),
        }
    }

    fn shares_lines(&self) -> bool {
        self.lines_in_common().is_at_least(SAME_LINES)
    }

    /// Whether the later may be the next version under another title.
    fn follows(&self) -> bool {
        let (a, b) = (self.a, self.b);
        if a.recurs || b.recurs {
            return false;
        }
        let is_next = b.version() == a.version() + 1 || self.grew_up();
        is_next || (b.version() > a.version() && self.apart() <= REPOST) || self.is_sent_anew()
    }

    /// Whether the later is the earlier under nearly the same title, by an author who does not count.
    fn is_sent_anew(&self) -> bool {
        let (a, b) = (self.a, self.b);
        let is_uncounted = a.version() == 1 && !b.posting.versioned && self.apart() <= REPOST;
        is_uncounted && !self.is_apart() && {
            let like = self.title_likeness();
            self.titles_agree()
                && (like >= LIKE && self.shares_lines() || like >= SAME && a.paths == b.paths)
        }
    }

    /// What makes the later a version of the earlier, if anything does.
    fn likeness(&self) -> Option<Likeness> {
        if !self.may_be_one() || !self.follows() {
            return None;
        }
        let (a, b) = (self.a, self.b);
        let is_next = b.version() == a.version() + 1 || self.grew_up();
        let lines = self.lines_in_common();
        if lines.is_surely_at_least(SAME_LINES) || (is_next && lines.is_at_least(SAME_LINES)) {
            return Some(Likeness::Lines);
        }
        if b.version() > a.version() && self.parts_in_common() {
            return Some(Likeness::Parts);
        }
        let is_like = b.version() == a.version() + 1 && !self.is_apart() && self.has_like_title();
        (is_like || self.is_sent_anew()).then_some(Likeness::Title)
    }

    fn has_like_title(&self) -> bool {
        let (a, b) = (&self.a.lead.subject.title, &self.b.lead.subject.title);
        let is_in_files = !self.a.paths.is_empty() && self.a.paths == self.b.paths;
        let like = self.title_likeness();
        self.titles_agree()
            && (like >= LIKE
                || shape::shared_words(a, b) >= 0.75
                || like >= LIKE_IN_THREAD && is_in_files)
    }

    /// Whether nothing in the titles says that they are of different things: a number, a piece of code.
    fn titles_agree(&self) -> bool {
        let (a, b) = (&self.a.lead.subject.title, &self.b.lead.subject.title);
        shape::numbers(a) == shape::numbers(b) && shape::names_agree(a, b)
    }

    fn title_likeness(&self) -> f64 {
        strsim::normalized_levenshtein(&self.a.title, &self.b.title)
    }
}
