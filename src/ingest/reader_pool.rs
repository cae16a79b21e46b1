//! Reads outside bytes on threads of its own: a few at a time, with a time limit for each answer, and with every panic caught.
//!
//! The parsers are bounded and linear (see `source/`). This is the second line of defence. A thread cannot be ended, so a thread
//! that takes too long is abandoned and counted; with too many of them, nothing more is read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tracing::{error, warn};

use crate::item::Item;
use crate::source::{Answer, Body, FetchError, Page, Walk};
use crate::store::attempts::Attempt;
use crate::story::machine::Machines;
use crate::story::reading::{EarlyReadings, read_early};

/// Answers that are read at the same time.
const AT_ONCE_MAX: usize = 4;
/// The most threads that may be abandoned. With so many, nothing more is read until one of them ends.
const ABANDONED_MAX: usize = 8;
/// The pause of a feed that could not be read because of that.
const FULL_PAUSE: Duration = Duration::from_secs(60);
/// The time limit for one answer, and the extra time for each MiB of it. Both are many times the usual cost.
const TIME_MAX: Duration = Duration::from_secs(10);
const TIME_MAX_PER_MIB: Duration = Duration::from_secs(1);
/// The stack of a thread that reads.
const STACK_BYTES: usize = 4 << 20;

/// Faults that are recorded of one document.
const FAULTS_MAX: usize = 100;

type Job = Box<dyn FnOnce() + Send>;

/// Threads that read. They start when they are first needed, and end with this.
pub(super) struct ReaderPool {
    turns: Semaphore,
    idle: Mutex<Vec<Sender<Job>>>,
    abandoned: Arc<AtomicUsize>,
}

/// Why nothing came of a job.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Unread {
    #[error("its reader crashed")]
    Panicked,
    #[error("reading it took more than {0} s and was given up")]
    TookTooLong(u64),
    #[error("it was not read: {ABANDONED_MAX} documents have been read for too long already")]
    TooManyAbandoned,
}

impl Unread {
    /// The error of a poll, for the log too.
    fn of(self, what: &str) -> FetchError {
        let why = format!("{what}: {self}");
        error!("{why}");
        match self {
            // That others take too long is no fault of this feed's.
            Self::TooManyAbandoned => FetchError::Held {
                after: FULL_PAUSE,
                why,
            },
            Self::Panicked | Self::TookTooLong(_) => FetchError::Broken { why },
        }
    }
}

impl Default for ReaderPool {
    fn default() -> Self {
        Self {
            turns: Semaphore::new(AT_ONCE_MAX),
            idle: Mutex::default(),
            abandoned: Arc::default(),
        }
    }
}

impl ReaderPool {
    /// Reads an answer with a walk. If reading panics or takes too long, the walk receives an error, as for an answer that makes
    /// no sense. Answers without a document are read in place. `attempt` lasts until the reading thread is done.
    pub(super) async fn read(
        &self,
        mut walk: Walk,
        answer: Result<Answer, FetchError>,
        attempt: Option<Attempt>,
    ) -> (Walk, Result<Page, FetchError>) {
        let bytes = match &answer {
            Ok(Answer {
                body: Body::Bytes { bytes, .. },
                ..
            }) => bytes.len(),
            _ => {
                let read = walk.read(answer);
                return (walk, read);
            }
        };
        let host = answer
            .as_ref()
            .ok()
            .and_then(|answer| answer.url.host_str());
        let host = host.unwrap_or("the answer").to_owned();
        let mut before = walk.clone();
        let job = move || {
            // Held until the thread is done, even if the caller has given up.
            let _attempt = attempt;
            let read = walk.read(answer);
            (walk, read)
        };
        match self.run(time_max(bytes), job).await {
            Ok((walk, read)) => (walk, read.map(with_few_faults)),
            Err(unread) => {
                let read = before.read(Err(unread.of(&host)));
                (before, read)
            }
        }
    }

    /// Reads these items of a page as the fold will need them.
    pub(super) async fn read_early(
        &self,
        page: Page,
        positions: Vec<usize>,
        machines: Arc<Machines>,
    ) -> Result<(Page, EarlyReadings), FetchError> {
        if positions.is_empty() {
            return Ok((page, EarlyReadings::new()));
        }
        let bytes = page.items.iter().map(Item::bytes).sum();
        let job = move || {
            let readings = read_early(&page.items, positions.into_iter(), &machines);
            (page, readings)
        };
        let read = self.run(time_max(bytes), job).await;
        read.map_err(|unread| unread.of("new items"))
    }

