//! Forums: one post for each story, with tags for its state; name and tags follow the story.

use std::time::Duration;

use bpfnews::channel::{Act, Below, Platform as _, Receipt, Scope, SendError};
use bpfnews::post::story::Tone;
use chrono::TimeDelta;

use super::fake::{Fake, Fault, On, Room};
use super::{FORUM, OPS, Stage, channel, discord, edit, line, send, story, work};

const TAGS: [&str; 6] = [
    "Posted",
    "Discussed",
    "Applied",
    "Mainline",
    "Series",
    "Fun",
];

fn forum() -> Room {
    Room::forum(FORUM, &TAGS)
}

/// The name and the tags of the forum's only thread.
fn look(fake: &Fake) -> (String, Vec<String>) {
    let threads = fake.threads(FORUM);
    assert_eq!(threads.len(), 1);
    (
        threads[0].name.clone(),
        threads[0].tag_names(&fake.room(FORUM)),
    )
}

#[tokio::test]
async fn a_post_carries_its_storys_name_and_tags_and_they_follow() {
    let fake = Fake::start(&[forum()]).await;
    let discord = discord(&fake);
    let first = send(FORUM, "k1", story("m", "bpf: Do it", "posted", Tone::New));
    let receipt = discord.deliver(&first).await.expect("it is posted");
    assert_eq!(receipt.thread.as_ref(), Some(&receipt.message));
    assert_eq!(
        look(&fake),
        (
            "bpf: Do it".to_owned(),
            vec!["Posted".to_owned(), "Series".to_owned()]
        )
    );
    // Tags added by people stay; the tag for the state changes.
    fake.change(&receipt.message, |thread| {
        thread.applied.push(format!("{FORUM}05"))
    });
    let applied = story("m", "bpf: Do it well", "applied to bpf-next", Tone::Applied);
    let change = edit(FORUM, "k2", &receipt, applied);
    assert_eq!(discord.deliver(&change).await, Ok(receipt.clone()));
    let (name, tags) = look(&fake);
    assert_eq!(
        (name.as_str(), tags.join(" ")),
        ("bpf: Do it well", "Applied Series Fun".to_owned())
    );
    // A second identical change alters nothing in the thread, so no request is sent.
    let asked = fake
        .seen(&format!("PATCH /channels/{}", receipt.message))
        .len();
    discord.deliver(&change).await.expect("it is done again");
    assert_eq!(
        fake.seen(&format!("PATCH /channels/{}", receipt.message))
            .len(),
        asked + 1,
        "the message alone"
    );
    assert_eq!(fake.titles(&receipt.message), ["bpf: Do it well"]);
}

