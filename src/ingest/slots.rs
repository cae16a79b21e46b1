//! Limits on polls in progress.

use tokio::sync::Semaphore;

/// Feeds that are read at the same time. Each host still gets one request at a time.
pub(crate) const READ_AT_ONCE_MAX: usize = 16;
/// Polls in progress: those that read, and those that wait for a commit.
pub(crate) const POLLS_AT_ONCE_MAX: usize = 128;
/// Polls whose pages may be in memory: those that read, those about to read, and those that wait for a commit.
const PAGES_AT_ONCE_MAX: usize = 64;

pub(super) struct PollSlots {
    /// A poll that may have a page has one of these.
    pub(super) pages: Semaphore,
    /// A poll that reads has one of these.
    pub(super) readers: Semaphore,
}

impl Default for PollSlots {
    fn default() -> Self {
        Self {
            pages: Semaphore::new(PAGES_AT_ONCE_MAX),
            readers: Semaphore::new(READ_AT_ONCE_MAX),
        }
    }
}

impl PollSlots {
    /// Whether any poll reads.
    pub(super) fn any_reads(&self) -> bool {
        self.readers.available_permits() < READ_AT_ONCE_MAX
    }
}
