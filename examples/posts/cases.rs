//! A post of every kind, about stories that nobody wrote: for the page that shows them, and for the tests that hold their
//! words.

use bpfnews::post::story::{
    Content, Digest, IssuePart, IssuePost, Line, Post, Suggestion, Tone, compose, line, standing,
};
use bpfnews::story::Story;
use serde_json::{Value, json};

/// A long sentence, to be cut.
const LONG: &str = "The verifier walks every path through the program and forgets nothing of what it saw on the way. ";

/// Every kind of post: a caption and the content.
pub(crate) fn cases() -> Vec<(&'static str, Content)> {
    let mut cases = Vec::new();
    cases.extend(series());
    cases.extend(ends());
    cases.extend(others());
    cases.extend(readings());
    cases.extend(lines());
    cases.extend(hostile());
    cases
}

fn series() -> Vec<(&'static str, Content)> {
    let v1 = json!({
        "revisions": [revision(1, 3, 3)],
        "why": ["is about kfuncs (+3)", "changes what user space sees (uapi) (+3)", "touches the verifier (+2)"],
    });
    let v3 = json!({
        "revisions": [revision(1, 3, 3), revision(2, 3, 3), revision(3, 4, 4)],
        "state": "discussed", "follow_ups": 9,
        "changes": {"v3": "Count a lock as held until its guard is dropped; add a test for nested guards (Ada)."},
    });
    let applied = json!({
        "state": "applied",
        "applied": [applied_to("bpf/bpf-next.git")],
        "events": [event("2025-03-09T15:00:00Z", "applied", "M. Maintainer")],
    });
    let mainline = json!({
        "state": "mainline",
        "mainline": {"hash": "5f1c8e2a9b3d47c6e0f1a2b3c4d5e6f708192a3b", "at": "2025-03-26T18:30:00Z"},
        "events": [
            event("2025-03-09T15:00:00Z", "applied", "M. Maintainer"),
            event("2025-03-24T09:00:00Z", "pulled", ""),
            event("2025-03-26T18:30:00Z", "mainline", ""),
        ],
    });
    let discussed =
        json!({"state": "discussed", "follow_ups": 4, "revisions": [revision(1, 3, 3)]});
    let partly = json!({
        "revisions": [revision(1, 3, 3), revision(2, 2, 4)], "state": "partly_applied",
        "applied": [applied_to("netdev/net-next.git")], "tree": "net-next",
        "events": [event("2025-03-09T15:00:00Z", "partly_applied", "M. Maintainer")],
    });
    vec![
        ("a series, v1", of(base(), &[&v1])),
        ("a series, v3", of(base(), &[&v3])),
        ("a series, discussed", of(base(), &[&discussed])),
        ("a series, applied", of(base(), &[&v3, &applied])),
        (
            "a series, in mainline",
            of(base(), &[&v3, &applied, &mainline]),
        ),
        (
            "a series, partly here and partly applied",
            of(base(), &[&partly]),
        ),
    ]
}

fn ends() -> Vec<(&'static str, Content)> {
    let two = json!({"revisions": [revision(1, 3, 3), revision(2, 3, 3)]});
    let at = "2025-03-08T10:00:00Z";
    let withdrawn =
        json!({"state": "withdrawn", "events": [event(at, "withdrawn", "Ada Example")]});
    let refused = json!({
        "state": "rejected",
        "events": [event("2025-03-07T10:00:00Z", "nacked", "R. Reviewer"), event(at, "rejected", "M. Maintainer")],
    });
    let superseded = json!({"state": "superseded", "events": [event(at, "superseded", "")]});
    vec![
        ("a series, withdrawn", of(base(), &[&two, &withdrawn])),
        ("a series, refused", of(base(), &[&two, &refused])),
        ("a series, superseded", of(base(), &[&two, &superseded])),
    ]
}

