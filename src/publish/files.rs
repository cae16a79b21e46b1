//! Writes issues as Markdown files into a folder, for a static site. A file with the right content is left alone. A file that
//! somebody edited stays as it is, and a new text goes beside it. A file of hashes in the folder records which files are ours,
//! so the folder may be moved and a database restored.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tracing::{info, warn};

use super::Rules;
use crate::issue::markdown;
use crate::item::hex;
use crate::store::Store;
use crate::store::issues;

/// The title of the notice about edited files.
pub const FILE_EDITED: &str = "A file of an issue was changed by hand and is left alone";
/// The file in which hashes are kept.
const RECORD: &str = ".bpfnews.json";
/// The suffix of a file beside an edited one; static sites ignore it.
const BESIDE: &str = ".new";
/// Hashes recorded of a file: of its present text, and of the text about to be written.
const HASHES_MAX: usize = 2;

/// The hashes of our files, by name.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Record(BTreeMap<String, Written>);

/// The hashes of one file (SHA-256, hexadecimal).
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    /// Of its last contents, the latest last.
    #[serde(default)]
    was: Vec<String>,
    /// The hash of the text last written beside an edited file.
    #[serde(default)]
    beside: Option<String>,
}

/// Writes missing and outdated files, and removes those of withdrawn issues, if a folder is configured. Failures are logged; the
/// database has the issues, and the next call tries again. Returns a sentence for each edited file that was left alone, once for
/// each new text.
pub async fn write(store: &Store, rules: Rules<'_>) -> Vec<String> {
    let Some(folder) = &rules.issue.folder else {
        return Vec::new();
    };
    match write_all(store, rules, folder).await {
        Ok(edited) => edited,
        Err(error) => {
            warn!("issues were not written to {}: {error:#}", folder.display());
            Vec::new()
        }
    }
}

async fn write_all(store: &Store, rules: Rules<'_>, folder: &Path) -> anyhow::Result<Vec<String>> {
    tokio::fs::create_dir_all(folder)
        .await
        .context("making the folder")?;
    let mut record = Record::read(folder).await;
    let (mut names, mut edited) = (BTreeSet::new(), Vec::new());
    for row in issues::list_issues(store.read().into()).await? {
        let Some(issue) = issues::issue(store.read().into(), row.number).await? else {
            continue;
        };
        let corrections = issues::corrections(store.read().into(), row.number).await?;
        let text = markdown::file(&issue, &corrections, rules.home);
        let name = format!("{}.md", markdown::file_name(&issue));
        edited.extend(record.write(folder, &name, &text).await?);
        names.insert(name);
    }
    let gone: Vec<String> = record.0.keys().cloned().collect();
    for name in gone.into_iter().filter(|name| !names.contains(name)) {
        edited.extend(record.remove(folder, &name).await?);
    }
    for sentence in &edited {
        warn!("{sentence}");
    }
    Ok(edited)
}

impl Record {
    /// Reads the recorded hashes. An unreadable record counts as empty, so that no edited file is taken for ours.
    async fn read(folder: &Path) -> Self {
        let text = tokio::fs::read(folder.join(RECORD)).await;
        let read = text.ok().map(|text| serde_json::from_slice(&text));
        read.and_then(Result::ok).unwrap_or_default()
    }

    async fn save(&self, folder: &Path) -> anyhow::Result<()> {
        put(folder, RECORD, &serde_json::to_string_pretty(self)?).await
    }

    /// Writes a text into a file, or beside it if the file was edited; returns a sentence in that case.
    async fn write(
        &mut self,
        folder: &Path,
        name: &str,
        text: &str,
    ) -> anyhow::Result<Option<String>> {
        let old = read(folder, name).await?;
        let new = hash(text.as_bytes());
        let old = old.map(|old| hash(&old));
        let known = self.0.entry(name.to_owned()).or_default();
        let is_ours = old.as_ref().is_none_or(|old| known.was.contains(old));
        if old.as_ref() == Some(&new) {
            if known.was != [new.clone()] {
                *known = Written {
                    was: vec![new],
                    beside: None,
                };
                self.save(folder).await?;
            }
            return Ok(None);
        }
        if !is_ours {
            if known.beside.as_ref() == Some(&new) {
                return Ok(None);
            }
            known.beside = Some(new);
            let beside = format!("{name}{BESIDE}");
            put(folder, &beside, text).await?;
            self.save(folder).await?;
            return Ok(Some(format!(
                "{} differs from the text that bpfnews wrote, so it is not overwritten; the new text is in {beside}.",
                folder.join(name).display()
            )));
        }
        // Both hashes count as ours until the file is written, so a crash in between does no harm.
        known.was.push(new);
        let many = known.was.len();
        known.was.drain(..many.saturating_sub(HASHES_MAX));
        self.save(folder).await?;
        put(folder, name, text).await?;
        info!("{} is written", folder.join(name).display());
        Ok(None)
    }

    /// Removes the file of a withdrawn issue, unless it was edited; returns a sentence in that case.
    async fn remove(&mut self, folder: &Path, name: &str) -> anyhow::Result<Option<String>> {
        let old = read(folder, name).await?;
        let known = self.0.remove(name).unwrap_or_default();
        let path = folder.join(name);
        let edited = match old {
            Some(old) if known.was.contains(&hash(&old)) => {
                let removed = tokio::fs::remove_file(&path).await;
                removed.with_context(|| format!("removing {name}"))?;
                info!("{} is removed", path.display());
                None
            }
            Some(_) => Some(format!(
                "{} differs from the text that bpfnews wrote, so it is not removed, although its issue was withdrawn.",
                path.display()
            )),
            None => None,
        };
        self.save(folder).await?;
        Ok(edited)
    }
}

/// Reads a file; `None` if there is none.
async fn read(folder: &Path, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
    match tokio::fs::read(folder.join(name)).await {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {name}")),
    }
}

/// Writes a file, whole or not at all: a site may be built from it at any moment.
async fn put(folder: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let half = folder.join(format!(".{}.half", name.trim_start_matches('.')));
    tokio::fs::write(&half, text)
        .await
        .with_context(|| format!("writing {name}"))?;
    tokio::fs::rename(&half, folder.join(name))
        .await
        .with_context(|| format!("writing {name}"))
}

fn hash(text: &[u8]) -> String {
    hex(&Sha256::digest(text))
}
