//! An issue as the API sends it. The stored form may change; this may only get new keys.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::issue::markdown::{self, Correction};
use crate::issue::{Commit, Commits, Cycle, Entry, Issue, Patches, Posted, Pulls, Section};
use crate::store::issues::IssueRow;

/// A published issue in a list.
#[derive(Serialize, ToSchema)]
pub(super) struct ListedIssueJson {
    number: i64,
    /// `BPF updates 02`.
    title: String,
    /// The beginning of its period.
    #[schema(value_type = String, format = DateTime)]
    from: DateTime<Utc>,
    /// The end of its period, which is not in it.
    #[schema(value_type = String, format = DateTime)]
    to: DateTime<Utc>,
    #[schema(value_type = String, format = DateTime)]
    published_at: DateTime<Utc>,
    /// Its page on this site.
    page: String,
}

impl ListedIssueJson {
    pub(super) fn of(row: &IssueRow, name: &str, home: &str) -> Option<Self> {
        let at = |at: i64| DateTime::from_timestamp(at, 0);
        let number = u32::try_from(row.number).ok()?;
        Some(Self {
            number: row.number,
            title: crate::issue::title(name, number),
            from: at(row.from_at)?,
            to: at(row.to_at)?,
            published_at: at(row.published_at)?,
            page: format!("{home}{}", markdown::path(number)),
        })
    }
}

/// A whole issue.
#[derive(Serialize, ToSchema)]
pub(super) struct IssueJson {
    number: u32,
    /// The newsletter's name.
    name: String,
    title: String,
    /// The beginning of its period.
    #[schema(value_type = String, format = DateTime)]
    from: DateTime<Utc>,
    /// The end of its period, which is not in it.
    #[schema(value_type = String, format = DateTime)]
    to: DateTime<Utc>,
    /// The editors' introduction, in Markdown.
    intro: String,
    /// Counts for the opening sentence: `12 new series`.
    counts: Vec<String>,
    cycle: CycleJson,
    sections: Vec<SectionJson>,
    /// Everything that was posted, by author.
    patches: Vec<AuthorJson>,
    /// A sentence for each stretch that could not be read.
    missing: Vec<String>,
    corrections: Vec<CorrectionJson>,
    /// The number of the issue before.
    #[schema(required = true)]
    previous: Option<u32>,
    /// Its page on this site.
    page: String,
}

/// Where the kernel is in its cycle.
#[derive(Serialize, ToSchema)]
struct CycleJson {
    /// A sentence; empty if no feed has releases.
    stands: String,
    #[schema(required = true)]
    link: Option<String>,
    pulls: Vec<PullsJson>,
}

/// Pull requests of one title.
#[derive(Serialize, ToSchema)]
struct PullsJson {
    title: String,
    sent: Vec<PullJson>,
}

/// A pull request.
#[derive(Serialize, ToSchema)]
struct PullJson {
    #[schema(value_type = String, format = Date)]
    on: NaiveDate,
    /// The id of its story.
    story: String,
    #[schema(required = true)]
    link: Option<String>,
}

/// A part of an issue.
#[derive(Serialize, ToSchema)]
struct SectionJson {
    /// `lwn`, `highlights`, `developments`, `new-series` …
    kind: String,
    heading: String,
    entries: Vec<EntryJson>,
    /// How many stories it had no room for.
    left_out: u32,
    /// How many stories of its kind are in other sections.
    elsewhere: u32,
}

/// A story, or a suggestion of a reader, in a section.
#[derive(Serialize, ToSchema)]
struct EntryJson {
    /// The story's id; `null` for a suggestion that belongs to no story.
    #[schema(required = true)]
    story: Option<String>,
    title: String,
    #[schema(required = true)]
    link: Option<String>,
    /// May be empty.
    author: String,
    /// Where it stands, in words; may be empty.
    stands: String,
    #[schema(value_type = String, format = Date)]
    on: NaiveDate,
    /// The commit that it became.
    #[schema(required = true)]
    commit: Option<CommitJson>,
    /// The commits that it became, if no single one speaks for it.
    #[schema(required = true)]
    commits: Option<CommitsJson>,
    /// The author's own words; may be empty.
    text: String,
    /// The editors' notes, in Markdown.
    notes: Vec<String>,
}

