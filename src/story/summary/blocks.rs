//! A text to the blocks of prose in it; everything that is no prose is left out here.

use super::headings;
use super::joints::{dedented, introduces_quote, is_finished, is_start, resumes};
use super::lines::{
    bullet, indent, is_address, is_closing, is_diffstat, is_field, is_git_speech, is_heading,
    is_marked_prose, is_numbered, is_quote, is_reference, is_rule, is_shortlog_author, is_trailer,
    without_greeting,
};
use super::machine::{is_command, is_log, is_machine, is_printed};
use super::{sentences, worth};

/// Prose indented further than this is code or output.
const INDENT_MAX: usize = 3;
/// The longest line, in characters, that is a heading where a list or a rule follows.
const HEADING_CHARS_MAX: usize = 72;

/// A paragraph, with the list that follows it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ProseBlock {
    /// Its lines, joined.
    pub(super) lead: String,
    /// The items of the list behind it, each joined.
    pub(super) items: Vec<String>,
    /// Its last sentence ends where something begins that is left out.
    pub(super) dangles: bool,
    /// It begins behind something that is left out.
    pub(super) resumes: bool,
    /// Another mail is quoted right below it.
    pub(super) quotes: bool,
}

/// The block that the next lines belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BlockState {
    Prose,
    /// A list with item marks at this column.
    List(usize),
    /// A changelog; whether a line of it was seen.
    Changelog(bool),
    /// Something that ends with the next empty line.
    Skipped,
    /// A trailer with indented further lines.
    Trailer,
}

struct BlockReader {
    blocks: Vec<ProseBlock>,
    paragraph: Vec<String>,
    within: BlockState,
    after_blank: bool,
    /// Lines that follow may belong to the last item of the list.
    item_open: bool,
    /// The last line was left out, and no empty line came since.
    left_out: bool,
    /// The last thing that was not empty was left out.
    interrupted: bool,
    /// The mail was closed; a name and an address may follow.
    closed: bool,
    /// Between two lines of three backticks.
    fenced: bool,
    /// A changelog stood above.
    changelog_seen: bool,
    /// Where the first mark of the changelog's list stands, and whether it counts.
    log_mark: Option<(usize, bool)>,
    /// The paragraph began right below a line that was left out.
    below: bool,
    /// The last paragraph announces a block.
    announced: bool,
    /// The last paragraph breaks off before a noun, which the indented block below holds.
    breaks_off: bool,
}

/// The blocks of a text, in its order.
pub(super) fn blocks(text: &str) -> Vec<ProseBlock> {
    let lines = dedented(text);
    let mut reader = BlockReader {
        blocks: Vec::new(),
        paragraph: Vec::new(),
        within: BlockState::Prose,
        after_blank: true,
        item_open: false,
        left_out: false,
        interrupted: false,
        closed: false,
        fenced: false,
        changelog_seen: false,
        log_mark: None,
        below: false,
        announced: false,
        breaks_off: false,
    };
    for (at, line) in lines.iter().enumerate() {
        let next = lines.get(at + 1).copied().unwrap_or_default();
        if reader.ends_at(line) {
            break;
        }
        reader.read(line, next, &lines[at + 1..]);
    }
    reader.flush(false);
    reader
        .blocks
        .retain(|block| !block.lead.is_empty() || !block.items.is_empty());
    reader.blocks
}

impl BlockReader {
    /// Whether the prose ends here: a signature, or `---` below a patch's message.
    fn ends_at(&self, line: &str) -> bool {
        let has_prose = !self.blocks.is_empty() || !self.paragraph.is_empty();
        let is_underline = self.paragraph.len() == 1
            && (self.paragraph[0].ends_with(':') || is_heading(&self.paragraph[0]));
        match line {
            "--" => has_prose,
            "---" => has_prose && !is_underline && !matches!(self.within, BlockState::Changelog(_)),
            _ => line.starts_with("* tag '") || line.starts_with("* branch '"),
        }
    }

