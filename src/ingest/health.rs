//! Notices to maintainers about feeds: failing for a day, walled, gone, or with a gap. Each is sent once with advice, and a
//! second notice reports the recovery.

use chrono::{DateTime, TimeDelta, Utc};
use tracing::warn;

use super::Ingest;
use crate::config::{FeedConfig, FeedKind, UpstreamKind};
use crate::desk::{self, Trouble};
use crate::post::plain;
use crate::source::{Gap, Walk};
use crate::store::Tx;
use crate::store::feeds::{self, FailureState, FeedRow, Outcome};

/// How long a feed may fail before a person is bothered.
const FAILS_FOR: TimeDelta = TimeDelta::days(1);
/// The gaps that one notice names.
const GAPS_TOLD_MAX: usize = 3;
/// A gap without a known beginning is looked for so far back.
const GAP_SINCE: TimeDelta = TimeDelta::days(60);

impl Ingest {
    /// Notifies maintainers if the health of a feed changed. It runs in the transaction that settles the poll.
    pub(super) async fn tell_health(
        &self,
        tx: &mut Tx,
        row: &FeedRow,
        config: &FeedConfig,
        outcome: &Outcome,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let (name, subject) = (&row.name, subject(row));
        let (state, why) = match outcome {
            Outcome::Ok | Outcome::OkSoFar => {
                let title = format!("{name} is well again");
                return desk::is_well(tx, &self.desks(), &subject, &title, now).await;
            }
            // Our own network, or a stop: nothing is wrong with the feed.
            Outcome::Excused { .. } => return Ok(()),
            Outcome::Failed { state, why } => (*state, why),
        };
        let since = feeds::failing_since(tx, row.id)
            .await?
            .unwrap_or(now.timestamp());
        let since = DateTime::from_timestamp(since, 0).unwrap_or(now);
        if state == FailureState::BackingOff && now - since < FAILS_FOR {
            return Ok(());
        }
        let (what, remedy) = words(state, name, config, since);
        let trouble = Trouble {
            subject: &subject,
            // A feed that fails in changing ways is reported once.
            kind: "",
            title: format!("{name} {what}"),
            text: format!("{}\n{remedy}", plain(why)),
        };
        self.tell(tx, &trouble, now).await
    }

    /// Reports gaps that were found: once a day for each feed, because a feed that outruns us has many.
    pub(super) async fn tell_gaps(
        &self,
        tx: &mut Tx,
        row: &FeedRow,
        gaps: &[Gap],
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        if gaps.is_empty() {
            return Ok(());
        }
        let when = |at: i64| {
            let at = DateTime::from_timestamp(at, 0).filter(|_| at > 0);
            at.map_or_else(
                || "?".to_owned(),
                |at| at.format("%Y-%m-%d %H:%M").to_string(),
            )
        };
        let mut lines: Vec<String> = gaps
            .iter()
            .take(GAPS_TOLD_MAX)
            .map(|gap| {
                let (from, to) = (when(gap.from_at), when(gap.to_at));
                format!("{from} to {to} UTC: {}", plain(&gap.why))
            })
            .collect();
        let name = &row.name;
        lines.push(match row.kind {
            UpstreamKind::Archive | UpstreamKind::Tree => {
                let from = gaps.iter().map(|gap| gap.from_at).filter(|at| *at > 0).min();
                let from = from.and_then(|at| DateTime::from_timestamp(at, 0));
                let day = from.unwrap_or(now - GAP_SINCE).format("%F");
                format!(
                    "bpfnews asks for it again by itself where it can. To fetch it now, stop bpfnews and run: \
                     bpfnews backfill --feed {name} --since {day}"
                )
            }
            UpstreamKind::Lwn | UpstreamKind::Feed => "This kind of feed has no way back. A shorter poll_gap_s makes it rarer; bpfnews feeds lists what is missing."
                .to_owned(),
        });
        let (subject, day) = (format!("gaps {name}"), now.format("%F").to_string());
        let trouble = Trouble {
            subject: &subject,
            kind: &day,
            title: format!("{name}: something is missing"),
            text: lines.join("\n"),
        };
        self.tell(tx, &trouble, now).await
    }

    /// Reports a warning about a whole source, once a month at most.
    pub(super) async fn report_warning(
        &self,
        tx: &mut Tx,
        row: &FeedRow,
        warning: Option<&str>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let Some(warning) = warning else {
            return Ok(());
        };
        let month = now.format("%Y-%m").to_string();
        let trouble = Trouble {
            subject: &format!("warning {}", row.name),
            kind: &month,
            title: format!("{}: a warning", row.name),
            text: plain(warning),
        };
        self.tell(tx, &trouble, now).await
    }

    /// Reports that a feed is read by another of its addresses, once for each detour, and at most once an hour. Reports the end
    /// of the detour as well.
    pub(super) async fn report_detour(
        &self,
        tx: &mut Tx,
        row: &FeedRow,
        detour: Option<&str>,
        walk: &Walk,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let subject = format!("detour {}", row.name);
        if walk.has_ended_detour() {
            let title = format!("{} is read by its best address again", row.name);
            return desk::is_well(tx, &self.desks(), &subject, &title, now).await;
        }
        let Some(detour) = detour else {
            return Ok(());
        };
        let trouble = Trouble {
            subject: &subject,
            kind: &now.format("%F %H").to_string(),
            title: format!("{} is read by another address", row.name),
            text: plain(detour),
        };
        self.tell(tx, &trouble, now).await
    }

    async fn tell(
        &self,
        tx: &mut Tx,
        trouble: &Trouble<'_>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        if desk::tell_trouble(tx, &self.desks(), trouble, now).await? {
            warn!("{}: {}", trouble.title, trouble.text.replace('\n', " "));
        }
        Ok(())
    }
}

/// The key under which problems of a feed are recorded.
pub(super) fn subject(row: &FeedRow) -> String {
    format!("feed {}", row.name)
}

/// Describes the problem of a feed, and the remedy.
fn words(
    state: FailureState,
    name: &str,
    config: &FeedConfig,
    since: DateTime<Utc>,
) -> (String, String) {
    let try_it = format!("bpfnews check --online --feed {name} tries it.");
    match state {
        FailureState::Walled => (
            "is walled".to_owned(),
            format!(
                "Its host answers with a page for people, which bpfnews does not climb. Ask the people who run it to let \
                 bpfnews' User-Agent in, or read it from {}. {try_it}",
                match config.kind {
                    FeedKind::Tree { .. } => "a mirror",
                    FeedKind::Archive { .. } | FeedKind::Lwn | FeedKind::Feed { .. } => "elsewhere",
                }
            ),
        ),
        FailureState::Gone => (
            "is gone".to_owned(),
            format!("Give its new url in the configuration, or take it out. {try_it}"),
        ),
        FailureState::BackingOff => (
            format!("has failed since {} UTC", since.format("%Y-%m-%d %H:%M")),
            format!(
                "It is asked again, at least once a day; what it still shows by then is read. See whether {} still is its \
                 address: {try_it}",
                config.url
            ),
        ),
    }
}
