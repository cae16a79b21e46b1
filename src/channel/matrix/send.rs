//! The one way out: what an account sends goes one after another and paced, posts and answers alike. A server that is
//! handed several at once refuses some of them.

use std::sync::Mutex;
use std::time::Duration;

use matrix_sdk::Room;
use matrix_sdk::config::RequestConfig;
use matrix_sdk::ruma::{EventId, OwnedEventId, OwnedTransactionId};
use serde_json::Value;
use tokio::sync::Mutex as Turn;

use super::failure::{from_http, from_sdk};
use super::pace::Pace;
use crate::channel::{Scope, SendError};

/// How long a send may take; whoever asked for it repeats it, not the SDK.
pub(super) const SEND_MAX: Duration = Duration::from_secs(30);

/// What everything that is sent passes through.
#[derive(Debug)]
pub(super) struct Outlet {
    pace: Mutex<Pace>,
    turn: Turn<()>,
}

impl Outlet {
    /// An outlet through which messages go with this gap between them, once nine went at once.
    pub(super) fn new(gap: Duration) -> Self {
        Self {
            pace: Mutex::new(Pace::new(gap)),
            turn: Turn::default(),
        }
    }

    /// Sends a message.
    pub(super) async fn put(
        &self,
        room: &Room,
        event: Value,
        key: &str,
    ) -> Result<OwnedEventId, SendError> {
        let _turn = self.turn.lock().await;
        self.take_pace()?;
        let key = OwnedTransactionId::from(key);
        let sent = room
            .send_raw("m.room.message", event)
            .with_transaction_id(&key)
            .with_request_config(RequestConfig::new().disable_retry().timeout(SEND_MAX))
            .await
            .map_err(from_sdk)?;
        Ok(sent.response.event_id)
    }

    /// Takes a message back.
    pub(super) async fn redact(
        &self,
        room: &Room,
        message: &EventId,
        key: &str,
    ) -> Result<(), SendError> {
        let _turn = self.turn.lock().await;
        self.take_pace()?;
        let key = OwnedTransactionId::from(key);
        let redacted = room.redact(message, None, Some(key)).await;
        redacted.map(drop).map_err(|error| from_http(&error))
    }

    fn take_pace(&self) -> Result<(), SendError> {
        let mut pace = self.pace.lock().expect("no holder of the pace panics");
        let taken = pace.take(tokio::time::Instant::now());
        taken.map_err(|after| SendError::Later {
            after,
            scope: Scope::Platform,
            why: "one message at a time".to_owned(),
        })
    }
}
