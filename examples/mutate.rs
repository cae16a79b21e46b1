//! Reads inputs with random changes, the same in each run: documents, mails and other outside inputs, made from the corpora in
//! `fuzz/corpus`. Each has a time limit, and all together a memory limit.
//!
//!     cargo run --release --example mutate -- --documents 67000 --mails 100000
//!
//! Exit status: 0 if every input was read or refused in time, 1 if not, 2 for a usage error.

#[path = "../fuzz/inputs.rs"]
mod inputs;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// The longest that one input may take, and the most memory that all of them may need.
const TIME_MAX: Duration = Duration::from_secs(5);
const MEMORY_KIB_MAX: u64 = 768 * 1024;
/// The largest input, in bytes.
const INPUT_BYTES_MAX: usize = 512 * 1024;
/// How many inputs of the other kinds are made for each kind.
const OTHERS: usize = 10_000;

/// Tokens that trip parsers, inserted anywhere.
const TOKENS: [&[u8]; 44] = [
    b"<?xml version='1.0' encoding='utf-16'?>",
    b"<!DOCTYPE x [<!ENTITY a 'b'>]>",
    b"<![CDATA[",
    b"]]>",
    b"<!--",
    b"-->",
    b"&#0;",
    b"&#x110000;",
    b"&amp;",
    b"&",
    b"<item>",
    b"</item>",
    b"<item/>",
    b"<entry>",
    b"</entry>",
    b"<p><b id=0>",
    b"<table><td>",
    b"<svg><title>",
    b"</y>",
    b"<x a='",
    b"\"",
    b"'",
    b"<",
    b">",
    b" xmlns:a='b'",
    b" xml:base='../'",
    b"<itunes:duration>99999999999999999999:99:99</itunes:duration>",
    b"<author>a@b (</author>",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\0",
    b"\r\n\r\n",
    b"\n\n",
    b"\nFrom ",
    b"\n>From ",
    b"\nContent-Type: message/rfc822\n\n",
    b"\nContent-Type: multipart/mixed; boundary=\"\"\n\n",
    b"\nContent-Transfer-Encoding: base64\n",
    b"\n--out\n",
    b"=?utf-8?q?=",
    b"; a*1*=utf-8'",
    b"{\"items\":[",
    b"\\u0000",
    "\u{202e}\u{feff}🙂".as_bytes(),
];

/// One kind of input.
struct Kind {
    name: &'static str,
    read: fn(&[u8]),
    corpus: Vec<Vec<u8>>,
    wanted: usize,
}

fn corpus(name: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(name);
    let what = || format!("reading {}", folder.display());
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .with_context(what)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .with_context(what)?;
    files.sort();
    let texts = files.iter().map(std::fs::read);
    texts.collect::<Result<_, _>>().with_context(what)
}

/// A changed input: a few changes, most of them small.
fn changed(random: &mut fastrand::Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let pick = |random: &mut fastrand::Rng| &corpus[random.usize(..corpus.len())];
    let mut input = pick(random).clone();
    for _ in 0..random.usize(1..8) {
        if input.is_empty() {
            input.push(b'x');
        }
        let at = random.usize(..input.len());
        let end = (at + random.usize(1..=64)).min(input.len());
        match random.u8(..10) {
            0 => input[at] = random.u8(..),
            1 => input[at] ^= 1 << random.u8(..8),
            2 => drop(input.drain(at..end)),
            3 => input.truncate(at),
            4 => {
                let other = pick(random);
                let from = random.usize(..other.len());
                input.splice(at..end, other[from..].iter().copied());
            }
            5 => {
                // Many repetitions show quadratic cost.
                let times = 1 << random.u32(..13);
                let piece = input[at..end].repeat(times);
                input.splice(at..at, piece);
            }
            6 => {
                let times = 1 << random.u32(..12);
                let piece = TOKENS[random.usize(..TOKENS.len())].repeat(times);
                input.splice(at..at, piece);
            }
            _ => {
                let token = TOKENS[random.usize(..TOKENS.len())];
                input.splice(at..at, token.iter().copied());
            }
        }
        input.truncate(INPUT_BYTES_MAX);
    }
    input
}

/// The most memory that this process has had, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The time that this thread has had a processor. On a busy machine the clock would blame the input for other programs.
fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds)).filter(|time| !time.is_zero())
}

fn run(kind: &Kind, out: &mut impl std::io::Write) -> anyhow::Result<bool> {
    let mut random = fastrand::Rng::with_seed(kind.name.len() as u64);
    let (started, mut slowest, mut bytes) = (Instant::now(), Duration::ZERO, 0);
    for number in 0..kind.wanted {
        let input = changed(&mut random, &kind.corpus);
        bytes += input.len();
        let (begun, worked) = (Instant::now(), processor_time());
        let read = std::panic::catch_unwind(|| (kind.read)(&input));
        let took = match (worked, processor_time()) {
            (Some(before), Some(after)) => after.saturating_sub(before),
            _ => begun.elapsed(),
        };
        slowest = slowest.max(took);
        if read.is_err() || took > TIME_MAX || peak_kib() > MEMORY_KIB_MAX {
            let file = std::env::temp_dir().join(format!("mutate-{}-{number}", kind.name));
            std::fs::write(&file, &input)?;
            writeln!(
                out,
                "{} {number}: {} in {took:?}, {} KiB; the input is in {}",
                kind.name,
                if read.is_err() { "a panic" } else { "too much" },
                peak_kib(),
                file.display()
            )?;
            return Ok(false);
        }
    }
    writeln!(
        out,
        "{}: {} inputs, {} MB, {:.1} s, the slowest {} ms, {} MB of memory at the most so far",
        kind.name,
        kind.wanted,
        bytes / 1_000_000,
        started.elapsed().as_secs_f64(),
        slowest.as_millis(),
        peak_kib() / 1024
    )?;
    Ok(true)
}

fn kinds() -> anyhow::Result<Vec<Kind>> {
    let mut arguments = std::env::args().skip(1);
    let (mut documents, mut mails, mut others) = (OTHERS, OTHERS, OTHERS);
    while let Some(argument) = arguments.next() {
        let number = arguments.next().and_then(|number| number.parse().ok());
        let number = number.with_context(|| format!("{argument} wants a number"))?;
        match argument.as_str() {
            "--documents" => documents = number,
            "--mails" => mails = number,
            "--others" => others = number,
            _ => anyhow::bail!("{argument}: expected --documents, --mails or --others"),
        }
    }
    let kinds = inputs::ALL.into_iter().map(|(name, read)| {
        Ok(Kind {
            name,
            read,
            corpus: corpus(name)?,
            wanted: match name {
                "documents" => documents,
                "mails" => mails,
                _ => others,
            },
        })
    });
    kinds.collect()
}

fn main() -> anyhow::Result<ExitCode> {
    let mut out = anstream::stdout();
    let kinds = match kinds() {
        Ok(kinds) => kinds,
        Err(error) => {
            writeln!(anstream::stderr(), "mutate: {error:#}")?;
            return Ok(ExitCode::from(2));
        }
    };
    let mut is_well = true;
    for kind in &kinds {
        is_well &= run(kind, &mut out)?;
    }
    Ok(if is_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
