//! The cost of a transaction grows at most by n log n in everything that strangers control: entries, links, references, and
//! the size of a cluster.

use std::process::Command;

use bpfnews::fold;
use bpfnews::item::{Detail, Item, ItemData, ItemKey, Linked, MessageId, Person};
use bpfnews::store::items::{self, LoadedItems};
use bpfnews::store::stories;
use bpfnews::story::key;
use bpfnews::story::machine::Machines;
use bpfnews::story::reading::read_early;
use bpfnews::story::relevance::FoldRules;
use chrono::TimeDelta;
use rustix::time::{ClockId, clock_gettime};

use super::scenario::{FoldStore, Scenario, begin};
use super::years::mail;

/// The inputs that are made four times as large, with their smaller sizes.
const INPUTS: [(&str, usize); 10] = [
    ("entries", 60),
    ("links", 15),
    ("references", 16),
    ("thread", 150),
    ("commits", 100),
    ("revisions", 60),
    ("namesakes", 60),
    ("one more mail", 150),
    ("a mail that many link", 40),
    ("a merge of many", 60),
];
/// The highest factor of the time for a fourfold input. `n log n` gives 5 to 6, `n²` gives 16.
const MOST: f64 = 9.0;
/// The number of measurements of each; the shortest counts.
const ROUNDS: usize = 3;
/// Names the input that the child process measures.
const INPUT: &str = "BPFNEWS_TEST_GROWTH";

#[test]
fn no_transaction_grows_faster_than_its_input() {
    for (input, small) in INPUTS {
        let least = |n: usize| {
            let rounds = (0..ROUNDS).map(|_| cpu_s(input, n));
            rounds.fold(f64::INFINITY, f64::min)
        };
        let (few, many) = (least(small), least(4 * small));
        assert!(
            many <= few * MOST,
            "{input}: {small} take {few:.4} s, four times as many {many:.4} s"
        );
    }
}

/// The fold uses the earlier reading of a text, and does not read it again.
#[tokio::test]
async fn the_fold_uses_the_earlier_reading() {
    let store = FoldStore::new().await;
    let (mails, articles) = linking(1, 2);
    let mut other = articles[0].clone();
    other.text = format!("See https://lore.kernel.org/bpf/{}/ alone.\n", id(1));
    let readings = read_early(&[other], 0..1, &Machines::default());
    take(&store, &mails).await;
    let mut tx = store.store.write().await.expect("a transaction");
    let now = begin() + TimeDelta::days(900);
    let stored = items::put_items(&mut tx, store.feeds[0].1, &articles, now).await;
    let stored = stored.expect("stored");
    let mut loaded = LoadedItems::new();
    stored.add_loaded(&articles, &readings, &mut loaded);
    let rules = FoldRules::default();
    let folded = fold::fold_items(&mut tx, &stored.touched(), &loaded, &rules).await;
    folded.expect("folded");
    for (number, is_mentioned) in [(0, false), (1, true)] {
        let mail = MessageId::parse(&id(number)).expect("an id");
        let found = stories::items_that_mention(&mut tx, &[key::mail(&mail)]).await;
        assert_eq!(!found.expect("it answers").is_empty(), is_mentioned);
    }
}

/// The CPU seconds of a separate process, because other tests run at the same time.
fn cpu_s(input: &str, n: usize) -> f64 {
    let test = std::env::current_exe().expect("this test has a file");
    let ended = Command::new(test)
        .args([
            "--exact",
            "fold::growth::in_a_process_of_its_own",
            "--nocapture",
        ])
        .env(INPUT, format!("{input}={n}"))
        .output()
        .expect("it runs once more");
    let said = String::from_utf8_lossy(&ended.stdout);
    let took = said.lines().find_map(|line| line.split_once("took "));
    let took = took.and_then(|(_, took)| took.trim().parse().ok());
    took.unwrap_or_else(|| panic!("{input}: {said}{}", String::from_utf8_lossy(&ended.stderr)))
}

/// Does nothing unless the test above starts it.
#[tokio::test]
async fn in_a_process_of_its_own() {
    let Ok(asked) = std::env::var(INPUT) else {
        return;
    };
    let (input, n) = asked.split_once('=').expect("an input and a number");
    let n: usize = n.parse().expect("a number");
    let (before, taken) = match input {
        "entries" => linking(n, 30),
        "links" => linking(60, n),
        "references" => (Vec::new(), referring(n)),
        "thread" => (Vec::new(), thread(n)),
        "commits" => (Vec::new(), commits(n)),
        "revisions" => (Vec::new(), patches(n, |number| format!(" v{}", number + 1))),
        "namesakes" => (Vec::new(), patches(n, |_| String::new())),
        "one more mail" => {
            let mut thread = thread(n);
            (thread.split_off(1), thread)
        }
        "a mail that many link" => {
            let (mut mails, articles) = linking(n, 30);
            mails.extend(articles);
            let above = [id(0)];
            let text = "Yes.".to_owned();
            let title = "Re: [PATCH] pens0: paint them".to_owned();
            let answer = mail(
                "an-answer@example.org",
                &above,
                "Some One",
                begin(),
                title,
                text,
            );
            (mails, vec![answer])
        }
        "a merge of many" => {
            let mut mails = pulled(n);
            let merged = mails.pop().into_iter().collect();
            (mails, merged)
        }
        other => panic!("{other} is not made"),
    };
    let store = FoldStore::new().await;
    if !before.is_empty() {
        take(&store, &before).await;
    }
    let took = take(&store, &taken).await;
    use std::io::Write as _;
    writeln!(std::io::stdout(), "\ntook {took}").expect("somebody reads it");
}

