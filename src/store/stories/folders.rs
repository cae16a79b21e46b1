//! The folders that stories change files in, for lists by folder.

use std::collections::BTreeSet;

use anyhow::Context as _;
use sqlx::SqliteConnection;

use super::pages::{ListedRow, ListedStory};
use crate::store::Readers;
use crate::story::Story;

/// How many levels of a path are kept.
pub(super) const LEVELS_MAX: usize = 3;
/// The most folders of one story.
pub(super) const FOLDERS_MAX: usize = 48;

/// A story about BPF, with the folders in which it changes files.
pub(super) struct IndexedStory<'a> {
    pub(super) number: i64,
    pub(super) story: &'a Story,
    pub(super) folders: BTreeSet<&'a str>,
}

/// The folders in which a story changes files: `kernel`, `kernel/bpf`.
pub fn folders_of(story: &Story) -> BTreeSet<&str> {
    let mut folders = BTreeSet::new();
    for file in &story.scope.files {
        let ends = file.match_indices('/').map(|(at, _)| at);
        for end in ends.take(LEVELS_MAX) {
            let folder = &file[..end];
            if is_plain(folder) && folders.len() < FOLDERS_MAX {
                folders.insert(folder);
            }
        }
    }
    folders
}

/// Whether a folder is kept: it is named in one way only.
pub(super) fn is_plain(folder: &str) -> bool {
    !folder
        .split('/')
        .any(|part| matches!(part, "" | "." | ".."))
}

/// Adds the folders of stories that have none.
pub(super) async fn add_folders(
    connection: &mut SqliteConnection,
    stories: &[IndexedStory<'_>],
) -> anyhow::Result<()> {
    let rows = stories.iter().flat_map(|indexed| {
        let folders = indexed.folders.iter();
        folders.map(|folder| (*folder, indexed.number))
    });
    let rows = serde_json::to_string(&rows.collect::<Vec<_>>())?;
    sqlx::query!(
        "INSERT INTO story_folders (folder, number) SELECT value ->> 0, value ->> 1 FROM json_each($1)",
        rows
    )
    .execute(connection)
    .await
    .context("storing the folders of stories")?;
    Ok(())
}

/// Stories about BPF that change a file in a folder or below, the latest first, behind a story's number.
pub async fn stories_in_folder(
    readers: &Readers,
    folder: &str,
    after: Option<i64>,
    today: i64,
    most: i64,
) -> anyhow::Result<Vec<ListedStory>> {
    let after = after.unwrap_or(i64::MAX);
    let rows = sqlx::query_as!(
        ListedRow,
        r#"SELECT s.number AS "number!", s.last_at AS "last_at!", s.told AS "told!", s.state AS "state!", s.free_on
           FROM story_folders f CROSS JOIN stories s ON s.number = f.number
           WHERE f.folder = $1 AND f.number < $2
             AND s.number NOT IN (SELECT number FROM retracted_stories WHERE number IS NOT NULL)
           ORDER BY f.number DESC LIMIT $3"#,
        folder,
        after,
        most
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("listing the stories of a folder")?;
    rows.into_iter().map(|row| row.listed(today)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_the_first_levels_of_paths() {
        let files = [
            "kernel/bpf/verifier.c",
            "tools/testing/selftests/bpf/x.c",
            "Makefile",
            "/etc/passwd",
            "a//b/c",
            "../up/x",
        ];
        let at = "2025-01-01T00:00:00Z";
        let mut story: Story = serde_json::from_value(serde_json::json!({
            "id": "a", "aliases": [], "kind": "series", "title": "x", "author": null, "url": null, "tree": null,
            "state": "posted", "score": 0, "relevant": true, "why": [], "first_at": at, "last_at": at, "feeds": [],
            "revisions": [], "follow_ups": 0, "people": [], "events": [], "applied": [], "mainline": null, "stable": [],
            "fixes": [], "cves": [], "messages": [], "commits": [], "summary": [], "changes": {},
        }))
        .expect("a story");
        story.scope.files = files.map(str::to_owned).to_vec();
        let found: Vec<&str> = folders_of(&story).into_iter().collect();
        let wanted = [
            "a",
            "kernel",
            "kernel/bpf",
            "tools",
            "tools/testing",
            "tools/testing/selftests",
        ];
        assert_eq!(found, wanted);
        story.scope.files = (0..500)
            .map(|number| format!("folder{number}/x.c"))
            .collect();
        assert_eq!(folders_of(&story).len(), FOLDERS_MAX);
    }
}
