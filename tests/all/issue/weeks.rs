//! Issues of past weeks show each story as it was then, whatever arrives later and in whichever order it is stored.

use bpfnews::config::{Config, FeedConfig, FeedKind};
use bpfnews::fold::fold_items;
use bpfnews::ingest::Ingest;
use bpfnews::issue::{Issue, Period, SectionKind};
use bpfnews::item::{Detail, Item, ItemData, ItemKey, ItemKind, Linked, Paid, Person};
use bpfnews::store::Store;
use bpfnews::store::feeds;
use bpfnews::store::items::{ItemFilter, LoadedItems, list_items, put_items};
use bpfnews::story::relevance::FoldRules;
use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;

use super::issue_of;
use crate::fold::scenario::{Scenario, begin};

/// A database of an archive, with these mails imported in this order.
pub(super) async fn shelf(items: &[Item]) -> (TempDir, Ingest) {
    let folder = TempDir::new().expect("a folder");
    let database = folder.path().join("b.sqlite");
    let config = configured(&database);
    let store = Store::open(&database).await.expect("a database");
    let clock = std::sync::Arc::new(bpfnews::clock::SystemClock);
    let ingest = Ingest::open(store, &config, clock)
        .await
        .expect("an ingest");
    add(&ingest, items).await;
    (folder, ingest)
}

fn configured(database: &std::path::Path) -> Config {
    let mut config = bpfnews::demo::config(
        &"http://127.0.0.1:1/".parse().expect("an address"),
        database,
    );
    let feed = FeedConfig {
        name: "bpf".to_owned(),
        url: "https://lore.kernel.org/bpf/".parse().expect("an address"),
        poll_gap: std::time::Duration::from_secs(600),
        bpf_only: true,
        addresses: bpfnews::config::FeedAddresses::default(),
        new_max: FeedConfig::NEW_MAX,
        kind: FeedKind::Archive { query: None },
    };
    config.feeds = vec![std::sync::Arc::new(feed)];
    config
}

async fn add(ingest: &Ingest, items: &[Item]) {
    let rows = feeds::list_feeds(ingest.store.read()).await.expect("feeds");
    for page in items.chunks(500) {
        ingest.import(rows[0].id, page).await.expect("an import");
    }
}

fn words(issue: &Issue) -> Vec<String> {
    let entries = issue.sections.iter().flat_map(|section| {
        let line = |entry: &bpfnews::issue::Entry| {
            format!(
                "{}: {} ({})",
                section.kind.word(),
                entry.title,
                entry.stands
            )
        };
        section.entries.iter().map(line)
    });
    entries.collect()
}

/// A series of two versions, applied in the third week, and a patch that was never answered.
fn life() -> Vec<Item> {
    let week = 7 * 24;
    let scenario = Scenario::default()
        .mail("a1", "Ann Author", 1, "[PATCH bpf-next] bpf: Add a map type", &[], "Maps are useful.\n---\n kernel/bpf/a.c | 1 +")
        .mail("b1", "Bob Builder", 2, "[PATCH bpf-next] libbpf: Build it", &[], "It builds.\n---\n tools/lib/bpf/b.c | 1 +")
        .mail(
            "a2",
            "Ann Author",
            week + 1,
            "[PATCH bpf-next v2] bpf: Add a map type",
            &[],
            "Maps are useful.\n---\nv1 -> v2:\n- Make it larger.\n\n kernel/bpf/a.c | 1 +",
        )
        .mail(
            "a2-applied",
            "patchwork-bot+netdevbpf@kernel.org <patchwork-bot+netdevbpf@kernel.org>",
            2 * week + 1,
            "Re: [PATCH bpf-next v2] bpf: Add a map type",
            &["a2"],
            "Hello:\n\nThis patch was applied to bpf/bpf-next.git (master)\nby Mae Maintainer <mae@example.org>:\n\n\
             On Tue, 9 May 2017 you wrote:\n> Maps are useful.\n\nHere is the summary with links:\n  - [bpf-next,v2] bpf: Add a map type\n    \
             https://git.kernel.org/bpf/bpf-next/c/0123456789ab\n\nYou are awesome, thank you!",
        );
    scenario.items.into_iter().map(|(item, _)| item).collect()
}

pub(super) fn week(number: i64) -> Period {
    let from = begin() + TimeDelta::days(7 * number);
    Period {
        from,
        to: from + TimeDelta::days(7),
    }
}

