//! Reading a public-inbox epoch: a bare git repository with one mail a commit.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use bpfnews::config::{Config, EffectiveConfig};
use bpfnews::ingest::Ingest;
use bpfnews::item::Item;
use bpfnews::source::mail;
use bpfnews::store::items;
use clap::ValueEnum;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::measure::Measure;
use crate::{made, world};

/// Mails of one transaction, as `import` has them, and how many of such wait to be stored.
const BATCH: usize = 500;
const AHEAD: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// Mails to items.
    Items,
    /// Mails to items and stories, as `import` does.
    Stories,
    /// `git cat-file` alone.
    Floor,
}

/// Reads the last `many` mails of an epoch with git, oldest first.
fn read(epoch: &Path, many: usize, mut take: impl FnMut(Vec<u8>) -> bool) -> anyhow::Result<()> {
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        git.arg("-C").arg(epoch).args(args).stdout(Stdio::piped());
        git
    };
    let most = format!("--max-count={many}");
    let told = git(&["rev-list", "--reverse", &most, "HEAD"]).output()?;
    ensure!(
        told.status.success(),
        "{} is no repository",
        epoch.display()
    );
    let asked: String = String::from_utf8(told.stdout)?
        .lines()
        .map(|hash| format!("{hash}:m\n"))
        .collect();
    let mut git = git(&["cat-file", "--batch", "--buffer"])
        .stdin(Stdio::piped())
        .spawn()?;
    let mut asking = git.stdin.take().context("it was asked for")?;
    let asker = std::thread::spawn(move || asking.write_all(asked.as_bytes()));
    let mut out = BufReader::with_capacity(1 << 16, git.stdout.take().context("it was asked for")?);
    let mut head = String::new();
    while out.read_line(&mut head)? > 0 {
        let length = head
            .rsplit_once(' ')
            .and_then(|(_, length)| length.trim().parse().ok());
        let mut mail = vec![0; length.with_context(|| format!("git says {head}"))?];
        out.read_exact(&mut mail)?;
        out.read_exact(&mut [0])?;
        head.clear();
        if !take(mail) {
            break;
        }
    }
    drop(out);
    let _ = asker.join();
    git.wait()?;
    Ok(())
}

pub(crate) async fn ingest(
    side: Side,
    epoch: &Path,
    many: usize,
    scratch: &Path,
) -> anyhow::Result<Value> {
    if side == Side::Floor {
        let measure = Measure::start()?;
        let (mut mails, mut bytes) = (0_u64, 0);
        read(epoch, many, |mail| {
            mails += 1;
            bytes += mail.len();
            true
        })?;
        ensure!(mails == many as u64, "{mails} mails");
        return measure.end(
            "ingest",
            "floor",
            mails,
            &json!({"mails": mails, "bytes": bytes}),
        );
    }
    world::empty(scratch)?;
    let (store, feed) = made::open(&scratch.join("bench.sqlite")).await;
    let ingest = Ingest::open(
        store.clone(),
        &config(scratch)?,
        std::sync::Arc::new(bpfnews::clock::SystemClock),
    )
    .await?;
    let empty = world::bytes(&store).await?;
    let measure = Measure::start()?;
    let (sender, mut batches) = mpsc::channel::<Vec<Item>>(AHEAD);
    let reader = {
        let epoch = epoch.to_owned();
        tokio::task::spawn_blocking(move || parse(&epoch, many, &sender))
    };
    let mut mails = 0;
    while let Some(batch) = batches.recv().await {
        mails += match side {
            Side::Stories => ingest.import(feed, &batch).await?.fresh.len(),
            Side::Items | Side::Floor => {
                let mut tx = store.write().await?;
                let stored = items::put_items(&mut tx, feed, &batch, world::now()).await?;
                tx.commit().await?;
                stored.fresh.len()
            }
        };
    }
    reader.await??;
    ensure!(mails == many, "{mails} of {many} mails were new");
    let word = if side == Side::Items {
        "items"
    } else {
        "stories"
    };
    let stories = world::count(&store, "SELECT COUNT(*) FROM stories").await?;
    ensure!(
        (side == Side::Stories) == (stories > 0),
        "{stories} stories"
    );
    let bytes = world::bytes(&store).await?;
    // Tables without a row take a page each. They are counted apart, because a larger archive has no more of them.
    let grown = bytes - empty;
    let texts = world::count(&store, "SELECT SUM(LENGTH(body)) FROM texts").await?;
    let count = json!({
        "mails": mails, "stories": stories, "bytes_per_mail": bytes / many as u64,
        "texts_per_mail": texts / many as u64, "bytes_per_mail_without_texts": (grown - texts) / many as u64,
        "bytes_without_mails": empty,
    });
    measure.end("ingest", word, many as u64, &count)
}

fn config(scratch: &Path) -> anyhow::Result<Config> {
    let text =
        "[[feed]]\nname = \"bpf\"\nkind = \"archive\"\nurl = \"https://lore.kernel.org/bpf/\"\n";
    let effective: EffectiveConfig = world::configured(scratch, text)?;
    Ok(effective.config)
}

/// Reads mails as `import` does, in a thread of its own.
fn parse(epoch: &Path, many: usize, sender: &mpsc::Sender<Vec<Item>>) -> anyhow::Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    read(epoch, many, |raw| {
        batch.extend(mail::message(&raw, None).ok());
        batch.len() < BATCH || sender.blocking_send(std::mem::take(&mut batch)).is_ok()
    })?;
    if !batch.is_empty() {
        let _ = sender.blocking_send(batch);
    }
    Ok(())
}