    /// Runs a job on a thread of ours.
    async fn run<T: Send + 'static>(
        &self,
        most: Duration,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unread> {
        // Never closed.
        let _turn = self.turns.acquire().await;
        if self.abandoned.load(Ordering::Acquire) >= ABANDONED_MAX {
            return Err(Unread::TooManyAbandoned);
        }
        let (sender, ended) = oneshot::channel();
        let (abandoned, met) = (Arc::clone(&self.abandoned), Arc::<AtomicBool>::default());
        let mut waits = JobWait {
            abandoned: Arc::clone(&abandoned),
            met: Arc::clone(&met),
            is_over: false,
        };
        let job: Job = Box::new(move || {
            let _ = sender.send(catch_unwind(AssertUnwindSafe(job)));
            // The caller gave up first, and counted this thread.
            if met.swap(true, Ordering::AcqRel) {
                abandoned.fetch_sub(1, Ordering::AcqRel);
            }
        });
        let thread = self.thread(job);
        let ended = tokio::time::timeout(most, ended).await;
        let Ok(ended) = ended else {
            drop(waits);
            let abandoned = self.abandoned.load(Ordering::Acquire);
            warn!("{abandoned} threads read for too long and are abandoned");
            return Err(Unread::TookTooLong(most.as_secs()));
        };
        waits.is_over = true;
        self.idle().push(thread);
        match ended {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(_)) | Err(_) => Err(Unread::Panicked),
        }
    }

    /// Has an idle thread do a job, or a new one.
    fn thread(&self, mut job: Job) -> Sender<Job> {
        while let Some(thread) = self.idle_one() {
            match thread.send(job) {
                Ok(()) => return thread,
                Err(unsent) => job = unsent.0,
            }
        }
        let (thread, jobs) = channel();
        let builder = std::thread::Builder::new()
            .name("reading".to_owned())
            .stack_size(STACK_BYTES);
        // A failed send drops the sender of the result, so the caller sees an error.
        match builder.spawn(move || work(&jobs)) {
            Ok(_) => drop(thread.send(job)),
            Err(error) => error!("a thread to read on cannot be started: {error}"),
        }
        thread
    }

    fn idle_one(&self) -> Option<Sender<Job>> {
        self.idle().pop()
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Sender<Job>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn time_max(bytes: usize) -> Duration {
    let mib = u32::try_from(bytes >> 20).unwrap_or(u32::MAX);
    TIME_MAX + TIME_MAX_PER_MIB * mib
}

/// Limits the faults of a page, because each one is written to the database.
fn with_few_faults(mut page: Page) -> Page {
    if page.faults.len() > FAULTS_MAX {
        let more = page.faults.len() - FAULTS_MAX;
        page.faults.truncate(FAULTS_MAX);
        page.faults.push(format!("and {more} more in one document"));
    }
    page
}

fn work(jobs: &Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        job();
    }
}

/// The wait for a job. If it is dropped before the job ends, it counts the thread as abandoned.
struct JobWait {
    abandoned: Arc<AtomicUsize>,
    /// Set by the first of the two to finish: the caller or the job.
    met: Arc<AtomicBool>,
    is_over: bool,
}

impl Drop for JobWait {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.abandoned.fetch_add(1, Ordering::AcqRel);
        if self.met.swap(true, Ordering::AcqRel) {
            self.abandoned.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_job_that_panics_harms_no_other() {
        let reading = ReaderPool::default();
        let panics = || -> u8 { panic!("as it should") };
        assert_eq!(reading.run(LONG, panics).await, Err(Unread::Panicked));
        assert_eq!(reading.run(LONG, || 1).await, Ok(1));
    }

    #[tokio::test]
    async fn threads_are_used_again() {
        let reading = ReaderPool::default();
        let id = || std::thread::current().id();
        let first = reading.run(LONG, id).await;
        assert_eq!(reading.run(LONG, id).await, first);
        assert_ne!(first, Ok(id()));
    }

    #[tokio::test]
    async fn slow_reads_are_given_up_up_to_a_limit() {
        let reading = ReaderPool::default();
        let mut blocked = Vec::new();
        for _ in 0..ABANDONED_MAX {
            let (unblock, wait) = channel::<()>();
            blocked.push(unblock);
            let job = move || wait.recv().is_ok();
            let given_up = reading.run(Duration::from_millis(1), job).await;
            assert_eq!(given_up, Err(Unread::TookTooLong(0)));
        }
        assert_eq!(reading.run(LONG, || 1).await, Err(Unread::TooManyAbandoned));
        drop(blocked);
        while reading.abandoned.load(Ordering::Relaxed) > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(reading.run(LONG, || 1).await, Ok(1));
    }
}
