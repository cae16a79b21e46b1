//! Decisions of editors about the coming issue. Each refers to an item of its story, is recorded with its author, and
//! holds until the issue is published.

use chrono::DateTime;

use super::context::{Answer, CommandContext, CommandError, Listing, refuse};
use super::mutes::one_story;
use super::records::suggestion_line;
use super::wording::{requester_name, shortened};
use crate::chat::Audience;
use crate::config::PlatformKind;
use crate::destination;
use crate::issue::prose::{INTRO_CHARS_MAX, NOTE_CHARS_MAX};
use crate::issue::{EditKind, SectionKind};
use crate::item::prose;
use crate::plan::replace_content;
use crate::post::story::{Content, Suggestion};
use crate::post::{plain, plain_lines};
use crate::store::edits::{self, EditRow, NewEdit};
use crate::store::outbox;
use crate::store::suggestions::{self, SuggestionRow, SuggestionState, SuggestionVerdict};
use crate::store::{Tx, audit, stories};

const TITLE_CHARS_MAX: usize = 200;

/// Puts a story into the issue.
pub(super) async fn pin(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    decide(ctx, EditKind::Pin, "").await
}

/// Leaves a story out of the issue.
pub(super) async fn drop(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    decide(ctx, EditKind::Drop, "").await
}

/// Moves a story to another section.
pub(super) async fn put(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    decide(ctx, EditKind::Move, "").await
}

/// Puts a remark under a story.
pub(super) async fn note(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let text = written(ctx, NOTE_CHARS_MAX)?;
    decide(ctx, EditKind::Note, &text).await
}

/// The text of an editor, with its lines. Discord sends one line only, so there `\n` starts a new one.
pub(super) fn written(ctx: &CommandContext<'_>, most: usize) -> Result<String, CommandError> {
    let typed = ctx.required("text");
    let text = match ctx.by.platform == PlatformKind::Discord && !typed.contains('\n') {
        true => plain_lines(&typed.replace("\\n", "\n")),
        false => plain_lines(typed),
    };
    match text.chars().count() {
        many if many > most => refuse(format!(
            "The text has {many} characters; the limit is {most}."
        )),
        _ => Ok(text),
    }
}

async fn decide(
    ctx: &CommandContext<'_>,
    kind: EditKind,
    text: &str,
) -> Result<Answer, CommandError> {
    let story = one_story(ctx).await?;
    let title = plain(&story.title);
    let section = ctx.call.get("section").and_then(SectionKind::of);
    let by = requester_name(ctx);
    let mut tx = ctx.live.store.write().await?;
    let items = stories::items_of_story(&mut tx, &story.id).await?;
    let before = edits::last_edit(&mut tx, Some(&items)).await?;
    let new = NewEdit {
        kind,
        item: items.first().copied(),
        section,
        text,
        by: &by,
    };
    edits::add_edit(&mut tx, &new, ctx.now).await?;
    let to = section.map_or_else(String::new, |section| format!(" to {}", section.word()));
    let what = format!("issue: {}{to} {}: {title}", kind.word(), story.id);
    ctx.commit(tx, &recorded(what, text)).await?;
    let mut said = match (kind, section) {
        (EditKind::Pin, None) => "It is at the top of its section in the coming issue; a patch is among the highlights.".to_owned(),
        (EditKind::Pin | EditKind::Move, Some(section)) => {
            format!(
                "It is under “{}” in the coming issue.",
                section.heading()
            )
        }
        (EditKind::Drop, _) => "It is left out of the coming issue.".to_owned(),
        (EditKind::Note, _) => "The remark is under the story in the next issue that has it. Pin the story to put it into the coming issue.".to_owned(),
        (EditKind::Move, None) | (EditKind::Intro, _) => "Saved.".to_owned(),
    };
    if let Some(other) = before.filter(|before| before.by != by) {
        let undo = ctx.typed(Audience::Editors, &format!("undo {}", story.id));
        said.push_str(&format!(
            "\nBefore that, {} decided {}: {}. {undo} undoes your decision.",
            plain(&other.by),
            day_and_time(other.at),
            described(&other)
        ));
    }
    ctx.message(title, said)
}

/// The audit entry of a decision, with the text of the editor.
pub(super) fn recorded(what: String, text: &str) -> String {
    match text.is_empty() {
        true => what,
        false => format!("{what}: {text}"),
    }
}

