//! A simulated public-inbox, for situations that a real one cannot show in a test's time: months of mail, outages of days,
//! clocks that disagree. It answers like the real one; the `real_` tests verify that. The walk must end with every mail
//! that arrived since the seed.

use std::collections::HashSet;
use std::io::Write as _;
use std::time::Duration;

use bpfnews::config::{FeedAddresses, FeedConfig, FeedKind};
use bpfnews::item::ItemKey;
use bpfnews::source::{Answer, FetchError, Gap, Goal, Method, Request, Source, Walk};
use chrono::{DateTime, Utc};
use url::Url;

pub(crate) const START: i64 = 1_735_689_600;
pub(crate) const DAY: i64 = 86_400;
/// The delay of search, in seconds of the simulated server.
const SEARCH_LAG_S: i64 = 40;

/// A mail: its number, the archive's date, and the time when it could first be fetched.
#[derive(Clone, Copy)]
pub(crate) struct Mail {
    pub(crate) number: usize,
    pub(crate) ts: i64,
    pub(crate) visible_at: i64,
}

#[derive(Default)]
pub(crate) struct Archive {
    pub(crate) mails: Vec<Mail>,
    pub(crate) now: i64,
    /// Whether it serves mboxes.
    pub(crate) gives_mbox: bool,
    pub(crate) mboxes: usize,
    pub(crate) requests: usize,
    pub(crate) fault: Fault,
    /// A further delay of search, in seconds.
    pub(crate) search_lag_s: i64,
}

/// The fault of a front end before the archive.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    #[default]
    None,
    /// It answers with the newest page, whatever `t` says.
    IgnoresTime,
    /// It has no page but the newest.
    RefusesOld,
    /// Both, and no search.
    IgnoresTimeAndSearch,
}

impl Archive {
    fn visible(&self, lag: i64) -> Vec<Mail> {
        let mut mails: Vec<Mail> = self
            .mails
            .iter()
            .copied()
            .filter(|m| m.visible_at + lag <= self.now)
            .collect();
        mails.sort_by_key(|m| (m.ts, m.number));
        mails
    }

    /// The mails that search knows for a query by arrival.
    fn found(&self, query: &str) -> Vec<Mail> {
        let range = bounds(query);
        let mut mails = self.visible(SEARCH_LAG_S + self.search_lag_s);
        mails.retain(|mail| range.contains(&mail.ts));
        mails
    }

    fn answer(&mut self, request: &Request) -> Result<Answer, FetchError> {
        self.requests += 1;
        let pairs: Vec<(String, String)> = request.url.query_pairs().into_owned().collect();
        let get = |name: &str| {
            pairs
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, v)| v.clone())
        };
        if get("q").is_some() && self.fault == Fault::IgnoresTimeAndSearch {
            return Err(FetchError::Broken {
                why: "503 no search here".to_owned(),
            });
        }
        let time = match self.fault {
            Fault::None => get("t"),
            Fault::RefusesOld if get("t").is_some() => {
                return Err(FetchError::Missing {
                    why: "404 old pages are refused".to_owned(),
                    page: String::new(),
                });
            }
            Fault::RefusesOld | Fault::IgnoresTime | Fault::IgnoresTimeAndSearch => None,
        };
        let bytes = match (&request.method, get("q"), time) {
            (Method::Post, Some(q), _) => {
                self.mboxes += 1;
                if !self.gives_mbox {
                    return Err(FetchError::Broken {
                        why: "405".to_owned(),
                    });
                }
                let found = self.found(&q);
                if found.is_empty() {
                    return Err(none("No results found\n"));
                }
                mbox(&found)
            }
            (Method::Get, Some(q), _) => {
                let skip = get("o")
                    .and_then(|o| o.parse::<i64>().ok())
                    .map_or(0, |o| (-o - 1).max(0));
                let found = self.found(&q);
                if found.is_empty() {
                    return Err(none("<title>x - search results</title>"));
                }
                let page: Vec<Mail> = found
                    .into_iter()
                    .skip(skip.unsigned_abs() as usize)
                    .take(200)
                    .collect();
                if page.is_empty() {
                    b"</feed>".to_vec()
                } else {
                    atom(&page)
                }
            }
            (Method::Get, None, t) => {
                let all = self.visible(0);
                if all.is_empty() {
                    return Err(none("No feed found for thread\n"));
                }
                let newest = || all.iter().rev().take(25).copied().collect::<Vec<Mail>>();
                let page = match t.as_deref().and_then(|t| t.strip_suffix('-')) {
                    None => newest(),
                    Some(from) => {
                        let from = chrono::NaiveDateTime::parse_from_str(from, "%Y%m%d%H%M%S")
                            .expect("fourteen digits")
                            .and_utc()
                            .timestamp();
                        let page: Vec<Mail> = all
                            .iter()
                            .filter(|m| m.ts >= from)
                            .take(25)
                            .copied()
                            .collect();
                        if page.len() < 25 { newest() } else { page }
                    }
                };
                atom(&page)
            }
            (Method::Post, None, _) | (Method::Git(_) | Method::News(_), ..) => {
                return Err(FetchError::Broken {
                    why: "no query".to_owned(),
                });
            }
        };
        Ok(Answer::without_headers(&request.url, bytes))
    }
}

