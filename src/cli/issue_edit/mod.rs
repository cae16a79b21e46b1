//! `issue edit`: the edits that editors make in chat and on the desk, from the command line. They work beside a running bpfnews.

mod args;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

pub(super) use self::args::EditArgs;
use self::args::{EditSubcommand, TextArgs, read_picture, read_text};
use super::issue_draft;
use super::opening::open;
use super::operator::hand;
use crate::config::Config;
use crate::destination::Destination;
use crate::ingest::Ingest;
use crate::issue::{EditKind, SectionKind, suggestion_id};
use crate::post::plain;
use crate::publish::edit::{
    Change, Desk, Editable, EditableLookup, Edited, Editor, NewEntry, NotEdited, Place, UndoChoice,
    day_and_time, described, described_with_subject, find_place,
};
use crate::publish::{Rules, files};
use crate::store::edits::{self, EditRow};
use crate::store::stories::{self, NamedStory, StoryLookup};

/// The database and the editor of a command.
struct EditWork {
    config: Config,
    ingest: Arc<Ingest>,
    destinations: Arc<[Destination]>,
    by: Editor,
    now: DateTime<Utc>,
    is_json: bool,
}

/// Carries out an edit.
pub(super) async fn edit(path: &Path, args: &EditArgs) -> anyhow::Result<ExitCode> {
    let (config, ingest) = open(path).await?;
    let mut actor = hand();
    actor.person = plain(&args.name);
    let run = EditWork {
        destinations: ingest.destinations(),
        config,
        ingest,
        by: Editor::new(actor),
        now: Utc::now(),
        is_json: args.json,
    };
    run.carry_out(&args.command).await?;
    Ok(ExitCode::SUCCESS)
}

impl EditWork {
    async fn carry_out(&self, command: &EditSubcommand) -> anyhow::Result<()> {
        match command {
            EditSubcommand::Draft => {
                let rules = Rules::of(&self.config);
                issue_draft::print(&self.ingest.store, rules, self.now, self.is_json).await
            }
            EditSubcommand::Intro(text) => {
                let (written, base) = (text.read()?, text.base.base());
                let change = Change::Write(EditKind::Intro, &written, base);
                self.change(&Editable::intro(), &change).await
            }
            EditSubcommand::Pin { entry, section } => {
                self.change_named(entry, &Change::Pin(*section)).await
            }
            EditSubcommand::Drop { entry } => self.change_named(entry, &Change::Drop).await,
            EditSubcommand::Move { entry, section } => {
                self.change_named(entry, &Change::Move(*section)).await
            }
            EditSubcommand::Order { entry, place } => self.order(entry, *place).await,
            EditSubcommand::Note { entry, text } => self.write(entry, EditKind::Note, text).await,
            EditSubcommand::Title { entry, text } => self.write(entry, EditKind::Title, text).await,
            EditSubcommand::Add { .. } => self.add(command).await,
            EditSubcommand::Accept {
                number,
                title,
                section,
            } => {
                let change = Change::Accept(title, *section);
                self.change_named(&suggestion_id(*number), &change).await
            }
            EditSubcommand::Decline { number } => {
                self.change_named(&suggestion_id(*number), &Change::Decline)
                    .await
            }
            EditSubcommand::Suggestion {
                number,
                title,
                note,
                base,
            } => {
                let (kind, text) = match (title, note) {
                    (Some(title), _) => (EditKind::Title, title.clone()),
                    (None, note) => (EditKind::Note, read_text(note.as_deref(), None)?),
                };
                let change = Change::Write(kind, &text, base.base());
                self.change_named(&suggestion_id(*number), &change).await
            }
            EditSubcommand::Undo { entry } => self.undo(entry).await,
            EditSubcommand::Correct { number, text } => self.correct(*number, text).await,
            EditSubcommand::Log { issue } => self.log(*issue).await,
        }
    }

