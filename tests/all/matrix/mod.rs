//! Matrix against a simulated homeserver: permanent failures, the queue of answers, and events after a restart.
//! Encryption is tested against a real Synapse (`real`).

mod direct;
mod faults;
mod logins;
mod milestones;
mod oauth;
mod server;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bpfnews::channel::matrix::{Matrix, MatrixSettings};
use bpfnews::channel::{Act, Platform, Receipt, Scope, SendError, Work};
use bpfnews::chat::{
    Choice, CommandRequest, Completes, HandleCommands, PageCalls, Reply, Requester, RoomEvent,
};
use bpfnews::config::{ChannelConfig, NetworkConfig, PlatformKind};
use bpfnews::deliver::DeliveryLoop;
use bpfnews::post::milestone::{MilestoneWay, MilestoneWays};
use bpfnews::post::story::{Content, Line, Tone};
use bpfnews::source::fetch::WebCaller;
use bpfnews::store::outbox::LetterFate;
use chrono::TimeDelta;
use futures_util::future::{BoxFuture, FutureExt as _};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::documents::{Mail, mail, mails_atom};
use crate::world::{World, archive, everything};
use server::{Fault, ME, PASSWORD, Server};

const ROOM: &str = "!room:x.example";
const OTHER: &str = "!other:x.example";
const OPS: &str = "!ops:x.example";
const LONG: Duration = Duration::from_secs(30);

/// Repeats each command, and records changes of rooms.
#[derive(Default)]
struct Echo {
    asked: Mutex<Vec<String>>,
    noticed: Mutex<Vec<RoomEvent>>,
}

impl HandleCommands for Echo {
    fn answer(&self, asked: CommandRequest) -> BoxFuture<'_, Option<Reply>> {
        let words = asked.call.map(|call| call.words()).unwrap_or_default();
        let said = format!("{} {words}", asked.by.person);
        self.asked
            .lock()
            .expect("no holder panics")
            .push(said.clone());
        let content = Content::Notice {
            title: said,
            text: String::new(),
            mark: "answer".to_owned(),
        };
        let reply = Reply {
            content,
            is_private: false,
            pages: PageCalls::default(),
        };
        async { Some(reply) }.boxed()
    }

    fn complete<'a>(
        &'a self,
        _: &'a Requester,
        _: Completes,
        _: &'a str,
    ) -> BoxFuture<'a, Vec<Choice>> {
        async { Vec::new() }.boxed()
    }

    fn room_event(&self, _: PlatformKind, noticed: RoomEvent) -> BoxFuture<'_, ()> {
        self.noticed.lock().expect("no holder panics").push(noticed);
        std::future::ready(()).boxed()
    }
}

impl Echo {
    fn noticed(&self) -> Vec<RoomEvent> {
        self.noticed.lock().expect("no holder panics").clone()
    }
}

fn settings(server: &Server, folder: &Path) -> MatrixSettings {
    MatrixSettings {
        homeserver: server.url.clone(),
        user: ME.to_owned(),
        password: Some(PASSWORD.to_owned().into()),
        way: None,
        folder: folder.to_owned(),
        inviters: vec!["@alice:x.example".to_owned()],
        rooms: vec![ROOM.to_owned()],
        send_gap: Duration::ZERO,
        request_max: Duration::from_secs(30),
        now: Arc::new(|| chrono::Utc::now().timestamp()),
        web: Arc::new(WebCaller::new(
            &NetworkConfig::default(),
            &[&server.url.parse().expect("an address")],
        )),
        page: "https://bot.example/".to_owned(),
    }
}

/// A bot that listens.
struct Bot {
    matrix: Arc<Matrix>,
    handler: Arc<Echo>,
    stop: CancellationToken,
    listening: JoinHandle<Result<(), SendError>>,
}

impl Bot {
    fn start(settings: MatrixSettings) -> Self {
        let (matrix, handler) = (Arc::new(Matrix::new(settings)), Arc::new(Echo::default()));
        let stop = CancellationToken::new();
        let (its, hers, until) = (Arc::clone(&matrix), Arc::clone(&handler), stop.clone());
        let listening = tokio::spawn(async move { its.listen(hers, &until).await });
        Self {
            matrix,
            handler,
            stop,
            listening,
        }
    }

    /// Waits until it is logged in and has processed the first sync.
    async fn ready(self) -> Self {
        self.matrix.open().await.expect("it logs in");
        // The listener starts to sync.
        tokio::time::sleep(Duration::from_millis(300)).await;
        self
    }

