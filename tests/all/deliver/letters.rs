//! A request that always fails stops nothing else. It is counted, retried with growing pauses, set aside and named, and a
//! maintainer retries or drops it.

use std::time::Duration;

use bpfnews::channel::{Scope, SendError};
use bpfnews::config::PlatformKind;
use bpfnews::store::outbox::{self, LetterDecision, LetterFate};
use chrono::TimeDelta;

use super::platform::{Answer, Chat};
use super::put_mails;
use crate::documents::{Article, Mail, mail, rss};
use crate::world::{World, archive, everything, feed};

/// A world with a seeded list and a channel for maintainers.
async fn house(chat: &Chat) -> World {
    let mut world = World::new(&[archive("bpf", "/bpf/")]).await;
    world
        .restart(|config| {
            let mut ops = everything();
            (ops.name, ops.address, ops.maintainers) = ("ops".to_owned(), "ops".to_owned(), true);
            config.channels.push(ops);
        })
        .await;
    put_mails(&world, &[]);
    world.poll().await;
    chat.delivery_loop(&world).pass().await.expect("a pass");
    chat.forget();
    world.advance(TimeDelta::hours(2));
    world
}

fn bad_and_good() -> [Mail; 2] {
    [
        mail("p1", 62, "[PATCH bpf-next] bpf: Do it badly", ""),
        mail("p2", 63, "[PATCH bpf-next] bpf: Do it well", ""),
    ]
}

fn unknown() -> SendError {
    SendError::Unknown {
        why: "500".to_owned(),
    }
}

fn failed(scope: Scope) -> SendError {
    SendError::Failed {
        after: Duration::ZERO,
        scope,
        why: "500 before it was sent".to_owned(),
    }
}

fn refused() -> SendError {
    SendError::Never {
        scope: Scope::Channel,
        why: "the bot lacks a permission".to_owned(),
    }
}

#[tokio::test]
async fn a_delivery_that_always_fails_is_set_aside_named_and_retried() {
    for error in [
        unknown(),
        failed(Scope::Channel),
        failed(Scope::Delivery),
        failed(Scope::Platform),
    ] {
        let chat = Chat::new();
        let mut world = house(&chat).await;
        put_mails(&world, &bad_and_good());
        world.poll().await;
        chat.break_with("Do it badly", error.clone());
        let delivery_loop = chat.delivery_loop(&world);
        world.pass(&delivery_loop, 4).await;
        assert_eq!(
            chat.bpf(),
            ["bpf: Do it well: posted"],
            "{error:?}: others go on"
        );
        let tried = world.letters().await;
        assert!(
            tried.len() == 1 && !tried[0].is_aside,
            "{error:?}: {tried:?}"
        );
        assert!(chat.room("ops").is_empty(), "{error:?}");
        world.pass(&delivery_loop, 12).await;
        let aside = world.letters().await;
        assert!(
            aside.len() == 1 && aside[0].is_aside,
            "{error:?}: {aside:?}"
        );
        assert_eq!(
            (aside[0].title().as_str(), aside[0].failures),
            ("bpf: Do it badly", 11)
        );
        assert_eq!(
            chat.room("ops"),
            ["terminal: a message could not be delivered"]
        );
        let notice = chat.notice_in("ops");
        let number = aside[0].id;
        for words in ["bpf: Do it badly", &format!("letters retry {number}")] {
            assert!(notice.contains(words), "{words} in {notice}");
        }
        let figures = bpfnews::store::figures::figures(world.ingest.store.read()).await;
        let figures = figures.expect("the database answers");
        let dead = figures
            .iter()
            .find(|figure| figure.name == "bpfnews_dead_letters");
        assert_eq!(dead.expect("it is counted").values, [(Vec::new(), 1)]);
        // No more attempts, however much time passes.
        world.pass(&delivery_loop, 3).await;
        assert_eq!(chat.bpf().len(), 1);
        chat.mend();
        assert_eq!(
            world.decide_letters(Some(number), LetterFate::Retry).await,
            LetterDecision::Done(1)
        );
        world.pass(&delivery_loop, 2).await;
        assert_eq!(
            chat.bpf(),
            ["bpf: Do it well: posted", "bpf: Do it badly: posted"],
            "{error:?}"
        );
        assert!(world.letters().await.is_empty());
        assert!(chat.all_keys_stand_once());
    }
}

