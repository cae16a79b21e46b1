//! Several addresses for one archive or tree: they are tried in order, and each has a cursor of its own.
//!
//! If an address fails, the same poll goes on with the next one, and the failed one is left alone for a while. That is a
//! *detour*. An address that comes into use again goes on from its own cursor, and the items that came by another one are known.
//! An address without a cursor goes back to the time up to which another one has read, and some more, so that all it brings is
//! news.

mod cursor;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use url::Url;

use self::cursor::{WayState, WaysCursor};
use super::archive::Archive;
use super::newsgroup::Newsgroup;
use super::{Answer, FetchError, Gap, Goal, Page, Request, Source, Walk};
use crate::item::{Item, ItemKey};

/// The first pause of an address that failed; it doubles with each failure in a row, up to the longest.
const PAUSE_S: i64 = 600;
const PAUSE_S_MAX: i64 = 6 * 3600;
/// The first pause after a wall: the site does not want a quick retry.
const WALL_PAUSE_S: i64 = 3600;

/// An address, and how it is read.
#[derive(Debug, Clone)]
pub(super) struct FeedWay {
    url: Url,
    source: Source,
}

/// An address at which a single thread can be asked for.
#[derive(Debug, Clone)]
pub(super) enum ThreadWay {
    Pages(Archive),
    News(Newsgroup),
}

/// Why no request can be made for a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoThreadWay {
    /// The archive is read by git alone.
    GitAlone,
    /// The addresses that could answer have failed, and are left alone for a while.
    LeftAlone,
}

/// The addresses of a feed, the best first; never empty.
#[derive(Debug, Clone)]
pub struct Ways(Arc<[FeedWay]>);

impl Ways {
    pub(super) fn new(ways: impl IntoIterator<Item = (Url, Source)>) -> Self {
        let ways = ways
            .into_iter()
            .map(|(url, source)| FeedWay { url, source });
        Self(ways.collect())
    }

    /// Starts a walk. With one address that has a cursor of its own, it is that source's walk.
    pub(super) fn begin(
        &self,
        cursor: Option<&str>,
        goal: Goal,
        now: DateTime<Utc>,
    ) -> Result<Walk, String> {
        if let [way] = &*self.0
            && cursor.is_none_or(|cursor| way.source.owns(cursor))
        {
            return way.source.begin(cursor, goal, now);
        }
        let cursor = WaysCursor::read(cursor, &self.0);
        let order = cursor.order(&self.0, now.timestamp());
        let mut walk = WaysWalk {
            ways: Arc::clone(&self.0),
            cursor,
            left: order,
            at: 0,
            walk: None,
            has_read: false,
            goal,
            now,
            errors: Vec::new(),
            notice: None,
            page_keys: Vec::new(),
        };
        walk.take_next()?;
        Ok(Walk::Ways(Box::new(walk)))
    }

    /// The addresses at which a single thread can be asked for: pages before newsgroups, because they need one request. Those
    /// that are left alone by this cursor are left out.
    pub(super) fn thread_ways(
        &self,
        cursor: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Vec<ThreadWay>, NoThreadWay> {
        let cursor = WaysCursor::read(cursor, &self.0);
        let (mut pages, mut news, mut left_alone) = (Vec::new(), Vec::new(), 0);
        for way in &*self.0 {
            let way_of = match &way.source {
                Source::Archive(archive) => ThreadWay::Pages(archive.clone()),
                Source::Newsgroup(group) => ThreadWay::News(group.clone()),
                _ => continue,
            };
            match way_of {
                _ if cursor.is_left_alone(&way.url, now.timestamp()) => left_alone += 1,
                ThreadWay::Pages(_) => pages.push(way_of),
                ThreadWay::News(_) => news.push(way_of),
            }
        }
        pages.append(&mut news);
        match (pages.is_empty(), left_alone) {
            (false, _) => Ok(pages),
            (true, 0) => Err(NoThreadWay::GitAlone),
            (true, _) => Err(NoThreadWay::LeftAlone),
        }
    }
}

/// A walk by the first address that answers.
#[derive(Debug, Clone)]
pub struct WaysWalk {
    ways: Arc<[FeedWay]>,
    cursor: WaysCursor,
    /// The addresses that are still to be tried, in reverse order.
    left: Vec<usize>,
    /// The address in use, and its walk.
    at: usize,
    walk: Option<Walk>,
    /// Whether a page was read by it.
    has_read: bool,
    goal: Goal,
    now: DateTime<Utc>,
    errors: Vec<FetchError>,
    /// A notice about a detour, until a page is read.
    notice: Option<String>,
    /// The keys of the last page's items.
    page_keys: Vec<ItemKey>,
}

impl WaysWalk {
    /// Begins with the next address; returns whether there is one.
    fn take_next(&mut self) -> Result<bool, String> {
        let Some(at) = self.left.pop() else {
            return Ok(false);
        };
        let way = &self.ways[at];
        let own = self.cursor.of(&way.url).and_then(WayState::cursor);
        let begins_at = match (own, self.goal) {
            (Some(own), _) => Some(own),
            (None, Goal::Poll) => self.cursor.handed_over(&self.ways, at),
            (None, Goal::Backfill { .. }) => None,
        };
        self.walk = Some(
            way.source
                .begin(begins_at.as_deref(), self.goal, self.now)?,
        );
        (self.at, self.has_read) = (at, false);
        Ok(true)
    }

