//! Deliveries, claimed, sent and settled durably, beside the speed of the disk.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use bpfnews::channel::Platform;
use bpfnews::clock::SystemClock;
use bpfnews::config::PlatformKind;
use bpfnews::deliver::DeliveryLoop;
use bpfnews::destination;
use bpfnews::post::story::Content;
use bpfnews::store::{Store, outbox};
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::chat::Chat;
use crate::measure::Measure;
use crate::world;

/// Channels that get messages at the same time.
const CHANNELS: u64 = 8;
/// How long the disk is measured.
const DISK_S: Duration = Duration::from_secs(2);
/// The least that one commit appends to the journal.
const PAGE: [u8; 4096] = [7; 4096];

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// The shipped code.
    Ours,
    /// Writes of a page that are waited for, one after another.
    Disk,
}

pub(crate) async fn settle(
    side: Side,
    many: u64,
    scratch: &Path,
    marks: Option<&Path>,
) -> anyhow::Result<Value> {
    world::empty(scratch)?;
    if side == Side::Disk {
        return disk(scratch);
    }
    let text: String = (0..CHANNELS)
        .map(|n| {
            format!(
                "[[channel]]\nname = \"c{n}\"\nplatform = \"discord\"\nid = \"{}\"\n",
                100_000_000_000_000_000 + n
            )
        })
        .collect();
    let feed = "[[feed]]\nname = \"bpf\"\nkind = \"archive\"\nurl = \"https://lore.kernel.org/bpf/\"\n[discord]\ntoken_file = \"token\"\n";
    let config = world::configured(scratch, &format!("{feed}{text}"))?.config;
    let store = Store::open(&config.database).await?;
    let mut tx = store.write().await?;
    let destinations = destination::sync(&mut tx, &config.channels, None, world::now()).await?;
    tx.commit().await?;
    let chat = Chat::marking(marks.map(File::create).transpose()?);
    let platforms = [(
        PlatformKind::Discord,
        Arc::clone(&chat) as Arc<dyn Platform>,
    )];
    let delivery_loop = DeliveryLoop::new(
        store.clone(),
        Arc::new(SystemClock),
        destinations.clone().into(),
        platforms.into(),
    );
    let measure = Measure::start()?;
    let started = Instant::now();
    let mut tx = store.write().await?;
    for number in 0..many {
        let destination = &destinations[usize::try_from(number % CHANNELS)?];
        let content = Content::Notice {
            title: format!("bpf: something that moved, number {number}"),
            text: "What is to be said of it in a line or two.".repeat(6),
            mark: number.to_string(),
        };
        outbox::open_and_queue(
            &mut tx,
            destination.row.id,
            &content,
            world::now(),
            world::now(),
        )
        .await?;
    }
    tx.commit().await?;
    let done = delivery_loop.pass().await?;
    let per_s = many as f64 / started.elapsed().as_secs_f64();
    let sent = chat.sent().len();
    let owed = world::count(
        &store,
        "SELECT COUNT(*) FROM deliveries WHERE state = 'owed'",
    )
    .await?;
    ensure!(
        done as u64 == many && sent as u64 == many && owed == 0,
        "{done} done, {sent} sent, {owed} owed"
    );
    let result = measure.end(
        "outbox",
        "ours",
        many,
        &json!({"per_s": per_s.round(), "told": sent}),
    );
    // Otherwise its end may come in the middle of a write, and a tracer cannot know the outcome.
    store.close().await;
    result
}

/// How often a second an appended page reaches the disk.
fn disk(scratch: &Path) -> anyhow::Result<Value> {
    let mut file = File::create(scratch.join("disk"))?;
    let measure = Measure::start()?;
    let (started, mut many) = (Instant::now(), 0_u64);
    while started.elapsed() < DISK_S {
        file.write_all(&PAGE)?;
        file.sync_data()?;
        many += 1;
    }
    let per_s = many as f64 / started.elapsed().as_secs_f64();
    measure.end("outbox", "disk", many, &json!({"per_s": per_s.round()}))
}
