//! Makes the input of benchmarks from any mbox: feeds as an archive and a news site write them, epochs, mboxes.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use anyhow::Context as _;
use bpfnews::item::hex;
use chrono::Utc;
use clap::{Args, Subcommand};
use regex::{Captures, Regex};
use sha2::{Digest as _, Sha256};

use crate::mails::{Mail, read};

/// Entries of an archive's newest page, by public-inbox's default, and of a news feed.
const ENTRIES: usize = 25;
const NEWS: usize = 15;
/// How far the windows of two feeds lie apart.
const STRIDE: usize = 8;
/// The most characters of a mail on a page, and of a news item.
const BODY_CHARS_MAX: usize = 24_000;
const NEWS_CHARS_MAX: usize = 700;

/// Names of people and mails, the prefix of a mail's id in a link, and hashes of commits and changes.
static NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("(?m)^From: (.+) <").expect("a good pattern"));
static TITLE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^Subject: (.*\S)").expect("a good pattern"));
static LINK: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"lore\.kernel\.org/[\w.-]+/").expect("a good pattern"));
static HASH: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b[0-9a-f]{12,40}\b").expect("a good pattern"));

/// The kind of input to make.
#[derive(Subcommand)]
pub(crate) enum Data {
    /// `DIR/N/new.atom`: the newest pages of archives. A mail is in three of them, as one to three lists is.
    Feeds(Many),
    /// `DIR/N/news.xml`: small RSS feeds.
    News(Many),
    /// Puts another entry into some of either.
    Touch {
        #[arg(long)]
        out: PathBuf,
        #[arg(long)]
        feeds: u64,
        #[arg(long, default_value_t = 10)]
        permille: u64,
        #[arg(long, default_value_t = 1)]
        round: u64,
    },
    /// A stream for `git fast-import` on standard output: an epoch, one mail a commit in the file `m`.
    Epoch {
        #[arg(long)]
        mbox: Option<PathBuf>,
        #[arg(long)]
        mails: usize,
    },
    /// An mbox of that many mails.
    Mbox {
        #[arg(long)]
        mbox: Option<PathBuf>,
        #[arg(long)]
        mails: usize,
        #[arg(long)]
        out: PathBuf,
    },
}

/// Feeds to be made.
#[derive(Args)]
pub(crate) struct Many {
    #[arg(long)]
    mbox: Option<PathBuf>,
    #[arg(long)]
    out: PathBuf,
    #[arg(long)]
    feeds: u64,
}

impl Data {
    pub(crate) fn make(self) -> anyhow::Result<()> {
        match self {
            Self::Feeds(many) => each(&many, "new.atom", archive_page),
            Self::News(many) => each(&many, "news.xml", news_page),
            Self::Touch {
                out,
                feeds,
                permille,
                round,
            } => touch(&out, feeds, permille, round).map(|_| ()),
            Self::Epoch { mbox, mails } => epoch(mbox.as_deref(), mails),
            Self::Mbox { mbox, mails, out } => write_mbox(mbox.as_deref(), mails, &out),
        }
    }
}

fn each(
    many: &Many,
    name: &str,
    page: impl Fn(u64, &[Posted<'_>]) -> String,
) -> anyhow::Result<()> {
    let mails = read(many.mbox.as_deref())?;
    for feed in 0..many.feeds {
        let from = usize::try_from(feed)? * STRIDE;
        let window: Vec<Posted<'_>> = (from..from + ENTRIES)
            .map(|at| Posted {
                mail: &mails[at % mails.len()],
                round: at / mails.len(),
            })
            .collect();
        let folder = many.out.join(feed.to_string());
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), page(feed, &window))?;
    }
    Ok(())
}

/// Text as XML, all but ASCII as character references: so public-inbox writes it.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_ascii_control() => {}
            c if c.is_ascii() => out.push(c),
            c => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
        }
    }
    out
}

fn uuid(text: &str) -> String {
    let digest = hex(&Sha256::digest(text.as_bytes()));
    format!(
        "urn:uuid:{}-{}-{}-{}-{}",
        &digest[..8],
        &digest[8..12],
        &digest[12..16],
        &digest[16..20],
        &digest[20..32]
    )
}

/// A mail on a page. In another round through the mbox it becomes another mail, with other people and another title, because
/// mails with equal titles would join one story.
#[derive(Clone, Copy)]
struct Posted<'a> {
    mail: &'a Mail,
    round: usize,
}

