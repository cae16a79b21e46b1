//! A plain feed brings more at once than any correct feed. A limited part is stored and announced; the rest is a gap.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::documents::{Article, rss};
use crate::world::{World, feed};

/// New articles, an hour and some seconds old, each a second older than the one before.
fn flood(world: &World, name: &str, count: usize) -> Vec<Article> {
    let articles = (0..count).map(|number| {
        let seconds = i64::try_from(number).expect("few");
        Article {
            at: Some(world.now() - TimeDelta::seconds(seconds)),
            ..Article::new(number, &format!("{name}-{number:04}"))
        }
    });
    articles.collect()
}

#[tokio::test]
async fn a_poll_of_a_plain_feed_is_bounded_and_the_rest_is_a_gap() {
    let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
    world
        .restart(|config| {
            for feed in &mut config.feeds {
                Arc::make_mut(feed).new_max = 10;
            }
        })
        .await;
    world.put("/blog.rss", rss(&flood(&world, "old", 3)));
    world.poll().await;
    world.tell().await;
    for (number, name) in ["first", "second"].into_iter().enumerate() {
        world.advance_to("blog").await;
        let articles = flood(&world, name, 2_000);
        let (oldest, newest_left) = (articles[1_999].at, articles[10].at);
        world.put("/blog.rss", rss(&articles));
        world.poll().await;
        world.check_ok("blog").await;
        assert_eq!(world.row("blog").await.items, 3 + 10 * (number as i64 + 1));
        let mut told = world.tell().await;
        told.sort();
        let newest: Vec<[String; 1]> = (0..10).map(|n| [format!("{name}-{n:04}")]).collect();
        assert_eq!(told, newest);
        let gap = (
            oldest.expect("it has a date").timestamp(),
            newest_left.expect("it has a date").timestamp(),
        );
        assert_eq!(world.gaps("blog").await.last(), Some(&gap));
        // The rest stays unread, as long as the document shows it.
        world.poll_when_due("blog").await;
        world.check_ok("blog").await;
        assert!(world.tell().await.is_empty());
        assert_eq!(world.gaps("blog").await.len(), number + 1);
    }
    // One more article beside that rest is news as usual.
    world.advance_to("blog").await;
    let mut articles = flood(&world, "second", 2_000);
    articles.insert(
        0,
        Article {
            at: Some(world.now()),
            ..Article::new(0, "one more")
        },
    );
    world.put("/blog.rss", rss(&articles));
    world.poll().await;
    assert_eq!(world.tell().await, [["one more"]]);
}

#[tokio::test]
async fn all_entries_of_a_new_feed_are_stored() {
    let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
    world.put("/blog.rss", rss(&flood(&world, "old", 500)));
    world.poll().await;
    assert_eq!(world.row("blog").await.items, 500);
    assert!(world.gaps("blog").await.is_empty());
    assert_eq!(world.tell().await.len(), 1, "a sample");
}
