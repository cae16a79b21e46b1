//! Discord as the bot uses it: posts, forums, threads, the gateway and commands, against a simulated Discord over sockets.

mod child;
mod contract;
mod delivery;
pub(crate) mod fake;
mod follows;
mod forum;
mod gateway;
mod interactions;
mod milestones;
mod newsletter;
mod refusals;
mod standing;
mod stuck;
mod threads;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bpfnews::channel::discord::{Discord, DiscordSettings};
use bpfnews::channel::{Act, Platform, Receipt, Work};
use bpfnews::clock::{Clock, SystemClock};
use bpfnews::config::{ChannelConfig, DiscordConfig, PlatformKind};
use bpfnews::deliver::DeliveryLoop;
use bpfnews::post::About;
use bpfnews::post::story::{Content, Line, Post, Tone};
use chrono::{DateTime, TimeDelta};

use crate::documents::{Mail, answer_mail, mail, mails_atom};
use crate::world::{World, archive, everything, tree};
use fake::{Fake, Room};

pub(crate) const ROOM: &str = "100001";
pub(crate) const OTHER: &str = "100002";
pub(crate) const NEWS: &str = "100005";
pub(crate) const THREAD: &str = "100011";
pub(crate) const FORUM: &str = "100015";
pub(crate) const OPS: &str = "100099";

pub(crate) fn discord(fake: &Fake) -> Discord {
    with_token(fake.base(), fake::TOKEN)
}

pub(crate) fn with_token(base: String, token: &str) -> Discord {
    let settings = DiscordSettings {
        base,
        token: token.to_owned().into(),
        page: "https://example.org/bpfnews".to_owned(),
    };
    Discord::new(settings).expect("the settings are well")
}

/// A story's post.
pub(crate) fn story(mark: &str, title: &str, state: &str, tone: Tone) -> Content {
    Content::Story(Box::new(Post {
        mark: mark.to_owned(),
        about: About::Series,
        state: state.to_owned(),
        tone,
        tree: "bpf-next".to_owned(),
        title: title.to_owned(),
        author: "A. Author".to_owned(),
        at: DateTime::from_timestamp(1_700_000_000, 0).expect("a time of our own"),
        feeds: vec!["bpf".to_owned()],
        notes: Vec::new(),
        parts: vec![("1/1".to_owned(), title.to_owned())],
        parts_left_out: 0,
        summary: "It is so.".to_owned(),
        change: String::new(),
        checks: String::new(),
        reviews: String::new(),
        steps: Vec::new(),
        link: Some("https://lore.kernel.org/bpf/x@y/".to_owned()),
        commit: None,
        page: None,
    }))
}

pub(crate) fn line(mark: &str, title: &str) -> Content {
    Content::Line(Line {
        what: "Applied to bpf-next".to_owned(),
        title: title.to_owned(),
        author: String::new(),
        summary: String::new(),
        link: Some("https://lore.kernel.org/bpf/a(b)c/".to_owned()),
        tone: Tone::Applied,
        mark: mark.to_owned(),
    })
}

pub(crate) fn work(room: &str, key: &str, act: Act) -> Work {
    Work {
        address: room.to_owned(),
        act,
        key: key.to_owned(),
        is_retry: false,
        tried_ago: None,
        person: None,
    }
}

pub(crate) fn send(room: &str, key: &str, content: Content) -> Work {
    let act = Act::Send {
        content,
        under: None,
    };
    work(room, key, act)
}

pub(crate) fn edit(room: &str, key: &str, receipt: &Receipt, content: Content) -> Work {
    let receipt = receipt.clone();
    work(room, key, Act::Edit { receipt, content })
}

/// A channel on Discord that accepts all posts.
pub(crate) fn channel(room: &str) -> ChannelConfig {
    ChannelConfig {
        name: format!("channel-{room}"),
        platform: PlatformKind::Discord,
        address: room.to_owned(),
        ..everything()
    }
}

/// A whole program without its loop, with channels on the simulated Discord.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) fake: Fake,
    mails: Vec<Mail>,
}

impl Stage {
    /// With these rooms, a channel for each of `channels`, and a seeded list and tree; the sample is posted.
    pub(crate) async fn new(rooms: &[Room], channels: Vec<ChannelConfig>) -> Self {
        let fake = Fake::start(rooms).await;
        let mut world = World::new(&[archive("bpf", "/bpf/"), tree("tree", "/tree", &[])]).await;
        let base = fake.base();
        world
            .restart(|config| {
                config.discord = Some(DiscordConfig {
                    token_file: None,
                    api: base,
                });
                config.channels = channels;
            })
            .await;
        let mut stage = Self {
            world,
            fake,
            mails: vec![mail("seed", -60, "hello", "")],
        };
        stage.put_commits(&[]);
        stage.put_mails();
        stage.world.poll().await;
        stage.pass().await;
        stage.world.advance(TimeDelta::hours(2));
        stage
    }

