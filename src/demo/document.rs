//! Bundled items as feed documents, in the shapes of their upstreams. Text in, text out: no IO, no clock.

use std::borrow::Cow;
use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use sha2::{Digest as _, Sha256};

use crate::demo::week::{BundledItem, DocumentFormat};
use crate::item::hex;

/// An item in one feed.
#[derive(Debug, Clone, Copy)]
pub(super) struct DemoEntry<'a> {
    pub(super) item: &'a BundledItem,
    /// When the feed got it.
    pub(super) at: DateTime<Utc>,
}

/// The items of one feed, newest arrival first.
#[derive(Debug)]
pub(super) struct Document<'a> {
    entries: Vec<DemoEntry<'a>>,
}

impl<'a> Document<'a> {
    /// The items that a feed carries.
    pub(super) fn of(feed: &str, items: &'a [BundledItem]) -> Self {
        let carried = items
            .iter()
            .filter(|item| item.feeds.iter().any(|name| name == feed));
        let mut entries: Vec<DemoEntry<'a>> = carried
            .map(|item| DemoEntry {
                item,
                at: item.arrived_at(feed),
            })
            .collect();
        // Commits that arrive at once stand in the order of their dates.
        entries.sort_by_key(|entry| std::cmp::Reverse((entry.at, entry.item.at)));
        Self { entries }
    }

    /// The entries that had arrived at `now`, newest first.
    pub(super) fn arrived(&self, now: DateTime<Utc>) -> &[DemoEntry<'a>] {
        let future = self.entries.partition_point(|entry| entry.at > now);
        &self.entries[future..]
    }

    /// The entries that stood in the feed at `now`: arrived, and not replaced.
    pub(super) fn standing(&self, now: DateTime<Utc>) -> Vec<DemoEntry<'a>> {
        let stands = |entry: &&DemoEntry<'_>| entry.item.until.is_none_or(|until| until > now);
        self.arrived(now).iter().filter(stands).copied().collect()
    }
}

/// Escapes text for XML, between tags and in attributes.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// public-inbox's Atom of a list at `base`. `newest` is the list's newest mail.
pub(super) fn archive(
    name: &str,
    newest: &DemoEntry<'_>,
    window: &[DemoEntry<'_>],
    base: &str,
) -> String {
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"us-ascii\"?>\n<feed\nxmlns=\"http://www.w3.org/2005/Atom\"\n\
         xmlns:thr=\"http://purl.org/syndication/thread/1.0\"><title>{name}, for the demo of bpfnews</title><link\n\
         rel=\"alternate\"\ntype=\"text/html\"\nhref=\"{base}{name}/\"/><link\nrel=\"self\"\n\
         href=\"{base}{name}/new.atom\"/><id>mailto:{name}@made-up.invalid</id><updated>{}</updated>",
        rfc3339(newest.at)
    );
    for entry in window {
        text.push_str(&mail(name, entry, base));
    }
    text.push_str("</feed>");
    // As the head says, all of it is ASCII.
    let mut ascii = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_ascii() {
            true => ascii.push(c),
            false => {
                // A String takes everything.
                let _ = write!(ascii, "&#{};", u32::from(c));
            }
        }
    }
    ascii
}

fn mail(name: &str, entry: &DemoEntry<'_>, base: &str) -> String {
    let item = entry.item;
    let link = |id: &str| format!("{base}{name}/{}/", escape(id));
    let parent = item.answers.as_ref().map_or_else(String::new, |parent| {
        let (id, link) = (uuid(parent), link(parent));
        format!("<thr:in-reply-to\nref=\"{id}\"\nhref=\"{link}\"/>")
    });
    format!(
        "<entry><author><name>{}</name><email>{}</email></author><title>{}</title><updated>{}</updated><link\n\
         href=\"{}\"/><id>{}</id>{parent}<content\ntype=\"xhtml\"><div\nxmlns=\"http://www.w3.org/1999/xhtml\"><pre\n\
         style=\"white-space:pre-wrap\">{}\n\n\n</pre></div></content></entry>",
        escape(&item.by),
        escape(&address(item)),
        escape(&item.title),
        rfc3339(item.at),
        link(&item.id),
        uuid(&item.id),
        escape(item.text.trim()),
    )
}

/// The address of a mail's author. A person's is made up: `first.last@made-up.invalid`. An unknown person has none.
fn address(item: &BundledItem) -> String {
    item.email.clone().unwrap_or_else(|| {
        let name = item.by.to_lowercase().replace(' ', ".");
        match name.is_empty() {
            true => String::new(),
            false => format!("{name}@made-up.invalid"),
        }
    })
}