fn cpu() -> f64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
}

/// Stores and folds a page; returns the CPU seconds of its transaction.
async fn take(store: &FoldStore, page: &[Item]) -> f64 {
    let readings = read_early(page, 0..page.len(), &Machines::default());
    let started = cpu();
    let mut tx = store.store.write().await.expect("a transaction");
    let now = begin() + TimeDelta::days(900);
    let stored = items::put_items(&mut tx, store.feeds[0].1, page, now)
        .await
        .expect("stored");
    let mut at_hand = LoadedItems::new();
    stored.add_loaded(page, &readings, &mut at_hand);
    fold::fold_items(&mut tx, &stored.touched(), &at_hand, &FoldRules::default())
        .await
        .expect("folded");
    tx.commit().await.expect("a commit");
    cpu() - started
}

fn id(number: usize) -> String {
    format!("20170502120000.{number}-1-some.one@example.org")
}

/// Stored mails, and articles that link to them: each links to the same ones.
fn linking(entries: usize, links: usize) -> (Vec<Item>, Vec<Item>) {
    let mails = (0..links).map(|number| {
        let title = format!("[PATCH] pens{number}: paint them");
        mail(
            &id(number),
            &[],
            &format!("Dev {number}"),
            begin(),
            title,
            "Red.".to_owned(),
        )
    });
    let links: String = (0..links)
        .map(|number| format!("See https://lore.kernel.org/bpf/{}/ too.\n", id(number)))
        .collect();
    let articles = (0..entries).map(|number| {
        let link = format!("https://example.org/{number}");
        Item {
            what: ItemData::Article {
                key: ItemKey::link(&link),
                paid: None,
                linked: Linked::default(),
            },
            title: format!("On pens, part {number}"),
            author: Person::default(),
            url: Some(link),
            at: Some(begin()),
            written_at: None,
            text: links.clone(),
            headers: Vec::new(),
            detail: Detail::Entry,
        }
    });
    (mails.collect(), articles.collect())
}

/// Mails, each with so many references to mails that are not stored.
fn referring(references: usize) -> Vec<Item> {
    let mails = (0..60).map(|number| {
        let above: Vec<String> = (0..references)
            .map(|above| id(1_000 * number + above))
            .collect();
        let title = format!("Re: pens {number}");
        mail(
            &format!("answer-{number}@example.org"),
            &above,
            "Some One",
            begin(),
            title,
            "Yes.".to_owned(),
        )
    });
    mails.collect()
}

/// Mails that each answer the one before. The last arrives first.
fn thread(mails: usize) -> Vec<Item> {
    let mut mails: Vec<Item> = (0..mails)
        .map(|number| {
            let above = number.checked_sub(1).map(|above| vec![id(above)]);
            let title = "Re: pens".to_owned();
            let who = format!("Dev {}", number % 7);
            mail(
                &id(number),
                &above.unwrap_or_default(),
                &who,
                begin(),
                title,
                "Yes.".to_owned(),
            )
        })
        .collect();
    mails.reverse();
    mails
}

/// Patches of one author with one title, one each hour.
fn patches(patches: usize, version: impl Fn(usize) -> String) -> Vec<Item> {
    let patches = (0..patches).map(|number| {
        let title = format!("[PATCH{}] pens: paint them", version(number));
        let at = begin() + TimeDelta::hours(number as i64);
        let text = format!("Red.\n---\n pens/{number}.c | 2 +-\n");
        mail(&id(number), &[], "Some One", at, title, text)
    });
    patches.collect()
}

/// Patches, the pull request that lists them, and the answer that it was merged.
fn pulled(patches: usize) -> Vec<Item> {
    let title = |number: usize| format!("pens{number}: paint them");
    let mut scenario = Scenario::default();
    for number in 0..patches {
        let subject = format!("[PATCH] {}", title(number));
        let id = format!("p{number}");
        scenario = scenario.mail(&id, "Ann Author", 1, &subject, &[], "Red.");
    }
    let listed: String = (0..patches)
        .map(|number| format!("      {}\n", title(number)))
        .collect();
    let pull = format!(
        "The following changes since commit 123:\n\nare available in the Git repository at:\n\n  \
         https://git.kernel.org/x tags/pens-9\n\nfor you to fetch.\n\nAnn Author ({patches}):\n{listed}\n"
    );
    let merged = "The pull request you sent on Tue:\n\n> https://git.kernel.org/x tags/pens-9\n\nhas been merged into \
                  torvalds/linux.git:\nhttps://git.kernel.org/torvalds/c/fedcba987654\n\nThank you!";
    let tracker = "pr-tracker-bot <pr-tracker-bot@kernel.org>";
    let subject = "[GIT PULL] pens for 9";
    let answer = "Re: [GIT PULL] pens for 9";
    scenario = scenario
        .mail("pull", "Cid Keeper", 80, subject, &[], &pull)
        .mail("merged", tracker, 90, answer, &["pull"], merged);
    scenario.items.into_iter().map(|(item, _)| item).collect()
}

/// Commits of one author with one title, each of which fixes the one before.
fn commits(commits: usize) -> Vec<Item> {
    let mut scenario = Scenario::default();
    for number in 0..commits {
        let mends = format!(
            "Fixes: {} (\"pens: paint them\")",
            &hash(number.saturating_sub(1))[..12]
        );
        scenario = scenario.commit(
            &hash(number),
            "Some One",
            number as i64 % 7,
            "pens: paint them",
            "next",
            &mends,
        );
    }
    scenario.items.into_iter().map(|(item, _)| item).collect()
}

fn hash(number: usize) -> String {
    format!("{:012x}{:028}", (number + 1) * 7_919, 0)
}
