//! What is running now: the configuration in effect, and the reading and the telling over it.
//!
//! The three are a [`Generation`], which is swapped as a whole: what is under way ends on the old one, but what it brings is
//! told by the channels of now; waits for servers are kept. What platforms need (secrets, addresses) is read once, at the
//! start.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};

use anyhow::Context as _;
use tokio::sync::Notify;
use tracing::{info, warn};

use crate::channel::{Act, Platform, Work};
use crate::clock::Clock;
use crate::config::{Addition, ConfigErrors, EffectiveConfig, PlatformKind, TableKind};
use crate::deliver::Courier;
use crate::desk;
use crate::ingest::Ingest;
use crate::post::story::Content;
use crate::store::{Store, additions, audit};

/// The most problems of a file that maintainers are told; the log has them all.
const PROBLEMS_TOLD_MAX: usize = 10;

/// One configuration, and what runs over it.
pub struct Generation {
    /// The configuration in effect.
    pub effective: EffectiveConfig,
    /// What reads.
    pub ingest: Arc<Ingest>,
    /// What tells.
    pub courier: Arc<Courier>,
}

/// What is running now.
pub struct Live {
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    senders: HashMap<PlatformKind, Arc<dyn Platform>>,
    current: RwLock<Arc<Generation>>,
    /// One change at a time.
    changing: tokio::sync::Mutex<()>,
    changed: Notify,
    /// Whether the file was wrong when it was read last.
    is_refused: AtomicBool,
}

/// Why something that was tried in a room did not go well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotPosted(pub String);

impl Live {
    /// Opens the database of a configuration file, and what runs over both.
    ///
    /// # Errors
    ///
    /// When the file is wrong, or the database cannot be used.
    pub async fn open(
        file: EffectiveConfig,
        store: Store,
        clock: Arc<dyn Clock>,
        senders: HashMap<PlatformKind, Arc<dyn Platform>>,
    ) -> anyhow::Result<Self> {
        let effective = with_additions(&file, &store).await?;
        let ingest =
            Arc::new(Ingest::open(store.clone(), &effective.config, Arc::clone(&clock)).await?);
        let desks = ingest.desks();
        let courier = Courier::new(store.clone(), Arc::clone(&clock), desks, senders.clone());
        let generation = Generation {
            effective,
            ingest,
            courier: Arc::new(courier),
        };
        Ok(Self {
            store,
            clock,
            senders,
            current: RwLock::new(Arc::new(generation)),
            changing: tokio::sync::Mutex::default(),
            changed: Notify::new(),
            is_refused: AtomicBool::new(false),
        })
    }

    /// What runs now. Whoever goes on with something keeps it until that ends.
    pub fn now(&self) -> Arc<Generation> {
        let current = self.current.read();
        Arc::clone(&current.expect("no holder of the generation panics"))
    }

