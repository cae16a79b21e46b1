//! The sources with documents from real servers, if they are beside this checkout. They do not belong to us, so they are
//! not in the repository. Each test reports if it is skipped.

use std::collections::HashSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use bpfnews::config::{FeedAddresses, FeedConfig, FeedKind, Gives, Identity, TreeRole};
use bpfnews::item::{Detail, Item, ItemData, ItemKind};
use bpfnews::source::{Answer, FetchError, Goal, Page, Request, Source, Walk};
use chrono::{DateTime, Utc};
use url::Url;

use crate::world::{corpus, noon};

/// The samples, or `None` with a message.
fn samples() -> Option<PathBuf> {
    let corpus = corpus();
    if corpus.is_none() {
        #[expect(clippy::print_stderr, reason = "a test left out must be seen")]
        {
            eprintln!("left out: no folder of samples (BPFNEWS_CORPUS, or ../shared/corpus)");
        }
    }
    corpus
}

fn bytes(path: &Path) -> Vec<u8> {
    let raw = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if path.to_string_lossy().ends_with(".atom.gz") {
        let mut plain = Vec::new();
        let mut unpacked = flate2::read::GzDecoder::new(&raw[..]);
        unpacked.read_to_end(&mut plain).expect("a gzip file");
        return plain;
    }
    raw
}

fn good(url: &Url, bytes: Vec<u8>) -> Answer {
    Answer::without_headers(url, bytes)
}

fn source(url: &str, kind: FeedKind) -> Source {
    Source::open(&FeedConfig {
        name: "sample".to_owned(),
        url: Url::parse(url).expect("a URL"),
        bpf_only: false,
        addresses: FeedAddresses::default(),
        new_max: FeedConfig::NEW_MAX,
        poll_gap: std::time::Duration::from_secs(60),
        kind,
    })
}

fn archive(query: Option<&str>) -> FeedKind {
    FeedKind::Archive {
        query: query.map(str::to_owned),
    }
}

fn articles() -> FeedKind {
    FeedKind::Feed {
        gives: None,
        identity: Identity::default(),
    }
}

fn tree() -> FeedKind {
    FeedKind::Tree {
        branch: "master".to_owned(),
        paths: Vec::new(),
        role: TreeRole::Topic,
    }
}

/// The pages of a first poll whose first request is answered with this sample.
fn first(sample: &Path, url: &str, kind: FeedKind) -> Result<Page, FetchError> {
    let mut walk = begin(&source(url, kind), None);
    let request = walk.next().expect("a first request");
    walk.read(Ok(good(&request.url, bytes(sample))))
}

fn begin(source: &Source, cursor: Option<&str>) -> Walk {
    let walk = source.begin(cursor, Goal::Poll, noon());
    walk.expect("every source can be polled")
}

fn utc(at: &str) -> DateTime<Utc> {
    at.parse().expect("a time")
}

fn parent(item: &Item) -> Option<&str> {
    match &item.what {
        ItemData::Message { in_reply_to, .. } => in_reply_to.as_ref().map(|id| id.as_str()),
        _ => None,
    }
}

fn answers(page: &Page) -> usize {
    page.items
        .iter()
        .filter(|item| parent(item).is_some())
        .count()
}

fn distinct(page: &Page) -> usize {
    page.items
        .iter()
        .map(Item::key)
        .collect::<HashSet<_>>()
        .len()
}

struct Wanted {
    file: &'static str,
    url: &'static str,
    kind: FeedKind,
    count: usize,
    answers: usize,
    key: &'static str,
    parent: Option<&'static str>,
    title: &'static str,
    author: &'static str,
    email: &'static str,
    at: &'static str,
}

