//! Detects HTML pages by their first bytes: walls lie about their Content-Type, and some honest feeds are sent as text/html.

use encoding_rs::{Encoding, UTF_8};

use super::words;

/// The most bytes of a body that are examined: comments and declarations may precede the root.
const LOOK_BYTES: usize = 64 * 1024;

/// The most characters of a page's title.
const TITLE_CHARS_MAX: usize = 80;

/// The start of a body as text, by its byte order mark or as UTF-8.
pub(super) fn start_as_text(bytes: &[u8], bytes_max: usize) -> String {
    let encoding = Encoding::for_bom(bytes).map_or(UTF_8, |(encoding, _)| encoding);
    let start = &bytes[..bytes.len().min(bytes_max)];
    encoding.decode(start).0.into_owned()
}

/// The title of an HTML page (empty if it has none); `None` if the body is no HTML page.
pub(super) fn html_title(bytes: &[u8]) -> Option<String> {
    let text = start_as_text(bytes, LOOK_BYTES);
    let root = skip_prologue(&text);
    if !starts_with_word(root, "<!doctype html") && !starts_with_word(root, "<html") {
        return None;
    }
    Some(title(root).unwrap_or_default())
}

/// Whether a body has only white space.
pub(super) fn is_blank(bytes: &[u8]) -> bool {
    bytes.len() <= LOOK_BYTES && start_as_text(bytes, LOOK_BYTES).trim().is_empty()
}

/// The text behind white space, comments and `<? … ?>` declarations.
fn skip_prologue(text: &str) -> &str {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        let (open, close) = match rest {
            _ if rest.starts_with("<!--") => ("<!--", "-->"),
            _ if rest.starts_with("<?") => ("<?", "?>"),
            _ => return rest,
        };
        match rest[open.len()..].find(close) {
            Some(end) => rest = &rest[open.len() + end + close.len()..],
            None => return "",
        }
    }
}

/// Whether `text` starts with the whole word, in any case.
fn starts_with_word(text: &str, word: &str) -> bool {
    let Some((start, rest)) = text.as_bytes().split_at_checked(word.len()) else {
        return false;
    };
    let ends = rest
        .first()
        .is_none_or(|&b| b.is_ascii_whitespace() || b"/>[".contains(&b));
    ends && start.eq_ignore_ascii_case(word.as_bytes())
}

fn title(page: &str) -> Option<String> {
    // ASCII case folding keeps byte positions.
    let folded = page.to_ascii_lowercase();
    let tag = folded.find("<title")?;
    let start = tag + folded[tag..].find('>')? + 1;
    let end = start + folded[start..].find("</title")?;
    let text = page[start..end]
        .replace("&#39;", "'")
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    Some(words::clean(&text, TITLE_CHARS_MAX)).filter(|title| !title.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_pages_are_distinguished_from_documents() {
        let check = |body: &[u8], want: Option<&str>| {
            let shown = String::from_utf8_lossy(body);
            assert_eq!(html_title(body).as_deref(), want, "{shown}");
        };
        check(b"<!DOCTYPE html><title>Hi</title>", Some("Hi"));
        check(b"<!doctype HTML>", Some(""));
        check(b"\xef\xbb\xbf \r\n<HTML lang=en><head></head>", Some(""));
        check(b"<html>", Some(""));
        check(b"<html", Some(""));
        check(
            b"<!-- a --><!-- b -->\n<html><TITLE x='y'> Making&#39;s \n sure </TITLE>",
            Some("Making's sure"),
        );
        check(
            b"<?xml version='1.0'?>\n<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Strict//EN\" \"x\">\n<html xmlns='y'/>",
            Some(""),
        );
        check(b"<html><title>\x1b[31m\x07red</title>", Some("[31mred"));
        check(b"\xff\xfe<\0h\0t\0m\0l\0>\0", Some(""));
        check(b"", None);
        check(b"<", None);
        check(b"<!-- <html> never closed", None);
        check(b"<htmlish>", None);
        check(b"<!doctype htmlish>", None);
        check(b"<?xml version='1.0'?><feed><title>a</title></feed>", None);
        check(b"<?xml version='1.0'?><!-- <html> --><rss/>", None);
        check(b"<!DOCTYPE rss [<!ENTITY a 'b'>]><rss/>", None);
        check(b"{\"version\": \"https://jsonfeed.org/version/1\"}", None);
        check(
            b"From mboxrd@z Thu Jan  1 00:00:00 1970\nSubject: <html>\n",
            None,
        );
        check("ü<html>".as_bytes(), None);
    }

    #[test]
    fn a_long_title_is_shortened() {
        let body = format!("<html><title>{}</title>", "ä".repeat(500));
        let title = html_title(body.as_bytes()).expect("it is a page");
        assert_eq!(title.chars().count(), TITLE_CHARS_MAX);
    }

    #[test]
    fn white_space_is_no_document() {
        assert!(is_blank(b""));
        assert!(is_blank(b" \r\n\t"));
        assert!(!is_blank(b" x"));
    }
}
