//! Changes by maintainers: feeds, channels, mutes and retractions, each with its audit entry.

use bpfnews::channel::{Scope, SendError};
use chrono::TimeDelta;
use insta::assert_snapshot;

use super::house::{House, NEWS, OPS, boss, reader};
use crate::deliver::platform::Answer;
use crate::documents::{Article, mail, rss};

#[tokio::test]
async fn a_feed_is_fetched_added_polled_and_removed() {
    let mut house = House::new().await;
    house.put_blog("/blog.rss", &["bpf: One", "bpf: Two"]);
    let url = format!("http://127.0.0.1:{}/blog.rss", house.port());
    assert_snapshot!(house.ask(&boss(), &format!("admin feeds add blog <{url}> gives=articles")).await, @r"
    (privately)
    ▏ blog was added
    ▏ It is a feed of kind feed. 2 entries; the newest: 10 January 2025, bpf: One
    ▏ The first poll posts a sample. After that, new entries are posted.
    ");
    house.pass().await;
    assert_eq!(house.chat.room(NEWS), ["bpf: One: published"], "the sample");
    house.put_blog("/blog.rss", &["bpf: Zero", "bpf: One", "bpf: Two"]);
    house.advance(TimeDelta::hours(2));
    house.pass().await;
    assert_eq!(
        house.chat.room(NEWS).len(),
        2,
        "it is read without a restart"
    );
    let listed = house
        .ask(&boss(), "admin feeds list")
        .await
        .replace("\n▏ ", " ");
    let until_next = |part: &str| {
        part.split(" · next in")
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let listed: Vec<String> = listed.split(" ok: ").map(until_next).collect();
    assert_snapshot!("feeds", listed.join("\n"));
    house.restart().await;
    let listed = house.ask(&boss(), "admin feeds list").await;
    assert!(
        listed.contains("added by 111111 on discord on 10 January 2025"),
        "{listed}"
    );
    // A feed that a channel names cannot be removed.
    let route = "admin route add blogs room=300300300 feeds=blog,bpf mode=digest digest_at=\"mon 08:00\" quiet=22:00-06:00";
    assert_snapshot!(house.ask(&boss(), route).await, @r"
    (privately)
    ▏ blogs was added
    ▏ A test message was posted there. From now on the channel gets a list every Mon at 08:00 UTC,
    ▏ carried by blog, bpf, quiet from 22:00 to 06:00 UTC.
    ");
    let held = house.ask(&boss(), "admin feeds remove blog").await;
    assert!(
        held.contains("The channel blogs selects blog by name"),
        "{held}"
    );
    house.ask(&boss(), "admin route remove blogs").await;
    assert!(
        house
            .ask(&boss(), "admin feeds remove blog")
            .await
            .contains("blog was removed")
    );
    let asked = house.asked().len();
    house.advance(TimeDelta::hours(9));
    house.pass().await;
    assert_eq!(house.asked().len(), asked, "it is polled no more");
    assert!(
        house
            .ask(&boss(), "admin feeds remove blog")
            .await
            .contains("There is no feed \"blog\"")
    );
    let audit: Vec<String> = house
        .audit()
        .await
        .iter()
        .map(|row| row.replace(&house.port().to_string(), "PORT"))
        .collect();
    assert_eq!(
        audit,
        [
            "111111: added the feed blog: feed, http://127.0.0.1:PORT/blog.rss",
            "111111: added the channel blogs: discord 300300300, gets a list every Mon at 08:00 UTC, carried by blog, bpf, \
             quiet from 22:00 to 06:00 UTC",
            "111111: removed the channel blogs",
            "111111: removed the feed blog",
        ]
    );
    assert_snapshot!(
        "audit",
        house
            .ask(&boss(), "admin audit")
            .await
            .replace(&house.port().to_string(), "PORT")
    );
}

#[tokio::test]
async fn a_feed_that_gives_nothing_is_not_added() {
    let house = House::new().await;
    let (port, boss) = (house.port(), boss());
    house.put("/page", "<html><body>Hello</body></html>");
    let add = async |words: &str| {
        let told = house.ask(&boss, &format!("admin feeds add {words}")).await;
        told.lines()
            .skip(2)
            .map(|line| line.trim_start_matches("▏ "))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let table = [
        (
            format!("x http://127.0.0.1:{port}/none.rss"),
            "The feed was not added, because the test fetch failed: ",
        ),
        (
            format!("x http://127.0.0.1:{port}/page"),
            "The feed was not added, because the test fetch failed: ",
        ),
        (
            "x ftp://a.example/".to_owned(),
            "url: expected an http or https URL",
        ),
        (
            "x https://me:hunter2@a.example/".to_owned(),
            "url: has a user or a password in it",
        ),
        (
            "x/y:z https://a.example/".to_owned(),
            "name: expected a name of 1 to 64",
        ),
        (
            format!("bpf http://127.0.0.1:{port}/other/"),
            "name: the feed on line 14 has the name \"bpf\" too",
        ),
        (
            format!("x http://127.0.0.1:{port}/bpf/ kind=archive"),
            "url: reads the same source as feed[1] \"bpf\" on line 16",
        ),
        (
            "x https://a.example/ kind=feed branch=main".to_owned(),
            "branch: belongs to feeds of kind \"tree\"",
        ),
    ];
    for (words, right) in table {
        let told = add(&words).await;
        assert!(told.contains(right), "{words}: {told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
    assert_eq!(
        (house.rows("additions").await, house.rows("audit").await),
        (0, 0)
    );
}

#[tokio::test]
async fn chat_is_no_way_into_the_bots_own_network() {
    let house = House::new().await;
    // A server of ours on the host that the file allows, but no feed of the file reads it.
    let other = crate::rude::Rude::always(crate::rude::answer("200 OK", &[], "secret")).await;
    let to = format!("Location: {}", other.url("/latest/meta-data"));
    let redirect = crate::rude::answer("302 Found", &[&to], "");
    house.put_raw("/away.rss", redirect);
    let local = format!("http://127.0.0.1:{}/", other.port());
    let away = format!("http://127.0.0.1:{}/away.rss", house.port());
    let table = [
        local.as_str(),
        away.as_str(),
        "http://127.0.0.1:1/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/",
        "http://[::1]/",
        "http://2130706433/",
        "http://no-such-host.invalid/",
    ];
    let mut told = Vec::new();
    for url in table {
        let answer = house
            .ask(&boss(), &format!("admin feeds add x {url}"))
            .await
            .replace("\n▏ ", " ");
        assert!(
            answer.contains("no public address is known"),
            "{url}: {answer}"
        );
        assert!(
            !answer.contains("private address") && !answer.contains("secret"),
            "{url}: {answer}"
        );
        told.push(answer.lines().count());
    }
    assert!(other.seen().is_empty(), "nobody was asked");
    assert_eq!(house.rows("additions").await, 0);
}

#[tokio::test]
async fn feeds_of_the_file_are_paused_and_not_removed() {
    let mut house = House::new().await;
    let told = house.ask(&boss(), "admin feeds remove bpf").await;
    assert_snapshot!(told, @r"
    (privately)
    ▏ That did not work
    ▏ bpf is in the file, on line 14 of config.toml: remove it there and send SIGHUP. Until then,
    ▏ /bpfnews-admin feeds pause bpf stops its polls.
    ");
    assert!(
        house
            .ask(&boss(), "admin feeds pause bpf")
            .await
            .contains("bpf is paused")
    );
    assert!(
        house
            .ask(&boss(), "admin feeds pause bpf")
            .await
            .contains("bpf is already paused.")
    );
    house.restart().await;
    house
        .post(&[mail("p1", 60, "[PATCH bpf-next] bpf: Do it", "")])
        .await;
    assert_eq!(
        house.chat.room(NEWS),
        [""; 0],
        "nothing is read, after a restart neither"
    );
    assert!(
        house
            .ask(&reader(), "status")
            .await
            .contains("0 of 1 feeds work, 1 paused.")
    );
    assert!(
        house
            .ask(&boss(), "admin feeds test bpf")
            .await
            .contains("bpf answers")
    );
    assert!(
        house
            .ask(&boss(), "admin feeds resume bpf")
            .await
            .contains("bpf is resumed")
    );
    house.pass().await;
    assert_eq!(house.chat.room(NEWS), ["bpf: Do it: posted"]);
    let near = house.ask(&boss(), "admin feeds pause bfp").await;
    assert!(
        near.contains("There is no feed \"bfp\". Similar names: bpf."),
        "{near}"
    );
    assert_eq!(
        house.audit().await,
        [
            "111111: paused the feed bpf",
            "111111: resumed the feed bpf"
        ]
    );
}

#[tokio::test]
async fn a_channel_gets_a_test_message_first_and_news_after() {
    let mut house = House::new().await;
    let never = SendError::Never {
        scope: Scope::Channel,
        why: "the bot lacks the permission Send Messages".to_owned(),
    };
    house.chat.answer_in("300300300", &[Answer::Fails(never)]);
    let refused = house
        .ask(&boss(), "admin route add more room=<#300300300>")
        .await;
    assert_snapshot!(refused, @r"
    (privately)
    ▏ That did not work
    ▏ The channel was not added, because the test message could not be posted: the bot lacks the
    ▏ permission Send Messages
    ");
    assert_eq!(house.rows("additions").await, 0);
    house
        .ask(
            &boss(),
            "admin route add more room=<#300300300> words=\"verifier,arena\" score_min=-5",
        )
        .await;
    assert_eq!(
        house.chat.room("300300300"),
        ["News about BPF will be posted here"]
    );
    house
        .post(&[
            mail("p1", 60, "[PATCH bpf-next] bpf: Mend the verifier", ""),
            mail("p2", 61, "[PATCH bpf-next] bpf: Mend a map", ""),
        ])
        .await;
    assert_eq!(house.chat.room("300300300").len(), 2);
    assert_eq!(house.chat.room(NEWS).len(), 2);
    assert_snapshot!("routes", house.ask(&boss(), "admin route list").await);
    let same = house.ask(&boss(), "admin route add again").await;
    assert!(same.contains("posts to the same room as news"), "{same}");
    let wrong = house
        .ask(
            &boss(),
            "admin route add x room=300300301 kinds=serie states=posted feeds=none",
        )
        .await;
    assert!(
        wrong.contains("kinds[1]: \"serie\" is not a kind of story"),
        "{wrong}"
    );
    assert!(wrong.contains("there is no feed \"none\""), "{wrong}");
    let own = house.ask(&boss(), "admin route remove news").await;
    assert!(
        own.contains("news is in the file, on line 19 of config.toml"),
        "{own}"
    );
    house.restart().await;
    house
        .post(&[mail("p3", 70, "[PATCH bpf-next] bpf: Grow the arena", "")])
        .await;
    assert_eq!(
        house.chat.room("300300300").len(),
        3,
        "it is explained after a restart too"
    );
    house.ask(&boss(), "admin route remove more").await;
    house
        .post(&[mail("p4", 80, "[PATCH bpf-next] bpf: Shrink the arena", "")])
        .await;
    assert_eq!(house.chat.room("300300300").len(), 3);
}

#[tokio::test]
async fn a_filter_of_a_channel_is_obeyed_and_explained() {
    let mut house = House::new().await;
    let wrong = house
        .ask(
            &boss(),
            "admin route add more room=300300300 filter=\"kind:serie\"",
        )
        .await;
    assert!(
        wrong.contains("\"serie\" is no kind; write kind:series"),
        "{wrong}"
    );
    let add = "admin route add more room=300300300 filter=\"author:a@x.example title:/verifier$/ not author:'B. Brown'\"";
    house.ask(&boss(), add).await;
    house
        .post(&[
            mail("p1", 60, "[PATCH bpf-next] bpf: Mend the verifier", ""),
            mail("p2", 61, "[PATCH bpf-next] bpf: Mend a map", ""),
        ])
        .await;
    assert_eq!(
        house.chat.room("300300300"),
        [
            "News about BPF will be posted here",
            "bpf: Mend the verifier: posted"
        ]
    );
    let listed = house.ask(&boss(), "admin route list").await;
    assert!(
        listed.contains("that the filter takes: author:a@x.example"),
        "{listed}"
    );
    let explained = house
        .ask(&boss(), "admin route explain more \"Mend a map\"")
        .await;
    for line in [
        "more refuses bpf: Mend a map",
        "author:a@x.example (A. Author)",
        "title:/verifier$/ (the title is \"bpf: Mend a map\")",
        "author:\"B. Brown\" (A. Author)",
    ] {
        assert!(explained.contains(line), "{line}: {explained}");
    }
}

#[tokio::test]
async fn muted_stories_are_not_posted() {
    let mut house = House::new().await;
    house
        .post(&[mail("p1", 60, "[PATCH bpf-next] bpf: Do it", "")])
        .await;
    assert_eq!(house.chat.room(NEWS), ["bpf: Do it: posted"]);
    let muted = house.ask(&boss(), "admin mute story p1@x.example").await;
    assert!(
        muted.contains("bpf: Do it") && muted.contains("get no more updates"),
        "{muted}"
    );
    house
        .post(&[mail("p2", 90, "[PATCH bpf-next v2] bpf: Do it", "p1")])
        .await;
    assert_eq!(
        house.chat.room(NEWS),
        ["bpf: Do it: posted"],
        "its post stays as it is"
    );
    house.ask(&boss(), "admin mute words boring stuff").await;
    house
        .post(&[mail(
            "q1",
            100,
            "[PATCH bpf-next] bpf: Very BORING stuff",
            "",
        )])
        .await;
    house
        .post(&[mail(
            "q2",
            110,
            "[PATCH bpf-next] bpf: Less stuff that is boring",
            "",
        )])
        .await;
    assert_eq!(
        house.chat.room(NEWS),
        [
            "bpf: Do it: posted",
            "bpf: Less stuff that is boring: posted"
        ]
    );
    assert!(
        house
            .ask(&boss(), "admin mute words BORING stuff")
            .await
            .contains("is already muted")
    );
    assert!(
        house
            .ask(&boss(), "admin mute words ab")
            .await
            .contains("A mute needs 3 to 200")
    );
    house.ask(&boss(), "admin mute author a. AUTHOR").await;
    house
        .post(&[mail("r1", 120, "[PATCH bpf-next] bpf: By the same", "")])
        .await;
    assert_eq!(house.chat.room(NEWS).len(), 2);
    assert_snapshot!("mutes", house.ask(&boss(), "admin mute list").await);
    assert!(
        house
            .ask(&boss(), "admin mute lift 9")
            .await
            .contains("There is no mute 9")
    );
    for number in 1..=3 {
        assert!(
            house
                .ask(&boss(), &format!("admin mute lift {number}"))
                .await
                .contains("Lifted")
        );
    }
    house
        .post(&[mail("p3", 130, "[PATCH bpf-next v3] bpf: Do it", "p2")])
        .await;
    assert!(
        house.chat.room(NEWS).contains(&"bpf: Do it: v3".to_owned()),
        "{:?}",
        house.chat.room(NEWS)
    );
    assert_eq!(house.rows("audit").await, 6);
}

#[tokio::test]
async fn a_story_is_retracted_everywhere_and_never_posted_again() {
    let mut house = House::new().await;
    house
        .post(&[
            mail("p1", 60, "[PATCH bpf-next] bpf: Do it", ""),
            mail("k1", 61, "[PATCH bpf-next] bpf: Keep it", ""),
        ])
        .await;
    // The room gets a list in the morning.
    house.advance(TimeDelta::hours(20));
    house.pass().await;
    assert_eq!(house.chat.digests(), [3], "with the sample of the list");
    assert_eq!(house.chat.room(NEWS).len(), 2);
    let ambiguous = house.ask(&boss(), "admin retract bpf").await;
    assert!(
        ambiguous.contains("It is unclear which story") || ambiguous.contains("No story matches"),
        "{ambiguous}"
    );
    assert_eq!(house.chat.room(NEWS).len(), 2, "nothing was done");
    assert_snapshot!(house.ask(&boss(), "admin retract p1@x.example").await, @r"
    (privately)
    ▏ Retracted
    ▏ bpf: Do it
    ▏ Its 2 posts are being removed. It will not be posted again.
    ");
    house.pass().await;
    assert_eq!(house.chat.room(NEWS), ["bpf: Keep it: posted"]);
    assert_eq!(house.chat.digests(), [2], "the list names it no more");
    house
        .post(&[mail("p2", 1500, "[PATCH bpf-next v2] bpf: Do it", "p1")])
        .await;
    house.advance(TimeDelta::hours(24));
    house.pass().await;
    assert_eq!(house.chat.room(NEWS), ["bpf: Keep it: posted"]);
    assert_eq!(house.chat.digests(), [2]);
    for command in ["latest", "search Do it", "open"] {
        let told = house.ask(&reader(), command).await;
        assert!(!told.contains("bpf: Do it"), "{command}: {told}");
    }
    let told = house.ask(&reader(), "story p1@x.example").await;
    assert!(
        told.contains("A maintainer retracted that story."),
        "{told}"
    );
    // The last story of the list: the list is removed too.
    house.ask(&boss(), "admin retract k1@x.example").await;
    house.ask(&boss(), "admin retract seed@x.example").await;
    house.pass().await;
    assert_eq!(
        (house.chat.room(NEWS).len(), house.chat.digests().len()),
        (0, 0)
    );
    // A new channel shows neither of them.
    house
        .ask(&boss(), "admin route add late room=300300300")
        .await;
    house.pass().await;
    assert_eq!(
        house.chat.room("300300300"),
        ["News about BPF will be posted here"]
    );
}

#[tokio::test]
async fn the_answers_below_a_post_go_with_it() {
    let house = House::new().await;
    let on_lwn = |number: u32, title: &str| Article {
        guid: format!("https://lwn.net/Articles/{number}/"),
        link: format!("https://lwn.net/Articles/{number}/rss"),
        ..Article::new(1, title)
    };
    let shows = async |articles: &[Article]| {
        house.put("/lwn.rss", rss(articles));
        house.advance(TimeDelta::hours(3));
        house.pass().await;
    };
    house.put("/lwn.rss", rss(&[on_lwn(1, "BPF long ago")]));
    let url = format!("http://127.0.0.1:{}/lwn.rss", house.port());
    house
        .ask(&boss(), &format!("admin feeds add lwn {url} kind=lwn"))
        .await;
    house.pass().await;
    let route = "admin route add more room=300300300 kinds=article milestones=reply";
    house.ask(&boss(), route).await;
    house.pass().await;
    let before = house.chat.room("300300300");
    shows(&[on_lwn(2, "[$] BPF for sale"), on_lwn(1, "BPF long ago")]).await;
    shows(&[on_lwn(2, "BPF for sale"), on_lwn(1, "BPF long ago")]).await;
    let told = house.chat.room("300300300");
    assert_eq!(
        told.len(),
        before.len() + 2,
        "a post, and an answer below it: {told:?}"
    );
    house
        .ask(&boss(), "admin retract https://lwn.net/Articles/2/")
        .await;
    house.pass().await;
    assert_eq!(house.chat.room("300300300"), before);
}

#[tokio::test]
async fn a_retracted_story_that_is_still_queued_is_never_sent() {
    let mut house = House::new().await;
    let later = SendError::Later {
        after: std::time::Duration::from_secs(600),
        scope: Scope::Channel,
        why: "slow down".to_owned(),
    };
    house.chat.answer_in(NEWS, &[Answer::Fails(later)]);
    house
        .post(&[mail("p1", 60, "[PATCH bpf-next] bpf: Do it", "")])
        .await;
    assert_eq!(house.chat.room(NEWS), [""; 0]);
    house.ask(&boss(), "admin retract p1@x.example").await;
    house.advance(TimeDelta::hours(30));
    house.pass().await;
    assert_eq!(house.chat.room(NEWS), [""; 0]);
    assert_eq!(house.chat.digests(), [1], "the sample alone");
}

#[tokio::test]
async fn an_addition_that_no_longer_fits_the_file_is_left_out_and_reported() {
    let house = House::new().await;
    house
        .ask(&boss(), "admin route add more room=300300300")
        .await;
    let text = std::fs::read_to_string(&house.file).expect("it was written");
    let more =
        "[[channel]]\nname = \"mine\"\nplatform = \"discord\"\nid = \"300300300\"\n\n[commands]";
    std::fs::write(&house.file, text.replace("[commands]", more)).expect("room on the disk");
    house.live.reload().await.expect("the file is good");
    let listed = house.ask(&boss(), "admin route list").await;
    assert!(
        listed.contains("left out: more: ") && listed.contains("posts to the same room as mine"),
        "{listed}"
    );
    house.pass().await;
    assert_eq!(house.chat.room(OPS), ["The channel more is left out"]);
    house.live.reload().await.expect("the file is good");
    house.pass().await;
    assert_eq!(house.chat.room(OPS).len(), 1, "told once");
    assert!(
        house
            .ask(&boss(), "admin route remove more")
            .await
            .contains("more was removed")
    );
    assert!(
        !house
            .ask(&boss(), "admin route list")
            .await
            .contains("left out")
    );
}
