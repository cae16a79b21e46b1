//! Publishing: each number once, even if the program dies at any moment; on time; unchanged from then on; and as files.

use std::task::Poll;

use bpfnews::config::{IssueConfig, Schedule};
use bpfnews::issue::{Period, markdown};
use bpfnews::publish::{self, NotPublished, files, schedule};
use bpfnews::store::{backup, issues};
use chrono::{TimeDelta, Weekday};

use super::Set;
use crate::command::house::{House, NEWS};
use crate::documents::mail;

async fn house() -> House {
    let mut house = House::new().await;
    house
        .post(&[mail("a", 130, "[PATCH bpf-next] bpf: Do it", "")])
        .await;
    // An item of the same second in which an issue comes out belongs to the next issue.
    house.advance(TimeDelta::minutes(1));
    house
}

/// The publishing program dies at any await: then there is one issue with its post, or none.
#[tokio::test]
async fn whenever_it_dies_an_issue_is_published_once_and_posted_once() {
    let mut deaths = 0;
    for polls in 1..200 {
        let house = house().await;
        let set = Set::new();
        let rules = set.rules();
        let generation = house.live.now();
        let destinations = generation.ingest.destinations();
        let now = house.now();
        let publishing = async {
            let mut tx = house.live.store.write().await.expect("a transaction");
            let out = publish::publish(&mut tx, &destinations, rules, 1, None, "x", now).await;
            out.expect("a database").expect("an issue");
            tx.commit().await.expect("a commit");
        };
        let mut publishing = Box::pin(publishing);
        let mut polled = 0;
        let is_done = std::future::poll_fn(|context| {
            polled += 1;
            match publishing.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(true),
                Poll::Pending if polled >= polls => Poll::Ready(false),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        drop(publishing);
        drop(generation);
        let out = issues::list_issues(house.live.store.read().into())
            .await
            .expect("issues");
        assert!(out.len() <= 1, "{out:?}");
        if out.is_empty() {
            deaths += 1;
            let again = house.live.now();
            let mut tx = house.live.store.write().await.expect("a transaction");
            let out = publish::publish(
                &mut tx,
                &again.ingest.destinations(),
                rules,
                1,
                None,
                "x",
                now,
            )
            .await;
            // A commit that was in progress may be complete by now.
            match out.expect("a database") {
                Ok(_) => tx.commit().await.expect("a commit"),
                Err(why) => assert_eq!(why, NotPublished::Number { due: 2, asked: 1 }),
            }
        }
        house.pass().await;
        house.pass().await;
        let told = house.chat.room(NEWS);
        let many = told
            .iter()
            .filter(|told| told.starts_with("BPF updates 01"))
            .count();
        assert_eq!(many, 1, "died after {polls} polls: {told:?}");
        if is_done {
            break;
        }
    }
    assert!(deaths > 1, "it died {deaths} times before it was done");
}

#[tokio::test]
async fn an_issue_is_published_on_its_day_and_not_twice() {
    let mut house = house().await;
    let mut set = Set::new();
    set.issue = IssueConfig {
        publish: Some(Schedule {
            day: Some(Weekday::Wed),
            at: chrono::NaiveTime::from_hms_opt(16, 0, 0).expect("a time"),
        }),
        ..IssueConfig::default()
    };
    let rules = set.rules();
    let live = std::sync::Arc::clone(&house.live);
    let generation = live.now();
    let store = &live.store;
    let mut out = Vec::new();
    // Three weeks, with a check every five hours. In the second week, the loop is away for four days.
    for step in 0..100 {
        house.advance(TimeDelta::hours(5));
        if (40..60).contains(&step) {
            continue;
        }
        let due = schedule::pass(
            store,
            || generation.ingest.destinations(),
            rules,
            house.now(),
        )
        .await;
        let due = due.expect("a database").expect("a day");
        let many = issues::list_issues(store.read().into())
            .await
            .expect("issues")
            .len();
        if due - house.now() == TimeDelta::seconds(20) {
            assert_eq!(many, out.len(), "mails from that time are read first");
        }
        let (id, title) = (
            format!("s{step}"),
            format!("[PATCH bpf-next] bpf: Do {step}"),
        );
        let minutes = (house.now() - crate::world::noon()).num_minutes();
        let mails = [mail(&id, minutes - 5, &title, "")];
        house.post_within(TimeDelta::zero(), &mails).await;
        let next = schedule::pass(
            store,
            || generation.ingest.destinations(),
            rules,
            house.now(),
        )
        .await;
        let next = next.expect("a database").expect("a day");
        assert!(next > house.now(), "{next}");
        out = issues::list_issues(store.read().into())
            .await
            .expect("issues");
    }
    out.reverse();
    assert_eq!(out.len(), 3, "{out:?}");
    for pair in out.windows(2) {
        assert_eq!(
            pair[0].to_at, pair[1].from_at,
            "nothing lies between two issues"
        );
        assert!(pair[1].published_at - pair[0].published_at >= 3 * 86_400);
    }
    assert!(out.iter().all(|issue| issue.published_by == "schedule"));
}

#[tokio::test]
async fn a_published_issue_stays_unchanged_and_is_a_file() {
    let mut house = house().await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut set = Set::new();
    set.issue = IssueConfig {
        folder: Some(folder.path().join("issues")),
        ..IssueConfig::default()
    };
    let rules = set.rules();
    {
        let generation = house.live.now();
        let mut tx = house.live.store.write().await.expect("a transaction");
        let destinations = generation.ingest.destinations();
        let out = publish::publish(&mut tx, &destinations, rules, 1, None, "x", house.now());
        out.await.expect("a database").expect("an issue");
        tx.commit().await.expect("a commit");
    }
    let store = house.live.store.clone();
    files::write(&store, rules).await;
    let file = folder.path().join("issues/bpf-updates-01.md");
    let before = std::fs::read_to_string(&file).expect("a file");
    assert!(before.contains("bpf: Do it"), "{before}");
    let frozen = issues::issue(store.read().into(), 1)
        .await
        .expect("a question");
    house
        .post(&[mail("a2", 300, "[PATCH bpf-next v2] bpf: Do it", "a")])
        .await;
    assert_eq!(
        issues::issue(store.read().into(), 1)
            .await
            .expect("a question"),
        frozen
    );
    files::write(&store, rules).await;
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), before);
    let mut tx = store.write().await.expect("a transaction");
    issues::add_correction(&mut tx, 1, "It was *not* done.", "x", house.now())
        .await
        .expect("kept");
    tx.commit().await.expect("a commit");
    files::write(&store, rules).await;
    let after = std::fs::read_to_string(&file).expect("a file");
    assert!(
        after.contains("**Correction, 10 January 2025:** It was **not** done."),
        "{after}"
    );
    // A person changes the file. From then on the file is theirs, the new text is beside it, and a notice says so once.
    std::fs::write(&file, "Mine.").expect("room on the disk");
    let kept = files::write(&store, rules).await;
    assert!(
        matches!(&kept[..], [told] if told.contains("bpf-updates-01.md.new")),
        "{kept:?}"
    );
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), "Mine.");
    let beside = folder.path().join("issues/bpf-updates-01.md.new");
    assert_eq!(std::fs::read_to_string(&beside).expect("a file"), after);
    assert!(files::write(&store, rules).await.is_empty());
    // When its content is right again, it is our file again.
    std::fs::write(&file, &after).expect("room on the disk");
    assert!(files::write(&store, rules).await.is_empty());
    let names = std::fs::read_dir(folder.path().join("issues")).expect("a folder");
    let names = names.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert_eq!(
        names,
        [
            ".bpfnews.json",
            "bpf-updates-01.md",
            "bpf-updates-01.md.new"
        ]
    );
    let refused = publish::backfill(&store, rules, house.now(), "x", house.now(), |_| ()).await;
    let refused = refused.expect_err("something is out").to_string();
    assert!(refused.contains("issue 1 is published"), "{refused}");
}

