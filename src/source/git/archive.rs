//! An archive that is read by git. A public-inbox keeps its mails in numbered repositories, the epochs: each commit adds one
//! mail, in the order of arrival, and a new epoch begins when one is large.
//!
//! Where the archive is served by HTTP, its manifest says in one request whether anything moved. The cursor is an epoch and a
//! commit of it. If a purge rewrote an epoch, the mails of the last days are read again; the store knows those that it has.

mod between;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use url::Url;

use super::archive_cursor::GitArchiveCursor;
use super::epochs::{EPOCH_MAX, epoch_url, read_manifest};
use super::{CURSOR_WORD, records};
use crate::config::as_http;
use crate::item::CommitHash;
use crate::source::question::{GitQuestion, MailHead, MailRange};
use crate::source::{Answer, Body, FetchError, Gap, Goal, Method, Page, Request, broken, mail};

/// Mails of one page.
const PAGE_MAILS: usize = 200;
/// Mails that the first poll stores.
const SEED_MAILS: usize = 25;
/// Questions of one poll; the next poll goes on.
const QUESTIONS_PER_POLL_MAX: u32 = 40;
/// A new epoch begins with mails that came after those of the last one, but for so long.
const EPOCH_MARGIN_S: i64 = 2 * 86_400;
/// A manifest may be out of step with its repositories, so the tip is asked for at least so often.
const TIP_EACH_S: i64 = 6 * 3600;

/// A list's archive.
#[derive(Debug, Clone)]
pub struct GitArchive {
    base: Url,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum GitArchiveStage {
    Manifest,
    /// Without a manifest: whether this epoch exists, to find the newest one.
    Probe(u32),
    /// The tip of the cursor's epoch.
    Tip,
    /// Without a manifest: whether the next epoch exists by now.
    Next,
    /// Mails of the cursor's epoch up to this commit.
    Mails(CommitHash),
    Over,
}

/// A poll or backfill of an archive in progress.
#[derive(Debug, Clone)]
pub struct GitArchiveWalk {
    archive: GitArchive,
    cursor: GitArchiveCursor,
    goal: Goal,
    now: i64,
    stage: GitArchiveStage,
    questions_left: u32,
    /// The epochs of the manifest; empty without one.
    epochs: BTreeMap<u32, String>,
    /// The tip of the last epoch that a probe found.
    probed: Option<CommitHash>,
    page: Option<MailHead>,
    begun_at: Option<i64>,
    /// The date of the oldest mail of the last page, in unix seconds.
    oldest_at: Option<i64>,
    /// Mails that no epoch has any more.
    lost: Option<Gap>,
}

impl GitArchive {
    /// The archive at `base`: `git+https://lore.kernel.org/bpf/`.
    pub fn new(base: &Url) -> Self {
        Self { base: base.clone() }
    }

    /// The manifest, where the archive is served by HTTP.
    fn manifest_url(&self) -> Option<Url> {
        if self.base.scheme() == "git" {
            return None;
        }
        let mut url = as_http(&self.base)?;
        url.path_segments_mut()
            .ok()?
            .pop_if_empty()
            .push("manifest.js.gz");
        Some(url)
    }

