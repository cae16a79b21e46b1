//! Queueing mails. An issue is queued in pages, so that the queue stays short with any number of subscribers. A delivery names
//! the issue and the subscriber, and the mail is written when it is sent.

use chrono::{DateTime, TimeDelta, Utc};

use super::{CONFIRM_WITHIN, Mailing};
use crate::issue::{post, title};
use crate::post::story::Content;
use crate::store::recipients::{self, AskedIn, NewMessage, RecipientRow};
use crate::store::{Store, Tx, mailings, subscribers};

/// The mark of a mail that asks a person to confirm.
pub const CONFIRM_MARK: &str = "mail-confirm";

/// The platform of subscribers.
const MAIL: &str = "mail";
/// Deliveries that are queued at once.
const PAGE: i64 = 200;
/// A page is queued when the queue is shorter than this.
const QUEUE_MIN: i64 = 50;
/// An issue that could not be queued in this time is too old to be sent.
const ISSUE_FOR: TimeDelta = TimeDelta::days(14);
/// How long a settled delivery of a mail is kept.
const SETTLED_FOR: TimeDelta = TimeDelta::days(30);
/// The most subscribers who are erased in one transaction.
const ERASED_AT_ONCE: i64 = 500;

impl Mailing {
    /// Does all due work: erases sign-ups that nobody confirmed, queues the next page of an issue, and removes old deliveries.
    ///
    /// # Errors
    ///
    /// Returns an error if the database fails.
    pub async fn pass(&self, store: &Store, now: DateTime<Utc>) -> anyhow::Result<()> {
        let expired = now - CONFIRM_WITHIN;
        if subscribers::has_expired(store.read(), expired).await? {
            let mut tx = store.write().await?;
            for id in subscribers::expired(&mut tx, expired, ERASED_AT_ONCE).await? {
                self.erase(&mut tx, id, now).await?;
            }
            tx.commit().await?;
        }
        let settled = now - SETTLED_FOR;
        if mailings::has_settled(store.read(), settled).await? {
            let mut tx = store.write().await?;
            mailings::drop_settled(&mut tx, settled).await?;
            tx.commit().await?;
        }
        self.queue_page(store, now).await
    }

    /// Queues the next page of the oldest issue that is not queued to the end, if the queue is nearly empty.
    async fn queue_page(&self, store: &Store, now: DateTime<Utc>) -> anyhow::Result<()> {
        let Some(mailing) = mailings::open_mailing(store.read()).await? else {
            return Ok(());
        };
        if mailings::count_queued(store.read()).await? >= QUEUE_MIN {
            return Ok(());
        }
        let mut tx = store.write().await?;
        let age = now.timestamp() - mailing.begun_at;
        let next = match age > ISSUE_FOR.num_seconds() {
            true => Vec::new(),
            false => mailings::next_subscribers(&mut tx, mailing, PAGE).await?,
        };
        let number = u32::try_from(mailing.issue)?;
        let content = Content::Notice {
            title: title(&self.identity.newsletter, number),
            text: String::new(),
            mark: post::mark(number),
        };
        for &id in &next {
            queue(&mut tx, id, &content, now).await?;
        }
        match next.last() {
            Some(&last) => mailings::queued_to(&mut tx, mailing.issue, last).await?,
            None => mailings::end_mailing(&mut tx, mailing.issue, now).await?,
        }
        tx.commit().await?;
        Ok(())
    }

    /// Queues the mail with the link to confirm.
    pub(super) async fn queue_confirmation(
        &self,
        tx: &mut Tx,
        id: i64,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let content = Content::Notice {
            title: format!("Confirm: {} by mail?", self.identity.newsletter),
            text: String::new(),
            mark: CONFIRM_MARK.to_owned(),
        };
        queue(tx, id, &content, now).await
    }

    /// Removes everything about a subscriber.
    ///
    /// # Errors
    ///
    /// Returns an error if the database fails.
    pub async fn erase(&self, tx: &mut Tx, id: i64, now: DateTime<Utc>) -> anyhow::Result<()> {
        // First overwrite the address in place.
        self.remove(tx, id, now).await?;
        subscribers::erase(tx, id).await
    }

    /// Erases the recipient of a subscriber, with its deliveries and follows.
    pub(super) async fn erase_recipient(&self, tx: &mut Tx, id: i64) -> anyhow::Result<()> {
        if let Some(row) = recipients::recipient(tx, MAIL, &id.to_string()).await? {
            recipients::erase_recipient(tx, row.id).await?;
        }
        Ok(())
    }
}

async fn queue(tx: &mut Tx, id: i64, content: &Content, now: DateTime<Utc>) -> anyhow::Result<()> {
    let channel = recipients::personal_channel(tx, MAIL, now).await?;
    let RecipientRow { id: recipient, .. } = recipient(tx, id, now).await?;
    let new = NewMessage {
        channel: channel.id,
        recipient,
        content,
        room: None,
        post: None,
        due_at: now,
    };
    recipients::queue_message(tx, &new).await?;
    Ok(())
}

/// The recipient of a subscriber. Its address is the subscriber's number, so that only one table has addresses of people.
async fn recipient(tx: &mut Tx, id: i64, now: DateTime<Utc>) -> anyhow::Result<RecipientRow> {
    recipients::add_recipient(tx, MAIL, &id.to_string(), AskedIn::default(), now).await
}
