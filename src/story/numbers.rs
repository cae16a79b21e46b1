//! Numbers about series: how many, how long until they are applied, who reviews, what waits. Pure.
//!
//! A series counts in the month in which it was posted, and again in the month in which it was applied. Days and revisions
//! belong to the month of the application, because a series of this month had no time yet to wait long.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike as _, Months, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

use super::waiting::waiting;
use super::{PersonRole, State, Step, Story, StoryKind};

/// The months that are counted, the present one included.
pub const MONTHS: u32 = 12;
/// The most trees, subsystems and reviewers that are listed.
pub const LISTED_MAX: usize = 10;
/// The most characters of a subsystem's name; longer ones are sentences.
const AREA_CHARS_MAX: usize = 40;
/// The most reviewers of one series.
const REVIEWERS_MAX: usize = 50;
const DAY_S: i64 = 86_400;

/// The facts about one series that are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesFigures {
    /// When its first stored revision came, unix seconds.
    pub first_at: i64,
    /// Whether that revision is the first one.
    pub is_whole: bool,
    /// The version of its newest revision.
    pub revisions: u32,
    /// When all of it was applied, unix seconds.
    pub applied_at: Option<i64>,
    /// When its newest revision came, if no person has answered it.
    pub waits_since: Option<i64>,
    /// The tree; empty if unknown.
    pub tree: String,
    /// The subsystem; empty if unknown.
    pub area: String,
    /// The people other than its author who reviewed, acked or tested it.
    pub reviewers: Vec<String>,
}

impl SeriesFigures {
    /// The facts about a story; `None` if it is not a series about BPF with a revision.
    pub fn of(story: &Story) -> Option<Self> {
        let (first, newest) = (story.revisions.first()?, story.revisions.last()?);
        if story.kind != StoryKind::Series || !story.relevant {
            return None;
        }
        let author = story.author.as_deref().unwrap_or_default();
        let reviewers: BTreeSet<&str> = story
            .people
            .iter()
            .filter(|part| {
                matches!(
                    part.role,
                    PersonRole::Acker | PersonRole::Reviewer | PersonRole::Tester
                ) && part.name != author
                    && !part.name.is_empty()
            })
            .map(|part| part.name.as_str())
            .collect();
        let waits = waiting(story, newest.posted_at).is_some();
        Some(Self {
            first_at: first.posted_at.timestamp(),
            is_whole: first.version <= 1 && !story.lacks_beginning,
            revisions: newest.version.max(1),
            applied_at: applied_at(story).map(|at| at.timestamp()),
            waits_since: waits.then(|| newest.posted_at.timestamp()),
            tree: story.tree.clone().unwrap_or_default(),
            area: area(story),
            reviewers: reviewers
                .into_iter()
                .take(REVIEWERS_MAX)
                .map(str::to_owned)
                .collect(),
        })
    }

    /// The days until it was applied, if both ends are known.
    fn days(&self) -> Option<f64> {
        let applied_at = self.applied_at.filter(|_| self.is_whole)?;
        Some(in_days((applied_at - self.first_at).max(0)))
    }
}

/// When all of a series was in a tree.
fn applied_at(story: &Story) -> Option<DateTime<Utc>> {
    let is_applied = matches!(
        story.state,
        State::Applied | State::Pulled | State::Mainline | State::Stable
    );
    let steps = |wanted: &'static [Step]| {
        let events = story.events.iter();
        events
            .filter(move |event| wanted.contains(&event.state))
            .map(|event| event.at)
    };
    let whole = || steps(&[Step::Applied]).min();
    // Its parts were applied one after the other, or only a person or mainline says so.
    let parts = || steps(&[Step::PartlyApplied, Step::Claimed]).max();
    let landed = || story.mainline.as_ref().map(|landed| landed.at);
    is_applied.then(|| whole().or_else(parts).or_else(landed))?
}