    pub(in crate::source) fn begin(
        &self,
        cursor: Option<&str>,
        goal: Goal,
        now: DateTime<Utc>,
    ) -> GitArchiveWalk {
        let mut cursor: GitArchiveCursor = cursor
            .and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default();
        if let Goal::Backfill { since } = goal
            && cursor.since != Some(since.timestamp())
        {
            cursor = GitArchiveCursor {
                since: Some(since.timestamp()),
                ..GitArchiveCursor::default()
            };
        }
        if goal == Goal::Poll && !cursor.is_placed && cursor.tip_at > 0 {
            cursor.handover = Some(cursor.tip_at);
        }
        CURSOR_WORD.clone_into(&mut cursor.by);
        let stage = match self.manifest_url() {
            _ if cursor.is_done => GitArchiveStage::Over,
            Some(_) => GitArchiveStage::Manifest,
            None if cursor.is_placed => GitArchiveStage::Tip,
            None => GitArchiveStage::Probe(0),
        };
        GitArchiveWalk {
            archive: self.clone(),
            cursor,
            goal,
            now: now.timestamp(),
            stage,
            questions_left: match goal {
                Goal::Poll => QUESTIONS_PER_POLL_MAX,
                Goal::Backfill { .. } => u32::MAX,
            },
            epochs: BTreeMap::new(),
            probed: None,
            page: None,
            begun_at: None,
            oldest_at: None,
            lost: None,
        }
    }
}

impl GitArchiveWalk {
    pub(in crate::source) fn next(&mut self) -> Option<Request> {
        if self.questions_left == 0 {
            return None;
        }
        let epoch = epoch_url(&self.archive.base, self.cursor.epoch);
        let tip = GitQuestion::Tip { branch: None };
        let request = match &self.stage {
            GitArchiveStage::Manifest => {
                // Without validators: a manifest's date has whole seconds, in which more mails may come.
                Request::bulk(self.archive.manifest_url()?, Method::Get)
            }
            GitArchiveStage::Probe(number) => {
                Request::git(epoch_url(&self.archive.base, *number), tip)
            }
            GitArchiveStage::Tip => Request::git(epoch, tip),
            GitArchiveStage::Next => {
                Request::git(epoch_url(&self.archive.base, self.cursor.epoch + 1), tip)
            }
            GitArchiveStage::Mails(to) => {
                Request::git(epoch, GitQuestion::Mails(self.range(to.clone())))
            }
            GitArchiveStage::Over => return None,
        };
        self.questions_left -= 1;
        Some(request)
    }

    fn range(&self, to: CommitHash) -> MailRange {
        let cursor = &self.cursor;
        let since = match self.goal {
            Goal::Backfill { since } => Some(since.timestamp()),
            Goal::Poll if cursor.tip.is_some() => Some(cursor.tip_at),
            Goal::Poll => Some(cursor.tip_at - EPOCH_MARGIN_S),
        };
        let is_seed = self.is_seed();
        MailRange {
            to,
            from: cursor.tip.clone(),
            since: since.filter(|_| !is_seed),
            newest: is_seed.then_some(SEED_MAILS),
            count: PAGE_MAILS,
        }
    }

    /// Whether this is the first poll, and no other address has read the list before.
    fn is_seed(&self) -> bool {
        self.goal == Goal::Poll && !self.cursor.is_placed && self.cursor.tip_at == 0
    }

    pub(in crate::source) fn read(
        &mut self,
        answer: Result<Answer, FetchError>,
    ) -> Result<Page, FetchError> {
        match self.stage.clone() {
            GitArchiveStage::Manifest => self.read_manifest(answer)?,
            GitArchiveStage::Probe(number) => self.read_probe(answer, number)?,
            GitArchiveStage::Tip => match answer {
                Err(FetchError::Missing { .. }) if self.is_going_back() => self.miss_epoch(),
                answer => self.read_tip(&answer?)?,
            },
            GitArchiveStage::Next => self.read_next(answer)?,
            GitArchiveStage::Mails(_) => return self.read_mails(&answer?),
            GitArchiveStage::Over => {}
        }
        Ok(Page {
            is_interim: self.stage != GitArchiveStage::Over,
            ..Page::default()
        })
    }

    fn read_manifest(&mut self, answer: Result<Answer, FetchError>) -> Result<(), FetchError> {
        let unknown = match self.cursor.is_placed {
            true => GitArchiveStage::Tip,
            false => GitArchiveStage::Probe(0),
        };
        let answer = match answer {
            // Another server than public-inbox, or an old one.
            Err(FetchError::Missing { .. } | FetchError::Broken { .. }) => {
                self.stage = unknown;
                return Ok(());
            }
            answer => answer?,
        };
        let is_due = self.now - self.cursor.asked_at >= TIP_EACH_S;
        let bytes: &[u8] = match &answer.body {
            Body::Bytes { bytes, .. } => bytes,
            Body::Unchanged => &[],
        };
        let Ok(epochs) = read_manifest(&self.archive.base, bytes) else {
            self.stage = unknown;
            return Ok(());
        };
        let newest = epochs.keys().next_back().copied().unwrap_or_default();
        let cursor = &mut self.cursor;
        if !cursor.is_placed {
            cursor.epoch = newest;
        }
        let mark = epochs.get(&cursor.epoch);
        let is_same = mark.is_some() && mark == cursor.fingerprint.as_ref() && !is_due;
        self.epochs = epochs;
        match is_same {
            true => self.end_epoch(true),
            false => self.stage = GitArchiveStage::Tip,
        }
        Ok(())
    }

