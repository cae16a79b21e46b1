//! The issue: drafted from the stories that moved since the last one, and published by an editor or on schedule. The transaction
//! that freezes it also queues its posts.

pub mod desk_access;
mod doubt;
pub mod edit;
pub mod files;
mod past;
pub mod schedule;
mod withdraw;

pub use self::doubt::Doubt;
pub use self::withdraw::{NotWithdrawn, Withdrawn, withdraw};

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use tracing::info;

use crate::config::{Config, IssueConfig};
use crate::destination::{Destination, for_issues};
use crate::issue::{self, Compiled, Decided, EditKind, EditSubject, Issue, Material, Period, post};
use crate::plan::match_standing;
use crate::post::story::Content;
use crate::post::words::counted;
use crate::store::issues::{self, MissingStretch};
use crate::store::numbers::series_numbers;
use crate::store::{Store, Tx, edits, mailings, outbox, stories, troubles, withdrawn};
use crate::story::relevance::FoldRules;

/// How far back the first issue goes.
const FIRST_SPAN: TimeDelta = TimeDelta::days(7);
/// The most feeds that an issue lists as incomplete.
const MISSING_MAX: usize = 6;

/// The parts of the configuration that shape an issue.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The newsletter.
    pub issue: &'a IssueConfig,
    /// The words that make a story relevant to BPF.
    pub words: &'a FoldRules,
    /// Where the pages are, for readers.
    pub home: Option<&'a str>,
}

impl<'a> Rules<'a> {
    /// The rules of a configuration.
    pub fn of(config: &'a Config) -> Self {
        Self {
            issue: &config.issue,
            words: &config.relevance,
            home: config.home(),
        }
    }

    /// Where an issue is read, where there are pages.
    pub fn page(&self, number: u32) -> Option<String> {
        let home = self.home?;
        Some(format!("{home}{}", issue::markdown::path(number)))
    }
}

/// An issue that cannot be published, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotPublished {
    /// Another number is due.
    #[error("the coming issue is {due}, not {asked}{}", if *asked < *due { ": that one is out" } else { "" })]
    Number {
        /// Which is due.
        due: u32,
        /// Which was asked for.
        asked: u32,
    },
    /// Its period is empty or turned round.
    #[error("there is no time between the last issue and then")]
    NoTime,
    /// Its period is not over.
    #[error("its time is not over yet")]
    Early,
    /// Its period begins before the last issue ends.
    #[error("the last issue ends on {}, so this one cannot begin before that", .0.format("%-d %B %Y at %H:%M:%S UTC"))]
    Overlaps(DateTime<Utc>),
}

/// The coming issue as it would be at `now`.
pub async fn draft(tx: &mut Tx, rules: Rules<'_>, now: DateTime<Utc>) -> anyhow::Result<Compiled> {
    coming(tx, rules, None, now).await
}

/// The coming issue, of a period of its own or of the time since the last one.
pub async fn coming(
    tx: &mut Tx,
    rules: Rules<'_>,
    period: Option<Period>,
    now: DateTime<Utc>,
) -> anyhow::Result<Compiled> {
    let last = issues::last_issue((&mut *tx).into()).await?;
    let number = u32::try_from(last.as_ref().map_or(1, |last| last.number + 1))?;
    let since = match &last {
        Some(last) => Some(last.to_at),
        // If the first issue was withdrawn, the next one begins at the same time.
        None => withdrawn::first_began_at(tx).await?,
    };
    let since = since.and_then(|since| DateTime::from_timestamp(since, 0));
    let (from, to) = match period {
        Some(period) => (period.from, period.to),
        None => (since.unwrap_or(now - FIRST_SPAN), now),
    };
    // The database has whole seconds. Half a second would be covered twice.
    let (from, to) = (from.trunc_subsecs(0), to.trunc_subsecs(0));
    let period = Period { from, to };
    let decided = Decided {
        edits: edits::coming_edits(tx).await?,
        accepted: edits::coming_suggestions(tx).await?,
    };
    let last = last.and_then(|last| last.as_last());
    compile(tx, rules, number, period, decided, last).await
}

