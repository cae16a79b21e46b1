//! The pages, over sockets: their content, their protection, and hostile text on them.

use std::sync::Arc;

use bpfnews::clock::{Clock, FixedClock};
use bpfnews::filter::Subsystems;
use bpfnews::live::Live;
use bpfnews::store::Store;
use bpfnews::web::{self, MailPages, Site};
use reqwest::Response;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::command::house::{House, NEWS, SERVER, boss, discord, reader};
use crate::documents::{Article, mail, rss};

/// A title that would run scripts if it were not escaped.
pub(super) const HOSTILE: &str = "bpf: <script>alert(1)</script> \"><img src=https://evil.example/x onerror=alert(2)> ]](https://evil.example/) & %00 {{x}}";

/// Pages that are served until this value is dropped.
pub(crate) struct PageCalls {
    pub(crate) url: String,
    _stop: DropGuard,
}

impl PageCalls {
    pub(crate) async fn serve(store: Store, clock: Arc<dyn Clock>) -> Self {
        let listener = web::bind(([127, 0, 0, 1], 0).into()).await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let site = Site {
            store,
            clock,
            name: "BPF updates".to_owned(),
            home: url.clone(),
            subsystems: Subsystems::default(),
            mail: None,
        };
        let stop = CancellationToken::new();
        tokio::spawn(web::serve(listener, site, stop.clone()));
        Self {
            url,
            _stop: stop.drop_guard(),
        }
    }

    /// The same with the editors' desk.
    pub(super) async fn serve_desk(live: Arc<Live>) -> Self {
        Self::serve_all(live, None).await
    }

