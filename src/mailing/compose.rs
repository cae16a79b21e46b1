//! Writing a mail: an issue, a question to confirm, or news. Each has a text part and an HTML part, and loads nothing.

use std::sync::Arc;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::news::{MailNews, news_of};
use super::queue::CONFIRM_MARK;
use super::token::{Purpose, code};
use super::{MailSender, Mailing};
use crate::config::MailAddress;
use crate::issue::html::{Links, issue_article, linked};
use crate::issue::letter::{in_mail_size, listed_line, paragraphs, text};
use crate::issue::{markdown, post};
use crate::post::plain;
use crate::post::story::Content;
use crate::store::subscribers::{SubscriberRow, SubscriberState, subscriber};
use crate::store::{Store, issues};

/// No colours but the client's own, so that dark and light both work.
const STYLE: &str = include_str!("mail.css");

/// A mail, ready to be sent to one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComposedMail {
    /// The address that it comes back to if it cannot be delivered.
    pub return_path: MailAddress,
    pub to: MailAddress,
    /// The whole message, headers included.
    pub bytes: Vec<u8>,
}

/// Why there is no mail to send.
#[derive(Debug, thiserror::Error)]
pub enum NoMail {
    /// Its subscriber left, or is suspended.
    #[error("mail is off for this subscriber")]
    Off,
    /// Its issue was withdrawn.
    #[error("the issue is not there any more")]
    Withdrawn,
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

/// The parts of an issue that are the same for all subscribers.
#[derive(Debug)]
pub(super) struct RenderedIssue {
    number: i64,
    published_at: i64,
    corrections: usize,
    subject: String,
    text: String,
    html: String,
}

/// A mail for one subscriber, without its envelope.
struct Draft<'a> {
    subject: &'a str,
    /// Distinguishes the mail from all others to the same subscriber.
    what: &'a str,
    text: String,
    html: String,
    /// Whether it belongs to the list, so that its person can leave.
    is_of_list: bool,
}

impl Mailing {
    /// Writes the mail of a delivery to a subscriber. All attempts get the same Message-ID.
    ///
    /// # Errors
    ///
    /// Returns the reason why there is none.
    pub async fn compose(
        &self,
        store: &Store,
        id: i64,
        content: &Content,
        now: DateTime<Utc>,
    ) -> Result<ComposedMail, NoMail> {
        let row = subscriber(store.read().into(), id).await?;
        let row = row.filter(|row| row.address.is_some()).ok_or(NoMail::Off)?;
        if content.mark() == CONFIRM_MARK {
            return Ok(self.confirmation(&row, now)?);
        }
        if row.state != SubscriberState::On {
            return Err(NoMail::Off);
        }
        match post::number_of(content.mark()) {
            Some(number) => {
                let body = self.issue_body(store, number).await?;
                let body = body.ok_or(NoMail::Withdrawn)?;
                Ok(self.issue_mail(&row, &body, now)?)
            }
            None => Ok(self.news_mail(&row, &news_of(content), content.mark(), now)?),
        }
    }

    /// The question whether a person wants mail.
    fn confirmation(
        &self,
        row: &SubscriberRow,
        now: DateTime<Utc>,
    ) -> anyhow::Result<ComposedMail> {
        let (name, link) = (&self.identity.newsletter, self.confirm_link(row));
        let asked = format!(
            "Somebody, probably you, asked for {name} by mail at {}.",
            self.identity.home
        );
        let how =
            "If you want it, open this page and press its button. The link is good for two days:";
        let not = "If it was not you, do nothing: no more mail comes, and the address is erased.";
        let text = format!(
            "{}{link}\n\n{}",
            paragraphs(&[&asked, how]),
            paragraphs(&[not])
        );
        let body = html! {
            p { (asked) }
            p { "If you want it, open this page and press its button. The link is good for two days:" }
            p { a href=(link) { "Confirm " (name) } }
            p { (not) }
        };
        let subject = format!("Confirm: {name} by mail?");
        let html = page(&subject, &body);
        let draft = Draft {
            subject: &subject,
            what: &format!("confirm {}", row.asked_at),
            text,
            html,
            is_of_list: false,
        };
        self.sealed(row, draft, now)
    }

