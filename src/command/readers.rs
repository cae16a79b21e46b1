//! Commands for all readers.

use chrono::{DateTime, TimeDelta};

use super::context::{Answer, CommandContext, CommandError, Listing, plain_line, refuse};
use super::rights::is_in;
use super::wording::{describe, shortened};
use crate::chat::{Audience, CommandSpec, table::COMMANDS};
use crate::post::story::{self as story_post, Content, Line, Tone};
use crate::post::words::{ago, span};
use crate::store::stories::Searched;
use crate::store::{feeds, outbox, stories};
use crate::story::Story;
use crate::story::waiting::waiting;

/// The most matches shown of a search, and of waiting series.
const FOUND_MAX: i64 = 100;
/// The most stories offered if a name is ambiguous.
const NEAR_MAX: i64 = 8;
/// A series without activity for this long counts as abandoned.
const GIVEN_UP_AFTER: TimeDelta = TimeDelta::days(180);
/// The most series read to find the waiting ones.
const UNANSWERED_MAX: i64 = 5_000;
/// Shows one story, or the candidates for an ambiguous name.
pub(super) async fn story(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    match find(ctx, ctx.required("story")).await? {
        StoryLookup::One(story) => {
            let mut post = story_post::compose(&story);
            if let Some(waits) = waiting(&story, ctx.now).filter(|waits| waits.num_hours() >= 24) {
                post.notes.push(format!("waiting {}", span(waits)));
            }
            Ok(Answer::Message(Content::Story(Box::new(post))))
        }
        StoryLookup::Several(near) => {
            let title = "Several stories match. Ask again with one of these ids";
            ctx.short_list(title, near.iter().map(with_id).collect())
        }
        StoryLookup::Near(near) => {
            let title = "No story matches exactly. Similar ones:";
            ctx.short_list(title, near.iter().map(with_id).collect())
        }
    }
}

/// The result of looking up a story by name.
pub(super) enum StoryLookup {
    One(Box<Story>),
    /// Several stories with all the words.
    Several(Vec<Story>),
    /// No story with all the words; these have some of them.
    Near(Vec<Story>),
}

/// Looks up a story by its id, a Message-ID, a link, a hash, or words of its title.
pub(super) async fn find(
    ctx: &CommandContext<'_>,
    name: &str,
) -> Result<StoryLookup, CommandError> {
    let (readers, today) = (ctx.live.store.read(), ctx.today());
    if let Some(story) = stories::find_story(readers, name, today).await? {
        return match stories::is_retracted(readers, &story.id).await? {
            true => refuse("A maintainer retracted that story."),
            false => Ok(StoryLookup::One(Box::new(story))),
        };
    }
    let words = stories::match_words(name);
    let mut near = match words.is_empty() {
        true => Vec::new(),
        false => stories::search_stories(readers, &words, today, NEAR_MAX).await?,
    };
    let is_called_so = |story: &Story| story.title.eq_ignore_ascii_case(name.trim());
    if near.len() == 1 || near.iter().filter(|story| is_called_so(story)).count() == 1 {
        let place = near.iter().position(is_called_so).unwrap_or(0);
        return Ok(StoryLookup::One(Box::new(near.swap_remove(place))));
    }
    if !near.is_empty() {
        return Ok(StoryLookup::Several(near));
    }
    let some = stories::match_some(name);
    if !some.is_empty() {
        near = stories::search_stories(readers, &some, today, NEAR_MAX).await?;
    }
    match near.is_empty() {
        true => refuse(format!(
            "No story matches {:?}. Give words of its title, its id, a Message-ID, a link or a commit hash. {} searches \
             more widely.",
            shortened(name),
            ctx.typed(Audience::Readers, "search WORDS")
        )),
        false => Ok(StoryLookup::Near(near)),
    }
}

/// Searches stories.
pub(super) async fn search(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let typed = ctx.required("words");
    let subsystems = &ctx.generation.effective.config.subsystems;
    let (readers, today) = (ctx.live.store.read(), ctx.today());
    let found = stories::search_typed(readers, typed, subsystems, today, FOUND_MAX).await?;
    let many = found.stories().len();
    let title = match &found {
        Searched::Wrong(why) => return refuse(why.as_str()),
        Searched::Filter(found) => format!("{} for {:?}", found.words(), shortened(typed)),
        Searched::Words(_) if i64::try_from(many).is_ok_and(|many| many >= FOUND_MAX) => {
            format!("The best {many} matches for {:?}", shortened(typed))
        }
        Searched::Words(_) => format!("{} for {:?}", matches(many), shortened(typed)),
    };
    Ok(Answer::List(Listing {
        title,
        lines: found.stories().iter().map(with_id).collect(),
        nothing: "No story has these words. End a word with * to match its beginning.",
    }))
}

