//! The end of a poll: the meaning of its error, and when the feed is due again.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use super::pause::{BACK_OFF_MAX, CUT_SHORT_PAUSE, judge, with_jitter};
use super::waiting::{Ended, Left};
use super::{Ingest, Report};
use crate::config::FeedConfig;
use crate::source::FetchError;
use crate::store::feeds::{FeedRow, Outcome};

impl Ingest {
    /// How a poll ended that panicked: as one that failed. `None` where the feed is not known.
    pub(super) fn came_to_a_bad_end(&self, row: &Arc<FeedRow>) -> Option<Ended> {
        let config = self.feeds.get(&row.name)?;
        let why = "the poll came to a bad end; the log has more".to_owned();
        let how = Err(FetchError::Broken { why });
        Some(self.ended(row, config, how, Duration::ZERO, None))
    }

    /// The end of a poll: complete, cut short, or failed. `quiet` is the cursor of a poll that brought nothing and stored
    /// nothing.
    pub(super) fn ended(
        &self,
        row: &Arc<FeedRow>,
        config: &Arc<FeedConfig>,
        how: Result<bool, FetchError>,
        leave_alone: Duration,
        quiet: Option<String>,
    ) -> Ended {
        let at = self.clock.now();
        let gap = TimeDelta::from_std(config.poll_gap).unwrap_or(BACK_OFF_MAX);
        let (outcome, pause) = match how {
            Ok(true) => (Outcome::OkSoFar, CUT_SHORT_PAUSE.min(gap)),
            Ok(false) => {
                let leave_alone = TimeDelta::from_std(leave_alone).unwrap_or(gap);
                let pause = with_jitter(gap.max(leave_alone.min(BACK_OFF_MAX)));
                (Outcome::Ok, pause)
            }
            Err(error) => judge(&error, gap, row.failures),
        };
        Ended {
            row: Arc::clone(row),
            config: Arc::clone(config),
            outcome,
            at,
            next_poll_at: at + pause,
            quiet,
        }
    }

    /// Records how a poll ended that left nothing else to be kept.
    pub(super) async fn end(&self, ended: Ended, report: &mut Report) -> anyhow::Result<()> {
        report.end(&ended);
        let at = ended.at;
        self.commit(Left::Ended(Box::new(ended))).await?;
        self.polled(at);
        Ok(())
    }
}