    /// Waits until another generation runs.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Reads the file again. One that is wrong is refused whole: what runs goes on, and maintainers are told why.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn reload(&self) -> anyhow::Result<()> {
        let _one = self.changing.lock().await;
        let before = self.now();
        let path = before.effective.file().to_owned();
        let read = EffectiveConfig::load(&path).map_err(|errors| problems(&errors));
        let fits = read.and_then(|file| match needs_restart(&before.effective, &file) {
            Some(what) => Err(vec![what]),
            None => Ok(file),
        });
        let file = match fits {
            Ok(file) => file,
            Err(why) => return self.refuse(&path, &why).await,
        };
        let effective = with_additions(&file, &self.store).await?;
        let (feeds, channels) = (
            effective.config.feeds.len(),
            effective.config.channels.len(),
        );
        self.swap(&before, effective).await?;
        let said = format!("{feeds} feeds, {channels} channels");
        info!("{} was read again: {said}", path.display());
        if self.is_refused.swap(false, Ordering::Relaxed) {
            self.tell("The configuration was read again", &said).await?;
        }
        Ok(())
    }

    /// Keeps an addition, and has it in effect at once. Gives what was wrong with it, where something was.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn add(
        &self,
        addition: &Addition,
        hand: &audit::Actor,
        what: &str,
    ) -> anyhow::Result<Result<(), Vec<String>>> {
        let _one = self.changing.lock().await;
        let before = self.now();
        let effective = match before.effective.adding(addition) {
            Ok(effective) => effective,
            Err(why) => return Ok(Err(why)),
        };
        let mut tx = self.store.write().await?;
        if !additions::keep_addition(&mut tx, addition).await? {
            let taken = format!(
                "there is a {} {} that was added in chat and left out, since the file has no room for it; remove it first",
                addition.kind.word(),
                addition.name
            );
            return Ok(Err(vec![taken]));
        }
        audit::record(&mut tx, hand, what, self.clock.now()).await?;
        tx.commit().await?;
        self.swap(&before, effective).await?;
        Ok(Ok(()))
    }

    /// Drops an addition at once; `false` where there is none.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn remove(
        &self,
        kind: TableKind,
        name: &str,
        hand: &audit::Actor,
        what: &str,
    ) -> anyhow::Result<bool> {
        let _one = self.changing.lock().await;
        let before = self.now();
        let mut tx = self.store.write().await?;
        if !additions::drop_addition(&mut tx, kind, name).await? {
            return Ok(false);
        }
        audit::record(&mut tx, hand, what, self.clock.now()).await?;
        tx.commit().await?;
        let effective = with_additions(&before.effective, &self.store).await?;
        self.swap(&before, effective).await?;
        Ok(true)
    }

    /// Posts something in a room, as part of the answer to a command.
    ///
    /// # Errors
    ///
    /// Why it was not posted, for who asked.
    pub async fn post_once(
        &self,
        platform: PlatformKind,
        room: &str,
        content: Content,
    ) -> Result<(), NotPosted> {
        let Some(sender) = self.senders.get(&platform) else {
            let word = platform.word();
            return Err(NotPosted(format!(
                "{word} is not set up in the configuration"
            )));
        };
        let work = Work {
            address: room.to_owned(),
            act: Act::Send {
                content,
                under: None,
            },
            key: format!("try-{:x}", fastrand::u64(..)),
            is_retry: false,
            tried_ago: None,
        };
        let sent = sender.deliver(&work).await;
        sent.map(|_| ())
            .map_err(|error| NotPosted(error.to_string()))
    }

    /// The loops are to look again: something is due that was not.
    pub fn wake(&self) {
        self.changed.notify_one();
    }

    /// Something changed on a platform, in one room or (`None`) anywhere: what was refused there is tried again now.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn try_again(
        &self,
        platform: PlatformKind,
        room: Option<&str>,
    ) -> anyhow::Result<()> {
        if self.now().courier.try_again(platform, room).await? {
            self.wake();
        }
        Ok(())
    }

    /// A platform says that another room took a channel's place.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn was_replaced(
        &self,
        platform: PlatformKind,
        room: &str,
        by: &str,
    ) -> anyhow::Result<()> {
        let courier = Arc::clone(&self.now().courier);
        courier.was_replaced(platform, room, by).await?;
        self.wake();
        Ok(())
    }

    async fn swap(&self, before: &Generation, effective: EffectiveConfig) -> anyhow::Result<()> {
        let refused = desk::paused(&before.ingest.desks(), &self.store).await?;
        let ingest = Arc::new(before.ingest.reopen(&effective.config).await?);
        let courier = Arc::new(before.courier.over(ingest.desks(), &refused));
        let generation = Arc::new(Generation {
            effective,
            ingest,
            courier,
        });
        tell_left_out(&generation, &before.effective).await?;
        let mut current = self
            .current
            .write()
            .expect("no holder of the generation panics");
        *current = generation;
        drop(current);
        self.changed.notify_one();
        Ok(())
    }

    async fn refuse(&self, path: &Path, why: &[String]) -> anyhow::Result<()> {
        for problem in why {
            warn!("not read again: {problem}");
        }
        let mut told: Vec<String> = why.iter().take(PROBLEMS_TOLD_MAX).cloned().collect();
        if why.len() > PROBLEMS_TOLD_MAX {
            told.push(format!("and {} more", why.len() - PROBLEMS_TOLD_MAX));
        }
        told.push(format!(
            "What ran before goes on. Mend {} and send SIGHUP again.",
            path.display()
        ));
        self.is_refused.store(true, Ordering::Relaxed);
        self.tell("The configuration was not read again", &told.join("\n"))
            .await
    }

    /// Tells maintainers something.
    async fn tell(&self, title: &str, text: &str) -> anyhow::Result<()> {
        let now = self.now();
        let mut tx = self.store.write().await?;
        let desks = now.ingest.desks();
        desk::tell_maintainers(&mut tx, &desks, title, text, self.clock.now()).await?;
        tx.commit().await?;
        self.changed.notify_one();
        Ok(())
    }
}

/// A file's configuration with what the database holds of additions to it.
///
/// # Errors
///
/// When the database fails.
pub async fn with_additions(
    file: &EffectiveConfig,
    store: &Store,
) -> anyhow::Result<EffectiveConfig> {
    let added = additions::list_additions(store.read()).await?;
    let effective = file.with(&added);
    for (addition, why) in &effective.left_out {
        warn!(
            "the {} {} that was added in chat is left out: {why}",
            addition.kind.word(),
            addition.name
        );
    }
    Ok(effective)
}

/// Maintainers hear of additions that fit no more, once.
async fn tell_left_out(now: &Generation, before: &EffectiveConfig) -> anyhow::Result<()> {
    let is_new = |(addition, _): &&(Addition, String)| {
        let mut known = before.left_out.iter();
        !known.any(|(other, _)| (other.kind, &other.name) == (addition.kind, &addition.name))
    };
    let left_out: Vec<_> = now.effective.left_out.iter().filter(is_new).collect();
    if left_out.is_empty() {
        return Ok(());
    }
    let ingest = &now.ingest;
    let mut tx = ingest.store.write().await?;
    for (addition, why) in left_out {
        let (kind, name) = (addition.kind.word(), &addition.name);
        let title = format!("The {kind} {name} is left out");
        let text = format!("It was added in chat and does not fit the file any more: {why}");
        desk::tell_maintainers(&mut tx, &ingest.desks(), &title, &text, ingest.clock.now()).await?;
    }
    tx.commit().await.context("telling what is left out")
}

fn problems(errors: &ConfigErrors) -> Vec<String> {
    errors.problems.iter().map(ToString::to_string).collect()
}

/// What of a file cannot be changed while the program runs, where that was changed.
fn needs_restart(before: &EffectiveConfig, file: &EffectiveConfig) -> Option<String> {
    let (before, after) = (&before.config, &file.config);
    let changed = [
        ("database", before.database != after.database),
        ("[discord]", before.discord != after.discord),
        ("[matrix]", before.matrix != after.matrix),
        ("[web]", before.web != after.web),
    ];
    let changed: Vec<&str> = changed
        .into_iter()
        .filter_map(|(what, is_changed)| is_changed.then_some(what))
        .collect();
    (!changed.is_empty()).then(|| {
        let what = changed.join(", ");
        format!("{what} changed, which is only read at the start: restart bpfnews for that")
    })
}
