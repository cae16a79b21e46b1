//! Who answers commands: paces people, checks what they may, has the command carried out, and lays its answer out.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{BoxFuture, FutureExt as _};
use tokio::sync::Semaphore;
use tracing::{Instrument as _, error, info, info_span};

use super::answer::{Answer, Ask, Told, Trouble, mistake, notice, platform_of, typed};
use super::grammar::{Audience, Call, Completes, WrongCall};
use super::heard::{Asked, Asker, Choice, Ears, Noticed, Pages, Reply};
use super::pace::{Pace, Verdict};
use super::pages::{self, Shelf};
use super::rights::{self, Right};
use super::{
    complete, editors, feeds, issues, letters, mutes, publishing, readers, records, routes, suggest,
};
use crate::config::{Origin, PlatformKind, TableKind};
use crate::live::{Generation, Live};
use crate::store::outbox::{self, ChannelPlace};

/// Commands of a person at once, before [`crate::config::CommandsConfig::cooldown_s`] lies between two.
const BURST: i32 = 5;
/// Keys that a person presses at once while something is completed, and the pause between two after that.
const KEYS_BURST: i32 = 20;
const KEYS_EVERY: TimeDelta = TimeDelta::milliseconds(100);
/// Commands that read the database side by side: the loops read too.
const AT_ONCE_MAX: usize = 3;

/// Commands that wait for somebody else's server.
const SLOW: [&str; 3] = ["feeds add", "feeds test", "route add"];
/// Commands whose answer is for maintainers alone: people's ids, addresses, what servers said.
const FOR_MAINTAINERS_ALONE: [&str; 7] = [
    "letters list",
    "feeds list",
    "feeds test",
    "route list",
    "mute list",
    "suggest list",
    "audit",
];

/// Who answers commands.
pub struct Clerk {
    live: Arc<Live>,
    commands: Pace,
    keys: Pace,
    shelf: Shelf,
    seats: Semaphore,
}

impl Clerk {
    /// A clerk over what is running.
    pub fn new(live: Arc<Live>) -> Self {
        Self {
            live,
            commands: Pace::new(BURST),
            keys: Pace::new(KEYS_BURST),
            shelf: Shelf::default(),
            seats: Semaphore::new(AT_ONCE_MAX),
        }
    }

    async fn reply(&self, asked: Asked) -> Option<Reply> {
        let now = self.live.clock.now();
        let generation = self.live.now();
        let by = &asked.by;
        let every = TimeDelta::seconds(generation.effective.config.commands.cooldown_s.into());
        match self.commands.ask(by.platform, &by.person, every, now) {
            Verdict::Answer => {}
            Verdict::SlowDown => {
                return Some(private("Slow down", "One command at a time, please."));
            }
            Verdict::Silence => return None,
        }
        let call = match &asked.call {
            Ok(call) => call,
            Err(wrong) => return Some(help(by, wrong)),
        };
        let path = call.spec.path;
        let span = info_span!("command", command.name = path, platform = by.platform);
        let told = self.told(by, call, generation, now).instrument(span).await;
        Some(self.lay_out(by, call, told, now))
    }

    async fn told(
        &self,
        by: &Asker,
        call: &Call,
        generation: Arc<Generation>,
        now: DateTime<Utc>,
    ) -> Told {
        let right = self.right(by, &generation).await?;
        if call.spec.audience == Audience::Editors && right < Right::Editor {
            info!("{} may not: {}", by.person, call.spec.path);
            return mistake(
                "Editors alone may do that: whom [issue] or [commands] names in the configuration, and who manages this \
                 place where it names a channel of it.",
            );
        }
        if call.spec.audience == Audience::Maintainers {
            if right < Right::Manager {
                info!("{} may not: {}", by.person, call.spec.path);
                return mistake(
                    "Maintainers alone may do that: whom the configuration names, and who manages this place where it \
                     names a channel of it.",
                );
            }
            if FOR_MAINTAINERS_ALONE.contains(&call.spec.path)
                && !is_among_maintainers(by, &generation)
            {
                return mistake(
                    "That is answered in the maintainers' room alone (a [[channel]] with maintainers = true), since \
                     everybody here would read it.",
                );
            }
        }
        if let Some(listing) = self.shelf.find(by, call, now) {
            return Ok(Answer::Lists((*listing).clone()));
        }
        let ask = Ask {
            live: &self.live,
            generation,
            by,
            right,
            call,
            now,
        };
        if SLOW.contains(&call.spec.path) {
            return carry_out(&ask).await;
        }
        let _seat = self.seats.acquire().await.map_err(anyhow::Error::from)?;
        carry_out(&ask).await
    }