#[tokio::test]
async fn a_dropped_letter_is_not_sent_and_numbers_are_those_of_letters() {
    let chat = Chat::new();
    let mut world = house(&chat).await;
    put_mails(&world, &bad_and_good());
    world.poll().await;
    let never = SendError::Never {
        scope: Scope::Delivery,
        why: "the filter refuses the text".to_owned(),
    };
    chat.break_with("Do it badly", never);
    let delivery_loop = chat.delivery_loop(&world);
    world.pass(&delivery_loop, 1).await;
    let aside = world.letters().await;
    assert!(
        aside.len() == 1 && aside[0].is_aside,
        "refused for good: {aside:?}"
    );
    assert_eq!(
        world.decide_letters(Some(9_999), LetterFate::Drop).await,
        LetterDecision::Unknown
    );
    let done = outbox::letters(world.ingest.store.read(), 100).await;
    assert_eq!(done.expect("the database answers").len(), 1);
    assert_eq!(
        world.decide_letters(None, LetterFate::Drop).await,
        LetterDecision::Done(1)
    );
    chat.mend();
    world.pass(&delivery_loop, 2).await;
    assert_eq!(chat.bpf(), ["bpf: Do it well: posted"]);
    assert_eq!(
        world.decide_letters(None, LetterFate::Retry).await,
        LetterDecision::Done(0)
    );
}

/// Several requests that always fail are no outage if later ones succeed.
#[tokio::test]
async fn several_deliveries_that_always_fail_are_set_aside_too() {
    let chat = Chat::new();
    let mut world = house(&chat).await;
    let mut mails = bad_and_good().to_vec();
    mails.push(mail("p3", 64, "[PATCH bpf-next] bpf: Do it badly too", ""));
    put_mails(&world, &mails);
    world.poll().await;
    chat.break_with("Do it badly", unknown());
    let delivery_loop = chat.delivery_loop(&world);
    world.pass(&delivery_loop, 20).await;
    // Nothing succeeded since the second one failed first, so it may be an outage.
    assert!(world.letters().await.iter().all(|letter| !letter.is_aside));
    mails.push(mail(
        "p4",
        340,
        "[PATCH bpf-next] bpf: Do it well again",
        "",
    ));
    put_mails(&world, &mails);
    world.poll_when_due("bpf").await;
    world.pass(&delivery_loop, 20).await;
    assert_eq!(
        chat.bpf(),
        ["bpf: Do it well: posted", "bpf: Do it well again: posted"]
    );
    let aside = world.letters().await;
    assert!(
        aside.len() == 2 && aside.iter().all(|letter| letter.is_aside),
        "{aside:?}"
    );
}

/// The retry posts the present text of the post, once.
#[tokio::test]
async fn a_retried_letter_has_the_present_text() {
    for error in [unknown(), failed(Scope::Channel)] {
        let chat = Chat::new();
        let mut world = house(&chat).await;
        let mut mails = bad_and_good().to_vec();
        put_mails(&world, &mails);
        world.poll().await;
        chat.break_with("Do it badly", error);
        let delivery_loop = chat.delivery_loop(&world);
        world.pass(&delivery_loop, 16).await;
        assert!(world.letters().await[0].is_aside);
        mails.push(mail(
            "p3",
            400,
            "[PATCH bpf-next v2] bpf: Do it badly",
            "p1",
        ));
        put_mails(&world, &mails);
        world.poll_when_due("bpf").await;
        chat.mend();
        world.decide_letters(None, LetterFate::Retry).await;
        world.pass(&delivery_loop, 3).await;
        assert_eq!(
            chat.bpf(),
            ["bpf: Do it well: posted", "bpf: Do it badly: v2"]
        );
    }
}

/// If nothing succeeds, maintainers get one notice, and another one when the outage is over.
#[tokio::test]
async fn a_channel_that_refuses_everything_is_reported_and_loses_nothing() {
    let chat = Chat::new();
    let mut world = house(&chat).await;
    put_mails(&world, &bad_and_good());
    world.poll().await;
    // All queued posts there, and the healthy feed's article: `…: posted`, `…: published`.
    chat.break_with(": p", failed(Scope::Channel));
    let delivery_loop = chat.delivery_loop(&world);
    world.pass(&delivery_loop, 60).await;
    assert_eq!(chat.room("ops"), ["Nothing gets through to terminal"]);
    assert!(world.letters().await.iter().all(|letter| !letter.is_aside));
    chat.mend();
    world.pass(&delivery_loop, 2).await;
    let mut told = chat.bpf();
    told.sort();
    assert_eq!(
        told,
        ["bpf: Do it badly: posted", "bpf: Do it well: posted"]
    );
    assert_eq!(
        chat.room("ops"),
        ["Nothing gets through to terminal", "terminal is well again"]
    );
}

