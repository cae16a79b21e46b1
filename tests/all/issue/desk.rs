//! The editors' desk, over sockets and through its own forms: an issue from start to end, two editors at once, and
//! protection against all other people.

use std::sync::Arc;

use bpfnews::chat::Requester;
use chrono::TimeDelta;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use scraper::{ElementRef, Html, Selector};

use super::pages::{HOSTILE, PageCalls};
use crate::browser::{Chromium, Tab};
use crate::command::house::{House, NEWS, OPS, ROOM, SERVER, discord, matrix, reader};
use crate::documents::mail;

const CONFIG: &str = "discord_users = [\"111111\"]\ncooldown_s = 0\n\n\
                      [issue]\ndiscord_users = [\"333333\", \"444444\"]\nmatrix_users = [\"@ed:x.example\"]\n\n\
                      [web]\nlisten = \"127.0.0.1:8080\"\nurl = \"https://news.example/\"\n";

async fn house() -> (House, PageCalls) {
    let mut house = House::with(CONFIG).await;
    house
        .post(&[
            mail("a", 130, "[PATCH bpf-next] bpf: First", ""),
            mail("b", 133, "[PATCH bpf] bpf: Fix a leak", ""),
            mail("c", 134, "[PATCH bpf-next] libbpf: Rename a thing", ""),
        ])
        .await;
    house.advance(TimeDelta::minutes(1));
    let pages = PageCalls::serve_desk(Arc::clone(&house.live)).await;
    (house, pages)
}

fn ed() -> Requester {
    discord("333333", NEWS, SERVER)
}

fn flo() -> Requester {
    discord("444444", NEWS, SERVER)
}

fn client() -> Client {
    let client = Client::builder().redirect(Policy::none());
    client.build().expect("a client")
}

/// The path of the link that the bot sends to an editor.
pub(crate) async fn link(house: &House, by: &Requester) -> String {
    let told = house.ask(by, "edit desk").await;
    let words: String = told
        .lines()
        .map(|line| line.trim_start_matches(['▏', ' ']))
        .collect();
    let path = words.split("https://news.example/").nth(1).expect("a link");
    assert!(told.starts_with("(privately)"), "{told}");
    path.chars().take("desk/enter/".len() + 64).collect()
}

/// An editor's browser without scripts.
struct Browser {
    client: Client,
    url: String,
    cookie: String,
}

/// A page as the browser received it.
struct Shown {
    status: StatusCode,
    text: String,
}

impl Browser {
    async fn enter(house: &House, pages: &PageCalls, by: &Requester) -> Self {
        let path = link(house, by).await;
        let client = client();
        let entered = client.post(format!("{}{path}", pages.url)).send().await;
        let entered = entered.expect("an answer");
        assert_eq!(entered.status(), 303);
        let cookie = entered.headers()["set-cookie"].to_str().expect("a text");
        let cookie = cookie.split(';').next().expect("a pair").to_owned();
        Self {
            client,
            url: pages.url.clone(),
            cookie,
        }
    }

    async fn see(&self, answer: Response) -> Shown {
        let status = answer.status();
        if status == 303 {
            let to = answer.headers()["location"].to_str().expect("a text");
            let to = to.trim_start_matches('/').to_owned();
            return Box::pin(self.get(&to)).await;
        }
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let policy = answer.headers()["content-security-policy"].to_str();
        assert!(policy.expect("a text").starts_with(
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'"
        ));
        let text = answer.text().await.expect("a text");
        assert!(!text.contains("<script"), "{text}");
        Shown { status, text }
    }

    async fn get(&self, path: &str) -> Shown {
        let asked = self.client.get(format!("{}{path}", self.url));
        let answer = asked.header("cookie", &self.cookie).send().await;
        self.see(answer.expect("an answer")).await
    }

    async fn post(&self, path: &str, kind: &str, body: Vec<u8>) -> Shown {
        let asked = self.client.post(format!("{}{path}", self.url));
        let asked = asked.header("cookie", &self.cookie);
        let answer = asked.header("content-type", kind).body(body).send().await;
        self.see(answer.expect("an answer")).await
    }

