//! Sends all messages of an account one at a time, at a limited rate, with posts and answers taking turns. Servers
//! refuse some of several messages sent at once.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use matrix_sdk::Room;
use matrix_sdk::config::RequestConfig;
use matrix_sdk::ruma::api::client::redact::redact_event;
use matrix_sdk::ruma::{EventId, OwnedEventId, OwnedTransactionId};
use serde_json::Value;
use tokio::sync::Mutex as AsyncMutex;

use super::failure::{from_http, from_sdk};
use super::queue::{AnswerQueue, QueuePlace};
use super::rate::{Class, SendRate};
use crate::channel::{Scope, SendError};

/// The longest wait for an answer. A person who would wait longer is refused at once.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);
/// How long an accepted answer is retried, and how often if the outcome is unknown.
const ANSWER_MAX: Duration = Duration::from_mins(3);
const ANSWER_TRIES_MAX: u32 = 10;
/// The wait after an unknown outcome.
const ANSWER_AGAIN_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct MatrixSender {
    rate: Mutex<SendRate>,
    turn: AsyncMutex<()>,
    queue: Arc<AnswerQueue>,
    /// The time limit of a send. The caller repeats it, not the SDK.
    send_max: Duration,
}

impl MatrixSender {
    /// A sender with this gap between messages after a burst of nine.
    pub(super) fn new(gap: Duration, send_max: Duration) -> Self {
        Self {
            rate: Mutex::new(SendRate::new(gap)),
            turn: AsyncMutex::default(),
            queue: Arc::default(),
            send_max,
        }
    }

    fn rate(&self) -> MutexGuard<'_, SendRate> {
        self.rate.lock().expect("no holder of the pace panics")
    }

    /// The settings of one request, which the SDK does not repeat: all others wait for it.
    fn once(&self) -> RequestConfig {
        RequestConfig::new().disable_retry().timeout(self.send_max)
    }

    /// Sends a post.
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

    /// Redacts a message.
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
            .map_err(|error| self.learn(from_http(&error)))
    }

    /// Reserves a place in the queue for an answer; `None` if it could not be sent in time.
    pub(super) fn queue_answer(&self, person: &str) -> Option<QueuePlace> {
        let now = tokio::time::Instant::now();
        let wait_of = |before| self.rate().wait_of_answer(before, now);
        self.queue.join(person, ANSWER_WAIT_MAX, now, wait_of)
    }

    /// Reserves a place ahead of all answers, for the notice that the bot is busy. `None` if the person got one lately.
    pub(super) fn queue_notice(&self, person: &str) -> Option<QueuePlace> {
        self.queue.join_first(person, tokio::time::Instant::now())
    }

    /// Sends an answer when its turn comes, and leaves the queue.
    pub(super) async fn answer(
        &self,
        place: QueuePlace,
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
                why: format!("it could not be sent within {ANSWER_MAX:?}"),
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
            .map_err(|error| self.learn(from_sdk(error)))?;
        Ok(sent.response.event_id)
    }

    fn take(&self, class: Class) -> Result<(), SendError> {
        let taken = self.rate().take(class, tokio::time::Instant::now());
        taken.map_err(|after| SendError::Later {
            after,
            scope: Scope::Platform,
            why: "one message at a time".to_owned(),
        })
    }

    /// Learns from an error that the server limits the rate.
    fn learn(&self, error: SendError) -> SendError {
        if let SendError::Later { after, .. } = &error {
            self.rate().learn(*after, tokio::time::Instant::now());
        }
        error
    }
}
