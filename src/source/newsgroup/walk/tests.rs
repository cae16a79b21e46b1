//! Walks over a group in memory.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::super::super::Method;
use super::super::NUMBER_MAX;
use super::super::frame::FrameWriter;
use super::*;

const START: i64 = 1_735_689_600;

/// A group in memory: the Message-ID and the arrival of each article.
#[derive(Default)]
struct Group {
    articles: BTreeMap<u64, (String, i64)>,
    /// Listed, and not sent.
    held_back: BTreeSet<u64>,
    /// Sent, and not listed.
    unlisted: BTreeSet<u64>,
    /// An article that makes the answer break off.
    stuck: Option<u64>,
    high: Option<u64>,
}

impl Group {
    fn with(count: u64) -> Self {
        let mut group = Self::default();
        group.let_in(count);
        group
    }

    fn let_in(&mut self, count: u64) {
        let next = self.articles.keys().last().map_or(1, |last| last + 1);
        for number in next..next + count {
            let at = START + 60 * i64::try_from(number).expect("a small number");
            self.articles.insert(number, (format!("{number}@x"), at));
        }
    }

    fn high(&self) -> u64 {
        let last = self.articles.keys().last().copied();
        self.high.or(last).unwrap_or(0)
    }

    fn answer(&self, request: &Request) -> Result<Answer, FetchError> {
        let Method::News(news) = &request.method else {
            panic!("a question to a news server");
        };
        let mut frame = FrameWriter::default();
        let is_done = match news.ask {
            NewsQuestion::Group => {
                let low = self.articles.keys().next().copied().unwrap_or(0);
                frame.group(low, self.high());
                true
            }
            NewsQuestion::Articles {
                first,
                last,
                most,
                anchor,
            } => {
                if let Some(anchor) = anchor {
                    let id = self.articles.get(&anchor).map(|(id, _)| id.as_str());
                    frame.anchor(anchor, id);
                }
                self.articles(first, last, most, false, &mut frame)
            }
            NewsQuestion::Newest { first, last, most } => {
                self.articles(first, last, most, true, &mut frame)
            }
            NewsQuestion::Heads { first, last, most } => {
                self.articles(first, last, most, false, &mut frame)
            }
            NewsQuestion::ById(_) | NewsQuestion::Around { .. } => {
                panic!("a poll does not ask for threads")
            }
        };
        let broke = || FetchError::Later {
            after: None,
            why: "the connection broke off".to_owned(),
        };
        let bytes = match is_done {
            true => frame.whole(),
            false => frame.so_far().ok_or_else(broke)?,
        };
        Ok(Answer::without_headers(&request.url, bytes))
    }

    /// Writes articles; returns whether all came.
    fn articles(
        &self,
        first: u64,
        last: u64,
        most: usize,
        is_newest: bool,
        frame: &mut FrameWriter,
    ) -> bool {
        let there = self.articles.range(first..=last).map(|(number, _)| *number);
        let listed: Vec<u64> = there.filter(|n| !self.unlisted.contains(n)).collect();
        let surplus = listed.len().saturating_sub(most);
        let (chosen, first, last) = match surplus {
            0 => (&listed[..], first, last),
            _ if is_newest => (&listed[surplus..], listed[surplus], last),
            _ => (&listed[..most], first, listed[most - 1]),
        };
        frame.covers(first, last, chosen);
        for number in chosen {
            if self.stuck == Some(*number) {
                return false;
            }
            let (id, at) = &self.articles[number];
            let date = DateTime::from_timestamp(*at, 0)
                .expect("a time")
                .to_rfc2822();
            let mail = format!("Message-ID: <{id}>\nSubject: {number}\nDate: {date}\n\nbody\n");
            match self.held_back.contains(number) {
                true => frame.absent(*number),
                false => frame.article(*number, mail.as_bytes()),
            }
        }
        true
    }
}