    /// Finds the form whose button has this value (any button, if empty) and whose fields have these values, fills it in,
    /// and presses the button.
    async fn press(
        &self,
        shown: &Shown,
        button: &str,
        is: &[(&str, &str)],
        fill: &[(&str, &str)],
    ) -> Shown {
        let (path, fields, is_multipart) = filled(&shown.text, button, is, fill);
        let (kind, body) = match is_multipart {
            true => multipart(&fields, None),
            false => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                form.extend_pairs(fields);
                let body = form.finish().into_bytes();
                ("application/x-www-form-urlencoded".to_owned(), body)
            }
        };
        self.post(&path, &kind, body).await
    }
}

fn all<'a>(of: ElementRef<'a>, selector: &str) -> Vec<ElementRef<'a>> {
    of.select(&Selector::parse(selector).expect("a selector"))
        .collect()
}

/// The path and the fields of a form, as a browser sends them.
fn filled(
    text: &str,
    button: &str,
    is: &[(&str, &str)],
    fill: &[(&str, &str)],
) -> (String, Vec<(String, String)>, bool) {
    let page = Html::parse_document(text);
    for form in all(page.root_element(), "form[method=post]") {
        let mut fields: Vec<(String, String)> = Vec::new();
        for field in all(form, "input, textarea, select") {
            let Some(name) = field.attr("name") else {
                continue;
            };
            let value = match field.value().name() {
                "textarea" => {
                    let text: String = field.text().collect();
                    // Browsers send line ends as CRLF.
                    text.replace('\n', "\r\n")
                }
                "select" => all(field, "option[selected]")
                    .first()
                    .or(all(field, "option").first())
                    .and_then(|option| option.attr("value"))
                    .unwrap_or_default()
                    .to_owned(),
                _ if field.attr("type") == Some("file") => continue,
                _ => field.attr("value").unwrap_or_default().to_owned(),
            };
            fields.push((name.to_owned(), value));
        }
        let buttons = all(form, "button");
        let pressed = buttons
            .iter()
            .find(|found| found.attr("value").unwrap_or_default() == button);
        let has = |(name, value): &(&str, &str)| {
            fields
                .iter()
                .any(|field| field.0 == *name && field.1 == *value)
        };
        let (Some(pressed), true) = (pressed, is.iter().all(has)) else {
            continue;
        };
        for (name, value) in fill {
            let field = fields.iter_mut().find(|field| field.0 == *name);
            field.unwrap_or_else(|| panic!("no field {name}")).1 = (*value).to_owned();
        }
        if let Some(name) = pressed.attr("name") {
            fields.push((name.to_owned(), button.to_owned()));
        }
        let path = form.attr("action").expect("an address");
        let path = path.trim_start_matches('/').to_owned();
        return (path, fields, form.attr("enctype").is_some());
    }
    panic!("no form with {button} and {is:?}: {text}");
}

fn multipart(fields: &[(String, String)], picture: Option<&[u8]>) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (name, value) in fields {
        let head =
            format!("--edge\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(head.as_bytes());
    }
    if let Some(picture) = picture {
        body.extend_from_slice(b"--edge\r\ncontent-disposition: form-data; name=\"picture\"; filename=\"../x.png\"\r\ncontent-type: text/html\r\n\r\n");
        body.extend_from_slice(picture);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--edge--\r\n");
    ("multipart/form-data; boundary=edge".to_owned(), body)
}

fn png() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let picture = image::DynamicImage::new_rgb8(24, 16);
    picture
        .write_to(&mut bytes, image::ImageFormat::Png)
        .expect("it is encoded");
    bytes.into_inner()
}

/// The titles of a section's entries on the desk, in their order.
fn titles(shown: &Shown, section: &str) -> Vec<String> {
    let page = Html::parse_document(&shown.text);
    let selector = format!("section[aria-labelledby={section}] div.entry");
    let entries = all(page.root_element(), &selector).into_iter();
    let title = |entry: ElementRef<'_>| {
        let links = all(entry, "a");
        let link = links
            .iter()
            .find(|link| !link.attr("href").unwrap_or_default().starts_with("/desk"));
        link.map(|link| link.text().collect()).unwrap_or_default()
    };
    entries.map(title).collect()
}

