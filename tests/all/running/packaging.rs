//! The files, flags and paths that the systemd unit, the Containerfile and the pages for operators name exist.

use std::path::Path;
use std::process::Command;

use crate::cli::{bpfnews, err, folder};

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The values of a key of the unit.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    let lines = unit.lines();
    lines
        .filter_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        .collect()
}

/// Fails unless the program accepts these arguments.
fn check_words(words: &[&str]) {
    let folder = folder();
    let asked = bpfnews(folder.path()).args(words).arg("--help").output();
    let asked = asked.expect("the program was built");
    assert!(asked.status.success(), "{words:?}: {}", err(&asked));
}

#[test]
fn the_unit_starts_an_existing_command() {
    let unit = read("contrib/bpfnews.service");
    let start = values(&unit, "ExecStart");
    let words: Vec<&str> = start[0].split_whitespace().collect();
    assert_eq!(Path::new(words[0]).file_name(), Some("bpfnews".as_ref()));
    check_words(&words[1..]);
    assert_eq!(values(&unit, "RestartPreventExitStatus"), ["2"]);
    assert!(values(&unit, "ExecReload")[0].contains("-HUP $MAINPID"));
    assert_eq!(values(&unit, "StateDirectory"), ["bpfnews"]);
    let platforms = read("src/app/platforms.rs");
    for line in unit.lines().filter(|line| line.contains("LoadCredential=")) {
        let name = line.split(['=', ':']).nth(1).expect("a name");
        assert!(platforms.contains(&format!("\"{name}\"")), "{name}");
    }
    let page = read("docs/running.md");
    for named in [
        words[0],
        "/etc/bpfnews/config.toml",
        "/var/lib/bpfnews/bpfnews.sqlite",
    ] {
        assert!(page.contains(named), "{named}");
    }
    assert!(unit.contains("database = \"/var/lib/bpfnews/bpfnews.sqlite\""));
}

#[test]
fn the_container_starts_the_built_program() {
    let file = read("Containerfile");
    let list = |key: &str| -> Vec<String> {
        let mut lines = file.lines();
        let line = lines
            .find_map(|line| line.strip_prefix(key))
            .unwrap_or_else(|| panic!("{key}"));
        serde_json::from_str(line.trim()).expect("a list of words")
    };
    let unit = read("contrib/bpfnews.service");
    let set = file.lines().filter_map(|line| line.strip_prefix("ENV "));
    assert_eq!(set.collect::<Vec<_>>(), values(&unit, "Environment"));
    let (entry, words) = (list("ENTRYPOINT"), list("CMD"));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    check_words(&words);
    let copied = file
        .lines()
        .find(|line| line.starts_with("COPY --from=build"));
    let copied: Vec<&str> = copied
        .expect("the program is copied")
        .split_whitespace()
        .collect();
    assert_eq!(copied[2], "/src/target/dist/bpfnews");
    assert_eq!(copied[3], entry[0]);
    assert!(file.contains("\nUSER bpfnews\n") && file.contains("\nVOLUME /var/lib/bpfnews\n"));
    let manifest = read("Cargo.toml");
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "));
    let version = version.expect("a version").trim_matches('"');
    assert!(
        file.contains(&format!("/rust:{version}-slim-")),
        "{version}"
    );
    let ignored = read(".containerignore");
    assert_eq!(ignored, read(".dockerignore"));
    for name in ["target", ".git", "config.toml", "discord-token"] {
        assert!(ignored.lines().any(|line| line == name), "{name}");
    }
}

#[test]
fn the_pages_name_existing_commands() {
    let mut named = 0;
    for page in [
        "README.md",
        "docs/json.md",
        "docs/newsletter.md",
        "docs/running.md",
        "docs/set-up.md",
        "docs/stories.md",
    ] {
        let text = read(page);
        let blocks = text.split("```").skip(1).step_by(2);
        let lines = blocks
            .filter(|block| block.starts_with("sh\n"))
            .flat_map(str::lines);
        for line in lines {
            let Some(at) = line
                .find("bpfnews ")
                .filter(|at| !line[..*at].contains('#'))
            else {
                continue;
            };
            if !(at == 0 || line[..at].ends_with("exec bpfnews ") || line[..at].ends_with("&& ")) {
                continue;
            }
            let line = line.replace("$(date +%F)", "2025-01-31");
            let words: Vec<&str> = line[at..].split_whitespace().skip(1).collect();
            let end = words.iter().position(|word| {
                word.starts_with('#') || *word == "&&" || *word == "|" || *word == ">"
            });
            let words = &words[..end.unwrap_or(words.len())];
            check_words(words);
            named += 1;
        }
    }
    assert!(named >= 12, "{named}");
}

/// systemd reads the unit, and rates its sandbox as good.
#[test]
fn real_systemd_takes_the_unit() {
    let folder = folder();
    let unit = read("contrib/bpfnews.service");
    let here = unit
        .replace("/usr/local/bin/bpfnews", env!("CARGO_BIN_EXE_bpfnews"))
        // The build's folder may be in a home folder.
        .replace("ProtectHome=yes\n", "");
    let file = folder.path().join("bpfnews.service");
    std::fs::write(&file, here).expect("room on the disk");
    let analyze = |arguments: &[&str]| {
        let ran = Command::new("systemd-analyze")
            .args(arguments)
            .arg(&file)
            .output();
        ran.expect("tests/run installs systemd")
    };
    let verified = analyze(&["verify"]);
    assert!(verified.status.success(), "{}", err(&verified));
    assert_eq!(err(&verified), "");
    let rated = analyze(&["security", "--offline=true", "--threshold=20"]);
    let said = crate::cli::out(&rated);
    let level = said.lines().find(|line| line.contains("exposure level"));
    crate::real::say(level.unwrap_or(&said));
    assert!(rated.status.success(), "{said}");
}
