//! Feeds, as maintainers change them.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::answer::{Answer, Ask, Listing, Told, Trouble, mistake};
use super::grammar::Audience;
use super::readers::shortened;
use crate::config::{Addition, FeedConfig, Origin, TableKind};
use crate::item::prose;
use crate::post::plain;
use crate::post::story::{Line, Tone};
use crate::post::words::{ago, span};
use crate::source::{FetchError, Page};
use crate::store::feeds::{self, FeedRow, FeedState};
use crate::store::{audit, feeds::pause_feed};

/// How long an answer waits for somebody else's server.
const FETCH_MAX: Duration = Duration::from_secs(45);
/// The longest error that is shown in a list.
const ERROR_CHARS_MAX: usize = 120;
/// The most names that are told to somebody who got one wrong.
const NAMES_MAX: usize = 5;
/// The arguments that are keys of the table by the same name.
const KEYS: [&str; 4] = ["branch", "role", "query", "gives"];

/// The feeds: how they fare, where they come from, when they are polled next.
pub(super) async fn list(ask: &Ask<'_>) -> Told {
    let rows = feeds::list_feeds(ask.live.store.read()).await?;
    let rows = rows.iter().filter(|row| row.configured);
    let mut lines: Vec<Line> = rows.map(|row| line(ask, row)).collect();
    for (left_out, why) in &ask.generation.effective.left_out {
        if left_out.kind == TableKind::Feed {
            let title = format!("{}: {}", plain(&left_out.name), plain(why));
            lines.insert(0, super::answer::plain_line("left out", title, Tone::Ended));
        }
    }
    Ok(Answer::Lists(Listing {
        title: format!("{} feeds", lines.len()),
        lines,
        nothing: "There are none.",
    }))
}

