//! Commands for all readers.

use bpfnews::chat::{Arg, ArgKind, Audience, Completes, table::COMMANDS};
use chrono::TimeDelta;
use insta::assert_snapshot;

use super::house::{House, boss, matrix, reader};
use crate::documents::{Article, Mail, answer_mail, mail, rss};

/// A house with series of different scores.
async fn busy() -> House {
    let mut house = House::new().await;
    let mails = [
        mail("a1", 30, "[PATCH bpf-next 0/2] bpf: Let arenas grow", ""),
        mail(
            "a2",
            31,
            "[PATCH bpf-next 1/2] bpf: Add the arena's verifier rules",
            "a1",
        ),
        mail(
            "a3",
            32,
            "[PATCH bpf-next 2/2] selftests/bpf: Try arenas",
            "a1",
        ),
        mail("b1", 40, "[PATCH bpf] bpf: Fix a typo in a comment", ""),
        mail(
            "c1",
            50,
            "[PATCH bpf-next v3] libbpf: Add a kfunc helper for arenas",
            "",
        ),
        mail(
            "c2",
            55,
            "Re: [PATCH bpf-next v3] libbpf: Add a kfunc helper for arenas",
            "c1",
        ),
    ];
    house.post(&mails).await;
    house
}

#[tokio::test]
async fn pull_requests_that_nobody_merged_are_listed_as_waiting() {
    let mut house = busy().await;
    house
        .post(&[
            mail("g1", 160, "[GIT PULL] bpf: Fixes for 6.14-rc3", ""),
            mail("g2", 161, "[GIT PULL] bpf: Fixes for 6.14-rc4", ""),
            answer_mail(
                "t2",
                170,
                &mail("g2", 161, "[GIT PULL] bpf: Fixes for 6.14-rc4", ""),
                "Pulled, thanks!",
            ),
        ])
        .await;
    house.advance(TimeDelta::days(9));
    let open = house.ask(&reader(), "open").await;
    assert!(
        open.contains(
            "series wait for a review, and 1 pull request to be pulled; the longest wait first"
        ),
        "{open}"
    );
    assert!(open.contains("9 days · pull request · "), "{open}");
    assert!(
        open.contains("Fixes for 6.14-rc3") && !open.contains("rc4"),
        "{open}"
    );
    let story = house.ask(&reader(), "story Fixes for 6.14-rc3").await;
    assert!(story.contains("waiting 9 days"), "{story}");
}

#[tokio::test]
async fn the_cycle_follows_from_the_last_release() {
    let house = House::new().await;
    let none = house.ask(&reader(), "cycle").await;
    assert!(
        none.contains("No release of the kernel is stored."),
        "{none}"
    );
    let release = |version: &str, day: &str| Article {
        at: Some(day.parse().expect("a time")),
        ..Article::new(0, &format!("{version}: mainline"))
    };
    house.put(
        "/kdist.xml",
        rss(&[
            release("6.13-rc6", "2025-01-05T22:00:00Z"),
            release("6.13-rc5", "2024-12-29T22:00:00Z"),
        ])
        .replace("Blog", "Linux"),
    );
    let add = format!(
        "admin feeds add kdist http://127.0.0.1:{}/kdist.xml",
        house.port()
    );
    let added = house.ask(&boss(), &add).await;
    assert!(added.contains("kdist"), "{added}");
    house.pass().await;
    assert_snapshot!(house.ask(&reader(), "cycle").await);
}

async fn id_of(house: &House, words: &str) -> String {
    let offered = house.offered(&reader(), Completes::Story, words).await;
    let first = offered.first().expect("a story");
    first.rsplit(" = ").next().expect("an id").to_owned()
}