    /// What somebody may. Learns on the way which server a channel of ours belongs to.
    async fn right(&self, by: &Asker, generation: &Generation) -> anyhow::Result<Right> {
        let places = outbox::places(self.live.store.read().into()).await?;
        let unknown = places.iter().find(|place| {
            let is_room = place.platform == by.platform && place.address == by.room;
            is_room && by.community.is_some() && place.community != by.community
        });
        if let (Some(place), Some(community)) = (unknown, &by.community) {
            let mut tx = self.live.store.write().await?;
            outbox::learn_community(&mut tx, &place.platform, &place.address, community).await?;
            tx.commit().await?;
        }
        let config = &generation.effective.config;
        let ours = of_the_file(&places, generation);
        Ok(rights::of(by, &config.commands, &config.issue, &ours))
    }

    fn lay_out(&self, by: &Asker, call: &Call, told: Told, now: DateTime<Utc>) -> Reply {
        let is_private =
            call.spec.audience != Audience::Readers || matches!(call.spec.path, "suggest" | "help");
        match told {
            Ok(Answer::Says(content)) => Reply {
                content,
                is_private,
                pages: Pages::default(),
            },
            Ok(Answer::Tells(issue)) => match pages::page_of_issue(*issue, call) {
                Ok((content, pages)) => Reply {
                    content,
                    is_private,
                    pages,
                },
                Err(many) => no_such_page(many),
            },
            Ok(Answer::Lists(listing)) => match pages::page(&listing, call) {
                Ok((content, pages)) => {
                    if call.page() == 1 && pages.on.is_some() {
                        self.shelf.keep(by, call, Arc::new(listing), now);
                    }
                    Reply {
                        content,
                        is_private,
                        pages,
                    }
                }
                Err(many) => no_such_page(many),
            },
            Err(Trouble::Mistake(what)) => private("That did not work", &what),
            Err(Trouble::Fault(fault)) => {
                let id = format!("{:08x}", fastrand::u32(..));
                error!(id, "{} failed: {fault:#}", call.spec.path);
                private(
                    "That failed",
                    &format!("It is our fault, and in the log as {id}."),
                )
            }
        }
    }
}

impl Ears for Clerk {
    fn answer(&self, asked: Asked) -> BoxFuture<'_, Option<Reply>> {
        self.reply(asked).boxed()
    }

    fn complete<'a>(
        &'a self,
        by: &'a Asker,
        completes: Completes,
        begun: &'a str,
    ) -> BoxFuture<'a, Vec<Choice>> {
        async move {
            let now = self.live.clock.now();
            if self.keys.ask(by.platform, &by.person, KEYS_EVERY, now) != Verdict::Answer {
                return Vec::new();
            }
            let generation = self.live.now();
            let found = async {
                let right = self.right(by, &generation).await?;
                let _seat = self.seats.acquire().await?;
                complete::choices(&self.live, &generation, right, completes, begun, now).await
            };
            found.await.unwrap_or_else(|fault| {
                error!("completing failed: {fault:#}");
                Vec::new()
            })
        }
        .boxed()
    }

    fn notice(&self, platform: &'static str, noticed: Noticed) -> BoxFuture<'_, ()> {
        async move {
            let mut all = PlatformKind::ALL.into_iter();
            let Some(platform) = all.find(|kind| kind.word() == platform) else {
                return;
            };
            let done = match &noticed {
                Noticed::Changed { room } => self.live.try_again(platform, room.as_deref()).await,
                Noticed::Replaced { room, by } => self.live.was_replaced(platform, room, by).await,
            };
            if let Err(fault) = done {
                error!("taking note of {noticed:?} failed: {fault:#}");
            }
        }
        .boxed()
    }
}

