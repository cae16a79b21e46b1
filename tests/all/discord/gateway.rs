//! The gateway: connects, reconnects, gives up only for the right reasons, and stops in time.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bpfnews::channel::discord::{Discord, RegistrationStore};
use bpfnews::channel::{Platform as _, Scope, SendError};
use bpfnews::chat::{
    Call, Choice, CommandRequest, Completes, HandleCommands, PageCalls, PlatformKind, Reply,
    Requester, RoomEvent, WrongCall,
};
use bpfnews::post::story::Content;
use futures_util::future::{BoxFuture, FutureExt as _};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::fake::{Counts, Fake, Fault, On, Person, Room, TOKEN, Tell};
use super::{ROOM, discord, line, send, with_token};

/// A handler that records commands, and answers as a test needs.
#[derive(Default)]
pub(super) struct RecordingHandler {
    pub(super) heard: Mutex<Vec<CommandRequest>>,
    /// How long an answer takes.
    pub(super) takes: Mutex<Duration>,
    pub(super) is_private: Mutex<bool>,
    /// The number of pages.
    pub(super) pages: Mutex<i64>,
    pub(super) panics: Mutex<bool>,
    pub(super) choices: Mutex<Vec<Choice>>,
    /// The reported changes of rooms.
    pub(super) noticed: Mutex<Vec<RoomEvent>>,
    /// The requested completions.
    pub(super) typed: Mutex<Vec<(Requester, Completes, String)>>,
}

fn of<T: Clone>(place: &Mutex<T>) -> T {
    place.lock().expect("no holder panics").clone()
}

pub(super) fn set<T>(place: &Mutex<T>, value: T) {
    *place.lock().expect("no holder panics") = value;
}

impl RecordingHandler {
    pub(super) fn last(&self) -> CommandRequest {
        of(&self.heard).last().expect("something was asked").clone()
    }
}

impl HandleCommands for RecordingHandler {
    fn answer(&self, asked: CommandRequest) -> BoxFuture<'_, Option<Reply>> {
        async move {
            self.heard
                .lock()
                .expect("no holder panics")
                .push(asked.clone());
            tokio::time::sleep(of(&self.takes)).await;
            assert!(!of(&self.panics), "as the test wants it");
            let title = match &asked.call {
                Ok(call) => call.words(),
                Err(WrongCall::Nothing(_)) => return None,
                Err(wrong) => wrong.to_string(),
            };
            let turned = |call: &Call, by: i64| {
                let page = call.page() + by;
                (1..=of(&self.pages))
                    .contains(&page)
                    .then(|| call.at_page(page))
            };
            let call = asked.call.ok();
            Some(Reply {
                content: Content::Notice {
                    title,
                    text: "@everyone <@1> [x](https://evil.example)".to_owned(),
                    mark: "answer".to_owned(),
                },
                is_private: of(&self.is_private),
                pages: PageCalls {
                    back: call.as_ref().and_then(|call| turned(call, -1)),
                    next: call.as_ref().and_then(|call| turned(call, 1)),
                },
            })
        }
        .boxed()
    }

    fn complete<'a>(
        &'a self,
        by: &'a Requester,
        completes: Completes,
        begun: &'a str,
    ) -> BoxFuture<'a, Vec<Choice>> {
        async move {
            let typed = (by.clone(), completes, begun.to_owned());
            self.typed.lock().expect("no holder panics").push(typed);
            tokio::time::sleep(of(&self.takes)).await;
            of(&self.choices)
        }
        .boxed()
    }

    fn room_event(&self, _: PlatformKind, noticed: RoomEvent) -> BoxFuture<'_, ()> {
        self.noticed.lock().expect("no holder panics").push(noticed);
        std::future::ready(()).boxed()
    }
}

/// The hash of the registered commands, kept for one test.
#[derive(Default)]
pub(super) struct Kept(Mutex<Option<String>>);

impl RegistrationStore for Kept {
    fn registered<'a>(&'a self, _: &'a str) -> BoxFuture<'a, anyhow::Result<Option<String>>> {
        async move { Ok(of(&self.0)) }.boxed()
    }

    fn keep<'a>(&'a self, _: &'a str, hash: &'a str) -> BoxFuture<'a, anyhow::Result<()>> {
        async move {
            set(&self.0, Some(hash.to_owned()));
            Ok(())
        }
        .boxed()
    }
}

/// A bot that listens.
pub(super) struct Bot {
    pub(super) handler: Arc<RecordingHandler>,
    pub(super) discord: Arc<Discord>,
    stop: CancellationToken,
    listening: JoinHandle<Result<(), SendError>>,
}

impl Bot {
    pub(super) fn start(fake: &Fake) -> Self {
        Self::start_with(discord(fake), &Arc::new(Kept::default()))
    }

    pub(super) fn start_with(discord: Discord, kept: &Arc<Kept>) -> Self {
        let (handler, discord) = (Arc::new(RecordingHandler::default()), Arc::new(discord));
        let stop = CancellationToken::new();
        let (hers, its, until) = (Arc::clone(&handler), Arc::clone(&discord), stop.clone());
        let kept = Arc::clone(kept);
        let listening = tokio::spawn(async move { its.listen(hers, kept, &until).await });
        Self {
            handler,
            discord,
            stop,
            listening,
        }
    }

