//! The feeds of the example configuration by topic. The example is the only list of feeds and of topics.

/// The example configuration.
pub(super) const EXAMPLE: &str = include_str!("../../../config.example.toml");

/// The start of the comment that lists the topics, and of the line after them.
const LIST: &str = "# Feeds. ";
const LIST_END: &str = "# ---";
/// The start of a feed's table; the names of its topics follow.
const HEAD: &str = "[[feed]] # ";

/// A topic that people choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FeedTopic {
    pub(super) word: &'static str,
    /// The feeds of the topic, in words.
    pub(super) about: &'static str,
}

/// A feed of the example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExampleFeed {
    pub(super) topics: Vec<&'static str>,
    /// The comment above the table; may be empty, otherwise it ends with a line break.
    pub(super) comment: &'static str,
    /// The table with its header and without comments.
    pub(super) table: String,
}

/// All topics, in the order of the example.
pub(super) fn topics() -> Vec<FeedTopic> {
    let list = EXAMPLE.lines().skip_while(|line| !line.starts_with(LIST));
    let list = list.take_while(|line| !line.starts_with(LIST_END));
    let topic = |line: &'static str| {
        let (word, about) = line.strip_prefix("#   ")?.split_once(' ')?;
        Some(FeedTopic {
            word,
            about: about.trim(),
        })
    };
    list.filter_map(topic).collect()
}

/// All feeds, in the order of the example.
pub(super) fn feeds() -> Vec<ExampleFeed> {
    EXAMPLE.split("\n\n").filter_map(read_feed).collect()
}

fn read_feed(paragraph: &'static str) -> Option<ExampleFeed> {
    let mut at = 0;
    for line in paragraph.split_inclusive('\n') {
        if line.starts_with(HEAD) {
            break;
        }
        at += line.len();
    }
    let (comment, table) = paragraph.split_at(at);
    let mut lines = table.lines();
    let topics = lines.next()?.strip_prefix(HEAD)?.split(", ").collect();
    let keys = lines.filter(|line| !line.starts_with('#'));
    let keys = keys.map(|line| line.split(" # ").next().unwrap_or(line));
    let lines: Vec<&str> = std::iter::once("[[feed]]").chain(keys).collect();
    Some(ExampleFeed {
        topics,
        comment: comment.trim_start_matches('\n'),
        table: lines.join("\n").trim_end().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    #[test]
    fn every_feed_of_the_example_has_a_topic_and_every_topic_feeds() {
        let config = Config::parse(EXAMPLE, Path::new("config.toml")).expect("the example is good");
        let feeds = feeds();
        assert_eq!(feeds.len(), config.feeds.len());
        let topics = topics();
        let words: Vec<&str> = topics.iter().map(|topic| topic.word).collect();
        assert_eq!(
            words,
            [
                "core",
                "network",
                "sched_ext",
                "tools",
                "reading",
                "releases"
            ]
        );
        for (feed, configured) in feeds.iter().zip(&config.feeds) {
            assert!(!feed.topics.is_empty(), "{}", configured.name);
            for topic in &feed.topics {
                assert!(words.contains(topic), "{}: {topic}", configured.name);
            }
            // The table alone is the same feed.
            let read = Config::parse(&feed.table, Path::new("config.toml"));
            let read = read.unwrap_or_else(|errors| panic!("{}: {errors}", feed.table));
            assert_eq!(read.feeds[0], *configured);
            assert!(
                !feed.table.contains('#'),
                "a comment is left in {}",
                feed.table
            );
        }
        for topic in &topics {
            let many = feeds
                .iter()
                .filter(|feed| feed.topics.contains(&topic.word));
            assert!(many.count() > 2, "{}", topic.word);
            assert!(topic.about.len() > 10, "{}", topic.word);
        }
    }
}