fn id_of(shown: &Shown, words: &str) -> String {
    let page = Html::parse_document(&shown.text);
    let entries = all(page.root_element(), "div.entry").into_iter();
    let mut found = entries.filter(|entry| entry.text().collect::<String>().contains(words));
    let entry = found
        .next()
        .unwrap_or_else(|| panic!("no entry {words}: {}", shown.text));
    entry.attr("id").expect("an id").to_owned()
}

#[tokio::test]
async fn an_issue_is_finished_by_the_desk_alone() {
    let (house, pages) = house().await;
    house
        .ask(
            &reader(),
            "suggest https://blog.example/maps note=\"On <b>maps</b>\"",
        )
        .await;
    let desk = Browser::enter(&house, &pages, &ed()).await;
    let shown = desk.get("desk").await;
    assert_eq!(shown.status, 200);
    assert!(
        shown.text.contains("333333 on discord") && shown.text.contains("bpf: Fix a leak"),
        "{}",
        shown.text
    );
    // The introduction, shown before it is saved.
    let intro = "A quiet week.\nReally.\n\n- one\n  - two\n\n> said\n> so";
    let page = desk.get("desk/entry/intro").await;
    let seen = desk.press(&page, "preview", &[], &[("text", intro)]).await;
    assert!(
        seen.text.contains("Not saved yet") && seen.text.contains("A quiet week.<br>Really."),
        "{}",
        seen.text
    );
    assert!(!desk.get("desk").await.text.contains("A quiet week"));
    let saved = desk.press(&seen, "write", &[], &[]).await;
    assert!(
        saved.text.contains("Saved.")
            && saved
                .text
                .contains("<ul><li>one<ul><li>two</li></ul></li></ul>"),
        "{}",
        saved.text
    );
    // Order, section, title and note.
    let before = titles(&saved, "new-series");
    assert_eq!(before.len(), 3, "{before:?}");
    let second = id_of(&saved, &before[1]);
    let up = desk.press(&saved, "up", &[("id", &second)], &[]).await;
    assert_eq!(
        titles(&up, "new-series"),
        [before[1].clone(), before[0].clone(), before[2].clone()]
    );
    let down = desk.press(&up, "down", &[("id", &second)], &[]).await;
    assert_eq!(titles(&down, "new-series"), before);
    let moved = desk
        .press(
            &down,
            "move",
            &[("id", &second)],
            &[("section", "highlights")],
        )
        .await;
    assert_eq!(titles(&moved, "highlights"), [before[1].clone()]);
    let entry = desk.get(&format!("desk/entry/{second}")).await;
    let titled = desk
        .press(
            &entry,
            "write",
            &[("kind", "title")],
            &[("text", "Maps, renamed")],
        )
        .await;
    assert_eq!(titles(&titled, "highlights"), ["Maps, renamed"]);
    let entry = desk.get(&format!("desk/entry/{second}")).await;
    let noted = desk
        .press(
            &entry,
            "write",
            &[("kind", "note")],
            &[("text", "Mind `this`.\nAnd that.")],
        )
        .await;
    assert!(
        noted.text.contains("Mind <code>this</code>.<br>And that."),
        "{}",
        noted.text
    );
    // One entry is left out, and comes back by its id.
    let dropped = desk
        .press(&noted, "drop", &[("id", &id_of(&noted, &before[2]))], &[])
        .await;
    assert_eq!(titles(&dropped, "new-series"), [before[0].clone()]);
    let third = before[2].clone();
    let pinned = desk
        .press(&dropped, "pin", &[], &[("id", &third), ("section", "note")])
        .await;
    assert_eq!(titles(&pinned, "note"), [third]);
    // The reader's suggestion, with the editor's words.
    let accepted = desk
        .press(&pinned, "accept", &[("id", "s1")], &[("title", "On maps")])
        .await;
    assert_eq!(
        titles(&accepted, "missed"),
        ["On maps"],
        "{}",
        accepted.text
    );
    let entry = desk.get("desk/entry/s1").await;
    assert!(
        entry.text.contains("On &lt;b&gt;maps"),
        "the reader's words are in the field: {}",
        entry.text
    );
    desk.press(
        &entry,
        "write",
        &[("kind", "note")],
        &[("text", "Worth *it*.")],
    )
    .await;
    // A free entry with a picture.
    let form = desk.get("desk/add").await;
    let (path, fields, _) = filled(
        &form.text,
        "",
        &[],
        &[
            ("title", "A bee"),
            ("text", "Look:\n1. bzz"),
            ("alt", "A \"bee\""),
        ],
    );
    let (kind, body) = multipart(&fields, Some(&png()));
    let added = desk.post(&path, &kind, body).await;
    assert!(
        added.text.contains("The entry is added.")
            && added.text.contains("<ol start=\"1\"><li>bzz</li></ol>"),
        "{}",
        added.text
    );
    let look = desk.get("desk/look").await;
    for words in [
        "aria-label=\"Discord\"",
        "aria-label=\"Matrix\"",
        "A quiet week.<br>Really.",
        "Maps, renamed",
    ] {
        assert!(look.text.contains(words), "{words}: {}", look.text);
    }
    let ask = desk.get("desk/publish").await;
    let out = desk.press(&ask, "", &[("number", "1")], &[]).await;
    assert!(out.text.contains("The issue is published."), "{}", out.text);
    // Readers get all of it: on the page, in the feed, in the file, and in chat.
    let page = pages.text("issues/1").await;
    for words in [
        "A quiet week.<br>Really.",
        "Maps, renamed",
        "Worth <strong>it</strong>.",
        "alt=\"A &quot;bee&quot;\"",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(
        !page.contains("On &lt;b&gt;maps"),
        "an editor wrote other words: {page}"
    );
    let picture = page.split("src=\"/pictures/").nth(1).expect("a picture");
    let picture = format!("pictures/{}", picture.split('"').next().expect("its end"));
    let answer = pages.get(&picture).await;
    assert_eq!(answer.headers()["content-type"], "image/png");
    assert_eq!(
        answer.headers()["cache-control"],
        "public, max-age=31536000, immutable"
    );
    let bytes = answer.bytes().await.expect("bytes");
    assert_eq!(
        image::load_from_memory(&bytes).expect("a picture").width(),
        24
    );
    assert!(
        pages
            .text("issues.atom")
            .await
            .contains(&format!("{}{picture}", pages.url))
    );
    house.pass().await;
    let told = house.chat.room(NEWS);
    assert!(
        told.iter().any(|told| told.starts_with("BPF updates 01")),
        "{told:?}"
    );
    // A correction, and the log with the person of each edit.
    let ask = desk.get("desk/publish").await;
    let done = desk
        .press(&ask, "", &[("number", "1")], &[("text", "Not *so*.")])
        .await;
    assert!(
        done.text.contains("The correction is published."),
        "{}",
        done.text
    );
    assert!(
        pages
            .text("issues/1")
            .await
            .contains("Not <strong>so</strong>.")
    );
    let audit = house.audit().await.join("\n");
    for words in [
        "333333: issue: wrote the introduction: A quiet week.\nReally.",
        "333333: published issue 1",
        "333333: corrected issue 1: Not *so*.",
    ] {
        assert!(audit.contains(words), "{words}: {audit}");
    }
}

#[tokio::test]
async fn two_editors_at_once_see_both_texts_and_lose_no_word() {
    let (house, pages) = house().await;
    let (one, other) = (
        Browser::enter(&house, &pages, &ed()).await,
        Browser::enter(&house, &pages, &flo()).await,
    );
    let (begun, late) = (
        one.get("desk/entry/intro").await,
        other.get("desk/entry/intro").await,
    );
    let saved = one
        .press(&begun, "write", &[], &[("text", "Ones & words.")])
        .await;
    assert_eq!(saved.status, 200);
    let both = other
        .press(&late, "write", &[], &[("text", "Others' <i>words</i>.")])
        .await;
    assert_eq!(both.status, 409);
    for words in [
        "Ones &amp; words.",
        "Others&#39; &lt;i&gt;words",
        "333333 on discord",
    ] {
        let text = both
            .text
            .replace("&apos;", "&#39;")
            .replace("Others' ", "Others&#39; ");
        assert!(text.contains(words), "{words}: {text}");
    }
    // While the other editor merges, the first one writes again. The other one sees that too.
    let again = one.get("desk/entry/intro").await;
    one.press(&again, "write", &[], &[("text", "Ones & more words.")])
        .await;
    let merged = other
        .press(
            &both,
            "preview",
            &[("kind", "intro")],
            &[("text", "Merged.")],
        )
        .await;
    let refused = other.press(&merged, "write", &[], &[]).await;
    assert_eq!(refused.status, 409);
    assert!(
        refused.text.contains("Ones &amp; more words.") && refused.text.contains("Merged."),
        "{}",
        refused.text
    );
    // The page shows both texts, and one button fills in both, one below the other.
    let page = Html::parse_document(&refused.text);
    assert_eq!(
        all(page.root_element(), "form textarea[name=text]").len(),
        2
    );
    let with_both = "textarea.hidden";
    let hidden: String = all(page.root_element(), with_both)[0].text().collect();
    assert!(
        hidden.contains("Ones & more words.") && hidden.contains("Merged."),
        "{hidden}"
    );
    let saved = other
        .press(&refused, "write", &[], &[("text", &hidden)])
        .await;
    assert!(
        saved.text.contains("Ones &amp; more words.") && saved.text.contains("Merged."),
        "{}",
        saved.text
    );
    // In chat, the bot refuses the text as well, and shows the present one.
    let told = house.ask(&ed(), "edit intro Mine.").await;
    assert!(
        told.contains("was not saved") && told.contains("Merged.") && told.contains("version="),
        "{told}"
    );
    // Undo, step by step, by any editor.
    for (holds, gone) in [
        ("Ones &amp; more words.", "Merged."),
        ("Ones &amp; words.", "more words"),
    ] {
        let shown = one.get("desk").await;
        let undone = one.press(&shown, "undo", &[], &[]).await;
        let intro = undone
            .text
            .split("id=\"intro\"")
            .nth(1)
            .expect("an introduction");
        let intro = intro.split("</section>").next().expect("its end");
        assert!(
            intro.contains(holds) && !intro.contains(gone),
            "{holds}: {intro}"
        );
    }
    // Nothing is lost: all versions are in the log.
    let log = house.ask(&ed(), "edit log").await;
    for words in ["Ones & words.", "Ones & more words.", "Merged.", "undone"] {
        assert!(log.contains(words), "{words}: {log}");
    }
    // The bot refuses to undo an edit that is not the last one.
    let shown = one.get("desk").await;
    let (path, mut fields, _) = filled(&shown.text, "undo", &[], &[]);
    fields
        .iter_mut()
        .find(|field| field.0 == "edit")
        .expect("a number")
        .1 = "999".to_owned();
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    let kind = "application/x-www-form-urlencoded";
    let refused = one.post(&path, kind, form.finish().into_bytes()).await;
    assert_eq!(refused.status, 422);
}

#[tokio::test]
async fn the_desk_opens_to_editors_only_and_once() {
    let (house, pages) = house().await;
    let at = |path: &str| format!("{}{path}", pages.url);
    let client = client();
    for path in [
        "desk",
        "desk/look",
        "desk/add",
        "desk/publish",
        "desk/entry/intro",
    ] {
        let answer = pages.get(path).await;
        assert_eq!(answer.status(), 401, "{path}");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let text = answer.text().await.expect("a text");
        assert!(
            text.contains("desk opens with a link") && !text.contains("Fix a leak"),
            "{text}"
        );
    }
    for path in [
        "desk/edit",
        "desk/add",
        "desk/publish",
        "desk/correct",
        "desk/leave",
    ] {
        let answer = client
            .post(at(path))
            .body("x=1")
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 401, "{path}");
    }
    // Readers get no link, and the bot sends none to a room where others read.
    let refused = house.ask(&reader(), "edit desk").await;
    assert!(refused.contains("Only editors"), "{refused}");
    for room in [ROOM, OPS] {
        let refused = house.ask(&matrix("@ed:x.example", room), "edit desk").await;
        assert!(
            refused.contains("direct room") && !refused.contains("enter/"),
            "{refused}"
        );
    }
    let alone = Requester {
        is_alone: true,
        ..matrix("@ed:x.example", "!direct:x.example")
    };
    let told = house.ask(&alone, "edit desk").await;
    assert!(told.contains("enter/"), "{told}");
    // A program that looks at the link does not use it up. It opens the desk once.
    let path = link(&house, &ed()).await;
    for _ in 0..3 {
        let looked = pages.get(&path).await;
        assert_eq!(looked.status(), 200);
        assert!(looked.headers().get("set-cookie").is_none());
    }
    let entered = client.post(at(&path)).send().await.expect("an answer");
    let cookie = entered.headers()["set-cookie"]
        .to_str()
        .expect("a text")
        .to_owned();
    for part in [
        "desk=",
        "; Path=/desk",
        "; HttpOnly",
        "; SameSite=Strict",
        "; Max-Age=43200",
    ] {
        assert!(cookie.contains(part), "{part}: {cookie}");
    }
    assert!(
        !path.contains(&cookie["desk=".len().."desk=".len() + 64]),
        "the session has a secret of its own"
    );
    let again = client.post(at(&path)).send().await.expect("an answer");
    assert_eq!(again.status(), 410);
    assert_eq!(pages.get(&path).await.status(), 410);
    // The secret of a link does not open a session, and the database has neither of them.
    let cookie_of_link = format!("desk={}", path.rsplit('/').next().expect("a secret"));
    let answer = client
        .get(at("desk"))
        .header("cookie", cookie_of_link)
        .send()
        .await;
    assert_eq!(answer.expect("an answer").status(), 401);
    let secret = &cookie["desk=".len().."desk=".len() + 64];
    assert_eq!(
        house
            .rows(&format!("desk_keys WHERE hash = '{secret}'"))
            .await,
        0
    );
    // A link that is too old.
    let late = link(&house, &ed()).await;
    house.advance(TimeDelta::minutes(16));
    let answer = client.post(at(&late)).send().await.expect("an answer");
    assert_eq!(answer.status(), 410);
    // A session that is too old.
    let cookie = cookie.split(';').next().expect("a pair");
    let ask = async || {
        client
            .get(at("desk"))
            .header("cookie", cookie)
            .send()
            .await
            .expect("an answer")
            .status()
    };
    assert_eq!(ask().await, 200);
    house.advance(TimeDelta::hours(12));
    assert_eq!(ask().await, 401);
}

