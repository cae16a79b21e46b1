//! The command handler: limits the rate, checks rights, runs the command, and lays out its answer.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{BoxFuture, FutureExt as _};
use tokio::sync::Semaphore;
use tracing::{Instrument as _, error, info, info_span};

use super::context::{Answer, CommandContext, CommandError, notice, refuse, typed};
use super::pages::{self, PageCache};
use super::rights::{self, Right};
use super::{
    complete, editors, feeds, follows, forget, issues, letters, mail, mutes, publishing, readers,
    records, routes, suggest,
};
use crate::chat::{
    Audience, Call, Choice, CommandId as Id, CommandRequest, Completes, Disclosure, HandleCommands,
    Pace, PageCalls, PlatformKind, Reply, Requester, RoomEvent, WrongCall,
};
use crate::config::{Origin, TableKind};
use crate::live::{Generation, Live};
use crate::rate::{RateDecision, RateLimit};
use crate::store::outbox::{self, ChannelPlace};

/// Commands a person may give at once; after that, [`crate::config::CommandsConfig::cooldown_s`] lies between two.
const BURST: i32 = 5;
/// Completions a person may request at once, and the interval between two after that.
const COMPLETIONS_BURST: i32 = 20;
const COMPLETIONS_EVERY: TimeDelta = TimeDelta::milliseconds(100);
/// Commands that read the database in parallel. The loops need the other connections.
const AT_ONCE_MAX: usize = 3;

/// Answers commands.
pub struct CommandHandler {
    live: Arc<Live>,
    commands: RateLimit<(PlatformKind, String)>,
    completions: RateLimit<(PlatformKind, String)>,
    page_cache: PageCache,
    seats: Semaphore,
}

impl CommandHandler {
    pub fn new(live: Arc<Live>) -> Self {
        Self {
            live,
            commands: RateLimit::new(BURST),
            completions: RateLimit::new(COMPLETIONS_BURST),
            page_cache: PageCache::default(),
            seats: Semaphore::new(AT_ONCE_MAX),
        }
    }

    async fn reply(&self, asked: CommandRequest) -> Option<Reply> {
        let now = self.live.clock.now();
        let generation = self.live.now();
        let by = &asked.by;
        let every = TimeDelta::seconds(generation.effective.config.commands.cooldown_s.into());
        let person = (by.platform, by.person.clone());
        match self.commands.count(person, every, now) {
            RateDecision::Answer => {}
            RateDecision::Warn => {
                return Some(private("Slow down", "One command at a time, please."));
            }
            RateDecision::Ignore => return None,
        }
        let call = match &asked.call {
            Ok(call) => call,
            Err(wrong) => return Some(help(by, wrong)),
        };
        let path = call.spec.path;
        let span = info_span!(
            "command",
            command.name = path,
            platform = by.platform.word()
        );
        let answer = self.run(by, call, generation, now).instrument(span).await;
        if call.spec.id == Id::ForgetMe && answer.is_ok() {
            self.completions.forget(&(by.platform, by.person.clone()));
            self.page_cache.forget(by.platform, &by.person);
        }
        Some(self.lay_out(by, call, answer, now))
    }

    async fn run(
        &self,
        by: &Requester,
        call: &Call,
        generation: Arc<Generation>,
        now: DateTime<Utc>,
    ) -> Result<Answer, CommandError> {
        let right = self.right(by, &generation).await?;
        if call.spec.audience == Audience::Editors && right < Right::Editor {
            info!("{} may not: {}", by.person, call.spec.path);
            return refuse(
                "Only editors may do that: people listed under [issue] or [commands] in the configuration, and managers \
                 of this place if a channel in it is configured.",
            );
        }
        if call.spec.audience == Audience::Maintainers {
            if right < Right::Manager {
                info!("{} may not: {}", by.person, call.spec.path);
                return refuse(
                    "Only maintainers may do that: people listed under [commands] in the configuration, and managers of \
                     this place if a channel in it is configured.",
                );
            }
            if call.spec.disclosure == Disclosure::Maintainers
                && !is_among_maintainers(by, &generation)
            {
                return refuse(
                    "That is answered only in the maintainers' room (a [[channel]] with maintainers = true), because \
                     everybody could read it here.",
                );
            }
        }
        if let Some(listing) = self.page_cache.find(by, call, now) {
            return Ok(Answer::List((*listing).clone()));
        }
        let ctx = CommandContext {
            live: &self.live,
            generation,
            by,
            right,
            call,
            now,
        };
        if call.spec.pace == Pace::Network {
            return carry_out(&ctx).await;
        }
        let _seat = self.seats.acquire().await.map_err(anyhow::Error::from)?;
        carry_out(&ctx).await
    }