    /// Goes up from epoch to epoch until one does not exist.
    fn read_probe(
        &mut self,
        answer: Result<Answer, FetchError>,
        number: u32,
    ) -> Result<(), FetchError> {
        let found = match answer {
            Err(FetchError::Missing { .. }) if number > 0 => None,
            answer => records::tip(&answer?),
        };
        match (found, self.probed.take()) {
            (Some(tip), _) if number < EPOCH_MAX => {
                self.cursor.epoch = number;
                self.probed = Some(tip);
                self.stage = GitArchiveStage::Probe(number + 1);
            }
            (_, Some(tip)) => self.stage = GitArchiveStage::Mails(tip),
            (_, None) => self.stage = GitArchiveStage::Over,
        }
        Ok(())
    }

    /// An epoch may have begun after the newest one.
    fn read_next(&mut self, answer: Result<Answer, FetchError>) -> Result<(), FetchError> {
        let found = match answer {
            Err(FetchError::Missing { .. }) => None,
            answer => records::tip(&answer?),
        };
        self.stage = match found {
            Some(tip) => {
                self.cursor.epoch += 1;
                self.cursor.tip = None;
                GitArchiveStage::Mails(tip)
            }
            None => GitArchiveStage::Over,
        };
        Ok(())
    }

    fn read_tip(&mut self, answer: &Answer) -> Result<(), FetchError> {
        self.cursor.asked_at = self.now;
        match records::tip(answer) {
            Some(tip) if Some(&tip) == self.cursor.tip.as_ref() => {
                let mark = self.epochs.get(&self.cursor.epoch);
                // A new mark without a new tip: the repository may be behind its manifest.
                let is_same = mark == self.cursor.fingerprint.as_ref();
                self.end_epoch(is_same);
            }
            Some(tip) => self.stage = GitArchiveStage::Mails(tip),
            // A new epoch may have no mail yet.
            None if self.cursor.tip.is_none() => {
                self.cursor.is_placed = true;
                let goes_back = self.goal != Goal::Poll || self.is_going_back();
                if !(goes_back && self.begin_older_epoch()) {
                    self.stage = GitArchiveStage::Over;
                }
            }
            None => {
                let why = format!("{} has no mails any more", answer.url);
                return Err(broken(&answer.url, why));
            }
        }
        Ok(())
    }

    fn read_mails(&mut self, answer: &Answer) -> Result<Page, FetchError> {
        let (head, bytes) = records::head::<MailHead>(answer)?;
        let mut page = Page {
            faults: head.faults.clone(),
            ..Page::default()
        };
        for raw in records::mails(&head.lengths, bytes) {
            match mail::message(raw, None) {
                Ok(item) => page.items.push(item),
                Err(fault) => page.faults.push(fault),
            }
        }
        self.oldest_at = page
            .items
            .iter()
            .filter_map(|item| item.at)
            .min()
            .map(|at| at.timestamp());
        self.page = Some(head);
        Ok(page)
    }

    pub(in crate::source) fn cursor(&self) -> String {
        serde_json::to_string(&self.cursor).expect("a cursor is plain data")
    }

    pub(in crate::source) fn is_cut_short(&self) -> bool {
        self.stage != GitArchiveStage::Over
    }

