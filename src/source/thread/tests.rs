//! The walk through a thread against answers of all kinds.

use std::collections::HashSet;
use std::io::Write as _;

use url::Url;

use super::*;
use crate::source::newsgroup::frame::FrameWriter;
use crate::source::{Method, NewsQuestion};

/// 2025-06-01, in unix seconds.
const NOW: i64 = 1_748_736_000;

fn id(text: &str) -> MessageId {
    MessageId::parse(text).expect("a Message-ID")
}

/// The thread of the stored `c@x`, which answers the missing `b@x`.
fn question() -> ThreadQuestion {
    ThreadQuestion {
        mail: id("c@x"),
        missing: vec![id("b@x")],
        known: HashSet::from([id("c@x")]),
    }
}

fn walk(ways: Vec<ThreadWay>) -> ThreadWalk {
    let now = DateTime::from_timestamp(NOW, 0).expect("a time");
    ThreadWalk::new(Arc::new(question()), ways, now)
}

fn pages() -> ThreadWay {
    let base = Url::parse("https://list.example/bpf/").expect("a URL");
    ThreadWay::Pages(Archive::new(&base, None))
}

fn news() -> ThreadWay {
    let url = Url::parse("nntp://list.example/list.bpf").expect("a URL");
    ThreadWay::News(Newsgroup::new(&url, None))
}

fn raw(own: &str, references: &[&str]) -> String {
    raw_at(own, references, "Sun, 4 May 2025 10:00:00 +0000")
}

fn raw_at(own: &str, references: &[&str], date: &str) -> String {
    let references: Vec<String> = references.iter().map(|id| format!("<{id}>")).collect();
    let above = match references.last() {
        Some(last) => format!(
            "In-Reply-To: {last}\nReferences: {}\n",
            references.join(" ")
        ),
        None => String::new(),
    };
    format!(
        "Message-ID: <{own}>\n{above}From: A B <a@b.c>\nDate: {date}\nSubject: {own}\n\nHello.\n"
    )
}

fn packed(mails: &[String]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for mail in mails {
        write!(gzip, "From mboxrd@z Thu Jan  1 00:00:00 1970\n{mail}\n").expect("memory");
    }
    gzip.finish().expect("memory")
}

fn answer(bytes: Vec<u8>) -> Result<Answer, FetchError> {
    Ok(Answer::without_headers(
        &Url::parse("https://list.example/bpf/").expect("a URL"),
        bytes,
    ))
}

fn ids(page: &Page) -> Vec<&str> {
    let mut ids: Vec<&str> = page
        .items
        .iter()
        .filter_map(id_of)
        .map(MessageId::as_str)
        .collect();
    ids.sort_unstable();
    ids
}

#[test]
fn only_the_mails_of_the_thread_are_kept() {
    let mut walk = walk(vec![pages()]);
    let request = walk.next().expect("a request");
    assert_eq!(
        request.url.as_str(),
        "https://list.example/bpf/c@x/t.mbox.gz"
    );
    assert_eq!(
        (&request.method, request.bytes_max),
        (&Method::Get, 16 << 20)
    );
    let mails = [
        raw("a@x", &[]),
        raw("b@x", &["a@x"]),
        raw("c@x", &["a@x", "b@x"]),
        // By another mail of the answer, and by a mail that is nowhere.
        raw("d@x", &["a@x"]),
        raw("e@x", &["a@x", "gone@x"]),
        raw("f@x", &["gone@x"]),
        // Others, among them one that only says so in its subject, and one with a wrong clock.
        raw("other@x", &[]),
        raw("another@x", &["other@x"]),
        raw_at("ahead@x", &["c@x"], "Tue, 1 Jan 2030 10:00:00 +0000"),
    ];
    let page = walk.read(answer(packed(&mails))).expect("a page");
    assert_eq!(ids(&page), ["a@x", "b@x", "d@x", "e@x", "f@x"]);
    assert!(walk.next().is_none() && walk.is_whole() && !walk.is_cut_short());
    assert!(walk.has_shown("c@x") && !walk.has_shown("gone@x"));
}

#[test]
fn another_thread_and_other_bytes_are_errors() {
    let cut = packed(&[raw("c@x", &["b@x"]), raw("b@x", &[])]);
    let cut = cut[..cut.len() / 2].to_vec();
    let other = packed(&[raw("other@x", &[])]);
    for bytes in [
        other,
        cut,
        b"\x1f\x8b\x08junk".to_vec(),
        b"junk".to_vec(),
        Vec::new(),
    ] {
        let read = walk(vec![pages()]).read(answer(bytes));
        assert!(matches!(read, Err(FetchError::Broken { .. })), "{read:?}");
    }
}

