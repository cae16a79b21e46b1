//! Slash commands: built from the table of commands, registered after each change, and parsed when a person uses one.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::Method;
use serde_json::Value;
use serenity::all::{
    ChannelType, CommandData, CommandDataOption, CommandDataOptionValue, CommandOptionType,
    CreateCommand, CreateCommandOption, InstallationContext, InteractionContext, Permissions,
};
use sha2::{Digest as _, Sha256};
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::refusal::Aim;
use super::rest::{DiscordRequest, Rest};
use crate::channel::SendError;
use crate::chat::{
    Arg, ArgKind, Audience, Call, CommandSpec, Completes, WrongCall, find, table::COMMANDS,
};
use crate::item::hex;

/// The largest integer that Discord accepts: 2^53 - 1.
const WHOLE_MAX: i64 = (1 << 53) - 1;
/// Discord's limit for a description, in code points.
const ABOUT_MAX: usize = 100;
/// Attempts to register if the outcome is unknown, and the wait after the first; each next wait is twice as long.
const TRIES_MAX: u32 = 8;
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(2);
/// Characters repeated of an unknown command.
const WORD_CHARS_MAX: usize = 40;

/// Remembers across restarts which commands are registered.
pub trait RegistrationStore: Send + Sync {
    /// The hash of the last registered commands of an application.
    fn registered<'a>(
        &'a self,
        application: &'a str,
    ) -> BoxFuture<'a, anyhow::Result<Option<String>>>;

    /// Stores the hash of the registered commands.
    fn keep<'a>(&'a self, application: &'a str, hash: &'a str)
    -> BoxFuture<'a, anyhow::Result<()>>;
}

/// Registers the commands if they changed.
pub(super) async fn register(
    rest: Arc<Rest>,
    memory: Arc<dyn RegistrationStore>,
    application: String,
) {
    let commands = registered();
    let hash = hex(&Sha256::digest(commands.to_string()));
    match memory.registered(&application).await {
        Ok(Some(known)) if known == hash => return,
        Ok(_) => {}
        // Registering on a guess could use up the daily limit.
        Err(error) => {
            return error!(
                "Discord: the database did not say whether the commands are registered: {error:#}"
            );
        }
    }
    let mut wait = TRY_AGAIN_AFTER;
    for _ in 0..TRIES_MAX {
        let request = DiscordRequest {
            method: Method::PUT,
            route: "/applications/{}/commands",
            major: application.clone(),
            path: format!("/applications/{application}/commands"),
            body: Some(commands.clone()),
            aim: Aim::Around,
        };
        match rest.ask(request).await {
            Ok(_) => {
                info!("Discord: the commands are registered");
                if let Err(error) = memory.keep(&application, &hash).await {
                    error!(
                        "Discord: the registration of the commands could not be stored: {error:#}"
                    );
                }
                return;
            }
            Err(SendError::Later { after, why, .. }) => {
                warn!("Discord: registering the commands must wait {after:?}: {why}");
                sleep(after).await;
            }
            Err(SendError::Unknown { why }) => {
                warn!("Discord: the commands were not registered; retrying in {wait:?}: {why}");
                sleep(wait).await;
                wait *= 2;
            }
            Err(error) => return error!("Discord: the commands could not be registered: {error}"),
        }
    }
    error!("Discord: the commands could not be registered; the next start retries");
}

/// All commands in Discord's format.
pub fn registered() -> Value {
    let commands = Audience::ALL.map(|audience| {
        let (about, command) = match audience {
            Audience::Readers => (
                "News about BPF: stories, issues, and series that wait for review",
                None,
            ),
            // Editors are listed in the configuration. A server's settings can hide the command from others.
            Audience::Editors => ("The coming issue, for its editors", None),
            Audience::Maintainers => (
                "The feeds, channels and mutes of bpfnews",
                Some(Permissions::MANAGE_GUILD),
            ),
        };
        let mut made = CreateCommand::new(audience.command())
            .description(about)
            .integration_types(vec![InstallationContext::Guild])
            .contexts(vec![InteractionContext::Guild])
            .set_options(options(audience));
        if let Some(needed) = command {
            made = made.default_member_permissions(needed);
        }
        made
    });
    let mut commands = serde_json::to_value(commands).expect("commands are plain data");
    make_whole(&mut commands);
    commands
}

