//! The commands that look after the database: backup, restore.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use crate::config::Config;
use crate::store::Store;
use crate::store::backup::{self, beside};
use crate::store::lock::Lock;

/// Copies the database while it may be in use.
pub(super) async fn backup(path: &Path, file: &Path) -> anyhow::Result<ExitCode> {
    let config = Config::load(path)?;
    anyhow::ensure!(
        config.database.exists(),
        "there is no database {} yet, so there is nothing to copy",
        config.database.display()
    );
    let store = Store::open(&config.database).await?;
    let copy = backup::backup(&store, file, Utc::now()).await?;
    store.close().await;
    let mut out = anstream::stdout();
    writeln!(
        out,
        "Wrote {}: {}, schema {}, read back and found whole.",
        file.display(),
        size(copy.bytes),
        copy.schema.version()
    )?;
    writeln!(
        out,
        "The configuration and the files with secrets are not in it: keep them as well."
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Puts a backup in place of the database.
pub(super) async fn restore(path: &Path, file: &Path) -> anyhow::Result<ExitCode> {
    let config = Config::load(path)?;
    let given = &config.database;
    // A link stays a link.
    let database = given.canonicalize().unwrap_or_else(|_| given.clone());
    let _lock = Lock::take(&database, "restore")?;
    let ready = backup::prepare(&database, file).await?;
    let ending = free_ending(&[&database, &config.matrix_folder()], Utc::now());
    let recall_from = ready.recall_from;
    // This comes before the database: after a crash in between, no encryption store may return that others have seen advance.
    let session = move_session(&config, &ending)?;
    let aside = beside(&database, &ending);
    let was_there = ready.put_in_place(&aside).await?;
    let mut out = anstream::stdout();
    writeln!(
        out,
        "{} is in place as {}.",
        file.display(),
        given.display()
    )?;
    if was_there {
        writeln!(out, "The old database is kept as {}.", aside.display())?;
    }
    if let Some(session) = session {
        writeln!(
            out,
            "Matrix: the session is kept as {} and is not used again. Log in as a new device: bpfnews matrix login, and \
             for encrypted rooms: bpfnews matrix recover",
            session.display()
        )?;
    }
    let since = DateTime::from_timestamp(recall_from, 0).unwrap_or_default();
    writeln!(
        out,
        "At the next start, every channel is searched from {} UTC on, so that no message there is posted again.",
        since.format("%Y-%m-%d %H:%M")
    )?;
    writeln!(out, "Next: bpfnews run")?;
    Ok(ExitCode::SUCCESS)
}

/// The suffix for kept files: the time, and a number if that name is taken.
fn free_ending(kept: &[&Path], now: DateTime<Utc>) -> String {
    let time = format!(".before-restore-{}", now.format("%Y%m%dT%H%M%SZ"));
    let numbered = (2_u32..).map(|number| format!("{time}-{number}"));
    let mut endings = std::iter::once(time.clone()).chain(numbered);
    let is_free = |ending: &String| {
        let taken = |name: &&Path| beside(name, ending).symlink_metadata().is_ok();
        !kept.iter().any(taken)
    };
    endings.find(is_free).unwrap_or(time)
}

/// Moves the folder of the Matrix session aside, if there is one. Gives where to.
fn move_session(config: &Config, ending: &str) -> anyhow::Result<Option<PathBuf>> {
    let folder = config.matrix_folder();
    if !folder.exists() {
        return Ok(None);
    }
    let aside = beside(&folder, ending);
    fs::rename(&folder, &aside).with_context(|| format!("moving {} aside", folder.display()))?;
    Ok(Some(aside))
}

/// A size as people read it.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restores_within_a_second_each_keep_the_old_database() {
        let home = tempfile::tempdir().expect("a folder");
        let (database, session) = (home.path().join("a.sqlite"), home.path().join("a.matrix"));
        let now = DateTime::UNIX_EPOCH;
        let mut endings = Vec::new();
        for kept in [&database, &session, &database] {
            let ending = free_ending(&[&database, &session], now);
            fs::write(beside(kept, &ending), "").expect("room on the disk");
            endings.push(ending);
        }
        let first = ".before-restore-19700101T000000Z";
        assert_eq!(
            endings,
            [first, &format!("{first}-2"), &format!("{first}-3")]
        );
    }
}