    fn put_mails(&mut self) {
        self.mails.sort_by_key(|mail| std::cmp::Reverse(mail.at));
        let atom = mails_atom("http://list.example/bpf/", &self.mails);
        self.world.put("/bpf/new.atom", atom);
    }

    fn put_commits(&self, more: &[crate::documents::Commit]) {
        let mut commits = vec![crate::documents::commit(90)];
        commits.extend(more.iter().cloned());
        commits.reverse();
        self.world.put_folder("/tree/", move |path| {
            crate::documents::cgit("/tree/", &commits, 10, 10, path)
        });
    }

    /// A patch with this title is sent to the list, and read.
    pub(crate) async fn patch(&mut self, id: &str, title: &str) {
        let minutes = (self.world.now() - crate::world::noon()).num_minutes();
        let subject = format!("[PATCH bpf-next] {title}");
        self.mails.push(mail(id, minutes, &subject, ""));
        self.put_mails();
        self.world.poll_when_due("bpf").await;
    }

    /// Its second revision.
    pub(crate) async fn second(&mut self, id: &str, title: &str) {
        let minutes = (self.world.now() - crate::world::noon()).num_minutes();
        let subject = format!("[PATCH bpf-next v2] {title}");
        self.mails
            .push(mail(&format!("{id}-v2"), minutes, &subject, id));
        self.put_mails();
        self.world.poll_when_due("bpf").await;
    }

    /// A person answers the last mail.
    pub(crate) async fn answer(&mut self, id: &str, text: &str) {
        let minutes = (self.world.now() - crate::world::noon()).num_minutes();
        let last = self.mails.first().expect("a mail");
        self.mails.push(answer_mail(id, minutes, last, text));
        self.put_mails();
        self.world.poll_when_due("bpf").await;
    }

    /// The patch is applied.
    pub(crate) async fn apply(&mut self, title: &str) {
        let commit = crate::documents::Commit {
            subject: title.to_owned(),
            at: self.world.now(),
            ..crate::documents::commit(101)
        };
        self.put_commits(&[commit]);
        self.world.poll_when_due("tree").await;
    }

    /// Restarts the program: it loses uncommitted data and the client's memory.
    pub(crate) async fn restart(&mut self) {
        self.world.restart(|_| {}).await;
    }

    fn delivery_loop_by(&self, clock: Arc<dyn Clock>) -> DeliveryLoop {
        self.delivery_loop_over(discord(&self.fake), clock)
    }

    /// A delivery loop with the real clock and a short timeout.
    pub(crate) fn hasty_delivery_loop(&self, timeout: Duration) -> DeliveryLoop {
        let settings = DiscordSettings {
            base: self.fake.base(),
            token: fake::TOKEN.to_owned().into(),
            page: "https://example.org/bpfnews".to_owned(),
        };
        let discord = Discord::with_timeout(settings, timeout).expect("the settings are well");
        self.delivery_loop_over(discord, Arc::clone(&self.world.ingest.clock))
    }

    fn delivery_loop_over(&self, discord: Discord, clock: Arc<dyn Clock>) -> DeliveryLoop {
        let platform: Arc<dyn Platform> = Arc::new(discord);
        let ingest = &self.world.ingest;
        let platforms = HashMap::from([(PlatformKind::Discord, platform)]);
        DeliveryLoop::new(
            ingest.store.clone(),
            clock,
            ingest.destinations(),
            platforms,
        )
    }

    /// A delivery loop with the simulated clock.
    pub(crate) fn delivery_loop(&self) -> DeliveryLoop {
        self.delivery_loop_by(Arc::clone(&self.world.ingest.clock))
    }

    /// Delivers due posts by the simulated clock, with a new client.
    pub(crate) async fn pass(&self) {
        self.delivery_loop().pass().await.expect("a pass");
    }

    /// Delivers all queued posts in real time, like the program's loop.
    pub(crate) async fn tell_all(&self, within: Duration) {
        let delivery_loop = self.delivery_loop_by(Arc::new(SystemClock));
        let all = async {
            while let Some(at) = delivery_loop.next_at().await.expect("the database answers") {
                let wait = (at - SystemClock.now()).to_std().unwrap_or_default();
                tokio::time::sleep(wait.min(Duration::from_secs(1))).await;
                delivery_loop.pass().await.expect("a pass");
            }
        };
        let ended = tokio::time::timeout(within, all).await;
        ended.expect("all queued posts are sent in time");
    }

    /// The titles of patches in a room.
    pub(crate) fn told(&self, room: &str) -> Vec<String> {
        let mut titles = self.fake.titles(room);
        titles.retain(|title| title.contains("Do it"));
        titles
    }

    /// The states of patches in a room's messages.
    pub(crate) fn states(&self, room: &str) -> Vec<String> {
        let messages = self.fake.messages(room);
        let messages = messages
            .iter()
            .filter(|message| message.to_string().contains("Do it"));
        let states = messages.map(|message| {
            let text = message["embeds"][0]["description"]
                .as_str()
                .unwrap_or_default();
            text.lines().next().unwrap_or_default().replace("**", "")
        });
        states.collect()
    }
}
