//! The rows beside stories by which lists and filters find them: folders, files and values.

use anyhow::Context as _;
use sqlx::SqliteConnection;

use super::files::add_files;
use super::folders::{IndexedStory, add_folders, folders_of};
use super::values::add_values;
use crate::story::Story;

/// Replaces the rows of these stories. Stories that are not about BPF have none.
pub(super) async fn put_index(
    connection: &mut SqliteConnection,
    stories: &[(i64, &Story)],
) -> anyhow::Result<()> {
    let numbers: Vec<i64> = stories.iter().map(|(number, _)| *number).collect();
    forget(connection, &serde_json::to_string(&numbers)?).await?;
    let about_bpf = stories.iter().filter(|(_, story)| story.relevant);
    let indexed = about_bpf.map(|(number, story)| IndexedStory {
        number: *number,
        story,
        folders: folders_of(story),
    });
    let indexed: Vec<IndexedStory<'_>> = indexed.collect();
    if indexed.is_empty() {
        return Ok(());
    }
    add_folders(connection, &indexed).await?;
    add_files(connection, &indexed).await?;
    add_values(connection, &indexed).await
}

/// Deletes the rows of stories; `numbers` is a JSON array.
async fn forget(connection: &mut SqliteConnection, numbers: &str) -> anyhow::Result<()> {
    const WHY: &str = "forgetting where stories are found";
    sqlx::query!(
        "DELETE FROM story_folders WHERE number IN (SELECT value FROM json_each($1))",
        numbers
    )
    .execute(&mut *connection)
    .await
    .context(WHY)?;
    sqlx::query!(
        "DELETE FROM story_files WHERE number IN (SELECT value FROM json_each($1))",
        numbers
    )
    .execute(&mut *connection)
    .await
    .context(WHY)?;
    sqlx::query!(
        "DELETE FROM story_values WHERE story IN (SELECT value FROM json_each($1))",
        numbers
    )
    .execute(connection)
    .await
    .context(WHY)?;
    Ok(())
}
