//! From stories to output: posts on chat systems, and the issue of a week.

use std::cell::LazyCell;
use std::hint::black_box;
use std::time::Duration;

use bpfnews::channel::discord;
#[cfg(feature = "matrix")]
use bpfnews::channel::matrix;
use bpfnews::config::IssueConfig;
use bpfnews::issue::{self, Issue, Material, markdown};
use bpfnews::post::story::{Content, compose};
use bpfnews::publish::{self, Rules};
use bpfnews::store::Store;
use bpfnews::store::stories::{self, StoryFilter};
use bpfnews::story::Story;
use bpfnews::story::relevance::FoldRules;
use bpfnews::web;
use criterion::{Criterion, SamplingMode, Throughput};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::made::{self, now};
use super::week::{self, SERIES};

/// Mails that are stored and folded at once.
const BATCH: usize = 400;
/// An issue takes long to draft, so take as few samples as possible.
const DRAFT_SAMPLES: usize = 10;
const DRAFT_MEASURED: Duration = Duration::from_secs(5);

pub(crate) fn bench(criterion: &mut Criterion) {
    bench_posts(criterion);
    bench_issue(criterion);
}

fn bench_posts(criterion: &mut Criterion) {
    let story = made::story(now());
    let content = Content::Story(Box::new(compose(&story)));
    let mut group = criterion.benchmark_group("story");
    group.bench_function("composed", |bencher| {
        bencher.iter(|| {
            let post = compose(black_box(&story));
            assert_eq!((post.parts.len(), post.title == story.title), (6, true));
            post
        });
    });
    let packed = stories::pack(&story).expect("a story is JSON");
    group.bench_function("packed", |bencher| {
        bencher.iter(|| {
            let again = stories::pack(black_box(&story)).expect("a story is JSON");
            assert_eq!(again.len(), packed.len());
            again
        });
    });
    group.bench_function("unpacked", |bencher| {
        bencher.iter(|| {
            let read = stories::unpack_story(black_box(&packed)).expect("a story");
            assert_eq!(read.id, story.id);
            read
        });
    });
    group.bench_function("for Discord", |bencher| {
        bencher.iter(|| {
            let body = discord::render::body(black_box(&content));
            assert_eq!(body["embeds"][0]["title"], story.title.as_str());
            body
        });
    });
    #[cfg(feature = "matrix")]
    group.bench_function("for Matrix", |bencher| {
        bencher.iter(|| {
            let event = matrix::render::event(black_box(&content));
            let body = event["body"].as_str();
            assert!(body.is_some_and(|body| body.contains(&story.title)));
            event
        });
    });
    group.finish();
}

/// A database with a week in it, and the input of that week's issue.
struct Written {
    runtime: Runtime,
    store: Store,
    config: IssueConfig,
    words: FoldRules,
    material: Material,
    issue: Issue,
    _folder: TempDir,
}

impl Written {
    fn write() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let folder = tempfile::tempdir().expect("the temporary folder may be written");
        let file = folder.path().join("week.sqlite");
        let (store, feed) = runtime.block_on(made::open(&file));
        let mails = week::mails();
        for batch in mails.chunks(BATCH) {
            let fresh = runtime.block_on(made::take(&store, feed, batch));
            assert_eq!(fresh, batch.len(), "a mail was known");
        }
        let config = IssueConfig::default();
        let material = Material {
            passages: week::passages(runtime.block_on(moved(&store)), &mails),
            ..Material::default()
        };
        let issue = issue::compile(&config.name, 1, week::period(), &material).issue;
        check(&issue);
        Self {
            runtime,
            store,
            config,
            words: FoldRules::default(),
            material,
            issue,
            _folder: folder,
        }
    }

    fn compile(&self) -> Issue {
        issue::compile(
            &self.config.name,
            1,
            week::period(),
            black_box(&self.material),
        )
        .issue
    }

    fn draft(&self) -> Issue {
        let rules = Rules {
            issue: &self.config,
            words: &self.words,
            home: None,
        };
        self.runtime.block_on(async {
            let mut tx = self.store.snapshot().await.expect("a good database");
            let draft = publish::draft(&mut tx, rules, now()).await;
            draft.expect("a good database").issue
        })
    }
}

/// The stories that changed in the week.
async fn moved(store: &Store) -> Vec<Story> {
    let wanted = StoryFilter {
        since: Some(week::period().from.timestamp()),
        ..StoryFilter::default()
    };
    let listed = stories::list_stories(store.read(), &wanted, 0, i64::MAX, 0).await;
    listed.expect("a good database")
}

fn bench_issue(criterion: &mut Criterion) {
    // The first measurement creates it.
    let written = LazyCell::new(Written::write);
    let mut group = criterion.benchmark_group("issue of 200 series");
    group.throughput(Throughput::Elements(SERIES as u64));
    group.bench_function("compiled", |bencher| {
        let written = &*written;
        bencher.iter(|| check(&written.compile()));
    });
    group.bench_function("as Markdown", |bencher| {
        let written = &*written;
        bencher.iter(|| {
            holds_all(
                written,
                markdown::file(black_box(&written.issue), &[], None),
            )
        });
    });
    group.bench_function("as HTML", |bencher| {
        let written = &*written;
        bencher.iter(|| {
            holds_all(
                written,
                web::standalone(black_box(&written.issue), &[], None),
            )
        });
    });
    group.bench_function("for Discord", |bencher| {
        let written = &*written;
        bencher.iter(|| announce(black_box(&written.issue)));
    });
    group
        .sample_size(DRAFT_SAMPLES)
        .sampling_mode(SamplingMode::Flat)
        .measurement_time(DRAFT_MEASURED);
    group.bench_function("drafted from the database", |bencher| {
        let written = &*written;
        bencher.iter(|| check(&written.draft()));
    });
    group.finish();
}

/// Checks that the issue contains everything posted in the week.
fn check(issue: &Issue) {
    let posted: usize = issue.patches.iter().map(|author| author.posted.len()).sum();
    assert_eq!(posted, SERIES, "{:?}", issue.counts);
    assert!(!issue.sections.is_empty(), "it has no sections");
}

/// Checks that the text contains the issue's last author.
fn holds_all(written: &Written, text: String) -> String {
    let last = written.issue.patches.last().expect("there are patches");
    assert!(text.contains(&last.author) && text.len() > SERIES * 100);
    text
}

fn announce(issue: &Issue) -> Value {
    let post = issue::post::announcement(issue, None);
    let body = discord::render::body(&Content::Issue(Box::new(post)));
    let title = body["embeds"][0]["title"].as_str();
    assert!(title.is_some_and(|title| title.starts_with(&issue.title())));
    body
}
