//! An in-memory chat that behaves like a real one: it remembers keys for a time, loses answers, and fails on demand.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bpfnews::channel::{Act, Below, Personal, Platform, PostedMessage, Receipt, SendError, Work};
use bpfnews::clock::Clock;
use bpfnews::config::PlatformKind;
use bpfnews::deliver::DeliveryLoop;
use bpfnews::destination;
use bpfnews::post::story::Content;
use futures_util::future::{BoxFuture, FutureExt as _};

use crate::world::World;

/// The time for which the chat remembers a key.
const REMEMBERS: Duration = Duration::from_secs(120);

/// How the chat handles a request.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// It carries the request out, but the answer is lost.
    Lost,
    /// It fails, and nothing happened.
    Fails(SendError),
}

#[derive(Debug, Clone)]
struct Message {
    room: String,
    id: String,
    key: String,
    content: Content,
    is_deleted: bool,
    person: Option<Personal>,
    /// The time when it was made, unix seconds, if the chat has a clock.
    at: i64,
    /// Whether it is in a thread, if it is below another message.
    in_thread: Option<bool>,
}

/// A message to a person.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// Unix seconds.
    pub(crate) at: i64,
    /// The lines, or the title if there are none.
    pub(crate) lines: Vec<String>,
}

#[derive(Debug, Default)]
struct Inside {
    messages: Vec<Message>,
    /// All requests that arrived.
    tried: usize,
    next: VecDeque<Answer>,
    next_in: HashMap<String, VecDeque<Answer>>,
    sends: usize,
    edits: usize,
    /// The number of messages ever made. No id is used twice, as on real platforms.
    made: usize,
    /// Whether the chat remembers keys. A broken chat forgets them.
    forgets_keys: bool,
    /// Words of the messages on which the chat fails, and how it fails.
    breaks_on: Option<(String, SendError)>,
    /// Whether it fails only on edits.
    breaks_edits: bool,
    /// How often a room was looked through.
    looks: usize,
    fails_to_look: VecDeque<SendError>,
    clock: Option<Clocked>,
    /// The reason why a person gets no messages.
    closed: HashMap<String, SendError>,
}

/// The clock of the chat.
#[derive(Clone)]
struct Clocked(Arc<dyn Clock>);

impl std::fmt::Debug for Clocked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clocked").finish_non_exhaustive()
    }
}

/// The chat.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chat(Arc<Mutex<Inside>>);

impl Chat {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The delivery loop for the world's channels, over this chat.
    pub(crate) fn delivery_loop(&self, world: &World) -> DeliveryLoop {
        let platform: Arc<dyn Platform> = Arc::new(self.clone());
        let platforms = HashMap::from([(PlatformKind::Terminal, platform)]);
        let ingest = &world.ingest;
        DeliveryLoop::new(
            ingest.store.clone(),
            Arc::clone(&ingest.clock),
            ingest.destinations(),
            platforms,
        )
    }

    /// The same with the channel of personal messages; its row is returned too.
    pub(crate) async fn personal_loop(&self, world: &World) -> (DeliveryLoop, i64) {
        let platform: Arc<dyn Platform> = Arc::new(self.clone());
        let ingest = &world.ingest;
        let mut tx = ingest.store.write().await.expect("nobody else writes");
        let personal =
            destination::personal(&mut tx, &[PlatformKind::Terminal], ingest.clock.now()).await;
        tx.commit().await.expect("room on the disk");
        let personal = personal.expect("a good database");
        let channel = personal[0].row.id;
        let channels = ingest.destinations();
        let destinations = channels.iter().cloned().chain(personal);
        let delivery_loop = DeliveryLoop::new(
            ingest.store.clone(),
            Arc::clone(&ingest.clock),
            destinations.collect(),
            HashMap::from([(PlatformKind::Terminal, platform)]),
        );
        (delivery_loop, channel)
    }

    fn inside(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.0.lock().expect("no holder panics")
    }

    pub(crate) fn forget(&self) {
        let mut inside = self.inside();
        (inside.messages, inside.sends) = (Vec::new(), 0);
    }

    /// From now on, messages have the time of this clock.
    pub(crate) fn by_clock(&self, clock: &Arc<dyn Clock>) {
        self.inside().clock = Some(Clocked(Arc::clone(clock)));
    }

