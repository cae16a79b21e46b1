//! The look of invented stories: in a list, in full, on a narrow terminal and on a wide one.

use anstream::adapter::strip_str;
use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr as _;

use super::timeline::timeline;
use super::view::{fit, line, span, waiting, waiting_line};
use crate::story::machine::Findings;
use crate::story::{Check, State, Story};
use crate::web::StoryJson;

fn now() -> DateTime<Utc> {
    let now = Utc.with_ymd_and_hms(2017, 5, 20, 12, 0, 0).single();
    now.expect("a time")
}

/// A day in May 2017, at ten.
fn day(day: u32) -> String {
    format!("2017-05-{day:02}T10:00:00Z")
}

/// A story with these fields, and the plainest of all others.
fn story(fields: Value) -> Story {
    let mut story = json!({
        "id": "4kq0zmx7ta", "aliases": [], "kind": "series", "title": "A title", "url": null, "author": "Ada Author",
        "tree": "bpf-next", "state": "posted", "score": 3, "relevant": true, "why": [], "first_at": day(2),
        "last_at": day(4), "feeds": ["netdev"], "revisions": [], "follow_ups": 0, "people": [], "events": [],
        "applied": [], "mainline": null, "stable": [], "fixes": [], "cves": [], "messages": [], "commits": [],
        "summary": [], "changes": {},
    });
    let given = fields.as_object().expect("fields");
    for (name, value) in given {
        story[name] = value.clone();
    }
    serde_json::from_value(story).expect("a story")
}

fn event(on: u32, state: &str, by: &str, source: &str) -> Value {
    json!({"at": day(on), "state": state, "by": by, "source": source})
}

fn revision(version: u32, on: u32, subjects: &[&str], total: u32) -> Value {
    let patches: Vec<Value> = subjects
        .iter()
        .zip(1..)
        .map(|(subject, number)| {
            let id = format!("2017050{version}.{number}.ada@host.example");
            json!({"number": number, "subject": subject, "message_id": id})
        })
        .collect();
    json!({
        "version": version, "posted_at": day(on), "root": format!("2017050{version}.0.ada@host.example"),
        "cover": total > 1, "total": total, "patches": patches,
    })
}

const COUNTERS: [&str; 4] = [
    "bpf: Count how often a map's lookup misses its bucket",
    "bpf: Show the counters of a map in its file below /proc, beside its size and flags",
    "tools: Print them",
    "samples/bpf: Try them",
];

const SECOND: &str = "20170502.0.ada@host.example";

fn counters(fields: Value) -> Story {
    let mut whole = json!({
        "title": "bpf: Counters that tell how full a hash map is",
        "url": "https://lore.example/netdev/20170502.0.ada@host.example/",
        "revisions": [revision(1, 2, &COUNTERS[..3], 3), revision(2, 5, &COUNTERS, 4)],
        "follow_ups": 7,
        "summary": ["A hash map that is nearly full is slow, and nobody can see it.",
                    "This series counts how long lookups search, and shows the count where a map's size is shown."],
        "changes": {"v2": "counts per CPU, not per map (Rita); a sample; no new flag"},
        "people": [
            {"role": "author", "name": "Ada Author"}, {"role": "reviewer", "name": "Rita Reader"},
            {"role": "acker", "name": "Ed Editor"}, {"role": "acker", "name": "Mo Maintainer"},
            {"role": "tester", "name": "Tess Trial"},
        ],
        "why": ["about BPF: came by a feed of BPF alone", "+3: a new map feature", "+1: three reviewers"],
        "feeds": ["bpf-next", "netdev"],
    });
    for (name, value) in fields.as_object().expect("fields") {
        whole[name] = value.clone();
    }
    story(whole)
}

fn began() -> Vec<Value> {
    vec![
        event(2, "posted", "Ada Author", "20170501.0.ada@host.example"),
        event(3, "discussed", "Rita Reader", "r1@host.example"),
        event(5, "revised", "Ada Author", SECOND),
        event(5, "ci_failed", "build bot", "c1@bot.example"),
        event(5, "ci_failed", "build bot", "c2@bot.example"),
        event(6, "discussed", "Ed Editor", "r2@host.example"),
    ]
}

