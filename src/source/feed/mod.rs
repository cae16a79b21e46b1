//! All other feeds, with LWN's: feed-rs reads RSS, Atom and JSON Feed; the items are articles, releases and videos.
//!
//! Such a feed is one document without older pages. If none of its entries are known, items in between may be lost, and a gap
//! is recorded.

mod bounds;
mod document;
mod reused;
mod walk;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::{DateTime, Datelike as _, Days, NaiveDate, Utc, Weekday};
use feed_rs::model;
use url::Url;

use super::{Page, wire};
use crate::config::{Gives, Identity};
use crate::item::link::{canonical_link, readable_link};
use crate::item::{Detail, Item, ItemData, ItemKey, Linked, Paid, Person, prose};

use self::bounds::{BoundedDocument, bounded};
use self::document::{
    body_text, familiar, is_html, leave_alone_for, link_of, project, shared_links, timestamp,
};
use self::reused::ReusedLinks;
pub use self::walk::FeedWalk;

/// If feed-rs panics over so many entries, the rest of their document is not read.
const PANICS_MAX: usize = 20;
/// The most parts of a document that are read after a panic; the text around the entries is read with each part.
const PARTS_MAX: usize = 400;

#[derive(Debug, Clone)]
pub struct Feed {
    url: Url,
    /// The configured address: the meaning of bare identifiers must not change when the feed moves.
    home: Url,
    flavour: Flavour,
    identity: Identity,
}

/// The kind of a feed's entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// LWN's articles, some of them paid.
    Lwn,
    /// Articles of a blog.
    Articles,
    /// Releases of a project.
    Releases,
    /// Videos.
    Videos,
}

impl Flavour {
    /// The configured kind, or a guess from the address.
    pub fn of(url: &Url, gives: Option<Gives>) -> Self {
        let (host, path) = (url.host_str().unwrap_or_default(), url.path());
        match gives {
            Some(Gives::Articles) => Self::Articles,
            Some(Gives::Releases) => Self::Releases,
            Some(Gives::Videos) => Self::Videos,
            None if path.ends_with("/releases.atom") || path.ends_with("/tags.atom") => {
                Self::Releases
            }
            None if path.ends_with("/kdist.xml") => Self::Releases,
            None if host.ends_with("youtube.com") || path.ends_with("/feeds/videos.xml") => {
                Self::Videos
            }
            None => Self::Articles,
        }
    }
}

impl Feed {
    /// The feed at `url`.
    pub fn new(url: &Url, flavour: Flavour, identity: Identity) -> Self {
        Self {
            url: url.clone(),
            home: url.clone(),
            flavour,
            identity,
        }
    }

    /// The same feed at its new address.
    pub fn moved_to(&self, url: Url) -> Self {
        Self {
            url,
            ..self.clone()
        }
    }

    /// Reads a document into items, and records the links that several entries share.
    fn read(&self, document: &str, reused: &mut ReusedLinks) -> Result<Page, String> {
        let document = &familiar(document);
        let document =
            bounded(document).map_err(|e| format!("not a feed that can be read: {e}"))?;
        let mut page = Page {
            faults: document.faults.clone(),
            ..Page::default()
        };
        let feed = self.parse_all(&document, &mut page.faults)?;
        page.leave_alone_for = leave_alone_for(&feed, &document.text);
        let shared = shared_links(&feed);
        reused.note(&shared);
        let project = project(&self.home, &feed);
        for entry in feed.entries {
            match self.item(entry, &shared, reused, &project) {
                Ok(item) => page.items.push(item),
                Err(fault) => page.faults.push(fault),
            }
        }
        // A document may contain an entry twice; the first is the newer.
        let mut met = HashSet::new();
        page.items.retain(|item| met.insert(item.key()));
        Ok(page)
    }

