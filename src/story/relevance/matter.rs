//! The input of relevance.

use std::collections::BTreeSet;

/// The input: the texts of a story's people, and its outcome. Lists and recipients are left out.
#[derive(Debug, Clone, Default)]
pub struct Matter {
    /// The feeds that carry it and nothing but BPF.
    pub home: Vec<String>,
    /// Titles without tags: first the story's own, then those of its patches and commits.
    pub titles: Vec<String>,
    /// Titles of missing patches, if the cover letter lists them without files.
    pub others: Vec<String>,
    /// Whether there are patches of which nothing is known: neither title nor files.
    pub is_incomplete: bool,
    /// Words of the subject's tags, such as `bpf-next`.
    pub trees: Vec<String>,
    /// The author's texts: cover letters, messages of patches and commits, articles.
    pub texts: Vec<String>,
    /// The changed files of the diffstats; long ones may be shortened in front (`.../bpf/core.c`).
    pub paths: BTreeSet<String>,
    /// How many people answered.
    pub reviewers: u32,
    /// Somebody refused it.
    pub nacked: bool,
    /// It was applied.
    pub applied: bool,
    /// A CVE was announced for it.
    pub cve: bool,
    /// LWN wrote of it, or it is LWN's.
    pub lwn: bool,
    /// A backport that was sent for a stable tree.
    pub backport: bool,
}
