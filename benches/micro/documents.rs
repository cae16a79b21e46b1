//! Synthetic documents in the formats of the upstreams.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};

use super::made::{PAGE, now};
use super::words::Words;

/// Entries of each document, beside the archive's.
pub(crate) const COMMITS: usize = 10;
pub(crate) const ARTICLES: usize = 15;

/// The date of an entry; the first one is the newest.
fn at(entry: usize) -> DateTime<Utc> {
    now() - TimeDelta::minutes(7 * i64::try_from(entry).expect("small"))
}

fn date(entry: usize) -> String {
    at(entry).format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&#34;")
}

/// The newest page of a list's archive: whole mails as XHTML, patches and answers in turn.
pub(crate) fn archive() -> String {
    let mut words = Words::new(1);
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"us-ascii\"?>\n<feed\nxmlns=\"http://www.w3.org/2005/Atom\"\n\
         xmlns:thr=\"http://purl.org/syndication/thread/1.0\"><title>bpf archive mirror</title><link\nrel=\"self\"\n\
         href=\"https://lore.kernel.org/bpf/new.atom\"/><id>mailto:bpf@example.org</id><updated>{}</updated>",
        date(0)
    );
    for entry in 0..PAGE {
        let (name, email) = words.person();
        let title = words.title();
        let (title, body) = match entry % 2 {
            0 => (format!("[PATCH bpf-next v2 1/4] {title}"), words.patch()),
            _ => (
                format!("Re: [PATCH bpf-next v2 1/4] {title}"),
                words.answer(),
            ),
        };
        let link = |entry: usize| {
            format!("https://lore.kernel.org/bpf/20250101000000.{entry}-1-someone@example.org/")
        };
        let _ = write!(
            out,
            "<entry><author><name>{}</name><email>{email}</email></author><title\ntype=\"html\">{}</title><updated>{}</updated>\
             <link\nhref=\"{}\"/><id>urn:uuid:00000000-0000-4000-8000-{entry:012}</id>",
            in_ascii(&name),
            escape(&title),
            date(entry),
            link(entry)
        );
        if entry % 2 == 1 {
            let above = link(entry + 1);
            let _ = write!(out, "<thr:in-reply-to\nhref=\"{above}\"/>");
        }
        let _ = write!(
            out,
            "<content\ntype=\"xhtml\"><div\nxmlns=\"http://www.w3.org/1999/xhtml\"><pre\n\
             style=\"white-space:pre-wrap\">{}</pre></div></content></entry>",
            coloured(&body)
        );
    }
    out + "</feed>"
}

/// A mail's text as an archive shows it: quotes and diff lines in elements of their own, addresses as links.
fn coloured(body: &str) -> String {
    let mut out = String::with_capacity(body.len() * 2);
    let mut was_quote = false;
    for line in body.lines() {
        let is_quote = line.starts_with('>');
        match (was_quote, is_quote) {
            (false, true) => out.push_str("<span\nclass=\"q\">"),
            (true, false) => out.push_str("</span>"),
            (true, true) | (false, false) => {}
        }
        was_quote = is_quote;
        let class = match line.as_bytes() {
            [b'@', ..] => "hunk",
            [b'd', b'i', b'f', b'f', ..] => "head",
            [b'+', ..] => "add",
            [b'-', ..] => "del",
            _ => "",
        };
        let line = in_ascii(&escape(line));
        let _ = match class {
            "" => writeln!(out, "{line}"),
            class => writeln!(out, "<span\nclass=\"{class}\">{line}\n</span>"),
        };
    }
    out.push_str(if was_quote { "</span>" } else { "" });
    out
}

/// ASCII text, with character references for the rest.
fn in_ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let _ = match c.is_ascii() {
            true => write!(out, "{c}"),
            false => write!(out, "&#{};", u32::from(c)),
        };
    }
    out
}

