//! Matrix: posts as notices that mention nobody, in plain and in encrypted rooms.
//!
//! A delivery's key is the event's transaction id, which the server remembers for a day and for this device; past that
//! the room is looked through for the mark that every event of ours carries. One message at a time, paced.

mod failure;
mod listen;
mod pace;
mod render;
mod session;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use matrix_sdk::config::RequestConfig;
use matrix_sdk::deserialized_responses::TimelineEvent;
use matrix_sdk::encryption::recovery::RecoveryState;
use matrix_sdk::room::MessagesOptions;
use matrix_sdk::ruma::{EventId, OwnedEventId, OwnedTransactionId, RoomId, uint};
use matrix_sdk::{Client, Room, RoomState};
use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::OnceCell;

use self::failure::{broken, from_http, from_sdk};
use self::pace::Pace;
use self::session::Session;
use super::{Act, Below, Platform, Receipt, Scope, SendError, Work};
use crate::post::story::Content;

/// How long a homeserver surely remembers a transaction id; it says a day.
const KEYS_LAST: Duration = Duration::from_hours(20);
/// How often a room is asked for older messages when one of ours is looked for, a hundred at a time.
const PAGES_LOOKED_AT: usize = 5;
/// How long a send may take; the outbox repeats it, not the SDK.
const SEND_MAX: Duration = Duration::from_secs(30);

/// Tells the time, in unix seconds.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// How the account is reached.
#[derive(Clone)]
pub struct Settings {
    /// The homeserver's address.
    pub homeserver: String,
    /// The account: `@name:server`.
    pub user: String,
    /// Its password, for the first login.
    pub password: Option<SecretString>,
    /// Where its session and keys are kept.
    pub folder: PathBuf,
    /// Who may invite it: accounts, or `*:server`.
    pub inviters: Vec<String>,
    /// Between messages, once ten were sent.
    pub send_gap: Duration,
    /// The clock.
    pub now: Now,
}

/// The platform.
pub struct Matrix {
    settings: Settings,
    session: OnceCell<Session>,
    /// When the device that sends logged in, once that is known.
    since: Mutex<Option<i64>>,
    pace: Mutex<Pace>,
}