/// The subsystem of a series: how the titles of most patches begin, or its own title. Patches of tests count only if there
/// are no others.
fn area(story: &Story) -> String {
    let patches = story.revisions.last().into_iter();
    let patches = patches.flat_map(|revision| &revision.patches);
    let areas: Vec<&str> = patches
        .filter_map(|patch| area_of(&patch.subject))
        .collect();
    let most = |is_wanted: fn(&str) -> bool| {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for area in areas.iter().filter(|area| is_wanted(area)) {
            *counts.entry(*area).or_default() += 1;
        }
        // Of several with the same count, the first name.
        let most = counts
            .iter()
            .max_by_key(|(area, many)| (**many, std::cmp::Reverse(**area)));
        most.map(|(area, _)| (*area).to_owned())
    };
    most(|area| !area.starts_with("selftests"))
        .or_else(|| most(|_| true))
        .or_else(|| area_of(&story.title).map(str::to_owned))
        .unwrap_or_default()
}

/// The words before the first colon of a title, if they can be a subsystem's name: `bpf, x86`.
fn area_of(title: &str) -> Option<&str> {
    let (area, rest) = title.split_once(':')?;
    let area = area.trim();
    let is_name = |c: char| c.is_alphanumeric() || "/_-.,+* ".contains(c);
    let is_short = area.chars().count() <= AREA_CHARS_MAX && area.split(' ').count() <= 3;
    let is_area = !area.is_empty() && is_short && area.chars().all(is_name);
    (is_area && rest.starts_with(' ')).then_some(area)
}

fn in_days(seconds: i64) -> f64 {
    // Tenths of a day, which is what people read, and what compares equal after JSON.
    let tenths = (seconds * 10 + DAY_S / 2).div_euclid(DAY_S);
    f64::from(i32::try_from(tenths).unwrap_or(i32::MAX)) / 10.0
}

/// The middle of a set of numbers, and the half around it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quartiles {
    /// How many numbers there are.
    pub of: u32,
    pub lower: f64,
    pub median: f64,
    pub upper: f64,
}

impl Quartiles {
    /// The quartiles, by linear interpolation between neighbours; `None` without numbers.
    pub fn of(mut numbers: Vec<f64>) -> Option<Self> {
        numbers.sort_by(f64::total_cmp);
        let last = numbers.len().checked_sub(1)?;
        // Quarters of the way are whole numbers, so that no rounding decides which neighbours are meant.
        let at = |quarter: usize| {
            let (place, part) = (last * quarter / 4, last * quarter % 4);
            let low = numbers[place];
            let high = numbers[(place + 1).min(last)];
            low + (high - low) * (f64::from(u8::try_from(part).unwrap_or(0)) / 4.0)
        };
        Some(Self {
            of: count(numbers.len()),
            lower: at(1),
            median: at(2),
            upper: at(3),
        })
    }
}

/// The numbers of a month.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MonthNumbers {
    /// Its first day.
    pub month: NaiveDate,
    /// The series that were posted in it.
    pub posted: u32,
    /// The series that were applied in it.
    pub applied: u32,
    /// Days from the first revision to the application, of those that were applied.
    pub days: Option<Quartiles>,
    /// Revisions of those that were applied.
    pub revisions: Option<Quartiles>,
}

/// The numbers of a tree or a subsystem, over all months.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupNumbers {
    pub name: String,
    pub posted: u32,
    pub applied: u32,
    pub days: Option<Quartiles>,
    pub revisions: Option<Quartiles>,
    /// The series that wait for an answer now.
    pub waiting: u32,
}

/// A person, and the number of series that the person reviewed, acked or tested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewerNumbers {
    pub name: String,
    pub series: u32,
}

/// All numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesNumbers {
    /// When they were counted.
    pub at: DateTime<Utc>,
    /// The months, oldest first; the last one is not over.
    pub months: Vec<MonthNumbers>,
    pub days: Option<Quartiles>,
    pub revisions: Option<Quartiles>,
    /// The trees with the most series that were posted.
    pub trees: Vec<GroupNumbers>,
    /// The subsystems with the most series that were posted.
    pub areas: Vec<GroupNumbers>,
    /// Of the series that were posted in these months.
    pub reviewers: Vec<ReviewerNumbers>,
    /// Days that series have been waiting for an answer.
    pub waiting: Option<Quartiles>,
}

impl SeriesNumbers {
    /// The first moment of the months that are counted.
    pub fn begin(now: DateTime<Utc>) -> DateTime<Utc> {
        let month = first_of_month(now.date_naive());
        let first = month.checked_sub_months(Months::new(MONTHS - 1));
        first.unwrap_or(month).and_time(NaiveTime::MIN).and_utc()
    }