#[tokio::test]
async fn forms_of_others_change_nothing_and_a_lost_right_ends_the_session() {
    let (house, pages) = house().await;
    let (one, other) = (
        Browser::enter(&house, &pages, &ed()).await,
        Browser::enter(&house, &pages, &flo()).await,
    );
    let kind = "application/x-www-form-urlencoded";
    let before = house.rows("edits").await;
    let shown = other.get("desk/entry/intro").await;
    let (_, mut fields, _) = filled(&shown.text, "write", &[], &[("text", "Evil.")]);
    // The token of another session, no token, and a part of one.
    let token = fields
        .iter()
        .position(|field| field.0 == "token")
        .expect("a token");
    let foreign = fields[token].1.clone();
    for wrong in [foreign.as_str(), "", &foreign[..10]] {
        fields[token].1 = wrong.to_owned();
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(&fields);
        let refused = one
            .post("desk/edit", kind, form.finish().into_bytes())
            .await;
        assert_eq!(refused.status, 403, "{wrong}");
    }
    let (kind_of_upload, body) = multipart(&[("title".to_owned(), "x".to_owned())], None);
    let refused = one.post("desk/add", &kind_of_upload, body).await;
    assert_eq!(refused.status, 403);
    for (path, body) in [
        ("desk/publish", "number=1"),
        ("desk/correct", "number=1&text=x"),
        ("desk/leave", ""),
    ] {
        let refused = one.post(path, kind, body.into()).await;
        assert_eq!(refused.status, 403, "{path}");
    }
    // Bodies are bounded.
    let large = [b"text=".to_vec(), vec![b'a'; 200 << 10]].concat();
    assert_eq!(one.post("desk/edit", kind, large).await.status, 413);
    let form = one.get("desk/add").await;
    let (path, fields, _) = filled(&form.text, "", &[], &[("title", "x"), ("alt", "y")]);
    for wrong in [
        vec![0; (8 << 20) + 1],
        b"GIF89a".to_vec(),
        b"<svg onload=alert(1)>".to_vec(),
    ] {
        let (kind, body) = multipart(&fields, Some(&wrong));
        let refused = one.post(&path, &kind, body).await;
        assert_eq!(refused.status, 422, "{}", refused.text);
    }
    // A picture without an alternative text.
    let (path, fields, _) = filled(&form.text, "", &[], &[("title", "x")]);
    let (kind, body) = multipart(&fields, Some(&png()));
    assert_eq!(one.post(&path, &kind, body).await.status, 422);
    assert_eq!(house.rows("edits").await, before);
    assert_eq!(house.rows("pictures").await, 0);
    // One editor logs out. The configuration no longer names the other one.
    let shown = other.get("desk").await;
    let left = other.press(&shown, "leave", &[], &[]).await;
    assert_eq!(left.status, 401);
    let config = std::fs::read_to_string(&house.file).expect("the file");
    std::fs::write(&house.file, config.replace("\"333333\", ", "")).expect("room on the disk");
    house.live.reload().await.expect("a database");
    assert_eq!(one.get("desk").await.status, 403);
    assert_eq!(one.get("desk").await.status, 401, "the session has ended");
    assert_eq!(house.rows("desk_keys").await, 0);
}

