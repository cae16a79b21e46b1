//! The readers of outside bytes, one function for each kind of input. The fuzz targets call them, and so does
//! `examples/mutate.rs`, which needs no nightly compiler. Each may refuse its input; none may panic, hang, or use unbounded
//! memory.

use std::path::Path;
use std::sync::OnceLock;

use bpfnews::chat::{Audience, grammar};
use bpfnews::config::{Config, Identity};
use bpfnews::filter::{Filter, Subsystems};
use bpfnews::item::prose;
use bpfnews::item::subject::Subject;
use bpfnews::source::archive::Archive;
use bpfnews::source::feed::{Feed, Flavour};
use bpfnews::source::tree::Tree;
use bpfnews::source::{Answer, Body, Goal, Page, Source, Validators, Walk, mail};
use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

/// The cursor of the walks.
const TREE_CURSOR: &str = r#"{"paths":{"":{"tip":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}}"#;
const TREE_TIP: &str =
    "<feed><entry><link href='/c/?id=bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb'/></entry></feed>";

/// A function that reads bytes of strangers, with its name.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// Every kind of input, by the name of its corpus.
pub(crate) const ALL: [Target; 8] = [
    ("documents", documents),
    ("mails", mails),
    ("html", html),
    ("subjects", subjects),
    ("logs", logs),
    ("configuration", configuration),
    ("chat", chat),
    ("filters", filters),
];

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_500)
}

fn url() -> &'static Url {
    static AT: OnceLock<Url> = OnceLock::new();
    AT.get_or_init(|| Url::parse("https://host.example/list/").expect("a URL"))
}

/// Lets a walk read an answer; returns the result.
fn read(walk: &mut Walk, bytes: &[u8]) -> Option<Page> {
    walk.next()?;
    let answer = Answer {
        url: url().clone(),
        moved_to: None,
        body: Body::Bytes {
            bytes: bytes.to_vec(),
            charset: None,
        },
        validators: Validators::default(),
        fresh_for: None,
    };
    let page = walk.read(Ok(answer)).ok()?;
    for item in &page.items {
        assert!(
            item.text.len() <= prose::TEXT_BYTES_MAX,
            "a text is bounded"
        );
        let shown = |c: char| !c.is_control();
        assert!(item.title.chars().all(shown), "a title is one plain line");
    }
    Some(page)
}

fn polled(source: &Source, cursor: Option<&str>) -> Walk {
    source
        .begin(cursor, Goal::Poll, now())
        .expect("every kind is polled")
}

/// Feeds of all kinds, and mails by the thousand.
pub(crate) fn documents(data: &[u8]) {
    for flavour in [Flavour::Lwn, Flavour::Articles, Flavour::Releases] {
        read(
            &mut polled(
                &Source::Feed(Feed::new(url(), flavour, Identity::default())),
                None,
            ),
            data,
        );
    }
    read(
        &mut polled(&Source::Archive(Archive::new(url(), None)), None),
        data,
    );
    read(
        &mut polled(&Source::Tree(Tree::new(url(), "master", &[])), None),
        data,
    );
}

/// A mail by itself, and as an mbox.
pub(crate) fn mails(data: &[u8]) {
    if let Ok(item) = mail::message(data, None) {
        assert!(
            item.text.len() <= prose::TEXT_BYTES_MAX,
            "a text is bounded"
        );
        Subject::parse(&item.title);
    }
    let since = DateTime::UNIX_EPOCH;
    let archive = Source::Archive(Archive::new(url(), None));
    let walk = archive.begin(None, Goal::Backfill { since }, now());
    read(&mut walk.expect("an archive is walked back"), data);
}

/// HTML in an entry, and as its title.
pub(crate) fn html(data: &[u8]) {
    let html = String::from_utf8_lossy(data);
    let document = serde_json::json!({
        "version": "https://jsonfeed.org/version/1.1",
        "title": "t",
        "items": [{"id": "1", "title": html, "content_html": html}],
    });
    let feed = Source::Feed(Feed::new(url(), Flavour::Articles, Identity::default()));
    read(&mut polled(&feed, None), document.to_string().as_bytes());
}

/// Subject lines.
pub(crate) fn subjects(data: &[u8]) {
    for line in String::from_utf8_lossy(data).lines() {
        let subject = Subject::parse(line);
        assert!(subject.same_revision(&subject));
    }
}

/// Pages of cgit's log.
pub(crate) fn logs(data: &[u8]) {
    let tree = Source::Tree(Tree::new(url(), "master", &[]));
    let mut walk = polled(&tree, Some(TREE_CURSOR));
    read(&mut walk, TREE_TIP.as_bytes()).expect("a feed of one commit");
    walk.learn(&Default::default(), &Default::default());
    read(&mut walk, data);
}

/// Configurations.
pub(crate) fn configuration(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = Config::parse(text, Path::new("config.toml"));
    }
}

/// Texts that people write in chat.
pub(crate) fn chat(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for audience in [Audience::Readers, Audience::Editors, Audience::Maintainers] {
        if let Ok(call) = grammar::parse(audience, &text) {
            let _ = grammar::parse(audience, &call.words());
        }
    }
}

/// Filters, which print in a form that is read again; and MAINTAINERS files.
pub(crate) fn filters(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let subsystems = Subsystems::parse(&text).unwrap_or_default();
    for line in text.lines() {
        if let Ok(filter) = Filter::parse(line) {
            let printed = filter.to_string();
            assert_eq!(
                Filter::parse(&printed).ok(),
                Some(filter.clone()),
                "{printed}"
            );
            // Either answer is right.
            let _ = filter.check(&subsystems);
        }
    }
}