    /// Stops it; this must be fast.
    pub(super) async fn stop(self) -> u64 {
        let begun = Instant::now();
        self.stop.cancel();
        let ended = self.listening.await.expect("it does not panic");
        assert_eq!(ended, Ok(()));
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{:?}",
            begun.elapsed()
        );
        self.discord.unknown_events()
    }

    /// Waits until it gives up, and returns its error.
    async fn refusal(self) -> SendError {
        let ended = tokio::time::timeout(Duration::from_secs(20), self.listening).await;
        let ended = ended
            .expect("it gives up in time")
            .expect("it does not panic");
        ended.expect_err("Discord refuses it")
    }
}

async fn start() -> (Fake, Bot) {
    let fake = Fake::start(&[Room::text(ROOM)]).await;
    let bot = Bot::start(&fake);
    fake.until_connected().await;
    (fake, bot)
}

#[tokio::test]
async fn it_connects_registers_once_per_change_and_stops() {
    let fake = Fake::start(&[Room::text(ROOM)]).await;
    let kept = Arc::new(Kept::default());
    let bot = Bot::start_with(discord(&fake), &kept);
    fake.until_connected().await;
    fake.until("the hash is kept", Duration::from_secs(5), |_| {
        of(&kept.0).is_some()
    })
    .await;
    assert_eq!(bot.stop().await, 0, "unknown events");
    tokio::time::sleep(Duration::from_secs(5)).await;
    let bot = Bot::start_with(discord(&fake), &kept);
    fake.until("connected again", Duration::from_secs(10), |fake| {
        fake.counts().identified == 2
    })
    .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(
        fake.commands().1,
        1,
        "the same commands are not registered again"
    );
    assert_eq!(bot.stop().await, 0);
    // Another version of the program had other commands.
    set(&kept.0, Some("another".to_owned()));
    tokio::time::sleep(Duration::from_secs(5)).await;
    let bot = Bot::start_with(discord(&fake), &kept);
    fake.until("registered again", Duration::from_secs(10), |fake| {
        fake.commands().1 == 2
    })
    .await;
    assert_eq!(bot.stop().await, 0);
}

#[tokio::test]
async fn registering_is_tried_again_until_it_is_done() {
    let fake = Fake::start(&[Room::text(ROOM)]).await;
    let after = Duration::from_millis(300);
    fake.fail(
        On::Path("PUT".to_owned()),
        Fault::Limited {
            scope: "user",
            after,
        },
    );
    fake.fail(On::Path("PUT".to_owned()), Fault::After(502, ""));
    let bot = Bot::start(&fake);
    fake.until("registered", Duration::from_secs(10), |fake| {
        fake.seen("PUT").len() == 3
    })
    .await;
    assert!(fake.has_failed());
    assert_eq!(bot.stop().await, 0);
}

