//! Stories of a period in, an issue out.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::arrange::{place_free_entries, place_suggestions, put_in_order};
use super::cycle::{Release, cycle};
use super::edits::{BySubject, Decided, Edit, EditKind, EditSubject, OfEntry};
use super::entry::{Placed, entry};
use super::patches::patches;
use super::way::way;
use super::{Issue, Last, Passage, Period, Section, SectionKind};
use crate::post::words::counted;
use crate::story::StoryKind;
use crate::story::relevance::REASONS;

/// The score of a highlight, equal to the limit of a route for important stories.
const HIGHLIGHT_SCORE_MIN: i32 = 3;
/// The score above which an applied story is more than a line in its section.
const DEVELOPMENT_SCORE_MIN: i32 = 1;
/// An applied story ranks above a proposed one.
const APPLIED_BONUS: i32 = 2;
/// The input of an issue.
#[derive(Debug, Clone, Default)]
pub struct Material {
    /// Stories that moved or are pinned.
    pub passages: Vec<Passage>,
    /// The last release of mainline before the end of the period.
    pub release: Option<Release>,
    /// A sentence for each incomplete feed.
    pub missing: Vec<String>,
    /// The issue before.
    pub last: Option<Last>,
    /// The decisions of editors.
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
    /// The ids by which it names stories, as they were known then, each with the number of the item that it came from.
    pub ids: Vec<(String, i64)>,
}

/// Makes the issue of a period.
pub fn compile(name: &str, number: u32, period: Period, material: &Material) -> Compiled {
    let by_subject = material.decided.by_subject();
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
        let decided = of_story(&by_subject, passage);
        let way = way(passage, period);
        let is_about = passage.after.relevant || decided.is_chosen();
        let kind = decided
            .section
            .or(way)
            .or(decided.is_pinned.then_some(SectionKind::Highlights))
            .filter(|_| is_about);
        // A decision about a story that is not in this issue belongs to a later one.
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
                way,
                rank,
            });
        }
    }
    // Pinned stories first, then by score. Ids settle ties, so the order never depends on chance.
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
    let mut sections = sections(&placed, period);
    let counts = counts(&placed);
    drop_boilerplate(&mut sections);
    let (decided, accepted) = (&material.decided, &material.decided.accepted);
    place_suggestions(&mut sections, accepted, &by_subject);
    edits.extend(place_free_entries(
        &mut sections,
        &decided.edits,
        &by_subject,
    ));
    let suggestions: Vec<i64> = accepted.iter().map(|suggestion| suggestion.id).collect();
    for number in &suggestions {
        let of = Decided::of(&by_subject, &[EditSubject::Suggestion(*number)]);
        edits.extend(&of.ids);
    }
    put_in_order(&mut sections, &decided.edits, &stories_by_item(&listed));
    edits.sort_unstable();
    let patches = patches(&listed);
    let issue = Issue {
        name: name.to_owned(),
        number,
        period,
        intro: intro.map_or_else(String::new, |edit: &Edit| edit.text.clone()),
        counts,
        cycle: cycle(&listed, material.release.as_ref(), period.to),
        sections,
        patches,
        missing: material.missing.clone(),
        last: material.last,
        numbers: None,
    };
    let ids = listed.iter().filter_map(|passage| {
        let item = passage.items.first()?;
        Some((passage.after.id.clone(), *item))
    });
    Compiled {
        issue,
        edits,
        suggestions,
        ids: ids.collect(),
    }
}

fn of_story<'a>(by_subject: &BySubject<'a>, passage: &Passage) -> OfEntry<'a> {
    let items = passage.items.iter();
    let subjects: Vec<EditSubject> = items.map(|item| EditSubject::Story(*item)).collect();
    Decided::of(by_subject, &subjects)
}

