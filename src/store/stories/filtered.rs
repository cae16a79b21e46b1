//! Stories that a filter takes.

use std::time::Duration;

use anyhow::Context as _;
use chrono::DateTime;
use sqlx::QueryBuilder;
use tokio::time::timeout;

use super::questions::{NO_WORDS, match_words, read};
use super::shown::search_stories;
use super::values::push_condition;
use crate::filter::{Condition, Filter, Subsystems};
use crate::store::Readers;
use crate::story::Story;

/// The most whole stories that one question reads; reading and comparing one takes some 30 µs.
const LOOKED_AT_MAX: usize = 5_000;
/// The most stories whose stored values one query compares; one takes less than a microsecond.
const STRETCH: i64 = 20_000;
/// Whole stories that are read at a time. Between two pages, others get the thread.
const PAGE: i64 = 100;
/// The time after which a question returns its matches so far.
const TIME_MAX: Duration = Duration::from_secs(3);

/// A place in the order of stories, the latest first: the time and the number.
type StoryPlace = (i64, i64);
/// The place before all stories.
const START: StoryPlace = (i64::MAX, i64::MAX);

/// Why a search ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum SearchEnd {
    /// All stories were compared.
    Whole,
    /// As many were found as were asked for.
    Enough,
    /// Time or the bound of a question was over.
    #[default]
    Stopped,
}

/// The answer of [`filtered_stories`].
#[derive(Debug, Clone, Default)]
pub struct FilteredStories {
    /// Those that the filter takes, the latest first.
    pub stories: Vec<Story>,
    /// How many whole stories were read.
    pub looked_at: usize,
    pub end: SearchEnd,
    /// The place of the last story that was compared; `None` if there was none.
    pub last: Option<StoryPlace>,
}

impl FilteredStories {
    /// What was found and what was looked at. `of` continues the number of stories, such as ` for "x"`; it may be empty.
    pub fn words(&self, of: &str) -> String {
        let found = match self.stories.len() {
            0 => format!("No story{of}"),
            1 => format!("1 story{of}"),
            many => format!("{many} stories{of}"),
        };
        let day = self
            .last
            .and_then(|(at, _)| DateTime::from_timestamp(at, 0));
        match (self.end, day) {
            (SearchEnd::Whole, _) => found,
            (SearchEnd::Enough, _) => format!("The latest {found}"),
            (SearchEnd::Stopped, Some(day)) => {
                let day = day.format("%Y-%m-%d");
                format!("{found} that moved since {day}; older ones were not compared")
            }
            (SearchEnd::Stopped, None) => {
                "The search took too long, and no story was compared".to_owned()
            }
        }
    }
}

/// The stories about BPF that a filter takes, the latest first: at most `most`. The stored values rule out most others; of those
/// that are left, at most [`LOOKED_AT_MAX`] are compared, and as many as [`TIME_MAX`] allows.
pub async fn filtered_stories(
    readers: &Readers,
    filter: &Filter,
    subsystems: &Subsystems,
    today: i64,
    most: usize,
) -> anyhow::Result<FilteredStories> {
    filtered_stories_after(readers, filter, subsystems, None, today, most).await
}

/// The same, behind a place in the order of time and number.
pub async fn filtered_stories_after(
    readers: &Readers,
    filter: &Filter,
    subsystems: &Subsystems,
    after: Option<StoryPlace>,
    today: i64,
    most: usize,
) -> anyhow::Result<FilteredStories> {
    let mut found = FilteredStories::default();
    let reader = StretchReader {
        condition: filter.condition(),
        today,
    };
    let mut after = after.unwrap_or(START);
    let read_all = async {
        loop {
            let end = reader.stretch_end(readers, after).await?;
            loop {
                let page = reader.page(readers, after, end).await?;
                let is_last = i64::try_from(page.len())? < PAGE;
                for (place, story) in page {
                    found.looked_at += 1;
                    (after, found.last) = (place, Some(place));
                    if filter.takes(&story, subsystems) {
                        found.stories.push(story);
                    }
                    if found.stories.len() >= most {
                        found.end = SearchEnd::Enough;
                        return Ok(());
                    }
                }
                if is_last {
                    break;
                }
                if found.looked_at >= LOOKED_AT_MAX {
                    return Ok(());
                }
            }
            let Some(end) = end else {
                found.end = SearchEnd::Whole;
                return Ok::<(), anyhow::Error>(());
            };
            (after, found.last) = (end, Some(end));
        }
    };
    if let Ok(read) = timeout(TIME_MAX, read_all).await {
        read?;
    }
    Ok(found)
}

/// Reads the stories of a stretch that their values do not rule out.
struct StretchReader {
    condition: Condition,
    today: i64,
}