async fn carry_out(ask: &Ask<'_>) -> Told {
    match (ask.call.spec.audience, ask.call.spec.path) {
        (Audience::Readers, "latest") => issues::latest(ask).await,
        (Audience::Readers, "issue") => issues::issue(ask).await,
        (Audience::Readers, "story") => readers::story(ask).await,
        (Audience::Readers, "search") => readers::search(ask).await,
        (Audience::Readers, "open") => readers::open(ask).await,
        (Audience::Readers, "status") => readers::status(ask).await,
        (Audience::Readers, "suggest") => suggest::suggest(ask).await,
        (_, "help") => readers::help(ask),
        (Audience::Editors, "draft") => issues::draft(ask).await,
        (Audience::Editors, "pin") => editors::pin(ask).await,
        (Audience::Editors, "drop") => editors::drop(ask).await,
        (Audience::Editors, "move") => editors::put(ask).await,
        (Audience::Editors, "note") => editors::note(ask).await,
        (Audience::Editors, "intro") => editors::intro(ask).await,
        (Audience::Editors, "undo") => editors::undo(ask).await,
        (Audience::Editors, "suggestions") => editors::suggestions(ask).await,
        (Audience::Editors, "accept") => editors::accept(ask).await,
        (Audience::Editors, "decline") => editors::decline(ask).await,
        (Audience::Editors, "publish") => publishing::publish(ask).await,
        (Audience::Editors, "withdraw") => publishing::withdraw(ask).await,
        (Audience::Editors, "correct") => publishing::correct(ask).await,
        (Audience::Maintainers, "feeds list") => feeds::list(ask).await,
        (Audience::Maintainers, "feeds add") => feeds::add(ask).await,
        (Audience::Maintainers, "feeds remove") => feeds::remove(ask).await,
        (Audience::Maintainers, "feeds pause") => feeds::pause(ask).await,
        (Audience::Maintainers, "feeds resume") => feeds::resume(ask).await,
        (Audience::Maintainers, "feeds test") => feeds::test(ask).await,
        (Audience::Maintainers, "route list") => routes::list(ask),
        (Audience::Maintainers, "route add") => routes::add(ask).await,
        (Audience::Maintainers, "route remove") => routes::remove(ask).await,
        (Audience::Maintainers, "mute story") => mutes::story(ask).await,
        (Audience::Maintainers, "mute author") => mutes::author(ask).await,
        (Audience::Maintainers, "mute words") => mutes::words(ask).await,
        (Audience::Maintainers, "mute list") => mutes::list(ask).await,
        (Audience::Maintainers, "mute lift") => mutes::lift(ask).await,
        (Audience::Maintainers, "retract") => mutes::retract(ask).await,
        (Audience::Maintainers, "suggest list") => records::suggestions(ask).await,
        (Audience::Maintainers, "suggest ban") => records::ban(ask).await,
        (Audience::Maintainers, "suggest lift") => records::lift(ask).await,
        (Audience::Maintainers, "audit") => records::audit(ask).await,
        (Audience::Maintainers, "letters list") => letters::list(ask).await,
        (Audience::Maintainers, "letters retry") => letters::retry(ask).await,
        (Audience::Maintainers, "letters drop") => letters::drop(ask).await,
        (_, path) => {
            Err(anyhow::anyhow!("{path} is in the table, and nobody carries it out").into())
        }
    }
}

/// The places of the file's channels: what was added in chat gives nobody a right.
fn of_the_file<'p>(places: &'p [ChannelPlace], generation: &Generation) -> Vec<&'p ChannelPlace> {
    let is_of_file = |place: &&ChannelPlace| {
        let origin = generation.effective.origin(TableKind::Channel, &place.name);
        matches!(origin, Some(Origin::File { .. }))
    };
    places.iter().filter(is_of_file).collect()
}

/// Whether an answer reaches maintainers alone: the platform shows it to nobody else, or they are among themselves.
fn is_among_maintainers(by: &Asker, generation: &Generation) -> bool {
    let platform = platform_of(by);
    let channels = &generation.effective.config.channels;
    platform == Some(PlatformKind::Discord)
        || channels.iter().any(|channel| {
            channel.maintainers && Some(channel.platform) == platform && channel.address == by.room
        })
}

fn no_such_page(many: usize) -> Reply {
    let text = match many {
        1 => "There is one page.".to_owned(),
        many => format!("There are {many} pages."),
    };
    private("There is no such page", &text)
}

fn private(title: &str, text: &str) -> Reply {
    Reply {
        content: notice(title, crate::post::plain_lines(text), "bpfnews"),
        is_private: true,
        pages: Pages::default(),
    }
}

/// What is said to something that is no command.
fn help(by: &Asker, wrong: &WrongCall) -> Reply {
    let (audience, usage) = match wrong {
        WrongCall::Nothing(audience) | WrongCall::Unknown { audience, .. } => (*audience, None),
        WrongCall::Argument { spec, .. } => (spec.audience, Some(spec.usage())),
    };
    let mut text = wrong.to_string();
    if let Some(usage) = usage {
        text.push_str(&format!("\nIt is used so: {}", typed(by, audience, &usage)));
    }
    text.push_str(&format!(
        "\n{} tells what can be asked.",
        typed(by, audience, "help")
    ));
    private("That is no command", &text)
}
