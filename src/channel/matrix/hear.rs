//! What a sync brings that concerns the bot, in the order in which it came. The handlers are there before the first sync of a
//! session that is kept, so that what was asked while the program was down is heard when it is back.

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

/// What waits to be taken up; what is more is dropped.
const HEARD_MAX: usize = 1024;

/// Something that was heard.
#[derive(Debug)]
pub(super) enum Heard {
    /// Somebody invites the bot.
    Invited { room: Room, by: OwnedUserId },
    /// Somebody says something.
    Said {
        room: Room,
        event: Box<OriginalSyncRoomMessageEvent>,
    },
    /// Somebody reacts to something.
    Reacted {
        room: Room,
        event: Box<OriginalSyncReactionEvent>,
    },
    /// The rights in a room changed, or the bot came in or went.
    Changed { room: OwnedRoomId },
    /// Another room took the place of one.
    Replaced { room: OwnedRoomId, by: OwnedRoomId },
}

/// Has everything heard from now on; gives where it comes out.
pub(super) fn hear(client: &Client) -> mpsc::Receiver<Heard> {
    let (heard, hears) = mpsc::channel(HEARD_MAX);
    let say = move |what: Heard| {
        if heard.try_send(what).is_err() {
            warn!("Matrix: too much is said at once; something goes unheard");
        }
    };
    let (on_invite, on_message, on_reaction) = (say.clone(), say.clone(), say.clone());
    let (on_rights, on_member, on_end) = (say.clone(), say.clone(), say);
    // Handlers are awaited by the sync: they only pass on.
    client.add_event_handler(
        move |event: StrippedRoomMemberEvent, client: Client, room: Room| {
            if client.user_id().is_some_and(|me| event.state_key == me) {
                let by = event.sender;
                on_invite(Heard::Invited { room, by });
            }
            std::future::ready(())
        },
    );
    client.add_event_handler(move |event: OriginalSyncRoomMessageEvent, room: Room| {
        if listen::may_be_command(&event) {
            let event = Box::new(event);
            on_message(Heard::Said { room, event });
        }
        std::future::ready(())
    });
    client.add_event_handler(move |event: OriginalSyncReactionEvent, room: Room| {
        if decision::decision(&event.content.relates_to.key).is_some() {
            let event = Box::new(event);
            on_reaction(Heard::Reacted { room, event });
        }
        std::future::ready(())
    });
    client.add_event_handler(move |_: OriginalSyncRoomPowerLevelsEvent, room: Room| {
        let room = room.room_id().to_owned();
        on_rights(Heard::Changed { room });
        std::future::ready(())
    });
    client.add_event_handler(
        move |event: OriginalSyncRoomMemberEvent, client: Client, room: Room| {
            if client.user_id().is_some_and(|me| event.state_key == me) {
                let room = room.room_id().to_owned();
                on_member(Heard::Changed { room });
            }
            std::future::ready(())
        },
    );
    client.add_event_handler(move |event: OriginalSyncRoomTombstoneEvent, room: Room| {
        let (room, by) = (room.room_id().to_owned(), event.content.replacement_room);
        on_end(Heard::Replaced { room, by });
        std::future::ready(())
    });
    hears
}
