//! A thread by NNTP.

use std::collections::HashSet;

use super::belonging::{LinkedMail, above, belonging, id_of};
use super::{ThreadQuestion, ThreadStage, ThreadWalk, interim};
use crate::item::{Item, MessageId};
use crate::source::newsgroup::Newsgroup;
use crate::source::newsgroup::frame::{self, FoundArticle, NearArticle, NewsAnswer};
use crate::source::{Answer, Body, FetchError, NewsQuestion, Page, broken, mail};

/// The most articles of one question.
const IDS_MAX: usize = 30;
/// The most questions for the mails above those that came.
const ROUNDS_MAX: u32 = 5;
/// The most mails of a thread by NNTP.
const MAILS_MAX: usize = 120;
/// The mails of a series have numbers near each other.
const NEAR: u64 = 150;

#[derive(Debug, Clone)]
pub(super) enum NewsThreadStage {
    /// Mails that others answer, `round` steps above those that are stored.
    Above { ids: Vec<MessageId>, round: u32 },
    /// The articles around one.
    Around(MessageId),
    /// Other mails of the thread.
    Rest(Vec<MessageId>),
}

impl NewsThreadStage {
    pub(super) fn begin(question: &ThreadQuestion) -> Self {
        let ids = question.missing.iter().take(IDS_MAX).cloned();
        let ids: Vec<MessageId> = ids.collect();
        match ids.is_empty() {
            true => Self::Around(question.mail.clone()),
            false => Self::Above { ids, round: 1 },
        }
    }

    pub(super) fn ask(&self) -> NewsQuestion {
        match self {
            Self::Above { ids, .. } => NewsQuestion::ById(ids.clone()),
            Self::Around(id) => NewsQuestion::Around {
                id: id.clone(),
                within: NEAR,
            },
            Self::Rest(ids) => NewsQuestion::ById(ids.iter().take(IDS_MAX).cloned().collect()),
        }
    }
}

impl ThreadWalk {
    pub(super) fn read_news(
        &mut self,
        answer: Result<Answer, FetchError>,
        group: Newsgroup,
        stage: NewsThreadStage,
    ) -> Result<Page, FetchError> {
        let answer = match answer {
            // The mails that came are stored; the others are asked for another time.
            Err(_) if !self.found.is_empty() => {
                self.is_cut = true;
                return Ok(self.end_news());
            }
            answer => answer?,
        };
        let wrong = || broken(&answer.url, "an answer that is no news server's");
        let Body::Bytes { bytes, .. } = &answer.body else {
            return Err(wrong());
        };
        let next = match (frame::read(bytes).ok_or_else(wrong)?, stage) {
            (NewsAnswer::Articles(page), NewsThreadStage::Above { ids, round }) => {
                self.take(&page.articles);
                Some(self.after_above(&ids, round))
            }
            (NewsAnswer::Around(near), NewsThreadStage::Around(_)) => self.after_around(&near),
            (NewsAnswer::Articles(page), NewsThreadStage::Rest(mut ids)) => {
                self.take(&page.articles);
                ids.drain(..ids.len().min(IDS_MAX));
                (!ids.is_empty()).then_some(NewsThreadStage::Rest(ids))
            }
            _ => return Err(wrong()),
        };
        match next {
            Some(next) => {
                self.stage = ThreadStage::News(group, next);
                Ok(interim())
            }
            None => Ok(self.end_news()),
        }
    }

    fn take(&mut self, articles: &[(u64, FoundArticle<'_>)]) {
        for (_, found) in articles {
            if let FoundArticle::Mail(bytes) = found
                && let Ok(item) = mail::message(bytes, None)
                && let Some(id) = id_of(&item)
            {
                self.shown.insert(id.clone());
                if !self.found.iter().any(|other| id_of(other) == Some(id)) {
                    self.found.push(item);
                }
            }
        }
    }

    /// After mails that others answer: those that they answer in turn, or the articles around the uppermost one.
    fn after_above(&self, asked: &[MessageId], round: u32) -> NewsThreadStage {
        let known = &self.question.known;
        let is_new =
            |id: &MessageId| !known.contains(id) && !self.shown.contains(id) && !asked.contains(id);
        let mut ids: Vec<MessageId> = self.found.iter().flat_map(above).filter(is_new).collect();
        ids.sort();
        ids.dedup();
        ids.truncate(IDS_MAX);
        let may_ask = round < ROUNDS_MAX && self.found.len() < MAILS_MAX;
        if !ids.is_empty() && may_ask {
            let round = round + 1;
            return NewsThreadStage::Above { ids, round };
        }
        let has_none_above = |item: &&Item| above(item).is_empty();
        let first = self.found.iter().find(has_none_above);
        let first = first.or(self.found.last()).and_then(id_of);
        NewsThreadStage::Around(first.unwrap_or(&self.question.mail).clone())
    }

    /// After the overview: the mails of the thread that are neither stored nor here.
    fn after_around(&mut self, near: &[NearArticle<'_>]) -> Option<NewsThreadStage> {
        let here = self.found.iter();
        let here = here.filter_map(|item| Some((id_of(item)?.clone(), above(item))));
        let listed = near.iter().filter_map(|article| {
            let above = article.references.iter();
            let above = above.filter_map(|id| MessageId::parse(id));
            Some((MessageId::parse(article.id)?, above.collect()))
        });
        let mails: Vec<LinkedMail> = here.chain(listed).collect();
        let belonging = belonging(&mails, &self.question);
        let mut wanted = Vec::new();
        let mut met = HashSet::new();
        for (place, (id, _)) in mails.iter().enumerate() {
            let is_here = self.question.known.contains(id) || self.shown.contains(id);
            if belonging.contains(&place) && met.insert(id) && !is_here {
                wanted.push(id.clone());
            }
        }
        self.is_whole = wanted.len() <= MAILS_MAX;
        wanted.truncate(MAILS_MAX);
        self.shown.extend(
            near.iter()
                .filter_map(|article| MessageId::parse(article.id)),
        );
        (!wanted.is_empty()).then_some(NewsThreadStage::Rest(wanted))
    }

    fn end_news(&mut self) -> Page {
        self.is_cut |= self.question.missing.len() > IDS_MAX;
        self.stage = ThreadStage::Over;
        let items = std::mem::take(&mut self.found);
        self.kept(Page {
            items,
            ..Page::default()
        })
    }
}
