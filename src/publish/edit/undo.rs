//! Undo, step by step. An undone edit stays in the log.

use super::{Desk, EditResult, Editable, described, refused, with_text};
use crate::issue::{EditKind, EditSubject};
use crate::post::plain;
use crate::store::Tx;
use crate::store::edits::{self, EditRow};

/// Which edit to undo.
#[derive(Debug, Clone, Copy)]
pub enum UndoChoice<'a> {
    /// The last one of a subject.
    Of(&'a Editable),
    /// The last one of all.
    Last,
    /// This one. It must be the last of its subject.
    Number(i64),
}

/// An undone edit, and the one that holds again.
#[derive(Debug, Clone)]
pub struct Undone {
    pub edit: EditRow,
    pub holds: Option<EditRow>,
}

impl Desk<'_> {
    /// Undoes an edit. The one before it holds again.
    ///
    /// # Errors
    ///
    /// Returns an error if the database fails. The inner error says why nothing was changed.
    pub async fn undo(&self, tx: &mut Tx, target: UndoChoice<'_>) -> EditResult<Undone> {
        let rows = edits::edits_of_issue(tx, None).await?;
        let mut standing: Vec<EditRow> = rows
            .into_iter()
            .filter(|row| row.undone.is_none())
            .collect();
        let place = standing.iter().rposition(|row| match target {
            UndoChoice::Of(subject) => subject.has(row.edit.subject),
            UndoChoice::Last => true,
            UndoChoice::Number(id) => row.edit.id == id,
        });
        let Some(place) = place else {
            return refused("There is no decision to undo.");
        };
        let edit = standing.remove(place);
        let of = edit.edit.subject;
        // A story's edits may be of several items; the last of them is the last of the story.
        let is_same = |row: &&EditRow| match target {
            UndoChoice::Of(subject) => subject.has(row.edit.subject),
            UndoChoice::Last | UndoChoice::Number(_) => row.edit.subject == of,
        };
        let holds = standing.iter().rev().find(is_same).cloned();
        if let Some(later) = holds.as_ref().filter(|row| row.edit.id > edit.edit.id) {
            return refused(format!(
                "It was not undone, because {} edited the same thing later: {}. Undo that first.",
                plain(&later.by),
                described(later)
            ));
        }
        if let EditSubject::Suggestion(number) = of
            && let Err(why) = super::suggestion::check_open(tx, number).await?
        {
            return Ok(Err(why));
        }
        edits::undo_edit(tx, edit.edit.id, &self.by.name, self.now).await?;
        if let (EditKind::Accept | EditKind::Decline, EditSubject::Suggestion(number)) =
            (edit.edit.kind, of)
        {
            self.settle_suggestion(tx, number).await?;
        }
        let shown = match target {
            UndoChoice::Of(subject) if of != EditSubject::Intro => subject.title.clone(),
            _ if of == EditSubject::Intro => "The introduction".to_owned(),
            _ => format!("edit {}", edit.edit.id),
        };
        let what = format!("issue: undid the decision of {} about {shown}", edit.by);
        self.record(tx, &with_text(what, &described(&edit))).await?;
        Ok(Ok(Undone { edit, holds }))
    }
}
