//! Is it about BPF, how much does it matter, and why. Pure.

/// What is judged: what the people of a story wrote, and what became of it. No feed, no list.
#[derive(Debug, Clone, Default)]
pub struct Matter {
    /// Whether it came by a feed that carries nothing but BPF (a commit in bpf-next, a mail to the bpf list).
    pub home: Vec<String>,
    /// Titles without tags: first the story's own, then those of its patches and commits.
    pub titles: Vec<String>,
    /// Words of the subjects' tags, such as `bpf-next`.
    pub trees: Vec<String>,
    /// What its author wrote: cover letters, messages of patches and commits, articles, diffstats included.
    pub texts: Vec<String>,
    /// Who answered, among people; each once.
    pub reviewers: u32,
    /// Somebody refused it.
    pub nacked: bool,
    /// It was applied.
    pub applied: bool,
    /// A CVE was announced for it.
    pub cve: bool,
    /// LWN wrote of it, or it is LWN's.
    pub lwn: bool,
    /// A backport that a stable tree's machine sent (AUTOSEL).
    pub backport: bool,
}

/// A judgement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Whether it is about BPF.
    pub relevant: bool,
    /// How much it matters.
    pub score: i32,
    /// Why, in words for a reader; those that say that it is about BPF, or not, first.
    pub why: Vec<String>,
}

/// Words and weights.
#[derive(Debug, Clone, Default)]
pub struct Words;

/// Judges a story.
pub fn judge(_matter: &Matter, _words: &Words) -> Judgement {
    Judgement::default()
}
