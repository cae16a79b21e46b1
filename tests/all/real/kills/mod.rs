//! The program itself is killed at any step while answers are lost and servers fail. At the end, each channel has exactly
//! one post for each story, in its final state, as the chat server shows it.
//!
//! A seed is one kill. The list grows, the program is killed at a step that the seed chooses, and the list grows again
//! while it is down. The program starts again and meets the rest of the seed's faults. Then the test reads every channel at
//! its server. Seeds of one world follow each other over the same database and the same rooms.

mod home;
mod killer;
mod list;
mod proxy;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use matrix_sdk::ruma::OwnedRoomId;
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use tempfile::TempDir;

use self::home::Home;
use self::killer::{Aim, Killer, Moment};
use self::list::List;
use self::proxy::{Fault, Proxy, Twist};
use super::{is_long, say};
use crate::discord::fake::{Fake, Room, TOKEN};
use crate::discord::{FORUM, ROOM, THREAD};

/// The number of seeds; `BPFNEWS_LONG` makes it 500, and `BPFNEWS_SEEDS` sets it.
const SEEDS: u64 = 50;
/// The number of worlds at the same time; a world mostly waits.
const WORLDS: u64 = 5;
/// The longest time of a seed.
const SEED_MAX: Duration = Duration::from_mins(5);
/// The longest time until a reader has the keys for the messages.
const KEYS_MAX: Duration = Duration::from_secs(5);
/// The longest time until the program reaches the step at which it is killed.
const AIM_MAX: Duration = Duration::from_secs(4);

/// A deliberate fault, to prove that the test notices it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    Nothing,
    /// The server receives another key at every attempt.
    KeyOnTheWay,
    /// After a kill the outbox has another key than the one that was tried.
    KeyInTheOutbox,
    /// A claimed delivery counts as sent, as if it had been settled before the send.
    SettledBeforeSent,
}

/// A bot, its list, and its rooms: two of Matrix, one of them encrypted, and a text channel, a thread and a forum of
/// Discord.
struct World {
    folder: TempDir,
    killer: Killer,
    list: List,
    /// The proxies before Matrix and before Discord.
    proxies: [Proxy; 2],
    discord: Fake,
    home: Arc<Home>,
    rooms: Vec<OwnedRoomId>,
    broken: Broken,
}

/// The configuration: both chats behind their proxies, five channels, and the list.
fn configuration(proxies: &[Proxy; 2], user: &str, rooms: &[OwnedRoomId], list: &str) -> String {
    let on_matrix = rooms.iter().map(|room| ("matrix", room.as_str()));
    let on_discord = [ROOM, THREAD, FORUM].map(|room| ("discord", room));
    let channels: Vec<String> = on_matrix
        .chain(on_discord)
        .enumerate()
        .map(|(number, (platform, id))| {
            format!(
                "[[channel]]\nname = \"room{number}\"\nplatform = \"{platform}\"\nid = \"{id}\"\nmilestones = \"edit\"\n"
            )
        })
        .collect();
    format!(
        "database = \"bpfnews.sqlite\"\n\n[network]\nallow_private_hosts = [\"127.0.0.1\"]\nhost_gap_ms = 0\n\n\
         [matrix]\nhomeserver = \"{}\"\nuser = \"{user}\"\npassword_file = \"password\"\nsend_gap_s = 0\n\
         inviters = [\"@reader:localhost\"]\n\n[discord]\ntoken_file = \"token\"\napi = \"{}\"\n\n{}\n\
         [[feed]]\nname = \"bpf\"\nkind = \"archive\"\nurl = \"{list}\"\npoll_gap_s = 1\n",
        proxies[0].url,
        proxies[1].url,
        channels.join("\n"),
    )
}

