//! Operations that must not become slower when the database grows: checking whether a page is known, folding one more
//! answer, and the query behind `/bpfnews latest`. The first measurement creates the databases.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use bpfnews::item::Item;
use bpfnews::store::{Store, items, stories};
use chrono::TimeDelta;
use criterion::{BatchSize, BenchmarkId, Criterion, SamplingMode, Throughput};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::is_trial;
use super::made::{self, PAGE, PAGES, answer, now, page, take};

/// The newest pages, whose mails are answered in turn. They are many, so that none of their stories becomes long.
const PAGES_ANSWERED: usize = 40;
/// How many stories `/bpfnews latest` asks for.
const BEST_MAX: i64 = 50;

/// Databases by the number of items in them.
struct Worlds {
    runtime: Runtime,
    folder: TempDir,
    worlds: RefCell<BTreeMap<u64, Rc<World>>>,
}

struct World {
    store: Store,
    feed: i64,
    /// Pages checked, and answers folded.
    turns: Cell<usize>,
}

impl World {
    fn turn(&self) -> usize {
        self.turns.replace(self.turns.get() + 1)
    }
}

impl Worlds {
    fn open() -> Self {
        Self {
            runtime: Runtime::new().expect("a runtime"),
            folder: tempfile::tempdir().expect("the temporary folder may be written"),
            worlds: RefCell::default(),
        }
    }

    fn with(&self, items: u64) -> Rc<World> {
        let mut worlds = self.worlds.borrow_mut();
        let world = worlds
            .entry(items)
            .or_insert_with(|| Rc::new(self.fill(items)));
        Rc::clone(world)
    }

    fn fill(&self, items: u64) -> World {
        let file = self.folder.path().join(format!("{items}.sqlite"));
        let told = stories::pack(&made::story(now())).expect("a story is JSON");
        let (store, feed) = self.runtime.block_on(made::fill(&file, items, &told));
        World {
            store,
            feed,
            turns: Cell::new(0),
        }
    }
}

/// The measured sizes, each ten times the one before.
fn sizes() -> impl Iterator<Item = u64> {
    let is_full = std::env::var("BPFNEWS_BENCH_FULL").is_ok_and(|value| value == "1");
    let largest = match (is_trial(), is_full) {
        (true, _) => 4,
        (false, true) => 7,
        (false, false) => 6,
    };
    (4..=largest).map(|power| 10_u64.pow(power))
}

pub(crate) fn bench(criterion: &mut Criterion) {
    let worlds = Worlds::open();
    bench_known(criterion, &worlds, "newest page, 25 known mails", |_| {
        PAGES - 1
    });
    bench_known(
        criterion,
        &worlds,
        "pages from all over, 25 known mails",
        |turn| turn % PAGES,
    );
    bench_fold(criterion, &worlds);
    bench_latest(criterion, &worlds);
}

/// Checks whether the mails of a page are known; they are, as in nearly every poll.
fn bench_known(
    criterion: &mut Criterion,
    worlds: &Worlds,
    name: &str,
    which: impl Fn(usize) -> usize,
) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(PAGE as u64));
    for size in sizes() {
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            let world = worlds.with(size);
            bencher.iter_batched(
                || page(which(world.turn())),
                |mails| worlds.runtime.block_on(look(&world, &mails)),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

async fn look(world: &World, mails: &[Item]) {
    let mut tx = world.store.write().await.expect("nobody else writes");
    let stored = items::put_items(&mut tx, world.feed, mails, now())
        .await
        .expect("a good database");
    tx.commit().await.expect("nothing to write");
    assert!(
        mails.len() == PAGE && stored.fresh.is_empty() && stored.sighted == 0,
        "the look took known entries for new ones"
    );
}

/// Stores and folds one more answer, committed durably.
fn bench_fold(criterion: &mut Criterion, worlds: &Worlds) {
    let mut group = criterion.benchmark_group("store and fold one answer");
    group.sampling_mode(SamplingMode::Flat);
    for size in sizes() {
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            let world = worlds.with(size);
            bencher.iter_batched(
                || {
                    let turn = world.turn();
                    let to = PAGE * PAGES - 1 - turn % (PAGE * PAGES_ANSWERED);
                    answer(to, turn)
                },
                |answer| {
                    let fresh = take(&world.store, world.feed, std::slice::from_ref(&answer));
                    assert_eq!(worlds.runtime.block_on(fresh), 1, "the answer was known");
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// Asks for the best stories of the week.
fn bench_latest(criterion: &mut Criterion, worlds: &Worlds) {
    let since = (now() - TimeDelta::days(7)).timestamp();
    let today = now().timestamp() / 86_400;
    let mut group = criterion.benchmark_group("latest, the 50 best of the week");
    group.throughput(Throughput::Elements(BEST_MAX.unsigned_abs()));
    for size in sizes().filter(|&size| size > 10_000 || is_trial()) {
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            let world = worlds.with(size);
            bencher.iter(|| {
                let best = stories::best_stories(world.store.read(), since, today, BEST_MAX);
                let best = worlds.runtime.block_on(best).expect("a good database");
                assert_eq!(best.len() as u64, BEST_MAX.unsigned_abs());
                best
            });
        });
    }
    group.finish();
}
