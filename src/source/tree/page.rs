//! Reads a tree's answers: an entry of its Atom, a page of cgit's log.

use html5ever::Attribute;

use crate::item::{CommitHash, Detail, Item, ItemData, Person, prose};
use crate::source::{html, wire};

/// The most rows that are read of one page of the log; cgit shows fifty by default.
const ROWS_MAX: usize = 5_000;
/// The most cells that are read of one row.
const CELLS_MAX: usize = 12;
/// The most text of one cell, in bytes: more than an item keeps.
const CELL_BYTES_MAX: usize = 2 * prose::TEXT_BYTES_MAX;

/// The end of a long subject in cgit's log. The rest of the subject is the first paragraph of the message.
const WRAPPED: &str = " ↵";

/// A commit from an entry of cgit's or GitHub's Atom. The link and the id contain the hash.
pub(super) fn commit(entry: wire::AtomEntry) -> Result<(CommitHash, Item), String> {
    let hash = last_word(&entry.link)
        .or_else(|| last_word(&entry.id))
        .ok_or_else(|| {
            format!(
                "an entry names no commit: {}",
                prose::shorten(&wire::one_line(&entry.title), 120)
            )
        })?;
    // GitHub's content is the whole message; its title is the first line, cut.
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
        what: ItemData::Commit { hash: hash.clone() },
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
    /// Whether the page has its end. A server that dies while it writes leaves a page without one.
    pub(super) is_whole: bool,
}

/// Reads a page of cgit's log (`showmsg=1`); `None` if it is no such page.
pub(super) fn log_rows(page: &str) -> Option<LogRows> {
    let mut log = LogParser::default();
    html::read(page, &mut log);
    log.end_row();
    let is_table_closed = log.table? == 0;
    Some(LogRows {
        is_whole: is_table_closed && (log.has_pager || log.is_closed),
        commits: log.commits,
        faults: log.faults,
        has_more: log.has_more,
    })
}

/// A page of the log, while it is read.
#[derive(Default)]
struct LogParser {
    /// Whether cgit's own part of the page has begun (before it comes the site's header).
    is_cgit: bool,
    /// How many tables are open, counted from the list of commits; `None` before it, 0 after it.
    table: Option<usize>,
    row: Vec<LogCell>,
    rows: usize,
    /// The next message row belongs to the last commit.
    awaits_message: bool,
    in_cell: bool,
    in_link: bool,
    /// Inside the list of pages; the text of the link there that is open.
    in_pager: bool,
    page_link: Option<String>,
    commits: Vec<(CommitHash, Item)>,
    faults: Vec<String>,
    has_more: bool,
    /// Whether the end of the list of pages was read, and the end of the document.
    has_pager: bool,
    is_closed: bool,
}

#[derive(Default)]
struct LogCell {
    is_message: bool,
    text: String,
    /// The first link, and its text.
    link: Option<String>,
    link_text: String,
    /// The first `title` attribute: a date.
    title: Option<String>,
}

fn has_class(attributes: &[Attribute], class: &str) -> bool {
    html::value(attributes, "class")
        .is_some_and(|classes| classes.split_ascii_whitespace().any(|one| one == class))
}