    async fn stop(self) {
        self.stop.cancel();
        let ended = self.listening.await.expect("it does not panic");
        assert_eq!(ended, Ok(()));
    }
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < LONG, "{what}: not within {LONG:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn line(mark: &str, title: &str) -> Content {
    Content::Line(Line {
        what: "Posted".to_owned(),
        title: title.to_owned(),
        author: String::new(),
        summary: String::new(),
        link: None,
        tone: Tone::New,
        mark: mark.to_owned(),
    })
}

fn work(act: Act, key: &str) -> Work {
    Work {
        address: ROOM.to_owned(),
        act,
        key: key.to_owned(),
        is_retry: false,
        tried_ago: None,
        person: None,
    }
}

fn send(key: &str, title: &str) -> Work {
    let act = Act::Send {
        content: line(key, title),
        under: None,
    };
    work(act, key)
}

#[tokio::test(flavor = "multi_thread")]
async fn posts_are_sent_edited_and_removed() {
    let (server, home) = (
        Server::start(&[ROOM]).await,
        TempDir::new().expect("a folder"),
    );
    let matrix = Matrix::new(settings(&server, home.path()));
    let receipt = matrix
        .deliver(&send("k1", "One"))
        .await
        .expect("it is sent");
    assert_eq!(
        matrix.deliver(&send("k1", "One")).await,
        Ok(receipt.clone()),
        "once"
    );
    assert_eq!(
        matrix.find(&send("k1", "One")).await,
        Ok(Some(receipt.clone()))
    );
    let act = Act::Edit {
        receipt: receipt.clone(),
        content: line("k1", "Two"),
    };
    assert_eq!(matrix.deliver(&work(act, "k2")).await, Ok(receipt.clone()));
    assert_eq!(server.bodies(ROOM), ["Posted: Two"]);
    let act = Act::Remove { receipt };
    matrix
        .deliver(&work(act, "k3"))
        .await
        .expect("it is taken back");
    assert_eq!(server.bodies(ROOM), [""; 0]);
}

/// A world with a seeded list, and channels on the homeserver.
struct Stage {
    world: World,
    server: Server,
    mails: Vec<Mail>,
    delivery_loop: DeliveryLoop,
    _home: TempDir,
}

impl Stage {
    async fn new() -> Self {
        Self::with_requests_of(LONG).await
    }

    /// The same, with this time limit for requests.
    async fn with_requests_of(request_max: Duration) -> Self {
        Self::with(request_max, &MilestoneWays::usual(MilestoneWay::Edit)).await
    }

    /// The same, with these milestones.
    async fn with(request_max: Duration, milestones: &MilestoneWays) -> Self {
        let server = Server::start(&[ROOM, OTHER, OPS]).await;
        let home = TempDir::new().expect("a folder");
        let mut world = World::new(&[archive("bpf", "/bpf/")]).await;
        let channel = |address: &str| ChannelConfig {
            name: format!("channel {address}"),
            platform: PlatformKind::Matrix,
            address: address.to_owned(),
            maintainers: address == OPS,
            milestones: milestones.clone(),
            ..everything()
        };
        let channels = vec![channel(ROOM), channel(OTHER), channel(OPS)];
        world.restart(|config| config.channels = channels).await;
        let settings = MatrixSettings {
            request_max,
            ..settings(&server, home.path())
        };
        let matrix: Arc<dyn Platform> = Arc::new(Matrix::new(settings));
        let ingest = &world.ingest;
        let delivery_loop = DeliveryLoop::new(
            ingest.store.clone(),
            Arc::clone(&ingest.clock),
            ingest.destinations(),
            HashMap::from([(PlatformKind::Matrix, matrix)]),
        );
        let mut stage = Self {
            world,
            server,
            mails: vec![mail("seed", -60, "hello", "")],
            delivery_loop,
            _home: home,
        };
        stage.put();
        stage.world.poll().await;
        stage.pass(2).await;
        stage.world.advance(TimeDelta::hours(2));
        stage
    }

    fn put(&mut self) {
        self.mails.sort_by_key(|mail| std::cmp::Reverse(mail.at));
        let atom = mails_atom("http://list.example/bpf/", &self.mails);
        self.world.put("/bpf/new.atom", atom);
    }

    async fn patch(&mut self, id: &str, subject: &str, parent: &str) {
        let minutes = (self.world.now() - crate::world::noon()).num_minutes();
        self.mails.push(mail(id, minutes, subject, parent));
        self.put();
        self.world.poll_when_due("bpf").await;
    }

