//! Trees, read from a real cgit.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::time::Duration;

use super::bot::Bot;
use super::repository::{Commit, History, Repository};
use super::{Server, check_holds, check_same, corpus, say, seeds};

/// The longest time until a kill.
const KILL_WITHIN: Duration = Duration::from_millis(400);
/// The number of entries in cgit's Atom, which a seed sees.
const SEEN_AT_FIRST: &str = "--max-count=10";

/// Fails unless every stored commit has its own subject.
pub(super) fn check_titles(bot: &Bot, repository: &Repository) {
    let listed = repository.git(&["log", "--all", "--format=%H %s"]);
    let subjects: HashMap<&str, &str> = listed
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    for item in bot.items("tree") {
        let hash = item["hash"].as_str().expect("a commit has one");
        let wanted = subjects[hash].split_whitespace().collect::<Vec<_>>();
        assert_eq!(item["title"], wanted.join(" "), "{hash}");
    }
}

/// Seeds a feed at `old`, moves the branch to `new`, is killed while it catches up, and has all new commits once.
fn check_catch_up(
    repository: &Repository,
    old: &str,
    new: &str,
    paths: &[&str],
    kills: u32,
    seed: u64,
) {
    repository.serve_revision(old);
    let server = Server::cgit(&repository.path());
    let mut bot = Bot::with_gap(&Bot::tree(&server.url, paths), 15);
    bot.seed(seed);
    bot.poll("tree");
    repository.serve_revision(new);
    let met = bot.kill_amid(&["poll", "--feed", "tree"], kills, KILL_WITHIN);
    bot.poll_until_quiet("tree");
    let range = format!("{old}..{new}");
    let (mut came, mut all) = (BTreeSet::new(), BTreeSet::new());
    let whole = [""];
    for path in if paths.is_empty() { &whole } else { paths } {
        let limit: &[&str] = if path.is_empty() { &[] } else { &["--", path] };
        let list = |first: &[&str]| repository.list(&[first, limit].concat());
        came.extend(list(&[&range]));
        all.extend(list(&[&range]));
        all.extend(list(&[SEEN_AT_FIRST, old]));
    }
    say(&format!(
        "{} commits came, killed {met} times, seed {seed}",
        came.len()
    ));
    let known = bot.known("tree", "hash");
    check_holds("since the seed", &came, &known);
    check_same("the seed and what came", &all, &known);
    check_titles(&bot, repository);
    bot.check_well("tree");
}

#[test]
fn real_tree_catches_up_though_it_is_killed() {
    for seed in seeds() {
        let mut history = History::new(seed);
        let old = history.line(0, 300, "kernel/bpf/verifier.c");
        let new = history.line(old, 300, "kernel/bpf/verifier.c");
        let repository = Repository::new(&history);
        let (old, new) = (repository.hash(old), repository.hash(new));
        check_catch_up(&repository, &old, &new, &[], 12, seed);
    }
}

#[test]
fn real_tree_catches_up_on_the_corpus_though_it_is_killed() {
    let Some(bundle) = corpus("commits/libbpf.bundle") else {
        return;
    };
    let repository = Repository::unbundled(&bundle);
    let new = repository.hash(1);
    let old = repository.git(&["rev-parse", &format!("{new}~300")]);
    for seed in seeds() {
        check_catch_up(&repository, old.trim(), &new, &[], 12, seed);
    }
    check_catch_up(
        &repository,
        old.trim(),
        &new,
        &["src/btf.c", "include"],
        4,
        1,
    );
}

/// Side branches, older than the commits of the main one, merged one by one, by an octopus, and one inside the other.
pub(super) fn merged(history: &mut History, mut tip: usize, rounds: usize) -> usize {
    for round in 0..rounds {
        let file = format!("net/side-{round}.c");
        let base = tip;
        tip = history.line(tip, 5, "kernel/bpf/verifier.c");
        match round % 3 {
            0 => {
                let side = history.old_line(base, 14, &file);
                tip = history.commit(&[tip, side], "merged");
            }
            1 => {
                let sides: Vec<usize> = (0..3)
                    .map(|side| history.old_line(base, 6, &format!("{side}-{file}")))
                    .collect();
                let parents = [&[tip], &sides[..]].concat();
                tip = history.commit(&parents, "merged");
            }
            _ => {
                let inner = history.old_line(base, 12, &file);
                let outer = history.old_line(base, 4, "net/outer.c");
                let outer = history.commit(&[outer, inner], "net/outer.c");
                let outer = history.line(outer, 3, "net/outer.c");
                tip = history.commit(&[tip, outer], "merged");
            }
        }
    }
    tip
}

