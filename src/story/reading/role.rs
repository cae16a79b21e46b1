//! The role of an item.

use super::text::{first_line_author, upstream};
use crate::item::ItemKind;
use crate::item::subject::Subject;
use crate::story::StoredItem;
use crate::story::machine::Machines;

/// The role of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A cover letter or a patch, as its author posted it.
    Patch,
    /// A single patch on its way to a stable tree, sent for review by a machine or its keeper.
    Backport,
    /// A request to pull.
    Pull,
    /// Any other mail of a person.
    Talk,
    /// A mail of a machine.
    Machine,
    Commit,
    /// An article, a release or a video.
    Lone,
}

/// Whether a machine's account sent a patch for a person, named on the first line of its text.
pub(super) fn is_for_person(item: &StoredItem, subject: &Subject, machines: &Machines) -> bool {
    subject.patch
        && !subject.reply
        && first_line_author(&item.text).is_some_and(|person| !machines.is_machine(&person))
}

pub(super) fn role(item: &StoredItem, subject: &Subject, is_machines: bool) -> Role {
    match item.kind {
        ItemKind::Commit => Role::Commit,
        ItemKind::Article | ItemKind::Release | ItemKind::Video => Role::Lone,
        ItemKind::Message if is_machines => Role::Machine,
        ItemKind::Message if subject.reply => Role::Talk,
        ItemKind::Message if is_backport(item, subject) => Role::Backport,
        ItemKind::Message if subject.patch => Role::Patch,
        ItemKind::Message if subject.pull => Role::Pull,
        ItemKind::Message => Role::Talk,
    }
}

/// A single patch of a stable review or of AUTOSEL says so in its tags, and names the commit that it copies. Several of one
/// posting are a series like any other.
fn is_backport(item: &StoredItem, subject: &Subject) -> bool {
    let is_single = subject.part.is_none_or(|(_, total)| total == 1);
    let is_copy = || {
        let is_of_autosel = subject.trees.iter().any(|tree| tree.starts_with("AUTOSEL"));
        is_of_autosel || upstream(&item.text).is_some()
    };
    subject.patch && is_single && is_for_stable(subject) && is_copy()
}

/// Whether the tags name a stable tree: `AUTOSEL 6.12-6.6`, `6.12.y`, `v6.6`, `linux-6.6.y`, `stable`.
pub(super) fn is_for_stable(subject: &Subject) -> bool {
    subject.trees.iter().any(|tree| {
        let tree = tree.to_ascii_lowercase();
        tree.starts_with("autosel") || tree.contains("stable") || tree.split('-').any(is_release)
    })
}

fn is_release(word: &str) -> bool {
    let word = word.trim_start_matches('v').trim_end_matches(".y");
    word.split_once('.').is_some_and(|(major, minor)| {
        !major.is_empty()
            && !minor.is_empty()
            && major
                .bytes()
                .chain(minor.bytes())
                .all(|b| b.is_ascii_digit())
    })
}
