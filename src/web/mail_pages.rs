//! What the pages need to sign people up for mail.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::TimeDelta;

use crate::mailing::Mailing;
use crate::rate::RateLimit;

/// Sign-ups that one client may send at once, and the interval between two after that. Many people may share an address.
const BURST: i32 = 10;
pub(super) const EVERY: TimeDelta = TimeDelta::minutes(5);

/// The mailing, and the limits of clients.
#[derive(Clone)]
pub struct MailPages {
    pub(super) mailing: Mailing,
    pub(super) clients: Arc<RateLimit<IpAddr>>,
    /// Wakes the loops, because a mail is due.
    pub(super) wake: Arc<dyn Fn() + Send + Sync>,
}

impl MailPages {
    /// `wake` is called when a mail is due.
    pub fn new(mailing: Mailing, wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self {
            mailing,
            clients: Arc::new(RateLimit::new(BURST)),
            wake,
        }
    }
}
