//! Shared helpers: databases and configurations in a folder of the run.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use bpfnews::clock::{Clock, SystemClock};
use bpfnews::config::EffectiveConfig;
use bpfnews::ingest::Ingest;
use bpfnews::store::Store;
use chrono::{DateTime, Utc};

/// Addresses of the loopback interface that feeds are spread over, since a host gets one request at a time.
pub(crate) const HOSTS: u64 = 16;

/// Empties the folder of an earlier run.
pub(crate) fn empty(scratch: &Path) -> anyhow::Result<()> {
    if scratch.exists() {
        std::fs::remove_dir_all(scratch)?;
    }
    std::fs::create_dir_all(scratch).context("making the scratch folder")
}

/// A configuration file's text, read as `run` reads it.
pub(crate) fn configured(scratch: &Path, text: &str) -> anyhow::Result<EffectiveConfig> {
    let hosts: Vec<String> = (1..=HOSTS).map(|n| format!("\"127.0.0.{n}\"")).collect();
    let hosts = hosts.join(", ");
    let text = format!(
        "database = \"bench.sqlite\"\n[network]\nallow_private_hosts = [{hosts}]\nhost_gap_ms = 0\nthreads_per_day_max = 0\n{text}"
    );
    EffectiveConfig::parse(text, &scratch.join("config.toml")).map_err(|errors| {
        let problems: Vec<String> = errors.problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}", problems.join("; "))
    })
}

/// A new database over these feeds, and its poller.
pub(crate) async fn ingest(scratch: &Path, text: &str) -> anyhow::Result<Ingest> {
    let effective = configured(scratch, text)?;
    let store = Store::open(&effective.config.database).await?;
    Ingest::open(store, &effective.config, Arc::new(SystemClock)).await
}

/// When everything here happens.
pub(crate) fn now() -> DateTime<Utc> {
    SystemClock.now()
}

/// How many rows a query counts.
pub(crate) async fn count(store: &Store, query: &'static str) -> anyhow::Result<u64> {
    let many: i64 = sqlx::query_scalar(query)
        .fetch_one(&mut *store.read().acquire().await?)
        .await?;
    Ok(u64::try_from(many)?)
}

/// The bytes of a database, its journal included.
pub(crate) async fn bytes(store: &Store) -> anyhow::Result<u64> {
    let bytes: i64 = sqlx::query_scalar(
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
    )
    .fetch_one(&mut *store.read().acquire().await?)
    .await?;
    Ok(u64::try_from(bytes)?)
}
