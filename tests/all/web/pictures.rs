//! Every page of a real week in a browser, at three widths, light and dark. The pictures go to `target/review/pages`, for
//! people to look at. The test finds faults that a program can see.

use std::path::{Path, PathBuf};

use bpfnews::clock::FixedClock;
use bpfnews::store::Store;
use std::sync::Arc;

use super::week::DemoWeek;
use crate::browser::{Chromium, Tab};
use crate::issue::desk::link;
use crate::issue::pages::PageCalls;

/// A phone, a tablet, a desktop.
const WIDTHS: [u32; 3] = [360, 800, 1_400];

/// Faults of the page that is shown, as texts: parts that do not fit, and buttons, fields and links of menus that are too small
/// to press (WCAG 2.2, 2.5.8).
const FAULTS: &str = "(() => {
    const faults = [], wide = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth > wide) {
        const over = [...document.querySelectorAll('body *')].filter(it => it.getBoundingClientRect().right > wide + 1);
        faults.push('too wide: ' + over.slice(0, 3).map(it => it.tagName + '.' + it.className).join(' '));
    }
    const pressed = 'button, input:not([type=hidden]), select, textarea:not(.hidden), nav a, summary';
    for (const it of document.querySelectorAll(pressed)) {
        const box = it.getBoundingClientRect();
        const isSeen = box.width > 1 && box.height > 1 && box.right > 0;
        if (isSeen && (box.height < 24 || box.width < 24)) faults.push('too small: ' + it.outerHTML.slice(0, 80));
    }
    if (!document.querySelector('main a, main form')) faults.push('it leads nowhere');
    return faults;
})()";

/// Takes pictures, and collects faults.
struct Photographer {
    folder: PathBuf,
    taken: usize,
    faults: Vec<String>,
}

impl Photographer {
    fn new() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/review/pages");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("room on the disk");
        Self {
            folder,
            taken: 0,
            faults: Vec::new(),
        }
    }

    /// The page that the tab shows, in all ways.
    fn take(&mut self, tab: &Tab, name: &str) {
        for width in WIDTHS {
            for (is_dark, shade) in [(false, "light"), (true, "dark")] {
                tab.look(width, is_dark);
                let found = tab.value(FAULTS);
                let found = found.as_array().expect("a list").iter();
                let found = found.map(|fault| fault.as_str().unwrap_or_default());
                self.faults
                    .extend(found.map(|fault| format!("{name} at {width}: {fault}")));
                let file = self.folder.join(format!("{name}-{width}-{shade}.png"));
                tab.picture(&file);
                let bytes = std::fs::metadata(&file).expect("a picture").len();
                assert!(bytes > 2_000, "{}: {bytes} bytes", file.display());
                self.taken += 1;
            }
        }
    }
}

/// The pages of the desk, of one editor and of another one who wrote the same text.
async fn take_the_desk(photographer: &mut Photographer, browser: &Chromium, week: &DemoWeek) {
    let url = &week.pages.url;
    let mut tabs = Vec::new();
    for editor in DemoWeek::editors() {
        let (tab, path) = (browser.tab(), link(&week.house, &editor).await);
        tab.open(&format!("{url}{path}"));
        if tabs.is_empty() {
            photographer.take(&tab, "desk-enter");
        }
        tab.press("main form button");
        tabs.push(tab);
    }
    let (one, other) = (&tabs[0], &tabs[1]);
    photographer.take(one, "desk");
    let entry = one.value("document.querySelector('div.entry').id");
    let entry = format!("desk/entry/{}", entry.as_str().expect("an id"));
    let pages = [
        ("desk-look", "desk/look"),
        ("desk-add", "desk/add"),
        ("desk-publish", "desk/publish"),
        ("desk-entry", &*entry),
        ("desk-suggestion", "desk/entry/s1"),
    ];
    for (name, path) in pages {
        one.open(&format!("{url}{path}"));
        photographer.take(one, name);
    }
    let intro = format!("{url}desk/entry/intro");
    one.open(&intro);
    other.open(&intro);
    let text = "A week of **locks** and `arenas`.\n\n- one\n- two\n\n> and a quotation\n\n[with a link](https://x.example/)";
    one.write("#text-intro", text);
    one.press("button[value=preview]");
    photographer.take(one, "desk-preview");
    one.press("button[value=write]");
    photographer.take(one, "desk-saved");
    other.write(
        "#text-intro",
        &"Quite another introduction, by somebody else. ".repeat(6),
    );
    other.press("button[value=write]");
    photographer.take(other, "desk-conflict");
    let stranger = browser.tab();
    stranger.open(&format!("{url}desk"));
    photographer.take(&stranger, "desk-refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn real_pages_are_pictured_for_people_to_look_at() {
    let (week, browser) = (DemoWeek::new().await, Chromium::start());
    let mut photographer = Photographer::new();
    take_the_desk(&mut photographer, &browser, &week).await;
    week.publish_the_week().await;
    let tab = browser.tab();
    for (name, path) in week.paths().await {
        tab.open(&format!("{}{path}", week.pages.url));
        photographer.take(&tab, &name);
    }
    tab.open(&format!("{}mail", week.pages.url));
    tab.write("input[type=email]", "nobody");
    week.house.advance(chrono::TimeDelta::seconds(10));
    tab.value("document.querySelector('form').noValidate = true");
    tab.press("main form button");
    photographer.take(&tab, "mail-wrong");
    tab.write("input[type=email]", "reader@example.org");
    week.house.advance(chrono::TimeDelta::seconds(10));
    tab.press("main form button");
    photographer.take(&tab, "mail-sent");
    // A site that has read nothing yet.
    let folder = tempfile::tempdir().expect("a folder");
    let empty = Store::open(&folder.path().join("empty.sqlite")).await;
    let empty = empty.expect("a database");
    let empty = PageCalls::serve(empty, Arc::new(FixedClock::new(week.house.now()))).await;
    for (name, path) in [
        ("empty-front", ""),
        ("empty-issues", "issues"),
        ("empty-stories", "stories"),
        ("empty-numbers", "stats"),
        ("empty-cycle", "cycle"),
    ] {
        tab.open(&format!("{}{path}", empty.url));
        photographer.take(&tab, name);
    }
    assert_eq!(photographer.faults, [""; 0]);
    assert!(photographer.taken > 200, "{}", photographer.taken);
}
