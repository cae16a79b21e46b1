//! Feeds that failed, grouped by cause for people: one cause may stop all of them.

use std::io::Write;

use super::style::{BAD, DIM};
use crate::source::cause_of;

/// So many failures with one cause are printed as a group.
const GROUP_MIN: usize = 3;

/// Failed feeds by cause, in the order of their first failures.
#[derive(Debug, Default)]
pub(super) struct FailedFeeds(Vec<FailureGroup>);

#[derive(Debug)]
struct FailureGroup {
    cause: String,
    feeds: Vec<FailedFeed>,
}

#[derive(Debug)]
struct FailedFeed {
    name: String,
    /// `failed`, `walled`, `gone`, `later` …
    word: &'static str,
    why: String,
    /// The feed's address; empty if the message or the reader has it.
    url: String,
}

impl FailedFeeds {
    /// Adds a feed with its error.
    pub(super) fn add(&mut self, name: &str, word: &'static str, why: &str, url: &str) {
        let cause = cause_of(why);
        let url = match why.contains(url) {
            true => String::new(),
            false => url.to_owned(),
        };
        let feed = FailedFeed {
            name: name.to_owned(),
            word,
            why: why.to_owned(),
            url,
        };
        match self.0.iter_mut().find(|group| group.cause == cause) {
            Some(group) => group.feeds.push(feed),
            None => self.0.push(FailureGroup {
                cause,
                feeds: vec![feed],
            }),
        }
    }

    /// How many feeds failed.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|group| group.feeds.len()).sum()
    }

    /// Prints a line for each feed, or a few lines for a cause that stopped several feeds.
    pub(super) fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        for group in &self.0 {
            let feeds = &group.feeds;
            let Some(first) = feeds.first().filter(|_| feeds.len() >= GROUP_MIN) else {
                for feed in feeds {
                    writeln!(
                        out,
                        "{BAD}{}{BAD:#}  {}: {}",
                        feed.word, feed.name, feed.why
                    )?;
                    if !feed.url.is_empty() {
                        writeln!(out, "        {DIM}{}{DIM:#}", feed.url)?;
                    }
                }
                continue;
            };
            let many = feeds.len();
            let words = group.cause.as_str();
            writeln!(out, "{BAD}{}{BAD:#}  {many} feeds: {words}", first.word)?;
            // Names may have hyphens.
            let wrapping =
                textwrap::Options::new(100).word_splitter(textwrap::WordSplitter::NoHyphenation);
            let names: Vec<&str> = feeds.iter().map(|feed| feed.name.as_str()).collect();
            for line in textwrap::wrap(&names.join(", "), &wrapping) {
                writeln!(out, "        {DIM}{line}{DIM:#}")?;
            }
            writeln!(out, "        for example {}: {}", first.name, first.why)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(failed: &FailedFeeds) -> String {
        let mut out = Vec::new();
        failed.write(&mut out).expect("memory");
        let plain = anstream::adapter::strip_bytes(&out).into_vec();
        String::from_utf8(plain).expect("UTF-8")
    }

    #[test]
    fn one_cause_is_reported_once_for_all_its_feeds() {
        let mut failed = FailedFeeds::default();
        for name in ["a", "b", "c"] {
            let url = format!("https://{name}.example/");
            failed.add(
                name,
                "failed",
                &format!("{url} cannot be reached (no route)"),
                &url,
            );
        }
        failed.add("d", "gone", "it is gone", "https://d.example/");
        assert_eq!(failed.len(), 4);
        assert_eq!(
            text(&failed),
            "failed  3 feeds: cannot be reached (no route)\n        a, b, c\n        for example a: https://a.example/ \
             cannot be reached (no route)\ngone  d: it is gone\n        https://d.example/\n"
        );
    }
}
