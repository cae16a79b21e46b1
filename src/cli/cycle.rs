//! The command `cycle`: where the kernel is.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use chrono::Utc;
use serde_json::json;

use super::Format;
use super::opening::open;
use crate::issue::{CYCLE_NOTE, NO_RELEASE, kernel_cycle};
use crate::store::issues;

/// Prints the last release of the kernel, and the ones that are expected.
pub(super) async fn cycle(path: &Path, format: Format) -> anyhow::Result<ExitCode> {
    let (_, ingest) = open(path).await?;
    let now = Utc::now();
    let release = issues::release_before(ingest.store.read().into(), now.timestamp() + 1).await?;
    let Some(release) = release else {
        anyhow::bail!("{NO_RELEASE}");
    };
    let cycle = kernel_cycle(&release, now);
    let mut out = anstream::stdout().lock();
    if let Format::Json = format {
        let expected: Vec<_> = cycle
            .expected
            .iter()
            .map(|next| {
                json!({"name": next.name, "on": next.on, "ends_window": next.ends_window, "late": next.is_late})
            })
            .collect();
        let cycle = json!({
            "release": release.version,
            "at": release.at,
            "stands": cycle.stands,
            "link": cycle.link,
            "expected": expected,
        });
        writeln!(out, "{cycle}")?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "{}", cycle.stands)?;
    for next in &cycle.expected {
        writeln!(out, "  {}", next.words())?;
    }
    writeln!(out, "{CYCLE_NOTE}")?;
    Ok(ExitCode::SUCCESS)
}
