//! The kernel cycle: the last release, the merge window, the releases that are expected, the pull requests.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::{Cycle, Passage, Pull, Pulls};
use crate::post::{is_for_readers, plain};
use crate::story::StoryKind;
use crate::story::kernel::KernelVersion;

/// A merge window is two weeks; Linus Torvalds has closed it a day late.
const WINDOW_MAX: TimeDelta = TimeDelta::days(16);

/// A merge window is two weeks, and a release candidate comes every week after it.
const WINDOW: TimeDelta = TimeDelta::weeks(2);
const CANDIDATE_EVERY: TimeDelta = TimeDelta::weeks(1);
/// The last release candidate of most versions; the version follows a week later.
const LAST_CANDIDATE: u32 = 7;
/// A release that is so late is not known here, or the habit was broken.
const LATE: TimeDelta = TimeDelta::days(3);

/// A note for readers about the expected days.
pub const CYCLE_NOTE: &str = "Days follow from habit: a candidate every Sunday, seven or eight of them, and two weeks for the merge window.";
/// The answer if no release is stored.
pub const NO_RELEASE: &str = "No release of the kernel is stored. The feed kernel-releases of the example configuration brings them.";

/// A release of mainline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// `6.15`, `6.16-rc3`.
    pub version: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Its page.
    pub link: Option<String>,
}

pub(super) fn cycle(passages: &[&Passage], release: Option<&Release>, to: DateTime<Utc>) -> Cycle {
    let link = release.and_then(|release| release.link.clone());
    Cycle {
        stands: release.map_or_else(String::new, |release| stands(release, to)),
        link: link.filter(|link| is_for_readers(link)),
        pulls: pulls(passages),
    }
}

fn stands(release: &Release, to: DateTime<Utc>) -> String {
    let version = plain(&release.version);
    let day = release.at.format("%-d %B %Y");
    if version.contains("-rc") {
        return format!("Linux {version} came out on {day}.");
    }
    match is_window_open(release, to) {
        true => format!("Linux {version} came out on {day}, and the merge window is open."),
        false => format!("Linux {version} came out on {day}."),
    }
}

/// Whether the merge window after a version is open.
fn is_window_open(release: &Release, now: DateTime<Utc>) -> bool {
    !release.version.contains("-rc") && now - release.at <= WINDOW_MAX
}

/// Where the kernel is, and the next steps by habit. Only the last release is a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelCycle {
    /// The last release, in a sentence.
    pub stands: String,
    /// Where its announcement is read.
    pub link: Option<String>,
    /// The next releases, in order.
    pub expected: Vec<ExpectedRelease>,
}

/// A release that habit expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedRelease {
    /// `6.19-rc4`; for the first candidate of a version without number yet, its place: `after 6.19`.
    pub name: String,
    /// The end of the merge window and the first candidate come together.
    pub ends_window: bool,
    pub on: NaiveDate,
    /// Whether that day is long over, so that the habit does not hold or the release is not known here.
    pub is_late: bool,
}

impl ExpectedRelease {
    /// In words: `6.19-rc4 about 21 December 2025`.
    pub fn words(&self) -> String {
        let day = self.on.format("%-d %B %Y");
        let what = match self.ends_window {
            true => format!(
                "the merge window {} closes, with the first -rc1,",
                self.name
            ),
            false => self.name.clone(),
        };
        match self.is_late {
            true => format!("{what} was expected about {day}, and is not known here"),
            false => format!("{what} about {day}"),
        }
    }
}

/// Where the kernel is after its last release.
pub fn kernel_cycle(release: &Release, now: DateTime<Utc>) -> KernelCycle {
    let version = KernelVersion::parse(&release.version);
    let mut expected = Vec::new();
    let mut expect = |name: String, after: TimeDelta, ends_window: bool| {
        let at = release.at + after;
        expected.push(ExpectedRelease {
            name,
            ends_window,
            on: at.date_naive(),
            is_late: at + LATE < now,
        });
    };
    match version.and_then(|version| Some((version, version.candidate?))) {
        Some((version, candidate)) => {
            let of_candidate = |number| KernelVersion {
                candidate: Some(number),
                ..version
            };
            let whole = KernelVersion {
                candidate: None,
                ..version
            };
            let mut after = CANDIDATE_EVERY;
            if candidate < LAST_CANDIDATE {
                expect(of_candidate(candidate + 1).to_string(), after, false);
                let weeks = i32::try_from(LAST_CANDIDATE - candidate).unwrap_or(0);
                after += CANDIDATE_EVERY * weeks;
            }
            expect(whole.to_string(), after, false);
            expect(format!("after {whole}"), after + WINDOW, true);
        }
        None => {
            if let Some(version) = version {
                expect(format!("after {version}"), WINDOW, true);
            }
        }
    }
    KernelCycle {
        stands: stands(release, now),
        link: release.link.clone().filter(|link| is_for_readers(link)),
        expected,
    }
}

