//! Polls that found nothing new: nearly all of them. What they leave is a cursor and when the next is due; those that end
//! at the same time are settled by one commit.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use tokio::sync::oneshot;

use crate::store::Store;
use crate::store::feeds::{self, QuietPoll};

/// Why polls could not be settled: one error, which each of them has.
#[derive(Debug, Clone, thiserror::Error)]
#[error("settling polls")]
struct NotSettled(#[source] Arc<dyn std::error::Error + Send + Sync>);

type Waiting = (QuietPoll, oneshot::Sender<Result<(), NotSettled>>);

/// Polls that wait to be settled.
#[derive(Default)]
pub(super) struct Quiet {
    waiting: Mutex<Vec<Waiting>>,
    /// Whoever has it settles what waits.
    settling: tokio::sync::Mutex<()>,
}

impl Quiet {
    /// Settles a poll, and whatever others wait with it; returns once it is on the disk.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub(super) async fn settle(&self, store: &Store, poll: QuietPoll) -> anyhow::Result<()> {
        let (sender, mut ended) = oneshot::channel();
        self.waiting().push((poll, sender));
        loop {
            tokio::select! {
                biased;
                // Whoever settled it was dropped before the end: it is due still, as any poll that is broken off.
                ended = &mut ended => return Ok(ended.context("settling was broken off")??),
                _turn = self.settling.lock() => {
                    let waiting = std::mem::take(&mut *self.waiting());
                    let (polls, senders): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
                    if polls.is_empty() {
                        continue;
                    }
                    let settled = commit(store, &polls).await;
                    let settled = settled.map_err(|error| NotSettled(Arc::from(error.into_boxed_dyn_error())));
                    for sender in senders {
                        // Who does not wait any more was dropped.
                        let _ = sender.send(settled.clone());
                    }
                }
            }
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn commit(store: &Store, polls: &[QuietPoll]) -> anyhow::Result<()> {
    let mut tx = store.write().await?;
    feeds::settle_quiet_polls(&mut tx, polls).await?;
    tx.commit().await?;
    Ok(())
}
