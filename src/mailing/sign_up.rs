//! Signing up, confirming and leaving. Only a link from a mail, and then a button, turns mail on.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::token::{Purpose, Token, code, is_code, new_secret};
use super::{CONFIRM_WITHIN, Mailing};
use crate::config::MailAddress;
use crate::store::Tx;
use crate::store::subscribers::{self, AskResult, NewSubscriber, SubscriberRow, SubscriberState};

/// How long a form may stay open, in seconds.
const FORM_MAX_S: i64 = 6 * 3_600;
/// A program fills in a form faster, in seconds.
const FORM_MIN_S: i64 = 1;

/// The result of a sign-up. Only its person and the operator may know: the pages show one answer for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignUp {
    /// A mail with a link is queued.
    Asked,
    /// The address gets mail already.
    Known,
    /// The address got several such mails lately.
    TooMany,
}

/// The result of a link to confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmed {
    Yes,
    /// The link is too old, was replaced, or is not ours.
    Stale,
}

impl Mailing {
    /// Stores a sign-up, and queues the mail with the link to confirm.
    ///
    /// # Errors
    ///
    /// Returns an error if the database fails.
    pub async fn ask(
        &self,
        tx: &mut Tx,
        address: &MailAddress,
        now: DateTime<Utc>,
    ) -> anyhow::Result<SignUp> {
        let (shown, folded) = (address.to_string(), address.folded());
        let secret = new_secret()?;
        let new = NewSubscriber {
            address: &shown,
            folded: &folded,
            secret: &secret,
        };
        Ok(match subscribers::ask(tx, new, now).await? {
            AskResult::Confirm(id) => {
                self.queue_confirmation(tx, id, now).await?;
                SignUp::Asked
            }
            AskResult::Known => SignUp::Known,
            AskResult::TooMany => SignUp::TooMany,
        })
    }

    /// Turns mail on by the token of a link.
    ///
    /// # Errors
    ///
    /// Returns an error if the database fails.
    pub async fn confirm(
        &self,
        tx: &mut Tx,
        token: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Confirmed> {
        let Some((token, row)) = owner(tx, token, Purpose::Confirm).await? else {
            return Ok(Confirmed::Stale);
        };
        let age = now.timestamp() - token.at;
        let is_fresh = (0..=CONFIRM_WITHIN.num_seconds()).contains(&age);
        match row.state {
            SubscriberState::On => Ok(Confirmed::Yes),
            // A suspended address signed up again after it was suspended.
            SubscriberState::Suspended if token.at < row.changed_at => Ok(Confirmed::Stale),
            SubscriberState::Asked | SubscriberState::Suspended if is_fresh => {
                subscribers::confirm(tx, row.id, now).await?;
                Ok(Confirmed::Yes)
            }
            SubscriberState::Asked | SubscriberState::Suspended | SubscriberState::Off => {
                Ok(Confirmed::Stale)
            }
        }
    }

    /// Turns mail off by the token of a link, and erases the address. Returns `false` if the link is not ours. A link may be
    /// used again.
    ///
    /// # Errors
    ///
    /// Returns an error if the database fails.
    pub async fn leave(
        &self,
        tx: &mut Tx,
        token: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let Some((_, row)) = owner(tx, token, Purpose::Leave).await? else {
            return Ok(false);
        };
        self.remove(tx, row.id, now).await?;
        Ok(true)
    }

    /// Turns mail off for a subscriber, and erases the address.
    ///
    /// # Errors
    ///
    /// Returns an error if the database fails.
    pub async fn remove(&self, tx: &mut Tx, id: i64, now: DateTime<Utc>) -> anyhow::Result<()> {
        subscribers::leave(tx, id, now).await?;
        self.erase_recipient(tx, id).await
    }

    /// The subscriber of a bounced mail, by the address that it came back to.
    ///
    /// # Errors
    ///
    /// Returns an error if the database fails.
    pub async fn bounced(&self, tx: &mut Tx, returned_to: &str) -> anyhow::Result<Option<i64>> {
        let Some((local, domain)) = returned_to.rsplit_once('@') else {
            return Ok(None);
        };
        let is_ours = self.identity.bounces.as_ref().is_some_and(|bounces| {
            let base = local.split_once('+').map(|(base, _)| base);
            bounces.domain().eq_ignore_ascii_case(domain)
                && base.is_some_and(|base| base.eq_ignore_ascii_case(bounces.local()))
        });
        let Some((_, token)) = local.split_once('+').filter(|_| is_ours) else {
            return Ok(None);
        };
        let found = owner(tx, token, Purpose::Bounce).await?;
        Ok(found.map(|(_, row)| row.id))
    }

    /// The link with which a subscriber confirms.
    pub(super) fn confirm_link(&self, row: &SubscriberRow) -> String {
        let token = Token::write(&row.secret, Purpose::Confirm, row.id, row.asked_at);
        format!("{}mail/confirm/{token}", self.identity.home)
    }

    /// The link with which a subscriber leaves.
    pub(super) fn leave_link(&self, row: &SubscriberRow) -> String {
        let token = Token::write(&row.secret, Purpose::Leave, row.id, 0);
        format!("{}mail/leave/{token}", self.identity.home)
    }

    /// The address that a subscriber's mails come back to.
    pub(super) fn return_path(&self, row: &SubscriberRow) -> Option<MailAddress> {
        let Some(bounces) = &self.identity.bounces else {
            return Some(self.identity.from.clone());
        };
        let token = Token::write(&row.secret, Purpose::Bounce, row.id, 0);
        MailAddress::read(&format!("{}+{token}@{}", bounces.local(), bounces.domain()))
    }

    /// A stamp for a form that is shown now.
    pub fn form_stamp(&self, now: DateTime<Utc>) -> String {
        let at = now.timestamp().to_string();
        format!("{at}-{}", code(&self.form_key, Purpose::Form, &at))
    }

    /// Whether a form has our stamp, and was open for a time that a person needs.
    pub fn is_stamped(&self, stamp: &str, now: DateTime<Utc>) -> bool {
        let Some((at, given)) = stamp.split_once('-') else {
            return false;
        };
        let age = at
            .parse::<i64>()
            .ok()
            .map(|at| now.timestamp().saturating_sub(at));
        is_code(&self.form_key, Purpose::Form, at, given)
            && age.is_some_and(|age| (FORM_MIN_S..=FORM_MAX_S).contains(&age))
    }
}

/// The token and its subscriber, if the code is right.
async fn owner(
    tx: &mut Tx,
    text: &str,
    purpose: Purpose,
) -> anyhow::Result<Option<(Token, SubscriberRow)>> {
    let Some(token) = Token::read(text) else {
        return Ok(None);
    };
    let row = subscribers::subscriber(tx.into(), token.subscriber)
        .await
        .context("looking for the owner of a link")?;
    Ok(row
        .filter(|row| token.is_good(&row.secret, purpose))
        .map(|row| (token, row)))
}