fn matches(many: usize) -> String {
    match many {
        0 => "No match".to_owned(),
        1 => "1 match".to_owned(),
        many => format!("{many} matches"),
    }
}

/// Lists series that wait for a review.
pub(super) async fn open(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let since = (ctx.now - GIVEN_UP_AFTER).timestamp();
    let readers = ctx.live.store.read();
    let unanswered =
        stories::unanswered_stories(readers, since, ctx.today(), UNANSWERED_MAX).await?;
    let waits = |story: Story| Some((waiting(&story, ctx.now)?, story));
    let mut waiting: Vec<(TimeDelta, Story)> = unanswered.into_iter().filter_map(waits).collect();
    waiting.sort_by(|a, b| (b.0, &a.1.id).cmp(&(a.0, &b.1.id)));
    let many = u32::try_from(waiting.len()).unwrap_or(u32::MAX);
    waiting.truncate(usize::try_from(FOUND_MAX).unwrap_or(usize::MAX));
    let line = |(waits, story): &(TimeDelta, Story)| {
        let what = format!("{} · {}", span(*waits), story.id);
        story_post::line(story, what, story.id.clone())
    };
    Ok(Answer::List(Listing {
        title: match many {
            1 => "1 series waits for a review".to_owned(),
            many => format!("{many} series wait for a review, the longest wait first"),
        },
        lines: waiting.iter().map(line).collect(),
        nothing: "No series of the last 180 days waits for a review.",
    }))
}

/// Shows the health of the feeds, and the posts that this place gets.
pub(super) async fn status(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let readers = ctx.live.store.read();
    let health = feeds::health(readers).await?;
    let well = health.feeds - health.failing - health.paused - health.new;
    let mut parts = vec![format!("{well} of {} feeds work", health.feeds)];
    for (many, what) in [
        (health.failing, "failing"),
        (health.paused, "paused"),
        (health.new, "not polled yet"),
    ] {
        parts.extend((many > 0).then(|| format!("{many} {what}")));
    }
    let last = health
        .last_polled_at
        .and_then(|at| DateTime::from_timestamp(at, 0));
    let last = match last {
        Some(at) => format!("The last poll was {}.", ago(at, ctx.now)),
        None => "No feed was polled yet.".to_owned(),
    };
    let places = outbox::places(readers.into()).await?;
    let here = places.iter().filter(|place| is_in(ctx.by, place));
    let channels = &ctx.generation.effective.config.channels;
    let routes = here.filter_map(|place| {
        let mut channels = channels.iter();
        let channel =
            channels.find(|channel| channel.name == place.name && !channel.maintainers)?;
        Some(format!("{} gets {}", channel.name, describe(channel)))
    });
    let mut routes: Vec<String> = routes.collect();
    if routes.is_empty() {
        routes.push("No news is posted here".to_owned());
    }
    let aside = match outbox::letters_aside(readers).await? {
        0 => String::new(),
        1 => "One message could not be delivered and is set aside. ".to_owned(),
        many => format!("{many} messages could not be delivered and are set aside. "),
    };
    let text = format!(
        "{}. {aside}{last}\n{}.",
        parts.join(", "),
        routes.join(".\n")
    );
    ctx.message(format!("bpfnews {}", env!("CARGO_PKG_VERSION")), text)
}

/// Lists the commands of an audience, or explains one.
pub(super) fn help(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let audience = ctx.call.spec.audience;
    let of_audience = |spec: &&CommandSpec| spec.audience == audience;
    let Some(wanted) = ctx.call.get("command") else {
        let line = |spec: &CommandSpec| plain_line(spec.usage(), spec.about, Tone::New);
        let lines = COMMANDS.iter().filter(of_audience).map(line).collect();
        let title = format!("Commands of {}", ctx.typed(audience, "").trim_end());
        return ctx.short_list(title, lines);
    };
    let wanted = wanted.trim_start_matches(['/', '!']);
    let wanted = wanted
        .strip_prefix(audience.command())
        .unwrap_or(wanted)
        .trim();
    let Some(spec) = COMMANDS
        .iter()
        .filter(of_audience)
        .find(|spec| spec.path == wanted)
    else {
        return refuse(format!(
            "There is no command {:?}; {} lists them.",
            shortened(wanted),
            ctx.typed(audience, "help")
        ));
    };
    let mut lines = vec![spec.about.to_owned()];
    lines.extend(
        spec.args
            .iter()
            .map(|arg| format!("{}: {}", arg.name, arg.about)),
    );
    ctx.message(ctx.typed(audience, &spec.usage()), lines.join("\n"))
}

/// A story's line, with the id that other commands take.
pub(super) fn with_id(story: &Story) -> Line {
    let what = format!("{} · {}", story.id, story_post::standing(story));
    story_post::line(story, what, story.id.clone())
}
