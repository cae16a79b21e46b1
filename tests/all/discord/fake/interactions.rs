//! Interactions of people, and the bot's answers with their times.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::gateway::Tell;
use super::rest::{Done, refused};
use super::rooms::{AT, Message, user};
use super::{APPLICATION, Fake, GUILD, State};

/// The time that Discord waits for a first answer.
const WITHIN: Duration = Duration::from_secs(3);

/// A person.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) roles: Vec<String>,
    /// Their permissions in Discord's format: a number as text.
    pub(crate) permissions: String,
}

impl Person {
    pub(crate) fn reader(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            roles: Vec::new(),
            // To see, to send, and to use commands.
            permissions: (1_u64 << 10 | 1 << 11 | 1 << 31).to_string(),
        }
    }

    /// A person with the permission to manage the server.
    pub(crate) fn manager(id: &str) -> Self {
        Self {
            permissions: (1_u64 << 5 | 1 << 10).to_string(),
            ..Self::reader(id)
        }
    }
}

/// An answer of the bot.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The time between the question and the answer.
    pub(crate) after: Duration,
    /// `first`, `more`, `changed` or `removed`.
    pub(crate) what: &'static str,
    pub(crate) body: Value,
}

/// A question, and its answers so far.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    id: String,
    at: Instant,
    room: String,
    /// The message with the button that was pressed.
    pressed: Option<String>,
    /// The message that answers it.
    original: Option<String>,
    kind: Option<u64>,
    pub(crate) answers: Vec<Answer>,
    /// The number of answers that were too late, or sent twice.
    pub(crate) refused: Vec<u64>,
}

impl Fake {
    /// A person gives a command: its words, and its options by name and value. Returns the token of the question.
    pub(crate) async fn give(
        &self,
        by: &Person,
        room: &str,
        words: &[&str],
        options: &[(&str, Value)],
    ) -> String {
        self.ask(by, room, words, options, None).await
    }

    /// A person types an option of a command.
    pub(crate) async fn type_in(
        &self,
        by: &Person,
        room: &str,
        words: &[&str],
        option: &str,
        begun: &str,
    ) -> String {
        self.ask(by, room, words, &[(option, begun.into())], Some(option))
            .await
    }

    async fn ask(
        &self,
        by: &Person,
        room: &str,
        words: &[&str],
        options: &[(&str, Value)],
        focused: Option<&str>,
    ) -> String {
        let (command, path) = words.split_first().expect("a command has a name");
        let (commands, _) = self.commands();
        let commands = commands.as_array().cloned().unwrap_or_default();
        let registered = commands.iter().find(|known| known["name"] == **command);
        let registered =
            registered.unwrap_or_else(|| panic!("{command} is not registered: {commands:?}"));
        // Discord only accepts registered commands.
        let mut place = registered;
        for word in path {
            place = option_of(place, word);
        }
        let given: Vec<Value> = options
            .iter()
            .map(|(name, value)| {
                let known = option_of(place, name);
                let mut option = json!({"name": name, "type": known["type"], "value": value});
                if focused == Some(*name) {
                    assert_eq!(known["autocomplete"], true, "{name} cannot be completed");
                    option["focused"] = true.into();
                }
                option
            })
            .collect();
        let mut data = json!(given);
        for (depth, word) in path.iter().enumerate().rev() {
            let kind = if depth + 1 == path.len() { 1 } else { 2 };
            data = json!([{"name": word, "type": kind, "options": data}]);
        }
        let data = json!({"id": registered["id"], "name": command, "type": 1, "options": data});
        let kind = if focused.is_some() { 4 } else { 2 };
        self.send(by, room, kind, data, None).await
    }

    /// A person presses a button of an answer. `token` is that of the answered command.
    pub(crate) async fn press(&self, by: &Person, token: &str, custom_id: &str) -> String {
        let (room, message, shown) = {
            let mut state = self.state();
            let asked = state
                .asked
                .get(token)
                .expect("there is such a question")
                .clone();
            let id = asked.original.expect("it was answered with a message");
            let message = message_of(&mut state, &asked.room, &id)
                .expect("the answer stands")
                .show(&asked.room);
            (asked.room, id, message)
        };
        let text = shown["components"].to_string();
        assert!(
            text.contains(&json!(custom_id).to_string()),
            "there is no such button: {text}"
        );
        let data = json!({"custom_id": custom_id, "component_type": 2, "id": 2});
        self.send(by, &room, 3, data, Some((message, shown))).await
    }

    /// A person presses a button below a message in a room.
    pub(crate) async fn press_below(
        &self,
        by: &Person,
        room: &str,
        message: &Value,
        custom_id: &str,
    ) -> String {
        let text = message["components"].to_string();
        assert!(
            text.contains(&json!(custom_id).to_string()),
            "there is no such button: {text}"
        );
        let id = message["id"]
            .as_str()
            .expect("a message has an id")
            .to_owned();
        let data = json!({"custom_id": custom_id, "component_type": 2, "id": 2});
        self.send(by, room, 3, data, Some((id, message.clone())))
            .await
    }