    fn issue_mail(
        &self,
        row: &SubscriberRow,
        body: &RenderedIssue,
        now: DateTime<Utc>,
    ) -> anyhow::Result<ComposedMail> {
        let text = format!("{}{}", body.text, self.text_footer(row));
        let content = html! {
            (PreEscaped(&body.html))
            (self.html_footer(row))
        };
        let draft = Draft {
            subject: &body.subject,
            // A number that was withdrawn and published again is another mail.
            what: &format!("issue {} {}", body.number, body.published_at),
            text,
            html: page(&body.subject, &content),
            is_of_list: true,
        };
        self.sealed(row, draft, now)
    }

    fn news_mail(
        &self,
        row: &SubscriberRow,
        news: &MailNews,
        mark: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<ComposedMail> {
        let (text, body) = news_parts(news);
        let content = html! { (body) (self.html_footer(row)) };
        let draft = Draft {
            subject: &news.subject,
            what: &format!("news {mark}"),
            text: format!("{text}{}", self.text_footer(row)),
            html: page(&news.subject, &content),
            is_of_list: true,
        };
        self.sealed(row, draft, now)
    }

    /// The body of a published issue, rendered once while it is being sent. A correction renders it again.
    async fn issue_body(
        &self,
        store: &Store,
        number: u32,
    ) -> anyhow::Result<Option<Arc<RenderedIssue>>> {
        let number = i64::from(number);
        let readers = store.read();
        let Some(published_at) = issues::published_at(readers, number).await? else {
            return Ok(None);
        };
        let corrections = issues::corrections(readers.into(), number).await?;
        let kept = self.rendered().clone();
        if let Some(kept) = kept.filter(|kept| {
            (kept.number, kept.published_at, kept.corrections)
                == (number, published_at, corrections.len())
        }) {
            return Ok(Some(kept));
        }
        let Some(issue) = issues::issue(readers.into(), number).await? else {
            return Ok(None);
        };
        let home = self.identity.home.as_str();
        let (issue, left_out) = in_mail_size(issue);
        let page = format!("{home}{}", markdown::path(issue.number));
        let more = match left_out {
            0 => String::new(),
            1 => "One more patch is on the page.".to_owned(),
            many => format!("{many} more patches are on the page."),
        };
        let mut lines = text(&issue, &corrections, home);
        lines.push_str(&format!("\n{}{page}\n", paragraphs(&[more.as_str()])));
        let article = html! {
            (issue_article(&issue, &corrections, Links { home: Some(home), shows_pictures: false }, None))
            p { @if !more.is_empty() { (more) " " } a href=(page) { "Read it on the web" } "." }
        };
        let body = Arc::new(RenderedIssue {
            number,
            published_at,
            corrections: corrections.len(),
            subject: format!("{}, {}", issue.title(), issue.on().format("%-d %B %Y")),
            text: lines,
            html: article.into_string(),
        });
        *self.rendered() = Some(Arc::clone(&body));
        Ok(Some(body))
    }

    fn rendered(&self) -> std::sync::MutexGuard<'_, Option<Arc<RenderedIssue>>> {
        self.rendered.lock().expect("no holder of the issue panics")
    }

    fn why(&self) -> String {
        let identity = &self.identity;
        format!(
            "You get this because you confirmed at {} that you want it.",
            identity.home
        )
    }

    fn text_footer(&self, row: &SubscriberRow) -> String {
        // Mail programs leave the text below this line out of a reply.
        let signature = "-- ";
        let why = paragraphs(&[&self.why()]);
        let why = why.trim_end();
        format!(
            "\n{signature}\n{why}\nTo unsubscribe:\n{}\n",
            self.leave_link(row)
        )
    }

    fn html_footer(&self, row: &SubscriberRow) -> Markup {
        html! {
            hr;
            p.foot { (self.why()) " " a href=(self.leave_link(row)) { "Unsubscribe" } }
        }
    }

    /// Puts a draft into its envelope.
    fn sealed(
        &self,
        row: &SubscriberRow,
        draft: Draft<'_>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<ComposedMail> {
        let to = row.address.as_deref().and_then(MailAddress::read);
        let to = to.with_context(|| format!("the address of subscriber {} is unusable", row.id))?;
        let code = code(&row.secret, Purpose::Message, draft.what);
        let leave = draft.is_of_list.then(|| self.leave_link(row));
        let bytes = written(&self.identity, &to, &draft, &code, leave.as_deref(), now)?;
        let return_path = self
            .return_path(row)
            .context("the address for bounces has no room for a token")?;
        Ok(ComposedMail {
            return_path,
            to,
            bytes,
        })
    }
}

