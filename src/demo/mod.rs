//! The demo: one real week of BPF news, 2 to 10 May 2017, played through the same path as `run`.
//!
//! The facts are those of "BPF updates 02" by Alexander Alemayhu (<https://www.cilium.io/blog/2017/5/10/bpf-updates-02>):
//! authors, subjects, links and four days. `week/` holds them as feed documents in the shapes of their upstreams. [`server`]
//! serves them on loopback as they would have stood at a clock's time, [`config`] lists them as feeds, and [`steps`] lists the
//! times of the polls. Nothing here reads a feed.
//!
//! Invented parts say so. The newsletter does not contain the mails, so every body is ours and short, and names the link that it
//! stands for. Nobody gets words that they did not write, and there are no replies. Invented Message-IDs and mail addresses end
//! in `@made-up.invalid`. Days are true if the newsletter or a link gives them (the pull requests, the commits, two articles,
//! one slide deck); every time of day is invented. Within one archive the mails arrive in the order of the numbers in their
//! links. So parts of a series come out of order, and twice before their cover letter.
//!
//! Some items stand in two feeds:
//! - `linux-arm-kernel` and `netdev`: the ten mails of the thunderx series and "[PATCH net] bpf, arm64: fix jit branch
//!   offset related to ldimm64". The newsletter links them in the archive of linux-arm-kernel. Their subjects
//!   (`[PATCH net]`, `net: thunderx`) and the merge of the series in net-next suggest that netdev carried them too. The
//!   other patches stand in `netdev` alone, also those that the newsletter links on patchwork, whose links name no list.
//! - `net` and `net-next`: the three commits that the newsletter links in net. net is merged into net-next regularly. That
//!   this had happened is part of the reconstruction, and so are the zeros after the first twelve digits of their hashes.
//!   The merge of thunderx-xdp stands in `net-next` alone, and its hash is real.

mod document;
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
    CommandsConfig, Config, FeedAddresses, FeedConfig, FeedKind, Gives, Identity, IssueConfig,
    NetworkConfig, TreeRole,
};
use crate::issue::Period;
use crate::story::relevance::FoldRules;

/// The times of the polls. The first poll only seeds, before the oldest item of the newsletter (a commit of 14 April that
/// reached net later). Then the demo polls daily from the day of the previous issue, with a few extra polls. 2 May 09:00 falls
/// between the second and the third mail of a series of five, whose cover letter comes later. After it there is no poll for 27
/// hours, in which netdev gets more mails than its Atom holds.
const STEPS: [&str; 13] = [
    "2017-04-13T00:00:00Z",
    "2017-05-02T00:00:00Z",
    "2017-05-02T09:00:00Z",
    "2017-05-03T12:00:00Z",
    "2017-05-04T12:00:00Z",
    "2017-05-05T12:00:00Z",
    "2017-05-06T12:00:00Z",
    "2017-05-07T12:00:00Z",
    "2017-05-08T12:00:00Z",
    "2017-05-09T12:00:00Z",
    "2017-05-10T00:00:00Z",
    "2017-05-10T12:00:00Z",
    "2017-05-10T18:00:00Z",
];

/// The least time between two polls of one feed; the demo's clock jumps much further.
const POLL_GAP: Duration = Duration::from_secs(1);

/// Loopback answers at once or something is wrong.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The times at which the demo polls, ascending.
pub fn steps() -> Vec<DateTime<Utc>> {
    STEPS
        .iter()
        .map(|step| step.parse().expect("the table holds RFC 3339 times"))
        .collect()
}

/// The period of the week's issue: from the day of the previous issue to the last poll.
pub fn period() -> Period {
    let steps = steps();
    let last = *steps.last().expect("there are steps");
    Period {
        from: steps[1],
        // The last poll is in it.
        to: last + TimeDelta::seconds(1),
    }
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
        },
        feeds: vec![
            feed("netdev", "netdev/", archive()),
            feed("linux-arm-kernel", "linux-arm-kernel/", archive()),
            feed("llvm-commits", "llvm-commits/", archive()),
            feed("net", "net.git", tree(TreeRole::Fixes)),
            feed("net-next", "net-next.git", tree(TreeRole::Next)),
            feed("lwn", "headlines/rss", FeedKind::Lwn),
            feed("youtube", "feeds/videos.xml", plain(Gives::Videos)),
            feed("slides", "slides.rss", plain(Gives::Articles)),
            feed("articles", "articles.rss", plain(Gives::Articles)),
        ],
        discord: None,
        matrix: None,
        channels: Vec::new(),
        commands: CommandsConfig::default(),
        issue: IssueConfig::default(),
        web: None,
        from_chat: BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_ascend_from_before_the_week_to_its_end() {
        let steps = steps();
        assert!(steps.is_sorted_by(|a, b| a < b));
        assert_eq!(steps[0].to_rfc3339(), "2017-04-13T00:00:00+00:00");
        assert_eq!(
            steps.last().map(DateTime::to_rfc3339).as_deref(),
            Some("2017-05-10T18:00:00+00:00")
        );
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
                "net",
                "net-next",
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
