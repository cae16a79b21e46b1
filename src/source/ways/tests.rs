//! Walks by several addresses, some of which are walled.

use serde_json::{Value, json};

use super::super::Method;
use super::*;
use crate::source::CursorKind;

const NEWS: &str = "nntp://news.invalid/a.list";
const WEB: &str = "https://archive.invalid/list/";
const MIRROR: &str = "https://mirror.invalid/list/";
/// 2025-01-01.
const START: i64 = 1_735_689_600;

fn url(text: &str) -> Url {
    text.parse().expect("a URL")
}

fn ways(addresses: &[&str]) -> Ways {
    Ways::new(addresses.iter().map(|address| {
        let url = url(address);
        let source = match url.scheme() {
            "nntp" => Source::Newsgroup(Newsgroup::new(&url, None)),
            _ => Source::Archive(Archive::new(&url, None)),
        };
        (url, source)
    }))
}

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(START + 60 * minutes, 0).expect("a time")
}

fn answer(url: &Url, bytes: Vec<u8>) -> Answer {
    Answer::without_headers(url, bytes)
}

/// The newest page of an archive whose mail number `n` arrived `n` minutes after the start.
fn newest_page(last: i64) -> String {
    let entry = |n: i64| {
        let updated = at(n).to_rfc3339();
        format!(
            "<entry><title>t</title><updated>{updated}</updated><link href='{WEB}{n}@x/'/></entry>"
        )
    };
    let entries: String = (0.max(last - 24)..=last).rev().map(entry).collect();
    format!("<feed>{entries}</feed>")
}

/// The servers of a test: the hosts that are walled, and the number of the last mail.
struct Servers {
    walled: Vec<&'static str>,
    last: i64,
    asked: Vec<String>,
}

impl Servers {
    fn answer(&mut self, request: &Request) -> Result<Answer, FetchError> {
        let host = request.url.host_str().unwrap_or_default().to_owned();
        self.asked.push(host.clone());
        if self.walled.iter().any(|walled| host == *walled) {
            let why = format!("{host} answers with an HTML page");
            return Err(FetchError::Walled { why });
        }
        let url = &request.url;
        match &request.method {
            Method::News(_) => Ok(answer(url, b"group 1 0\n".to_vec())),
            _ => Ok(answer(url, newest_page(self.last).into_bytes())),
        }
    }
}

/// One poll: its detour, or its error.
fn poll(
    ways: &Ways,
    cursor: &mut Option<String>,
    servers: &mut Servers,
    now: DateTime<Utc>,
) -> Result<Option<String>, FetchError> {
    servers.asked.clear();
    let begun = ways.begin(cursor.as_deref(), Goal::Poll, now);
    let mut walk = begun.expect("archives can be polled");
    let mut detour = None;
    while let Some(request) = walk.next() {
        assert!(servers.asked.len() < 100, "a walk ends");
        let page = walk.read(servers.answer(&request))?;
        if page.is_interim {
            continue;
        }
        detour = detour.or(page.detour);
        let keys = page.items.iter().map(Item::key).collect();
        walk.learn(&keys, &keys);
        *cursor = Some(walk.cursor());
    }
    Ok(detour)
}

