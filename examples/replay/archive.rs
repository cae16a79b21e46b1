//! A public-inbox on loopback that holds the mails of an mbox and shows those that have arrived by the time of a clock.
//!
//! It answers like the real one: the newest page, a page from a time on, a search by arrival, an mbox, a raw mail.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::io::{BufReader, Cursor, Write as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use bpfnews::clock::{Clock as _, FixedClock};
use bpfnews::item::{Item, ItemData};
use bpfnews::source::archive::message_url;
use bpfnews::source::mail;
use chrono::{DateTime, NaiveDateTime, Utc};
use flate2::read::MultiGzDecoder;
use mail_parser::MessageParser;
use mail_parser::mailbox::mbox;
use url::Url;

/// Entries of a page, and of a page that a search finds.
const PAGE: usize = 25;
const FOUND: usize = 200;

/// A mail, and when it arrived.
pub(crate) struct Letter {
    pub(crate) id: String,
    pub(crate) at: DateTime<Utc>,
    /// The files that its diff changes.
    pub(crate) paths: BTreeSet<String>,
    item: Item,
    raw: Vec<u8>,
}

/// Reads an mbox, packed or not; the mails in the order of their arrival, each once, `density` times as close together.
pub(crate) fn read(file: &Path, density: f64) -> anyhow::Result<Vec<Letter>> {
    let bytes = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let reader: Box<dyn std::io::BufRead> = if bytes.starts_with(&[0x1f, 0x8b]) {
        Box::new(BufReader::new(MultiGzDecoder::new(Cursor::new(bytes))))
    } else {
        Box::new(Cursor::new(bytes))
    };
    let mut letters: Vec<Letter> = Vec::new();
    let mut known = BTreeSet::new();
    for raw in mbox::MessageIterator::new(reader) {
        let raw = raw.ok().context("the mbox is damaged, or cut off")?;
        let at = i64::try_from(raw.internal_date()).ok();
        let at = at.and_then(|at| DateTime::from_timestamp(at, 0));
        let Ok(item) = mail::message(raw.contents(), at) else {
            continue;
        };
        let (ItemData::Message { id, .. }, Some(at)) = (&item.what, item.at) else {
            continue;
        };
        let id = id.as_str().to_owned();
        if known.insert(id.clone()) {
            letters.push(Letter {
                id,
                at,
                paths: paths(raw.contents()),
                raw: raw.contents().to_vec(),
                item,
            });
        }
    }
    letters.sort_by_key(|letter| letter.at);
    let begin = letters.first().context("there are no mails in it")?.at;
    for letter in &mut letters {
        let since_s = (letter.at - begin).num_seconds() as f64 / density;
        letter.at = begin + chrono::TimeDelta::seconds(since_s as i64);
    }
    Ok(letters)
}

/// The files of a mail's diff.
fn paths(raw: &[u8]) -> BTreeSet<String> {
    let mail = MessageParser::default().parse(raw);
    let bodies = mail.iter().flat_map(|mail| mail.text_bodies());
    let texts = bodies.filter_map(|body| body.text_contents());
    let lines = texts.flat_map(str::lines);
    let new = lines.filter_map(|line| line.strip_prefix("diff --git a/"));
    new.filter_map(|line| line.split_once(" b/"))
        .map(|(_, path)| path.trim_end().to_owned())
        .collect()
}

/// The archive.
pub(crate) struct Archive {
    pub(crate) letters: Arc<Vec<Letter>>,
    by_id: HashMap<String, usize>,
    clock: Arc<FixedClock>,
    base: Url,
}

/// Serves the mails; gives the list's address.
pub(crate) async fn serve(
    letters: Arc<Vec<Letter>>,
    clock: Arc<FixedClock>,
) -> anyhow::Result<Url> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = Url::parse(&format!("http://{}/list/", listener.local_addr()?))?;
    let ids = letters.iter().enumerate();
    let archive = Archive {
        by_id: ids.map(|(at, letter)| (letter.id.clone(), at)).collect(),
        letters,
        clock,
        // The base of links for readers, because posts leave out links to loopback.
        base: Url::parse("https://list.example/bpf/")?,
    };
    let app = Router::new().fallback(answer).with_state(Arc::new(archive));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

async fn answer(State(archive): State<Arc<Archive>>, method: Method, uri: Uri) -> Response {
    let query = uri.query().unwrap_or_default();
    let pairs: HashMap<String, String> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let rest = uri.path().strip_prefix("/list/").unwrap_or("?");
    match (method, rest, pairs.get("q")) {
        (Method::GET, "new.atom", _) => match pairs.get("t") {
            None => archive.newest(),
            Some(from) => archive.from(from),
        },
        (Method::POST, "", Some(q)) => archive.mbox(q),
        (Method::GET, "", Some(q)) => archive.found(q, pairs.get("o")),
        (Method::GET, raw, None) if raw.ends_with("/raw") => archive.raw(raw),
        _ => (StatusCode::NOT_FOUND, "not found").into_response(),
    }
}