fn line(ask: &Ask<'_>, row: &FeedRow) -> Line {
    let at = |at: i64| DateTime::from_timestamp(at, 0);
    let next = at(row.next_poll_at).filter(|_| row.is_polled());
    let next = next.map(|at| match at <= ask.now {
        true => "due now".to_owned(),
        false => format!("next in {}", span(at - ask.now)),
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
        Some(came_from(ask, TableKind::Feed, &row.name)),
        last.map(|at| format!("well {}", ago(at, ask.now))),
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

/// Where a feed or a channel comes from, in words.
pub(super) fn came_from(ask: &Ask<'_>, kind: TableKind, name: &str) -> String {
    match ask.generation.effective.origin(kind, name) {
        Some(Origin::File { line }) => format!("from the file, line {line}"),
        Some(Origin::Chat { at, by }) => {
            let day = DateTime::from_timestamp(at, 0).unwrap_or_default();
            format!("added by {} on {}", plain(&by), day.format("%-d %B %Y"))
        }
        None => "from nowhere".to_owned(),
    }
}

/// Adds a feed, after it was fetched once.
pub(super) async fn add(ask: &Ask<'_>) -> Told {
    let (name, url) = (ask.needed("name"), bare(ask.needed("url")));
    let mut table = toml::Table::new();
    table.insert("name".to_owned(), name.into());
    table.insert("url".to_owned(), url.into());
    let kind = ask.call.get("kind").unwrap_or_else(|| guess(ask, url));
    table.insert("kind".to_owned(), kind.into());
    for key in KEYS {
        if let Some(value) = ask.call.get(key) {
            table.insert(key.to_owned(), value.into());
        }
    }
    let by = who(ask);
    let addition = Addition::new(TableKind::Feed, name, &table, ask.now.timestamp(), &by);
    let candidate = match ask.generation.effective.adding(&addition) {
        Ok(candidate) => candidate.config,
        Err(why) => return mistake(why.join("\n")),
    };
    let mut feeds = candidate.feeds.iter();
    let Some(feed) = feeds.find(|feed| feed.name == name) else {
        return Err(anyhow::anyhow!("the feed {name} was read and is not there").into());
    };
    // Strangers' addresses are fetched by rules of their own, so that nobody looks around in the bot's network.
    let page = look(ask.generation.ingest.look_guarded(feed)).await;
    let page = match page {
        Ok(page) if page.items.is_empty() && !page.faults.is_empty() => {
            return mistake(format!(
                "{} entries of it could not be read, and no other is there; it was not added.",
                page.faults.len()
            ));
        }
        Ok(page) => page,
        Err(why) => {
            return mistake(format!(
                "It gave nothing, so it was not added: {}",
                plain(&why)
            ));
        }
    };
    let what = format!("added the feed {name}: {kind}, {}", feed.url);
    if let Err(why) = ask.live.add(&addition, &ask.hand(), &what).await? {
        return mistake(why.join("\n"));
    }
    let text = format!(
        "It is a feed of kind {kind}. {}\nIt is polled now and shows a sample; what comes after that is told.",
        found(&page)
    );
    ask.says(format!("{name} was added"), text)
}

/// Takes an address out of the brackets in which people write it to keep it from being shown.
fn bare(url: &str) -> &str {
    let inner = url.strip_prefix('<').and_then(|url| url.strip_suffix('>'));
    inner.unwrap_or(url)
}

/// The kind of feed that somebody means who does not say it.
fn guess(ask: &Ask<'_>, url: &str) -> &'static str {
    let given = |name: &str| ask.call.get(name).is_some();
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

/// What a look at a feed gave.
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
pub(super) async fn remove(ask: &Ask<'_>) -> Told {
    let name = ask.needed("feed");
    let effective = &ask.generation.effective;
    if let Some(Origin::File { line }) = effective.origin(TableKind::Feed, name) {
        return mistake(format!(
            "{name} stands in the file, on line {line} of {}: take it out there, and send SIGHUP. {} keeps it from \
             being polled meanwhile.",
            file_name(ask),
            ask.typed(Audience::Maintainers, &format!("feeds pause {name}"))
        ));
    }
    let takes = |feeds: &[String]| feeds.iter().any(|feed| feed == name);
    let mut channels = effective.config.channels.iter();
    if let Some(channel) = channels.find(|channel| takes(&channel.route.feeds)) {
        return mistake(format!(
            "The channel {} takes {name} by its name; remove or change that channel first.",
            channel.name
        ));
    }
    let what = format!("removed the feed {name}");
    let hand = ask.hand();
    match ask.live.remove(TableKind::Feed, name, &hand, &what).await? {
        true => ask.says(
            format!("{name} was removed"),
            "It is polled no more. What it brought stays, and its posts go on being edited.",
        ),
        false => unknown(ask, name),
    }
}

/// Polls a feed no more.
pub(super) async fn pause(ask: &Ask<'_>) -> Told {
    set_pause(ask, Some(ask.now)).await
}

/// Polls a feed again.
pub(super) async fn resume(ask: &Ask<'_>) -> Told {
    set_pause(ask, None).await
}

async fn set_pause(ask: &Ask<'_>, paused_at: Option<DateTime<Utc>>) -> Told {
    let name = ask.needed("feed");
    if feed(ask, name).is_none() {
        return unknown(ask, name);
    }
    let what = match paused_at {
        Some(_) => "paused",
        None => "resumed",
    };
    let mut tx = ask.live.store.write().await?;
    if !pause_feed(&mut tx, name, paused_at).await? {
        return mistake(match paused_at {
            Some(_) => format!("{name} is paused already."),
            None => format!("{name} is not paused."),
        });
    }
    audit::record(
        &mut tx,
        &ask.hand(),
        &format!("{what} the feed {name}"),
        ask.now,
    )
    .await?;
    tx.commit().await.map_err(anyhow::Error::from)?;
    ask.live.wake();
    let text = match paused_at {
        Some(_) => "It is not polled until it is resumed.",
        None => "It is polled now.",
    };
    ask.says(format!("{name} is {what}"), text)
}

/// Fetches a feed once, keeping nothing.
pub(super) async fn test(ask: &Ask<'_>) -> Told {
    let name = ask.needed("feed");
    let Some(feed) = feed(ask, name) else {
        return unknown(ask, name);
    };
    match look(ask.generation.ingest.look(feed)).await {
        Ok(page) => ask.says(format!("{name} answers"), format!("{}.", found(&page))),
        Err(why) => ask.says(format!("{name} gave nothing"), plain(&why)),
    }
}

fn feed<'a>(ask: &'a Ask<'_>, name: &str) -> Option<&'a FeedConfig> {
    let feeds = &ask.generation.effective.config.feeds;
    let mut feeds = feeds.iter().map(Arc::as_ref);
    feeds.find(|feed| feed.name == name)
}

/// The file's name, without the folders that are nobody's business in chat.
pub(super) fn file_name(ask: &Ask<'_>) -> String {
    let file = ask.generation.effective.file();
    let name = file.file_name().unwrap_or(file.as_os_str());
    plain(&name.to_string_lossy())
}

/// Who adds something, as it is kept with it.
pub(super) fn who(ask: &Ask<'_>) -> String {
    format!("{} on {}", ask.by.person, ask.by.platform)
}

fn unknown<T>(ask: &Ask<'_>, name: &str) -> Result<T, Trouble> {
    let feeds = &ask.generation.effective.config.feeds;
    let names = feeds.iter().map(|feed| feed.name.as_str());
    mistake(no_such("feed", name, names))
}

/// What is said where there is none of that name.
pub(super) fn no_such<'n>(kind: &str, name: &str, names: impl Iterator<Item = &'n str>) -> String {
    let mut near: Vec<(f64, &str)> = names
        .map(|known| (strsim::jaro_winkler(known, name), known))
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let near: Vec<&str> = near.iter().take(NAMES_MAX).map(|(_, name)| *name).collect();
    match near.is_empty() {
        true => format!("There is no {kind} {:?}, and no other.", shortened(name)),
        false => format!(
            "There is no {kind} {:?}; near to that are: {}.",
            shortened(name),
            near.join(", ")
        ),
    }
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
