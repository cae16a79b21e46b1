//! An edit on a terminal: the lines of a post that changed.

use std::collections::{HashMap, VecDeque};

use super::{DIM, STRONG, barred, wrap};
use crate::post::story::Post;

/// The most posts that are remembered, to show what an edit changed; a post has a few kilobytes.
const SHOWN_MAX: usize = 200;

/// The latest posts as they were printed, by their marks.
#[derive(Debug, Default)]
pub(super) struct ShownPosts {
    by_mark: HashMap<String, Post>,
    /// The marks, oldest first.
    order: VecDeque<String>,
}

impl ShownPosts {
    /// Remembers a post; returns it as it was before.
    pub(super) fn replace(&mut self, post: &Post) -> Option<Post> {
        let before = self.by_mark.insert(post.mark.clone(), post.clone());
        if before.is_none() {
            self.order.push_back(post.mark.clone());
            if self.order.len() > SHOWN_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.by_mark.remove(&oldest);
            }
        }
        before
    }
}

/// The lines of a post that an edit changed, below its title; `None` if a reader would see no difference.
pub(super) fn edited(before: &Post, post: &Post, width: usize) -> Option<String> {
    let inner = width.saturating_sub(2);
    let mut changed: Vec<String> = Vec::new();
    // A new step names the state, so one of the two is enough.
    let is_step = before.steps != post.steps && !post.steps.is_empty();
    if before.state != post.state && !is_step {
        changed.push(format!("{} → {}", before.state, post.state));
    }
    let is_new = |note: &&String| !before.notes.contains(note) && **note != post.state;
    let notes: Vec<&str> = post
        .notes
        .iter()
        .filter(is_new)
        .map(String::as_str)
        .collect();
    // The steps have the versions and their days.
    let is_version = |note: &str| {
        note.len() > 1
            && note
                .strip_prefix('v')
                .is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
    };
    let notes: Vec<&str> = notes
        .into_iter()
        .filter(|note| !note.starts_with("first ") && !is_version(note))
        .collect();
    changed.extend((!notes.is_empty()).then(|| notes.join(" · ")));
    let line = |(number, title): &(String, String)| format!("{number}  {title}");
    let parts = |post: &Post| post.parts.iter().map(line).collect::<Vec<String>>();
    let (were, are) = (parts(before), parts(post));
    changed.extend(
        were.iter()
            .filter(|line| !are.contains(line))
            .map(|line| format!("− {line}")),
    );
    changed.extend(
        are.iter()
            .filter(|line| !were.contains(line))
            .map(|line| format!("+ {line}")),
    );
    if before.summary != post.summary && !post.summary.is_empty() {
        changed.push(post.summary.clone());
    }
    if before.change != post.change && !post.change.is_empty() {
        changed.push(format!("Changed: {}", post.change));
    }
    if before.checks != post.checks && !post.checks.is_empty() {
        changed.push(post.checks.clone());
    }
    changed.extend(is_step.then(|| post.steps.join(" → ")));
    let is_renamed = before.title != post.title;
    if changed.is_empty() && !is_renamed {
        return None;
    }
    let mut lines = Vec::new();
    let title = wrap(&format!("edited: {}", post.title), inner);
    lines.extend(title.iter().map(|line| format!("{STRONG}{line}{STRONG:#}")));
    if is_renamed {
        changed.insert(0, format!("title before: {}", before.title));
    }
    for change in &changed {
        let wrapped = wrap(change, inner.saturating_sub(2));
        lines.extend(wrapped.iter().map(|line| format!("  {line}")));
    }
    let link = post
        .link
        .iter()
        .filter(|link| before.link.as_ref() != Some(link));
    lines.extend(link.map(|link| format!("  {DIM}{link}{DIM:#}")));
    Some(barred(post.tone, &lines))
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone as _, Utc};

    use super::*;
    use crate::channel::terminal::Terminal;
    use crate::channel::{Act, Receipt};
    use crate::post::About;
    use crate::post::story::{Content, Tone};

    fn post(state: &str) -> Post {
        Post {
            mark: "abc".to_owned(),
            about: About::Series,
            state: state.to_owned(),
            tone: Tone::New,
            parts_left_out: 0,
            change: String::new(),
            checks: String::new(),
            reviews: String::new(),
            steps: Vec::new(),
            commit: None,
            page: None,
            tree: "bpf".to_owned(),
            title: "Do a thing".to_owned(),
            author: "A. Author".to_owned(),
            at: Utc
                .with_ymd_and_hms(2025, 1, 3, 9, 0, 0)
                .single()
                .expect("a time"),
            feeds: vec!["bpf".to_owned()],
            notes: vec!["2 patches".to_owned()],
            parts: vec![
                ("1/2".to_owned(), "bpf: Do it".to_owned()),
                ("2/2".to_owned(), "bpf: Try it".to_owned()),
            ],
            summary: "This does a thing.".to_owned(),
            link: Some("https://lore.kernel.org/bpf/1@example.org/".to_owned()),
        }
    }

    fn edit(terminal: &Terminal, post: &Post, said: &str) -> Option<String> {
        let act = Act::Edit {
            receipt: Receipt {
                message: said.to_owned(),
                thread: None,
            },
            content: Content::Story(Box::new(post.clone())),
        };
        let text = terminal.text(&act)?;
        Some(anstream::adapter::strip_str(&text).to_string())
    }

    #[test]
    fn an_edit_prints_the_changed_lines_only() {
        let terminal = Terminal::with_width(50);
        let first = post("posted");
        let send = Act::Send {
            content: Content::Story(Box::new(first.clone())),
            under: None,
        };
        terminal.text(&send).expect("a post");
        assert_eq!(edit(&terminal, &first, "posted"), None);
        let mut elsewhere = first.clone();
        elsewhere.feeds.push("netdev".to_owned());
        assert_eq!(edit(&terminal, &elsewhere, "posted"), None, "no news");
        let mut second = post("v2");
        second.notes = vec!["first 3 Jan".to_owned(), "2 patches".to_owned()];
        second.parts[1].1 = "selftests/bpf: Try it".to_owned();
        second.change = "The test is a self-test.".to_owned();
        second.checks = "AI review: 1 finding".to_owned();
        second.steps = vec!["v1 3 Jan".to_owned(), "v2 5 Jan".to_owned()];
        second.link = Some("https://lore.kernel.org/bpf/2@example.org/".to_owned());
        insta::assert_snapshot!(edit(&terminal, &second, "posted").expect("an edit"), @"
        ▏ edited: Do a thing
        ▏   − 2/2  bpf: Try it
        ▏   + 2/2  selftests/bpf: Try it
        ▏   Changed: The test is a self-test.
        ▏   AI review: 1 finding
        ▏   v1 3 Jan → v2 5 Jan
        ▏   https://lore.kernel.org/bpf/2@example.org/
        ");
        let mut renamed = second.clone();
        renamed.title = "Do another thing".to_owned();
        insta::assert_snapshot!(edit(&terminal, &renamed, "v2").expect("an edit"), @"
        ▏ edited: Do another thing
        ▏   title before: Do a thing
        ");
    }

    #[test]
    fn an_edit_of_an_unknown_post_is_one_line() {
        let terminal = Terminal::with_width(50);
        let applied = post("applied to bpf");
        let text = edit(&terminal, &applied, "posted").expect("an edit");
        assert_eq!(text, "▏ applied to bpf: Do a thing\n");
        let terminal = Terminal::with_width(50);
        assert_eq!(edit(&terminal, &applied, "applied to bpf"), None);
    }

    #[test]
    fn only_the_latest_posts_are_remembered() {
        let mut shown = ShownPosts::default();
        for number in 0..=SHOWN_MAX {
            let mut post = post("posted");
            post.mark = number.to_string();
            assert!(shown.replace(&post).is_none());
        }
        assert_eq!(
            (shown.by_mark.len(), shown.order.len()),
            (SHOWN_MAX, SHOWN_MAX)
        );
        assert!(!shown.by_mark.contains_key("0"));
    }
}
