//! The follows of a person: their news come by direct message, or by a mention in a thread.

use chrono::DateTime;

use super::context::{Answer, CommandContext, CommandError, Listing, plain_line, refuse};
use super::readers;
use super::wording::shortened;
use crate::chat::Audience;
use crate::filter::Filter;
use crate::item::prose;
use crate::post::plain;
use crate::post::story::Tone;
use crate::store::follows::{self, FollowKind, FollowResult, FollowWay, NewFollow};
use crate::store::recipients::{self, AskedIn};
use crate::store::stories::{self, NamedStory};
use crate::story::Story;

/// Characters of an author's name. Shorter ones are mistakes.
const NAME_CHARS_MIN: usize = 3;
const NAME_CHARS_MAX: usize = 200;
/// Characters shown of a title or a filter.
const SHOWN_CHARS_MAX: usize = 160;
/// The most filters of all people; each is checked for each story that moves.
const FILTERS_MAX: usize = 2_000;
/// How an author is written.
const AUTHOR: &str = "author:";

/// The thing that a person asks to follow.
enum Followed {
    Story(Box<Story>),
    /// As it was written.
    Author(String),
    Filter(Filter),
}

/// Follows a story, an author or a filter.
pub(super) async fn follow(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let each_max = ctx.generation.effective.config.follow.each_max;
    if each_max == 0 {
        return refuse("Following is turned off.");
    }
    if !ctx.by.platform.has_people() {
        return refuse("There are no direct messages here.");
    }
    let way = ctx.call.get("way").and_then(FollowWay::of);
    let way = way.unwrap_or(FollowWay::Direct);
    let followed = followed(ctx, ctx.required("what")).await?;
    let mut tx = ctx.live.store.write().await?;
    let (kind, what, shown, item) = match &followed {
        Followed::Story(story) => {
            let items = stories::items_of_story(&mut tx, &story.id).await?;
            let Some(item) = items.first().copied() else {
                return refuse("That story was joined with another one. Please try again.");
            };
            (
                FollowKind::Story,
                item.to_string(),
                plain(&story.title),
                Some(item),
            )
        }
        Followed::Author(name) => (FollowKind::Author, name.to_lowercase(), name.clone(), None),
        Followed::Filter(filter) => {
            let text = filter.to_string();
            let filters = follows::followed_filters(&mut tx).await?;
            if filters.len() >= FILTERS_MAX && !filters.contains(&text) {
                return refuse(
                    "People follow as many filters as the bot can check. Follow an author or a story instead.",
                );
            }
            (FollowKind::Filter, text.clone(), text, None)
        }
    };
    let asked_in = AskedIn {
        room: Some(&ctx.by.room),
        community: ctx.by.community.as_deref(),
    };
    let (platform, person) = (ctx.by.platform.word(), &ctx.by.person);
    let recipient = recipients::add_recipient(&mut tx, platform, person, asked_in, ctx.now).await?;
    // A person who asks again has opened their direct messages.
    recipients::resume(&mut tx, recipient.id).await?;
    let new = NewFollow {
        recipient: recipient.id,
        kind,
        what: &what,
        shown: &prose::shorten(&shown, SHOWN_CHARS_MAX),
        item,
        way,
    };
    let result = follows::add_follow(&mut tx, &new, each_max, ctx.now).await?;
    tx.commit().await.map_err(anyhow::Error::from)?;
    answer(ctx, &new, result, recipient.suspended_why.is_some())
}

fn answer(
    ctx: &CommandContext<'_>,
    new: &NewFollow<'_>,
    result: FollowResult,
    was_suspended: bool,
) -> Result<Answer, CommandError> {
    let what = match new.kind {
        FollowKind::Story => new.shown.to_owned(),
        FollowKind::Author => format!("stories by {}", new.shown),
        FollowKind::Filter => format!("stories that match {}", new.shown),
    };
    let by = match new.way {
        FollowWay::Direct => "by direct message",
        FollowWay::Thread => {
            "by a mention in the thread of the story's post, or else by direct message"
        }
    };
    let title = match result {
        FollowResult::Full => {
            let most = ctx.generation.effective.config.follow.each_max;
            return refuse(format!(
                "You follow {most} things already, and more are not allowed. {} ends one.",
                ctx.typed(Audience::Readers, "unfollow NUMBER")
            ));
        }
        FollowResult::Before if was_suspended => "You get messages again",
        FollowResult::Before => "You follow that already",
        FollowResult::Added | FollowResult::Changed => "You follow it now",
    };
    ctx.message(
        title,
        format!(
            "{what}\nWhen something moves, you get the news {by}, at most every quarter of an hour. {} lists what you follow; {} \
             erases everything that is stored about you.",
            ctx.typed(Audience::Readers, "follows"),
            ctx.typed(Audience::Readers, "forget me")
        ),
    )
}