/// The ids of stories by each of their items.
fn stories_by_item<'p>(listed: &[&'p Passage]) -> HashMap<i64, &'p str> {
    let items = listed.iter().flat_map(|passage| {
        let items = passage.items.iter();
        items.map(|item| (*item, passage.after.id.as_str()))
    });
    items.collect()
}

/// Moves the best stories to the highlights, and other important applied stories to the developments.
fn raise(placed: &mut [Placed<'_>]) {
    let is_fixed = |placed: &Placed<'_>| placed.decided.section.is_some();
    let many = |kind: SectionKind| placed.iter().filter(|placed| placed.kind == kind).count();
    let mut highlights = many(SectionKind::Highlights);
    // Stories without room there stay in their own section.
    let mut developments = many(SectionKind::Developments);
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
        } else if is_in
            && score >= DEVELOPMENT_SCORE_MIN
            && !has_reason(placed, &["selftests_only", "trivial"])
            && developments < SectionKind::Developments.room()
        {
            placed.kind = SectionKind::Developments;
            developments += 1;
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
            elsewhere: 0,
        });
        let is_full = section.entries.len() >= placed.kind.room();
        let is_wanted = placed.decided.is_chosen() || placed.decided.is_ordered;
        if (is_full || is_small(placed)) && !is_wanted {
            section.left_out += 1;
            continue;
        }
        section.entries.push(entry(placed, period));
    }
    for placed in placed {
        let of_its_way = placed.way.and_then(|way| by_kind.get_mut(&way));
        if let Some(section) = of_its_way.filter(|section| section.kind != placed.kind) {
            section.elsewhere += 1;
        }
    }
    by_kind.into_values().collect()
}

/// Whether it appears among the patches only: a spelling fix is no news, even in a quiet week.
fn is_small(placed: &Placed<'_>) -> bool {
    let is_posted = matches!(
        placed.kind,
        SectionKind::NewSeries | SectionKind::NewVersions
    );
    is_posted && has_reason(placed, &["trivial"])
}

/// Whether one of these reasons made its score.
fn has_reason(placed: &Placed<'_>, names: &[&str]) -> bool {
    let why = &placed.passage.after.why;
    let mut reasons = REASONS.iter().filter(|reason| names.contains(&reason.name));
    reasons.any(|reason| why.iter().any(|why| why.starts_with(reason.words)))
}

/// Removes text that several entries repeat word for word, because it describes none of them.
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

/// The counts of the opening sentence: each moved story once, by the section of its kind of move. An entry in another section
/// names that section (`Entry::moved`). Omitted stories are counted with their section.
fn counts(placed: &[Placed<'_>]) -> Vec<String> {
    let many = |is: &dyn Fn(&Placed<'_>, SectionKind) -> bool| {
        let moved = placed.iter();
        let moved = moved.filter(|placed| placed.way.is_some_and(|way| is(placed, way)));
        u32::try_from(moved.count()).unwrap_or(u32::MAX)
    };
    let of_way = |way: SectionKind| many(&|_, moved| moved == way);
    // Some articles are slides, and the first of them are LWN's.
    let of_kind = |kind: StoryKind| many(&|placed, _| placed.passage.after.kind == kind);
    let mut counts = Vec::new();
    match of_way(SectionKind::NewSeries) {
        0 => {}
        1 => counts.push("1 new patch or series".to_owned()),
        new => counts.push(format!("{new} new patches and series")),
    }
    for (many, what) in [
        (of_way(SectionKind::NewVersions), "new version"),
        (of_kind(StoryKind::Article), "article"),
        (of_kind(StoryKind::Thread), "thread"),
        (of_kind(StoryKind::Release), "release"),
        (of_kind(StoryKind::Video), "video"),
    ] {
        if many > 0 {
            counts.push(counted(many, what));
        }
    }
    for (many, what) in [
        (of_way(SectionKind::Applied), "applied"),
        (of_way(SectionKind::Mainline), "in mainline"),
    ] {
        if many > 0 {
            counts.push(format!("{many} {what}"));
        }
    }
    counts
}
