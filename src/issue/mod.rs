//! The issue: the stories of a week as "BPF updates", in Markdown and as posts. Pure: the same stories give the same bytes.
//!
//! A story appears in one section at most. The list of patches at the end has everything that was posted.

mod arrange;
mod compile;
mod cycle;
mod edits;
mod entry;
mod escape;
pub mod html;
pub mod letter;
pub mod markdown;
mod patches;
pub mod picture;
pub mod post;
pub mod prose;
mod section;
mod tree;
mod way;
pub mod written;

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};
use serde::{Deserialize, Serialize};

pub use self::arrange::{free_entry_id, subject_of_id, suggestion_id};
pub use self::compile::{Compiled, Material, compile};
pub use self::cycle::{
    CYCLE_NOTE, ExpectedRelease, KernelCycle, NO_RELEASE, Release, kernel_cycle,
};
pub use self::edits::{Accepted, Decided, Edit, EditKind, EditSubject, standing_texts};
pub use self::picture::Picture;
pub use self::section::SectionKind;
pub use self::way::{is_applied, is_mainline};
use crate::item::prose::shorten;
use crate::post::{is_for_readers, plain};
use crate::story::Story;
use crate::story::key::HASH_DIGITS;
use crate::story::numbers::SeriesNumbers;

/// The most characters of a title.
const TITLE_CHARS_MAX: usize = 240;

/// A period: everything that became known from its beginning on and before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// Its beginning.
    pub from: DateTime<Utc>,
    /// Its end, which is not in it.
    pub to: DateTime<Utc>,
}

impl Period {
    /// An ISO week, from Monday 00:00 UTC: `2017-W19`. `None` where there is no such week.
    pub fn week(text: &str) -> Option<Self> {
        let (year, week) = text.split_once("-W")?;
        let is_digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        if year.len() != 4 || week.len() != 2 || !is_digits(year) || !is_digits(week) {
            return None;
        }
        let monday =
            NaiveDate::from_isoywd_opt(year.parse().ok()?, week.parse().ok()?, Weekday::Mon)?;
        let from = monday.and_time(NaiveTime::MIN).and_utc();
        let to = from + TimeDelta::days(7);
        Some(Self { from, to })
    }

    /// The ISO week that a moment lies in.
    pub fn week_of(at: DateTime<Utc>) -> Self {
        let day = at.date_naive();
        let back = u64::from(day.weekday().num_days_from_monday());
        let monday = day.checked_sub_days(Days::new(back)).unwrap_or(day);
        let from = monday.and_time(NaiveTime::MIN).and_utc();
        let to = from + TimeDelta::days(7);
        Self { from, to }
    }

    /// Its last day.
    pub fn last_day(self) -> NaiveDate {
        (self.to - TimeDelta::seconds(1))
            .date_naive()
            .max(self.from.date_naive())
    }
}

/// A story in a period: as it was known at the beginning, where it was, and as it was known at the end.
#[derive(Debug, Clone)]
pub struct Passage {
    /// As it was known at the beginning.
    pub before: Option<Story>,
    /// As it was known at the end.
    pub after: Story,
    /// The numbers of its items, that from which its id comes first.
    pub items: Vec<i64>,
    /// Its mails by Message-ID.
    pub mails: BTreeMap<String, Mail>,
    /// Its commits that are here, by hash.
    pub commits: BTreeMap<String, Commit>,
    /// The page of a commit by its hash, both as a notice gave them.
    pub links: BTreeMap<String, String>,
}

/// A mail as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Its subject, tags included.
    pub title: String,
    /// Where it is read.
    pub link: Option<String>,
}

impl Mail {
    /// A mail as people see it, of the text of strangers.
    pub fn shown(title: &str, link: Option<&str>) -> Self {
        Self {
            title: shown_title(title),
            link: shown_link(link),
        }
    }
}

