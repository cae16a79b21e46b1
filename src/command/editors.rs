//! Edits of the coming issue in chat. [`publish::edit`] makes them, for the command line and the desk too.

use std::sync::Arc;

use super::context::{Answer, CommandContext, CommandError, Listing, plain_line, refuse};
use super::mutes::one_story;
use super::records::suggestion_line;
use super::wording::shortened;
use crate::chat::Audience;
use crate::config::PlatformKind;
use crate::destination::Destination;
use crate::issue::{EditKind, SectionKind, suggestion_id};
use crate::item::prose;
use crate::post::story::Tone;
use crate::post::{plain, plain_lines};
use crate::publish::Rules;
use crate::publish::edit::{
    Change, Desk, Editable, EditableLookup, Edited, Editor, NewEntry, NotEdited, Place,
    ReaderNotice, TextBase, UndoChoice, day_and_time, described, described_with_subject,
    find_place,
};
use crate::store::edits::EditRow;
use crate::store::suggestions::{self, SuggestionRow};
use crate::store::{Tx, edits};

/// The most characters of an edit in the log.
const LOG_CHARS_MAX: usize = 200;
/// The name for the last edit of all.
const LAST: &str = "last";

/// The text of an editor, with its lines. Discord sends one line only, so there `\n` starts a new one.
pub(super) fn written(ctx: &CommandContext<'_>, name: &str) -> String {
    let typed = ctx.required(name);
    match ctx.by.platform == PlatformKind::Discord && !typed.contains('\n') {
        true => plain_lines(&typed.replace("\\n", "\n")),
        false => plain_lines(typed),
    }
}

/// The editor behind the command.
pub(super) fn editor(ctx: &CommandContext<'_>) -> Editor {
    Editor::new(ctx.actor())
}

/// An edit as a story or a text gets it in chat.
struct EditCommand<'a> {
    ctx: &'a CommandContext<'a>,
    by: Editor,
    destinations: Arc<[Destination]>,
}

impl<'a> EditCommand<'a> {
    fn new(ctx: &'a CommandContext<'_>) -> EditCommand<'a> {
        EditCommand {
            ctx,
            by: editor(ctx),
            destinations: ctx.generation.ingest.destinations(),
        }
    }

    fn desk(&self) -> Desk<'_> {
        Desk {
            by: &self.by,
            destinations: &self.destinations,
            now: self.ctx.now,
        }
    }

    async fn begin(&self) -> Result<Tx, CommandError> {
        Ok(self.ctx.live.store.write().await?)
    }

    /// Makes a change, or refuses it. A text of another editor is shown with the command that replaces it.
    async fn edit(&self, subject: &Editable, change: &Change<'_>) -> Result<Edited, CommandError> {
        let mut tx = self.begin().await?;
        let edited = self.desk().edit(&mut tx, subject, change).await?;
        let edited = self.accepted(edited)?;
        tx.commit().await.map_err(anyhow::Error::from)?;
        self.ctx.live.wake();
        Ok(edited)
    }

    fn accepted<T>(&self, edited: Result<T, NotEdited>) -> Result<T, CommandError> {
        edited.map_err(|why| {
            CommandError::Refused(match why {
                NotEdited::Conflict(conflict) => format!(
                    "{conflict}\nTo replace it, give the command again with version={}. over=yes replaces any text.",
                    conflict.present.version
                ),
                NotEdited::Refused(why) => why,
            })
        })
    }

    /// A sentence about the decision of somebody else that held before.
    fn about_before(&self, edited: &Edited, id: &str) -> String {
        let other = edited.before.as_ref();
        let Some(other) = other.filter(|before| before.by != self.by.name) else {
            return String::new();
        };
        let undo = self.ctx.typed(Audience::Editors, &format!("undo {id}"));
        format!(
            "\nBefore that, {} decided on {}: {}. {undo} undoes your decision.",
            plain(&other.by),
            day_and_time(other.edit.at),
            described(other)
        )
    }
}

/// Finds the story, suggestion or free entry that the command names.
async fn subject(ctx: &CommandContext<'_>) -> Result<Editable, CommandError> {
    let name = ctx.required("story");
    let mut tx = ctx.live.store.snapshot().await?;
    let known = Editable::of_name(&mut tx, name).await?;
    tx.rollback().await;
    match known {
        EditableLookup::Known(subject) => Ok(*subject),
        EditableLookup::Missing(kind) => refuse(format!("There is no {kind} {}.", shortened(name))),
        EditableLookup::Other => {
            let story = one_story(ctx).await?;
            let mut tx = ctx.live.store.snapshot().await?;
            let subject = Editable::of_story(&mut tx, &story).await?;
            tx.rollback().await;
            Ok(subject)
        }
    }
}

