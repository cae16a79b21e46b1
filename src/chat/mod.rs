//! The commands that people give in chat, and the data that platforms and the command handler exchange. Pure.
//!
//! One [`table`] lists all commands. Discord registers it, Matrix parses text with its [`grammar`], and help is made from
//! it. This room imports nothing of a platform and nothing of the handler, so that both can use it.

mod exchange;
pub mod grammar;
mod platform;
mod spec;
pub mod table;

pub use self::exchange::{
    Choice, CommandRequest, HandleCommands, PageCalls, Reply, Requester, RoomEvent, SharedHandler,
};
pub use self::grammar::{Call, WrongCall};
pub use self::platform::PlatformKind;
pub use self::spec::{Arg, ArgKind, Audience, CommandId, CommandSpec, Completes, Disclosure, Pace};
pub use self::table::find;
