//! Markdown is read and written again.

use super::*;

#[test]
fn a_little_markdown_is_kept_and_the_rest_is_text() {
    #[rustfmt::skip]
    let table = [
        ("Hello `bpf_foo()`, *see* [it](https://a.example/x_y).", "Hello `bpf_foo()`, **see** [it](https://a.example/x_y)."),
        ("one\n\ntwo\nthree", "one\n\ntwo\\\nthree"),
        ("- a\n- b\n\n> quoted", "- a\n- b\n\n> quoted"),
        ("- a\n  more\n  - b\n    - c\n- d", "- a\\\n  more\n    - b\n        - c\n- d"),
        ("3. a\n4. b\n   1. c", "3. a\n4. b\n    1. c"),
        ("- a\n\n  more\n- b", "- a\\\n  more\n- b"),
        ("> one\n> two\n>\n> - three\n> - four\n\nfive", "> one\\\n> two\n>\n> - three\n> - four\n\nfive"),
        ("a\n\\- b\n1\\. c\n\\> d\n\\=\\=", "a\\\n\\- b\\\n1\\. c\\\n\\> d\\\n\\=="),
        ("```c\nint a;\n\n  b();\n```", "```\nint a;\n\n  b();\n```"),
        ("````\n```\n````", "````\n```\n````"),
        ("- - a", "- a"),
        ("&#32;&#32;&#32;&#32;- a", "\\- a"),
        ("# Title\ntext", "**Title**\n\ntext"),
        ("<script>alert(1)</script>", "\\<script>alert(1)\\</script>"),
        ("a <b onclick=x>bold</b>", "a \\<b onclick=x>bold\\</b>"),
        ("[x](javascript:alert(1))", "x"),
        ("![alt](https://a.example/i.png)", "alt"),
        ("<https://a.example/>", "[https://a.example/](https://a.example/)"),
        ("\\![x](https://a.example/)", "\\![x](https://a.example/)"),
        ("a*.b*c", "a\\*.b\\*c"),
        ("*a.*![b](x)", "a.b"),
        ("", ""),
        ("\u{202e}left", "left"),
    ];
    for (written, right) in table {
        let out = to_markdown(&read(written));
        assert_eq!(out, right, "{written}");
        assert_eq!(to_markdown(&read(&out)), out, "{written}: a second time");
    }
}

#[test]
fn plain_text_shows_where_links_lead() {
    let blocks = read("See [this](https://a.example/).\nAnd\n\n- `x`\n  y\n  1. z\n\n> q\n> r");
    assert_eq!(
        to_text(&blocks),
        "See this (https://a.example/).\nAnd\n- x\n  y\n  1. z\n> q\n> r"
    );
}

proptest::proptest! {
    /// Whatever is written, reading our own Markdown again gives the same blocks.
    #[test]
    fn our_own_markdown_is_read_as_it_was_meant(
        pieces in proptest::collection::vec(
            proptest::sample::select(vec![
                "a", "b c", " ", "\n", "\n\n", "- ", "  - ", "1. ", "> ", ">", "*", "**", "`", "```", "\\", "#", "_", "<b>",
                "[x](https://a.example/)", "![y](z)", "&amp;", "&#32;", "    ", "~~~", "|", "+ ", "= ", "---", ".", ")", "!", "é",
            ]),
            0..24,
        )
    ) {
        let blocks = read(&pieces.concat());
        let written = to_markdown(&blocks);
        let again = read(&written);
        proptest::prop_assert_eq!(to_text(&again), to_text(&blocks), "{:?} became {:?}", pieces.concat(), written);
    }
}
