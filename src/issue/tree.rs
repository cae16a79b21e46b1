//! The commits of a story in a tree: one, or several of which none stands for the whole.

use std::collections::{BTreeMap, BTreeSet};

use super::way::is_applied;
use super::{Commit, Commits, Passage};
use crate::post::plain;
use crate::story::{Applied, Story};

/// How the subject of a merge begins that brought a series.
const MERGES: [&str; 2] = ["Merge branch ", "Merge patch series "];

/// The commit of a story: its only one, or the merge of its branch. Else its commits, where there are several or its
/// series has more parts than that. Neither where nothing is known of them.
pub(super) fn in_tree(passage: &Passage) -> (Option<Commit>, Option<Commits>) {
    let story = &passage.after;
    if !is_applied(story) {
        return (None, None);
    }
    if let Some(merge) = merge(passage) {
        return (Some(merge.clone()), None);
    }
    let (tree, commits) = commits(passage);
    let (Some(first), Some(last)) = (commits.first(), commits.last()) else {
        return (None, None);
    };
    let total = story.revisions.last().map_or(1, |newest| newest.total);
    if commits.len() == 1 && total <= 1 {
        return (Some(last.clone()), None);
    }
    let many = u32::try_from(commits.len()).unwrap_or(u32::MAX);
    let commits = Commits {
        many,
        of: total.max(many),
        tree: plain(&tree),
        first: first.clone(),
        last: last.clone(),
    };
    (None, Some(commits))
}

/// The latest merge that brought it.
fn merge(passage: &Passage) -> Option<&Commit> {
    let is_merge = |commit: &&Commit| MERGES.iter().any(|merge| commit.subject.starts_with(merge));
    let merges = passage.commits.values().filter(is_merge);
    merges.max_by_key(|commit| (commit.on, &commit.digits))
}

/// The commits of the tree that took it last, in the order of its parts, and the name of the tree.
fn commits(passage: &Passage) -> (String, Vec<Commit>) {
    let story = &passage.after;
    let named = story.applied.iter();
    let named = named.filter(|applied| !applied.claimed && !applied.commits.is_empty());
    match named.clone().next_back() {
        Some(last) => {
            let tree = short(&last.tree);
            let there = named.filter(|applied| short(&applied.tree) == tree);
            (tree.to_owned(), listed(passage, there))
        }
        None => unnamed(passage),
    }
}

/// Commits from notices and trees. A rebased commit counts once.
fn listed<'a>(passage: &Passage, applied: impl Iterator<Item = &'a Applied>) -> Vec<Commit> {
    // A series may have two parts of one subject.
    let mut by_subject: BTreeMap<(u32, String), Commit> = BTreeMap::new();
    for applied in applied {
        for commit in &applied.commits {
            let mut here = passage.commits.iter();
            let known = here.find(|(hash, _)| hash.starts_with(&commit.hash));
            let shown = match known {
                Some((_, known)) => known.clone(),
                None => {
                    let mut links = passage.links.iter();
                    let link = links.find(|(hash, _)| is_same(hash, &commit.hash));
                    let link = link.map(|(_, link)| link.as_str());
                    Commit::shown(&commit.hash, &commit.subject, applied.at.date_naive(), link)
                }
            };
            let number = commit.number.unwrap_or(u32::MAX);
            by_subject.insert((number, shown.subject.to_lowercase()), shown);
        }
    }
    let parts = by_subject.into_iter();
    let mut commits: Vec<(u32, Commit)> = parts
        .map(|((number, _), commit)| (number, commit))
        .collect();
    commits.sort_by(|(a, one), (b, other)| {
        (a, one.on, &one.digits).cmp(&(b, other.on, &other.digits))
    });
    let mut met = BTreeSet::new();
    let commits = commits.into_iter().map(|(_, commit)| commit);
    commits
        .filter(|commit| met.insert(commit.digits.clone()))
        .collect()
}

/// Commits that are here, though no tree that took the work says so: those of mainline, else those of a stable tree.
fn unnamed(passage: &Passage) -> (String, Vec<Commit>) {
    let story = &passage.after;
    let branch_of = |hash: &str| {
        let mut stable = story.stable.iter();
        stable
            .find(|copy| copy.hash == hash)
            .map(|copy| copy.branch.as_str())
    };
    let branch = match passage.commits.keys().all(|hash| branch_of(hash).is_some()) {
        true => story.stable.first().map(|copy| copy.branch.as_str()),
        false => None,
    };
    let mut by_subject: BTreeMap<String, Commit> = BTreeMap::new();
    for (hash, commit) in &passage.commits {
        if branch_of(hash) == branch {
            by_subject.insert(commit.subject.to_lowercase(), commit.clone());
        }
    }
    let mut commits: Vec<Commit> = by_subject.into_values().collect();
    commits.sort_by(|a, b| (a.on, &a.digits).cmp(&(b.on, &b.digits)));
    (
        branch.unwrap_or_else(|| mainline(story)).to_owned(),
        commits,
    )
}

fn mainline(story: &Story) -> &'static str {
    match story.mainline {
        Some(_) => "mainline",
        None => "",
    }
}

/// Whether two hashes, of which either may be cut, are one.
fn is_same(one: &str, other: &str) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// A tree's name without folder and `.git`.
fn short(tree: &str) -> &str {
    let bare = tree.trim_end_matches('/').trim_end_matches(".git");
    bare.rsplit('/').next().unwrap_or(bare)
}