    async fn pass(&self, times: usize) {
        self.world.pass(&self.delivery_loop, times).await;
    }

    fn told(&self, room: &str) -> Vec<String> {
        let bodies = self.server.bodies(room).into_iter();
        let mut told: Vec<String> = bodies.filter(|body| body.contains("Do it")).collect();
        told.sort();
        told
    }
}

fn ways() -> Vec<Fault> {
    vec![
        Fault::Says(
            500,
            r#"{"errcode":"M_UNKNOWN","error":"Internal server error"}"#,
        ),
        Fault::Says(502, "<html>"),
        Fault::Cut,
    ]
}

/// Requests that fail permanently, of every kind and in every way: others continue, and the failed one is set aside and
/// retried.
#[tokio::test(flavor = "multi_thread")]
async fn what_fails_for_ever_holds_nobody_up() {
    // A send; and the look at a message and the send of an edit.
    let kinds = [
        ("rooms/!room:x.example/send", "badly", false),
        (
            "GET /_matrix/client/v3/rooms/!room:x.example/event/",
            "",
            true,
        ),
        ("rooms/!room:x.example/send", "v2", true),
    ];
    for (part, words, moves) in kinds {
        for fault in ways() {
            let what = format!("{part} {words} {fault:?}");
            let mut stage = Stage::new().await;
            let fail = |stage: &Stage| stage.server.fail_always(part, words, fault.clone());
            if !moves {
                fail(&stage);
            }
            stage
                .patch("p", "[PATCH bpf-next] bpf: Do it badly", "")
                .await;
            if moves {
                stage.pass(1).await;
                stage.world.advance(TimeDelta::hours(3));
                fail(&stage);
                stage
                    .patch("p2", "[PATCH bpf-next v2] bpf: Do it badly", "p")
                    .await;
            }
            stage
                .patch("q", "[PATCH bpf-next] bpf: Do it well", "")
                .await;
            stage.pass(5).await;
            let told = stage.told(ROOM);
            assert!(
                told.iter().any(|told| told.contains("well")),
                "{what}: {told:?}"
            );
            stage.pass(14).await;
            let aside = stage.world.letters().await;
            assert!(
                !aside.is_empty() && aside.iter().all(|letter| letter.is_aside),
                "{what}: {aside:?}"
            );
            assert!(
                aside
                    .iter()
                    .all(|letter| letter.title() == "bpf: Do it badly"),
                "{what}: {aside:?}"
            );
            let named = stage.server.bodies(OPS);
            let named = named.iter().filter(|body| body.contains("Do it badly"));
            assert_eq!(named.count(), aside.len(), "{what}");
            stage.server.mend();
            stage.world.decide_letters(None, LetterFate::Retry).await;
            stage.pass(3).await;
            let told = stage.told(ROOM);
            assert_eq!(told.len(), 2, "{what}: {told:?}");
            assert!(stage.world.letters().await.is_empty(), "{what}");
        }
    }
}

