//! Where posts are shown. For now the terminal.

pub mod terminal;
