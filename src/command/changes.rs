//! Changes that maintainers make in chat or on the command line: mutes, retractions, pauses of feeds. Each is recorded in the
//! audit log, with its author, in the transaction that makes it.

use chrono::{DateTime, Utc};

use super::context::{CommandContext, CommandError, refuse};
use super::readers;
use super::wording::{no_such, shortened};
use crate::plan;
use crate::post::plain;
use crate::store::audit::{self, Actor};
use crate::store::feeds::pause_feed;
use crate::store::mutes::{self, MuteKind, NewMute};
use crate::store::stories::{self, NamedStory};
use crate::store::{Store, Tx};
use crate::story::Story;

/// Characters of muted words and names. Shorter ones occur in every title.
const WORDS_CHARS_MIN: usize = 3;
const WORDS_CHARS_MAX: usize = 200;

/// A maintainer, with the means for changes.
#[derive(Debug)]
pub struct Maintainer<'a> {
    pub store: &'a Store,
    pub actor: Actor,
    /// How this person searches for a story, for refusals.
    pub search: String,
    pub now: DateTime<Utc>,
}

/// The result of a change, for its author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub title: String,
    pub text: String,
}

impl CommandContext<'_> {
    /// The author of the command.
    pub(super) fn maintainer(&self) -> Maintainer<'_> {
        Maintainer {
            store: &self.live.store,
            actor: self.actor(),
            search: self.search(),
            now: self.now,
        }
    }
}

fn done(title: impl Into<String>, text: impl Into<String>) -> Result<Change, CommandError> {
    Ok(Change {
        title: title.into(),
        text: text.into(),
    })
}

