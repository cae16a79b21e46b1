//! Figures for monitoring.

use anyhow::Context as _;

use crate::store::Readers;
use crate::store::outbox::{ChannelState, channel_states};

/// The most feeds, and the most channels, with figures of their own. The first by name have them.
const NAMED_MAX: i64 = 500;

/// Labels and their values, not escaped yet.
pub type Labels = Vec<(&'static str, String)>;

/// One metric, in the terms of Prometheus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    pub name: &'static str,
    pub kind: &'static str,
    pub about: &'static str,
    /// Its values, each with its labels.
    pub values: Vec<(Labels, i64)>,
}

fn gauge(name: &'static str, about: &'static str, values: Vec<(Labels, i64)>) -> Figure {
    Figure {
        name,
        kind: "gauge",
        about,
        values,
    }
}

fn counter(name: &'static str, about: &'static str, values: Vec<(Labels, i64)>) -> Figure {
    Figure {
        kind: "counter",
        ..gauge(name, about, values)
    }
}

fn alone(value: i64) -> Vec<(Labels, i64)> {
    vec![(Labels::new(), value)]
}

fn by_state(values: &[(&str, i64)]) -> Vec<(Labels, i64)> {
    let values = values.iter();
    let value = |(state, value): &(&str, i64)| (vec![("state", (*state).to_owned())], *value);
    values.map(value).collect()
}

/// All metrics. Each is counted through an index or read from one row.
pub async fn figures(readers: &Readers) -> anyhow::Result<Vec<Figure>> {
    let mut figures = totals(readers).await?;
    figures.extend(of_feeds(readers).await?);
    figures.extend(of_channels(&channel_states(readers, NAMED_MAX).await?));
    Ok(figures)
}

async fn totals(readers: &Readers) -> anyhow::Result<Vec<Figure>> {
    let row = sqlx::query!(
        r#"SELECT (SELECT COALESCE(MAX(id), 0) FROM items) AS "items!: i64",
                  (SELECT COALESCE(MAX(number), 0) FROM issues) AS "issues!: i64",
                  (SELECT COUNT(*) FROM deliveries WHERE state = 'owed') AS "owed!: i64",
                  (SELECT COUNT(*) FROM deliveries WHERE set_aside_at IS NOT NULL) AS "aside!: i64",
                  (SELECT COUNT(*) FROM deliveries WHERE state = 'owed' AND failures > 0) AS "retried!: i64",
                  (SELECT COUNT(*) FROM channels WHERE configured = 1 AND personal = 0) AS "channels!: i64",
                  (SELECT COUNT(*) FROM channels WHERE configured = 1 AND personal = 0 AND paused_at IS NOT NULL) AS "paused!: i64",
                  (SELECT COUNT(*) FROM troubles) AS "troubles!: i64",
                  (SELECT COUNT(*) FROM suggestions WHERE state = 'open') AS "suggestions!: i64",
                  COUNT(*) AS "feeds!: i64",
                  COALESCE(SUM(failures > 0 AND paused_at IS NULL), 0) AS "failing!: i64",
                  COALESCE(SUM(paused_at IS NOT NULL), 0) AS "resting!: i64",
                  COALESCE(MAX(last_polled_at), 0) AS "polled_at!: i64"
           FROM feeds WHERE configured = 1 AND url IS NOT NULL"#
    )
    .fetch_one(&mut *readers.acquire().await?)
    .await
    .context("counting")?;
    let well = row.feeds - row.failing - row.resting;
    let feeds = [
        ("ok", well),
        ("failing", row.failing),
        ("paused", row.resting),
    ];
    let channels = [("ok", row.channels - row.paused), ("paused", row.paused)];
    Ok(vec![
        gauge(
            "bpfnews_feeds",
            "Configured feeds by how they fare.",
            by_state(&feeds),
        ),
        gauge(
            "bpfnews_last_poll_timestamp_seconds",
            "When a feed was last polled.",
            alone(row.polled_at),
        ),
        counter(
            "bpfnews_items_total",
            "Items that were stored.",
            alone(row.items),
        ),
        gauge(
            "bpfnews_deliveries_owed",
            "Messages that wait for channels.",
            alone(row.owed),
        ),
        gauge(
            "bpfnews_deliveries_failing",
            "Waiting messages whose last attempt failed.",
            alone(row.retried),
        ),
        gauge(
            "bpfnews_dead_letters",
            "Deliveries that were set aside; bpfnews letters list names them.",
            alone(row.aside),
        ),
        gauge(
            "bpfnews_channels",
            "Configured channels by whether their platform takes posts.",
            by_state(&channels),
        ),
        gauge(
            "bpfnews_troubles",
            "Open problems that maintainers were notified of.",
            alone(row.troubles),
        ),
        gauge(
            "bpfnews_suggestions_open",
            "Suggestions that no editor has decided.",
            alone(row.suggestions),
        ),
        counter(
            "bpfnews_issues_total",
            "Issues that are out.",
            alone(row.issues),
        ),
    ])
}