    fn read(&mut self, line: &str, next: &str, rest: &[&str]) {
        if line.trim().is_empty() {
            self.blank();
            return;
        }
        let after_blank = std::mem::take(&mut self.after_blank);
        let indented = indent(line) > 0;
        let printed = is_command(line) || self.is_output(line, next);
        let within = self.within;
        match within {
            BlockState::Skipped if is_rule(line) => self.within = BlockState::Prose,
            BlockState::Skipped => return,
            BlockState::Trailer if indented => return,
            BlockState::Changelog(_) if self.is_changelog_still(line, after_blank, rest) => return,
            BlockState::Trailer | BlockState::Changelog(_) => self.within = BlockState::Prose,
            BlockState::Prose | BlockState::List(_) => {}
        }
        let is_fence = line.starts_with("```") || line == "'''";
        if is_fence || self.fenced {
            self.fenced ^= is_fence;
            self.leave_out();
        } else if self.changelog_seen && is_start(line) {
            // Some authors put all changelogs first; the text above them was no introduction.
            self.changelog_seen = false;
            self.paragraph.clear();
            self.blocks.clear();
            self.within = BlockState::Prose;
        } else if is_rule(line) {
            self.rule();
        } else if headings::is_header(line) {
            self.flush(false);
            self.within = BlockState::Changelog(!headings::is_bare_header(line));
            (self.changelog_seen, self.log_mark) = (true, None);
        } else if is_trailer(line) {
            self.flush(false);
            self.within = BlockState::Trailer;
        } else if is_shortlog_author(line) || is_closing(line) || self.is_gits(line) {
            self.flush(false);
            self.closed |= is_closing(line);
            self.within = BlockState::Skipped;
        } else if is_quote(line) || is_diffstat(line) || introduces_quote(line, rest) {
            self.flush(false);
            if let (true, Some(block)) = (!is_diffstat(line), self.blocks.last_mut()) {
                block.quotes = true;
            }
        } else if is_reference(line) && self.goes_on(line, next) {
            self.go_on(line, after_blank, next);
        } else if is_reference(line) || is_machine(line) || printed {
            let begins =
                self.paragraph.is_empty() && is_log(line) && self.within == BlockState::Prose;
            self.leave_out();
            if printed || (begins && after_blank) {
                // Text right below a command is its output, and text right below a log line is part of the log.
                self.within = BlockState::Skipped;
            }
        } else if let Some(item) = bullet(line) {
            self.item(indent(line), item);
        } else {
            self.prose(line, after_blank, next);
        }
    }

    /// A commit's hash may stand at the beginning of any line of a paragraph.
    fn is_gits(&self, line: &str) -> bool {
        is_git_speech(line) && (self.paragraph.is_empty() || !line.starts_with("commit "))
    }

    /// Program output, right below its announcement.
    fn is_output(&self, line: &str, next: &str) -> bool {
        let is_set_apart = self.breaks_off && self.paragraph.is_empty();
        let above = match (self.paragraph.last(), self.announced || is_set_apart) {
            (Some(last), _) => Some(last.as_str()).filter(|last| last.ends_with(':')),
            (None, true) => self.blocks.last().map(|block| block.lead.as_str()),
            (None, false) => None,
        };
        // An indented line that is no sentence: `Run it by:`, and the command.
        let is_typed = (indent(line) > 0 || is_set_apart)
            && next.is_empty()
            && !line.ends_with(['.', ',', ':', ';', '!', '?'])
            && line
                .trim_start()
                .starts_with(|c: char| c.is_ascii_lowercase());
        above.is_some_and(|above| is_typed || is_printed(line, above))
    }

    /// Whether an address or a mark is part of a sentence that is wrapped around it.
    fn goes_on(&self, line: &str, next: &str) -> bool {
        let ends = ['.', '!', '?'];
        let last = self.paragraph.last();
        let is_open = last.is_some_and(|last| !last.ends_with(ends));
        if is_address(line.trim()) {
            return is_open && next.starts_with(|c: char| c.is_ascii_lowercase());
        }
        is_marked_prose(line) && (is_open || self.paragraph.is_empty())
    }

    /// Takes such a line; an address is left out where the sentence stands without.
    fn go_on(&mut self, line: &str, after_blank: bool, next: &str) {
        let last = self
            .paragraph
            .last()
            .and_then(|last| last.split(' ').next_back());
        let is_needed = last.is_some_and(|last| last.ends_with(':') || sentences::needs_noun(last));
        let is_alone = is_address(line.trim()) && line.split_whitespace().nth(1).is_none();
        if !is_alone || is_needed {
            self.prose(line, after_blank, next);
        }
    }