/// serenity writes integer bounds as fractions (`-1000.0`) and missing ones as `null`. Makes them integers, or leaves
/// them out.
fn make_whole(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            for (key, value) in map {
                if let ("min_value" | "max_value", Some(bound)) = (key.as_str(), value.as_f64()) {
                    // Bounds are made of i64 within ±2^53, so nothing is lost.
                    *value = Value::from(bound as i64);
                }
                make_whole(value);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(make_whole),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn options(audience: Audience) -> Vec<CreateCommandOption> {
    let mut options: Vec<CreateCommandOption> = Vec::new();
    let mut groups: Vec<&str> = Vec::new();
    for spec in COMMANDS.iter().filter(|spec| spec.audience == audience) {
        match spec.path.split_once(' ') {
            None => options.push(sub_command(spec, spec.path)),
            Some((group, _)) if groups.contains(&group) => {}
            Some((group, _)) => {
                groups.push(group);
                options.push(group_of(audience, group));
            }
        }
    }
    options
}

fn group_of(audience: Audience, group: &str) -> CreateCommandOption {
    let members = COMMANDS.iter().filter(|spec| spec.audience == audience);
    let members: Vec<(&CommandSpec, &str)> = members
        .filter_map(|spec| match spec.path.split_once(' ') {
            Some((of, word)) if of == group => Some((spec, word)),
            _ => None,
        })
        .collect();
    let words: Vec<&str> = members.iter().map(|(_, word)| *word).collect();
    let about: String = format!("{group}: {}", words.join(", "));
    let about = about.chars().take(ABOUT_MAX).collect::<String>();
    let option = CreateCommandOption::new(CommandOptionType::SubCommandGroup, group, about);
    let members = members
        .into_iter()
        .map(|(spec, word)| sub_command(spec, word));
    option.set_sub_options(members)
}

fn sub_command(spec: &CommandSpec, word: &str) -> CreateCommandOption {
    CreateCommandOption::new(CommandOptionType::SubCommand, word, spec.about)
        .set_sub_options(spec.args.iter().map(option))
}

fn option(arg: &Arg) -> CreateCommandOption {
    let kind = match arg.kind {
        ArgKind::Text | ArgKind::OneOf(_) | ArgKind::Known(_) => CommandOptionType::String,
        ArgKind::Number(..) => CommandOptionType::Integer,
        ArgKind::Room => CommandOptionType::Channel,
    };
    let option = CreateCommandOption::new(kind, arg.name, arg.about).required(arg.is_required);
    match arg.kind {
        ArgKind::Text => option,
        ArgKind::Number(least, most) => option
            .min_number_value(least.clamp(-WHOLE_MAX, WHOLE_MAX) as f64)
            .max_number_value(most.clamp(-WHOLE_MAX, WHOLE_MAX) as f64),
        ArgKind::OneOf(words) => words.iter().fold(option, |option, word| {
            option.add_string_choice(*word, *word)
        }),
        ArgKind::Known(_) => option.set_autocomplete(true),
        ArgKind::Room => option.channel_types(vec![
            ChannelType::Text,
            ChannelType::News,
            ChannelType::Forum,
            ChannelType::NewsThread,
            ChannelType::PublicThread,
            ChannelType::PrivateThread,
        ]),
    }
}

/// The audience of a command, by its name.
pub(super) fn audience(name: &str) -> Option<Audience> {
    let mut audiences = Audience::ALL.into_iter();
    audiences.find(|audience| audience.command() == name)
}

/// The call in a person's command.
pub(super) fn call(audience: Audience, data: &CommandData) -> Result<Call, WrongCall> {
    let (path, given) = path_of(&data.options);
    let spec = find(audience, &path).ok_or_else(|| unknown(audience, &path))?;
    spec.call(given.iter().filter_map(|option| {
        let value = match &option.value {
            CommandDataOptionValue::String(text) => text.clone(),
            CommandDataOptionValue::Integer(number) => number.to_string(),
            CommandDataOptionValue::Number(number) => number.to_string(),
            CommandDataOptionValue::Boolean(is) => is.to_string(),
            CommandDataOptionValue::Channel(id) => id.to_string(),
            CommandDataOptionValue::Autocomplete { value, .. } => value.clone(),
            _ => return None,
        };
        Some((option.name.clone(), value))
    }))
}

fn unknown(audience: Audience, path: &str) -> WrongCall {
    match path {
        "" => WrongCall::Nothing(audience),
        path => WrongCall::Unknown {
            audience,
            word: path.chars().take(WORD_CHARS_MAX).collect(),
        },
    }
}

/// The kind and the typed text of the argument that a person is completing.
pub(super) fn begun(audience: Audience, data: &CommandData) -> Option<(Completes, String)> {
    let (path, _) = path_of(&data.options);
    let spec = find(audience, &path)?;
    let typed = data.autocomplete()?;
    let arg = spec.args.iter().find(|arg| arg.name == typed.name)?;
    match arg.kind {
        ArgKind::Known(completes) => Some((completes, typed.value.to_owned())),
        ArgKind::Text | ArgKind::Number(..) | ArgKind::OneOf(_) | ArgKind::Room => None,
    }
}

/// The path of a command, and its arguments.
fn path_of(options: &[CommandDataOption]) -> (String, &[CommandDataOption]) {
    let [first, ..] = options else {
        return (String::new(), &[]);
    };
    match &first.value {
        CommandDataOptionValue::SubCommand(given) => (first.name.clone(), given),
        CommandDataOptionValue::SubCommandGroup(inner) => {
            let (word, given) = path_of(inner);
            (format!("{} {word}", first.name), given)
        }
        _ => (String::new(), options),
    }
}
