//! The editors' additions to the sections: accepted suggestions, free entries, and the order of entries.

use std::collections::HashMap;

use url::Url;

use super::edits::{BySubject, Decided, Edit, EditKind, EditSubject, OfEntry};
use super::escape::escape;
use super::way::{leads_to_slides, leads_to_video};
use super::{Accepted, Entry, Section, SectionKind};
use crate::item::link::canonical_link;
use crate::post::{is_for_readers, plain};

/// The id by which editors name a suggestion's entry.
pub fn suggestion_id(number: i64) -> String {
    format!("s{number}")
}

/// The id by which editors name a free entry.
pub fn free_entry_id(number: i64) -> String {
    format!("e{number}")
}

/// The subject of an id of a suggestion or of a free entry: `s7`, `e12`.
pub fn subject_of_id(id: &str) -> Option<EditSubject> {
    let number = |digits: &str| {
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse().ok().filter(|_| is_number)
    };
    match (id.strip_prefix('s'), id.strip_prefix('e')) {
        (Some(digits), _) => number(digits).map(EditSubject::Suggestion),
        (_, Some(digits)) => number(digits).map(EditSubject::Entry),
        (None, None) => None,
    }
}

/// Places accepted suggestions among the entries. A suggestion with the link of an entry adds its note to that entry.
pub(super) fn place_suggestions(
    sections: &mut Vec<Section>,
    accepted: &[Accepted],
    by_subject: &BySubject<'_>,
) {
    let same = |link: &str| Url::parse(link).ok().map(|url| canonical_link(&url));
    for suggestion in accepted {
        let decided = Decided::of(by_subject, &[EditSubject::Suggestion(suggestion.id)]);
        let leads_to = same(&suggestion.link);
        let mut entries = sections.iter_mut().flat_map(|section| &mut section.entries);
        let known = entries.find(|entry| {
            let link = entry.link.as_deref().and_then(same);
            link.is_some() && link == leads_to
        });
        if let Some(entry) = known {
            if decided.notes.is_empty() && entry.notes.is_empty() && !suggestion.note.is_empty() {
                // A reader's words are no markup.
                entry.notes.push(escape(&suggestion.note));
            }
            entry.notes.extend(notes(&decided));
            continue;
        }
        let kind = decided.section.unwrap_or_else(|| {
            match (
                leads_to_video(&suggestion.link),
                leads_to_slides(&suggestion.link),
            ) {
                (true, _) => SectionKind::Videos,
                (false, true) => SectionKind::Slides,
                (false, false) => SectionKind::Missed,
            }
        });
        let entry = Entry {
            id: suggestion_id(suggestion.id),
            title: match decided.title {
                "" => plain(&suggestion.link),
                title => plain(title),
            },
            link: Some(suggestion.link.clone()).filter(|link| is_for_readers(link)),
            // The words of an editor replace those of the reader.
            text: match decided.notes.is_empty() {
                true => plain(&suggestion.note),
                false => String::new(),
            },
            notes: notes(&decided),
            ..Entry::of_editors(suggestion.at.date_naive())
        };
        put(sections, kind, entry);
    }
}

/// Places free entries. Returns the numbers of the edits that are in them.
pub(super) fn place_free_entries(
    sections: &mut Vec<Section>,
    edits: &[Edit],
    by_subject: &BySubject<'_>,
) -> Vec<i64> {
    let mut used = Vec::new();
    for added in edits.iter().filter(|edit| edit.kind == EditKind::Add) {
        let decided = Decided::of(by_subject, &[added.subject]);
        used.extend(&decided.ids);
        if decided.is_dropped {
            continue;
        }
        let link = added.link.clone().filter(|link| is_for_readers(link));
        let mut notes = notes(&decided);
        if decided.notes.is_empty() && !added.text.is_empty() {
            notes.push(added.text.clone());
        }
        let entry = Entry {
            id: free_entry_id(added.id),
            title: plain(decided.title),
            link,
            notes,
            picture: added.picture.clone(),
            ..Entry::of_editors(added.at.date_naive())
        };
        put(
            sections,
            decided.section.unwrap_or(SectionKind::Note),
            entry,
        );
    }
    used
}

fn notes(decided: &OfEntry<'_>) -> Vec<String> {
    let notes = decided.notes.iter().filter(|note| !note.is_empty());
    notes.map(|&note| note.to_owned()).collect()
}

fn put(sections: &mut Vec<Section>, kind: SectionKind, entry: Entry) {
    match sections.iter_mut().find(|section| section.kind == kind) {
        Some(section) => section.entries.push(entry),
        None => {
            sections.push(Section {
                kind,
                entries: vec![entry],
                left_out: 0,
                elsewhere: 0,
            });
            sections.sort_by_key(|section| section.kind);
        }
    }
}

/// Puts entries where editors ordered them: each decision again, in its turn, so a place means the same as when the editor saw
/// it. An entry that stands in another section by now stays where it is.
pub(super) fn put_in_order(sections: &mut [Section], edits: &[Edit], stories: &HashMap<i64, &str>) {
    for edit in edits.iter().filter(|edit| edit.kind == EditKind::Order) {
        let id = match edit.subject {
            EditSubject::Story(item) => stories.get(&item).map(|&id| id.to_owned()),
            EditSubject::Suggestion(number) => Some(suggestion_id(number)),
            EditSubject::Entry(number) => Some(free_entry_id(number)),
            EditSubject::Intro => None,
        };
        let section = sections
            .iter_mut()
            .find(|section| Some(section.kind) == edit.section);
        let (Some(id), Some(section), Some(place)) = (id, section, edit.place) else {
            continue;
        };
        let entries = &mut section.entries;
        if let Some(at) = entries.iter().position(|entry| entry.name() == id) {
            let entry = entries.remove(at);
            let place = usize::try_from(place).unwrap_or(usize::MAX);
            entries.insert(place.saturating_sub(1).min(entries.len()), entry);
        }
    }
}
