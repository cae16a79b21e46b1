//! Links that readers suggest for the next issue.

use chrono::{DateTime, Utc};
use url::Url;

use super::context::{Answer, CommandContext, CommandError, refuse};
use crate::destination::{Destination, for_maintainers};
use crate::item::link::canonical_link;
use crate::item::prose;
use crate::plan::match_standing;
use crate::post::story::{Content, Suggestion};
use crate::post::{is_for_readers, plain};
use crate::store::suggestions::{
    self, NewSuggestion, SuggestionLimits, SuggestionResult, take_suggestion,
};
use crate::store::{Tx, outbox, stories};

/// The longest address: a list on Discord shows one of this length.
const URL_BYTES_MAX: usize = 500;
const NOTE_CHARS_MAX: usize = 300;

/// Stores a suggested link, or refuses it with the reason.
pub(super) async fn suggest(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let url = match address(ctx.required("url")) {
        Ok(url) => url,
        Err(why) => return refuse(why),
    };
    let commands = &ctx.generation.effective.config.commands;
    let caps = SuggestionLimits {
        person_max: commands.suggestions_person_max,
        place_max: commands.suggestions_server_max,
    };
    if caps.person_max == 0 || caps.place_max == 0 {
        return refuse("Suggestions are turned off.");
    }
    let note = plain(ctx.call.get("note").unwrap_or_default());
    let note = prose::shorten(&note, NOTE_CHARS_MAX);
    let canonical = canonical_link(&url);
    let new = NewSuggestion {
        url: &canonical,
        shown: url.as_str(),
        note: &note,
        platform: ctx.by.platform.word(),
        person: &ctx.by.person,
        place: ctx.by.community.as_deref().unwrap_or(&ctx.by.room),
        room: &ctx.by.room,
    };
    let readers = ctx.live.store.read();
    let known = stories::find_story(readers, url.as_str(), ctx.today()).await?;
    let known = known.map(|story| format!("bpfnews already follows it: {}", plain(&story.title)));
    let known = known.unwrap_or_default();
    let mut tx = ctx.live.store.write().await?;
    let taken = take_suggestion(&mut tx, &new, caps, ctx.now).await?;
    if let SuggestionResult::Saved(number) = taken {
        let suggestion = Suggestion {
            number,
            link: url.to_string(),
            note,
            known: known.clone(),
            decided: String::new(),
            mark: format!("suggestion-{number}"),
        };
        let destinations = ctx.generation.ingest.destinations();
        notify_editors(&mut tx, &destinations, suggestion, ctx.now).await?;
    }
    tx.commit().await.map_err(anyhow::Error::from)?;
    match taken {
        SuggestionResult::Saved(_) => {
            ctx.live.wake();
            let text = format!(
                "It is saved for the next issue. If the editors accept it, a message here says so.\n{known}"
            );
            ctx.message("Thank you", text.trim_end())
        }
        SuggestionResult::Known(at) => {
            let day = DateTime::from_timestamp(at, 0).unwrap_or_default();
            let day = day.format("%-d %B %Y");
            ctx.message(
                "Thank you",
                format!("Somebody already suggested it on {day}."),
            )
        }
        SuggestionResult::PersonFull => refuse(format!(
            "The limit is {} per person in 24 hours, so this one was not saved. Try again tomorrow.",
            links(caps.person_max)
        )),
        SuggestionResult::PlaceFull => refuse(format!(
            "The limit is {} from this place in 24 hours, so this one was not saved. Try again tomorrow.",
            links(caps.place_max)
        )),
        SuggestionResult::Banned => {
            refuse("You are banned from suggestions, so this one was not saved.")
        }
    }
}

/// Queues a suggestion for the maintainers' channels, where editors decide it.
async fn notify_editors(
    tx: &mut Tx,
    destinations: &[Destination],
    suggestion: Suggestion,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let number = suggestion.number;
    let content = Content::Suggestion(suggestion);
    for destination in for_maintainers(destinations) {
        let post = outbox::open_and_queue(tx, destination.row.id, &content, now, now).await?;
        suggestions::keep_post(tx, number, post).await?;
    }
    match_standing(tx, now).await
}

fn links(many: u32) -> String {
    match many {
        1 => "one link".to_owned(),
        many => format!("{many} links"),
    }
}

/// Checks a suggested address: http or https, public, and without a password.
fn address(typed: &str) -> Result<Url, &'static str> {
    let typed = typed.trim().trim_start_matches('<').trim_end_matches('>');
    if typed.len() > URL_BYTES_MAX {
        return Err("That address is too long; the limit is 500 characters.");
    }
    let Ok(url) = Url::parse(typed) else {
        return Err("That is not a complete address: start it with https:// or http://.");
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Err("Only addresses that start with https:// or http:// are accepted.");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("That address contains a user or a password. Remove it.");
    }
    if !is_for_readers(url.as_str()) || url.as_str().len() > URL_BYTES_MAX {
        return Err("That address is not reachable for others.");
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_of_the_web() {
        #[rustfmt::skip]
        let table = [
            ("https://a.example/x?y=1#z", Ok("https://a.example/x?y=1#z")),
            ("<https://a.example/>", Ok("https://a.example/")),
            ("HTTP://A.example", Ok("http://a.example/")),
            ("https://ex\u{e4}mple.example/", Ok("https://xn--exmple-cua.example/")),
            ("a.example", Err("not a complete address")),
            ("javascript:alert(1)", Err("Only addresses")),
            ("data:text/html,x", Err("Only addresses")),
            ("file:///etc/passwd", Err("Only addresses")),
            ("https://me:secret@a.example/", Err("a user or a password")),
            ("http://localhost/", Err("not reachable")),
            ("http://127.0.0.1/", Err("not reachable")),
            ("http://[::1]/", Err("not reachable")),
        ];
        for (typed, right) in table {
            let read = address(typed);
            match right {
                Ok(right) => assert_eq!(read.as_ref().map(Url::as_str), Ok(right), "{typed}"),
                Err(right) => assert!(read.is_err_and(|why| why.contains(right)), "{typed}"),
            }
        }
        assert!(address(&format!("https://a.example/{}", "x".repeat(600))).is_err());
        assert!(address(&format!("https://a.example/{}", "\u{e4}".repeat(200))).is_err());
    }
}
