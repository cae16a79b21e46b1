//! The climb: pages of mails since a moment, oldest first. Each page is checked against the request, because a front end may
//! ignore the query or refuse old pages.

use super::{AHEAD_S, ArchiveStage, ArchiveWalk, SEARCH_PAGE, Task, WINDOW, bulk};
use crate::source::archive::Archive;
use crate::source::archive::page::means_none;
use crate::source::{Answer, FetchError, Page, broken};

/// A way to read the mails of a range of time. If a server refuses one way, the walk takes the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source::archive) enum Way {
    /// `new.atom?t=`.
    Atom,
    /// Search, as Atom.
    Search,
    /// Search, as one mbox.
    Mbox,
}

impl Archive {
    pub(super) fn first_way(&self) -> Way {
        if self.query.is_some() {
            Way::Search
        } else {
            Way::Atom
        }
    }
}

impl ArchiveStage {
    pub(super) fn climb(at: i64) -> Self {
        Self::Climb {
            at,
            is_arrival: false,
        }
    }
}

/// Whether an error means that the server does not serve this kind of page.
pub(super) fn is_refusal(error: &FetchError) -> bool {
    match error {
        FetchError::Missing { .. }
        | FetchError::Walled { .. }
        | FetchError::Gone { .. }
        | FetchError::TooBig { .. }
        | FetchError::Broken { .. } => true,
        FetchError::Later { .. }
        | FetchError::Held { .. }
        | FetchError::Unreachable { .. }
        | FetchError::Offline { .. } => false,
    }
}

impl ArchiveWalk {
    pub(super) fn read_climb(
        &mut self,
        answer: Result<Answer, FetchError>,
        at: i64,
        is_arrival: bool,
    ) -> Result<Page, FetchError> {
        let url = self.archive.climb_url(at, self.way);
        let read = match answer {
            Err(error) if means_none(&error) => Ok((Page::default(), Vec::new())),
            Err(error) => Err(error),
            Ok(answer) => self.document(&answer, &url),
        };
        let read = read.and_then(|(page, arrivals)| {
            let wrong = self.wrong_page(&arrivals, at, is_arrival);
            wrong.map_or(Ok((page, arrivals)), |why| Err(broken(&url, why)))
        });
        match read {
            Ok((page, arrivals)) => {
                self.after_climb(&arrivals, at);
                Ok(page)
            }
            Err(error) if is_refusal(&error) => self.take_next_way(at, error),
            Err(error) => Err(error),
        }
    }

    /// The reason why a page cannot be the answer to a climb from `at`.
    fn wrong_page(&self, arrivals: &[i64], at: i64, is_arrival: bool) -> Option<&'static str> {
        let (Some(&first), Some(&last)) = (arrivals.first(), arrivals.last()) else {
            // Without mails since `at` this way answers with the newest page.
            let must_have_some = self.way == Way::Atom && self.present.entries > 0;
            return must_have_some.then_some("an older page has no mails, though there are some");
        };
        let oldest = arrivals.iter().min().copied().unwrap_or(first);
        if self.way == Way::Search {
            return (oldest < at).then_some("the search ignores its range of time");
        }
        let is_newest_page = first > last;
        if is_newest_page && oldest >= at && arrivals.len() >= WINDOW {
            return Some("it answers with the newest page instead of an older one");
        }
        if !is_newest_page && first < last && oldest < at {
            return Some("it answers with another page than the requested one");
        }
        let seen_to = match self.task {
            Task::CatchUp if self.cursor.climbed_to == Some(at) => self.cursor.seen_to,
            Task::CatchUp | Task::Backfill | Task::SecondLook | Task::Refill { .. } => None,
        };
        let skips_known =
            seen_to.is_some_and(|seen_to| seen_to > 0 && at <= seen_to && oldest > seen_to);
        if (is_arrival && oldest > at) || (skips_known && arrivals.len() >= WINDOW) {
            return Some("an older page lacks mails that were there before");
        }
        None
    }

    fn after_climb(&mut self, arrivals: &[i64], at: i64) {
        let (first, last) = (
            arrivals.first().copied().unwrap_or(at),
            arrivals.last().copied().unwrap_or(at),
        );
        // The server returns mails before `at` only if there is less than a page since `at`: this is the newest page.
        let is_newest = first > last || arrivals.iter().any(|&arrival| arrival < at);
        let is_full = arrivals.len() >= WINDOW;
        let is_last = self.way == Way::Search && arrivals.len() < SEARCH_PAGE;
        let stands_still = first == last && last <= at;
        let is_beyond = last > self.task_end().unwrap_or(self.now + AHEAD_S);
        if is_newest || is_last || is_beyond || arrivals.is_empty() || (stands_still && !is_full) {
            self.reach_present(self.newest_of(arrivals).unwrap_or_default());
        } else if first == last && is_full {
            self.stage = ArchiveStage::SameSecond {
                at: last,
                offset: 0,
            };
        } else {
            self.climb_to(last);
            self.stage = ArchiveStage::Climb {
                at: last,
                is_arrival: true,
            };
        }
    }

    /// Goes on from `at` by the next way, or gives the range up.
    pub(super) fn take_next_way(&mut self, at: i64, error: FetchError) -> Result<Page, FetchError> {
        let next = match (self.way, self.task) {
            (Way::Search, Task::SecondLook) if self.archive.query.is_none() => Some(Way::Atom),
            (Way::Atom, Task::CatchUp | Task::Backfill | Task::Refill { .. }) => Some(Way::Search),
            (Way::Search, Task::CatchUp | Task::Refill { .. }) => Some(Way::Mbox),
            (Way::Atom | Way::Search | Way::Mbox, _) => None,
        };
        let Some(next) = next else {
            return self.give_up(at, error);
        };
        self.way = next;
        self.stage = match next {
            Way::Atom | Way::Search => ArchiveStage::climb(at),
            Way::Mbox => {
                let end = self.task_end().unwrap_or(self.present.oldest);
                bulk::first_mbox(at, end.min(self.now))
            }
        };
        Ok(Page::default())
    }
}
