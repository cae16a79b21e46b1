//! Deliveries to Discord from the queue: every message once, no request too early, and no channel blocked by another.

use std::time::{Duration, Instant};

use bpfnews::channel::{Platform as _, SendError};
use chrono::TimeDelta;

use super::fake::{Fake, Fault, On, Right, Room};
use super::{FORUM, NEWS, OPS, OTHER, ROOM, Stage, THREAD, channel, discord, line, send};

/// A room of each kind, with its messages.
fn rooms() -> Vec<Room> {
    vec![
        Room::text(ROOM),
        Room::announcements(NEWS),
        Room::thread(THREAD, ROOM),
        Room::forum(FORUM, &["Posted", "Applied"]),
    ]
}

/// The messages about a patch in a room, also those in the threads of a forum.
fn told(stage: &Stage, room: &str) -> Vec<String> {
    let mut titles = stage.told(room);
    for thread in stage.fake.threads(room) {
        if room == FORUM {
            titles.extend(stage.told(&thread.id));
        }
    }
    titles
}

#[tokio::test]
async fn any_fault_of_an_answer_leaves_one_message() {
    let faults = [
        Fault::Before(500, "oops"),
        Fault::Before(503, ""),
        Fault::After(502, "<html>"),
        Fault::After(200, "garbage"),
        Fault::After(200, "{}"),
        Fault::DropAfter,
    ];
    for room in rooms() {
        let mut stage = Stage::new(&rooms(), vec![channel(&room.id)]).await;
        for (number, fault) in faults.iter().enumerate() {
            let title = format!("bpf: Do it {number}");
            stage.patch(&format!("p{number}"), &title).await;
            stage.fake.fail(On::Change, fault.clone());
            stage.pass().await;
            assert!(stage.fake.has_failed(), "{} {fault:?}", room.id);
            stage.restart().await;
            // Discord either still remembers the nonce, or bpfnews looks through the room.
            let later = match number % 2 {
                // The request for a forum post may be delayed, and there is no nonce.
                0 if room.id == FORUM => TimeDelta::seconds(40),
                0 => TimeDelta::seconds(6),
                _ => TimeDelta::hours(1),
            };
            stage.world.advance(later);
            stage.pass().await;
            let many = told(&stage, &room.id)
                .iter()
                .filter(|told| **told == title)
                .count();
            assert_eq!(many, 1, "{} {fault:?}", room.id);
            stage.world.advance(TimeDelta::hours(2));
        }
    }
}

#[tokio::test]
async fn an_answer_that_comes_too_late_makes_no_second_message() {
    let mut stage = Stage::new(&rooms(), vec![channel(ROOM)]).await;
    stage.patch("p", "bpf: Do it").await;
    stage
        .fake
        .fail(On::Change, Fault::LateAfter(Duration::from_secs(60)));
    let begun = Instant::now();
    stage.pass().await;
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "no answer is waited for so long"
    );
    stage.world.advance(TimeDelta::seconds(10));
    stage.pass().await;
    assert_eq!(stage.told(ROOM), ["bpf: Do it"]);
}

#[tokio::test]
async fn a_nonce_that_discord_forgot_is_no_reason_for_a_second_message() {
    let mut stage = Stage::new(&rooms(), vec![channel(ROOM)]).await;
    stage.fake.remember_nonces_for(Duration::ZERO);
    stage.patch("p", "bpf: Do it").await;
    stage.fake.fail(On::Change, Fault::After(502, ""));
    stage.pass().await;
    stage.world.advance(TimeDelta::minutes(10));
    stage.pass().await;
    assert_eq!(stage.told(ROOM), ["bpf: Do it"]);
    assert_eq!(
        stage
            .fake
            .seen("/channels/100001/messages")
            .iter()
            .filter(|seen| seen.what.starts_with("GET"))
            .count(),
        1
    );
}

