//! A whole bpfnews with people in chat: a configuration file, an upstream on loopback, a real database, an in-memory chat
//! as every platform, and a command handler. Replies are read as the terminal shows them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bpfnews::channel::{Platform, terminal};
use bpfnews::chat::{
    Audience, CommandRequest, Completes, HandleCommands as _, Reply, Requester, grammar,
};
use bpfnews::clock::{Clock as _, FixedClock};
use bpfnews::command::handler::CommandHandler;
use bpfnews::config::{EffectiveConfig, PlatformKind};
use bpfnews::live::Live;
use bpfnews::store::Store;
use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::deliver::platform::Chat;
use crate::documents::{Article, Mail, mail, public_inbox, rss};
use crate::rude::{Act, Rude, answer};
use crate::world::{before_polls, noon};

/// The Discord channel and the Matrix rooms that the file names.
pub(crate) const NEWS: &str = "100100100";
pub(crate) const ROOM: &str = "!room:x.example";
pub(crate) const OPS: &str = "!ops:x.example";
/// The server of the channel, and one without any of our channels.
pub(crate) const SERVER: &str = "900900900";
pub(crate) const FOREIGN: &str = "800800800";

/// The default text below `[commands]`.
const COMMANDS: &str = "discord_users = [\"111111\"]\ndiscord_roles = [\"222222\"]\nmatrix_users = [\"@boss:x.example\"]\ncooldown_s = 0\n";

type Pages = Arc<Mutex<HashMap<String, Vec<u8>>>>;
type Mails = Arc<Mutex<Vec<Mail>>>;

/// The whole house.
pub(crate) struct House {
    /// The running program.
    pub(crate) live: Arc<Live>,
    /// The command handler.
    pub(crate) handler: CommandHandler,
    /// The posted messages.
    pub(crate) chat: Chat,
    /// The configuration file.
    pub(crate) file: PathBuf,
    upstream: Rude,
    pages: Pages,
    clock: Arc<FixedClock>,
    mails: Mails,
    _home: TempDir,
}

impl House {
    /// A house with a list that was seeded two hours ago.
    pub(crate) async fn new() -> Self {
        Self::with(COMMANDS).await
    }

    /// The same with other keys below `[commands]`.
    pub(crate) async fn with(commands: &str) -> Self {
        let home = TempDir::new().expect("a folder");
        let mut house = Self::over(home, commands, noon()).await;
        house.post(&[mail("seed", -60, "hello", "")]).await;
        house.chat.forget();
        house.advance(TimeDelta::hours(2));
        house
    }

    /// The program at a time over what the folder has: nothing, or a database. Nothing is polled yet.
    pub(crate) async fn over(home: TempDir, commands: &str, now: DateTime<Utc>) -> Self {
        let (pages, mails) = (Pages::default(), Mails::default());
        let (shown, listed) = (Arc::clone(&pages), Arc::clone(&mails));
        let upstream = Rude::start(move |path, _| {
            let page = shown.lock().expect("no holder panics").get(path).cloned();
            let made = || match path.starts_with("/bpf/") {
                true => public_inbox("/bpf/", &listed.lock().expect("no holder panics"), 25, path),
                false => answer("404 Not Found", &[], "Not Found"),
            };
            vec![Act::Send(page.unwrap_or_else(made))]
        })
        .await;
        let file = home.path().join("config.toml");
        std::fs::write(&file, text(upstream.port(), commands)).expect("room on the disk");
        let clock = Arc::new(FixedClock::new(now));
        let chat = Chat::new();
        let live = open(&file, &clock, &chat).await;
        Self {
            handler: CommandHandler::new(Arc::clone(&live)),
            live,
            chat,
            file,
            upstream,
            pages,
            clock,
            mails,
            _home: home,
        }
    }

    /// Restarts the program over the same file and database.
    pub(crate) async fn restart(&mut self) {
        self.live.store.close().await;
        self.live = open(&self.file, &self.clock, &self.chat).await;
        self.handler = CommandHandler::new(Arc::clone(&self.live));
    }

