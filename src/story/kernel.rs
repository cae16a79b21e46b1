//! Kernel releases: their numbers, and which one first had a change. A rule that lacks a fact returns `None`; it never guesses.

use std::fmt;
use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use regex::Regex;

/// A release follows the last candidate after a week. After a longer time, a candidate in between may be missing here.
const LAST_CANDIDATE_MAX: TimeDelta = TimeDelta::days(10);

/// The number of a release: `6.18`, `6.18-rc3`, `6.12.31`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KernelVersion {
    pub major: u32,
    pub minor: u32,
    /// 0 for mainline.
    pub patch: u32,
    /// The number of a release candidate.
    pub candidate: Option<u32>,
}

impl KernelVersion {
    pub fn parse(text: &str) -> Option<Self> {
        static VERSION: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"^v?([0-9]{1,3})\.([0-9]{1,3})(?:\.([0-9]{1,4})|-rc([0-9]{1,3}))?$")
                .expect("the pattern is sound")
        });
        let found = VERSION.captures(text)?;
        let number = |at: usize| found.get(at)?.as_str().parse::<u32>().ok();
        Some(Self {
            major: number(1)?,
            minor: number(2)?,
            patch: number(3).unwrap_or(0),
            candidate: number(4),
        })
    }

    /// Whether it is a release of Linus Torvalds' tree.
    pub fn is_mainline(self) -> bool {
        self.patch == 0
    }

    fn series(self) -> (u32, u32) {
        (self.major, self.minor)
    }
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.major, self.minor)?;
        if self.patch > 0 {
            write!(out, ".{}", self.patch)?;
        }
        match self.candidate {
            Some(candidate) => write!(out, "-rc{candidate}"),
            None => Ok(()),
        }
    }
}

/// The branch of a release, as kernel.org names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KernelBranch {
    Mainline,
    /// `stable` or `longterm`.
    Stable,
}

/// Reads the title of a release of kernel.org's feed: `Linux 6.18-rc3: mainline`, `6.12.31: longterm`.
pub fn read_title(title: &str) -> Option<(KernelVersion, KernelBranch)> {
    let (name, branch) = title.split_once(": ")?;
    let branch = match branch.split(' ').next()? {
        "mainline" => KernelBranch::Mainline,
        "stable" | "longterm" => KernelBranch::Stable,
        _ => return None,
    };
    let (project, number) = name.rsplit_once(' ').unwrap_or(("", name));
    let is_kernel = project.is_empty() || project.split(' ').any(|word| word == "Linux");
    let version = KernelVersion::parse(number).filter(|_| is_kernel)?;
    Some((version, branch))
}

/// A release of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelRelease {
    pub version: KernelVersion,
    /// When it was tagged.
    pub at: DateTime<Utc>,
}

/// The release that first had what came to mainline after `after` and by `by`. `releases` are sorted by time.
///
/// It is the first one after `by`, if none falls between the two times, and if nothing can be missing between it and the one
/// before `after`.
pub fn first_in_mainline(
    releases: &[KernelRelease],
    after: DateTime<Utc>,
    by: DateTime<Utc>,
) -> Option<KernelVersion> {
    let mut mainline = releases
        .iter()
        .filter(|release| release.version.is_mainline());
    let mut before: Option<&KernelRelease> = None;
    let next = mainline.find(|release| {
        let is_next = release.at > by;
        if !is_next {
            before = Some(release);
        }
        is_next
    })?;
    let before = before.filter(|before| before.at <= after)?;
    follows(before, next).then_some(next.version)
}

/// Whether no release of mainline comes between these two.
fn follows(before: &KernelRelease, next: &KernelRelease) -> bool {
    let (old, new) = (before.version, next.version);
    match (old.candidate, new.candidate) {
        (Some(old_number), Some(new_number)) => {
            old.series() == new.series() && new_number == old_number + 1
        }
        (Some(_), None) => {
            old.series() == new.series() && next.at - before.at <= LAST_CANDIDATE_MAX
        }
        (None, Some(1)) => {
            new.series() == (old.major, old.minor + 1) || new.series() == (old.major + 1, 0)
        }
        (None, _) => false,
    }
}

/// The release that first had a commit of a stable branch, such as `linux-6.12.y`. `at` is when it was committed there.
///
/// Such a branch is one line of commits, and its keepers commit in the order of the line. So it is the first release of the branch
/// that is not older than the commit, if the release before it is known and older.
pub fn first_in_stable(
    releases: &[KernelRelease],
    branch: &str,
    at: DateTime<Utc>,
) -> Option<KernelVersion> {
    let series = series_of_branch(branch)?;
    let of_series = |release: &&KernelRelease| {
        release.version.series() == series && release.version.candidate.is_none()
    };
    let mut before: Option<KernelVersion> = None;
    let next = releases.iter().filter(of_series).find(|release| {
        let is_next = release.at >= at && !release.version.is_mainline();
        if !is_next {
            before = Some(release.version);
        }
        is_next
    })?;
    let is_next = before.is_some_and(|before| before.patch + 1 == next.version.patch);
    is_next.then_some(next.version)
}

