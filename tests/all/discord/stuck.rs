//! Requests that fail permanently, of every kind and in every way. The rest of the channel continues, the failed
//! delivery becomes a dead letter, and it is retried after the recovery.

mod doubles;
mod kinds;

use std::time::Duration;

use bpfnews::channel::{Platform as _, SendError};
use bpfnews::config::ChannelConfig;
use bpfnews::deliver::DeliveryLoop;
use bpfnews::post::milestone::{MilestoneWay, MilestoneWays};
use bpfnews::post::story::Tone;
use bpfnews::store::outbox::{self, LetterDecision, LetterFate};
use chrono::TimeDelta;

use super::fake::{Fake, Fault, On, Right, Room};
use super::gateway::Bot;
use super::{FORUM, OPS, ROOM, Stage, THREAD, channel, discord, edit, send, story};

/// The time that the client waits for an answer here.
const HASTE: Duration = Duration::from_millis(300);

/// The ways in which a server can fail a request.
fn ways() -> Vec<Fault> {
    vec![
        Fault::Before(500, ""),
        Fault::Before(502, "<html>"),
        Fault::Cut,
        Fault::Late(HASTE * 2),
        Fault::Before(403, "<html>"),
    ]
}

/// The same, and permanent refusals.
fn ways_and_refusals() -> Vec<Fault> {
    let mut all = ways();
    all.push(Fault::Before(
        404,
        r#"{"code":0,"message":"404: Not Found"}"#,
    ));
    all.push(Fault::Before(
        403,
        r#"{"code":50005,"message":"Cannot edit"}"#,
    ));
    all
}

fn ops() -> ChannelConfig {
    ChannelConfig {
        maintainers: true,
        ..channel(OPS)
    }
}

/// Other deliveries to the room go on while "Do it badly" becomes a dead letter, and maintainers get one notice about it.
async fn check_set_aside(
    stage: &Stage,
    delivery_loop: &DeliveryLoop,
    room: &str,
    passes: usize,
    what: &str,
) {
    stage.world.pass(delivery_loop, passes).await;
    let told = titles(&stage.fake, room);
    assert!(
        told.iter().any(|title| title.contains("well")),
        "{what}: others go on: {told:?}"
    );
    stage.world.pass(delivery_loop, 14).await;
    let aside = stage.world.letters().await;
    assert!(
        aside.len() == 1 && aside[0].is_aside && aside[0].title() == "bpf: Do it badly",
        "{what}: {aside:?}"
    );
    let notices = stage.fake.messages(OPS);
    let named = notices
        .iter()
        .filter(|notice| notice.to_string().contains("Do it badly"));
    assert_eq!(named.count(), 1, "{what}: {notices:?}");
}

/// The request selected by `on` fails while one story is posted and moves on. Other deliveries continue; then the
/// server recovers.
async fn stuck(config: ChannelConfig, room: Room, on: On, fault: Fault, moves: bool) {
    let what = format!("{} {on:?} {fault:?}", config.address);
    let address = config.address.clone();
    let mut stage = Stage::new(&[room, Room::text(OPS)], vec![config, ops()]).await;
    let delivery_loop = stage.hasty_delivery_loop(HASTE);
    if moves {
        stage.patch("p", "bpf: Do it badly").await;
        delivery_loop.pass().await.expect("a pass");
        stage.world.advance(TimeDelta::hours(3));
        stage.fake.fail_always(on, fault);
        stage.second("p", "bpf: Do it badly").await;
    } else {
        stage.fake.fail_always(on, fault);
        stage.patch("p", "bpf: Do it badly").await;
    }
    stage.patch("q", "bpf: Do it well").await;
    check_set_aside(&stage, &delivery_loop, &address, 5, &what).await;
    let aside = stage.world.letters().await;
    stage.fake.mend();
    let decided = stage
        .world
        .decide_letters(Some(aside[0].id), LetterFate::Retry)
        .await;
    assert_eq!(decided, LetterDecision::Done(1));
    stage.world.pass(&delivery_loop, 3).await;
    let mut told = titles(&stage.fake, &address);
    told.sort();
    assert_eq!(told, ["bpf: Do it badly", "bpf: Do it well"], "{what}");
    assert!(stage.world.letters().await.is_empty(), "{what}");
}