#[test]
fn archives_are_read_whole() {
    let Some(corpus) = samples() else { return };
    let inbox = "http://127.0.0.1:8791/bpf/";
    let table = [
        Wanted {
            file: "feeds/lore-search-amd-gfx.atom.gz",
            url: "https://lore.kernel.org/amd-gfx/",
            kind: archive(Some("s:patch")),
            count: 200,
            answers: 111,
            key: "message:20240624191525.63787-2-mario.limonciello@amd.com",
            parent: Some("20240624191525.63787-1-mario.limonciello@amd.com"),
            title: "[PATCH 2/2] Documentation/amdgpu: Add Ryzen 9000 series processors",
            author: "Mario Limonciello",
            email: "mario.limonciello@amd.com",
            at: "2024-06-24T19:15:48Z",
        },
        Wanted {
            file: "feeds/lore-search-git.atom.gz",
            url: "https://lore.kernel.org/git/",
            kind: archive(Some("s:patch")),
            count: 200,
            answers: 168,
            key: "message:20240626205745.GC1457138@coredump.intra.peff.net",
            parent: Some("20240626205355.GA1009060@coredump.intra.peff.net"),
            title: "[PATCH 3/3] t/lib-bundle-uri: use local fake bundle URLs",
            author: "Jeff King",
            email: "peff@peff.net",
            at: "2024-06-26T20:57:48Z",
        },
        Wanted {
            file: "recorded/public-inbox/new.atom",
            url: inbox,
            kind: archive(None),
            count: 25,
            answers: 22,
            key: "message:7c7f3209-4259-44c2-8d13-94caa88e1468@linux.dev",
            parent: Some(
                "cf1f61468b47425ecf3728689bc9636ddd1d910e.1738302337.git.skb99@linux.ibm.com",
            ),
            title: "Re: [PATCH v2 2/2] selftests/bpf: Select NUMA_NO_NODE to create map",
            author: "Yonghong Song",
            email: "yonghong.song@linux.dev",
            at: "2025-01-31T23:21:27Z",
        },
        Wanted {
            file: "recorded/public-inbox/new-t-after.atom",
            url: inbox,
            kind: archive(None),
            count: 25,
            answers: 23,
            key: "message:20250115014734.438225-1-lizhijian@fujitsu.com",
            parent: None,
            title: "[PATCH bpf-next v3] selftests/Makefile: override the srctree for out-of-tree builds",
            author: "Li Zhijian",
            email: "lizhijian@fujitsu.com",
            at: "2025-01-15T01:46:52Z",
        },
    ];
    for wanted in table {
        let page = first(&corpus.join(wanted.file), wanted.url, wanted.kind);
        let page = page.expect(wanted.file);
        assert!(page.faults.is_empty(), "{}: {:?}", wanted.file, page.faults);
        assert_eq!(
            (page.items.len(), distinct(&page)),
            (wanted.count, wanted.count),
            "{}",
            wanted.file
        );
        assert_eq!(answers(&page), wanted.answers, "{}", wanted.file);
        let item = &page.items[0];
        assert_eq!(
            (item.key().as_str(), parent(item)),
            (wanted.key, wanted.parent)
        );
        assert_eq!(item.title, wanted.title);
        assert_eq!(
            (item.author.name.as_str(), item.author.email.as_str()),
            (wanted.author, wanted.email)
        );
        assert_eq!(item.at, Some(utc(wanted.at)));
        assert!(
            page.items
                .iter()
                .all(|item| item.at.is_some() && !item.title.is_empty())
        );
        assert!(page.items.iter().all(|item| !item.author.email.is_empty()));
        let with_diffs = page
            .items
            .iter()
            .filter(|item| item.text.contains("\ndiff --git "));
        assert_eq!(with_diffs.count(), 0, "{}: prose has no diffs", wanted.file);
        let with_text = page.items.iter().filter(|item| !item.text.is_empty());
        assert!(with_text.count() * 10 > wanted.count * 9, "{}", wanted.file);
    }
}

#[test]
fn an_mbox_has_headers_that_atom_leaves_out() {
    let Some(corpus) = samples() else { return };
    let source = source("http://127.0.0.1:8791/bpf/", archive(None));
    let since = utc("2025-01-01T00:00:00Z");
    let walk = source.begin(None, Goal::Backfill { since }, noon());
    let mut walk = walk.expect("an archive can be walked back");
    let request = walk.next().expect("a first request");
    let mbox = bytes(&corpus.join("recorded/public-inbox/post-search.mbox.gz"));
    let page = walk.read(Ok(good(&request.url, mbox))).expect("an mbox");
    assert_eq!(
        (page.items.len(), distinct(&page), page.faults.len()),
        (14, 14, 0)
    );
    for item in &page.items {
        assert_eq!(item.detail, Detail::Whole);
        assert!(item.at.is_some() && item.written_at.is_some());
        assert!(
            item.headers
                .iter()
                .any(|(name, _)| name == "To" || name == "Cc"),
            "{}",
            item.title
        );
    }
    assert_eq!(page.items[0].title, "Re: Question about test_xsk.sh");
}

#[test]
fn a_search_without_results_is_none_and_a_lost_raw_mail_is_not() {
    let Some(corpus) = samples() else { return };
    let table = [("search-empty.404.html", true), ("missing-raw.404", false)];
    for (file, is_none) in table {
        let page = bytes(&corpus.join("recorded/public-inbox").join(file));
        let missing = FetchError::Missing {
            why: "404".to_owned(),
            page: String::from_utf8_lossy(&page).into_owned(),
        };
        let mut walk = begin(
            &source("http://127.0.0.1:8791/bpf/", archive(Some("s:x"))),
            None,
        );
        walk.next().expect("a first request");
        let read = walk.read(Err(missing));
        assert_eq!(read.is_ok(), is_none, "{file}: {read:?}");
    }
}

