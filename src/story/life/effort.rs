//! The parts of a lineage that stand for the whole effort, and how much of it a mail answers.

use std::collections::BTreeSet;

use crate::item::subject::Subject;
use crate::story::group::Group;
use crate::story::key;
use crate::story::reading::Reading;
use crate::story::series::Posting;

/// A posting of at most one in so many parts of the effort is a small part of it.
const SMALL_PART: u32 = 4;

/// Which of a group's postings is the newest of the whole effort: not of a few parts that go their own way.
pub(super) fn main_posting(group: &Group<'_>) -> Option<usize> {
    let mut main = 0;
    for p in 1..group.postings.len() {
        if separate_parts(group, main, p).is_none() {
            main = p;
        }
    }
    (!group.postings.is_empty()).then_some(main)
}

/// The numbers that the parts of posting `p` had in posting `main`, if it is a small part of that.
pub(super) fn separate_parts(group: &Group<'_>, main: usize, p: usize) -> Option<Vec<u32>> {
    let (whole, part) = (&group.postings[main], &group.postings[p]);
    let is_small = part.total.max(1).saturating_mul(SMALL_PART) <= whole.total;
    if !is_small || part.cover.is_some() {
        return None;
    }
    let parts = part.mails.iter().map(|&at| {
        let title = key::normal(&group.readings[at].subject.title);
        let same = whole.mails.iter().map(|&at| &group.readings[at].subject);
        let mut same = same.filter(|subject| !subject.is_cover());
        let found = same.find(|subject| key::normal(&subject.title) == title)?;
        Some(found.part.map_or(1, |(number, _)| number))
    });
    let mut numbers: Vec<u32> = parts.collect::<Option<_>>()?;
    numbers.sort_unstable();
    numbers.dedup();
    Some(numbers)
}

/// Says that some parts of an effort go their own way.
pub(super) fn separate_parts_note(numbers: &[u32], total: u32) -> String {
    let listed: Vec<String> = numbers.iter().map(u32::to_string).collect();
    match listed.as_slice() {
        [one] => format!("Part {one} of {total} now goes its own way."),
        [many @ .., last] => format!(
            "Parts {} and {last} of {total} now go their own way.",
            many.join(", ")
        ),
        [] => String::new(),
    }
}

/// The part of a posting that a mail answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answered {
    /// The part; `None` where it answers the whole: the cover letter, a single patch, or the first part that has no cover.
    pub(super) part: Option<u32>,
    /// Whether it answers a patch or a cover letter, and no answer to it.
    pub(super) is_direct: bool,
}

pub(super) fn answered(group: &Group<'_>, posting: &Posting, reading: &Reading) -> Answered {
    let parent = reading.item.parent.or(reading.above.first().copied());
    let mut mails = posting.mails.iter().copied();
    let direct = mails.find(|&at| parent.is_some_and(|parent| group.readings[at].own == parent));
    let lead = group.readings[posting.lead()];
    let is_headless = posting.cover.is_none() && lead.above.is_empty();
    let part = match direct {
        Some(at) if at == posting.lead() && (posting.cover.is_some() || is_headless) => None,
        Some(at) => group.readings[at].subject.part,
        None => subject_of(reading).part,
    };
    let part = part.map(|(number, _)| number).filter(|&number| number > 0);
    Answered {
        part: part.filter(|_| posting.total > 1),
        is_direct: direct.is_some(),
    }
}

/// A reply's subject, without the `(subset)` that b4 writes where not all was applied.
fn subject_of(reading: &Reading) -> Subject {
    if is_subset(reading) {
        Subject::parse(&reading.item.title.replacen("(subset)", "", 1))
    } else {
        reading.subject.clone()
    }
}

/// Whether a reply's subject says that it is about some of the parts only.
pub(super) fn is_subset(reading: &Reading) -> bool {
    let title = reading.item.title.trim_start();
    title
        .get(..3)
        .is_some_and(|head| head.eq_ignore_ascii_case("re:"))
        && title[3..].trim_start().starts_with("(subset)")
}

/// The titles that a cover letter lists: `Author (2):` with a title in each indented line below.
pub(super) fn listed_titles(text: &str) -> BTreeSet<String> {
    let mut titles = BTreeSet::new();
    let mut is_list = false;
    for line in crate::item::prose::lines(text) {
        let is_head = !line.starts_with(char::is_whitespace)
            && line.ends_with("):")
            && line.rsplit_once(" (").is_some_and(|(_, count)| {
                let count = count.trim_end_matches("):");
                !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit())
            });
        if is_head {
            is_list = true;
        } else if is_list && line.starts_with("  ") && !line.contains(" | ") {
            titles.insert(line.trim().to_owned());
        } else {
            is_list = false;
        }
    }
    titles
}