/// The messages about patches in a room, or in a forum's threads.
fn titles(fake: &Fake, room: &str) -> Vec<String> {
    let mut titles = fake.titles(room);
    for thread in fake.threads(room) {
        if room == FORUM {
            titles.extend(fake.titles(&thread.id).into_iter().take(1));
        }
    }
    titles.retain(|title| title.contains("Do it"));
    titles
}

#[tokio::test]
async fn a_post_that_always_fails_holds_nobody_up() {
    for fault in ways_and_refusals() {
        let on = On::Says("POST /channels/100001/messages", "badly");
        stuck(channel(ROOM), Room::text(ROOM), on, fault, false).await;
    }
}

#[tokio::test]
async fn an_edit_that_always_fails_holds_nobody_up() {
    for fault in ways_and_refusals() {
        let on = On::Says("PATCH /channels/100001/messages", "badly");
        stuck(channel(ROOM), Room::text(ROOM), on, fault, true).await;
    }
}

#[tokio::test]
async fn a_forum_post_that_always_fails_holds_nobody_up() {
    for fault in ways_and_refusals() {
        let on = On::Says("POST /channels/100015/threads", "badly");
        let forum = Room::forum(FORUM, &["Posted"]);
        stuck(channel(FORUM), forum, on, fault, false).await;
    }
}

#[tokio::test]
async fn the_change_of_a_forum_post_that_always_fails_holds_nobody_up() {
    for fault in ways_and_refusals() {
        let on = On::Says("PATCH /channels/", "v2");
        let forum = Room::forum(FORUM, &["Posted"]);
        stuck(channel(FORUM), forum, on, fault, true).await;
    }
}

/// The thread of a post cannot be created: the milestone is set aside, and the channel continues.
#[tokio::test]
async fn a_thread_that_cannot_be_made_holds_nobody_up() {
    for fault in ways() {
        let what = format!("{fault:?}");
        let config = ChannelConfig {
            milestones: MilestoneWays::of_older_key(MilestoneWay::Thread),
            ..channel(ROOM)
        };
        let mut stage = Stage::new(&[Room::text(ROOM), Room::text(OPS)], vec![config, ops()]).await;
        let delivery_loop = stage.hasty_delivery_loop(HASTE);
        stage.patch("p", "bpf: Do it badly").await;
        delivery_loop.pass().await.expect("a pass");
        stage.world.advance(TimeDelta::hours(3));
        stage
            .fake
            .fail_always(On::Path("/threads".to_owned()), fault);
        stage.apply("bpf: Do it badly").await;
        stage.patch("q", "bpf: Do it well").await;
        stage.world.pass(&delivery_loop, 20).await;
        assert_eq!(
            stage.told(ROOM),
            ["bpf: Do it badly", "bpf: Do it well"],
            "{what}"
        );
        assert!(
            stage.states(ROOM)[0].starts_with("applied"),
            "{what}: the edit goes through"
        );
        let aside = stage.world.letters().await;
        assert!(
            aside.len() == 1 && aside[0].is_aside && aside[0].verb == outbox::Verb::Reply,
            "{what}: {aside:?}"
        );
    }
}

/// A message that cannot be taken back, and a forum post that cannot be looked at: set aside too.
#[tokio::test]
async fn a_removal_that_always_fails_holds_nobody_up() {
    for fault in ways_and_refusals() {
        let what = format!("{fault:?}");
        let mut stage = Stage::new(
            &[Room::text(ROOM), Room::text(OPS)],
            vec![channel(ROOM), ops()],
        )
        .await;
        let delivery_loop = stage.hasty_delivery_loop(HASTE);
        stage.patch("p", "bpf: Do it badly").await;
        delivery_loop.pass().await.expect("a pass");
        stage
            .fake
            .fail_always(On::Path("DELETE /channels/100001".to_owned()), fault);
        assert_eq!(stage.world.retract("Do it badly").await, 1);
        stage.patch("q", "bpf: Do it well").await;
        stage.world.pass(&delivery_loop, 20).await;
        assert_eq!(
            stage.told(ROOM),
            ["bpf: Do it badly", "bpf: Do it well"],
            "{what}"
        );
        let aside = stage.world.letters().await;
        assert!(
            aside.len() == 1 && aside[0].is_aside && aside[0].verb == outbox::Verb::Remove,
            "{what}: {aside:?}"
        );
        stage.fake.mend();
        stage.world.decide_letters(None, LetterFate::Retry).await;
        delivery_loop.pass().await.expect("a pass");
        assert_eq!(stage.told(ROOM), ["bpf: Do it well"], "{what}");
    }
}