/// The issue of any period, without edits, whether or not it was published.
pub async fn of_period(
    tx: &mut Tx,
    rules: Rules<'_>,
    number: u32,
    period: Period,
    last: Option<issue::Last>,
) -> anyhow::Result<Issue> {
    let compiled = compile(tx, rules, number, period, Decided::default(), last).await?;
    Ok(compiled.issue)
}

async fn compile(
    tx: &mut Tx,
    rules: Rules<'_>,
    number: u32,
    period: Period,
    decided: Decided,
    last: Option<issue::Last>,
) -> anyhow::Result<Compiled> {
    let chosen: Vec<i64> = decided
        .edits
        .iter()
        .filter(|edit| matches!(edit.kind, EditKind::Pin | EditKind::Move))
        .filter_map(|edit| match edit.subject {
            EditSubject::Story(item) => Some(item),
            _ => None,
        })
        .collect();
    let absent = issues::absent(tx, period).await?;
    let material = Material {
        passages: past::passages(tx, period, &chosen, rules.words).await?,
        release: issues::release_before((&mut *tx).into(), period.to.timestamp()).await?,
        missing: missing(&absent, period),
        last,
        decided,
    };
    Ok(issue::compile(&rules.issue.name, number, period, &material))
}

/// Describes the feeds that were not read.
fn missing(absent: &[MissingStretch], period: Period) -> Vec<String> {
    let day = |at: i64| {
        let at = DateTime::from_timestamp(at, 0).unwrap_or(period.from);
        at.max(period.from).format("%-d %B").to_string()
    };
    let mut feeds: Vec<&str> = absent.iter().map(|absent| absent.feed.as_str()).collect();
    feeds.dedup();
    let mut sentences: Vec<String> = Vec::new();
    for feed in feeds.iter().take(MISSING_MAX) {
        let of = absent.iter().filter(|absent| absent.feed == *feed);
        let spans: Vec<String> = of
            .map(|absent| match absent.to_at {
                Some(to) if day(to) == day(absent.from_at) => format!("of {}", day(to)),
                Some(to) => format!("from {} to {}", day(absent.from_at), day(to)),
                None => format!("since {}", day(absent.from_at)),
            })
            .collect();
        sentences.push(format!(
            "{feed} could not be read in full; what is not here may be {}.",
            spans.join(", ")
        ));
    }
    if feeds.len() > MISSING_MAX {
        let more = u32::try_from(feeds.len() - MISSING_MAX).unwrap_or(u32::MAX);
        sentences.push(format!(
            "The same goes for {}.",
            counted(more, "other feed")
        ));
    }
    sentences
}

/// The coming issue, ready to be published, with the doubts about it.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The compiled issue.
    compiled: Compiled,
    /// Why a person is asked first; nothing where it may come out at once.
    pub doubts: Vec<Doubt>,
}

/// Makes the coming issue ready, of a period of its own or of the time since the last one.
///
/// # Errors
///
/// When the database fails; inside, why it is not to be.
pub async fn prepare(
    tx: &mut Tx,
    rules: Rules<'_>,
    asked: u32,
    period: Option<Period>,
    now: DateTime<Utc>,
) -> anyhow::Result<Result<Prepared, NotPublished>> {
    let last = issues::last_issue((&mut *tx).into()).await?;
    let due = last.as_ref().map_or(1, |last| last.number + 1);
    let due = u32::try_from(due)?;
    if asked != due {
        return Ok(Err(NotPublished::Number { due, asked }));
    }
    let ended_at = last
        .as_ref()
        .and_then(|last| DateTime::from_timestamp(last.to_at, 0));
    // The database has whole seconds.
    let to = period.map_or(now, |period| period.to).trunc_subsecs(0);
    if ended_at.is_some_and(|ended_at| ended_at >= to) {
        return Ok(Err(NotPublished::NoTime));
    }
    if to > now {
        return Ok(Err(NotPublished::Early));
    }
    if let (Some(ended_at), Some(period)) = (ended_at, period)
        && period.from < ended_at
    {
        return Ok(Err(NotPublished::Overlaps(ended_at)));
    }
    let compiled = coming(tx, rules, period, now).await?;
    let doubts = doubt::doubts(tx, &compiled.issue, last.as_ref(), period, now).await?;
    Ok(Ok(Prepared { compiled, doubts }))
}