/// A mail to try the server with, to an address that the operator names.
///
/// # Errors
///
/// Returns an error if the sender's address is unusable.
pub fn test_mail(
    identity: &MailSender,
    to: &MailAddress,
    now: DateTime<Utc>,
) -> anyhow::Result<ComposedMail> {
    let words = "bpfnews can send mail through this server. You asked for this test with bpfnews mail test.";
    let draft = Draft {
        subject: "A test of bpfnews",
        what: "test",
        text: paragraphs(&[words]),
        html: page("A test of bpfnews", &html! { p { (words) } }),
        is_of_list: false,
    };
    let code = format!("test-{:x}", fastrand::u64(..));
    Ok(ComposedMail {
        return_path: identity.from.clone(),
        to: to.clone(),
        bytes: written(identity, to, &draft, &code, None, now)?,
    })
}

/// The text and the HTML of news.
fn news_parts(news: &MailNews) -> (String, Markup) {
    let lead: Vec<&str> = news.lead.iter().map(String::as_str).collect();
    let mut text = paragraphs(&lead);
    for line in &news.lines {
        let told = match line.about.as_str() {
            "" => line.title.clone(),
            about => format!("{about}: {}", line.title),
        };
        text.push_str(&listed_line(&told, line.link.as_deref()));
    }
    let body = html! {
        @for paragraph in &news.lead { p { (paragraph) } }
        @if !news.lines.is_empty() {
            ul {
                @for line in &news.lines {
                    li {
                        @if !line.about.is_empty() { (line.about) ": " }
                        (linked(&line.title, line.link.as_deref()))
                    }
                }
            }
        }
    };
    (text, body)
}

/// A page that mail programs show as it is: no tables, no pictures, nothing from another host.
fn page(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="supported-color-schemes" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { div.mail { (body) } }
        }
    };
    page.into_string()
}

/// The whole message. No text of ours or of strangers can add a header: control characters are removed, lettre encodes the
/// rest, and the other values consist of our own hexadecimal digits and of checked addresses.
fn written(
    identity: &MailSender,
    to: &MailAddress,
    draft: &Draft<'_>,
    code: &str,
    leave: Option<&str>,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<u8>> {
    let from = Mailbox::new(Some(plain(&identity.name)), checked(&identity.from)?);
    let mut message = Message::builder()
        .from(from)
        .to(Mailbox::new(None, checked(to)?))
        .subject(plain(draft.subject))
        .date(now.into())
        .message_id(Some(format!("<{code}@{}>", identity.from.domain())))
        .raw_header(raw("Auto-Submitted", "auto-generated"))
        .raw_header(raw("X-Auto-Response-Suppress", "All"));
    if let Some(leave) = leave {
        let name = plain(&identity.newsletter).replace(['"', '\\', '<', '>'], "");
        message = message
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("List-Id"),
                format!("{name} <{}>", identity.list_id),
            ))
            .raw_header(raw("Precedence", "bulk"))
            .raw_header(raw("List-Unsubscribe", &format!("<{leave}>")))
            .raw_header(raw("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
            .raw_header(raw("List-Help", &format!("<{}>", identity.sign_up_page())));
    }
    let parts = MultiPart::alternative_plain_html(draft.text.clone(), draft.html.clone());
    let message = message.multipart(parts).context("writing a mail")?;
    Ok(message.formatted())
}

/// A header whose value is our own, in ASCII and without line breaks, which is written as it is.
fn raw(name: &'static str, value: &str) -> HeaderValue {
    let value: String = value
        .chars()
        .filter(|c| c.is_ascii_graphic() || *c == ' ')
        .collect();
    HeaderValue::dangerous_new_pre_encoded(
        HeaderName::new_from_ascii_str(name),
        value.clone(),
        value,
    )
}

fn checked(address: &MailAddress) -> anyhow::Result<Address> {
    Address::new(address.local(), address.domain()).context("an address that no server takes")
}