/// The pull requests that were sent in the period.
fn pulls(passages: &[&Passage]) -> Vec<Pulls> {
    let mut by_title: BTreeMap<String, Vec<(DateTime<Utc>, Pull)>> = BTreeMap::new();
    for passage in passages {
        let story = &passage.after;
        if story.kind != StoryKind::Pull || passage.before.is_some() {
            continue;
        }
        let root = story.messages.iter().find_map(|id| passage.mails.get(id));
        let title = root.map_or(&story.title, |mail| &mail.title);
        let pull = Pull {
            on: story.first_at.date_naive(),
            story: story.id.clone(),
            link: story.url.clone().filter(|link| is_for_readers(link)),
        };
        let of_title = by_title.entry(plain(title)).or_default();
        of_title.push((story.first_at, pull));
    }
    let mut pulls: Vec<(DateTime<Utc>, Pulls)> = by_title
        .into_iter()
        .filter_map(|(title, mut sent)| {
            sent.sort();
            let first = sent.first()?.0;
            let sent = sent.into_iter().map(|(_, pull)| pull).collect();
            Some((first, Pulls { title, sent }))
        })
        .collect();
    pulls.sort_by(|a, b| (a.0, &a.1.title).cmp(&(b.0, &b.1.title)));
    pulls.into_iter().map(|(_, pulls)| pulls).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_releases_follow_from_habit() {
        let at = |text: &str| -> DateTime<Utc> { text.parse().expect("a time") };
        #[rustfmt::skip]
        let table: [(&str, &str, &str, &[&str]); 6] = [
            ("6.19-rc3", "2025-12-21T23:00:00Z", "2025-12-22T00:00:00Z", &[
                "6.19-rc4 about 28 December 2025",
                "6.19 about 25 January 2026",
                "the merge window after 6.19 closes, with the first -rc1, about 8 February 2026",
            ]),
            ("6.19-rc7", "2026-01-18T23:00:00Z", "2026-01-20T00:00:00Z", &[
                "6.19 about 25 January 2026",
                "the merge window after 6.19 closes, with the first -rc1, about 8 February 2026",
            ]),
            ("6.19-rc8", "2026-01-25T23:00:00Z", "2026-01-26T00:00:00Z", &[
                "6.19 about 1 February 2026",
                "the merge window after 6.19 closes, with the first -rc1, about 15 February 2026",
            ]),
            ("6.18", "2025-11-30T22:00:00Z", "2025-12-05T00:00:00Z", &[
                "the merge window after 6.18 closes, with the first -rc1, about 14 December 2025",
            ]),
            ("6.18", "2025-11-30T22:00:00Z", "2025-12-20T00:00:00Z", &[
                "the merge window after 6.18 closes, with the first -rc1, was expected about 14 December 2025, and is not known here",
            ]),
            ("next", "2025-11-30T22:00:00Z", "2025-12-01T00:00:00Z", &[]),
        ];
        for (version, released, now, right) in table {
            let release = Release {
                version: version.to_owned(),
                at: at(released),
                link: None,
            };
            let cycle = kernel_cycle(&release, at(now));
            let words: Vec<String> = cycle.expected.iter().map(ExpectedRelease::words).collect();
            assert_eq!(words, right, "{version} at {now}");
        }
    }

    #[test]
    fn the_cycle_follows_from_the_last_release() {
        let at = |text: &str| -> DateTime<Utc> { text.parse().expect("a time") };
        let to = at("2025-04-05T00:00:00Z");
        #[rustfmt::skip]
        let table = [
            ("6.15-rc3", "2025-04-01T00:00:00Z", "Linux 6.15-rc3 came out on 1 April 2025."),
            ("6.14", "2025-03-24T00:00:00Z", "Linux 6.14 came out on 24 March 2025, and the merge window is open."),
            ("6.14", "2025-03-01T00:00:00Z", "Linux 6.14 came out on 1 March 2025."),
        ];
        for (version, released, right) in table {
            let release = Release {
                version: version.to_owned(),
                at: at(released),
                link: Some("javascript:alert(1)".to_owned()),
            };
            let cycle = cycle(&[], Some(&release), to);
            assert_eq!(
                (cycle.stands.as_str(), cycle.link),
                (right, None),
                "{version}"
            );
        }
        assert!(cycle(&[], None, to).is_empty());
    }
}