    /// Counts series. `reviewers` are counted already. `waits_after` (unix seconds) leaves out series that were given up.
    pub fn count(
        series: &[SeriesFigures],
        reviewers: Vec<ReviewerNumbers>,
        waits_after: i64,
        now: DateTime<Utc>,
    ) -> Self {
        let begin = Self::begin(now);
        let months =
            (0..MONTHS).filter_map(|n| begin.date_naive().checked_add_months(Months::new(n)));
        let months = months.map(|month| month_numbers(series, month)).collect();
        let (from, to) = (begin.timestamp(), now.timestamp());
        let is_in = |at: i64| (from..=to).contains(&at);
        let applied: Vec<&SeriesFigures> = series
            .iter()
            .filter(|one| one.applied_at.is_some_and(is_in))
            .collect();
        let waits = series.iter().filter_map(|one| one.waits_since);
        let waits = waits.filter(|since| (waits_after..=to).contains(since));
        let groups =
            |name: fn(&SeriesFigures) -> &str| group_numbers(series, name, waits_after, (from, to));
        Self {
            at: now,
            months,
            days: days(&applied),
            revisions: revisions(&applied),
            trees: groups(|one| &one.tree),
            areas: groups(|one| &one.area),
            reviewers,
            waiting: Quartiles::of(waits.map(|since| in_days(to - since)).collect()),
        }
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        let is_quiet = |month: &MonthNumbers| month.posted == 0 && month.applied == 0;
        self.months.iter().all(is_quiet) && self.waiting.is_none()
    }

    /// The series that were posted in all months.
    pub fn posted(&self) -> u32 {
        self.months.iter().map(|month| month.posted).sum()
    }

    /// The series that were applied in all months.
    pub fn applied(&self) -> u32 {
        self.months.iter().map(|month| month.applied).sum()
    }
}

fn first_of_month(day: NaiveDate) -> NaiveDate {
    day.with_day(1).unwrap_or(day)
}

fn month_numbers(series: &[SeriesFigures], month: NaiveDate) -> MonthNumbers {
    let next = month.checked_add_months(Months::new(1)).unwrap_or(month);
    let second = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc().timestamp();
    let (from, to) = (second(month), second(next));
    let is_in = |at: i64| (from..to).contains(&at);
    let posted = series.iter().filter(|one| is_in(one.first_at)).count();
    let applied = series.iter();
    let applied: Vec<&SeriesFigures> = applied
        .filter(|one| one.applied_at.is_some_and(is_in))
        .collect();
    MonthNumbers {
        month,
        posted: count(posted),
        applied: count(applied.len()),
        days: days(&applied),
        revisions: revisions(&applied),
    }
}

fn group_numbers(
    series: &[SeriesFigures],
    name: fn(&SeriesFigures) -> &str,
    waits_after: i64,
    (from, to): (i64, i64),
) -> Vec<GroupNumbers> {
    let mut named: BTreeMap<&str, Vec<&SeriesFigures>> = BTreeMap::new();
    for one in series.iter().filter(|one| !name(one).is_empty()) {
        named.entry(name(one)).or_default().push(one);
    }
    let is_in = |at: i64| (from..=to).contains(&at);
    let mut groups: Vec<GroupNumbers> = named
        .into_iter()
        .map(|(name, all)| {
            let applied = all.iter().copied();
            let applied: Vec<&SeriesFigures> = applied
                .filter(|one| one.applied_at.is_some_and(is_in))
                .collect();
            let waits = all.iter().filter_map(|one| one.waits_since);
            GroupNumbers {
                name: name.to_owned(),
                posted: count(all.iter().filter(|one| is_in(one.first_at)).count()),
                applied: count(applied.len()),
                days: days(&applied),
                revisions: revisions(&applied),
                waiting: count(
                    waits
                        .filter(|since| (waits_after..=to).contains(since))
                        .count(),
                ),
            }
        })
        .filter(|group| group.posted > 0)
        .collect();
    groups.sort_by(|a, b| (b.posted, &a.name).cmp(&(a.posted, &b.name)));
    groups.truncate(LISTED_MAX);
    groups
}

