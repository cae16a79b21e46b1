//! One word for each kind, state, step, role and tree: lists, columns, and steps in posts use these.

use super::{Applied, PersonRole, State, Step, StoryKind};

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

impl Applied {
    /// The tree as people call it: the last part of its path, without `.git`.
    pub fn short_tree(&self) -> &str {
        let path = self.tree.trim_end_matches('/');
        let name = path.rsplit('/').next().unwrap_or(path);
        name.strip_suffix(".git").unwrap_or(name)
    }
}
