//! The kernel cycle: the last release, the merge window, the pull requests.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Cycle, Passage, Pull, Pulls};
use crate::post::{is_for_readers, plain};
use crate::story::StoryKind;

/// A merge window is two weeks; Linus Torvalds has closed it a day late.
const WINDOW_MAX: TimeDelta = TimeDelta::days(16);

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
    match to - release.at <= WINDOW_MAX {
        true => format!("Linux {version} came out on {day}, and the merge window is open."),
        false => format!("Linux {version} came out on {day}."),
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
