//! Searches by filter find the same stories as filters alone.

use std::cell::Cell;
use std::path::Path;
use std::time::Instant;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use super::*;
use crate::store::Store;
use crate::store::stories::stored::days;
use crate::store::stories::{StoryUpdate, pack, put_stories};
use crate::story::scope::StoryExtent;
use crate::story::{Applied, State, StoryKind};

const TODAY: i64 = 20_000;
const SUBSYSTEMS: &str = "BPF [CORE]\nF:\tkernel/bpf/\n\nPAINT\nN:\tpaint\nK:\tpaint\n";

#[rustfmt::skip]
const TITLES: [&str; 8] = [
    "bpf: Add a Paint kfunc", "İstanbul ΟΔΟΣ", "libbpf: Learn paint", "", "K sign", "two\nlines", "x \u{0} y", "Makefile",
];
#[rustfmt::skip]
const NAMES: [&str; 8] = [
    "Zoë Painter", "ZOË PAINTER", "Ann Acker", "\u{212a}im", "kim", "a@b.example", "line\nfeed", "Ann",
];
#[rustfmt::skip]
const ADDRESSES: [&str; 7] = [
    "bpf@lists.example", "netdev@lists.example", "ann@mail.ack.example", "bare", "kim", "@odd.example", "ann@ack.example",
];
#[rustfmt::skip]
const TREES: [&str; 8] = [
    "bpf-next", "bpf/bpf-next.git", "BPF-Next", "bpf", "a/b/.git", "x.git.git", "bpf\nnet", "",
];
#[rustfmt::skip]
const FILES: [&str; 9] = [
    "kernel/bpf/verifier.c", "kernel/bpf", "kernel", "a//b/c.c", "../up/x", "tools/testing/selftests/bpf/x.c", "/etc/passwd",
    "drivers/paint.c", "kernel/bpf_x/y.c",
];
const LISTS: [&str; 5] = ["bpf", "bpf.lists.example", "BPF.x", "netdev", "line\nfeed"];
#[rustfmt::skip]
const REASONS: [&str; 5] = [
    "about BPF: \"bpf\" in the title", "changes what user space sees (uapi) (+3)", "is about kfuncs (-1)",
    "is about kfuncs (x)", "touches a JIT (+2)\n",
];
/// Clauses that take some of these stories, and some that take none.
#[rustfmt::skip]
const CLAUSES: [&str; 72] = [
    "kind:series", "kind:commit", "kind:article", "state:applied", "state:posted", "state:paid", "state:free", "about:bpf",
    "about:anything", "reason:uapi", "reason:kfunc", "reason:jit", "score>=3", "score<0", "score=0", "parts>1", "parts<5",
    "parts=1", "version>=2", "version<9", "replies=0", "replies>2", "paint", "title:PAINT", "\"a paint\"", "i̇stanbul",
    "οδος", "title=\"k sign\"", "title:/[A-Z]aint/", "k", "lines", "author:zoë", "author=\"zoë painter\"",
    "author=\"ZOË painter\"", "people:ann", "people=ann", "author=kim", "people:kim", "author=bare", "people=bare",
    "author:@ack.example", "people:ann@ack.example", "author=a@b.example", "to:bpf", "to:kim", "cc:netdev", "cc:bare",
    "to:bpf@lists.example", "cc:@lists.example", "to:@odd.example", "list:bpf", "list:BPF", "list:netdev", "list:ann",
    "list:bpf@lists.example", "list:@ack.example", "list:bpf.lists", "tree:bpf-next", "tree:BPF-NEXT", "tree=bpf-next",
    "tree=bpf/bpf-next", "tree:b", "tree:x", "feed:bpf", "feed:net", "path:kernel/bpf/", "path:kernel/bpf", "path:kernel",
    "path:tools/testing/selftests/bpf/x.c", "path:a//b/", "path:k*/bpf/*.c", "subsystem:bpf",
];