/// A reader of the group, as the poll loop is one.
struct Reader {
    group: Newsgroup,
    cursor: Option<String>,
    stored: BTreeSet<String>,
    gaps: Vec<Gap>,
    warnings: Vec<String>,
    requests: usize,
    now: DateTime<Utc>,
}

impl Reader {
    fn new() -> Self {
        let url = "nntp://news.invalid/a.list".parse().expect("a URL");
        Self {
            group: Newsgroup::new(&url, None),
            cursor: None,
            stored: BTreeSet::new(),
            gaps: Vec::new(),
            warnings: Vec::new(),
            requests: 0,
            now: DateTime::from_timestamp(START + 900 * 86_400, 0).expect("a time"),
        }
    }

    fn wait(&mut self, hours: i64) {
        self.now += TimeDelta::hours(hours);
    }

    /// One poll; returns whether it was cut short, or the error that ended it.
    fn poll(&mut self, server: &Group) -> Result<bool, FetchError> {
        self.walk(server, Goal::Poll)
    }

    fn walk(&mut self, server: &Group, goal: Goal) -> Result<bool, FetchError> {
        self.requests = 0;
        let mut walk = self.group.begin(self.cursor.as_deref(), goal, self.now);
        while let Some(request) = walk.next() {
            self.requests += 1;
            assert!(self.requests < 500, "a walk ends");
            let page = walk.read(server.answer(&request))?;
            if page.is_interim {
                continue;
            }
            self.warnings.extend(page.warning);
            let mut new_here = HashSet::new();
            for item in &page.items {
                if self.stored.insert(item.key().to_string()) {
                    new_here.insert(item.key());
                }
            }
            for gap in walk.learn(&new_here) {
                match gap.is_healed {
                    true => self
                        .gaps
                        .retain(|known| known.from_at < gap.from_at || known.to_at > gap.to_at),
                    false => self.gaps.push(gap),
                }
            }
            self.cursor = Some(walk.cursor());
        }
        Ok(walk.is_cut_short())
    }

    fn poll_to_the_end(&mut self, server: &Group) {
        for _ in 0..100 {
            if !self.poll(server).expect("an answer") {
                return;
            }
        }
        panic!("polls do not come to an end");
    }

    #[track_caller]
    fn check_holds(&self, server: &Group, numbers: impl Iterator<Item = u64>) {
        let missing: Vec<u64> = numbers
            .filter(|number| {
                let (id, _) = &server.articles[number];
                !self.stored.contains(&format!("message:{id}"))
            })
            .collect();
        assert!(missing.is_empty(), "missing: {missing:?}");
    }
}

#[test]
fn the_first_poll_reads_the_newest_and_later_polls_read_the_news() {
    let (mut server, mut reader) = (Group::with(400), Reader::new());
    assert_eq!(reader.poll(&server), Ok(false));
    assert_eq!(reader.stored.len(), 25);
    reader.check_holds(&server, 376..=400);
    assert_eq!(reader.poll(&server), Ok(false));
    assert_eq!(reader.requests, 1, "a poll without news is one request");

    server.let_in(1_000);
    reader.poll_to_the_end(&server);
    assert_eq!(reader.requests, 21, "pages of fifty");
    reader.check_holds(&server, 376..=1_400);
    assert!(reader.gaps.is_empty(), "{:?}", reader.gaps);
    let checked = completeness(reader.cursor.as_deref().expect("it polled"));
    let wanted = "articles 401 to 1400: 1000 listed, 1000 stored, 0 absent";
    assert_eq!(checked.as_deref(), Some(wanted));

    server.let_in(3_000);
    assert_eq!(reader.poll(&server), Ok(true), "a poll is bounded");
    reader.poll_to_the_end(&server);
    reader.check_holds(&server, 376..=4_400);
}

#[test]
fn an_empty_group_is_well_and_its_first_article_is_read() {
    let (mut server, mut reader) = (Group::default(), Reader::new());
    assert_eq!(reader.poll(&server), Ok(false));
    assert_eq!(reader.poll(&server), Ok(false));
    server.let_in(1);
    reader.poll_to_the_end(&server);
    reader.check_holds(&server, 1..=1);
}