fn days(applied: &[&SeriesFigures]) -> Option<Quartiles> {
    Quartiles::of(applied.iter().filter_map(|one| one.days()).collect())
}

fn revisions(applied: &[&SeriesFigures]) -> Option<Quartiles> {
    let revisions = applied.iter().map(|one| f64::from(one.revisions));
    Quartiles::of(revisions.collect())
}

fn count(many: usize) -> u32 {
    u32::try_from(many).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        let time = DateTime::parse_from_rfc3339(&format!("{text}:00Z")).expect("a time");
        time.timestamp()
    }

    fn series(first: &str, applied: Option<&str>, revisions: u32) -> SeriesFigures {
        SeriesFigures {
            first_at: at(first),
            is_whole: true,
            revisions,
            applied_at: applied.map(at),
            waits_since: None,
            tree: "bpf-next".to_owned(),
            area: "bpf".to_owned(),
            reviewers: Vec::new(),
        }
    }

    #[test]
    fn quartiles_lie_between_neighbours() {
        let of = |numbers: &[f64]| {
            let q = Quartiles::of(numbers.to_vec())?;
            Some((q.lower, q.median, q.upper))
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[3.0]), Some((3.0, 3.0, 3.0)));
        assert_eq!(of(&[4.0, 2.0]), Some((2.5, 3.0, 3.5)));
        assert_eq!(of(&[1.0, 2.0, 3.0, 4.0, 5.0]), Some((2.0, 3.0, 4.0)));
        assert_eq!(of(&[1.0, 2.0, 3.0, 4.0]), Some((1.75, 2.5, 3.25)));
        // R's type 7 of 7, 1, 9, 9, 2, 30.
        assert_eq!(of(&[7.0, 1.0, 9.0, 9.0, 2.0, 30.0]), Some((3.25, 8.0, 9.0)));
    }

    #[test]
    fn a_series_counts_in_the_months_in_which_it_was_posted_and_applied() {
        let now = DateTime::from_timestamp(at("2025-03-10T12:00"), 0).expect("a time");
        let all = [
            // Posted before the twelve months, applied in them.
            series("2024-03-31T23:59", Some("2024-04-02T23:59"), 4),
            series("2024-04-01T00:00", Some("2024-04-01T12:00"), 1),
            series("2025-02-28T23:59", Some("2025-03-01T00:00"), 2),
            series("2025-03-01T00:00", None, 1),
            // The clock of its server is ahead.
            series("2025-03-11T00:00", None, 1),
        ];
        let counted = SeriesNumbers::count(&all, Vec::new(), 0, now);
        let months: Vec<(String, u32, u32)> = counted
            .months
            .iter()
            .filter(|month| month.posted + month.applied > 0)
            .map(|month| (month.month.to_string(), month.posted, month.applied))
            .collect();
        let month = |month: &str, posted, applied| (month.to_owned(), posted, applied);
        assert_eq!(
            months,
            [
                month("2024-04-01", 1, 2),
                month("2025-02-01", 1, 0),
                month("2025-03-01", 2, 1)
            ]
        );
        assert_eq!(counted.months.len(), 12);
        let days = counted.months[0].days.expect("two were applied");
        assert_eq!(
            (days.of, days.lower, days.median, days.upper),
            (2, 0.875, 1.25, 1.625)
        );
        let revisions = counted.revisions.expect("three were applied");
        assert_eq!((revisions.of, revisions.median), (3, 2.0));
        let tree = &counted.trees[0];
        assert_eq!((&*tree.name, tree.posted, tree.applied), ("bpf-next", 3, 3));
    }

    #[test]
    fn a_title_begins_with_its_subsystem() {
        for (title, area) in [
            ("bpf: Do it", Some("bpf")),
            ("bpf, x86: Do it", Some("bpf, x86")),
            ("selftests/bpf: Test it", Some("selftests/bpf")),
            ("Add a thing", None),
            ("What is this thing that nobody: wants", None),
            ("a::b", None),
            ("<b>: x", None),
            (": x", None),
        ] {
            assert_eq!(area_of(title), area, "{title}");
        }
    }
}
