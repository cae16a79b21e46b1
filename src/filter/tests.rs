//! Tables and properties of the whole room.

use proptest::prelude::*;
use serde_json::json;

use super::clause::{FIELDS, FieldKind, TextPattern};
use super::*;
use crate::story::relevance::REASONS;

/// A story with something for every clause.
fn story() -> Story {
    let at = "2025-03-01T00:00:00Z";
    let story = json!({
        "id": "a", "aliases": [], "kind": "series", "title": "bpf: Add a Paint kfunc", "author": "Zoë Painter",
        "url": null, "tree": "bpf-next", "state": "partly_applied", "score": 4, "relevant": true,
        "why": ["about BPF: \"bpf\" in the title", "changes what user space sees (uapi) (+3)"],
        "first_at": at, "last_at": at, "feeds": ["bpf", "netdev"], "follow_ups": 2,
        "revisions": [
            {"version": 1, "posted_at": at, "root": "1@x", "cover": true, "total": 20, "patches": []},
            {"version": 3, "posted_at": at, "root": "3@x", "cover": true, "total": 12,
             "patches": [{"number": 1, "subject": "libbpf: Learn paint", "message_id": "4@x"}]},
        ],
        "people": [{"role": "acker", "name": "Ann Acker"}], "events": [],
        "applied": [{"tree": "bpf/bpf-net.git", "branch": null, "by": "", "at": at, "claimed": false, "commits": []}],
        "mainline": null, "stable": [], "fixes": [], "cves": [], "messages": [], "commits": [], "summary": [],
        "changes": {},
        "scope": {
            "files": ["include/uapi/linux/bpf.h", "kernel/bpf/verifier.c", "tools/lib/bpf/libbpf.c"],
            "authors": ["zoe@paint.example"], "people": ["ann@ack.example"], "to": ["bpf@lists.example"],
            "cc": ["netdev@lists.example", "bob@mail.kernel.example"], "lists": ["bpf", "bpf.lists.example"],
        },
    });
    serde_json::from_value(story).expect("a story")
}

fn subsystems() -> Subsystems {
    let text = "List of maintainers\n\nDescriptions:\n\n\tF: *Files*\n\nBPF [CORE]\nM:\tA <a@b>\nF:\tkernel/bpf/\n\
        X:\tkernel/bpf/preload/\n\nPAINT DRIVERS (bright)\nN:\tpaint[a-z]\nK:\t\\bpaint\\b\n\nEMPTY\nM:\tB <b@c>\n\n\
        THE REST\nF:\t*\nF:\t*/\n";
    Subsystems::parse(text).expect("a MAINTAINERS file")
}

