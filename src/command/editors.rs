//! What editors decide of the coming issue. Every decision hangs on an item of its story, is recorded with who made it, and
//! holds until the issue is out.

use super::answer::{Answer, Ask, Listing, Told, Trouble, mistake};
use super::feeds::who;
use super::grammar::Audience;
use super::mutes::meant;
use super::readers::shortened;
use super::records::suggestion_line;
use crate::config::PlatformKind;
use crate::ingest;
use crate::issue::prose::{INTRO_CHARS_MAX, NOTE_CHARS_MAX};
use crate::issue::{EditKind, SectionKind};
use crate::item::prose;
use crate::post::story::{Content, Suggestion};
use crate::post::{plain, plain_lines};
use crate::publish::{self, Rules, files};
use crate::store::issues::{self, NewEdit};
use crate::store::outbox;
use crate::store::suggestions::{self, SuggestionRow, Verdict};
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

/// What an editor wrote.
fn written(ask: &Ask<'_>, most: usize) -> Result<String, Trouble> {
    let text = plain_lines(ask.needed("text"));
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
    let new = NewEdit {
        kind,
        item: items.first().copied(),
        section,
        text,
        by: &by,
    };
    issues::add_edit(&mut tx, &new, ask.now).await?;
    let to = section.map_or_else(String::new, |section| format!(" to {}", section.word()));
    let what = format!("issue: {}{to} {}: {title}", kind.word(), story.id);
    audit::record(&mut tx, &ask.hand(), &what, ask.now).await?;
    tx.commit().await.map_err(anyhow::Error::from)?;
    let said = match (kind, section) {
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
    ask.says(title, said)
}

/// Says what the issue begins with.
pub(super) async fn intro(ask: &Ask<'_>) -> Told {
    let text = written(ask, INTRO_CHARS_MAX)?;
    let by = who(ask);
    let mut tx = ask.live.store.write().await?;
    let new = NewEdit {
        kind: EditKind::Intro,
        item: None,
        section: None,
        text: &text,
        by: &by,
    };
    issues::add_edit(&mut tx, &new, ask.now).await?;
    audit::record(
        &mut tx,
        &ask.hand(),
        "issue: wrote the introduction",
        ask.now,
    )
    .await?;
    tx.commit().await.map_err(anyhow::Error::from)?;
    ask.says(
        "The introduction is kept",
        "The coming issue begins with it; another one takes its place.",
    )
}

/// Takes back what was decided of a story, or the introduction.
pub(super) async fn undo(ask: &Ask<'_>) -> Told {
    let (shown, id) = match ask.call.get("story") {
        Some(_) => {
            let story = meant(ask).await?;
            (plain(&story.title), Some(story.id))
        }
        None => ("The introduction".to_owned(), None),
    };
    let mut tx = ask.live.store.write().await?;
    let gone = match &id {
        Some(id) => {
            let items = stories::items_of_story(&mut tx, id).await?;
            issues::forget_edits(&mut tx, Some(&items)).await?
        }
        None => issues::forget_edits(&mut tx, None).await?,
    };
    if gone == 0 {
        return mistake("Nothing was decided there.");
    }
    let what = format!("issue: took back what was decided: {shown}");
    audit::record(&mut tx, &ask.hand(), &what, ask.now).await?;
    tx.commit().await.map_err(anyhow::Error::from)?;
    ask.says(shown, "What was decided of it is taken back.")
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
    let verdict = Verdict::Accepted {
        title: &title,
        section: ask.call.get("section"),
    };
    judge(ask, verdict).await
}

/// Does not.
pub(super) async fn decline(ask: &Ask<'_>) -> Told {
    judge(ask, Verdict::Declined).await
}

async fn judge(ask: &Ask<'_>, verdict: Verdict<'_>) -> Told {
    let number: i64 = ask.needed("number").parse().unwrap_or_default();
    let (word, state) = match verdict {
        Verdict::Accepted { .. } => ("accepted for the coming issue", "accepted"),
        Verdict::Declined => ("declined", "declined"),
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
    let is_news = was.state != state && matches!(verdict, Verdict::Accepted { .. });
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

/// Publishes the coming issue.
pub(super) async fn publish(ask: &Ask<'_>) -> Told {
    let number: u32 = ask.needed("number").parse().unwrap_or_default();
    let rules = Rules::of(&ask.generation.effective.config);
    let mut tx = ask.live.store.write().await?;
    let desks = ask.generation.ingest.desks();
    let out = publish::publish(&mut tx, &desks, rules, number, None, &who(ask), ask.now).await?;
    let issue = match out {
        Ok(issue) => issue,
        Err(why) => return mistake(format!("It was not published: {why}.")),
    };
    audit::record(
        &mut tx,
        &ask.hand(),
        &format!("published issue {number}"),
        ask.now,
    )
    .await?;
    tx.commit().await.map_err(anyhow::Error::from)?;
    ask.live.wake();
    files::write(&ask.live.store, rules).await;
    let channels = desks.iter().filter(|desk| desk.config.issues).count();
    let channels = match channels {
        0 => "No channel takes issues (issues = true).".to_owned(),
        1 => "It is on its way to one channel.".to_owned(),
        many => format!("It is on its way to {many} channels."),
    };
    ask.says(format!("{} is out", issue.title()), channels)
}

/// Adds a correction to an issue that is out.
pub(super) async fn correct(ask: &Ask<'_>) -> Told {
    let number: i64 = ask.needed("number").parse().unwrap_or_default();
    let text = written(ask, NOTE_CHARS_MAX)?;
    let rules = Rules::of(&ask.generation.effective.config);
    let mut tx = ask.live.store.write().await?;
    if issues::issue((&mut tx).into(), number).await?.is_none() {
        return mistake(format!("Issue {number} is not out."));
    }
    issues::add_correction(&mut tx, number, &text, &who(ask), ask.now).await?;
    audit::record(
        &mut tx,
        &ask.hand(),
        &format!("corrected issue {number}"),
        ask.now,
    )
    .await?;
    tx.commit().await.map_err(anyhow::Error::from)?;
    files::write(&ask.live.store, rules).await;
    ask.says(
        format!("Issue {number} is corrected"),
        "The note stands at its top, marked; the issue itself is as it was.",
    )
}
