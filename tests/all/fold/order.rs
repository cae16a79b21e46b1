//! Neither order nor batches matter. A refold changes nothing, and a fold that is dropped leaves nothing.

use bpfnews::fold;
use bpfnews::item::{Detail, Item};
use bpfnews::source::mail;
use bpfnews::store::items::{self, LoadedItems};
use bpfnews::story::Step;
use bpfnews::story::relevance::FoldRules;
use flate2::read::MultiGzDecoder;
use mail_parser::mailbox::mbox;

use super::scenario::{FoldStore, Scenario};
use crate::mails::Mails;
use crate::world::corpus;

/// Mails of a permutation test.
const MAILS: usize = 2_000;

fn generated(count: usize) -> Vec<Item> {
    let mails = Mails::new(41).threads(count).done();
    mails
        .iter()
        .filter_map(|mail| mail::message(&mail.raw, None).ok())
        .collect()
}

/// Real mails, if the corpus is there.
pub(crate) fn real(file: &str, most: usize) -> Option<Vec<Item>> {
    let packed = std::fs::File::open(corpus()?.join("lists").join(file)).ok()?;
    let mails = mbox::MessageIterator::new(std::io::BufReader::new(MultiGzDecoder::new(packed)));
    Some(
        mails
            .take(most)
            .filter_map(|raw| {
                let raw = raw.ok()?;
                let arrived =
                    chrono::DateTime::from_timestamp(i64::try_from(raw.internal_date()).ok()?, 0);
                mail::message(raw.contents(), arrived).ok()
            })
            .collect(),
    )
}

fn labelled(items: Vec<Item>) -> Vec<(Item, &'static str)> {
    items.into_iter().map(|item| (item, "list")).collect()
}

async fn check_orders(items: Vec<Item>, seed: u64) {
    let mut order = labelled(items);
    let whole = FoldStore::new().await;
    whole.take(&order).await;
    let wanted = whole.all().await;
    let mut random = fastrand::Rng::with_seed(seed);
    for run in 0..4 {
        match run {
            0 => order.reverse(),
            _ => random.shuffle(&mut order),
        }
        let store = FoldStore::new().await;
        let mut rest = &order[..];
        while !rest.is_empty() {
            let most = if run == 1 { 40 } else { 700 };
            let batch = random.usize(1..=most).min(rest.len());
            store.take(&rest[..batch]).await;
            rest = &rest[batch..];
        }
        let got = store.all().await;
        assert_eq!(
            wanted.len(),
            got.len(),
            "order {run}: another number of stories"
        );
        for (wanted, got) in wanted.iter().zip(&got) {
            assert_eq!(wanted, got, "order {run}");
        }
    }
    // A refold gives the same stories.
    let numbers = items::all_numbers(whole.store.read())
        .await
        .expect("numbers");
    let mut tx = whole.store.write().await.expect("a transaction");
    fold::refold(&mut tx, &numbers, &FoldRules::default(), |_| ())
        .await
        .expect("refolded");
    tx.commit().await.expect("a commit");
    assert_eq!(whole.all().await, wanted, "a refold changes stories");
}

#[tokio::test]
async fn made_up_mails_fold_alike_in_every_order_and_batching() {
    check_orders(generated(MAILS / 4), 1).await;
}

#[tokio::test]
async fn real_mails_fold_alike_in_every_order_and_batching() {
    let Some(items) = real("bpf-dev.mbox.gz", MAILS) else {
        return;
    };
    assert_eq!(items.len(), MAILS);
    check_orders(items, 2).await;
}

/// Other lists and years, each as a whole.
#[tokio::test]
async fn real_windows_fold_alike_in_every_order_and_batching() {
    const WINDOWS: [&str; 5] = [
        "bpf-2021",
        "bpf-2023",
        "bpf-2025a",
        "intel-wired-lan",
        "netfilter-devel",
    ];
    for window in WINDOWS {
        if let Some(items) = real(&format!("windows/{window}/mbox.gz"), usize::MAX) {
            check_orders(items, 3).await;
        }
    }
}

#[tokio::test]
async fn a_fold_that_ends_early_leaves_nothing_half_done() {
    let mails = labelled(generated(300));
    let (first, second) = mails.split_at(mails.len() / 2);
    let store = FoldStore::new().await;
    store.take(first).await;
    let before = store.all().await;
    let mut tx = store.store.write().await.expect("a transaction");
    let more: Vec<Item> = second.iter().map(|(item, _)| item.clone()).collect();
    let stored = items::put_items(&mut tx, store.feeds[0].1, &more, super::scenario::begin())
        .await
        .expect("stored");
    fold::fold_items(
        &mut tx,
        &stored.touched(),
        &LoadedItems::new(),
        &FoldRules::default(),
    )
    .await
    .expect("folded");
    drop(tx);
    assert_eq!(store.all().await, before);
    store.take(second).await;
    let whole = FoldStore::new().await;
    whole.take(&mails).await;
    assert_eq!(store.all().await, whole.all().await);
}

#[tokio::test]
async fn a_whole_item_replaces_a_brief_one_before_the_fold() {
    let (brief, whole) = (
        "Pens: red",
        "All pens are made red here, since red is seen by all.",
    );
    let scenario = Scenario::default()
        .commit(
            "ab12",
            "Ann Author",
            1,
            "pens: paint them red",
            "next",
            brief,
        )
        .commit(
            "ab12",
            "Ann Author",
            1,
            "pens: paint them red",
            "mainline",
            whole,
        );
    let mut commits = scenario.items;
    commits[0].0.detail = Detail::Brief;
    let store = FoldStore::new().await;
    store.take(&commits).await;
    let stories = store.all().await;
    assert_eq!(stories.len(), 1);
    assert_eq!(stories[0].summary, [whole]);
}

/// If a commit no longer mentions another, the mention is gone, and a refold changes nothing.
#[tokio::test]
async fn a_mention_that_went_away_is_forgotten() {
    let mends = "Fixes: aaaaaaaaaaaa (\"bpf: Add a thing\")";
    let scenario = Scenario::default()
        .commit("a", "Ann Author", 0, "bpf: Add a thing", "next", "Words.")
        .commit("c", "Bob Builder", 5, "bpf: Mend a thing", "next", mends);
    let store = FoldStore::new().await;
    let mut items = scenario.items;
    items[1].0.detail = Detail::Entry;
    store.take(&items).await;
    let fixed = async || {
        let all = store.all().await;
        let events = all.iter().flat_map(|story| &story.events);
        events.filter(|event| event.state == Step::Fixed).count()
    };
    assert_eq!(fixed().await, 1, "it is mended");
    // The whole text of the commit is different.
    items[1].0.detail = Detail::Whole;
    items[1].0.text = "Nothing was broken.".to_owned();
    store.take(&items[1..]).await;
    assert_eq!(fixed().await, 0, "the other story is posted as a new one");
    let before = store.all().await;
    let numbers = items::all_numbers(store.store.read()).await;
    let numbers = numbers.expect("numbers");
    let mut tx = store.store.write().await.expect("a transaction");
    fold::refold(&mut tx, &numbers, &FoldRules::default(), |_| ())
        .await
        .expect("made anew");
    tx.commit().await.expect("a commit");
    assert_eq!(store.all().await, before);
}
