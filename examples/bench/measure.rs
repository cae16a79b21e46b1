//! The cost of a stretch of work, as the kernel counts it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Context as _;
use rustix::process::setpriority_process;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

/// Ticks of the kernel's CPU times a second, which Linux shows everywhere as 100.
const TICKS_PER_S: f64 = 100.0;
/// The niceness that gives way to all others.
const LAST: i32 = 19;

/// Keeps the cores awake while it lives, by work at the lowest priority. On an idle machine, and most of all on a virtual one,
/// waking a core takes longer than the measured work.
pub(crate) struct Awake(Arc<AtomicBool>);

impl Awake {
    pub(crate) fn keep() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let over = Arc::clone(&over);
            std::thread::spawn(move || {
                // Linux counts niceness by the thread.
                let _ = setpriority_process(None, LAST);
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        Self(over)
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The measured part of a run.
pub(crate) struct Measure {
    started: Instant,
    cpu_s: f64,
}

impl Measure {
    /// Begins now; the peak of memory is forgotten.
    pub(crate) fn start() -> anyhow::Result<Self> {
        // Where this may not be written the peak is that of the whole run, which is never less.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        Ok(Self {
            started: Instant::now(),
            cpu_s: cpu_s()?,
        })
    }

    /// Ends, and returns a line with the cost. `n` is the amount of work, `count` the counters.
    pub(crate) fn end(
        self,
        work: &str,
        side: &str,
        n: u64,
        count: &Value,
    ) -> anyhow::Result<Value> {
        let (wall_s, cpu_s) = (self.started.elapsed().as_secs_f64(), cpu_s()? - self.cpu_s);
        Ok(json!({
            "work": work, "side": side, "n": n, "wall_s": round(wall_s), "cpu_s": round(cpu_s),
            "peak_kb": peak_kb()?, "count": count,
        }))
    }
}

fn round(seconds: f64) -> f64 {
    (seconds * 1e4).round() / 1e4
}

/// CPU seconds of this process and of its children that ended; those of children in ticks.
pub(crate) fn cpu_s() -> anyhow::Result<f64> {
    let own = clock_gettime(ClockId::ProcessCPUTime);
    let stat = std::fs::read_to_string("/proc/self/stat").context("this needs Linux")?;
    let (_, after_name) = stat
        .rsplit_once(')')
        .context("the kernel writes the name in brackets")?;
    // cutime and cstime are the fields 16 and 17; the name is the second.
    let ticks = after_name.split_whitespace().skip(13).take(2);
    let ticks: f64 = ticks.filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(own.tv_sec as f64 + own.tv_nsec as f64 / 1e9 + ticks / TICKS_PER_S)
}

fn peak_kb() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .context("the kernel tells the peak")
}

/// Median and 99th percentile, in microseconds and tenths of them.
pub(crate) fn percentiles(times: &mut [std::time::Duration]) -> (f64, f64) {
    times.sort();
    let at = |share: usize| {
        let time = times[(times.len() * share / 100).min(times.len() - 1)];
        (time.as_secs_f64() * 1e7).round() / 10.0
    };
    (at(50), at(99))
}
