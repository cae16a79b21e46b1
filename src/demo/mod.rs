//! The demo: one real week of BPF news, 2 to 10 May 2017, and three stories of later years, played through the same path as
//! `run`.
//!
//! The facts of 2017 are those of "BPF updates 01" to "03" by Alexander Alemayhu, mainly of issue 02
//! (<https://www.cilium.io/blog/2017/5/10/bpf-updates-02>): authors, subjects, links and some days. The stories of 2023, 2024
//! and 2026 are public mail and an article of LWN, with their real times and Message-IDs. `week.toml` holds all of it, and its
//! head says which parts are a reconstruction. [`server`] serves the items on loopback as feeds in the shapes of their
//! upstreams, as they would have stood at a clock's time. [`config`] lists the feeds, and [`steps`] lists the polls. Nothing
//! here reads a feed.
//!
//! Every text is ours, and short. A mail of a person is retold in the third person, so nobody gets words that they did not
//! write. Mails of machines keep the lines by which bpfnews recognises them. The feeds' own addresses are on loopback, where no
//! reader can follow them; [`reader_links`] has the real ones.
//!
//! Some items are in several feeds:
//! - `linux-arm-kernel` and `netdev`: the ten mails of the thunderx series and "[PATCH net] bpf, arm64: fix jit branch
//!   offset related to ldimm64". The newsletter links them in the archive of linux-arm-kernel. Their subjects
//!   (`[PATCH net]`, `net: thunderx`) and the merge of the series in net-next suggest that netdev carried them too. The
//!   other patches are in `netdev` alone, also those that the newsletter links on patchwork, whose links name no list.
//! - `net`, `net-next` and `linux`: the three commits that the newsletter links in net. net is merged into net-next regularly,
//!   and the newsletter says that its highlights reach mainline. The merge of thunderx-xdp is in `net-next` and `linux`.
//! - `bpf` and `linux-kselftest`, `bpf` and `netfilter-devel`: the mails of 2024 and 2026, which went to both lists.

mod document;
pub mod editor;
#[cfg(test)]
mod facts;
pub mod server;
mod week;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use crate::config::{
    CommandsConfig, Config, FeedAddresses, FeedConfig, FeedKind, FollowConfig, Gives, Identity,
    IssueConfig, NetworkConfig, TreeRole,
};
use crate::filter::Subsystems;
use crate::issue::Period;
use crate::story::relevance::FoldRules;

/// A poll of the feeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoStep {
    /// Its time.
    pub at: DateTime<Utc>,
    /// A sentence about what it brings, for the audience; may be empty.
    pub caption: &'static str,
    /// The feeds that it polls; `None` for all of them. After the week, only feeds with news are polled: there are years
    /// between these polls, and nothing else to see.
    pub feeds: Option<BTreeSet<String>>,
}

impl DemoStep {
    /// Whether it polls a feed.
    pub fn polls(&self, feed: &str) -> bool {
        self.feeds.as_ref().is_none_or(|feeds| feeds.contains(feed))
    }
}