/// A refused change may be the problem itself: its channel goes on, and a second refusal sets the change aside.
#[tokio::test]
async fn a_change_that_is_refused_pauses_no_channel() {
    let chat = Chat::new();
    let mut world = house(&chat).await;
    let mut mails = vec![mail("p1", 62, "[PATCH bpf-next] bpf: Do it badly", "")];
    put_mails(&world, &mails);
    world.poll().await;
    let delivery_loop = chat.delivery_loop(&world);
    world.pass(&delivery_loop, 1).await;
    mails.push(mail(
        "p2",
        200,
        "[PATCH bpf-next v2] bpf: Do it badly",
        "p1",
    ));
    mails.push(mail("p3", 201, "[PATCH bpf-next] bpf: Do it well", ""));
    put_mails(&world, &mails);
    world.poll_when_due("bpf").await;
    chat.break_edits_with("Do it badly", refused());
    world.pass(&delivery_loop, 2).await;
    assert_eq!(
        chat.bpf(),
        ["bpf: Do it badly: posted", "bpf: Do it well: posted"]
    );
    let aside = world.letters().await;
    assert!(
        aside.len() == 1 && aside[0].is_aside && aside[0].verb == outbox::Verb::Edit,
        "{aside:?}"
    );
    assert_eq!(
        chat.room("ops"),
        ["terminal: a message could not be delivered"]
    );
    // The next change replaces it, so there is nothing left to decide.
    chat.mend();
    mails.push(mail(
        "p4",
        600,
        "[PATCH bpf-next v3] bpf: Do it badly",
        "p1",
    ));
    put_mails(&world, &mails);
    world.poll_when_due("bpf").await;
    world.pass(&delivery_loop, 2).await;
    assert_eq!(chat.bpf()[0], "bpf: Do it badly: v3");
    assert!(world.letters().await.is_empty());
}

/// A refused post may be the problem itself as well.
#[tokio::test]
async fn a_post_that_is_refused_alone_pauses_no_channel() {
    let chat = Chat::new();
    let mut world = house(&chat).await;
    put_mails(&world, &bad_and_good());
    world.poll().await;
    chat.break_with("Do it badly", refused());
    let delivery_loop = chat.delivery_loop(&world);
    world.pass(&delivery_loop, 2).await;
    assert_eq!(chat.bpf(), ["bpf: Do it well: posted"]);
    let aside = world.letters().await;
    assert!(aside.len() == 1 && aside[0].is_aside, "{aside:?}");
    assert_eq!(
        chat.room("ops"),
        ["terminal: a message could not be delivered"]
    );
}

/// A server that refuses a message without a reason that concerns the channel.
fn filtered() -> SendError {
    SendError::Refused {
        why: "403 without a reason".to_owned(),
    }
}

/// No other delivery is due that could show whether the channel works. The message is set aside, and the channel goes on.
#[tokio::test]
async fn a_message_that_is_refused_while_nothing_else_is_due_pauses_no_channel() {
    let chat = Chat::new();
    let mut world = house(&chat).await;
    let mut mails = vec![mail("p1", 62, "[PATCH bpf-next] bpf: Do it badly", "")];
    put_mails(&world, &mails);
    world.poll().await;
    let delivery_loop = chat.delivery_loop(&world);
    world.pass(&delivery_loop, 1).await;
    chat.forget();
    mails.push(mail("p2", 200, "[PATCH bpf-next] bpf: Do it worse", ""));
    put_mails(&world, &mails);
    world.poll_when_due("bpf").await;
    chat.break_with("Do it worse", filtered());
    world.pass(&delivery_loop, 3).await;
    let aside = world.letters().await;
    assert!(aside.len() == 1 && aside[0].is_aside, "{aside:?}");
    assert_eq!(
        chat.room("ops"),
        ["terminal: a message could not be delivered"]
    );
    mails.push(mail("p3", 400, "[PATCH bpf-next] bpf: Do it well", ""));
    put_mails(&world, &mails);
    world.poll_when_due("bpf").await;
    world.pass(&delivery_loop, 1).await;
    assert_eq!(chat.bpf(), ["bpf: Do it well: posted"]);
    let aside = world.letters().await;
    assert!(aside.len() == 1 && aside[0].is_aside, "it stays: {aside:?}");
}

