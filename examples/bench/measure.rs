//! What a stretch of work took, as the kernel counts it.

use std::time::Instant;

use anyhow::Context as _;
use serde_json::{Value, json};

/// Ticks of the kernel's CPU times a second, which Linux shows everywhere as 100.
const TICKS_PER_S: f64 = 100.0;

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

    /// Ends: a line of what it took. `n` is how much was done, `count` what was counted.
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

/// CPU seconds of this process and of its children that ended.
fn cpu_s() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("this needs Linux")?;
    let (_, after_name) = stat.rsplit_once(')').context("the kernel's own format")?;
    // utime, stime, cutime and cstime are the fields 14 to 17; the name is the second.
    let ticks = after_name.split_whitespace().skip(11).take(4);
    let ticks: f64 = ticks.filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS_PER_S)
}

fn peak_kb() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .context("the kernel tells the peak")
}

/// Median and 99th percentile in microseconds.
pub(crate) fn percentiles(times: &mut [std::time::Duration]) -> (u64, u64) {
    times.sort();
    let at = |share: usize| {
        let time = times[(times.len() * share / 100).min(times.len() - 1)];
        u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
    };
    (at(50), at(99))
}