fn none(page: &str) -> FetchError {
    FetchError::Missing {
        why: "404".to_owned(),
        page: page.to_owned(),
    }
}

/// `rt:A..B`, in any place in the query.
fn bounds(query: &str) -> std::ops::RangeInclusive<i64> {
    let range = query.split("rt:").nth(1).expect("a query by arrival");
    let (from, to) = range.split_once("..").expect("a range");
    from.parse().expect("seconds")..=to.parse().unwrap_or(i64::MAX)
}

fn id(number: usize) -> String {
    format!("{number}@example.org")
}

fn atom(mails: &[Mail]) -> Vec<u8> {
    let mut text = "<feed xmlns=\"http://www.w3.org/2005/Atom\">".to_owned();
    for mail in mails {
        let at = DateTime::from_timestamp(mail.ts, 0)
            .expect("a time")
            .to_rfc3339();
        text.push_str(&format!(
            "<entry><author><name>A</name></author><title>mail {}</title><updated>{at}</updated>\
             <link href=\"http://archive.invalid/list/{}/\"/></entry>",
            mail.number,
            id(mail.number)
        ));
    }
    text.push_str("</feed>");
    text.into_bytes()
}

fn mbox(mails: &[Mail]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for mail in mails.iter().rev() {
        let at = DateTime::from_timestamp(mail.ts, 0)
            .expect("a time")
            .to_rfc2822();
        write!(
            packed,
            "From mboxrd@z Thu Jan  1 00:00:00 1970\nReceived: from a by b; {at}\nMessage-ID: <{}>\nSubject: mail {}\n\nbody\n\n",
            id(mail.number),
            mail.number
        )
        .expect("memory takes it");
    }
    packed.finish().expect("memory takes it")
}

/// A reader of the archive: its stored mails, and its cursor.
pub(crate) struct Reader {
    source: Source,
    cursor: Option<String>,
    pub(crate) stored: HashSet<ItemKey>,
    /// The recorded gaps.
    pub(crate) gaps: Vec<Gap>,
    pub(crate) warnings: usize,
}

impl Reader {
    pub(crate) fn new() -> Self {
        let source = Source::open(&FeedConfig {
            name: "list".to_owned(),
            url: Url::parse("http://archive.invalid/list/").expect("a URL"),
            bpf_only: false,
            addresses: FeedAddresses::default(),
            new_max: FeedConfig::NEW_MAX,
            poll_gap: Duration::from_secs(300),
            kind: FeedKind::Archive { query: None },
        });
        Self {
            source,
            cursor: None,
            stored: HashSet::new(),
            gaps: Vec::new(),
            warnings: 0,
        }
    }

    pub(crate) fn edit_cursor(&mut self, edit: impl FnOnce(&mut serde_json::Value)) {
        let cursor = self.cursor.as_deref().expect("it was polled");
        let mut cursor = serde_json::from_str(cursor).expect("JSON");
        edit(&mut cursor);
        self.cursor = Some(cursor.to_string());
    }

