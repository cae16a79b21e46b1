//! The cursor of a feed with several addresses: what is known of each.

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::super::{FetchError, handover, newsgroup};
use super::{FeedWay, pause_s};

/// All times are unix seconds, by our clock.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct WaysCursor {
    ways: Vec<WayState>,
    /// The address that was last read.
    pub(super) by: String,
}

/// What is known of one address.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct WayState {
    url: String,
    /// Its own cursor.
    cursor: Option<Value>,
    /// Whether its last walk has more to read.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_cut_short: bool,
    /// Failures in a row, and the time until which it is left alone.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) failures: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_until: Option<i64>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl WayState {
    pub(super) fn cursor(&self) -> Option<String> {
        self.cursor.as_ref().map(Value::to_string)
    }

    pub(super) fn keep(&mut self, cursor: &str, is_cut_short: bool) {
        self.cursor = serde_json::from_str(cursor).ok();
        self.is_cut_short = is_cut_short;
    }

    pub(super) fn fail(&mut self, error: &FetchError, now: i64) {
        self.left_until = Some(now + pause_s(error, self.failures));
        // That the host asks everybody to wait is no failure of this address.
        if !matches!(error, FetchError::Held { .. } | FetchError::Offline { .. }) {
            self.failures += 1;
        }
    }

    pub(super) fn succeed(&mut self) {
        (self.failures, self.left_until) = (0, None);
    }
}

impl WaysCursor {
    /// Reads a stored cursor. One of a single address belongs to the first address of its kind.
    pub(super) fn read(cursor: Option<&str>, ways: &[FeedWay]) -> Self {
        let value = cursor.and_then(|json| serde_json::from_str::<Value>(json).ok());
        let Some(value) = value else {
            return Self::default();
        };
        if value.get("ways").is_some() {
            return serde_json::from_value(value).unwrap_or_default();
        }
        let text = value.to_string();
        let owner = ways.iter().find(|way| way.source.owns(&text));
        Self {
            ways: vec![WayState {
                // Without an owner it only says how far the feed was read.
                url: owner.map_or_else(String::new, |way| way.url.to_string()),
                cursor: Some(value),
                ..WayState::default()
            }],
            by: String::new(),
        }
    }

    pub(super) fn of(&self, url: &Url) -> Option<&WayState> {
        self.ways.iter().find(|state| state.url == url.as_str())
    }

    /// Whether an address failed, and its pause is not over.
    pub(super) fn is_left_alone(&self, url: &Url, now: i64) -> bool {
        let left_until = self.of(url).and_then(|state| state.left_until);
        left_until.is_some_and(|until| until > now)
    }

    pub(super) fn of_mut(&mut self, url: &Url) -> &mut WayState {
        let known = self.ways.iter().position(|state| state.url == url.as_str());
        let index = known.unwrap_or_else(|| {
            self.ways.push(WayState {
                url: url.to_string(),
                ..WayState::default()
            });
            self.ways.len() - 1
        });
        &mut self.ways[index]
    }

    /// The addresses in the order in which they are tried, the last first. Those that are left alone come behind the others.
    pub(super) fn order(&self, ways: &[FeedWay], now: i64) -> Vec<usize> {
        let left_until = |index: &usize| {
            let state = self.of(&ways[*index].url);
            let until = state.and_then(|state| state.left_until);
            until.filter(|&until| until > now).unwrap_or(0)
        };
        let mut order: Vec<usize> = (0..ways.len()).collect();
        order.sort_by_key(left_until);
        order.reverse();
        order
    }

    /// A cursor for an address without one: another of the same kind, or the time up to which any other has read.
    pub(super) fn handed_over(&self, ways: &[FeedWay], at: usize) -> Option<String> {
        let cursors = self.ways.iter().filter_map(WayState::cursor);
        let source = &ways[at].source;
        let complete = self.ways.iter().filter(|state| !state.is_cut_short);
        let complete: Vec<String> = complete.filter_map(WayState::cursor).collect();
        let mut usable = complete.iter();
        if let Some(usable) = usable.find_map(|cursor| handover::taken_over(source, cursor)) {
            return Some(usable);
        }
        let read_to = cursors.filter_map(|cursor| super::super::read_to(&cursor));
        read_to.max().and_then(|at| source.cursor_since(at))
    }

    /// Whether another address than this has more to read.
    pub(super) fn is_cut_short_elsewhere(&self, url: &Url) -> bool {
        let mut others = self.ways.iter().filter(|state| state.url != url.as_str());
        others.any(|state| state.is_cut_short)
    }

    /// Drops addresses that are not configured any more, unless nothing else says how far the feed was read.
    pub(super) fn retain(&mut self, ways: &[FeedWay]) {
        let is_known = |state: &WayState| ways.iter().any(|way| way.url.as_str() == state.url);
        let has_own = |state: &WayState| is_known(state) && state.cursor.is_some();
        if self.ways.iter().any(has_own) {
            self.ways.retain(is_known);
        }
    }

    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("a cursor is plain data")
    }
}

/// Notes for maintainers, a line each.
pub(super) fn notes(cursor: &str, now: i64) -> Vec<String> {
    let Ok(value) = serde_json::from_str::<Value>(cursor) else {
        return Vec::new();
    };
    if value.get("ways").is_none() {
        return newsgroup::completeness(cursor).into_iter().collect();
    }
    let Ok(cursor) = serde_json::from_value::<WaysCursor>(value) else {
        return Vec::new();
    };
    let mut notes = vec![format!("read by {}", cursor.by)];
    for state in &cursor.ways {
        let until = state.left_until.filter(|&until| until > now);
        if let Some(until) = until.and_then(|until| DateTime::from_timestamp(until, 0)) {
            notes.push(format!(
                "{} failed {} times in a row; it is tried again after {} UTC",
                state.url,
                state.failures,
                until.format("%Y-%m-%d %H:%M")
            ));
        }
        if state.url == cursor.by {
            notes.extend(state.cursor().and_then(|own| newsgroup::completeness(&own)));
        }
    }
    notes
}