/// Finds the thing that a person means: a story by its exact name, an author, or a story by words of its title.
async fn followed(ctx: &CommandContext<'_>, typed: &str) -> Result<Followed, CommandError> {
    let typed = typed.trim();
    if let Some(name) = typed.strip_prefix(AUTHOR)
        && is_only_a_name(name)
    {
        return Ok(Followed::Author(author(name)?));
    }
    match Filter::of_search(typed) {
        Ok(Some(filter)) => return filter_of(ctx, filter),
        Ok(None) => {}
        Err(why) => return refuse(format!("That is no filter: {why}")),
    }
    let (readers, today) = (ctx.live.store.read(), ctx.today());
    if stories::find_story(readers, typed, today).await?.is_none() && is_author(ctx, typed).await? {
        return Ok(Followed::Author(author(typed)?));
    }
    match readers::find(ctx, typed).await? {
        NamedStory::One(story) => Ok(Followed::Story(story)),
        NamedStory::Several(near) | NamedStory::Near(near) => refuse(format!(
            "It is unclear what {:?} means. Write {AUTHOR}NAME for an author, or give the id of a story:\n{}",
            shortened(typed),
            readers::candidates(&near)
        )),
    }
}

/// Whether a text is a name, and not the beginning of a filter.
fn is_only_a_name(text: &str) -> bool {
    let is_of_filter = |word: &str| {
        matches!(word.to_lowercase().as_str(), "and" | "or" | "not")
            || word.contains([':', '(', ')', '@'])
    };
    !text.split_whitespace().any(is_of_filter)
}

/// Checks a filter. Regular expressions are for channels: a slow one, checked for everybody, would hold up the polls.
fn filter_of(ctx: &CommandContext<'_>, filter: Filter) -> Result<Followed, CommandError> {
    if filter.patterns() > 0 {
        return refuse(
            "A filter that you follow cannot have a regular expression. Use words instead: title:WORD",
        );
    }
    match filter.check(&ctx.generation.effective.config.subsystems) {
        Ok(()) => Ok(Followed::Filter(filter)),
        Err(why) => refuse(format!("That filter takes nothing: {why}")),
    }
}

/// Whether somebody of exactly this name wrote a story.
async fn is_author(ctx: &CommandContext<'_>, name: &str) -> anyhow::Result<bool> {
    let words = stories::match_words(&format!("people:\"{}\"", name.replace('"', " ")));
    if words.is_empty() {
        return Ok(false);
    }
    let found = stories::search_stories(ctx.live.store.read(), &words, ctx.today(), 20).await?;
    let is = |story: &Story| {
        let author = story.author.as_deref();
        author.is_some_and(|author| author.eq_ignore_ascii_case(name))
    };
    Ok(found.iter().any(is))
}

fn author(name: &str) -> Result<String, CommandError> {
    let name = plain(name.trim().trim_matches('"'));
    let name = name.trim();
    let chars = name.chars().count();
    if !(NAME_CHARS_MIN..=NAME_CHARS_MAX).contains(&chars) {
        return refuse(format!(
            "An author's name has {NAME_CHARS_MIN} to {NAME_CHARS_MAX} characters; this one has {chars}."
        ));
    }
    Ok(name.to_owned())
}

/// Lists a person's follows.
pub(super) async fn list(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let readers = ctx.live.store.read();
    let rows = follows::list_follows(readers, ctx.by.platform.word(), &ctx.by.person).await?;
    let line = |row: &follows::FollowRow| {
        let day = DateTime::from_timestamp(row.added_at, 0).unwrap_or_default();
        let what = format!("{} · {} · {}", row.id, row.kind.word(), row.way.word());
        let title = format!("{} · since {}", plain(&row.shown), day.format("%-d %B %Y"));
        plain_line(what, title, Tone::New)
    };
    Ok(Answer::List(Listing {
        title: "What you follow".to_owned(),
        lines: rows.iter().map(line).collect(),
        nothing: "You follow nothing. The command follow takes a story, an author or a filter.",
    }))
}

/// Ends a follow, or all.
pub(super) async fn unfollow(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let typed = ctx.required("number");
    let readers = ctx.live.store.read();
    let (platform, person) = (ctx.by.platform.word(), &ctx.by.person);
    let rows = follows::list_follows(readers, platform, person).await?;
    let is_meant = |row: &&follows::FollowRow| {
        typed.eq_ignore_ascii_case("all") || typed.parse() == Ok(row.id)
    };
    let meant: Vec<i64> = rows.iter().filter(is_meant).map(|row| row.id).collect();
    let mut tx = ctx.live.store.write().await?;
    let Some(recipient) = recipients::recipient(&mut tx, platform, person).await? else {
        return refuse("You follow nothing.");
    };
    let mut ended = Vec::new();
    for follow in meant {
        ended.extend(follows::end_follow(&mut tx, recipient.id, follow).await?);
    }
    tx.commit().await.map_err(anyhow::Error::from)?;
    match ended.as_slice() {
        [] => refuse(format!(
            "You have no follow {:?}. {} lists them with their numbers.",
            shortened(typed),
            ctx.typed(Audience::Readers, "follows")
        )),
        [one] => ctx.message("You do not follow it any more", plain(one)),
        all => ctx.message(
            "You follow nothing any more",
            format!("{} follows were ended.", all.len()),
        ),
    }
}