    pub(in crate::source) fn progress(&self) -> f64 {
        match (self.goal, self.begun_at) {
            (Goal::Backfill { .. }, Some(begun_at)) => {
                let share =
                    (self.cursor.tip_at - begun_at) as f64 / (self.now - begun_at).max(1) as f64;
                share.clamp(0.0, 1.0)
            }
            (Goal::Backfill { .. } | Goal::Poll, _) => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn answer(bytes: Vec<u8>) -> Result<Answer, FetchError> {
        Ok(Answer::without_headers(
            &Url::parse("https://h.example/bpf/").expect("a URL"),
            bytes,
        ))
    }

    fn missing() -> Result<Answer, FetchError> {
        Err(FetchError::Missing {
            why: "none".to_owned(),
            page: String::new(),
        })
    }

    fn hash(n: u8) -> String {
        format!("{n:02x}").repeat(20)
    }

    fn tip(n: u8) -> Result<Answer, FetchError> {
        answer(hash(n).into_bytes())
    }

    /// A manifest with these epochs, and the mark of the last one.
    fn manifest(epochs: u32, mark: &str) -> Result<Answer, FetchError> {
        let entries = (0..epochs).map(|epoch| {
            let mark = if epoch + 1 == epochs { mark } else { "old" };
            let entry = json!({"fingerprint": mark});
            (format!("/bpf/git/{epoch}.git"), entry)
        });
        let all: serde_json::Map<String, serde_json::Value> = entries.collect();
        answer(serde_json::Value::from(all).to_string().into_bytes())
    }

    /// A page of mails that ends at a commit.
    fn mails(last: &str, at: u8, count: usize, has_more: bool) -> Result<Answer, FetchError> {
        let mails: Vec<String> = (0..count)
            .map(|n| format!("Message-ID: <{at}.{n}@x>\nSubject: s\nFrom: a@b.c\n\nText\n"))
            .collect();
        let lengths: Vec<usize> = mails.iter().map(String::len).collect();
        let head = json!({"last": last, "at": [hash(at), NOW - 1000 + i64::from(at)], "lengths": lengths,
            "has_more": has_more, "is_from_start": true, "faults": []});
        answer(format!("{head}\n{}", mails.concat()).into_bytes())
    }

    /// A page of one mail of an epoch that has older ones.
    fn cut_off(at: u8, has_more: bool) -> Result<Answer, FetchError> {
        let page = mails("none", at, 1, has_more)?;
        let Body::Bytes { bytes, .. } = page.body else {
            panic!("it has bytes");
        };
        let page = String::from_utf8(bytes).expect("text");
        answer(
            page.replace(r#""is_from_start":true"#, r#""is_from_start":false"#)
                .into_bytes(),
        )
    }

    fn begin(base: &str, cursor: Option<&str>, goal: Goal) -> GitArchiveWalk {
        let archive = GitArchive::new(&Url::parse(base).expect("a URL"));
        let now = DateTime::from_timestamp(NOW, 0).expect("a time");
        archive.begin(cursor, goal, now)
    }

    /// Plays a walk: the address and the kind of each question, then the answer to it. Returns the keys of all mails.
    fn play(
        walk: &mut GitArchiveWalk,
        steps: Vec<(&str, Result<Answer, FetchError>)>,
    ) -> Vec<String> {
        let mut keys = Vec::new();
        for (wanted, answer) in steps {
            let request = walk
                .next()
                .unwrap_or_else(|| panic!("no question: {wanted}"));
            let kind = match &request.method {
                Method::Git(question) => match &**question {
                    GitQuestion::Mails(range) => match (&range.newest, &range.from, range.since) {
                        (Some(_), ..) => "newest",
                        (_, Some(_), _) => "after",
                        (_, None, Some(_)) => "since",
                        (None, None, None) => "all",
                    },
                    GitQuestion::Tip { .. } => "tip",
                    GitQuestion::File { .. } => "file",
                    GitQuestion::Commits(_) => "commits",
                },
                Method::Get | Method::Post | Method::News(_) => "get",
            };
            let path = request.url.path().trim_start_matches("/bpf/");
            assert_eq!(format!("{kind} {path}"), wanted);
            let page = walk.read(answer).expect("it goes on");
            keys.extend(page.items.iter().map(|item| item.key().to_string()));
            walk.learn();
        }
        assert_eq!((walk.next(), walk.is_cut_short()), (None, false));
        keys
    }

    const HTTP: &str = "git+https://h.example/bpf/";

    fn seeded() -> String {
        let mut walk = begin(HTTP, None, Goal::Poll);
        let keys = play(
            &mut walk,
            vec![
                ("get manifest.js.gz", manifest(2, "one")),
                ("tip git/1.git", tip(5)),
                ("newest git/1.git", mails("none", 5, 3, false)),
            ],
        );
        assert_eq!(keys, ["message:5.0@x", "message:5.1@x", "message:5.2@x"]);
        walk.cursor()
    }

    #[test]
    fn a_manifest_that_stays_costs_one_request() {
        let cursor = seeded();
        let mut walk = begin(HTTP, Some(&cursor), Goal::Poll);
        play(&mut walk, vec![("get manifest.js.gz", manifest(2, "one"))]);
        assert_eq!(walk.cursor(), cursor);
    }

    #[test]
    fn mails_come_page_by_page_and_over_epochs() {
        let cursor = seeded();
        let mut walk = begin(HTTP, Some(&cursor), Goal::Poll);
        let keys = play(
            &mut walk,
            vec![
                ("get manifest.js.gz", manifest(3, "two")),
                ("tip git/1.git", tip(8)),
                ("after git/1.git", mails("ancestor", 6, 1, true)),
                ("after git/1.git", mails("ancestor", 8, 1, false)),
                ("tip git/2.git", tip(9)),
                ("since git/2.git", mails("none", 9, 1, false)),
            ],
        );
        assert_eq!(keys, ["message:6.0@x", "message:8.0@x", "message:9.0@x"]);
        let mut walk = begin(HTTP, Some(&walk.cursor()), Goal::Poll);
        play(&mut walk, vec![("get manifest.js.gz", manifest(3, "two"))]);
    }

    #[test]
    fn a_mark_without_a_new_tip_is_not_believed() {
        let cursor = seeded();
        let mut walk = begin(HTTP, Some(&cursor), Goal::Poll);
        let same = || {
            vec![
                ("get manifest.js.gz", manifest(2, "two")),
                ("tip git/1.git", tip(5)),
            ]
        };
        play(&mut walk, same());
        let mut walk = begin(HTTP, Some(&walk.cursor()), Goal::Poll);
        play(&mut walk, same());
    }

    #[test]
    fn without_a_manifest_epochs_are_probed() {
        const GIT: &str = "git://h.example/bpf/";
        let mut walk = begin(GIT, None, Goal::Poll);
        play(
            &mut walk,
            vec![
                ("tip git/0.git", tip(1)),
                ("tip git/1.git", tip(2)),
                ("tip git/2.git", missing()),
                ("newest git/1.git", mails("none", 2, 1, false)),
                ("tip git/2.git", missing()),
            ],
        );
        let mut walk = begin(GIT, Some(&walk.cursor()), Goal::Poll);
        play(
            &mut walk,
            vec![
                ("tip git/1.git", tip(2)),
                ("tip git/2.git", tip(3)),
                ("since git/2.git", mails("none", 3, 1, false)),
                ("tip git/3.git", missing()),
            ],
        );
    }

    #[test]
    fn a_backfill_goes_back_over_epochs() {
        let since = DateTime::from_timestamp(NOW - 5000, 0).expect("a time");
        let mut walk = begin(HTTP, None, Goal::Backfill { since });
        let keys = play(
            &mut walk,
            vec![
                ("get manifest.js.gz", manifest(2, "one")),
                ("tip git/1.git", tip(5)),
                ("since git/1.git", mails("none", 5, 1, false)),
                ("tip git/0.git", tip(4)),
                ("since git/0.git", mails("none", 3, 1, true)),
                ("after git/0.git", mails("ancestor", 4, 1, false)),
            ],
        );
        assert_eq!(keys.len(), 3);
        let mut again = begin(HTTP, Some(&walk.cursor()), Goal::Backfill { since });
        assert_eq!(again.next(), None);
    }

    fn handed_over() -> String {
        super::super::archive_cursor::cursor_since(NOW - 9_000)
    }

    /// Another address left off two epochs ago: the walk goes back to that moment, and then reads on from there.
    #[test]
    fn a_handover_goes_back_over_epochs() {
        let mut walk = begin(HTTP, Some(&handed_over()), Goal::Poll);
        let keys = play(
            &mut walk,
            vec![
                ("get manifest.js.gz", manifest(3, "one")),
                ("tip git/2.git", tip(9)),
                ("since git/2.git", mails("none", 8, 1, true)),
                ("tip git/1.git", tip(6)),
                ("since git/1.git", mails("none", 6, 1, false)),
                ("tip git/0.git", tip(3)),
                ("since git/0.git", cut_off(2, true)),
                ("after git/0.git", mails("ancestor", 3, 1, false)),
                ("tip git/1.git", tip(6)),
                ("since git/1.git", mails("none", 6, 1, false)),
                ("tip git/2.git", tip(9)),
                ("since git/2.git", mails("none", 8, 1, true)),
                ("after git/2.git", mails("ancestor", 9, 1, false)),
            ],
        );
        let keys: std::collections::BTreeSet<String> = keys.into_iter().collect();
        assert_eq!(keys.len(), 5, "{keys:?}");
        // The next poll asks for nothing old.
        let mut walk = begin(HTTP, Some(&walk.cursor()), Goal::Poll);
        play(&mut walk, vec![("get manifest.js.gz", manifest(3, "one"))]);
    }

    /// A poll that ends amid that goes on with the next one.
    #[test]
    fn a_handover_goes_on_after_a_stop() {
        let mut walk = begin(HTTP, Some(&handed_over()), Goal::Poll);
        for answer in [manifest(2, "one"), tip(9), mails("none", 9, 1, false)] {
            walk.next().expect("a question");
            walk.read(answer).expect("it goes on");
            walk.learn();
        }
        assert!(walk.is_cut_short());
        let mut walk = begin(HTTP, Some(&walk.cursor()), Goal::Poll);
        play(
            &mut walk,
            vec![
                ("get manifest.js.gz", manifest(2, "one")),
                ("tip git/0.git", tip(3)),
                ("since git/0.git", cut_off(3, false)),
                ("tip git/1.git", tip(9)),
                ("since git/1.git", mails("none", 9, 1, false)),
            ],
        );
    }

    /// The moment lies in the newest epoch, or nothing came since.
    #[test]
    fn a_handover_within_the_newest_epoch_reads_no_other() {
        let nothing = json!({"last": "none", "at": null, "lengths": [], "has_more": false, "is_from_start": true,
            "faults": []});
        let nothing = || answer(format!("{nothing}\n").into_bytes());
        for page in [cut_off(9, false), nothing()] {
            let mut walk = begin(HTTP, Some(&handed_over()), Goal::Poll);
            play(
                &mut walk,
                vec![
                    ("get manifest.js.gz", manifest(2, "one")),
                    ("tip git/1.git", tip(9)),
                    ("since git/1.git", page),
                ],
            );
        }
    }

    #[test]
    fn a_handover_to_an_epoch_that_is_gone_records_a_gap() {
        let mut walk = begin(HTTP, Some(&handed_over()), Goal::Poll);
        let mut gaps = Vec::new();
        for answer in [
            manifest(2, "one"),
            tip(9),
            mails("none", 9, 1, false),
            missing(),
            tip(9),
            mails("none", 9, 1, false),
        ] {
            walk.next().expect("a question");
            walk.read(answer).expect("it goes on");
            gaps.extend(walk.learn());
        }
        assert_eq!((walk.next(), gaps.len()), (None, 1));
        assert!(
            gaps[0].from_at == NOW - 9_000 && gaps[0].why.contains("git/0.git"),
            "{gaps:?}"
        );
    }

    #[test]
    fn a_lagging_mirror_moves_no_cursor() {
        let cursor = seeded();
        let mut walk = begin(HTTP, Some(&cursor), Goal::Poll);
        let head = json!({"last": "ahead", "at": null, "lengths": [], "has_more": false, "is_from_start": true,
            "faults": []});
        play(
            &mut walk,
            vec![
                ("get manifest.js.gz", manifest(2, "zero")),
                ("tip git/1.git", tip(4)),
                ("after git/1.git", answer(format!("{head}\n").into_bytes())),
            ],
        );
        let tip_of = |cursor: &str| {
            let cursor: GitArchiveCursor = serde_json::from_str(cursor).expect("a cursor");
            (cursor.epoch, cursor.tip)
        };
        assert_eq!(tip_of(&walk.cursor()), tip_of(&cursor));
    }
}
