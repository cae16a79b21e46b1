//! Mailing-list archives: a public-inbox list's Atom, its search, and its mbox for a long way back.
//!
//! Every page is ordered by the arrival of mails at the archive, by the archive's own clock (public-inbox calls it `ts`); the
//! sender's `Date:` plays no part. The walk reads the newest page. If that page does not reach back to the mails of the last
//! poll, the walk climbs from there, oldest first, until it meets the present:
//!
//! - `new.atom?t=FROM-` returns a full page of mails since then, oldest first. If there is less than a full page, it returns
//!   the newest page, newest first: so a page in descending order is the last one.
//! - `POST ?q=rt:FROM..TO&x=m` returns one gzipped mbox with all headers. It bridges a long absence.
//! - A list that is limited to a query is climbed by search: `?q=(QUERY) AND rt:FROM..&x=A&o=-1`.
//!
//! The search index lags a minute behind the archive, so the walk asks for an mbox only if the previous poll is long past.

mod page;
mod walk;

use chrono::DateTime;
use url::Url;

use crate::item::MessageId;

pub(crate) use self::page::{GZIP_MAGIC, arrival};
pub(super) use self::page::{MboxLimits, read_mbox_within};
pub use self::walk::ArchiveWalk;
use self::walk::Way;
pub(super) use self::walk::{cursor_since, read_to};

/// Entries on the newest page of a search; the server returns up to 200.
const SEARCH_NEWEST: usize = 50;

/// A list's archive.
#[derive(Debug, Clone)]
pub struct Archive {
    base: Url,
    query: Option<String>,
}

impl Archive {
    /// The archive at `base` (`https://lore.kernel.org/bpf/`), limited to `query` if there is one.
    pub fn new(base: &Url, query: Option<&str>) -> Self {
        Self {
            base: base.clone(),
            query: query.map(str::to_owned),
        }
    }

    fn newest_url(&self) -> Url {
        match &self.query {
            None => self.below("new.atom"),
            Some(query) => self.search(query, &[("x", "A"), ("l", &SEARCH_NEWEST.to_string())]),
        }
    }

    fn climb_url(&self, at: i64, way: Way) -> Url {
        match way {
            Way::Atom => {
                let mut url = self.below("new.atom");
                let from = DateTime::from_timestamp(at, 0).unwrap_or_default();
                url.set_query(Some(&format!("t={}-", from.format("%Y%m%d%H%M%S"))));
                url
            }
            Way::Search | Way::Mbox => self.search(
                &self.narrowed(&format!("rt:{at}..")),
                &[("x", "A"), ("o", "-1")],
            ),
        }
    }

    fn same_second_url(&self, at: i64, offset: usize) -> Url {
        let order = format!("-{}", offset + 1);
        self.search(
            &self.narrowed(&format!("rt:{at}..{at}")),
            &[("x", "A"), ("o", &order)],
        )
    }

    fn mbox_url(&self, at: i64, until: i64) -> Url {
        self.search(&self.narrowed(&format!("rt:{at}..{until}")), &[("x", "m")])
    }

    fn raw_url(&self, id: &MessageId) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend([id.as_str(), "raw"]);
        }
        url
    }

    /// The mbox of the thread that a mail is in.
    pub(in crate::source) fn thread_url(&self, id: &MessageId) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend([id.as_str(), "t.mbox.gz"]);
        }
        url
    }

    fn narrowed(&self, by: &str) -> String {
        match &self.query {
            None => by.to_owned(),
            Some(query) => format!("({query}) AND {by}"),
        }
    }

    fn below(&self, name: &str) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(name);
        }
        url
    }

    fn search(&self, query: &str, more: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        url.query_pairs_mut()
            .append_pair("q", query)
            .extend_pairs(more);
        url
    }
}

/// The page on which a person reads a mail of the archive at `base`.
pub fn message_url(base: &Url, id: &str) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend([id, ""]);
    }
    url
}
