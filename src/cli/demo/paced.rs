//! The demo's terminal: the posts, at a pace that a person can follow.

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anstyle::{Effects, Style};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::channel::terminal::Terminal;
use crate::channel::{Act, Platform, PostedMessage, Receipt, SendError, Work};

const STRONG: Style = Style::new().effects(Effects::BOLD);
const DIM: Style = Style::new().effects(Effects::DIMMED);
const QUIET: Style = DIM.effects(Effects::DIMMED.insert(Effects::ITALIC));

/// The columns without a terminal, and the most with one.
const WIDTH_MAX: usize = 80;

/// The pause after a message, for the eye to find it, and the time for each of its lines.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_PER_LINE: Duration = Duration::from_millis(150);
/// The longest pause after one message.
const PAUSE_MAX: Duration = Duration::from_millis(3_000);

/// A remark gets the time of this many lines: nobody expects it.
const REMARK_LINES: usize = 8;

/// The terminal, with pauses and a progress line.
#[derive(Debug)]
pub(super) struct PacedPlatform {
    terminal: Terminal,
    /// Whether it pauses for a person.
    is_slow: bool,
    /// The progress line, if it is shown: what is going on.
    progress: Option<Mutex<String>>,
    stop: CancellationToken,
    posts: AtomicUsize,
    edits: AtomicUsize,
}

impl PacedPlatform {
    pub(super) fn new(is_slow: bool, stop: CancellationToken) -> Self {
        let width = terminal_size::terminal_size()
            .map_or(WIDTH_MAX, |(width, _)| usize::from(width.0).min(WIDTH_MAX));
        Self {
            terminal: Terminal::with_width(width),
            is_slow,
            progress: (is_slow && std::io::stderr().is_terminal()).then(Mutex::default),
            stop,
            posts: AtomicUsize::new(0),
            edits: AtomicUsize::new(0),
        }
    }

    /// The numbers of posts and of edits that were printed.
    pub(super) fn counts(&self) -> (usize, usize) {
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        (count(&self.posts), count(&self.edits))
    }

    /// Prints a heading.
    pub(super) fn heading(&self, text: &str) -> std::io::Result<()> {
        self.say(&format!("{STRONG}── {text} ──{STRONG:#}\n"))
    }

    /// Prints a remark to the audience, and leaves time to read it.
    pub(super) async fn remark(&self, text: &str) -> std::io::Result<()> {
        self.say(&format!("{QUIET}{text}{QUIET:#}\n"))?;
        self.pause(REMARK_LINES).await;
        Ok(())
    }

    /// Prints text in place of the progress line.
    pub(super) fn say(&self, text: &str) -> std::io::Result<()> {
        self.clear();
        writeln!(anstream::stdout(), "{text}")
    }

    /// Shows what is going on.
    pub(super) fn progress(&self, what: &str) {
        if let Some(progress) = &self.progress {
            what.clone_into(&mut progress.lock().unwrap_or_else(PoisonError::into_inner));
            self.draw();
        }
    }

    /// Draws the progress line below the last text.
    fn draw(&self) {
        if let Some(progress) = &self.progress {
            let what = progress.lock().unwrap_or_else(PoisonError::into_inner);
            let (posts, edits) = self.counts();
            let line = format!("{what} · {posts} posts, {edits} edits · Ctrl-C stops");
            // A progress line that cannot be shown is no reason to stop.
            let _ = write!(anstream::stderr(), "\r\x1b[2K{DIM}{line}{DIM:#}");
        }
    }

    /// Removes the progress line.
    pub(super) fn clear(&self) {
        if self.progress.is_some() {
            // As above.
            let _ = write!(anstream::stderr(), "\r\x1b[2K");
        }
    }

    /// Waits as long as a person reads so many lines, or until the demo is stopped.
    async fn pause(&self, lines: usize) {
        if self.is_slow {
            self.draw();
            let lines = u32::try_from(lines).unwrap_or(u32::MAX);
            let pause = PAUSE_PER_LINE.saturating_mul(lines).saturating_add(PAUSE);
            // The timeout is the usual end.
            let _ = tokio::time::timeout(pause.min(PAUSE_MAX), self.stop.cancelled()).await;
            self.clear();
        }
    }
}

impl Platform for PacedPlatform {
    fn name(&self) -> &'static str {
        "terminal"
    }

    fn dedupes_for(&self, key: &str) -> Duration {
        self.terminal.dedupes_for(key)
    }

    fn deliver<'a>(&'a self, work: &'a Work) -> BoxFuture<'a, Result<Receipt, SendError>> {
        async move {
            self.clear();
            let (receipt, text) = self.terminal.show(work).await?;
            if let Some(text) = text {
                let counter = match work.act {
                    Act::Edit { .. } => &self.edits,
                    Act::Send { .. } | Act::Remove { .. } => &self.posts,
                };
                counter.fetch_add(1, Ordering::Relaxed);
                self.pause(text.lines().count()).await;
            }
            Ok(receipt)
        }
        .boxed()
    }

    fn find<'a>(&'a self, work: &'a Work) -> BoxFuture<'a, Result<Option<Receipt>, SendError>> {
        self.terminal.find(work)
    }

    fn standing<'a>(
        &'a self,
        address: &'a str,
        since: i64,
    ) -> BoxFuture<'a, Result<Vec<PostedMessage>, SendError>> {
        self.terminal.standing(address, since)
    }
}
