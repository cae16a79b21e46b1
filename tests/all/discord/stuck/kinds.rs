//! Every other kind of request, with every fault: looks for an earlier message, requests about threads, removals.

use futures_util::StreamExt as _;
use futures_util::future::FutureExt as _;

use super::*;

/// The number of worlds at the same time; they mostly wait.
const AT_ONCE: usize = 4;

/// A request that always fails.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// The look for an earlier message, in a room.
    Find,
    /// The question for the bot's own account, which a look needs.
    Me,
    /// The look for an earlier post of a forum, among open threads.
    FindOpen,
    /// The same among archived threads.
    FindArchived,
    /// The first message of a thread that is named as the post.
    FindStarter,
    /// The thread of a post, before its change.
    Thread,
    /// The thread of a post is opened, before its change.
    Reopen,
    /// The removal of a forum post.
    Remove,
}

const NOT_FOUND: &str = r#"{"code":0,"message":"404: Not Found"}"#;
const FORBIDDEN: &str = r#"{"code":50005,"message":"Cannot edit"}"#;

fn faults() -> Vec<Fault> {
    let mut all = ways();
    all.push(Fault::Before(404, NOT_FOUND));
    all.push(Fault::Before(403, FORBIDDEN));
    all
}

impl Kind {
    fn room(self) -> &'static str {
        match self {
            Self::Find | Self::Me => ROOM,
            _ => FORUM,
        }
    }

    /// The requests that fail; `thread` is the one of the post.
    fn on(self, thread: &str) -> On {
        match self {
            Self::Find => On::Path("GET /channels/100001/messages".to_owned()),
            Self::Me => On::Path("GET /users/@me".to_owned()),
            Self::FindOpen => On::Path("threads/active".to_owned()),
            Self::FindArchived => On::Path("threads/archived".to_owned()),
            Self::FindStarter => On::Path(format!("GET /channels/{thread}/messages/")),
            Self::Thread => On::Path(format!("GET /channels/{thread}")),
            Self::Reopen => On::Says("PATCH /channels/", "archived"),
            Self::Remove => On::Path(format!("DELETE /channels/{thread}/messages")),
        }
    }

    /// Posts "Do it badly", and goes on to the step that makes the failing request.
    async fn prepare(self, stage: &mut Stage, delivery_loop: &DeliveryLoop, fault: Fault) {
        let (title, fake) = ("bpf: Do it badly", &stage.fake);
        let posts = On::Says("POST /channels/", "badly");
        match self {
            Self::FindStarter => fake.fail(posts, Fault::After(502, "")),
            Self::Thread | Self::Reopen | Self::Remove => {}
            _ => fake.fail(posts, Fault::Before(500, "")),
        }
        stage.patch("p", title).await;
        delivery_loop.pass().await.expect("a pass");
        let threads = stage.fake.threads(FORUM);
        let thread = threads.iter().find(|thread| thread.name.contains("badly"));
        let thread = thread.map_or_else(String::new, |thread| thread.id.clone());
        stage.fake.fail_always(self.on(&thread), fault);
        match self {
            Self::Thread => {
                stage.world.advance(TimeDelta::hours(3));
                stage.second("p", title).await;
            }
            Self::Reopen => {
                stage.fake.change(&thread, |room| room.is_archived = true);
                stage.world.advance(TimeDelta::hours(3));
                stage.second("p", title).await;
            }
            Self::Remove => assert_eq!(stage.world.retract("Do it badly").await, 1),
            _ => stage.world.advance(TimeDelta::minutes(11)),
        }
    }
}

/// One combination: this request always fails, others succeed, and maintainers decide.
async fn cell(kind: Kind, fault: Fault, fate: LetterFate) {
    let what = format!("{kind:?} {fault:?} {fate:?}");
    let rooms = [
        Room::text(ROOM),
        Room::forum(FORUM, &["Posted"]),
        Room::text(OPS),
    ];
    let mut stage = Stage::new(&rooms, vec![channel(kind.room()), ops()]).await;
    let delivery_loop = stage.hasty_delivery_loop(HASTE);
    kind.prepare(&mut stage, &delivery_loop, fault).await;
    stage.patch("q", "bpf: Do it well").await;
    check_set_aside(&stage, &delivery_loop, kind.room(), 6, &what).await;
    stage.fake.mend();
    let is_retry = matches!(fate, LetterFate::Retry);
    let decided = stage.world.decide_letters(None, fate).await;
    assert_eq!(decided, LetterDecision::Done(1));
    stage.world.pass(&delivery_loop, 3).await;
    assert!(stage.world.letters().await.is_empty(), "{what}");
    let stands = match kind {
        Kind::FindStarter | Kind::Thread | Kind::Reopen => true,
        Kind::Remove => !is_retry,
        _ => is_retry,
    };
    let mut told = titles(&stage.fake, kind.room());
    told.sort();
    let right = ["bpf: Do it badly", "bpf: Do it well"];
    assert_eq!(told, right[usize::from(!stands)..], "{what}");
}