#[test]
fn expired_numbers_are_no_gap_and_late_ones_are_read() {
    let (mut server, mut reader) = (Group::with(50), Reader::new());
    reader.poll_to_the_end(&server);
    server.let_in(100);
    for number in 60..70 {
        server.articles.remove(&number);
    }
    server.unlisted = BTreeSet::from([75, 76]);
    reader.poll_to_the_end(&server);
    assert!(reader.gaps.is_empty(), "{:?}", reader.gaps);
    let others = (51..=150).filter(|number| !(60..70).contains(number));
    let others: Vec<u64> = others
        .filter(|number| !(75..=76).contains(number))
        .collect();
    reader.check_holds(&server, others.into_iter());
    assert!(!reader.stored.contains("message:75@x"));

    server.unlisted.clear();
    reader.poll_to_the_end(&server);
    assert_eq!(reader.requests, 1, "not at once");
    for _ in 0..4 {
        reader.wait(2);
        reader.poll_to_the_end(&server);
    }
    reader.check_holds(&server, 75..=76);
    reader.wait(72);
    reader.poll_to_the_end(&server);
    assert_eq!(reader.requests, 1, "expired numbers are forgotten");
}

#[test]
fn a_listed_article_that_does_not_come_is_a_gap_until_it_does() {
    let (mut server, mut reader) = (Group::with(50), Reader::new());
    reader.poll_to_the_end(&server);
    server.let_in(30);
    server.held_back = BTreeSet::from([60, 61]);
    reader.poll_to_the_end(&server);
    assert_eq!(reader.gaps.len(), 1);
    let why = "of articles 51 to 80 the news server lists 30 and sends 28";
    assert_eq!(reader.gaps[0].why, why);
    reader.wait(2);
    reader.poll_to_the_end(&server);
    assert_eq!((reader.gaps.len(), reader.requests), (1, 2));
    server.held_back.clear();
    reader.wait(2);
    reader.poll_to_the_end(&server);
    reader.check_holds(&server, 51..=80);
    assert!(reader.gaps.is_empty(), "{:?}", reader.gaps);
}

#[test]
fn an_article_that_never_comes_in_full_holds_up_nothing() {
    let (mut server, mut reader) = (Group::with(50), Reader::new());
    reader.poll_to_the_end(&server);
    server.let_in(100);
    server.stuck = Some(77);
    reader.poll_to_the_end(&server);
    reader.check_holds(&server, (51..=150).filter(|number| *number != 77));
    assert_eq!(reader.gaps.len(), 1);
    assert!(
        reader.gaps[0].why.contains("article 77"),
        "{:?}",
        reader.gaps
    );
    server.stuck = None;
    reader.wait(2);
    reader.poll_to_the_end(&server);
    reader.check_holds(&server, 51..=150);
    assert!(reader.gaps.is_empty(), "{:?}", reader.gaps);
}

#[test]
fn a_group_that_was_made_anew_is_read_by_time() {
    // It has passed the old number already, or it has not.
    for before in [100, 3_000] {
        let (mut server, mut reader) = (Group::with(before), Reader::new());
        reader.poll_to_the_end(&server);
        let seed = reader.stored.clone();
        // The same mails by other numbers, without the first twenty, and new ones behind them.
        let ids: Vec<_> = server.articles.into_values().skip(20).collect();
        let many = ids.len() as u64;
        server.articles = (1..).zip(ids).collect();
        for number in many + 1..=many + if before == 100 { 500 } else { 5 } {
            let at = START + 60 * i64::try_from(before + number).expect("small");
            server
                .articles
                .insert(number, (format!("new-{number}@x"), at));
        }
        reader.poll_to_the_end(&server);
        reader.check_holds(&server, many + 1..=server.high());
        assert!(seed.is_subset(&reader.stored));
        assert_eq!(reader.warnings.len(), 1, "{:?}", reader.warnings);
        assert!(reader.requests < 40, "{}", reader.requests);
        server
            .articles
            .insert(server.high() + 1, ("z@x".to_owned(), START));
        reader.poll_to_the_end(&server);
        reader.check_holds(&server, server.high()..=server.high());
    }
}

