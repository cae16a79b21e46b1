//! The command that plays the demo's week, and what followed.

mod decisions;
mod paced;

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;

use anstyle::{Effects, Style};
use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

pub use self::decisions::edit_the_demo;
use self::paced::PacedPlatform;
use super::lists::carriers;
use crate::channel::Platform;
use crate::clock::FixedClock;
use crate::config::{Config, PlatformKind};
use crate::deliver::DeliveryLoop;
use crate::demo::DemoStep;
use crate::ingest::Ingest;
use crate::issue::Period;
use crate::publish::{self, Rules};
use crate::store::Store;
use crate::store::feeds::{self, Outcome};
use crate::store::items::{ItemFilter, list_items};
use crate::web::{self, Site};
use crate::{app, demo};

const STRONG: Style = Style::new().effects(Effects::BOLD);
const DIM: Style = Style::new().effects(Effects::DIMMED);

/// Plays the demo. `is_fast` leaves out the pauses; without a terminal there are none.
pub(super) async fn demo(is_web: bool, is_fast: bool) -> anyhow::Result<ExitCode> {
    let stop = app::stop_on_signals()?;
    let folder = std::env::temp_dir().join(format!("bpfnews-demo-{}", std::process::id()));
    std::fs::create_dir(&folder)
        .with_context(|| format!("making {} for the demo", folder.display()))?;
    let is_slow = !is_fast && std::io::stdout().is_terminal();
    let paced = Arc::new(PacedPlatform::new(is_slow, stop.clone()));
    let played = play(&folder.join("demo.sqlite"), &paced, is_web, &stop).await;
    paced.clear();
    std::fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    played
}

/// The parts of a demo that runs.
struct Playing<'a> {
    ingest: Ingest,
    delivery_loop: DeliveryLoop,
    config: Config,
    clock: Arc<FixedClock>,
    paced: &'a PacedPlatform,
    stop: &'a CancellationToken,
}

async fn play(
    database: &std::path::Path,
    paced: &Arc<PacedPlatform>,
    is_web: bool,
    stop: &CancellationToken,
) -> anyhow::Result<ExitCode> {
    let steps = demo::steps();
    let clock = Arc::new(FixedClock::new(steps[0].at));
    let server = demo::server::start(clock.clone()).await?;
    let config = demo::config(&server.base, database);
    let store = Store::open(database).await?;
    let ingest = Ingest::open(store, &config, clock.clone()).await?;
    let ingest = ingest.with_links(demo::reader_links()?.into_iter().collect());
    let terminal: Arc<dyn Platform> = Arc::clone(paced) as Arc<dyn Platform>;
    let senders = HashMap::from([(PlatformKind::Terminal, terminal)]);
    let delivery_loop = DeliveryLoop::new(
        ingest.store.clone(),
        clock.clone(),
        ingest.destinations(),
        senders,
    );
    let playing = Playing {
        ingest,
        delivery_loop,
        config,
        clock,
        paced,
        stop,
    };
    playing.intro().await?;
    for (number, step) in steps.iter().enumerate() {
        let before = number.checked_sub(1).map(|before| &steps[before]);
        playing.step(step, before).await?;
        if stop.is_cancelled() {
            return Ok(ExitCode::FAILURE);
        }
        // The last poll of the week: the next one is after its end.
        let week_ends = demo::period().to;
        let next = steps.get(number + 1);
        if step.at < week_ends && next.is_none_or(|next| next.at > week_ends) {
            playing.issues().await?;
        }
    }
    playing.outro().await?;
    if is_web {
        playing.show_pages().await?;
    }
    playing.ingest.store.close().await;
    Ok(ExitCode::SUCCESS)
}

