//! Times the steps that the bot repeats: reading, lookups, folding, queries, rendering.
//!
//!     cargo bench --bench micro                      # a few minutes, up to 10⁶ items
//!     cargo bench --bench micro -- subject           # measurements with that in their names
//!     cargo bench --bench micro -- --test            # each once, on a small database, to see that it runs
//!     BPFNEWS_BENCH_FULL=1 cargo bench --bench micro # up to 10⁷ items: about 4 GB in the temporary folder
//!
//! Every measurement runs the shipped code and checks its result. The input is synthetic.

mod documents;
mod growing;
#[path = "../made/mod.rs"]
mod made;
mod mails;
mod reading;
mod telling;
mod week;
mod words;

use std::time::Duration;

use criterion::Criterion;

const SAMPLES: usize = 20;
const WARM_UP: Duration = Duration::from_millis(300);
const MEASURED: Duration = Duration::from_millis(1_500);
/// Of the samples; criterion's own default takes longer than measuring does.
const RESAMPLED: usize = 10_000;

fn main() {
    stay_on_one_cpu();
    let mut criterion = Criterion::default()
        .sample_size(SAMPLES)
        .warm_up_time(WARM_UP)
        .measurement_time(MEASURED)
        .nresamples(RESAMPLED)
        .configure_from_args();
    reading::bench(&mut criterion);
    telling::bench(&mut criterion);
    growing::bench(&mut criterion);
    criterion.final_summary();
}

/// Whether everything is only tried, once each: `--test`, or a run that is no `cargo bench`.
fn is_trial() -> bool {
    let is_given = |wanted: &str| std::env::args().any(|arg| arg == wanted);
    is_given("--test") || !is_given("--bench")
}

/// Keeps this thread, and those that it starts, on one processor. A question to the database goes from thread to thread;
/// waking a processor for each takes several times as long as the answer, and now and then it does not.
fn stay_on_one_cpu() {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
        let allowed = sched_getaffinity(None).unwrap_or_default();
        let last = (0..CpuSet::MAX_CPU).rev().find(|&cpu| allowed.is_set(cpu));
        if let Some(last) = last {
            let mut one = CpuSet::new();
            one.set(last);
            // Where it may not, it measures all the same.
            let _ = sched_setaffinity(None, &one);
        }
    }
}