#[tokio::test]
async fn a_lost_connection_is_taken_up_again_and_nothing_is_missed() {
    let (fake, bot) = start().await;
    for (number, tell) in [
        Tell::Cut,
        Tell::Close(4000),
        Tell::Reconnect,
        Tell::Invalid(true),
        Tell::Close(1001),
    ]
    .into_iter()
    .enumerate()
    {
        let what = format!("{tell:?}");
        fake.tell(tell);
        // A command during the lost connection is answered after the reconnect.
        let token = fake
            .give(&Person::reader("1"), ROOM, &["bpfnews", "latest"], &[])
            .await;
        fake.until(&what, Duration::from_secs(10), |fake| {
            fake.counts().resumed > number
        })
        .await;
        let answers = fake.answers(&token, 1, Duration::from_secs(5)).await;
        assert_eq!(answers[0].body["type"], 4, "{what}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let counts = fake.counts();
    assert_eq!(
        (counts.identified, counts.opened_again),
        (1, 5),
        "{counts:?}"
    );
    assert_eq!(bot.stop().await, 0, "unknown events");
}

#[tokio::test]
async fn a_lost_session_is_replaced_by_a_new_one() {
    let (fake, bot) = start().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    fake.tell(Tell::Invalid(false));
    fake.until("a new session", Duration::from_secs(40), |fake| {
        fake.counts().identified == 2
    })
    .await;
    let token = fake
        .give(&Person::reader("1"), ROOM, &["bpfnews", "latest"], &[])
        .await;
    fake.answers(&token, 1, Duration::from_secs(5)).await;
    assert_eq!(fake.commands().1, 1, "the commands stay registered");
    assert_eq!(fake.counts().early, 0);
    assert_eq!(bot.stop().await, 0);
}

#[tokio::test]
async fn heartbeats_are_given() {
    let fake = Fake::start(&[Room::text(ROOM)]).await;
    fake.beat_every(Duration::from_millis(700));
    let bot = Bot::start(&fake);
    fake.until_connected().await;
    fake.until("heartbeats", Duration::from_secs(10), |fake| {
        fake.counts().heartbeats >= 3
    })
    .await;
    let token = fake
        .give(&Person::reader("1"), ROOM, &["bpfnews", "latest"], &[])
        .await;
    fake.answers(&token, 1, Duration::from_secs(5)).await;
    assert_eq!(fake.counts().identified, 1);
    assert_eq!(bot.stop().await, 0);
}

#[tokio::test]
async fn interactions_that_cannot_be_parsed_are_counted_and_unused_events_are_not() {
    let (fake, bot) = start().await;
    assert_eq!(bot.discord.unknown_events(), 0);
    fake.tell(Tell::Event("SOMETHING_NEW", json!({"a": 1})));
    fake.tell(Tell::Event("GUILD_CREATE", json!({"id": "7"})));
    fake.tell(Tell::Event("INTERACTION_CREATE", json!([7])));
    fake.tell(Tell::Event(
        "INTERACTION_CREATE",
        json!({"id": "7", "type": 2}),
    ));
    fake.until("counted", Duration::from_secs(5), |_| {
        bot.discord.unknown_events() == 2
    })
    .await;
    let token = fake
        .give(&Person::reader("1"), ROOM, &["bpfnews", "latest"], &[])
        .await;
    fake.answers(&token, 1, Duration::from_secs(5)).await;
    assert_eq!(bot.stop().await, 2);
}

#[tokio::test]
async fn a_refused_token_or_refused_intents_end_it_with_a_clear_error() {
    for (code, words) in [(4004, "token"), (4013, "intents"), (4014, "intents")] {
        let fake = Fake::start(&[]).await;
        fake.close_all_with(code);
        let error = Bot::start(&fake).refusal().await;
        let SendError::Never {
            scope: Scope::Platform,
            why,
        } = &error
        else {
            panic!("{code}: {error:?}")
        };
        assert!(why.contains(words) && !why.contains(TOKEN), "{why}");
        assert_eq!(fake.counts().identified, 1, "{code}: no loop");
    }
    let fake = Fake::start(&[]).await;
    let error = Bot::start_with(
        with_token(fake.base(), "a-wrong-token"),
        &Arc::new(Kept::default()),
    )
    .refusal()
    .await;
    assert!(error.to_string().contains("token"), "{error}");
    assert_eq!(
        fake.counts(),
        Counts::default(),
        "it is not even connected to"
    );
}

#[tokio::test]
async fn a_gateway_out_of_reach_is_tried_again_while_posting_goes_on() {
    let fake = Fake::start(&[Room::text(ROOM)]).await;
    fake.be_deaf(true);
    let bot = Bot::start(&fake);
    fake.until("it is asked for", Duration::from_secs(5), |fake| {
        !fake.seen("GET /gateway/bot").is_empty()
    })
    .await;
    bot.discord
        .deliver(&send(ROOM, "k1", line("m", "One")))
        .await
        .expect("posting goes on");
    tokio::time::sleep(Duration::from_secs(2)).await;
    // It also stops in time while it cannot connect.
    bot.stop().await;
    let bot = Bot::start(&fake);
    tokio::time::sleep(Duration::from_secs(1)).await;
    fake.be_deaf(false);
    fake.until_connected().await;
    assert_eq!(bot.stop().await, 0);
}

#[tokio::test]
async fn only_the_api_may_name_the_gateway() {
    // Every source of an address fails: the bot connects to nothing, and in particular not to Discord itself.
    let fake = Fake::start(&[Room::text(ROOM)]).await;
    for _ in 0..10 {
        fake.fail(On::Path("/gateway".to_owned()), Fault::Before(500, ""));
    }
    let bot = Bot::start(&fake);
    fake.until("it is asked for", Duration::from_secs(5), |fake| {
        !fake.seen("/gateway").is_empty()
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        fake.seen("GET /gateway")
            .iter()
            .filter(|seen| seen.what == "GET /gateway")
            .count(),
        0,
        "nobody else asks either"
    );
    bot.stop().await;
}

/// A gateway that sends a lost session to another address gets no token there: the bot starts a new session.
#[tokio::test]
async fn a_session_is_not_resumed_at_a_forbidden_address() {
    let fake = Fake::start(&[Room::text(ROOM)]).await;
    fake.resume_at("ws://192.0.2.1:9");
    let bot = Bot::start(&fake);
    fake.until("a new session", Duration::from_secs(30), |fake| {
        fake.counts().identified == 2
    })
    .await;
    let counts = fake.counts();
    assert_eq!((counts.resumed, counts.early), (0, 0), "{counts:?}");
    bot.stop().await;
}

#[tokio::test]
async fn a_token_whose_starts_are_used_up_is_spared() {
    let fake = Fake::start(&[Room::text(ROOM)]).await;
    fake.let_starts(3);
    let bot = Bot::start(&fake);
    fake.until("it is asked for", Duration::from_secs(5), |fake| {
        !fake.seen("GET /gateway/bot").is_empty()
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(fake.counts(), Counts::default());
    bot.stop().await;
}
