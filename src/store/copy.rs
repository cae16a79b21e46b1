//! Copying a database file.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sqlx::SqliteConnection;

/// Copies a database that is being opened, and overwrites an earlier copy.
pub(super) async fn replace(connection: &mut SqliteConnection, file: &Path) -> anyhow::Result<()> {
    let part = beside(file, ".part");
    let done = async {
        copy(connection, &part).await?;
        fs::rename(&part, file)?;
        sync_folder(file)?;
        Ok(())
    };
    let done: anyhow::Result<()> = done.await;
    if done.is_err() {
        let _ = fs::remove_file(&part);
    }
    done
}

/// Copies the connection's view to a file that only its owner can read, and syncs it to disk.
pub(super) async fn copy(connection: &mut SqliteConnection, file: &Path) -> anyhow::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let mut make = OpenOptions::new();
    let made = make.write(true).create_new(true).mode(0o600).open(file)?;
    let name = file
        .to_str()
        .context("its name must be UTF-8, for SQLite writes it")?;
    sqlx::query!("VACUUM INTO $1", name)
        .execute(connection)
        .await?;
    made.sync_all()?;
    Ok(())
}

/// The directory entry must reach the disk too.
pub(super) fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

/// Appends to a file name.
pub fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name: OsString = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
