//! Stories of a period in, an issue out.

use std::collections::{BTreeMap, HashMap, HashSet};

use url::Url;

use super::cycle::{Release, cycle};
use super::edits::{Accepted, Decided, Edit, EditKind, OfStory};
use super::entry::entry;
use super::escape::escape;
use super::patches::{patches, posted_revision};
use super::way::{is_applied, is_mainline, leads_to_slides, leads_to_video, way};
use super::{Entry, Issue, Last, Passage, Period, Section, SectionKind};
use crate::item::link::canonical_link;
use crate::post::words::counted;
use crate::post::{is_for_readers, plain};
use crate::story::{Story, StoryKind};

/// What makes a story a highlight: as much as a route that takes what matters asks for.
const HIGHLIGHT_SCORE_MIN: i32 = 3;
/// What makes something that was applied more interesting than the rest of it.
const DEVELOPMENT_SCORE_MIN: i32 = 1;
/// What was applied is more of a highlight than what was proposed.
const APPLIED_BONUS: i32 = 2;
/// What an issue is made of.
#[derive(Debug, Clone, Default)]
pub struct Material {
    /// What moved, or is pinned.
    pub passages: Vec<Passage>,
    /// The last release of mainline before the end of the period.
    pub release: Option<Release>,
    /// What is missing, a sentence each.
    pub missing: Vec<String>,
    /// The issue before.
    pub last: Option<Last>,
    /// What editors decided.
    pub decided: Decided,
}

/// An issue, and which decisions of editors went into it.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The issue.
    pub issue: Issue,
    /// The numbers of the edits that are in it; the others are of a later one.
    pub edits: Vec<i64>,
    /// The numbers of the suggestions that are in it.
    pub suggestions: Vec<i64>,
}

/// A story with where it would stand.
pub(super) struct Placed<'a> {
    pub(super) passage: &'a Passage,
    pub(super) decided: OfStory<'a>,
    pub(super) kind: SectionKind,
    rank: i32,
}

/// Makes the issue of a period.
pub fn compile(name: &str, number: u32, period: Period, material: &Material) -> Compiled {
    let by_item = material.decided.by_item();
    let mut known = HashSet::new();
    let mut passages: Vec<&Passage> = material
        .passages
        .iter()
        .filter(|passage| known.insert(&passage.after.id))
        .collect();
    passages.sort_by(|a, b| a.after.id.cmp(&b.after.id));
    let mut edits: Vec<i64> = Vec::new();
    let mut placed = Vec::new();
    let mut listed: Vec<&Passage> = Vec::new();
    for passage in passages {
        let decided = Decided::of(&by_item, &passage.items);
        let way = way(passage, period);
        let is_about = passage.after.relevant || decided.is_chosen();
        let kind = decided
            .section
            .or(way)
            .or(decided.is_pinned.then_some(SectionKind::Highlights))
            .filter(|_| is_about);
        // What was decided of a story that has no place in this issue is of a later one.
        if kind.is_some() {
            edits.extend(&decided.ids);
        }
        if decided.is_dropped || !is_about {
            continue;
        }
        listed.push(passage);
        if let Some(kind) = kind {
            let bonus = if kind.is_in_a_tree() {
                APPLIED_BONUS
            } else {
                0
            };
            let rank = passage.after.score + bonus;
            placed.push(Placed {
                passage,
                decided,
                kind,
                rank,
            });
        }
    }
    // The best first; what is pinned before all. Ids settle the rest, so that the order never depends on chance.
    placed.sort_by(|a, b| {
        let key = |placed: &Placed<'_>| (placed.decided.is_pinned, placed.rank);
        let id = |placed: &Placed<'_>| placed.passage.after.id.clone();
        key(b).cmp(&key(a)).then_with(|| id(a).cmp(&id(b)))
    });
    raise(&mut placed);
    let intro = material.decided.intro();
    // One that another took the place of is done with too.
    let intros = material.decided.edits.iter();
    edits.extend(
        intros
            .filter(|edit| edit.kind == EditKind::Intro)
            .map(|edit| edit.id),
    );
    edits.sort_unstable();
    let mut sections = sections(&placed, period);
    drop_boilerplate(&mut sections);
    let suggestions = place_suggestions(&mut sections, &material.decided.accepted);
    let patches = patches(&listed);
    let issue = Issue {
        name: name.to_owned(),
        number,
        period,
        intro: intro.map_or_else(String::new, |edit: &Edit| edit.text.clone()),
        counts: counts(&listed, period),
        cycle: cycle(&listed, material.release.as_ref(), period.to),
        sections,
        patches,
        missing: material.missing.clone(),
        last: material.last,
    };
    Compiled {
        issue,
        edits,
        suggestions,
    }
}