/// A weekly issue. Its text is harmless (no control characters, no invisible ones). Its links lead to the web.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Issue {
    /// The name of the newsletter.
    pub name: String,
    /// Its number.
    pub number: u32,
    /// Its period.
    pub period: Period,
    /// The editors' opening, in Markdown; may be empty.
    pub intro: String,
    /// The bot's counts for the opening sentence: `12 new series`.
    pub counts: Vec<String>,
    /// Where the kernel is.
    pub cycle: Cycle,
    /// The sections, in their order. Each has entries, or left some out.
    pub sections: Vec<Section>,
    /// All that was posted, by author.
    pub patches: Vec<Patches>,
    /// A sentence for each incomplete feed.
    pub missing: Vec<String>,
    /// The issue before it.
    pub last: Option<Last>,
    /// Numbers about series, as counted when it was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<SeriesNumbers>,
}

impl Issue {
    /// Its day: the last one that it covers.
    pub fn on(&self) -> NaiveDate {
        self.period.last_day()
    }

    /// Its title: `BPF updates 02`.
    pub fn title(&self) -> String {
        title(&self.name, self.number)
    }

    /// Whether nothing happened.
    pub fn is_quiet(&self) -> bool {
        self.sections.is_empty() && self.patches.is_empty() && self.cycle.is_empty()
    }
}

/// The title of an issue.
pub fn title(name: &str, number: u32) -> String {
    format!("{name} {number:02}")
}

/// The issue before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// Its number.
    pub number: u32,
    /// Its day.
    pub on: NaiveDate,
}

/// Where the kernel is in its cycle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cycle {
    /// A sentence about the last release and the merge window; empty if no feed carries releases.
    pub stands: String,
    /// The page behind it.
    pub link: Option<String>,
    /// Pull requests of the period, those of one title together.
    pub pulls: Vec<Pulls>,
}

impl Cycle {
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.stands.is_empty() && self.pulls.is_empty()
    }
}

/// Pull requests of one title.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pulls {
    /// The title, as it was sent.
    pub title: String,
    /// Those that were sent, oldest first.
    pub sent: Vec<Pull>,
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pull {
    /// When it came.
    pub on: NaiveDate,
    /// The story's id.
    pub story: String,
    /// Where it is read.
    pub link: Option<String>,
}

/// A part of an issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Which.
    pub kind: SectionKind,
    /// Its entries.
    pub entries: Vec<Entry>,
    /// How many stories it had no room for.
    pub left_out: u32,
    /// How many stories of this kind appear in other sections, because they matter more.
    #[serde(default)]
    pub elsewhere: u32,
}

/// One story, or one suggestion, in a section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The story's id; `None` for a suggestion or a free entry.
    pub story: Option<String>,
    /// The id of a suggestion (`s7`) or of a free entry (`e12`); empty for a story.
    #[serde(default)]
    pub id: String,
    /// Its title.
    pub title: String,
    /// Where it is read.
    pub link: Option<String>,
    /// The author; may be empty.
    pub author: String,
    /// Where it stands, in our words: `v3`, `applied to bpf-next`, `for subscribers`; may be empty.
    pub stands: String,
    /// Its day.
    pub on: NaiveDate,
    /// The commit that it became, if that is one.
    pub commit: Option<Commit>,
    /// The commits that it became, where no single one speaks for it.
    #[serde(default)]
    pub commits: Option<Commits>,
    /// The author's own words: a summary, a teaser, the changes; may be empty.
    pub text: String,
    /// The editors' notes, in Markdown.
    pub notes: Vec<String>,
    /// Whether an editor pinned it.
    pub is_pinned: bool,
    /// The section of its kind of move, for the opening's counts; `None` for other moves and for suggestions.
    #[serde(default)]
    pub moved: Option<SectionKind>,
    /// Whether an editor gave it another title. Then its commit does not stand for it.
    #[serde(default)]
    pub is_retitled: bool,
    /// The picture of a free entry.
    #[serde(default)]
    pub picture: Option<Picture>,
}

impl Entry {
    /// The id by which editors name it.
    pub fn name(&self) -> &str {
        self.story.as_deref().unwrap_or(&self.id)
    }