fn commits(numbers: &[u32]) -> Vec<Value> {
    let hash = |number: &u32| format!("{number}a2b3c4d5e6f7081920304050607080900a0b0c0");
    numbers
        .iter()
        .map(|number| json!({"hash": hash(number), "number": number, "subject": COUNTERS[*number as usize - 1]}))
        .collect()
}

fn applied(on: u32, numbers: &[u32], claimed: bool) -> Value {
    json!({"tree": "bpf/bpf-next.git", "branch": "master", "by": "Mo Maintainer", "at": day(on), "claimed": claimed,
           "commits": commits(numbers)})
}

fn and(mut events: Vec<Value>, more: &[Value]) -> Vec<Value> {
    events.extend_from_slice(more);
    events
}

fn partly() -> Story {
    counters(json!({
        "id": "pa00000001", "state": "partly_applied",
        "events": and(began(), &[event(9, "partly_applied", "Mo Maintainer", "p@bot.example")]),
        "applied": [applied(9, &[1, 2, 3], false)],
    }))
}

fn claimed() -> Story {
    counters(json!({
        "id": "c1a1med001", "state": "applied",
        "events": and(began(), &[event(9, "claimed", "Mo Maintainer", "p@host.example")]),
        "applied": [{"tree": "bpf-next", "branch": null, "by": "Mo Maintainer", "at": day(9), "claimed": true,
                     "commits": []}],
    }))
}

fn stable() -> Story {
    counters(json!({
        "id": "5tab1e0001", "state": "stable", "fixes": ["0102030405060708090a0b0c0d0e0f1011121314"],
        "cves": ["CVE-2017-0001"], "last_at": day(19),
        "events": and(began(), &[
            event(9, "applied", "Mo Maintainer", "p@bot.example"),
            event(11, "pulled", "Mo Maintainer", "pull@host.example"),
            event(12, "mainline", "", "fedcba98765432100123456789abcdef01234567"),
            event(18, "stable", "", "aaaabbbbccccddddeeeeffff0000111122223333"),
            event(18, "cve", "", "cve@host.example"),
            event(19, "fixed", "Ada Author", "bbbbccccddddeeeeffff00001111222233334444"),
        ]),
        "applied": [applied(9, &[1, 2, 3, 4], false)],
        "mainline": {"hash": "fedcba98765432100123456789abcdef01234567", "at": day(12)},
        "stable": [{"branch": "linux-4.11.y", "hash": "aaaabbbbccccddddeeeeffff0000111122223333", "at": day(18)}],
    }))
}

fn waits() -> Story {
    counters(json!({
        "id": "wa1t1ng001", "state": "discussed", "last_at": day(5), "events": &began()[..5],
        "people": [{"role": "author", "name": "Ada Author"}],
    }))
}

fn nacked() -> Story {
    story(json!({
        "id": "nacked0001", "title": "bpf: Let programs sleep wherever they like", "state": "rejected",
        "revisions": [revision(1, 2, &["bpf: Let programs sleep wherever they like"], 1)], "follow_ups": 1,
        "events": [
            event(2, "posted", "Ada Author", "20170501.1.ada@host.example"),
            event(3, "discussed", "Mo Maintainer", "n@host.example"),
            event(3, "nacked", "Mo Maintainer", "n@host.example"),
            event(3, "rejected", "Mo Maintainer", "n@host.example"),
        ],
        "people": [{"role": "author", "name": "Ada Author"}, {"role": "nacker", "name": "Mo Maintainer"}],
    }))
}

fn superseded() -> Story {
    story(json!({
        "id": "0ver000001", "title": "bpf: Print addresses in one more way", "state": "superseded",
        "revisions": [revision(1, 2, &["bpf: Print addresses in one more way"], 2)],
        "events": [
            event(2, "posted", "Ada Author", "20170501.1.ada@host.example"),
            event(4, "superseded", "", "o@host.example"),
        ],
    }))
}

fn thread() -> Story {
    story(json!({
        "id": "thread0001", "kind": "thread", "tree": null, "state": "open", "author": "Quinn Question",
        "title": "Why does the verifier refuse a loop that plainly ends after four rounds, and what can I do?",
        "follow_ups": 12, "last_at": day(19), "messages": ["q@host.example"], "feeds": ["xdp-newbies"],
        "events": [event(2, "posted", "Quinn Question", "q@host.example")],
        "summary": ["My loop runs four times."], "url": "https://lore.example/xdp-newbies/q@host.example/",
    }))
}