/// Another key for every attempt: Matrix' transaction id, Discord's nonce.
fn other_key(request: &mut proxy::Request) {
    let other = format!("{:x}", fastrand::u64(..));
    if request.path.contains("/send/") {
        if let Some((before, key)) = request.path.rsplit_once('/') {
            request.path = format!("{before}/{key}-{other}");
        }
        return;
    }
    if let Ok(mut body) = serde_json::from_slice::<Value>(&request.body)
        && !body["nonce"].is_null()
    {
        body["nonce"] = other.into();
        request.body = body.to_string().into_bytes();
    }
}

impl World {
    async fn new(home: Arc<Home>, bot: usize, broken: Broken) -> Self {
        let killer = Killer::default();
        let list = List::start(killer.clone()).await;
        let twist = (broken == Broken::KeyOnTheWay).then_some(other_key as Twist);
        let rooms = [
            Room::text(ROOM),
            Room::thread(THREAD, ROOM),
            Room::forum(FORUM, &["posted", "applied"]),
        ];
        let discord = Fake::start(&rooms).await;
        let proxies = [
            Proxy::start(home.url(), killer.clone(), twist).await,
            Proxy::start(&discord.base(), killer.clone(), twist).await,
        ];
        let rooms = vec![home.room(bot, false).await, home.room(bot, true).await];
        let folder = TempDir::new().expect("a temporary folder");
        let config = configuration(&proxies, &home.text(bot, "id"), &rooms, &list.url);
        let put = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("a temporary folder");
        };
        put("config.toml", &config);
        put("password", &home.text(bot, "password"));
        put("token", TOKEN);
        let world = Self {
            folder,
            killer,
            list,
            proxies,
            discord,
            home,
            rooms,
            broken,
        };
        world.killer.start(world.folder.path());
        world.settled().await;
        world
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("bpfnews.sqlite")
    }

    async fn open(&self) -> Option<SqlitePool> {
        let options = SqliteConnectOptions::new().filename(self.database());
        SqlitePool::connect_with(options.busy_timeout(Duration::from_secs(30)))
            .await
            .ok()
    }

    /// Waits until all published mails are stored and the queue is empty.
    async fn settled(&self) {
        let until = Instant::now() + SEED_MAX;
        let mails = i64::try_from(self.list.len()).expect("few");
        loop {
            let is_running = self.killer.is_running();
            let counted = match self.open().await {
                Some(pool) => {
                    let counted: Result<(i64, i64), _> = sqlx::query_as(
                        "SELECT (SELECT count(*) FROM items), (SELECT count(*) FROM deliveries WHERE state = 'owed')",
                    )
                    .fetch_one(&pool)
                    .await;
                    pool.close().await;
                    counted.ok()
                }
                None => None,
            };
            if counted == Some((mails, 0)) {
                return;
            }
            assert!(
                Instant::now() < until && is_running,
                "not settled: {counted:?} of {mails} items and queued deliveries; its output:\n{}",
                self.said()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The last lines of the program's output.
    fn said(&self) -> String {
        let said = std::fs::read_to_string(self.folder.path().join("said")).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// One seed: growth, a kill, growth, a start, and the check.
    async fn seed(&mut self, seed: u64) -> Result<(), String> {
        let mut random = fastrand::Rng::with_seed(seed);
        let fault = |random: &mut fastrand::Rng| {
            let one = random.choice(Fault::ALL).expect("there are some");
            (random.u8(0..3) == 0).then_some(one)
        };
        for proxy in &self.proxies {
            let faults: Vec<Option<Fault>> = (0..8).map(|_| fault(&mut random)).collect();
            proxy.faults(faults);
        }
        let aim = aim(&mut random);
        self.killer.aim(aim);
        self.list.go_on(&mut random);
        let until = Instant::now() + AIM_MAX;
        while self.killer.is_running() && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.killer.kill(Moment::Sometime);
        self.break_it().await;
        if random.bool() {
            self.list.go_on(&mut random);
        }
        self.killer.start(self.folder.path());
        self.settled().await;
        self.check()
            .await
            .map_err(|wrong| format!("seed {seed}, to be killed at {:?}: {wrong}", aim.moment))
    }

    /// Applies the fault of a control between a kill and the next start.
    async fn break_it(&self) {
        let broken = match self.broken {
            Broken::Nothing | Broken::KeyOnTheWay => return,
            Broken::KeyInTheOutbox => {
                "UPDATE deliveries SET nonce = abs(random() / 2) WHERE state = 'owed'"
            }
            Broken::SettledBeforeSent => {
                "UPDATE deliveries SET state = 'done' WHERE state = 'owed' AND attempts > 0"
            }
        };
        let pool = self.open().await.expect("the database opens");
        sqlx::query(broken)
            .execute(&pool)
            .await
            .expect("the database takes it");
        pool.close().await;
    }

    /// Keys of an encrypted room may reach the reader after its messages.
    async fn check_matrix(&self, room: &OwnedRoomId, wanted: &[Told]) -> Result<(), String> {
        let until = Instant::now() + KEYS_MAX;
        loop {
            let bodies = self.home.seen(room).await;
            let told = bodies.iter().filter_map(|body| told_on_matrix(body));
            let compared = compare(room.as_str(), told.collect(), wanted);
            if compared.is_ok() || Instant::now() > until {
                return compared;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Reads every room at its server: one message for each series, with the right state.
    async fn check(&self) -> Result<(), String> {
        let series = self.list.series.iter();
        let mut wanted: Vec<Told> = series
            .map(|series| (series.title.clone(), series.state()))
            .collect();
        wanted.sort();
        for room in &self.rooms {
            self.check_matrix(room, &wanted).await?;
        }
        for room in [ROOM, THREAD] {
            let messages = self.discord.messages(room);
            let told = messages.iter().filter_map(told_on_discord);
            compare(room, told.collect(), &wanted)?;
        }
        let threads = self.discord.threads(FORUM);
        let told = threads.iter().flat_map(|thread| {
            let messages = self.discord.messages(&thread.id);
            messages
                .iter()
                .filter_map(told_on_discord)
                .collect::<Vec<Told>>()
        });
        compare("the forum", told.collect(), &wanted)
    }
}

/// A kill at a step that is chosen at random.
fn aim(random: &mut fastrand::Rng) -> Aim {
    let moment = random.choice(Moment::ALL).expect("there are some");
    Aim {
        moment,
        passes: random.u32(0..3),
        after: match (moment, random.bool()) {
            (Moment::Sometime, _) => Duration::from_millis(random.u64(1..2_500)),
            (Moment::PollAnswered | Moment::SendAnswered, _) => {
                Duration::from_micros(random.u64(0..20_000))
            }
            (_, true) => Duration::ZERO,
            (_, false) => Duration::from_millis(random.u64(1..60)),
        },
    }
}

/// A series' title, and the place of the state in a message.
type Told = (String, String);

fn compare(room: &str, mut told: Vec<Told>, wanted: &[Told]) -> Result<(), String> {
    told.sort();
    if told == wanted {
        return Ok(());
    }
    let extra: Vec<_> = told.iter().filter(|told| !wanted.contains(told)).collect();
    let missing: Vec<_> = wanted
        .iter()
        .filter(|wanted| !told.contains(wanted))
        .collect();
    Err(format!(
        "{room} has {} messages for {} stories; not true: {extra:?}; missing: {missing:?}",
        told.len(),
        wanted.len()
    ))
}

fn told_on_discord(message: &Value) -> Option<Told> {
    let embed = &message["embeds"][0];
    let title = embed["title"].as_str()?.to_owned();
    let state = embed["description"].as_str()?.lines().next()?;
    let state = state.replace("**", "").split(" · ").next()?.to_owned();
    (title != "hello").then_some((title, state))
}

/// A series' title and state, as a message shows them; `None` for a message about something else.
fn told_on_matrix(body: &str) -> Option<Told> {
    let mut lines = body.lines();
    let title = lines.next()?.split(" by ").next()?.to_owned();
    let state = lines.next()?.split(" · ").next()?.to_owned();
    (title != "hello").then_some((title, state))
}

/// The sums over all seeds of a world.
#[derive(Default)]
struct Count {
    killed: BTreeMap<Moment, usize>,
    met: BTreeMap<Fault, usize>,
    sends: usize,
    stories: usize,
    wrong: Vec<String>,
}

/// Plays the seeds of one world; stops at the first failure.
async fn play(home: Arc<Home>, bot: usize, seeds: Vec<u64>, broken: Broken) -> Count {
    let mut world = World::new(home, bot, broken).await;
    let mut count = Count::default();
    for seed in seeds {
        if let Err(wrong) = world.seed(seed).await {
            count.wrong.push(format!("{wrong}\n{}", world.said()));
            break;
        }
    }
    for proxy in &world.proxies {
        let (met, sends) = proxy.met();
        count.sends += sends;
        for (fault, many) in met {
            *count.met.entry(fault).or_default() += many;
        }
    }
    count.killed = world.killer.killed();
    count.stories = world.list.series.len();
    world.killer.stop();
    // A process that was killed cannot know that the next one starts a session sooner than Discord likes.
    let wrongs = world.discord.wrongs().into_iter();
    let wrongs = wrongs.filter(|wrong| !wrong.contains("two starts of a session"));
    count.wrong.extend(wrongs);
    count
}

async fn play_all(seeds: u64, broken: Broken) -> Count {
    let worlds = WORLDS.min(seeds);
    let home = Home::start(usize::try_from(worlds).expect("few")).await;
    let played = (0..worlds).map(|world| {
        let seeds = (0..seeds).filter(|seed| seed % worlds == world).collect();
        let bot = usize::try_from(world).expect("few");
        tokio::spawn(play(Arc::clone(&home), bot, seeds, broken))
    });
    let mut all = Count::default();
    for count in join_all(played).await {
        let count = count.expect("a world that comes to its end");
        for (moment, many) in count.killed {
            *all.killed.entry(moment).or_default() += many;
        }
        for (fault, many) in count.met {
            *all.met.entry(fault).or_default() += many;
        }
        all.sends += count.sends;
        all.stories += count.stories;
        all.wrong.extend(count.wrong);
    }
    all
}

fn seeds() -> u64 {
    let seeds = std::env::var("BPFNEWS_SEEDS")
        .ok()
        .and_then(|seeds| seeds.parse().ok());
    seeds.unwrap_or(if is_long() { 500 } else { SEEDS })
}

#[tokio::test(flavor = "multi_thread")]
async fn real_kills_leave_one_post_for_each_story_in_its_final_state() {
    let (seeds, started) = (seeds(), Instant::now());
    let count = play_all(seeds, Broken::Nothing).await;
    say(&format!(
        "{seeds} kills {:?}; {} stories, {} requests to send, of which met {:?}; {} s",
        count.killed,
        count.stories,
        count.sends,
        count.met,
        started.elapsed().as_secs()
    ));
    assert!(count.wrong.is_empty(), "{}", count.wrong.join("\n"));
    assert_eq!(
        count.killed.values().sum::<usize>() as u64,
        seeds,
        "each seed kills once"
    );
    if seeds >= SEEDS {
        let all = (count.killed.len(), count.met.len());
        assert_eq!(
            all,
            (Moment::ALL.len(), Fault::ALL.len()),
            "every kind was met"
        );
    }
}

/// Proves that the test above can fail: each control breaks something that the program relies on, from outside of it.
#[tokio::test(flavor = "multi_thread")]
async fn real_kills_are_noticed_where_keys_or_the_outbox_are_broken() {
    for broken in [
        Broken::KeyOnTheWay,
        Broken::KeyInTheOutbox,
        Broken::SettledBeforeSent,
    ] {
        let count = play_all(20, broken).await;
        say(&format!(
            "{broken:?}: {} of {WORLDS} worlds go wrong",
            count.wrong.len()
        ));
        assert!(!count.wrong.is_empty(), "{broken:?} is not noticed");
    }
}
