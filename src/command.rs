//! Commands that people give in chat: what they are, who may, and what is answered. Platforms hand over what they heard
//! as [`heard::Asked`], and show the [`heard::Reply`].

pub mod grammar;
pub mod heard;
pub mod table;