impl html::HtmlHandler for LogParser {
    fn open(&mut self, name: &str, attributes: &[Attribute]) {
        self.is_cgit |= html::value(attributes, "id") == Some("cgit");
        match (name, &mut self.table) {
            ("ul", _) => self.in_pager = has_class(attributes, "pager"),
            ("a", _) if self.in_pager => self.page_link = Some(String::new()),
            ("table", None) if self.is_cgit && has_class(attributes, "list") => {
                self.table = Some(1);
            }
            ("table", Some(open)) if *open > 0 => *open += 1,
            (_, None | Some(0)) => {}
            ("tr", _) => self.end_row(),
            ("td", _) => {
                (self.in_cell, self.in_link) = (self.row.len() < CELLS_MAX, false);
                if self.in_cell {
                    self.row.push(LogCell {
                        is_message: has_class(attributes, "logmsg"),
                        ..LogCell::default()
                    });
                }
            }
            ("span" | "a", _) if self.in_cell => self.open_in_cell(name, attributes),
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        match (name, &mut self.table) {
            ("ul", _) => {
                self.has_pager |= self.in_pager;
                self.in_pager = false;
            }
            ("html", _) => self.is_closed = true,
            ("a", _) => {
                self.in_link = false;
                let link = self.page_link.take();
                self.has_more |= link.is_some_and(|text| text.contains("next"));
            }
            ("td", _) => (self.in_cell, self.in_link) = (false, false),
            ("tr", _) => self.end_row(),
            ("table", Some(open)) if *open > 0 => {
                *open -= 1;
                if *open == 0 {
                    self.end_row();
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(link) = &mut self.page_link
            && link.len() < CELL_BYTES_MAX
        {
            link.push_str(text);
        }
        let Some(cell) = self.row.last_mut().filter(|_| self.in_cell) else {
            return;
        };
        if cell.text.len() < CELL_BYTES_MAX {
            cell.text.push_str(text);
            if self.in_link {
                cell.link_text.push_str(text);
            }
        }
    }
}

impl LogParser {
    fn open_in_cell(&mut self, name: &str, attributes: &[Attribute]) {
        let Some(cell) = self.row.last_mut() else {
            return;
        };
        if name == "a" {
            let link = html::value(attributes, "href").filter(|_| cell.link.is_none());
            self.in_link = link.is_some();
            cell.link = cell.link.take().or(link.map(str::to_owned));
        } else if cell.title.is_none() {
            cell.title = html::value(attributes, "title").map(str::to_owned);
        }
    }

    /// Reads the finished row: a commit, a commit's message, or something else.
    fn end_row(&mut self) {
        (self.in_cell, self.in_link) = (false, false);
        let mut row = std::mem::take(&mut self.row);
        if row.is_empty() || self.rows >= ROWS_MAX {
            return;
        }
        self.rows += 1;
        if let Some(message) = row.iter().find(|cell| cell.is_message) {
            let commit = self.commits.last_mut().filter(|_| self.awaits_message);
            if let Some((_, item)) = commit {
                set_message(item, &message.text);
            }
            return;
        }
        self.awaits_message = false;
        let [age, subject, author, ..] = &mut row[..] else {
            return;
        };
        let Some(link) = subject.link.take() else {
            return;
        };
        let Some(hash) = last_word(&link) else {
            self.faults
                .push("a row of the log names no commit".to_owned());
            return;
        };
        let item = Item {
            what: ItemData::Commit { hash: hash.clone() },
            title: wire::one_line(&subject.link_text),
            author: Person {
                name: wire::one_line(&author.text),
                email: String::new(),
            },
            url: None,
            at: age.title.as_deref().and_then(wire::date),
            written_at: None,
            text: String::new(),
            headers: Vec::new(),
            detail: Detail::Brief,
        };
        self.commits.push((hash, item));
        self.awaits_message = true;
    }
}

/// Sets a commit's message, which begins with the rest of a long subject.
fn set_message(item: &mut Item, message: &str) {
    let text = match item.title.strip_suffix(WRAPPED) {
        None => message,
        Some(begun) => {
            let (rest, text) = message.split_once("\n\n").unwrap_or((message, ""));
            item.title = wire::one_line(&format!("{begun} {rest}"));
            text
        }
    };
    item.text = prose::without_diffs(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(hash: &str, subject: &str, message: &str) -> String {
        format!(
            "<tr><td><span title='2026-07-30 11:20:16 -0700'>3 days</span></td><td><a href='/c/?id={hash}'>{subject}</a>\
             <span class='decoration'><a href='/t'>tag</a></span></td><td>A. Author</td></tr>\
             <tr class='nohover'><td/><td colspan='3' class='logmsg'>{message}</td></tr>"
        )
    }

    #[test]
    fn rows_are_commits_with_their_messages() {
        let (one, two) = ("a".repeat(40), "b".repeat(40));
        let rows = [
            row(&one, "bpf: &lt;one&gt;", "It is &amp; was.\n\nMore."),
            row(&two, "bpf: A long ↵", "subject\n\nText."),
            row("none", "x", "y"),
        ]
        .concat();
        let page = format!(
            "<table class='list'><tr><td>menu</td></tr></table><div id='cgit'><table class='list nowrap'><tr><th>Age</th></tr>\
             {rows}</table><ul class='pager'><li><a href='?ofs=50'>[next]</a></li></ul></div>"
        );
        let log = log_rows(&page).expect("it is a log");
        let shown: Vec<(&str, &str, &str, &str)> = log
            .commits
            .iter()
            .map(|(hash, item)| (hash.as_str(), &*item.title, &*item.text, &*item.author.name))
            .collect();
        assert_eq!(
            shown,
            [
                (&*one, "bpf: <one>", "It is & was.\n\nMore.", "A. Author"),
                (&*two, "bpf: A long subject", "Text.", "A. Author"),
            ]
        );
        assert_eq!(log.commits[0].1.at, wire::date("2026-07-30T18:20:16Z"));
        assert!(log.has_more && log.is_whole);
        for (end, is_whole) in [
            ("</table>", false),
            ("</table><ul class='pager'></ul>", true),
            ("</table></body></html>", true),
            ("</html>", false),
        ] {
            let start = page.split("</table><ul").next().expect("a start");
            let log = log_rows(&format!("{start}{end}")).expect("it is a log");
            assert_eq!(log.is_whole, is_whole, "{end}");
        }
        assert_eq!(log.faults.len(), 1);
        assert!(log_rows("<p>no log</p>").is_none());
        assert!(log_rows("<table class='list'></table>").is_none());
    }
}