#[test]
fn real_tree_with_merges_catches_up_though_it_is_killed() {
    for seed in seeds() {
        let mut history = History::new(seed + 50);
        let tip = history.line(0, 30, "kernel/bpf/verifier.c");
        let old = merged(&mut history, tip, 2);
        let new = merged(&mut history, old, 6);
        let repository = Repository::new(&history);
        let (old, new) = (repository.hash(old), repository.hash(new));
        assert!(repository.list(&[&format!("{old}..{new}")]).len() >= 140);
        check_catch_up(&repository, &old, &new, &[], 6, seed);
    }
}

/// Poll by poll: each merge when it arrives.
#[test]
fn real_tree_with_merges_is_followed_step_by_step() {
    let mut history = History::new(70);
    let first = history.line(0, 20, "kernel/bpf/verifier.c");
    let mut tips = vec![first];
    for _ in 0..9 {
        let tip = *tips.last().expect("there is one");
        tips.push(merged(&mut history, tip, 1));
        let tip = *tips.last().expect("there is one");
        tips.push(history.line(tip, 3, "kernel/bpf/btf.c"));
    }
    let repository = Repository::new(&history);
    repository.serve(first);
    let server = Server::cgit(&repository.path());
    let bot = Bot::new(&Bot::tree(&server.url, &[]));
    for &tip in &tips {
        repository.serve(tip);
        bot.poll("tree");
    }
    bot.poll_until_quiet("tree");
    let last = repository.hash(*tips.last().expect("there is one"));
    let mut all = repository.list(&[&format!("{}..{last}", repository.hash(first))]);
    all.extend(repository.list(&[SEEN_AT_FIRST, &repository.hash(first)]));
    check_same("what came", &all, &bot.known("tree", "hash"));
    bot.check_well("tree");
}

#[test]
fn real_tree_limited_to_paths_returns_their_commits_once() {
    let mut history = History::new(80);
    let files = [
        "kernel/bpf/verifier.c",
        "net/core/filter.c",
        "mm/slab.c",
        "kernel/bpf/btf.c",
    ];
    let mut tip = 0;
    let mut old = 0;
    for number in 0..400 {
        if number == 150 {
            old = tip;
        }
        tip = history.line(tip, 1, files[number % files.len()]);
    }
    let repository = Repository::new(&history);
    let (old, new) = (repository.hash(old), repository.hash(tip));
    let paths = ["kernel/bpf", "net/core/filter.c", "kernel/bpf/btf.c"];
    check_catch_up(&repository, &old, &new, &paths, 6, 0);
}

#[test]
fn real_tree_limited_to_paths_follows_merges() {
    let mut history = History::new(81);
    let tip = history.line(0, 30, "kernel/bpf/verifier.c");
    let mut tips = vec![tip];
    for round in 0..6 {
        let base = *tips.last().expect("there is one");
        let side = history.old_line(base, 4, "net/core/dev.c");
        let side = history.line(side, 12, "kernel/bpf/btf.c");
        let main = history.line(base, 5, "kernel/bpf/verifier.c");
        let merge = history.commit(&[main, side], "kernel/bpf/merged.c");
        tips.push(history.line(merge, round, "mm/slab.c"));
    }
    let repository = Repository::new(&history);
    let (old, new) = (repository.hash(tips[1]), repository.hash(tips[6]));
    check_catch_up(&repository, &old, &new, &["kernel/bpf", "net"], 4, 0);
}

/// A branch with `patches` on an old base is put, with the same patches and three more, on another.
pub(super) struct Rebased {
    repository: Repository,
    base: String,
    before: String,
    after: String,
    new_subjects: Vec<String>,
    old_subjects: Vec<String>,
}

impl Rebased {
    pub(super) fn new(patches: usize) -> Self {
        let mut history = History::new(90);
        let other_base = history.line(0, 30, "kernel/bpf/verifier.c");
        let base = history.line(other_base, 1, "kernel/bpf/verifier.c");
        let before = history.line(base, patches, "kernel/bpf/btf.c");
        let moved: Vec<Commit> = history.commits[base..before].to_vec();
        let mut after = other_base;
        for commit in &moved {
            let committed_at = commit.at + 2 * 86_400;
            after = history.push(Commit {
                parents: vec![after],
                at: committed_at,
                ..commit.clone()
            });
        }
        let mut new = Vec::new();
        for number in 1..=3 {
            let message = format!("bpf: brought anew, number {number}\n\nIndeed.\n");
            let at = history.commits[after - 1].at + 60;
            after = history.push(Commit {
                message,
                parents: vec![after],
                file: "kernel/bpf/new.c".to_owned(),
                written_at: at,
                at,
            });
            new.push(format!("bpf: brought anew, number {number}"));
        }
        let repository = Repository::new(&history);
        let subject =
            |commit: &Commit| commit.message.lines().next().unwrap_or_default().to_owned();
        Self {
            base: repository.hash(base),
            before: repository.hash(before),
            after: repository.hash(after),
            new_subjects: new,
            old_subjects: moved.iter().map(subject).collect(),
            repository,
        }
    }

