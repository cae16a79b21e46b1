//! Secrets: asks for one, writes one to a file, and finds those that other users of this machine can read.

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use secrecy::{ExposeSecret as _, SecretString};

use crate::config::{Config, HookUrl};
use crate::store::backup::beside;

/// The permission that others need for a file. They also need to enter each folder above it.
const READ: u32 = 0o004;
const ENTER: u32 = 0o001;

/// The mode of a file that only its owner can read.
const OWN: u32 = 0o600;

/// Asks for a secret without showing it; reads a line of standard input if that is no terminal.
pub(super) fn ask(what: &str) -> anyhow::Result<SecretString> {
    let secret = match std::io::stdin().is_terminal() {
        true => rpassword::prompt_password(what).context("reading from the terminal")?,
        false => {
            let mut line = String::new();
            let read = std::io::stdin().lock().read_line(&mut line);
            read.context("reading standard input")?;
            line
        }
    };
    let secret = secret.trim_end_matches(['\r', '\n']).to_owned();
    anyhow::ensure!(
        !secret.is_empty(),
        "nothing was given for \"{}\"",
        what.trim_end_matches([':', ' '])
    );
    Ok(secret.into())
}

/// Writes a secret to a new file that only its owner can read.
pub(super) fn write_new(path: &Path, secret: &SecretString) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).mode(OWN).open(path);
    let mut file = made.with_context(|| format!("writing {}", path.display()))?;
    let written = writeln!(file, "{}", secret.expose_secret()).and_then(|()| file.sync_all());
    written.with_context(|| format!("writing {}", path.display()))
}

/// A sentence with a remedy for each secret that others can read.
pub(super) fn open_to_others(config: &Config) -> Vec<String> {
    let discord = config.discord.as_ref();
    let discord = discord.and_then(|discord| discord.token_file.clone());
    let matrix = config.matrix.as_ref();
    let password = matrix.and_then(|matrix| matrix.password_file.clone());
    let token = matrix.and_then(|matrix| matrix.token_file.clone());
    let folder = matrix.map(|_| config.matrix_folder());
    let mail = config.mail.as_ref();
    let mail = mail.and_then(|mail| mail.password_file.clone());
    let mut secrets: Vec<(&str, Option<PathBuf>)> = vec![
        ("the token for Discord", discord),
        ("the password for Matrix", password),
        ("the token for Matrix", token),
        ("the Matrix session", folder),
        ("the password for the mail server", mail),
    ];
    for feed in &config.feeds {
        let login = feed.addresses.login.as_ref();
        let file = login.map(|login| login.password_file.clone());
        secrets.push(("the password for a news server", file));
    }
    for channel in &config.channels {
        let Some(hook) = &channel.hook else { continue };
        secrets.push(("the secret of a webhook", hook.secret_file.clone()));
        if let HookUrl::File(file) = &hook.url {
            secrets.push(("the address of a webhook", Some(file.clone())));
        }
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
