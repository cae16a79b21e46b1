//! One word for each kind, state, step, role and tree: lists, columns, and steps in posts use these.

use super::{
    Applied, AppliedCommit, Event, Patch, PersonRole, Revision, State, Step, Story, StoryKind,
};

impl StoryKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Series => "series",
            Self::Commit => "commit",
            Self::Pull => "pull request",
            Self::Thread => "thread",
            Self::Article => "article",
            Self::Release => "release",
            Self::Video => "video",
        }
    }
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            Self::Posted => "posted",
            Self::Discussed => "discussed",
            Self::Applied => "applied",
            Self::PartlyApplied => "partly applied",
            Self::Pulled => "pulled",
            Self::Mainline => "mainline",
            Self::Stable => "stable",
            Self::Superseded => "superseded",
            Self::Withdrawn => "withdrawn",
            Self::Rejected => "rejected",
            Self::Open => "open",
            Self::Paid => "paid",
            Self::Free => "free",
            Self::Published => "published",
        }
    }
}

impl Step {
    pub fn word(self) -> &'static str {
        match self {
            Self::Posted => "posted",
            Self::Revised => "revised",
            Self::Discussed => "discussed",
            Self::Nacked => "nacked",
            Self::ChangesRequested => "changes requested",
            Self::Claimed => "said applied",
            Self::Applied => "applied",
            Self::PartlyApplied => "partly applied",
            Self::Pulled => "pulled",
            Self::Mainline => "mainline",
            Self::Stable => "stable",
            Self::Superseded => "superseded",
            Self::Withdrawn => "withdrawn",
            Self::Rejected => "rejected",
            Self::CiPassed => "CI passed",
            Self::CiFailed => "CI failed",
            Self::Reported => "bot report",
            Self::ReviewedByMachine => "AI review",
            Self::BuildBroken => "build broken",
            Self::Fixed => "fixed later",
            Self::Reverted => "reverted",
            Self::Cve => "CVE",
        }
    }
}

impl PersonRole {
    /// As in JSON, where it must not change.
    pub fn word(self) -> &'static str {
        match self {
            Self::Acker => "acker",
            Self::Applier => "applier",
            Self::Author => "author",
            Self::Nacker => "nacker",
            Self::Reporter => "reporter",
            Self::Reviewer => "reviewer",
            Self::Suggester => "suggester",
            Self::Tester => "tester",
        }
    }
}

/// The trailers that name people, with their roles.
const TRAILERS: [(&str, PersonRole); 8] = [
    ("Reviewed-by", PersonRole::Reviewer),
    ("Acked-by", PersonRole::Acker),
    ("Tested-by", PersonRole::Tester),
    ("Nacked-by", PersonRole::Nacker),
    ("Reported-by", PersonRole::Reporter),
    ("Suggested-by", PersonRole::Suggester),
    ("Co-developed-by", PersonRole::Author),
    ("NAKed-by", PersonRole::Nacker),
];

impl PersonRole {
    /// The role that a trailer gives to the person that it names.
    pub fn of_trailer(name: &str) -> Option<Self> {
        let mut trailers = TRAILERS.iter();
        let found = trailers.find(|(trailer, _)| trailer.eq_ignore_ascii_case(name));
        found.map(|(_, role)| *role)
    }

    /// The words before a person's name: `reviewed by`.
    pub fn by(self) -> &'static str {
        match self {
            Self::Acker => "acked by",
            Self::Applier => "applied by",
            Self::Author => "written by",
            Self::Nacker => "refused by",
            Self::Reporter => "reported by",
            Self::Reviewer => "reviewed by",
            Self::Suggester => "suggested by",
            Self::Tester => "tested by",
        }
    }
}

impl Story {
    /// The revision that a step posted.
    pub fn revision_of(&self, event: &Event) -> Option<&Revision> {
        if !matches!(event.state, Step::Posted | Step::Revised) {
            return None;
        }
        let holds = |revision: &&Revision| {
            let mut ids = revision.patches.iter().map(|patch| &patch.message_id);
            revision.root == event.source || ids.any(|id| *id == event.source)
        };
        let at_that_time = |revision: &&Revision| revision.posted_at == event.at;
        let revisions = &self.revisions;
        let holding = revisions.iter().find(holds);
        holding.or_else(|| revisions.iter().find(at_that_time))
    }

    /// The commit that a patch of the newest revision became.
    pub fn commit_of(&self, patch: &Patch) -> Option<&AppliedCommit> {
        let mut commits = self.applied.iter().flat_map(|applied| &applied.commits);
        commits.find(|commit| match commit.number {
            Some(made_of) => made_of == patch.number,
            None => commit.subject == patch.subject,
        })
    }
}

/// A tree as people call it: the last part of its path, without `.git`.
pub fn short_tree(tree: &str) -> &str {
    let path = tree.trim_end_matches('/');
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_suffix(".git").unwrap_or(name)
}

impl Applied {
    /// See [`short_tree`].
    pub fn short_tree(&self) -> &str {
        short_tree(&self.tree)
    }
}
