//! The running program: the configuration in effect, with the ingest and the delivery that follow it.
//!
//! These three form a [`Generation`], which a reload replaces as a whole. Polls under way finish on the old one, but
//! the channels of the new one get their posts; waits for servers continue. Secrets and addresses of platforms are read
//! once, at the start.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};

use anyhow::Context as _;
use tokio::sync::Notify;
use tracing::{info, warn};

use crate::chat::PlatformKind;
use crate::clock::Clock;
use crate::config::{Addition, ConfigErrors, EffectiveConfig, TableKind};
use crate::deliver::{DeliveryLoop, PlatformMap};
use crate::destination::{self, Destination};
use crate::ingest::Ingest;
use crate::store::{Store, additions, audit};

/// The most problems of a file sent to maintainers; the log has all.
const PROBLEMS_SENT_MAX: usize = 10;

/// One configuration with its ingest and delivery.
pub struct Generation {
    pub effective: EffectiveConfig,
    pub ingest: Arc<Ingest>,
    pub delivery_loop: Arc<DeliveryLoop>,
}

/// The state shared by the loops and the command handler.
pub struct Live {
    pub store: Store,
    pub clock: Arc<dyn Clock>,
    current: RwLock<Arc<Generation>>,
    /// Held during a reload or a change from chat, so that they happen one after another.
    changing: tokio::sync::Mutex<()>,
    changed: Notify,
    /// Whether the last reload refused the file.
    is_refused: AtomicBool,
}

impl Live {
    /// Reads the additions made in chat, and opens the ingest and the delivery.
    ///
    /// # Errors
    ///
    /// Returns an error if the file is wrong or the database cannot be used.
    pub async fn open(
        file: EffectiveConfig,
        store: Store,
        clock: Arc<dyn Clock>,
        platforms: PlatformMap,
    ) -> anyhow::Result<Self> {
        let effective = with_additions(&file, &store).await?;
        let ingest =
            Arc::new(Ingest::open(store.clone(), &effective.config, Arc::clone(&clock)).await?);
        let kinds = platforms.keys().copied().collect::<Vec<_>>();
        let destinations = with_personal(&ingest, &kinds).await?;
        let delivery_loop =
            DeliveryLoop::new(store.clone(), Arc::clone(&clock), destinations, platforms);
        let generation = Generation {
            effective,
            ingest,
            delivery_loop: Arc::new(delivery_loop),
        };
        Ok(Self {
            store,
            clock,
            current: RwLock::new(Arc::new(generation)),
            changing: tokio::sync::Mutex::default(),
            changed: Notify::new(),
            is_refused: AtomicBool::new(false),
        })
    }

    /// The current generation. Hold it for the whole of one piece of work.
    pub fn now(&self) -> Arc<Generation> {
        let current = self.current.read();
        Arc::clone(&current.expect("no holder of the generation panics"))
    }

