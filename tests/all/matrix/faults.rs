//! Every kind of request with every fault, an event that cannot be decrypted, and a stop during a send.

use chrono::Utc;
use futures_util::StreamExt as _;

use super::*;
use crate::rude::{Rude, answer};
use crate::running::stops::{ARTICLE, Running, configure, feed};

/// The time that the client waits for an answer here.
const HASTE: Duration = Duration::from_millis(300);
/// The number of worlds at the same time; they mostly wait.
const AT_ONCE: usize = 8;

/// A request that always fails.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Send,
    /// The look at a message, before its change.
    Event,
    /// The send of a change.
    Edit,
    /// The look for the edits of a message, before its removal.
    Relations,
    Redact,
    /// The look for an earlier message.
    Find,
}

const FORBIDDEN: Fault = Fault::Says(403, r#"{"errcode":"M_FORBIDDEN","error":"no"}"#);
const NOT_FOUND: Fault = Fault::Says(404, r#"{"errcode":"M_NOT_FOUND","error":"no"}"#);
const LATE: Fault = Fault::Late(Duration::from_millis(600));

impl Kind {
    /// A part of the method and path, and words of the body.
    fn on(self) -> (&'static str, &'static str) {
        match self {
            Self::Send => ("rooms/!room:x.example/send", "badly"),
            Self::Event => ("GET /_matrix/client/v3/rooms/!room:x.example/event/", ""),
            Self::Edit => ("rooms/!room:x.example/send", "v2"),
            Self::Relations => ("rooms/!room:x.example/relations", ""),
            Self::Redact => ("rooms/!room:x.example/redact", ""),
            Self::Find => ("GET /_matrix/client/v3/rooms/!room:x.example/messages", ""),
        }
    }

    /// Posts "Do it badly", and goes on to the step that makes the failing request.
    async fn prepare(self, stage: &mut Stage, fault: Fault) {
        let title = "[PATCH bpf-next] bpf: Do it badly";
        let (part, words) = self.on();
        let early = match self {
            Self::Send => Some(fault.clone()),
            Self::Find => Some(Fault::Says(502, "<html>")),
            Self::Event | Self::Edit | Self::Relations | Self::Redact => None,
        };
        if let Some(early) = early {
            let (part, words) = Self::Send.on();
            stage.server.fail_always(part, words, early);
        }
        stage.patch("p", title, "").await;
        if self == Self::Send {
            return;
        }
        stage.pass(1).await;
        stage.server.mend();
        stage.server.fail_always(part, words, fault);
        match self {
            Self::Event | Self::Edit => {
                stage.world.advance(TimeDelta::hours(3));
                let second = "[PATCH bpf-next v2] bpf: Do it badly";
                stage.patch("p2", second, "p").await;
            }
            Self::Relations | Self::Redact => {
                // In OTHER, it stays.
                stage.world.retract("Do it badly").await;
            }
            Self::Send | Self::Find => {}
        }
    }
}

/// One combination: this request always fails, others succeed, and maintainers decide.
async fn cell(kind: Kind, fault: Fault, fate: LetterFate) {
    let what = format!("{kind:?} {fault:?} {fate:?}");
    let mut stage = Stage::with_requests_of(HASTE).await;
    // A missing message was deleted, and is left alone.
    let is_gone =
        matches!(fault, Fault::Says(404, _)) && matches!(kind, Kind::Event | Kind::Relations);
    kind.prepare(&mut stage, fault).await;
    let good = "[PATCH bpf-next] bpf: Do it well";
    stage.patch("q", good, "").await;
    stage.pass(6).await;
    let told = stage.told(ROOM);
    assert!(
        told.iter().any(|told| told.contains("well")),
        "{what}: others go on: {told:?}"
    );
    stage.pass(14).await;
    let aside = stage.world.letters().await;
    let right = aside
        .iter()
        .all(|letter| letter.is_aside && letter.title() == "bpf: Do it badly");
    assert!(right && aside.is_empty() == is_gone, "{what}: {aside:?}");
    let named = stage.server.bodies(OPS);
    let named = named
        .iter()
        .filter(|body| body.contains("could not be delivered") && body.contains("Do it badly"));
    assert_eq!(named.count(), aside.len(), "{what}");
    stage.server.mend();
    let is_retry = matches!(fate, LetterFate::Retry);
    stage.world.decide_letters(None, fate).await;
    stage.pass(3).await;
    assert!(stage.world.letters().await.is_empty(), "{what}");
    let stands = match kind {
        Kind::Send | Kind::Find => is_retry,
        Kind::Event | Kind::Edit => true,
        Kind::Relations | Kind::Redact => is_gone || !is_retry,
    };
    let told = stage.told(ROOM);
    assert_eq!(told.len(), 1 + usize::from(stands), "{what}: {told:?}");
    if kind == Kind::Edit {
        let is_new = told.iter().any(|told| told.contains("v2"));
        assert_eq!(is_new, is_retry, "{what}: {told:?}");
    }
}

/// The combinations that `what_fails_for_ever_holds_nobody_up` leaves out.
#[tokio::test(flavor = "multi_thread")]
async fn no_request_that_always_fails_holds_anybody_up() {
    let mut cells = Vec::new();
    let mut add = |kind, fault, fate| cells.push(cell(kind, fault, fate).boxed_local());
    for kind in [Kind::Send, Kind::Event, Kind::Edit] {
        add(kind, LATE, LetterFate::Retry);
        add(kind, FORBIDDEN, LetterFate::Retry);
        add(kind, NOT_FOUND, LetterFate::Retry);
        add(kind, Fault::Cut, LetterFate::Drop);
    }
    for kind in [Kind::Relations, Kind::Redact, Kind::Find] {
        for fault in ways() {
            add(kind, fault, LetterFate::Retry);
        }
        add(kind, LATE, LetterFate::Retry);
        add(kind, FORBIDDEN, LetterFate::Retry);
        add(kind, NOT_FOUND, LetterFate::Retry);
        add(kind, Fault::Cut, LetterFate::Drop);
    }
    let cells = futures_util::stream::iter(cells);
    cells.buffer_unordered(AT_ONCE).collect::<()>().await;
}

/// An event whose key is lost matters only while it may be the wanted message: by the bot itself, of the last day, and no
/// edit.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_decrypted_is_doubted_for_a_day() {
    let (server, home) = (
        Server::start(&[ROOM]).await,
        TempDir::new().expect("a folder"),
    );
    let matrix = Matrix::new(settings(&server, home.path()));
    let sent = matrix.deliver(&send("k1", "One")).await;
    let (sent, now) = (sent.expect("it is sent"), Utc::now());
    server.seal(ROOM, "@alice:x.example", now);
    server.seal(ROOM, ME, now - TimeDelta::hours(25));
    assert_eq!(matrix.find(&send("k2", "Two")).await, Ok(None));
    server.seal(ROOM, ME, now);
    let found = matrix.find(&send("k1", "One")).await;
    assert_eq!(found, Ok(Some(sent)), "a readable message is found");
    let doubted = matrix.find(&send("k2", "Two")).await;
    assert!(
        matches!(&doubted, Err(SendError::Never { scope: Scope::Channel, why }) if why.contains("matrix recover")),
        "no key was ever fetched: {doubted:?}"
    );
    // A first send needs no look.
    matrix
        .deliver(&send("k3", "Three"))
        .await
        .expect("the room goes on");
}

/// The program itself, while the homeserver gives no answer about a message.
#[tokio::test(flavor = "multi_thread")]
async fn a_send_that_is_under_way_holds_up_no_stop() {
    let server = Server::start(&[ROOM]).await;
    server.fail_always("/send/", "", Fault::Late(Duration::from_secs(120)));
    let upstream = Rude::always(answer("200 OK", &[], ARTICLE)).await;
    let home = crate::cli::folder();
    let tables = format!(
        "[matrix]\nhomeserver = \"{}\"\nuser = \"{ME}\"\npassword_file = \"password\"\n\
         [[channel]]\nname = \"news\"\nplatform = \"matrix\"\nid = \"{ROOM}\"\noff_topic = true\n{}",
        server.url,
        feed("well", &upstream.url("/well"))
    );
    configure(home.path(), &tables);
    std::fs::write(home.path().join("password"), PASSWORD).expect("room on the disk");
    let running = Running::start(home.path());
    until("a message is under way", || server.state().late > 0).await;
    running.stop("a send").await;
}