#[test]
fn clauses_take_stories() {
    #[rustfmt::skip]
    let table = [
        ("kind:series", true), ("kind:Series", true), ("kind:commit", false),
        ("state:partly_applied", true), ("state:partly-applied", true), ("state:\"Partly applied\"", true),
        ("state:applied", false), ("about:bpf", true), ("about:anything", true), ("reason:uapi", true),
        ("reason:jit", false), ("score>=4", true), ("score>4", false), ("score = 4", true), ("score<4", false),
        ("score<=-4", false), ("parts>10", true), ("parts>12", false), ("version>=3", true), ("version<3", false),
        ("replies=2", true), ("author:zoë", true), ("author:PAINTER", true), ("author=painter", false),
        ("author=\"zoë painter\"", true), ("author:ann", false), ("people:ann", true), ("people=\"ann acker\"", true),
        ("author:zoe@paint.example", true), ("author:@paint.example", true), ("author:ann@ack.example", false),
        ("people:ANN@ack.example", true), ("people:zoe@paint.example", true), ("people:@example", true),
        ("to:bpf@lists.example", true), ("to:bpf", true), ("to:netdev", false), ("cc:netdev", true),
        ("cc:@kernel.example", true), ("cc:kernel.example", false), ("list:bpf", true), ("list:netdev", true),
        ("list:bpf@lists.example", true), ("list:bpf.lists.example", true), ("list:bp", false),
        ("tree:bpf-next", true), ("tree:BPF-Next", true), ("tree=BPF-Next", false), ("tree=bpf-next", true),
        ("tree:bpf-net", true), ("tree:bpf/bpf-net", true), ("tree:bpf", false), ("feed:bpf", true), ("feed:BPF", false),
        ("path:kernel/bpf/verifier.c", true), ("path:tools/lib/bpf/", true), ("path:tools/lib/bpf", true),
        ("path:tools/lib/bp", false), ("path:kernel/*.c", false), ("path:kernel/*/*.c", true),
        ("path:/uapi\\/.*\\.h$/", true), ("title:paint", true), ("paint", true), ("\"a paint\"", true), ("'a paint'", true), ("author='zoë painter'", true), ("don't", false),
        ("title:/^bpf: /", true), ("title:/PAINT/", false), ("title:/PAINT/i", true), ("title=\"bpf: add a paint kfunc\"", true),
        ("title=paint", false), ("subsystem:bpf", true), ("subsystem:core", true), ("subsystem:cor", false),
        ("subsystem=\"bpf [core]\"", true), ("subsystem:\"paint drivers\"", true), ("subsystem:/^THE/", true),
        ("subsystem:empty", false), ("not kind:series", false), ("-kind:pull", true), ("not not kind:series", true),
        ("kind:pull or score>3", true), ("kind:pull or score>3 and paint", true), ("(kind:pull or score>3) nothing", false),
        ("KIND:series AND Score>3 OR kind:pull", true), ("not (kind:pull or paint)", false), ("paint kfunc", true),
        ("paint and not kfunc", false), ("((paint))", true),
    ];
    let (story, subsystems) = (story(), subsystems());
    for (text, taken) in table {
        let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(filter.takes(&story, &subsystems), taken, "{text}");
        let explained = filter.explain(&story, &subsystems);
        assert_eq!(explained.taken, taken, "{text}");
        assert!(!explained.deciding().is_empty(), "{text}");
        let again = Filter::parse(&filter.to_string());
        assert_eq!(again.as_ref(), Ok(&filter), "{text} prints as {filter}");
    }
}

#[test]
fn a_number_that_a_story_lacks_compares_with_nothing() {
    let mut story = story();
    story.revisions.clear();
    for text in ["parts<5", "parts>=0", "version<9"] {
        let filter = Filter::parse(text).expect("a filter");
        assert!(!filter.takes(&story, &Subsystems::default()), "{text}");
    }
    story.kind = StoryKind::Commit;
    let one = Filter::parse("parts=1").expect("a filter");
    assert!(one.takes(&story, &Subsystems::default()));
}

#[test]
fn filters_print_in_one_form() {
    #[rustfmt::skip]
    let table = [
        ("KIND:Pull or -SCORE >= 03", "kind:pull or not score>=3"),
        ("a b or c", "(title:a and title:b) or title:c"),
        ("a (b (c or d))", "title:a and title:b and (title:c or title:d)"),
        ("not not(a)", "not not title:a"),
        ("\"or\" \"a \\\"b\\\\\"", "title:or and title:\"a \\\"b\\\\\""),
        ("'a\"' author:'it\\'s (b)'", "title:\"a\\\"\" and author:\"it's (b)\""),
        ("path:\"/a b\" title:/a\\/\\\\b/i", "path:\"/a b\" and title:/a\\/\\\\b/i"),
        ("feed=bpf tree=bpf people=\"A B\"", "feed:bpf and tree=bpf and people=\"A B\""),
    ];
    for (text, wanted) in table {
        let filter = Filter::parse(text).expect("a filter");
        assert_eq!(filter.to_string(), wanted, "{text}");
    }
    assert_eq!(Filter::default().to_string(), "about:anything");
    assert_eq!(
        serde_json::to_string(&Filter::kind(StoryKind::Pull)).expect("JSON"),
        "\"kind:pull\""
    );
    let read: Result<Filter, _> = serde_json::from_str("\"kind:bull\"");
    assert!(read.is_err_and(|error| error.to_string().contains("kind:pull")));
}