fn others() -> Vec<(&'static str, Content)> {
    let patch = json!({
        "title": "bpf: Reject a guard that outlives its program", "tree": "bpf", "author": "Kim Kernel",
        "revisions": [revision(1, 1, 1)],
        "summary": ["A guard that is kept in a map lives on when its program is gone, and the next reader of the map frees it twice."],
    });
    let cve = json!({
        "cves": ["CVE-2025-99999"], "state": "stable", "commits": ["77aa01bcdef077aa01bcdef077aa01bcdef077aa"],
        "mainline": {"hash": "77aa01bcdef077aa01bcdef077aa01bcdef077aa", "at": "2025-03-12T08:00:00Z"},
        "applied": [applied_to("bpf/bpf.git")],
        "stable": [{"branch": "linux-6.12.y", "hash": "0a0b0c0d0e0f", "at": "2025-03-15T08:00:00Z"}],
        "events": [
            event("2025-03-09T15:00:00Z", "applied", "M. Maintainer"),
            event("2025-03-12T08:00:00Z", "mainline", ""),
            event("2025-03-15T08:00:00Z", "stable", ""),
            event("2025-03-18T08:00:00Z", "cve", ""),
        ],
    });
    let pull = json!({
        "kind": "pull", "title": "bpf for v6.15-rc1", "tree": null, "state": "open", "author": "M. Maintainer",
        "summary": ["The following changes fix two use-after-free bugs in guards and a wrong bound in the verifier."],
        "revisions": [],
    });
    let merged = json!({
        "state": "mainline", "mainline": {"hash": "1234567890abcdef1234567890abcdef12345678", "at": "2025-03-11T20:00:00Z"},
        "events": [event("2025-03-11T20:00:00Z", "mainline", "L. Torvalds")],
    });
    let commit = json!({
        "kind": "commit", "title": "bpf: Let guards nest", "tree": "bpf-next", "state": "applied", "author": "Ada Example",
        "feeds": ["bpf-next"], "commits": ["89abcdef012389abcdef012389abcdef01238765"], "revisions": [],
        "url": "https://git.kernel.org/pub/scm/linux/kernel/git/bpf/bpf-next.git/commit/?id=89abcdef0123",
        "applied": [applied_to("bpf-next")], "summary": ["Two guards of one lock may now nest."],
    });
    let thread = json!({
        "kind": "thread", "title": "Should guards be allowed in sleepable programs?", "tree": null, "state": "open",
        "author": "R. Reviewer", "revisions": [], "follow_ups": 12,
        "summary": ["I would like to hear what people think about guards that may sleep."],
    });
    vec![
        ("one patch", of(base(), &[&patch])),
        ("a fix with a CVE, in stable", of(base(), &[&patch, &cve])),
        ("a pull request", of(base(), &[&pull])),
        ("a pull request, merged", of(base(), &[&pull, &merged])),
        ("a commit", of(base(), &[&commit])),
        ("a thread", of(base(), &[&thread])),
    ]
}

fn readings() -> Vec<(&'static str, Content)> {
    let article = json!({
        "kind": "article", "title": "Locks with guards for BPF programs", "tree": null, "state": "paid", "author": "An Editor",
        "feeds": ["lwn"], "url": "https://lwn.net/Articles/999999/", "revisions": [],
        "summary": ["A patch series would let BPF programs hold a lock for as long as a variable lives."],
    });
    let free = json!({"state": "free"});
    let release = json!({
        "kind": "release", "title": "libbpf v1.9.0", "tree": null, "state": "published", "author": null, "feeds": ["libbpf"],
        "url": "https://github.com/libbpf/libbpf/releases/tag/v1.9.0", "revisions": [],
        "summary": ["Guards are supported in skeletons.", "Two leaks in the linker were mended."],
    });
    let video = json!({
        "kind": "video", "title": "Guards, locks and the verifier", "tree": null, "state": "published",
        "author": "BPF Conference", "feeds": ["conference"], "url": "https://www.youtube.com/watch?v=xxxxxxxxxxx",
        "revisions": [], "summary": [],
    });
    let mut paid = story(base(), &[&article]);
    paid.free_on = chrono::NaiveDate::from_ymd_opt(2025, 3, 20);
    vec![
        ("an article for subscribers", content(compose(&paid))),
        ("an article, free", of(base(), &[&article, &free])),
        ("a release", of(base(), &[&release])),
        ("a video", of(base(), &[&video])),
    ]
}