    /// The commit that is shown in its place, with the commit's own subject, if a section shows commits.
    pub fn commit_alone(&self, kind: SectionKind) -> Option<&Commit> {
        let is_alone = kind != SectionKind::Highlights && !self.is_retitled;
        self.commit.as_ref().filter(|_| is_alone)
    }

    /// An entry of editors, without its content.
    fn of_editors(on: NaiveDate) -> Self {
        Self {
            story: None,
            id: String::new(),
            title: String::new(),
            link: None,
            author: String::new(),
            stands: String::new(),
            on,
            commit: None,
            commits: None,
            text: String::new(),
            notes: Vec::new(),
            is_pinned: true,
            moved: None,
            is_retitled: false,
            picture: None,
        }
    }
}

/// The commits of a series in one tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commits {
    /// How many are known.
    pub many: u32,
    /// Of how many patches.
    pub of: u32,
    /// The tree's name; may be empty.
    pub tree: String,
    /// The first of them.
    pub first: Commit,
    /// The last of them; where there is one only, the same.
    pub last: Commit,
}

impl Commits {
    /// The numbers of them: `3 commits in bpf-next`, `1 of 3 patches`.
    pub fn counted(&self) -> String {
        let counted = match (self.many == self.of, self.many) {
            (true, 1) => "1 commit".to_owned(),
            (true, many) => format!("{many} commits"),
            (false, many) => format!("{many} of {} patches", self.of),
        };
        match self.tree.as_str() {
            "" => counted,
            tree => format!("{counted} in {tree}"),
        }
    }
}

/// A commit for a line: `b0e92279d3ec (Merge branch 'thunderx-xdp', 2017-05-02)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Its first twelve digits.
    pub digits: String,
    /// Its subject.
    pub subject: String,
    /// Its day.
    pub on: NaiveDate,
    /// Where it is read.
    pub link: Option<String>,
}

impl Commit {
    /// A commit as people see it, of the text of strangers.
    pub fn shown(hash: &str, subject: &str, on: NaiveDate, link: Option<&str>) -> Self {
        Self {
            digits: plain(hash).chars().take(HASH_DIGITS).collect(),
            subject: shown_title(subject),
            on,
            link: shown_link(link),
        }
    }
}

fn shown_title(title: &str) -> String {
    shorten(&plain(title), TITLE_CHARS_MAX)
}

fn shown_link(link: Option<&str>) -> Option<String> {
    link.filter(|link| is_for_readers(link)).map(str::to_owned)
}

/// The patches of one author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patches {
    /// The author.
    pub author: String,
    /// The patches, oldest first.
    pub posted: Vec<Posted>,
}

/// A patch or a series: its cover letter, or its only mail, and its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// The story's id.
    pub story: String,
    /// Its subject as it was sent: `[PATCH net-next 0/4] …`.
    pub title: String,
    /// Where it is read.
    pub link: Option<String>,
    /// Its parts: subjects as they were sent, and where each is read.
    pub parts: Vec<(String, Option<String>)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_are_iso_weeks() {
        let week = Period::week("2017-W19").expect("a week");
        assert_eq!(week.from.to_rfc3339(), "2017-05-08T00:00:00+00:00");
        assert_eq!(week.to.to_rfc3339(), "2017-05-15T00:00:00+00:00");
        assert_eq!(week.last_day().to_string(), "2017-05-14");
        let turn = Period::week("2020-W53").expect("a week of 53");
        assert_eq!(turn.from.to_rfc3339(), "2020-12-28T00:00:00+00:00");
        for at in [turn.from, turn.to - TimeDelta::seconds(1)] {
            assert_eq!(Period::week_of(at), turn);
        }
        for bad in [
            "", "2017", "2017-19", "2017-W9", "2017-W00", "2019-W53", "17-W19", "2017-W1x",
            "2017-W+1",
        ] {
            assert_eq!(Period::week(bad), None, "{bad}");
        }
    }
}