impl Maintainer<'_> {
    /// The person, as stored with a change.
    fn name(&self) -> String {
        format!("{} on {}", self.actor.person, self.actor.platform)
    }

    async fn commit(&self, mut tx: Tx, what: &str) -> Result<(), CommandError> {
        audit::record(&mut tx, &self.actor, what, self.now).await?;
        Ok(tx.commit().await.map_err(anyhow::Error::from)?)
    }

    /// Mutes a story; its posts stay.
    ///
    /// # Errors
    ///
    /// A refusal if it is unclear which story is meant, or if it is muted already.
    pub async fn mute_story(&self, name: &str) -> Result<Change, CommandError> {
        let (tx, title, _) = self.silence(name, MuteKind::Story, "muted").await?;
        tx.commit().await.map_err(anyhow::Error::from)?;
        let text = format!("{title}\nIts posts stay as they are, and get no more updates.");
        done("Muted", text)
    }

    /// Removes the posts of a story everywhere, and mutes it.
    ///
    /// # Errors
    ///
    /// A refusal if it is unclear which story is meant, or if it is retracted already.
    pub async fn retract(&self, name: &str) -> Result<Change, CommandError> {
        let kind = MuteKind::Retracted;
        let (mut tx, title, items) = self.silence(name, kind, "retracted").await?;
        let posts = plan::retract(&mut tx, &items, self.now).await?;
        tx.commit().await.map_err(anyhow::Error::from)?;
        let posts = match posts {
            0 => "It had no posts.".to_owned(),
            1 => "Its one post is being removed.".to_owned(),
            many => format!("Its {many} posts are being removed."),
        };
        done(
            "Retracted",
            format!("{title}\n{posts} It will not be posted again."),
        )
    }

    /// Mutes a story, and records that in the audit log. `verb` is the verb of both. Returns the open transaction, with the
    /// story's title and items.
    async fn silence(
        &self,
        name: &str,
        kind: MuteKind,
        verb: &str,
    ) -> Result<(Tx, String, Vec<i64>), CommandError> {
        let story = one_story(self.store, name, self.now, &self.search).await?;
        let title = plain(&story.title);
        let mut tx = self.store.write().await?;
        let items = stories::items_of_story(&mut tx, &story.id).await?;
        let new = NewMute {
            kind,
            shown: &title,
            item: items.first().copied(),
            by: &self.name(),
        };
        if !mutes::add_mute(&mut tx, &new, self.now).await? {
            return refuse(format!("{title} is already {verb}."));
        }
        let what = format!("{verb} the story {}: {title}", story.id);
        audit::record(&mut tx, &self.actor, &what, self.now).await?;
        Ok((tx, title, items))
    }

    /// Mutes an author, whose stories open no posts.
    ///
    /// # Errors
    ///
    /// A refusal if the name is too short or too long, or muted already.
    pub async fn mute_author(&self, name: &str) -> Result<Change, CommandError> {
        self.mute(MuteKind::Author, name).await
    }

    /// Mutes words: stories with them in the title open no posts.
    ///
    /// # Errors
    ///
    /// A refusal if they are too short or too long, or muted already.
    pub async fn mute_words(&self, words: &str) -> Result<Change, CommandError> {
        self.mute(MuteKind::Words, words).await
    }

    async fn mute(&self, kind: MuteKind, typed: &str) -> Result<Change, CommandError> {
        let typed = plain(typed);
        let typed = typed.trim();
        let chars = typed.chars().count();
        if !(WORDS_CHARS_MIN..=WORDS_CHARS_MAX).contains(&chars) {
            return refuse(format!(
                "A mute needs {WORDS_CHARS_MIN} to {WORDS_CHARS_MAX} characters; this text has {chars}."
            ));
        }
        let new = NewMute {
            kind,
            shown: typed,
            item: None,
            by: &self.name(),
        };
        let mut tx = self.store.write().await?;
        if !mutes::add_mute(&mut tx, &new, self.now).await? {
            return refuse(format!("{typed} is already muted."));
        }
        self.commit(tx, &format!("muted the {} {typed}", kind.word()))
            .await?;
        let text = match kind {
            MuteKind::Author => "There will be no new posts for stories by that author.",
            MuteKind::Words | MuteKind::Story | MuteKind::Retracted => {
                "There will be no new posts for stories with exactly these words, in this order, in the title."
            }
        };
        done(
            format!("Muted: {typed}"),
            format!("{text} Existing posts still get updates."),
        )
    }

    /// Ends the mute with this number.
    ///
    /// # Errors
    ///
    /// A refusal if there is none.
    pub async fn unmute(&self, number: i64) -> Result<Change, CommandError> {
        let mut tx = self.store.write().await?;
        let Some((kind, shown)) = mutes::lift_mute(&mut tx, number).await? else {
            return refuse(format!("There is no mute {number}."));
        };
        let shown = plain(&shown);
        self.commit(
            tx,
            &format!("lifted the mute of the {} {shown}", kind.word()),
        )
        .await?;
        let text = match kind {
            MuteKind::Retracted => "The story can be found again. Its removed posts stay removed.",
            MuteKind::Story | MuteKind::Author | MuteKind::Words => {
                "There will be posts again from now on."
            }
        };
        done(format!("Lifted: {shown}"), text)
    }

    /// Pauses one of the configured feeds.
    ///
    /// # Errors
    ///
    /// A refusal if there is no such feed, or if it is paused already.
    pub async fn pause_feed(&self, name: &str, feeds: &[&str]) -> Result<Change, CommandError> {
        self.set_pause(name, feeds, Some(self.now)).await
    }

    /// Lets a paused feed be polled again.
    ///
    /// # Errors
    ///
    /// A refusal if there is no such feed, or if it is not paused.
    pub async fn resume_feed(&self, name: &str, feeds: &[&str]) -> Result<Change, CommandError> {
        self.set_pause(name, feeds, None).await
    }

    async fn set_pause(
        &self,
        name: &str,
        feeds: &[&str],
        paused_at: Option<DateTime<Utc>>,
    ) -> Result<Change, CommandError> {
        if !feeds.contains(&name) {
            return refuse(no_such("feed", name, feeds.iter().copied()));
        }
        let (verb, text) = match paused_at {
            Some(_) => ("paused", "It is not polled until it is resumed."),
            None => ("resumed", "It is polled now."),
        };
        let mut tx = self.store.write().await?;
        if !pause_feed(&mut tx, name, paused_at).await? {
            return refuse(match paused_at {
                Some(_) => format!("{name} is already paused."),
                None => format!("{name} is not paused."),
            });
        }
        self.commit(tx, &format!("{verb} the feed {name}")).await?;
        done(format!("{name} is {verb}"), text)
    }
}

/// The story with this name. If several match, the command is refused.
pub(super) async fn one_story(
    store: &Store,
    name: &str,
    now: DateTime<Utc>,
    search: &str,
) -> Result<Story, CommandError> {
    match readers::look_up(store.read(), name, now, search).await? {
        NamedStory::One(story) => Ok(*story),
        NamedStory::Several(near) | NamedStory::Near(near) => refuse(format!(
            "It is unclear which story {:?} means. Give its id:\n{}",
            shortened(name),
            readers::candidates(&near)
        )),
    }
}