    /// Reads a document with feed-rs. If feed-rs panics, it reads the halves, down to the bad entry, so that no other is lost.
    fn parse_all(
        &self,
        document: &BoundedDocument<'_>,
        faults: &mut Vec<String>,
    ) -> Result<model::Feed, String> {
        let unread =
            |e: feed_rs::parser::ParseFeedError| format!("not a feed that can be read: {e}");
        if let Some(read) = self.parse(&document.text) {
            return read.map_err(unread);
        }
        let mut whole: Option<model::Feed> = None;
        let (mut panics, mut reads, mut unread_entries) = (0, 0, 0);
        // Only a part with a bad entry is halved: what stands around the entries is read each time.
        let mut parts: Vec<_> = halves(0..document.entries()).collect();
        while let Some(part) = parts.pop() {
            if panics >= PANICS_MAX || reads >= PARTS_MAX {
                unread_entries += part.len();
                continue;
            }
            reads += 1;
            match self.parse(&document.part(part.clone())) {
                Some(Ok(feed)) => match &mut whole {
                    Some(whole) => whole.entries.extend(feed.entries),
                    None => whole = Some(feed),
                },
                _ if part.len() > 1 => parts.extend(halves(part)),
                Some(Err(e)) => faults.push(unread(e)),
                None => {
                    panics += 1;
                    faults.push("an entry could not be read: its parser panicked".to_owned());
                }
            }
        }
        if unread_entries > 0 {
            faults.push(format!(
                "{unread_entries} entries were not read, because the parser panicked over too many others"
            ));
        }
        whole.ok_or_else(|| "the document could not be read: its parser panicked".to_owned())
    }

    /// Runs feed-rs on a document; `None` if it panicked.
    fn parse(&self, document: &str) -> Option<feed_rs::parser::ParseFeedResult<model::Feed>> {
        let parser = feed_rs::parser::Builder::new()
            .base_uri(Some(self.url.as_str()))
            .id_generator(|_, _, _| String::new())
            .timestamp_parser(timestamp)
            .build();
        catch_unwind(AssertUnwindSafe(|| parser.parse(document.as_bytes()))).ok()
    }

    fn item(
        &self,
        entry: model::Entry,
        shared: &HashMap<String, Linked>,
        reused: &ReusedLinks,
        project: &str,
    ) -> Result<Item, String> {
        let link = link_of(&entry);
        let title = entry
            .title
            .as_ref()
            .map(|text| wire::title_text(&text.content, is_html(text)))
            .unwrap_or_default();
        let text = body_text(&entry);
        if title.is_empty() && link.is_none() && text.is_empty() {
            return Err("an entry with neither title nor link nor text".to_owned());
        }
        let at = entry.published.or(entry.updated);
        let canonical = link.as_ref().map(canonical_link);
        let key = self.key(
            &entry.id,
            canonical
                .as_deref()
                .filter(|link| !shared.contains_key(*link)),
            &title,
            &text,
        );
        let linked = canonical.as_deref().map_or(Linked::Nothing, |link| {
            let is_reused = || self.identity == Identity::Guid || reused.has(link);
            let by_guids = || is_reused().then_some(Linked::Several);
            shared
                .get(link)
                .copied()
                .or_else(by_guids)
                .unwrap_or_default()
        });
        let (title, paid) = self.title(title, &text, at);
        let title = match self.flavour {
            Flavour::Releases
                if !project.is_empty()
                    && !title.to_lowercase().contains(&project.to_lowercase()) =>
            {
                format!("{project} {title}")
            }
            Flavour::Lwn | Flavour::Articles | Flavour::Videos | Flavour::Releases => title,
        };
        let author = entry.authors.first();
        Ok(Item {
            what: match self.flavour {
                Flavour::Lwn | Flavour::Articles => ItemData::Article { key, linked, paid },
                Flavour::Releases => ItemData::Release { key, linked },
                Flavour::Videos => ItemData::Video { key, linked },
            },
            title,
            author: Person {
                name: author
                    .and_then(|person| person.name.as_deref())
                    .map(wire::one_line)
                    .unwrap_or_default(),
                email: author
                    .and_then(|person| person.email.as_deref())
                    .map(wire::one_line)
                    .unwrap_or_default(),
            },
            url: link.as_ref().map(readable_link),
            at,
            written_at: None,
            text,
            headers: Vec::new(),
            detail: Detail::Entry,
        })
    }

    /// The identity of an entry: its own identifier (bare numbers and words count within its site), or its link unless other
    /// entries have it too, or a hash of its text.
    fn key(&self, id: &str, link: Option<&str>, title: &str, text: &str) -> ItemKey {
        let id = id.trim();
        let host = self.home.host_str().unwrap_or_default();
        if let (Flavour::Lwn, Some(link)) = (self.flavour, link) {
            return ItemKey::link(link);
        }
        if !id.is_empty() && id.len() <= 1_000 {
            return match Url::parse(id) {
                Ok(url) if ["http", "https"].contains(&url.scheme()) => {
                    ItemKey::link(&canonical_link(&url))
                }
                Ok(_) => ItemKey::guid(id),
                Err(_) => ItemKey::guid(&format!("{host}/{id}")),
            };
        }
        match link {
            Some(link) => ItemKey::link(link),
            None => ItemKey::content(&format!("{host}\n{title}\n{text}")),
        }
    }