/// After a restore, the same number comes out again: its message is edited, not sent a second time.
#[tokio::test]
async fn after_a_restore_an_issue_is_still_one_message() {
    let mut house = house().await;
    let store = house.live.store.clone();
    let database = house.file.with_file_name("bpfnews.sqlite");
    let copy = backup::beside(&database, ".copy");
    backup::backup(&store, &copy, house.now())
        .await
        .expect("a backup");
    let publish = async |house: &House| {
        let set = Set::new();
        let rules = set.rules();
        let generation = house.live.now();
        let mut tx = house.live.store.write().await.expect("a transaction");
        let destinations = generation.ingest.destinations();
        let out = publish::publish(&mut tx, &destinations, rules, 1, None, "x", house.now()).await;
        out.expect("a database").expect("an issue");
        tx.commit().await.expect("a commit");
        house.pass().await;
    };
    publish(&house).await;
    let issues = |house: &House| {
        let told = house.chat.room(NEWS);
        told.iter()
            .filter(|told| told.starts_with("BPF updates 01"))
            .count()
    };
    assert_eq!(issues(&house), 1);
    store.close().await;
    for ending in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(backup::beside(&database, ending));
    }
    std::fs::copy(&copy, &database).expect("room on the disk");
    house.restart().await;
    house.advance(TimeDelta::hours(1));
    for _ in 0..3 {
        house.pass().await;
    }
    publish(&house).await;
    house.advance(TimeDelta::hours(1));
    house.pass().await;
    assert_eq!(issues(&house), 1, "{:?}", house.chat.room(NEWS));
}

/// The issue states the parts that could not be read. A quiet week is short.
#[tokio::test]
async fn an_issue_states_its_gaps() {
    let house = House::new().await;
    house.advance(TimeDelta::days(1));
    let store = &house.live.store;
    let now = house.now();
    let period = Period {
        from: now - TimeDelta::days(7),
        to: now,
    };
    let quiet = super::issue_of(store, 1, period, None).await;
    let text = markdown::body(&quiet, &[], None);
    assert!(!text.contains("Missing"), "{text}");
    let mut tx = store.write().await.expect("a transaction");
    let gap = "INSERT INTO gaps (feed_id, from_at, to_at, why, found_at) SELECT id, $1, $2, 'x', $2 FROM feeds";
    sqlx::query(gap)
        .bind((now - TimeDelta::days(4)).timestamp())
        .bind((now - TimeDelta::days(2)).timestamp())
        .execute(&mut *tx)
        .await
        .expect("a gap");
    tx.commit().await.expect("a commit");
    let text = markdown::body(&super::issue_of(store, 1, period, None).await, &[], None);
    let told = "**Missing:** bpf could not be read in full; what is not here may be from 7 January to 9 January.";
    assert!(text.contains(told), "{text}");
    let mut tx = store.write().await.expect("a transaction");
    sqlx::query("DELETE FROM gaps")
        .execute(&mut *tx)
        .await
        .expect("gone");
    sqlx::query("UPDATE feeds SET failing_since = $1")
        .bind((now - TimeDelta::days(3)).timestamp())
        .execute(&mut *tx)
        .await
        .expect("a failure");
    tx.commit().await.expect("a commit");
    let text = markdown::body(&super::issue_of(store, 1, period, None).await, &[], None);
    assert!(text.contains("may be since 8 January."), "{text}");
}