/// All faults of some kinds. One more run of each kind drops the dead letter.
async fn table(kinds: &[Kind]) {
    let mut cells = Vec::new();
    for kind in kinds {
        for fault in faults() {
            cells.push(cell(*kind, fault, LetterFate::Retry).boxed_local());
        }
        cells.push(cell(*kind, Fault::Before(500, ""), LetterFate::Drop).boxed_local());
    }
    let cells = futures_util::stream::iter(cells);
    cells.buffer_unordered(AT_ONCE).collect::<()>().await;
}

#[tokio::test]
async fn a_look_in_a_room_that_always_fails_holds_nobody_up() {
    table(&[Kind::Find, Kind::Me]).await;
}

#[tokio::test]
async fn a_look_in_a_forum_that_always_fails_holds_nobody_up() {
    table(&[Kind::FindOpen, Kind::FindArchived, Kind::FindStarter]).await;
}

#[tokio::test]
async fn a_thread_or_a_removal_that_always_fails_holds_nobody_up() {
    table(&[Kind::Thread, Kind::Reopen, Kind::Remove]).await;
}

/// If the thread's creation is refused, the step is announced by an answer.
#[tokio::test]
async fn a_step_is_announced_by_an_answer_if_its_thread_is_refused() {
    for refusal in [Fault::Before(404, NOT_FOUND), Fault::Before(403, FORBIDDEN)] {
        let what = format!("{refusal:?}");
        let config = ChannelConfig {
            milestones: MilestoneWays::of_older_key(MilestoneWay::Thread),
            ..channel(ROOM)
        };
        let mut stage = Stage::new(&[Room::text(ROOM), Room::text(OPS)], vec![config, ops()]).await;
        let delivery_loop = stage.hasty_delivery_loop(HASTE);
        stage.patch("p", "bpf: Do it badly").await;
        delivery_loop.pass().await.expect("a pass");
        stage.world.advance(TimeDelta::hours(3));
        let threads = On::Path("/threads".to_owned());
        stage.fake.fail_always(threads, refusal);
        stage.apply("bpf: Do it badly").await;
        stage.world.pass(&delivery_loop, 3).await;
        assert!(stage.world.letters().await.is_empty(), "{what}");
        let messages = stage.fake.messages(ROOM);
        let answers = messages
            .iter()
            .filter(|message| message["message_reference"].is_object());
        assert_eq!(answers.count(), 1, "{what}: {messages:?}");
    }
}

/// The channel itself cannot be read. All its deliveries wait, and none is set aside.
#[tokio::test]
async fn a_channel_that_cannot_be_read_loses_nothing() {
    for fault in faults() {
        let what = format!("{fault:?}");
        let mut stage = Stage::new(
            &[Room::forum(FORUM, &["Posted"]), Room::text(OPS)],
            vec![channel(FORUM), ops()],
        )
        .await;
        let delivery_loop = stage.hasty_delivery_loop(HASTE);
        let facts = On::Path(format!("GET /channels/{FORUM}"));
        stage.fake.fail_always(facts, fault);
        stage.patch("p", "bpf: Do it badly").await;
        stage.patch("q", "bpf: Do it well").await;
        stage.world.pass(&delivery_loop, 20).await;
        let mut notices = stage.fake.titles(OPS);
        notices.retain(|title| title.contains(&format!("channel-{FORUM}")));
        assert_eq!(notices.len(), 1, "{what}: {notices:?}");
        let failing = stage.world.letters().await;
        assert!(
            failing.iter().all(|letter| !letter.is_aside),
            "{what}: {failing:?}"
        );
        stage.fake.mend();
        stage.world.pass(&delivery_loop, 40).await;
        assert_eq!(titles(&stage.fake, FORUM).len(), 2, "{what}");
    }
}
