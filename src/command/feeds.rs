//! Commands that list, add, remove, pause and test feeds.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::context::{Answer, CommandContext, CommandError, Listing, refuse};
use super::wording::{came_from, file_name, no_such, requester_name};
use crate::chat::Audience;
use crate::config::{Addition, FeedConfig, Origin, TableKind};
use crate::item::prose;
use crate::post::plain;
use crate::post::story::{Line, Tone};
use crate::post::words::{ago, span};
use crate::source::{FetchError, Page};
use crate::store::feeds::pause_feed;
use crate::store::feeds::{self, FeedRow, FeedState};

/// The longest wait for a feed's server.
const FETCH_MAX: Duration = Duration::from_secs(45);
/// Characters shown of an error in a list.
const ERROR_CHARS_MAX: usize = 120;
/// Arguments with the name of their key in the `[[feed]]` table.
const KEYS: [&str; 4] = ["branch", "role", "query", "gives"];

/// Lists the feeds with their health, origin and next poll.
pub(super) async fn list(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let rows = feeds::list_feeds(ctx.live.store.read()).await?;
    let rows = rows.iter().filter(|row| row.configured);
    let mut lines: Vec<Line> = rows.map(|row| line(ctx, row)).collect();
    for (left_out, why) in &ctx.generation.effective.left_out {
        if left_out.kind == TableKind::Feed {
            let title = format!("{}: {}", plain(&left_out.name), plain(why));
            lines.insert(
                0,
                super::context::plain_line("left out", title, Tone::Ended),
            );
        }
    }
    Ok(Answer::List(Listing {
        title: format!("{} feeds", lines.len()),
        lines,
        nothing: "There are none.",
    }))
}

