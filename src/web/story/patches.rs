//! The patches of the newest version: links, sizes, files, and the people who took part in each.

use maud::{Markup, html};

use super::data::{PATCHES_MAX, PatchData, Reviews, StoryData};
use super::names_of;
use super::steps::commit;
use crate::issue::html::linked;
use crate::item::diffstat::Diffstat;
use crate::post::plain;
use crate::post::words::counted;

/// The most patches that are shown at once; the others are folded away.
const OPEN_MAX: usize = 15;
/// The most files of one patch.
const FILES_MAX: usize = 60;
/// The most names at one patch in one role.
const NAMES_MAX: usize = 12;

pub(super) fn patches(data: &StoryData) -> Markup {
    let Some(newest) = data.story.revisions.last() else {
        return commits(data);
    };
    let missing = usize::try_from(newest.total)
        .unwrap_or(0)
        .saturating_sub(newest.patches.len());
    let (open, folded) = data.patches.split_at(data.patches.len().min(OPEN_MAX));
    let size = data.size.as_ref().filter(|_| data.patches.len() > 1);
    html! {
        h2 {
            "Patches"
            @if newest.version > 1 { " of v" (newest.version) }
        }
        @if let Some(size) = size { p.about { (sum(size)) " in all" } }
        @if !data.reviews.0.is_empty() { p.about { "The whole series: " (reviews(&data.reviews)) } }
        (list(data, open))
        @if !folded.is_empty() {
            details {
                summary { (folded.len()) " more " @if folded.len() == 1 { "patch" } @else { "patches" } }
                (list(data, folded))
            }
        }
        @if newest.patches.len() > PATCHES_MAX { p { "and " (newest.patches.len() - PATCHES_MAX) " more" } }
        @match missing {
            0 => {}
            1 => { p.about { "1 patch of this version is not stored" } }
            many => { p.about { (many) " patches of this version are not stored" } }
        }
    }
}

fn list(data: &StoryData, patches: &[PatchData]) -> Markup {
    let total = data.story.revisions.last().map_or(0, |newest| newest.total);
    html! {
        ol.parts { @for patch in patches { li { (one(data, patch, total)) } } }
    }
}

fn one(data: &StoryData, of: &PatchData, total: u32) -> Markup {
    let patch = &of.patch;
    html! {
        @if total > 1 { span.number { (patch.number) "/" (total) } " " }
        (linked(&plain(&patch.subject), data.page(&patch.message_id)))
        @if let Some(applied) = data.story.commit_of(patch) { " " (commit(data, &applied.hash)) }
        @if let Some(size) = &of.size { (files(size)) }
        @if !of.reviews.0.is_empty() { p.about { (reviews(&of.reviews)) } }
    }
}

/// `3 files, +10 −2`; the files are folded away.
fn files(size: &Diffstat) -> Markup {
    html! {
        @if size.files.is_empty() {
            p.about { (sum(size)) }
        } @else {
            details.files {
                summary { (sum(size)) }
                ul {
                    @for file in size.files.iter().take(FILES_MAX) {
                        li {
                            code { (plain(&file.path)) }
                            @if let Some(lines) = file.lines { " " (counted(lines, "line")) }
                        }
                    }
                    @if size.files.len() > FILES_MAX { li { "and " (size.files.len() - FILES_MAX) " more" } }
                }
            }
        }
    }
}

fn sum(size: &Diffstat) -> Markup {
    html! { (counted(size.many, "file")) ", +" (size.added) " −" (size.removed) }
}

/// `Reviewed by A, B · acked by C`.
fn reviews(reviews: &Reviews) -> Markup {
    html! {
        @for (place, (role, names)) in reviews.0.iter().enumerate() {
            @if place > 0 { " · " }
            (role.by()) " " (names_of(names, NAMES_MAX))
        }
    }
}

/// The commits of a story without mails of its own.
fn commits(data: &StoryData) -> Markup {
    let commits = &data.story.commits;
    html! {
        @if commits.len() > 1 {
            h2 { "Commits" }
            ul { @for hash in commits.iter().take(PATCHES_MAX) { li { (commit(data, hash)) } } }
            @if commits.len() > PATCHES_MAX { p { "and " (commits.len() - PATCHES_MAX) " more" } }
        }
    }
}