impl Posted<'_> {
    fn id(&self, id: &str) -> String {
        let id = id.replace(['/', '%', '?', '#', ' '], "_");
        self.own(&id)
    }

    fn title(&self) -> Cow<'_, str> {
        match self.round {
            0 => self.mail.subject.as_str().into(),
            round => format!("{} {round}", self.mail.subject).into(),
        }
    }

    fn own(&self, text: &str) -> String {
        xml(&match self.round {
            0 => text.to_owned(),
            round => format!("{round}.{text}"),
        })
    }
}

fn archive_page(feed: u64, mails: &[Posted<'_>]) -> String {
    let mut mails = mails.to_vec();
    mails.sort_by_key(|posted| std::cmp::Reverse(posted.mail.at));
    let list = format!("http://archive.example/{feed}/");
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"us-ascii\"?>\n<feed\nxmlns=\"http://www.w3.org/2005/Atom\"\n\
         xmlns:thr=\"http://purl.org/syndication/thread/1.0\"><title>list {feed}</title><link\nrel=\"alternate\"\n\
         type=\"text/html\"\nhref=\"{list}\"/><link\nrel=\"self\"\nhref=\"{list}new.atom\"/><id>mailto:list{feed}@example.org</id>\
         <updated>{}</updated>",
        mails[0].mail.at.format("%FT%TZ")
    );
    for posted in mails {
        out.push_str(&entry(&list, posted));
    }
    out.push_str("</feed>");
    out
}

fn entry(list: &str, posted: Posted<'_>) -> String {
    let mail = posted.mail;
    let link = |id: &str| format!("{list}{}/", posted.id(id));
    let own = link(&mail.id);
    let above = mail.answers.as_ref().map_or_else(String::new, |above| {
        let above = link(above);
        format!(
            "<thr:in-reply-to\nref=\"{}\"\nhref=\"{above}\"/>",
            uuid(&above)
        )
    });
    let body: String = mail.text.chars().take(BODY_CHARS_MAX).collect();
    let body = said_again(&body, posted.round);
    format!(
        "<entry><author><name>{}</name><email>{}</email></author><title\ntype=\"html\">{}</title><updated>{}</updated><link\n\
         href=\"{own}\"/><id>{}</id>{above}<content\ntype=\"xhtml\"><div\nxmlns=\"http://www.w3.org/1999/xhtml\"><pre\n\
         style=\"white-space:pre-wrap\">{}</pre></div></content></entry>",
        posted.own(&mail.name),
        posted.own(&mail.email),
        xml(&xml(&posted.title())),
        mail.at.format("%FT%TZ"),
        uuid(&own),
        body.split('\n').map(line).collect::<Vec<_>>().join("\n"),
    )
}

/// A line of a mail: links are links, quotes are marked.
fn line(line: &str) -> String {
    let line = line.trim_end_matches('\r');
    let text = match line.find("https://") {
        Some(at) => {
            let end = line[at..]
                .find(char::is_whitespace)
                .map_or(line.len(), |end| at + end);
            let link = xml(&line[at..end]);
            format!(
                "{}<a\nhref=\"{link}\">{link}</a>{}",
                xml(&line[..at]),
                xml(&line[end..])
            )
        }
        None => xml(line),
    };
    if line.starts_with('>') {
        format!("<span\nclass=\"q\">{text}</span>")
    } else {
        text
    }
}

/// An article. No two feeds share one.
fn article(feed: u64, id: &str) -> String {
    xml(&format!(
        "{feed}.{}",
        id.replace(['/', '%', '?', '#', ' '], "_")
    ))
}

fn news_page(feed: u64, mails: &[Posted<'_>]) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\"><channel>\
         <title>News {feed}</title><link>http://news.example/{feed}</link><description>News of {feed}</description>"
    );
    for Posted { mail, .. } in mails.iter().take(NEWS) {
        let id = article(feed, &mail.id);
        let text: String = mail.text.chars().take(NEWS_CHARS_MAX).collect();
        let _ = write!(
            out,
            "<item><title>{}</title><link>http://news.example/{id}/</link><guid isPermaLink=\"false\">{}</guid>\
             <dc:creator>{}</dc:creator><pubDate>{}</pubDate><description>{}</description></item>",
            xml(&mail.subject),
            uuid(&id),
            xml(&mail.name),
            mail.at.to_rfc2822(),
            xml(&xml(&text))
        );
    }
    out.push_str("</channel></rss>");
    out
}