impl StretchReader {
    /// The last place of a stretch behind a place; `None` if no more stories are there than one stretch.
    async fn stretch_end(
        &self,
        readers: &Readers,
        (last_at, number): StoryPlace,
    ) -> anyhow::Result<Option<StoryPlace>> {
        let row = sqlx::query!(
            r#"SELECT last_at AS "last_at!", number AS "number!" FROM stories INDEXED BY stories_shown
               WHERE relevant = 1 AND last_at <= $1 AND (last_at < $1 OR number < $2)
               ORDER BY last_at DESC, number DESC LIMIT 1 OFFSET $3"#,
            last_at,
            number,
            STRETCH
        )
        .fetch_optional(&mut *readers.acquire().await?)
        .await
        .context("counting stories for a filter")?;
        Ok(row.map(|row| (row.last_at, row.number)))
    }

    /// The stories behind a place up to another one that their values do not rule out, with their own places.
    async fn page(
        &self,
        readers: &Readers,
        (last_at, number): StoryPlace,
        end: Option<StoryPlace>,
    ) -> anyhow::Result<Vec<(StoryPlace, Story)>> {
        let (end_at, end_number) = end.unwrap_or((i64::MIN, i64::MIN));
        let mut sql = QueryBuilder::new(
            "SELECT t.number, t.last_at, t.told, t.state, t.free_on FROM
             (SELECT s.number, s.last_at FROM stories s INDEXED BY stories_shown
              LEFT JOIN story_values f ON f.story = s.number WHERE s.relevant = 1",
        );
        for (start, at, than, place) in [
            (" AND (s.last_at < ", last_at, " AND s.number < ", number),
            (
                " AND (s.last_at > ",
                end_at,
                " AND s.number >= ",
                end_number,
            ),
        ] {
            sql.push(start).push_bind(at).push(" OR s.last_at = ");
            sql.push_bind(at).push(than).push_bind(place).push(")");
        }
        sql.push(" AND s.last_at <= ").push_bind(last_at);
        sql.push(" AND s.last_at >= ").push_bind(end_at);
        sql.push(" AND s.number NOT IN (SELECT number FROM retracted_stories WHERE number IS NOT NULL) AND (");
        push_condition(&mut sql, &self.condition, self.today);
        sql.push(") IS NOT FALSE ORDER BY s.last_at DESC, s.number DESC LIMIT ");
        sql.push_bind(PAGE);
        sql.push(
            ") p CROSS JOIN stories t ON t.number = p.number ORDER BY p.last_at DESC, p.number DESC",
        );
        let rows = sql
            .build_query_as::<(i64, i64, Vec<u8>, String, Option<i64>)>()
            .persistent(false)
            .fetch_all(&mut *readers.acquire().await?)
            .await
            .context("reading stories for a filter")?;
        let stories = rows.iter();
        let stories = stories.map(|(number, last_at, told, state, free_on)| {
            let story = read(told, state, self.today, *free_on, "[]")?;
            Ok(((*last_at, *number), story))
        });
        stories.collect()
    }
}

/// The answer of [`search_typed`].
#[derive(Debug, Clone)]
pub enum Searched {
    /// Stories with the words, best match first; at most as many as asked for.
    Words(Vec<Story>),
    /// Stories that a filter takes.
    Filter(FilteredStories),
    /// What was typed cannot be searched for: why, and what would be right.
    Wrong(String),
}

impl Searched {
    /// The stories.
    pub fn stories(&self) -> &[Story] {
        match self {
            Self::Words(stories) => stories,
            Self::Filter(found) => &found.stories,
            Self::Wrong(_) => &[],
        }
    }
}

/// Searches for a typed text: words in full text, or a filter.
pub async fn search_typed(
    readers: &Readers,
    typed: &str,
    subsystems: &Subsystems,
    today: i64,
    most: i64,
) -> anyhow::Result<Searched> {
    let filter = Filter::of_search(typed).and_then(|filter| {
        if let Some(filter) = &filter {
            filter.check(subsystems)?;
        }
        Ok(filter)
    });
    match filter {
        Ok(Some(filter)) => {
            let most = usize::try_from(most).unwrap_or(0);
            let found = filtered_stories(readers, &filter, subsystems, today, most).await?;
            Ok(Searched::Filter(found))
        }
        Ok(None) => {
            let words = match_words(typed);
            if words.is_empty() {
                return Ok(Searched::Wrong(NO_WORDS.to_owned()));
            }
            let found = search_stories(readers, &words, today, most).await?;
            Ok(Searched::Words(found))
        }
        Err(error) => Ok(Searched::Wrong(error.to_string())),
    }
}

#[cfg(test)]
mod tests;