#[test]
fn errors_name_the_column_and_the_right_form() {
    #[rustfmt::skip]
    let table = [
        ("", 1, "the filter is empty", "kind:series"),
        ("kind:series and", 16, "missing at the end", "write a clause"),
        ("kind:serie", 6, "\"serie\" is no kind", "write kind:series"),
        ("autor:x", 1, "no name \"autor\"", "write author"),
        ("ftp://x", 1, "no name \"ftp\"", "quotation marks"),
        ("score:3", 6, "score is a number", "score>=3"),
        ("score>=three", 8, "\"three\" is not a whole number", "score>=3"),
        ("score>99999999999", 7, "not a whole number", "digits"),
        ("author>3", 7, "author is no number", "author:"),
        ("(a or b", 1, "not closed", "`)`"),
        ("a or b)", 7, "closes nothing", "remove"),
        ("a or or b", 6, "missing before `or`", "quotation marks"),
        ("a ()", 4, "missing before `)`", "kind:series"),
        ("title:\"a", 7, "not closed", "the same mark"), ("'a", 1, "not closed", "the same mark"),
        ("\"\"", 1, "nothing between", "a text"),
        ("title:", 7, "the value of title is missing", "title:word"),
        ("title:/(/", 7, "regular expression is wrong", "Rust"),
        ("title:/a", 7, "not closed", "`/`"),
        ("path:/kernel/bpf/", 14, "'b' follows", "space"),
        ("title:/\\w{200}{200}/", 7, "too large", "Rust"),
        ("\"a\"b", 4, "follows a value at once", "space"),
        ("ä autör:x", 3, "no name", "author"),
    ];
    for (text, column, wrong, right) in table {
        let error = Filter::parse(text).expect_err(text);
        assert_eq!(error.column(), column, "{text}: {error}");
        assert!(error.wrong().contains(wrong), "{text}: {error}");
        assert!(error.right().contains(right), "{text}: {error}");
    }
    let error = Filter::parse("kind:series autor:x").expect_err("a wrong name");
    insta::assert_snapshot!(error, @r#"
    column 13: there is no name "autor"; write author; to search titles for "autor:x", put it in quotation marks
      kind:series autor:x
                  ^
    "#);
}

#[test]
fn filters_are_bounded() {
    let many = vec!["a"; CLAUSES_MAX + 1].join(" ");
    let patterns = "title:/a/ ".repeat(PATTERNS_MAX + 1);
    let deep = format!("{}a{}", "(".repeat(500), ")".repeat(500));
    let nots = "not ".repeat(40) + "a";
    let zigzag = format!("{}c{}", "a (b or ".repeat(20), ")".repeat(20));
    // Short as typed, long as printed.
    let words = "aaaaaaaaaaaaaaa\u{20}".repeat(99);
    for text in [
        many,
        patterns,
        deep,
        nots,
        zigzag,
        words,
        "x".repeat(CHARS_MAX + 1),
    ] {
        let error = Filter::parse(&text).expect_err("out of bounds");
        assert!(error.to_string().chars().count() < 500, "{error}");
    }
    let at_most = vec!["a"; CLAUSES_MAX].join(" ");
    assert!(Filter::parse(&at_most).is_ok());
    let patterns = Filter::parse(
        "title:/a/ or "
            .repeat(PATTERNS_MAX)
            .trim_end_matches(" or "),
    );
    assert_eq!(patterns.map(|filter| filter.patterns()), Ok(PATTERNS_MAX));
}

#[test]
fn subsystems_are_those_of_the_file() {
    let subsystems = subsystems();
    assert_eq!(subsystems.len(), 3);
    let mut story = story();
    let belongs = |story: &Story| {
        let names = ["BPF [CORE]", "PAINT DRIVERS (bright)", "THE REST"];
        let filters =
            names.map(|name| Filter::parse(&format!("subsystem={name:?}")).expect("a filter"));
        filters.map(|filter| filter.takes(story, &subsystems))
    };
    assert_eq!(belongs(&story), [true, true, true]);
    assert_eq!(subsystems.names_of(&story, 9), ["BPF [CORE]", "THE REST"]);
    assert_eq!(
        subsystems.table().of_story(&story),
        ["BPF [CORE]"],
        "the rest is everything"
    );
    assert_eq!(
        subsystems.table().of_file("drivers/paints.c").as_ref(),
        [1, 2]
    );
    assert_eq!(
        subsystems
            .table()
            .of_file("kernel/bpf/preload/x.c")
            .as_ref(),
        [2]
    );
    assert_eq!(subsystems.table().places("bpf [core]"), [0]);
    // K: looks for whole words, F: does not hold for what X: takes out, and N: holds for names.
    (story.title, story.revisions) = ("bpf: Add paints".to_owned(), Vec::new());
    story.scope.files = vec!["kernel/bpf/preload/x.c".to_owned()];
    assert_eq!(belongs(&story), [false, false, true]);
    story.scope.files.push("drivers/paints.c".to_owned());
    assert_eq!(belongs(&story), [false, true, true]);
    story.scope.files.clear();
    assert_eq!(belongs(&story), [false, false, false]);
    assert!(Subsystems::parse("Nothing\nis here\n").is_err());
    assert_eq!(subsystems, self::subsystems());
    assert_ne!(subsystems, Subsystems::default());
}

#[test]
fn a_wrong_subsystem_is_an_error() {
    let filter = Filter::parse("kind:series subsystem:pant").expect("a filter");
    let error = filter.check(&subsystems()).expect_err("no such subsystem");
    assert!(error.right().contains("PAINT DRIVERS"), "{error}");
    assert_eq!(error.column(), 17, "{error}");
    let error = filter.check(&Subsystems::default()).expect_err("no file");
    assert!(error.right().contains("[subsystems]"), "{error}");
    let right = Filter::parse("subsystem:paint or subsystem:/CORE/").expect("a filter");
    assert_eq!(right.check(&subsystems()), Ok(()));
}

#[test]
fn an_explanation_names_the_clauses_that_decided() {
    let filter =
        Filter::parse("kind:series (score>9 or author:ann) not path:drivers/").expect("a filter");
    let explained = filter.explain(&story(), &Subsystems::default());
    let deciding: Vec<&str> = explained
        .deciding()
        .iter()
        .map(|part| &*part.clause)
        .collect();
    assert_eq!(deciding, ["score>9", "author:ann"]);
    insta::assert_snapshot!(explained.lines().join("\n"), @r"
    no  all of
    yes   kind:series (series)
    no    any of
    no      score>9 (4)
    no      author:ann (Zoë Painter)
    yes   not
    no      path:drivers/ (include/uapi/linux/bpf.h, kernel/bpf/verifier.c, tools/lib/bpf/libbpf.c)
    ");
}

#[test]
fn a_search_is_words_or_a_filter() {
    #[rustfmt::skip]
    let table = [
        ("a b", Some(false)), ("\"a b\" title:c people:d", Some(false)), ("bpf: fix", Some(false)), ("\"open", Some(false)),
        ("https://a.example/x", Some(false)), ("title:\"open", Some(false)), ("a or b", Some(true)), ("not a", Some(true)),
        ("a kind:pull", Some(true)), ("title:/a/", Some(true)), ("people:a@b.example", Some(true)), ("a kind:bull", None),
        ("-path:", None), ("(SCORE>x", None),
    ];
    for (text, is) in table {
        let read = Filter::of_search(text).ok().map(|filter| filter.is_some());
        assert_eq!(read, is, "{text}");
    }
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z./@*-]{1,12}",
        "[ -~]{1,12}",
        "\\PC{1,8}",
        Just("or".to_owned()),
        Just("\\".to_owned()),
        Just("'a".to_owned()),
        Just("\n\t".to_owned()),
        Just("/x/".to_owned()),
    ]
}

