//! The loopback server of the demo: each feed as its upstream would have answered at the clock's time.
//!
//! It answers as the recorded public-inbox and cgit do (windows, `t=`, ranges, headers), so that the ordinary sources
//! read it by the ordinary way. It knows nothing of items, and no more of a mail or a commit than its feed entry.

use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use url::{Url, form_urlencoded};

use crate::clock::Clock;
use crate::demo::document::{self, DemoEntry, Document, escape};
use crate::demo::week::{self, BUNDLED, BundledItem, DocumentFormat, Upstream};
use crate::item::hex;

/// The branch of both trees.
pub(super) const BRANCH: &str = "master";

/// public-inbox's `feedmax`: entries of one `new.atom`.
const ARCHIVE_WINDOW: usize = 25;

/// cgit's `max-atom-items`.
const TREE_WINDOW: usize = 10;

/// cgit's `max-commit-count`: rows of one page of the log.
const LOG_WINDOW: usize = 50;

/// cgit says of its answers that they stay good for five minutes.
const TREE_FRESH: TimeDelta = TimeDelta::minutes(5);

/// The running server; it stops when this is dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it serves: `http://127.0.0.1:PORT/`.
    pub base: Url,
    _stop: oneshot::Sender<()>,
}

/// Serves the week on a free port of 127.0.0.1, every answer as of `clock`'s time.
///
/// # Errors
///
/// When no port can be bound.
pub async fn start(clock: Arc<dyn Clock>) -> anyhow::Result<Server> {
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .context("binding a port of 127.0.0.1 for the demo's feeds")?;
    let address = listener
        .local_addr()
        .context("asking for the port of the demo's feeds")?;
    let base = Url::parse(&format!("http://{address}/"))
        .context("making an address of the demo's port")?;
    let week = Arc::new(Week::load(base.as_str())?);
    let app = Router::new().fallback(serve).with_state((week, clock));
    let (stop, stopped) = oneshot::channel();
    tokio::spawn(async move {
        let serving = axum::serve(listener, app).with_graceful_shutdown(async {
            // Nobody sends: the dropped sender is the sign.
            let _ = stopped.await;
        });
        if let Err(error) = serving.await {
            tracing::warn!(%error, "the demo's server stopped");
        }
    });
    Ok(Server { base, _stop: stop })
}

async fn serve(
    State((week, clock)): State<(Arc<Week>, Arc<dyn Clock>)>,
    request: Request,
) -> Response {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return not_found();
    }
    let uri = request.uri();
    let query = Query::parse(uri.query().unwrap_or_default());
    week.answer(uri.path(), &query, request.headers(), clock.now())
}

/// The parameters of a request, each name's first value.
struct Query(Vec<(String, String)>);

