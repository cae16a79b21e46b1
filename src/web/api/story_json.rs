//! A story as the API sends it and as `--format json` prints it. Programs rely on these keys; docs/json.md documents them.
//!
//! [`Story`] is also stored, and may change. This type must not, except for new keys.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::story::machine::Findings;
use crate::story::{
    Applied, AppliedCommit, Backport, Check, Event, Landed, Participant, Patch, PersonRole,
    Revision, State, Step, Story, StoryKind,
};

/// Makes the words of an enumeration that programs rely on. The compiler finds a value without a word.
macro_rules! words {
    ($(#[$about:meta])* $json:ident of $of:ident: $($value:ident)*) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub(super) enum $json {
            $($value,)*
        }

        impl From<$of> for $json {
            fn from(value: $of) -> Self {
                match value {
                    $($of::$value => Self::$value,)*
                }
            }
        }
    };
}

words!(
    /// The kind of a story.
    StoryKindJson of StoryKind: Series Commit Pull Thread Article Release Video
);
words!(
    /// Where a story stands.
    StateJson of State: Posted Discussed Applied PartlyApplied Pulled Mainline Stable Superseded Withdrawn Rejected Open Paid
    Free Published
);
words!(
    /// A step of a story's life.
    StepJson of Step: Posted Revised Discussed Nacked ChangesRequested Claimed Applied PartlyApplied Pulled Mainline Stable Superseded Withdrawn
    Rejected CiPassed CiFailed Reported ReviewedByMachine BuildBroken Fixed Reverted Cve
);
words!(
    /// The role of a person in a story.
    PersonRoleJson of PersonRole: Acker Applier Author Nacker Reporter Reviewer Suggester Tester
);

/// A whole story.
#[derive(Serialize, ToSchema)]
pub struct StoryJson<'a> {
    /// Derived from the earliest item of the story.
    id: &'a str,
    /// Earlier ids of the story, which still find it.
    aliases: &'a [String],
    kind: StoryKindJson,
    /// Without tags.
    title: &'a str,
    /// Where a person reads it.
    #[schema(required = true)]
    url: Option<&'a str>,
    #[schema(required = true)]
    author: Option<&'a str>,
    /// The tree that it is meant for, or is in.
    #[schema(required = true)]
    tree: Option<&'a str>,
    state: StateJson,
    /// How much it matters.
    score: i32,
    /// Whether it is about BPF.
    relevant: bool,
    /// The reasons for the score.
    why: &'a [String],
    /// Its earliest item.
    #[schema(value_type = String, format = DateTime)]
    first_at: DateTime<Utc>,
    /// Its latest item by a person, or its latest step.
    #[schema(value_type = String, format = DateTime)]
    last_at: DateTime<Utc>,
    /// The feeds that carry it.
    feeds: &'a [String],
    /// Its versions, oldest first.
    revisions: Vec<RevisionJson<'a>>,
    /// How many answers people sent.
    follow_ups: u32,
    people: Vec<ParticipantJson<'a>>,
    /// Its life, oldest first.
    events: Vec<EventJson<'a>>,
    /// The results of machines for each version.
    checks: Vec<CheckJson<'a>>,
    applied: Vec<AppliedJson<'a>>,
    #[schema(required = true)]
    mainline: Option<LandedJson<'a>>,
    stable: Vec<BackportJson<'a>>,
    /// The commits that it fixes, by its own words.
    fixes: &'a [String],
    cves: &'a [String],
    /// Every Message-ID.
    messages: &'a [String],
    /// Every hash.
    commits: &'a [String],
    /// The files that it changes.
    files: &'a [String],
    /// Sentences in the words of its author.
    summary: &'a [String],
    /// The changelog of each version, by `v2`, `v3` …
    changes: &'a BTreeMap<String, String>,
}

/// One version of a series.
#[derive(Serialize, ToSchema)]
struct RevisionJson<'a> {
    version: u32,
    #[schema(value_type = String, format = DateTime)]
    posted_at: DateTime<Utc>,
    root: &'a str,
    cover: bool,
    total: u32,
    patches: Vec<PatchJson<'a>>,
}

/// A patch of a version.
#[derive(Serialize, ToSchema)]
struct PatchJson<'a> {
    number: u32,
    subject: &'a str,
    message_id: &'a str,
}

/// A person with a role.
#[derive(Serialize, ToSchema)]
struct ParticipantJson<'a> {
    role: PersonRoleJson,
    name: &'a str,
}

/// A step of a story.
#[derive(Serialize, ToSchema)]
struct EventJson<'a> {
    #[schema(value_type = String, format = DateTime)]
    at: DateTime<Utc>,
    state: StepJson,
    by: &'a str,
    source: &'a str,
    text: &'a str,
    #[schema(required = true)]
    link: Option<&'a str>,
    #[schema(required = true)]
    findings: Option<FindingsJson>,
}

/// The results of machines for one version.
#[derive(Serialize, ToSchema)]
struct CheckJson<'a> {
    root: &'a str,
    what: &'a str,
    text: &'a str,
    #[schema(value_type = String, format = DateTime)]
    at: DateTime<Utc>,
    #[schema(required = true)]
    link: Option<&'a str>,
    #[schema(required = true)]
    findings: Option<FindingsJson>,
}

