//! The repositories of a public-inbox archive, by its manifest: `manifest.js.gz` names each repository with a fingerprint of
//! its branches.

use std::collections::BTreeMap;
use std::io::Read as _;

use serde::Deserialize;
use url::Url;

use crate::source::archive::GZIP_MAGIC;
use crate::source::mbox::Gunzip;

/// The most bytes of a decompressed manifest; that of a host with many lists has a few megabytes.
const MANIFEST_BYTES_MAX: u64 = 32 << 20;
/// The largest number of an epoch; lore's largest list has fewer than twenty.
pub(super) const EPOCH_MAX: u32 = 9_999;

#[derive(Debug, Deserialize)]
struct ManifestEntry {
    #[serde(default)]
    fingerprint: Option<String>,
    #[serde(default)]
    modified: Option<serde_json::Value>,
}

/// The repository of an epoch of the archive at `base`.
pub(super) fn epoch_url(base: &Url, epoch: u32) -> Url {
    let mut url = base.clone();
    let path = format!("{}/git/{epoch}.git", base.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}

/// The epochs of the archive at `base`, each with its fingerprint.
///
/// # Errors
///
/// A message for a person if this is no manifest, or names none of the archive's epochs.
pub(super) fn read_manifest(base: &Url, bytes: &[u8]) -> Result<BTreeMap<u32, String>, String> {
    let mut text = Vec::new();
    if bytes.starts_with(&GZIP_MAGIC) {
        let mut unpacked = Gunzip::new(bytes).take(MANIFEST_BYTES_MAX);
        unpacked
            .read_to_end(&mut text)
            .map_err(|error| format!("the manifest cannot be unpacked: {error}"))?;
    } else {
        text.extend_from_slice(bytes);
    }
    let entries: BTreeMap<String, ManifestEntry> = serde_json::from_slice(&text)
        .map_err(|error| format!("the manifest cannot be read: {error}"))?;
    let list = base.path().trim_end_matches('/');
    let epochs: BTreeMap<u32, String> = entries
        .into_iter()
        .filter_map(|(path, entry)| {
            let rest = path.strip_prefix(list).or_else(|| {
                // A server below a folder of its host leaves that folder out.
                let name = list.rsplit('/').next()?;
                path.strip_prefix('/')?.strip_prefix(name)
            })?;
            let number = rest.strip_prefix("/git/")?.strip_suffix(".git")?;
            let epoch = number.parse().ok().filter(|epoch| *epoch <= EPOCH_MAX)?;
            let modified = entry.modified.map(|at| at.to_string());
            Some((epoch, entry.fingerprint.or(modified).unwrap_or_default()))
        })
        .collect();
    match epochs.is_empty() {
        true => Err("the manifest names no repository of this list".to_owned()),
        false => Ok(epochs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_names_the_epochs_of_its_list() {
        let manifest = br#"{"/bpf/git/0.git":{"modified":1,"fingerprint":"aa","reference":null},
            "/bpf/git/12.git":{"modified":2}, "/bpf-extra/git/3.git":{"fingerprint":"x"}, "/bpf/git/x.git":{}}"#;
        let base = Url::parse("git+https://lore.example/bpf/").expect("a URL");
        let epochs = read_manifest(&base, manifest).expect("a manifest");
        let found: Vec<_> = epochs
            .iter()
            .map(|(epoch, mark)| (*epoch, &**mark))
            .collect();
        assert_eq!(found, [(0, "aa"), (12, "2")]);
        assert_eq!(
            epoch_url(&base, 12).as_str(),
            "git+https://lore.example/bpf/git/12.git"
        );
        let below = Url::parse("git+http://h.example/archives/bpf/").expect("a URL");
        assert_eq!(
            read_manifest(&below, manifest).expect("a manifest").len(),
            2
        );
        for bad in [
            &b"{}"[..],
            b"<html>",
            b"\x1f\x8b\x08",
            br#"{"/x/git/0.git":{}}"#,
        ] {
            assert!(read_manifest(&base, bad).is_err());
        }
    }
}
