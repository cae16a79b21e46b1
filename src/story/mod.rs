//! Stories, which readers follow. Items in, stories out; pure.
//!
//! The order of arrival plays no part: a story depends on the set of its items alone. A property that depends on the present
//! (quiet, waiting, free today) is computed by the reader of a story, and never stored.

pub mod bot;
pub mod fold;
pub mod group;
pub mod kernel;
pub mod key;
mod landed;
pub mod life;
mod lineage;
pub mod machine;
mod near;
pub mod numbers;
pub mod reading;
pub mod relevance;
pub mod scope;
pub mod series;
pub mod summary;
pub mod waiting;
mod words;

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

pub use self::landed::{Backport, Landed};
use self::machine::Findings;
use self::scope::StoryExtent;
pub use self::words::short_tree;
use crate::item::{ItemKind, Person};

/// An item as it was stored, for folding.
#[derive(Debug, Clone)]
pub struct StoredItem {
    /// Its number in the database; says nothing about it.
    pub id: i64,
    pub kind: ItemKind,
    /// Commit hash, Message-ID or key.
    pub reference: String,
    /// Its title, tags included.
    pub title: String,
    pub author: Person,
    /// When it became news.
    pub at: DateTime<Utc>,
    /// When it became known here: when it came while feeds were polled, else its own time.
    pub known_at: DateTime<Utc>,
    /// When its author wrote it.
    pub written_at: Option<DateTime<Utc>>,
    /// Where a person reads it, if it says so itself.
    pub url: Option<String>,
    /// The first half of the digest of the mail that it answers.
    pub parent: Option<i64>,
    /// Whether it was for subscribers, and the day on which it was to become free.
    pub paid: Option<Option<NaiveDate>>,
    /// When a feed showed it as free that had been paid.
    pub freed_at: Option<DateTime<Utc>>,
    /// The feeds that carry it, in the order of their names.
    pub feeds: Vec<Carrier>,
    pub text: String,
    /// The headers that were kept of a mail that was read whole.
    pub headers: Vec<(String, String)>,
}

impl StoredItem {
    /// Whether it is for subscribers, as far as its feeds show, and until when.
    pub fn paid_until(&self) -> Option<Option<NaiveDate>> {
        self.paid.filter(|_| self.freed_at.is_none())
    }

    /// The first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// A feed that carries an item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Carrier {
    pub name: String,
    /// tree, archive, lwn or feed.
    pub kind: String,
    /// Where it is.
    pub url: Option<String>,
    /// The role of the tree: fixes, next, mainline or stable.
    #[serde(default)]
    pub role: Option<String>,
    /// The branch of a tree.
    #[serde(default)]
    pub branch: Option<String>,
    /// Whether all that it carries is about BPF.
    #[serde(default)]
    pub home: bool,
    /// When it showed an item that was known already, unix seconds; else it is known with the item.
    #[serde(default)]
    pub seen_at: Option<i64>,
    /// When it was last read whole without the item, unix seconds; `None` if nobody knows.
    #[serde(default)]
    pub absent_at: Option<i64>,
}

/// The kind of a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoryKind {
    /// Patches, over all their revisions.
    Series,
    /// A commit that belongs to no series here.
    Commit,
    /// A request to pull.
    Pull,
    /// Mails without patches.
    Thread,
    Article,
    Release,
    Video,
}

/// Where a story stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A series that nobody has answered yet.
    Posted,
    /// A series that people talked about.
    Discussed,
    /// In a tree.
    Applied,
    /// In a tree, but not all of it.
    PartlyApplied,
    /// Part of a pull request to mainline.
    Pulled,
    /// In Linus Torvalds' tree.
    Mainline,
    /// In a stable tree too.
    Stable,
    /// Something else took its place.
    Superseded,
    /// Its author took it back.
    Withdrawn,
    /// A maintainer will not take it.
    Rejected,
    /// A thread or a pull request.
    Open,
    /// An article for subscribers.
    Paid,
    /// An article for everybody.
    Free,
    /// A release or a video.
    Published,
}

/// One step in a story's life.
#[derive(
    Debug, Default, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// First shown: a first revision, a commit, a mail that starts a thread, an article …
    #[default]
    Posted,
    /// A later revision.
    Revised,
    /// Somebody else than its author answered a revision, for the first time.
    Discussed,
    /// Somebody refused it in so many words (`Nacked-by`).
    Nacked,
    /// A person set its state to `changes requested` (`pw-bot: cr`).
    ChangesRequested,
    /// A person's mail says that it was applied; neither a commit nor a bot that saw the tree confirms it yet.
    Claimed,
    /// In a tree.
    Applied,
    /// In a tree, but not all of it.
    PartlyApplied,
    /// Part of a pull request.
    Pulled,
    /// In Linus Torvalds' tree.
    Mainline,
    /// In a stable tree.
    Stable,
    /// Something else took its place.
    Superseded,
    /// Its author took it back.
    Withdrawn,
    /// A maintainer will not take it.
    Rejected,
    /// A machine tested it and found it good.
    CiPassed,
    /// A machine tested it and found fault.
    CiFailed,
    /// A machine reported something else.
    Reported,
    /// An AI reviewed it: a machine sent the review, or a person passed it on.
    ReviewedByMachine,
    /// A machine could not build it.
    BuildBroken,
    /// A later commit says that it mends this one.
    Fixed,
    /// A later commit takes it back.
    Reverted,
    /// A CVE was announced for it.
    Cve,
}