/// Answers a walk until its end; returns its pages and the next cursor.
fn drive(mut walk: Walk, answer: impl Fn(&Request) -> Vec<u8>) -> (Vec<Page>, String) {
    let mut pages = Vec::new();
    while let Some(request) = walk.next() {
        let read = walk.read(Ok(good(&request.url, answer(&request))));
        let page = read.expect("the sample is good");
        let all = page.items.iter().map(Item::key).collect();
        walk.learn(&all, &all);
        pages.push(page);
    }
    assert!(!walk.is_cut_short());
    (pages, walk.cursor())
}

#[test]
fn a_tree_is_read_from_feed_log_and_patches() {
    let Some(corpus) = samples() else { return };
    let folder = corpus.join("recorded/cgit");
    let libbpf = source("http://127.0.0.1:8792/libbpf/", tree());
    let (pages, cursor) = drive(begin(&libbpf, None), |_| {
        bytes(&folder.join("atom-h-sha.xml"))
    });
    assert_eq!((pages.len(), pages[0].items.len()), (1, 10));
    let (pages, _) = drive(begin(&libbpf, Some(&cursor)), |request| {
        let path = request.url.path();
        bytes(&folder.join(match path {
            "/libbpf/atom/" => "atom.xml",
            "/libbpf/log/" => "log-range-msg.html",
            "/libbpf/patch/" => "patch-range.mbox",
            other => panic!("nobody asked for {other}"),
        }))
    });
    // The log in the other direction has no commits.
    let pages: Vec<_> = pages
        .into_iter()
        .filter(|page| !page.items.is_empty())
        .collect();
    let counts: Vec<_> = pages.iter().map(|page| page.items.len()).collect();
    // The ten patches that the feed had whole need no second reading, whatever the mbox contains.
    assert_eq!(counts[..2], [10, 30]);
    assert!(pages.iter().all(|page| page.faults.is_empty()));
    let newest = &pages[0].items[0];
    assert_eq!(
        newest.key().as_str(),
        "commit:52bd794c2d431a0f758d0749562f1f5adc35f3c0"
    );
    assert_eq!(
        newest.title,
        "Update LGPL 2.1 license text; switch to SPDX 3.0 identifier"
    );
    assert_eq!(
        (newest.author.name.as_str(), newest.author.email.as_str()),
        ("Michel Lind", "salimma@fedoraproject.org")
    );
    assert_eq!(newest.at, Some(utc("2026-07-30T18:20:16Z")));
    assert_eq!(newest.written_at, Some(utc("2026-07-30T18:17:31Z")));
    assert!(
        newest
            .text
            .starts_with("This was copied over from the Linux kernel's")
    );
    let brief = &pages[1].items[0];
    assert_eq!(
        (brief.key(), &brief.title, brief.at),
        (newest.key(), &newest.title, newest.at)
    );
    let whole = &pages[2].items;
    assert!(whole.len() >= 20, "{}", whole.len());
    assert!(
        whole
            .iter()
            .all(|item| item.detail == Detail::Whole && item.written_at.is_some())
    );
    assert!(whole.iter().all(|item| !item.author.email.is_empty()));
    assert!(
        whole.iter().all(|item| !item.title.starts_with("[PATCH")),
        "the log's subject stands"
    );
}

#[test]
fn commit_feeds_of_two_makers_are_read() {
    let Some(corpus) = samples() else { return };
    let table = [
        (
            "recorded/cgit/atom-path.xml",
            "http://127.0.0.1:8792/libbpf/",
            10,
            "commit:c8bdc4df07d29bc8b511bd3342cd7d82a3537406",
            "libbpf: Fix double-free of distilled base BTF on .BTF.ext parse error",
        ),
        (
            "recorded/cgit/atom-empty-path.xml",
            "http://127.0.0.1:8792/libbpf/",
            0,
            "",
            "",
        ),
        (
            "feeds/github-commits.atom",
            "https://github.com/miniflux/v2",
            20,
            "commit:6d97f8b4582414b6ce69467656824690057d4793",
            "Parse podcast categories",
        ),
    ];
    for (file, url, count, key, title) in table {
        let page = first(&corpus.join(file), url, tree()).expect(file);
        assert_eq!((page.items.len(), page.faults.len()), (count, 0), "{file}");
        if let Some(item) = page.items.first() {
            assert_eq!((item.key().as_str(), item.title.as_str()), (key, title));
        }
        assert!(
            page.items
                .iter()
                .all(|item| item.at.is_some() && !item.author.name.is_empty()),
            "{file}"
        );
    }
}