    /// From now on, the upstream answers `path` with these bytes.
    pub(crate) fn put(&self, path: &str, document: impl AsRef<[u8]>) {
        self.put_raw(path, answer("200 OK", &[], document));
    }

    /// From now on, the upstream answers `path` with these bytes, status line included.
    pub(crate) fn put_raw(&self, path: &str, answer: Vec<u8>) {
        self.pages
            .lock()
            .expect("no holder panics")
            .insert(path.to_owned(), answer);
    }

    /// A blog of these titles at `path`.
    pub(crate) fn put_blog(&self, path: &str, titles: &[&str]) {
        let articles = titles.iter().enumerate();
        let articles: Vec<Article> = articles.map(|(n, title)| Article::new(n, title)).collect();
        self.put(path, rss(&articles));
    }

    /// The upstream's port.
    pub(crate) fn port(&self) -> u16 {
        self.upstream.port()
    }

    /// The requests to the upstream, without those for the file's own list.
    pub(crate) fn asked(&self) -> Vec<String> {
        let seen = self.upstream.seen();
        let seen = seen.iter().map(|seen| seen.what().to_owned());
        seen.filter(|what| !what.contains("/bpf/")).collect()
    }

    /// These mails arrive. A poll reads them two hours later, and they are posted.
    pub(crate) async fn post(&mut self, mails: &[Mail]) {
        self.post_within(TimeDelta::hours(2), mails).await;
    }

    /// The same, polled after this time.
    pub(crate) async fn post_within(&mut self, time: TimeDelta, mails: &[Mail]) {
        self.list(mails);
        self.advance(time);
        self.pass().await;
    }

    /// The archive also has these mails.
    pub(crate) fn list(&self, mails: &[Mail]) {
        let mut listed = self.mails.lock().expect("no holder panics");
        listed.extend_from_slice(mails);
    }

    /// Polls due feeds and delivers queued posts.
    pub(crate) async fn pass(&self) {
        let now = self.live.now();
        let polled = now.ingest.pass(&CancellationToken::new(), |_| ()).await;
        polled.expect("no feed stops a pass");
        before_polls(&now.ingest).await;
        now.delivery_loop.pass().await.expect("a pass");
    }

    /// The time.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Moves the clock.
    pub(crate) fn advance(&self, by: TimeDelta) {
        self.clock.set(self.clock.now() + by);
    }

    /// The reply to a text, for example `latest` or `admin audit`.
    pub(crate) async fn reply(&self, by: &Requester, text: &str) -> Option<Reply> {
        let (audience, text) = match (text.strip_prefix("admin "), text.strip_prefix("edit ")) {
            (Some(text), _) => (Audience::Maintainers, text),
            (None, Some(text)) => (Audience::Editors, text),
            (None, None) => (Audience::Readers, text),
        };
        let asked = CommandRequest {
            by: by.clone(),
            call: grammar::parse(audience, text),
        };
        self.handler.answer(asked).await
    }

    /// The same as the terminal shows it, but it starts with `(privately)` if it is private, and has no calls for other
    /// pages.
    pub(crate) async fn ask(&self, by: &Requester, text: &str) -> String {
        let Some(reply) = self.reply(by, text).await else {
            return "(silence)".to_owned();
        };
        let mut shown = match reply.is_private {
            true => "(privately)\n".to_owned(),
            false => String::new(),
        };
        let words = terminal::render(&reply.content, 100);
        shown.push_str(&anstream::adapter::strip_str(&words).to_string());
        for (way, call) in [("back", reply.pages.back), ("on", reply.pages.next)] {
            if let Some(call) = call {
                shown.push_str(&format!("[{way}: {}]\n", call.words()));
            }
        }
        // The upstream has another port in each run.
        shown.replace(&format!(":{}/", self.port()), ":PORT/")
    }

