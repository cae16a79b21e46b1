//! Trees, read by git from git's own servers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::bot::Bot;
use super::repository::{Commit, History, Repository};
use super::tree::{Rebased, check_titles, merged};
use super::{Server, check_holds, check_same, corpus, say, seeds};

/// The longest time until a kill.
const KILL_WITHIN: Duration = Duration::from_millis(500);
/// The number of commits at the seed.
const SEEN_AT_FIRST: &str = "--max-count=25";

fn http(repository: &Path) -> Server {
    Server::git(repository, &[])
}

/// Git's copies of the repositories that a bot reads.
fn copies(bot: &Bot) -> Vec<PathBuf> {
    let folder = bot.database().with_extension("git");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn delete_copies(bot: &Bot) {
    for copy in copies(bot) {
        std::fs::remove_dir_all(copy).expect("a folder of the bot's");
    }
}

/// The commits that a feed must have: the newest of `old`, and all later ones.
fn wanted(repository: &Repository, old: &str, new: &str, paths: &[&str]) -> BTreeSet<String> {
    let range = format!("{old}..{new}");
    let limit = [&["--"], paths].concat();
    let mut all = repository.list(&[&[&*range][..], &limit].concat());
    all.extend(repository.list(&[&[SEEN_AT_FIRST, old][..], &limit].concat()));
    all
}

/// Seeds a feed at `old`, moves the branch to `new`, is killed while it catches up, and has all new commits once.
fn check_catch_up(
    repository: &Repository,
    server: &Server,
    (old, new): (&str, &str),
    paths: &[&str],
    kills: u32,
    seed: u64,
) -> Bot {
    repository.serve_revision(old);
    let mut bot = Bot::with_gap(&Bot::tree(&server.url, paths), 15);
    bot.seed(seed);
    bot.poll("tree");
    repository.serve_revision(new);
    let met = bot.kill_amid(&["poll", "--feed", "tree"], kills, KILL_WITHIN);
    bot.poll_until_quiet("tree");
    let all = wanted(repository, old, new, paths);
    say(&format!(
        "{} commits, killed {met} times, seed {seed}",
        all.len()
    ));
    let known = bot.known("tree", "hash");
    if paths.is_empty() {
        check_same("the seed and what came", &all, &known);
    } else {
        // A seed has only commits that are younger than the horizon.
        let limit = [&["--"], paths].concat();
        let range = format!("{old}..{new}");
        let came = repository.list(&[&[&*range][..], &limit].concat());
        check_holds("what came", &came, &known);
        check_holds("no more than that and the seed", &known, &all);
    }
    check_titles(&bot, repository);
    bot.check_well("tree");
    bot
}

#[test]
fn real_gitway_catches_up_though_it_is_killed() {
    for seed in seeds() {
        let mut history = History::new(seed);
        let old = history.line(0, 300, "kernel/bpf/verifier.c");
        let new = history.line(old, 300, "kernel/bpf/verifier.c");
        let repository = Repository::new(&history);
        let tips = (&*repository.hash(old), &*repository.hash(new));
        for more in [&[][..], &["--daemon"], &["--unfiltered"]] {
            let server = Server::git(&repository.path(), more);
            check_catch_up(&repository, &server, tips, &[], 8, seed);
        }
    }
}

#[test]
fn real_gitway_catches_up_on_the_corpus() {
    let Some(bundle) = corpus("commits/libbpf.bundle") else {
        return;
    };
    let repository = Repository::unbundled(&bundle);
    let new = repository.hash(1);
    let old = repository.git(&["rev-parse", &format!("{new}~300")]);
    let tips = (old.trim(), &*new);
    repository.serve_revision(tips.0);
    let server = http(&repository.path());
    check_catch_up(&repository, &server, tips, &[], 4, 0);
    check_catch_up(&repository, &server, tips, &["src/btf.c", "include"], 4, 1);
}

#[test]
fn real_gitway_with_merges_catches_up_though_it_is_killed() {
    for seed in seeds() {
        let mut history = History::new(seed + 50);
        let tip = history.line(0, 30, "kernel/bpf/verifier.c");
        let old = merged(&mut history, tip, 2);
        let new = merged(&mut history, old, 6);
        let repository = Repository::new(&history);
        let tips = (&*repository.hash(old), &*repository.hash(new));
        let server = http(&repository.path());
        check_catch_up(&repository, &server, tips, &[], 6, seed);
        let paths = ["kernel/bpf", "net"];
        check_catch_up(&repository, &server, tips, &paths, 4, seed);
    }
}

/// 3,000 commits, most of them from merges.
#[test]
fn real_gitway_reads_three_thousand_commits_at_once() {
    let mut history = History::new(60);
    let old = history.line(0, 40, "kernel/bpf/verifier.c");
    let mut tip = old;
    for round in 0..10 {
        let file = format!("net/side-{round}.c");
        let side = history.old_line(old, 260, &file);
        tip = history.line(tip, 39, "kernel/bpf/btf.c");
        tip = history.commit(&[tip, side], "kernel/bpf/merged.c");
    }
    let repository = Repository::new(&history);
    let tips = (&*repository.hash(old), &*repository.hash(tip));
    let count = repository.list(&[&format!("{}..{}", tips.0, tips.1)]).len();
    assert_eq!(count, 3000);
    let server = http(&repository.path());
    check_catch_up(&repository, &server, tips, &[], 6, 1);
    check_catch_up(&repository, &server, tips, &["kernel"], 0, 1);
}

/// Merges bring commits from long before the horizon of git's copy, on branches that began there.
#[test]
fn real_gitway_reads_merges_of_old_branches() {
    let mut history = History::new(61);
    let day = 86_400;
    let now = history.commits.len();
    assert_eq!(now, 0);
    let begin = chrono::Utc::now().timestamp() - 900 * day;
    let mut line = vec![history.commit_at(&[], "kernel/bpf/verifier.c", begin)];
    for number in 1..400 {
        let last = *line.last().expect("there is one");
        let at = begin + number * 2 * day;
        line.push(history.commit_at(&[last], "kernel/bpf/verifier.c", at));
    }
    let old = *line.last().expect("there is one");
    let at = begin + 800 * day;
    let side = history.commit_at(&[line[20]], "net/old.c", begin + 41 * day);
    let side = history.commit_at(&[side], "net/old.c", begin + 42 * day);
    let merge = history.commit_at(&[old, side], "kernel/bpf/merged.c", at);
    let side = history.commit_at(&[line[350]], "net/young.c", at + day);
    let new = history.commit_at(&[merge, side], "kernel/bpf/merged.c", at + 2 * day);
    let repository = Repository::new(&history);
    let tips = (&*repository.hash(old), &*repository.hash(new));
    let server = http(&repository.path());
    let bot = check_catch_up(&repository, &server, tips, &[], 0, 0);
    let range = repository.list(&[&format!("{}..{}", tips.0, tips.1)]);
    assert_eq!(range.len(), 5);
    // The whole history is there for tests that need it.
    bot.ask(&["backfill", "--feed", "tree", "--since", "2000-01-01"]);
    let all = repository.list(&[tips.1]);
    check_same("all", &all, &bot.known("tree", "hash"));
    bot.check_well("tree");
}

/// The branch is set to a commit that is older than the horizon of git's copy, and back.
#[test]
fn real_gitway_follows_a_branch_that_is_set_to_an_old_commit() {
    let mut history = History::new(68);
    let day = 86_400;
    let begin = chrono::Utc::now().timestamp() - 900 * day;
    let mut line = vec![history.commit_at(&[], "kernel/bpf/verifier.c", begin)];
    for number in 1..300 {
        let last = *line.last().expect("there is one");
        let at = begin + number * 3 * day;
        line.push(history.commit_at(&[last], "kernel/bpf/verifier.c", at));
    }
    let aside = history.commit_at(&[line[20]], "net/old.c", begin + 61 * day);
    let last = *line.last().expect("there is one");
    let new = history.commit_at(&[last], "kernel/bpf/new.c", begin + 899 * day);
    let repository = Repository::new(&history);
    for more in [&[][..], &["--daemon"]] {
        repository.serve(last);
        let server = Server::git(&repository.path(), more);
        let bot = Bot::new(&Bot::tree(&server.url, &[]));
        bot.poll("tree");
        let mut all = repository.list(&[SEEN_AT_FIRST, &repository.hash(last)]);
        for tip in [aside, new] {
            repository.serve(tip);
            bot.poll_until_quiet("tree");
            all.insert(repository.hash(tip));
            check_holds("the tip", &all, &bot.known("tree", "hash"));
        }
        let whole = repository.list(&["--all"]);
        check_holds("no other commits", &bot.known("tree", "hash"), &whole);
        bot.check_well("tree");
    }
}

#[test]
fn real_gitway_posts_only_new_commits_after_a_rebase() {
    Rebased::new(7).check_by(false, http);
    Rebased::new(7).check_by(true, http);
    Rebased::new(30).check_by(true, http);
}

/// The old tip is gone from the server and from our copy.
#[test]
fn real_gitway_finds_all_after_a_rebase_without_its_copy() {
    let mut history = History::new(62);
    let base = history.line(0, 60, "kernel/bpf/verifier.c");
    let before = history.line(base, 20, "kernel/bpf/btf.c");
    let after = history.line(base, 230, "kernel/bpf/core.c");
    let repository = Repository::new(&history);
    let (before, after) = (repository.hash(before), repository.hash(after));
    repository.serve_revision(&before);
    let server = http(&repository.path());
    let bot = Bot::new(&Bot::tree(&server.url, &[]));
    bot.poll("tree");
    repository.serve_revision(&after);
    let came = repository.list(&[&format!("{before}..{after}")]);
    repository.forget_unserved();
    delete_copies(&bot);
    bot.poll_until_quiet("tree");
    check_holds("since the seed", &came, &bot.known("tree", "hash"));
    bot.check_well("tree");
}

#[test]
fn real_gitway_goes_on_when_a_deleted_branch_is_back() {
    let mut history = History::new(63);
    let old = history.line(0, 40, "kernel/bpf/verifier.c");
    let new = history.line(old, 40, "kernel/bpf/verifier.c");
    let repository = Repository::new(&history);
    let tips = (&*repository.hash(old), &*repository.hash(new));
    repository.serve_revision(tips.0);
    let server = http(&repository.path());
    let bot = Bot::new(&Bot::tree(&server.url, &[]));
    bot.poll("tree");
    let checked = bot.ask(&["check", "--online"]);
    assert!(checked.contains("tree: git finds it"), "{checked}");
    repository.git(&["update-ref", "-d", "refs/heads/master"]);
    let checked = bot.run(&["check", "--online"]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(
        !checked.status.success() && said.contains("has no branch master"),
        "{said}"
    );
    let output = bot.run(&["poll", "--feed", "tree"]);
    assert!(!output.status.success());
    let feed = bot.feed("tree");
    assert_eq!(feed["state"], "backing_off", "{feed}");
    let shown = bot
        .ask(&["feeds"])
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert!(shown.contains("has no branch master"), "{shown}");
    repository.serve_revision(tips.1);
    bot.poll_until_quiet("tree");
    let all = wanted(&repository, tips.0, tips.1, &[]);
    check_same("all", &all, &bot.known("tree", "hash"));
    bot.check_well("tree");
}

/// A copy may be deleted at any time: nothing is posted again, and nothing is missed.
#[test]
fn real_gitway_does_without_its_copy() {
    let mut history = History::new(64);
    let mut tips = vec![history.line(0, 60, "kernel/bpf/verifier.c")];
    for _ in 0..4 {
        let last = *tips.last().expect("there is one");
        tips.push(merged(&mut history, last, 1));
    }
    let repository = Repository::new(&history);
    repository.serve(tips[0]);
    let server = http(&repository.path());
    let bot = Bot::new(&Bot::tree(&server.url, &[]));
    bot.poll("tree");
    let mut told = BTreeMap::<String, usize>::new();
    for pair in tips.windows(2) {
        delete_copies(&bot);
        repository.serve(pair[1]);
        let said = bot.poll_until_quiet("tree");
        delete_copies(&bot);
        let again = bot.poll_until_quiet("tree");
        assert!(!again.contains('('), "posted again: {again}");
        for number in pair[0] + 1..=pair[1] {
            let mark = format!("({number})");
            if said.contains(&mark) {
                *told.entry(mark).or_default() += 1;
            }
        }
    }
    assert!(told.len() >= 20, "{told:?}");
    assert!(told.values().all(|times| *times == 1), "{told:?}");
    let (first, last) = (tips[0], *tips.last().expect("there is one"));
    let (first, last) = (repository.hash(first), repository.hash(last));
    let all = wanted(&repository, &first, &last, &[]);
    check_same("all", &all, &bot.known("tree", "hash"));
    bot.check_well("tree");
}

#[test]
fn real_gitway_asks_once_if_nothing_is_new() {
    let mut history = History::new(65);
    let tip = history.line(0, 40, "kernel/bpf/verifier.c");
    let repository = Repository::new(&history);
    repository.serve(tip);
    let mut server = http(&repository.path());
    let bot = Bot::new(&Bot::tree(&server.url, &[]));
    bot.poll("tree");
    // The server writes its log late.
    let mut requests = || {
        std::thread::sleep(Duration::from_secs(5));
        server.command("requests")
    };
    let before = requests();
    for _ in 0..10 {
        bot.poll("tree");
    }
    let after = requests();
    say(&format!("{} requests for ten polls", after - before));
    // One request for the server's capabilities, and one for the branch.
    assert_eq!(after - before, 20);
    // Between two polls, git's copy does not grow.
    assert_eq!(copies(&bot).len(), 1);
}

#[test]
fn real_gitway_walks_back_though_it_is_killed() {
    let mut history = History::new(66);
    let first = history.commit_at(&[], "kernel/bpf/a.c", 1_600_000_000);
    let start = history.line(first, 500, "kernel/bpf/verifier.c");
    let tip = merged(&mut history, start, 3);
    let repository = Repository::new(&history);
    repository.serve(tip);
    let server = http(&repository.path());
    let mut bot = Bot::with_gap(&Bot::tree(&server.url, &[]), 15);
    let since = chrono::Utc::now() - chrono::TimeDelta::days(40);
    let since = since.format("%Y-%m-%d").to_string();
    let backfill = ["backfill", "--feed", "tree", "--since", &since];
    bot.kill_amid(&backfill, 6, KILL_WITHIN);
    bot.ask(&backfill);
    bot.ask(&backfill);
    let last = repository.hash(tip);
    let mut all = repository.list(&[&last]);
    all.remove(&repository.hash(first));
    check_same(&since, &all, &bot.known("tree", "hash"));
    bot.ask(&["backfill", "--feed", "tree", "--since", "2020-01-01"]);
    let all = repository.list(&[&last]);
    check_same("from the first commit", &all, &bot.known("tree", "hash"));
    check_titles(&bot, &repository);
}

/// A commit of a feed, as the command line shows it.
fn shown(item: &Value) -> String {
    ["key", "title", "author", "at"]
        .map(|key| item[key].to_string())
        .join(" ")
}

/// A commit is the same item by cgit's patches and by git.
#[test]
fn real_gitway_gives_the_same_items_as_cgit() {
    let mut history = History::new(67);
    let old = history.line(0, 20, "kernel/bpf/verifier.c");
    let tip = history.line(
        old,
        20,
        "kernel/bpf/a_file_with_a_name_that_is_far_too_long_for_a_diffstat_of_seventy_columns.c",
    );
    let new = history.push(Commit {
        message: "bpf: the last one\n\nText with é.\n".to_owned(),
        parents: vec![tip],
        file: "kernel/bpf/btf.c".to_owned(),
        written_at: history.commits[tip - 1].at,
        at: history.commits[tip - 1].at + 60,
    });
    let repository = Repository::new(&history);
    repository.serve(old);
    let (git, cgit) = (http(&repository.path()), Server::cgit(&repository.path()));
    let bots = [&git, &cgit].map(|server| Bot::new(&Bot::tree(&server.url, &[])));
    for bot in &bots {
        bot.poll("tree");
    }
    repository.serve(new);
    let range = format!("{}..{}", repository.hash(old), repository.hash(new));
    let came = repository.list(&[&range]);
    let [by_git, by_cgit] = bots.map(|bot| {
        bot.poll_until_quiet("tree");
        let items = bot.items("tree");
        let items = items
            .iter()
            .filter(|item| came.contains(item["hash"].as_str().expect("a commit has one")));
        items.map(shown).collect::<BTreeSet<_>>()
    });
    assert_eq!(by_git.len(), came.len());
    assert_eq!(by_git, by_cgit);
}
