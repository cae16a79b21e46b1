//! The arguments of `issue edit`, and the texts and pictures that they name.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};

use crate::issue::SectionKind;
use crate::issue::picture::{EncodedPicture, UPLOAD_BYTES_MAX, encode};
use crate::publish::edit::{Place, TextBase};

/// The most bytes of a text from a file or from standard input.
const TEXT_BYTES_MAX: u64 = 64 << 10;

#[derive(Debug, Args)]
pub(in crate::cli) struct EditArgs {
    /// The name that is stored with the edit.
    #[arg(
        long = "as",
        value_name = "NAME",
        global = true,
        default_value = "operator"
    )]
    pub(super) name: String,
    /// Print the result as JSON.
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) command: EditSubcommand,
}

/// A text, from the command line, a file or standard input.
#[derive(Debug, Args)]
pub(super) struct TextArgs {
    /// The text, in Markdown; - reads it from standard input.
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    text: Option<String>,
    /// A file with the text.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) base: BaseArgs,
}

/// The version that a text replaces.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct BaseArgs {
    /// The version of the present text, which yours replaces. The draft shows it.
    #[arg(long, value_name = "N", conflicts_with = "over")]
    version: Option<i64>,
    /// Replace the present text whatever it is.
    #[arg(long)]
    over: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum EditSubcommand {
    /// Show the coming issue with the ids of its entries and the versions of its texts.
    #[command(after_help = "Example:\n  bpfnews issue edit draft")]
    Draft,
    /// Write the introduction.
    #[command(
        after_help = "Examples:\n  bpfnews issue edit intro --file intro.md\n  bpfnews issue edit intro - --version 12 < intro.md"
    )]
    Intro(TextArgs),
    /// Put a story into the issue, at the top of its section.
    #[command(after_help = "Example:\n  bpfnews issue edit pin 7h3k0x8v5n --section highlights")]
    Pin {
        /// Its id, words of its title, a Message-ID or a link.
        entry: String,
        #[arg(long, value_parser = section)]
        section: Option<SectionKind>,
    },
    /// Leave an entry out of the issue.
    #[command(after_help = "Example:\n  bpfnews issue edit drop 7h3k0x8v5n")]
    Drop { entry: String },
    /// Move an entry to another section.
    #[command(after_help = "Example:\n  bpfnews issue edit move s7 videos")]
    Move {
        /// Its id or words of its title; s7 for suggestion 7, e12 for a free entry.
        entry: String,
        #[arg(value_parser = section)]
        section: SectionKind,
    },
    /// Put an entry at a place of its section.
    #[command(
        after_help = "Examples:\n  bpfnews issue edit order 7h3k0x8v5n 1\n  bpfnews issue edit order e12 up"
    )]
    Order {
        entry: String,
        /// From 1; or up, or down.
        #[arg(value_parser = place)]
        place: Place,
    },
    /// Put a remark under an entry, or write it anew.
    #[command(
        after_help = "Example:\n  bpfnews issue edit note 7h3k0x8v5n \"A sentence of context.\""
    )]
    Note {
        entry: String,
        #[command(flatten)]
        text: TextArgs,
    },
    /// Give an entry another title.
    #[command(after_help = "Example:\n  bpfnews issue edit title 7h3k0x8v5n \"Maps that grow\"")]
    Title {
        entry: String,
        #[command(flatten)]
        text: TextArgs,
    },
    /// Add a free entry.
    #[command(
        after_help = "Example:\n  bpfnews issue edit add \"A nice picture\" --text \"Look.\" --picture a.png --alt \"A bee\""
    )]
    Add {
        title: String,
        /// Its text, in Markdown; - reads it from standard input.
        #[arg(long, conflicts_with = "file")]
        text: Option<String>,
        /// A file with the text.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        #[arg(long)]
        link: Option<String>,
        #[arg(long, value_parser = section)]
        section: Option<SectionKind>,
        /// A PNG, JPEG or WebP picture.
        #[arg(long, value_name = "FILE", requires = "alt")]
        picture: Option<PathBuf>,
        /// What the picture shows, for readers who do not see it.
        #[arg(long, requires = "picture")]
        alt: Option<String>,
    },
    /// Put a reader's suggestion into the issue.
    #[command(
        after_help = "Example:\n  bpfnews issue edit accept 7 --section videos --title \"A talk\""
    )]
    Accept {
        number: i64,
        #[arg(long, default_value = "")]
        title: String,
        #[arg(long, value_parser = section)]
        section: Option<SectionKind>,
    },
    /// Decline a reader's suggestion.
    #[command(after_help = "Example:\n  bpfnews issue edit decline 8")]
    Decline { number: i64 },
    /// Write the title or the note of a suggestion.
    #[command(
        name = "edit-suggestion",
        after_help = "Example:\n  bpfnews issue edit edit-suggestion 7 --title \"A talk\" --note \"Forty minutes.\""
    )]
    Suggestion {
        number: i64,
        #[arg(long, required_unless_present = "note", conflicts_with = "note")]
        title: Option<String>,
        /// Its note, in Markdown; - reads it from standard input.
        #[arg(long)]
        note: Option<String>,
        #[command(flatten)]
        base: BaseArgs,
    },
    /// Undo the last edit of an entry, of the introduction (intro), or of all (last).
    #[command(after_help = "Example:\n  bpfnews issue edit undo last")]
    Undo {
        #[arg(default_value = "last")]
        entry: String,
    },
    /// Add a marked correction to a published issue.
    #[command(
        after_help = "Example:\n  bpfnews issue edit correct 12 \"The second link was wrong.\""
    )]
    Correct {
        number: u32,
        #[command(flatten)]
        text: TextArgs,
    },
    /// List who edited what, and when.
    #[command(after_help = "Example:\n  bpfnews issue edit log --issue 12")]
    Log {
        /// Of this published issue.
        #[arg(long, value_name = "N")]
        issue: Option<i64>,
    },
}

