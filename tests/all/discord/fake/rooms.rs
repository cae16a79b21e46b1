//! Channels, threads and messages, as Discord shows them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{GUILD, ME};

pub(super) const AT: &str = "2025-01-10T12:00:00.000000+00:00";

/// Permissions that the bot may lack in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Right {
    View,
    Send,
    SendInThreads,
    CreateThreads,
    ReadHistory,
    Embed,
}

/// A channel or a thread.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    pub(crate) id: String,
    /// Discord's number: 0 text, 5 announcements, 11 a thread, 15 a forum.
    pub(crate) kind: u64,
    pub(crate) name: String,
    pub(crate) parent: Option<String>,
    /// A forum's tags: id, name, and whether only moderators may use it.
    pub(crate) tags: Vec<(String, String, bool)>,
    pub(crate) wants_tag: bool,
    pub(crate) applied: Vec<String>,
    pub(crate) is_archived: bool,
    pub(crate) is_locked: bool,
    pub(crate) denied: BTreeSet<Right>,
    pub(crate) renames: u32,
}

impl Room {
    fn new(id: &str, kind: u64) -> Self {
        Self {
            id: id.to_owned(),
            kind,
            name: format!("room-{id}"),
            parent: None,
            tags: Vec::new(),
            wants_tag: false,
            applied: Vec::new(),
            is_archived: false,
            is_locked: false,
            denied: BTreeSet::new(),
            renames: 0,
        }
    }

    pub(crate) fn text(id: &str) -> Self {
        Self::new(id, 0)
    }

    /// The channel of direct messages to a person.
    pub(crate) fn direct(person: &str) -> Self {
        Self {
            name: person.to_owned(),
            ..Self::new(&direct(person), 1)
        }
    }

    pub(crate) fn announcements(id: &str) -> Self {
        Self::new(id, 5)
    }

    pub(crate) fn thread(id: &str, parent: &str) -> Self {
        Self {
            parent: Some(parent.to_owned()),
            ..Self::new(id, 11)
        }
    }

    pub(crate) fn forum(id: &str, tags: &[&str]) -> Self {
        let mut room = Self::new(id, 15);
        room.set_tags(tags);
        room
    }

    /// Gives a forum these tags; their ids start again.
    pub(crate) fn set_tags(&mut self, tags: &[&str]) {
        let tag = |(place, name): (usize, &&str)| {
            (format!("{}{place:02}", &self.id), (*name).to_owned(), false)
        };
        self.tags = tags.iter().enumerate().map(tag).collect();
    }

    /// The room without this permission.
    pub(crate) fn without(mut self, right: Right) -> Self {
        self.denied.insert(right);
        self
    }

    pub(super) fn is_thread(&self) -> bool {
        (10..=12).contains(&self.kind)
    }

    /// The names of a thread's tags, as its forum defines them.
    pub(crate) fn tag_names(&self, forum: &Room) -> Vec<String> {
        let names = self.applied.iter().map(|id| {
            let tag = forum.tags.iter().find(|(tag, _, _)| tag == id);
            tag.map_or_else(|| format!("no tag {id}"), |(_, name, _)| name.clone())
        });
        names.collect()
    }

    /// The permissions denied to everybody, in Discord's format.
    fn overwrites(&self) -> Value {
        let bit = |right: &Right| match right {
            Right::View => 1_u64 << 10,
            Right::Send => 1 << 11,
            Right::Embed => 1 << 14,
            Right::ReadHistory => 1 << 16,
            Right::CreateThreads => 1 << 35,
            Right::SendInThreads => 1 << 38,
        };
        match self.denied.iter().map(bit).sum::<u64>() {
            0 => json!([]),
            denied => json!([{"id": GUILD, "type": 0, "allow": "0", "deny": denied.to_string()}]),
        }
    }