    pub(crate) fn take_cursor(&mut self) -> Option<String> {
        self.cursor.take()
    }

    pub(crate) fn put_cursor(&mut self, cursor: Option<String>) {
        self.cursor = cursor;
    }

    /// One poll or backfill. If `killed_at` is set, it is killed before the commit of that answer. Returns whether it was
    /// cut short.
    pub(crate) fn walk(
        &mut self,
        archive: &mut Archive,
        goal: Goal,
        killed_at: Option<usize>,
    ) -> bool {
        let now = DateTime::<Utc>::from_timestamp(archive.now, 0).expect("a time");
        let mut walk: Walk = self
            .source
            .begin(self.cursor.as_deref(), goal, now)
            .expect("archives can be walked");
        for turn in 0..10_000 {
            let Some(request) = walk.next() else {
                return walk.is_cut_short();
            };
            let page = walk
                .read(archive.answer(&request))
                .expect("the simulated archive does not fail");
            if killed_at == Some(turn) {
                return true;
            }
            let fresh: HashSet<ItemKey> = page
                .items
                .iter()
                .map(bpfnews::item::Item::key)
                .filter(|key| !self.stored.contains(key))
                .collect();
            self.warnings += usize::from(page.warning.is_some());
            for gap in walk.learn(&fresh, &fresh) {
                note_gap(&mut self.gaps, gap);
            }
            self.stored.extend(fresh);
            self.cursor = Some(walk.cursor());
        }
        panic!("a walk without end");
    }
}

/// Keeps gaps like the database does.
pub(crate) fn note_gap(gaps: &mut Vec<Gap>, gap: Gap) {
    if gap.is_healed {
        gaps.retain(|old| old.from_at < gap.from_at || old.to_at > gap.to_at);
    } else if !gaps.contains(&gap) {
        gaps.push(gap);
    }
}

/// `per_day` mails on each of `days` days: most in order, some late, some dated ahead, some many in one second.
fn traffic(random: &mut fastrand::Rng, days: i64, per_day: i64) -> Vec<Mail> {
    let mut mails = Vec::new();
    let mut at = START;
    while at < START + days * DAY {
        at += random.i64(1..=2 * DAY / per_day);
        let burst = if random.u32(0..200) == 0 {
            random.usize(2..70)
        } else {
            1
        };
        for _ in 0..burst {
            let ts = match random.u32(0..1_000) {
                0 => at + random.i64(0..3 * DAY),
                1..=30 => at - random.i64(0..900),
                _ => at,
            };
            // A mail that is not late for its own date is visible at once.
            let visible_at = at.max(if ts > at { at } else { ts });
            mails.push(Mail {
                number: mails.len(),
                ts,
                visible_at,
            });
        }
    }
    mails
}

pub(crate) fn missing(archive: &Archive, reader: &Reader, since: i64) -> Vec<usize> {
    archive
        .mails
        .iter()
        .filter(|mail| mail.visible_at > since && mail.visible_at <= archive.now)
        .filter(|mail| {
            let key = ItemKey::message(
                &bpfnews::item::MessageId::parse(&id(mail.number)).expect("an id"),
            );
            !reader.stored.contains(&key)
        })
        .map(|mail| mail.number)
        .collect()
}

