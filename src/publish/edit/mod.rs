//! Every edit of the coming issue: chat, the command line and the desk call [`Desk`]. An edit, its row in the
//! audit log, and the messages that follow from it are one transaction.

mod release;
mod subject;
mod suggestion;
mod texts;
mod undo;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use url::Url;

pub use self::release::PublishAnswer;
pub use self::subject::{Editable, EditableLookup, Place, find_place};
pub use self::suggestion::ReaderNotice;
pub use self::texts::{
    PresentText, TextBase, TextConflict, day_and_time, present_text, readers_note,
};
pub use self::undo::{UndoChoice, Undone};
use crate::destination::Destination;
use crate::issue::picture::{ALT_CHARS_MAX, EncodedPicture};
use crate::issue::prose::{ENTRY_CHARS_MAX, NOTE_CHARS_MAX, TITLE_CHARS_MAX};
use crate::issue::{EditKind, EditSubject, Picture, SectionKind, free_entry_id, suggestion_id};
use crate::post::{is_for_readers, plain, plain_lines};
use crate::store::audit::{self, Actor};
use crate::store::edits::{self, EditRow, NewEdit};
use crate::store::{Tx, issues, pictures};

/// The most characters of a link.
const LINK_CHARS_MAX: usize = 500;

/// An editor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Editor {
    /// The name that is stored with each edit.
    pub name: String,
    /// The author of the row in the audit log.
    pub actor: Actor,
}

impl Editor {
    /// The person in the audit log.
    pub fn new(actor: Actor) -> Self {
        let name = format!("{} on {}", actor.person, actor.platform);
        Self { name, actor }
    }
}

/// A change of the coming issue.
#[derive(Debug, Clone)]
pub enum Change<'a> {
    /// Puts it at the top of a section; if none is named, of its own.
    Pin(Option<SectionKind>),
    /// Leaves it out.
    Drop,
    Move(SectionKind),
    /// Puts it at a place of its section, from 1.
    Order(SectionKind, u32),
    /// Writes its title, its remark, or the introduction.
    Write(EditKind, &'a str, TextBase),
    /// Accepts a suggestion. The title may be empty.
    Accept(&'a str, Option<SectionKind>),
    Decline,
}

/// A free entry.
#[derive(Debug, Clone, Copy)]
pub struct NewEntry<'a> {
    pub title: &'a str,
    pub text: &'a str,
    pub link: Option<&'a str>,
    /// The section; if none is named, the note at the end.
    pub section: Option<SectionKind>,
    /// A picture, and its words for those who do not see it.
    pub picture: Option<(&'a EncodedPicture, &'a str)>,
}

/// A stored edit.
#[derive(Debug, Clone)]
pub struct Edited {
    /// Its number, which is the version of its text.
    pub id: i64,
    /// The edit that held before it, if there was one.
    pub before: Option<EditRow>,
    /// The message to the reader of a suggestion that could not be queued.
    pub reader: Option<ReaderNotice>,
}

/// Why nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotEdited {
    /// Another editor wrote that text.
    #[error("{0}")]
    Conflict(Box<TextConflict>),
    /// A sentence for the editor.
    #[error("{0}")]
    Refused(String),
}

/// The outer error is of the database.
pub type EditResult<T> = anyhow::Result<Result<T, NotEdited>>;

fn refused<T>(why: impl Into<String>) -> EditResult<T> {
    Ok(Err(NotEdited::Refused(why.into())))
}

/// An editor at work.
#[derive(Debug, Clone, Copy)]
pub struct Desk<'a> {
    pub by: &'a Editor,
    /// The channels that hear of some edits.
    pub destinations: &'a [Destination],
    pub now: DateTime<Utc>,
}

