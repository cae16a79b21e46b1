//! What editors decide of the coming issue. Every decision hangs on an item of its story, is recorded with who made it, and
//! holds until the issue is out.

use chrono::DateTime;

use super::answer::{Answer, Ask, Listing, Told, Trouble, mistake};
use super::feeds::who;
use super::grammar::Audience;
use super::mutes::meant;
use super::readers::shortened;
use super::records::suggestion_line;
use crate::config::PlatformKind;
use crate::desk;
use crate::ingest;
use crate::issue::prose::{INTRO_CHARS_MAX, NOTE_CHARS_MAX};
use crate::issue::{EditKind, SectionKind};
use crate::item::prose;
use crate::post::story::{Content, Suggestion};
use crate::post::{plain, plain_lines};
use crate::store::edits::{self, EditRow, NewEdit};
use crate::store::outbox;
use crate::store::suggestions::{self, SuggestionRow, SuggestionState, SuggestionVerdict};
use crate::store::{Tx, audit, stories};

/// The longest title that an editor gives.
const TITLE_CHARS_MAX: usize = 200;

/// Has a story in the issue.
pub(super) async fn pin(ask: &Ask<'_>) -> Told {
    decide(ask, EditKind::Pin, "").await
}

/// Leaves a story out.
pub(super) async fn drop(ask: &Ask<'_>) -> Told {
    decide(ask, EditKind::Drop, "").await
}

/// Moves a story to another section.
pub(super) async fn put(ask: &Ask<'_>) -> Told {
    decide(ask, EditKind::Move, "").await
}

/// Puts a remark under a story.
pub(super) async fn note(ask: &Ask<'_>) -> Told {
    let text = written(ask, NOTE_CHARS_MAX)?;
    decide(ask, EditKind::Note, &text).await
}

/// What an editor wrote, line by line. Discord hands over one line, so there `\n` begins a new one.
pub(super) fn written(ask: &Ask<'_>, most: usize) -> Result<String, Trouble> {
    let typed = ask.needed("text");
    let text = match ask.platform() == Some(PlatformKind::Discord) && !typed.contains('\n') {
        true => plain_lines(&typed.replace("\\n", "\n")),
        false => plain_lines(typed),
    };
    match text.chars().count() {
        many if many > most => mistake(format!("{most} characters are the most; that has {many}.")),
        _ => Ok(text),
    }
}

async fn decide(ask: &Ask<'_>, kind: EditKind, text: &str) -> Told {
    let story = meant(ask).await?;
    let title = plain(&story.title);
    let section = ask.call.get("section").and_then(SectionKind::of);
    let by = who(ask);
    let mut tx = ask.live.store.write().await?;
    let items = stories::items_of_story(&mut tx, &story.id).await?;
    let before = edits::last_edit(&mut tx, Some(&items)).await?;
    let new = NewEdit {
        kind,
        item: items.first().copied(),
        section,
        text,
        by: &by,
    };
    edits::add_edit(&mut tx, &new, ask.now).await?;
    let to = section.map_or_else(String::new, |section| format!(" to {}", section.word()));
    let what = format!("issue: {}{to} {}: {title}", kind.word(), story.id);
    audit::record(&mut tx, &ask.hand(), &recorded(what, text), ask.now).await?;
    tx.commit().await.map_err(anyhow::Error::from)?;
    let mut said = match (kind, section) {
        (EditKind::Pin, None) => "It is in the coming issue, at the top of its section; a patch is among the highlights.".to_owned(),
        (EditKind::Pin | EditKind::Move, Some(section)) => {
            format!(
                "It stands under “{}” in the coming issue.",
                section.heading()
            )
        }
        (EditKind::Drop, _) => "It is left out of the coming issue.".to_owned(),
        (EditKind::Note, _) => "The remark stands under it in the issue that has the story next; pin it to have it in the coming one.".to_owned(),
        (EditKind::Move, None) | (EditKind::Intro, _) => "Kept.".to_owned(),
    };
    if let Some(other) = before.filter(|before| before.by != by) {
        let undo = ask.typed(Audience::Editors, &format!("undo {}", story.id));
        said.push_str(&format!(
            "\nBefore, {} decided {}: {}. {undo} takes yours back.",
            plain(&other.by),
            day_and_time(other.at),
            described(&other)
        ));
    }
    ask.says(title, said)
}

