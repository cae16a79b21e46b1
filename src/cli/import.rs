//! The command that reads mails from files, through the same path as an archive's.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use indicatif::ProgressBar;
use tokio::sync::mpsc;

use super::opening::open;
use super::polls::bar;
use crate::app;
use crate::item::Item;
use crate::source::archive::{GZIP_MAGIC, arrival};
use crate::source::mail;
use crate::source::mbox::{Gunzip, MAIL_BYTES_MAX, Mails};
use crate::store::feeds;

/// Mails stored in one transaction. A long story is built once for all of them.
const BATCH: usize = 1_000;
/// Batches read ahead of the database.
const AHEAD: usize = 2;
/// Bytes that show the format of a file.
const HEAD_BYTES: usize = 5;

/// A mail from the reader, or the reason why it could not be read.
type Read1 = Result<Item, String>;

pub(super) async fn import(path: &Path, list: &str, files: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let (config, ingest) = open(path).await?;
    if let Some(feed) = config
        .feeds
        .iter()
        .find(|feed| feed.name == list && feed.kind.word() != "archive")
    {
        bail!(
            "{list} is a feed of kind {}; mails are imported into an archive, or under another name",
            feed.kind.word()
        );
    }
    for file in files {
        std::fs::metadata(file)
            .with_context(|| format!("there is nothing to read at {}", file.display()))?;
    }
    let stop = app::stop_on_signals()?;
    let mut tx = ingest.store.write().await?;
    let feed = feeds::import_feed(&mut tx, list, Utc::now()).await?;
    tx.commit().await?;

    let started = Instant::now();
    let total: u64 = files
        .iter()
        .filter_map(|file| std::fs::metadata(file).ok())
        .map(|m| m.len())
        .sum();
    let bar = bar("{bar:40} {percent:>3} %  {msg}  {elapsed}", total);
    let (sender, mut batches) = mpsc::channel::<Vec<Read1>>(AHEAD);
    let reader = {
        let (files, bar) = (files.to_vec(), bar.clone());
        tokio::task::spawn_blocking(move || read_files(&files, &bar, sender))
    };
    let (mut mails, mut fresh, mut faults) = (0_usize, 0_usize, 0_usize);
    while let Some(batch) = batches.recv().await {
        mails += batch.len();
        let mut items = Vec::with_capacity(batch.len());
        for read in batch {
            match read {
                Ok(item) => items.push(item),
                Err(fault) => {
                    faults += 1;
                    bar.suspend(|| writeln!(anstream::stderr(), "not read: {fault}"))?;
                }
            }
        }
        fresh += ingest.import(feed.id, &items).await?.fresh.len();
        bar.set_message(format!("{mails} mails"));
        if stop.is_cancelled() {
            break;
        }
    }
    batches.close();
    let read = reader.await.context("the reader of the files crashed")?;
    bar.finish_and_clear();
    ingest.store.close().await;
    let seconds = started.elapsed().as_secs_f64();
    writeln!(
        anstream::stdout(),
        "{list}: {mails} mails read, {fresh} new, {} known, {faults} unreadable ({:.0} mails/s)",
        mails - fresh - faults,
        mails as f64 / seconds
    )?;
    if stop.is_cancelled() {
        writeln!(
            anstream::stdout(),
            "Stopped; what was read is kept, and the same command adds the rest."
        )?;
        return Ok(ExitCode::FAILURE);
    }
    read?;
    Ok(if faults > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Reads all files, batch by batch; ends early when nobody takes the batches any more.
fn read_files(
    files: &[PathBuf],
    bar: &ProgressBar,
    sender: mpsc::Sender<Vec<Read1>>,
) -> anyhow::Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    for file in files {
        let what = || format!("reading {}", file.display());
        let mut take = |read: Read1| -> bool {
            batch.push(read.map_err(|why| format!("a mail in {}: {why}", file.display())));
            batch.len() < BATCH || sender.blocking_send(std::mem::take(&mut batch)).is_ok()
        };
        let went_on = if file.is_dir() {
            read_maildir(file, &mut take).with_context(what)?
        } else {
            read_file(file, bar, &mut take).with_context(what)?
        };
        if !went_on {
            return Ok(());
        }
    }
    if !batch.is_empty() {
        let _ = sender.blocking_send(batch);
    }
    Ok(())
}

fn read_file(
    file: &Path,
    bar: &ProgressBar,
    take: &mut impl FnMut(Read1) -> bool,
) -> anyhow::Result<bool> {
    let mut reader = BufReader::with_capacity(1 << 16, bar.wrap_read(File::open(file)?));
    if reader.fill_buf()?.starts_with(&GZIP_MAGIC) {
        let unpacked = BufReader::with_capacity(1 << 16, Gunzip::new(reader));
        return read_mbox(unpacked, take);
    }
    read_mbox(reader, take)
}

fn read_mbox(
    mut reader: impl BufRead,
    take: &mut impl FnMut(Read1) -> bool,
) -> anyhow::Result<bool> {
    let head = reader.fill_buf()?;
    if head.is_empty() {
        return Ok(true);
    }
    if !head[..head.len().min(HEAD_BYTES)].starts_with(b"From ") {
        let one = read_whole(reader)?.and_then(|raw| {
            message(&raw, None).map_err(|_| {
                "neither an mbox (its first line begins with `From `) nor a mail".to_owned()
            })
        });
        return Ok(take(one));
    }
    for raw in Mails::new(reader) {
        let raw = raw.context("the file is damaged, or cut off")?;
        let mail = match raw {
            Ok(raw) => message(&raw.contents, arrival(raw.internal_date)),
            Err(too_large) => Err(too_large.to_string()),
        };
        if !take(mail) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A file that is one mail; why not, where it is too large for one.
fn read_whole(reader: impl std::io::Read) -> std::io::Result<Result<Vec<u8>, String>> {
    let mut raw = Vec::new();
    reader
        .take(MAIL_BYTES_MAX as u64 + 1)
        .read_to_end(&mut raw)?;
    if raw.len() > MAIL_BYTES_MAX {
        return Ok(Err(format!(
            "more than {MAIL_BYTES_MAX} bytes, so it was skipped"
        )));
    }
    Ok(Ok(raw))
}

/// Reads a mail; one that its reader comes to a bad end over stops no other.
fn message(raw: &[u8], arrived_at: Option<DateTime<Utc>>) -> Read1 {
    catch_unwind(AssertUnwindSafe(|| mail::message(raw, arrived_at)))
        .unwrap_or_else(|_| Err("its parser crashed".to_owned()))
}

fn read_maildir(folder: &Path, take: &mut impl FnMut(Read1) -> bool) -> anyhow::Result<bool> {
    if !folder.join("cur").is_dir() {
        bail!("a folder without `cur`: not a maildir");
    }
    for part in ["cur", "new"] {
        for entry in std::fs::read_dir(folder.join(part))? {
            let entry = entry?;
            let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if is_hidden || !entry.path().is_file() {
                continue;
            }
            let mail = read_whole(File::open(entry.path())?)?.and_then(|raw| message(&raw, None));
            let name = || entry.file_name().display().to_string();
            if !take(mail.map_err(|why| format!("{}: {why}", name()))) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