    fn blank(&mut self) {
        self.after_blank = true;
        self.item_open = false;
        self.left_out = false;
        match self.within {
            BlockState::Prose | BlockState::Skipped | BlockState::Trailer => {
                self.flush(false);
                self.within = BlockState::Prose;
            }
            BlockState::List(_) | BlockState::Changelog(_) => {}
        }
    }

    /// Whether a changelog goes on: with items, indented lines, or the paragraph below its heading.
    fn is_changelog_still(&mut self, line: &str, after_blank: bool, rest: &[&str]) -> bool {
        if is_trailer(line) || is_shortlog_author(line) || is_closing(line) {
            return false;
        }
        let BlockState::Changelog(seen) = self.within else {
            return false;
        };
        if headings::is_header(line) {
            return false;
        }
        if is_rule(line) {
            return true;
        }
        let is_item = bullet(line).is_some();
        let is_other = match self.log_mark {
            Some((column, numbered)) => is_numbered(line) != numbered && indent(line) <= column,
            // The list had no marks; numbered lines after it belong to the whole.
            None => seen && is_numbered(line) && indent(line) == 0,
        };
        if after_blank && is_item && is_other {
            return false;
        }
        if is_item && self.log_mark.is_none() {
            self.log_mark = Some((indent(line), is_numbered(line)));
        }
        self.within = BlockState::Changelog(true);
        let announces = line.ends_with(':')
            && line.chars().count() <= HEADING_CHARS_MAX
            && rest
                .iter()
                .find(|line| !line.is_empty())
                .is_some_and(|line| bullet(line).is_some());
        let dashed = line.starts_with('-');
        !after_blank || indent(line) > 0 || bullet(line).is_some() || dashed || !seen || announces
    }

    /// A rule. A short single line above it was a heading.
    fn rule(&mut self) {
        let is_underline = self.paragraph.len() == 1 && {
            let line = &self.paragraph[0];
            line.chars().count() <= HEADING_CHARS_MAX && !line.ends_with('.')
        };
        if is_underline {
            self.paragraph.clear();
        }
        self.flush(false);
        self.within = BlockState::Prose;
    }

    fn item(&mut self, column: usize, item: &str) {
        if let BlockState::List(first) = self.within {
            if column > first + 1 {
                // A nested list holds details; its lines must not become part of the item above.
                self.item_open = false;
                return;
            }
        } else {
            self.flush(true);
            // A list belongs to its announcement.
            let announced = self
                .blocks
                .last()
                .is_some_and(|block| block.lead.ends_with(':') && block.items.is_empty());
            if !announced {
                self.blocks.push(ProseBlock::default());
            }
            self.within = BlockState::List(column);
        }
        self.announced = false;
        if let Some(block) = self.blocks.last_mut() {
            block.items.push(item.trim_end().to_owned());
            self.item_open = true;
        }
    }

    fn prose(&mut self, line: &str, after_blank: bool, next: &str) {
        if let BlockState::List(column) = self.within {
            if after_blank && indent(line) <= column {
                self.within = BlockState::Prose;
            } else {
                let item = self.blocks.last_mut().and_then(|b| b.items.last_mut());
                if let (Some(item), true) = (item, self.item_open) {
                    item.push(' ');
                    item.push_str(line.trim());
                }
                return;
            }
        }
        let line = if self.paragraph.is_empty() {
            without_greeting(line)
        } else {
            line
        };
        if line.trim().is_empty() {
            return;
        }
        let columns = indent(line);
        // The first line of a paragraph may be set in, as in a book.
        let opens = self.paragraph.is_empty()
            && columns <= 8
            && !next.is_empty()
            && indent(next) == 0
            && bullet(next).is_none();
        let is_code = if self.paragraph.is_empty() {
            columns > INDENT_MAX && !opens
        } else {
            columns > INDENT_MAX
        };
        if is_code {
            self.leave_out();
            return;
        }
        if self.paragraph.is_empty() {
            self.below = self.left_out;
        }
        self.paragraph.push(line.trim().to_owned());
    }

    /// Leaves out a line in the middle of prose.
    fn leave_out(&mut self) {
        self.flush(true);
        (self.announced, self.breaks_off) = (false, false);
        self.left_out = true;
        self.interrupted = true;
    }

