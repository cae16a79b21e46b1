//! Clusters that stay in memory between folds do not change the stories.

use bpfnews::fold;
use bpfnews::item::{Item, ItemData};
use bpfnews::store::items::{self, LoadedItems};
use bpfnews::store::stories;
use bpfnews::store::{Store, Tx};
use bpfnews::story::Story;
use bpfnews::story::relevance::FoldRules;
use chrono::TimeDelta;

use super::scenario::{FoldStore, Scenario, begin};
use super::years::{Years, answer};

type Carried = (Item, &'static str);

/// A cluster of efforts that build on each other. Items outside mention it: commits that fix its commits, and a merged pull
/// request that lists its patches.
fn laid() -> Vec<Carried> {
    let (mails, last) = Years::cluster(0, 3, (4, 4, 3));
    let mut scenario = Scenario::default();
    let title = |mail: &Item| {
        mail.title
            .split_once("] ")
            .map(|(_, title)| title.to_owned())
    };
    let last_at = mails
        .iter()
        .filter_map(|mail| mail.at)
        .max()
        .expect("there are mails");
    let hours = (last_at - begin()).num_hours();
    let mut listed = String::new();
    for number in 1..=4 {
        let wanted = format!(" v4 {number}/4]");
        let mail = mails.iter().rev().find(|mail| mail.title.contains(&wanted));
        let mail = mail.expect("the last revision has four patches");
        let ItemData::Message { id, .. } = &mail.what else {
            panic!("a mail");
        };
        let title = title(mail).expect("tags");
        let link = format!(
            "It does.\n\nLink: https://lore.kernel.org/r/{}",
            id.as_str()
        );
        scenario = scenario.commit(
            &format!("a{number}"),
            "Ada Example0",
            hours + 30,
            &title,
            "next",
            &link,
        );
        let mends = format!(
            "Fixes: {} (\"{title}\")",
            &super::scenario::long(&format!("a{number}"))[..12]
        );
        let title_of_fix = format!("pens: mend what was broken {number}");
        scenario = scenario.commit(
            &format!("b{number}"),
            "Bea Other",
            hours + 60,
            &title_of_fix,
            "next",
            &mends,
        );
        listed.push_str(&format!("      {title}\n"));
    }
    let pull = format!(
        "The following changes since commit 123:\n\nare available in the Git repository at:\n\n  \
         https://git.kernel.org/x tags/pens-9\n\nfor you to fetch changes up to 456:\n\nAda Example0 (4):\n{listed}\n"
    );
    scenario = scenario
        .mail("pull", "Cid Keeper", hours + 80, "[GIT PULL] pens for 9", &[], &pull)
        .mail(
            "merged",
            "pr-tracker-bot <pr-tracker-bot@kernel.org>",
            hours + 90,
            "Re: [GIT PULL] pens for 9",
            &["pull"],
            "The pull request you sent on Tue:\n\n> https://git.kernel.org/x tags/pens-9\n\nhas been merged into torvalds/linux.git:\n\
             https://git.kernel.org/torvalds/c/fedcba987654\n\nThank you!",
        );
    let mut laid: Vec<Carried> = mails.into_iter().map(|mail| (mail, "list")).collect();
    let late = (0..3).map(|number| (answer(&last, number, last_at), "list"));
    laid.extend(late);
    laid.extend(scenario.items);
    laid
}

async fn folded(store: &Store, feed: i64, mails: &[Item]) -> Tx {
    let mut tx = store.write().await.expect("a transaction");
    let now = begin() + TimeDelta::days(900);
    let stored = items::put_items(&mut tx, feed, mails, now)
        .await
        .expect("stored");
    let words = FoldRules::default();
    fold::fold_items(&mut tx, &stored.touched(), &LoadedItems::new(), &words)
        .await
        .expect("folded");
    tx
}

/// Folds all items, batch by batch. Every third batch is first folded together with the next one and rolled back. Another
/// process folds every fifth.
async fn take_in(order: &[Carried], most: usize) -> FoldStore {
    let store = FoldStore::new().await;
    let other = store.again().await;
    for (number, batch) in order.chunks(most).enumerate() {
        let mails = order[number * most..]
            .iter()
            .filter(|(_, feed)| *feed == "list");
        let mails: Vec<Item> = mails.take(2 * most).map(|(mail, _)| mail.clone()).collect();
        if number % 3 == 2 && !mails.is_empty() {
            let given_up = folded(&store.store, store.feeds[0].1, &mails).await;
            match number % 2 {
                0 => drop(given_up),
                _ => given_up.rollback().await,
            }
        }
        let all_mails = batch.iter().all(|(_, feed)| *feed == "list");
        if number % 5 == 4 && all_mails {
            let mails: Vec<Item> = batch.iter().map(|(mail, _)| mail.clone()).collect();
            let by_other = folded(&other, store.feeds[0].1, &mails).await;
            by_other.commit().await.expect("a commit");
            continue;
        }
        store.take(batch).await;
    }
    other.close().await;
    store
}

async fn refolded(store: &FoldStore) -> Vec<Story> {
    let numbers = items::all_numbers(store.store.read())
        .await
        .expect("numbers");
    let mut tx = store.store.write().await.expect("a transaction");
    let before = stories::digest(&mut tx).await.expect("a digest");
    fold::refold(&mut tx, &numbers, &FoldRules::default(), |_| ())
        .await
        .expect("refolded");
    let after = stories::digest(&mut tx).await.expect("a digest");
    assert_eq!(before, after, "a refold gives other bytes");
    tx.commit().await.expect("a commit");
    store.all().await
}

#[tokio::test]
async fn cached_clusters_give_the_same_stories_as_a_refold() {
    let mut order = laid();
    let mut random = fastrand::Rng::with_seed(11);
    let mut wanted: Option<Vec<Story>> = None;
    for most in [9, 1, 40, 5] {
        let store = take_in(&order, most).await;
        let got = store.all().await;
        let pulled = got.iter().filter(|story| story.mainline.is_some());
        assert_eq!(
            pulled.count(),
            2,
            "the pull request and what it lists are in mainline"
        );
        assert_eq!(
            refolded(&store).await,
            got,
            "batches of {most}: a refold changes stories"
        );
        let wanted = wanted.get_or_insert_with(|| got.clone());
        assert_eq!(wanted.len(), got.len(), "batches of {most}");
        for (wanted, got) in wanted.iter().zip(&got) {
            assert_eq!(wanted, got, "batches of {most}");
        }
        match most {
            9 => order.reverse(),
            _ => random.shuffle(&mut order),
        }
    }
}

/// The test deletes the texts in the database, so a second read would lose them.
#[tokio::test]
async fn a_kept_cluster_is_not_read_again() {
    let (mails, last) = Years::cluster(0, 1, (5, 4, 3));
    let at = mails
        .iter()
        .filter_map(|mail| mail.at)
        .max()
        .expect("mails");
    let store = FoldStore::new().await;
    let all: Vec<Carried> = mails.into_iter().map(|mail| (mail, "list")).collect();
    store.take(&all).await;
    let late = |number: usize| vec![(answer(&last, number, at), "list")];
    // This connection bypasses our code, so the bot does not notice the change.
    let mut tx = store.store.write().await.expect("a transaction");
    sqlx::query("UPDATE items SET text_at = NULL")
        .execute(&mut *tx)
        .await
        .expect("a table");
    tx.commit().await.expect("a commit");
    let acked = |stories: &[Story]| {
        let people = stories.iter().flat_map(|story| &story.people);
        people
            .filter(|part| part.name.starts_with("Reviewer"))
            .count()
    };
    let before = acked(&store.all().await);
    assert!(before > 0, "the made mails are acked");
    store.take(&late(0)).await;
    assert_eq!(acked(&store.all().await), before, "it was read again");
    // After another process wrote, the bot notices it.
    let other = store.again().await;
    folded(
        &other,
        store.feeds[0].1,
        &[answer("elsewhere@example.org", 7, at)],
    )
    .await
    .commit()
    .await
    .expect("a commit");
    other.close().await;
    store.take(&late(1)).await;
    assert_eq!(acked(&store.all().await), 0, "it was not read again");
}