/// The next message is refused as well, although the first one was already set aside. So the channel is the problem.
/// Nothing is lost.
#[tokio::test]
async fn the_next_message_that_is_refused_too_pauses_the_channel() {
    for is_restarted in [false, true] {
        let chat = Chat::new();
        let mut world = house(&chat).await;
        let mut mails = vec![mail("p1", 62, "[PATCH bpf-next] bpf: Do it once", "")];
        put_mails(&world, &mails);
        world.poll().await;
        chat.break_with(": p", filtered());
        let mut delivery_loop = chat.delivery_loop(&world);
        world.pass(&delivery_loop, 3).await;
        mails.push(mail("p2", 200, "[PATCH bpf-next] bpf: Do it twice", ""));
        put_mails(&world, &mails);
        world.poll_when_due("bpf").await;
        world.pass(&delivery_loop, 1).await;
        assert!(chat.room("ops").contains(&"terminal is paused".to_owned()));
        let letters = world.letters().await;
        assert!(letters.iter().all(|letter| !letter.is_aside), "{letters:?}");
        if is_restarted {
            world.restart(|_| {}).await;
            delivery_loop = chat.delivery_loop(&world);
            let before = chat.tried();
            world.pass(&delivery_loop, 1).await;
            assert!(
                chat.tried() <= before + 1,
                "one request shows that it is still so"
            );
        }
        chat.mend();
        world.advance(TimeDelta::hours(7));
        world.pass(&delivery_loop, 2).await;
        assert_eq!(
            chat.bpf(),
            ["bpf: Do it once: posted", "bpf: Do it twice: posted"]
        );
        assert!(world.letters().await.is_empty());
    }
}

/// A reason that concerns the channel pauses it, even if nothing else is due.
#[tokio::test]
async fn a_reason_that_concerns_the_channel_pauses_it_at_once() {
    let chat = Chat::new();
    let mut world = house(&chat).await;
    let delivery_loop = chat.delivery_loop(&world);
    world.pass(&delivery_loop, 1).await;
    chat.forget();
    put_mails(&world, &bad_and_good()[..1]);
    world.poll().await;
    world.pass(&delivery_loop, 1).await;
    chat.forget();
    let mut mails = bad_and_good().to_vec();
    mails[1] = mail("p2", 200, "[PATCH bpf-next] bpf: Do it well", "");
    put_mails(&world, &mails);
    world.poll_when_due("bpf").await;
    chat.break_with("Do it well", refused());
    world.pass(&delivery_loop, 1).await;
    assert_eq!(chat.room("ops"), ["terminal is paused"]);
    assert!(world.letters().await.iter().all(|letter| !letter.is_aside));
}

/// If the channel refuses everything, it is paused and keeps its order.
#[tokio::test]
async fn a_change_and_a_post_that_are_refused_pause_the_channel() {
    let chat = Chat::new();
    let mut world = house(&chat).await;
    let mut mails = vec![mail("p1", 62, "[PATCH bpf-next] bpf: Do it", "")];
    put_mails(&world, &mails);
    world.poll().await;
    let delivery_loop = chat.delivery_loop(&world);
    world.pass(&delivery_loop, 1).await;
    mails.push(mail("p2", 200, "[PATCH bpf-next v2] bpf: Do it", "p1"));
    mails.push(mail("p3", 201, "[PATCH bpf-next] bpf: Do it too", ""));
    put_mails(&world, &mails);
    world.poll_when_due("bpf").await;
    chat.break_with("Do it", refused());
    world.pass(&delivery_loop, 2).await;
    assert_eq!(chat.room("ops"), ["terminal is paused"]);
    assert!(world.letters().await.iter().all(|letter| !letter.is_aside));
}