/// An identifier that follows from a Message-ID.
fn uuid(message_id: &str) -> String {
    let digits = hex(&Sha256::digest(message_id.as_bytes())[..16]);
    format!(
        "urn:uuid:{}-{}-{}-{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..]
    )
}

/// cgit's Atom of a repository at `base`: the newest commit gives its date, if there is one.
pub(super) fn tree(name: &str, branch: &str, window: &[DemoEntry<'_>], base: &str) -> String {
    let home = format!("{base}{name}.git/");
    let mut text = format!(
        "<feed xmlns='http://www.w3.org/2005/Atom'>\n<title>{name}.git, branch {branch}</title>\n\
         <subtitle>{name}, for the demo of bpfnews</subtitle>\n<id>{home}atom?h={branch}</id>\n\
         <link rel='self' href='{home}atom?h={branch}'/>\n<link rel='alternate' type='text/html' href='{home}'/>\n"
    );
    if let Some(newest) = window.first() {
        text.push_str(&format!("<updated>{}</updated>\n", rfc3339(newest.item.at)));
    }
    for entry in window {
        let item = entry.item;
        let at = rfc3339(item.at);
        text.push_str(&format!(
            "<entry>\n<title>{}</title>\n<updated>{at}</updated>\n<author>\n<name>{}</name>\n</author>\n\
             <published>{at}</published>\n<link rel='alternate' type='text/html' href='{home}commit/?id={}'/>\n\
             <id>urn:sha1:{}</id>\n<content type='text'>\n{}\n</content>\n</entry>\n",
            escape(&item.title),
            escape(&item.by),
            item.id,
            item.id,
            escape(item.text.trim()),
        ));
    }
    text.push_str("</feed>\n");
    text
}

/// A document that its server gives whole.
pub(super) fn whole(name: &str, format: DocumentFormat, entries: &[DemoEntry<'_>]) -> String {
    match format {
        DocumentFormat::Rdf => rdf(entries),
        DocumentFormat::Videos => videos(entries),
        DocumentFormat::Rss => rss(name, entries),
    }
}

fn rdf(entries: &[DemoEntry<'_>]) -> String {
    let mut listed = String::new();
    let mut items = String::new();
    for DemoEntry { item, .. } in entries {
        let link = escape(&item.link);
        listed.push_str(&format!("\t<rdf:li resource=\"{link}\" />\n"));
        items.push_str(&format!(
            "    <item rdf:about=\"{link}\">\n      <title>{}</title>\n      <link>{link}</link>\n      \
             <dc:date>{}</dc:date>\n      <dc:creator>{}</dc:creator>\n      <description>\n      {}\n      \n      \
             </description>\n    </item>\n",
            escape(&item.title),
            rfc3339(item.at),
            escape(&item.by),
            escape(item.text.trim()),
        ));
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\n<rdf:RDF \n  \
         xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"\n  xmlns=\"http://purl.org/rss/1.0/\"\n  \
         xmlns:dc=\"http://purl.org/dc/elements/1.1/\"\n  xmlns:syn=\"http://purl.org/rss/1.0/modules/syndication/\"\n>\n\n  \
         <channel rdf:about=\"https://lwn.net/headlines/rss\">\n    <title>LWN.net, for the demo of bpfnews</title>\n    \
         <link>https://lwn.net</link>\n    <description>\n Articles of LWN.net that the demo links.\n\n    \
         </description>\n\n    <syn:updatePeriod>hourly</syn:updatePeriod>\n    \
         <syn:updateFrequency>2</syn:updateFrequency>\n    <items>\n      <rdf:Seq>\n{listed}      \n      \
         </rdf:Seq>\n    </items>\n\n  </channel>\n{items}</rdf:RDF>\n"
    )
}

fn videos(entries: &[DemoEntry<'_>]) -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <feed xmlns:yt=\"http://www.youtube.com/xml/schemas/2015\" xmlns:media=\"http://search.yahoo.com/mrss/\" \
         xmlns=\"http://www.w3.org/2005/Atom\">\n    <id>yt:channel:made-up</id>\n    \
         <title>Videos, for the demo of bpfnews</title>\n"
        .to_owned();
    for DemoEntry { item, .. } in entries {
        let (title, link, at) = (escape(&item.title), escape(&item.link), rfc3339(item.at));
        text.push_str(&format!(
            "    <entry>\n        <id>{}</id>\n        <title>{title}</title>\n        \
             <link rel=\"alternate\" href=\"{link}\"/>\n        <author>\n            <name>{}</name>\n        </author>\n        \
             <published>{at}</published>\n        <updated>{at}</updated>\n        <media:group>\n            \
             <media:title>{title}</media:title>\n            \
             <media:content url=\"{link}\" type=\"application/x-shockwave-flash\" width=\"640\" height=\"390\"/>\n            \
             <media:description>{}</media:description>\n        \
             </media:group>\n    </entry>\n",
            escape(&item.id),
            escape(&item.by),
            escape(item.text.trim()),
        ));
    }
    text.push_str("</feed>\n");
    text
}

fn rss(name: &str, entries: &[DemoEntry<'_>]) -> String {
    let date = |at: DateTime<Utc>| at.format("%a, %d %b %Y %H:%M:%S +0000").to_string();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\">\n  <channel>\n    \
         <title>{name}, for the demo of bpfnews</title>\n    \
         <link>https://www.cilium.io/blog/2017/5/10/bpf-updates-02</link>\n    \
         <description>Links of BPF updates 02.</description>\n"
    );
    if let Some(newest) = entries.first() {
        let built = date(newest.item.at);
        text.push_str(&format!("    <lastBuildDate>{built}</lastBuildDate>\n"));
    }
    for DemoEntry { item, .. } in entries {
        let link = escape(&item.link);
        text.push_str(&format!(
            "    <item>\n      <title>{}</title>\n      <link>{link}</link>\n      \
             <guid isPermaLink=\"true\">{link}</guid>\n      <pubDate>{}</pubDate>\n      \
             <description>{}</description>\n    </item>\n",
            escape(&item.title),
            date(item.at),
            escape(item.text.trim()),
        ));
    }
    text.push_str("  </channel>\n</rss>\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::facts::check_well_formed;
    use crate::demo::week::{BUNDLED, Upstream, items};

    const BASE: &str = "http://127.0.0.1:1/";

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().expect("an RFC 3339 time")
    }

    #[test]
    fn an_entry_arrives_at_its_second_in_each_feed() {
        let items = items().expect("good items");
        let netdev = Document::of("netdev", &items);
        let count = |at| netdev.arrived(time(at)).len();
        assert_eq!(count("2017-04-30T22:10:08Z"), 0);
        assert_eq!(count("2017-04-30T22:10:09Z"), 1);
        let net = Document::of("net", &items);
        let linux = Document::of("linux", &items);
        let at = time("2017-05-04T00:00:00Z");
        assert_eq!((net.arrived(at).len(), linux.arrived(at).len()), (3, 0));
    }

    #[test]
    fn a_replaced_entry_leaves() {
        let items = items().expect("good items");
        let lwn = Document::of("lwn", &items);
        let titles = |at| -> Vec<&str> {
            let standing = lwn.standing(time(at));
            standing
                .iter()
                .map(|entry| entry.item.title.as_str())
                .collect()
        };
        assert_eq!(
            titles("2023-07-20T08:59:59Z")[0],
            "[$] BPF iterators for filesystems"
        );
        assert_eq!(
            titles("2023-07-20T09:00:00Z"),
            [
                "BPF iterators for filesystems",
                "A summary of the merge window"
            ]
        );
    }

    #[test]
    fn a_document_without_entries_is_good_and_has_no_date() {
        for bundled in BUNDLED {
            let text = match bundled.upstream {
                Upstream::Archive => continue,
                Upstream::Tree => tree(bundled.name, "master", &[], BASE),
                Upstream::Whole { format, .. } => whole(bundled.name, format, &[]),
            };
            check_well_formed(bundled.name, &text);
            assert!(!text.contains("<updated>") && !text.contains("lastBuildDate"));
        }
    }

    #[test]
    fn text_is_escaped_and_an_archive_is_ascii() {
        let mut item = items().expect("good items").remove(0);
        item.title = "a <b> & \"c\" ö".to_owned();
        item.id = "x=1&y@made-up.invalid".to_owned();
        let entry = DemoEntry {
            at: item.at,
            item: &item,
        };
        let text = archive("netdev", &entry, &[entry], BASE);
        assert!(text.is_ascii());
        assert!(text.contains("<title>a &lt;b&gt; &amp; &#34;c&#34; &#246;</title>"));
        check_well_formed("netdev", &text);
    }
}
