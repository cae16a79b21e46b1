//! Commands for all readers.

use chrono::{DateTime, TimeDelta, Utc};

use super::context::{Answer, CommandContext, CommandError, Listing, plain_line, refuse};
use super::wording::{describe, shortened};
use crate::chat::{CommandSpec, table::COMMANDS};
use crate::issue::{CYCLE_NOTE, ExpectedRelease, NO_RELEASE, kernel_cycle};
use crate::item::prose;
use crate::live::rights::is_in;
use crate::post::plain;
use crate::post::story::{self as story_post, Content, Line, Tone};
use crate::post::words::{ago, counted, span};
use crate::store::stories::{NamedStory, Searched, StoryLookup};
use crate::store::{Readers, feeds, issues, outbox, stories};
use crate::story::waiting::{GIVEN_UP_AFTER, pull_waits, waiting, waiting_pulls};
use crate::story::{Story, StoryKind};

/// The most matches shown of a search, and of waiting series.
const FOUND_MAX: i64 = 100;
/// The most series read to find the waiting ones.
const UNANSWERED_MAX: i64 = 5_000;
/// Shows one story, or the candidates for an ambiguous name.
pub(super) async fn story(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    match find(ctx, ctx.required("story")).await? {
        NamedStory::One(mut story) => {
            stories::name_releases(ctx.live.store.read(), std::slice::from_mut(&mut *story))
                .await?;
            let mut post =
                story_post::compose_with_page(&story, ctx.generation.effective.config.home());
            let waits = waiting(&story, ctx.now).or_else(|| pull_waits(&story, ctx.now));
            if let Some(waits) = waits.filter(|waits| waits.num_hours() >= 24) {
                post.notes.push(format!("waiting {}", span(waits)));
            }
            Ok(Answer::Message(Content::Story(Box::new(post))))
        }
        NamedStory::Several(near) => {
            let title = "Several stories match. Ask again with one of these ids";
            ctx.short_list(title, near.iter().map(with_id).collect())
        }
        NamedStory::Near(near) => {
            let title = "No story matches exactly. Similar ones:";
            ctx.short_list(title, near.iter().map(with_id).collect())
        }
    }
}

/// Looks up a story by its id, a Message-ID, a link, a hash, or words of its title. Refuses if there is none.
pub(super) async fn find(ctx: &CommandContext<'_>, name: &str) -> Result<NamedStory, CommandError> {
    look_up(ctx.live.store.read(), name, ctx.now, &ctx.search()).await
}

/// The same for anybody. `search` is how this person searches more widely.
pub(super) async fn look_up(
    readers: &Readers,
    name: &str,
    now: DateTime<Utc>,
    search: &str,
) -> Result<NamedStory, CommandError> {
    match stories::look_up_story(readers, name, stories::day_of(now)).await? {
        StoryLookup::Retracted => refuse("A maintainer retracted that story."),
        StoryLookup::Nothing => refuse(format!(
            "No story matches {:?}. Give words of its title, its id, a Message-ID, a link or a commit hash. {search} \
             searches more widely.",
            shortened(name)
        )),
        StoryLookup::Found(named) => Ok(named),
    }
}

/// Stories that a name may mean, with their ids, a line each.
pub(super) fn candidates(near: &[Story]) -> String {
    let line = |story: &Story| format!("{} {}", story.id, prose::shorten(&plain(&story.title), 80));
    near.iter().map(line).collect::<Vec<_>>().join("\n")
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
        Searched::Filter(found) => found.words(&format!(" for {:?}", shortened(typed))),
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

/// Lists series that wait for a review, and pull requests that wait.
pub(super) async fn open(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let since = ctx.now - GIVEN_UP_AFTER;
    let readers = ctx.live.store.read();
    let unanswered =
        stories::unanswered_stories(readers, since.timestamp(), ctx.today(), UNANSWERED_MAX)
            .await?;
    let pulls = stories::pulls_since(readers.into(), since).await?;
    let pulls = waiting_pulls(&pulls, ctx.now);
    let waits = |story: Story| Some((waiting(&story, ctx.now)?, story));
    let mut waiting: Vec<(TimeDelta, Story)> = unanswered.into_iter().filter_map(waits).collect();
    let many = |number: usize, what| counted(u32::try_from(number).unwrap_or(u32::MAX), what);
    let title = match (waiting.len(), pulls.len()) {
        (1, 0) => "1 series waits for a review".to_owned(),
        (series, 0) => format!("{series} series wait for a review, the longest wait first"),
        (series, pulls) => format!(
            "{series} series wait for a review, and {} to be pulled; the longest wait first",
            many(pulls, "pull request")
        ),
    };
    waiting.extend(pulls.into_iter().map(|(waits, pull)| (waits, pull.clone())));
    waiting.sort_by(|a, b| (b.0, &a.1.id).cmp(&(a.0, &b.1.id)));
    waiting.truncate(usize::try_from(FOUND_MAX).unwrap_or(usize::MAX));
    let line = |(waits, story): &(TimeDelta, Story)| {
        let kind = match story.kind == StoryKind::Pull {
            true => " · pull request",
            false => "",
        };
        let what = format!("{}{kind} · {}", span(*waits), story.id);
        story_post::line_of_list(story, what)
    };
    Ok(Answer::List(Listing {
        title,
        lines: waiting.iter().map(line).collect(),
        nothing: "No series and no pull request of the last 180 days waits.",
    }))
}

/// Shows where the kernel is, and which releases are expected.
pub(super) async fn cycle(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let readers = ctx.live.store.read();
    let release = issues::release_before(readers.into(), ctx.now.timestamp() + 1).await?;
    let Some(release) = release else {
        return refuse(NO_RELEASE);
    };
    let cycle = kernel_cycle(&release, ctx.now);
    let mut lines: Vec<String> = cycle.expected.iter().map(ExpectedRelease::words).collect();
    lines.push(CYCLE_NOTE.to_owned());
    ctx.message(cycle.stands, lines.join("\n"))
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
    story_post::line_of_list(story, what)
}