    /// An entry's title, and whether it is for LWN's subscribers: LWN marks that in the title.
    fn title(
        &self,
        title: String,
        text: &str,
        at: Option<DateTime<Utc>>,
    ) -> (String, Option<Paid>) {
        let title = if title.is_empty() {
            prose::shorten(&wire::one_line(text), 80)
        } else {
            title
        };
        match (self.flavour, title.strip_prefix("[$]")) {
            (Flavour::Lwn, Some(rest)) => {
                let rest = rest.trim_start().to_owned();
                let free_on = at.and_then(|at| free_on(&rest, at.date_naive()));
                (rest, Some(Paid { free_on }))
            }
            _ => (title, None),
        }
    }
}

/// The halves of a part of a document, the second one first; fewer where there is nothing to halve.
fn halves(part: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let middle = part.start + part.len() / 2;
    let halves = [middle..part.end, part.start..middle];
    halves.into_iter().filter(|half| !half.is_empty())
}

/// The day on which a paid LWN article becomes free: one week after the Weekly Edition with the article. That edition appears on
/// the first Thursday after the article; the edition's own title contains its date. `None` at the end of the calendar.
fn free_on(title: &str, appeared_on: NaiveDate) -> Option<NaiveDate> {
    let edition = title
        .rsplit_once("Weekly Edition for ")
        .and_then(|(_, date)| NaiveDate::parse_from_str(date.trim(), "%B %d, %Y").ok())
        .or_else(|| next_thursday(appeared_on))?;
    edition.checked_add_days(Days::new(7))
}

