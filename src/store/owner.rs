//! File permissions: only the owner may read the database, whatever the umask. It holds people's ids and editors'
//! texts.

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use super::copy::beside;

/// Permissions of the owner.
const OWNERS: u32 = 0o600;
/// Permissions that others must not have.
const OTHERS: u32 = 0o077;
/// The name of a database without a file.
const IN_MEMORY: &str = ":memory:";

/// Creates the file if needed, and removes others' permissions from it and from the files beside it. SQLite gives
/// later files the same mode. If this fails, opening the database reports it.
pub(super) fn keep_to_owner(database: &Path) {
    if database == Path::new(IN_MEMORY) {
        return;
    }
    let mut make = OpenOptions::new();
    let made = make.write(true).create_new(true).mode(OWNERS);
    if let Ok(file) = made.open(database) {
        // The umask may have removed a permission of the owner too.
        let _ = file.set_permissions(Permissions::from_mode(OWNERS));
    }
    for ending in ["", "-wal", "-shm"] {
        if let Err(error) = tighten(&beside(database, ending)) {
            tracing::debug!(
                "{}{ending} may be open to others: {error}",
                database.display()
            );
        }
    }
}

fn tighten(file: &Path) -> io::Result<()> {
    let mode = match fs::metadata(file) {
        Ok(file) => file.permissions().mode(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    match mode & OTHERS {
        0 => Ok(()),
        _ => fs::set_permissions(file, Permissions::from_mode(mode & !OTHERS)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    fn mode(file: &Path) -> u32 {
        let file = fs::metadata(file).expect("it is there");
        file.permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn a_database_is_its_owners_alone() {
        let home = tempfile::tempdir().expect("a folder");
        let file = home.path().join("bpfnews.sqlite");
        let store = Store::open(&file).await.expect("a database");
        let tx = store.write().await.expect("a transaction");
        tx.commit().await.expect("a commit");
        for ending in ["", "-wal", "-shm"] {
            assert_eq!(mode(&beside(&file, ending)), 0o600, "a new one: {ending}");
        }
        for ending in ["", "-wal", "-shm"] {
            let open = Permissions::from_mode(0o664);
            fs::set_permissions(beside(&file, ending), open).expect("it is ours");
        }
        let _second = Store::open(&file).await.expect("a database");
        for ending in ["", "-wal", "-shm"] {
            assert_eq!(mode(&beside(&file, ending)), 0o600, "an old one: {ending}");
        }
    }
}
