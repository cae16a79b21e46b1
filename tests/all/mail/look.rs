//! The form of a mail: its headers as foreign parsers read them, its whole text part, and no additions by strangers.

use std::io::Write as _;
use std::process::{Command, Stdio};

use bpfnews::channel::mail::LetterWriter as _;
use bpfnews::post::story::{Content, Digest, Line, Tone};

use super::sink::{Sink, TakenMail};
use super::world::MailWorld;

/// Reads a mail with Python's strict policy, which reports the defects of every header.
const CHECKER: &str = r#"
import email, email.policy, json, sys
mail = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default.clone(raise_on_defect=True))
parts = list(mail.walk())
print(json.dumps({
    "names": [name for name in mail.keys()],
    "defects": [str(defect) for part in parts for defect in part.defects]
               + [str(defect) for name in mail.keys() for defect in mail[name].defects],
    "from": [[a.display_name, a.addr_spec] for a in mail["From"].addresses],
    "to": [a.addr_spec for a in mail["To"].addresses],
    "subject": str(mail["Subject"]),
    "date": mail["Date"].datetime.isoformat(),
    "kinds": [part.get_content_type() for part in parts],
    "charsets": [part.get_content_charset() for part in parts[1:]],
    "longest": max(len(line) for line in mail.as_bytes().split(b"\n")),
}))
"#;

fn checked(mail: &TakenMail) -> serde_json::Value {
    let mut child = Command::new("python3")
        .args(["-c", CHECKER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python 3 is installed");
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(&mail.bytes).expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&mail.bytes)
    );
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[tokio::test]
async fn headers_are_whole_by_a_foreign_parser() {
    let world = MailWorld::new(Sink::start().await).await;
    world.subscribe(["reader@example.org".to_owned()]).await;
    world.publish(7).await;
    assert_eq!(world.send().await, 1);
    let mail = world.sink.taken().pop().expect("a mail");
    let read = checked(&mail);
    assert_eq!(read["defects"], serde_json::json!([]));
    assert_eq!(
        read["from"],
        serde_json::json!([["BPF \u{fc}pdates, weekly", "news@bpf.example"]])
    );
    assert_eq!(read["to"], serde_json::json!(["reader@example.org"]));
    assert_eq!(read["subject"], "BPF updates 07, 2 March 2025");
    assert_eq!(
        read["kinds"],
        serde_json::json!(["multipart/alternative", "text/plain", "text/html"])
    );
    assert_eq!(read["charsets"], serde_json::json!(["utf-8", "utf-8"]));
    assert!(
        read["longest"]
            .as_u64()
            .is_some_and(|longest| longest <= 200),
        "{read}"
    );
    for name in [
        "Message-ID",
        "Date",
        "List-Id",
        "List-Unsubscribe",
        "List-Unsubscribe-Post",
        "Precedence",
        "Auto-Submitted",
    ] {
        let many = read["names"].as_array().expect("names").iter();
        assert_eq!(
            many.filter(|found| **found == name).count(),
            1,
            "{name}: {read}"
        );
    }
    assert_eq!(
        mail.header("List-Id").as_deref(),
        Some("BPF updates <bpfnews.bpf.example>")
    );
    let id = mail.header("Message-ID").expect("an id");
    assert!(id.starts_with('<') && id.ends_with("@bpf.example>"), "{id}");
    assert!(
        mail.from.starts_with("bounces+") && mail.from.ends_with("@bpf.example"),
        "{}",
        mail.from
    );
}

#[tokio::test]
async fn the_parts_read_well_and_load_nothing() {
    let world = MailWorld::new(Sink::start().await).await;
    world.subscribe(["reader@example.org".to_owned()]).await;
    world.publish(7).await;
    world.send().await;
    let mail = world.sink.taken().pop().expect("a mail");
    let (text, html) = mail.parts();
    let text = text.replace("\r\n", "\n");
    for line in text.lines().filter(|line| !line.contains("http")) {
        assert!(line.chars().count() <= 72, "{line}");
    }
    for wrong in [
        "<img", "<script", "<table", "<link", "url(", "@import", "src=", "href=\"/",
    ] {
        assert!(!html.contains(wrong), "{wrong}");
    }
    assert!(
        html.contains("Count &lt;everything&gt; &amp; &quot;more&quot;</a>"),
        "{html}"
    );
    assert!(html.contains("prefers-color-scheme: dark") && html.contains("name=\"color-scheme\""));
    assert!(
        mail.bytes.len() < 100_000,
        "mail programs cut longer ones: {}",
        mail.bytes.len()
    );
    let patches = text
        .split("Patches\n-------\n")
        .nth(1)
        .expect("the patches");
    let patch = "* A. Author, [PATCH bpf-next 0/2] Let maps grow\n  https://lore.example/bpf/2/\n";
    assert_eq!(patches.matches(patch).count(), 60, "{patches}");
    assert!(
        patches.contains("10 more patches are on the page."),
        "{patches}"
    );
    let token = text.rsplit("/mail/leave/").next().expect("a token").trim();
    let shown = text
        .replace(token, "TOKEN")
        .replace(&world.url, "http://pages.example/");
    insta::assert_snapshot!(shown.replacen(&patch.repeat(58), "…\n", 1));
}

#[tokio::test]
async fn strangers_add_no_header_and_no_markup() {
    let world = MailWorld::new(Sink::start().await).await;
    world.subscribe(["reader@example.org".to_owned()]).await;
    let id = world
        .row("reader@example.org")
        .await
        .expect("a row")
        .id
        .to_string();
    let hostile = "bpf: x\r\nBcc: evil@example.org\r\n\r\n<script>alert(1)</script>\u{202e}\u{0}\n.\nQUIT \u{1f41d}";
    let line = |title: &str| Line {
        what: title.to_owned(),
        title: title.to_owned(),
        author: title.to_owned(),
        summary: title.to_owned(),
        link: Some("https://lore.example/\"onclick=\"x".to_owned()),
        tone: Tone::New,
        mark: "m".to_owned(),
    };
    for content in [
        Content::Line(line(hostile)),
        Content::Digest(Digest {
            title: hostile.repeat(20),
            lines: vec![line(hostile)],
            mark: hostile.to_owned(),
        }),
        Content::Notice {
            title: hostile.to_owned(),
            text: hostile.to_owned(),
            mark: "n".to_owned(),
        },
    ] {
        let letter = world.desk.write(&id, &content).await.expect("a mail");
        let mail = TakenMail {
            from: letter.return_path,
            to: letter.to,
            bytes: letter.bytes,
        };
        let read = checked(&mail);
        assert_eq!(read["defects"], serde_json::json!([]), "{read}");
        assert_eq!(mail.header("Bcc"), None);
        assert!(
            read["longest"]
                .as_u64()
                .is_some_and(|longest| longest <= 998),
            "{read}"
        );
        assert!(
            read["subject"]
                .as_str()
                .is_some_and(|subject| subject.contains('\u{1f41d}')),
            "{read}"
        );
        let (_, html) = mail.parts();
        assert!(
            !html.contains("<script>alert") && !html.contains("\"onclick=\""),
            "{html}"
        );
    }
}
