//! The kinds of milestones, and how a channel announces each.

/// The highest version that a configuration may name: `v99+`.
const VERSION_MAX: u32 = 99;

/// A kind of milestone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MilestoneKind {
    /// A revision; in a configuration, every revision from this one on.
    Revision(u32),
    /// A person other than the author refused it.
    Nack,
    /// Somebody set its state to `changes requested`.
    ChangesRequested,
    /// Its author took it back.
    Withdrawn,
    /// Something else took its place.
    Superseded,
    /// It is in a tree.
    Applied,
    /// It is part of a pull request; a pull request was taken.
    Pulled,
    Mainline,
    Stable,
    /// A release of the kernel is the first with it.
    Released,
    /// A later commit takes it back.
    Reverted,
    /// A CVE was announced for it.
    Cve,
    /// A paid article is free to read.
    Free,
    /// A pull request waits.
    PullWaits,
}

impl MilestoneKind {
    /// Those with a word of their own, in the order of messages.
    pub const NAMED: [Self; 13] = [
        Self::Nack,
        Self::ChangesRequested,
        Self::Withdrawn,
        Self::Superseded,
        Self::Applied,
        Self::Pulled,
        Self::Mainline,
        Self::Stable,
        Self::Released,
        Self::Reverted,
        Self::Cve,
        Self::Free,
        Self::PullWaits,
    ];

    /// Its word in the configuration.
    pub fn word(self) -> String {
        let word = match self {
            Self::Revision(from) => return format!("v{from}+"),
            Self::Nack => "nack",
            Self::ChangesRequested => "changes-requested",
            Self::Withdrawn => "withdrawn",
            Self::Superseded => "superseded",
            Self::Applied => "applied",
            Self::Pulled => "pulled",
            Self::Mainline => "mainline",
            Self::Stable => "stable",
            Self::Released => "released",
            Self::Reverted => "reverted",
            Self::Cve => "cve",
            Self::Free => "free",
            Self::PullWaits => "pull-waits",
        };
        word.to_owned()
    }

    /// Reverses [`MilestoneKind::word`], in any case.
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        let version = word
            .strip_prefix('v')
            .and_then(|rest| rest.strip_suffix('+'));
        if let Some(digits) = version.filter(|digits| digits.bytes().all(|b| b.is_ascii_digit())) {
            let from = digits.parse().ok();
            return from
                .filter(|from| (2..=VERSION_MAX).contains(from))
                .map(Self::Revision);
        }
        Self::NAMED.into_iter().find(|kind| kind.word() == word)
    }

    /// Its place on the way to the users. Of several steps that come at once, a channel announces the last one.
    pub(super) fn way_point(self) -> Option<u8> {
        match self {
            Self::Applied => Some(1),
            Self::Pulled => Some(2),
            Self::Mainline => Some(3),
            Self::Stable => Some(4),
            Self::Revision(_)
            | Self::Nack
            | Self::ChangesRequested
            | Self::Withdrawn
            | Self::Superseded
            | Self::Released
            | Self::Reverted
            | Self::Cve
            | Self::Free
            | Self::PullWaits => None,
        }
    }
}

/// How a channel announces a milestone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MilestoneWay {
    /// By an edit of the post.
    Edit,
    /// By an answer to the post, too.
    Reply,
    /// By a message in the post's thread, too.
    Thread,
}

/// The milestones that a channel announces, and how. It announces all others by an edit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MilestoneWays(Vec<(MilestoneKind, MilestoneWay)>);

impl MilestoneWays {
    pub fn new(ways: Vec<(MilestoneKind, MilestoneWay)>) -> Self {
        Self(ways)
    }

    /// These milestones, all in one way.
    pub fn all(kinds: &[MilestoneKind], way: MilestoneWay) -> Self {
        Self(kinds.iter().map(|kind| (*kind, way)).collect())
    }

    /// The milestones that a channel announces unless its configuration says otherwise.
    pub fn usual(way: MilestoneWay) -> Self {
        const USUAL: [MilestoneKind; 4] = [
            MilestoneKind::Applied,
            MilestoneKind::Mainline,
            MilestoneKind::Withdrawn,
            MilestoneKind::Nack,
        ];
        Self::all(&USUAL, way)
    }

    /// The milestones of the older key `milestones`.
    pub fn of_older_key(way: MilestoneWay) -> Self {
        const OLDER: [MilestoneKind; 3] = [
            MilestoneKind::Applied,
            MilestoneKind::Mainline,
            MilestoneKind::Free,
        ];
        Self::all(&OLDER, way)
    }

    /// How a milestone is announced. For a revision, the entry with the highest version counts.
    pub fn way(&self, kind: MilestoneKind) -> MilestoneWay {
        let entries = self.0.iter();
        let fitting = entries.filter(|(own, _)| match (own, kind) {
            (MilestoneKind::Revision(from), MilestoneKind::Revision(version)) => *from <= version,
            (own, kind) => *own == kind,
        });
        let way = fitting.max_by_key(|(own, _)| *own).map(|(_, way)| *way);
        way.unwrap_or(MilestoneWay::Edit)
    }

    /// Whether any revision is announced.
    pub fn announces_revisions(&self) -> bool {
        let is_one = |kind: &MilestoneKind| matches!(kind, MilestoneKind::Revision(_));
        let mut all = self.0.iter();
        all.any(|(kind, way)| is_one(kind) && *way != MilestoneWay::Edit)
    }

    /// Whether anything goes to the thread of a post.
    pub fn uses_threads(&self) -> bool {
        self.0.iter().any(|(_, way)| *way == MilestoneWay::Thread)
    }

    /// The milestones that are not only edits, for people: `applied, v2+`.
    pub fn words(&self) -> String {
        let loud = self.0.iter().filter(|(_, way)| *way != MilestoneWay::Edit);
        let words: Vec<String> = loud.map(|(kind, _)| kind.word()).collect();
        words.join(", ")
    }
}
