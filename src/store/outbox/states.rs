//! The state of each channel: whether it takes messages, and what waits for it.

use anyhow::Context as _;

use crate::store::Readers;

/// A delivery that is due for longer than this, and that nothing holds back, is stuck; in seconds.
const STUCK_S: i64 = 15 * 60;

/// A configured channel and what it waits for. Times are unix seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelState {
    pub name: String,
    pub platform: String,
    /// The id of the room on its platform.
    pub address: String,
    /// The end of the wait that the server asked for.
    pub held_to: i64,
    /// When the platform began to refuse it.
    pub paused_at: Option<i64>,
    pub paused_why: Option<String>,
    /// The room that took its place.
    pub replaced_by: Option<String>,
    /// Whether it must be searched after a restore.
    pub is_searched: bool,
    /// When it last took a message.
    pub took_at: Option<i64>,
    /// Queued deliveries, and the time of the earliest.
    pub queued: i64,
    pub due_at: Option<i64>,
    /// Queued deliveries that failed, since when, and the last error.
    pub failing: i64,
    pub failing_since: Option<i64>,
    pub last_error: Option<String>,
    /// Posts that wait for the next list.
    pub for_list: i64,
    pub dead_letters: i64,
}

/// The state of a channel's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelCondition {
    /// It takes messages, or nothing is due.
    Ok,
    /// The server asked for a pause.
    Waiting,
    /// The messages in it are read, after a restore.
    Searched,
    /// Messages fail, and none got through since the first failure.
    Failing,
    /// Messages are due, and nothing holds them back.
    Stuck,
    /// The platform refuses it.
    Paused,
    /// Another room took its place.
    Replaced,
}

impl ChannelCondition {
    /// The word for people and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Waiting => "waiting",
            Self::Searched => "searched",
            Self::Failing => "failing",
            Self::Stuck => "stuck",
            Self::Paused => "paused",
            Self::Replaced => "replaced",
        }
    }
}

impl ChannelState {
    /// The most serious condition that applies; `now` in unix seconds.
    pub fn condition(&self, now: i64) -> ChannelCondition {
        let is_due = self.due_at.is_some_and(|at| at < now - STUCK_S);
        let took_since = |since: i64| self.took_at.is_some_and(|took| took >= since);
        if self.replaced_by.is_some() {
            ChannelCondition::Replaced
        } else if self.paused_why.is_some() {
            ChannelCondition::Paused
        } else if self.is_searched {
            ChannelCondition::Searched
        } else if self.failing_since.is_some_and(|since| !took_since(since)) {
            ChannelCondition::Failing
        } else if self.held_to > now {
            ChannelCondition::Waiting
        } else if is_due {
            ChannelCondition::Stuck
        } else {
            ChannelCondition::Ok
        }
    }

    /// When that condition began, if the database has it.
    pub fn since(&self, now: i64) -> Option<i64> {
        match self.condition(now) {
            ChannelCondition::Paused => self.paused_at,
            ChannelCondition::Failing => self.failing_since,
            ChannelCondition::Stuck => self.due_at,
            ChannelCondition::Ok
            | ChannelCondition::Waiting
            | ChannelCondition::Searched
            | ChannelCondition::Replaced => None,
        }
    }
}

/// The states of the configured channels, by name; at most so many.
pub async fn channel_states(readers: &Readers, most: i64) -> anyhow::Result<Vec<ChannelState>> {
    sqlx::query_as!(
        ChannelState,
        r#"SELECT c.name, c.platform, c.address, c.held_to, c.paused_at, c.paused_why, c.replaced_by, c.took_at,
                  c.recall_from IS NOT NULL AS "is_searched!: bool",
                  (SELECT COUNT(*) FROM deliveries d WHERE d.channel_id = c.id AND d.state = 'owed') AS "queued!: i64",
                  (SELECT MIN(d.due_at) FROM deliveries d
                   WHERE d.channel_id = c.id AND d.state = 'owed') AS "due_at: i64",
                  (SELECT COUNT(*) FROM deliveries d
                   WHERE d.channel_id = c.id AND d.state = 'owed' AND d.failures > 0) AS "failing!: i64",
                  (SELECT MIN(d.failing_since) FROM deliveries d
                   WHERE d.channel_id = c.id AND d.state = 'owed' AND d.failures > 0) AS "failing_since: i64",
                  (SELECT d.why FROM deliveries d
                   WHERE d.channel_id = c.id AND d.state = 'owed' AND d.failures > 0
                   ORDER BY d.last_tried_at DESC, d.id DESC LIMIT 1) AS "last_error: String",
                  (SELECT COUNT(*) FROM posts p WHERE p.channel_id = c.id AND p.state = 'waiting') AS "for_list!: i64",
                  (SELECT COUNT(*) FROM deliveries d
                   WHERE d.channel_id = c.id AND d.set_aside_at IS NOT NULL) AS "dead_letters!: i64"
           FROM channels c WHERE c.configured = 1 ORDER BY c.name LIMIT $1"#,
        most
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("reading the state of the channels")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;

    #[test]
    fn the_most_serious_condition_counts() {
        let base = ChannelState {
            took_at: Some(NOW - 100),
            ..ChannelState::default()
        };
        let with = |change: fn(&mut ChannelState)| {
            let mut state = base.clone();
            change(&mut state);
            (state.condition(NOW).word(), state.since(NOW))
        };
        assert_eq!(with(|_| {}), ("ok", None));
        assert_eq!(with(|state| state.due_at = Some(NOW - 60)), ("ok", None));
        let stuck = with(|state| state.due_at = Some(NOW - 3_600));
        assert_eq!(stuck, ("stuck", Some(NOW - 3_600)));
        let held = with(|state| {
            (state.due_at, state.held_to) = (Some(NOW - 3_600), NOW + 9);
        });
        assert_eq!(held, ("waiting", None));
        // Others got through since.
        let one = with(|state| state.failing_since = Some(NOW - 200));
        assert_eq!(one, ("ok", None));
        let failing = with(|state| state.failing_since = Some(NOW - 50));
        assert_eq!(failing, ("failing", Some(NOW - 50)));
        let searched = with(|state| (state.is_searched, state.held_to) = (true, NOW + 9));
        assert_eq!(searched, ("searched", None));
        let paused = with(|state| {
            (state.paused_at, state.paused_why) = (Some(NOW - 7), Some("no".to_owned()));
            state.failing_since = Some(NOW - 50);
        });
        assert_eq!(paused, ("paused", Some(NOW - 7)));
        let replaced = with(|state| {
            (state.paused_why, state.replaced_by) = (Some("no".to_owned()), Some("!b".to_owned()));
        });
        assert_eq!(replaced, ("replaced", None));
    }
}