#[test]
fn months_of_mail_with_outages_and_kills_are_all_there() {
    let (mut mboxes, mut polls, mut outages) = (0, 0, 0);
    let seeds = if std::env::var_os("BPFNEWS_LONG").is_some() {
        0..200
    } else {
        4..16
    };
    let archives = seeds.clone().count();
    for seed in seeds {
        let mut random = fastrand::Rng::with_seed(seed);
        let per_day = [20, 300, 3_000][random.usize(0..3)];
        let mails = traffic(&mut random, 12, per_day);
        let mut archive = Archive {
            mails,
            now: START + DAY,
            gives_mbox: random.u32(0..4) > 0,
            ..Archive::default()
        };
        let mut reader = Reader::new();
        reader.walk(&mut archive, Goal::Poll, None);
        // The mbox of the first poll does not count as a long way back.
        archive.mboxes = 0;
        while archive.now < START + 11 * DAY {
            let outage = random.u32(0..60) == 0;
            outages += usize::from(outage);
            archive.now += if outage {
                random.i64(DAY / 4..4 * DAY)
            } else {
                300
            };
            let killed_at = (random.u32(0..10) == 0).then(|| random.usize(0..6));
            reader.walk(&mut archive, Goal::Poll, killed_at);
            polls += 1;
        }
        for _ in 0..2_000 {
            archive.now += 10;
            if !reader.walk(&mut archive, Goal::Poll, None) {
                break;
            }
        }
        let missing = missing(&archive, &reader, START + DAY);
        assert!(
            missing.is_empty(),
            "seed {seed}, {per_day} a day: {} missing, such as {:?}",
            missing.len(),
            &missing[..missing.len().min(5)]
        );
        mboxes += archive.mboxes;
    }
    assert!(
        mboxes >= archives && outages >= archives,
        "the long way back was not tried: {archives} archives, {polls} polls, {mboxes} mboxes, {outages} outages"
    );
}

/// Threads and series of the last days are complete from the start, with a few requests.
#[test]
fn the_first_poll_reads_the_last_week() {
    for (gives_mbox, most) in [(true, 6), (false, 30)] {
        let mail = |number: usize| {
            let ts = START + 1_200 * number as i64;
            Mail {
                number,
                ts,
                visible_at: ts,
            }
        };
        let mut archive = Archive {
            mails: (0..720).map(mail).collect(),
            now: START + 10 * DAY,
            gives_mbox,
            ..Archive::default()
        };
        let mut reader = Reader::new();
        let is_cut_short = reader.walk(&mut archive, Goal::Poll, None);
        assert!(!is_cut_short);
        assert_eq!(missing(&archive, &reader, START + 3 * DAY), [0; 0]);
        let week = 7 * DAY / 1_200;
        let stored = i64::try_from(reader.stored.len()).expect("few");
        assert!((week..week + 30).contains(&stored), "{stored} mails");
        assert!(archive.requests <= most, "{} requests", archive.requests);
        assert!(reader.gaps.is_empty() && reader.warnings == 0);
        // The next poll is a usual one.
        let before = archive.requests;
        archive.now += 1_500;
        assert!(!reader.walk(&mut archive, Goal::Poll, None));
        assert_eq!(archive.requests, before + 1);
        assert_eq!(missing(&archive, &reader, START + 3 * DAY), [0; 0]);
    }
    // A list with less than a page has nothing more.
    let mail = |number: usize| Mail {
        number,
        ts: START,
        visible_at: START,
    };
    let mut archive = Archive {
        mails: (0..20).map(mail).collect(),
        now: START + DAY,
        gives_mbox: true,
        ..Archive::default()
    };
    Reader::new().walk(&mut archive, Goal::Poll, None);
    assert_eq!(archive.requests, 1);
}

#[test]
fn a_backfill_that_is_killed_again_and_again_is_complete() {
    for seed in 0..20 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mails = traffic(&mut random, 200, 30);
        let now = START + 201 * DAY;
        let gives_mbox = seed % 3 > 0;
        let mut archive = Archive {
            mails,
            now,
            gives_mbox,
            ..Archive::default()
        };
        let mut reader = Reader::new();
        let since = DateTime::from_timestamp(START, 0).expect("a time");
        for _ in 0..5 {
            reader.walk(
                &mut archive,
                Goal::Backfill { since },
                Some(random.usize(0..20)),
            );
        }
        assert!(!reader.walk(&mut archive, Goal::Backfill { since }, None));
        let missing = missing(&archive, &reader, 0);
        assert!(
            missing.is_empty(),
            "seed {seed}: {} missing, such as {:?}",
            missing.len(),
            missing.first()
        );
        assert!(
            !gives_mbox || archive.requests < 80,
            "politely: {} requests",
            archive.requests
        );
    }
}