impl Prepared {
    /// Publishes the issue in spite of doubts: freezes it, settles its edits, and queues it for the channels that take issues.
    /// It runs in the transaction that prepared it.
    pub async fn publish(
        self,
        tx: &mut Tx,
        destinations: &[Destination],
        rules: Rules<'_>,
        by: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Issue> {
        let mut compiled = self.compiled;
        let number = compiled.issue.number;
        let numbers = series_numbers((&mut *tx).into(), now).await?;
        compiled.issue.numbers = Some(numbers).filter(|numbers| !numbers.is_empty());
        issues::put_issue(tx, &compiled.issue, by, now).await?;
        remember_ids(tx, &compiled.ids).await?;
        edits::settle_decisions(tx, number, &compiled.edits, &compiled.suggestions).await?;
        let page = rules.page(number);
        let announcement = post::announcement(&compiled.issue, page.as_deref());
        let content = Content::Issue(Box::new(announcement));
        for destination in for_issues(destinations) {
            let due_at = destination
                .config
                .quiet
                .map_or(now, |quiet| quiet.end_after(now));
            outbox::open_and_queue(tx, destination.row.id, &content, due_at, now).await?;
        }
        mailings::begin_mailing(tx, number, now).await?;
        // After a restore it may stand there already.
        match_standing(tx, now).await?;
        troubles::end_trouble(tx, schedule::HELD).await?;
        info!("issue {number} is published by {by}");
        Ok(compiled.issue)
    }
}

/// Publishes the coming issue in spite of doubts. Only one caller can publish a number.
///
/// # Errors
///
/// Returns an error if the database fails. The inner result explains why the issue was not published.
pub async fn publish(
    tx: &mut Tx,
    destinations: &[Destination],
    rules: Rules<'_>,
    asked: u32,
    period: Option<Period>,
    by: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<Result<Issue, NotPublished>> {
    match prepare(tx, rules, asked, period, now).await? {
        Ok(prepared) => Ok(Ok(prepared
            .publish(tx, destinations, rules, by, now)
            .await?)),
        Err(why) => Ok(Err(why)),
    }
}

/// Records the ids by which an issue names stories. A later item may change the id of a story, and some stories had their id
/// only in that week.
async fn remember_ids(tx: &mut Tx, ids: &[(String, i64)]) -> anyhow::Result<()> {
    let ids: Vec<(&str, i64)> = ids.iter().map(|(id, item)| (&**id, *item)).collect();
    stories::remember_ids(tx, &ids).await
}

/// Publishes an issue for each past week, numbered in order, without posting them. It is possible only while no issue is
/// published. Weeks are ISO weeks, from the week of `since` to the last whole one before `now`.
///
/// # Errors
///
/// Returns an error if the database fails, or if an issue was published.
pub async fn backfill(
    store: &Store,
    rules: Rules<'_>,
    since: DateTime<Utc>,
    by: &str,
    now: DateTime<Utc>,
    mut on_issue: impl FnMut(&Issue),
) -> anyhow::Result<u32> {
    let mut tx = store.write().await?;
    if let Some(last) = issues::last_issue((&mut tx).into()).await? {
        anyhow::bail!(
            "issue {} is published; past weeks can be made only before the first issue",
            last.number
        );
    }
    let mut period = Period::week_of(since);
    let (mut number, mut last) = (0, None);
    // Quiet weeks before the first news and after the last are none: nothing is known of them.
    let mut waiting: Vec<Issue> = Vec::new();
    while period.to <= now {
        let nobody = Decided::default();
        let compiled = compile(&mut tx, rules, number + 1, period, nobody, last).await?;
        let is_quiet = compiled.issue.is_quiet();
        if number > 0 || !is_quiet {
            waiting.push(compiled.issue);
        }
        if !is_quiet {
            remember_ids(&mut tx, &compiled.ids).await?;
            for mut issue in std::mem::take(&mut waiting) {
                number += 1;
                (issue.number, issue.last) = (number, last);
                last = Some(issue::Last {
                    number,
                    on: issue.on(),
                });
                issues::put_issue(&mut tx, &issue, by, now).await?;
                on_issue(&issue);
            }
        }
        let from = period.to;
        period = Period {
            from,
            to: from + TimeDelta::days(7),
        };
    }
    tx.commit().await?;
    Ok(number)
}
