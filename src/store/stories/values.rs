//! The values of stories that filters compare, a row each, and the SQL that compares them.

use anyhow::Context as _;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::folders::{FOLDERS_MAX, IndexedStory, LEVELS_MAX, is_plain};
use crate::filter::{Condition, NumberField, StoryValues, ValueColumn, ValueTest, json_word};

/// Adds the values of stories that have none.
pub(super) async fn add_values(
    connection: &mut SqliteConnection,
    stories: &[IndexedStory<'_>],
) -> anyhow::Result<()> {
    let rows = stories.iter().map(|indexed| {
        let values = StoryValues::of(indexed.story);
        (indexed.number, values, indexed.folders.len())
    });
    let rows = serde_json::to_string(&rows.collect::<Vec<_>>())?;
    sqlx::query!(
        "WITH j (story, v, folders) AS MATERIALIZED (SELECT value ->> 0, value -> 1, value ->> 2 FROM json_each($1))
         INSERT INTO story_values (story, title, author, people, trees, feeds, lists, mailed, reasons, score, parts, version,
                                   replies, folders)
         SELECT story, v ->> 'title', v ->> 'author', v ->> 'people', v ->> 'trees', v ->> 'feeds', v ->> 'lists',
                v ->> 'mailed', v ->> 'reasons', v ->> 'score', v ->> 'parts', v ->> 'version', v ->> 'replies', folders
         FROM j",
        rows
    )
    .execute(connection)
    .await
    .context("storing the values of stories")?;
    Ok(())
}

/// Appends a condition about `stories s` and `story_values f`. Unknown is NULL, whose joints are those of the condition.
pub(super) fn push_condition(sql: &mut QueryBuilder<Sqlite>, condition: &Condition, today: i64) {
    let mut joined = |parts: &[Condition], joint: &str, none: &str| {
        sql.push("(");
        for (place, part) in parts.iter().enumerate() {
            sql.push(if place == 0 { "" } else { joint });
            push_condition(sql, part, today);
        }
        sql.push(if parts.is_empty() { none } else { "" });
        sql.push(")");
    };
    match condition {
        Condition::All(parts) => joined(parts, " AND ", "TRUE"),
        Condition::Any(parts) => joined(parts, " OR ", "FALSE"),
        Condition::Not(part) => {
            sql.push("(NOT ");
            push_condition(sql, part, today);
            sql.push(")");
        }
        Condition::Value(test) => push_test(sql, test, today),
        Condition::Unknown => {
            sql.push("NULL");
        }
    }
}

fn push_test(sql: &mut QueryBuilder<Sqlite>, test: &ValueTest, today: i64) {
    match test {
        ValueTest::Kind(kind) => sql.push("s.kind = ").push_bind(json_word(kind)),
        ValueTest::State(state) => sql
            .push("CASE WHEN s.state = 'paid' AND s.free_on <= ")
            .push_bind(today)
            .push(" THEN 'free' ELSE s.state END = ")
            .push_bind(json_word(state)),
        ValueTest::Number(NumberField::Score, comparison, than) => sql
            .push(format_args!("f.score {} ", comparison.sign()))
            .push_bind(*than),
        ValueTest::Number(field, comparison, than) => {
            let (column, sign) = (number_column(*field), comparison.sign());
            sql.push(format_args!("({column} >= 0 AND {column} {sign} "))
                .push_bind(*than)
                .push(")")
        }
        ValueTest::Contains(column, text) => sql
            .push(format_args!("instr({}, ", text_column(*column)))
            .push_bind(text.clone())
            .push(") > 0"),
        ValueTest::Folder(folder) if !is_plain(folder) => sql.push("NULL"),
        ValueTest::Folder(folder) => {
            let parts: Vec<&str> = folder.split('/').take(LEVELS_MAX).collect();
            // A story with many folders may be in more.
            sql.push(format_args!(
                "((f.folders >= {FOLDERS_MAX} AND NULL)
                  OR EXISTS (SELECT 1 FROM story_folders d WHERE d.number = s.number AND d.folder = "
            ))
            .push_bind(parts.join("/"))
            .push("))")
        }
    };
}

fn number_column(field: NumberField) -> &'static str {
    match field {
        NumberField::Score => "f.score",
        NumberField::Parts => "f.parts",
        NumberField::Version => "f.version",
        NumberField::Replies => "f.replies",
    }
}

fn text_column(column: ValueColumn) -> &'static str {
    match column {
        ValueColumn::Title => "f.title",
        ValueColumn::Author => "f.author",
        ValueColumn::People => "f.people",
        ValueColumn::Trees => "f.trees",
        ValueColumn::Feeds => "f.feeds",
        ValueColumn::Lists => "f.lists",
        ValueColumn::Mailed => "f.mailed",
        ValueColumn::Reasons => "f.reasons",
    }
}