fn line(ctx: &CommandContext<'_>, row: &FeedRow) -> Line {
    let at = |at: i64| DateTime::from_timestamp(at, 0);
    let next = at(row.next_poll_at).filter(|_| row.is_polled());
    let next = next.map(|at| match at <= ctx.now {
        true => "due now".to_owned(),
        false => format!("next in {}", span(at - ctx.now)),
    });
    let last = row.last_ok_at.and_then(at);
    let error = row.last_error.as_deref().map(|error| {
        let times = match row.failures {
            2.. => format!(" ({} times)", row.failures),
            _ => String::new(),
        };
        format!("{}{times}", prose::shorten(&plain(error), ERROR_CHARS_MAX))
    });
    let parts = [
        Some(plain(&row.name)),
        Some(row.kind.word().to_owned()),
        Some(came_from(ctx, TableKind::Feed, &row.name)),
        last.map(|at| format!("last success {}", ago(at, ctx.now))),
        next,
        error,
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    Line {
        what: row.shown_state().word().replace('_', " "),
        title: parts.join(" · "),
        link: row.url.clone(),
        tone: match row.shown_state() {
            FeedState::Ok => Tone::Applied,
            FeedState::Never => Tone::New,
            FeedState::BackingOff | FeedState::Walled | FeedState::Gone | FeedState::Paused => {
                Tone::Ended
            }
        },
        mark: String::new(),
    }
}

/// Adds a feed after a test fetch.
pub(super) async fn add(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let (name, url) = (ctx.required("name"), bare(ctx.required("url")));
    let mut table = toml::Table::new();
    table.insert("name".to_owned(), name.into());
    table.insert("url".to_owned(), url.into());
    let kind = ctx.call.get("kind").unwrap_or_else(|| guess(ctx, url));
    table.insert("kind".to_owned(), kind.into());
    for key in KEYS {
        if let Some(value) = ctx.call.get(key) {
            table.insert(key.to_owned(), value.into());
        }
    }
    let by = requester_name(ctx);
    let addition = Addition::new(TableKind::Feed, name, &table, ctx.now.timestamp(), &by);
    let candidate = match ctx.generation.effective.adding(&addition) {
        Ok(candidate) => candidate.config,
        Err(why) => return refuse(why.join("\n")),
    };
    let mut feeds = candidate.feeds.iter();
    let Some(feed) = feeds.find(|feed| feed.name == name) else {
        return Err(anyhow::anyhow!("the feed {name} was read and is not there").into());
    };
    // A guarded fetch, so that a stranger's address cannot probe the bot's network.
    let page = look(ctx.generation.ingest.look_guarded(feed)).await;
    let page = match page {
        Ok(page) if page.items.is_empty() && !page.faults.is_empty() => {
            return refuse(format!(
                "The feed was not added: none of its {} entries could be read.",
                page.faults.len()
            ));
        }
        Ok(page) => page,
        Err(why) => {
            return refuse(format!(
                "The feed was not added, because the test fetch failed: {}",
                plain(&why)
            ));
        }
    };
    let what = format!("added the feed {name}: {kind}, {}", feed.url);
    if let Err(why) = ctx.live.add(&addition, &ctx.actor(), &what).await? {
        return refuse(why.join("\n"));
    }
    let text = format!(
        "It is a feed of kind {kind}. {}\nThe first poll posts a sample. After that, new entries are posted.",
        found(&page)
    );
    ctx.message(format!("{name} was added"), text)
}

/// Removes the brackets that keep a chat client from showing a preview.
fn bare(url: &str) -> &str {
    let inner = url.strip_prefix('<').and_then(|url| url.strip_suffix('>'));
    inner.unwrap_or(url)
}

/// The kind of a feed if the argument `kind` is missing.
fn guess(ctx: &CommandContext<'_>, url: &str) -> &'static str {
    let given = |name: &str| ctx.call.get(name).is_some();
    if given("branch") || given("role") {
        return "tree";
    }
    if given("query") {
        return "archive";
    }
    if given("gives") {
        return "feed";
    }
    kind_of(url)
}

fn kind_of(url: &str) -> &'static str {
    let Ok(url) = url::Url::parse(url) else {
        return "feed";
    };
    if matches!(url.scheme(), "nntp" | "nntps") {
        return "archive";
    }
    let path = url.path().trim_end_matches('/');
    let parts = path.split('/').filter(|part| !part.is_empty()).count();
    match url.host_str().unwrap_or_default() {
        "lore.kernel.org" => "archive",
        "lwn.net" => "lwn",
        "git.kernel.org" => "tree",
        "github.com" if parts == 2 => "tree",
        _ if path.ends_with(".git") => "tree",
        _ => "feed",
    }
}

async fn look(looking: impl Future<Output = Result<Page, FetchError>>) -> Result<Page, String> {
    match tokio::time::timeout(FETCH_MAX, looking).await {
        Ok(looked) => looked.map_err(|error| error.to_string()),
        Err(_) => Err(format!(
            "there was no answer within {} s",
            FETCH_MAX.as_secs()
        )),
    }
}

/// The result of a test fetch, in words.
fn found(page: &Page) -> String {
    let newest = page.items.iter().max_by_key(|item| item.at);
    let newest = newest.map(|item| {
        let day = item
            .at
            .map(|at: DateTime<Utc>| at.format("%-d %B %Y, ").to_string());
        let title = prose::shorten(&plain(&item.title), ERROR_CHARS_MAX);
        format!("; the newest: {}{title}", day.unwrap_or_default())
    });
    let faults = match page.faults.len() {
        0 => String::new(),
        many => format!(", {many} unreadable"),
    };
    let entries = match page.items.len() {
        1 => "1 entry".to_owned(),
        many => format!("{many} entries"),
    };
    format!("{entries}{faults}{}", newest.unwrap_or_default())
}

/// Removes a feed that was added in chat.
pub(super) async fn remove(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let name = ctx.required("feed");
    let effective = &ctx.generation.effective;
    if let Some(Origin::File { line }) = effective.origin(TableKind::Feed, name) {
        return refuse(format!(
            "{name} is in the file, on line {line} of {}: remove it there and send SIGHUP. Until then, {} stops its \
             polls.",
            file_name(ctx),
            ctx.typed(Audience::Maintainers, &format!("feeds pause {name}"))
        ));
    }
    let mut channels = effective.config.channels.iter();
    if let Some(channel) = channels.find(|channel| channel.route.names_feed(name)) {
        return refuse(format!(
            "The channel {} selects {name} by name. Remove or change that channel first.",
            channel.name
        ));
    }
    let what = format!("removed the feed {name}");
    let actor = ctx.actor();
    match ctx
        .live
        .remove(TableKind::Feed, name, &actor, &what)
        .await?
    {
        true => ctx.message(
            format!("{name} was removed"),
            "It is no longer polled. Its stories stay, and their posts still get updates.",
        ),
        false => unknown(ctx, name),
    }
}

pub(super) async fn pause(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    set_pause(ctx, Some(ctx.now)).await
}

pub(super) async fn resume(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    set_pause(ctx, None).await
}

async fn set_pause(
    ctx: &CommandContext<'_>,
    paused_at: Option<DateTime<Utc>>,
) -> Result<Answer, CommandError> {
    let name = ctx.required("feed");
    if feed(ctx, name).is_none() {
        return unknown(ctx, name);
    }
    let what = match paused_at {
        Some(_) => "paused",
        None => "resumed",
    };
    let mut tx = ctx.live.store.write().await?;
    if !pause_feed(&mut tx, name, paused_at).await? {
        return refuse(match paused_at {
            Some(_) => format!("{name} is already paused."),
            None => format!("{name} is not paused."),
        });
    }
    ctx.commit(tx, &format!("{what} the feed {name}")).await?;
    ctx.live.wake();
    let text = match paused_at {
        Some(_) => "It is not polled until it is resumed.",
        None => "It is polled now.",
    };
    ctx.message(format!("{name} is {what}"), text)
}

/// Fetches a feed once and stores nothing.
pub(super) async fn test(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let name = ctx.required("feed");
    let Some(feed) = feed(ctx, name) else {
        return unknown(ctx, name);
    };
    match look(ctx.generation.ingest.look(feed)).await {
        Ok(page) => ctx.message(format!("{name} answers"), format!("{}.", found(&page))),
        Err(why) => ctx.message(format!("{name} could not be fetched"), plain(&why)),
    }
}

fn feed<'a>(ctx: &'a CommandContext<'_>, name: &str) -> Option<&'a FeedConfig> {
    let feeds = &ctx.generation.effective.config.feeds;
    let mut feeds = feeds.iter().map(Arc::as_ref);
    feeds.find(|feed| feed.name == name)
}

fn unknown<T>(ctx: &CommandContext<'_>, name: &str) -> Result<T, CommandError> {
    let feeds = &ctx.generation.effective.config.feeds;
    let names = feeds.iter().map(|feed| feed.name.as_str());
    refuse(no_such("feed", name, names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_feed_is_guessed_from_its_address() {
        for (url, kind) in [
            ("https://lore.kernel.org/bpf/", "archive"),
            ("https://lwn.net/headlines/rss", "lwn"),
            (
                "https://git.kernel.org/pub/scm/linux/kernel/git/bpf/bpf-next.git",
                "tree",
            ),
            ("https://github.com/llvm/llvm-project", "tree"),
            ("https://github.com/libbpf/libbpf/releases.atom", "feed"),
            ("https://git.example/x.git/", "tree"),
            ("https://a.example/atom.xml", "feed"),
            ("no address", "feed"),
        ] {
            assert_eq!(kind_of(url), kind, "{url}");
        }
    }
}
