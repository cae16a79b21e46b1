//! The site, as handlers get it.

use std::ops::Deref;
use std::sync::{Arc, PoisonError};

use tokio::sync::{Mutex, Semaphore};

use super::mail_pages::MailPages;
use super::subsystem_files::SubsystemFiles;
use crate::clock::Clock;
use crate::filter::Subsystems;
use crate::live::Live;
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
    /// The subsystems for lists and filters, if no configuration is running beside the pages.
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

/// The numbers that were counted last.
#[derive(Debug, Default)]
pub(super) struct CountedNumbers {
    shown: std::sync::Mutex<Option<Arc<SeriesNumbers>>>,
    /// Held by the caller that counts.
    pub(super) turn: Mutex<()>,
}

impl CountedNumbers {
    pub(super) fn shown(&self) -> Option<Arc<SeriesNumbers>> {
        let shown = self.shown.lock();
        shown.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn show(&self, numbers: Arc<SeriesNumbers>) {
        let shown = self.shown.lock();
        *shown.unwrap_or_else(PoisonError::into_inner) = Some(numbers);
    }
}

/// The data behind the pages.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) site: Arc<Site>,
    pub(super) seats: Arc<Semaphore>,
    pub(super) numbers: Arc<CountedNumbers>,
    pub(super) subsystem_files: Arc<Mutex<SubsystemFiles>>,
    /// The running configuration. It may change.
    pub(super) live: Option<Arc<Live>>,
}

impl Served {
    /// The subsystems of the present configuration. They are empty if it names no MAINTAINERS file.
    pub(super) fn subsystems(&self) -> Subsystems {
        match &self.live {
            Some(live) => live.now().ingest.subsystems(),
            None => self.site.subsystems.clone(),
        }
    }
}

impl Deref for Served {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}
