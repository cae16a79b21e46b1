//! A story as `--format json` prints it. Programs rely on these keys; docs/json.md documents them.
//!
//! [`Story`] is also stored, and may change. This type must not, except for new keys.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::story::machine::Findings;
use crate::story::{
    Applied, AppliedCommit, Backport, Check, Event, Landed, Participant, Patch, Revision, State,
    Step, Story, StoryKind,
};

#[derive(Serialize)]
pub(super) struct StoryJson<'a> {
    id: &'a str,
    aliases: &'a [String],
    kind: StoryKind,
    title: &'a str,
    url: Option<&'a str>,
    author: Option<&'a str>,
    tree: Option<&'a str>,
    state: State,
    score: i32,
    relevant: bool,
    why: &'a [String],
    first_at: DateTime<Utc>,
    last_at: DateTime<Utc>,
    feeds: &'a [String],
    revisions: Vec<RevisionJson<'a>>,
    follow_ups: u32,
    people: Vec<ParticipantJson<'a>>,
    events: Vec<EventJson<'a>>,
    checks: Vec<CheckJson<'a>>,
    applied: Vec<AppliedJson<'a>>,
    mainline: Option<LandedJson<'a>>,
    stable: Vec<BackportJson<'a>>,
    fixes: &'a [String],
    cves: &'a [String],
    messages: &'a [String],
    commits: &'a [String],
    files: &'a [String],
    summary: &'a [String],
    changes: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct RevisionJson<'a> {
    version: u32,
    posted_at: DateTime<Utc>,
    root: &'a str,
    cover: bool,
    total: u32,
    patches: Vec<PatchJson<'a>>,
}

#[derive(Serialize)]
struct PatchJson<'a> {
    number: u32,
    subject: &'a str,
    message_id: &'a str,
}

#[derive(Serialize)]
struct ParticipantJson<'a> {
    role: &'static str,
    name: &'a str,
}

#[derive(Serialize)]
struct EventJson<'a> {
    at: DateTime<Utc>,
    state: Step,
    by: &'a str,
    source: &'a str,
    text: &'a str,
    link: Option<&'a str>,
    findings: Option<FindingsJson>,
}

#[derive(Serialize)]
struct CheckJson<'a> {
    root: &'a str,
    what: &'a str,
    text: &'a str,
    at: DateTime<Utc>,
    link: Option<&'a str>,
    findings: Option<FindingsJson>,
}

#[derive(Serialize)]
struct FindingsJson {
    total: u32,
    critical: u32,
    high: u32,
    medium: u32,
    low: u32,
    remarks: u32,
    earlier: u32,
}

#[derive(Serialize)]
struct AppliedJson<'a> {
    tree: &'a str,
    branch: Option<&'a str>,
    by: &'a str,
    at: DateTime<Utc>,
    claimed: bool,
    commits: Vec<AppliedCommitJson<'a>>,
}

#[derive(Serialize)]
struct AppliedCommitJson<'a> {
    hash: &'a str,
    number: Option<u32>,
    subject: &'a str,
}

#[derive(Serialize)]
struct LandedJson<'a> {
    hash: &'a str,
    at: DateTime<Utc>,
}

#[derive(Serialize)]
struct BackportJson<'a> {
    branch: &'a str,
    hash: &'a str,
    at: DateTime<Utc>,
}

impl<'a> From<&'a Story> for StoryJson<'a> {
    fn from(story: &'a Story) -> Self {
        Self {
            id: &story.id,
            aliases: &story.aliases,
            kind: story.kind,
            title: &story.title,
            url: story.url.as_deref(),
            author: story.author.as_deref(),
            tree: story.tree.as_deref(),
            state: story.state,
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
        role: participant.role.word(),
        name: &participant.name,
    }
}

fn event(event: &Event) -> EventJson<'_> {
    EventJson {
        at: event.at,
        state: event.state,
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
    }
}

fn backport(backport: &Backport) -> BackportJson<'_> {
    BackportJson {
        branch: &backport.branch,
        hash: &backport.hash,
        at: backport.at,
    }
}
