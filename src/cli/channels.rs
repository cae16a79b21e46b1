//! The command `channels`: which channel takes no messages, since when, why, and what to do.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anstyle::Style;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use super::Format;
use super::style::{BAD, DIM, GOOD};
use crate::config::Config;
use crate::post::plain;
use crate::post::words::{ago, counted};
use crate::store::Store;
use crate::store::outbox::{self, ChannelCondition, ChannelState};

/// Lists the channels. It only reads, so a paused channel stays as it is.
pub(super) async fn channels(path: &Path, format: Format) -> anyhow::Result<ExitCode> {
    let config = Config::load(path)?;
    let store = Store::open(&config.database).await?;
    let channels = outbox::channel_states(store.read(), i64::MAX).await?;
    store.close().await;
    let now = Utc::now();
    let mut out = anstream::stdout().lock();
    for channel in &channels {
        match format {
            Format::Json => writeln!(out, "{}", as_json(channel, now))?,
            Format::Text => write!(out, "{}", as_text(channel, now))?,
        }
    }
    if channels.is_empty() && format == Format::Text {
        writeln!(
            anstream::stderr(),
            "No channel is stored yet. bpfnews run and bpfnews poll store those of the configuration."
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default()
}

fn stamp(seconds: i64) -> String {
    at(seconds).to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn as_json(channel: &ChannelState, now: DateTime<Utc>) -> serde_json::Value {
    let seconds = now.timestamp();
    json!({
        "name": channel.name,
        "platform": channel.platform,
        "id": channel.address,
        "state": channel.condition(seconds).word(),
        "since": channel.since(seconds).map(stamp),
        "why": why(channel, seconds),
        "advice": advice(channel, seconds),
        "queued": channel.queued,
        "oldest_due_at": channel.due_at.map(stamp),
        "failing": channel.failing,
        "waiting_for_list": channel.for_list,
        "dead_letters": channel.dead_letters,
        "last_sent_at": channel.took_at.map(stamp),
    })
}

fn as_text(channel: &ChannelState, now: DateTime<Utc>) -> String {
    let seconds = now.timestamp();
    let condition = channel.condition(seconds);
    let since = channel
        .since(seconds)
        .map_or_else(String::new, |since| format!(" since {}", stamp(since)));
    let style = colour(condition);
    let last = channel.took_at.map_or_else(
        || "nothing sent yet".to_owned(),
        |took| format!("last message {}", ago(at(took), now)),
    );
    let number = |many: i64, what: &str| match many {
        0 => None,
        many => Some(counted(u32::try_from(many).unwrap_or(u32::MAX), what)),
    };
    let facts = [
        number(channel.queued, "message").map(|queued| format!("{queued} queued")),
        (channel.failing > 0).then(|| format!("{} of them failing", channel.failing)),
        number(channel.for_list, "post").map(|posts| format!("{posts} for the next list")),
        number(channel.dead_letters, "dead letter"),
        Some(last),
    ];
    let facts: Vec<String> = facts.into_iter().flatten().collect();
    let mut text = format!(
        "{} ({})  {style}{}{style:#}{since}\n    {}\n",
        plain(&channel.name),
        plain(&channel.platform),
        condition.word(),
        facts.join(" · ")
    );
    let below = [why(channel, seconds), advice(channel, seconds)];
    for line in below.into_iter().flatten() {
        text.push_str(&format!("    {DIM}{line}{DIM:#}\n"));
    }
    text
}

fn colour(condition: ChannelCondition) -> Style {
    match condition {
        ChannelCondition::Ok => GOOD,
        ChannelCondition::Waiting | ChannelCondition::Searched => DIM,
        ChannelCondition::Failing
        | ChannelCondition::Stuck
        | ChannelCondition::Paused
        | ChannelCondition::Replaced => BAD,
    }
}

/// The reason of the condition.
fn why(channel: &ChannelState, now: i64) -> Option<String> {
    match channel.condition(now) {
        ChannelCondition::Ok => None,
        ChannelCondition::Waiting => Some(format!(
            "The server asked the bot to wait until {}.",
            stamp(channel.held_to)
        )),
        ChannelCondition::Searched => {
            Some("After a restore, bpfnews reads which messages are in it.".to_owned())
        }
        ChannelCondition::Failing => channel.last_error.as_deref().map(plain),
        ChannelCondition::Stuck => Some(
            "Messages are due, and neither the server nor a failure holds them back.".to_owned(),
        ),
        ChannelCondition::Paused => channel.paused_why.as_deref().map(plain),
        ChannelCondition::Replaced => channel
            .replaced_by
            .as_deref()
            .map(|room| format!("The room was replaced by {}.", plain(room))),
    }
}

/// The operator's remedy.
fn advice(channel: &ChannelState, now: i64) -> Option<String> {
    let advice = match channel.condition(now) {
        ChannelCondition::Ok if channel.dead_letters > 0 => {
            "bpfnews letters list names the dead letters; letters retry and letters drop decide."
        }
        ChannelCondition::Ok => return None,
        ChannelCondition::Waiting => "Nothing is to be done.",
        ChannelCondition::Searched => {
            "Nothing is sent there until that is done. If it lasts, the log has the reason."
        }
        ChannelCondition::Failing => {
            "Nothing is lost: it is tried again at least every ten minutes. If the server is well, run bpfnews check --online."
        }
        ChannelCondition::Stuck => {
            "Is bpfnews run running? If it is, its log says what it waits for, such as a platform that refuses the account."
        }
        ChannelCondition::Paused => {
            "bpfnews check --online names a missing right. It is tried again when the platform reports a change, every six \
             hours, and when bpfnews starts."
        }
        ChannelCondition::Replaced => {
            "Invite the bot to the new room, and set its id in the configuration. Then drop the dead letters of the old one."
        }
    };
    Some(advice.to_owned())
}