fn some(of: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<String>> {
    let texts = proptest::collection::vec(select(of), 0..=most);
    texts.prop_map(|texts| texts.into_iter().map(str::to_owned).collect())
}

fn any_story() -> impl Strategy<Value = Story> {
    let words = (
        select(&TITLES[..]),
        proptest::option::of(select(&NAMES[..])),
        proptest::option::of(select(&TREES[..])),
        some(&TREES, 2),
        some(&["bpf", "net", "bpf-list"], 2),
        some(&REASONS, 3),
        some(&NAMES, 3),
    );
    let scope = (
        some(&FILES, 4),
        some(&ADDRESSES, 2),
        some(&ADDRESSES, 2),
        some(&ADDRESSES, 3),
        some(&ADDRESSES, 3),
        some(&LISTS, 2),
        any::<Index>(),
    );
    let kinds = select(vec!["series", "commit", "article", "thread"]);
    let states = select(vec!["posted", "applied", "paid", "open"]);
    let numbers = (-2_i32..5, 0_u32..4, 0_u32..3, 1_u32..8);
    let free_on = proptest::option::of(TODAY - 1..=TODAY + 1);
    (words, scope, kinds, states, numbers, free_on, 0_i64..40).prop_map(
        |(words, scope, kind, state, (score, replies, revisions, total), free_on, at)| {
            let (title, author, tree, applied, feeds, why, people) = words;
            let at = DateTime::from_timestamp(at, 0).expect("a time");
            let people = people.iter().map(|name| json!({"role": "acker", "name": name}));
            let revisions = (0..revisions).map(|version| {
                json!({"version": version + 1, "posted_at": at, "root": "1@x", "cover": true, "total": total, "patches": []})
            });
            let mut story: Story = serde_json::from_value(json!({
                "id": "", "aliases": [], "kind": kind, "title": title, "author": author, "url": null, "tree": tree,
                "state": state, "score": score, "relevant": true, "why": why, "first_at": at, "last_at": at, "feeds": feeds,
                "revisions": revisions.collect::<Vec<_>>(), "follow_ups": replies, "people": people.collect::<Vec<_>>(),
                "events": [], "applied": [], "mainline": null, "stable": [], "fixes": [], "cves": [], "messages": [],
                "commits": [], "summary": [], "changes": {},
            }))
            .expect("a story");
            story.free_on = free_on.and_then(crate::store::items::day);
            story.applied = applied
                .into_iter()
                .map(|tree| Applied {
                    tree,
                    branch: None,
                    by: String::new(),
                    at,
                    claimed: false,
                    commits: Vec::new(),
                })
                .collect();
            let (mut files, authors, others, to, cc, lists, many) = scope;
            if many.index(8) == 0 {
                files.extend((0..60).map(|number| format!("folder{number}/x.c")));
            }
            story.scope = StoryExtent {
                files,
                files_left_out: 0,
                authors,
                people: others,
                to,
                cc,
                lists,
            };
            story
        },
    )
}

fn any_filter() -> impl Strategy<Value = String> {
    let clause = select(&CLAUSES[..]).prop_map(str::to_owned);
    clause.prop_recursive(4, 12, 3, |inner| {
        let several = proptest::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            several
                .clone()
                .prop_map(|parts| format!("({})", parts.join(" and "))),
            several.prop_map(|parts| format!("({})", parts.join(" or "))),
            inner.prop_map(|part| format!("not {part}")),
        ]
    })
}

async fn store_with(home: &Path, stories: &mut [Story]) -> Store {
    let store = Store::open(&home.join("b.sqlite")).await;
    let store = store.expect("a new database");
    let mut tx = store.write().await.expect("nobody else writes");
    sqlx::query(
        "INSERT INTO items (id, kind, ref, title, author, email, at, seen_at, detail) VALUES (1, 2, 'a', 't', 'a', 'e', 1, 1, 1)",
    )
    .execute(&mut *tx)
    .await
    .expect("an item");
    for (number, story) in stories.iter_mut().enumerate() {
        story.id = format!("{number:010}");
    }
    let updates = stories.iter().zip(1..).map(|(story, number)| {
        let update = StoryUpdate {
            number,
            is_new: true,
            cluster: 1,
            items: vec![1],
            unplaced: Vec::new(),
            story,
        };
        (update, pack(story).expect("JSON"))
    });
    let updates: Vec<_> = updates.collect();
    put_stories(&mut tx, &updates).await.expect("stories");
    tx.commit().await.expect("a commit");
    store
}

#[test]
fn stored_values_leave_out_no_story_and_add_none() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut runner = TestRunner::new(Config {
        cases: 8,
        ..Config::default()
    });
    let subsystems = Subsystems::parse(SUBSYSTEMS).expect("a MAINTAINERS file");
    let given = (
        proptest::collection::vec(any_story(), 120),
        proptest::collection::vec(any_filter(), 150),
    );
    let [taken, read, compared] = [const { Cell::new(0) }; 3];
    let add = |to: &Cell<usize>, many: usize| to.set(to.get() + many);
    let result = runner.run(&given, |(mut stories, filters)| {
        let outcome: Result<(), TestCaseError> = runtime.block_on(async {
            let home = tempfile::tempdir().expect("a folder");
            let store = store_with(home.path(), &mut stories).await;
            let mut all: Vec<(StoryPlace, &mut Story)> = stories
                .iter_mut()
                .zip(1_i64..)
                .map(|(story, number)| ((story.last_at.timestamp(), number), story))
                .collect();
            all.sort_by_key(|(place, _)| std::cmp::Reverse(*place));
            for (_, story) in &mut all {
                let free_on = story.free_on.map(days);
                if story.state == State::Paid && free_on.is_some_and(|day| day <= TODAY) {
                    story.state = State::Free;
                }
            }
            for text in &filters {
                let filter = Filter::parse(text).expect("a filter");
                let wanted = all
                    .iter()
                    .filter(|(_, story)| filter.takes(story, &subsystems));
                let wanted: Vec<&str> = wanted.map(|(_, story)| story.id.as_str()).collect();
                let found = filtered_stories(store.read(), &filter, &subsystems, TODAY, usize::MAX);
                let found = found.await.expect("an answer");
                let ids: Vec<&str> = found
                    .stories
                    .iter()
                    .map(|story| story.id.as_str())
                    .collect();
                prop_assert_eq!(&ids, &wanted, "{}", text);
                prop_assert_eq!(found.end, SearchEnd::Whole);
                add(&taken, wanted.len());
                add(&read, found.looked_at);
                add(&compared, all.len());
            }
            Ok(())
        });
        outcome
    });
    result.expect("the same stories");
    // The stored values rule out most stories that are not taken.
    let (taken, read, compared) = (taken.get(), read.get(), compared.get());
    assert!(
        taken > 0 && read - taken < (compared - taken) / 2,
        "{taken} {read} {compared}"
    );
}