/// The findings of a machine's review.
#[derive(Serialize, ToSchema)]
struct FindingsJson {
    total: u32,
    critical: u32,
    high: u32,
    medium: u32,
    low: u32,
    remarks: u32,
    earlier: u32,
}

/// Commits that a maintainer applied to a tree.
#[derive(Serialize, ToSchema)]
struct AppliedJson<'a> {
    tree: &'a str,
    #[schema(required = true)]
    branch: Option<&'a str>,
    by: &'a str,
    #[schema(value_type = String, format = DateTime)]
    at: DateTime<Utc>,
    claimed: bool,
    commits: Vec<AppliedCommitJson<'a>>,
}

/// A commit that was made from a patch.
#[derive(Serialize, ToSchema)]
struct AppliedCommitJson<'a> {
    hash: &'a str,
    #[schema(required = true)]
    number: Option<u32>,
    subject: &'a str,
}

/// The commit that brought a story to mainline.
#[derive(Serialize, ToSchema)]
struct LandedJson<'a> {
    hash: &'a str,
    #[schema(value_type = String, format = DateTime)]
    at: DateTime<Utc>,
    release: Option<&'a str>,
}

/// A commit in a stable tree.
#[derive(Serialize, ToSchema)]
struct BackportJson<'a> {
    branch: &'a str,
    hash: &'a str,
    #[schema(value_type = String, format = DateTime)]
    at: DateTime<Utc>,
    release: Option<&'a str>,
}

impl<'a> From<&'a Story> for StoryJson<'a> {
    fn from(story: &'a Story) -> Self {
        Self {
            id: &story.id,
            aliases: &story.aliases,
            kind: story.kind.into(),
            title: &story.title,
            url: story.url.as_deref(),
            author: story.author.as_deref(),
            tree: story.tree.as_deref(),
            state: story.state.into(),
            score: story.score,
            relevant: story.relevant,
            why: &story.why,
            first_at: story.first_at,
            last_at: story.last_at,
            feeds: &story.feeds,
            revisions: story.revisions.iter().map(revision).collect(),
            follow_ups: story.follow_ups,
            people: story.people.iter().map(participant).collect(),
            events: story.events.iter().map(event).collect(),
            checks: story.checks.iter().map(check).collect(),
            applied: story.applied.iter().map(applied).collect(),
            mainline: story.mainline.as_ref().map(landed),
            stable: story.stable.iter().map(backport).collect(),
            fixes: &story.fixes,
            cves: &story.cves,
            messages: &story.messages,
            commits: &story.commits,
            files: &story.scope.files,
            summary: &story.summary,
            changes: &story.changes,
        }
    }
}

fn revision(revision: &Revision) -> RevisionJson<'_> {
    RevisionJson {
        version: revision.version,
        posted_at: revision.posted_at,
        root: &revision.root,
        cover: revision.cover,
        total: revision.total,
        patches: revision.patches.iter().map(patch).collect(),
    }
}

fn patch(patch: &Patch) -> PatchJson<'_> {
    PatchJson {
        number: patch.number,
        subject: &patch.subject,
        message_id: &patch.message_id,
    }
}

fn participant(participant: &Participant) -> ParticipantJson<'_> {
    ParticipantJson {
        role: participant.role.into(),
        name: &participant.name,
    }
}

fn event(event: &Event) -> EventJson<'_> {
    EventJson {
        at: event.at,
        state: event.state.into(),
        by: &event.by,
        source: &event.source,
        text: &event.text,
        link: event.link.as_deref(),
        findings: event.findings.map(findings),
    }
}

fn check(check: &Check) -> CheckJson<'_> {
    CheckJson {
        root: &check.root,
        what: &check.what,
        text: &check.text,
        at: check.at,
        link: check.link.as_deref(),
        findings: check.findings.map(findings),
    }
}

fn findings(findings: Findings) -> FindingsJson {
    FindingsJson {
        total: findings.total,
        critical: findings.critical,
        high: findings.high,
        medium: findings.medium,
        low: findings.low,
        remarks: findings.remarks,
        earlier: findings.earlier,
    }
}

fn applied(applied: &Applied) -> AppliedJson<'_> {
    AppliedJson {
        tree: &applied.tree,
        branch: applied.branch.as_deref(),
        by: &applied.by,
        at: applied.at,
        claimed: applied.claimed,
        commits: applied.commits.iter().map(applied_commit).collect(),
    }
}

fn applied_commit(commit: &AppliedCommit) -> AppliedCommitJson<'_> {
    AppliedCommitJson {
        hash: &commit.hash,
        number: commit.number,
        subject: &commit.subject,
    }
}

fn landed(landed: &Landed) -> LandedJson<'_> {
    LandedJson {
        hash: &landed.hash,
        at: landed.at,
        release: landed.release.as_deref(),
    }
}

fn backport(backport: &Backport) -> BackportJson<'_> {
    BackportJson {
        branch: &backport.branch,
        hash: &backport.hash,
        at: backport.at,
        release: backport.release.as_deref(),
    }
}
