//! The sections of an issue, in the order of "BPF updates 02".

use serde::{Deserialize, Serialize};

/// A part of an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SectionKind {
    /// LWN's articles.
    Lwn,
    /// The most important stories.
    Highlights,
    /// Other important stories.
    Developments,
    /// Series that are new.
    NewSeries,
    /// Series that came again.
    NewVersions,
    /// Stories that were applied to a tree.
    Applied,
    /// Stories that reached mainline.
    Mainline,
    /// Videos of talks.
    Videos,
    /// Slides of talks.
    Slides,
    /// Articles and threads worth reading.
    Missed,
    /// Releases.
    Projects,
    /// Something nice at the end.
    Note,
}

impl SectionKind {
    /// All, in the order of the issue.
    pub const ALL: [Self; 12] = [
        Self::Lwn,
        Self::Highlights,
        Self::Developments,
        Self::NewSeries,
        Self::NewVersions,
        Self::Applied,
        Self::Mainline,
        Self::Videos,
        Self::Slides,
        Self::Missed,
        Self::Projects,
        Self::Note,
    ];

    /// The word by which editors and programs name it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Lwn => "lwn",
            Self::Highlights => "highlights",
            Self::Developments => "developments",
            Self::NewSeries => "new-series",
            Self::NewVersions => "new-versions",
            Self::Applied => "applied",
            Self::Mainline => "mainline",
            Self::Videos => "videos",
            Self::Slides => "slides",
            Self::Missed => "missed",
            Self::Projects => "projects",
            Self::Note => "note",
        }
    }

    /// The section of a word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Its heading.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Lwn => "LWN on BPF",
            Self::Highlights => "Highlights",
            Self::Developments => "More interesting developments",
            Self::NewSeries => "New patches and series",
            Self::NewVersions => "New versions",
            Self::Applied => "Applied",
            Self::Mainline => "In mainline",
            Self::Videos => "Videos",
            Self::Slides => "Slides",
            Self::Missed => "In case you missed it",
            Self::Projects => "Projects",
            Self::Note => "Random cool note",
        }
    }

    /// The heading above several sections that belong together.
    pub fn above(self) -> Option<&'static str> {
        match self {
            Self::Videos | Self::Slides => Some("Presentations"),
            Self::Lwn
            | Self::Highlights
            | Self::Developments
            | Self::NewSeries
            | Self::NewVersions
            | Self::Applied
            | Self::Mainline
            | Self::Missed
            | Self::Projects
            | Self::Note => None,
        }
    }

    /// Whether its stories were taken into a tree.
    pub(super) fn is_in_a_tree(self) -> bool {
        matches!(self, Self::Applied | Self::Mainline)
    }

    /// The most entries that it has room for, those that editors pinned not counted.
    pub(super) fn room(self) -> usize {
        match self {
            Self::Highlights => 5,
            Self::Developments | Self::Applied | Self::Mainline => 15,
            Self::NewSeries | Self::NewVersions => 10,
            Self::Lwn | Self::Videos | Self::Slides | Self::Missed | Self::Projects => 20,
            Self::Note => 5,
        }
    }
}