/// Proves that the two tests above can fail: without the look, a forgotten nonce makes a double.
#[tokio::test]
async fn the_fake_makes_doubles_if_it_forgot_the_nonce() {
    let fake = Fake::start(&rooms()).await;
    fake.remember_nonces_for(Duration::ZERO);
    let discord = discord(&fake);
    let work = send(ROOM, "k1", line("m", "One"));
    for _ in 0..2 {
        discord.deliver(&work).await.expect("it is sent");
    }
    assert_eq!(fake.titles(ROOM), ["One", "One"]);
}

#[tokio::test]
async fn a_story_is_one_message_that_is_edited() {
    let mut stage = Stage::new(&rooms(), vec![channel(ROOM), channel(NEWS)]).await;
    stage.patch("p", "bpf: Do it").await;
    stage.pass().await;
    stage.world.advance(TimeDelta::hours(2));
    stage.second("p", "bpf: Do it").await;
    stage.pass().await;
    stage.world.advance(TimeDelta::hours(2));
    stage.apply("bpf: Do it").await;
    // The answer to the edit is lost. A second edit with the same content changes nothing.
    stage.fake.fail(On::Change, Fault::DropAfter);
    stage.pass().await;
    stage.world.advance(TimeDelta::seconds(6));
    stage.pass().await;
    for room in [ROOM, NEWS] {
        assert_eq!(stage.told(room), ["bpf: Do it"]);
        let states = stage.states(room);
        assert!(states[0].starts_with("applied to"), "{states:?}");
    }
}

#[tokio::test]
async fn many_limits_stay_bounded_and_no_request_is_early() {
    let mut stage = Stage::new(&rooms(), vec![channel(ROOM)]).await;
    for number in 0..10 {
        stage
            .patch(&format!("p{number}"), &format!("bpf: Do it {number}"))
            .await;
    }
    let before = stage.fake.seen("POST /channels").len();
    stage.fake.limit_messages(3, Duration::from_millis(400));
    for scope in ["user", "shared", "user"] {
        let after = Duration::from_millis(300);
        stage.fake.fail(On::Change, Fault::Limited { scope, after });
    }
    stage.tell_all(Duration::from_secs(40)).await;
    let wanted: Vec<String> = (0..10)
        .map(|number| format!("bpf: Do it {number}"))
        .collect();
    assert_eq!(stage.told(ROOM), wanted, "in order");
    let asked = stage.fake.seen("POST /channels").len() - before;
    let titles = stage.fake.titles(ROOM).len();
    assert!(
        asked <= titles + 3,
        "{asked} requests for {titles} messages"
    );
}

#[tokio::test]
async fn a_limit_of_the_whole_bot_stops_all_channels() {
    let mut stage = Stage::new(
        &[Room::text(ROOM), Room::text(OTHER)],
        vec![channel(ROOM), channel(OTHER)],
    )
    .await;
    for number in 0..3 {
        stage
            .patch(&format!("p{number}"), &format!("bpf: Do it {number}"))
            .await;
    }
    let after = Duration::from_millis(1200);
    stage.fake.fail(
        On::Path(format!("POST /channels/{ROOM}")),
        Fault::Limited {
            scope: "global",
            after,
        },
    );
    let begun = Instant::now();
    stage.tell_all(Duration::from_secs(30)).await;
    assert!(begun.elapsed() >= after);
    for room in [ROOM, OTHER] {
        assert_eq!(stage.told(room).len(), 3, "{room}");
    }
}

