//! Mutes and retractions.

use chrono::DateTime;

use super::changes::{Change, one_story as story_named};
use super::context::{Answer, CommandContext, CommandError, Listing, plain_line};
use crate::item::prose;
use crate::post::plain;
use crate::post::story::Tone;
use crate::store::mutes;
use crate::story::Story;

/// Mutes a story; its posts stay.
pub(super) async fn story(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let muted = ctx.maintainer().mute_story(ctx.required("story")).await?;
    say(ctx, muted)
}

/// Mutes an author: their stories open no posts.
pub(super) async fn author(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let muted = ctx.maintainer().mute_author(ctx.required("name")).await?;
    say(ctx, muted)
}

/// Mutes words: stories with them in the title open no posts.
pub(super) async fn words(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let muted = ctx.maintainer().mute_words(ctx.required("words")).await?;
    say(ctx, muted)
}

pub(super) async fn list(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let rows = mutes::list_mutes(ctx.live.store.read()).await?;
    let line = |row: &mutes::MuteRow| {
        let day = DateTime::from_timestamp(row.at, 0).unwrap_or_default();
        let what = format!("{} · {}", row.id, row.kind.word());
        let by = format!("by {} on {}", plain(&row.by), day.format("%-d %B %Y"));
        let shown = prose::shorten(&plain(&row.shown), 100);
        plain_line(what, format!("{shown} · {by}"), Tone::Ended)
    };
    Ok(Answer::List(Listing {
        title: "Mutes".to_owned(),
        lines: rows.iter().map(line).collect(),
        nothing: "There are none.",
    }))
}

/// Ends a mute.
pub(super) async fn lift(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let number = ctx.required("number").parse().unwrap_or_default();
    let lifted = ctx.maintainer().unmute(number).await?;
    say(ctx, lifted)
}

/// Removes the posts of a story everywhere, and mutes it.
pub(super) async fn retract(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let retracted = ctx.maintainer().retract(ctx.required("story")).await?;
    ctx.live.wake();
    say(ctx, retracted)
}

fn say(ctx: &CommandContext<'_>, change: Change) -> Result<Answer, CommandError> {
    ctx.message(change.title, change.text)
}

/// The story named by the argument `story`. If several match, the command is refused.
pub(super) async fn one_story(ctx: &CommandContext<'_>) -> Result<Story, CommandError> {
    let (store, search) = (&ctx.live.store, ctx.search());
    story_named(store, ctx.required("story"), ctx.now, &search).await
}
