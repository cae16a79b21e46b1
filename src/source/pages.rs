//! The pages on which people read items.

use url::Url;

use super::{archive, git, tree};
use crate::item::ItemKind;

/// The page of an item: its own link, or the address at the first feed that carries it.
pub fn page_of<'a>(
    kind: ItemKind,
    reference: &str,
    own: Option<String>,
    mut feeds: impl Iterator<Item = Option<&'a str>>,
) -> Option<String> {
    own.or_else(|| feeds.find_map(|feed| item_url(kind, &Url::parse(feed?).ok()?, reference)))
}

/// The page on which a person reads a mail or a commit of the feed at `base`; `None` for items that have a link of their own,
/// and for feeds without pages.
pub fn item_url(kind: ItemKind, base: &Url, reference: &str) -> Option<String> {
    if !matches!(base.scheme(), "http" | "https") {
        return None;
    }
    match kind {
        ItemKind::Commit if git::is_git(base) => {
            git::people::commit_page(base, reference).map(String::from)
        }
        ItemKind::Message if git::is_git(base) => {
            git::people::message_page(base, reference).map(String::from)
        }
        ItemKind::Commit => Some(tree::commit_url(base, reference).into()),
        ItemKind::Message => Some(archive::message_url(base, reference).into()),
        ItemKind::Article | ItemKind::Release | ItemKind::Video => None,
    }
}