impl Step {
    /// Whether it comes from a machine's mail. Such a step does not move a story.
    pub fn is_of_machine(self) -> bool {
        matches!(
            self,
            Self::CiPassed
                | Self::CiFailed
                | Self::Reported
                | Self::ReviewedByMachine
                | Self::BuildBroken
        )
    }
}

/// A dated step.
#[derive(Debug, Default, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Event {
    /// The time in the source; of a commit in mainline, when it was first seen there.
    pub at: DateTime<Utc>,
    /// The step.
    pub state: Step,
    /// The person; empty if nobody is named.
    pub by: String,
    /// The item that reports it: a Message-ID, a commit hash, a URL.
    pub source: String,
    /// A machine's verdict in words: `AI review: 2 findings (1 high)`; empty for other steps.
    #[serde(default)]
    pub text: String,
    /// Where a machine's mail or its page is read.
    #[serde(default)]
    pub link: Option<String>,
    /// The findings of a machine's review.
    #[serde(default)]
    pub findings: Option<Findings>,
}

/// The verdicts of machines on one revision, summed over its patches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The revision, by its `root`.
    pub root: String,
    /// `ai_review`, `tests` or `build`.
    pub what: String,
    /// In words: `AI review: 2 findings (1 high)`, `CI failed`, `build broken`.
    pub text: String,
    /// When a machine last said something of it.
    pub at: DateTime<Utc>,
    /// Where that is read.
    pub link: Option<String>,
    /// The findings of reviews that can be counted.
    pub findings: Option<Findings>,
}

/// One posting of a series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// `vN`; 1 if none is given.
    pub version: u32,
    /// When its first mail came.
    pub posted_at: DateTime<Utc>,
    /// The Message-ID of its cover letter, else of its first part, else of the mail that its parts answer.
    pub root: String,
    /// Whether it has a cover letter.
    pub cover: bool,
    /// How many patches it counts.
    pub total: u32,
    /// The patches that are here, by number.
    pub patches: Vec<Patch>,
}

impl Revision {
    /// Whether all the patches that it counts are here.
    pub fn has_all_patches(&self) -> bool {
        self.patches.len() >= self.total as usize
    }
}

/// A patch in a revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// 1 … total.
    pub number: u32,
    /// Its subject without tags.
    pub subject: String,
    pub message_id: String,
}

/// The role of a person in a story. Stored stories list people in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonRole {
    Acker,
    Applier,
    Author,
    Nacker,
    Reporter,
    Reviewer,
    Suggester,
    Tester,
}

/// A person in a story.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Participant {
    pub role: PersonRole,
    pub name: String,
}

/// Commits that a maintainer applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The tree as it was named, such as `bpf/bpf-next.git`.
    pub tree: String,
    /// The branch, where it was named.
    pub branch: Option<String>,
    /// The person who applied it; empty if nobody is named.
    pub by: String,
    pub at: DateTime<Utc>,
    /// Said in a person's mail only: neither a commit that is here nor a bot that saw the tree confirms it.
    pub claimed: bool,
    /// The commits, as far as they are known.
    pub commits: Vec<AppliedCommit>,
}

/// A commit made from a patch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedCommit {
    /// Its hash in the length of the source: 12 digits or all.
    pub hash: String,
    /// The patch's number in its revision.
    pub number: Option<u32>,
    pub subject: String,
}

/// A story, as it is folded and stored. The command line prints it as JSON by a type of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// Derived from its earliest item.
    pub id: String,
    /// Ids that it had before.
    pub aliases: Vec<String>,
    pub kind: StoryKind,
    /// Its title, without tags.
    pub title: String,
    /// Where to read on.
    pub url: Option<String>,
    pub author: Option<String>,
    /// The tree it is meant for, or was applied to.
    pub tree: Option<String>,
    /// Where it stands.
    pub state: State,
    /// How much it matters.
    pub score: i32,
    /// Whether it is about BPF.
    pub relevant: bool,
    /// The reasons for showing it or not, and the parts of its score.
    pub why: Vec<String>,
    /// Its earliest item.
    pub first_at: DateTime<Utc>,
    /// Its latest item by a person, or its latest step.
    pub last_at: DateTime<Utc>,
    /// Whether its beginning is not stored: there are only replies to it, or later parts of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lacks_beginning: bool,
    /// The feeds that carry it.
    pub feeds: Vec<String>,
    /// Its revisions, oldest first.
    pub revisions: Vec<Revision>,
    /// Answers by people.
    pub follow_ups: u32,
    /// The people who took part.
    pub people: Vec<Participant>,
    /// Its files and addresses, for filters.
    #[serde(default, skip_serializing_if = "StoryExtent::is_empty")]
    pub scope: StoryExtent,
    /// Its life, oldest first.
    pub events: Vec<Event>,
    /// The verdicts of machines on each revision.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// The commits that were applied, by tree.
    pub applied: Vec<Applied>,
    /// When it reached mainline.
    pub mainline: Option<Landed>,
    /// Its commits in stable trees.
    pub stable: Vec<Backport>,
    /// The commits that it says it mends.
    pub fixes: Vec<String>,
    /// The CVEs announced for it.
    pub cves: Vec<String>,
    /// Every Message-ID in it.
    pub messages: Vec<String>,
    /// Every commit in it.
    pub commits: Vec<String>,
    /// Two or three sentences, the author's own.
    pub summary: Vec<String>,
    /// The changes by revision (`v3`).
    pub changes: BTreeMap<String, String>,
    /// The day on which a paid article becomes free. Readers compare it with the present day.
    #[serde(skip)]
    pub free_on: Option<NaiveDate>,
}