/// `linux-6.12.y` → 6 and 12.
fn series_of_branch(branch: &str) -> Option<(u32, u32)> {
    let name = branch.rsplit('/').next()?;
    let number = name.strip_prefix("linux-")?.strip_suffix(".y")?;
    let version = KernelVersion::parse(number)?;
    (version.patch == 0 && version.candidate.is_none()).then(|| version.series())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn releases(all: &[(&str, &str)]) -> Vec<KernelRelease> {
        let release = |(version, day): &(&str, &str)| KernelRelease {
            version: KernelVersion::parse(version).expect("a version"),
            at: at(&format!("{day}T20:00:00Z")),
        };
        all.iter().map(release).collect()
    }

    #[test]
    fn numbers_are_read_and_written() {
        for text in ["6.18", "6.18-rc3", "6.12.31", "10.0-rc10"] {
            let version = KernelVersion::parse(text).expect("a version");
            assert_eq!(version.to_string(), text);
        }
        assert_eq!(
            KernelVersion::parse("v6.1"),
            KernelVersion::parse("6.1"),
            "a tag has a v"
        );
        for text in [
            "",
            "6",
            "6.18-rc",
            "6.18.1-rc1",
            "next-20251108",
            "6.18 ",
            "6.1.99999",
            "6.-1",
            "６.1",
        ] {
            assert_eq!(KernelVersion::parse(text), None, "{text}");
        }
    }

    #[test]
    fn titles_of_releases_are_read_and_others_are_not() {
        for (title, right) in [
            (
                "Linux 6.18-rc3: mainline",
                Some(("6.18-rc3", KernelBranch::Mainline)),
            ),
            ("6.18: mainline", Some(("6.18", KernelBranch::Mainline))),
            (
                "Linux 6.12.31: longterm",
                Some(("6.12.31", KernelBranch::Stable)),
            ),
            (
                "Linux 6.17.9: stable [EOL]",
                Some(("6.17.9", KernelBranch::Stable)),
            ),
            (
                "Latest Linux Kernel Versions 6.18: mainline",
                Some(("6.18", KernelBranch::Mainline)),
            ),
            ("Linux next-20251108: linux-next", None),
            ("libbpf 1.6: stable", None),
            ("Linux 6.18", None),
            ("Linux 6.18:mainline", None),
        ] {
            let read = read_title(title).map(|(version, branch)| (version.to_string(), branch));
            let right = right.map(|(version, branch)| (version.to_owned(), branch));
            assert_eq!(read, right, "{title}");
        }
    }

    #[test]
    fn the_first_release_is_named_only_where_nothing_else_is_possible() {
        let all = releases(&[
            ("6.17-rc7", "2025-09-21"),
            ("6.17", "2025-09-28"),
            ("6.17.1", "2025-10-06"),
            ("6.18-rc1", "2025-10-12"),
            ("6.18-rc2", "2025-10-19"),
            ("6.18-rc4", "2025-11-02"),
            ("6.18-rc7", "2025-11-23"),
            ("6.18", "2025-12-07"),
            ("6.20-rc1", "2025-12-21"),
        ]);
        let named = |after: &str, by: &str| {
            let (after, by) = (format!("{after}Z"), format!("{by}Z"));
            first_in_mainline(&all, at(&after), at(&by)).map(|version| version.to_string())
        };
        for (after, by, right) in [
            // In the merge window; a stable release on the way changes nothing.
            (
                "2025-10-01T00:00:00",
                "2025-10-03T00:00:00",
                Some("6.18-rc1"),
            ),
            (
                "2025-10-13T00:00:00",
                "2025-10-14T00:00:00",
                Some("6.18-rc2"),
            ),
            ("2025-09-22T00:00:00", "2025-09-23T00:00:00", Some("6.17")),
            // A release falls into the span.
            ("2025-10-12T00:00:00", "2025-10-13T00:00:00", None),
            // rc3 is missing here, and so may be an rc8, and 6.19.
            ("2025-10-20T00:00:00", "2025-10-21T00:00:00", None),
            ("2025-11-24T00:00:00", "2025-11-25T00:00:00", None),
            ("2025-12-08T00:00:00", "2025-12-09T00:00:00", None),
            // Nothing is known before, or after.
            ("2025-09-01T00:00:00", "2025-09-02T00:00:00", None),
            ("2025-12-22T00:00:00", "2025-12-23T00:00:00", None),
        ] {
            assert_eq!(named(after, by).as_deref(), right, "{after} to {by}");
        }
    }

    #[test]
    fn a_stable_release_has_the_commits_before_it_on_its_branch() {
        let all = releases(&[
            ("6.12", "2024-11-17"),
            ("6.6.90", "2025-05-09"),
            ("6.12.1", "2024-11-22"),
            ("6.12.30", "2025-05-22"),
            ("6.12.31", "2025-05-29"),
            ("6.12.33", "2025-06-10"),
        ]);
        let mut all = all;
        all.sort_by_key(|release| release.at);
        for (branch, committed, right) in [
            ("linux-6.12.y", "2025-05-29T20:00:00Z", Some("6.12.31")),
            ("linux-6.12.y", "2025-05-23T00:00:00Z", Some("6.12.31")),
            ("linux-6.12.y", "2024-11-20T00:00:00Z", Some("6.12.1")),
            ("linux-6.12.y", "2025-06-01T00:00:00Z", None),
            ("linux-6.12.y", "2025-05-01T00:00:00Z", None),
            ("linux-6.12.y", "2025-07-01T00:00:00Z", None),
            ("linux-6.6.y", "2025-05-01T00:00:00Z", None),
            ("master", "2025-05-23T00:00:00Z", None),
            ("linux-6.12.1.y", "2025-05-23T00:00:00Z", None),
        ] {
            let named = first_in_stable(&all, branch, at(committed));
            assert_eq!(
                named.map(|version| version.to_string()).as_deref(),
                right,
                "{branch} {committed}"
            );
        }
    }
}