#[tokio::test]
async fn a_story_is_in_each_week_in_which_it_moved_as_it_was_then() {
    let (_folder, ingest) = shelf(&life()).await;
    let mut told = Vec::new();
    for number in 0..4 {
        let issue = issue_of(&ingest.store, 1, week(number), None).await;
        told.push((words(&issue), issue));
    }
    assert_eq!(
        told[0].0,
        [
            "highlights: bpf: Add a map type (posted)",
            "new-series: libbpf: Build it (posted)"
        ]
    );
    assert_eq!(told[1].0, ["highlights: bpf: Add a map type (v2)"]);
    assert_eq!(
        told[2].0,
        ["highlights: bpf: Add a map type (applied to bpf-next)"]
    );
    assert!(told[3].1.is_quiet(), "{:?}", told[3].0);
    let applied = &told[2].1.sections[0].entries[0];
    let commit = applied.commit.as_ref().expect("a commit");
    assert_eq!(commit.digits, "0123456789ab");
    assert_eq!(
        commit.link.as_deref(),
        Some("https://git.kernel.org/bpf/bpf-next/c/0123456789ab")
    );
    // Each posted story is listed in its week, once.
    let posted: Vec<usize> = told.iter().map(|(_, issue)| issue.patches.len()).collect();
    assert_eq!(posted, [2, 1, 0, 0]);
    let again = issue_of(&ingest.store, 1, week(1), None).await;
    assert_eq!(bytes(&again), bytes(&told[1].1));
}

fn bytes(issue: &Issue) -> String {
    serde_json::to_string(issue).expect("JSON")
}

#[tokio::test]
async fn later_mails_change_no_earlier_week() {
    let life = life();
    for known in 1..life.len() {
        let (_folder, ingest) = shelf(&life[..known]).await;
        let last = life[..known]
            .iter()
            .filter_map(|item| item.at)
            .max()
            .expect("a time");
        let whole: Vec<i64> = (0..4)
            .filter(|number| week(*number).to <= last + TimeDelta::days(7))
            .collect();
        let mut before = Vec::new();
        for &number in &whole {
            let period = Period {
                to: week(number).to.min(last + TimeDelta::seconds(1)),
                ..week(number)
            };
            before.push((
                period,
                bytes(&issue_of(&ingest.store, 1, period, None).await),
            ));
        }
        add(&ingest, &life[known..]).await;
        for (period, before) in before {
            let after = bytes(&issue_of(&ingest.store, 1, period, None).await);
            assert_eq!(before, after, "{known} mails were known");
        }
    }
}

/// Real mails: every week is the same whether the mails after it are stored or not.
#[tokio::test]
async fn weeks_of_real_mails_are_the_same_with_or_without_later_mails() {
    let Some(mut items) = crate::fold::order::real("bpf-dev.mbox.gz", usize::MAX) else {
        return;
    };
    items.sort_by_key(|item| item.at);
    let at = |text: &str| -> DateTime<Utc> { text.parse().expect("a time") };
    let cuts = [
        at("2024-07-08T00:00:00Z"),
        at("2024-10-07T00:00:00Z"),
        at("2025-01-13T00:00:00Z"),
    ];
    let (_folder, ingest) = shelf(&[]).await;
    let (mut taken, mut compared, mut slowest) = (0, 0, std::time::Duration::ZERO);
    let mut weeks: Vec<(Period, String)> = Vec::new();
    for cut in cuts.into_iter().chain([at("2026-01-01T00:00:00Z")]) {
        let until = items.partition_point(|item| item.at.is_none_or(|at| at < cut));
        add(&ingest, &items[taken..until]).await;
        taken = until;
        for (period, before) in &weeks {
            let after = bytes(&issue_of(&ingest.store, 1, *period, None).await);
            assert_eq!(*before, after, "{period:?}");
            compared += 1;
        }
        for back in 1..=4 {
            let to = cut - TimeDelta::days(7 * (back - 1));
            let period = Period {
                from: to - TimeDelta::days(7),
                to,
            };
            let begun = std::time::Instant::now();
            let issue = issue_of(&ingest.store, 1, period, None).await;
            slowest = slowest.max(begun.elapsed());
            weeks.push((period, bytes(&issue)));
        }
    }
    say(&format!(
        "{compared} weeks compiled twice, alike; the slowest took {slowest:?}"
    ));
    assert_eq!(compared, 4 + 8 + 12);
}

/// A paid article is announced when it arrives, with the day on which it becomes free, and again when it is free.
#[tokio::test]
async fn an_article_is_announced_for_subscribers_and_when_it_is_free() {
    let free_on = begin() + TimeDelta::days(10);
    let paid = Some(Paid {
        free_on: Some(free_on.date_naive()),
    });
    let (_folder, ingest) = shelf(&[article(paid)]).await;
    let told = three_weeks(&ingest.store).await;
    assert_eq!(
        told[0],
        ["lwn: BPF gets maps (for subscribers until 12 May 2017)"]
    );
    assert_eq!(told[1], ["lwn: BPF gets maps (free to read)"]);
    assert_eq!(told[2], [""; 0]);
}