fn pull() -> Story {
    story(json!({
        "id": "pu11000001", "kind": "pull", "tree": "net", "state": "mainline", "title": "bpf 2017-05-09",
        "author": "Mo Maintainer", "messages": ["pull@host.example"], "url": "https://lore.example/netdev/pull@host.example/",
        "events": [
            event(9, "posted", "Mo Maintainer", "pull@host.example"),
            event(12, "mainline", "Len Lead", "fedcba98765432100123456789abcdef01234567"),
        ],
        "mainline": {"hash": "fedcba98765432100123456789abcdef01234567", "at": day(12)},
    }))
}

fn commit() -> Story {
    story(json!({
        "id": "c0mm1t0001", "kind": "commit", "state": "applied", "title": "bpf: Mend a comment", "first_at": day(19),
        "last_at": day(19), "commits": ["aaaabbbbccccddddeeeeffff0000111122223333"],
        "applied": [{"tree": "bpf-next", "branch": "master", "by": "", "at": day(19), "claimed": false,
                     "commits": [{"hash": "aaaabbbbccccddddeeeeffff0000111122223333", "number": null,
                                  "subject": "bpf: Mend a comment"}]}],
        "events": [event(19, "applied", "", "aaaabbbbccccddddeeeeffff0000111122223333")],
    }))
}

fn article() -> Story {
    story(json!({
        "id": "art1c1e001", "kind": "article", "tree": null, "state": "paid", "title": "[$] What a map may hold",
        "author": null, "url": "https://lwn.example/Articles/1/", "feeds": ["lwn"], "first_at": day(18),
        "last_at": day(18), "events": [event(18, "posted", "", "https://lwn.example/Articles/1/")],
        "summary": ["Maps hold more and more."],
    }))
}

fn stranger() -> Story {
    story(json!({
        "id": "5tranger01", "relevant": false, "state": "applied", "tree": "net-next", "score": -2,
        "title": "net: dsa: Rename a struct that is used in three drivers so that it is called what it is by everybody",
        "why": ["not about BPF: no file or word of it"],
    }))
}

fn all() -> Vec<Story> {
    let all = [
        partly(),
        claimed(),
        stable(),
        waits(),
        nacked(),
        superseded(),
    ];
    let rest = [thread(), pull(), commit(), article(), stranger()];
    all.into_iter().chain(rest).collect()
}

fn shown(story: &Story, width: usize) -> String {
    let text = strip_str(&timeline(story, true, width, now())).to_string();
    // A link or a hash stays whole, however long.
    let is_link = |line: &str| line.split_whitespace().count() == 1 || line.contains("https://");
    let wide = text
        .lines()
        .find(|line| line.width() > width && !is_link(line));
    assert_eq!(wide, None, "{} at {width}", story.id);
    assert!(text.lines().all(|line| line == line.trim_end()), "{text:?}");
    text
}

#[test]
fn a_list_is_calm() {
    for width in [80, 120] {
        let text: String = all()
            .iter()
            .map(|story| line(story, width, now()))
            .collect();
        let text = strip_str(&text).to_string();
        assert!(text.lines().all(|line| line.width() <= width), "{text}");
        insta::assert_snapshot!(format!("list_{width}"), text);
    }
}

#[test]
fn a_series_is_printed_whole() {
    for story in [partly(), claimed(), stable(), waits()] {
        insta::assert_snapshot!(format!("series_{}", story.id), shown(&story, 80));
    }
    insta::assert_snapshot!("series_120", shown(&partly(), 120));
}

#[test]
fn everything_else_is_printed_too() {
    let rest = [
        nacked(),
        superseded(),
        thread(),
        pull(),
        commit(),
        article(),
        stranger(),
    ];
    let text: Vec<String> = rest.iter().map(|story| shown(story, 80)).collect();
    insta::assert_snapshot!("others", text.join("\n----\n\n"));
}

#[test]
fn every_width_is_kept() {
    for width in [40, 57, 100, 200] {
        for story in all() {
            shown(&story, width);
        }
    }
}

