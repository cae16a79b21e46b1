//! Subsystems that are read from the tree of a feed, from git's own servers.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Server;
use super::bot::Bot;
use super::repository::{History, Repository};

const MAINTAINERS: &str =
    "BPF [CORE]\nM:\tZoë <z@x.invalid>\nF:\tkernel/bpf/\n\nNETWORKING\nF:\tnet/\n";

/// The files of the stories that a filter takes.
fn files(bot: &Bot, filter: &str) -> BTreeSet<String> {
    let args = ["stories", "--all", "--filter", filter, "--format", "json"];
    let told = bot.ask(&args);
    let stories = told
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let ids: Vec<String> = stories
        .map(|story| story["id"].as_str().expect("an id").to_owned())
        .collect();
    let mut files = BTreeSet::new();
    for path in ["kernel/bpf/verifier.c", "net/core.c"] {
        let of_path = bot.ask(&[
            "stories",
            "--all",
            "--filter",
            &format!("path:{path}"),
            "--format",
            "json",
        ]);
        if ids.iter().any(|id| of_path.contains(id)) {
            files.insert(path.to_owned());
        }
    }
    files
}

/// What a poll says and logs.
fn poll(bot: &Bot) -> String {
    let output = bot.run(&["-v", "poll", "--feed", "tree"]);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn real_gitfile_subsystems_come_from_a_tree_and_stay() {
    for more in [&[][..], &["--daemon"], &["--unfiltered"]] {
        let mut history = History::new(80);
        let first = history.line(0, 6, "kernel/bpf/verifier.c");
        let last = history.line(first, 6, "net/core.c");
        let repository = Repository::new(&history);
        repository.serve(last);
        repository.put("MAINTAINERS", MAINTAINERS);
        let server = Server::git(&repository.path(), more);
        let feeds = Bot::tree(&server.url, &[]);
        let bot = Bot::new(&format!(
            "[subsystems]\nmaintainers = {{ feed = \"tree\" }}\n\n{feeds}"
        ));
        let refused = |filter: &str, why: &str| {
            let output = bot.run(&["stories", "--filter", filter]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success() && said.contains(why), "{said}");
        };
        refused(
            "subsystem:core",
            "the MAINTAINERS file of the feed tree was not read yet",
        );

        poll(&bot);
        let core = BTreeSet::from(["kernel/bpf/verifier.c".to_owned()]);
        let net = BTreeSet::from(["net/core.c".to_owned()]);
        assert_eq!(files(&bot, "subsystem:core"), core);
        assert_eq!(files(&bot, "subsystem:networking"), net);
        refused("subsystem:cor", "similar names are");

        // It is not read again within a day; a bad file leaves the good one, and a warning says what to do.
        repository.put("MAINTAINERS", "Nothing.\n");
        let said = poll(&bot);
        assert!(!said.contains("MAINTAINERS cannot be read"), "{said}");
        let large = "x\n".repeat(5 << 20);
        for (content, why) in [
            ("Nothing.\n", "it has no subsystem"),
            (&*large, "more than 8388608 bytes"),
        ] {
            repository.put("MAINTAINERS", content);
            bot.forget_when_subsystems_were_read();
            let said = poll(&bot);
            // The same problem is reported once.
            if why.starts_with("it has") {
                assert!(
                    said.contains(why) && said.contains("stays in use"),
                    "{said}"
                );
            }
            assert_eq!(files(&bot, "subsystem:core"), core);
        }

        repository.put("MAINTAINERS", "EVERYTHING\nF:\tkernel/\nF:\tnet/\n");
        bot.forget_when_subsystems_were_read();
        let said = poll(&bot);
        assert!(
            said.contains("MAINTAINERS is read from tree again"),
            "{said}"
        );
        let both: BTreeSet<String> = core.union(&net).cloned().collect();
        assert_eq!(files(&bot, "subsystem:everything"), both);
        refused("subsystem:core", "similar names are \"EVERYTHING\"");
    }
}

#[test]
fn real_gitfile_a_tree_without_the_file_is_named() {
    let mut history = History::new(81);
    let last = history.line(0, 3, "kernel/bpf/verifier.c");
    let repository = Repository::new(&history);
    repository.serve(last);
    let server = Server::git(&repository.path(), &[]);
    let feeds = Bot::tree(&server.url, &[]);
    let bot = Bot::new(&format!(
        "[subsystems]\nmaintainers = {{ feed = \"tree\" }}\n\n{feeds}"
    ));
    let said = poll(&bot);
    assert!(
        said.contains("the branch master has no file MAINTAINERS"),
        "{said}"
    );
    assert!(
        said.contains("name another feed or the path of a file in [subsystems]"),
        "{said}"
    );
    bot.check_well("tree");
}