fn servers(walled: &[&'static str], last: i64) -> Servers {
    Servers {
        walled: walled.to_vec(),
        last,
        asked: Vec::new(),
    }
}

#[test]
fn a_wall_leads_to_the_next_address_with_one_notice_and_back() {
    let both = ways(&[WEB, MIRROR]);
    let (mut cursor, mut servers) = (None, servers(&[], 100));
    assert_eq!(poll(&both, &mut cursor, &mut servers, at(101)), Ok(None));
    servers.walled = vec!["archive.invalid"];
    let detour = poll(&both, &mut cursor, &mut servers, at(106)).expect("the mirror answers");
    let detour = detour.expect("a notice");
    assert!(
        detour.contains("archive.invalid answers") && detour.contains(MIRROR),
        "{detour}"
    );
    assert_eq!(servers.asked[..2], ["archive.invalid", "mirror.invalid"]);
    for minutes in [111, 150, 200, 400] {
        let again = poll(&both, &mut cursor, &mut servers, at(minutes));
        assert_eq!(again, Ok(None), "one notice for each detour");
    }
    let text = cursor.clone().expect("it polled");
    let notes = reading_notes(&text, at(401).timestamp());
    assert_eq!(notes[0], format!("read by {MIRROR}"));
    assert!(
        notes[1].contains("times in a row; it is tried again after"),
        "{notes:?}"
    );

    servers.walled.clear();
    poll(&both, &mut cursor, &mut servers, at(3_000)).expect("all is well");
    assert_eq!(servers.asked[0], "archive.invalid");
    let notes = reading_notes(&cursor.clone().expect("polled"), at(3_001).timestamp());
    assert_eq!(notes, [format!("read by {WEB}")]);
    servers.walled = vec!["archive.invalid"];
    let detour = poll(&both, &mut cursor, &mut servers, at(3_005)).expect("the mirror answers");
    assert!(detour.is_some(), "another detour, another notice");
}

#[test]
fn an_address_that_failed_is_left_alone_for_a_while() {
    let both = ways(&[WEB, MIRROR]);
    let (mut cursor, mut servers) = (None, servers(&["archive.invalid"], 100));
    poll(&both, &mut cursor, &mut servers, at(101)).expect("the mirror answers");
    servers.walled.clear();
    poll(&both, &mut cursor, &mut servers, at(106)).expect("the mirror answers");
    assert!(
        servers.asked.iter().all(|host| host == "mirror.invalid"),
        "{:?}",
        servers.asked
    );
    // The other one fails too: all are asked, whatever failed before.
    servers.walled = vec!["mirror.invalid"];
    poll(&both, &mut cursor, &mut servers, at(111)).expect("the first one answers");
    assert_eq!(servers.asked[..2], ["mirror.invalid", "archive.invalid"]);
    servers.walled.push("archive.invalid");
    let error = poll(&both, &mut cursor, &mut servers, at(116)).expect_err("none answers");
    let why = error.to_string();
    assert!(matches!(error, FetchError::Walled { .. }), "{why}");
    assert!(
        why.contains("mirror.invalid") && why.contains("archive.invalid"),
        "{why}"
    );
}

/// An address without a cursor begins where the other stood, and its mails are no seed.
#[test]
fn an_address_that_comes_into_use_goes_back_to_where_the_other_stood() {
    for addresses in [[WEB, MIRROR], [WEB, NEWS], [NEWS, WEB]] {
        let both = ways(&addresses);
        let first = url(addresses[0]);
        let host = first.host_str().expect("a host").to_owned();
        let own = match first.scheme() {
            "nntp" => json!({"by": "nntp", "group": "news.invalid:119/a.list", "seen_to": 9,
                             "newest_at": START + 6_000}),
            _ => json!({"seen_to": START + 6_000, "polled_at": START + 6_060}),
        };
        let stored =
            json!({"ways": [{"url": first.as_str(), "cursor": own}], "by": first.as_str()});
        let walk = both.begin(Some(&stored.to_string()), Goal::Poll, at(200));
        let mut walk = walk.expect("archives can be polled");
        let request = walk.next().expect("a request");
        assert_eq!(request.url.host_str(), Some(host.as_str()));
        let why = "a wall".to_owned();
        let page = walk
            .read(Err(FetchError::Walled { why }))
            .expect("the next address");
        assert!(page.is_interim);
        let request = walk.next().expect("a request");
        assert!(
            request.url.as_str().starts_with(addresses[1]),
            "{}",
            request.url
        );
        let cursor: Value = serde_json::from_str(&walk.cursor()).expect("JSON");
        let next = &cursor["ways"][1]["cursor"];
        let stands_at = next["seen_to"].as_i64().or(next["since"].as_i64());
        let stands_at = stands_at.expect("it knows where to begin");
        assert!(
            (START + 6_000 - 3 * 3600..=START + 6_000).contains(&stands_at),
            "{next}"
        );
    }
}

#[test]
fn a_cursor_of_one_address_is_used_when_there_are_several_and_back() {
    let plain = json!({"seen_to": START + 60, "polled_at": START + 60}).to_string();
    let both = ways(&[NEWS, WEB]);
    let Ok(Walk::Ways(walk)) = both.begin(Some(&plain), Goal::Poll, at(2)) else {
        panic!("two addresses");
    };
    let cursor: Value = serde_json::from_str(&walk.cursor()).expect("JSON");
    let of = |address: &str| {
        let mut states = cursor["ways"].as_array().expect("states").iter();
        states
            .find(|state| state["url"] == address)
            .map(|state| state["cursor"].clone())
    };
    assert_eq!(of(WEB).expect("its own")["seen_to"], START + 60);
    let since = of(NEWS).expect("a new one")["since"].as_i64();
    assert!(since.is_some_and(|since| since <= START + 60), "{cursor}");

    // One address alone keeps its plain cursor, and knows what to do with the others'.
    let one = ways(&[WEB]);
    assert!(matches!(
        one.begin(Some(&plain), Goal::Poll, at(2)),
        Ok(Walk::Archive(_))
    ));
    assert!(matches!(
        one.begin(None, Goal::Poll, at(2)),
        Ok(Walk::Archive(_))
    ));
    let Ok(Walk::Ways(_)) = one.begin(Some(&walk.cursor()), Goal::Poll, at(2)) else {
        panic!("the cursor has two addresses");
    };
    let other = ways(&["nntp://other.invalid/a.list"]);
    let Ok(Walk::Ways(walk)) = other.begin(Some(&plain), Goal::Poll, at(2)) else {
        panic!("a cursor of another kind");
    };
    assert!(walk.cursor().contains("since"), "{}", walk.cursor());
}

#[test]
fn strange_cursors_begin_anew() {
    let both = ways(&[NEWS, WEB]);
    for cursor in [
        "",
        "null",
        "[]",
        "{\"ways\":7}",
        "{\"ways\":[{}]}",
        "{\"by\":\"other\"}",
        "7",
    ] {
        let walk = both.begin(Some(cursor), Goal::Poll, at(0));
        assert!(walk.is_ok_and(|mut walk| walk.next().is_some()), "{cursor}");
    }
}

#[test]
fn a_notice_names_every_address_that_failed() {
    let all = ways(&[WEB, MIRROR, NEWS]);
    let (mut cursor, mut servers) = (None, servers(&["archive.invalid", "mirror.invalid"], 100));
    let detour = poll(&all, &mut cursor, &mut servers, at(101)).expect("the third one answers");
    let detour = detour.expect("a notice");
    let names = ["archive.invalid answers", "mirror.invalid answers", NEWS];
    assert!(names.iter().all(|name| detour.contains(name)), "{detour}");
    assert_eq!(poll(&all, &mut cursor, &mut servers, at(106)), Ok(None));
    assert_eq!(servers.asked, ["news.invalid"]);
}

#[test]
fn a_cursor_is_known_by_its_fields() {
    let kind = |cursor: &str| CursorKind::of(cursor);
    let first = |source: Source| {
        let walk = source
            .begin(None, Goal::Poll, at(0))
            .expect("it can be polled");
        CursorKind::of(&walk.cursor())
    };
    let (web, news) = (url(WEB), url(NEWS));
    let tree = crate::source::tree::Tree::new(&web, "master", &[]);
    assert_eq!(first(Source::Tree(tree)), Some(CursorKind::Tree));
    let list = Archive::new(&web, None);
    assert_eq!(first(Source::Archive(list)), Some(CursorKind::Archive));
    let group = Newsgroup::new(&news, None);
    assert_eq!(first(Source::Newsgroup(group)), Some(CursorKind::Newsgroup));
    for other in [
        "{}",
        "{\"epoch\":1,\"tip\":null}",
        "{\"ways\":[],\"by\":\"x\"}",
        "7",
    ] {
        assert_eq!(kind(other), None, "{other}");
    }
}

/// The addresses of a tree share the hash of the last commit.
#[test]
fn a_tree_goes_on_from_the_commit_of_its_other_address() {
    let hash = "0123456789012345678901234567890123456789";
    let cgit = "https://git.invalid/x.git";
    let github = "https://github.com/o/x";
    let both = Ways::new([cgit, github].map(|address| {
        let url = url(address);
        let tree = crate::source::tree::Tree::new(&url, "master", &[]);
        (url, Source::Tree(tree))
    }));
    let own = json!({"paths": {"": {"tip": hash, "tip_at": START}}});
    let stored = json!({"ways": [{"url": cgit, "cursor": own}], "by": cgit}).to_string();
    let walk = both.begin(Some(&stored), Goal::Poll, at(10));
    let mut walk = walk.expect("trees can be polled");
    assert!(
        walk.next()
            .is_some_and(|request| request.url.as_str().starts_with(cgit))
    );
    let why = "a timeout".to_owned();
    let page = walk.read(Err(FetchError::Later { after: None, why }));
    assert!(page.is_ok_and(|page| page.is_interim));
    assert!(
        walk.next()
            .is_some_and(|request| request.url.as_str().starts_with(github))
    );
    let cursor: Value = serde_json::from_str(&walk.cursor()).expect("JSON");
    assert_eq!(cursor["ways"][1]["cursor"]["paths"][""]["tip"], hash);
}
