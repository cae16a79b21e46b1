//! The `[subsystems]` table: the MAINTAINERS file whose subsystems filters may name, or the feed from whose tree it is read.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use super::git_address::is_git;
use super::reader::{Field, Table, quoted};
use super::upstream::{FeedConfig, FeedKind};
use crate::filter::{MAINTAINERS_BYTES_MAX, Subsystems};

const RIGHT: &str =
    "the path of a file, such as \"linux/MAINTAINERS\", or a feed, such as { feed = \"bpf-next\" }";

/// Reads the table and the file that it names. A relative path starts at `folder`.
pub(super) fn read_subsystems(
    mut table: Table<'_, '_>,
    feeds: &[Arc<FeedConfig>],
    folder: &Path,
) -> Subsystems {
    let field = table.need("maintainers", RIGHT);
    table.finish();
    let read = field.and_then(|field| match field.is_table() {
        true => read_feed(field, feeds),
        false => read_path(&field, folder),
    });
    read.unwrap_or_default()
}

/// Reads `{ feed = "bpf-next" }`: the feed must be a tree that git reads.
fn read_feed(field: Field<'_, '_>, feeds: &[Arc<FeedConfig>]) -> Option<Subsystems> {
    const NAME: &str = "the name of a feed of kind tree, such as \"bpf-next\"";
    if field.is_empty_table() {
        field.expected(RIGHT);
        return None;
    }
    let (key, field) = field.entries(RIGHT, 1)?.pop()?;
    if key != "feed" {
        field.note(format!("unknown key; expected {RIGHT}"));
        return None;
    }
    let name = field.text(NAME)?;
    let Some(named) = feeds.iter().find(|feed| feed.name == name) else {
        field.note(format!("there is no feed {}", quoted(name)));
        return None;
    };
    let is_tree = matches!(named.kind, FeedKind::Tree { .. });
    if !is_tree || !named.ways().iter().any(is_git) {
        field.note(format!(
            "{} is no tree that git reads; add an address such as \"git+https://HOST/TREE.git\" to its url, or name the path \
             of a file",
            quoted(name)
        ));
        return None;
    }
    Some(Subsystems::of_feed(name))
}

fn read_path(field: &Field<'_, '_>, folder: &Path) -> Option<Subsystems> {
    let path = field.text(RIGHT)?;
    if path.is_empty() || path.contains(char::is_control) {
        field.expected(RIGHT);
        return None;
    }
    let read = read_file(&folder.join(path)).and_then(|text| Subsystems::parse(&text));
    match read {
        Ok(read) => Some(read),
        Err(why) => {
            field.note(format!(
                "is no file that can be used ({why}); name the MAINTAINERS file of a kernel's sources"
            ));
            None
        }
    }
}

fn read_file(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    let read = file
        .take(MAINTAINERS_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if read as u64 > MAINTAINERS_BYTES_MAX {
        return Err(format!("larger than {MAINTAINERS_BYTES_MAX} bytes"));
    }
    // Names of people may be in any encoding; patterns are ASCII.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
