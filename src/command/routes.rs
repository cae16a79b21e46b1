//! Commands that list, add and remove channels.

use super::context::{Answer, CommandContext, CommandError, Listing, plain_line, refuse};
use super::readers::{self, StoryLookup};
use super::rights::Right;
use super::wording::{came_from, describe, file_name, no_such, requester_name};
use crate::config::{Addition, ChannelConfig, Origin, PlatformKind, TableKind};
use crate::deliver::{NotPosted, test_message};
use crate::post::story::{Line, Tone};
use crate::post::{plain, plain_lines};

/// Arguments with lists, separated by commas.
const LISTS: [&str; 6] = ["kinds", "feeds", "trees", "states", "words", "people"];
const NUMBERS: [&str; 2] = ["score_min", "hourly_max"];
const WORDS: [&str; 5] = ["mode", "digest_at", "quiet", "milestones", "filter"];

/// Lists the channels and their filters.
pub(super) fn list(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let effective = &ctx.generation.effective;
    let line = |channel: &ChannelConfig| {
        let address = match channel.address.as_str() {
            "" => String::new(),
            address => format!(" {address}"),
        };
        let what = format!("{}{address}", channel.platform.word());
        let origin = came_from(ctx, TableKind::Channel, &channel.name);
        let title = format!("{} gets {} · {origin}", channel.name, describe(channel));
        plain_line(plain(&what), plain(&title), Tone::Reading)
    };
    let mut lines: Vec<Line> = effective.config.channels.iter().map(line).collect();
    for (left_out, why) in &effective.left_out {
        if left_out.kind == TableKind::Channel {
            let title = format!("{}: {}", plain(&left_out.name), plain(why));
            lines.insert(0, plain_line("left out", title, Tone::Ended));
        }
    }
    Ok(Answer::List(Listing {
        title: "The channels".to_owned(),
        lines,
        nothing: "There are none, so posts are printed on the terminal.",
    }))
}

/// Adds a channel after a test post.
pub(super) async fn add(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let platform = ctx.by.platform;
    let (name, room) = (ctx.required("name"), room(ctx));
    if ctx.right < Right::Maintainer && room != ctx.by.room {
        return refuse(
            "You manage this place only: leave out room, and give the command in the channel that you want to add.",
        );
    }
    let table = match table(ctx, name, platform, &room) {
        Ok(table) => table,
        Err(why) => return refuse(why),
    };
    let by = requester_name(ctx);
    let addition = Addition::new(TableKind::Channel, name, &table, ctx.now.timestamp(), &by);
    let candidate = match ctx.generation.effective.adding(&addition) {
        Ok(candidate) => candidate.config,
        Err(why) => return refuse(why.join("\n")),
    };
    let mut channels = candidate.channels.iter();
    let Some(channel) = channels.find(|channel| channel.name == name) else {
        return Err(anyhow::anyhow!("the channel {name} was read and is not there").into());
    };
    let gets = describe(channel);
    let test = test_message(name, &gets);
    if let Err(NotPosted(why)) = ctx
        .generation
        .delivery_loop
        .post_once(platform, &room, test)
        .await
    {
        return refuse(format!(
            "The channel was not added, because the test message could not be posted: {}",
            plain(&why)
        ));
    }
    let what = format!(
        "added the channel {name}: {} {room}, gets {gets}",
        platform.word()
    );
    if let Err(why) = ctx.live.add(&addition, &ctx.actor(), &what).await? {
        return refuse(why.join("\n"));
    }
    let text = format!("A test message was posted there. From now on the channel gets {gets}.");
    ctx.message(format!("{name} was added"), text)
}

/// The room of the argument, without Discord's mention syntax.
fn room(ctx: &CommandContext<'_>) -> String {
    let room = ctx.call.get("room").unwrap_or(&ctx.by.room);
    let inner = room
        .strip_prefix("<#")
        .and_then(|room| room.strip_suffix('>'));
    inner.unwrap_or(room).to_owned()
}

fn table(
    ctx: &CommandContext<'_>,
    name: &str,
    platform: PlatformKind,
    room: &str,
) -> Result<toml::Table, String> {
    let mut table = toml::Table::new();
    table.insert("name".to_owned(), name.into());
    table.insert("platform".to_owned(), platform.word().into());
    table.insert("id".to_owned(), room.into());
    for key in LISTS {
        if let Some(list) = ctx.call.get(key) {
            let members = list
                .split(',')
                .map(str::trim)
                .filter(|member| !member.is_empty());
            let members: Vec<toml::Value> = members.map(Into::into).collect();
            table.insert(key.to_owned(), members.into());
        }
    }
    if let Some(issues) = ctx.call.get("issues") {
        table.insert("issues".to_owned(), (issues == "true").into());
    }
    for key in NUMBERS {
        if let Some(number) = ctx.call.get(key) {
            let number: i64 = number
                .parse()
                .map_err(|_| format!("{key} is a whole number"))?;
            table.insert(key.to_owned(), number.into());
        }
    }
    for key in WORDS {
        if let Some(word) = ctx.call.get(key) {
            table.insert(key.to_owned(), word.into());
        }
    }
    Ok(table)
}

/// Removes a channel that was added in chat.
pub(super) async fn remove(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let name = ctx.required("channel");
    let effective = &ctx.generation.effective;
    if let Some(Origin::File { line }) = effective.origin(TableKind::Channel, name) {
        return refuse(format!(
            "{name} is in the file, on line {line} of {}: remove it there and send SIGHUP.",
            file_name(ctx)
        ));
    }
    let channels = &effective.config.channels;
    let channel = channels.iter().find(|channel| channel.name == name);
    if ctx.right < Right::Maintainer && !is_here(ctx, channel) {
        return refuse("You manage this place only, and that channel is not part of it.");
    }
    let what = format!("removed the channel {name}");
    let actor = ctx.actor();
    match ctx
        .live
        .remove(TableKind::Channel, name, &actor, &what)
        .await?
    {
        true => ctx.message(
            format!("{name} was removed"),
            "Nothing more is posted there. Its posts stay.",
        ),
        false => {
            let names = channels.iter().map(|channel| channel.name.as_str());
            refuse(no_such("channel", name, names))
        }
    }
}

/// Explains clause by clause whether a channel takes a story.
pub(super) async fn explain(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let name = ctx.required("channel");
    let channels = ctx.generation.effective.config.channels();
    let Some(channel) = channels.iter().find(|channel| channel.name == name) else {
        let names = channels.iter().map(|channel| channel.name.as_str());
        return refuse(no_such("channel", name, names));
    };
    let story = match readers::find(ctx, ctx.required("story")).await? {
        StoryLookup::One(story) => story,
        StoryLookup::Several(near) | StoryLookup::Near(near) => {
            let title = "Several stories match. Ask again with one of these ids";
            return ctx.short_list(title, near.iter().map(readers::with_id).collect());
        }
    };
    let verb = match channel.takes(&story) {
        true => "takes",
        false => "refuses",
    };
    let title = format!("{name} {verb} {}", plain(&story.title));
    let lines = channel.explain(&story).lines();
    ctx.message(title, plain_lines(&lines.join("\n")))
}

/// Whether a channel is the room of the command.
fn is_here(ctx: &CommandContext<'_>, channel: Option<&ChannelConfig>) -> bool {
    channel.is_some_and(|channel| {
        channel.platform == ctx.by.platform && channel.address == ctx.by.room
    })
}