/// If the platform reports a change, a refused delivery is retried at once instead of after six hours.
#[tokio::test]
async fn a_repaired_channel_is_tried_at_once() {
    let chat = Chat::new();
    let mut world = house(&chat).await;
    put_mails(&world, &bad_and_good());
    world.poll().await;
    chat.answer_in("", &[Answer::Fails(refused()), Answer::Fails(refused())]);
    let delivery_loop = chat.delivery_loop(&world);
    world.pass(&delivery_loop, 1).await;
    assert!(chat.bpf().is_empty());
    let elsewhere = delivery_loop
        .try_again(PlatformKind::Terminal, Some("elsewhere"))
        .await;
    assert!(!elsewhere.expect("the database answers"));
    let other = delivery_loop.try_again(PlatformKind::Discord, None).await;
    assert!(!other.expect("the database answers"));
    world.pass(&delivery_loop, 1).await;
    assert!(chat.bpf().is_empty(), "nothing changed there");
    let here = delivery_loop
        .try_again(PlatformKind::Terminal, Some(""))
        .await;
    assert!(here.expect("the database answers"));
    world.pass(&delivery_loop, 1).await;
    assert_eq!(chat.bpf().len(), 2);
    assert_eq!(
        chat.room("ops"),
        ["terminal is paused", "terminal is well again"]
    );
    // However often it reports a change, a channel that still refuses gets at most two requests a minute.
    put_mails(
        &world,
        &[
            bad_and_good().to_vec(),
            vec![mail("p5", 300, "[PATCH bpf-next] bpf: Do it more", "")],
        ]
        .concat(),
    );
    world.poll_when_due("bpf").await;
    chat.break_with("Do it", refused());
    let before = chat.tried();
    for _ in 0..20 {
        delivery_loop
            .try_again(PlatformKind::Terminal, None)
            .await
            .expect("the database answers");
        delivery_loop.pass().await.expect("a pass");
        world.advance(TimeDelta::seconds(1));
    }
    // Two attempts, and the notices to maintainers.
    assert!(chat.tried() - before <= 6, "{}", chat.tried() - before);
}

/// Another room replaced this one: its queued deliveries are set aside, and one notice names both rooms.
#[tokio::test]
async fn deliveries_to_a_replaced_room_are_set_aside() {
    let chat = Chat::new();
    let mut world = house(&chat).await;
    put_mails(&world, &bad_and_good());
    world.poll().await;
    let delivery_loop = chat.delivery_loop(&world);
    chat.break_with(
        "Do it",
        SendError::Replaced {
            by: "!new:x".to_owned(),
        },
    );
    world.pass(&delivery_loop, 2).await;
    let told = delivery_loop
        .was_replaced(PlatformKind::Terminal, "", "!new:x")
        .await;
    told.expect("the database answers");
    world.pass(&delivery_loop, 2).await;
    let aside = world.letters().await;
    assert!(
        aside.iter().filter(|letter| letter.is_aside).count() >= 2,
        "{aside:?}"
    );
    assert_eq!(chat.room("ops"), ["The room of terminal was replaced"]);
    let notice = chat.notice_in("ops");
    assert!(
        notice.contains("!new:x") && notice.contains("set aside"),
        "{notice}"
    );
    let number = aside[0].id;
    assert!(matches!(
        world.decide_letters(Some(number), LetterFate::Retry).await,
        LetterDecision::NoChannel(_)
    ));
    assert_eq!(
        world.decide_letters(Some(number), LetterFate::Drop).await,
        LetterDecision::Done(1)
    );
}

/// A message that is lost is named with its link. If very many are lost, only the list shows all of them.
#[tokio::test]
async fn lost_messages_are_named_with_their_links_without_a_flood() {
    let chat = Chat::new();
    let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
    world
        .restart(|config| {
            let mut ops = everything();
            (ops.name, ops.address, ops.maintainers) = ("ops".to_owned(), "ops".to_owned(), true);
            config.channels.push(ops);
        })
        .await;
    world.put("/blog.rss", rss(&[Article::new(0, "Seed")]));
    world.poll().await;
    let delivery_loop = chat.delivery_loop(&world);
    world.pass(&delivery_loop, 1).await;
    world.advance(TimeDelta::hours(2));
    let article = |n: i64| Article {
        at: Some(world.now() - TimeDelta::minutes(n)),
        ..Article::new(0, &format!("Bad {n}"))
    };
    let articles: Vec<Article> = (1..=15).map(article).collect();
    world.put("/blog.rss", rss(&articles));
    let never = SendError::Never {
        scope: Scope::Delivery,
        why: "the text is refused".to_owned(),
    };
    chat.break_with("Bad", never);
    world.poll_when_due("blog").await;
    world.pass(&delivery_loop, 2).await;
    assert_eq!(world.letters().await.len(), 15);
    let mut notices = chat.notices();
    notices.retain(|text| text.contains("Bad"));
    assert_eq!(notices.len(), 10, "{notices:?}");
    assert!(
        notices
            .iter()
            .any(|text| text.contains("Bad 15 https://blog.example/Bad-15")),
        "{notices:?}"
    );
    assert!(notices[9].contains("in the list alone"), "{notices:?}");
}