impl Matrix {
    /// Sets the client up; nothing is asked yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            pace: Mutex::new(Pace::new(settings.send_gap)),
            settings,
            session: OnceCell::new(),
            since: Mutex::default(),
        }
    }

    /// Logs in, or opens the session that is kept.
    ///
    /// # Errors
    ///
    /// When the server cannot be reached or refuses the account, or the folder cannot be used.
    pub async fn open(&self) -> Result<(), SendError> {
        self.session().await.map(|_| ())
    }

    /// Makes the account's recovery key, with which a device that lost its keys is trusted again. The one that was made
    /// before is of no use then.
    ///
    /// # Errors
    ///
    /// When the server refuses, or the session lacks the keys.
    pub async fn make_recovery_key(&self) -> Result<SecretString, SendError> {
        let session = self.session().await?;
        let recovery = session.client.encryption().recovery();
        let key = match recovery.state() {
            RecoveryState::Enabled => recovery.reset_key().await,
            _ => recovery.enable().await,
        };
        let key = key.map_err(|error| refused_recovery(&error.to_string()))?;
        Ok(key.into())
    }

    /// Uses a recovery key on this device.
    ///
    /// # Errors
    ///
    /// When it is the wrong one, or the server refuses.
    pub async fn recover(&self, key: &str) -> Result<(), SendError> {
        let session = self.session().await?;
        let recovery = session.client.encryption().recovery();
        let recovered = recovery.recover(key).await;
        recovered.map_err(|error| refused_recovery(&error.to_string()))
    }

    /// What the room is called; joins it where it can.
    ///
    /// # Errors
    ///
    /// When the bot is not in the room and may not join.
    pub async fn look(&self, address: &str) -> Result<String, SendError> {
        let room = self.room(address).await?;
        let name = room.display_name().await;
        Ok(name.map_or_else(|_| address.to_owned(), |name| name.to_string()))
    }

    async fn session(&self) -> Result<&Session, SendError> {
        // Boxed, so that the SDK's futures do not grow into every caller's.
        let open = || session::open(&self.settings).boxed();
        let session = self
            .session
            .get_or_try_init(open)
            .await
            .map_err(nothing_sent)?;
        *self.since.lock().expect("no holder of the time panics") = Some(session.since);
        Ok(session)
    }

    async fn room(&self, address: &str) -> Result<Room, SendError> {
        let client = &self.session().await?.client;
        let id = RoomId::parse(address).map_err(|error| SendError::Never {
            scope: Scope::Channel,
            why: format!("{address:?} is no Matrix room's id ({error}): it begins with \"!\""),
        })?;
        match client.get_room(&id) {
            Some(room) if room.state() == RoomState::Joined => Ok(room),
            _ => join(client, &id).await.map_err(nothing_sent),
        }
    }

    async fn send(
        &self,
        work: &Work,
        content: &Content,
        under: Option<&Below>,
    ) -> Result<Receipt, SendError> {
        let room = self.room(&work.address).await?;
        let mut event = render::event(content);
        if let Some(under) = under {
            let root = check_event(&under.message().message)?;
            self.check_there(&room, &root).await?;
            render::below(&mut event, root.as_str());
        }
        self.put(&room, event, &work.key).await
    }

    async fn edit(
        &self,
        work: &Work,
        receipt: &Receipt,
        content: &Content,
    ) -> Result<Receipt, SendError> {
        let room = self.room(&work.address).await?;
        let message = check_event(&receipt.message)?;
        self.check_there(&room, &message).await?;
        let event = render::edit(content, message.as_str());
        self.put(&room, event, &work.key).await?;
        Ok(receipt.clone())
    }

    async fn remove(&self, work: &Work, receipt: &Receipt) -> Result<Receipt, SendError> {
        let room = self.room(&work.address).await?;
        let message = check_event(&receipt.message)?;
        self.take_turn()?;
        let key = OwnedTransactionId::from(work.key.as_str());
        let redacted = room.redact(&message, None, Some(key)).await;
        redacted.map_err(|error| from_http(&error))?;
        Ok(receipt.clone())
    }

    async fn put(&self, room: &Room, event: Value, key: &str) -> Result<Receipt, SendError> {
        self.take_turn()?;
        let key = OwnedTransactionId::from(key);
        let sent = room
            .send_raw("m.room.message", event)
            .with_transaction_id(&key)
            .with_request_config(RequestConfig::new().disable_retry().timeout(SEND_MAX))
            .await
            .map_err(from_sdk)?;
        Ok(Receipt {
            message: sent.response.event_id.to_string(),
            thread: None,
        })
    }

    fn take_turn(&self) -> Result<(), SendError> {
        let mut pace = self.pace.lock().expect("no holder of the pace panics");
        match pace.take(tokio::time::Instant::now()) {
            Ok(()) => Ok(()),
            Err(after) => Err(SendError::Later {
                after,
                scope: Scope::Platform,
                why: "one message at a time".to_owned(),
            }),
        }
    }

    /// That a message was not taken back. A server takes an edit of one that was; readers would see nothing of it.
    async fn check_there(&self, room: &Room, message: &EventId) -> Result<(), SendError> {
        let event = match room.event(message, None).await.map_err(from_sdk) {
            Ok(event) => event,
            Err(SendError::Never {
                scope: Scope::Channel,
                ..
            }) => return Err(SendError::Gone),
            Err(error) => return Err(nothing_sent(error)),
        };
        match is_redacted(&event) {
            true => Err(SendError::Gone),
            false => Ok(()),
        }
    }

    async fn find_in(&self, room: &Room, mark: &str) -> Result<Option<Receipt>, SendError> {
        let me = &self.session().await?.client;
        let me = me.user_id().ok_or_else(|| broken("there is no session"))?;
        let mut from = None;
        for _ in 0..PAGES_LOOKED_AT {
            let mut options = MessagesOptions::backward();
            options.from = from;
            options.limit = uint!(100);
            let page = room.messages(options).await.map_err(from_sdk)?;
            for event in &page.chunk {
                if let Some(message) = ours(event, me.as_str(), mark) {
                    return Ok(Some(Receipt {
                        message: message.to_string(),
                        thread: None,
                    }));
                }
            }
            match page.end {
                Some(end) if !page.chunk.is_empty() => from = Some(end),
                _ => break,
            }
        }
        Ok(None)
    }
}