fn section(ctx: &CommandContext<'_>) -> Option<SectionKind> {
    ctx.call.get("section").and_then(SectionKind::of)
}

/// The version that the editor names, or `over`.
fn base(ctx: &CommandContext<'_>) -> TextBase {
    let version = ctx.call.get("version");
    match (
        ctx.call.get("over"),
        version.and_then(|text| text.parse().ok()),
    ) {
        (Some(_), _) => TextBase::Any,
        (None, Some(version)) => TextBase::Version(version),
        (None, None) => TextBase::Unsaid,
    }
}

/// Puts a story into the issue.
pub(super) async fn pin(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let said = match section(ctx) {
        Some(section) => in_section(section),
        None => {
            "It is at the top of its section in the coming issue; a patch is among the highlights."
                .to_owned()
        }
    };
    decide(ctx, &Change::Pin(section(ctx)), said).await
}

/// Leaves a story out of the issue.
pub(super) async fn drop(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let said = "It is left out of the coming issue.".to_owned();
    decide(ctx, &Change::Drop, said).await
}

/// Moves a story to another section.
pub(super) async fn put(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    match section(ctx) {
        Some(section) => decide(ctx, &Change::Move(section), in_section(section)).await,
        None => refuse("Name the section."),
    }
}

fn in_section(section: SectionKind) -> String {
    format!("It is under “{}” in the coming issue.", section.heading())
}

/// Puts a remark under a story.
pub(super) async fn note(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let text = written(ctx, "text");
    let said = "The remark is under the story in the next issue that has it. Pin the story to put it into the coming issue.";
    let change = Change::Write(EditKind::Note, &text, base(ctx));
    decide(ctx, &change, said.to_owned()).await
}

/// Gives an entry another title.
pub(super) async fn title(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let change = Change::Write(EditKind::Title, ctx.required("text"), base(ctx));
    let said = "The next issue that has it shows this title.".to_owned();
    decide(ctx, &change, said).await
}

/// Puts an entry at a place of its section.
pub(super) async fn order(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let Some(place) = Place::of(ctx.required("place")) else {
        return refuse("A place is a number from 1, or up, or down.");
    };
    let subject = subject(ctx).await?;
    let config = &ctx.generation.effective.config;
    let found = find_place(&ctx.live.store, Rules::of(config), &subject, place, ctx.now).await?;
    let Some((section, place)) = found else {
        return refuse("The coming issue does not have it. Pin it first.");
    };
    let said = format!("It is number {place} under “{}”.", section.heading());
    decide_about(ctx, subject, &Change::Order(section, place), said).await
}

async fn decide(
    ctx: &CommandContext<'_>,
    change: &Change<'_>,
    said: String,
) -> Result<Answer, CommandError> {
    decide_about(ctx, subject(ctx).await?, change, said).await
}

async fn decide_about(
    ctx: &CommandContext<'_>,
    subject: Editable,
    change: &Change<'_>,
    mut said: String,
) -> Result<Answer, CommandError> {
    let command = EditCommand::new(ctx);
    let edited = command.edit(&subject, change).await?;
    said.push_str(&command.about_before(&edited, &subject.id));
    ctx.message(subject.title, said)
}

/// Sets the introduction. The answer shows the one that it replaces. If somebody else wrote that one, maintainers are
/// notified.
pub(super) async fn intro(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let text = written(ctx, "text");
    let command = EditCommand::new(ctx);
    let change = Change::Write(EditKind::Intro, &text, base(ctx));
    let edited = command.edit(&Editable::intro(), &change).await?;
    let mut said = format!(
        "The coming issue starts with it. It is version {}; a new introduction replaces it.",
        edited.id
    );
    if let Some(before) = edited.before.filter(|before| before.edit.text != text) {
        let whose = match before.by == command.by.name {
            true => "yours".to_owned(),
            false => format!("that of {}", plain(&before.by)),
        };
        let undo = ctx.typed(Audience::Editors, "undo");
        said.push_str(&format!(
            "\nIt replaces {whose} on {}, which {undo} restores:\n{}",
            day_and_time(before.edit.at),
            before.edit.text
        ));
    }
    ctx.message("The introduction is saved", said)
}

