//! What stories lack: mails that others answer, and patches of series.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::fold::ChangedStory;
use crate::item::{Item, ItemData, MessageId};
use crate::store::wanted::{Lack, WantedMail};

/// A mail may reach the archive so long after its answers, and a patch after the others of its series. It is longer than the time
/// for which a thread's mails are left to the polls.
const GRACE: TimeDelta = TimeDelta::minutes(75);
/// The most mails that one transaction records.
const RECORDED_MAX: usize = 500;

/// A new mail of an archive.
pub(super) struct FreshMail {
    item: i64,
    answers: Option<MessageId>,
    at: Option<DateTime<Utc>>,
}

impl FreshMail {
    pub(super) fn of(item: i64, mail: &Item) -> Self {
        let answers = match &mail.what {
            ItemData::Message { in_reply_to, .. } => in_reply_to.clone(),
            _ => None,
        };
        Self {
            item,
            answers,
            at: mail.at,
        }
    }

    /// When it is due to ask for the mails that it lacks.
    fn due_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let at = self.at.unwrap_or(now).min(now);
        (at + GRACE).max(now)
    }
}

/// What the stories about BPF among these lack, as far as their new mails show, each with the time when it is due. Some of it may
/// be stored.
pub(super) fn lacking(
    changed: &[ChangedStory],
    fresh: &[FreshMail],
    now: DateTime<Utc>,
) -> Vec<(WantedMail, DateTime<Utc>)> {
    let fresh: HashMap<i64, &FreshMail> = fresh.iter().map(|mail| (mail.item, mail)).collect();
    let mut lacking = Vec::new();
    for changed in changed.iter().filter(|changed| changed.story.relevant) {
        let mails = changed.items.iter().filter_map(|item| fresh.get(item));
        let mut last: Option<&FreshMail> = None;
        for mail in mails {
            last = Some(mail);
            lacking.extend(mail.answers.iter().map(|id| {
                let wanted = WantedMail {
                    what: Lack::Mail,
                    message_id: id.to_string(),
                    item: mail.item,
                };
                (wanted, mail.due_at(now))
            }));
        }
        let Some(last) = last else {
            continue;
        };
        let revisions = changed.story.revisions.iter();
        let incomplete = revisions.filter(|revision| !revision.has_all_patches());
        lacking.extend(incomplete.map(|revision| {
            let wanted = WantedMail {
                what: Lack::Parts,
                message_id: revision.root.clone(),
                item: last.item,
            };
            (wanted, last.due_at(now))
        }));
    }
    lacking.truncate(RECORDED_MAX);
    lacking
}