    /// With the desk, and perhaps the pages on which people sign up for mail.
    pub(crate) async fn serve_all(live: Arc<Live>, mail: Option<MailPages>) -> Self {
        let listener = web::bind(([127, 0, 0, 1], 0).into()).await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let site = Site {
            store: live.store.clone(),
            clock: Arc::clone(&live.clock),
            name: "BPF updates".to_owned(),
            home: url.clone(),
            subsystems: Subsystems::default(),
            mail,
        };
        let stop = CancellationToken::new();
        tokio::spawn(web::serve_with_desk(listener, site, live, stop.clone()));
        Self {
            url,
            _stop: stop.drop_guard(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        let url = format!("{}{path}", self.url);
        reqwest::get(&url).await.expect("an answer")
    }

    pub(crate) async fn text(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.text().await.expect("a text")
    }
}

/// A week with hostile text everywhere, and its published issue.
pub(crate) async fn hostile() -> (House, PageCalls) {
    let mut house = House::new().await;
    house
        .post(&[
            mail("a", 130, &format!("[PATCH bpf-next 0/2] {HOSTILE}"), ""),
            mail("a1", 131, &format!("[PATCH bpf-next 1/2] {HOSTILE}"), "a"),
            mail(
                "a2",
                132,
                "[PATCH bpf-next 2/2] bpf: Be __good__ & `plain`",
                "a",
            ),
            mail(
                "b",
                133,
                "[PATCH bpf] bpf: Fix *a* leak in <linux/bpf.h>",
                "",
            ),
        ])
        .await;
    house.advance(chrono::TimeDelta::minutes(1));
    let id = house.ask(&reader(), "search leak").await;
    let id = id.split(" · ").next().unwrap_or_default();
    let id = id.rsplit(' ').next().unwrap_or_default().to_owned();
    for asked in [
        "edit intro **Hello** <script>alert(3)</script> <https://good.example/> [x](javascript:alert(4))".to_owned(),
        format!("edit note {id} <b onclick=alert(5)>bold</b> & [fine](https://good.example/?a=1&b=2)"),
        "edit publish 1".to_owned(),
        "edit correct 1 <i>None</i> of it.".to_owned(),
    ] {
        let told = house.ask(&boss(), &asked).await;
        assert!(!told.contains("did not work"), "{asked}: {told}");
    }
    let clock = Arc::new(FixedClock::new(house.now()));
    let pages = PageCalls::serve(house.live.store.clone(), clock).await;
    (house, pages)
}

#[tokio::test]
async fn hostile_text_is_text_on_every_page() {
    let (_house, pages) = hostile().await;
    let latest = pages.text("issues/1").await;
    let story = latest.split("href=\"/story/").nth(1).expect("a story");
    let story = format!("story/{}", story.split('"').next().expect("its end"));
    for path in [
        "",
        "issues",
        "issues/1",
        &story,
        "search?q=alert",
        "search?q=%3Cscript%3E%22",
        "search?q=kind:series+or+title:%22%3Cscript%3E%22",
        "search?q=kind:%3Cscript%3Ealert(1)",
        "stories.atom",
        "issues.atom",
    ] {
        let answer = pages.get(path).await;
        let policy = answer.headers()["content-security-policy"]
            .to_str()
            .expect("a text");
        assert!(
            policy.starts_with("default-src 'none'; style-src 'self';"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(answer.headers()[name], value, "{path}");
        }
        let text = answer.text().await.expect("a text").to_lowercase();
        for evil in [
            "<script",
            "<img",
            "<b onclick",
            "javascript:",
            "href=\"https://evil.example",
        ] {
            assert!(!text.contains(evil), "{path} has {evil}: {text}");
        }
    }
    assert!(
        latest.contains("&lt;script&gt;alert(1)&lt;/script&gt;"),
        "{latest}"
    );
    assert!(
        latest.contains("href=\"https://good.example/?a=1&amp;b=2\""),
        "{latest}"
    );
    assert!(latest.contains("Correction, "), "{latest}");
    assert!(
        latest.contains("&lt;i&gt;None&lt;/i&gt; of it."),
        "{latest}"
    );
}

#[tokio::test]
async fn a_search_on_the_pages_may_be_a_filter() {
    let (_house, pages) = hostile().await;
    let found = pages.text("search?q=leak+kind:series+score%3E-9").await;
    assert!(
        found.contains("1 story") && found.contains("leak in"),
        "{found}"
    );
    let none = pages.text("search?q=leak+not+kind:series").await;
    assert!(
        none.contains("No story") && !none.contains("leak in"),
        "{none}"
    );
    let wrong = pages.text("search?q=leak+knd:series+score%3E2").await;
    assert!(
        wrong.contains("column 6: there is no name &quot;knd&quot;; write kind"),
        "{wrong}"
    );
}

#[tokio::test]
async fn pages_describe_themselves_and_robots_get_an_answer() {
    let (_house, pages) = hostile().await;
    let latest = pages.text("issues/1").await;
    let story = latest.split("href=\"/story/").nth(1).expect("a story");
    let story = format!("story/{}", story.split('"').next().expect("its end"));
    for (path, address, kind) in [
        ("", "", "website"),
        ("issues/1", "issues/1", "article"),
        ("issues", "issues", "website"),
        (&*story, &*story, "article"),
        ("search?q=x", "search", "website"),
    ] {
        let text = pages.text(path).await;
        let page = scraper::Html::parse_document(&text);
        let content = |selector: &str, attribute: &str| {
            let selector = scraper::Selector::parse(selector).expect("a selector");
            let mut found = page.select(&selector);
            let value = found.next().and_then(|tag| tag.attr(attribute));
            value
                .unwrap_or_else(|| panic!("{path} has no {selector:?}"))
                .to_owned()
        };
        let title = content("meta[property='og:title']", "content");
        assert!(
            text.contains("<title>") && title.contains("BPF updates"),
            "{path}: {title}"
        );
        let words = content("meta[name=description]", "content");
        assert!(
            (20..=201).contains(&words.chars().count()),
            "{path}: {words}"
        );
        assert_eq!(words, content("meta[property='og:description']", "content"));
        let url = format!("{}{address}", pages.url);
        assert_eq!(content("link[rel=canonical]", "href"), url, "{path}");
        assert_eq!(content("meta[property='og:url']", "content"), url, "{path}");
        assert_eq!(
            content("meta[property='og:type']", "content"),
            kind,
            "{path}"
        );
        assert_eq!(content("link[rel=icon]", "href"), "/icon.svg", "{path}");
    }
    let icon = pages.get("icon.svg").await;
    assert_eq!(icon.headers()["content-type"], "image/svg+xml");
    let policy = icon.headers()["content-security-policy"].to_str();
    assert!(policy.expect("a text").contains("img-src 'self'"));
    let robots = pages.text("robots.txt").await;
    assert!(robots.starts_with("User-agent: *\n") && robots.contains("Disallow: /search\n"));
    let missing = pages.get("story/none").await.text().await.expect("a text");
    assert!(missing.contains("<meta name=\"robots\" content=\"noindex\">"));
}

#[tokio::test]
async fn missing_pages_are_explained_and_monitors_get_answers() {
    let (house, pages) = hostile().await;
    for path in [
        "issues/2",
        "issues/x",
        "issues/-1",
        "issues/99999999999999999999",
        "story/none",
        "nothing",
        "issues/1/",
    ] {
        let answer = pages.get(path).await;
        assert_eq!(answer.status(), 404, "{path}");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let text = answer.text().await.expect("a text");
        assert!(text.contains("Not here"), "{path}: {text}");
    }
    assert_eq!(
        pages.get("").await.headers()["cache-control"],
        "public, max-age=60"
    );
    assert_eq!(pages.text("healthz").await, "ok\n");
    let metrics = pages.text("metrics").await;
    for line in [
        "bpfnews_feeds{state=\"ok\"} 1",
        "bpfnews_issues_total 1",
        "bpfnews_items_total 5",
        "# TYPE bpfnews_items_total counter",
    ] {
        assert!(
            metrics.lines().any(|told| told == line),
            "{line}: {metrics}"
        );
    }
    let post = reqwest::Client::new()
        .post(&pages.url)
        .send()
        .await
        .expect("an answer");
    assert_eq!(post.status(), 405);
    // A retracted story is on no page.
    let latest = pages.text("issues/1").await;
    let story = latest.split("href=\"/story/").nth(1).expect("a story");
    let id = story.split('"').next().expect("its end").to_owned();
    house.ask(&boss(), &format!("admin retract {id}")).await;
    assert_eq!(pages.get(&format!("story/{id}")).await.status(), 404);
    assert!(!pages.text("stories.atom").await.contains(&id));
    // The page reports that polling stopped.
    let later = Arc::new(FixedClock::new(house.now() + chrono::TimeDelta::days(1)));
    let late = PageCalls::serve(house.live.store.clone(), later).await;
    assert_eq!(late.get("healthz").await.status(), 503);
}

#[tokio::test]
async fn before_the_first_issue_the_best_of_the_week_is_shown() {
    let mut house = House::new().await;
    house
        .post(&[mail("a", 130, "[PATCH bpf-next] bpf: Do it", "")])
        .await;
    let clock = Arc::new(FixedClock::new(house.now()));
    let pages = PageCalls::serve(house.live.store.clone(), clock).await;
    let latest = pages.text("").await;
    assert!(
        latest.contains("No issue of BPF updates is out yet") && latest.contains("bpf: Do it"),
        "{latest}"
    );
    assert!(pages.text("issues").await.contains("None is out yet."));
    let empty = feed_rs::parser::parse(pages.text("issues.atom").await.as_bytes()).expect("a feed");
    assert!(empty.entries.is_empty());
    let stories =
        feed_rs::parser::parse(pages.text("stories.atom").await.as_bytes()).expect("a feed");
    let titles = stories
        .entries
        .iter()
        .filter_map(|entry| entry.title.as_ref());
    assert!(
        titles
            .into_iter()
            .any(|title| title.content.starts_with("bpf: Do it"))
    );
}

/// The value of a property in each event of a calendar.
fn of_events(calendar: &str, name: &str) -> Vec<String> {
    let unfolded = calendar.replace("\r\n ", "");
    let lines = unfolded.lines();
    let values = lines.filter_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.split(';').next() == Some(name)).then(|| value.to_owned())
    });
    values.collect()
}

