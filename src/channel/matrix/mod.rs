//! Matrix: posts as notices without mentions, in plain and in encrypted rooms.
//!
//! A delivery's key is the event's transaction id. The server remembers it for a day and for one device. After that,
//! the bot searches the room for the mark in its events. It sends one message at a time, at a limited rate.

mod account;
mod decision;
mod direct;
mod escape;
mod failure;
mod find;
mod hear;
mod listen;
mod login;
mod logout;
mod oauth;
mod offer;
mod queue;
mod rate;
mod react;
pub mod render;
mod send;
mod session;
mod settings;
mod standing;
mod web;

use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use self::account::{Account, RoomFacts};
pub use self::offer::LoginOffer;
pub use self::settings::{DeviceCode, LoginWay, MatrixSettings, Now, ShowCode};

use futures_util::future::{BoxFuture, FutureExt as _};
use matrix_sdk::deserialized_responses::TimelineEvent;
use matrix_sdk::room::{IncludeRelations, RelationsOptions};
use matrix_sdk::ruma::api::error::ErrorKind;
use matrix_sdk::ruma::events::relation::RelationType;
use matrix_sdk::ruma::{EventId, OwnedEventId, RoomId, uint};
use matrix_sdk::{Room, RoomState};
use serde_json::Value;
use tokio::sync::OnceCell;

use self::account::may_send;
use self::failure::from_sdk;
use self::send::MatrixSender;
use self::session::Session;
use super::{Act, Below, Personal, Platform, PostedMessage, Receipt, Scope, SendError, Work};
use crate::post::story::Content;

/// How long a homeserver certainly remembers a transaction id; the specification says a day.
const KEYS_LAST: Duration = Duration::from_hours(20);

/// The time limit of one request; a sync waits for the server in addition.
pub const REQUEST_MAX: Duration = Duration::from_secs(30);

pub struct Matrix {
    settings: MatrixSettings,
    session: OnceCell<Session>,
    /// When the sending device logged in; `None` until the session is open.
    since: Mutex<Option<i64>>,
    sender: Arc<MatrixSender>,
}

impl Matrix {
    /// Sets up the client without a request.
    pub fn new(settings: MatrixSettings) -> Self {
        Self {
            sender: Arc::new(MatrixSender::new(settings.send_gap, settings.request_max)),
            settings,
            session: OnceCell::new(),
            since: Mutex::default(),
        }
    }

    /// Opens the saved session, or logs in.
    ///
    /// # Errors
    ///
    /// Returns an error if the server cannot be reached or refuses the account, or if the folder cannot be used.
    pub async fn open(&self) -> Result<(), SendError> {
        self.session().await.map(|_| ())
    }

    async fn session(&self) -> Result<&Session, SendError> {
        // Boxed, so that the SDK's futures do not become part of every caller's.
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
        let session = self.session().await?;
        let refused = |why| SendError::Never {
            scope: Scope::Channel,
            why,
        };
        let id = RoomId::parse(address).map_err(|error| {
            refused(format!(
                "{address:?} is not the id of a Matrix room ({error}): it starts with \"!\""
            ))
        })?;
        match session.client.get_room(&id) {
            Some(room) if room.state() == RoomState::Joined => match room.successor_room() {
                None => Ok(room),
                Some(by) => Err(SendError::Replaced {
                    by: by.room_id.to_string(),
                }),
            },
            // A person removed the bot, so it does not rejoin, even if the room is open.
            Some(room) if matches!(room.state(), RoomState::Left | RoomState::Banned) => {
                Err(refused(format!(
                    "{} was removed from the room: invite it again",
                    self.settings.user
                )))
            }
            _ => session.join(&id).await.map_err(SendError::before_sending),
        }
    }