fn any_pattern() -> impl Strategy<Value = TextPattern> {
    let source = prop_oneof![
        "[a-z/]{1,8}",
        "[ -~]{1,10}",
        "a\\\\/b",
        "\\^[a-z]\\+/\\?\\$"
    ];
    (source, any::<bool>()).prop_filter_map("it does not compile", |(source, any_case)| {
        // A backslash before a slash in a text means the slash.
        let source = source.replace("\\/", "/");
        TextPattern::new(&source, any_case).ok()
    })
}

fn any_clause() -> impl Strategy<Value = Clause> {
    let fields = |is: fn(&FieldKind) -> bool| {
        let fields: Vec<FieldKind> = FIELDS.iter().map(|(_, field)| *field).filter(is).collect();
        proptest::sample::select(fields)
    };
    let comparisons: Vec<Comparison> = Comparison::SIGNS.iter().map(|(_, sign)| *sign).collect();
    prop_oneof![
        (
            fields(|field| matches!(field, FieldKind::Text(_))),
            any_text(),
            any::<bool>()
        )
            .prop_map(|(field, text, whole)| {
                let FieldKind::Text(field) = field else {
                    unreachable!("it was selected")
                };
                let test = if whole && field.has_whole() {
                    TextTest::Whole(text)
                } else {
                    TextTest::like(&text)
                };
                Clause::Text(field, test)
            }),
        (
            fields(|field| matches!(field, FieldKind::Text(_))),
            any_pattern()
        )
            .prop_map(|(field, pattern)| {
                let FieldKind::Text(field) = field else {
                    unreachable!("it was selected")
                };
                Clause::Text(field, TextTest::Pattern(pattern))
            }),
        (
            fields(|field| matches!(field, FieldKind::Number(_))),
            proptest::sample::select(comparisons),
            -1_000_i64..1_000
        )
            .prop_map(|(field, sign, than)| {
                let FieldKind::Number(field) = field else {
                    unreachable!("it was selected")
                };
                Clause::Number(field, sign, than)
            }),
        proptest::sample::select(KINDS.to_vec()).prop_map(Clause::Kind),
        proptest::sample::select(STATES.to_vec()).prop_map(Clause::State),
        (0..REASONS.len()).prop_map(Clause::Reason),
        Just(Clause::About(FilterTopic::Bpf)),
        Just(Clause::About(FilterTopic::Anything)),
    ]
}