    async fn send(
        &self,
        by: &Person,
        room: &str,
        kind: u64,
        data: Value,
        message: Option<(String, Value)>,
    ) -> String {
        let mut state = self.state();
        let (id, token) = (state.next_id(), format!("secret-{}", state.next_id()));
        let member = json!({
            "user": user(&by.id, false), "nick": null, "avatar": null, "banner": null, "roles": by.roles,
            "joined_at": AT, "premium_since": null, "deaf": false, "mute": false, "flags": 0, "pending": false,
            "permissions": by.permissions, "communication_disabled_until": null, "unusual_dm_activity_until": null,
            "avatar_decoration_data": null,
        });
        let mut event = json!({
            "id": id, "application_id": APPLICATION, "type": kind, "data": data, "guild_id": GUILD,
            "guild": {"id": GUILD, "features": [], "locale": "en-US"}, "guild_locale": "en-US", "locale": "en-US",
            "channel_id": room, "channel": {"id": room, "type": 0, "name": "news", "permissions": "2147483647", "guild_id": GUILD, "flags": 0},
            "member": member, "token": token, "version": 1, "app_permissions": "2147483647", "entitlements": [],
            "authorizing_integration_owners": {"0": GUILD}, "context": 0, "attachment_size_limit": 10_485_760,
        });
        let asked = Asked {
            id,
            at: Instant::now(),
            room: room.to_owned(),
            pressed: message.as_ref().map(|(id, _)| id.clone()),
            original: None,
            kind: None,
            answers: Vec::new(),
            refused: Vec::new(),
        };
        if let Some((_, message)) = message {
            event["message"] = message;
        }
        state.asked.insert(token.clone(), asked);
        state.tell(Tell::Event("INTERACTION_CREATE", event));
        token
    }

    /// A question and its answers so far.
    pub(crate) fn asked(&self, token: &str) -> Asked {
        self.state()
            .asked
            .get(token)
            .expect("there is such a question")
            .clone()
    }

    /// Waits until a question has this many answers, and returns them.
    pub(crate) async fn answers(&self, token: &str, many: usize, within: Duration) -> Vec<Answer> {
        let what = format!("{many} answers");
        self.until(&what, within, |fake| {
            fake.asked(token).answers.len() >= many
        })
        .await;
        self.asked(token).answers
    }

    /// The message that answers a question, as people see it.
    pub(crate) fn original(&self, token: &str) -> Option<Value> {
        let asked = self.asked(token);
        let mut state = self.state();
        let id = asked.original?;
        message_of(&mut state, &asked.room, &id).map(|message| message.show(&asked.room))
    }
}

fn option_of<'v>(place: &'v Value, name: &str) -> &'v Value {
    let options = place["options"].as_array().map_or(&[][..], Vec::as_slice);
    let found = options.iter().find(|option| option["name"] == name);
    found.unwrap_or_else(|| panic!("{name} is not registered"))
}

fn message_of<'s>(state: &'s mut State, room: &str, id: &str) -> Option<&'s mut Message> {
    let messages = state.messages.get_mut(room)?;
    messages.iter_mut().find(|message| message.id == id)
}

fn unknown() -> Done {
    refused(404, 10062, "Unknown interaction")
}

/// The first answer.
pub(super) fn first(state: &mut State, id: &str, token: &str, body: &Value) -> Done {
    let message = Message::new(state.next_id(), &body["data"]);
    let Some(asked) = state.asked.get_mut(token).filter(|asked| asked.id == id) else {
        return unknown();
    };
    let after = asked.at.elapsed();
    if after > WITHIN {
        asked.refused.push(10062);
        return unknown();
    }
    if asked.kind.is_some() {
        asked.refused.push(40060);
        return refused(400, 40060, "Interaction has already been acknowledged.");
    }
    let kind = body["type"].as_u64();
    asked.kind = kind;
    asked.answers.push(Answer {
        after,
        what: "first",
        body: body.clone(),
    });
    let room = asked.room.clone();
    match kind {
        Some(4 | 5) => {
            asked.original = Some(message.id.clone());
            state.messages.entry(room).or_default().push(message);
        }
        Some(6) => asked.original = asked.pressed.clone(),
        Some(7) => {
            asked.original = asked.pressed.clone();
            let pressed = asked.pressed.clone();
            let message = pressed.and_then(|id| message_of(state, &room, &id));
            match message {
                Some(message) => message.edit(&body["data"]),
                None => state
                    .wrongs
                    .push("a message is updated that is not there".to_owned()),
            }
        }
        _ => {}
    }
    (204, Value::Null)
}

/// The first answer is changed, or removed.
pub(super) fn change(
    state: &mut State,
    application: &str,
    token: &str,
    body: Option<&Value>,
) -> Done {
    let Some(asked) = state
        .asked
        .get_mut(token)
        .filter(|_| application == APPLICATION)
    else {
        return refused(404, 10015, "Unknown Webhook");
    };
    let (room, original) = (asked.room.clone(), asked.original.clone());
    let Some(id) = original else {
        return refused(404, 10008, "Unknown Message");
    };
    let after = asked.at.elapsed();
    asked.answers.push(Answer {
        after,
        what: if body.is_some() { "changed" } else { "removed" },
        body: body.cloned().unwrap_or_default(),
    });
    let Some(message) = message_of(state, &room, &id) else {
        return refused(404, 10008, "Unknown Message");
    };
    match body {
        Some(body) => {
            message.edit(body);
            (200, message.show(&room))
        }
        None => {
            let messages = state.messages.entry(room).or_default();
            messages.retain(|message| message.id != id);
            (204, Value::Null)
        }
    }
}

/// One more answer.
pub(super) fn more(state: &mut State, application: &str, token: &str, body: &Value) -> Done {
    let message = Message::new(state.next_id(), body);
    let Some(asked) = state
        .asked
        .get_mut(token)
        .filter(|_| application == APPLICATION)
    else {
        return refused(404, 10015, "Unknown Webhook");
    };
    if asked.kind.is_none() {
        return refused(404, 10015, "Unknown Webhook");
    }
    let after = asked.at.elapsed();
    asked.answers.push(Answer {
        after,
        what: "more",
        body: body.clone(),
    });
    let shown = message.show(&asked.room);
    let room = asked.room.clone();
    state.messages.entry(room).or_default().push(message);
    (200, shown)
}
