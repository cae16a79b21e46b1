//! Writes a page that shows every kind of post as a person sees it: on a terminal, in Discord, in Matrix.
//!
//!     cargo run --example posts     # writes target/review/posts.html
//!     chromium --headless --no-sandbox --window-size=1800,12000 --screenshot=target/review/posts.png target/review/posts.html
//!
//! The page shows the real messages: Discord's column is made from the JSON of the request, Matrix' from the event's HTML, and
//! the terminal's from its text with colours.

mod cases;
mod discord;

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::{Context as _, bail};
use bpfnews::channel::{discord as discord_channel, matrix, terminal};

use discord::escape;

const PAGE: &str = "target/review/posts.html";
/// Columns of the terminal.
const COLUMNS: usize = 72;
/// The tags that every Matrix client shows.
const TAGS: [&str; 10] = [
    "p", "strong", "em", "a", "br", "ul", "li", "code", "del", "small",
];

fn main() -> anyhow::Result<()> {
    let mut page = format!(
        "<!doctype html><meta charset=\"utf-8\"><title>bpfnews: posts</title><style>{STYLE}</style>\n"
    );
    page.push_str(
        "<div class=\"row head\"><div>terminal</div><div>Discord</div><div>Matrix</div></div>\n",
    );
    let cases = cases::cases();
    for (name, content) in &cases {
        let body = discord_channel::render::body(content);
        let event = matrix::render::event(content);
        let html = event["formatted_body"]
            .as_str()
            .context("an event without HTML")?;
        check_tags(name, html)?;
        let _ = writeln!(
            page,
            "<h2>{name}</h2><div class=\"row\"><pre class=\"terminal\">{}</pre><div class=\"discord\">{}</div>\
             <div class=\"matrix\"><div class=\"m-name\">bpfnews</div><div class=\"m-notice\">{html}</div></div></div>",
            coloured(&terminal::render(content, COLUMNS)),
            discord::message(&body),
        );
    }
    std::fs::create_dir_all("target/review")?;
    std::fs::write(PAGE, page).with_context(|| format!("writing {PAGE}"))?;
    writeln!(
        anstream::stdout(),
        "{} posts, to be looked at: {PAGE}",
        cases.len()
    )?;
    Ok(())
}

/// Fails on a tag that some Matrix client would leave out.
fn check_tags(name: &str, html: &str) -> anyhow::Result<()> {
    for tag in html.split('<').skip(1) {
        let tag = tag.trim_start_matches('/');
        let end = tag
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(tag.len());
        if !TAGS.contains(&&tag[..end]) {
            bail!("{name}: the tag <{}> is not for every client", &tag[..end]);
        }
    }
    Ok(())
}

/// A terminal's text as HTML: the few styles that posts use.
fn coloured(text: &str) -> String {
    let mut html = String::new();
    let mut open = 0;
    let mut parts = text.split("\u{1b}[");
    html.push_str(&escape(parts.next().unwrap_or_default()));
    for part in parts {
        let (codes, rest) = part.split_once('m').unwrap_or((part, ""));
        if codes == "0" {
            html.push_str(&"</span>".repeat(std::mem::take(&mut open)));
        } else {
            let classes: Vec<String> = codes.split(';').map(|code| format!("t{code}")).collect();
            let _ = write!(html, "<span class=\"{}\">", classes.join(" "));
            open += 1;
        }
        html.push_str(&escape(rest));
    }
    html.push_str(&"</span>".repeat(open));
    html
}

const STYLE: &str = "
body { background: #2b2d31; color: #dbdee1; font: 15px/1.375 'Noto Sans', sans-serif; margin: 24px; width: 1750px }
h2 { font-size: 14px; color: #949ba4; font-weight: 600; margin: 28px 0 6px; text-transform: none }
.row { display: grid; grid-template-columns: 640px 560px 500px; gap: 20px; align-items: start }
.head { font-weight: 700; font-size: 18px }
.terminal { background: #16181d; color: #d0d0d0; padding: 10px 12px; margin: 0; font: 13px/1.35 'Noto Sans Mono', monospace; border-radius: 4px }
.t1 { font-weight: 700; color: #fff } .t2 { opacity: .62 }
.t31 { color: #e06c75 } .t32 { color: #98c379 } .t33 { color: #e5c07b } .t34 { color: #61afef } .t35 { color: #c678dd }
.t36 { color: #56b6c2 } .t37 { color: #d0d0d0 } .t90 { color: #7f848e } .t95 { color: #e6a0ff }
.discord { background: #313338; padding: 10px 12px; border-radius: 4px; font-family: 'Noto Sans', sans-serif }
.d-message { display: flex; gap: 14px } .d-face { flex: none; width: 40px; height: 40px; border-radius: 50%; background: #5865f2; color: #fff; text-align: center; line-height: 40px; font-weight: 700 }
.d-right { min-width: 0 } .d-name { color: #f2f3f5; font-weight: 500 } .d-app { background: #5865f2; color: #fff; font-size: 10px; border-radius: 3px; padding: 1px 4px; vertical-align: 2px } .d-time { color: #949ba4; font-size: 12px; font-weight: 400 }
.d-embed { background: #2b2d31; border-left: 4px solid; border-radius: 4px; padding: 8px 16px 14px 12px; margin-top: 4px; width: 432px; max-width: 432px; overflow-wrap: anywhere; font-size: 14px; line-height: 18px }
.d-author { font-weight: 600; margin-top: 8px; color: #f2f3f5 } .d-title { font-weight: 600; font-size: 16px; line-height: 22px; margin-top: 8px; color: #f2f3f5 }
.d-embed a { color: #00a8fc; text-decoration: none } .d-text { margin-top: 8px } .d-gap { height: 18px } .d-text li { margin-left: 18px } .d-text small { font-size: 12px; line-height: 16px; color: #949ba4; display: block }
.d-footer { margin-top: 8px; font-size: 12px; color: #b5bac1 } .d-field { margin-top: 8px } .d-mention { background: #3c4270; color: #c9cdfb; border-radius: 3px } blockquote { border-left: 4px solid #4e5058; margin: 0; padding-left: 8px }
h1, h3 { font-size: 20px }
.matrix { background: #15191e; padding: 10px 14px; border-radius: 4px; overflow-wrap: anywhere } .m-name { color: #0dbd8b; font-weight: 600; margin-bottom: 2px }
.m-notice { opacity: .86; font-size: 15px; line-height: 1.45 } .m-notice p { margin: 0 0 8px } .m-notice p:last-child { margin: 0 } .m-notice a { color: #5ba2f4 } .m-notice ul { margin: 0 0 8px; padding-left: 22px }
";