#[test]
fn thousands_of_mails_are_cut_off_and_the_missing_ones_come_first() {
    let mut mails: Vec<String> = (0..LIMITS.mails)
        .map(|number| raw(&format!("{number}@x"), &["c@x"]))
        .collect();
    mails[1_900] = raw("b@x", &[]);
    mails.push(raw("last@x", &["c@x"]));
    let mut walk = walk(vec![pages()]);
    let page = walk.read(answer(packed(&mails))).expect("a page");
    assert!(!walk.is_whole());
    assert_eq!(page.items.len(), KEPT_MAX);
    assert!(ids(&page).contains(&"b@x"));
}

#[test]
fn the_next_way_is_taken_after_an_error_and_one_that_may_pass_counts() {
    let mut walk = walk(vec![pages(), news()]);
    let missing = FetchError::Missing {
        why: "404".to_owned(),
        page: String::new(),
    };
    assert!(walk.read(Err(missing)).expect("another way").is_interim);
    let later = FetchError::Later {
        after: None,
        why: "a timeout".to_owned(),
    };
    let error = walk.read(Err(later)).expect_err("none is left");
    assert!(
        matches!(&error, FetchError::Later { why, .. } if why == "a timeout; 404"),
        "{error:?}"
    );
    assert!(walk.next().is_none());
}

/// The answer of a group with these mails to the walk's question; `near` are the articles around each.
fn ask(walk: &mut ThreadWalk, mails: &[(&str, &[&str])]) -> (NewsQuestion, Page) {
    let request = walk.next().expect("a request");
    let Method::News(news) = request.method else {
        panic!("a question to a news server");
    };
    let mut frame = FrameWriter::default();
    match &news.ask {
        NewsQuestion::ById(ids) => {
            for (id, number) in ids.iter().zip(1..) {
                match mails.iter().find(|(own, _)| *own == id.as_str()) {
                    Some((own, above)) => frame.article(number, raw(own, above).as_bytes()),
                    None => frame.absent(number),
                }
            }
        }
        NewsQuestion::Around { .. } => {
            frame.around();
            for (own, above) in mails {
                frame.near(own, above);
            }
        }
        other => panic!("{other:?}"),
    }
    let page = walk.read(answer(frame.whole())).expect("a page");
    (news.ask, page)
}

#[test]
fn a_news_server_is_asked_for_the_mails_above_and_then_for_those_around() {
    let mails: &[(&str, &[&str])] = &[
        ("a@x", &[]),
        ("b@x", &["a@x"]),
        ("c@x", &["a@x", "b@x"]),
        ("d@x", &["a@x"]),
        ("e@x", &["a@x", "d@x"]),
        ("other@x", &[]),
    ];
    let mut walk = walk(vec![news()]);
    let mut asked = Vec::new();
    let page = loop {
        let (question, page) = ask(&mut walk, mails);
        asked.push(question);
        if !walk.is_cut_short() {
            break page;
        }
        assert!(page.is_interim && page.items.is_empty());
    };
    let around = NewsQuestion::Around {
        id: id("a@x"),
        within: 150,
    };
    let by_id = |ids: &[&str]| NewsQuestion::ById(ids.iter().map(|text| id(text)).collect());
    let wanted = [
        by_id(&["b@x"]),
        by_id(&["a@x"]),
        around,
        by_id(&["d@x", "e@x"]),
    ];
    assert_eq!(asked, wanted);
    assert_eq!(ids(&page), ["a@x", "b@x", "d@x", "e@x"]);
    assert!(walk.has_shown("c@x"));
}

#[test]
fn a_news_server_without_the_mails_ends_the_walk() {
    let mut walk = walk(vec![news()]);
    let (_, page) = ask(&mut walk, &[]);
    assert!(page.is_interim);
    let (question, page) = ask(&mut walk, &[]);
    assert!(matches!(question, NewsQuestion::Around { id, .. } if id.as_str() == "c@x"));
    assert_eq!((page.items.len(), walk.is_cut_short()), (0, false));
}

#[test]
fn a_chain_without_end_is_followed_a_few_steps() {
    let mut walk = walk(vec![news()]);
    let mut questions = 0;
    while walk.is_cut_short() {
        questions += 1;
        assert!(questions < 20, "a walk without end");
        let request = walk.next().expect("a request");
        let Method::News(news) = request.method else {
            panic!("a question to a news server");
        };
        let mut frame = FrameWriter::default();
        match news.ask {
            NewsQuestion::ById(ids) => {
                for (id, number) in ids.iter().zip(1..) {
                    let above: Vec<String> = (0..50).map(|n| format!("{n}-{id}")).collect();
                    let above: Vec<&str> = above.iter().map(String::as_str).collect();
                    frame.article(number, raw(id.as_str(), &above).as_bytes());
                }
            }
            _ => frame.around(),
        }
        walk.read(answer(frame.whole())).expect("a page");
    }
    assert!(questions <= 7, "{questions}");
}
