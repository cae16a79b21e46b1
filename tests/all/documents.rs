//! Documents in the upstreams' formats: RSS of articles, public-inbox's Atom, cgit's Atom and log.

use chrono::{DateTime, TimeDelta, Utc};

use crate::rude::answer;
use crate::world::noon;

/// Text, escaped for XML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// An entry of an RSS document; empty values are left out.
#[derive(Debug, Clone)]
pub(crate) struct Article {
    pub(crate) guid: String,
    pub(crate) link: String,
    pub(crate) title: String,
    pub(crate) at: Option<DateTime<Utc>>,
    pub(crate) text: String,
}

impl Article {
    /// The `number`th article of a site, `number` hours older than the start of the world.
    pub(crate) fn new(number: usize, title: &str) -> Self {
        let hours = i64::try_from(number).expect("few");
        Self {
            guid: format!("https://blog.example/{title}").replace(' ', "-"),
            link: format!("https://blog.example/{title}").replace(' ', "-"),
            title: title.to_owned(),
            at: Some(noon() - TimeDelta::hours(hours)),
            text: format!("What {title} says."),
        }
    }
}

/// Articles named by letters, the first the newest.
pub(crate) fn articles(titles: &str) -> Vec<Article> {
    let titles = titles.split_whitespace().enumerate();
    titles
        .map(|(number, title)| Article::new(number, title))
        .collect()
}

/// An RSS 2.0 document.
pub(crate) fn rss(articles: &[Article]) -> String {
    let mut document = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\"><channel><title>Blog</title>\
        <link>https://blog.example/</link><description>d</description>"
        .to_owned();
    for article in articles {
        document.push_str("<item>");
        let date = article.at.map(|at| at.to_rfc2822()).unwrap_or_default();
        for (name, text) in [
            ("title", &article.title),
            ("link", &article.link),
            ("pubDate", &date),
            ("description", &article.text),
        ] {
            if !text.is_empty() {
                document.push_str(&format!("<{name}>{}</{name}>", escaped(text)));
            }
        }
        if !article.guid.is_empty() {
            let is_link = article.guid.starts_with("http");
            let guid = escaped(&article.guid);
            document.push_str(&format!("<guid isPermaLink=\"{is_link}\">{guid}</guid>"));
        }
        document.push_str("</item>");
    }
    document.push_str("</channel></rss>");
    document
}

/// A mail as an archive shows it.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) id: String,
    pub(crate) subject: String,
    pub(crate) parent: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) author: &'static str,
    pub(crate) text: String,
}

/// A mail that arrived so many minutes after (or before) noon; `parent` is empty if it is no answer.
pub(crate) fn mail(id: &str, minutes: i64, subject: &str, parent: &str) -> Mail {
    Mail {
        id: format!("{id}@x.example"),
        subject: subject.to_owned(),
        parent: match parent {
            "" => String::new(),
            parent => format!("{parent}@x.example"),
        },
        at: noon() + TimeDelta::minutes(minutes),
        author: "A. Author",
        text: format!("About {subject}"),
    }
}

/// An answer by another person with this text.
pub(crate) fn answer_mail(id: &str, minutes: i64, above: &Mail, text: &str) -> Mail {
    let parent = above.id.split('@').next().unwrap_or_default();
    Mail {
        author: "Mae Maintainer",
        text: text.to_owned(),
        ..mail(id, minutes, &format!("Re: {}", above.subject), parent)
    }
}

/// A page of public-inbox's Atom for a list at `base`, in the order given.
pub(crate) fn mails_atom<'a>(base: &str, mails: impl IntoIterator<Item = &'a Mail>) -> String {
    let mut document = "<?xml version=\"1.0\" encoding=\"us-ascii\"?>\n<feed\nxmlns=\"http://www.w3.org/2005/Atom\"\n\
        xmlns:thr=\"http://purl.org/syndication/thread/1.0\"><title>a list</title><updated>2025-01-10T00:00:00Z</updated>"
        .to_owned();
    for mail in mails {
        let (subject, at) = (escaped(&mail.subject), mail.at.format("%Y-%m-%dT%H:%M:%SZ"));
        let answers = match mail.parent.as_str() {
            "" => String::new(),
            parent => format!("<thr:in-reply-to\nref=\"urn:uuid:0\"\nhref=\"{base}{parent}/\"/>"),
        };
        document.push_str(&format!(
            "<entry><author><name>{author}</name><email>{address}@x.example</email></author><title>{subject}</title>\
             <updated>{at}</updated><link\nhref=\"{base}{id}/\"/><id>urn:uuid:{id}</id>{answers}<content\ntype=\"xhtml\">\
             <div\nxmlns=\"http://www.w3.org/1999/xhtml\"><pre\nstyle=\"white-space:pre-wrap\">{text}\n</pre></div>\
             </content></entry>",
            id = mail.id,
            author = mail.author,
            // The first letter of the name.
            address = mail.author[..1].to_lowercase(),
            text = escaped(&mail.text),
        ));
    }
    document.push_str("</feed>");
    document
}