    async fn send(
        &self,
        work: &Work,
        content: &Content,
        under: Option<&Below>,
    ) -> Result<Receipt, SendError> {
        let room = self.room(&work.address).await?;
        direct::check_person(&room, work.person.as_ref()).await?;
        let mut event = render::event(content);
        if let Some(person) = work.person.as_ref().and_then(Personal::mentioned) {
            direct::mention(&mut event, person)?;
        }
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

    /// Removes a message after its edits, because clients without edits show each of them.
    async fn remove(&self, work: &Work, receipt: &Receipt) -> Result<Receipt, SendError> {
        let room = self.room(&work.address).await?;
        let message = check_event(&receipt.message)?;
        // After an interruption, redacted edits are no longer listed.
        for edit in edits(&room, &message).await? {
            let key = format!("{}-{edit}", work.key);
            self.sender.redact(&room, &edit, &key).await?;
        }
        self.sender.redact(&room, &message, &work.key).await?;
        Ok(receipt.clone())
    }

    async fn put(&self, room: &Room, event: Value, key: &str) -> Result<Receipt, SendError> {
        let put = self.sender.put(room, event, key).await;
        let message = match put {
            Ok(message) => message,
            Err(error) => return Err(refused_in(room, error).await),
        };
        Ok(Receipt {
            message: message.to_string(),
            thread: None,
        })
    }

    /// Checks that a message still exists. A server accepts edits of a redacted message, but readers see none of it.
    async fn check_there(&self, room: &Room, message: &EventId) -> Result<(), SendError> {
        let event = match room.event(message, None).await {
            Ok(event) => event,
            Err(error) if is_missing(&error) => return Err(SendError::Gone),
            Err(error) => return Err(from_sdk(error).before_sending()),
        };
        match is_redacted(&event) {
            true => Err(SendError::Gone),
            false => Ok(()),
        }
    }
}

impl Platform for Matrix {
    fn name(&self) -> &'static str {
        "matrix"
    }

    /// Shorter for a new device, and zero until its age is known: other devices' transaction ids do not count.
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

    fn open_direct<'a>(&'a self, person: &'a str) -> BoxFuture<'a, Result<String, SendError>> {
        self.open_direct_room(person).boxed()
    }

    /// Edits and removals need no search, because they can be repeated.
    fn find<'a>(&'a self, work: &'a Work) -> BoxFuture<'a, Result<Option<Receipt>, SendError>> {
        async move {
            let Act::Send { content, .. } = &work.act else {
                return Ok(None);
            };
            let room = self.room(&work.address).await?;
            self.find_in(&room, content.mark())
                .await
                .map_err(SendError::before_sending)
        }
        .boxed()
    }

    fn standing<'a>(
        &'a self,
        address: &'a str,
        since: i64,
    ) -> BoxFuture<'a, Result<Vec<PostedMessage>, SendError>> {
        async move {
            let room = self.room(address).await?;
            self.standing_in(&room, since)
                .await
                .map_err(SendError::before_sending)
        }
        .boxed()
    }
}

/// The bot's edits of a message.
async fn edits(room: &Room, message: &EventId) -> Result<Vec<OwnedEventId>, SendError> {
    let options = RelationsOptions {
        limit: Some(uint!(100)),
        include_relations: IncludeRelations::RelationsOfType(RelationType::Replacement),
        ..RelationsOptions::default()
    };
    let related = match room.relations(message.to_owned(), options).boxed().await {
        Ok(related) => related,
        Err(error) if is_missing(&error) => return Err(SendError::Gone),
        Err(error) => return Err(from_sdk(error).before_sending()),
    };
    let is_ours = |event: &&TimelineEvent| {
        let raw: Result<Value, _> = event.raw().deserialize_as_unchecked();
        raw.is_ok_and(|raw| raw["sender"] == room.own_user_id().as_str())
    };
    let ours = related.chunk.iter().filter(is_ours);
    Ok(ours.filter_map(TimelineEvent::event_id).collect())
}

/// A server refuses a message with the same answer as a room. If the bot may send in the room, the message may be the cause.
async fn refused_in(room: &Room, error: SendError) -> SendError {
    match error {
        SendError::Never {
            scope: Scope::Channel,
            why,
        } if room.state() == RoomState::Joined && may_send(room).await => {
            SendError::Refused { why }
        }
        error => error,
    }
}

fn is_missing(error: &matrix_sdk::Error) -> bool {
    matches!(error.client_api_error_kind(), Some(ErrorKind::NotFound))
}

fn check_event(id: &str) -> Result<OwnedEventId, SendError> {
    EventId::parse(id).map_err(|error| SendError::Never {
        scope: Scope::Delivery,
        why: format!("{id:?} is not the id of a Matrix event: {error}"),
    })
}

fn is_redacted(event: &TimelineEvent) -> bool {
    let raw: Result<Value, _> = event.raw().deserialize_as_unchecked();
    raw.is_ok_and(|event| !event["unsigned"]["redacted_because"].is_null())
}

/// The meaning of an error that stops all deliveries.
fn nothing_sent(error: SendError) -> SendError {
    match error {
        SendError::Unknown { why } => SendError::Later {
            after: REQUEST_MAX,
            scope: Scope::Platform,
            why,
        },
        other => other,
    }
}