/// The polls, with their captions. The first poll only seeds, before the oldest item of the newsletter (a commit of 14 April that
/// reached net later). Then the demo polls daily, with a few extra polls. 2 May 09:00 falls between the second and the third
/// mail of a series of five, whose cover letter comes later. After it there is no poll for 27 hours, in which netdev gets more
/// mails than its Atom holds.
#[rustfmt::skip]
const STEPS: &[(&str, &str)] = &[
    ("2017-04-13T00:00:00Z", ""),
    ("2017-05-01T13:00:00Z", "Two patches are on the list. See what becomes of them."),
    ("2017-05-01T18:00:00Z", "Both are in a tree now, so bpfnews edits their posts:"),
    ("2017-05-02T09:00:00Z", ""),
    ("2017-05-03T12:00:00Z", "A busy day. A series is one post, and a mail on two lists is there once."),
    ("2017-05-03T15:00:00Z", "The thunderx series from above was merged."),
    ("2017-05-04T12:00:00Z", ""),
    ("2017-05-05T08:00:00Z", ""),
    ("2017-05-05T12:00:00Z", "The first of the week's commits are in mainline."),
    ("2017-05-06T12:00:00Z", ""),
    ("2017-05-07T12:00:00Z", ""),
    ("2017-05-08T12:00:00Z", ""),
    ("2017-05-09T12:00:00Z", ""),
    ("2017-05-10T00:00:00Z", ""),
    ("2017-05-10T12:00:00Z", ""),
    ("2017-05-10T18:00:00Z", ""),
    ("2017-05-12T12:00:00Z", "Version 2 of the last series: its post says what changed."),
    ("2023-07-06T18:00:00Z", "Six years later, LWN has an article for subscribers."),
    ("2023-07-20T12:00:00Z", "Two weeks later everybody may read it."),
    ("2024-10-09T23:00:00Z", "One series, from version 1 to mainline. It is on two lists."),
    ("2024-10-10T23:00:00Z", "A maintainer answers, and asks for a change."),
    ("2024-10-11T01:00:00Z", "Version 2 has it."),
    ("2024-10-11T12:00:00Z", "A bot reports that it was applied."),
    ("2024-10-23T15:00:00Z", "Two weeks after version 1, it is in mainline."),
    ("2026-06-16T06:00:00Z", "Today an AI reviews patches, too."),
    ("2026-06-16T07:00:00Z", "It has a remark, half an hour later. A machine does not count as a reply."),
    ("2026-06-16T20:00:00Z", "A maintainer does."),
    ("2026-06-18T12:00:00Z", "Version 2 takes up both."),
    ("2026-06-23T00:00:00Z", "Applied."),
];

/// The first and the last poll of the week.
const WEEK: (&str, &str) = ("2017-05-02T00:00:00Z", "2017-05-10T18:00:00Z");

/// When the period of the issue before the week begins.
const ISSUE_BEFORE: &str = "2017-04-25T00:00:00Z";

/// The least time between two polls of one feed; the demo's clock jumps much further.
const POLL_GAP: Duration = Duration::from_secs(1);

/// Loopback answers at once or something is wrong.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("the tables hold RFC 3339 times")
}

/// The polls, in the order of their times.
pub fn steps() -> Vec<DemoStep> {
    let items = week::items().expect("the bundled items are read in a test, too");
    let mut before = DateTime::<Utc>::MIN_UTC;
    let step = |&(at, caption): &(&str, &'static str)| {
        let at = time(at);
        let news = (at > period().to).then(|| week::feeds_with_news(&items, before, at));
        before = at;
        DemoStep {
            at,
            caption,
            feeds: news,
        }
    };
    STEPS.iter().map(step).collect()
}

/// The period of the week's issue: from the day of the previous issue to the last poll of the week.
pub fn period() -> Period {
    Period {
        from: time(WEEK.0),
        // The last poll is in it.
        to: time(WEEK.1) + TimeDelta::seconds(1),
    }
}

/// The period of the issue before.
pub fn period_before() -> Period {
    Period {
        from: time(ISSUE_BEFORE),
        to: time(WEEK.0),
    }
}

/// The addresses for readers, by the Message-ID of a mail or the hash of a commit.
///
/// # Errors
///
/// When the bundled items cannot be read.
pub fn reader_links() -> anyhow::Result<Vec<(String, String)>> {
    let links = week::items()?.into_iter();
    Ok(links.map(|item| (item.id, item.link)).collect())
}