impl Platform for Matrix {
    fn name(&self) -> &'static str {
        "matrix"
    }

    /// Less for a device that logged in lately, zero before that is known: what another device sent has other keys.
    fn dedupes_for(&self, _: &str) -> Duration {
        let since = *self.since.lock().expect("no holder of the time panics");
        let Some(since) = since else {
            return Duration::ZERO;
        };
        let age = (self.settings.now)() - since;
        u64::try_from(age).map_or(Duration::ZERO, |age| {
            KEYS_LAST.min(Duration::from_secs(age))
        })
    }

    fn sends_side_by_side(&self) -> bool {
        false
    }

    fn deliver<'a>(&'a self, work: &'a Work) -> BoxFuture<'a, Result<Receipt, SendError>> {
        async move {
            match &work.act {
                Act::Send { content, under } => self.send(work, content, under.as_ref()).await,
                Act::Edit { receipt, content } => self.edit(work, receipt, content).await,
                Act::Remove { receipt } => self.remove(work, receipt).await,
            }
        }
        .boxed()
    }

    /// Edits and removals are never found: done twice, they are done once.
    fn find<'a>(&'a self, work: &'a Work) -> BoxFuture<'a, Result<Option<Receipt>, SendError>> {
        async move {
            let Act::Send { content, .. } = &work.act else {
                return Ok(None);
            };
            let room = self.room(&work.address).await?;
            self.find_in(&room, content.mark())
                .await
                .map_err(nothing_sent)
        }
        .boxed()
    }
}

async fn join(client: &Client, room: &RoomId) -> Result<Room, SendError> {
    let joined = client.join_room_by_id(room).await.map_err(from_sdk)?;
    // Who is in there, and whether it is encrypted, must be known before anything is said.
    let synced = client.sync_once(session::sync_settings()).await;
    synced.map_err(from_sdk)?;
    Ok(joined)
}

fn check_event(id: &str) -> Result<OwnedEventId, SendError> {
    EventId::parse(id).map_err(|error| SendError::Never {
        scope: Scope::Delivery,
        why: format!("{id:?} is no Matrix event's id: {error}"),
    })
}

fn is_redacted(event: &TimelineEvent) -> bool {
    let raw: Result<Value, _> = event.raw().deserialize_as_unchecked();
    raw.is_ok_and(|event| !event["unsigned"]["redacted_because"].is_null())
}

/// The id of an event that is the message with this mark; an edit of it is not.
fn ours(event: &TimelineEvent, me: &str, mark: &str) -> Option<OwnedEventId> {
    let raw: Value = event.raw().deserialize_as_unchecked().ok()?;
    let is_it = raw["sender"] == me
        && raw["content"][render::MARK] == mark
        && raw["content"]["m.relates_to"]["rel_type"] != "m.replace";
    is_it.then(|| event.event_id()).flatten()
}

/// What a failure means of something that sends nothing.
fn nothing_sent(error: SendError) -> SendError {
    match error {
        SendError::Unknown { why } => SendError::Later {
            after: SEND_MAX,
            scope: Scope::Platform,
            why,
        },
        other => other,
    }
}

fn refused_recovery(why: &str) -> SendError {
    SendError::Never {
        scope: Scope::Platform,
        why: format!("recovery: {why}"),
    }
}