    /// A person accepts no direct messages any more (`None`: accepts them again).
    pub(crate) fn close(&self, person: &str, why: Option<SendError>) {
        let closed = &mut self.inside().closed;
        match why {
            Some(why) => closed.insert(person.to_owned(), why),
            None => closed.remove(person),
        };
    }

    /// The messages to a person, in their own room or in rooms where they were mentioned.
    pub(crate) fn told_to(&self, person: &str, is_direct: bool) -> Vec<Told> {
        let wanted = match is_direct {
            true => Personal::Direct(person.to_owned()),
            false => Personal::Mentioned(person.to_owned()),
        };
        let inside = self.inside();
        let theirs = inside
            .messages
            .iter()
            .filter(|message| message.person.as_ref() == Some(&wanted));
        let told = theirs.map(|message| Told {
            at: message.at,
            lines: match &message.content {
                Content::Digest(digest) => digest
                    .lines
                    .iter()
                    .map(|line| format!("{}: {}", line.title, line.what))
                    .collect(),
                other => vec![other.title()],
            },
        });
        told.collect()
    }

    pub(crate) fn forget_keys(&self) {
        self.inside().forgets_keys = true;
    }

    /// From now on, every message with these words fails in this way.
    pub(crate) fn break_with(&self, words: &str, error: SendError) {
        self.inside().breaks_on = Some((words.to_owned(), error));
    }

    /// From now on, every edit with these words fails in this way.
    pub(crate) fn break_edits_with(&self, words: &str, error: SendError) {
        self.break_with(words, error);
        self.inside().breaks_edits = true;
    }

    /// From now on, nothing fails.
    pub(crate) fn mend(&self) {
        let mut inside = self.inside();
        (inside.breaks_on, inside.breaks_edits) = (None, false);
    }

    /// How often a room was looked through.
    pub(crate) fn looks(&self) -> usize {
        self.inside().looks
    }

    pub(crate) fn fail_to_look(&self, error: SendError) {
        self.inside().fails_to_look.push_back(error);
    }

    /// The texts of all notices that were not removed.
    pub(crate) fn notices(&self) -> Vec<String> {
        let inside = self.inside();
        let texts = inside
            .messages
            .iter()
            .filter_map(|message| match &message.content {
                Content::Notice { text, .. } => Some(text.clone()),
                Content::Story(_)
                | Content::Line(_)
                | Content::Digest(_)
                | Content::Issue(_)
                | Content::Suggestion(_) => None,
            });
        texts.collect()
    }

    /// The lines of the lists that were not removed, as [`Chat::room`] shows posts.
    pub(crate) fn listed(&self) -> Vec<String> {
        let inside = self.inside();
        let here = inside.messages.iter().filter(|message| !message.is_deleted);
        let lines = here.flat_map(|message| match &message.content {
            Content::Digest(digest) => digest.lines.clone(),
            Content::Story(_)
            | Content::Line(_)
            | Content::Issue(_)
            | Content::Suggestion(_)
            | Content::Notice { .. } => Vec::new(),
        });
        lines
            .map(|line| format!("{}: {}", line.title, line.what))
            .collect()
    }

    /// For each list that was not removed: the ids of its stories.
    pub(crate) fn lists(&self) -> Vec<Vec<String>> {
        let inside = self.inside();
        let here = inside.messages.iter().filter(|message| !message.is_deleted);
        let lists = here.map(standing).map(|standing| standing.lists);
        lists.filter(|ids| !ids.is_empty()).collect()
    }

    /// The marks of all messages and of the stories in lists, sorted.
    pub(crate) fn marks(&self) -> Vec<String> {
        let inside = self.inside();
        let here = inside.messages.iter().filter(|message| !message.is_deleted);
        let mut marks: Vec<String> = here
            .map(standing)
            .flat_map(|standing| match standing.lists.is_empty() {
                true => vec![standing.mark],
                false => standing.lists,
            })
            .collect();
        marks.sort();
        marks
    }

    pub(crate) fn answer_next(&self, answers: &[Answer]) {
        self.inside().next = answers.iter().cloned().collect();
    }

