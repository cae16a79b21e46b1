//! The mails of the queue: written by the mailing, counted, and sent by the channel.

use std::sync::Arc;

use anyhow::Context as _;
use futures_util::future::{BoxFuture, FutureExt as _};

use crate::channel::mail::{LetterWriter, NoLetter, OutgoingMail, RefusedMail};
use crate::clock::Clock;
use crate::config::Config;
use crate::mailing::{ComposedMail, EnhancedCode, MailRefusal, MailSender, Mailing, NoMail};
use crate::post::story::Content;
use crate::store::{Store, mailings, subscribers};

/// Writes mails from the database.
pub struct MailDesk {
    pub mailing: Mailing,
    pub store: Store,
    pub clock: Arc<dyn Clock>,
}

impl MailDesk {
    /// The desk of a configuration; `None` without `[mail]`.
    ///
    /// # Errors
    ///
    /// Returns an error if the system has no random bytes.
    pub fn of(
        config: &Config,
        store: &Store,
        clock: &Arc<dyn Clock>,
    ) -> anyhow::Result<Option<Arc<Self>>> {
        let Some(identity) = MailSender::of(config) else {
            return Ok(None);
        };
        Ok(Some(Arc::new(Self {
            mailing: Mailing::new(identity)?,
            store: store.clone(),
            clock: Arc::clone(clock),
        })))
    }

    async fn compose(&self, subscriber: &str, content: &Content) -> Result<OutgoingMail, NoLetter> {
        let now = self.clock.now();
        let id = number(subscriber).map_err(NoLetter::Failed)?;
        let composed = self.mailing.compose(&self.store, id, content, now).await;
        let composed = composed.map_err(|why| match why {
            NoMail::Off | NoMail::Withdrawn => NoLetter::Off,
            NoMail::Failed(error) => NoLetter::Failed(error),
        })?;
        let count = async {
            let most = self.mailing.identity().per_day_max;
            let mut tx = self.store.write().await?;
            let has_room = mailings::count_mail(&mut tx, most, now).await?;
            tx.commit().await?;
            anyhow::Ok(has_room)
        };
        match count.await.map_err(NoLetter::Failed)? {
            true => Ok(outgoing(&composed)),
            false => Err(NoLetter::Bound),
        }
    }
}

/// A mail as the channel sends it.
pub fn outgoing(mail: &ComposedMail) -> OutgoingMail {
    OutgoingMail {
        return_path: mail.return_path.to_string(),
        to: mail.to.to_string(),
        bytes: mail.bytes.clone(),
    }
}

fn number(subscriber: &str) -> anyhow::Result<i64> {
    subscriber
        .parse()
        .with_context(|| format!("\"{subscriber}\" is no subscriber's number"))
}

impl LetterWriter for MailDesk {
    fn write<'a>(
        &'a self,
        subscriber: &'a str,
        content: &'a Content,
    ) -> BoxFuture<'a, Result<OutgoingMail, NoLetter>> {
        self.compose(subscriber, content).boxed()
    }

    fn taken<'a>(&'a self, subscriber: &'a str) -> BoxFuture<'a, anyhow::Result<()>> {
        async move {
            let id = number(subscriber)?;
            let row = subscribers::subscriber(self.store.read().into(), id).await?;
            // Nearly all addresses were never refused.
            if row.is_some_and(|row| row.why.is_some()) {
                let mut tx = self.store.write().await?;
                subscribers::took_mail(&mut tx, id).await?;
                tx.commit().await?;
            }
            Ok(())
        }
        .boxed()
    }

    fn refused<'a>(
        &'a self,
        subscriber: &'a str,
        refusal: RefusedMail,
    ) -> BoxFuture<'a, anyhow::Result<()>> {
        async move {
            let id = number(subscriber)?;
            let refusal = MailRefusal {
                code: Some(refusal.code),
                enhanced: EnhancedCode::read(&refusal.said),
            };
            let mut tx = self.store.write().await?;
            let now = self.clock.now();
            let is_suspended = self.mailing.refused(&mut tx, id, refusal, now).await?;
            tx.commit().await?;
            if is_suspended {
                tracing::info!("subscriber {id} is suspended: {refusal}");
            }
            Ok(())
        }
        .boxed()
    }
}
