//! From bytes to items: documents of each kind, subject lines, raw mails.

use std::hint::black_box;
use std::time::Duration;

use bpfnews::config::{FeedConfig, FeedKind, Identity, TreeRole};
use bpfnews::item::subject::Subject;
use bpfnews::source::{Answer, Body, Goal, Page, Source, Validators, mail};
use criterion::{BatchSize, Criterion, Throughput};
use url::Url;

use super::documents::{self, ARTICLES, COMMITS};
use super::made::{PAGE, now};
use super::mails::{LAST, mails};

/// A document, its URL, and its number of items.
struct Served {
    name: &'static str,
    url: &'static str,
    kind: FeedKind,
    document: String,
    items: usize,
}

pub(crate) fn bench(criterion: &mut Criterion) {
    bench_documents(criterion);
    bench_subjects(criterion);
    bench_mails(criterion);
}

fn served() -> [Served; 4] {
    [
        Served {
            name: "archive of 25 mails",
            url: "https://lore.kernel.org/bpf/",
            kind: FeedKind::Archive { query: None },
            document: documents::archive(),
            items: PAGE,
        },
        Served {
            name: "tree of 10 commits",
            url: "https://git.kernel.org/pub/scm/linux/kernel/git/bpf/bpf-next.git",
            kind: FeedKind::Tree {
                branch: "master".to_owned(),
                paths: Vec::new(),
                role: TreeRole::Next,
            },
            document: documents::tree(),
            items: COMMITS,
        },
        Served {
            name: "RSS of 15 whole articles",
            url: "https://blog.example.org/feed",
            kind: FeedKind::Feed {
                gives: None,
                identity: Identity::default(),
            },
            document: documents::news(),
            items: ARTICLES,
        },
        Served {
            name: "LWN's 15 headlines",
            url: "https://lwn.net/headlines/rss",
            kind: FeedKind::Lwn,
            document: documents::lwn(),
            items: ARTICLES,
        },
    ]
}

/// The first poll of a feed, without the network: its walk reads the answer to its first request.
fn bench_documents(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("document to items");
    for served in served() {
        let source = Source::open(&FeedConfig {
            name: "bench".to_owned(),
            url: Url::parse(served.url).expect("a URL"),
            poll_gap: Duration::from_secs(300),
            bpf_only: false,
            addresses: bpfnews::config::FeedAddresses::default(),
            new_max: FeedConfig::NEW_MAX,
            kind: served.kind,
        });
        let answer = Answer {
            url: Url::parse(served.url).expect("a URL"),
            moved_to: None,
            body: Body::Bytes {
                bytes: served.document.into_bytes(),
                charset: None,
            },
            validators: Validators::default(),
            fresh_for: None,
        };
        group.throughput(Throughput::Bytes(size(&answer)));
        group.bench_function(served.name, |bencher| {
            bencher.iter_batched(
                || answer.clone(),
                |answer| read(&source, answer, served.items),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn size(answer: &Answer) -> u64 {
    match &answer.body {
        Body::Bytes { bytes, .. } => bytes.len() as u64,
        Body::Unchanged => 0,
    }
}

fn read(source: &Source, answer: Answer, items: usize) -> Page {
    let mut walk = source.begin(None, Goal::Poll, now()).expect("it polls");
    assert!(walk.next().is_some(), "the walk asks for nothing");
    let page = walk.read(Ok(answer)).expect("a good document");
    assert_eq!((page.items.len(), page.faults.len()), (items, 0));
    assert!(
        page.items
            .iter()
            .all(|item| !item.title.is_empty() && item.text.len() > 100 && item.at.is_some()),
        "an item was not read whole"
    );
    page
}

fn bench_subjects(criterion: &mut Criterion) {
    #[rustfmt::skip]
    let table = [
        ("part of a series", "[PATCH bpf-next v3 2/7] bpf: track what a loop spills to the stack", "bpf: track what a loop spills to the stack", 3),
        ("answer to one", "Re: [PATCH bpf-next v3 2/7] bpf: track what a loop spills to the stack", "bpf: track what a loop spills to the stack", 3),
        ("many tags", "Re: Fwd: [RFC PATCH bpf-next,net-next v12 RESEND 02/17] [net] selftests/bpf: all of it", "selftests/bpf: all of it", 12),
        ("pull request", "[GIT PULL] pull request: bpf-next 2025-01-01", "pull request: bpf-next 2025-01-01", 1),
        ("no tags", "Is the verifier right to refuse a loop that ends?", "Is the verifier right to refuse a loop that ends?", 1),
    ];
    let mut group = criterion.benchmark_group("subject");
    for (name, raw, title, version) in table {
        group.throughput(Throughput::Bytes(raw.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let subject = Subject::parse(black_box(raw));
                assert_eq!((subject.title.as_str(), subject.version), (title, version));
                subject
            });
        });
    }
    group.finish();
}

fn bench_mails(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mail to item");
    for sent in mails() {
        group.throughput(Throughput::Bytes(sent.raw.len() as u64));
        group.bench_function(sent.name, |bencher| {
            bencher.iter(|| {
                let item = mail::message(black_box(&sent.raw), None).expect("a mail");
                assert_eq!(item.title, sent.title);
                assert!(item.text.contains(LAST) && item.headers.len() > 4);
                item
            });
        });
    }
    group.finish();
}