    fn desk(&self) -> Desk<'_> {
        Desk {
            by: &self.by,
            destinations: &self.destinations,
            now: self.now,
        }
    }

    /// The thing that a name means.
    async fn subject(&self, name: &str) -> anyhow::Result<Editable> {
        let store = &self.ingest.store;
        let mut tx = store.snapshot().await?;
        let known = Editable::of_name(&mut tx, name).await?;
        tx.rollback().await;
        match known {
            EditableLookup::Known(subject) => return Ok(*subject),
            EditableLookup::Missing(kind) => bail!("there is no {kind} {name}"),
            EditableLookup::Other => {}
        }
        let today = stories::day_of(self.now);
        match stories::look_up_story(store.read(), name, today).await? {
            StoryLookup::Found(NamedStory::One(story)) => {
                let mut tx = store.snapshot().await?;
                let subject = Editable::of_story(&mut tx, &story).await?;
                tx.rollback().await;
                Ok(subject)
            }
            StoryLookup::Found(NamedStory::Several(near) | NamedStory::Near(near)) => {
                let near = near
                    .iter()
                    .map(|story| format!("\n  {} {}", story.id, plain(&story.title)));
                bail!(
                    "it is unclear which story {name:?} means; give its id:{}",
                    near.collect::<String>()
                )
            }
            StoryLookup::Retracted => bail!("a maintainer retracted that story"),
            StoryLookup::Nothing => bail!(
                "no story matches {name:?}; give words of its title, its id, a Message-ID or a link"
            ),
        }
    }

    async fn change_named(&self, name: &str, change: &Change<'_>) -> anyhow::Result<()> {
        self.change(&self.subject(name).await?, change).await
    }

    async fn write(&self, entry: &str, kind: EditKind, text: &TextArgs) -> anyhow::Result<()> {
        let written = text.read()?;
        let change = Change::Write(kind, &written, text.base.base());
        self.change_named(entry, &change).await
    }

    async fn change(&self, subject: &Editable, change: &Change<'_>) -> anyhow::Result<()> {
        let mut tx = self.ingest.store.write().await?;
        let edited = accepted(self.desk().edit(&mut tx, subject, change).await?)?;
        tx.commit().await?;
        self.report(subject, &edited)
    }

    fn report(&self, subject: &Editable, edited: &Edited) -> anyhow::Result<()> {
        let Edited { id, before, reader } = edited;
        if self.is_json {
            return print_json(&json!({ "edit": id, "entry": subject.id, "title": subject.title }));
        }
        let mut out = anstream::stdout().lock();
        writeln!(out, "Saved as edit {id}: {}.", subject.title)?;
        if let Some(other) = before.as_ref().filter(|before| before.by != self.by.name) {
            writeln!(
                out,
                "Before that, {} decided on {}: {}",
                plain(&other.by),
                day_and_time(other.edit.at),
                described(other)
            )?;
        }
        if reader.is_some() {
            writeln!(
                out,
                "The reader is not notified: the suggestion came from a room that is no configured channel."
            )?;
        }
        Ok(())
    }

    async fn order(&self, entry: &str, place: Place) -> anyhow::Result<()> {
        let subject = self.subject(entry).await?;
        let (store, rules) = (&self.ingest.store, Rules::of(&self.config));
        match find_place(store, rules, &subject, place, self.now).await? {
            Some((section, place)) => self.change(&subject, &Change::Order(section, place)).await,
            None => bail!("the coming issue does not have it; pin it first"),
        }
    }

    async fn add(&self, command: &EditSubcommand) -> anyhow::Result<()> {
        let EditSubcommand::Add {
            title,
            text,
            file,
            link,
            section,
            picture,
            alt,
        } = command
        else {
            return Ok(());
        };
        let text = read_text(text.as_deref(), file.as_deref())?;
        let picture = picture.as_deref().map(read_picture).transpose()?;
        let alt = alt.as_deref().unwrap_or_default();
        let new = NewEntry {
            title,
            text: &text,
            link: link.as_deref(),
            section: *section,
            picture: picture.as_ref().map(|picture| (picture, alt)),
        };
        let mut tx = self.ingest.store.write().await?;
        let (edited, subject) = accepted(self.desk().add(&mut tx, &new).await?)?;
        tx.commit().await?;
        if !self.is_json {
            writeln!(anstream::stdout(), "The entry is {}.", subject.id)?;
        }
        self.report(&subject, &edited)
    }

    async fn undo(&self, entry: &str) -> anyhow::Result<()> {
        let subject = match entry {
            "last" => None,
            name => Some(self.subject(name).await?),
        };
        let target = subject.as_ref().map_or(UndoChoice::Last, UndoChoice::Of);
        let mut tx = self.ingest.store.write().await?;
        let undone = accepted(self.desk().undo(&mut tx, target).await?)?;
        tx.commit().await?;
        if self.is_json {
            let holds = undone.holds.as_ref().map(|row| row.edit.id);
            return print_json(&json!({ "undone": undone.edit.edit.id, "holds": holds }));
        }
        let mut out = anstream::stdout().lock();
        writeln!(out, "Undone: {}", described_with_subject(&undone.edit))?;
        match &undone.holds {
            Some(row) => writeln!(out, "This holds again: {}", described(row))?,
            None => writeln!(out, "There is no earlier edit of it.")?,
        }
        Ok(())
    }

    async fn correct(&self, number: u32, text: &TextArgs) -> anyhow::Result<()> {
        let text = text.read()?;
        let mut tx = self.ingest.store.write().await?;
        accepted(self.desk().correct(&mut tx, number, &text).await?)?;
        tx.commit().await?;
        for kept in files::write(&self.ingest.store, Rules::of(&self.config)).await {
            writeln!(anstream::stderr(), "{kept}")?;
        }
        match self.is_json {
            true => print_json(&json!({ "corrected": number })),
            false => Ok(writeln!(
                anstream::stdout(),
                "Issue {number} is corrected."
            )?),
        }
    }

    async fn log(&self, issue: Option<i64>) -> anyhow::Result<()> {
        let mut tx = self.ingest.store.snapshot().await?;
        let rows = edits::edits_of_issue(&mut tx, issue).await?;
        tx.rollback().await;
        if self.is_json {
            let rows: Vec<Value> = rows.iter().map(row_as_json).collect();
            return print_json(&Value::Array(rows));
        }
        let mut out = anstream::stdout().lock();
        for row in &rows {
            let at = row.edit.at.format("%Y-%m-%d %H:%M");
            let undone = match &row.undone {
                Some((_, by)) => format!(" (undone by {})", plain(by)),
                None => String::new(),
            };
            let said = described_with_subject(row).replace('\n', "\n      ");
            writeln!(
                out,
                "{:>4}  {at}  {}{undone}: {said}",
                row.edit.id,
                plain(&row.by)
            )?;
        }
        if rows.is_empty() {
            writeln!(out, "There are no edits.")?;
        }
        Ok(())
    }
}

fn row_as_json(row: &EditRow) -> Value {
    let edit = &row.edit;
    json!({
        "edit": edit.id,
        "at": edit.at.to_rfc3339(),
        "by": row.by,
        "kind": edit.kind.word(),
        "about": row.about,
        "section": edit.section.map(SectionKind::word),
        "place": edit.place,
        "title": edit.title,
        "text": edit.text,
        "link": edit.link,
        "undone_by": row.undone.as_ref().map(|(_, by)| by),
    })
}

fn accepted<T>(edited: Result<T, NotEdited>) -> anyhow::Result<T> {
    edited.map_err(|why| match why {
        NotEdited::Conflict(conflict) => anyhow::anyhow!(
            "{conflict}\nTo replace it, give the command again with --version {}. --over replaces any text.",
            conflict.present.version
        ),
        NotEdited::Refused(why) => anyhow::anyhow!("{why}"),
    })
}

fn print_json(value: &Value) -> anyhow::Result<()> {
    writeln!(
        anstream::stdout(),
        "{}",
        serde_json::to_string_pretty(value)?
    )?;
    Ok(())
}