#[tokio::test]
async fn the_latest_is_the_best_of_the_week() {
    let house = busy().await;
    assert_snapshot!(house.ask(&reader(), "latest").await);
    assert_snapshot!(house.ask(&reader(), "issue 7").await, @r"
    (privately)
    ▏ That did not work
    ▏ There is no issue 7: none has come out yet. /bpfnews latest shows the best of the week.
    ");
    house.advance(TimeDelta::days(8));
    assert_snapshot!(house.ask(&matrix("@a:b", "!any:b"), "latest").await, @r"
    ▏ The best of the last seven days
    ▏ There was no news about BPF in the last seven days.
    ");
}

/// The first poll of a list finds replies to mails, and parts of series, that are older than its newest page.
#[tokio::test]
async fn the_latest_leaves_out_stories_whose_beginning_is_not_stored() {
    let mut house = House::new().await;
    let mails = [
        mail("a2", 100, "Re: bpf: How large may an arena be?", "a1"),
        mail("b3", 101, "[PATCH bpf-next 2/3] bpf: Shrink a map", "b1"),
        mail("b4", 102, "[PATCH bpf-next 3/3] bpf: Test it", "b1"),
        mail("c2", 103, "Re: [PATCH bpf-next] bpf: Let maps grow", "c1"),
        mail("d1", 104, "[PATCH bpf-next 0/2] bpf: Two kfuncs", ""),
        mail("e1", 105, "[PATCH bpf-next] bpf: One kfunc", ""),
        mail("e2", 106, "Re: [PATCH bpf-next] bpf: One kfunc", "e1"),
    ];
    house.post(&mails).await;
    let told = house.ask(&reader(), "latest").await;
    assert!(
        told.contains("bpf: One kfunc") && told.contains("bpf: Two kfuncs"),
        "{told}"
    );
    for ghost in ["How large may", "Shrink a map", "Test it", "Let maps grow"] {
        assert!(!told.contains(ghost), "{ghost}: {told}");
    }
    assert_eq!(
        told.matches("bpf: One kfunc · A. Author").count(),
        1,
        "{told}"
    );
    let series = house.ask(&reader(), "story d1@x.example").await;
    assert!(
        series.contains("2 patches") && !series.contains("0 of 2"),
        "{series}"
    );
    // The beginnings arrive, by a backfill or another list.
    let beginnings = [
        mail("a1", 90, "bpf: How large may an arena be?", ""),
        mail("b1", 91, "[PATCH bpf-next 0/3] bpf: Maps shrink", ""),
        mail("c1", 92, "[PATCH bpf-next] bpf: Let maps grow", ""),
    ];
    house.post(&beginnings).await;
    let told = house.ask(&reader(), "latest").await;
    for whole in ["How large may", "Maps shrink", "Let maps grow"] {
        let lines = told
            .lines()
            .filter(|line| line.contains(whole) && line.contains(" · "));
        assert_eq!(lines.count(), 1, "{whole}: {told}");
    }
    assert!(
        !told.contains("Replies to a patch that is not here"),
        "{told}"
    );
}

#[tokio::test]
async fn a_story_is_found_by_whatever_is_at_hand() {
    let house = busy().await;
    let by_title = house.ask(&reader(), "story kfunc helper").await;
    assert_snapshot!(by_title);
    let id = id_of(&house, "kfunc").await;
    for name in [
        id.as_str(),
        "c1@x.example",
        "<c2@x.example>",
        "https://lore.kernel.org/bpf/c2@x.example/",
        "libbpf: Add a kfunc helper for arenas",
    ] {
        assert_eq!(
            house.ask(&reader(), &format!("story {name}")).await,
            by_title,
            "{name}"
        );
    }
    let several = house.ask(&reader(), "story arenas").await;
    assert!(
        several.contains("Several stories match. Ask again with one of these ids"),
        "{several}"
    );
    assert!(several.contains(&format!("{id} · ")), "{several}");
    let near = house.ask(&reader(), "story arena growing pains").await;
    assert!(
        near.contains("No story matches exactly. Similar ones:"),
        "{near}"
    );
    assert!(near.contains("bpf: Let arenas grow"), "{near}");
    assert_snapshot!(house.ask(&reader(), "story zebra").await, @r#"
    (privately)
    ▏ That did not work
    ▏ No story matches "zebra". Give words of its title, its id, a Message-ID, a link or a commit hash.
    ▏ /bpfnews search WORDS searches more widely.
    "#);
}

#[tokio::test]
async fn a_series_that_waits_says_so() {
    let house = busy().await;
    house.advance(TimeDelta::days(12));
    let told = house.ask(&reader(), "story b1@x.example").await;
    assert!(told.contains("waiting 12 days"), "{told}");
    let open = house.ask(&reader(), "open").await;
    assert!(
        open.contains("wait for a review, the longest wait first"),
        "{open}"
    );
    assert!(open.contains("12 days · "), "{open}");
    let places: Vec<Option<usize>> = ["Let arenas grow", "Fix a typo", "kfunc"]
        .map(|title| open.find(title))
        .to_vec();
    assert!(places[0].is_some() && places[0] < places[1], "{open}");
}

#[tokio::test]
async fn stories_are_searched() {
    let house = busy().await;
    let found = house.ask(&reader(), "search arena*").await;
    assert!(
        found.contains("2 matches for \"arena*\"") || found.contains("3 matches"),
        "{found}"
    );
    assert_snapshot!(
        house
            .ask(&reader(), "search \"typo in a\"")
            .await
            .replace(&id_of(&house, "typo").await, "ID")
    );
    assert_snapshot!(house.ask(&reader(), "search zebra").await, @r#"
    ▏ No match for "zebra"
    ▏ No story has these words. End a word with * to match its beginning.
    "#);
    let nothing = house.ask(&reader(), "search ***").await;
    assert!(nothing.contains("There is no word in that"), "{nothing}");
    // With a clause, the text is a filter.
    let filtered = house.ask(&reader(), "search arena not kind:commit").await;
    assert!(
        filtered.contains("for \"arena not kind:commit\""),
        "{filtered}"
    );
    assert!(!filtered.contains("No story"), "{filtered}");
    let none = house.ask(&reader(), "search arena kind:video").await;
    assert!(none.contains("No story for"), "{none}");
    let wrong = house.ask(&reader(), "search arena kind:vide").await;
    assert!(
        wrong.contains("column 12: \"vide\" is no kind; write kind:video"),
        "{wrong}"
    );
}

#[tokio::test]
async fn the_status_shows_the_channels_here_and_no_faults() {
    let mut house = busy().await;
    let version = env!("CARGO_PKG_VERSION");
    let told = house
        .ask(&reader(), "status")
        .await
        .replace(version, "VERSION");
    assert_snapshot!(told, @r"
    ▏ bpfnews VERSION
    ▏ 1 of 1 feeds work. The last poll was just now.
    ▏ news gets stories, each issue.
    ");
    // Other rooms of the server show the same. Other places show nothing.
    let mut elsewhere = reader();
    elsewhere.room = "101101101".to_owned();
    assert!(house.ask(&elsewhere, "status").await.contains("news gets"));
    let foreign = house.ask(&matrix("@a:b", "!foreign:b"), "status").await;
    assert!(foreign.contains("No news is posted here"), "{foreign}");
    assert!(!foreign.contains("news gets"), "{foreign}");
    house.put("/bpf/new.atom", "nonsense");
    house.advance(TimeDelta::hours(3));
    house.pass().await;
    house.restart().await;
    let told = house.ask(&reader(), "status").await;
    assert!(told.contains("0 of 1 feeds work, 1 failing."), "{told}");
    assert!(
        !told.contains("127.0.0.1") && !told.contains("/bpf/"),
        "no addresses: {told}"
    );
}

#[tokio::test]
async fn the_help_is_made_from_the_table() {
    let house = House::new().await;
    assert_snapshot!("help", house.ask(&reader(), "help").await);
    assert_snapshot!("help_maintainers", house.ask(&boss(), "admin help").await);
    assert_snapshot!(house.ask(&reader(), "help search").await, @r#"
    (privately)
    ▏ /bpfnews search <words> [page=…]
    ▏ Search the stories: words, "a phrase", word*, or a filter such as path:kernel/bpf/
    ▏ words: the words to search for
    ▏ page: the page number
    "#);
    assert_snapshot!(house.ask(&reader(), "help dance").await, @r#"
    (privately)
    ▏ That did not work
    ▏ There is no command "dance"; /bpfnews help lists them.
    "#);
    assert_snapshot!(house.ask(&matrix("@a:b", "!any:b"), "issue seven").await, @r#"
    (privately)
    ▏ That is not a command
    ▏ number must be an integer in the allowed range, not "seven"
    ▏ Usage: !bpfnews issue <number> [page=…]
    ▏ !bpfnews help lists the commands.
    "#);
    assert_snapshot!(house.ask(&reader(), "").await, @r"
    (privately)
    ▏ That is not a command
    ▏ there is no command after the name
    ▏ /bpfnews help lists the commands.
    ");
}

#[tokio::test]
async fn every_command_of_the_table_has_an_answer() {
    let house = House::new().await;
    for spec in COMMANDS {
        let needed = spec.args.iter().filter(|arg| arg.is_required);
        let value = |arg: &Arg| match arg.kind {
            ArgKind::OneOf(words) => words[0].to_owned(),
            ArgKind::Text | ArgKind::Number(..) | ArgKind::Known(_) | ArgKind::Room => {
                "5".to_owned()
            }
        };
        let given = needed.map(|arg| (arg.name.to_owned(), value(arg)));
        let call = spec.call(given).expect("a call");
        let text = match spec.audience {
            Audience::Readers => call.words(),
            Audience::Editors => format!("edit {}", call.words()),
            Audience::Maintainers => format!("admin {}", call.words()),
        };
        let told = house.ask(&boss(), &text).await;
        assert!(
            !told.contains("This is an error of the bot"),
            "{text}: {told}"
        );
    }
}

#[tokio::test]
async fn pages_stay_as_they_were_while_stories_move() {
    let mut house = House::new().await;
    let series = |from: i64, many: i64| -> Vec<Mail> {
        let one = |n: i64| {
            mail(
                &format!("s{n}"),
                2 * n,
                &format!("[PATCH bpf-next] bpf: Do thing {n}"),
                "",
            )
        };
        (from..from + many).map(one).collect()
    };
    house.post(&series(10, 25)).await;
    let titles = |shown: &str| -> Vec<String> {
        let lines = shown
            .lines()
            .filter(|line| line.contains("bpf: Do thing") && line.contains(" · "));
        lines.map(str::to_owned).collect()
    };
    let first = house.ask(&reader(), "latest").await;
    assert!(
        first.contains("(page 1 of 3)") && first.contains("[on: latest page=2]"),
        "{first}"
    );
    let mut all = titles(&first);
    // News in between shifts no page, nor does the first page of another person.
    house
        .post_within(TimeDelta::minutes(10), &series(40, 5))
        .await;
    house.ask(&boss(), "latest").await;
    for page in 2..=3 {
        all.extend(titles(
            &house.ask(&reader(), &format!("latest {page}")).await,
        ));
    }
    let many = all.len();
    all.sort();
    all.dedup();
    assert_eq!((many, all.len()), (25, 25), "each once: {all:?}");
    let past = house.ask(&reader(), "latest 4").await;
    assert!(past.contains("There are 3 pages."), "{past}");
    assert!(house.ask(&reader(), "latest").await.contains("Do thing 44"));
    house.advance(TimeDelta::minutes(16));
    let anew = house.ask(&reader(), "latest 2").await;
    assert!(anew.contains("(page 2 of 4)"), "{anew}");
}

#[tokio::test]
async fn a_started_word_is_completed() {
    let house = busy().await;
    let offered = house.offered(&reader(), Completes::Story, "are").await;
    assert!(
        offered.len() >= 2 && offered.iter().all(|one| one.contains("arena")),
        "{offered:?}"
    );
    let best = house.offered(&reader(), Completes::Story, "").await;
    assert!(best.len() >= 3, "the best of the week: {best:?}");
    assert_eq!(
        house.offered(&reader(), Completes::Command, "sea").await,
        ["search = search"]
    );
    assert_eq!(
        house.offered(&reader(), Completes::Command, "audit").await,
        [""; 0]
    );
    assert_eq!(
        house.offered(&boss(), Completes::Command, "audit").await,
        ["audit = audit"]
    );
    assert_eq!(house.offered(&reader(), Completes::Feed, "").await, [""; 0]);
    assert_eq!(
        house.offered(&boss(), Completes::Feed, "B").await,
        ["bpf = bpf"]
    );
    assert_eq!(
        house.offered(&boss(), Completes::Channel, "").await.len(),
        3
    );
}

#[tokio::test]
async fn links_are_suggested_once_and_within_caps() {
    let caps = "suggestions_person_max = 2\nsuggestions_server_max = 3\ncooldown_s = 0\n";
    let house = House::with(&format!("discord_users = [\"111111\"]\n{caps}")).await;
    let suggest = async |person: &str, url: &str| {
        let by = super::house::discord(person, super::house::NEWS, super::house::SERVER);
        let told = house
            .ask(&by, &format!("suggest {url} worth reading"))
            .await;
        told.replace("(privately)\n", "")
            .replace("▏ ", "")
            .trim()
            .replace('\n', " | ")
    };
    assert_eq!(
        suggest("1", "https://a.example/x?utm_source=y").await,
        "Thank you | It is saved for the next issue. If the editors accept it, a message here says so."
    );
    assert_eq!(
        suggest("2", "<https://a.example/x#top>").await,
        "Thank you | Somebody already suggested it on 10 January 2025."
    );
    assert!(
        suggest("1", "javascript:alert(1)")
            .await
            .contains("Only addresses")
    );
    assert!(
        suggest("1", "https://a.example/2")
            .await
            .starts_with("Thank you")
    );
    assert!(
        suggest("1", "https://a.example/3")
            .await
            .contains("The limit is 2 links per person in 24 hours")
    );
    assert!(
        suggest("2", "https://a.example/3")
            .await
            .starts_with("Thank you")
    );
    assert!(
        suggest("3", "https://a.example/4")
            .await
            .contains("The limit is 3 links from this place")
    );
    house.advance(TimeDelta::hours(25));
    assert!(
        suggest("1", "https://a.example/3b")
            .await
            .starts_with("Thank you")
    );
    house.ask(&boss(), "admin suggest ban <@1>").await;
    let banned = house.ask(&boss(), "admin suggest ban 12345").await;
    assert!(
        banned.contains("12345 can no longer suggest links"),
        "{banned}"
    );
    assert!(
        suggest("12345", "https://a.example/5")
            .await
            .contains("You are banned from suggestions")
    );
    assert_eq!(house.rows("suggestions").await, 4);
    assert_snapshot!(
        "suggestions",
        house.ask(&boss(), "admin suggest list").await
    );
    house.ask(&boss(), "admin suggest lift 12345").await;
    assert!(
        suggest("12345", "https://a.example/5")
            .await
            .starts_with("Thank you")
    );
}