impl Desk<'_> {
    /// Makes a change.
    ///
    /// # Errors
    ///
    /// Returns an error if the database fails. The inner error says why nothing was changed.
    pub async fn edit(
        &self,
        tx: &mut Tx,
        subject: &Editable,
        change: &Change<'_>,
    ) -> EditResult<Edited> {
        let suggested = match subject.first() {
            EditSubject::Suggestion(number) => Some(number),
            EditSubject::Intro | EditSubject::Story(_) | EditSubject::Entry(_) => None,
        };
        if let Some(number) = suggested
            && let Err(why) = suggestion::check_open(tx, number).await?
        {
            return Ok(Err(why));
        }
        match (change, suggested) {
            (Change::Accept(title, section), Some(number)) => {
                self.accept(tx, number, title, *section).await
            }
            (Change::Decline | Change::Drop, Some(number)) => self.decline(tx, number).await,
            (Change::Accept(..) | Change::Decline, None) => {
                refused("Only a suggestion can be accepted or declined.")
            }
            (Change::Write(kind, text, base), _) => {
                self.write(tx, subject, *kind, text, *base).await
            }
            (Change::Pin(section), _) => {
                self.decide(tx, subject, EditKind::Pin, *section, None)
                    .await
            }
            (Change::Drop, _) => self.decide(tx, subject, EditKind::Drop, None, None).await,
            (Change::Move(section), _) => {
                self.decide(tx, subject, EditKind::Move, Some(*section), None)
                    .await
            }
            (Change::Order(section, place), _) => {
                let place = Some((*place).max(1));
                self.decide(tx, subject, EditKind::Order, Some(*section), place)
                    .await
            }
        }
    }

    /// A decision without text.
    async fn decide(
        &self,
        tx: &mut Tx,
        subject: &Editable,
        kind: EditKind,
        section: Option<SectionKind>,
        place: Option<u32>,
    ) -> EditResult<Edited> {
        match (subject.first(), kind) {
            (EditSubject::Intro, _) => {
                return refused(
                    "The introduction cannot be moved or left out; it can only be written.",
                );
            }
            (EditSubject::Suggestion(_) | EditSubject::Entry(_), EditKind::Pin)
                if section.is_none() =>
            {
                return refused("It is in the issue anyway. Order it to place 1 instead.");
            }
            _ => {}
        }
        let before = self.last_edit(tx, subject).await?;
        let new = NewEdit {
            section,
            place,
            ..NewEdit::of(kind, Some(subject.first()), &self.by.name)
        };
        let id = edits::add_edit(tx, &new, self.now).await?;
        let to = section.map_or_else(String::new, |section| format!(" to {}", section.word()));
        let at = place.map_or_else(String::new, |place| format!(" at {place}"));
        let what = format!("issue: {}{to}{at} {}", kind.word(), subject.named());
        self.record(tx, &what).await?;
        Ok(Ok(Edited {
            id,
            before,
            reader: None,
        }))
    }

    /// Adds a free entry. Returns it with its subject.
    ///
    /// # Errors
    ///
    /// Returns an error if the database fails. The inner error says why nothing was changed.
    pub async fn add(&self, tx: &mut Tx, new: &NewEntry<'_>) -> EditResult<(Edited, Editable)> {
        let title = plain(new.title);
        let title = title.trim();
        let text = plain_lines(new.text);
        if title.is_empty() {
            return refused("A free entry needs a title.");
        }
        for (what, many, most) in [
            ("title", title.chars().count(), TITLE_CHARS_MAX),
            ("text", text.chars().count(), ENTRY_CHARS_MAX),
        ] {
            if many > most {
                return refused(format!(
                    "The {what} has {many} characters; the limit is {most}."
                ));
            }
        }
        let link = match new.link.map(str::trim).filter(|link| !link.is_empty()) {
            Some(link) => match readers_link(link) {
                Some(url) => Some(url),
                None => {
                    return refused(format!(
                        "The link is not an address that readers can open. It must start with https:// or http:// and have \
                         at most {LINK_CHARS_MAX} characters."
                    ));
                }
            },
            None => None,
        };
        let picture = match new.picture {
            Some((encoded, alt)) => match self.put_picture(tx, encoded, alt).await? {
                Ok(picture) => Some(picture),
                Err(why) => return Ok(Err(why)),
            },
            None => None,
        };
        let edit = NewEdit {
            section: new.section,
            title,
            text: &text,
            link: link.as_ref().map(Url::as_str),
            picture: picture.as_ref(),
            ..NewEdit::of(EditKind::Add, None, &self.by.name)
        };
        let id = edits::add_edit(tx, &edit, self.now).await?;
        let subject = Editable::new(vec![EditSubject::Entry(id)], free_entry_id(id), title);
        let what = with_text(format!("issue: add {}", subject.named()), &text);
        self.record(tx, &what).await?;
        let edited = Edited {
            id,
            before: None,
            reader: None,
        };
        Ok(Ok((edited, subject)))
    }

    async fn put_picture(
        &self,
        tx: &mut Tx,
        encoded: &EncodedPicture,
        alt: &str,
    ) -> EditResult<Picture> {
        let alt = plain(alt).trim().to_owned();
        let chars = alt.chars().count();
        if !(1..=ALT_CHARS_MAX).contains(&chars) {
            return refused(format!(
                "The picture needs a description of 1 to {ALT_CHARS_MAX} characters for readers who do not see it; this one \
                 has {chars}."
            ));
        }
        pictures::put_picture(tx, encoded, &self.by.name, self.now).await?;
        Ok(Ok(Picture {
            file: encoded.file.clone(),
            alt,
            width: encoded.width,
            height: encoded.height,
        }))
    }

    /// Adds a correction to a published issue.
    ///
    /// # Errors
    ///
    /// Returns an error if the database fails. The inner error says why nothing was changed.
    pub async fn correct(&self, tx: &mut Tx, number: u32, text: &str) -> EditResult<()> {
        let text = plain_lines(text);
        let chars = text.chars().count();
        if text.trim().is_empty() {
            return refused("The correction is empty.");
        }
        if chars > NOTE_CHARS_MAX {
            return refused(format!(
                "The text has {chars} characters; the limit is {NOTE_CHARS_MAX}."
            ));
        }
        let issue = i64::from(number);
        if issues::issue((&mut *tx).into(), issue).await?.is_none() {
            return refused(format!("Issue {number} is not published."));
        }
        issues::add_correction(tx, issue, &text, &self.by.name, self.now).await?;
        let what = with_text(format!("corrected issue {number}"), &text);
        self.record(tx, &what).await?;
        Ok(Ok(()))
    }

    /// The last edit of a subject that holds.
    async fn last_edit(&self, tx: &mut Tx, subject: &Editable) -> anyhow::Result<Option<EditRow>> {
        let rows = edits::edits_of_issue(tx, None).await?;
        let mut rows = rows.into_iter().rev();
        Ok(rows.find(|row| row.undone.is_none() && subject.has(row.edit.subject)))
    }

    async fn record(&self, tx: &mut Tx, what: &str) -> anyhow::Result<()> {
        audit::record(tx, &self.by.actor, what, self.now)
            .await
            .context("recording an edit")
    }
}