    /// Waits until the loops must look again, for example after a reload.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Reloads the file. A wrong file is refused as a whole: the current configuration stays, and maintainers are
    /// notified.
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
        info!("{} was reloaded: {said}", path.display());
        if self.is_refused.swap(false, Ordering::Relaxed) {
            self.notify("The configuration was reloaded", &said).await?;
        }
        Ok(())
    }

    /// Stores an addition and puts it into effect. The inner error lists the problems of the addition.
    pub async fn add(
        &self,
        addition: &Addition,
        actor: &audit::Actor,
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
                "a {} {} was added in chat before, and is left out because it does not fit the file; remove it first",
                addition.kind.word(),
                addition.name
            );
            return Ok(Err(vec![taken]));
        }
        audit::record(&mut tx, actor, what, self.clock.now()).await?;
        tx.commit().await?;
        self.swap(&before, effective).await?;
        Ok(Ok(()))
    }

    /// Removes an addition. Returns `false` if there is none.
    pub async fn remove(
        &self,
        kind: TableKind,
        name: &str,
        actor: &audit::Actor,
        what: &str,
    ) -> anyhow::Result<bool> {
        let _one = self.changing.lock().await;
        let before = self.now();
        let mut tx = self.store.write().await?;
        if !additions::drop_addition(&mut tx, kind, name).await? {
            return Ok(false);
        }
        audit::record(&mut tx, actor, what, self.clock.now()).await?;
        tx.commit().await?;
        let effective = with_additions(&before.effective, &self.store).await?;
        self.swap(&before, effective).await?;
        Ok(true)
    }

    /// Wakes the loops because something became due.
    pub fn wake(&self) {
        self.changed.notify_one();
    }

    /// Retries refused deliveries after something changed on a platform: in one room, or (`None`) anywhere.
    pub async fn try_again(
        &self,
        platform: PlatformKind,
        room: Option<&str>,
    ) -> anyhow::Result<()> {
        if self.now().delivery_loop.try_again(platform, room).await? {
            self.wake();
        }
        Ok(())
    }

    /// Moves a channel to the room that replaced its own.
    pub async fn was_replaced(
        &self,
        platform: PlatformKind,
        room: &str,
        by: &str,
    ) -> anyhow::Result<()> {
        let delivery_loop = Arc::clone(&self.now().delivery_loop);
        delivery_loop.was_replaced(platform, room, by).await?;
        self.wake();
        Ok(())
    }

    async fn swap(&self, before: &Generation, effective: EffectiveConfig) -> anyhow::Result<()> {
        let refused = destination::paused(&before.ingest.destinations(), &self.store).await?;
        let ingest = Arc::new(before.ingest.reopen(&effective.config).await?);
        let kinds = before.delivery_loop.platform_kinds();
        let destinations = with_personal(&ingest, &kinds).await?;
        let delivery_loop = Arc::new(before.delivery_loop.over(destinations, &refused));
        let generation = Arc::new(Generation {
            effective,
            ingest,
            delivery_loop,
        });
        notify_left_out(&generation, &before.effective).await?;
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
            warn!("not reloaded: {problem}");
        }
        let mut lines: Vec<String> = why.iter().take(PROBLEMS_SENT_MAX).cloned().collect();
        if why.len() > PROBLEMS_SENT_MAX {
            lines.push(format!("and {} more", why.len() - PROBLEMS_SENT_MAX));
        }
        lines.push(format!(
            "The previous configuration stays in effect. Correct {} and send SIGHUP again.",
            path.display()
        ));
        self.is_refused.store(true, Ordering::Relaxed);
        self.notify("The configuration was not reloaded", &lines.join("\n"))
            .await
    }

    async fn notify(&self, title: &str, text: &str) -> anyhow::Result<()> {
        let now = self.now();
        let mut tx = self.store.write().await?;
        let destinations = now.ingest.destinations();
        destination::notify_maintainers(&mut tx, &destinations, title, text, self.clock.now())
            .await?;
        tx.commit().await?;
        self.changed.notify_one();
        Ok(())
    }
}

/// The configured channels, and those for personal messages on the platforms where people are reached.
async fn with_personal(
    ingest: &Ingest,
    platforms: &[PlatformKind],
) -> anyhow::Result<Arc<[Destination]>> {
    let with_people: Vec<PlatformKind> = platforms
        .iter()
        .copied()
        .filter(|kind| kind.has_people())
        .collect();
    let mut tx = ingest.store.write().await?;
    let personal = destination::personal(&mut tx, &with_people, ingest.clock.now()).await?;
    tx.commit().await?;
    Ok(ingest
        .destinations()
        .iter()
        .cloned()
        .chain(personal)
        .collect())
}

/// The configuration of a file, with the additions stored in the database.
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

/// Notifies maintainers of additions that no longer fit the file, once for each.
async fn notify_left_out(now: &Generation, before: &EffectiveConfig) -> anyhow::Result<()> {
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
        let text = format!("It was added in chat and no longer fits the file: {why}");
        destination::notify_maintainers(
            &mut tx,
            &ingest.destinations(),
            &title,
            &text,
            ingest.clock.now(),
        )
        .await?;
    }
    tx.commit()
        .await
        .context("notifying maintainers of additions that are left out")
}

fn problems(errors: &ConfigErrors) -> Vec<String> {
    errors.problems.iter().map(ToString::to_string).collect()
}

/// The changed settings that need a restart.
fn needs_restart(before: &EffectiveConfig, file: &EffectiveConfig) -> Option<String> {
    let (before, after) = (&before.config, &file.config);
    let changed = [
        ("database", before.database != after.database),
        ("[discord]", before.discord != after.discord),
        ("[matrix]", before.matrix != after.matrix),
        ("[web]", before.web != after.web),
        ("[mail]", before.mail != after.mail),
    ];
    let changed: Vec<&str> = changed
        .into_iter()
        .filter_map(|(what, is_changed)| is_changed.then_some(what))
        .collect();
    (!changed.is_empty()).then(|| {
        let what = changed.join(", ");
        format!("{what} changed, but is only read at the start: restart bpfnews")
    })
}