/// Raises what matters: the best to the highlights, what else was applied and matters to the developments.
fn raise(placed: &mut [Placed<'_>]) {
    let is_fixed = |placed: &Placed<'_>| placed.decided.section.is_some();
    let mut highlights = placed
        .iter()
        .filter(|placed| placed.kind == SectionKind::Highlights)
        .count();
    for placed in placed.iter_mut() {
        let is_in = placed.kind.is_in_a_tree();
        let is_posted = matches!(
            placed.kind,
            SectionKind::NewSeries | SectionKind::NewVersions
        );
        if !(is_in || is_posted) || is_fixed(placed) {
            continue;
        }
        let score = placed.passage.after.score;
        let is_high = score >= HIGHLIGHT_SCORE_MIN && highlights < SectionKind::Highlights.room();
        if placed.decided.is_pinned || is_high {
            placed.kind = SectionKind::Highlights;
            highlights += 1;
        } else if is_in && score >= DEVELOPMENT_SCORE_MIN {
            placed.kind = SectionKind::Developments;
        }
    }
}

fn sections(placed: &[Placed<'_>], period: Period) -> Vec<Section> {
    let mut by_kind: BTreeMap<SectionKind, Section> = BTreeMap::new();
    for placed in placed {
        let section = by_kind.entry(placed.kind).or_insert_with(|| Section {
            kind: placed.kind,
            entries: Vec::new(),
            left_out: 0,
        });
        if section.entries.len() >= placed.kind.room() && !placed.decided.is_chosen() {
            section.left_out += 1;
            continue;
        }
        section.entries.push(entry(placed, period));
    }
    by_kind.into_values().collect()
}

/// What several entries say word for word says nothing of any of them.
fn drop_boilerplate(sections: &mut [Section]) {
    let mut said: HashMap<String, u32> = HashMap::new();
    for entry in sections.iter().flat_map(|section| &section.entries) {
        *said.entry(entry.text.clone()).or_default() += 1;
    }
    for entry in sections.iter_mut().flat_map(|section| &mut section.entries) {
        if said.get(&entry.text).is_some_and(|many| *many > 1) {
            entry.text.clear();
        }
    }
}

/// Puts suggestions that were taken among the entries; gives their numbers. One that leads to what an entry leads to adds
/// what its reader said.
fn place_suggestions(sections: &mut Vec<Section>, accepted: &[Accepted]) -> Vec<i64> {
    let same = |link: &str| Url::parse(link).ok().map(|url| canonical_link(&url));
    for suggestion in accepted {
        let leads_to = same(&suggestion.link);
        let mut entries = sections.iter_mut().flat_map(|section| &mut section.entries);
        let told = entries.find(|entry| {
            let link = entry.link.as_deref().and_then(same);
            link.is_some() && link == leads_to
        });
        if let Some(entry) = told {
            if entry.notes.is_empty() && !suggestion.note.is_empty() {
                // A reader's words are no markup.
                entry.notes.push(escape(&suggestion.note));
            }
            continue;
        }
        let kind = suggestion.section.unwrap_or_else(|| {
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
            story: None,
            title: match suggestion.title.is_empty() {
                true => plain(&suggestion.link),
                false => plain(&suggestion.title),
            },
            link: Some(suggestion.link.clone()).filter(|link| is_for_readers(link)),
            author: String::new(),
            stands: String::new(),
            on: suggestion.at.date_naive(),
            commit: None,
            text: plain(&suggestion.note),
            notes: Vec::new(),
            is_pinned: true,
        };
        match sections.iter_mut().find(|section| section.kind == kind) {
            Some(section) => section.entries.push(entry),
            None => sections.push(Section {
                kind,
                entries: vec![entry],
                left_out: 0,
            }),
        }
    }
    sections.sort_by_key(|section| section.kind);
    accepted.iter().map(|suggestion| suggestion.id).collect()
}

/// What the opening sentence counts.
fn counts(listed: &[&Passage], period: Period) -> Vec<String> {
    let mut many: HashMap<&'static str, u32> = HashMap::new();
    for passage in listed {
        let (before, after) = (passage.before.as_ref(), &passage.after);
        let reached = |is: fn(&Story) -> bool| is(after) && !before.is_some_and(is);
        let mut count =
            |what: &'static str, is: bool| *many.entry(what).or_default() += u32::from(is);
        match after.kind {
            StoryKind::Series | StoryKind::Commit => {
                let newest = posted_revision(passage);
                let is_again = before.is_some() || newest.is_some_and(|newest| newest.version > 1);
                count("new series or patch", newest.is_some() && !is_again);
                count("new version", newest.is_some() && is_again);
                count("applied", reached(is_applied));
                count("in mainline", reached(is_mainline));
            }
            StoryKind::Article => count("article", way(passage, period).is_some()),
            StoryKind::Release => count("release", before.is_none()),
            StoryKind::Video => count("video", before.is_none()),
            StoryKind::Pull | StoryKind::Thread => {}
        }
    }
    let of = |what: &str| many.get(what).copied().unwrap_or(0);
    let mut counts = Vec::new();
    let new = of("new series or patch");
    if new > 0 {
        counts.push(match new {
            1 => "1 new patch or series".to_owned(),
            new => format!("{new} new patches and series"),
        });
    }
    for what in ["new version", "article", "release", "video"] {
        let many = of(what);
        if many > 0 {
            counts.push(counted(many, what));
        }
    }
    for what in ["applied", "in mainline"] {
        let many = of(what);
        if many > 0 {
            counts.push(format!("{many} {what}"));
        }
    }
    counts
}