    pub(super) fn show(&self, messages: usize) -> Value {
        if self.is_thread() {
            return json!({
                "id": self.id, "type": self.kind, "flags": 0, "guild_id": GUILD, "name": self.name,
                "parent_id": self.parent, "owner_id": ME, "last_message_id": null, "rate_limit_per_user": 0,
                "applied_tags": self.applied, "message_count": messages, "member_count": 1,
                "total_message_sent": messages,
                "thread_metadata": {
                    "archived": self.is_archived, "locked": self.is_locked, "archive_timestamp": AT,
                    "auto_archive_duration": 4320, "create_timestamp": AT,
                },
            });
        }
        if self.kind == 1 {
            let recipients = [user(&self.name, false)];
            return json!({"id": self.id, "type": 1, "flags": 0, "last_message_id": null, "recipients": recipients});
        }
        let tags: Vec<Value> = self.tags.iter().map(|(id, name, moderated)| {
            json!({"id": id, "name": name, "moderated": moderated, "emoji_id": null, "emoji_name": null})
        }).collect();
        let flags = if self.wants_tag { 1 << 4 } else { 0 };
        json!({
            "id": self.id, "type": self.kind, "flags": flags, "guild_id": GUILD, "name": self.name, "position": 1,
            "parent_id": self.parent, "permission_overwrites": self.overwrites(), "nsfw": false, "topic": null,
            "last_message_id": null, "rate_limit_per_user": 0, "available_tags": tags,
        })
    }
}

/// The id of the channel of direct messages to a person.
pub(crate) fn direct(person: &str) -> String {
    format!("55{person}")
}

/// A message.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) content: String,
    pub(super) embeds: Value,
    pub(super) components: Value,
    pub(super) reference: Value,
    pub(super) flags: u64,
    pub(super) is_edited: bool,
    /// The number of edits that are still allowed; `None` for a young message.
    pub(super) edits_left: Option<u32>,
}

impl Message {
    pub(super) fn new(id: String, body: &Value) -> Self {
        Self {
            id,
            content: body["content"].as_str().unwrap_or_default().to_owned(),
            embeds: body.get("embeds").cloned().unwrap_or_else(|| json!([])),
            components: numbered(body),
            reference: body.get("message_reference").cloned().unwrap_or_default(),
            flags: body["flags"].as_u64().unwrap_or_default(),
            is_edited: false,
            edits_left: None,
        }
    }

    pub(super) fn edit(&mut self, body: &Value) {
        if let Some(embeds) = body.get("embeds") {
            self.embeds = embeds.clone();
        }
        if body.get("components").is_some() {
            self.components = numbered(body);
        }
        self.is_edited = true;
    }

    pub(super) fn show(&self, room: &str) -> Value {
        let mut embeds = self.embeds.clone();
        for embed in embeds.as_array_mut().into_iter().flatten() {
            embed["type"] = "rich".into();
        }
        let edited = match self.is_edited {
            true => json!(AT),
            false => Value::Null,
        };
        let mut message = json!({
            "id": self.id, "channel_id": room, "type": 0, "content": self.content, "author": user(ME, true), "mentions": [],
            "mention_roles": [], "mention_everyone": false, "attachments": [], "embeds": embeds, "timestamp": AT,
            "edited_timestamp": edited, "flags": self.flags, "components": self.components, "pinned": false,
            "tts": false,
        });
        if let Some(id) = self.reference["message_id"].as_str() {
            message["type"] = 19.into();
            message["message_reference"] =
                json!({"type": 0, "channel_id": room, "message_id": id, "guild_id": GUILD});
        }
        message
    }
}

/// Components as Discord returns them: with numbers.
fn numbered(body: &Value) -> Value {
    let mut rows = body.get("components").cloned().unwrap_or_else(|| json!([]));
    let mut number = 0;
    for row in rows.as_array_mut().into_iter().flatten() {
        number += 1;
        row["id"] = number.into();
        for part in row["components"].as_array_mut().into_iter().flatten() {
            number += 1;
            part["id"] = number.into();
        }
    }
    rows
}

pub(super) fn user(id: &str, is_bot: bool) -> Value {
    json!({
        "id": id, "username": format!("user-{id}"), "avatar": null, "discriminator": "0", "public_flags": 0, "flags": 0,
        "global_name": null, "primary_guild": null, "bot": is_bot,
    })
}
