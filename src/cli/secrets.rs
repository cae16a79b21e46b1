//! Finds secrets that other users of this machine can read.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::store::backup::beside;

/// The permission that others need for a file. They also need to enter each folder above it.
const READ: u32 = 0o004;
const ENTER: u32 = 0o001;

/// A sentence with a remedy for each secret that others can read.
pub(super) fn open_to_others(config: &Config) -> Vec<String> {
    let discord = config.discord.as_ref();
    let discord = discord.and_then(|discord| discord.token_file.clone());
    let matrix = config.matrix.as_ref();
    let password = matrix.and_then(|matrix| matrix.password_file.clone());
    let folder = matrix.map(|_| config.matrix_folder());
    let mut secrets: Vec<(&str, Option<PathBuf>)> = vec![
        ("the token for Discord", discord),
        ("the password for Matrix", password),
        ("the Matrix session", folder),
    ];
    for feed in &config.feeds {
        let login = feed.addresses.login.as_ref();
        let file = login.map(|login| login.password_file.clone());
        secrets.push(("the password for a news server", file));
    }
    for ending in ["", "-wal", "-shm"] {
        secrets.push(("the database", Some(beside(&config.database, ending))));
    }
    let open = secrets.into_iter().filter_map(|(what, path)| {
        let path = path?.canonicalize().ok()?;
        let mode = if path.is_dir() { "700" } else { "600" };
        is_open(&path).then(|| format!("others can read {what}: chmod {mode} {}", path.display()))
    });
    open.collect()
}

/// Whether others can read a file, by the modes of it and of the folders above; its path has no links.
fn is_open(path: &Path) -> bool {
    let has = |path: &Path, bits: u32| {
        fs::metadata(path).is_ok_and(|found| found.permissions().mode() & bits == bits)
    };
    let bits = if path.is_dir() { READ | ENTER } else { READ };
    has(path, bits) && path.ancestors().skip(1).all(|above| has(above, ENTER))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    #[test]
    fn secrets_that_others_can_reach_and_read_are_named() {
        let home = tempfile::tempdir().expect("a folder");
        let set = |name: &str, mode: u32| {
            let path = home.path().join(name);
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
        };
        for name in ["token", "bpfnews.sqlite"] {
            fs::write(home.path().join(name), "x").expect("room on the disk");
        }
        let text = "[discord]\ntoken_file = \"token\"\n\n[[feed]]\nname = \"a\"\nkind = \"lwn\"\n\
                    url = \"https://lwn.net/headlines/rss\"\n";
        let file = home.path().join("config.toml");
        let config = Config::parse(text, &file).expect("a configuration");
        // The user who runs the tests may keep the whole folder private.
        let above = home.path().canonicalize().expect("it is there");
        let is_reachable = above.ancestors().skip(1).all(|above| {
            fs::metadata(above).is_ok_and(|above| above.permissions().mode() & ENTER != 0)
        });
        // The folder, the token, the database; how many others can read.
        #[rustfmt::skip]
        let table = [
            (0o755, 0o600, 0o600, 0), (0o755, 0o644, 0o600, 1), (0o755, 0o604, 0o644, 2), (0o755, 0o640, 0o660, 0),
            (0o700, 0o644, 0o644, 0),
        ];
        for (folder, token, database, many) in table {
            set("token", token);
            set("bpfnews.sqlite", database);
            set("", folder);
            let open = open_to_others(&config);
            assert_eq!(
                open.len(),
                if is_reachable { many } else { 0 },
                "{folder:o} {token:o} {database:o}: {open:?}"
            );
            for told in open {
                assert!(told.contains(": chmod 600 /"), "{told}");
            }
        }
    }
}