    /// Ends the paragraph. `cut` says that something that is left out stands right below it.
    fn flush(&mut self, cut: bool) {
        let lines = std::mem::take(&mut self.paragraph);
        if let BlockState::List(_) = self.within {
            self.within = BlockState::Prose;
        }
        let below = std::mem::take(&mut self.below);
        let Some(first) = lines.first() else {
            if let (true, Some(block)) = (cut, self.blocks.last_mut()) {
                block.dangles |= !is_finished(&block.lead);
            }
            return;
        };
        if lines.len() == 1 && is_heading(first) && !first.ends_with(':') {
            return;
        }
        let is_signature = lines.iter().all(|line| line.split(' ').count() <= 4);
        if self.closed && is_signature {
            return;
        }
        if lines.len() > 1 && lines.iter().all(|line| is_field(line)) {
            return;
        }
        let lead = lines.join(" ");
        // Text that continues right below a machine's line is a machine's too.
        if below && !lead.starts_with(|c: char| c.is_uppercase() || "`\"'(".contains(c)) {
            self.interrupted = true;
            return;
        }
        self.announced = [":", " eg.", " e.g.", " i.e."]
            .iter()
            .any(|end| lead.ends_with(end));
        self.breaks_off = worth::breaks_off(&lead);
        let interrupted = std::mem::take(&mut self.interrupted);
        self.blocks.push(ProseBlock {
            dangles: cut && !is_finished(&lead),
            resumes: resumes(&lead, interrupted),
            lead,
            ..ProseBlock::default()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        blocks(text)
            .iter()
            .map(|block| {
                let dangles = if block.dangles { "…" } else { "" };
                let items: String = block
                    .items
                    .iter()
                    .map(|item| format!(" <{item}>"))
                    .collect();
                let resumes = if block.resumes { "…" } else { "" };
                format!("{resumes}{}{dangles}{items}", block.lead)
            })
            .collect::<Vec<_>>()
            .join(" | ")
    }

    #[test]
    fn only_prose_is_kept() {
        #[rustfmt::skip]
        let table = [
            ("wrapped lines are joined", "One line\nand another.\n\nThe next.", "One line and another. | The next."),
            ("what git log sets in is set out", "    A cat is\n    a cat.\n\n        code();", "A cat is a cat."),
            ("code goes", "It runs this one here\n\n    foo bar\n\nand ends there.", "It runs this one here… | …and ends there."),
            ("what follows a command was printed", "It prints the words here\n$ foo bar\nNo foo.\n\nIt is so.", "It prints the words here… | It is so."),
            ("an item is not its neighbour", "All that is done:\n- eat\n\n  or drink\n  as you like\n- sleep", "All that is done: <eat> <sleep>"),
            ("letters may begin late", "v2:\n====\n\nI made it blue.\n\nIt was hard.\n\n* TL;DR:\n--------\n\nA pen is red.", "A pen is red."),
            ("a list belongs to its lead", "We do two things here:\n\n- eat\n  well\n- sleep\n\nThat is all we do.", "We do two things here: <eat well> <sleep> | That is all we do."),
            ("nested items go", "Two things are done:\n- eat\n  - bread\n    of rye\n- sleep", "Two things are done: <eat> <sleep>"),
            ("headings go", "Why this is good\n================\n\nIt is good for you.\n\nHow\n\nLike this, for example.", "It is good for you. | Like this, for example."),
            ("frames go, their inside stays", "Ann says:\n\n====================\nA pen is red.\n====================\n\nLink: https://a.example", "Ann says: | A pen is red."),
            ("trailers go, with what is folded", "A pen is red.\n\nFixes: 012345678901 (\"a:\n  b\")\nCc: A <a@b.c>", "A pen is red."),
            ("below the line is no message", "A pen is red.\n---\nv2: blue\n\nNot so fast, my friend.", "A pen is red."),
            ("a changelog goes, prose behind it stays", "v2:\n - one\n - two\n\nv1:\n - none\n\nA pen is now very red.", "A pen is now very red."),
            ("a changelog in plain lines goes", "Changes in v2:\n\nWe made it blue\nand round.\n\nA pen is now very red.", "A pen is now very red."),
            ("shortlogs go", "A pen is red.\n\nAnn Author (2):\n  one\n  two\n\n a/b.c | 2 +-\n 1 file changed, 1 insertion(+)\n\n--\n2.1", "A pen is red."),
            ("mails close", "A pen is red.\n\nThanks,\nAnn\n\n[0] https://a.example/0", "A pen is red."),
            ("quotes go", "On Friday, A wrote:\n> A pen is blue.\n\nNo, it is red, as I said.", "No, it is red, as I said."),
            ("greetings go", "Hi all,\nA pen is red.", "A pen is red."),
            ("a first line may be set in", "    A pen is\nred.", "A pen is red."),
            ("fences and what they hold go", "A pen is red.\n```\npen is\n```\n\nAll pens are.", "A pen is red. | All pens are."),
            ("a name below the close is no prose", "A pen is red.\n\nThanks,\n\nAnn Author\nPens Inc.", "A pen is red."),
            ("what code cut goes on", "A pen can do this:\n\n    pen_put()\n\nputs it down.\n\nthis is all.", "A pen can do this: | …puts it down. | this is all."),
            ("a changelog ends where another list begins", "v2:\n- one\n- two\n\n1) Pens are kept\n   in a drawer.\n\n2) Caps are closed.", " <Pens are kept in a drawer.> <Caps are closed.>"),
            ("a changelog in words ends there too", "v2: paint it\n    red at once\n\n1) Pens are kept.\n\n2) Caps are closed.", " <Pens are kept.> <Caps are closed.>"),
            ("an address in a sentence goes", "A pen that was sold there\nhttps://a.example/1\nwas red all the time.", "A pen that was sold there was red all the time."),
            ("an address that is a noun stays", "A pen is shown at\nhttps://a.example/1\nfor all who ask.", "A pen is shown at https://a.example/1 for all who ask."),
            ("a mark may be a noun", "[1] added a red pen to\nthe drawer, and it leaks.\n\n[1] https://a.example/1", "[1] added a red pen to the drawer, and it leaks."),
            ("who is quoted is not told", "2026-01-02 03:04 UTC+0100 ~ Ann Author\n> A pen is blue.\n\nNo, it is red, as I said.", "No, it is red, as I said."),
            ("who is quoted is not told, by mail", "Ann Author <ann@a.example> says\n\n> A pen is blue.\n\nNo, it is red, as I said.", "No, it is red, as I said."),
            ("some quote with bars", "No, it is red, as I said.\n\n| A pen is blue.\n|\n| It was always so.", "No, it is red, as I said."),
            ("what goes on below a log was logged", "It fails as told here:\nmain.c:1:2: warning: the pen\nis not red. Should it be?\n\nMake it red.", "It fails as told here: | Make it red."),
            ("what a log begins is a log", "Warning: no pen in drawer\nPens were for the table\n\nMake it red.", "Make it red."),
            ("what a program printed goes", "The test stops with this error:\n\ncp: cannot copy a pen\n\nMake it red.", "The test stops with this error: | Make it red."),
            ("what is typed goes", "Pens are run by:\n\n  pen -c red\n\nignores the cap. It is so.\n\nMake it red.", "Pens are run by: | …ignores the cap. It is so. | Make it red."),
            ("what is typed in the middle of a sentence goes", "Pens are run all day long with\n\npen -c red\n\nignoring the cap.\n\nMake it red.", "Pens are run all day long with… | …ignoring the cap. | Make it red."),
            ("what somebody says stays", "Ann says:\n pens are copied without their caps.\n\nMake it red.", "Ann says: pens are copied without their caps. | Make it red."),
            ("a rule ends what was printed", "It fails in the end.\n----\n # pens: test\n # Pens 2\n----\nMake it red at once.", "It fails in the end. | Make it red at once."),
            ("fields go", "I met a bug in pens today.\n\nHardware: a pen of steel\nDriver: ink 2.1\n\nIt is red.", "I met a bug in pens today. | It is red."),
            ("a commit may be wrapped", "A pen is red since\ncommit 0123456789ab (\"pens: paint\") came to be.", "A pen is red since commit 0123456789ab (\"pens: paint\") came to be."),
            ("only the first start counts", "v2:\n- one\n\nSummary\n-------\nHi, all,\nA pen is red.\n\nOverview\n--------\nIt has a cap of steel.", "A pen is red. | It has a cap of steel."),
            ("nothing is nothing", "", ""),
        ];
        for (name, text, wanted) in table {
            assert_eq!(shown(text), wanted, "{name}");
        }
    }
}