/// A link that readers can open.
fn readers_link(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_good = is_for_readers(url.as_str()) && url.as_str().len() <= LINK_CHARS_MAX;
    is_good.then_some(url)
}

/// An entry of the audit log, with the text of the editor.
pub fn with_text(what: String, text: &str) -> String {
    match text.is_empty() {
        true => what,
        false => format!("{what}: {text}"),
    }
}

/// An edit in words: `move to highlights`, `note: A sentence.`
pub fn described(row: &EditRow) -> String {
    let edit = &row.edit;
    let to = edit
        .section
        .map_or_else(String::new, |section| format!(" to {}", section.word()));
    let at = edit
        .place
        .map_or_else(String::new, |place| format!(" at {place}"));
    let what = format!("{}{to}{at}", edit.kind.word());
    let text = match (edit.title.as_str(), edit.text.as_str()) {
        ("", text) => text.to_owned(),
        (title, "") => title.to_owned(),
        (title, text) => format!("{title}\n{text}"),
    };
    with_text(what, &text)
}

/// The same, with the thing that it is about.
pub fn described_with_subject(row: &EditRow) -> String {
    let about = match (row.edit.subject, row.about.as_str()) {
        (EditSubject::Intro, _) => return described(row),
        (EditSubject::Entry(_), _) if row.edit.kind == EditKind::Add => String::new(),
        (EditSubject::Entry(number), _) => free_entry_id(number),
        (EditSubject::Suggestion(number), link) => format!("{}, {link}", suggestion_id(number)),
        (EditSubject::Story(_), title) => title.to_owned(),
    };
    match about.as_str() {
        "" => described(row),
        about => format!("{} ({about})", described(row)),
    }
}