fn any_expr() -> impl Strategy<Value = Expr> {
    let leaf = any_clause().prop_map(Expr::Clause);
    leaf.prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Expr::all_of),
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Expr::any_of),
            inner.prop_map(Expr::not),
        ]
    })
}

/// Texts that are nearly filters.
fn any_soup() -> impl Strategy<Value = String> {
    let words = prop_oneof![
        proptest::sample::select(vec![
            "kind:",
            "series",
            "score",
            ">=",
            "3",
            "(",
            ")",
            " ",
            "not ",
            " or ",
            " and ",
            "\"",
            "/",
            "\\",
            "-",
            "title:",
            "path=",
            "a",
            "ä",
            "\u{0}",
            "subsystem:",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,4}",
    ];
    proptest::collection::vec(words, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_printed_filter_is_read_again(expr in any_expr()) {
        let filter = Filter::of(expr);
        let text = filter.to_string();
        prop_assume!(text.chars().count() <= CHARS_MAX && filter.patterns() <= PATTERNS_MAX);
        let again = Filter::parse(&text);
        prop_assert_eq!(again.as_ref(), Ok(&filter), "{}", text);
        prop_assert_eq!(again.map(|again| again.to_string()), Ok(text));
    }

    #[test]
    fn not_undoes_itself(expr in any_expr()) {
        let (story, subsystems) = (story(), subsystems());
        let filter = Filter::of(expr);
        let taken = filter.takes(&story, &subsystems);
        let explained = filter.explain(&story, &subsystems);
        prop_assert_eq!(explained.taken, taken);
        prop_assert!(!explained.deciding().is_empty());
        let inverse = filter.clone().inverted();
        prop_assert_eq!(inverse.takes(&story, &subsystems), !taken);
        prop_assert_eq!(inverse.inverted().takes(&story, &subsystems), taken);
    }

    #[test]
    fn joints_are_those_of_logic(a in any_expr(), b in any_expr()) {
        let (story, subsystems) = (story(), subsystems());
        let (a, b) = (Filter::of(a), Filter::of(b));
        let takes = |filter: &Filter| filter.takes(&story, &subsystems);
        let both = Filter::all_of(vec![a.clone(), b.clone()]);
        let either = Filter::any_of(vec![a.clone(), b.clone()]);
        prop_assert_eq!(takes(&both), takes(&a) && takes(&b));
        prop_assert_eq!(takes(&either), takes(&a) || takes(&b));
        // De Morgan, through the text.
        let text = format!("not (not ({a}) or not ({b}))");
        if let Ok(parsed) = Filter::parse(&text) {
            prop_assert_eq!(takes(&parsed), takes(&both), "{}", text);
        }
    }

    #[test]
    fn no_text_panics(text in any_soup()) {
        match Filter::parse(&text) {
            Ok(filter) => {
                filter.takes(&story(), &subsystems());
                prop_assert_eq!(Filter::parse(&filter.to_string()), Ok(filter));
            }
            Err(error) => {
                prop_assert!(error.column() <= text.chars().count() + 1);
                prop_assert!(error.to_string().lines().count() <= 3 + error.wrong().lines().count());
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let text = String::from_utf8_lossy(&bytes);
        // A result of either kind is right.
        let _ = Filter::parse(&text).map(|filter| filter.takes(&story(), &subsystems()));
        let _ = Subsystems::parse(&text);
    }
}