fn lines() -> Vec<(&'static str, Content)> {
    let v2 = json!({"revisions": [revision(1, 3, 3), revision(2, 3, 3)]});
    let applied = json!({"state": "applied", "applied": [applied_to("bpf/bpf-next.git")]});
    let done = story(base(), &[&v2, &applied]);
    let fresh = story(base(), &[&v2]);
    let other = json!({"title": "libbpf: Know guards in skeletons", "id": "5566778899aa", "tree": "bpf-next"});
    let other = story(
        base(),
        &[&other, &json!({"revisions": [revision(1, 2, 2)]})],
    );
    let digest = Digest {
        title: "More in the last hour".to_owned(),
        lines: [&done, &other, &fresh]
            .map(|story| line(story, standing(story), story.id.clone()))
            .to_vec(),
        mark: "d1c2b3a4".to_owned(),
    };
    let mut sample = compose(&fresh);
    sample.notes.push("sample of a new feed".to_owned());
    let part = |heading: &str, lines: Vec<Line>, is_list_of_patches: bool| IssuePart {
        heading: heading.to_owned(),
        lines,
        is_list_of_patches,
    };
    let line_of = |what: &str, title: &str, link: &str| Line {
        what: what.to_owned(),
        title: title.to_owned(),
        author: String::new(),
        summary: String::new(),
        link: Some(link.to_owned()),
        tone: Tone::Reading,
        mark: String::new(),
    };
    let issue = IssuePost {
        title: "BPF updates 12, 5 March 2025".to_owned(),
        lead: "This is issue 12 of BPF updates, what moved in BPF and XDP from 27 February to 5 March 2025: 14 new patches \
               and series, 9 new versions and 6 applied.\nGuards are in at last; thanks to everybody who reviewed nine \
               versions of them.\nLinux 6.14-rc5 came out on 2 March 2025."
            .to_owned(),
        parts: vec![
            part("LWN on BPF", vec![line_of("for subscribers until 20 March 2025", "Guards for BPF locks", "https://lwn.net/Articles/1/")], false),
            part("Highlights", [&done, &other].map(|story| line(story, standing(story), story.id.clone())).to_vec(), false),
            part("More interesting developments", vec![line_of("0123456789ab", "bpf: Add a map type for arenas (it needs __sk_buff)", "https://git.kernel.org/bpf/bpf-next/c/0123456789ab")], false),
            part("In case you missed it", vec![line_of("", "How guards came to be", "https://blog.example.org/guards")], false),
        ],
        link: Some("https://bpfnews.example.org/issues/12".to_owned()),
        left_out: 31,
        number: 12,
        picture: None,
        mark: "issue-12".to_owned(),
    };
    let suggestion = |decided: &str| {
        Content::Suggestion(Suggestion {
            number: 7,
            link: "https://blog.example.org/guards?a=1&b=2".to_owned(),
            note: "Explains guards @everyone with __pictures__".to_owned(),
            known: "bpfnews follows it already: How guards came to be".to_owned(),
            decided: decided.to_owned(),
            mark: "suggestion-7".to_owned(),
        })
    };
    vec![
        ("an issue", Content::Issue(Box::new(issue))),
        ("a suggestion", suggestion("")),
        ("a suggestion, decided", suggestion("accepted by @ed:example.org")),
        ("a digest", Content::Digest(digest)),
        ("told in another post", Content::Line(line(&fresh, "told in another post".to_owned(), fresh.id.clone()))),
        ("an answer at a milestone", Content::Line(line(&done, standing(&done), format!("{}-applied", done.id)))),
        ("a sample", content(sample)),
        (
            "a notice for maintainers",
            Content::Notice {
                title: "bpf-patches is paused".to_owned(),
                text: "the bot lacks a permission: give its role \"Send Messages\" and \"Embed Links\" in this channel".to_owned(),
                mark: "n7f3a".to_owned(),
            },
        ),
    ]
}