#[test]
fn lwn_distinguishes_paid_and_free_articles() {
    let Some(corpus) = samples() else { return };
    let file = corpus.join("feeds/lwn-headlines.rdf");
    let page = first(&file, "https://lwn.net/headlines/rss", FeedKind::Lwn).expect("LWN's feed");
    assert_eq!(
        (page.items.len(), distinct(&page), page.faults.len()),
        (15, 15, 0)
    );
    let paid = |item: &Item| match &item.what {
        ItemData::Article { paid, .. } => *paid,
        other => panic!("an article: {other:?}"),
    };
    let paid_items: Vec<_> = page
        .items
        .iter()
        .filter(|item| paid(item).is_some())
        .collect();
    assert_eq!(paid_items.len(), 6);
    let free_on = |title: &str| {
        let item = page
            .items
            .iter()
            .find(|item| item.title == title)
            .expect(title);
        paid(item)
            .and_then(|paid| paid.free_on)
            .map(|day| day.to_string())
    };
    // Published on a Friday: in the edition of 13 July, and free a week after it.
    assert_eq!(
        free_on("A pair of workqueue improvements").as_deref(),
        Some("2023-07-20")
    );
    assert_eq!(
        free_on("BPF iterators for filesystems").as_deref(),
        Some("2023-07-20")
    );
    assert_eq!(
        free_on("LWN.net Weekly Edition for July 6, 2023").as_deref(),
        Some("2023-07-13")
    );
    assert_eq!(
        free_on("Fedora considers \"privacy-preserving\" telemetry"),
        None
    );
    let newest = &page.items[0];
    assert_eq!(
        (newest.title.as_str(), newest.author.name.as_str()),
        ("Going Rogue (Digital Antiquarian)", "corbet")
    );
    assert_eq!(newest.at, Some(utc("2023-07-07T18:15:29Z")));
    for item in &page.items {
        let url = item.url.as_deref().expect("a link");
        assert!(
            url.starts_with("https://lwn.net/Articles/") && url.ends_with('/'),
            "{url}"
        );
        assert!(
            !item.text.contains('<') && !item.title.contains("&quot;"),
            "{}",
            item.text
        );
    }
}

#[test]
fn releases_and_videos_have_their_kinds() {
    let Some(corpus) = samples() else { return };
    let table = [
        (
            "feeds/github-releases.atom",
            "https://github.com/feed-rs/feed-rs/releases.atom",
            ItemKind::Release,
            4,
            "feed-rs 0.2.0",
            "2020-01-19T05:08:59Z",
        ),
        (
            "feeds/kernel-org-kdist.xml",
            "https://www.kernel.org/feeds/kdist.xml",
            ItemKind::Release,
            10,
            "Linux 4.14-rc8: mainline",
            "2017-11-05T21:05:26Z",
        ),
        (
            "feeds/youtube-channel.atom",
            "https://www.youtube.com/feeds/videos.xml?channel_id=UC",
            ItemKind::Video,
            1,
            "Navigating with Quantum Entanglement",
            "2020-12-22T19:15:01Z",
        ),
    ];
    for (file, url, kind, count, title, at) in table {
        let page = first(&corpus.join(file), url, articles()).expect(file);
        assert_eq!(
            (page.items.len(), distinct(&page), page.faults.len()),
            (count, count, 0),
            "{file}"
        );
        let item = &page.items[0];
        assert_eq!(
            (item.kind(), item.title.as_str(), item.at),
            (kind, title, Some(utc(at))),
            "{file}"
        );
        assert!(item.url.is_some(), "{file}");
    }
    let told = FeedKind::Feed {
        gives: Some(Gives::Articles),
        identity: Identity::default(),
    };
    let file = corpus.join("feeds/github-releases.atom");
    let page = first(
        &file,
        "https://github.com/feed-rs/feed-rs/releases.atom",
        told,
    )
    .expect("articles");
    assert_eq!(
        page.items[0].kind(),
        ItemKind::Article,
        "the configuration has the last word"
    );
}

#[test]
fn a_malformed_document_is_an_error() {
    let Some(corpus) = samples() else { return };
    let file = corpus.join("feeds/phoronix-excerpt.not-well-formed.rss");
    let read = first(&file, "https://www.phoronix.com/rss.php", articles());
    assert!(matches!(read, Err(FetchError::Broken { .. })), "{read:?}");
}

/// Each filter of `tests/filters` has a Python function beside it that reads the same mails.
#[test]
fn filters_take_the_same_stories_as_plain_python() {
    let Some(samples) = samples() else {
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/filters");
    let compared = std::process::Command::new("python3")
        .arg(script)
        .arg(env!("CARGO_BIN_EXE_bpfnews"))
        .arg(samples.join("lists/windows/bpf-2021/mbox.gz"))
        .output()
        .expect("python3, which the build needs too");
    let table = String::from_utf8_lossy(&compared.stdout);
    assert!(compared.status.success(), "{table}");
    assert!(table.contains(" 60 filters\n"), "{table}");
}
