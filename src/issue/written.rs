//! The text of editors as HTML.

use maud::{Markup, html};

use super::prose::{Block, BlockKind, Span, read};

/// Renders Markdown that an editor wrote.
pub fn written(markdown: &str) -> Markup {
    let all = read(markdown);
    let parts = all.chunk_by(|a, b| a.is_quoted == b.is_quoted);
    html! {
        @for part in parts {
            @if part.first().is_some_and(|block| block.is_quoted) { blockquote { (blocks(part)) } }
            @else { (blocks(part)) }
        }
    }
}

fn depth(block: &Block) -> Option<usize> {
    match block.kind {
        BlockKind::Item { depth, .. } => Some(depth),
        BlockKind::Paragraph | BlockKind::Code => None,
    }
}

fn number(block: &Block) -> Option<u64> {
    match block.kind {
        BlockKind::Item { number, .. } => number,
        BlockKind::Paragraph | BlockKind::Code => None,
    }
}

fn blocks(all: &[Block]) -> Markup {
    html! {
        @for run in all.chunk_by(|a, b| depth(a).is_some() && depth(b).is_some()) {
            @match run {
                [block, ..] if depth(block).is_some() => { (lists(run, 0)) }
                run => {
                    @for block in run {
                        @if block.kind == BlockKind::Code { pre { (spanned(&block.spans)) } }
                        @else { p { (spanned(&block.spans)) } }
                    }
                }
            }
        }
    }
}

/// Items of lists at this depth, each followed by the deeper ones that are in it. A list that counts and one that does not are
/// two lists.
fn lists(run: &[Block], at: usize) -> Markup {
    let is_inside = |block: &Block| depth(block).is_some_and(|depth| depth > at);
    let items: Vec<&[Block]> = run.chunk_by(|_, next| is_inside(next)).collect();
    let is_counted = |item: &&[Block]| item.first().and_then(number).is_some();
    html! {
        @for list in items.chunk_by(|a, b| is_counted(a) == is_counted(b)) {
            @match list.first().and_then(|item| item.first()).and_then(number) {
                Some(first) => { ol start=(first) { @for item in list { (list_item(item, at)) } } }
                None => { ul { @for item in list { (list_item(item, at)) } } }
            }
        }
    }
}

fn list_item(item: &[Block], at: usize) -> Markup {
    html! {
        @if let Some((first, inside)) = item.split_first() {
            li { (spanned(&first.spans)) @if !inside.is_empty() { (lists(inside, at + 1)) } }
        }
    }
}

fn spanned(spans: &[Span]) -> Markup {
    html! {
        @for span in spans {
            @match span {
                Span::Text(text) => { (text) }
                Span::Strong(text) => { strong { (text) } }
                Span::Code(text) => { code { (text) } }
                Span::Link { text, link } => { (linked(text, Some(link))) }
                Span::Break => { br; }
            }
        }
    }
}

pub fn linked(text: &str, link: Option<&str>) -> Markup {
    html! {
        @match link {
            Some(link) => { a href=(link) { (text) } }
            None => { (text) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_lists_and_quotations_survive() {
        #[rustfmt::skip]
        let table = [
            ("one\ntwo", "<p>one<br>two</p>"),
            ("- a\n  - b\n  - c\n- d", "<ul><li>a<ul><li>b</li><li>c</li></ul></li><li>d</li></ul>"),
            ("2. a\n3. b\n\n- c", "<ol start=\"2\"><li>a</li><li>b</li></ol><ul><li>c</li></ul>"),
            ("> a\n> b\n>\n> - c\n\nd", "<blockquote><p>a<br>b</p><ul><li>c</li></ul></blockquote><p>d</p>"),
            ("```\n<b>\n```", "<pre><code>&lt;b&gt;</code></pre>"),
            ("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>"),
        ];
        for (text, right) in table {
            assert_eq!(written(text).into_string(), right, "{text}");
        }
    }
}