/// The commits of a branch as cgit serves them.
pub(crate) fn tree() -> String {
    let mut words = Words::new(2);
    let base = "https://git.kernel.org/pub/scm/linux/kernel/git/bpf/bpf-next.git";
    let mut out = format!(
        "<?xml version='1.0' encoding='utf-8'?>\n<feed xmlns='http://www.w3.org/2005/Atom'>\n\
         <title>bpf-next.git, branch master</title>\n<id>{base}/atom?h=master</id>\n\
         <link rel='self' href='{base}/atom?h=master'/>\n<updated>{}</updated>\n",
        date(0)
    );
    for entry in 0..COMMITS {
        let ((name, email), hash) = (words.person(), words.hash());
        let text = format!(
            "{}\nSigned-off-by: {name} <{email}>\nLink: https://lore.kernel.org/r/{entry}@example.org\n",
            words.prose(5)
        );
        let _ = write!(
            out,
            "<entry>\n<title>{}</title>\n<updated>{}</updated>\n<author>\n<name>{name}</name>\n<email>{email}</email>\n\
             </author>\n<published>{}</published>\n<link rel='alternate' type='text/html' href='{base}/commit/?id={hash}'/>\n\
             <id>urn:sha1:{hash}</id>\n<content type='text'>\n{}</content>\n</entry>\n",
            words.title(),
            date(entry),
            date(entry + 100),
            escape(&text)
        );
    }
    out + "</feed>\n"
}

/// A blog's RSS 2.0, with its articles whole.
pub(crate) fn news() -> String {
    let mut words = Words::new(3);
    let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\"\n\
                   xmlns:content=\"http://purl.org/rss/1.0/modules/content/\"\n\
                   xmlns:dc=\"http://purl.org/dc/elements/1.1/\">\n<channel>\n<title>News of ours</title>\n\
                   <link>https://blog.example.org/</link>\n<description>What is new</description>\n<ttl>60</ttl>\n"
        .to_owned();
    for entry in 0..ARTICLES {
        let mut article = String::new();
        for part in 0..6 {
            let _ = write!(
                article,
                "<h2>Part {part} of <em>it</em></h2>\n<p>{}, <a href=\"https://blog.example.org/{part}\">as was told</a> \
                 &amp; <code>{}</code>.</p>\n",
                words.prose(2),
                words.words(3)
            );
        }
        let _ = write!(
            out,
            "<item>\n<title>{}</title>\n<link>https://blog.example.org/{entry}/</link>\n<dc:creator>{}</dc:creator>\n\
             <guid isPermaLink=\"false\">https://blog.example.org/?p={entry}</guid>\n<pubDate>{}</pubDate>\n\
             <description>{}</description>\n<content:encoded><![CDATA[{article}]]></content:encoded>\n</item>\n",
            words.title(),
            words.person().0,
            at(entry).to_rfc2822(),
            escape(&format!("<p>{}</p>", words.paragraph()))
        );
    }
    out + "</channel>\n</rss>\n"
}

/// LWN's headlines: RSS 1.0. The channel lists its items first, and some of them are for subscribers only.
pub(crate) fn lwn() -> String {
    let mut words = Words::new(4);
    let link = |entry: usize| format!("https://lwn.net/Articles/{}/", 900_000 + entry);
    let mut out =
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<rdf:RDF\n\
                   xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"\n\
                   xmlns:dc=\"http://purl.org/dc/elements/1.1/\"\n\
                   xmlns:syn=\"http://purl.org/rss/1.0/modules/syndication/\"\n xmlns=\"http://purl.org/rss/1.0/\">\n\
                   <channel rdf:about=\"https://lwn.net/headlines/rss\">\n<title>LWN.net</title>\n\
                   <link>https://lwn.net</link>\n<description>What is new there</description>\n\
                   <syn:updatePeriod>hourly</syn:updatePeriod>\n<syn:updateFrequency>2</syn:updateFrequency>\n\
                   <items>\n<rdf:Seq>\n"
            .to_owned();
    for entry in 0..ARTICLES {
        let _ = writeln!(out, "<rdf:li resource=\"{}\" />", link(entry));
    }
    out.push_str("</rdf:Seq>\n</items>\n</channel>\n");
    for entry in 0..ARTICLES {
        let paid = if entry % 5 == 0 { "[$] " } else { "" };
        let text = format!(
            "<p>{} <a href=\"https://example.org/\">told</a></p>",
            words.paragraph()
        );
        let _ = write!(
            out,
            "<item rdf:about=\"{0}\">\n<title>{paid}{1}</title>\n<link>{0}</link>\n<description>{2}</description>\n\
             <dc:creator>{3}</dc:creator>\n<dc:date>{4}</dc:date>\n</item>\n",
            link(entry),
            words.title(),
            escape(&text),
            words.person().0,
            date(entry)
        );
    }
    out + "</rdf:RDF>\n"
}