#[tokio::test]
async fn a_forum_thread_that_cannot_be_looked_at_holds_nobody_up() {
    for fault in ways() {
        let what = format!("{fault:?}");
        let forum = Room::forum(FORUM, &["Posted"]);
        let mut stage = Stage::new(&[forum, Room::text(OPS)], vec![channel(FORUM), ops()]).await;
        let delivery_loop = stage.hasty_delivery_loop(HASTE);
        stage.patch("p", "bpf: Do it badly").await;
        delivery_loop.pass().await.expect("a pass");
        let threads = stage.fake.threads(FORUM);
        let thread = threads.iter().find(|thread| thread.name.contains("badly"));
        let thread = thread.expect("its thread").id.clone();
        stage.world.advance(TimeDelta::hours(3));
        stage
            .fake
            .fail_always(On::Path(format!("GET /channels/{thread}")), fault);
        stage.second("p", "bpf: Do it badly").await;
        stage.patch("q", "bpf: Do it well").await;
        stage.world.pass(&delivery_loop, 20).await;
        assert_eq!(titles(&stage.fake, FORUM).len(), 2, "{what}");
        let aside = stage.world.letters().await;
        assert!(
            aside.len() == 1 && aside[0].is_aside && aside[0].verb == outbox::Verb::Edit,
            "{what}: {aside:?}"
        );
    }
}

/// The kind of a forum cannot be read: nothing can be posted there. That is an outage of the channel, and loses
/// nothing.
#[tokio::test]
async fn a_forum_that_cannot_be_read_loses_nothing_and_is_reported() {
    let forum = Room::forum(FORUM, &["Posted"]);
    let mut stage = Stage::new(
        &[forum, Room::text(ROOM), Room::text(OPS)],
        vec![channel(FORUM), channel(ROOM), ops()],
    )
    .await;
    stage.fake.fail_always(
        On::Path(format!("GET /channels/{FORUM}")),
        Fault::Before(500, ""),
    );
    let delivery_loop = stage.hasty_delivery_loop(HASTE);
    stage.patch("p", "bpf: Do it badly").await;
    stage.patch("q", "bpf: Do it well").await;
    stage.world.pass(&delivery_loop, 20).await;
    assert_eq!(stage.told(ROOM).len(), 2, "other channels go on");
    let notices = stage.fake.titles(OPS);
    assert_eq!(
        notices,
        [format!("Nothing gets through to channel-{FORUM}")]
    );
    let failing = stage.world.letters().await;
    assert!(failing.iter().all(|letter| !letter.is_aside), "{failing:?}");
    stage.fake.mend();
    for _ in 0..3 {
        delivery_loop.pass().await.expect("a pass");
        stage.world.advance(TimeDelta::minutes(11));
    }
    assert_eq!(titles(&stage.fake, FORUM).len(), 2);
}

/// A thread that is a channel of ours is opened again if Discord archived it. A locked one holds up nothing else.
#[tokio::test]
async fn a_thread_as_a_channel_that_was_archived_is_opened_again() {
    let rooms = [Room::text(ROOM), Room::thread(THREAD, ROOM)];
    let fake = Fake::start(&rooms).await;
    let discord = discord(&fake);
    let first = send(THREAD, "k1", story("m", "bpf: Do it", "posted", Tone::New));
    let receipt = discord.deliver(&first).await.expect("it is sent");
    fake.change(THREAD, |thread| thread.is_archived = true);
    let applied = story("m", "bpf: Do it", "applied", Tone::Applied);
    let change = edit(THREAD, "k2", &receipt, applied);
    assert_eq!(discord.deliver(&change).await, Ok(receipt.clone()));
    assert!(!fake.room(THREAD).is_archived);
    fake.change(THREAD, |thread| {
        thread.is_archived = true;
        thread.is_locked = true;
    });
    let error = discord.deliver(&change).await.expect_err("it is locked");
    assert!(
        error
            .to_string()
            .contains("unlock it, or give the bot Manage Threads"),
        "{error}"
    );
}

