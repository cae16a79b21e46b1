//! The bot's permissions in a channel, computed as Discord does from roles and channel overwrites. A check before the
//! first post can so name the missing ones.

use serde_json::Value;

use super::{ChannelFacts, Discord, check_id, senseless};
use crate::channel::{Scope, SendError};

/// Discord's permission bits.
const ADMINISTRATOR: u64 = 1 << 3;
const VIEW_CHANNEL: u64 = 1 << 10;
const SEND_MESSAGES: u64 = 1 << 11;
const EMBED_LINKS: u64 = 1 << 14;
const READ_HISTORY: u64 = 1 << 16;
const CREATE_THREADS: u64 = 1 << 35;
const SEND_IN_THREADS: u64 = 1 << 38;

/// The permissions that a configuration needs beyond posting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Whether milestones are posted in threads.
    pub threads: bool,
}

impl Discord {
    /// Reads a channel and checks the bot's permissions there. Permissions that Discord does not report count as
    /// granted.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no such channel, or with the names of the missing permissions.
    pub async fn check(&self, address: &str, needs: Needs) -> Result<ChannelFacts, SendError> {
        let facts = self.look(address).await?;
        let Some(rights) = self.rights_in(address, &facts).await? else {
            return Ok(facts);
        };
        let missing = missing(rights, &facts, needs);
        match missing.is_empty() {
            true => Ok(facts),
            false => Err(SendError::Never {
                scope: Scope::Channel,
                why: format!(
                    "the bot sees #{}, but lacks these permissions there: {}. Grant them in the channel's settings",
                    facts.name,
                    missing.join(", ")
                ),
            }),
        }
    }

    /// The bot's permissions in a channel; `None` if Discord does not report them.
    async fn rights_in(
        &self,
        address: &str,
        facts: &ChannelFacts,
    ) -> Result<Option<u64>, SendError> {
        let Some(guild) = &facts.guild else {
            return Ok(None);
        };
        check_id(guild)?;
        let me = self.me().await?;
        let mut channel = self
            .read("/channels/{}", address, format!("/channels/{address}"))
            .await?;
        // A thread has the permissions of its parent channel.
        if facts.is_thread() {
            let Some(parent) = channel["parent_id"].as_str().map(str::to_owned) else {
                return Ok(None);
            };
            check_id(&parent)?;
            channel = self
                .read("/channels/{}", &parent, format!("/channels/{parent}"))
                .await?;
        }
        let member = format!("/guilds/{guild}/members/{me}");
        let member = self.read("/guilds/{}/members/{}", guild, member).await;
        let server = self
            .read("/guilds/{}", guild, format!("/guilds/{guild}"))
            .await;
        match (member, server) {
            (Ok(member), Ok(server)) => rights(&me, guild, &server, &member, &channel).map(Some),
            // A stand-in server may lack these routes.
            (Err(SendError::Never { .. }), _) | (_, Err(SendError::Never { .. })) => Ok(None),
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }
}

/// A member's permissions in a channel, by Discord's algorithm.
fn rights(
    me: &str,
    guild: &str,
    server: &Value,
    member: &Value,
    channel: &Value,
) -> Result<u64, SendError> {
    if server["owner_id"] == me {
        return Ok(u64::MAX);
    }
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let roles = list(&member["roles"]);
    let bits = |value: &Value| {
        let bits = value.as_str().and_then(|text| text.parse::<u64>().ok());
        bits.ok_or_else(senseless)
    };
    let mut all = 0;
    for role in list(&server["roles"]) {
        // The id of @everyone is the server's id.
        if role["id"] == guild || roles.contains(&role["id"]) {
            all |= bits(&role["permissions"])?;
        }
    }
    if all & ADMINISTRATOR != 0 {
        return Ok(u64::MAX);
    }
    let overwrites = list(&channel["permission_overwrites"]);
    let of = |is_meant: &dyn Fn(&Value) -> bool| -> Result<(u64, u64), SendError> {
        let (mut denied, mut allowed) = (0, 0);
        for overwrite in overwrites
            .iter()
            .filter(|overwrite| is_meant(&overwrite["id"]))
        {
            denied |= bits(&overwrite["deny"])?;
            allowed |= bits(&overwrite["allow"])?;
        }
        Ok((denied, allowed))
    };
    for (denied, allowed) in [
        of(&|id| id == guild)?,
        of(&|id| id != guild && roles.contains(id))?,
        of(&|id| id == me)?,
    ] {
        all = (all & !denied) | allowed;
    }
    Ok(all)
}

/// The names of the missing permissions.
fn missing(rights: u64, facts: &ChannelFacts, needs: Needs) -> Vec<&'static str> {
    let send = match (facts.is_forum(), facts.is_thread()) {
        (true, _) => (SEND_MESSAGES, "Create Posts (Send Messages)"),
        (_, true) => (SEND_IN_THREADS, "Send Messages in Threads"),
        _ => (SEND_MESSAGES, "Send Messages"),
    };
    let mut wanted = vec![
        (VIEW_CHANNEL, "View Channel"),
        send,
        (EMBED_LINKS, "Embed Links"),
        (READ_HISTORY, "Read Message History"),
    ];
    if facts.is_forum() {
        wanted.push((SEND_IN_THREADS, "Send Messages in Threads"));
    } else if needs.threads && facts.has_threads() {
        wanted.push((CREATE_THREADS, "Create Public Threads"));
        wanted.push((SEND_IN_THREADS, "Send Messages in Threads"));
    }
    wanted.retain(|(bit, _)| rights & bit == 0);
    wanted.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts(kind: u64) -> ChannelFacts {
        ChannelFacts {
            name: "news".to_owned(),
            kind,
            guild: Some("9".to_owned()),
            tags: Vec::new(),
            wants_tag: false,
        }
    }

