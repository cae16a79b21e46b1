//! Stories that a filter takes.

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::timeout;

use super::questions::{NO_WORDS, match_words, read};
use super::shown::search_stories;
use crate::filter::{Filter, Subsystems};
use crate::store::Readers;
use crate::story::Story;

/// The most stories that one question reads; reading and comparing one takes some 30 µs.
const LOOKED_AT_MAX: usize = 5_000;
/// Stories that are read at a time. Between two pages, others get the thread.
const PAGE: i64 = 100;
/// The time after which a question returns its matches so far.
const TIME_MAX: Duration = Duration::from_secs(3);

/// The answer of [`filtered_stories`].
#[derive(Debug, Clone, Default)]
pub struct FilteredStories {
    /// Those that the filter takes, the latest first.
    pub stories: Vec<Story>,
    /// How many stories were compared.
    pub looked_at: usize,
    /// Whether no story is left that could be compared.
    pub is_whole: bool,
    /// The place of the last story that was compared: its time and number.
    pub last: (i64, i64),
}

impl FilteredStories {
    /// How much was found, in words.
    pub fn words(&self) -> String {
        let found = match self.stories.len() {
            0 => "No story".to_owned(),
            1 => "1 story".to_owned(),
            many => format!("{many} stories"),
        };
        match self.is_whole {
            true => found,
            false => format!("{found} among the {} that moved last", self.looked_at),
        }
    }
}

/// The stories about BPF that a filter takes, the latest first: at most `most`, among the latest [`LOOKED_AT_MAX`], and as many
/// as are found in [`TIME_MAX`].
pub async fn filtered_stories(
    readers: &Readers,
    filter: &Filter,
    subsystems: &Subsystems,
    today: i64,
    most: usize,
) -> anyhow::Result<FilteredStories> {
    let start = (i64::MAX, i64::MAX);
    filtered_stories_after(readers, filter, subsystems, start, today, most).await
}

/// The same, behind a place in the order of time and number.
pub async fn filtered_stories_after(
    readers: &Readers,
    filter: &Filter,
    subsystems: &Subsystems,
    mut after: (i64, i64),
    today: i64,
    most: usize,
) -> anyhow::Result<FilteredStories> {
    let mut found = FilteredStories::default();
    let read_all = async {
        while found.looked_at < LOOKED_AT_MAX && found.stories.len() < most {
            let page = page_after(readers, after, today).await?;
            let is_last = i64::try_from(page.len())? < PAGE;
            for (place, story) in page {
                found.looked_at += 1;
                (after, found.last) = (place, place);
                if filter.takes(&story, subsystems) {
                    found.stories.push(story);
                }
                if found.stories.len() >= most {
                    return Ok(());
                }
            }
            if is_last {
                found.is_whole = true;
                break;
            }
        }
        Ok::<(), anyhow::Error>(())
    };
    if let Ok(read) = timeout(TIME_MAX, read_all).await {
        read?;
    }
    Ok(found)
}

/// The stories behind a place in the order of time and number, the latest first, with their own places.
async fn page_after(
    readers: &Readers,
    (last_at, number): (i64, i64),
    today: i64,
) -> anyhow::Result<Vec<((i64, i64), Story)>> {
    let rows = sqlx::query!(
        r#"SELECT number AS "number!", last_at AS "last_at!", told AS "told!", state AS "state!", free_on
           FROM stories INDEXED BY stories_by_time
           WHERE last_at <= $1 AND (last_at < $1 OR number < $2) AND relevant = 1
             AND number NOT IN (SELECT number FROM retracted_stories)
           ORDER BY last_at DESC, number DESC LIMIT $3"#,
        last_at,
        number,
        PAGE
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("reading stories for a filter")?;
    let stories = rows.iter().map(|row| {
        let story = read(&row.told, &row.state, today, row.free_on, "[]")?;
        Ok(((row.last_at, row.number), story))
    });
    stories.collect()
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