/// A request that timed out makes its post twenty seconds later: there is no second post.
#[tokio::test]
async fn a_forum_post_that_is_long_on_its_way_is_not_made_twice() {
    let mut stage = Stage::new(&[Room::forum(FORUM, &["Posted"])], vec![channel(FORUM)]).await;
    let delivery_loop = stage.delivery_loop();
    stage.fake.fail(
        On::Says("POST /channels/100015/threads", "Do it"),
        Fault::Held,
    );
    stage.patch("p", "bpf: Do it").await;
    delivery_loop.pass().await.expect("a pass");
    for _ in 0..4 {
        stage.world.advance(TimeDelta::seconds(6));
        delivery_loop.pass().await.expect("a pass");
    }
    assert_eq!(titles(&stage.fake, FORUM).len(), 0, "it is waited for");
    stage.fake.land();
    for _ in 0..3 {
        stage.world.advance(TimeDelta::seconds(40));
        delivery_loop.pass().await.expect("a pass");
    }
    assert_eq!(titles(&stage.fake, FORUM), ["bpf: Do it"]);
    // A request that never arrives is sent again.
    stage.fake.fail(
        On::Says("POST /channels/100015/threads", "Do it too"),
        Fault::Held,
    );
    stage.patch("q", "bpf: Do it too").await;
    for _ in 0..4 {
        delivery_loop.pass().await.expect("a pass");
        stage.world.advance(TimeDelta::seconds(40));
    }
    assert_eq!(titles(&stage.fake, FORUM).len(), 2);
}

/// The channel check covers every permission that posting needs, for each kind of channel.
#[tokio::test]
async fn a_check_asks_for_the_rights_that_posts_need() {
    use bpfnews::channel::discord::Needs;
    let (plain, threads) = (Needs { threads: false }, Needs { threads: true });
    #[rustfmt::skip]
    let table = [
        (Room::text(ROOM), threads, None),
        (Room::forum(FORUM, &[]), plain, None),
        (Room::text(ROOM).without(Right::Send), plain, Some("Send Messages")),
        (Room::text(ROOM).without(Right::Embed), plain, Some("Embed Links")),
        (Room::text(ROOM).without(Right::ReadHistory), plain, Some("Read Message History")),
        (Room::text(ROOM).without(Right::CreateThreads), plain, None),
        (Room::text(ROOM).without(Right::CreateThreads), threads, Some("Create Public Threads")),
        (Room::text(ROOM).without(Right::SendInThreads), threads, Some("Send Messages in Threads")),
        (Room::forum(FORUM, &[]).without(Right::SendInThreads), plain, Some("Send Messages in Threads")),
        (Room::text(ROOM).without(Right::View), plain, Some("View Channel")),
    ];
    for (room, needs, missing) in table {
        let fake = Fake::start(std::slice::from_ref(&room)).await;
        let checked = discord(&fake).check(&room.id, needs).await;
        match missing {
            None => assert!(checked.is_ok(), "{room:?}: {checked:?}"),
            Some(missing) => {
                let error = checked.expect_err(missing).to_string();
                assert!(error.contains(missing), "{error}");
            }
        }
    }
    // A thread has the permissions of its parent channel.
    let rooms = [
        Room::text(ROOM).without(Right::SendInThreads),
        Room::thread(THREAD, ROOM),
    ];
    let fake = Fake::start(&rooms).await;
    let error = discord(&fake)
        .check(THREAD, plain)
        .await
        .expect_err("it may not");
    assert!(
        matches!(&error, SendError::Never { why, .. } if why.contains("in Threads")),
        "{error}"
    );
}

/// The listener reports a server that comes back and a channel that changes.
#[tokio::test]
async fn a_server_that_comes_back_is_noticed() {
    use super::fake::Tell;
    let fake = Fake::start(&[Room::text(ROOM)]).await;
    let bot = Bot::start(&fake);
    let many = |bot: &Bot| bot.handler.noticed.lock().expect("no holder panics").len();
    fake.until("it is connected", Duration::from_secs(10), |_| {
        many(&bot) > 0
    })
    .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let before = many(&bot);
    let channel = serde_json::json!({
        "id": ROOM, "type": 0, "flags": 0, "guild_id": super::fake::GUILD, "name": "news", "position": 1,
        "parent_id": null, "permission_overwrites": [], "nsfw": false, "topic": null, "last_message_id": null,
        "rate_limit_per_user": 0,
    });
    fake.tell(Tell::Event("CHANNEL_UPDATE", channel));
    fake.until("a change is noticed", Duration::from_secs(10), |_| {
        many(&bot) > before
    })
    .await;
    assert_eq!(bot.stop().await, 0, "unknown events");
}