fn article(paid: Option<Paid>) -> Item {
    Item {
        what: ItemData::Article {
            key: ItemKey::content("https://lwn.net/Articles/1/"),
            linked: Linked::default(),
            paid,
        },
        title: "BPF gets maps".to_owned(),
        author: Person {
            name: "Lena Writer".to_owned(),
            email: String::new(),
        },
        at: Some(begin() + TimeDelta::hours(5)),
        written_at: None,
        url: Some("https://lwn.net/Articles/1/".to_owned()),
        text: "Maps for BPF were discussed at length.".to_owned(),
        headers: Vec::new(),
        detail: Detail::Entry,
    }
}

async fn three_weeks(store: &Store) -> Vec<Vec<String>> {
    let mut told = Vec::new();
    for number in 0..3 {
        told.push(words(&issue_of(store, 1, week(number), None).await));
    }
    told
}

/// Its own feed may show it free before its day. Then it is announced once, when that is seen, and earlier weeks keep the
/// earlier knowledge.
#[tokio::test]
async fn an_article_that_is_freed_early_is_announced_when_that_is_seen() {
    // A week before its day, after its day, and without a known day.
    for (free_on, freed_on, expected) in [
        (
            Some(16),
            9,
            ["for subscribers until 18 May 2017", "free to read", ""],
        ),
        (
            Some(9),
            16,
            ["for subscribers until 11 May 2017", "free to read", ""],
        ),
        (None, 16, ["for subscribers", "", "free to read"]),
    ] {
        let day = |day| begin() + TimeDelta::days(day);
        let paid = Paid {
            free_on: free_on.map(|on| day(on).date_naive()),
        };
        let (_folder, ingest) = shelf(&[article(Some(paid))]).await;
        let before = three_weeks(&ingest.store).await;
        for again in 0..2 {
            let seen_at = day(freed_on + again);
            let mut tx = ingest.store.write().await.expect("nobody else writes");
            let stored = put_items(&mut tx, 1, &[article(None)], seen_at).await;
            let touched = stored.expect("a good database").touched();
            let rules = FoldRules::default();
            let moved = fold_items(&mut tx, &touched, &LoadedItems::new(), &rules).await;
            assert_eq!(
                moved.expect("a good database").len(),
                usize::from(again == 0)
            );
            tx.commit().await.expect("room");
        }
        let told = three_weeks(&ingest.store).await;
        assert_eq!(told[0], before[0], "a week that was over changed");
        let expected = expected.map(|stands| match stands {
            "" => Vec::new(),
            stands => vec![format!("lwn: BPF gets maps ({stands})")],
        });
        assert_eq!(told, expected, "free on {free_on:?}, freed on {freed_on}");
    }
}

/// A late mail is announced in the week in which it arrived, and in no other.
#[tokio::test]
async fn a_late_mail_is_announced_when_it_arrives() {
    let mut house = crate::command::house::House::new().await;
    house.advance(TimeDelta::days(3));
    let late = crate::documents::mail("late", 30, "[PATCH bpf-next] bpf: Come late", "");
    let news = crate::documents::mail(
        "now",
        3 * 24 * 60 + 130,
        "[PATCH bpf-next] bpf: Come now",
        "",
    );
    house.post(&[late, news]).await;
    let store = house.live.store.clone();
    let now = house.now();
    let early = Period {
        from: now - TimeDelta::days(7),
        to: now - TimeDelta::hours(12),
    };
    let today = Period {
        from: early.to,
        to: now + TimeDelta::seconds(1),
    };
    let told = words(&issue_of(&store, 1, early, None).await).join("\n");
    assert!(!told.contains("Come late"), "{told}");
    let told = words(&issue_of(&store, 2, today, None).await).join("\n");
    assert!(
        told.contains("Come now") && told.contains("Come late"),
        "{told}"
    );
    let all = ItemFilter {
        kind: Some(ItemKind::Message),
        most: 10,
        ..ItemFilter::default()
    };
    assert!(
        list_items(store.read(), &all, None)
            .await
            .expect("items")
            .len()
            >= 3
    );
}

#[test]
fn sections_have_their_own_words() {
    for kind in SectionKind::ALL {
        assert_eq!(SectionKind::of(kind.word()), Some(kind));
    }
}

#[expect(clippy::print_stderr, reason = "the counts are for people to see")]
fn say(what: &str) {
    eprintln!("{what}");
}
