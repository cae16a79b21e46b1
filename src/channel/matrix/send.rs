//! The one way out: what an account sends goes one after another and paced, posts and answers in turn. A server that is
//! handed several at once refuses some of them.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use matrix_sdk::Room;
use matrix_sdk::config::RequestConfig;
use matrix_sdk::ruma::api::client::redact::redact_event;
use matrix_sdk::ruma::{EventId, OwnedEventId, OwnedTransactionId};
use serde_json::Value;
use tokio::sync::Mutex as Turn;

use super::failure::{from_http, from_sdk};
use super::line::{Line, Place};
use super::pace::{Class, Pace};
use crate::channel::{Scope, SendError};

/// The longest that somebody waits for an answer: who would wait longer is told so at once.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);
/// How long an answer is tried that was promised, and how often where its outcome is unknown.
const ANSWER_MAX: Duration = Duration::from_mins(3);
const ANSWER_TRIES_MAX: u32 = 10;
/// The wait after an outcome that is unknown.
const ANSWER_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What everything that is sent passes through.
#[derive(Debug)]
pub(super) struct Outlet {
    pace: Mutex<Pace>,
    turn: Turn<()>,
    line: Arc<Line>,
    /// How long a send may take. The caller repeats it, not the SDK.
    send_max: Duration,
}

impl Outlet {
    /// An outlet through which messages go with this gap between them, once nine went at once.
    pub(super) fn new(gap: Duration, send_max: Duration) -> Self {
        Self {
            pace: Mutex::new(Pace::new(gap)),
            turn: Turn::default(),
            line: Arc::default(),
            send_max,
        }
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().expect("no holder of the pace panics")
    }

    /// One request, which the SDK does not repeat: all others wait for it.
    fn once(&self) -> RequestConfig {
        RequestConfig::new().disable_retry().timeout(self.send_max)
    }

    /// Sends a message that a channel is owed.
    pub(super) async fn put(
        &self,
        room: &Room,
        event: Value,
        key: &str,
    ) -> Result<OwnedEventId, SendError> {
        let _turn = self.turn.lock().await;
        self.take(Class::Post)?;
        self.send(room, event, key).await
    }

    /// Takes a message back.
    pub(super) async fn redact(
        &self,
        room: &Room,
        message: &EventId,
        key: &str,
    ) -> Result<(), SendError> {
        let _turn = self.turn.lock().await;
        self.take(Class::Post)?;
        let (room_id, message) = (room.room_id().to_owned(), message.to_owned());
        let request = redact_event::v3::Request::new(room_id, message, key.into());
        let redacted = room.client().send(request);
        let redacted = redacted.with_request_config(self.once()).await;
        redacted
            .map(drop)
            .map_err(|error| self.learnt(from_http(&error)))
    }

    /// A place in line for an answer to somebody; none where it could not be given in time.
    pub(super) fn line_up(&self, person: &str) -> Option<Place> {
        let now = tokio::time::Instant::now();
        let wait_of = |before| self.pace().wait_of_answer(before, now);
        self.line.join(person, ANSWER_WAIT_MAX, now, wait_of)
    }

    /// A place before all answers, for the word that too much is asked; none where the person was told lately.
    pub(super) fn line_up_with_a_word(&self, person: &str) -> Option<Place> {
        self.line
            .join_with_a_word(person, tokio::time::Instant::now())
    }

    /// Gives an answer when its turn has come, and leaves the line.
    pub(super) async fn answer(
        &self,
        place: Place,
        room: &Room,
        event: Value,
        key: &str,
    ) -> Result<(), SendError> {
        let given = async {
            place.until_first().await;
            let mut tries = 0;
            loop {
                let sent = self.try_answer(room, event.clone(), key).await;
                let wait = match sent {
                    Ok(()) => return Ok(()),
                    Err(SendError::Later { after, .. }) => after,
                    Err(SendError::Unknown { .. }) if tries < ANSWER_TRIES_MAX => {
                        tries += 1;
                        ANSWER_AGAIN_AFTER
                    }
                    Err(error) => return Err(error),
                };
                tokio::time::sleep(wait).await;
            }
        };
        let in_time = tokio::time::timeout(ANSWER_MAX, given).await;
        in_time.unwrap_or_else(|_| {
            Err(SendError::Failed {
                after: Duration::ZERO,
                scope: Scope::Delivery,
                why: format!("it could not be given within {ANSWER_MAX:?}"),
            })
        })
    }

    async fn try_answer(&self, room: &Room, event: Value, key: &str) -> Result<(), SendError> {
        let _turn = self.turn.lock().await;
        self.take(Class::Answer)?;
        self.send(room, event, key).await.map(drop)
    }

    async fn send(&self, room: &Room, event: Value, key: &str) -> Result<OwnedEventId, SendError> {
        let key = OwnedTransactionId::from(key);
        let sent = room
            .send_raw("m.room.message", event)
            .with_transaction_id(&key)
            .with_request_config(self.once())
            .await
            .map_err(|error| self.learnt(from_sdk(error)))?;
        Ok(sent.response.event_id)
    }

    fn take(&self, class: Class) -> Result<(), SendError> {
        let taken = self.pace().take(class, tokio::time::Instant::now());
        taken.map_err(|after| SendError::Later {
            after,
            scope: Scope::Platform,
            why: "one message at a time".to_owned(),
        })
    }

    /// Keeps what a server said that has enough.
    fn learnt(&self, error: SendError) -> SendError {
        if let SendError::Later { after, .. } = &error {
            self.pace().learn(*after, tokio::time::Instant::now());
        }
        error
    }
}