    /// The rights of a person. Also stores the server of one of our channels if it is not known yet.
    async fn right(&self, by: &Requester, generation: &Generation) -> anyhow::Result<Right> {
        let places = outbox::places(self.live.store.read().into()).await?;
        let unknown = places.iter().find(|place| {
            let is_room = place.platform == by.platform.word() && place.address == by.room;
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

    fn lay_out(
        &self,
        by: &Requester,
        call: &Call,
        answer: Result<Answer, CommandError>,
        now: DateTime<Utc>,
    ) -> Reply {
        let is_private = call.spec.disclosure != Disclosure::Everybody;
        match answer {
            Ok(Answer::Message(content)) => Reply {
                content,
                is_private,
                pages: PageCalls::default(),
            },
            Ok(Answer::Issue(issue)) => match pages::page_of_issue(*issue, call) {
                Ok((content, pages)) => Reply {
                    content,
                    is_private,
                    pages,
                },
                Err(many) => no_such_page(many),
            },
            Ok(Answer::List(listing)) => match pages::page(&listing, call) {
                Ok((content, pages)) => {
                    if call.page() == 1 && pages.next.is_some() {
                        self.page_cache.keep(by, call, Arc::new(listing), now);
                    }
                    Reply {
                        content,
                        is_private,
                        pages,
                    }
                }
                Err(many) => no_such_page(many),
            },
            Err(CommandError::Refused(what)) => private("That did not work", &what),
            Err(CommandError::Internal(fault)) => {
                let id = format!("{:08x}", fastrand::u32(..));
                error!(id, "{} failed: {fault:#}", call.spec.path);
                private(
                    "That failed",
                    &format!("This is an error of the bot. The log has the details under {id}."),
                )
            }
        }
    }
}

impl HandleCommands for CommandHandler {
    fn answer(&self, asked: CommandRequest) -> BoxFuture<'_, Option<Reply>> {
        self.reply(asked).boxed()
    }

    fn complete<'a>(
        &'a self,
        by: &'a Requester,
        completes: Completes,
        begun: &'a str,
    ) -> BoxFuture<'a, Vec<Choice>> {
        async move {
            let now = self.live.clock.now();
            let person = (by.platform, by.person.clone());
            if self.completions.count(person, COMPLETIONS_EVERY, now) != RateDecision::Answer {
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

    fn room_event(&self, platform: PlatformKind, event: RoomEvent) -> BoxFuture<'_, ()> {
        async move {
            let done = match &event {
                RoomEvent::Changed { room } => self.live.try_again(platform, room.as_deref()).await,
                RoomEvent::Replaced { room, by } => {
                    self.live.was_replaced(platform, room, by).await
                }
            };
            if let Err(fault) = done {
                error!(
                    "{event:?} on {} was not handled: {fault:#}",
                    platform.word()
                );
            }
        }
        .boxed()
    }
}

async fn carry_out(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    match ctx.call.spec.id {
        Id::Latest => issues::latest(ctx).await,
        Id::Issue => issues::issue(ctx).await,
        Id::Story => readers::story(ctx).await,
        Id::Search => readers::search(ctx).await,
        Id::Open => readers::open(ctx).await,
        Id::Status => readers::status(ctx).await,
        Id::Suggest => suggest::suggest(ctx).await,
        Id::Follow => follows::follow(ctx).await,
        Id::Follows => follows::list(ctx).await,
        Id::Unfollow => follows::unfollow(ctx).await,
        Id::ForgetMe => forget::forget_me(ctx).await,
        Id::MailAdd => mail::add(ctx).await,
        Id::Help => readers::help(ctx),
        Id::Draft => issues::draft(ctx).await,
        Id::Pin => editors::pin(ctx).await,
        Id::Drop => editors::drop(ctx).await,
        Id::Move => editors::put(ctx).await,
        Id::Note => editors::note(ctx).await,
        Id::Intro => editors::intro(ctx).await,
        Id::Undo => editors::undo(ctx).await,
        Id::Suggestions => editors::suggestions(ctx).await,
        Id::Accept => editors::accept(ctx).await,
        Id::Decline => editors::decline(ctx).await,
        Id::Publish => publishing::publish(ctx).await,
        Id::Withdraw => publishing::withdraw(ctx).await,
        Id::Correct => publishing::correct(ctx).await,
        Id::FeedsList => feeds::list(ctx).await,
        Id::FeedsAdd => feeds::add(ctx).await,
        Id::FeedsRemove => feeds::remove(ctx).await,
        Id::FeedsPause => feeds::pause(ctx).await,
        Id::FeedsResume => feeds::resume(ctx).await,
        Id::FeedsTest => feeds::test(ctx).await,
        Id::RouteList => routes::list(ctx),
        Id::RouteAdd => routes::add(ctx).await,
        Id::RouteRemove => routes::remove(ctx).await,
        Id::RouteExplain => routes::explain(ctx).await,
        Id::MuteStory => mutes::story(ctx).await,
        Id::MuteAuthor => mutes::author(ctx).await,
        Id::MuteWords => mutes::words(ctx).await,
        Id::MuteList => mutes::list(ctx).await,
        Id::MuteLift => mutes::lift(ctx).await,
        Id::Retract => mutes::retract(ctx).await,
        Id::SuggestList => records::suggestions(ctx).await,
        Id::SuggestBan => records::ban(ctx).await,
        Id::SuggestLift => records::lift(ctx).await,
        Id::Audit => records::audit(ctx).await,
        Id::LettersList => letters::list(ctx).await,
        Id::LettersRetry => letters::retry(ctx).await,
        Id::LettersDrop => letters::drop(ctx).await,
    }
}

/// The places of the channels in the file. Channels added in chat give nobody rights.
fn of_the_file<'p>(places: &'p [ChannelPlace], generation: &Generation) -> Vec<&'p ChannelPlace> {
    let is_of_file = |place: &&ChannelPlace| {
        let origin = generation.effective.origin(TableKind::Channel, &place.name);
        matches!(origin, Some(Origin::File { .. }))
    };
    places.iter().filter(is_of_file).collect()
}