    pub(super) fn next(&mut self) -> Option<Request> {
        self.walk.as_mut()?.next()
    }

    pub(super) fn read(&mut self, answer: Result<Answer, FetchError>) -> Result<Page, FetchError> {
        let Some(walk) = self.walk.as_mut() else {
            return Ok(Page::default());
        };
        match walk.read(answer) {
            Ok(mut page) => {
                self.has_read |= !page.is_interim;
                if !page.is_interim {
                    page.detour = self.notice.take();
                }
                self.page_keys = page.items.iter().map(Item::key).collect();
                Ok(page)
            }
            Err(error) => self.leave(error),
        }
    }

    /// Leaves an address that failed, and goes on with the next one.
    fn leave(&mut self, error: FetchError) -> Result<Page, FetchError> {
        let url = self.ways[self.at].url.clone();
        let kept = self
            .walk
            .as_ref()
            .filter(|_| self.has_read)
            .map(Walk::cursor);
        let state = self.cursor.of_mut(&url);
        if let Some(kept) = kept {
            state.keep(&kept, true);
        }
        let failures = state.failures;
        state.fail(&error, self.now.timestamp());
        let is_first_failure = failures == 0 && state.failures == 1;
        self.errors.push(error);
        let from = self.at;
        match self.take_next() {
            Ok(true) => {}
            Ok(false) => return Err(FetchError::of_all(std::mem::take(&mut self.errors))),
            Err(why) => return Err(FetchError::Broken { why }),
        }
        // Between two detours of one address it worked.
        if self.notice.is_some() || (is_first_failure && self.at > from) {
            let whys: Vec<String> = self.errors.iter().map(ToString::to_string).collect();
            self.notice = Some(format!(
                "{}\nUntil a better address works again, this feed is read by {}.",
                whys.join("\n"),
                self.ways[self.at].url
            ));
        }
        Ok(Page {
            is_interim: true,
            ..Page::default()
        })
    }

    pub(super) fn learn(
        &mut self,
        fresh: &HashSet<ItemKey>,
        new_here: &HashSet<ItemKey>,
    ) -> Vec<Gap> {
        let keys = std::mem::take(&mut self.page_keys);
        let at = &self.ways[self.at].url;
        // If another address left off in the middle, that an item is known does not say that those below it are.
        let is_patchy = self.cursor.is_cut_short_elsewhere(at);
        let all: HashSet<ItemKey>;
        let new_here = if is_patchy {
            all = keys.into_iter().collect();
            &all
        } else {
            new_here
        };
        match &mut self.walk {
            Some(walk) => walk.learn(fresh, new_here),
            None => Vec::new(),
        }
    }

    pub(super) fn cursor(&self) -> String {
        let mut cursor = self.cursor.clone();
        let url = &self.ways[self.at].url;
        if let Some(walk) = &self.walk {
            cursor.by = url.to_string();
            let state = cursor.of_mut(url);
            state.keep(&walk.cursor(), walk.is_cut_short());
            if !walk.is_cut_short() {
                state.succeed();
            }
        }
        cursor.retain(&self.ways);
        cursor.text()
    }

    pub(super) fn is_cut_short(&self) -> bool {
        self.walk.as_ref().is_some_and(Walk::is_cut_short)
    }

    /// Whether the best address, which had failed, has been read to the end now.
    pub(super) fn has_ended_detour(&self) -> bool {
        let state = self.cursor.of(&self.ways[self.at].url);
        let had_failed = state.is_some_and(|state| state.failures > 0);
        self.at == 0 && had_failed && !self.is_cut_short()
    }

    pub(super) fn progress(&self) -> f64 {
        self.walk.as_ref().map_or(1.0, Walk::progress)
    }
}

/// The pause of an address after an error, in seconds.
fn pause_s(error: &FetchError, failures: u32) -> i64 {
    let least = match error {
        FetchError::Walled { .. } | FetchError::Gone { .. } => WALL_PAUSE_S,
        _ => PAUSE_S,
    };
    let asked = match error {
        FetchError::Later { after, .. } => after.unwrap_or_default(),
        FetchError::Held { after, .. } => *after,
        _ => Duration::ZERO,
    };
    let doubled = least << failures.min(6);
    let asked = i64::try_from(asked.as_secs()).unwrap_or(PAUSE_S_MAX);
    doubled.min(PAUSE_S_MAX).max(asked.min(86_400))
}

/// Notes for maintainers about how a feed is read, from its stored cursor; `now` in unix seconds.
pub fn reading_notes(cursor: &str, now: i64) -> Vec<String> {
    cursor::notes(cursor, now)
}

#[cfg(test)]
mod tests;