impl Query {
    fn parse(raw: &str) -> Self {
        Self(
            form_urlencoded::parse(raw.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// All items, and the address of the server.
struct Week {
    base: String,
    items: Vec<BundledItem>,
}

impl Week {
    fn load(base: &str) -> anyhow::Result<Self> {
        Ok(Self {
            base: base.to_owned(),
            items: week::items()?,
        })
    }

    fn answer(
        &self,
        path: &str,
        query: &Query,
        headers: &HeaderMap,
        now: DateTime<Utc>,
    ) -> Response {
        let answer = BUNDLED.iter().find_map(|bundled| {
            let name = bundled.name;
            let below = path.strip_prefix('/')?.strip_prefix(name);
            let document = || Document::of(name, &self.items);
            match bundled.upstream {
                Upstream::Archive => match below? {
                    "/new.atom" | "/atom.xml" => Some(self.archive(name, &document(), query, now)),
                    _ => None,
                },
                Upstream::Tree => match below?.strip_prefix(".git/")? {
                    "atom" | "atom/" => Some(self.tree(name, &document(), query, now)),
                    "log" | "log/" => Some(log(name, &document(), query, now)),
                    _ => None,
                },
                Upstream::Whole {
                    path: its,
                    content_type,
                    format,
                } => (path == its).then(|| {
                    let text = whole(name, format, &document(), now);
                    whole_answer(text, content_type, headers)
                }),
            }
        });
        let mut answer = answer.unwrap_or_else(not_found);
        set_date(&mut answer, header::DATE, now);
        answer
    }

    /// public-inbox's `new.atom`.
    fn archive(
        &self,
        name: &str,
        document: &Document<'_>,
        query: &Query,
        now: DateTime<Utc>,
    ) -> Response {
        let arrived = document.arrived(now);
        let window = archive_window(arrived, query.get("t").unwrap_or_default());
        let (Some(newest), false) = (arrived.first(), window.is_empty()) else {
            // The words by which public-inbox distinguishes an empty archive from a wrong address.
            let none = "No feed found for thread\n".to_owned();
            return page(StatusCode::NOT_FOUND, "text/plain", none);
        };
        let text = document::archive(name, newest, &window, &self.base);
        page(StatusCode::OK, "application/atom+xml", text)
    }

    /// cgit's Atom: the newest commits from a branch or a commit on.
    fn tree(
        &self,
        name: &str,
        document: &Document<'_>,
        query: &Query,
        now: DateTime<Utc>,
    ) -> Response {
        let arrived = document.arrived(now);
        let head = query.get("h").unwrap_or(BRANCH);
        let Some(from) = revision(arrived, head) else {
            return tree_answer(
                now,
                StatusCode::NOT_FOUND,
                "text/html; charset=UTF-8",
                format!(
                    "<!DOCTYPE html>\n<html lang='en'>\n<body>\n<div id='cgit'><div class='content'>\
                     <div class='error'>Invalid branch: {}</div>\n</div></div>\n</body>\n</html>\n",
                    escape(head)
                ),
            );
        };
        let window = &arrived[from..];
        let window = &window[..window.len().min(TREE_WINDOW)];
        let text = document::tree(name, BRANCH, window, &self.base);
        tree_answer(now, StatusCode::OK, "text/xml; charset=utf-8", text)
    }
}

/// A document that comes whole, and when it last changed.
fn whole(
    name: &str,
    format: DocumentFormat,
    document: &Document<'_>,
    now: DateTime<Utc>,
) -> (String, Option<DateTime<Utc>>) {
    let standing = document.standing(now);
    let modified_at = standing.iter().map(|entry| entry.at).max();
    (document::whole(name, format, &standing), modified_at)
}

/// A document as a plain web server gives it: whole, with validators.
fn whole_answer(
    (text, modified_at): (String, Option<DateTime<Utc>>),
    content_type: &'static str,
    headers: &HeaderMap,
) -> Response {
    let etag = format!("\"{}\"", hex(&Sha256::digest(text.as_bytes())[..8]));
    let mut answer = if is_unchanged(headers, &etag, modified_at) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        page(StatusCode::OK, content_type, text)
    };
    let etag = etag.parse().expect("hexadecimal in quotes is a header");
    answer.headers_mut().insert(header::ETAG, etag);
    if let Some(at) = modified_at {
        set_date(&mut answer, header::LAST_MODIFIED, at);
    }
    answer
}

/// The mails that public-inbox shows for `t`, in its order: `B` gives those up to B, newest first; `A-` those from A
/// on, oldest first; `A-B` those between, newest first. Whenever there is an A and the window is not filled, both bounds
/// are dropped. A `t` that cannot be read is ignored.
fn archive_window<'a>(arrived: &[DemoEntry<'a>], t: &str) -> Vec<DemoEntry<'a>> {
    let (after, before) = match t.split_once('-') {
        Some((after, before)) => (compact_time(after), compact_time(before)),
        None => (None, compact_time(t)),
    };
    let within = |entry: &DemoEntry<'_>| {
        after.is_none_or(|after| entry.at >= after)
            && before.is_none_or(|before| entry.at <= before)
    };
    let entries = arrived.iter().copied();
    let window: Vec<DemoEntry<'a>> = match (after, before) {
        (Some(_), None) => entries.rev().filter(within).take(ARCHIVE_WINDOW).collect(),
        (_, _) => entries.filter(within).take(ARCHIVE_WINDOW).collect(),
    };
    if after.is_some() && window.len() < ARCHIVE_WINDOW {
        return arrived.iter().copied().take(ARCHIVE_WINDOW).collect();
    }
    window
}