/// What the audit says of a decision, with what was written.
pub(super) fn recorded(what: String, text: &str) -> String {
    match text.is_empty() {
        true => what,
        false => format!("{what}: {text}"),
    }
}

/// A decision in words.
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

/// Says what the issue begins with. What it takes the place of is shown, and can be had back; where somebody else wrote
/// that, the others hear of it.
pub(super) async fn intro(ask: &Ask<'_>) -> Told {
    let text = written(ask, INTRO_CHARS_MAX)?;
    let by = who(ask);
    let mut tx = ask.live.store.write().await?;
    let before = edits::last_edit(&mut tx, None).await?;
    let new = NewEdit {
        kind: EditKind::Intro,
        item: None,
        section: None,
        text: &text,
        by: &by,
    };
    edits::add_edit(&mut tx, &new, ask.now).await?;
    let what = recorded("issue: wrote the introduction".to_owned(), &text);
    audit::record(&mut tx, &ask.hand(), &what, ask.now).await?;
    let mut said = "The coming issue begins with it; another one takes its place.".to_owned();
    if let Some(before) = before.filter(|before| before.text != text) {
        let whose = match before.by == by {
            true => "yours",
            false => &format!("what {} wrote", plain(&before.by)),
        };
        let undo = ask.typed(Audience::Editors, "undo");
        let replaced = format!(
            "{whose} {}, which {undo} brings back:\n{}",
            day_and_time(before.at),
            before.text
        );
        said.push_str(&format!("\nIt takes the place of {replaced}"));
        if before.by != by {
            let desks = ask.generation.ingest.desks();
            let title = format!("{} changed the introduction", plain(&by));
            let told = format!("It took the place of {replaced}");
            desk::tell_maintainers(&mut tx, &desks, &title, &told, ask.now).await?;
        }
    }
    tx.commit().await.map_err(anyhow::Error::from)?;
    ask.live.wake();
    ask.says("The introduction is kept", said)
}

/// Takes back the last decision of a story, or the last introduction: one step, so that what was before holds again.
pub(super) async fn undo(ask: &Ask<'_>) -> Told {
    let (shown, id) = match ask.call.get("story") {
        Some(_) => {
            let story = meant(ask).await?;
            (plain(&story.title), Some(story.id))
        }
        None => ("The introduction".to_owned(), None),
    };
    let mut tx = ask.live.store.write().await?;
    let items = match &id {
        Some(id) => Some(stories::items_of_story(&mut tx, id).await?),
        None => None,
    };
    let Some(last) = edits::last_edit(&mut tx, items.as_deref()).await? else {
        return mistake("Nothing was decided there.");
    };
    edits::forget_edit(&mut tx, last.id).await?;
    let before = edits::last_edit(&mut tx, items.as_deref()).await?;
    let what = format!(
        "issue: took back what {} decided of {shown}: {}",
        last.by,
        described(&last)
    );
    audit::record(&mut tx, &ask.hand(), &what, ask.now).await?;
    tx.commit().await.map_err(anyhow::Error::from)?;
    let mut said = format!("This is taken back: {}", described(&last));
    said.push_str(&match before {
        Some(before) => format!(
            "\nNow holds what {} decided {}: {}",
            plain(&before.by),
            day_and_time(before.at),
            described(&before)
        ),
        None => "\nNothing else was decided of it.".to_owned(),
    });
    ask.says(shown, said)
}

/// What readers suggested and nobody has decided.
pub(super) async fn suggestions(ask: &Ask<'_>) -> Told {
    let rows = suggestions::open_suggestions(ask.live.store.read(), suggestions::OPEN_MAX).await?;
    let line = |row: &SuggestionRow| suggestion_line(row, &row.id.to_string());
    Ok(Answer::Lists(Listing {
        title: format!(
            "Suggestions; decide with {} or decline",
            ask.typed(Audience::Editors, "accept NUMBER")
        ),
        lines: rows.iter().map(line).collect(),
        nothing: "Nothing waits to be decided.",
    }))
}

