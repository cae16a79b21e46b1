//! A simulated repository with merges, as cgit or GitHub serves it.

use std::collections::{HashMap, HashSet};

use bpfnews::config::{FeedAddresses, FeedConfig, FeedKind, TreeRole};
use bpfnews::item::{Item, ItemKey};
use bpfnews::source::{
    Answer, Body, FetchError, Gap, Goal, Method, Request, Source, Validators, Walk,
};
use chrono::{DateTime, Utc};
use url::Url;

use crate::sim::note_gap;

/// A front end between the walk and the server: it may replace the server's answer to a request.
type FrontEnd<'a> =
    dyn FnMut(&Request, Result<Answer, FetchError>) -> Result<Answer, FetchError> + 'a;

pub(crate) const START: i64 = 1_735_689_600;

pub(crate) struct Commit {
    parents: Vec<usize>,
    at: i64,
}

/// Commits are numbered from 0; a branch ends at `tip`.
pub(crate) struct Repository {
    commits: Vec<Commit>,
    pub(crate) tip: usize,
    pub(crate) requests: Vec<String>,
}

pub(crate) fn hash(number: usize) -> String {
    format!("{number:08x}{number:032x}")
}

fn number(hash: &str) -> Option<usize> {
    usize::from_str_radix(hash.get(..8)?, 16).ok()
}

impl Repository {
    pub(crate) fn new() -> Self {
        let commits = vec![Commit {
            parents: Vec::new(),
            at: START,
        }];
        Self {
            commits,
            tip: 0,
            requests: Vec::new(),
        }
    }

    /// Adds a commit an hour after the last one; returns its number.
    pub(crate) fn commit(&mut self, parents: &[usize]) -> usize {
        let at = self.commits.last().map_or(START, |last| last.at) + 3600;
        self.commit_at(parents, at)
    }

    pub(crate) fn commit_at(&mut self, parents: &[usize], at: i64) -> usize {
        self.commits.push(Commit {
            parents: parents.to_vec(),
            at,
        });
        self.commits.len() - 1
    }

    /// Adds a line to the branch.
    pub(crate) fn push(&mut self, many: usize) {
        for _ in 0..many {
            self.tip = self.commit(&[self.tip]);
        }
    }

    /// Merges a side branch of so many commits, which begins at `base` and is older than the commits on the branch.
    pub(crate) fn merge(&mut self, base: usize, many: usize) {
        let mut side = base;
        for place in 0..many {
            let at = self.commits[base].at + 60 * i64::try_from(place + 1).expect("few");
            side = self.commit_at(&[side], at);
        }
        let now = self.commits[self.tip].at + 3600;
        self.tip = self.commit_at(&[self.tip, side], now);
    }

    pub(crate) fn now(&self) -> i64 {
        self.commits[self.tip].at + 60
    }

    fn reachable(&self, from: usize) -> HashSet<usize> {
        let (mut seen, mut open) = (HashSet::new(), vec![from]);
        while let Some(number) = open.pop() {
            if seen.insert(number) {
                open.extend(&self.commits[number].parents);
            }
        }
        seen
    }

    /// `from..to`, the newest first, as `git rev-list` lists them.
    pub(crate) fn range(&self, from: Option<usize>, to: usize) -> Vec<usize> {
        let without = from.map(|from| self.reachable(from)).unwrap_or_default();
        let mut range: Vec<usize> = self
            .reachable(to)
            .into_iter()
            .filter(|number| !without.contains(number))
            .collect();
        range.sort_by_key(|&number| std::cmp::Reverse((self.commits[number].at, number)));
        range
    }

    fn title(&self, number: usize) -> String {
        match self.commits[number].parents.len() {
            0 | 1 => format!("bpf: change {number}"),
            _ => format!("Merge branch 'topic-{number}'"),
        }
    }

    fn date(&self, number: usize) -> DateTime<Utc> {
        DateTime::from_timestamp(self.commits[number].at, 0).expect("a time")
    }

    /// The correct answer.
    pub(crate) fn answer(&mut self, request: &Request) -> Result<Answer, FetchError> {
        let url = &request.url;
        self.requests.push(url.to_string());
        let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
        let path = url.path().trim_start_matches("/o/r/");
        let missing = || {
            Err(FetchError::Missing {
                why: format!("{url} answers 404"),
                page: String::new(),
            })
        };
        let body = if let Some(revision) = path.strip_prefix("commits/") {
            let revision = revision.trim_end_matches(".atom");
            let Some(at) = self.revision(revision) else {
                return missing();
            };
            self.atom(at, 20)
        } else if let Some(merge) = path.strip_prefix("commit/") {
            let Some(merge) = number(merge.trim_end_matches(".patch")) else {
                return missing();
            };
            self.patches(merge)
        } else if path.starts_with("atom/") {
            let Some(at) = self.revision(&query["h"]) else {
                return missing();
            };
            self.atom(at, 10)
        } else if path.starts_with("log/") {
            let (from, to) = match query["q"].split_once("..") {
                Some((from, to)) => (number(from), number(to)),
                None => (None, number(&query["q"])),
            };
            let offset = query.get("ofs").map_or(0, |ofs| ofs.parse().expect("ofs"));
            self.log(from, to.expect("a hash"), offset)
        } else {
            return missing();
        };
        Ok(good(url, body))
    }

    fn revision(&self, revision: &str) -> Option<usize> {
        match revision {
            "master" => Some(self.tip),
            hash => number(hash).filter(|&number| number < self.commits.len()),
        }
    }