/// Reads public-inbox's `YYYYMMDDhhmmss`: 8 to 14 digits, missing ones are zeros.
fn compact_time(digits: &str) -> Option<DateTime<Utc>> {
    let good = (8..=14).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if !good {
        return None;
    }
    NaiveDateTime::parse_from_str(&format!("{digits:0<14}"), "%Y%m%d%H%M%S")
        .ok()
        .map(|at| at.and_utc())
}

/// Where a revision stands among the commits that have arrived: the branch, or a hash of at least 7 digits.
fn revision(arrived: &[DemoEntry<'_>], name: &str) -> Option<usize> {
    if name == BRANCH {
        return Some(0);
    }
    if name.len() < 7 {
        return None;
    }
    arrived
        .iter()
        .position(|entry| entry.item.id.starts_with(name))
}

/// cgit's log: an HTML table, of a range `OLD..NEW` where one is asked for.
fn log(name: &str, document: &Document<'_>, query: &Query, now: DateTime<Utc>) -> Response {
    let arrived = document.arrived(now);
    let head = query.get("h").unwrap_or(BRANCH);
    let range = match (query.get("qt"), query.get("q")) {
        (Some("range"), Some(range)) => commit_range(arrived, range),
        (_, _) => revision(arrived, head).map(|from| &arrived[from..]),
    };
    // An unknown revision is an empty table with status 200, as cgit has it for a branch that was rebased.
    let range = range.unwrap_or_default();
    let offset = query.get("ofs").and_then(|ofs| ofs.parse().ok());
    let shown = range.get(offset.unwrap_or(0)..).unwrap_or_default();
    let with_messages = query.get("showmsg").is_some_and(|value| value == "1");
    let rows: String = shown
        .iter()
        .take(LOG_WINDOW)
        .map(|entry| log_row(name, entry, with_messages))
        .collect();
    let text = format!(
        "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<title>{name} - {name}, for the demo of bpfnews</title>\n\
         </head>\n<body>\n<div id='cgit'>\n<div class='content'><table class='list nowrap'><tr class='nohover'>\
         <th class='left'>Age</th><th class='left'>Commit message</th><th class='left'>Author</th></tr>\n\
         {rows}</table><ul class='pager'></ul></div> <!-- class=content -->\n</div> <!-- id=cgit -->\n</body>\n</html>\n"
    );
    tree_answer(now, StatusCode::OK, "text/html; charset=UTF-8", text)
}

/// The commits of `OLD..NEW`: the documents' history is a line, so they are those from NEW to before OLD.
fn commit_range<'e, 'a>(arrived: &'e [DemoEntry<'a>], range: &str) -> Option<&'e [DemoEntry<'a>]> {
    let (old, new) = range.split_once("..")?;
    let (old, new) = (revision(arrived, old)?, revision(arrived, new)?);
    Some(arrived.get(new..old).unwrap_or_default())
}

/// One commit of the log.
fn log_row(name: &str, entry: &DemoEntry<'_>, with_message: bool) -> String {
    let item = entry.item;
    let (title, author, hash) = (escape(&item.title), escape(&item.by), &item.id);
    let (at, day) = (
        item.at.format("%Y-%m-%d %H:%M:%S +0000"),
        item.at.format("%Y-%m-%d"),
    );
    let class = if with_message {
        " class='logheader'"
    } else {
        ""
    };
    let subject = if with_message {
        " class='logsubject'"
    } else {
        ""
    };
    let row = format!(
        "<tr{class}><td><span title='{at}'>{day}</span></td><td{subject}><a href='/{name}.git/commit/?id={hash}'>{title}</a>\
         </td><td>{author}</td></tr>\n"
    );
    if !with_message {
        return row;
    }
    let message = escape(item.text.trim());
    format!(
        "{row}<tr class='nohover-highlight'><td/><td colspan='3' class='logmsg'>\n{message}\n\n</td></tr>\n"
    )
}