impl Archive {
    /// The mails that have arrived, oldest first.
    fn arrived(&self) -> &[Letter] {
        let now = self.clock.now();
        &self.letters[..self.letters.partition_point(|letter| letter.at <= now)]
    }

    fn newest(&self) -> Response {
        let arrived = self.arrived();
        if arrived.is_empty() {
            (StatusCode::NOT_FOUND, "No feed found for thread\n").into_response()
        } else {
            self.atom(arrived.iter().rev().take(PAGE))
        }
    }

    /// The page from a time on; the newest where it would not be full, as the real one has it.
    fn from(&self, from: &str) -> Response {
        let from = NaiveDateTime::parse_from_str(from.trim_end_matches('-'), "%Y%m%d%H%M%S");
        let Ok(from) = from.map(|from| from.and_utc()) else {
            return self.newest();
        };
        let arrived = self.arrived();
        let page = &arrived[arrived.partition_point(|letter| letter.at < from)..];
        if page.len() < PAGE {
            self.newest()
        } else {
            self.atom(page.iter().take(PAGE))
        }
    }

    /// The mails that a search by arrival (`rt:A..B`) finds.
    fn between(&self, q: &str) -> &[Letter] {
        let range = q
            .split("rt:")
            .nth(1)
            .and_then(|range| range.split_once(".."));
        let Some((from, to)) = range else { return &[] };
        let from: i64 = from.parse().unwrap_or(i64::MAX);
        let to: i64 = to.trim_end_matches(')').parse().unwrap_or(i64::MAX);
        let arrived = self.arrived();
        let begin = arrived.partition_point(|letter| letter.at.timestamp() < from);
        let end = arrived.partition_point(|letter| letter.at.timestamp() <= to);
        arrived.get(begin..end).unwrap_or_default()
    }

    fn found(&self, q: &str, offset: Option<&String>) -> Response {
        let found = self.between(q);
        let skip = offset.and_then(|offset| offset.parse::<i64>().ok());
        let skip = skip.map_or(0, |offset| (-offset - 1).max(0));
        let skip = usize::try_from(skip).unwrap_or(0);
        match found.get(skip..) {
            None | Some([]) if skip == 0 => {
                (StatusCode::NOT_FOUND, "<title>x - search results</title>").into_response()
            }
            None | Some([]) => "</feed>".into_response(),
            Some(page) => self.atom(page.iter().take(FOUND)),
        }
    }

    fn mbox(&self, q: &str) -> Response {
        let found = self.between(q);
        if found.is_empty() {
            return (StatusCode::NOT_FOUND, "No results found\n").into_response();
        }
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        for letter in found {
            let from = letter.at.format("From mboxrd@z %a %b %e %H:%M:%S %Y\n");
            let mut text = from.to_string().into_bytes();
            text.extend_from_slice(&letter.raw);
            text.extend_from_slice(b"\n\n");
            packed.write_all(&text).expect("memory takes it");
        }
        let packed = packed.finish().expect("memory takes it");
        ([("content-type", "application/gzip")], packed).into_response()
    }

    fn raw(&self, path: &str) -> Response {
        let id = path.trim_end_matches("/raw");
        let id = percent_encoding::percent_decode_str(id).decode_utf8_lossy();
        match self.by_id.get(id.as_ref()) {
            Some(at) => self.letters[*at].raw.clone().into_response(),
            None => (StatusCode::NOT_FOUND, "not found").into_response(),
        }
    }

    fn atom<'a>(&self, letters: impl Iterator<Item = &'a Letter>) -> Response {
        let mut page = "<?xml version=\"1.0\" encoding=\"us-ascii\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\" \
            xmlns:thr=\"http://purl.org/syndication/thread/1.0\"><title>a list</title>"
            .to_owned();
        for letter in letters {
            self.entry(&mut page, letter);
        }
        page.push_str("</feed>");
        ([("content-type", "application/atom+xml")], page).into_response()
    }

    fn entry(&self, page: &mut String, letter: &Letter) {
        let item = &letter.item;
        let link = message_url(&self.base, &letter.id);
        let above = match &item.what {
            ItemData::Message {
                in_reply_to: Some(above),
                ..
            } => {
                let above = message_url(&self.base, above.as_str());
                format!("<thr:in-reply-to href=\"{}\"/>", escaped(above.as_str()))
            }
            _ => String::new(),
        };
        let _ = write!(
            page,
            "<entry><author><name>{}</name><email>{}</email></author><title>{}</title><updated>{}</updated>\
             <link href=\"{}\"/>{above}<content type=\"xhtml\"><div xmlns=\"http://www.w3.org/1999/xhtml\">\
             <pre style=\"white-space:pre-wrap\">{}\n</pre></div></content></entry>",
            escaped(&item.author.name),
            escaped(&item.author.email),
            escaped(&item.title),
            letter.at.format("%Y-%m-%dT%H:%M:%SZ"),
            escaped(link.as_str()),
            escaped(&item.text),
        );
    }
}

/// Text as XML takes it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&#34;"),
            '\t' | '\n' => escaped.push(c),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}
