//! Commands of the operator about the account: its state, its rooms, and its recovery key, which makes a device
//! trusted.

use matrix_sdk::Room;
use matrix_sdk::encryption::CrossSigningResetAuthType;
use matrix_sdk::encryption::recovery::RecoveryState;
use matrix_sdk::ruma::api::client::uiaa::{
    AuthData, MatrixUserIdentifier, Password, UserIdentifier,
};
use matrix_sdk::ruma::events::MessageLikeEventType;
use secrecy::{ExposeSecret as _, SecretString};

use super::failure::{broken, from_sdk};
use super::{Matrix, Scope, SendError};

/// The account as its server knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// `@name:server`.
    pub user: String,
    /// The id of this device.
    pub device: String,
    /// Whether the account signed this device, so that clients show no warning.
    pub is_trusted: bool,
    /// Whether a recovery key exists, and this device has the keys it protects.
    pub is_recoverable: bool,
    pub rooms: Vec<RoomFacts>,
}

/// Facts about a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomFacts {
    pub id: String,
    /// The name that clients show.
    pub name: String,
    pub is_encrypted: bool,
    /// Whether the account may send messages there.
    pub can_send: bool,
    /// Whether it may remove its own messages.
    pub can_redact: bool,
}

impl Matrix {
    /// Reads the account's state. Opens the saved session, or logs in.
    ///
    /// # Errors
    ///
    /// Returns an error if the server cannot be reached or refuses the account, or if the folder cannot be used.
    pub async fn account(&self) -> Result<Account, SendError> {
        let session = self.session().await?;
        let client = &session.client;
        let meta = client
            .session_meta()
            .ok_or_else(|| broken("there is no session"))?;
        let mut rooms = Vec::new();
        for room in client.joined_rooms() {
            rooms.push(facts(&room).await?);
        }
        rooms.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        Ok(Account {
            user: meta.user_id.to_string(),
            device: meta.device_id.to_string(),
            is_trusted: session.is_trusted().await,
            is_recoverable: client.encryption().recovery().state() == RecoveryState::Enabled,
            rooms,
        })
    }

    /// Reads the facts about a room, after joining it if necessary.
    ///
    /// # Errors
    ///
    /// Returns an error if the bot cannot join the room, or may not send or redact there.
    pub async fn look(&self, address: &str) -> Result<RoomFacts, SendError> {
        self.session().await?.catch_up().await?;
        let room = self.room(address).await?;
        let facts = facts(&room).await?;
        match (facts.can_send, facts.can_redact) {
            (true, true) => Ok(facts),
            (true, false) => Err(SendError::Never {
                scope: Scope::Channel,
                why: format!(
                    "the bot may send messages in {}, but not remove its own: let it redact its own events \
                     (m.room.redaction in the room's permissions)",
                    crate::post::plain(&facts.name)
                ),
            }),
            (false, _) => Err(SendError::Never {
                scope: Scope::Channel,
                why: format!(
                    "the bot is in {}, but may not send messages there: give it a power level that may (events_default \
                     in the room's permissions)",
                    crate::post::plain(&facts.name)
                ),
            }),
        }
    }

    /// Creates the account's recovery key, with which a device without keys becomes trusted. The previous key stops
    /// working.
    ///
    /// # Errors
    ///
    /// Returns an error if the server refuses, or if this device lacks the keys to protect.
    pub async fn make_recovery_key(&self) -> Result<SecretString, SendError> {
        let session = self.session().await?;
        let encryption = session.client.encryption();
        let has_all = encryption.cross_signing_status().await;
        if !has_all.is_some_and(|status| status.is_complete()) {
            return Err(refused(
                "this device lacks the account's keys. Give it the recovery key that was made before: bpfnews matrix \
                 recover. If it is lost too, start over: bpfnews matrix recovery-key --new-identity",
            ));
        }
        let recovery = encryption.recovery();
        let key = match recovery.state() {
            RecoveryState::Enabled => recovery.reset_key().await,
            _ => recovery.enable().await,
        };
        key.map(Into::into)
            .map_err(|error| refused(&error.to_string()))
    }

    /// Replaces the account's keys after a loss. People who verified it must do so again. Needs the password.
    ///
    /// # Errors
    ///
    /// Returns an error if the server refuses.
    pub async fn begin_anew(&self) -> Result<(), SendError> {
        let session = self.session().await?;
        let password = self.settings.password.as_ref().ok_or_else(|| {
            refused("new keys need the account's password: give it by password_file under [matrix] or by BPFNEWS_MATRIX_PASSWORD")
        })?;
        let recovery = session.client.encryption().recovery();
        let reset = recovery.reset_identity().await;
        let Some(handle) = reset.map_err(|error| refused(&error.to_string()))? else {
            return Ok(());
        };
        let CrossSigningResetAuthType::Uiaa(asked) = handle.auth_type() else {
            return Err(refused(
                "the homeserver wants you to confirm this on its own web page; do that with another client",
            ));
        };
        let user = MatrixUserIdentifier::new(self.settings.user.clone());
        let user = UserIdentifier::Matrix(user);
        let mut proof = Password::new(user, password.expose_secret().to_owned());
        proof.session.clone_from(&asked.session);
        let reset = handle.reset(Some(AuthData::Password(proof))).await;
        reset.map_err(|error| refused(&error.to_string()))?;
        // The new keys count as soon as the server has them.
        let me = session.client.user_id();
        let me = me.ok_or_else(|| broken("there is no session"))?;
        let asked = session.client.encryption().request_user_identity(me).await;
        asked.map(drop).map_err(from_sdk)
    }

    /// Uses a recovery key on this device.
    ///
    /// # Errors
    ///
    /// Returns an error if the key is wrong or the server refuses.
    pub async fn recover(&self, key: &SecretString) -> Result<(), SendError> {
        let session = self.session().await?;
        let recovery = session.client.encryption().recovery();
        if recovery.state() == RecoveryState::Disabled {
            return Err(refused(
                "there is no recovery key for this account yet: bpfnews matrix recovery-key makes one",
            ));
        }
        let recovered = recovery.recover_and_fix_backup(key.expose_secret().trim());
        recovered.await.map_err(|error| {
            refused(&format!(
                "{error}. Check that it is the newest key, and complete"
            ))
        })
    }
}

async fn facts(room: &Room) -> Result<RoomFacts, SendError> {
    let name = room.display_name().await;
    let encryption = room.latest_encryption_state().await.map_err(from_sdk)?;
    let levels = room.power_levels_or_default().await;
    Ok(RoomFacts {
        id: room.room_id().to_string(),
        name: name.map_or_else(|_| room.room_id().to_string(), |name| name.to_string()),
        is_encrypted: encryption.is_encrypted(),
        can_send: may_send(room).await,
        can_redact: levels.user_can_redact_own_event(room.own_user_id()),
    })
}

/// Whether the power levels of a room, as they were last synced, let the bot send messages.
pub(super) async fn may_send(room: &Room) -> bool {
    let kind = match room.encryption_state().is_encrypted() {
        true => MessageLikeEventType::RoomEncrypted,
        false => MessageLikeEventType::RoomMessage,
    };
    let levels = room.power_levels_or_default().await;
    levels.user_can_send_message(room.own_user_id(), kind)
}

fn refused(why: &str) -> SendError {
    SendError::Never {
        scope: Scope::Platform,
        why: why.to_owned(),
    }
}
