//! An archive that is read by git. A public-inbox keeps its mails in numbered repositories, the epochs: each commit adds one
//! mail, in the order of arrival, and a new epoch begins when one is large.
//!
//! Where the archive is served by HTTP, its manifest says in one request whether anything moved. The cursor is an epoch and a
//! commit of it. If a purge rewrote an epoch, the mails of the last days are read again; the store knows those that it has.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use url::Url;

use super::epochs::{EPOCH_MAX, epoch_url, read_manifest};
use super::{GitQuestion, MailHead, MailRange, as_http, records};
use crate::item::CommitHash;
use crate::source::{
    Answer, Body, FetchError, Gap, Goal, KnownVersion, Method, Page, Request, mail,
};

/// Mails of one page.
const PAGE_MAILS: usize = 200;
/// Mails that the first poll stores.
const SEED_MAILS: usize = 25;
/// Questions of one poll; the next poll goes on.
const QUESTIONS_PER_POLL_MAX: u32 = 40;
/// A new epoch begins with mails that came after those of the last one, but for so long.
const EPOCH_MARGIN_S: i64 = 2 * 86_400;

/// A list's archive.
#[derive(Debug, Clone)]
pub struct GitArchive {
    base: Url,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct GitArchiveCursor {
    /// The newest epoch that was read.
    epoch: u32,
    /// All its mails up to this commit are stored, or older than the first poll; `None` before its first mail.
    tip: Option<CommitHash>,
    /// The date of that commit, in unix seconds; 0 before the first poll.
    tip_at: i64,
    /// The manifest's mark for the epoch when that was read to its end.
    fingerprint: Option<String>,
    manifest: KnownVersion,
    /// Whether a first poll has been.
    is_seeded: bool,
    /// A backfill: its beginning in unix seconds, and whether it is done.
    since: Option<i64>,
    is_done: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum GitArchiveStage {
    Manifest,
    /// Without a manifest: whether this epoch exists, to find the newest one.
    Probe(u32),
    /// The tip of the cursor's epoch.
    Tip,
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
    manifest: Option<KnownVersion>,
    /// The tip of the last epoch that a probe found.
    probed: Option<CommitHash>,
    page: Option<MailHead>,
    begun_at: Option<i64>,
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
        let stage = match self.manifest_url() {
            _ if cursor.is_done => GitArchiveStage::Over,
            Some(_) => GitArchiveStage::Manifest,
            None if cursor.is_seeded => GitArchiveStage::Tip,
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
            manifest: None,
            probed: None,
            page: None,
            begun_at: None,
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
                let url = self.archive.manifest_url()?;
                let validators = self.cursor.manifest.for_url(&url);
                Request {
                    validators,
                    ..Request::bulk(url, Method::Get)
                }
            }
            GitArchiveStage::Probe(number) => {
                Request::git(epoch_url(&self.archive.base, *number), tip)
            }
            GitArchiveStage::Tip => Request::git(epoch, tip),
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

    fn is_seed(&self) -> bool {
        self.goal == Goal::Poll && !self.cursor.is_seeded
    }

    pub(in crate::source) fn read(
        &mut self,
        answer: Result<Answer, FetchError>,
    ) -> Result<Page, FetchError> {
        match self.stage.clone() {
            GitArchiveStage::Manifest => self.read_manifest(answer)?,
            GitArchiveStage::Probe(number) => self.read_probe(answer, number)?,
            GitArchiveStage::Tip => self.read_tip(answer?)?,
            GitArchiveStage::Mails(_) => return self.read_mails(&answer?),
            GitArchiveStage::Over => {}
        }
        Ok(Page::default())
    }

    fn read_manifest(&mut self, answer: Result<Answer, FetchError>) -> Result<(), FetchError> {
        let unknown = match self.cursor.is_seeded {
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
        let Body::Bytes { bytes, .. } = &answer.body else {
            self.stage = GitArchiveStage::Over;
            return Ok(());
        };
        let Ok(epochs) = read_manifest(&self.archive.base, bytes) else {
            self.stage = unknown;
            return Ok(());
        };
        self.manifest = Some(KnownVersion::of(&answer.url, &answer.validators));
        let newest = epochs.keys().next_back().copied().unwrap_or_default();
        let cursor = &mut self.cursor;
        if cursor.tip.is_none() && !cursor.is_seeded {
            cursor.epoch = newest;
        }
        let mark = epochs.get(&cursor.epoch);
        let is_same = mark.is_some() && mark == cursor.fingerprint.as_ref();
        self.epochs = epochs;
        match is_same {
            true => self.end_epoch(),
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

    fn read_tip(&mut self, answer: Answer) -> Result<(), FetchError> {
        match records::tip(&answer) {
            Some(tip) if Some(&tip) == self.cursor.tip.as_ref() => self.end_epoch(),
            Some(tip) => self.stage = GitArchiveStage::Mails(tip),
            // A new epoch may have no mail yet.
            None if self.cursor.tip.is_none() => {
                self.cursor.is_seeded |= self.goal == Goal::Poll;
                self.stage = GitArchiveStage::Over;
            }
            None => {
                let why = format!("{} has no mails any more", answer.url);
                let page = String::new();
                return Err(FetchError::Missing { why, page });
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
        self.page = Some(head);
        Ok(page)
    }

    pub(in crate::source) fn learn(&mut self) -> Vec<Gap> {
        let (Some(head), GitArchiveStage::Mails(to)) = (self.page.take(), self.stage.clone())
        else {
            return Vec::new();
        };
        let is_first_page = self.cursor.tip.is_none();
        if let Some((commit, at)) = head.at {
            self.begun_at = self.begun_at.or(Some(at));
            self.cursor.tip = Some(commit);
            self.cursor.tip_at = at;
        }
        self.cursor.is_seeded |= self.goal == Goal::Poll;
        if head.has_more {
            return Vec::new();
        }
        self.cursor.tip = Some(to);
        match self.goal {
            Goal::Poll => {
                self.end_epoch();
                Vec::new()
            }
            Goal::Backfill { since } => {
                self.end_backfill_of_epoch(since, head.is_from_start && is_first_page)
            }
        }
    }

    /// The epoch is read to its end: goes to the next one, if there is one.
    fn end_epoch(&mut self) {
        let cursor = &mut self.cursor;
        cursor.fingerprint = self.epochs.get(&cursor.epoch).cloned();
        if self.epochs.contains_key(&(cursor.epoch + 1)) {
            cursor.epoch += 1;
            cursor.tip = None;
            cursor.fingerprint = None;
            self.stage = GitArchiveStage::Tip;
            return;
        }
        if let Some(manifest) = self.manifest.take() {
            cursor.manifest = manifest;
        }
        self.stage = GitArchiveStage::Over;
    }

    fn end_backfill_of_epoch(&mut self, since: DateTime<Utc>, _: bool) -> Vec<Gap> {
        self.cursor.is_done = true;
        self.stage = GitArchiveStage::Over;
        vec![Gap::healed(since.timestamp(), self.now)]
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
