//! Notes beside the database that record which documents are being read. If the process dies twice over a document,
//! the document is skipped for a while.
//!
//! A note must survive the process, not the machine. So it goes to a file without fsync, and reading a document costs
//! two short writes.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};

/// Documents that may be noted at the same time, including slow ones. Further documents are read without a note.
const UNDER_WAY_MAX: usize = 32;
/// Documents that killed the process, kept at most.
const SUSPECTS_MAX: usize = 32;
/// The process may die this often over a document before the document is skipped …
const DEATHS_MAX: u64 = 2;
/// … for this long. The pause doubles after each further death, up to a day.
const PAUSE: TimeDelta = TimeDelta::hours(1);
const PAUSE_MAX: TimeDelta = TimeDelta::days(1);

const NOTE_BYTES: usize = 32;

/// A document: the number of its feed, and a hash of its address.
type DocumentKey = (i64, u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Suspect {
    deaths: u64,
    /// Unix seconds of the death, or of the next start.
    at: i64,
}

#[derive(Debug, Clone)]
pub struct Attempts(Arc<NoteFile>);

#[derive(Debug)]
struct NoteFile {
    file: File,
    state: Mutex<NoteState>,
}

#[derive(Debug, Default)]
struct NoteState {
    under_way: [bool; UNDER_WAY_MAX],
    suspects: HashMap<DocumentKey, Suspect>,
}

/// A document that is being read. Dropping it ends the note.
#[derive(Debug)]
pub struct Attempt {
    notes: Arc<NoteFile>,
    document: DocumentKey,
    slot: usize,
}

/// The path of the notes.
fn beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".reading");
    name.into()
}

impl Attempts {
    /// Opens the notes beside a database. Notes that an earlier process left name the documents over which it died.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read or written.
    pub fn open(database: &Path, now: DateTime<Utc>) -> anyhow::Result<Self> {
        let path = beside(database);
        let what = || format!("noting what is read in {}", path.display());
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .with_context(what)?;
        let mut bytes = Vec::new();
        let most = (UNDER_WAY_MAX + SUSPECTS_MAX) * NOTE_BYTES;
        (&mut file)
            .take(most as u64)
            .read_to_end(&mut bytes)
            .with_context(what)?;
        let notes = NoteFile {
            file,
            state: Mutex::new(NoteState {
                suspects: left_behind(&bytes, now),
                ..NoteState::default()
            }),
        };
        notes.write(0, &[0; UNDER_WAY_MAX * NOTE_BYTES]);
        notes.write_suspects(&notes.state());
        Ok(Self(Arc::new(notes)))
    }

    /// The end of the pause if the process died over this document too often.
    pub fn left_alone_until(
        &self,
        feed: i64,
        url: &url::Url,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let suspect = *self.0.state().suspects.get(&(feed, number(url)))?;
        let more = suspect.deaths.checked_sub(DEATHS_MAX)?;
        let pause = PAUSE.checked_mul(1 << more.min(10)).unwrap_or(PAUSE_MAX);
        let until = DateTime::from_timestamp(suspect.at, 0)? + pause.min(PAUSE_MAX);
        (now < until).then_some(until)
    }

    /// Notes that a document is about to be read; `None` if too many are.
    pub fn begin(&self, feed: i64, url: &url::Url) -> Option<Attempt> {
        let document = (feed, number(url));
        let slot = {
            let mut state = self.0.state();
            let slot = state.under_way.iter().position(|is_taken| !is_taken)?;
            state.under_way[slot] = true;
            let suspect = state.suspects.get(&document).copied();
            let suspect = suspect.unwrap_or(Suspect { deaths: 0, at: 0 });
            self.0.write(slot, &note(document, suspect));
            slot
        };
        Some(Attempt {
            notes: Arc::clone(&self.0),
            document,
            slot,
        })
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let mut state = self.notes.state();
        state.under_way[self.slot] = false;
        self.notes.write(self.slot, &[0; NOTE_BYTES]);
        if state.suspects.remove(&self.document).is_some() {
            self.notes.write_suspects(&state);
        }
    }
}

impl NoteFile {
    fn state(&self) -> MutexGuard<'_, NoteState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, slot: usize, bytes: &[u8]) {
        // A full disk is reported elsewhere. Reading continues without a note.
        let _ = self.file.write_all_at(bytes, (slot * NOTE_BYTES) as u64);
    }

    fn write_suspects(&self, state: &NoteState) {
        let mut bytes = [0; SUSPECTS_MAX * NOTE_BYTES];
        let notes = state
            .suspects
            .iter()
            .map(|(document, suspect)| note(*document, *suspect));
        for (place, note) in bytes.chunks_exact_mut(NOTE_BYTES).zip(notes) {
            place.copy_from_slice(&note);
        }
        self.write(UNDER_WAY_MAX, &bytes);
    }
}