fn section(word: &str) -> Result<SectionKind, String> {
    let all = SectionKind::ALL.map(SectionKind::word).join(", ");
    SectionKind::of(word).ok_or_else(|| format!("a section is one of {all}"))
}

fn place(word: &str) -> Result<Place, String> {
    Place::of(word).ok_or_else(|| "a place is a number from 1, or up, or down".to_owned())
}

fn from_stdin() -> anyhow::Result<String> {
    read_bounded(io::stdin().lock())
}

fn read_bounded(from: impl io::Read) -> anyhow::Result<String> {
    let mut text = String::new();
    let mut from = from.take(TEXT_BYTES_MAX + 1);
    from.read_to_string(&mut text).context("reading the text")?;
    anyhow::ensure!(
        text.len() as u64 <= TEXT_BYTES_MAX,
        "the text has more than {TEXT_BYTES_MAX} bytes"
    );
    Ok(text)
}

pub(super) fn read_text(text: Option<&str>, file: Option<&Path>) -> anyhow::Result<String> {
    match (text, file) {
        (_, Some(file)) => {
            let opened = std::fs::File::open(file);
            read_bounded(opened.with_context(|| format!("opening {}", file.display()))?)
        }
        (Some("-"), None) => from_stdin(),
        (text, None) => Ok(text.unwrap_or_default().to_owned()),
    }
}

impl TextArgs {
    pub(super) fn read(&self) -> anyhow::Result<String> {
        read_text(self.text.as_deref(), self.file.as_deref())
    }
}

impl BaseArgs {
    pub(super) fn base(self) -> TextBase {
        match (self.over, self.version) {
            (true, _) => TextBase::Any,
            (false, Some(version)) => TextBase::Version(version),
            (false, None) => TextBase::Unsaid,
        }
    }
}

pub(super) fn read_picture(file: &Path) -> anyhow::Result<EncodedPicture> {
    let what = || format!("reading {}", file.display());
    let mut bytes = Vec::new();
    let most = UPLOAD_BYTES_MAX as u64 + 1;
    let opened = std::fs::File::open(file).with_context(what)?;
    opened
        .take(most)
        .read_to_end(&mut bytes)
        .with_context(what)?;
    encode(&bytes).with_context(|| format!("{} cannot be used", file.display()))
}
