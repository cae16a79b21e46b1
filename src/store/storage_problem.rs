//! Storage problems that keep an intact database from being written: a full disk, a read-only file, a slow writer.
//! They pass, and the program then repeats the transaction.

use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageProblem {
    /// The disk is full.
    Full,
    /// The file or its folder is read-only.
    ReadOnly,
    Disk,
    /// Another process holds the write lock.
    Busy,
}

/// SQLite's primary result codes.
const BUSY: i64 = 5;
const LOCKED: i64 = 6;
const READ_ONLY: i64 = 8;
const DISK: i64 = 10;
const FULL: i64 = 13;
const CANNOT_OPEN: i64 = 14;

impl StorageProblem {
    /// The storage problem behind an error, if it is one.
    pub fn of(error: &anyhow::Error) -> Option<Self> {
        error
            .chain()
            .find_map(|cause| Self::of_sqlx(cause.downcast_ref::<sqlx::Error>()?))
    }

    fn of_sqlx(error: &sqlx::Error) -> Option<Self> {
        if matches!(error, sqlx::Error::PoolTimedOut) {
            return Some(Self::Busy);
        }
        match primary_code(error)? {
            BUSY | LOCKED => Some(Self::Busy),
            READ_ONLY => Some(Self::ReadOnly),
            DISK | CANNOT_OPEN => Some(Self::Disk),
            FULL => Some(Self::Full),
            _ => None,
        }
    }

    /// Advice for the operator.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Full => "make room on the disk that holds it",
            Self::ReadOnly => {
                "let bpfnews' user write the file, the files beside it that begin with its name, and their folder, and \
                 see that the disk is not mounted read-only"
            }
            Self::Disk => {
                "see what the system's log says of the disk, that it has room, and that the folder is still there"
            }
            Self::Busy => "see which other program has it open",
        }
    }
}

impl fmt::Display for StorageProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the disk is full",
            Self::ReadOnly => "it may not be written",
            Self::Disk => "the disk fails",
            Self::Busy => "another program writes to it",
        })
    }
}

fn primary_code(error: &sqlx::Error) -> Option<i64> {
    let code: i64 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// Advice for a database that cannot be opened.
pub(super) fn advice(error: &sqlx::Error) -> String {
    const NO_DATABASE: i64 = 26;
    match (primary_code(error), StorageProblem::of_sqlx(error)) {
        (Some(CANNOT_OPEN), _) => {
            "its folder must be there, on a disk that may be written, and bpfnews' user may enter and write it".to_owned()
        }
        (Some(NO_DATABASE), _) => {
            "the file is none of SQLite's: name another, or move it away".to_owned()
        }
        (_, Some(problem)) => format!("{problem}: {}", problem.remedy()),
        (_, None) => "is it one of bpfnews'?".to_owned(),
    }
}
