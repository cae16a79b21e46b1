//! Decisions about suggestions, and the messages that follow from them.

use super::{Desk, EditResult, Editable, EditableLookup, Edited, NotEdited, refused};
use crate::issue::prose::TITLE_CHARS_MAX;
use crate::issue::{EditKind, EditSubject, SectionKind, suggestion_id};
use crate::item::prose::shorten;
use crate::plan::replace_content;
use crate::post::plain;
use crate::post::story::{Content, Suggestion};
use crate::store::edits::{self, NewEdit};
use crate::store::suggestions::{self, SuggestionRow, SuggestionState};
use crate::store::{Tx, outbox};

/// The announcement of an accepted suggestion for a room that is no configured channel. The caller sends it, if it can.
#[derive(Debug, Clone)]
pub struct ReaderNotice {
    pub platform: String,
    /// Empty if it is unknown.
    pub room: String,
    pub content: Content,
}

/// Checks that a suggestion may still change.
pub(super) async fn check_open(tx: &mut Tx, number: i64) -> EditResult<()> {
    match suggestions::suggestion((&mut *tx).into(), number).await? {
        None => refused(format!("There is no suggestion {number}.")),
        Some(SuggestionRow {
            issue: Some(issue), ..
        }) => refused(format!("It cannot be changed: it is in issue {issue}.")),
        Some(_) => Ok(Ok(())),
    }
}

impl Desk<'_> {
    pub(super) async fn accept(
        &self,
        tx: &mut Tx,
        number: i64,
        title: &str,
        section: Option<SectionKind>,
    ) -> EditResult<Edited> {
        let title = shorten(plain(title).trim(), TITLE_CHARS_MAX);
        let new = NewEdit {
            section,
            title: &title,
            ..NewEdit::of(
                EditKind::Accept,
                Some(EditSubject::Suggestion(number)),
                &self.by.name,
            )
        };
        self.judge(tx, number, &new).await
    }

    pub(super) async fn decline(&self, tx: &mut Tx, number: i64) -> EditResult<Edited> {
        let subject = Some(EditSubject::Suggestion(number));
        let new = NewEdit::of(EditKind::Decline, subject, &self.by.name);
        self.judge(tx, number, &new).await
    }

    async fn judge(&self, tx: &mut Tx, number: i64, new: &NewEdit<'_>) -> EditResult<Edited> {
        let (EditableLookup::Known(subject), Some(was)) = (
            Editable::of_name(tx, &suggestion_id(number)).await?,
            suggestions::suggestion((&mut *tx).into(), number).await?,
        ) else {
            return Ok(Err(NotEdited::Refused(format!(
                "There is no suggestion {number}."
            ))));
        };
        let before = self.last_edit(tx, &subject).await?;
        let id = edits::add_edit(tx, new, self.now).await?;
        let state = self.settle_suggestion(tx, number).await?;
        let what = format!("issue: {} suggestion {number}: {}", word(state), was.shown);
        self.record(tx, &what).await?;
        // Announced once, and only if accepted: a declined suggestion may be spam.
        let is_news = was.state != SuggestionState::Accepted && state == SuggestionState::Accepted;
        let is_queued = is_news && self.queue_for_reader(tx, &was).await?;
        let reader = (is_news && !is_queued).then(|| ReaderNotice {
            platform: was.platform.clone(),
            room: was.room.clone(),
            content: outcome(&was),
        });
        Ok(Ok(Edited { id, before, reader }))
    }

    /// Stores the decision that holds, and shows it in the editors' rooms.
    pub(super) async fn settle_suggestion(
        &self,
        tx: &mut Tx,
        number: i64,
    ) -> anyhow::Result<SuggestionState> {
        let rows = edits::edits_of_issue(tx, None).await?;
        let of_it = |edit: EditSubject| edit == EditSubject::Suggestion(number);
        let holds = rows.iter().rev().find_map(|row| {
            let state = match row.edit.kind {
                EditKind::Accept => SuggestionState::Accepted,
                EditKind::Decline => SuggestionState::Declined,
                _ => return None,
            };
            let is_it = row.undone.is_none() && of_it(row.edit.subject);
            is_it.then_some((state, &row.by))
        });
        let (state, by) = holds.map_or((SuggestionState::Open, ""), |(state, by)| {
            (state, by.as_str())
        });
        suggestions::set_suggestion_state(tx, number, state, by, self.now).await?;
        let Some(row) = suggestions::suggestion((&mut *tx).into(), number).await? else {
            return Ok(state);
        };
        let decided = Suggestion {
            number,
            link: row.shown,
            note: row.note,
            known: String::new(),
            decided: match state {
                SuggestionState::Open => String::new(),
                state if by == self.by.name => {
                    format!("{} by {}", word(state), self.by.actor.person)
                }
                state => format!("{} by {by}", word(state)),
            },
            mark: format!("suggestion-{number}"),
        };
        for post in suggestions::posts_of(tx, number).await? {
            let content = Content::Suggestion(decided.clone());
            replace_content(tx, post, content, self.now).await?;
        }
        Ok(state)
    }

    /// Queues the announcement if the suggestion came from a configured channel. Returns whether it did.
    async fn queue_for_reader(&self, tx: &mut Tx, was: &SuggestionRow) -> anyhow::Result<bool> {
        let destination = self.destinations.iter().find(|destination| {
            destination.row.platform == was.platform
                && destination.row.address == was.room
                && !destination.config.maintainers
        });
        let Some(destination) = destination else {
            return Ok(false);
        };
        let quiet = destination.config.quiet;
        let due_at = quiet.map_or(self.now, |quiet| quiet.end_after(self.now));
        outbox::open_and_queue(tx, destination.row.id, &outcome(was), due_at, self.now).await?;
        Ok(true)
    }
}

fn word(state: SuggestionState) -> &'static str {
    match state {
        SuggestionState::Open => "open",
        SuggestionState::Accepted => "accepted",
        SuggestionState::Declined => "declined",
    }
}

/// The announcement of a decision, for the room of the suggestion. Everybody there reads it, so it names nobody.
fn outcome(was: &SuggestionRow) -> Content {
    Content::Notice {
        title: "A suggestion from here was accepted for the coming issue".to_owned(),
        text: plain(&was.shown),
        mark: format!("suggestion-{}-told", was.id),
    }
}
