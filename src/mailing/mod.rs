//! Mail to people: they sign up and confirm, get issues, and leave. This room decides who gets a mail, and writes it; the channel
//! `mail` sends it.
//!
//! An address is personal data. It is in one table, it is erased when its person leaves, and no log has it.

mod bounce;
mod compose;
mod news;
mod queue;
mod sign_up;
mod token;

use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use url::Url;

pub use self::bounce::{Bounce, BounceKind, EnhancedCode, MailRefusal, read_bounce};
use self::compose::RenderedIssue;
pub use self::compose::{ComposedMail, NoMail, test_mail};
pub use self::queue::CONFIRM_MARK;
pub use self::sign_up::{Confirmed, SignUp};
use crate::config::Config;
pub use crate::config::MailAddress;

/// How long a link to confirm is good. After that, the address is erased.
pub const CONFIRM_WITHIN: TimeDelta = TimeDelta::hours(48);

/// The sender and the list, as mails name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailSender {
    pub from: MailAddress,
    pub name: String,
    /// The address for bounces, which gets a token for each subscriber.
    pub bounces: Option<MailAddress>,
    pub list_id: String,
    /// The name of the newsletter.
    pub newsletter: String,
    /// The public address of the pages; ends with a slash.
    pub home: String,
    pub per_day_max: u32,
}

impl MailSender {
    /// The identity of a configuration; `None` without `[mail]`.
    pub fn of(config: &Config) -> Option<Self> {
        let mail = config.mail.as_ref()?;
        let newsletter = config.issue.name.clone();
        Some(Self {
            from: mail.from.clone(),
            name: mail.name.clone().unwrap_or_else(|| newsletter.clone()),
            bounces: mail.bounces.clone(),
            list_id: mail.list_id(),
            newsletter,
            home: config.home()?.to_owned(),
            per_day_max: mail.per_day_max,
        })
    }

    /// Where a person signs up.
    pub fn sign_up_page(&self) -> String {
        format!("{}mail", self.home)
    }

    /// The page at which a form may be filled in.
    pub fn origin(&self) -> Option<url::Origin> {
        Some(Url::parse(&self.home).ok()?.origin())
    }
}

/// Mail to people, for the pages, the commands and the delivery.
#[derive(Debug, Clone)]
pub struct Mailing {
    identity: Arc<MailSender>,
    /// The key of the form's stamps.
    form_key: [u8; token::SECRET_BYTES],
    /// The issue that is being sent, rendered once for all.
    rendered: Arc<Mutex<Option<Arc<RenderedIssue>>>>,
}

impl Mailing {
    /// # Errors
    ///
    /// Returns an error if the system has no random bytes.
    pub fn new(identity: MailSender) -> anyhow::Result<Self> {
        Ok(Self {
            identity: Arc::new(identity),
            form_key: token::new_secret()?,
            rendered: Arc::default(),
        })
    }

    pub fn identity(&self) -> &MailSender {
        &self.identity
    }
}
