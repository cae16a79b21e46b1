//! Completions for an argument that a person is typing. Only people who may change feeds and channels see their names.

use chrono::{DateTime, TimeDelta, Utc};

use crate::chat::{Audience, Choice, Completes, table::COMMANDS};
use crate::item::prose;
use crate::live::rights::Right;
use crate::live::{Generation, Live};
use crate::post::plain;
use crate::post::story::standing;
use crate::store::stories;
use crate::story::Story;

/// Discord's limit for choices.
const CHOICES_MAX: usize = 25;
/// Discord's limit for the characters of a choice.
const CHARS_MAX: usize = 100;
/// Characters of the typed text that are used.
const BEGUN_CHARS_MAX: usize = 100;
/// The fewest characters that start a search for stories. Fewer offer the best stories of the week.
const BEGUN_CHARS_MIN: usize = 2;

/// The choices for an argument, the best first.
pub(super) async fn choices(
    live: &Live,
    generation: &Generation,
    right: Right,
    completes: Completes,
    begun: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<Choice>> {
    let begun: String = begun.trim().chars().take(BEGUN_CHARS_MAX).collect();
    let config = &generation.effective.config;
    let may_change = right >= Right::Manager;
    let names: Vec<&str> = match completes {
        Completes::Story => return stories_begun(live, &begun, now).await,
        Completes::Feed if may_change => {
            config.feeds.iter().map(|feed| feed.name.as_str()).collect()
        }
        Completes::Channel if may_change => {
            let channels = config.channels.iter();
            channels.map(|channel| channel.name.as_str()).collect()
        }
        Completes::Feed | Completes::Channel => Vec::new(),
        Completes::Command => {
            let is_theirs = |audience| match audience {
                Audience::Readers => true,
                Audience::Editors => right >= Right::Editor,
                Audience::Maintainers => may_change,
            };
            let specs = COMMANDS.iter().filter(|spec| is_theirs(spec.audience));
            specs.map(|spec| spec.path).collect()
        }
    };
    Ok(of_names(names, &begun))
}

/// The names that contain the typed text: first those that start with it.
fn of_names(mut names: Vec<&str>, begun: &str) -> Vec<Choice> {
    let begun = begun.to_lowercase();
    names.retain(|name| name.to_lowercase().contains(&begun) && name.chars().count() <= CHARS_MAX);
    names.sort_by_key(|name| (!name.to_lowercase().starts_with(&begun), *name));
    names.dedup();
    let choice = |name: &str| Choice {
        shown: name.to_owned(),
        value: name.to_owned(),
    };
    names.into_iter().take(CHOICES_MAX).map(choice).collect()
}

async fn stories_begun(
    live: &Live,
    begun: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<Choice>> {
    let (readers, today) = (live.store.read(), stories::day_of(now));
    let most = i64::try_from(CHOICES_MAX).unwrap_or(i64::MAX);
    let words = stories::match_begun(begun);
    let found = match words.is_empty() || begun.chars().count() < BEGUN_CHARS_MIN {
        true => {
            let since = (now - TimeDelta::days(7)).timestamp();
            stories::best_stories(readers, since, today, most).await?
        }
        false => stories::newest_matches(readers, &words, today, most).await?,
    };
    Ok(found.iter().map(choice).collect())
}

fn choice(story: &Story) -> Choice {
    let state = format!(" ({})", standing(story));
    let room = CHARS_MAX.saturating_sub(state.chars().count());
    let shown = format!("{}{state}", prose::shorten(&plain(&story.title), room));
    Choice {
        shown: shown.chars().take(CHARS_MAX).collect(),
        value: story.id.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_begin_so_come_first() {
        let names = vec!["net", "bpf-next", "bpf", "net-bpf", "lwn", "bpf"];
        let shown = |begun: &str| {
            let found = of_names(names.clone(), begun);
            found
                .into_iter()
                .map(|choice| choice.value)
                .collect::<Vec<_>>()
        };
        assert_eq!(shown("BPF"), ["bpf", "bpf-next", "net-bpf"]);
        assert_eq!(shown("zzz"), [""; 0]);
        assert_eq!(shown("").len(), 5);
        let many: Vec<String> = (0..99).map(|number| format!("feed-{number}")).collect();
        let many = many.iter().map(String::as_str).collect();
        assert_eq!(of_names(many, "feed").len(), CHOICES_MAX);
    }
}