/// Makes the stories many, with other numbers and ids; each tenth of a second, one moved.
async fn multiply(store: &Store, times: i64) {
    let mut tx = store.write().await.expect("nobody else writes");
    for statement in [
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT $1)
         INSERT INTO stories (number, id, item_id, cluster, kind, state, author, tree, first_at, last_at, score, relevant, told)
         SELECT number + i * 1000, 's' || number || '-' || i, 1, 1, kind, state, author, tree, first_at,
                last_at + i * 1000 + number, score, 1, told
         FROM n, stories WHERE number > 1 OR i % 1000 = 0",
        "INSERT INTO story_values SELECT s.number, v.title, v.author, v.people, v.trees, v.feeds, v.lists, v.mailed, v.reasons,
                v.score, v.parts, v.version, v.replies, v.folders
         FROM stories s JOIN story_values v ON v.story = s.number % 1000 WHERE s.number > 1000 AND $1 > 0",
        "INSERT INTO story_folders (folder, number) SELECT d.folder, s.number
         FROM stories s JOIN story_folders d ON d.number = s.number % 1000 WHERE s.number > 1000 AND $1 > 0",
    ] {
        sqlx::query(statement).bind(times).execute(&mut *tx).await.expect("done");
    }
    tx.commit().await.expect("a commit");
}

/// The first story is rare; all others are alike, and old ones too are found.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "the times are to be seen")]
async fn a_hundred_thousand_stories_are_searched_soon() {
    let home = tempfile::tempdir().expect("a folder");
    let mut runner = TestRunner::deterministic();
    let story = any_story()
        .new_tree(&mut runner)
        .expect("a story")
        .current();
    let mut stories = vec![story; 11];
    for (number, story) in stories.iter_mut().enumerate() {
        story.title = "bpf: Add a thing".to_owned();
        story.scope.files = vec!["kernel/bpf/verifier.c".to_owned()];
        (story.kind, story.state) = (StoryKind::Thread, State::Open);
        story.author = Some("Ann".to_owned());
        if number == 0 {
            (story.kind, story.state) = (StoryKind::Series, State::Applied);
            story.author = Some("Zoë Painter".to_owned());
            story.scope.files = vec!["tools/lib/bpf/libbpf.c".to_owned()];
        }
    }
    let store = store_with(home.path(), &mut stories).await;
    multiply(&store, 10_000).await;
    let rare = 11;
    let subsystems = Subsystems::default();
    for text in [
        "kind:series state:applied",
        "author:painter and thing",
        "path:tools/lib/bpf/ or tree=nothing",
        "not (kind:thread or title:/never/)",
        "kind:series title:/^bpf: Add/",
    ] {
        let filter = Filter::parse(text).expect("a filter");
        let begun = Instant::now();
        let found = filtered_stories(store.read(), &filter, &subsystems, TODAY, usize::MAX).await;
        let (found, took) = (found.expect("an answer"), begun.elapsed());
        println!("{text}: {took:?}");
        assert_eq!(
            (found.stories.len(), found.end),
            (rare, SearchEnd::Whole),
            "{text}"
        );
        assert_eq!(
            (found.looked_at, found.words("")),
            (rare, "11 stories".to_owned()),
            "{text}"
        );
        assert!(took < TIME_MAX, "{text}: {took:?}");
    }
    // A clause that only whole stories decide.
    let filter = Filter::parse("title:/never/").expect("a filter");
    let found = filtered_stories(store.read(), &filter, &subsystems, TODAY, 10)
        .await
        .expect("an answer");
    assert_eq!(found.end, SearchEnd::Stopped);
    let words = found.words(" for \"x\"");
    let wanted = "No story for \"x\" that moved since 1970-";
    assert!(
        words.starts_with(wanted) && words.ends_with("; older ones were not compared"),
        "{words}"
    );
    let next =
        filtered_stories_after(store.read(), &filter, &subsystems, found.last, TODAY, 10).await;
    assert!(next.is_ok_and(|next| next.last < found.last && next.last.is_some()));
    let filter = Filter::parse("kind:thread not author:x").expect("a filter");
    let found = filtered_stories(store.read(), &filter, &subsystems, TODAY, 10)
        .await
        .expect("an answer");
    assert_eq!(
        (found.end, found.words("")),
        (SearchEnd::Enough, "The latest 10 stories".to_owned())
    );
}