fn described(edit: &EditRow) -> String {
    let to = edit
        .section
        .map_or_else(String::new, |section| format!(" to {}", section.word()));
    recorded(format!("{}{to}", edit.kind.word()), &edit.text)
}

fn day_and_time(at: i64) -> String {
    let at = DateTime::from_timestamp(at, 0).unwrap_or_default();
    at.format("on %-d %B at %H:%M UTC").to_string()
}

/// Sets the introduction. The answer shows the one that it replaces. If somebody else wrote that one, maintainers are
/// notified.
pub(super) async fn intro(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let text = written(ctx, INTRO_CHARS_MAX)?;
    let by = requester_name(ctx);
    let mut tx = ctx.live.store.write().await?;
    let before = edits::last_edit(&mut tx, None).await?;
    let new = NewEdit {
        kind: EditKind::Intro,
        item: None,
        section: None,
        text: &text,
        by: &by,
    };
    edits::add_edit(&mut tx, &new, ctx.now).await?;
    let what = recorded("issue: wrote the introduction".to_owned(), &text);
    audit::record(&mut tx, &ctx.actor(), &what, ctx.now).await?;
    let mut said = "The coming issue starts with it. A new introduction replaces it.".to_owned();
    if let Some(before) = before.filter(|before| before.text != text) {
        let whose = match before.by == by {
            true => "yours",
            false => &format!("that of {}", plain(&before.by)),
        };
        let undo = ctx.typed(Audience::Editors, "undo");
        let replaced = format!(
            "{whose} {}, which {undo} restores:\n{}",
            day_and_time(before.at),
            before.text
        );
        said.push_str(&format!("\nIt replaces {replaced}"));
        if before.by != by {
            let destinations = ctx.generation.ingest.destinations();
            let title = format!("{} changed the introduction", plain(&by));
            let text = format!("It replaced {replaced}");
            destination::notify_maintainers(&mut tx, &destinations, &title, &text, ctx.now).await?;
        }
    }
    tx.commit().await.map_err(anyhow::Error::from)?;
    ctx.live.wake();
    ctx.message("The introduction is saved", said)
}

/// Undoes the last decision about a story, or the last introduction. The decision before it holds again.
pub(super) async fn undo(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let (shown, id) = match ctx.call.get("story") {
        Some(_) => {
            let story = one_story(ctx).await?;
            (plain(&story.title), Some(story.id))
        }
        None => ("The introduction".to_owned(), None),
    };
    let mut tx = ctx.live.store.write().await?;
    let items = match &id {
        Some(id) => Some(stories::items_of_story(&mut tx, id).await?),
        None => None,
    };
    let Some(last) = edits::last_edit(&mut tx, items.as_deref()).await? else {
        return refuse("There is no decision to undo.");
    };
    edits::forget_edit(&mut tx, last.id).await?;
    let before = edits::last_edit(&mut tx, items.as_deref()).await?;
    let what = format!(
        "issue: undid the decision of {} about {shown}: {}",
        last.by,
        described(&last)
    );
    ctx.commit(tx, &what).await?;
    let mut said = format!("Undone: {}", described(&last));
    said.push_str(&match before {
        Some(before) => format!(
            "\nThe decision of {} {} holds again: {}",
            plain(&before.by),
            day_and_time(before.at),
            described(&before)
        ),
        None => "\nThere is no earlier decision.".to_owned(),
    });
    ctx.message(shown, said)
}

/// Lists the suggestions of readers that no editor decided yet.
pub(super) async fn suggestions(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let rows = suggestions::open_suggestions(ctx.live.store.read(), suggestions::OPEN_MAX).await?;
    let line = |row: &SuggestionRow| suggestion_line(row, &row.id.to_string());
    Ok(Answer::List(Listing {
        title: format!(
            "Suggestions; decide with {} or decline",
            ctx.typed(Audience::Editors, "accept NUMBER")
        ),
        lines: rows.iter().map(line).collect(),
        nothing: "No suggestion waits for a decision.",
    }))
}

