//! Receives the events of a sync that concern the bot, in their order. The handlers are set up before the first sync of
//! a saved session, so that they get commands sent while the program was down.

use matrix_sdk::ruma::events::reaction::OriginalSyncReactionEvent;
use matrix_sdk::ruma::events::room::member::{
    OriginalSyncRoomMemberEvent, StrippedRoomMemberEvent,
};
use matrix_sdk::ruma::events::room::message::OriginalSyncRoomMessageEvent;
use matrix_sdk::ruma::events::room::power_levels::OriginalSyncRoomPowerLevelsEvent;
use matrix_sdk::ruma::events::room::tombstone::OriginalSyncRoomTombstoneEvent;
use matrix_sdk::ruma::{OwnedRoomId, OwnedUserId};
use matrix_sdk::{Client, Room};
use tokio::sync::mpsc;
use tracing::warn;

use super::{decision, listen};

/// The most events waiting; further ones are dropped.
const HEARD_MAX: usize = 1024;

/// An event that concerns the bot.
#[derive(Debug)]
pub(super) enum SyncEvent {
    Invited {
        room: Room,
        by: OwnedUserId,
    },
    /// A message that may be a command.
    Said {
        room: Room,
        event: Box<OriginalSyncRoomMessageEvent>,
    },
    /// A reaction that may be a decision.
    Reacted {
        room: Room,
        event: Box<OriginalSyncReactionEvent>,
    },
    /// The rights in a room changed, or the bot joined or left it.
    Changed {
        room: OwnedRoomId,
    },
    /// Another room replaced one.
    Replaced {
        room: OwnedRoomId,
        by: OwnedRoomId,
    },
}

/// Sets up the handlers; returns the queue of their events.
pub(super) fn hear(client: &Client) -> mpsc::Receiver<SyncEvent> {
    let (heard, hears) = mpsc::channel(HEARD_MAX);
    let say = move |what: SyncEvent| {
        if heard.try_send(what).is_err() {
            warn!("Matrix: too many events at once; one is dropped");
        }
    };
    let (on_invite, on_message, on_reaction) = (say.clone(), say.clone(), say.clone());
    let (on_rights, on_member, on_end) = (say.clone(), say.clone(), say);
    // The sync awaits handlers, so they only pass events on.
    client.add_event_handler(
        move |event: StrippedRoomMemberEvent, client: Client, room: Room| {
            if client.user_id().is_some_and(|me| event.state_key == me) {
                let by = event.sender;
                on_invite(SyncEvent::Invited { room, by });
            }
            std::future::ready(())
        },
    );
    client.add_event_handler(move |event: OriginalSyncRoomMessageEvent, room: Room| {
        if listen::may_be_command(&event) {
            let event = Box::new(event);
            on_message(SyncEvent::Said { room, event });
        }
        std::future::ready(())
    });
    client.add_event_handler(move |event: OriginalSyncReactionEvent, room: Room| {
        if decision::decision(&event.content.relates_to.key).is_some() {
            let event = Box::new(event);
            on_reaction(SyncEvent::Reacted { room, event });
        }
        std::future::ready(())
    });
    client.add_event_handler(move |_: OriginalSyncRoomPowerLevelsEvent, room: Room| {
        let room = room.room_id().to_owned();
        on_rights(SyncEvent::Changed { room });
        std::future::ready(())
    });
    client.add_event_handler(
        move |event: OriginalSyncRoomMemberEvent, client: Client, room: Room| {
            if client.user_id().is_some_and(|me| event.state_key == me) {
                let room = room.room_id().to_owned();
                on_member(SyncEvent::Changed { room });
            }
            std::future::ready(())
        },
    );
    client.add_event_handler(move |event: OriginalSyncRoomTombstoneEvent, room: Room| {
        let (room, by) = (room.room_id().to_owned(), event.content.replacement_room);
        on_end(SyncEvent::Replaced { room, by });
        std::future::ready(())
    });
    hears
}