    /// The completions of a typed text.
    pub(crate) async fn offered(
        &self,
        by: &Requester,
        completes: Completes,
        begun: &str,
    ) -> Vec<String> {
        let choices = self.handler.complete(by, completes, begun).await;
        let choices = choices.into_iter();
        choices
            .map(|choice| format!("{} = {}", choice.shown, choice.value))
            .collect()
    }

    /// How many rows a table has.
    pub(crate) async fn rows(&self, table: &str) -> i64 {
        let query = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
        let (many,): (i64,) = sqlx::query_as(query)
            .fetch_one(
                &mut *self
                    .live
                    .store
                    .read()
                    .acquire()
                    .await
                    .expect("a connection"),
            )
            .await
            .expect("the database answers");
        many
    }

    /// The audit log, oldest first.
    pub(crate) async fn audit(&self) -> Vec<String> {
        let rows = bpfnews::store::audit::list_changes(self.live.store.read(), 1_000).await;
        let rows = rows.expect("the database answers").into_iter().rev();
        rows.map(|row| format!("{}: {}", row.person, row.what))
            .collect()
    }
}

async fn open(file: &std::path::Path, clock: &Arc<FixedClock>, chat: &Chat) -> Arc<Live> {
    let file = EffectiveConfig::load(file).unwrap_or_else(|errors| panic!("{errors}"));
    let store = Store::open(&file.config.database)
        .await
        .expect("a database");
    let platform: Arc<dyn Platform> = Arc::new(chat.clone());
    let senders = PlatformKind::ALL.map(|kind| (kind, Arc::clone(&platform)));
    let clock = Arc::clone(clock);
    let live = Live::open(file, store, clock, HashMap::from(senders)).await;
    Arc::new(live.expect("the program starts"))
}

fn text(port: u16, commands: &str) -> String {
    format!(
        "[network]\nallow_private_hosts = [\"127.0.0.1\"]\nhost_gap_ms = 0\nrequest_timeout_s = 3\n\n\
         [discord]\ntoken_file = \"token\"\n\n[matrix]\nhomeserver = \"http://127.0.0.1:1\"\nuser = \"@bot:x.example\"\n\n\
         [[feed]]\nname = \"bpf\"\nkind = \"archive\"\nurl = \"http://127.0.0.1:{port}/bpf/\"\nbpf_only = true\n\n\
         [[channel]]\nname = \"news\"\nplatform = \"discord\"\nid = \"{NEWS}\"\nissues = true\n\n\
         [[channel]]\nname = \"room\"\nplatform = \"matrix\"\nid = \"{ROOM}\"\nmode = \"digest\"\n\n\
         [[channel]]\nname = \"ops\"\nplatform = \"matrix\"\nid = \"{OPS}\"\nmaintainers = true\n\n\
         [commands]\n{commands}"
    )
}

/// A person on Discord, in a room of a server.
pub(crate) fn discord(person: &str, room: &str, server: &str) -> Requester {
    Requester {
        platform: PlatformKind::Discord,
        room: room.to_owned(),
        community: Some(server.to_owned()),
        person: person.to_owned(),
        roles: Vec::new(),
        is_manager: false,
        is_alone: true,
    }
}

/// A person in a Matrix room.
pub(crate) fn matrix(person: &str, room: &str) -> Requester {
    Requester {
        platform: PlatformKind::Matrix,
        room: room.to_owned(),
        community: None,
        person: person.to_owned(),
        roles: Vec::new(),
        is_manager: false,
        is_alone: false,
    }
}

/// The same person as a manager of the place.
pub(crate) fn managing(by: Requester) -> Requester {
    Requester {
        is_manager: true,
        ..by
    }
}

/// A reader in the channel.
pub(crate) fn reader() -> Requester {
    discord("555555", NEWS, SERVER)
}

/// A maintainer in the channel.
pub(crate) fn boss() -> Requester {
    discord("111111", NEWS, SERVER)
}