#[test]
fn a_paid_article_shows_when_it_becomes_free() {
    let mut story = article();
    story.free_on = chrono::NaiveDate::from_ymd_opt(2017, 6, 1);
    assert!(shown(&story, 80).contains("For subscribers until 1 June 2017."));
}

#[test]
fn reasons_are_shown_on_request() {
    let told = strip_str(&timeline(&partly(), false, 80, now())).to_string();
    assert!(!told.contains("three reviewers") && shown(&partly(), 80).contains("three reviewers"));
}

#[test]
fn reports_of_machines_are_printed_once_with_a_link() {
    let said = |id: &str, text: &str| {
        json!({"at": day(6), "state": "reviewed_by_machine", "by": "Reviewer", "source": id, "text": text,
               "link": format!("https://reviews.example/{id}")})
    };
    let check = |version: u32, text: &str| {
        json!({"root": format!("2017050{version}.0.ada@host.example"), "what": "ai_review", "text": text, "at": day(6),
               "link": "https://reviews.example/all", "findings": null})
    };
    let story = counters(json!({
        "events": and(began(), &[said("1", "AI review: 1 finding"), said("2", "AI review: 1 finding"), said("3", "AI review: no findings")]),
        "checks": [check(1, "AI review: 7 findings"), check(2, "AI review: 2 findings")],
    }));
    let told = shown(&story, 100);
    for (part, times) in [
        ("AI review: 2 findings · https://reviews.example/all", 1),
        ("AI review: 7 findings", 0),
        ("AI review       1 finding by Reviewer (2 times)", 1),
        ("https://reviews.example/2", 1),
        ("https://reviews.example/1", 0),
        ("no findings by Reviewer", 1),
    ] {
        assert_eq!(told.matches(part).count(), times, "{part}\n{told}");
    }
}

#[test]
fn text_from_outside_does_nothing_on_a_terminal() {
    let evil = "a\u{1b}]0;title\u{7}\u{202e}b\n\u{200b}c";
    let mut story = counters(json!({
        "title": evil, "author": evil, "tree": evil, "url": evil, "summary": [evil], "why": [evil], "feeds": [evil],
        "changes": {"v2": evil}, "people": [{"role": "acker", "name": evil}], "id": evil, "aliases": [evil],
        "revisions": [revision(2, 5, &[evil], 2)], "cves": [evil], "fixes": [evil],
        "events": [event(5, "revised", evil, evil), event(6, "nacked", evil, evil), event(6, "stable", evil, evil)],
        "applied": [{"tree": evil, "branch": evil, "by": evil, "at": day(9), "claimed": true, "commits": []}],
        "stable": [{"branch": evil, "hash": evil, "at": day(9)}],
    }));
    let is_harmless = |text: &str| {
        let plain = strip_str(text).to_string();
        // All styles are ours, so removing them removes every escape.
        let bare: String = text
            .split('\u{1b}')
            .map(|part| match part.strip_prefix('[') {
                Some(style) => style.split_once('m').map_or("", |(_, rest)| rest),
                None => part,
            })
            .collect();
        bare == plain
            && !plain
                .chars()
                .any(|c| (c.is_control() && c != '\n') || "\u{202e}\u{200b}".contains(c))
    };
    for state in ["posted", "applied", "stable", "withdrawn", "open"] {
        story.state = serde_json::from_value(json!(state)).expect("a state");
        assert!(is_harmless(&timeline(&story, true, 80, now())), "{state}");
        let row = line(&story, 80, now());
        assert!(is_harmless(&row) && row.lines().count() == 2, "{row:?}");
        assert!(is_harmless(&waiting_line(&story, TimeDelta::days(3), 80)));
    }
}

#[test]
fn a_series_waits_until_a_person_answers_its_newest_revision() {
    let days = |story: &Story| waiting(story, now()).map(|waits| waits.num_days());
    assert_eq!(
        days(&waits()),
        Some(15),
        "machines do not count, and answers to v1 do not"
    );
    let mut answered = waits();
    answered.events = counters(json!({"events": began()})).events;
    assert_eq!(days(&answered), None);
    let mut applied = waits();
    applied.applied = claimed().applied;
    assert_eq!(days(&applied), None);
    let mut gone = waits();
    gone.state = State::Withdrawn;
    assert_eq!(days(&gone), None);
    for other in [
        thread(),
        pull(),
        commit(),
        article(),
        nacked(),
        superseded(),
        partly(),
    ] {
        assert_eq!(days(&other), None, "{}", other.id);
    }
    let early = waiting(&waits(), now() - TimeDelta::days(100));
    assert_eq!(early, Some(TimeDelta::zero()), "a clock that runs behind");
}

