//! Mutes and retractions.

use chrono::DateTime;

use super::context::{Answer, CommandContext, CommandError, Listing, plain_line, refuse};
use super::readers;
use super::wording::{requester_name, shortened};
use crate::item::prose;
use crate::plan;
use crate::post::plain;
use crate::post::story::Tone;
use crate::store::mutes::{self, MuteKind, NewMute};
use crate::store::stories::StoryLookup;
use crate::store::{Tx, audit, stories};
use crate::story::Story;

/// Characters of muted words and names. Shorter ones occur in every title.
const WORDS_CHARS_MIN: usize = 3;
const WORDS_CHARS_MAX: usize = 200;

/// Mutes a story; its posts stay.
pub(super) async fn story(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let (tx, title, _) = mute_story(ctx, MuteKind::Story, "muted").await?;
    tx.commit().await.map_err(anyhow::Error::from)?;
    ctx.message(
        "Muted",
        format!("{title}\nIts posts stay as they are, and get no more updates."),
    )
}

/// Mutes the story that the command names, and records that in the audit log. `done` is the verb of both. Returns the open
/// transaction, with the story's title and items.
async fn mute_story(
    ctx: &CommandContext<'_>,
    kind: MuteKind,
    done: &str,
) -> Result<(Tx, String, Vec<i64>), CommandError> {
    let story = one_story(ctx).await?;
    let title = plain(&story.title);
    let mut tx = ctx.live.store.write().await?;
    let items = stories::items_of_story(&mut tx, &story.id).await?;
    let new = NewMute {
        kind,
        shown: &title,
        item: items.first().copied(),
        by: &requester_name(ctx),
    };
    if !mutes::add_mute(&mut tx, &new, ctx.now).await? {
        return refuse(format!("{title} is already {done}."));
    }
    let what = format!("{done} the story {}: {title}", story.id);
    audit::record(&mut tx, &ctx.actor(), &what, ctx.now).await?;
    Ok((tx, title, items))
}

/// Mutes an author: their stories open no posts.
pub(super) async fn author(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    mute(ctx, MuteKind::Author, ctx.required("name")).await
}

/// Mutes words: stories with them in the title open no posts.
pub(super) async fn words(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    mute(ctx, MuteKind::Words, ctx.required("words")).await
}

async fn mute(
    ctx: &CommandContext<'_>,
    kind: MuteKind,
    typed: &str,
) -> Result<Answer, CommandError> {
    let typed = plain(typed);
    let typed = typed.trim();
    let chars = typed.chars().count();
    if !(WORDS_CHARS_MIN..=WORDS_CHARS_MAX).contains(&chars) {
        return refuse(format!(
            "A mute needs {WORDS_CHARS_MIN} to {WORDS_CHARS_MAX} characters; this text has {chars}."
        ));
    }
    let new = NewMute {
        kind,
        shown: typed,
        item: None,
        by: &requester_name(ctx),
    };
    let mut tx = ctx.live.store.write().await?;
    if !mutes::add_mute(&mut tx, &new, ctx.now).await? {
        return refuse(format!("{typed} is already muted."));
    }
    let what = format!("muted the {} {typed}", kind.word());
    ctx.commit(tx, &what).await?;
    let text = match kind {
        MuteKind::Author => "There will be no new posts for stories by that author.",
        MuteKind::Words | MuteKind::Story | MuteKind::Retracted => {
            "There will be no new posts for stories with exactly these words, in this order, in the title."
        }
    };
    ctx.message(
        format!("Muted: {typed}"),
        format!("{text} Existing posts still get updates."),
    )
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
    let mut tx = ctx.live.store.write().await?;
    let Some((kind, shown)) = mutes::lift_mute(&mut tx, number).await? else {
        return refuse(format!("There is no mute {number}."));
    };
    let shown = plain(&shown);
    let what = format!("lifted the mute of the {} {shown}", kind.word());
    ctx.commit(tx, &what).await?;
    let text = match kind {
        MuteKind::Retracted => "The story can be found again. Its removed posts stay removed.",
        MuteKind::Story | MuteKind::Author | MuteKind::Words => {
            "There will be posts again from now on."
        }
    };
    ctx.message(format!("Lifted: {shown}"), text)
}

/// Removes the posts of a story everywhere, and mutes it.
pub(super) async fn retract(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let (mut tx, title, items) = mute_story(ctx, MuteKind::Retracted, "retracted").await?;
    let posts = plan::retract(&mut tx, &items, ctx.now).await?;
    tx.commit().await.map_err(anyhow::Error::from)?;
    ctx.live.wake();
    let posts = match posts {
        0 => "It had no posts.".to_owned(),
        1 => "Its one post is being removed.".to_owned(),
        many => format!("Its {many} posts are being removed."),
    };
    ctx.message(
        "Retracted",
        format!("{title}\n{posts} It will not be posted again."),
    )
}

/// The story named by the argument `story`. If several match, the command is refused.
pub(super) async fn one_story(ctx: &CommandContext<'_>) -> Result<Story, CommandError> {
    let name = ctx.required("story");
    match readers::find(ctx, name).await? {
        StoryLookup::One(story) => Ok(*story),
        StoryLookup::Several(near) | StoryLookup::Near(near) => {
            let near = near
                .iter()
                .map(|story| format!("{} {}", story.id, prose::shorten(&plain(&story.title), 80)));
            refuse(format!(
                "It is unclear which story {:?} means. Give its id:\n{}",
                shortened(name),
                near.collect::<Vec<_>>().join("\n")
            ))
        }
        // `find` refuses these.
        StoryLookup::Retracted | StoryLookup::Nothing => refuse("There is no such story."),
    }
}
