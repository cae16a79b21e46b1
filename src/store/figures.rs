//! Figures for monitoring.

use crate::store::Readers;
use anyhow::Context as _;

/// One metric, in the terms of Prometheus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    pub name: &'static str,
    pub kind: &'static str,
    pub about: &'static str,
    /// Its values, each with its rendered labels: `{state="ok"}`, or nothing.
    pub values: Vec<(&'static str, i64)>,
}

/// All metrics. Each is counted through an index or read from one row.
pub async fn figures(readers: &Readers) -> anyhow::Result<Vec<Figure>> {
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
    let gauge = |name, about, values| Figure {
        name,
        kind: "gauge",
        about,
        values,
    };
    let well = row.feeds - row.failing - row.resting;
    Ok(vec![
        gauge(
            "bpfnews_feeds",
            "Configured feeds by how they fare.",
            vec![
                ("{state=\"ok\"}", well),
                ("{state=\"failing\"}", row.failing),
                ("{state=\"paused\"}", row.resting),
            ],
        ),
        gauge(
            "bpfnews_last_poll_timestamp_seconds",
            "When a feed was last polled.",
            vec![("", row.polled_at)],
        ),
        Figure {
            kind: "counter",
            ..gauge(
                "bpfnews_items_total",
                "Items that were stored.",
                vec![("", row.items)],
            )
        },
        gauge(
            "bpfnews_deliveries_owed",
            "What channels are owed and have not got yet.",
            vec![("", row.owed)],
        ),
        gauge(
            "bpfnews_deliveries_failing",
            "What channels are owed and did not get at the last try.",
            vec![("", row.retried)],
        ),
        gauge(
            "bpfnews_dead_letters",
            "Deliveries that were set aside; bpfnews letters list names them.",
            vec![("", row.aside)],
        ),
        gauge(
            "bpfnews_channels",
            "Configured channels by whether their platform takes posts.",
            vec![
                ("{state=\"ok\"}", row.channels - row.paused),
                ("{state=\"paused\"}", row.paused),
            ],
        ),
        gauge(
            "bpfnews_troubles",
            "What is wrong now and maintainers were told.",
            vec![("", row.troubles)],
        ),
        gauge(
            "bpfnews_suggestions_open",
            "Suggestions that no editor has decided.",
            vec![("", row.suggestions)],
        ),
        Figure {
            kind: "counter",
            ..gauge(
                "bpfnews_issues_total",
                "Issues that are out.",
                vec![("", row.issues)],
            )
        },
    ])
}