/// Figures of each feed.
async fn of_feeds(readers: &Readers) -> anyhow::Result<Vec<Figure>> {
    let rows = sqlx::query!(
        r#"SELECT f.name, f.items AS "items!: i64", f.failures AS "failures!: i64",
                  COALESCE(f.last_ok_at, 0) AS "ok_at!: i64", f.paused_at IS NOT NULL AS "is_paused!: i64",
                  (SELECT COUNT(*) FROM gaps g WHERE g.feed_id = f.id) AS "gaps!: i64"
           FROM feeds f WHERE f.configured = 1 AND f.url IS NOT NULL ORDER BY f.name LIMIT $1"#,
        NAMED_MAX
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("counting what feeds brought")?;
    let (mut items, mut failures, mut ok_at) = (Vec::new(), Vec::new(), Vec::new());
    let (mut paused, mut gaps) = (Vec::new(), Vec::new());
    for row in rows {
        let named = || vec![("feed", row.name.clone())];
        items.push((named(), row.items));
        failures.push((named(), row.failures));
        ok_at.push((named(), row.ok_at));
        paused.push((named(), row.is_paused));
        gaps.push((named(), row.gaps));
    }
    Ok(vec![
        counter(
            "bpfnews_feed_items_total",
            "Items that a feed has shown.",
            items,
        ),
        gauge(
            "bpfnews_feed_failures",
            "Polls of a feed that failed in a row.",
            failures,
        ),
        gauge(
            "bpfnews_feed_last_success_timestamp_seconds",
            "When a feed was last polled with success; 0 before that.",
            ok_at,
        ),
        gauge("bpfnews_feed_paused", "Whether a feed is paused.", paused),
        gauge(
            "bpfnews_feed_gaps",
            "Known gaps of a feed; bpfnews feeds names them.",
            gaps,
        ),
    ])
}

/// Figures of each channel.
fn of_channels(channels: &[ChannelState]) -> Vec<Figure> {
    let of = |value: fn(&ChannelState) -> i64| {
        let figure = |channel: &ChannelState| {
            let platform = ("platform", channel.platform.clone());
            let labels = vec![("channel", channel.name.clone()), platform];
            (labels, value(channel))
        };
        channels.iter().map(figure).collect::<Vec<_>>()
    };
    vec![
        gauge(
            "bpfnews_channel_queued",
            "Deliveries that wait for a channel.",
            of(|channel| channel.queued),
        ),
        gauge(
            "bpfnews_channel_oldest_due_timestamp_seconds",
            "When the first of them is or was due; 0 if there is none.",
            of(|channel| channel.due_at.unwrap_or(0)),
        ),
        gauge(
            "bpfnews_channel_failing",
            "Deliveries of a channel that failed and are still tried.",
            of(|channel| channel.failing),
        ),
        gauge(
            "bpfnews_channel_dead_letters",
            "Deliveries of a channel that were set aside.",
            of(|channel| channel.dead_letters),
        ),
        gauge(
            "bpfnews_channel_paused",
            "Whether the platform refuses a channel; bpfnews channels has the reason.",
            of(|channel| i64::from(channel.paused_why.is_some())),
        ),
        gauge(
            "bpfnews_channel_last_sent_timestamp_seconds",
            "When a channel last took a message; 0 before that.",
            of(|channel| channel.took_at.unwrap_or(0)),
        ),
    ]
}
