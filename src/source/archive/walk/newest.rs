//! The newest page: the news, and the decision how to read the mails below it.

use chrono::DateTime;

use super::{AHEAD_S, ArchiveStage, ArchiveWalk, MARGIN_S, SEARCH_LAG_S, WINDOW, bulk};
use crate::source::archive::page::means_none;
use crate::source::{Answer, Body, FetchError, KnownVersion, Page, broken};

/// An mbox is worth its request from so long ago on, by the archive's clock …
const MBOX_FROM_S: i64 = 24 * 3600;

/// … and if the previous poll was so long ago by our clock, so that the lag of search cannot hide a mail.
const MBOX_AWAY_S: i64 = 3600;

/// The fewest mails dated in the future that say something about a clock.
const AHEAD_MIN: usize = 3;

/// The times that the newest page spans.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct NewestPage {
    pub(super) oldest: i64,
    pub(super) newest: i64,
    pub(super) entries: usize,
}

impl ArchiveWalk {
    pub(super) fn read_newest(
        &mut self,
        answer: Result<Answer, FetchError>,
    ) -> Result<Page, FetchError> {
        let url = self.archive.newest_url();
        let (mut page, arrivals) = match answer {
            Err(error) if means_none(&error) => {
                if self.cursor.seen_to.is_some_and(|seen_to| seen_to > 0) {
                    return Err(broken(
                        &url,
                        "the archive is empty, though it had mails before",
                    ));
                }
                (Page::default(), Vec::new())
            }
            Err(error) => return Err(error),
            Ok(answer) if answer.body == Body::Unchanged => {
                self.cursor.newest = KnownVersion::of(&url, &answer.validators);
                self.newest_page = Some(NewestPage {
                    oldest: self.cursor.seen_to.unwrap_or_default() - MARGIN_S,
                    newest: self.cursor.newest_at,
                    entries: WINDOW,
                });
                return Ok(Page::default());
            }
            Ok(answer) => {
                let read = self.document(&answer, &url)?;
                self.cursor.newest = KnownVersion::of(&url, &answer.validators);
                read
            }
        };
        self.newest_page = Some(NewestPage {
            oldest: arrivals.iter().min().copied().unwrap_or_default(),
            newest: self.newest_of(&arrivals).unwrap_or(self.cursor.newest_at),
            entries: arrivals.len(),
        });
        page.warning = self.clock_warning(&arrivals);
        Ok(page)
    }

    /// A message for maintainers if most mails of the newest page are dated in the future.
    fn clock_warning(&self, arrivals: &[i64]) -> Option<String> {
        let ahead = arrivals.iter().filter(|&&at| at > self.now + AHEAD_S);
        let ahead = ahead.count();
        if ahead < AHEAD_MIN || ahead * 2 <= arrivals.len() {
            return None;
        }
        let latest = DateTime::from_timestamp(arrivals.iter().max().copied()?, 0)?;
        Some(format!(
            "{ahead} of the {} newest mails arrived in the future, up to {} UTC. The archive's clock is ahead, or the clock of \
             this computer is behind, or somebody sends mails with wrong dates. News is read all the same, with more requests.",
            arrivals.len(),
            latest.format("%Y-%m-%d %H:%M")
        ))
    }

    /// Decides how to go on from the newest page, once its new items are known.
    pub(super) fn after_newest(&mut self, page: NewestPage, nothing_new: bool) {
        let NewestPage {
            oldest,
            newest,
            entries,
        } = page;
        self.present = page;
        let newest_before = std::mem::replace(&mut self.cursor.newest_at, newest);
        self.cursor.polled_at = self.now;
        if self.cursor.seen_to.is_none() {
            self.cursor.looked_again_at = self.now;
            // With mails of the future alone the first poll begins at the present, and not in 1970.
            let only_future = newest == 0 && entries > 0;
            self.reach_present(if only_future { self.now } else { newest });
            if newest > 0 && entries >= WINDOW {
                self.begin_first_week(oldest);
            }
            return;
        }
        // A page with fewer entries than usual shows that the list has few mails.
        let is_short = entries < WINDOW;
        let overlaps = self
            .cursor
            .seen_to
            .is_some_and(|seen_to| oldest <= seen_to - MARGIN_S || (nothing_new && is_short));
        let from = match (self.cursor.climbed_to, self.cursor.seen_to) {
            // If the climb stopped close to the present of that time, late mails may have arrived below it since.
            (Some(climbed_to), _) => climbed_to.min(newest_before - MARGIN_S).max(0),
            (None, Some(seen_to)) if !overlaps => (seen_to - MARGIN_S).max(0),
            (None, _) => {
                self.reach_present(newest);
                return;
            }
        };
        self.cursor.climbed_to = Some(from);
        let until = oldest.min(self.now - SEARCH_LAG_S);
        // A list that was empty has few mails, and mboxes since 1970 would take too many requests.
        let is_far = from > 0 && until - from > MBOX_FROM_S;
        self.stage = if is_far && self.away_s > MBOX_AWAY_S {
            bulk::first_mbox(from, until)
        } else {
            ArchiveStage::climb(from)
        };
    }
}
