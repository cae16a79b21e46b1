//! Changes the content of a post, and of the digest that lists it, and queues the edit of the message.

use chrono::{DateTime, Utc};

use crate::destination::Destination;
use crate::post::story::{self, Content, Line};
use crate::store::Tx;
use crate::store::outbox::{self, PostRow, PostState, SendState, Verb};
use crate::story::Story;

/// The label of a sample.
pub(super) const SAMPLE_NOTE: &str = "sample of a new feed";

/// The post of a story, as a destination shows it.
pub(super) fn story_content(destination: &Destination, story: &Story) -> Content {
    let home = destination.home.as_deref();
    Content::Story(Box::new(story::compose_with_page(story, home)))
}

/// Replaces the content of a post that belongs to no story, unless it was retracted.
pub(crate) async fn replace_content(
    tx: &mut Tx,
    post: i64,
    content: Content,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let mut post = outbox::post(tx, post).await?;
    match post.state {
        PostState::Open | PostState::Waiting | PostState::Joined => {
            set_content(tx, &mut post, content, None, now).await
        }
        PostState::Muted | PostState::Retracted => Ok(()),
    }
}

/// Replaces the content of a post, whether it was sent, is queued, or is part of a digest. A queued message becomes due at
/// `due_at` at the latest.
pub(super) async fn set_content(
    tx: &mut Tx,
    post: &mut PostRow,
    mut content: Content,
    due_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    // A sample keeps its label until it is sent.
    if let (Content::Story(was), Content::Story(is)) = (&post.content, &mut content)
        && was.notes.iter().any(|note| note == SAMPLE_NOTE)
        && outbox::was_sent(tx, post.id).await? == SendState::NotYet
    {
        is.notes.push(SAMPLE_NOTE.to_owned());
    }
    let is_same = post.content == content;
    post.content = content;
    outbox::save_post(tx, post).await?;
    if let Some(digest) = post.digest_id {
        return match is_same {
            true => Ok(()),
            false => update_digest(tx, digest, now).await,
        };
    }
    match outbox::was_sent(tx, post.id).await? {
        SendState::NotYet => outbox::update_send(tx, post.id, &post.content, due_at).await,
        SendState::Maybe if !is_same => outbox::queue_content(tx, post, Verb::Edit, now).await,
        SendState::Maybe | SendState::Never => Ok(()),
    }
}

/// Renders a digest again from the present state of its stories.
pub(super) async fn update_digest(
    tx: &mut Tx,
    digest: i64,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let mut post = outbox::post(tx, digest).await?;
    if post.state != PostState::Open {
        return Ok(());
    }
    let Content::Digest(mut listed) = post.content.clone() else {
        anyhow::bail!("the post {digest} lists stories, but is no digest");
    };
    // After a restore, a digest is changed only when all its stories are stored again. Otherwise it would lose the rest.
    if outbox::lists_unmatched(tx, post.channel_id, &listed.mark, now).await? {
        return Ok(());
    }
    let members = outbox::posts_in_digest(tx, digest).await?;
    let shown = members.iter().filter(|post| post.state == PostState::Open);
    listed.lines = shown.map(line_of).collect();
    Box::pin(set_content(
        tx,
        &mut post,
        Content::Digest(listed),
        None,
        now,
    ))
    .await
}

/// The line of a post in a digest.
pub(super) fn line_of(post: &PostRow) -> Line {
    match &post.content {
        Content::Story(post) => Line {
            what: post.state.clone(),
            title: post.title.clone(),
            author: post.author.clone(),
            link: post.link.clone(),
            tone: post.tone,
            mark: post.mark.clone(),
            ..Line::default()
        },
        Content::Line(line) => line.clone(),
        Content::Digest(_)
        | Content::Issue(_)
        | Content::Suggestion(_)
        | Content::Notice { .. } => Line {
            mark: post.content.mark().to_owned(),
            ..Line::default()
        },
    }
}