#[test]
fn the_waiting_are_listed() {
    let mut first = waits();
    (first.revisions, first.id) = (nacked().revisions, "f1r5t00001".to_owned());
    first.title =
        "bpf: One patch that fixes what was broken for years, told at some length for once"
            .to_owned();
    let rows = [(17, &first), (15, &waits())].map(|(days, story)| {
        strip_str(&waiting_line(story, TimeDelta::days(days), 80)).to_string()
    });
    insta::assert_snapshot!(rows.join(""));
}

#[test]
fn times_are_printed_in_their_largest_unit() {
    #[rustfmt::skip]
    let table = [
        (60, "1 minute"), (7_199, "119 minutes"), (7_200, "2 hours"), (172_800, "2 days"), (16 * 86_400, "16 days"),
        (61 * 86_400, "2 months"), (800 * 86_400, "2 years"),
    ];
    for (seconds, wanted) in table {
        assert_eq!(span(TimeDelta::seconds(seconds)), wanted);
    }
}

#[test]
fn cut_text_fits() {
    #[rustfmt::skip]
    let table = [
        ("short", 10, "short"), ("one two three four", 10, "one two…"), ("宽宽宽宽", 6, "宽宽…"), ("宽宽宽", 6, "宽宽宽"),
        ("abcdefghij", 5, "abcd…"),
    ];
    for (text, columns, wanted) in table {
        assert_eq!(fit(text, columns), wanted);
    }
}

/// Programs rely on these keys; docs/json.md documents them.
#[test]
fn the_keys_of_a_story_are_those_that_are_documented() {
    let keys = |value: &Value| -> Vec<String> {
        let object = value.as_object().expect("an object");
        object.keys().cloned().collect()
    };
    let sorted = |words: &str| -> Vec<String> {
        let mut words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        words.sort();
        words
    };
    let mut story = stable();
    story.checks.push(Check {
        root: SECOND.to_owned(),
        what: "ai_review".to_owned(),
        text: "AI review: no findings".to_owned(),
        at: now(),
        link: None,
        findings: Some(Findings::default()),
    });
    // The whole line too: the order of the keys and the form of each value.
    let line = serde_json::to_string(&StoryJson::from(&story)).expect("JSON");
    insta::assert_snapshot!("json", line);
    let story = serde_json::to_value(StoryJson::from(&story)).expect("JSON");
    let table = [
        (
            "",
            "id aliases kind title url author tree state score relevant why first_at last_at feeds revisions follow_ups \
              people events checks applied mainline stable fixes cves messages commits files summary changes",
        ),
        ("/revisions/0", "version posted_at root cover total patches"),
        ("/revisions/0/patches/0", "number subject message_id"),
        ("/people/0", "role name"),
        ("/events/0", "at state by source text link findings"),
        ("/checks/0", "root what text at link findings"),
        (
            "/checks/0/findings",
            "total critical high medium low remarks earlier",
        ),
        ("/applied/0", "tree branch by at claimed commits"),
        ("/applied/0/commits/0", "hash number subject"),
        ("/mainline", "hash at release"),
        ("/stable/0", "branch hash at release"),
    ];
    let page = include_str!("../../../docs/json.md");
    for (place, wanted) in table {
        let mut found = keys(story.pointer(place).expect("it is there"));
        found.sort();
        assert_eq!(found, sorted(wanted), "{place}");
        for key in found {
            assert!(page.contains(&key), "docs/json.md has no {key}");
        }
    }
    assert!(
        story["mainline"]["at"]
            .as_str()
            .expect("text")
            .ends_with('Z')
    );
    let states = "posted discussed applied partly_applied pulled mainline stable superseded withdrawn rejected open paid \
                  free published";
    for state in states.split_whitespace() {
        serde_json::from_value::<State>(json!(state)).expect("a state");
        assert!(page.contains(state), "docs/json.md has no {state}");
    }
}
