//! One process at a time: a lock beside the database, held by whoever polls and tells. The system lets go of it when the
//! process ends, however it ends; the file stays, and says who holds it.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};

/// Bytes that are read of the file: who holds it takes fewer.
const NOTE_BYTES_MAX: u64 = 1_000;

/// How often a lock is tried that another process has, and the wait in between.
const TRIES_MAX: u32 = 10;
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// The lock. It is let go of when this is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// What became of an attempt to take the lock.
#[derive(Debug)]
pub enum Taken {
    /// It is ours.
    Ours(Lock),
    /// Another process has it.
    Theirs(Holder),
}

/// Who holds the lock, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// What it does: `run`.
    pub command: String,
    /// Its process.
    pub pid: String,
    /// Since when, for a person: the file's own time.
    pub since: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            command,
            pid,
            since,
        } = self;
        write!(f, "bpfnews {command} (process {pid}, since {since})")
    }
}

impl Lock {
    /// Takes the lock of a database, or tells who has it.
    ///
    /// # Errors
    ///
    /// When the file beside the database cannot be written.
    pub fn try_take(database: &Path, command: &str) -> anyhow::Result<Taken> {
        let path = path(database);
        let what = || format!("locking {} (may its folder be written?)", path.display());
        let mut open = OpenOptions::new();
        let open = open.read(true).write(true).create(true).truncate(false);
        let mut file = open.mode(0o600).open(&path).with_context(what)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Taken::Theirs(holder(&mut file))),
            Err(TryLockError::Error(error)) => return Err(error).with_context(what),
        }
        give_to_owner_of(database, &file);
        note(&mut file, command).with_context(what)?;
        Ok(Taken::Ours(Self { _file: file }))
    }

    /// Takes the lock of a database.
    ///
    /// # Errors
    ///
    /// When another process has it: who.
    pub fn take(database: &Path, command: &str) -> anyhow::Result<Self> {
        let mut tries = 0;
        loop {
            tries += 1;
            match Self::try_take(database, command)? {
                Taken::Ours(lock) => return Ok(lock),
                // Commands that only read have it for a moment.
                Taken::Theirs(_) if tries < TRIES_MAX => std::thread::sleep(TRY_AGAIN_AFTER),
                Taken::Theirs(holder) => bail!(
                    "{} is in use by {holder}. One process at a time polls and tells: stop that one first.",
                    database.display()
                ),
            }
        }
    }
}

/// The lock's file: of the database itself, whatever link leads to it.
fn path(database: &Path) -> PathBuf {
    let database = database
        .canonicalize()
        .unwrap_or_else(|_| database.to_owned());
    let mut name = database.into_os_string();
    name.push(".lock");
    name.into()
}

fn note(file: &mut File, command: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{command}\n{}", std::process::id())
}

/// What the file says; somebody who has just taken the lock may not have written it yet.
fn holder(file: &mut File) -> Holder {
    let mut text = String::new();
    let _ = Read::by_ref(file)
        .take(NOTE_BYTES_MAX)
        .read_to_string(&mut text);
    let mut lines = text.lines().map(crate::post::plain);
    let mut next = || lines.next().unwrap_or_else(|| "?".to_owned());
    let since = file.metadata().and_then(|file| file.modified());
    Holder {
        command: next(),
        pid: next(),
        since: since.map_or_else(
            |_| "?".to_owned(),
            |at| {
                DateTime::<Utc>::from(at)
                    .format("%Y-%m-%d %H:%M:%S UTC")
                    .to_string()
            },
        ),
    }
}

/// A command that root gives must not shut out the account that the bot runs under.
pub(super) fn give_to_owner_of(database: &Path, file: &File) {
    if let (Ok(owner), Ok(made)) = (database.metadata(), file.metadata())
        && (owner.uid(), owner.gid()) != (made.uid(), made.gid())
    {
        // Only root may, and only root needs to.
        let _ = std::os::unix::fs::fchown(file, Some(owner.uid()), Some(owner.gid()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_hears_who_the_first_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("bpfnews.sqlite");
        let first = Lock::take(&database, "run").expect("nobody has it");
        let second = Lock::take(&database, "poll").expect_err("it is taken");
        let told = second.to_string();
        let wanted = format!("bpfnews run (process {}, since 2", std::process::id());
        assert!(told.contains(&wanted), "{told}");
        drop(first);
        Lock::take(&database, "poll").expect("it is free again");
    }

    #[test]
    fn a_link_to_the_database_is_the_same_database() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("bpfnews.sqlite");
        std::fs::write(&database, "").expect("room on the disk");
        let link = folder.path().join("link.sqlite");
        std::os::unix::fs::symlink(&database, &link).expect("a link");
        let _first = Lock::take(&database, "run").expect("nobody has it");
        assert!(Lock::take(&link, "run").is_err());
    }
}