#[tokio::test]
async fn a_refused_channel_is_paused_with_one_notice_while_others_continue() {
    let mut ops = channel(OPS);
    ops.maintainers = true;
    let closed = Room::text(OTHER).without(Right::View);
    let channels = vec![channel(ROOM), channel(OTHER), channel("100404"), ops];
    let mut stage = Stage::new(&[Room::text(ROOM), closed, Room::text(OPS)], channels).await;
    for number in 0..3 {
        stage
            .patch(&format!("p{number}"), &format!("bpf: Do it {number}"))
            .await;
        stage.pass().await;
    }
    assert_eq!(stage.told(ROOM).len(), 3);
    let mut told = stage.fake.titles(OPS);
    told.sort();
    assert_eq!(
        told,
        ["channel-100002 is paused", "channel-100404 is paused"]
    );
    let notices = stage.fake.messages(OPS);
    let words: Vec<String> = notices
        .iter()
        .map(|notice| notice["embeds"][0]["description"].to_string())
        .collect();
    assert!(
        words.iter().any(|words| words.contains("View Channel")),
        "{words:?}"
    );
    assert!(
        words.iter().any(|words| words.contains("invited")),
        "{words:?}"
    );
    // After the permission is given, it works again at the next start.
    stage.fake.change(OTHER, |room| room.denied.clear());
    stage.restart().await;
    stage.world.advance(TimeDelta::hours(2));
    stage.pass().await;
    assert_eq!(stage.told(OTHER).len(), 3);
    assert!(
        stage
            .fake
            .titles(OPS)
            .contains(&"channel-100002 is well again".to_owned())
    );
}

#[tokio::test]
async fn a_refused_token_stops_everything() {
    let mut stage = Stage::new(
        &[Room::text(ROOM), Room::text(OTHER)],
        vec![channel(ROOM), channel(OTHER)],
    )
    .await;
    for number in 0..5 {
        stage
            .patch(&format!("p{number}"), &format!("bpf: Do it {number}"))
            .await;
    }
    stage.fake.revoke_token();
    let before = stage.fake.seen("").len();
    let delivery_loop = stage.delivery_loop();
    delivery_loop.pass().await.expect("a pass");
    let why = delivery_loop
        .refusal()
        .expect("the platform refuses the bot");
    assert!(
        why.contains("token") && why.contains("set a valid one"),
        "{why}"
    );
    assert!(!why.contains(super::fake::TOKEN), "{why}");
    let asked = stage.fake.seen("").len() - before;
    assert!(
        asked <= 2,
        "{asked} requests: one for each lane that was under way"
    );
    delivery_loop.pass().await.expect("a pass");
    assert_eq!(
        stage.fake.seen("").len() - before,
        asked,
        "nothing more is asked"
    );
}

#[tokio::test]
async fn a_message_too_old_to_be_edited_waits_and_holds_nothing() {
    let mut stage = Stage::new(&[Room::text(ROOM)], vec![channel(ROOM)]).await;
    stage.patch("p", "bpf: Do it").await;
    stage.pass().await;
    stage.fake.let_edits(ROOM, 0);
    stage.world.advance(TimeDelta::hours(3));
    stage.second("p", "bpf: Do it").await;
    stage.patch("q", "bpf: Do it too").await;
    stage.pass().await;
    assert_eq!(stage.states(ROOM).len(), 2, "another story goes on");
    assert!(stage.states(ROOM)[0].starts_with("posted"));
    stage.fake.let_edits(ROOM, 5);
    stage.world.advance(TimeDelta::minutes(61));
    stage.pass().await;
    assert!(
        stage.states(ROOM)[0].starts_with("v2"),
        "{:?}",
        stage.states(ROOM)
    );
}

#[tokio::test]
async fn a_deleted_message_is_left_alone() {
    let mut stage = Stage::new(&[Room::text(ROOM)], vec![channel(ROOM)]).await;
    stage.patch("p", "bpf: Do it").await;
    stage.pass().await;
    stage.fake.delete_messages(ROOM);
    stage.world.advance(TimeDelta::hours(3));
    stage.second("p", "bpf: Do it").await;
    stage.pass().await;
    let asked = stage.fake.seen("PATCH").len();
    stage.world.advance(TimeDelta::hours(3));
    stage.apply("bpf: Do it").await;
    stage.pass().await;
    assert_eq!((stage.told(ROOM), asked), (Vec::new(), 1));
    assert_eq!(stage.fake.seen("PATCH").len(), 1);
}

#[tokio::test]
async fn an_unreachable_server_is_no_reason_to_give_up() {
    let discord = super::with_token("http://127.0.0.1:1".to_owned(), super::fake::TOKEN);
    let error = discord.deliver(&send(ROOM, "k1", line("m", "One"))).await;
    assert!(matches!(error, Err(SendError::Later { .. })), "{error:?}");
}