#[tokio::test]
async fn hostile_text_is_text_on_the_desk_and_in_the_issue() {
    let (house, pages) = house().await;
    let desk = Browser::enter(&house, &pages, &ed()).await;
    let evil = format!(
        "{HOSTILE}\n\n</textarea><script>alert(1)</script>\n\n[x](javascript:alert(2)) ![y](https://evil.example/z)"
    );
    house
        .ask(
            &reader(),
            "suggest https://blog.example/x note=\"</blockquote><script>alert(9)</script>\"",
        )
        .await;
    let page = desk.get("desk/entry/intro").await;
    let seen = desk.press(&page, "preview", &[], &[("text", &evil)]).await;
    let shown = desk.press(&seen, "write", &[], &[]).await;
    let id = id_of(&shown, "Fix a leak");
    let entry = desk.get(&format!("desk/entry/{id}")).await;
    // A field of one line has no line breaks.
    let title = evil
        .replace('\n', " ")
        .chars()
        .take(190)
        .collect::<String>();
    desk.press(&entry, "write", &[("kind", "title")], &[("text", &title)])
        .await;
    let entry = desk.get(&format!("desk/entry/{id}")).await;
    desk.press(&entry, "write", &[("kind", "note")], &[("text", &evil)])
        .await;
    let form = desk.get("desk/add").await;
    let (path, fields, _) = filled(
        &form.text,
        "",
        &[],
        &[("title", &title), ("text", &evil), ("alt", &title)],
    );
    let (kind, body) = multipart(&fields, Some(&png()));
    let added = desk.post(&path, &kind, body).await;
    assert_eq!(added.status, 200, "{}", added.text);
    for path in [
        "desk",
        "desk/look",
        "desk/entry/intro",
        &*format!("desk/entry/{id}"),
        "desk/entry/s1",
        "desk/entry/%3Cscript%3E",
    ] {
        let shown = desk.get(path).await;
        let text = shown.text.to_lowercase();
        for bad in [
            "<script",
            "href=\"javascript:",
            "src=\"https://evil",
            "onerror=alert(2)>",
            "href=\"https://evil",
        ] {
            // In Matrix, a link shows its address, and nothing else is active.
            assert!(!text.contains(bad), "{path} has {bad}: {text}");
        }
    }
    let link = form.text.clone();
    let (path, fields, _) = filled(
        &link,
        "",
        &[],
        &[("title", "x"), ("link", "javascript:alert(1)")],
    );
    let (kind, body) = multipart(&fields, None);
    assert_eq!(desk.post(&path, &kind, body).await.status, 422);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_simultaneous_edits_one_asks_and_no_word_is_lost() {
    let (house, pages) = house().await;
    let (one, other) = (
        Browser::enter(&house, &pages, &ed()).await,
        Browser::enter(&house, &pages, &flo()).await,
    );
    for round in 0..8 {
        let (begun, late) = (
            one.get("desk/entry/intro").await,
            other.get("desk/entry/intro").await,
        );
        let (mine, theirs) = (format!("Of one, {round}."), format!("Of other, {round}."));
        let (fill_one, fill_other) = ([("text", &*mine)], [("text", &*theirs)]);
        let (first, second) = tokio::join!(
            one.press(&begun, "write", &[], &fill_one),
            other.press(&late, "write", &[], &fill_other)
        );
        let refused = match (first.status.as_u16(), second.status.as_u16()) {
            (200, 409) => second,
            (409, 200) => first,
            both => panic!("{both:?}"),
        };
        assert!(
            refused.text.contains(&mine) && refused.text.contains(&theirs),
            "{}",
            refused.text
        );
    }
    assert_eq!(house.rows("edits WHERE kind = 'intro'").await, 8);
}

/// An editor at the desk, in a browser of their own.
async fn at_the_desk(house: &House, pages: &PageCalls, browser: &Chromium, by: &Requester) -> Tab {
    let (tab, path) = (browser.tab(), link(house, by).await);
    tab.open(&format!("{}{path}", pages.url));
    tab.press("main form button");
    assert!(tab.text().contains("Last edits"), "{}", tab.text());
    tab
}

#[tokio::test(flavor = "multi_thread")]
async fn real_browsers_of_two_editors_lose_no_word() {
    const SAVE: &str = "button[value=write]";
    let (house, pages) = house().await;
    let browser = Chromium::start();
    let one = at_the_desk(&house, &pages, &browser, &ed()).await;
    let other = at_the_desk(&house, &pages, &browser, &flo()).await;
    let entry = one.value("document.querySelector('div.entry').id");
    let entry = entry.as_str().expect("an id");
    for (id, field) in [("intro", "#text-intro"), (entry, "#text-note")] {
        let page = format!("{}desk/entry/{id}", pages.url);
        let form = format!("form:has({field}) {SAVE}");
        one.open(&page);
        other.open(&page);
        let mine = format!("Ed says so of {id}:\n\n- naïve\n- \"quoted\" & <b>bold</b> 🐝");
        let theirs = format!("Flo says of {id}:\n\n> a quotation\n\nand ends here.");
        one.write(field, &mine);
        other.write(field, &theirs);
        one.press(&form);
        assert!(one.text().contains("Saved."), "{}", one.text());
        // The second one sees both texts, and their own is in the field.
        other.press(&form);
        let seen = other.text();
        assert!(seen.contains("Somebody else wrote it meanwhile"), "{seen}");
        assert!(seen.contains("333333 on discord"), "{seen}");
        assert_eq!(other.field("#present"), mine);
        assert_eq!(other.field(field), theirs);
        // Nothing of the second one is saved yet.
        one.open(&page);
        assert_eq!(one.field(field), mine);
        // Meanwhile the first one goes on, so the second one's merge is late again.
        let more = format!("{mine}\n\nAnd more.");
        one.write(field, &more);
        one.press(&form);
        other.press("button[value=preview].both");
        let both = format!("{mine}\n\n{theirs}");
        assert_eq!(other.field(field), both);
        other.press(SAVE);
        assert!(other.text().contains("Somebody else wrote it meanwhile"));
        assert_eq!((other.field("#present"), other.field(field)), (more, both));
        other.press(SAVE);
        assert!(other.text().contains("Saved."), "{}", other.text());
        one.open(&page);
        let last = one.field(field);
        assert!(last.contains(&mine) && last.contains(&theirs), "{last}");
    }
    assert_eq!(house.rows("edits").await, 6);
}
