//! Lineages: the postings of one effort, from its first revision to its last.

mod pair;
mod shape;

use std::collections::{BTreeMap, HashMap};

use chrono::TimeDelta;

use self::pair::{Likeness, PostingPair};
use self::shape::PostingShape;
use super::key::{self, JoinKey};
use super::series::{ClusterIndex, DisjointSets, Posting};

/// Joins the postings of one effort; returns sets of positions in `postings`. `owner` maps a mail to the posting that it is part
/// of, or an answer to.
pub(super) fn lineages(
    index: &ClusterIndex<'_>,
    postings: &[Posting],
    owner: &HashMap<usize, usize>,
) -> DisjointSets {
    let mut shapes: Vec<PostingShape<'_>> = postings
        .iter()
        .map(|posting| PostingShape::of(index, posting))
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
        index,
        shapes: &shapes,
        rank,
        union: DisjointSets::new(postings.len()),
    };
    efforts.join_named_by_author(owner);
    efforts.join_titled();
    efforts.join_alike();
    efforts.union
}

struct Efforts<'a> {
    index: &'a ClusterIndex<'a>,
    shapes: &'a [PostingShape<'a>],
    /// The place of each posting in the order of sending.
    rank: Vec<usize>,
    union: DisjointSets,
}

impl<'a> Efforts<'a> {
    /// Two postings, the earlier one first.
    fn ordered(&self, one: usize, other: usize) -> (usize, usize) {
        if self.rank[one] <= self.rank[other] {
            (one, other)
        } else {
            (other, one)
        }
    }

    fn pair(&self, a: usize, b: usize) -> PostingPair<'a> {
        PostingPair {
            a: &self.shapes[a],
            b: &self.shapes[b],
        }
    }

    /// A statement of the author always joins, so it comes first.
    fn join_named_by_author(&mut self, owner: &HashMap<usize, usize>) {
        let mut by_change: HashMap<&str, usize> = HashMap::new();
        let mut by_missing_root: HashMap<JoinKey, Vec<usize>> = HashMap::new();
        let mut by_mail: HashMap<usize, usize> = HashMap::new();
        for (p, shape) in self.shapes.iter().enumerate() {
            for change in &shape.changes {
                let first = *by_change.entry(change).or_insert(p);
                self.union.join(first, p);
            }
            by_mail.extend(shape.posting.mails.iter().map(|&at| (at, p)));
            if let Some(missing_root) = shape.posting.missing_root {
                by_missing_root.entry(missing_root).or_default().push(p);
            }
        }
        for p in 0..self.shapes.len() {
            for earlier in &self.shapes[p].earlier {
                let here = self.index.by_key.get(&earlier.key);
                let named = here.and_then(|at| by_mail.get(at)).into_iter();
                for &other in named.chain(by_missing_root.get(&earlier.key).into_iter().flatten()) {
                    let is_named = |pair: &PostingPair<'_>| pair.is_revision_named(earlier.version);
                    self.join_former(other, p, is_named);
                }
                // A link may lead to an answer to the earlier version.
                if let Some(&other) = here.and_then(|at| owner.get(at)) {
                    let is_version = |of: &PostingPair<'_>| Some(of.a.version()) == earlier.version;
                    let is_named =
                        |of: &PostingPair<'_>| is_version(of) && of.is_revision_named(None);
                    self.join_former(other, p, is_named);
                }
            }
            for link in &self.shapes[p].links {
                let here = self.index.by_key.get(link);
                if let Some(&other) = here.and_then(|at| by_mail.get(at)) {
                    self.join_former(other, p, |pair| pair.is_linked());
                }
            }
            let over = self.index.nearest_above(self.shapes[p].posting.lead());
            if let Some(&other) = over.and_then(|over| owner.get(&over))
                && other != p
                && self.pair(other, p).is_answered(over)
            {
                self.union.join(other, p);
            }
        }
    }

    /// Joins a posting to an earlier one, if that is so.
    fn join_former(
        &mut self,
        former: usize,
        later: usize,
        is_one: impl Fn(&PostingPair<'_>) -> bool,
    ) {
        let is_before = former != later && self.rank[former] < self.rank[later];
        if is_before && is_one(&self.pair(former, later)) {
            self.union.join(former, later);
        }
    }

    /// Then one author's title, as long as nothing keeps the two apart.
    fn join_titled(&mut self) {
        let mut titled: BTreeMap<JoinKey, Vec<usize>> = BTreeMap::new();
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

    /// Joins similar postings last, nearest first: a later version without another predecessor, with an earlier one without
    /// another successor.
    fn join_alike(&mut self) {
        let mut pairs: Vec<(Likeness, TimeDelta, usize, usize)> = Vec::new();
        for together in self.by_author() {
            for (at, &one) in together.iter().enumerate() {
                for &other in &together[at + 1..] {
                    let (a, b) = self.ordered(one, other);
                    if self.union.find(a) != self.union.find(b) {
                        let pair = self.pair(a, b);
                        let like = pair.likeness();
                        pairs.extend(like.map(|like| (like, pair.apart(), a, b)));
                    }
                }
            }
        }
        let by_rank = |&(like, apart, a, b): &(Likeness, TimeDelta, usize, usize)| {
            (like, apart, self.rank[a], self.rank[b])
        };
        pairs.sort_by_key(by_rank);
        let mut versions = self.versions();
        for (_, _, a, b) in pairs {
            let (one, other) = (self.union.find(a), self.union.find(b));
            if one == other {
                continue;
            }
            let (of_a, of_b) = (self.shapes[a].version(), self.shapes[b].version());
            // An RFC that became a series begins again at version 1.
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

    /// Postings by people who share a spelling, directly or through others.
    fn by_author(&self) -> Vec<Vec<usize>> {
        let mut people = DisjointSets::new(self.shapes.len());
        let mut first: HashMap<&str, usize> = HashMap::new();
        for (p, shape) in self.shapes.iter().enumerate() {
            for author in &shape.authors {
                people.join(*first.entry(author).or_insert(p), p);
            }
        }
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for p in 0..self.shapes.len() {
            groups.entry(people.find(p)).or_default().push(p);
        }
        groups.into_values().collect()
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
