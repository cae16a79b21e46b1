//! The one-time link to the editors' desk.

use super::context::{Answer, CommandContext, CommandError, refuse};
use crate::publish::desk_access;
use crate::store::audit;
use crate::store::desk_keys::DeskKey;

/// Makes a link that opens the desk for this editor, once.
pub(super) async fn link(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let config = &ctx.generation.effective.config;
    if config.web.is_none() {
        return refuse(
            "There is no desk, because bpfnews serves no pages. An operator turns them on with [web] in the configuration.",
        );
    }
    if !ctx.by.is_alone {
        return refuse(
            "Everybody in this room could use the link. Ask in a direct room with the bot, where nobody else is, or let an \
             operator run: bpfnews desk-link",
        );
    }
    let Some(home) = config.desk_home() else {
        return refuse(
            "The pages have no address that you could open. An operator sets url under [web] in the configuration.",
        );
    };
    let by = DeskKey {
        platform: ctx.by.platform.word().to_owned(),
        person: ctx.by.person.clone(),
        room: ctx.by.room.clone(),
        community: ctx.by.community.clone(),
        roles: ctx.by.roles.clone(),
        manages: ctx.by.is_manager,
        ends_at: 0,
    };
    let mut tx = ctx.live.store.write().await?;
    let secret = desk_access::make_link(&mut tx, &by, ctx.now).await?;
    audit::record(
        &mut tx,
        &ctx.actor(),
        "asked for a link to the desk",
        ctx.now,
    )
    .await?;
    tx.commit().await.map_err(anyhow::Error::from)?;
    ctx.message(
        "The editors' desk",
        format!(
            "{home}{}\nThe link opens the desk once, within {} minutes. It is yours: do not pass it on. The desk stays open for {} \
             hours.",
            desk_access::link_path(&secret),
            desk_access::LINK_LIFE.num_minutes(),
            desk_access::SESSION_LIFE.num_hours()
        ),
    )
}
