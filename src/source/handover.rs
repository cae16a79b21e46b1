//! How one way of reading a tree goes on from the cursor of another. Both name the last commit that is stored.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::{CursorKind, Source, git};
use crate::item::CommitHash;

/// The last commit that is stored, and its date in unix seconds.
#[derive(Debug, Deserialize)]
struct StoredTip {
    tip: Option<CommitHash>,
    #[serde(default)]
    tip_at: i64,
}

/// The cursor of a tree by pages: a tip for each path.
#[derive(Debug, Deserialize)]
struct TipsOfPaths {
    paths: BTreeMap<String, StoredTip>,
}

/// The cursor with which `source` goes on where another address left off; `None` if it cannot tell from its cursor.
pub(super) fn taken_over(source: &Source, cursor: &str) -> Option<String> {
    let is_of_tree = matches!(source, Source::Tree(_) | Source::GitTree(_));
    if is_of_tree && source.owns(cursor) {
        return Some(cursor.to_owned());
    }
    let kind = CursorKind::of(cursor)?;
    match source {
        Source::GitTree(_) if kind == CursorKind::Tree => {
            let tips: TipsOfPaths = serde_json::from_str(cursor).ok()?;
            let tips = tips.paths.into_values();
            let tips: Option<Vec<(i64, CommitHash)>> =
                tips.map(|path| Some((path.tip_at, path.tip?))).collect();
            // Commits between the oldest tip and the others are stored already, and known.
            let (tip_at, tip) = tips?.into_iter().min()?;
            Some(json!({"by": git::CURSOR_WORD, "tip": tip, "tip_at": tip_at}).to_string())
        }
        Source::Tree(tree) if kind == CursorKind::Git => {
            let stored: StoredTip = serde_json::from_str(cursor).ok()?;
            let at = json!({"tip": stored.tip?, "tip_at": stored.tip_at});
            let paths = tree.paths().iter().map(|path| (path.clone(), at.clone()));
            let paths: serde_json::Map<String, serde_json::Value> = paths.collect();
            Some(json!({ "paths": paths }).to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::source::{git::GitTree, tree::Tree};

    const OLD: &str = "1111111111111111111111111111111111111111";
    const NEW: &str = "2222222222222222222222222222222222222222";

    fn sources(paths: &[String]) -> (Source, Source) {
        let url = |text: &str| Url::parse(text).expect("a URL");
        let page = Tree::new(&url("https://git.example.org/t.git/"), "main", paths);
        let own = GitTree::new(&url("git+https://git.example.org/t.git"), "main", paths);
        (Source::Tree(page), Source::GitTree(own))
    }

    #[test]
    fn pages_and_git_go_on_from_each_others_tips() {
        let paths = ["a".to_owned(), "b".to_owned()];
        let (page, own) = sources(&paths);
        let by_page =
            json!({"paths": {"a": {"tip": NEW, "tip_at": 9}, "b": {"tip": OLD, "tip_at": 5}}})
                .to_string();
        let by_git = taken_over(&own, &by_page).expect("a cursor");
        assert!(own.owns(&by_git) && !page.owns(&by_git) && page.owns(&by_page));
        assert!(by_git.contains(OLD) && !by_git.contains(NEW), "{by_git}");
        let back = taken_over(&page, &by_git).expect("a cursor");
        assert_eq!(back.matches(OLD).count(), 2, "{back}");
        // Its own cursor is good for another address of the same kind.
        assert_eq!(taken_over(&own, &by_git), Some(by_git.clone()));
        // Before its first commit, a cursor says nothing.
        assert_eq!(taken_over(&own, r#"{"paths": {"a": {"tip": null}}}"#), None);
        assert_eq!(taken_over(&page, r#"{"by": "git", "tip": null}"#), None);
        assert_eq!(taken_over(&page, "{"), None);
    }
}
