//! The bundled items, and the feeds that show them. Data alone.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde::Deserialize;

/// The items of the demo, as TOML. Its head explains the keys.
const ITEMS: &str = include_str!("week.toml");

/// A bundled item: a mail, a commit, an article or a video.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BundledItem {
    /// The feeds that carry it.
    pub(super) feeds: Vec<String>,
    /// The Message-ID, the hash, or the identifier of an entry.
    pub(super) id: String,
    /// Its date.
    pub(super) at: DateTime<Utc>,
    /// When a feed got it, if that is later than its date.
    #[serde(default)]
    here: BTreeMap<String, DateTime<Utc>>,
    /// When its feed replaced it.
    pub(super) until: Option<DateTime<Utc>>,
    /// Its author; empty if the sources name none.
    #[serde(default)]
    pub(super) by: String,
    /// The author's mail address, if it is a machine's. Addresses of people are made up.
    pub(super) email: Option<String>,
    /// The Message-ID of the mail that it answers.
    pub(super) answers: Option<String>,
    pub(super) title: String,
    /// Its address for readers.
    pub(super) link: String,
    /// Our own words about it.
    pub(super) text: String,
}

impl BundledItem {
    /// When it arrived in a feed.
    pub(super) fn arrived_at(&self, feed: &str) -> DateTime<Utc> {
        self.here.get(feed).copied().unwrap_or(self.at)
    }
}

/// The feeds that got an item after `before`, and not after `at`.
pub(super) fn feeds_with_news(
    items: &[BundledItem],
    before: DateTime<Utc>,
    at: DateTime<Utc>,
) -> BTreeSet<String> {
    let carried = items
        .iter()
        .flat_map(|item| item.feeds.iter().map(move |feed| (item, feed)));
    let came = |(item, feed): &(&BundledItem, &String)| {
        let arrived_at = item.arrived_at(feed);
        arrived_at > before && arrived_at <= at
    };
    let feeds = carried.filter(came);
    feeds.map(|(_, feed)| feed.clone()).collect()
}

/// Reads the bundled items. Errors if the file is broken, or names a feed that is not bundled.
pub(super) fn items() -> anyhow::Result<Vec<BundledItem>> {
    #[derive(Deserialize)]
    struct File {
        item: Vec<BundledItem>,
    }
    let file: File = toml::from_str(ITEMS).context("reading the demo's items")?;
    for item in &file.item {
        let is_known = |feed: &&String| BUNDLED.iter().any(|bundled| bundled.name == **feed);
        let unknown = item.feeds.iter().chain(item.here.keys());
        if let Some(unknown) = unknown.clone().find(|feed| !is_known(feed)) {
            anyhow::bail!("{}: no feed of the demo is called {unknown}", item.id);
        }
    }
    Ok(file.item)
}

/// A feed of the demo.
#[derive(Debug)]
pub(super) struct Bundled {
    /// The feed's name.
    pub(super) name: &'static str,
    /// The kind of server that it imitates.
    pub(super) upstream: Upstream,
}

/// A kind of server.
#[derive(Debug, Clone, Copy)]
pub(super) enum Upstream {
    /// A public-inbox list of the feed's name.
    Archive,
    /// A cgit repository of the feed's name and `.git`.
    Tree,
    /// A document that comes whole, at this path.
    Whole {
        path: &'static str,
        content_type: &'static str,
        format: DocumentFormat,
    },
}

/// The format of a document that comes whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DocumentFormat {
    /// RSS 1.0, as LWN serves it.
    Rdf,
    /// Atom with media elements, as YouTube serves it.
    Videos,
    /// RSS 2.0.
    Rss,
}

const RSS: &str = "application/rss+xml; charset=utf-8";

const fn archive(name: &'static str) -> Bundled {
    let upstream = Upstream::Archive;
    Bundled { name, upstream }
}

const fn tree(name: &'static str) -> Bundled {
    let upstream = Upstream::Tree;
    Bundled { name, upstream }
}

const fn whole(
    name: &'static str,
    path: &'static str,
    content_type: &'static str,
    format: DocumentFormat,
) -> Bundled {
    let upstream = Upstream::Whole {
        path,
        content_type,
        format,
    };
    Bundled { name, upstream }
}

/// Every feed, in the order of the polls.
pub(super) const BUNDLED: &[Bundled] = &[
    archive("netdev"),
    archive("linux-arm-kernel"),
    archive("llvm-commits"),
    archive("bpf"),
    archive("linux-kselftest"),
    archive("netfilter-devel"),
    tree("net"),
    tree("net-next"),
    tree("linux"),
    whole(
        "lwn",
        "/headlines/rss",
        "text/xml; charset=utf-8",
        DocumentFormat::Rdf,
    ),
    whole(
        "youtube",
        "/feeds/videos.xml",
        "text/xml; charset=UTF-8",
        DocumentFormat::Videos,
    ),
    whole("slides", "/slides.rss", RSS, DocumentFormat::Rss),
    whole("articles", "/articles.rss", RSS, DocumentFormat::Rss),
];