#[test]
fn a_purge_of_the_last_articles_changes_nothing() {
    let (mut server, mut reader) = (Group::with(100), Reader::new());
    reader.poll_to_the_end(&server);
    server.articles.remove(&100);
    server.articles.remove(&99);
    reader.poll_to_the_end(&server);
    assert_eq!(reader.requests, 2, "the last article is looked at");
    reader.poll_to_the_end(&server);
    assert_eq!(reader.requests, 1, "once");
    server.articles.insert(101, ("101@x".to_owned(), START));
    reader.poll_to_the_end(&server);
    reader.check_holds(&server, 101..=101);
    assert!(reader.warnings.is_empty() && reader.gaps.is_empty());
}

#[test]
fn articles_that_expired_unread_are_a_gap() {
    let (mut server, mut reader) = (Group::with(100), Reader::new());
    reader.poll_to_the_end(&server);
    server.let_in(100);
    server.articles.retain(|number, _| *number > 150);
    reader.poll_to_the_end(&server);
    assert_eq!(reader.gaps.len(), 1);
    assert_eq!(
        reader.gaps[0].why,
        "articles 101 to 150 expired before they were read"
    );
    reader.check_holds(&server, 151..=200);
}

#[test]
fn numbers_that_lie_take_few_requests() {
    let (mut server, mut reader) = (Group::with(100), Reader::new());
    reader.poll_to_the_end(&server);
    server.high = Some(NUMBER_MAX);
    reader.poll_to_the_end(&server);
    assert!(reader.requests < 40, "{}", reader.requests);
    let cursor = reader.cursor.clone().expect("it polled");
    assert!(cursor.len() < 2_000, "{cursor}");
    server.high = Some(0);
    assert!(reader.poll(&server).is_err());
    assert!(
        reader
            .group
            .begin(Some(&cursor), Goal::Poll, reader.now)
            .next()
            .is_some()
    );
}

#[test]
fn a_backfill_reads_all_since_a_moment() {
    let (server, mut reader) = (Group::with(2_000), Reader::new());
    let since = DateTime::from_timestamp(START + 60 * 500, 0).expect("a time");
    assert_eq!(reader.walk(&server, Goal::Backfill { since }), Ok(false));
    reader.check_holds(&server, 500..=2_000);
    assert_eq!(reader.stored.len(), 1_501);
    assert_eq!(reader.walk(&server, Goal::Backfill { since }), Ok(false));
    assert_eq!(
        reader.stored.len(),
        1_501,
        "the same command reads the same again"
    );
    assert!(reader.gaps.is_empty() && reader.warnings.is_empty());
}

#[test]
fn a_cursor_since_a_moment_reads_all_from_there_on() {
    let (server, mut reader) = (Group::with(2_000), Reader::new());
    let at = START + 60 * 1_500;
    reader.cursor = Some(reader.group.cursor_since(at));
    assert_eq!(read_to(&reader.group.cursor_since(at)), Some(at - MARGIN_S));
    reader.poll_to_the_end(&server);
    reader.check_holds(&server, 1_400..=2_000);
    assert!(reader.stored.len() < 1_000, "{}", reader.stored.len());
}

#[test]
fn an_answer_that_is_no_frame_is_an_error() {
    let reader = Reader::new();
    let mut walk = reader.group.begin(None, Goal::Poll, reader.now);
    let request = walk.next().expect("a request");
    let answer = Answer::without_headers(&request.url, b"<html>\n".to_vec());
    assert!(matches!(
        walk.read(Ok(answer)),
        Err(FetchError::Broken { .. })
    ));
}