#[tokio::test]
async fn an_archived_post_is_opened_for_news() {
    let fake = Fake::start(&[forum()]).await;
    let discord = discord(&fake);
    let first = send(FORUM, "k1", story("m", "bpf: Do it", "posted", Tone::New));
    let receipt = discord.deliver(&first).await.expect("it is posted");
    fake.change(&receipt.message, |thread| thread.is_archived = true);
    let applied = story("m", "bpf: Do it", "applied to bpf-next", Tone::Applied);
    let change = edit(FORUM, "k2", &receipt, applied);
    assert_eq!(discord.deliver(&change).await, Ok(receipt.clone()));
    assert!(!fake.room(&receipt.message).is_archived);
    assert_eq!(look(&fake).1, ["Applied", "Series"]);
    // A post that moderators locked stays as it is, and says nothing about the forum.
    fake.change(&receipt.message, |thread| {
        thread.is_archived = true;
        thread.is_locked = true;
    });
    let error = discord.deliver(&change).await;
    assert!(
        matches!(
            error,
            Err(SendError::Never {
                scope: Scope::Delivery,
                ..
            })
        ),
        "{error:?}"
    );
    // A post that a person deleted is gone.
    fake.delete_room(&receipt.message);
    assert_eq!(discord.deliver(&change).await, Err(SendError::Gone));
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_post_and_posts_of_others_are_ignored() {
    let fake = Fake::start(&[forum()]).await;
    for fault in [
        Fault::After(502, ""),
        Fault::DropAfter,
        Fault::After(201, "garbage"),
        Fault::Before(500, ""),
    ] {
        let key = format!("{fault:?}");
        let discord = discord(&fake);
        let before = fake.threads(FORUM).len();
        let mut first = send(FORUM, "k1", line(&key, "bpf: Do it"));
        fake.fail(On::Change, fault);
        let error = discord.deliver(&first).await;
        assert!(matches!(error, Err(SendError::Unknown { .. })), "{error:?}");
        assert_eq!(discord.dedupes_for(FORUM), Duration::ZERO);
        first.is_retry = true;
        if key.contains("502") {
            // The post was archived meanwhile.
            let made = fake.threads(FORUM).pop().expect("it was made");
            fake.change(&made.id, |thread| thread.is_archived = true);
        }
        let receipt = discord.deliver(&first).await.expect("it is found, or made");
        assert_eq!(fake.threads(FORUM).len(), before + 1, "{key}");
        assert_eq!(discord.find(&first).await, Ok(Some(receipt)));
    }
}

#[tokio::test]
async fn a_forum_that_needs_a_tag_without_a_fitting_one_is_reported_once_with_advice() {
    let mut wanting = Room::forum(FORUM, &["Questions"]);
    wanting.wants_tag = true;
    let mut ops = channel(OPS);
    ops.maintainers = true;
    let mut stage = Stage::new(&[wanting, Room::text(OPS)], vec![channel(FORUM), ops]).await;
    for number in 0..3 {
        stage
            .patch(&format!("p{number}"), &format!("bpf: Do it {number}"))
            .await;
        stage.pass().await;
    }
    assert_eq!(stage.fake.threads(FORUM).len(), 0);
    assert_eq!(
        stage.fake.titles(OPS),
        [format!("channel-{FORUM} is paused")]
    );
    let notice = stage.fake.messages(OPS)[0]["embeds"][0]["description"].to_string();
    assert!(
        notice.contains("add tags named") && notice.contains("turn off"),
        "{notice}"
    );
    assert_eq!(
        stage
            .fake
            .seen("/threads")
            .iter()
            .filter(|seen| seen.what.starts_with("POST"))
            .count(),
        0
    );
    // With the tags, the next start posts each story once.
    stage.fake.change(FORUM, |forum| {
        forum.set_tags(&["posted", "applied", "published"])
    });
    stage.restart().await;
    stage.world.advance(TimeDelta::hours(2));
    stage.pass().await;
    let threads = stage.fake.threads(FORUM);
    let about: Vec<&Room> = threads
        .iter()
        .filter(|thread| thread.name.contains("Do it"))
        .collect();
    assert_eq!(about.len(), 3);
    assert!(
        about
            .iter()
            .all(|thread| thread.tag_names(&stage.fake.room(FORUM)) == ["posted"])
    );
}

#[tokio::test]
async fn tags_that_changed_since_they_were_asked_for_are_asked_for_again() {
    let fake = Fake::start(&[forum()]).await;
    let discord = discord(&fake);
    discord.look(FORUM).await.expect("there is a forum");
    fake.change(FORUM, |forum| {
        forum.set_tags(&[
            "Fun",
            "More fun",
            "Other fun",
            "Even more",
            "Last",
            "Another",
            "Posted",
        ]);
        forum.tags.remove(0);
    });
    let first = send(FORUM, "k1", story("m", "bpf: Do it", "posted", Tone::New));
    discord.deliver(&first).await.expect("it is posted");
    assert_eq!(look(&fake).1, ["Posted"]);
}

#[tokio::test]
async fn a_limit_on_renaming_waits_for_the_one_post() {
    let fake = Fake::start(&[forum()]).await;
    let discord = discord(&fake);
    let first = send(FORUM, "k1", story("m", "bpf: Do it", "posted", Tone::New));
    let receipt = discord.deliver(&first).await.expect("it is posted");
    for number in 0..2 {
        let again = story("m", &format!("bpf: Do it {number}"), "posted", Tone::New);
        discord
            .deliver(&edit(FORUM, "k2", &receipt, again))
            .await
            .expect("it is renamed");
    }
    let third = story("m", "bpf: Do it thrice", "v2", Tone::New);
    let error = discord.deliver(&edit(FORUM, "k3", &receipt, third)).await;
    assert!(
        matches!(
            error,
            Err(SendError::Later {
                scope: Scope::Delivery,
                ..
            })
        ),
        "{error:?}"
    );
    assert_eq!(
        fake.titles(&receipt.message),
        ["bpf: Do it thrice"],
        "the message says it already"
    );
    let other = send(FORUM, "k4", story("n", "bpf: Another", "posted", Tone::New));
    discord.deliver(&other).await.expect("other posts go on");
}

#[tokio::test]
async fn replies_and_milestones_go_into_the_forums_post() {
    let fake = Fake::start(&[forum()]).await;
    let discord = discord(&fake);
    let first = send(FORUM, "k1", story("m", "bpf: Do it", "posted", Tone::New));
    let receipt: Receipt = discord.deliver(&first).await.expect("it is posted");
    for (key, under) in [
        ("k2", Below::Answer(receipt.clone())),
        ("k3", Below::Thread(receipt.clone())),
    ] {
        let content = line(&format!("m-{key}"), "bpf: Do it");
        let below = work(
            FORUM,
            key,
            Act::Send {
                content,
                under: Some(under),
            },
        );
        let there = discord.deliver(&below).await.expect("it is said");
        assert_eq!(there.thread, receipt.thread);
        assert_eq!(discord.find(&below).await, Ok(Some(there)));
    }
    assert_eq!(fake.titles(&receipt.message).len(), 3);
    assert_eq!(fake.threads(FORUM).len(), 1);
}

#[tokio::test]
async fn through_the_outbox_each_story_is_one_post_in_its_final_state() {
    let mut stage = Stage::new(&[forum()], vec![channel(FORUM)]).await;
    stage.patch("p", "bpf: Do it").await;
    stage.fake.fail(On::Change, Fault::After(502, ""));
    stage.pass().await;
    stage.restart().await;
    stage.world.advance(TimeDelta::seconds(10));
    stage.pass().await;
    stage.world.advance(TimeDelta::hours(3));
    stage.apply("bpf: Do it").await;
    stage.pass().await;
    let threads = stage.fake.threads(FORUM);
    let about: Vec<&Room> = threads
        .iter()
        .filter(|thread| thread.name.contains("Do it"))
        .collect();
    assert_eq!(about.len(), 1);
    assert_eq!(about[0].tag_names(&stage.fake.room(FORUM)), ["Applied"]);
}