/// The answers of a public-inbox at `folder` with these mails, in pages of `page` mails and without search: a full page
/// from a time on, oldest first, and otherwise the newest page.
pub(crate) fn public_inbox(folder: &str, mails: &[Mail], page: usize, path: &str) -> Vec<u8> {
    let base = format!("http://list.example{folder}");
    let mut newest: Vec<&Mail> = mails.iter().collect();
    newest.sort_by_key(|mail| std::cmp::Reverse(mail.at));
    let rest = path.strip_prefix(folder).unwrap_or_default();
    let from = rest
        .strip_prefix("new.atom?t=")
        .and_then(|rest| rest.strip_suffix('-'))
        .map(|from| {
            chrono::NaiveDateTime::parse_from_str(from, "%Y%m%d%H%M%S")
                .expect("a time")
                .and_utc()
        });
    if rest != "new.atom" && from.is_none() {
        return answer("404 Not Found", &[], "Not Found");
    }
    let mut since: Vec<&Mail> = from.map_or(Vec::new(), |from| {
        newest
            .iter()
            .copied()
            .filter(|mail| mail.at >= from)
            .collect()
    });
    since.reverse();
    let shown = match since.len() >= page {
        true => since,
        false => newest,
    };
    let document = mails_atom(&base, shown.into_iter().take(page));
    answer("200 OK", &[], document)
}

/// A commit.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    pub(crate) hash: String,
    pub(crate) subject: String,
    pub(crate) at: DateTime<Utc>,
}

/// The `number`th commit of a line, one for each hour, the highest the newest; number 100 is from noon.
pub(crate) fn commit(number: u32) -> Commit {
    Commit {
        // Hashes differ in their first digits, because people cite only those.
        hash: format!("{number:08x}{number:032x}"),
        subject: format!("bpf: change {number:03}"),
        at: noon() + TimeDelta::hours(i64::from(number) - 100),
    }
}

/// cgit's Atom of these commits.
pub(crate) fn commits_atom<'a>(commits: impl IntoIterator<Item = &'a Commit>) -> String {
    let mut document =
        "<feed xmlns='http://www.w3.org/2005/Atom'>\n<title>tree, branch master</title>\n"
            .to_owned();
    for commit in commits {
        let (hash, at) = (&commit.hash, commit.at.format("%Y-%m-%dT%H:%M:%S+00:00"));
        document.push_str(&format!(
            "<entry>\n<title>{subject}</title>\n<updated>{at}</updated>\n<author>\n<name>A. Author</name>\n\
             <email>a@x.example</email>\n</author>\n<published>{at}</published>\n<link rel='alternate' type='text/html' \
             href='http://git.example/tree/commit/?id={hash}'/>\n<id>urn:sha1:{hash}</id>\n<content type='text'>\n\
             Why {subject}.\n</content>\n</entry>\n",
            subject = escaped(&commit.subject),
        ));
    }
    document.push_str("</feed>\n");
    document
}

/// A page of cgit's log of these commits.
pub(crate) fn commits_log<'a>(
    commits: impl IntoIterator<Item = &'a Commit>,
    has_more: bool,
) -> String {
    let mut page =
        "<!DOCTYPE html>\n<html><body><div id='cgit'><table class='list nowrap'>".to_owned();
    for commit in commits {
        page.push_str(&format!(
            "<tr class='logheader'><td><span title='{at}'>x</span></td><td class='logsubject'>\
             <a href='/tree/commit/?id={hash}'>{subject}</a></td><td>A. Author</td><td>1</td><td>1</td></tr>\
             <tr class='nohover-highlight'><td/><td colspan='5' class='logmsg'>\nWhy {subject}.\n</td></tr>",
            at = commit.at.format("%Y-%m-%d %H:%M:%S +0000"),
            hash = commit.hash,
            subject = escaped(&commit.subject),
        ));
    }
    page.push_str("</table>");
    if has_more {
        page.push_str("<ul class='pager'><li><a href='x'>[next]</a></li></ul>");
    }
    page.push_str("</div></body></html>");
    page
}

/// The answers of a cgit at `folder` with these commits in a straight line, newest first: Atom with a window of `window`,
/// logs of ranges in pages of `page`, and no patches.
pub(crate) fn cgit(
    folder: &str,
    commits: &[Commit],
    window: usize,
    page: usize,
    path: &str,
) -> Vec<u8> {
    let url = url::Url::parse(&format!("http://git.example{path}")).expect("a URL");
    let query = |wanted: &str| {
        let mut pairs = url.query_pairs();
        pairs
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.into_owned())
    };
    let place = |hash: &str| commits.iter().position(|commit| commit.hash == hash);
    let rest = url.path().strip_prefix(folder).unwrap_or_default();
    if rest.starts_with("atom") {
        let from = query("h").and_then(|h| place(&h)).unwrap_or(0);
        return answer(
            "200 OK",
            &[],
            commits_atom(commits[from..].iter().take(window)),
        );
    }
    let range = query("q").unwrap_or_default();
    let Some((from, to)) = range.split_once("..").filter(|_| rest.starts_with("log")) else {
        return answer("404 Not Found", &[], "Not Found");
    };
    let (Some(to), Some(from)) = (place(to), place(from)) else {
        return answer("200 OK", &[], commits_log([], false));
    };
    let offset: usize = query("ofs").map_or(0, |ofs| ofs.parse().expect("a number"));
    let shown = &commits[(to + offset).min(from)..from];
    let log = commits_log(shown.iter().take(page), shown.len() > page);
    answer("200 OK", &[], log)
}