fn next_thursday(day: NaiveDate) -> Option<NaiveDate> {
    let mut day = day.checked_add_days(Days::new(1))?;
    while day.weekday() != Weekday::Thu {
        day = day.checked_add_days(Days::new(1))?;
    }
    Some(day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn read(flavour: Flavour, document: &str) -> Page {
        let url = Url::parse("https://lwn.net/headlines/rss").expect("a URL");
        let feed = Feed::new(&url, flavour, Identity::default());
        feed.read(document, &mut ReusedLinks::default())
            .expect("a feed")
    }

    #[test]
    fn paid_articles_say_when_they_become_free() {
        let page = read(
            Flavour::Lwn,
            "<rss version='2.0'><channel><title>LWN</title><ttl>90</ttl>\
             <item><title>[$] Adding BPF to it</title><link>http://lwn.net/Articles/1234/rss</link>\
             <guid>https://lwn.net/Articles/1234/</guid><pubDate>Tue, 15 Sep 2026 14:00:00 +0000</pubDate></item>\
             <item><title>Security updates &amp;amp; more</title><link>https://lwn.net/Articles/1235/</link></item>\
             </channel></rss>",
        );
        assert_eq!(page.leave_alone_for, Some(Duration::from_secs(5_400)));
        assert_eq!(page.items[0].title, "Adding BPF to it");
        assert_eq!(
            page.items[0].key().as_str(),
            "link:https://lwn.net/Articles/1234/"
        );
        let free = NaiveDate::from_ymd_opt(2026, 9, 24);
        assert!(
            matches!(&page.items[0].what, ItemData::Article { paid: Some(Paid { free_on }), .. } if *free_on == free)
        );
        assert_eq!(
            (page.items[1].title.as_str(), page.items[1].at),
            ("Security updates & more", None)
        );
    }

    #[test]
    fn the_edition_that_carries_an_article_sets_the_day() {
        let day = |text: &str| NaiveDate::parse_from_str(text, "%Y-%m-%d").expect("a day");
        #[rustfmt::skip]
        let table = [
            ("on a Tuesday", "x", "2026-09-15", "2026-09-24"),
            ("on a Wednesday", "x", "2026-09-16", "2026-09-24"),
            ("on a Thursday it waits for the next edition", "x", "2026-09-17", "2026-10-01"),
            ("the edition itself", "LWN.net Weekly Edition for September 10, 2026", "2026-09-10", "2026-09-17"),
        ];
        for (name, title, appeared, free) in table {
            assert_eq!(free_on(title, day(appeared)), Some(day(free)), "{name}");
        }
        assert_eq!(free_on("x", NaiveDate::MAX), None);
    }

    #[test]
    fn identity_is_the_entrys_own_then_its_link_then_its_text() {
        let page = read(
            Flavour::Articles,
            "<rss version='2.0'><channel><title>t</title>\
             <item><title>a</title><guid isPermaLink='false'>17</guid><link>https://x.y/a</link></item>\
             <item><title>b</title><link>https://x.y/b?utm_source=rss#top</link></item>\
             <item><title>c</title><link>https://x.y/</link></item>\
             <item><title>d</title><link>https://x.y/</link></item>\
             <item><title>b again</title><link>https://x.y/b</link></item>\
             <item></item></channel></rss>",
        );
        let keys: Vec<String> = page
            .items
            .iter()
            .map(|item| item.key().to_string())
            .collect();
        assert_eq!(keys[0], "id:lwn.net/17");
        assert!(
            keys[1].starts_with("hash:") && keys[2].starts_with("hash:") && keys[2] != keys[3],
            "{keys:?}"
        );
        assert_eq!(page.faults.len(), 1);
    }

    #[test]
    fn dates_of_all_kinds_are_read() {
        for raw in [
            "Wed, 02 Oct 2024 13:00:00 GMT",
            "2024-10-02T13:00:00Z",
            "2024-10-02T15:00:00+02:00",
            "2024-10-02 13:00:00",
            "Wed, 2 Oct 2024 15:00:00 +0200",
        ] {
            assert_eq!(
                timestamp(raw).map(|at| at.timestamp()),
                Some(1_727_874_000),
                "{raw}"
            );
        }
        assert_eq!(
            timestamp("2024-10-02").map(|at| at.timestamp()),
            Some(1_727_827_200)
        );
        assert_eq!(timestamp("yesterday"), None);
    }

    #[test]
    fn every_format_of_feed_is_read() {
        let rss = |version: &str| {
            format!(
                "<rss{version}><channel><title>t</title><link>https://x.y/</link><description>d</description>\
                 <item><title>one</title><link>https://x.y/1</link></item></channel></rss>"
            )
        };
        let rdf = |space: &str| {
            format!(
                "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns='{space}'>\
                 <channel><title>t</title><link>https://x.y/</link><description>d</description></channel>\
                 <item><title>one</title><link>https://x.y/1</link></item></rdf:RDF>"
            )
        };
        let atom = "<feed xmlns='http://www.w3.org/2005/Atom'><id>i</id><title>t</title><updated>2025-01-01T00:00:00Z\
             </updated><entry><id>urn:1</id><title>one</title><updated>2025-01-01T00:00:00Z</updated>\
             <link href='https://x.y/1'/></entry></feed>";
        let json = r#"{"version": "https://jsonfeed.org/version/1.1", "title": "t", "items":
            [{"id": "1", "title": "one", "url": "https://x.y/1", "content_text": "c"}]}"#;
        #[rustfmt::skip]
        let table = [
            ("RSS 0.90", rdf("http://my.netscape.com/rdf/simple/0.9/")),
            ("RSS 0.91", rss(" version='0.91'")),
            ("RSS 0.92", rss(" version=\"0.92\"")),
            ("RSS 0.93", rss(" version='0.93'")),
            ("RSS 0.94", rss(" version='0.94'")),
            ("RSS 1.0", rdf("http://purl.org/rss/1.0/")),
            ("RSS 2.0", rss(" version='2.0'")),
            ("RSS 2.0.1", rss(" xmlns:a='b' version='2.0.1'")),
            ("RSS of no version", rss("")),
            ("Atom", atom.to_owned()),
            ("JSON Feed", json.to_owned()),
        ];
        for (name, document) in table {
            let page = Feed::new(
                &Url::parse("https://x.y/feed").expect("a URL"),
                Flavour::Articles,
                Identity::default(),
            )
            .read(&document, &mut ReusedLinks::default())
            .unwrap_or_else(|why| panic!("{name}: {why}"));
            let [item] = &page.items[..] else {
                panic!("{name}: {} items", page.items.len())
            };
            assert_eq!(
                (item.title.as_str(), item.url.as_deref()),
                ("one", Some("https://x.y/1")),
                "{name}"
            );
        }
    }
}