    pub(crate) fn answer_in(&self, room: &str, answers: &[Answer]) {
        let answers = answers.iter().cloned().collect();
        self.inside().next_in.insert(room.to_owned(), answers);
    }

    pub(crate) fn delete_all(&self) {
        self.inside()
            .messages
            .iter_mut()
            .for_each(|message| message.is_deleted = true);
    }

    /// The messages in a room.
    pub(crate) fn room(&self, room: &str) -> Vec<String> {
        let inside = self.inside();
        let here = inside
            .messages
            .iter()
            .filter(|message| message.room == room && !message.is_deleted);
        here.map(|message| words(&message.content)).collect()
    }

    /// The text of the last notice in a room.
    pub(crate) fn notice_in(&self, room: &str) -> String {
        let inside = self.inside();
        let here = inside
            .messages
            .iter()
            .filter(|message| message.room == room);
        let mut texts = here.filter_map(|message| match &message.content {
            Content::Notice { text, .. } => Some(text.clone()),
            Content::Story(_)
            | Content::Line(_)
            | Content::Digest(_)
            | Content::Issue(_)
            | Content::Suggestion(_) => None,
        });
        texts.next_back().unwrap_or_default()
    }

    /// The messages below others in a room, with whether they are in a thread.
    pub(crate) fn below(&self, room: &str) -> Vec<(String, bool)> {
        let inside = self.inside();
        let here = inside
            .messages
            .iter()
            .filter(|message| message.room == room && !message.is_deleted);
        here.filter_map(|message| Some((words(&message.content), message.in_thread?)))
            .collect()
    }

    /// All messages about BPF's list.
    pub(crate) fn bpf(&self) -> Vec<String> {
        let mut all = self.room("");
        all.retain(|words| words.contains("Do it"));
        all
    }

    /// The lengths of the lists that were not removed.
    pub(crate) fn digests(&self) -> Vec<usize> {
        let inside = self.inside();
        let lists = inside
            .messages
            .iter()
            .filter(|message| !message.is_deleted)
            .filter_map(|message| match &message.content {
                Content::Digest(digest) => Some(digest.lines.len()),
                _ => None,
            });
        lists.collect()
    }

    pub(crate) fn sends(&self) -> usize {
        self.inside().sends
    }

    pub(crate) fn tried(&self) -> usize {
        self.inside().tried
    }

    pub(crate) fn edits_tried(&self) -> usize {
        self.inside().edits
    }

    pub(crate) fn all_keys_stand_once(&self) -> bool {
        let inside = self.inside();
        let mut keys: Vec<&str> = inside
            .messages
            .iter()
            .map(|message| message.key.as_str())
            .collect();
        let many = keys.len();
        keys.sort_unstable();
        keys.dedup();
        keys.len() == many
    }

    /// How often each delivery was tried.
    pub(crate) async fn attempts(&self, world: &World) -> Vec<i64> {
        let rows: Vec<(i64,)> = sqlx::query_as("SELECT attempts FROM deliveries ORDER BY attempts")
            .fetch_all(&mut *world.reader().await)
            .await
            .expect("the database answers");
        rows.into_iter().map(|(attempts,)| attempts).collect()
    }

