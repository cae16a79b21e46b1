//! One thread of an archive, of which a story here lacks mails.
//!
//! The walk keeps only mails that belong to the thread (`belonging`). It asks the addresses of the feed that work, the best way
//! first:
//!
//! - Pages: `MESSAGE-ID/t.mbox.gz` is the whole thread in one request.
//! - Newsgroup: the missing mails by their Message-IDs, then those that these answer, and at last the mails around the first one
//!   that belong to them, such as the other patches of a series.
//! - Git has no way to find a mail by its Message-ID.

mod belonging;
mod news;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use self::belonging::{id_of, of_thread};
use self::news::NewsThreadStage;
use super::archive::{Archive, MboxLimits, read_mbox_within};
use super::newsgroup::Newsgroup;
use super::ways::ThreadWay;
use super::{Answer, Body, FetchError, Page, Request, broken};
use crate::item::{Item, MessageId};

/// How much of the mbox of one thread is read.
const LIMITS: MboxLimits = MboxLimits {
    unpacked_bytes: 64 << 20,
    mails: 2_000,
    mails_bytes: 32 << 20,
};
/// The most mails that are stored of one thread.
const KEPT_MAX: usize = 500;
/// Younger mails are left to the polls, which tell them as news: one address of an archive may lag behind another.
const RECENT_S: i64 = 3_600;

/// A thread, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadQuestion {
    /// A stored mail of it.
    pub mail: MessageId,
    /// The mails that are missing, as far as their Message-IDs are known.
    pub missing: Vec<MessageId>,
    /// The stored mails of its story.
    pub known: HashSet<MessageId>,
}

#[derive(Debug, Clone)]
enum ThreadStage {
    Mbox(Archive),
    News(Newsgroup, NewsThreadStage),
    Over,
}

/// A walk through one thread.
#[derive(Debug, Clone)]
pub struct ThreadWalk {
    question: Arc<ThreadQuestion>,
    /// The ways that were not tried yet.
    left: VecDeque<ThreadWay>,
    stage: ThreadStage,
    errors: Vec<FetchError>,
    /// Mails that came by NNTP.
    found: Vec<Item>,
    /// The mails that the archive showed of the thread, stored ones included.
    shown: HashSet<MessageId>,
    is_whole: bool,
    /// Whether the connection broke before all was asked for.
    is_cut: bool,
    now: i64,
}

impl ThreadWalk {
    /// A walk by the first of these ways that works; there is at least one.
    pub(super) fn new(
        question: Arc<ThreadQuestion>,
        ways: Vec<ThreadWay>,
        now: DateTime<Utc>,
    ) -> Self {
        let mut walk = Self {
            question,
            left: ways.into(),
            stage: ThreadStage::Over,
            errors: Vec::new(),
            found: Vec::new(),
            shown: HashSet::new(),
            is_whole: true,
            is_cut: false,
            now: now.timestamp(),
        };
        walk.take_next();
        walk
    }

    /// Whether the archive showed this mail as part of the thread. If it did not, it does not have it there.
    pub fn has_shown(&self, id: &str) -> bool {
        MessageId::parse(id).is_some_and(|id| self.shown.contains(&id))
    }

    /// Whether something of the thread was not asked for. Then the archive may have what did not come.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Whether all mails of the thread fitted into the limits.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    fn take_next(&mut self) -> bool {
        self.stage = match self.left.pop_front() {
            Some(ThreadWay::Pages(archive)) => ThreadStage::Mbox(archive),
            Some(ThreadWay::News(group)) => {
                let stage = NewsThreadStage::begin(&self.question);
                ThreadStage::News(group, stage)
            }
            None => ThreadStage::Over,
        };
        !matches!(self.stage, ThreadStage::Over)
    }

    pub(super) fn next(&mut self) -> Option<Request> {
        match &self.stage {
            ThreadStage::Mbox(archive) => {
                Some(Request::thread(archive.thread_url(&self.question.mail)))
            }
            ThreadStage::News(group, stage) => Some(group.request(stage.ask())),
            ThreadStage::Over => None,
        }
    }

    pub(super) fn is_cut_short(&self) -> bool {
        !matches!(self.stage, ThreadStage::Over)
    }

    pub(super) fn read(&mut self, answer: Result<Answer, FetchError>) -> Result<Page, FetchError> {
        let read = match self.stage.clone() {
            ThreadStage::Mbox(_) => self.read_mbox(answer),
            ThreadStage::News(group, stage) => self.read_news(answer, group, stage),
            ThreadStage::Over => Ok(Page::default()),
        };
        match read {
            Err(error) => self.leave(error),
            read => read,
        }
    }

    /// Goes on with the next way after an error.
    fn leave(&mut self, error: FetchError) -> Result<Page, FetchError> {
        self.errors.push(error);
        self.found.clear();
        self.shown.clear();
        self.is_whole = true;
        match self.take_next() {
            true => Ok(interim()),
            false => {
                // An error that may pass counts more than one that stays.
                let mut errors = std::mem::take(&mut self.errors);
                errors.sort_by_key(|error| {
                    matches!(
                        error,
                        FetchError::Missing { .. }
                            | FetchError::Gone { .. }
                            | FetchError::TooBig { .. }
                            | FetchError::Broken { .. }
                    )
                });
                Err(FetchError::of_all(errors))
            }
        }
    }

    fn read_mbox(&mut self, answer: Result<Answer, FetchError>) -> Result<Page, FetchError> {
        let answer = answer?;
        let Body::Bytes { bytes, .. } = &answer.body else {
            return Err(broken(&answer.url, "an answer without a body"));
        };
        let read = read_mbox_within(bytes, LIMITS);
        let (page, is_whole) = read.map_err(|error| broken(&answer.url, error))?;
        self.is_whole = is_whole;
        self.shown = page.items.iter().filter_map(id_of).cloned().collect();
        if is_whole && !self.shown.contains(&self.question.mail) {
            let why = format!("the thread of {} is without that mail", self.question.mail);
            return Err(broken(&answer.url, why));
        }
        self.stage = ThreadStage::Over;
        Ok(self.kept(page))
    }

    /// The mails of a page that belong to the thread and are not stored.
    fn kept(&self, mut page: Page) -> Page {
        let (question, latest) = (&self.question, self.now - RECENT_S);
        page.items = of_thread(page.items, question);
        page.items.retain(|item| {
            let is_stored = id_of(item).is_none_or(|id| question.known.contains(id));
            !is_stored && item.at.is_some_and(|at| at.timestamp() <= latest)
        });
        if page.items.len() > KEPT_MAX {
            let is_missing =
                |item: &Item| id_of(item).is_some_and(|id| question.missing.contains(id));
            page.items.sort_by_key(|item| !is_missing(item));
            page.items.truncate(KEPT_MAX);
        }
        page
    }
}

fn interim() -> Page {
    Page {
        is_interim: true,
        ..Page::default()
    }
}

#[cfg(test)]
mod tests;