/// Puts an entry into this many of a thousand feeds; returns the number of changed feeds.
pub(crate) fn touch(out: &Path, feeds: u64, permille: u64, round: u64) -> anyhow::Result<u64> {
    let mut touched = 0;
    for feed in (0..feeds).filter(|feed| (feed + 1) * permille / 1000 > feed * permille / 1000) {
        let now = Utc::now();
        let mail = Mail {
            id: format!("touched-{round}-{}@example.org", now.timestamp_micros()),
            answers: None,
            subject: format!("[PATCH bpf-next] bpf: Come in round {round}"),
            name: "New Author".to_owned(),
            email: "new@example.org".to_owned(),
            at: now,
            text: "It came late.".to_owned(),
            raw: Vec::new(),
        };
        let folder = out.join(feed.to_string());
        let list = format!("http://archive.example/{feed}/");
        let id = article(feed, &mail.id);
        let posted = Posted {
            mail: &mail,
            round: 0,
        };
        let item = format!(
            "<item><title>{}</title><link>http://news.example/{id}/</link><guid isPermaLink=\"false\">{}</guid><pubDate>{}\
             </pubDate><description>late</description></item>",
            mail.subject,
            uuid(&id),
            now.to_rfc2822()
        );
        for (name, before, new) in [
            ("new.atom", "<entry>", entry(&list, posted)),
            ("news.xml", "<item>", item),
        ] {
            let Ok(page) = fs::read_to_string(folder.join(name)) else {
                continue;
            };
            fs::write(
                folder.join(name),
                page.replacen(before, &format!("{new}{before}"), 1),
            )?;
            touched += 1;
        }
    }
    Ok(touched)
}

/// A mail of a round: each time that the mbox is gone through again, ids, people and titles are others.
fn again(mail: &Mail, round: usize) -> Vec<u8> {
    let raw = String::from_utf8_lossy(&mail.raw);
    if round == 0 {
        return mail.raw.clone();
    }
    let (head, body) = raw.split_once("\n\n").unwrap_or((&raw, ""));
    let head = said_again(head, round).replace('<', &format!("<{round}."));
    let head = TITLE.replace(&head, format!("Subject: ${{1}} {round}"));
    format!("{head}\n\n{}", said_again(body, round)).into_bytes()
}

/// A text of a round: its people and links are those of the same round.
fn said_again(text: &str, round: usize) -> Cow<'_, str> {
    if round == 0 {
        return text.into();
    }
    let text = NAME.replace_all(text, format!("From: {round} ${{1}} <{round}."));
    let text = LINK.replace_all(&text, format!("${{0}}{round}."));
    let other = |hash: &Captures<'_>| -> String {
        let digits = hash[0].chars().filter_map(|digit| digit.to_digit(16));
        let others = digits.map(|digit| (digit + round as u32) % 16);
        others
            .filter_map(|digit| char::from_digit(digit, 16))
            .collect()
    };
    HASH.replace_all(&text, other).into_owned().into()
}

fn rounds(mails: &[Mail], many: usize) -> impl Iterator<Item = (usize, &Mail)> {
    (0..many).map(|at| (at / mails.len(), &mails[at % mails.len()]))
}

fn epoch(mbox: Option<&Path>, many: usize) -> anyhow::Result<()> {
    let mails = read(mbox)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    for (round, mail) in rounds(&mails, many) {
        let (raw, at) = (again(mail, round), mail.at.timestamp());
        write!(
            out,
            "commit refs/heads/master\nauthor A <a@example.org> {at} +0000\ncommitter A <a@example.org> {at} +0000\n"
        )?;
        write!(out, "data 1\nm\nM 100644 inline m\ndata {}\n", raw.len())?;
        out.write_all(&raw)?;
        out.write_all(b"\n")?;
    }
    out.flush().context("writing the stream")
}

fn write_mbox(mbox: Option<&Path>, many: usize, to: &Path) -> anyhow::Result<()> {
    let mails = read(mbox)?;
    let mut out = BufWriter::new(fs::File::create(to)?);
    for (round, mail) in rounds(&mails, many) {
        writeln!(out, "From mboxrd@z Thu Jan  1 00:00:00 1970")?;
        for line in again(mail, round).split(|&byte| byte == b'\n') {
            if line.starts_with(b"From ") {
                out.write_all(b">")?;
            }
            out.write_all(line)?;
            out.write_all(b"\n")?;
        }
        writeln!(out)?;
    }
    out.flush().context("writing the mbox")
}