    fn act(&self, work: &Work) -> Result<Receipt, SendError> {
        let mut inside = self.inside();
        inside.tried += 1;
        let answer = inside
            .next_in
            .get_mut(&work.address)
            .and_then(VecDeque::pop_front);
        let answer = answer.or_else(|| inside.next.pop_front());
        if let Some(Answer::Fails(error)) = answer {
            return Err(error);
        }
        if let Some(Personal::Direct(person)) = &work.person
            && let Some(error) = inside.closed.get(person)
        {
            return Err(error.clone());
        }
        let said = match &work.act {
            Act::Send { content, .. } if !inside.breaks_edits => Some(content),
            Act::Edit { content, .. } => Some(content),
            Act::Send { .. } | Act::Remove { .. } => None,
        };
        if let (Some(said), Some((bad, error))) = (said, &inside.breaks_on)
            && words(said).contains(bad)
        {
            return Err(error.clone());
        }
        let receipt = |id: &str| Receipt {
            message: id.to_owned(),
            thread: None,
        };
        let done = match &work.act {
            Act::Send { content, under } => {
                inside.sends += 1;
                let known = inside
                    .messages
                    .iter()
                    .find(|message| message.key == work.key);
                match known
                    .filter(|_| !inside.forgets_keys)
                    .map(|message| message.id.clone())
                {
                    Some(id) => receipt(&id),
                    None => {
                        inside.made += 1;
                        let id = format!("m{}", inside.made);
                        let message = Message {
                            room: work.address.clone(),
                            id: id.clone(),
                            key: work.key.clone(),
                            content: content.clone(),
                            is_deleted: false,
                            person: work.person.clone(),
                            at: inside
                                .clock
                                .as_ref()
                                .map_or(0, |clock| clock.0.now().timestamp()),
                            in_thread: under.as_ref().map(|under| match under {
                                Below::Answer(_) => false,
                                Below::Thread(_) => true,
                            }),
                        };
                        inside.messages.push(message);
                        receipt(&id)
                    }
                }
            }
            Act::Edit { receipt, content } => {
                inside.edits += 1;
                let mut messages = inside.messages.iter_mut();
                let found =
                    messages.find(|message| message.id == receipt.message && !message.is_deleted);
                found.ok_or(SendError::Gone)?.content = content.clone();
                receipt.clone()
            }
            Act::Remove { receipt } => {
                let mut messages = inside.messages.iter_mut();
                let found =
                    messages.find(|message| message.id == receipt.message && !message.is_deleted);
                found.ok_or(SendError::Gone)?.is_deleted = true;
                receipt.clone()
            }
        };
        match answer {
            Some(Answer::Lost) => Err(SendError::Unknown {
                why: "the answer was lost".to_owned(),
            }),
            Some(Answer::Fails(_)) | None => Ok(done),
        }
    }
}

impl Platform for Chat {
    fn name(&self) -> &'static str {
        "chat"
    }

    fn dedupes_for(&self, _: &str) -> Duration {
        REMEMBERS
    }

    fn deliver<'a>(&'a self, work: &'a Work) -> BoxFuture<'a, Result<Receipt, SendError>> {
        async move { self.act(work) }.boxed()
    }

    fn find<'a>(&'a self, work: &'a Work) -> BoxFuture<'a, Result<Option<Receipt>, SendError>> {
        async move {
            let Act::Send { content, .. } = &work.act else {
                return Ok(None);
            };
            let inside = self.inside();
            let mut here = inside
                .messages
                .iter()
                .filter(|message| message.room == work.address);
            let found = here.find(|message| message.content.mark() == content.mark());
            Ok(found.map(|message| Receipt {
                message: message.id.clone(),
                thread: None,
            }))
        }
        .boxed()
    }

    fn standing<'a>(
        &'a self,
        address: &'a str,
        _: i64,
    ) -> BoxFuture<'a, Result<Vec<PostedMessage>, SendError>> {
        async move {
            let mut inside = self.inside();
            inside.looks += 1;
            if let Some(error) = inside.fails_to_look.pop_front() {
                return Err(error);
            }
            let here = inside
                .messages
                .iter()
                .filter(|message| message.room == address && !message.is_deleted);
            Ok(here.map(standing).collect())
        }
        .boxed()
    }
}

fn standing(message: &Message) -> PostedMessage {
    let (title, lists) = match &message.content {
        Content::Digest(digest) => (
            digest.title.clone(),
            digest.lines.iter().map(|line| line.mark.clone()).collect(),
        ),
        Content::Story(_)
        | Content::Line(_)
        | Content::Issue(_)
        | Content::Suggestion(_)
        | Content::Notice { .. } => (String::new(), Vec::new()),
    };
    PostedMessage {
        mark: message.content.mark().to_owned(),
        receipt: Receipt {
            message: message.id.clone(),
            thread: None,
        },
        title,
        lists,
    }
}

fn words(content: &Content) -> String {
    match content {
        Content::Story(post) => format!("{}: {}", post.title, post.state),
        Content::Line(line) => format!("{}: {}", line.what, line.title),
        Content::Digest(digest) => digest.title.clone(),
        Content::Issue(issue) => issue.title.clone(),
        Content::Suggestion(told) => format!("suggestion {}: {}", told.number, told.decided),
        Content::Notice { title, .. } => title.clone(),
    }
}
