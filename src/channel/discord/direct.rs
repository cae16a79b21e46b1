//! Messages to one person: the channel of direct messages, and the mention of a person who asked for it.

use std::borrow::Cow;
use std::time::Instant;

use reqwest::Method;
use serde_json::{Value, json};

use super::refusal::Aim;
use super::rest::DiscordRequest;
use super::{ChannelFacts, Discord, check_id, id_of};
use crate::channel::{SendError, Work};
use crate::post::story::Content;

impl Discord {
    /// Opens the channel of direct messages to a person. Discord returns the one that exists.
    pub(super) async fn open_direct_channel(&self, person: &str) -> Result<String, SendError> {
        check_id(person)?;
        let request = DiscordRequest {
            method: Method::POST,
            route: "/users/@me/channels",
            major: String::new(),
            path: "/users/@me/channels".to_owned(),
            body: Some(json!({"recipient_id": person})),
            aim: Aim::Person,
        };
        let channel = id_of(&self.rest.ask(request).await?)?;
        let facts = (Instant::now(), ChannelFacts::direct());
        self.channels().insert(channel.clone(), facts);
        Ok(channel)
    }
}

/// The content that names the thread of a message. News for one person must not name a thread for everybody: their first story
/// does.
pub(super) fn about<'c>(work: &Work, content: &'c Content) -> Cow<'c, Content> {
    match (&work.person, content) {
        (Some(_), Content::Digest(news)) => match news.lines.first() {
            Some(line) => Cow::Owned(Content::Line(line.clone())),
            None => Cow::Borrowed(content),
        },
        _ => Cow::Borrowed(content),
    }
}

/// Lets a message mention this person, and nobody else.
pub(super) fn mention(body: &mut Value, person: &str) -> Result<(), SendError> {
    check_id(person)?;
    body["content"] = format!("<@{person}>").into();
    body["allowed_mentions"] = json!({"users": [person]});
    Ok(())
}