/// The configuration that polls the demo's week from the [`server::Server`] at `base` into `database`.
pub fn config(base: &Url, database: &Path) -> Config {
    let feed = |name: &str, path: &str, kind: FeedKind| {
        let feed = FeedConfig {
            name: name.to_owned(),
            url: base
                .join(path)
                .expect("a relative path joins to any http address"),
            // The newsletter chose everything in them.
            bpf_only: true,
            addresses: FeedAddresses::default(),
            new_max: FeedConfig::NEW_MAX,
            poll_gap: POLL_GAP,
            kind,
        };
        Arc::new(feed)
    };
    let archive = || FeedKind::Archive { query: None };
    let tree = |role| FeedKind::Tree {
        branch: server::BRANCH.to_owned(),
        paths: Vec::new(),
        role,
    };
    let plain = |gives| FeedKind::Feed {
        gives: Some(gives),
        identity: Identity::default(),
    };
    Config {
        database: database.to_path_buf(),
        relevance: FoldRules::default(),
        network: NetworkConfig {
            allow_private_hosts: base.host_str().map(str::to_owned).into_iter().collect(),
            contact: None,
            page: None,
            installation_id: false,
            host_gap: Duration::ZERO,
            request_timeout: REQUEST_TIMEOUT,
            ..NetworkConfig::default()
        },
        feeds: vec![
            feed("netdev", "netdev/", archive()),
            feed("linux-arm-kernel", "linux-arm-kernel/", archive()),
            feed("llvm-commits", "llvm-commits/", archive()),
            feed("bpf", "bpf/", archive()),
            feed("linux-kselftest", "linux-kselftest/", archive()),
            feed("netfilter-devel", "netfilter-devel/", archive()),
            feed("net", "net.git", tree(TreeRole::Fixes)),
            feed("net-next", "net-next.git", tree(TreeRole::Next)),
            feed("linux", "linux.git", tree(TreeRole::Mainline)),
            feed("lwn", "headlines/rss", FeedKind::Lwn),
            feed("youtube", "feeds/videos.xml", plain(Gives::Videos)),
            feed("slides", "slides.rss", plain(Gives::Articles)),
            feed("articles", "articles.rss", plain(Gives::Articles)),
        ],
        discord: None,
        matrix: None,
        channels: Vec::new(),
        commands: CommandsConfig::default(),
        follow: FollowConfig::default(),
        issue: IssueConfig::default(),
        web: None,
        mail: None,
        subsystems: Subsystems::default(),
        from_chat: BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_ascend_from_before_the_week_past_its_end() {
        let steps = steps();
        assert!(steps.is_sorted_by(|a, b| a.at < b.at));
        assert_eq!(steps[0].at.to_rfc3339(), "2017-04-13T00:00:00+00:00");
        let period = period();
        let last = steps.iter().rfind(|step| step.at < period.to);
        assert_eq!(
            last.map(|step| step.at + TimeDelta::seconds(1)),
            Some(period.to)
        );
        assert_eq!(period_before().to, period.from);
    }

    #[test]
    fn after_the_week_only_feeds_with_news_are_polled() {
        for step in steps() {
            let is_of_the_week = step.at < period().to;
            assert_eq!(step.feeds.is_none(), is_of_the_week, "{}", step.at);
            assert!(
                step.feeds
                    .is_none_or(|feeds| (1..=3).contains(&feeds.len()))
            );
        }
    }

    #[test]
    fn captions_fit_one_line() {
        for step in steps() {
            assert!(step.caption.chars().count() <= 76, "{}", step.caption);
        }
    }

    #[test]
    fn feeds_lie_below_the_base_and_their_host_is_allowed() {
        let base = Url::parse("http://127.0.0.1:8080/").expect("an address");
        let config = config(&base, Path::new("demo.db"));
        let names: Vec<&str> = config.feeds.iter().map(|feed| feed.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "netdev",
                "linux-arm-kernel",
                "llvm-commits",
                "bpf",
                "linux-kselftest",
                "netfilter-devel",
                "net",
                "net-next",
                "linux",
                "lwn",
                "youtube",
                "slides",
                "articles"
            ]
        );
        assert!(
            config
                .feeds
                .iter()
                .all(|feed| feed.url.as_str().starts_with(base.as_str()))
        );
        assert_eq!(config.network.allow_private_hosts, ["127.0.0.1"]);
    }
}