    fn atom(&self, at: usize, many: usize) -> String {
        let mut text = "<feed xmlns='http://www.w3.org/2005/Atom'>".to_owned();
        for number in self.range(None, at).into_iter().take(many) {
            text.push_str(&format!(
                "<entry><title>{}</title><updated>{}</updated><author><name>A</name></author>\
                 <link href='http://x.invalid/commit/?id={}'/></entry>",
                self.title(number),
                self.date(number).to_rfc3339(),
                hash(number)
            ));
        }
        text.push_str("</feed>");
        text
    }

    fn log(&self, from: Option<usize>, to: usize, offset: usize) -> String {
        let range = self.range(from, to);
        let mut text = "<!DOCTYPE html>\n<html><body><div id='cgit'><table class='list nowrap'>\
            <tr class='nohover'><th>Age</th></tr>"
            .to_owned();
        for &number in range.iter().skip(offset).take(50) {
            text.push_str(&format!(
                "<tr><td><span title='{}'>x</span></td><td><a href='/c/?id={}'>{}</a></td><td>A</td></tr>\n",
                self.date(number).format("%Y-%m-%d %H:%M:%S +0000"),
                hash(number),
                self.title(number)
            ));
        }
        text.push_str("</table><ul class='pager'>");
        if range.len() > offset + 50 {
            text.push_str("<li><a href='x'>[next]</a></li>");
        }
        text.push_str("</ul></div></body></html>");
        text
    }

    /// The commits of a merge, as `git format-patch` writes them.
    fn patches(&self, merge: usize) -> String {
        let parents = &self.commits[merge].parents;
        let mut text = String::new();
        for number in self.range(parents.first().copied(), merge).iter().rev() {
            if self.commits[*number].parents.len() < 2 {
                text.push_str(&format!(
                    "From {} Mon Sep 17 00:00:00 2001\nFrom: A <a@x>\nSubject: [PATCH] x\n\ny\n---\n",
                    hash(*number)
                ));
            }
        }
        text
    }
}

pub(crate) fn good(url: &Url, body: impl Into<Vec<u8>>) -> Answer {
    Answer {
        url: url.clone(),
        moved_to: None,
        body: Body::Bytes {
            bytes: body.into(),
            charset: None,
        },
        validators: Validators::default(),
        fresh_for: None,
    }
}

/// A reader of the branch.
pub(crate) struct Reader {
    source: Source,
    cursor: Option<String>,
    stored: HashSet<ItemKey>,
    pub(crate) gaps: Vec<Gap>,
}

impl Reader {
    pub(crate) fn new(is_github: bool) -> Self {
        let host = if is_github { "github.com" } else { "x.invalid" };
        let source = Source::open(&FeedConfig {
            name: "tree".to_owned(),
            url: Url::parse(&format!("http://{host}/o/r/")).expect("a URL"),
            bpf_only: false,
            addresses: FeedAddresses::default(),
            new_max: FeedConfig::NEW_MAX,
            poll_gap: std::time::Duration::from_secs(900),
            kind: FeedKind::Tree {
                branch: "master".to_owned(),
                paths: Vec::new(),
                role: TreeRole::Topic,
            },
        });
        Self {
            source,
            cursor: None,
            stored: HashSet::new(),
            gaps: Vec::new(),
        }
    }

    /// One poll through a proxy; returns whether it was cut short, or the error that ended it.
    pub(crate) fn poll(
        &mut self,
        repository: &mut Repository,
        now: i64,
        proxy: &mut FrontEnd<'_>,
    ) -> Result<bool, FetchError> {
        self.walk(repository, Goal::Poll, now, proxy)
    }

    pub(crate) fn walk(
        &mut self,
        repository: &mut Repository,
        goal: Goal,
        now: i64,
        proxy: &mut FrontEnd<'_>,
    ) -> Result<bool, FetchError> {
        let now = DateTime::<Utc>::from_timestamp(now, 0).expect("a time");
        let cursor = self.cursor.clone().filter(|_| goal == Goal::Poll);
        let mut walk: Walk = self
            .source
            .begin(cursor.as_deref(), goal, now)
            .expect("trees can be walked");
        for _ in 0..10_000 {
            let Some(request) = walk.next() else {
                return Ok(walk.is_cut_short());
            };
            assert_eq!(request.method, Method::Get);
            let honest = repository.answer(&request);
            let page = walk.read(proxy(&request, honest))?;
            let fresh: HashSet<ItemKey> = page
                .items
                .iter()
                .map(Item::key)
                .filter(|key| !self.stored.contains(key))
                .collect();
            for gap in walk.learn(&fresh, &fresh) {
                note_gap(&mut self.gaps, gap);
            }
            self.stored.extend(fresh);
            if goal == Goal::Poll {
                self.cursor = Some(walk.cursor());
            }
        }
        panic!("a walk without end");
    }

    /// The commits of `from..tip` that are not stored.
    pub(crate) fn lost(&self, repository: &Repository, from: usize) -> Vec<usize> {
        let is_stored = |number: &usize| {
            let hash = bpfnews::item::CommitHash::parse(&hash(*number)).expect("a hash");
            self.stored.contains(&ItemKey::commit(&hash))
        };
        let range = repository.range(Some(from), repository.tip);
        range.into_iter().filter(|n| !is_stored(n)).collect()
    }
}