/// Takes a suggestion.
pub(super) async fn accept(ask: &Ask<'_>) -> Told {
    let title = prose::shorten(
        &plain(ask.call.get("title").unwrap_or_default()),
        TITLE_CHARS_MAX,
    );
    let verdict = SuggestionVerdict::Accepted {
        title: &title,
        section: ask.call.get("section"),
    };
    judge(ask, verdict).await
}

/// Does not.
pub(super) async fn decline(ask: &Ask<'_>) -> Told {
    judge(ask, SuggestionVerdict::Declined).await
}

async fn judge(ask: &Ask<'_>, verdict: SuggestionVerdict<'_>) -> Told {
    let number: i64 = ask.needed("number").parse().unwrap_or_default();
    let (word, state) = match verdict {
        SuggestionVerdict::Accepted { .. } => ("accepted for the coming issue", "accepted"),
        SuggestionVerdict::Declined => ("declined", "declined"),
    };
    let by = who(ask);
    let mut tx = ask.live.store.write().await?;
    let was = suggestions::decide_suggestion(&mut tx, number, verdict, &by, ask.now).await?;
    let Some(was) = was else {
        return mistake(format!("There is no suggestion {number}."));
    };
    if let Some(issue) = was.issue {
        return mistake(format!("It was decided, and is in issue {issue}."));
    }
    let what = format!("issue: {state} suggestion {number}: {}", was.shown);
    audit::record(&mut tx, &ask.hand(), &what, ask.now).await?;
    let told = Suggestion {
        number,
        link: was.shown.clone(),
        note: was.note.clone(),
        known: String::new(),
        decided: format!("{state} by {}", ask.by.person),
        mark: format!("suggestion-{number}"),
    };
    for post in suggestions::posts_of(&mut tx, number).await? {
        let told = Content::Suggestion(told.clone());
        ingest::restate(&mut tx, post, told, ask.now).await?;
    }
    // One that decides it anew need not be told twice. What was declined is not spread in public: it may be spam.
    let is_news = was.state != SuggestionState::Accepted
        && matches!(verdict, SuggestionVerdict::Accepted { .. });
    let is_owed = is_news && owe_reader(&mut tx, ask, &was, word).await?;
    tx.commit().await.map_err(anyhow::Error::from)?;
    ask.live.wake();
    let mut said = format!("{} is {word}.", shortened(&was.shown));
    if is_news && !is_owed {
        said.push_str(&tell_reader(ask, &was, word).await);
    }
    ask.says(format!("Suggestion {number}"), said)
}

/// What a reader is told of what they suggested. It names nobody: it is said where all may read it.
fn outcome(was: &SuggestionRow, word: &str) -> Content {
    Content::Notice {
        title: format!("A suggestion from here was {word}"),
        text: plain(&was.shown),
        mark: format!("suggestion-{}-told", was.id),
    }
}

/// Owes the room that a suggestion came from what became of it, where that room is a channel of ours.
async fn owe_reader(
    tx: &mut Tx,
    ask: &Ask<'_>,
    was: &SuggestionRow,
    word: &str,
) -> anyhow::Result<bool> {
    let desks = ask.generation.ingest.desks();
    let desk = desks.iter().find(|desk| {
        desk.row.platform == was.platform
            && desk.row.address == was.room
            && !desk.config.maintainers
    });
    let Some(desk) = desk else {
        return Ok(false);
    };
    let quiet = desk.config.quiet;
    let due_at = quiet.map_or(ask.now, |quiet| quiet.end_after(ask.now));
    outbox::post_apart(tx, desk.row.id, &outcome(was, word), due_at, ask.now).await?;
    Ok(true)
}

/// Tells a room that is no channel of ours, at once; says to the editor where that failed.
async fn tell_reader(ask: &Ask<'_>, was: &SuggestionRow, word: &str) -> String {
    let mut all = PlatformKind::ALL.into_iter();
    let platform = all.find(|platform| platform.word() == was.platform);
    let Some(platform) = platform.filter(|_| !was.room.is_empty()) else {
        return "\nIts reader could not be told: it is not known where it was suggested."
            .to_owned();
    };
    let told = ask
        .live
        .post_once(platform, &was.room, outcome(was, word))
        .await;
    match told {
        Ok(()) => String::new(),
        Err(why) => format!("\nIts reader could not be told: {}.", plain(&why.0)),
    }
}