impl Playing<'_> {
    /// Polls the feeds of a step, and shows what is new.
    async fn step(&self, step: &DemoStep, before: Option<&DemoStep>) -> anyhow::Result<()> {
        self.clock.set(step.at);
        let day = step.at.format("%-d %B %Y");
        // One feed at a time, so that every run prints the same.
        let due = feeds::due_feeds(self.ingest.store.read(), step.at, u32::MAX).await?;
        for row in due.into_iter().filter(|row| step.polls(&row.name)) {
            self.paced.progress(&format!("{day} · {}", row.name));
            let report = self.ingest.poll(row, self.stop).await?;
            if let Outcome::Failed { why, .. } = report.outcome {
                let feed = report.feed;
                anyhow::bail!("a feed of the demo failed, which it should not: {feed}: {why}");
            }
        }
        if self.delivery_loop.lanes().await?.is_empty() {
            return Ok(());
        }
        self.paced.progress(&day.to_string());
        // The seed shows nothing, so its day has no heading.
        let is_new_day =
            before.is_some_and(|before| before.at.date_naive() != step.at.date_naive());
        if is_new_day {
            let day = step.at.format("%A, %-d %B %Y").to_string();
            self.paced.heading(&day)?;
        }
        if !step.caption.is_empty() {
            self.paced.remark(step.caption).await?;
        }
        self.delivery_loop.pass().await?;
        Ok(())
    }

    /// Publishes the issue before the week's for the pages alone. Then takes the editor's decisions, and publishes the issue of
    /// the week, from its first day to its last poll.
    async fn issues(&self) -> anyhow::Result<()> {
        let (before, week) = (demo::period_before(), demo::period());
        self.clock.set(week.to);
        self.paced.heading("The issue of the week")?;
        let words = "bpfnews compiles it. A person adds an opening and remarks, as here.";
        self.paced.remark(words).await?;
        self.publish(1, before, false).await?;
        edit_the_demo(&self.ingest.store, week.to).await?;
        self.publish(2, week, true).await?;
        self.delivery_loop.pass().await?;
        Ok(())
    }

    async fn publish(&self, number: u32, period: Period, is_shown: bool) -> anyhow::Result<()> {
        let rules = Rules::of(&self.config);
        let destinations = self.ingest.destinations();
        let destinations = if is_shown { &destinations[..] } else { &[] };
        let mut tx = self.ingest.store.write().await?;
        let (by, now) = (decisions::EDITOR, period.to);
        publish::publish(&mut tx, destinations, rules, number, Some(period), by, now).await??;
        tx.commit().await?;
        Ok(())
    }

    async fn intro(&self) -> anyhow::Result<()> {
        let feeds = self.config.feeds.len();
        self.paced.say(&format!(
            "{STRONG}One week of BPF news, May 2017{STRONG:#}, from {feeds} feeds, polled as real ones are.\n\
             {DIM}The facts are those of the newsletter “BPF updates” by Alexander Alemayhu, and\n\
             after that week those of LWN and of real mail. The texts are ours. Of May 2017,\n\
             times of day, some days, Message-IDs and one title are made up.{DIM:#}\n"
        ))?;
        Ok(())
    }

    /// The figures, and the next commands. It fits one screen.
    async fn outro(&self) -> anyhow::Result<()> {
        let all = ItemFilter {
            most: i64::MAX,
            ..ItemFilter::default()
        };
        let items = list_items(self.ingest.store.read(), &all, None).await?;
        let shared = items.iter().filter(|item| carriers(item).len() > 1).count();
        let (posts, edits) = self.paced.counts();
        self.paced.say(&format!(
            "{STRONG}That was the demo.{STRONG:#} {} mails, commits and articles; {shared} of them came from several\n\
             feeds. bpfnews made {posts} posts of them, and edited them {edits} times.\n\n\
             Next, with the feeds of today:\n\n  \
             bpfnews setup            answer five questions; it writes config.toml\n  \
             bpfnews check --online   try every feed once\n  \
             bpfnews run              poll them and show what is new\n\n\
             For a channel of your own, see docs/set-up.md and docs/set-up-matrix.md.\n\
             The same as web pages: bpfnews demo --web\n\
             {DIM}Not installed yet? In place of bpfnews, type:\n  \
             cargo run --release --no-default-features --{DIM:#}",
            items.len()
        ))?;
        Ok(())
    }

    /// Serves the pages until stopped.
    async fn show_pages(&self) -> anyhow::Result<()> {
        let listener = web::bind(([127, 0, 0, 1], 0).into()).await?;
        let home = format!("http://{}/", listener.local_addr()?);
        self.paced.say(&format!(
            "\n{STRONG}The pages are at {home}{STRONG:#} until you press Ctrl-C."
        ))?;
        let clock: Arc<FixedClock> = Arc::clone(&self.clock);
        let site = Site {
            store: self.ingest.store.clone(),
            clock,
            name: self.config.issue.name.clone(),
            home,
            mail: None,
            subsystems: self.config.subsystems.clone(),
        };
        web::serve(listener, site, self.stop.clone()).await;
        Ok(())
    }
}