/// A server that always refuses one message and accepts others: also with 403 and 404.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_always_refused_blocks_no_other() {
    for fault in [
        Fault::Says(403, r#"{"errcode":"M_FORBIDDEN","error":"no"}"#),
        Fault::Says(404, r#"{"errcode":"M_NOT_FOUND","error":"no"}"#),
        Fault::Says(413, r#"{"errcode":"M_TOO_LARGE","error":"no"}"#),
    ] {
        let what = format!("{fault:?}");
        let mut stage = Stage::new().await;
        stage
            .server
            .fail_always("rooms/!room:x.example/send", "badly", fault);
        stage
            .patch("p", "[PATCH bpf-next] bpf: Do it badly", "")
            .await;
        stage
            .patch("q", "[PATCH bpf-next] bpf: Do it well", "")
            .await;
        stage.pass(3).await;
        let told = stage.told(ROOM);
        assert!(
            told.len() == 1 && told[0].contains("well"),
            "{what}: {told:?}"
        );
        assert_eq!(stage.told(OTHER).len(), 2, "{what}");
        let aside = stage.world.letters().await;
        assert!(aside.len() == 1 && aside[0].is_aside, "{what}: {aside:?}");
        let named = stage.server.bodies(OPS);
        assert!(
            named.iter().any(|body| body.contains("Do it badly")),
            "{what}: {named:?}"
        );
    }
}

/// The same answer as for a whole room, but the bot may speak there and nothing else is due. The message is set aside, and
/// the room goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_refused_alone_pauses_no_room() {
    let mut stage = Stage::new().await;
    let fault = Fault::Says(403, r#"{"errcode":"M_FORBIDDEN","error":"spam"}"#);
    stage
        .server
        .fail_always("rooms/!room:x.example/send", "badly", fault);
    stage
        .patch("p", "[PATCH bpf-next] bpf: Do it badly", "")
        .await;
    stage.pass(3).await;
    let aside = stage.world.letters().await;
    assert!(aside.len() == 1 && aside[0].is_aside, "{aside:?}");
    stage
        .patch("q", "[PATCH bpf-next] bpf: Do it well", "")
        .await;
    stage.pass(1).await;
    let told = stage.told(ROOM);
    assert!(told.len() == 1 && told[0].contains("well"), "{told:?}");
    let notices = stage.server.bodies(OPS);
    assert!(
        !notices.iter().any(|body| body.contains("is paused")),
        "{notices:?}"
    );
}

/// A person asks without end: posts get every second turn, other people get answers, and the person gets a refusal.
#[tokio::test(flavor = "multi_thread")]
async fn endless_questions_do_not_delay_news() {
    let (server, home) = (
        Server::start(&[ROOM]).await,
        TempDir::new().expect("a folder"),
    );
    // The usual limit, but fifty times as fast.
    let gap = Duration::from_millis(100);
    server.state().limit = Some((10, gap));
    let mut settings = settings(&server, home.path());
    settings.send_gap = gap;
    let bot = Bot::start(settings).ready().await;
    let matrix = Arc::clone(&bot.matrix);
    let posting = tokio::spawn(async move {
        let begun = Instant::now();
        for number in 0..30 {
            let post = send(&format!("p{number}"), &format!("Post {number}"));
            loop {
                match matrix.deliver(&post).await {
                    Ok(_) => break,
                    Err(SendError::Later { after, .. }) => tokio::time::sleep(after).await,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        begun.elapsed()
    });
    for number in 0..100 {
        server.say(
            ROOM,
            "@loud:x.example",
            &format!("!bpfnews search {number}"),
        );
        if number == 50 {
            server.say(ROOM, "@boss:x.example", "!bpfnews status");
        }
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    let took = posting.await.expect("it does not panic");
    assert!(took < gap * 90, "every second turn is theirs: {took:?}");
    until("whoever asks once is answered", || {
        let bodies = server.bodies(ROOM);
        bodies
            .iter()
            .any(|body| body.contains("@boss:x.example status"))
    })
    .await;
    assert!(
        server.taken() >= 60,
        "nothing is wasted: {}",
        server.taken()
    );
    assert!(server.state().refused <= 3, "{}", server.state().refused);
    bot.stop().await;
}

/// The server's limit is stricter than the configured one: the bot learns it and does not keep hitting it.
#[tokio::test(flavor = "multi_thread")]
async fn the_budget_is_learnt_from_the_server() {
    let (server, home) = (
        Server::start(&[ROOM]).await,
        TempDir::new().expect("a folder"),
    );
    server.state().limit = Some((2, Duration::from_millis(400)));
    // Without a configured gap, the bot knows no limit.
    let matrix = Matrix::new(settings(&server, home.path()));
    for number in 0..10 {
        let post = send(&format!("p{number}"), &format!("Post {number}"));
        loop {
            match matrix.deliver(&post).await {
                Ok(_) => break,
                Err(SendError::Later { after, scope, .. }) => {
                    assert_eq!(scope, Scope::Platform);
                    tokio::time::sleep(after).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert_eq!(server.bodies(ROOM).len(), 10);
    assert!(server.state().refused <= 3, "{}", server.state().refused);
}

/// A command or a reaction during a short downtime gets its answer after the restart. An older one gets none, and a new
/// device answers nothing from before its login.
#[tokio::test(flavor = "multi_thread")]
async fn questions_during_a_restart_are_answered() {
    let (server, home) = (
        Server::start(&[ROOM]).await,
        TempDir::new().expect("a folder"),
    );
    server.say(ROOM, "@alice:x.example", "!bpfnews search before");
    let bot = Bot::start(settings(&server, home.path())).ready().await;
    let told = Content::Suggestion(bpfnews::post::story::Suggestion {
        number: 7,
        link: "https://blog.example/".to_owned(),
        note: String::new(),
        known: String::new(),
        decided: String::new(),
        mark: "suggestion-7".to_owned(),
    });
    let act = Act::Send {
        content: told,
        under: None,
    };
    let Receipt { message, .. } = bot
        .matrix
        .deliver(&work(act, "k"))
        .await
        .expect("it is sent");
    bot.stop().await;
    let old = chrono::Utc::now() - TimeDelta::minutes(6);
    server.say_at(ROOM, "@alice:x.example", "!bpfnews search old", old);
    server.say(ROOM, "@alice:x.example", "!bpfnews search while");
    server.react(ROOM, "@alice:x.example", &message, "👍");
    let bot = Bot::start(settings(&server, home.path())).ready().await;
    until("both are answered", || {
        bot.handler.asked.lock().expect("no holder panics").len() >= 2
    })
    .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut asked = bot.handler.asked.lock().expect("no holder panics").clone();
    asked.sort();
    assert_eq!(
        asked,
        ["@alice:x.example accept 7", "@alice:x.example search while"]
    );
    bot.stop().await;
}

/// Changes of a room are noticed: power levels, an invite after a kick, and a replacing room.
#[tokio::test(flavor = "multi_thread")]
async fn a_repaired_or_replaced_room_is_noticed() {
    let (server, home) = (
        Server::start(&[ROOM, OTHER]).await,
        TempDir::new().expect("a folder"),
    );
    let bot = Bot::start(settings(&server, home.path())).ready().await;
    let changed = |room: &str| RoomEvent::Changed {
        room: Some(room.to_owned()),
    };
    server.set_level(ROOM, 50);
    until("the level is noticed", || {
        bot.handler.noticed().contains(&changed(ROOM))
    })
    .await;
    let refused = bot.matrix.deliver(&send("k1", "One")).await;
    assert!(
        matches!(
            &refused,
            Err(SendError::Never {
                scope: Scope::Channel,
                ..
            })
        ),
        "{refused:?}"
    );
    let looked = bot.matrix.look(ROOM).await;
    assert!(looked.is_err(), "a check says so too: {looked:?}");
    let before = bot.handler.noticed().len();
    server.set_level(ROOM, 0);
    until("it is noticed again", || {
        bot.handler.noticed().len() > before
    })
    .await;
    bot.matrix
        .deliver(&send("k1", "One"))
        .await
        .expect("it is sent");
    server.kick(OTHER);
    until("the kick is noticed", || {
        bot.handler.noticed().contains(&changed(OTHER))
    })
    .await;
    let before = bot.handler.noticed().len();
    server.invite(OTHER);
    until("it is in again", || bot.handler.noticed().len() > before).await;
    server.replace(ROOM, "!new:x.example");
    let replaced = RoomEvent::Replaced {
        room: ROOM.to_owned(),
        by: "!new:x.example".to_owned(),
    };
    until("the new room is noticed", || {
        bot.handler.noticed().contains(&replaced)
    })
    .await;
    let error = bot.matrix.deliver(&send("k2", "Two")).await;
    assert_eq!(
        error,
        Err(SendError::Replaced {
            by: "!new:x.example".to_owned()
        })
    );
    bot.stop().await;
    // It is known from the start of the next process.
    let bot = Bot::start(settings(&server, home.path())).ready().await;
    until("it is said again", || {
        bot.handler.noticed().contains(&replaced)
    })
    .await;
    bot.stop().await;
}

/// Errors are explained: a wrong password, a server without passwords, no homeserver at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_login_explains_the_reason() {
    let login = |server: &Server, password: &str| {
        let home = TempDir::new().expect("a folder");
        let mut settings = settings(server, home.path());
        settings.password = Some(password.to_owned().into());
        async move {
            let error = Matrix::new(settings)
                .open()
                .await
                .expect_err("it is refused");
            drop(home);
            match error {
                SendError::Never {
                    scope: Scope::Platform,
                    why,
                } => why,
                other => panic!("{other:?}"),
            }
        }
    };
    let server = Server::start(&[ROOM]).await;
    let why = login(&server, "wrong").await;
    assert!(
        why.contains("cannot log in") && why.contains("the name or the password"),
        "{why}"
    );
    assert!(!why.contains("Invite"), "{why}");
    for flows in [Some(vec!["m.login.sso", "m.login.token"]), None] {
        server.state().flows = flows;
        let why = login(&server, PASSWORD).await;
        assert!(
            why.contains("takes no passwords") && why.contains("OAuth"),
            "{why}"
        );
        assert!(!why.contains("room"), "{why}");
    }
    server.state().is_homeserver = false;
    let why = login(&server, PASSWORD).await;
    assert!(
        why.contains("no Matrix homeserver answers") && why.contains("base_url"),
        "{why}"
    );
}
