//! Issues as Markdown files in a folder, for a static site. A file that says what it should is left alone.

use std::path::Path;

use anyhow::Context as _;
use tracing::{info, warn};

use super::Rules;
use crate::issue::markdown;
use crate::store::Store;
use crate::store::issues;

/// Writes the files that are missing or outdated, where a folder is configured. What goes wrong is logged: the issues are
/// in the database, and the next one tries again.
pub async fn write(store: &Store, rules: Rules<'_>) {
    let Some(folder) = &rules.issue.folder else {
        return;
    };
    if let Err(error) = write_all(store, rules, folder).await {
        warn!("issues were not written to {}: {error:#}", folder.display());
    }
}

async fn write_all(store: &Store, rules: Rules<'_>, folder: &Path) -> anyhow::Result<()> {
    tokio::fs::create_dir_all(folder)
        .await
        .context("making the folder")?;
    for row in issues::list_issues(store.read().into()).await? {
        let Some(issue) = issues::issue(store.read().into(), row.number).await? else {
            continue;
        };
        let corrections = issues::corrections(store.read().into(), row.number).await?;
        let text = markdown::file(&issue, &corrections, rules.home);
        let name = format!("{}.md", markdown::file_name(&issue));
        let path = folder.join(&name);
        if tokio::fs::read(&path)
            .await
            .is_ok_and(|old| old == text.as_bytes())
        {
            continue;
        }
        // Whole or not at all: a site may be built from it at any moment.
        let half = folder.join(format!(".{name}.new"));
        tokio::fs::write(&half, text)
            .await
            .with_context(|| format!("writing {name}"))?;
        tokio::fs::rename(&half, &path)
            .await
            .with_context(|| format!("writing {name}"))?;
        info!("{} is written", path.display());
    }
    Ok(())
}