/// Whether only maintainers can read the answer: Discord hides it from others, or the room is theirs.
fn is_among_maintainers(by: &Requester, generation: &Generation) -> bool {
    let channels = &generation.effective.config.channels;
    by.platform == PlatformKind::Discord
        || channels.iter().any(|channel| {
            let is_here = channel.platform == by.platform && channel.address == by.room;
            channel.maintainers && is_here
        })
}

fn no_such_page(many: usize) -> Reply {
    let text = match many {
        1 => "There is only one page.".to_owned(),
        many => format!("There are {many} pages."),
    };
    private("There is no such page", &text)
}

fn private(title: &str, text: &str) -> Reply {
    Reply {
        content: notice(title, crate::post::plain_lines(text), "bpfnews"),
        is_private: true,
        pages: PageCalls::default(),
    }
}

/// The answer to a text that is no valid command.
fn help(by: &Requester, wrong: &WrongCall) -> Reply {
    let (audience, usage) = match wrong {
        WrongCall::Nothing(audience) | WrongCall::Unknown { audience, .. } => (*audience, None),
        WrongCall::Argument { spec, .. } => (spec.audience, Some(spec.usage())),
    };
    let mut text = wrong.to_string();
    if let Some(usage) = usage {
        text.push_str(&format!("\nUsage: {}", typed(by, audience, &usage)));
    }
    text.push_str(&format!(
        "\n{} lists the commands.",
        typed(by, audience, "help")
    ));
    private("That is not a command", &text)
}
