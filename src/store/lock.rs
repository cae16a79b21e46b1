//! A lock file beside the database, so that only one process polls and posts. The system releases the lock when the
//! process ends, however it ends. The file stays and names the holder.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};

/// The most bytes read from the file. A holder's note is shorter.
const NOTE_BYTES_MAX: u64 = 1_000;

/// How often to try a lock that another process holds, and the wait between two tries.
const TRIES_MAX: u32 = 10;
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// The lock. Dropping it releases it.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// The result of an attempt to take the lock.
#[derive(Debug)]
pub enum LockAttempt {
    Ours(Lock),
    Theirs(Holder),
}

/// The holder of the lock, from its own note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its command, such as `run`.
    pub command: String,
    pub pid: String,
    /// The modification time of the file, for people.
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
    /// Takes the lock of a database, or returns its holder.
    ///
    /// # Errors
    ///
    /// Returns an error if the file beside the database cannot be written.
    pub fn try_take(database: &Path, command: &str) -> anyhow::Result<LockAttempt> {
        let path = path(database);
        let what = || format!("locking {} (may its folder be written?)", path.display());
        let mut open = OpenOptions::new();
        let open = open.read(true).write(true).create(true).truncate(false);
        let mut file = open.mode(0o600).open(&path).with_context(what)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(LockAttempt::Theirs(holder(&mut file))),
            Err(TryLockError::Error(error)) => return Err(error).with_context(what),
        }
        give_to_owner_of(database, &file);
        note(&mut file, command).with_context(what)?;
        Ok(LockAttempt::Ours(Self { _file: file }))
    }

    /// Takes the lock of a database.
    ///
    /// # Errors
    ///
    /// Returns an error that names the holder if another process has it.
    pub fn take(database: &Path, command: &str) -> anyhow::Result<Self> {
        let mut tries = 0;
        loop {
            tries += 1;
            match Self::try_take(database, command)? {
                LockAttempt::Ours(lock) => return Ok(lock),
                // Commands that only read hold it for a moment.
                LockAttempt::Theirs(_) if tries < TRIES_MAX => std::thread::sleep(TRY_AGAIN_AFTER),
                LockAttempt::Theirs(holder) => bail!(
                    "{} is in use by {holder}. One process at a time polls and posts: stop that one first.",
                    database.display()
                ),
            }
        }
    }
}

/// The lock file of the database itself, even if `database` is a link to it.
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

/// The note in the file. It may be empty if another process has just taken the lock.
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

/// A command run by root must not lock out the bot's own account.
pub(super) fn give_to_owner_of(database: &Path, file: &File) {
    if let (Ok(owner), Ok(made)) = (database.metadata(), file.metadata())
        && (owner.uid(), owner.gid()) != (made.uid(), made.gid())
    {
        // Only root may do this, and only root needs to.
        let _ = std::os::unix::fs::fchown(file, Some(owner.uid()), Some(owner.gid()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_process_learns_the_first_ones_id() {
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