/// Accepts a suggestion.
pub(super) async fn accept(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let title = prose::shorten(
        &plain(ctx.call.get("title").unwrap_or_default()),
        TITLE_CHARS_MAX,
    );
    let verdict = SuggestionVerdict::Accepted {
        title: &title,
        section: ctx.call.get("section"),
    };
    judge(ctx, verdict).await
}

/// Declines a suggestion.
pub(super) async fn decline(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    judge(ctx, SuggestionVerdict::Declined).await
}

async fn judge(
    ctx: &CommandContext<'_>,
    verdict: SuggestionVerdict<'_>,
) -> Result<Answer, CommandError> {
    let number: i64 = ctx.required("number").parse().unwrap_or_default();
    let (word, state) = match verdict {
        SuggestionVerdict::Accepted { .. } => ("accepted for the coming issue", "accepted"),
        SuggestionVerdict::Declined => ("declined", "declined"),
    };
    let by = requester_name(ctx);
    let mut tx = ctx.live.store.write().await?;
    let was = suggestions::decide_suggestion(&mut tx, number, verdict, &by, ctx.now).await?;
    let Some(was) = was else {
        return refuse(format!("There is no suggestion {number}."));
    };
    if let Some(issue) = was.issue {
        return refuse(format!("It cannot be changed: it is in issue {issue}."));
    }
    let what = format!("issue: {state} suggestion {number}: {}", was.shown);
    audit::record(&mut tx, &ctx.actor(), &what, ctx.now).await?;
    let decided = Suggestion {
        number,
        link: was.shown.clone(),
        note: was.note.clone(),
        known: String::new(),
        decided: format!("{state} by {}", ctx.by.person),
        mark: format!("suggestion-{number}"),
    };
    for post in suggestions::posts_of(&mut tx, number).await? {
        let content = Content::Suggestion(decided.clone());
        replace_content(&mut tx, post, content, ctx.now).await?;
    }
    // Announced once, and only if accepted: a declined suggestion may be spam.
    let is_news = was.state != SuggestionState::Accepted
        && matches!(verdict, SuggestionVerdict::Accepted { .. });
    let is_queued = is_news && queue_for_reader(&mut tx, ctx, &was, word).await?;
    tx.commit().await.map_err(anyhow::Error::from)?;
    ctx.live.wake();
    let mut said = format!("{} is {word}.", shortened(&was.shown));
    if is_news && !is_queued {
        said.push_str(&post_to_reader(ctx, &was, word).await);
    }
    ctx.message(format!("Suggestion {number}"), said)
}

/// The announcement of a decision, for the room of the suggestion. Everybody there reads it, so it names nobody.
fn outcome(was: &SuggestionRow, word: &str) -> Content {
    Content::Notice {
        title: format!("A suggestion from here was {word}"),
        text: plain(&was.shown),
        mark: format!("suggestion-{}-told", was.id),
    }
}

/// Queues the announcement if the suggestion came from a configured channel. Returns whether it did.
async fn queue_for_reader(
    tx: &mut Tx,
    ctx: &CommandContext<'_>,
    was: &SuggestionRow,
    word: &str,
) -> anyhow::Result<bool> {
    let destinations = ctx.generation.ingest.destinations();
    let destination = destinations.iter().find(|destination| {
        destination.row.platform == was.platform
            && destination.row.address == was.room
            && !destination.config.maintainers
    });
    let Some(destination) = destination else {
        return Ok(false);
    };
    let quiet = destination.config.quiet;
    let due_at = quiet.map_or(ctx.now, |quiet| quiet.end_after(ctx.now));
    outbox::open_and_queue(tx, destination.row.id, &outcome(was, word), due_at, ctx.now).await?;
    Ok(true)
}

/// Sends the announcement at once, to a room that is no configured channel. Returns a note for the editor if that
/// failed.
async fn post_to_reader(ctx: &CommandContext<'_>, was: &SuggestionRow, word: &str) -> String {
    let platform = PlatformKind::of(&was.platform);
    let Some(platform) = platform.filter(|_| !was.room.is_empty()) else {
        return "\nThe reader could not be notified: the place of the suggestion is unknown."
            .to_owned();
    };
    let posted = ctx
        .generation
        .delivery_loop
        .post_once(platform, &was.room, outcome(was, word))
        .await;
    match posted {
        Ok(()) => String::new(),
        Err(why) => format!("\nThe reader could not be notified: {}.", plain(&why.0)),
    }
}