/// A commit.
#[derive(Serialize, ToSchema)]
struct CommitJson {
    /// The first twelve digits of its hash.
    hash: String,
    subject: String,
    #[schema(value_type = String, format = Date)]
    on: NaiveDate,
    #[schema(required = true)]
    link: Option<String>,
}

/// The commits of a series in a tree.
#[derive(Serialize, ToSchema)]
struct CommitsJson {
    /// How many are known.
    many: u32,
    /// Of how many patches.
    of: u32,
    /// May be empty.
    tree: String,
    first: CommitJson,
    last: CommitJson,
}

/// The postings of an author.
#[derive(Serialize, ToSchema)]
struct AuthorJson {
    author: String,
    posted: Vec<PostedJson>,
}

/// A patch or a series as it was posted.
#[derive(Serialize, ToSchema)]
struct PostedJson {
    /// The id of its story.
    story: String,
    /// The subject as it was sent.
    title: String,
    #[schema(required = true)]
    link: Option<String>,
    parts: Vec<PartJson>,
}

/// A patch of a series as it was posted.
#[derive(Serialize, ToSchema)]
struct PartJson {
    title: String,
    #[schema(required = true)]
    link: Option<String>,
}

/// A note that corrects a published issue.
#[derive(Serialize, ToSchema)]
struct CorrectionJson {
    #[schema(value_type = String, format = DateTime)]
    at: DateTime<Utc>,
    /// In Markdown.
    text: String,
}

impl IssueJson {
    pub(super) fn of(issue: Issue, corrections: Vec<Correction>, home: &str) -> Self {
        let correction = |correction: Correction| CorrectionJson {
            at: correction.at,
            text: correction.text,
        };
        Self {
            title: issue.title(),
            page: format!("{home}{}", markdown::path(issue.number)),
            number: issue.number,
            name: issue.name,
            from: issue.period.from,
            to: issue.period.to,
            intro: issue.intro,
            counts: issue.counts,
            cycle: cycle(issue.cycle),
            sections: issue.sections.into_iter().map(section).collect(),
            patches: issue.patches.into_iter().map(author).collect(),
            missing: issue.missing,
            corrections: corrections.into_iter().map(correction).collect(),
            previous: issue.last.map(|last| last.number),
        }
    }
}

fn cycle(cycle: Cycle) -> CycleJson {
    let pulls = |pulls: Pulls| PullsJson {
        title: pulls.title,
        sent: pulls
            .sent
            .into_iter()
            .map(|pull| PullJson {
                on: pull.on,
                story: pull.story,
                link: pull.link,
            })
            .collect(),
    };
    CycleJson {
        stands: cycle.stands,
        link: cycle.link,
        pulls: cycle.pulls.into_iter().map(pulls).collect(),
    }
}

fn section(section: Section) -> SectionJson {
    SectionJson {
        kind: section.kind.word().to_owned(),
        heading: section.kind.heading().to_owned(),
        entries: section.entries.into_iter().map(entry).collect(),
        left_out: section.left_out,
        elsewhere: section.elsewhere,
    }
}

fn entry(entry: Entry) -> EntryJson {
    EntryJson {
        story: entry.story,
        title: entry.title,
        link: entry.link,
        author: entry.author,
        stands: entry.stands,
        on: entry.on,
        commit: entry.commit.map(commit),
        commits: entry.commits.map(commits),
        text: entry.text,
        notes: entry.notes,
    }
}

fn commit(commit: Commit) -> CommitJson {
    CommitJson {
        hash: commit.digits,
        subject: commit.subject,
        on: commit.on,
        link: commit.link,
    }
}

fn commits(commits: Commits) -> CommitsJson {
    CommitsJson {
        many: commits.many,
        of: commits.of,
        tree: commits.tree,
        first: commit(commits.first),
        last: commit(commits.last),
    }
}

fn author(patches: Patches) -> AuthorJson {
    let posted = |posted: Posted| PostedJson {
        story: posted.story,
        title: posted.title,
        link: posted.link,
        parts: posted
            .parts
            .into_iter()
            .map(|(title, link)| PartJson { title, link })
            .collect(),
    };
    AuthorJson {
        author: patches.author,
        posted: patches.posted.into_iter().map(posted).collect(),
    }
}