    #[test]
    fn rights_follow_from_roles_and_overwrites() {
        let base = VIEW_CHANNEL | SEND_MESSAGES | EMBED_LINKS | READ_HISTORY;
        let server = json!({"owner_id": "1", "roles": [
            {"id": "9", "permissions": (VIEW_CHANNEL | READ_HISTORY).to_string()},
            {"id": "20", "permissions": (SEND_MESSAGES | EMBED_LINKS).to_string()},
            {"id": "21", "permissions": ADMINISTRATOR.to_string()}]});
        let of = |roles: Value, overwrites: Value| {
            let channel = json!({"permission_overwrites": overwrites});
            rights("5", "9", &server, &json!({"roles": roles}), &channel).expect("it makes sense")
        };
        let over = |id: &str, allow: u64, deny: u64| json!({"id": id, "allow": allow.to_string(), "deny": deny.to_string()});
        assert_eq!(of(json!(["20"]), json!([])), base);
        assert_eq!(of(json!([]), json!([])), VIEW_CHANNEL | READ_HISTORY);
        assert_eq!(
            of(json!(["21"]), json!([over("9", 0, VIEW_CHANNEL)])),
            u64::MAX
        );
        // Denied to everyone, granted to a role, denied to one member: applied in this order.
        let closed = over("9", 0, SEND_MESSAGES);
        assert_eq!(of(json!(["20"]), json!([closed])), base & !SEND_MESSAGES);
        let opened = over("20", SEND_MESSAGES, 0);
        assert_eq!(of(json!(["20"]), json!([opened, closed])), base);
        let mine = over("5", 0, EMBED_LINKS);
        assert_eq!(of(json!(["20"]), json!([mine])), base & !EMBED_LINKS);
        let owner = rights("1", "9", &server, &json!({}), &json!({}));
        assert_eq!(owner, Ok(u64::MAX));
        let senseless = json!({"roles": [{"id": "9", "permissions": "x"}]});
        assert!(rights("5", "9", &senseless, &json!({}), &json!({})).is_err());
    }

    #[test]
    fn each_kind_of_channel_needs_its_own() {
        let base = VIEW_CHANNEL | SEND_MESSAGES | EMBED_LINKS | READ_HISTORY;
        let (plain, threads) = (Needs { threads: false }, Needs { threads: true });
        assert_eq!(missing(base, &facts(0), plain), [""; 0]);
        assert_eq!(
            missing(base, &facts(0), threads),
            ["Create Public Threads", "Send Messages in Threads"]
        );
        assert_eq!(
            missing(base, &facts(15), plain),
            ["Send Messages in Threads"]
        );
        assert_eq!(
            missing(base, &facts(11), plain),
            ["Send Messages in Threads"]
        );
        assert_eq!(
            missing(VIEW_CHANNEL, &facts(0), plain),
            ["Send Messages", "Embed Links", "Read Message History"]
        );
    }
}