/// An answer of cgit, which calls every answer new and good for five minutes.
fn tree_answer(
    now: DateTime<Utc>,
    status: StatusCode,
    content_type: &'static str,
    text: String,
) -> Response {
    let mut answer = page(status, content_type, text);
    set_date(&mut answer, header::LAST_MODIFIED, now);
    set_date(&mut answer, header::EXPIRES, now + TREE_FRESH);
    answer
}

/// Whether the request's validators say that the client has this already. `If-None-Match` decides where it is sent.
fn is_unchanged(headers: &HeaderMap, etag: &str, modified_at: Option<DateTime<Utc>>) -> bool {
    let sent = |name| {
        headers
            .get(name)
            .and_then(|value: &header::HeaderValue| value.to_str().ok())
    };
    if let Some(known) = sent(header::IF_NONE_MATCH) {
        return known
            .split(',')
            .any(|one| one.trim().trim_start_matches("W/") == etag);
    }
    let since =
        sent(header::IF_MODIFIED_SINCE).and_then(|date| httpdate::parse_http_date(date).ok());
    match (since, modified_at) {
        (Some(since), Some(at)) => at <= DateTime::<Utc>::from(since),
        (_, _) => false,
    }
}

fn set_date(answer: &mut Response, name: header::HeaderName, at: DateTime<Utc>) {
    let date = httpdate::fmt_http_date(at.into())
        .parse()
        .expect("an HTTP date is a header");
    answer.headers_mut().insert(name, date);
}

fn page(status: StatusCode, content_type: &'static str, text: String) -> Response {
    (
        status,
        [(header::CONTENT_TYPE, content_type)],
        Body::from(text),
    )
        .into_response()
}

