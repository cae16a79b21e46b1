//! What a tree's server answers, read into commits: an entry of its Atom, a page of cgit's log.

use scraper::{ElementRef, Html, Selector};

use crate::item::{CommitHash, Detail, Item, Person, What, prose};
use crate::source::wire;

/// How cgit ends a long subject in its log; the rest of it stands before the message, as a paragraph.
const WRAPPED: &str = " ↵";

/// A commit from an entry of cgit's or GitHub's Atom. The hash stands in the link and in the id.
pub(super) fn commit(entry: wire::Entry) -> Result<(CommitHash, Item), String> {
    let hash = last_word(&entry.link)
        .or_else(|| last_word(&entry.id))
        .ok_or_else(|| {
            format!(
                "an entry names no commit: {}",
                prose::shorten(&wire::one_line(&entry.title), 120)
            )
        })?;
    // GitHub's content is the whole message, its title the first line of it, cut.
    let text = entry.text.trim();
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let shown = entry.title.trim_end_matches(['…', '.']);
    let repeats_title = !shown.is_empty() && first.starts_with(shown);
    let (title, text) = if repeats_title {
        (wire::one_line(first), rest)
    } else {
        (entry.title, text)
    };
    let item = Item {
        what: What::Commit { hash: hash.clone() },
        title,
        author: Person {
            name: entry.author,
            email: entry.email,
        },
        url: None,
        at: entry.updated.or(entry.published),
        written_at: entry.published,
        text: prose::without_diffs(text),
        headers: Vec::new(),
        detail: Detail::Entry,
    };
    Ok((hash, item))
}

pub(super) fn last_word(link: &str) -> Option<CommitHash> {
    CommitHash::parse(link.rsplit(['=', '/', ':']).next()?)
}

pub(super) struct LogRows {
    pub(super) commits: Vec<(CommitHash, Item)>,
    pub(super) faults: Vec<String>,
    pub(super) has_more: bool,
}

/// Reads a page of cgit's log (`showmsg=1`); `None` where it is no such page.
pub(super) fn log_rows(html: &str) -> Option<LogRows> {
    let select =
        |selector: &str| Selector::parse(selector).expect("a selector of ours is well-formed");
    let (row, cell, dated, linked) = (
        select("tr"),
        select("td"),
        select("span[title]"),
        select("a[href]"),
    );
    let document = Html::parse_document(html);
    let table = document.select(&select("#cgit table.list")).next()?;
    let has_more = document
        .select(&select("ul.pager a"))
        .any(|a| a.text().collect::<String>().contains("next"));
    let mut rows = LogRows {
        commits: Vec::new(),
        faults: Vec::new(),
        has_more,
    };
    for row in table.select(&row) {
        let cells: Vec<ElementRef<'_>> = row.select(&cell).collect();
        if let Some(message) = cells
            .iter()
            .find(|cell| cell.value().classes().any(|class| class == "logmsg"))
        {
            if let Some((_, item)) = rows.commits.last_mut() {
                let text = message.text().collect::<String>();
                let text = match item.title.strip_suffix(WRAPPED) {
                    None => text.as_str(),
                    Some(begun) => {
                        let (rest, text) = text.split_once("\n\n").unwrap_or((&text, ""));
                        item.title = wire::one_line(&format!("{begun} {rest}"));
                        text
                    }
                };
                item.text = prose::without_diffs(text);
            }
            continue;
        }
        let [age, subject, author, ..] = cells[..] else {
            continue;
        };
        let Some(link) = subject.select(&linked).next() else {
            continue;
        };
        let Some(hash) = link.attr("href").and_then(last_word) else {
            rows.faults
                .push("a row of the log names no commit".to_owned());
            continue;
        };
        let date = age
            .select(&dated)
            .next()
            .and_then(|span| wire::date(span.attr("title")?));
        let item = Item {
            what: What::Commit { hash: hash.clone() },
            title: wire::one_line(&link.text().collect::<String>()),
            author: Person {
                name: wire::one_line(&author.text().collect::<String>()),
                email: String::new(),
            },
            url: None,
            at: date,
            written_at: None,
            text: String::new(),
            headers: Vec::new(),
            detail: Detail::Brief,
        };
        rows.commits.push((hash, item));
    }
    Some(rows)
}
