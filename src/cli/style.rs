//! The colours of what the commands print.

use anstyle::{AnsiColor, Color, Effects, Style};

pub(super) const GOOD: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Green)));
pub(super) const BAD: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Red)));
pub(super) const DIM: Style = Style::new().effects(Effects::DIMMED);