fn not_found() -> Response {
    page(StatusCode::NOT_FOUND, "text/plain", "Not Found".to_owned())
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;
    use crate::clock::FixedClock;
    use crate::demo::{config, steps};

    const BASE: &str = "http://127.0.0.1:1/";
    const END: &str = "2017-05-10T18:00:00Z";

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().expect("an RFC 3339 time")
    }

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().expect("a header")))
            .collect()
    }

    fn ask(target: &str, now: &str, sent: &HeaderMap) -> Response {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let week = Week::load(BASE).expect("good documents");
        week.answer(path, &Query::parse(query), sent, time(now))
    }

    async fn body(answer: Response) -> String {
        let bytes = to_bytes(answer.into_body(), 1 << 20)
            .await
            .expect("a body in memory");
        String::from_utf8(bytes.to_vec()).expect("UTF-8")
    }

    async fn get(target: &str, now: &str) -> (StatusCode, String) {
        let answer = ask(target, now, &HeaderMap::new());
        (answer.status(), body(answer).await)
    }

    /// The times of an answer's entries, in its order.
    async fn times(target: &str, now: &str) -> Vec<DateTime<Utc>> {
        let (status, text) = get(target, now).await;
        assert_eq!(status, StatusCode::OK, "{target}");
        text.split("<entry>")
            .skip(1)
            .map(|entry| {
                let date = entry.split("<updated>").nth(1).expect("a date");
                time(date.split("</updated>").next().expect("its end"))
            })
            .collect()
    }

    #[tokio::test]
    async fn an_archive_shows_its_newest_25() {
        let newest = times("/netdev/new.atom", END).await;
        assert_eq!(newest.len(), 25);
        assert!(newest.is_sorted_by(|a, b| a > b));
        assert_eq!(newest[0], time("2017-05-10T14:20:33Z"));
        assert_eq!(times("/netdev/atom.xml", END).await, newest);
        assert_eq!(
            times("/netdev/new.atom?t=soon", END).await,
            newest,
            "ignored"
        );
        assert_eq!(times("/linux-arm-kernel/new.atom", END).await.len(), 11);
    }

    #[tokio::test]
    async fn an_archive_pages_back_by_time() {
        let older = times("/netdev/new.atom?t=20170502103000", END).await;
        assert_eq!(older.len(), 11, "a short page is not filled up");
        assert_eq!(older[0], time("2017-05-02T10:16:07Z"));
        let same_second = times("/netdev/new.atom?t=20170502101607", END).await;
        assert_eq!(same_second, older, "the bound is inclusive");
        let (status, _) = get("/netdev/new.atom?t=20170430", END).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "none so old");
    }

    #[tokio::test]
    async fn an_archive_pages_forward_oldest_first_while_it_can_fill_a_page() {
        let forward = times("/netdev/new.atom?t=20170502090402-", END).await;
        assert_eq!(forward.len(), 25);
        assert!(forward.is_sorted_by(|a, b| a < b));
        assert_eq!(forward[0], time("2017-05-02T09:04:02Z"));
        assert_eq!(
            times("/netdev/new.atom?t=20170503-", END).await,
            times("/netdev/new.atom", END).await,
            "too few: the newest come, newest first"
        );
    }

    #[tokio::test]
    async fn an_archive_drops_both_bounds_of_a_range_that_fills_no_page() {
        let range = times("/netdev/new.atom?t=20170502-20170503", END).await;
        assert_eq!(range.len(), 25);
        assert!(range.is_sorted_by(|a, b| a > b));
        assert_eq!(range[0], time("2017-05-02T21:30:05Z"));
        assert_eq!(
            times("/netdev/new.atom?t=20170509-20170510", END).await,
            times("/netdev/new.atom", END).await
        );
    }

    #[tokio::test]
    async fn an_archive_without_mails_is_404() {
        let (status, _) = get("/netdev/new.atom", "2017-04-30T00:00:00Z").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn the_future_is_not_served() {
        assert_eq!(
            times("/netdev/new.atom", "2017-05-02T09:00:00Z")
                .await
                .len(),
            4
        );
        for (now, many) in [("2017-05-02T08:59:59Z", 0), ("2017-05-02T09:00:00Z", 1)] {
            let (_, text) = get("/articles.rss", now).await;
            assert_eq!(text.matches("<item>").count(), many, "{now}");
        }
        let (_, text) = get("/headlines/rss", "2017-05-01T00:00:00Z").await;
        assert!(!text.contains("721581"));
    }

    /// The mails of netdev at each of the demo's polls: one step cuts a series in two, the next brings 27 mails at
    /// once, so that a poller has to page back.
    #[tokio::test]
    async fn one_step_brings_more_mails_than_a_window_holds() {
        let week = Week::load(BASE).expect("good documents");
        let netdev = Document::of("netdev", &week.items);
        let counts: Vec<usize> = steps()
            .into_iter()
            .map(|step| netdev.arrived(step.at).len())
            .collect();
        assert_eq!(
            counts[..16],
            [0, 2, 2, 4, 31, 31, 33, 34, 34, 34, 34, 35, 41, 41, 41, 44]
        );
    }

    #[tokio::test]
    async fn a_tree_shows_its_newest_commits_from_a_branch_or_a_commit_on() {
        assert_eq!(times("/net.git/atom/?h=master", END).await.len(), 3);
        assert_eq!(times("/net.git/atom", END).await.len(), 3);
        let from = times("/net-next.git/atom/?h=e3bf4c61da80", END).await;
        assert_eq!(from.len(), 2);
        let early = times("/net.git/atom/?h=master", "2017-05-01T10:00:00Z").await;
        assert_eq!(early, [time("2017-04-14T18:22:09Z")]);
        let (status, text) = get("/net.git/atom/?h=<no>", END).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(text.contains("Invalid branch: &lt;no&gt;"));
    }

    #[test]
    fn a_tree_calls_every_answer_new_and_good_for_five_minutes() {
        let answer = ask("/net.git/atom/?h=master", END, &HeaderMap::new());
        let header = |name| answer.headers().get(name).and_then(|v| v.to_str().ok());
        assert_eq!(
            header(header::LAST_MODIFIED),
            Some("Wed, 10 May 2017 18:00:00 GMT")
        );
        assert_eq!(
            header(header::EXPIRES),
            Some("Wed, 10 May 2017 18:05:00 GMT")
        );
        assert_eq!(header(header::DATE), header(header::LAST_MODIFIED));
        assert_eq!(header(header::ETAG), None);
    }

    #[tokio::test]
    async fn a_log_shows_a_range_of_commits() {
        let old = "3a5795b83d570000000000000000000000000000";
        let new = "b0e92279d3ec3656152c4dfa1c8b28fa40ca66d7";
        let range = format!("/net-next.git/log/?h=master&qt=range&q={old}..{new}");
        let (status, text) = get(&format!("{range}&showmsg=1"), END).await;
        assert_eq!(status, StatusCode::OK);
        let page = scraper::Html::parse_document(&text);
        let select = |path: &str| -> Vec<String> {
            let path = scraper::Selector::parse(path).expect("a selector");
            page.select(&path)
                .map(|element| element.text().collect())
                .collect()
        };
        assert_eq!(
            select("table.list.nowrap tr.logheader td.logsubject a"),
            [
                "Merge branch 'thunderx-xdp'",
                "bpf, arm64: implement jiting of BPF_XADD",
                "sparc64: Fix BPF JIT wrt. branches and ldimm64 instructions.",
            ]
        );
        assert_eq!(
            select("tr.logheader span[title]"),
            ["2017-05-02", "2017-05-01", "2017-05-01"]
        );
        assert_eq!(
            select("tr.logheader td:nth-child(3)"),
            ["", "Daniel Borkmann", "David Miller"]
        );
        let messages = select("tr.nohover-highlight td.logmsg");
        assert_eq!(messages.len(), 3);
        assert!(
            messages[0]
                .trim_start()
                .starts_with("Merge XDP support for the thunderx")
        );
        assert!(text.contains(&format!("href='/net-next.git/commit/?id={new}'")));
        assert!(text.contains("<span title='2017-05-02 15:10:27 +0000'>"));

        let (_, second) = get(&format!("{range}&ofs=2"), END).await;
        assert_eq!(second.matches("<a href='/net-next.git/commit/").count(), 1);
        let (status, gone) = get("/net.git/log/?qt=range&q=deadbeef..85f68fe89832", END).await;
        assert_eq!(
            (status, gone.contains("commit/?id=")),
            (StatusCode::OK, false)
        );
        let (_, whole) = get("/net.git/log/?h=master", END).await;
        assert_eq!(whole.matches("commit/?id=").count(), 3);
    }

    #[tokio::test]
    async fn documents_that_are_served_whole_are_conditional() {
        let now = "2017-05-06T12:00:00Z";
        for path in ["/headlines/rss", "/slides.rss", "/articles.rss"] {
            let first = ask(path, now, &HeaderMap::new());
            assert_eq!(first.status(), StatusCode::OK, "{path}");
            let kept = |name: header::HeaderName| {
                let value = first.headers().get(&name).expect("a validator");
                value.to_str().expect("ASCII").to_owned()
            };
            let (etag, modified) = (kept(header::ETAG), kept(header::LAST_MODIFIED));
            let by_etag = headers(&[(header::IF_NONE_MATCH, &etag)]);
            let by_date = headers(&[(header::IF_MODIFIED_SINCE, &modified)]);
            let by_both = headers(&[
                (header::IF_NONE_MATCH, "\"other\""),
                (header::IF_MODIFIED_SINCE, &modified),
            ]);
            assert_eq!(ask(path, now, &by_etag).status(), StatusCode::NOT_MODIFIED);
            assert_eq!(ask(path, now, &by_date).status(), StatusCode::NOT_MODIFIED);
            assert_eq!(ask(path, now, &by_both).status(), StatusCode::OK);
            assert_eq!(body(ask(path, now, &by_etag)).await, "");
        }
        let then = ask("/articles.rss", now, &HeaderMap::new());
        let etag = then.headers()[header::ETAG].to_str().expect("ASCII");
        let sent = headers(&[(header::IF_NONE_MATCH, etag)]);
        assert_eq!(ask("/articles.rss", END, &sent).status(), StatusCode::OK);
        let empty = ask(
            "/feeds/videos.xml",
            "2017-05-01T00:00:00Z",
            &HeaderMap::new(),
        );
        assert!(!empty.headers().contains_key(header::LAST_MODIFIED));
    }

    #[tokio::test]
    async fn unknown_paths_are_404() {
        for path in [
            "/",
            "/netdev",
            "/netdev/",
            "/netdev/20170502-elf-loader-0@made-up.invalid/raw",
            "/net/new.atom",
            "/net.git/commit/",
            "/netdev.git/atom/",
            "/slides.rss/",
        ] {
            assert_eq!(get(path, END).await.0, StatusCode::NOT_FOUND, "{path}");
        }
    }

    async fn request(base: &Url, line: &str) -> String {
        let address = (
            base.host_str().expect("a host"),
            base.port().expect("a port"),
        );
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let request = format!("{line} HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n");
        stream
            .write_all(request.as_bytes())
            .await
            .expect("the request goes out");
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .await
            .expect("an answer comes");
        answer
    }

    #[tokio::test]
    async fn the_server_follows_the_clock_and_names_itself() {
        let clock = Arc::new(FixedClock::new(time("2017-04-30T00:00:00Z")));
        let server = start(clock.clone()).await.expect("a server");
        let base = &server.base;
        let ask = "GET /netdev/new.atom";
        assert!(request(base, ask).await.starts_with("HTTP/1.1 404 "));
        clock.set(time("2017-05-02T09:00:00Z"));
        let answer = request(base, ask).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(answer.contains("date: Tue, 02 May 2017 09:00:00 GMT"));
        assert!(answer.contains(&format!("href=\"{base}netdev/20170502-elf-loader-1@")));
        assert!(!answer.contains("demo.invalid"));
        assert!(
            request(base, "POST /netdev/?q=x&x=m")
                .await
                .starts_with("HTTP/1.1 404 ")
        );
    }

    #[tokio::test]
    async fn every_configured_feed_is_served() {
        let clock = Arc::new(FixedClock::new(time("2026-07-01T00:00:00Z")));
        let server = start(clock).await.expect("a server");
        for feed in config(&server.base, std::path::Path::new("demo.db")).feeds {
            let path = match &feed.kind {
                crate::config::FeedKind::Archive { .. } => format!("{}new.atom", feed.url.path()),
                crate::config::FeedKind::Tree { branch, .. } => {
                    format!("{}/atom/?h={branch}", feed.url.path())
                }
                crate::config::FeedKind::Lwn | crate::config::FeedKind::Feed { .. } => {
                    feed.url.path().to_owned()
                }
            };
            let answer = request(&server.base, &format!("GET {path}")).await;
            assert!(answer.starts_with("HTTP/1.1 200 OK"), "{}", feed.name);
        }
    }

    #[tokio::test]
    async fn the_server_stops_when_dropped() {
        let clock = Arc::new(FixedClock::new(time(END)));
        let server = start(clock).await.expect("a server");
        let port = server.base.port().expect("a port");
        drop(server);
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("port {port} still answers");
    }
}
