//! The id of this installation: random, and kept in a file beside the database.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::copy::beside;

/// The bytes of an id: a UUID of version 4 as text.
const ID_BYTES: usize = 36;

/// The id of the installation with this database, made at the first call. `None` if the database is in memory, or the file
/// cannot be read or written.
pub fn installation_id(database: &Path) -> Option<String> {
    if database == Path::new(":memory:") {
        return None;
    }
    let path = beside(database, ".id");
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path);
    let mut id = String::new();
    match made {
        Ok(mut file) => {
            id = random_id();
            file.write_all(id.as_bytes()).ok()?;
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let file = std::fs::File::open(&path).ok()?;
            file.take(ID_BYTES as u64 + 1)
                .read_to_string(&mut id)
                .ok()?;
        }
        Err(_) => return None,
    }
    let id = id.trim();
    let is_good = id.len() == ID_BYTES && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    is_good.then(|| id.to_owned())
}

fn random_id() -> String {
    let random = fastrand::u128(..);
    // The version, and the variant of RFC 9562.
    let random = random & !(0xf000 << 64) | (0x4000 << 64);
    let random = random & !(0xc << 60) | (0x8 << 60);
    let digits = format!("{random:032x}");
    let parts = [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ];
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_keeps_its_id() {
        let home = tempfile::tempdir().expect("a folder");
        let database = home.path().join("a.sqlite");
        let id = installation_id(&database).expect("a folder that can be written");
        assert_eq!(installation_id(&database), Some(id.clone()));
        let groups: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12]);
        assert_eq!(&id[14..15], "4", "{id}");
        assert!("89ab".contains(&id[19..20]), "{id}");
        let other = installation_id(&home.path().join("b.sqlite"));
        assert_ne!(other, Some(id));

        assert_eq!(installation_id(Path::new(":memory:")), None);
        assert_eq!(installation_id(&home.path().join("none/x")), None);
        std::fs::write(home.path().join("c.sqlite.id"), "x\r\ny").expect("a file");
        assert_eq!(installation_id(&home.path().join("c.sqlite")), None);
    }
}