#[tokio::test]
async fn the_kernel_cycle_is_a_page_and_a_calendar() {
    let house = House::new().await;
    let clock = Arc::new(FixedClock::new(house.now()));
    let pages = PageCalls::serve(house.live.store.clone(), clock).await;
    assert!(
        pages
            .text("cycle")
            .await
            .contains("No release of the kernel is stored.")
    );
    let empty = pages.text("cycle.ics").await;
    assert!(empty.starts_with("BEGIN:VCALENDAR\r\n") && of_events(&empty, "UID").is_empty());
    let release = |title: &str, day: &str| Article {
        at: Some(day.parse().expect("a time")),
        ..Article::new(0, title)
    };
    let releases = rss(&[
        release("6.12.9: stable", "2025-01-09T12:00:00Z"),
        release("6.13-rc6: mainline", "2025-01-05T22:00:00Z"),
        release("6.13-rc5: mainline", "2024-12-29T22:00:00Z"),
        release("6.10: mainline", "2024-07-14T22:00:00Z"),
        release("6.14-rc1\r\nEND:VEVENT: mainline", "2025-01-09T22:00:00Z"),
    ]);
    house.put("/kdist.xml", releases.replace("Blog", "Linux"));
    let port = house.port();
    let add = format!("admin feeds add kdist http://127.0.0.1:{port}/kdist.xml");
    house.ask(&boss(), &add).await;
    house.pass().await;
    let page = pages.text("cycle").await;
    assert!(
        page.contains("Linux 6.13-rc6 came out on 5 January 2025.")
            && page.contains("6.13-rc7 about 12 January 2025")
            && page.contains("href=\"/cycle.ics\""),
        "{page}"
    );
    let answer = pages.get("cycle.ics").await;
    assert_eq!(
        answer.headers()["content-type"],
        "text/calendar; charset=utf-8"
    );
    let calendar = answer.text().await.expect("a text");
    assert!(
        calendar
            .split("\r\n")
            .all(|line| line.len() <= 75 && !line.contains('\n')),
        "{calendar}"
    );
    let ids = ["6.13-rc5", "6.13-rc6", "6.13-rc7", "6.13", "after-6.13"];
    assert_eq!(
        of_events(&calendar, "UID"),
        ids.map(|id| format!("linux-{id}@bpfnews")),
        "{calendar}"
    );
    assert_eq!(
        of_events(&calendar, "DTSTART"),
        ["20241229", "20250105", "20250112", "20250119", "20250202"]
    );
    assert_eq!(
        of_events(&calendar, "STATUS"),
        [
            "CONFIRMED",
            "CONFIRMED",
            "TENTATIVE",
            "TENTATIVE",
            "TENTATIVE"
        ]
    );
    assert!(
        of_events(&calendar, "DTEND").is_empty(),
        "a whole day has no end"
    );
    // The same request gets the same answer, so that a calendar program sees no change.
    assert_eq!(pages.text("cycle.ics").await, calendar);
}

/// There are few connections for reading. A request that held one and waited for another would block all requests like it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_requests_at_the_same_time_are_all_answered_soon() {
    let (house, pages) = hostile().await;
    let ask = async |number: usize| {
        let by = discord(&format!("90{number}"), NEWS, SERVER);
        let told = house.ask(&by, "latest").await;
        assert!(told.contains("BPF updates"), "{told}");
    };
    let read = async |path: &'static str| {
        pages.text(path).await;
    };
    let asked = futures_util::future::join_all((0..40).map(ask));
    let read = (0..40).map(|n| read(["", "issues.atom", "issues/1"][n % 3]));
    let all = async { tokio::join!(asked, futures_util::future::join_all(read)) };
    let soon = std::time::Duration::from_secs(20);
    tokio::time::timeout(soon, all)
        .await
        .expect("nobody waits for another");
}