    /// Follows the branch over the rebase. Fails unless all is stored and only new commits are announced.
    fn check(&self, forgotten: bool) {
        self.check_by(forgotten, Server::cgit);
    }

    /// The same with another server.
    pub(super) fn check_by(&self, forgotten: bool, serve: fn(&Path) -> Server) {
        let repository = &self.repository;
        repository.serve_revision(&self.base);
        let server = serve(&repository.path());
        let bot = Bot::new(&Bot::tree(&server.url, &[]));
        bot.poll("tree");
        repository.serve_revision(&self.before);
        let told = bot.poll_until_quiet("tree");
        for subject in &self.old_subjects {
            assert!(told.contains(subject), "not posted: {subject}\n{told}");
        }
        repository.serve_revision(&self.after);
        let came = repository.list(&[&format!("{}..{}", self.before, self.after)]);
        if forgotten {
            repository.forget_unserved();
        }
        let told = bot.poll_until_quiet("tree");
        check_holds("since the seed", &came, &bot.known("tree", "hash"));
        let feed = bot.feed("tree");
        assert_eq!(feed["state"], "ok", "{feed}");
        for subject in &self.new_subjects {
            assert!(told.contains(subject), "not posted: {subject}\n{told}");
        }
        let again: Vec<&String> = self
            .old_subjects
            .iter()
            .filter(|subject| {
                told.contains(&subject[subject.rfind('(').expect("a number ends it")..])
            })
            .collect();
        assert!(again.is_empty(), "posted again: {again:?}\n{told}");
    }
}

#[test]
fn real_tree_that_is_rebased_posts_only_new_commits() {
    Rebased::new(7).check(false);
    Rebased::new(7).check(true);
}

#[test]
fn real_tree_with_a_long_rebased_branch_posts_only_new_commits() {
    Rebased::new(30).check(true);
    Rebased::new(30).check(false);
}

/// The old tip is deleted, the log finds no way, and the feed is walked back by hash.
#[test]
fn real_tree_that_is_rebased_is_walked_back_by_hash_though_it_is_killed() {
    let rebased = Rebased::new(90);
    let repository = &rebased.repository;
    repository.serve_revision(&rebased.before);
    let server = Server::cgit(&repository.path());
    let mut bot = Bot::with_gap(&Bot::tree(&server.url, &[]), 30);
    bot.poll("tree");
    repository.serve_revision(&rebased.after);
    let came = repository.list(&[&format!("{}..{}", rebased.before, rebased.after)]);
    repository.forget_unserved();
    bot.kill_amid(&["poll", "--feed", "tree"], 6, KILL_WITHIN / 2);
    bot.poll_until_quiet("tree");
    check_holds("since the seed", &came, &bot.known("tree", "hash"));
    bot.check_well("tree");
}

#[test]
fn real_tree_is_walked_back_though_it_is_killed() {
    let mut history = History::new(95);
    let start = history.line(0, 200, "kernel/bpf/verifier.c");
    let old_until = history.commits[start - 1].at;
    let tip = history.push(Commit {
        message: "bpf: after a long pause\n".to_owned(),
        parents: vec![start],
        file: "kernel/bpf/pause.c".to_owned(),
        written_at: old_until + 30 * 86_400,
        at: old_until + 30 * 86_400,
    });
    let mut young = vec![tip];
    for number in 0..250 {
        let at = old_until + 30 * 86_400 + number * 500;
        let last = *young.last().expect("there is one");
        young.push(history.commit_at(&[last], "kernel/bpf/btf.c", at));
    }
    let repository = Repository::new(&history);
    let last = *young.last().expect("there is one");
    repository.serve(last);
    let server = Server::cgit(&repository.path());
    let mut bot = Bot::with_gap(&Bot::tree(&server.url, &[]), 15);
    let day = chrono::DateTime::from_timestamp(old_until + 10 * 86_400, 0).expect("a date");
    let since = day.format("%Y-%m-%d").to_string();
    let backfill = ["backfill", "--feed", "tree", "--since", &since];
    bot.kill_amid(&backfill, 6, KILL_WITHIN);
    bot.ask(&backfill);
    bot.ask(&backfill);
    let wanted = repository.list(&[&format!(
        "{}..{}",
        repository.hash(start),
        repository.hash(last)
    )]);
    check_holds(&since, &wanted, &bot.known("tree", "hash"));
    bot.ask(&["backfill", "--feed", "tree", "--since", "2020-01-01"]);
    let all = repository.list(&[&repository.hash(last)]);
    check_same("from the first commit", &all, &bot.known("tree", "hash"));
    check_titles(&bot, &repository);
}
