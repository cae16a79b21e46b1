//! Issues by mail, asked for in chat. The address is never repeated, logged or kept with the person who typed it.

use anyhow::Context as _;

use super::context::{Answer, CommandContext, CommandError, refuse};
use crate::config::{MailAddress, PlatformKind};
use crate::mailing::{MailSender, Mailing, SignUp};
use crate::store::recipients;

/// Asks the owner of an address to confirm.
pub(super) async fn add(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let Some(identity) = MailSender::of(&ctx.generation.effective.config) else {
        return refuse("Mail is not set up here.");
    };
    let page = identity.sign_up_page();
    // On Discord, only the person sees the command and its answer.
    if ctx.by.platform != PlatformKind::Discord && !is_own_room(ctx).await? {
        return refuse(format!(
            "Everybody in this room sees your address, so nothing was done with it. Sign up at {page} instead, or here in a \
             room with the bot alone."
        ));
    }
    let Some(address) = MailAddress::read(ctx.required("address")) else {
        return refuse("That is no address for mail. It has the form name@example.org.");
    };
    let mailing = Mailing::new(identity)?;
    let mut tx = ctx.live.store.write().await?;
    let asked = mailing.ask(&mut tx, &address, ctx.now).await?;
    tx.commit().await.context("keeping a sign-up")?;
    if asked == SignUp::Asked {
        ctx.live.wake();
    }
    // One answer for all, as on the page: others must not learn who gets mail.
    ctx.message(
        "Look into your mailbox",
        "If this address does not get the issues yet, a mail with a link is on its way. Open the link and press the button on \
         its page. The link is good for two days.",
    )
}

/// Whether the command was given in the bot's own room with its person.
async fn is_own_room(ctx: &CommandContext<'_>) -> anyhow::Result<bool> {
    let (readers, platform) = (ctx.live.store.read(), ctx.by.platform.word());
    recipients::is_own_room(readers, platform, &ctx.by.person, &ctx.by.room).await
}