fn hostile() -> Vec<(&'static str, Content)> {
    let words = "@everyone <@1> [x](javascript:alert(1)) `__sk_buff` *ptr ||spoiler|| <linux/bpf.h> <b>bold</b> \u{202e}bidi\u{200b} \
        https://lore.kernel.org/bpf/20250301_a_b@example.org/ # no heading";
    let hostile = json!({
        "title": format!("bpf: {words}"), "author": "Mallory @here **bold**", "summary": [format!("> {words}")],
        "revisions": [revision(1, 2, 2)], "tree": "bpf_next",
    });
    let long = json!({
        "title": LONG.repeat(4), "summary": [LONG.repeat(30)], "changes": {"v2": LONG.repeat(30)},
        "revisions": [revision(1, 30, 30), revision(2, 30, 30)],
    });
    vec![
        ("hostile text", of(base(), &[&hostile])),
        ("very long text", of(base(), &[&long])),
    ]
}

/// A story as the fold would have made it, before anything happened to it.
fn base() -> Value {
    json!({
        "id": "0011223344ff", "aliases": [], "kind": "series", "title": "bpf: Locks that let go by themselves",
        "author": "Ada Example", "url": "https://lore.kernel.org/bpf/20250301-guards-v1-0-0123456789ab@example.org/",
        "tree": "bpf-next", "state": "posted", "score": 7, "relevant": true, "why": [],
        "first_at": "2025-03-01T09:12:00Z", "last_at": "2025-03-01T09:12:00Z", "feeds": ["bpf-list", "netdev-bpf"],
        "revisions": [], "follow_ups": 0, "people": [], "events": [], "applied": [], "mainline": null, "stable": [],
        "fixes": [], "cves": [], "messages": [], "commits": [], "changes": {},
        "summary": [
            "This series adds guards: a lock that is taken with bpf_guard() is released when the variable goes out of scope.",
            "The verifier knows which guards are alive on each path.",
        ],
    })
}

/// A story: the base with some fields replaced.
fn story(mut base: Value, more: &[&Value]) -> Story {
    for (key, value) in more.iter().filter_map(|more| more.as_object()).flatten() {
        base[key] = value.clone();
    }
    serde_json::from_value(base).expect("the cases are stories")
}

fn of(base: Value, more: &[&Value]) -> Content {
    content(compose(&story(base, more)))
}

fn content(post: Post) -> Content {
    Content::Story(Box::new(post))
}

fn revision(version: u32, here: u32, total: u32) -> Value {
    const SUBJECTS: [&str; 4] = [
        "bpf: Add bpf_guard() and track it in the verifier",
        "libbpf: Know guards in skeletons",
        "selftests/bpf: Take and drop guards",
        "docs/bpf: Describe guards",
    ];
    let patches: Vec<Value> = (1..=here)
        .zip(SUBJECTS.iter().cycle())
        .map(|(number, subject)| {
            let message_id = format!("{version}.{number}@example.org");
            json!({"number": number, "subject": subject, "message_id": message_id})
        })
        .collect();
    let day = 1 + 2 * (version - 1);
    json!({
        "version": version, "posted_at": format!("2025-03-{day:02}T09:12:00Z"), "root": format!("{version}.0@example.org"),
        "cover": total > 1, "total": total, "patches": patches,
    })
}

fn applied_to(tree: &str) -> Value {
    json!({
        "tree": tree, "branch": "master", "by": "M. Maintainer", "at": "2025-03-09T15:00:00Z", "claimed": false, "commits": [],
    })
}

fn event(at: &str, state: &str, by: &str) -> Value {
    json!({"at": at, "state": state, "by": by, "source": "x@example.org"})
}