/// The suspects that an earlier process left: its own suspects, and the documents it was reading when it died.
fn left_behind(bytes: &[u8], now: DateTime<Utc>) -> HashMap<DocumentKey, Suspect> {
    let notes: Vec<_> = bytes.chunks_exact(NOTE_BYTES).map(of_note).collect();
    let (under_way, before) = notes.split_at(notes.len().min(UNDER_WAY_MAX));
    let mut suspects: HashMap<DocumentKey, Suspect> = before
        .iter()
        .filter(|(document, _)| document.0 != 0)
        .copied()
        .collect();
    for (document, suspect) in under_way.iter().filter(|(document, _)| document.0 != 0) {
        if suspects.len() < SUSPECTS_MAX || suspects.contains_key(document) {
            let deaths = suspect.deaths + 1;
            let at = now.timestamp();
            suspects.insert(*document, Suspect { deaths, at });
        }
    }
    suspects
}

fn note(document: DocumentKey, suspect: Suspect) -> [u8; NOTE_BYTES] {
    let parts = [
        document.0.to_le_bytes(),
        document.1.to_le_bytes(),
        suspect.deaths.to_le_bytes(),
        suspect.at.to_le_bytes(),
    ];
    std::array::from_fn(|at| parts[at / 8][at % 8])
}

fn of_note(note: &[u8]) -> (DocumentKey, Suspect) {
    let part = |number: usize| std::array::from_fn(|at| note[number * 8 + at]);
    let suspect = Suspect {
        deaths: u64::from_le_bytes(part(2)).min(1_000),
        at: i64::from_le_bytes(part(3)),
    };
    let document = (i64::from_le_bytes(part(0)), u64::from_le_bytes(part(1)));
    (document, suspect)
}

/// A hash of the address.
fn number(url: &url::Url) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    url.as_str().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_over_which_the_process_dies_twice_is_left_alone() {
        let home = tempfile::tempdir().expect("a folder");
        let database = home.path().join("bpfnews.sqlite");
        let url: url::Url = "https://x.example/feed".parse().expect("a URL");
        let other: url::Url = "https://x.example/other".parse().expect("a URL");
        let start = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let open = |now| Attempts::open(&database, now).expect("a file");
        let dies = |now| std::mem::forget(open(now).begin(7, &url));
        dies(start);
        assert_eq!(open(start).left_alone_until(7, &url, start), None);
        dies(start);
        let attempts = open(start);
        let until = attempts
            .left_alone_until(7, &url, start)
            .expect("it is left alone");
        assert_eq!(until, start + PAUSE);
        // Another document of the feed is read, and so is the same address in another feed.
        assert_eq!(attempts.left_alone_until(7, &other, start), None);
        assert_eq!(attempts.left_alone_until(8, &url, start), None);
        // After the pause it is tried again, and the next pause is longer.
        assert_eq!(attempts.left_alone_until(7, &url, until), None);
        drop(attempts);
        dies(until);
        let attempts = open(until);
        let again = attempts
            .left_alone_until(7, &url, until)
            .expect("it is left alone");
        assert_eq!(again, until + PAUSE * 2);
        // Once it is read, no suspicion remains.
        drop(attempts.begin(7, &url));
        assert_eq!(attempts.left_alone_until(7, &url, until), None);
        drop(attempts);
        assert_eq!(open(until).left_alone_until(7, &url, until), None);
    }

    #[test]
    fn a_document_read_to_its_end_leaves_nothing() {
        let home = tempfile::tempdir().expect("a folder");
        let database = home.path().join("bpfnews.sqlite");
        let url: url::Url = "https://x.example/feed".parse().expect("a URL");
        let now = DateTime::UNIX_EPOCH;
        for _ in 0..3 {
            let attempts = Attempts::open(&database, now).expect("a file");
            let many: Vec<_> = (0..UNDER_WAY_MAX + 5)
                .map(|_| attempts.begin(1, &url))
                .collect();
            assert_eq!(many.iter().flatten().count(), UNDER_WAY_MAX);
        }
        let attempts = Attempts::open(&database, now).expect("a file");
        assert!(attempts.0.state().suspects.is_empty());
    }
}
