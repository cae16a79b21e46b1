//! The site, as handlers get it.

use std::ops::Deref;
use std::sync::Arc;

use tokio::sync::{Mutex, Semaphore};

use super::mail_pages::MailPages;
use crate::clock::Clock;
use crate::filter::Subsystems;
use crate::store::Store;
use crate::store::stories::day_of;
use crate::story::numbers::SeriesNumbers;

/// The site and its public address.
#[derive(Clone)]
pub struct Site {
    pub store: Store,
    pub clock: Arc<dyn Clock>,
    /// The name of the newsletter.
    pub name: String,
    /// The public address; ends with a slash.
    pub home: String,
    /// The subsystems that filters in searches may name.
    pub subsystems: Subsystems,
    /// The pages on which people sign up for mail; `None` if no mail is sent.
    pub mail: Option<MailPages>,
}

impl Site {
    /// Days since 1970.
    pub(super) fn today(&self) -> i64 {
        day_of(self.clock.now())
    }
}

/// The data behind the pages.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) site: Arc<Site>,
    pub(super) seats: Arc<Semaphore>,
    /// The numbers that were counted last.
    pub(super) numbers: Arc<Mutex<Option<Arc<SeriesNumbers>>>>,
}

impl Deref for Served {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}
