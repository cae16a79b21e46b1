//! Monitoring: a health check, and metrics in Prometheus' text format.

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tracing::error;

use super::answer::PageError;
use super::site::Served;
use crate::store::feeds;
use crate::store::figures::{self, Labels};

/// A poll that is overdue for longer than this is unhealthy, in seconds. A slow round of all feeds takes less.
const OVERDUE_MAX_S: i64 = 3_600;

/// Whether the database answers and polling continues.
pub(super) async fn healthz(State(site): State<Served>) -> Response {
    let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    let (status, said) = match feeds::next_due_at(site.store.read()).await {
        Ok(due) if due.is_some_and(|due| due < site.clock.now().timestamp() - OVERDUE_MAX_S) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "a feed is due for an hour and is not polled\n",
        ),
        Ok(_) => (StatusCode::OK, "ok\n"),
        Err(fault) => {
            error!("the database does not answer: {fault:#}");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the database does not answer\n",
            )
        }
    };
    (status, plain, said).into_response()
}

pub(super) async fn metrics(State(site): State<Served>) -> Result<Response, PageError> {
    let figures = figures::figures(site.store.read()).await?;
    let mut out = String::new();
    for figure in &figures {
        let _ = writeln!(out, "# HELP {} {}", figure.name, figure.about);
        let _ = writeln!(out, "# TYPE {} {}", figure.name, figure.kind);
        for (labels, value) in &figure.values {
            let _ = writeln!(out, "{}{} {value}", figure.name, rendered(labels));
        }
    }
    let kind = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    Ok((kind, out).into_response())
}

/// Labels in Prometheus' text format: `{state="ok"}`, or nothing.
fn rendered(labels: &Labels) -> String {
    let pair = |(name, value): &(&str, String)| {
        let value = value
            .replace('\\', r"\\")
            .replace('"', r#"\""#)
            .replace('\n', r"\n");
        format!("{name}=\"{value}\"")
    };
    let pairs: Vec<String> = labels.iter().map(pair).collect();
    match pairs.is_empty() {
        true => String::new(),
        false => format!("{{{}}}", pairs.join(",")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        assert_eq!(rendered(&Labels::new()), "");
        let labels = vec![
            ("feed", "a\"b\\c\nd".to_owned()),
            ("state", "ok".to_owned()),
        ];
        assert_eq!(rendered(&labels), r#"{feed="a\"b\\c\nd",state="ok"}"#);
    }
}