/// Adds a free entry.
pub(super) async fn add(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let command = EditCommand::new(ctx);
    let text = written(ctx, "text");
    let new = NewEntry {
        title: ctx.required("title"),
        text: &text,
        link: ctx.call.get("link"),
        section: section(ctx),
        picture: None,
    };
    let mut tx = command.begin().await?;
    let added = command.desk().add(&mut tx, &new).await?;
    let (_, subject) = command.accepted(added)?;
    tx.commit().await.map_err(anyhow::Error::from)?;
    let id = &subject.id;
    ctx.message(
        subject.title.clone(),
        format!(
            "It is in the coming issue as {id}. The commands note, title, move, order and undo take this id. A picture can be \
             added on the desk: {}",
            ctx.typed(Audience::Editors, "desk")
        ),
    )
}

/// Undoes the last edit of a story, of the introduction, or of all. The edit before it holds again.
pub(super) async fn undo(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let subject = match ctx.call.get("story") {
        Some(LAST) => None,
        Some(_) => Some(subject(ctx).await?),
        None => Some(Editable::intro()),
    };
    let target = subject.as_ref().map_or(UndoChoice::Last, UndoChoice::Of);
    let command = EditCommand::new(ctx);
    let mut tx = command.begin().await?;
    let undone = command.desk().undo(&mut tx, target).await?;
    let undone = command.accepted(undone)?;
    tx.commit().await.map_err(anyhow::Error::from)?;
    ctx.live.wake();
    let mut said = format!("Undone: {}", described(&undone.edit));
    said.push_str(&match undone.holds {
        Some(before) => format!(
            "\nThe decision of {} on {} holds again: {}",
            plain(&before.by),
            day_and_time(before.edit.at),
            described(&before)
        ),
        None => "\nThere is no earlier decision.".to_owned(),
    });
    let title = subject.map_or_else(|| "The last edit".to_owned(), |subject| subject.title);
    ctx.message(title, said)
}

/// Lists the edits of the coming issue, or of a published one, the newest first.
pub(super) async fn log(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let issue: Option<i64> = ctx.call.get("issue").and_then(|text| text.parse().ok());
    let mut tx = ctx.live.store.snapshot().await?;
    let rows = edits::edits_of_issue(&mut tx, issue).await?;
    tx.rollback().await;
    let line = |row: &EditRow| {
        let at = row.edit.at.format("%-d %b %H:%M");
        let mut what = format!("{} {at}", row.edit.id);
        if row.undone.is_some() {
            what.push_str(" undone");
        }
        let said = format!(
            "{}: {}",
            plain(&row.by),
            plain(&described_with_subject(row))
        );
        plain_line(what, prose::shorten(&said, LOG_CHARS_MAX), Tone::Reading)
    };
    Ok(Answer::List(Listing {
        title: match issue {
            Some(number) => format!("Edits of issue {number}, the newest first"),
            None => "Edits of the coming issue, the newest first".to_owned(),
        },
        lines: rows.iter().rev().map(line).collect(),
        nothing: "There are none.",
    }))
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
    let title = ctx.call.get("title").unwrap_or_default();
    judge(
        ctx,
        &Change::Accept(title, section(ctx)),
        "accepted for the coming issue",
    )
    .await
}

/// Declines a suggestion.
pub(super) async fn decline(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    judge(ctx, &Change::Decline, "declined").await
}

async fn judge(
    ctx: &CommandContext<'_>,
    change: &Change<'_>,
    word: &str,
) -> Result<Answer, CommandError> {
    let number: i64 = ctx.required("number").parse().unwrap_or_default();
    let mut tx = ctx.live.store.snapshot().await?;
    let known = Editable::of_name(&mut tx, &suggestion_id(number)).await?;
    tx.rollback().await;
    let EditableLookup::Known(subject) = known else {
        return refuse(format!("There is no suggestion {number}."));
    };
    let command = EditCommand::new(ctx);
    let edited = command.edit(&subject, change).await?;
    let mut said = format!("{} is {word}.", shortened(&subject.title));
    if let Some(news) = edited.reader {
        said.push_str(&post_to_reader(ctx, news).await);
    }
    ctx.message(format!("Suggestion {number}"), said)
}

/// Sends the announcement at once, to a room that is no configured channel. Returns a note for the editor if that
/// failed.
async fn post_to_reader(ctx: &CommandContext<'_>, news: ReaderNotice) -> String {
    let posted = ctx
        .live
        .post_to_room(&news.platform, &news.room, news.content);
    match posted.await {
        Ok(()) => String::new(),
        Err(why) => format!("\nThe reader could not be notified: {}", plain(&why)),
    }
}
