//! Table-driven tests for the whole room, and the example compared with the list of keys.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{NaiveTime, Weekday};
use url::Url;

use super::keys::{KEYS, TableName};
use super::*;
use crate::filter::{Filter, Subsystems};
use crate::post::milestone::{MilestoneKind, MilestoneWay, MilestoneWays};
use crate::post::route::Route;
use crate::story::machine::MachineKind;
use crate::story::relevance::FoldRules;
use crate::story::{State, StoryKind};

const EXAMPLE: &str = include_str!("../../config.example.toml");

const FEED: &str = "[[feed]]\nname = \"a\"\nkind = \"feed\"\nurl = \"https://a.example/feed\"\n";

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    Config::parse(text, Path::new("config.toml"))
}

/// Checks the whole error output; `right` has one line for each problem, without the count.
#[track_caller]
fn check(text: &str, right: &[&str]) {
    let problems = match parse(text) {
        Ok(_) => Vec::new(),
        Err(errors) => errors
            .problems
            .iter()
            .map(ConfigProblem::to_string)
            .collect(),
    };
    assert_eq!(problems, right, "for:\n{text}");
}

/// Checks the problems of one feed that begins in line 3; `right` is the part after its name.
#[track_caller]
fn check_feed(keys: &str, right: &[&str]) {
    let right: Vec<String> = right
        .iter()
        .map(|right| {
            let (line, message) = right.split_once(' ').expect("a case starts with its line");
            format!("config.toml:{line}: feed[1] \"a\": {message}")
        })
        .collect();
    let right: Vec<&str> = right.iter().map(String::as_str).collect();
    check(&format!("[[feed]]\nname = \"a\"\n{keys}\n"), &right);
}

#[track_caller]
fn feed(keys: &str) -> Arc<FeedConfig> {
    let text = format!("[[feed]]\nname = \"a\"\n{keys}\n");
    let mut config = parse(&text).unwrap_or_else(|errors| panic!("{errors}\nfor:\n{text}"));
    config.feeds.remove(0)
}

#[track_caller]
fn check_url(kind: &str, url: &str, right: &str) {
    let read = feed(&format!("kind = \"{kind}\"\nurl = \"{url}\""));
    assert_eq!(read.url.as_str(), right);
}

#[test]
fn all_problems_are_reported_at_once_with_their_lines() {
    let text = r#"databse = "x.sqlite"
host_gap_ms = 5

[network]
allow_private_hosts = ["127.0.0.1", "http://localhost:80", 7]
contact = "me (here)"
request_timeout_s = 0
poll_gap_s = 60

[[feed]]
name = "bpf"
kind = "tree"
url = "https://git.example/bpf.git"

[[feed]]
name = "bpf-next"
kind = "tre"
url = "https://me:hunter2@git.example/bpf-next.git"
poll_gap_s = "soon"
rolle = "next"

[[feed]]
name = "bpf"
kind = "lwn"
url = "lwn.net/headlines/rss"
branch = "master"

[[feed]]
kind = "archive"
url = "https://lore.kernel.org/bpf/new.atom"
poll_gap_s = 5

[[feed]]
name = "again"
kind = "tree"
url = "https://git.example/bpf.git/"
branch = "master"
paths = ["kernel/bpf", "../etc", "/net"]
"#;
    let errors = parse(text).expect_err("almost every line is wrong");
    insta::assert_snapshot!(errors, @r#"
    config.toml:1: databse: unknown key; did you mean "database"?
    config.toml:2: host_gap_ms: this key belongs in [network]
    config.toml:5: network.allow_private_hosts[2]: expected a name or an address without scheme, port or path, such as "127.0.0.1" or "localhost", found "http://localhost:80"
    config.toml:5: network.allow_private_hosts[3]: expected a name or an address without scheme, port or path, such as "127.0.0.1" or "localhost", found 7
    config.toml:6: network.contact: expected an address or a page in plain ASCII without parentheses, such as "bpfnews@example.org", found "me (here)"
    config.toml:7: network.request_timeout_s: expected a whole number of seconds from 1 to 600, found 0
    config.toml:8: network.poll_gap_s: this key belongs in a [[feed]]
    config.toml:17: feed[2] "bpf-next": kind: expected one of tree, archive, lwn, feed, found "tre"; did you mean "tree"?
    config.toml:18: feed[2] "bpf-next": url: has a user or a password in it; never write secrets into the configuration
    config.toml:19: feed[2] "bpf-next": poll_gap_s: expected a whole number of seconds from 30 to 604800, found "soon"
    config.toml:20: feed[2] "bpf-next": rolle: unknown key; did you mean "role"?
    config.toml:23: feed[3] "bpf": name: the feed on line 11 has the name "bpf" too; rename one of them
    config.toml:25: feed[3] "bpf": url: expected an http or https URL, such as "https://lore.kernel.org/bpf/", found "lwn.net/headlines/rss": relative URL without a base
    config.toml:26: feed[3] "bpf": branch: belongs to feeds of kind "tree"; this feed is of kind "lwn"
    config.toml:28: feed[4]: name: missing; expected a name of 1 to 64 letters, digits and any of . _ - / +
    config.toml:30: feed[4]: url: leads to new.atom, one page of the list; write https://lore.kernel.org/bpf/
    config.toml:36: feed[5] "again": url: reads the same source as feed[1] "bpf" on line 13; merge the two feeds
    config.toml:38: feed[5] "again": paths[2]: expected a path from the top of the tree, without "..", "*" or a slash before it, found "../etc"
    config.toml:38: feed[5] "again": paths[3]: expected a path from the top of the tree, without "..", "*" or a slash before it, found "/net"
    19 problems in the configuration
    "#);
}

#[test]
fn a_whole_configuration_is_read() {
    let text = r#"
database = "data/news.sqlite"
[network]
allow_private_hosts = ["LocalHost", "[::1]", "127.0.0.1"]
contact = "bpfnews@example.org; day and night"
page = "https://example.org/bpfnews"
installation_id = false
host_gap_ms = 0
request_timeout_s = 5
git_max_mb = 500
threads_per_day_max = 20
[relevance]
title_words = ["BPF", "xdp"]
path_words = ["kernel/bpf"]
[relevance.weights]
feature = 2
kfunc = 0
helper = -1
program_type = -2
map_type = -3
uapi = -4
jit = -5
verifier = -6
arena = -7
sched_ext = -8
security = -9
revert = -10
breakage = -11
crash = -20
nack = -12
review = -13
applied = -14
lwn = -15
selftests_only = -16
trivial = -17
driver = -18
backport = -19
[machines]
ai_review = ["Review-Bot@example.org"]
ci = ["ci+*@example.org"]
build = ["build@example.org"]
notices = ["applied@example.org"]
other = ["any@example.org"]
people = ["tim-bot@example.org"]
[[feed]]
name = "t"
kind = "tree"
url = "http://localhost:8080/linux.git/"
poll_gap_s = 1
bpf_only = true
branch = "for-next"
paths = ["kernel/bpf/", "net/core/filter.c"]
role = "stable"
[[feed]]
name = "a"
kind = "archive"
url = "http://[::1]/bpf"
poll_gap_s = 1
query = "s:bpf"
[[feed]]
name = "l"
kind = "lwn"
url = "https://lwn.net/headlines/rss"
[[feed]]
name = "f"
kind = "feed"
url = "https://a.example/feed?format=json"
gives = "videos"
identity = "guid"
new_max = 7
[discord]
token_file = "token"
api = "http://127.0.0.1:3020/"
[matrix]
homeserver = "https://matrix.example.org/"
user = "@bpfnews:example.org"
password_file = "password"
folder = "matrix"
inviters = ["@alice:example.org", "*:example.com"]
send_gap_s = 0
[[channel]]
name = "bpf-news"
platform = "discord"
id = "123456789012345678"
mode = "stories"
hourly_max = 6
quiet = "22:00-06:30"
milestones = "reply"
kinds = ["series", "article"]
feeds = ["a", "l"]
trees = ["bpf-next"]
states = ["posted", "partly_applied"]
words = ["verifier"]
people = ["A. Author"]
score_min = 40
off_topic = true
filter = "subsystem:core or feed:a"
[[channel]]
name = "weekly"
platform = "discord"
id = "123456789012345679"
mode = "digest"
digest_at = "mon 08:00"
tell = ["v2+"]
how = "thread"
pull_waits_days = 9
[[channel]]
name = "here"
platform = "terminal"
maintainers = true
issues = true
[[channel]]
name = "room"
platform = "matrix"
id = "!abc:example.org"
[[channel]]
name = "service"
platform = "webhook"
url_file = "hook-url"
secret_file = "hook-secret"
template_file = "hook.jinja"
[commands]
discord_users = ["123456789012345671"]
discord_roles = ["123456789012345672"]
matrix_users = ["@bob:example.org"]
managers = false
cooldown_s = 7
suggestions_person_max = 8
suggestions_server_max = 9
[follow]
each_max = 10
hourly_max = 2
[issue]
name = "BPF weekly"
publish = "wed 16:00"
folder = "issues"
discord_users = ["123456789012345673"]
discord_roles = ["123456789012345674"]
matrix_users = ["@eve:example.org"]
[web]
listen = "127.0.0.1:8080"
url = "https://news.example.org"
[subsystems]
maintainers = "MAINTAINERS"
[mail]
from = "news@example.org"
name = "BPF weekly"
bounces = "bounces@example.org"
host = "mail.example.org"
port = 2525
tls = "starttls"
user = "news"
password_file = "mail-password"
per_day_max = 500
list_id = "weekly.example.org"
"#;
    for (_, key) in KEYS {
        assert!(text.contains(key), "{key} is not tried here");
    }
    // The only file that is read with the configuration.
    let folder = tempfile::tempdir().expect("a folder");
    let maintainers = folder.path().join("MAINTAINERS");
    std::fs::write(&maintainers, "BPF [CORE]\nF:\tkernel/bpf/\n").expect("room on the disk");
    let text = text.replace("MAINTAINERS", &maintainers.to_string_lossy());
    let config = Config::parse(&text, Path::new("/etc/bpfnews/config.toml"));
    let config = config.unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!((config.follow.each_max, config.follow.hourly_max), (10, 2));
    let mail = config.mail.as_ref().expect("there is a [mail]");
    assert_eq!(
        (mail.port, mail.tls, mail.per_day_max),
        (2525, MailTls::StartTls, 500)
    );
    let file = mail.password_file.as_deref();
    assert_eq!(file, Some(Path::new("/etc/bpfnews/mail-password")));
    assert_eq!(
        config.database,
        PathBuf::from("/etc/bpfnews/data/news.sqlite")
    );
    check_channels(&config);
    let commands = CommandsConfig {
        discord_users: vec!["123456789012345671".to_owned()],
        discord_roles: vec!["123456789012345672".to_owned()],
        matrix_users: vec!["@bob:example.org".to_owned()],
        managers: false,
        cooldown_s: 7,
        suggestions_person_max: 8,
        suggestions_server_max: 9,
    };
    assert_eq!(config.commands, commands);
    let issue = IssueConfig {
        name: "BPF weekly".to_owned(),
        publish: Some(Schedule {
            day: Some(Weekday::Wed),
            at: NaiveTime::from_hms_opt(16, 0, 0).expect("a time"),
        }),
        folder: Some(PathBuf::from("/etc/bpfnews/issues")),
        discord_users: vec!["123456789012345673".to_owned()],
        discord_roles: vec!["123456789012345674".to_owned()],
        matrix_users: vec!["@eve:example.org".to_owned()],
    };
    assert_eq!(config.issue, issue);
    assert_eq!(config.home(), Some("https://news.example.org/"));
    let listen = config.web.as_ref().map(|web| web.listen.to_string());
    assert_eq!(listen.as_deref(), Some("127.0.0.1:8080"));
    let network = NetworkConfig {
        allow_private_hosts: vec![
            "localhost".to_owned(),
            "::1".to_owned(),
            "127.0.0.1".to_owned(),
        ],
        contact: Some("bpfnews@example.org; day and night".to_owned()),
        page: Url::parse("https://example.org/bpfnews").ok(),
        installation_id: false,
        host_gap: Duration::ZERO,
        request_timeout: Duration::from_secs(5),
        git_folder: PathBuf::from("/etc/bpfnews/data/news.git"),
        git_bytes_max: 500 << 20,
        threads_per_day_max: 20,
    };
    assert_eq!(config.network, network);
    let words = &config.relevance;
    assert_eq!(
        (words.title.join(" "), words.paths.join(" ")),
        ("bpf xdp".to_owned(), "kernel/bpf".to_owned())
    );
    assert_eq!(
        (words.weights["kfunc"], words.weights["backport"]),
        (0, -19)
    );
    let senders = [
        ("review-bot@example.org", MachineKind::AiReview),
        ("ci+*@example.org", MachineKind::Ci),
        ("build@example.org", MachineKind::Build),
        ("applied@example.org", MachineKind::Notices),
        ("any@example.org", MachineKind::Other),
    ];
    let senders = senders.map(|(pattern, sort)| (pattern.to_owned(), sort));
    assert_eq!(words.machines.senders, senders);
    assert_eq!(words.machines.people, ["tim-bot@example.org"]);
    let [tree, archive, lwn, plain] = &config.feeds[..] else {
        panic!("four feeds, got {:?}", config.feeds);
    };
    let kind = FeedKind::Tree {
        branch: "for-next".to_owned(),
        paths: vec!["kernel/bpf".to_owned(), "net/core/filter.c".to_owned()],
        role: TreeRole::Stable,
    };
    assert_eq!(tree.kind, kind);
    assert_eq!(tree.url.as_str(), "http://localhost:8080/linux.git");
    assert_eq!(
        (tree.poll_gap, tree.bpf_only),
        (Duration::from_secs(1), true)
    );
    assert_eq!(archive.url.as_str(), "http://[::1]/bpf/");
    assert_eq!(
        archive.kind,
        FeedKind::Archive {
            query: Some("s:bpf".to_owned())
        }
    );
    assert_eq!(lwn.kind, FeedKind::Lwn);
    assert_eq!(lwn.poll_gap, Duration::from_secs(1800));
    assert_eq!(
        plain.kind,
        FeedKind::Feed {
            gives: Some(Gives::Videos),
            identity: Identity::Guid
        }
    );
    assert_eq!((plain.new_max, lwn.new_max), (7, FeedConfig::NEW_MAX));
}

#[test]
fn a_missing_key_has_its_default() {
    let config = parse(FEED).expect("one good feed");
    assert_eq!(config.database, PathBuf::from("bpfnews.sqlite"));
    assert_eq!(config.network.host_gap, Duration::from_secs(1));
    assert_eq!(config.network.request_timeout, Duration::from_secs(60));
    for (kind, gap_s) in [
        ("archive", 300),
        ("tree", 600),
        ("lwn", 1800),
        ("feed", 3600),
    ] {
        let read = feed(&format!("kind = \"{kind}\"\nurl = \"https://a.example/x\""));
        assert_eq!(read.poll_gap, Duration::from_secs(gap_s), "{kind}");
        assert_eq!(read.kind.word(), kind);
    }
    let tree = FeedKind::Tree {
        branch: "master".to_owned(),
        paths: Vec::new(),
        role: TreeRole::Topic,
    };
    assert_eq!(
        feed("kind = \"tree\"\nurl = \"https://a.example/x.git\"").kind,
        tree
    );
}

#[test]
fn urls_come_into_one_form() {
    check_url(
        "archive",
        "https://lore.kernel.org/bpf",
        "https://lore.kernel.org/bpf/",
    );
    check_url(
        "archive",
        "https://lore.kernel.org/bpf/",
        "https://lore.kernel.org/bpf/",
    );
    check_url(
        "tree",
        "https://git.example/x.git/",
        "https://git.example/x.git",
    );
    check_url("tree", "https://git.example/x", "https://git.example/x");
    check_url("tree", "https://GitHub.com/o/r/", "https://github.com/o/r");
    check_url(
        "tree",
        "https://github.com/o/r.git",
        "https://github.com/o/r",
    );
    let git = "git+https://git.example/x.git";
    check_url("tree", &format!("{git}/"), git);
    check_url(
        "tree",
        "git+https://GitHub.com/o/r.git",
        "git+https://github.com/o/r",
    );
    check_url("tree", "git://h.example:9418/x", "git://h.example/x");
    check_url(
        "archive",
        "git+https://lore.kernel.org/bpf",
        "git+https://lore.kernel.org/bpf/",
    );
    check_url("feed", "https://a.example", "https://a.example/");
    check_url(
        "feed",
        "https://a.example/@b?c=d",
        "https://a.example/@b?c=d",
    );
}

#[test]
fn bad_urls_are_explained_with_the_right_form() {
    const RIGHT: &str =
        "expected an http or https URL, such as \"https://lore.kernel.org/bpf/\", found";
    const GITHUB: &str = "expected https://github.com/OWNER/REPOSITORY for a tree on GitHub";
    let secret = "has a user or a password in it; never write secrets into the configuration";
    let cases = [
        (
            "lwn",
            "",
            format!("{RIGHT} \"\": relative URL without a base"),
        ),
        (
            "lwn",
            "lwn.net/rss",
            format!("{RIGHT} \"lwn.net/rss\": relative URL without a base"),
        ),
        (
            "lwn",
            "ftp://lwn.net/rss",
            format!("{RIGHT} \"ftp://lwn.net/rss\""),
        ),
        (
            "lwn",
            "https://",
            format!("{RIGHT} \"https://\": empty host"),
        ),
        (
            "lwn",
            "https://a b/",
            format!("{RIGHT} \"https://a b/\" with a space or a control character in it"),
        ),
        ("lwn", "https://me@lwn.net/", secret.to_owned()),
        ("lwn", "https://:hunter2@lwn.net/", secret.to_owned()),
        (
            "lwn",
            "me:hunter2@lwn.net",
            format!("{RIGHT} one with an \"@\" in it"),
        ),
        (
            "feed",
            "https://a.example/#x",
            "has a fragment (from the \"#\" on), which is never sent; remove it".to_owned(),
        ),
        (
            "archive",
            "https://lore.kernel.org/bpf/new.atom",
            "leads to new.atom, one page of the list; write https://lore.kernel.org/bpf/"
                .to_owned(),
        ),
        (
            "archive",
            "https://lore.kernel.org/bpf/?q=x&x=A",
            "has a query (from the \"?\" on); write a search as `query`".to_owned(),
        ),
        (
            "archive",
            "https://lore.kernel.org/",
            "is not a list; expected one such as https://lore.kernel.org/bpf/".to_owned(),
        ),
        ("tree", "https://github.com/o", GITHUB.to_owned()),
        ("tree", "https://github.com/o/r/commits", GITHUB.to_owned()),
        ("tree", "https://www.github.com/o/r", GITHUB.to_owned()),
        (
            "tree",
            "https://git.example/x.git/log/",
            "leads to the page \"log\" inside a repository; write https://git.example/x.git"
                .to_owned(),
        ),
        (
            "tree",
            "https://git.example/x.git?h=net",
            "has a query (from the \"?\" on); name a branch by `branch`, folders by `paths`"
                .to_owned(),
        ),
        (
            "tree",
            "https://git.example/",
            "is only a host; expected a cgit repository, such as \
             https://git.kernel.org/pub/scm/linux/kernel/git/bpf/bpf-next.git"
                .to_owned(),
        ),
    ];
    for (kind, url, right) in cases {
        check_feed(
            &format!("kind = \"{kind}\"\nurl = \"{url}\""),
            &[&format!("4 url: {right}")],
        );
    }
}

#[test]
fn bad_values_are_explained_with_the_right_form() {
    let tree = "kind = \"tree\"\nurl = \"https://git.example/x.git\"";
    let archive = "kind = \"archive\"\nurl = \"https://a.example/bpf/\"";
    let gap = "poll_gap_s: expected a whole number of seconds from 30 to 604800, found";
    let branch = "branch: expected the name of a branch, such as \"master\", found";
    let path = "expected a path from the top of the tree, without \"..\", \"*\" or a slash before it, found";
    let paths = "paths: expected a list of paths, such as [\"kernel/bpf\", \"net/bpf\"], found";
    let role = "role: expected one of fixes, next, mainline, stable, topic, found";
    let query =
        "query: expected a search as public-inbox takes it, such as \"s:bpf OR s:xdp\", found";
    let many = format!("paths = [{}]", "\"a\", ".repeat(33));
    let cases = [
        (tree, "poll_gap_s = 29", format!("{gap} 29")),
        (tree, "bpf_only = 1", "bpf_only: expected true or false, found 1".to_owned()),
        (tree, "poll_gap_s = 604801", format!("{gap} 604801")),
        (tree, "poll_gap_s = -60", format!("{gap} -60")),
        (tree, "poll_gap_s = 60.5", format!("{gap} 60.5")),
        (tree, "poll_gap_s = true", format!("{gap} true")),
        (
            tree,
            "poll_gap_s = 99999999999999999999",
            format!("{gap} 99999999999999999999"),
        ),
        (tree, "poll_gap_s = 2026-01-01", format!("{gap} a date")),
        (tree, "branch = \"\"", format!("{branch} \"\"")),
        (tree, "branch = \"a b\"", format!("{branch} \"a b\"")),
        (tree, "branch = \"a..b\"", format!("{branch} \"a..b\"")),
        (tree, "branch = [\"a\"]", format!("{branch} a list")),
        (tree, "paths = \"net\"", format!("{paths} \"net\"")),
        (
            tree,
            "paths = [\"a\", \"/b\"]",
            format!("paths[2]: {path} \"/b\""),
        ),
        (
            tree,
            "paths = [\"a/../b\"]",
            format!("paths[1]: {path} \"a/../b\""),
        ),
        (tree, "paths = [\"\"]", format!("paths[1]: {path} \"\"")),
        (
            tree,
            "paths = [\"arch/*/net\"]",
            format!("paths[1]: {path} \"arch/*/net\""),
        ),
        (
            tree,
            "paths = [\"a\\u001bb\"]",
            format!("paths[1]: {path} \"a\\u{{1b}}b\""),
        ),
        (
            tree,
            "paths = [\"a\", \"a/\"]",
            "paths[2]: \"a\" is in this list twice".to_owned(),
        ),
        (
            tree,
            &many,
            "paths: expected at most 32, found 33".to_owned(),
        ),
        (
            tree,
            "role = \"main\"",
            format!("{role} \"main\"; did you mean \"mainline\"?"),
        ),
        (tree, "role = \"zzz\"", format!("{role} \"zzz\"")),
        (archive, "query = \" \"", format!("{query} \" \"")),
        (archive, "query = 1", format!("{query} 1")),
        (
            archive,
            "role = \"next\"",
            "role: belongs to feeds of kind \"tree\"; this feed is of kind \"archive\"".to_owned(),
        ),
        (tree, "zzz = 1", "zzz: unknown key; expected one of name, kind, url, user, password_file, poll_gap_s, bpf_only, branch, paths, role, query, gives, identity, new_max".to_owned()),
        (
            tree,
            "poll_gap = 60",
            "poll_gap: unknown key; did you mean \"poll_gap_s\"?".to_owned(),
        ),
        (
            tree,
            "contact = \"x\"",
            "contact: this key belongs in [network]".to_owned(),
        ),
        (
            tree,
            "\"\\u001b[31m\" = 1",
            "\\u{1b}[31m: unknown key; expected one of name, kind, url, user, password_file, poll_gap_s, bpf_only, branch, paths, role, query, gives, identity, new_max".to_owned(),
        ),
    ];
    for (base, key, right) in cases {
        check_feed(&format!("{base}\n{key}"), &[&format!("5 {right}")]);
    }
}

#[test]
fn names_are_short_plain_and_unique() {
    let long = "x".repeat(65);
    for name in ["", " ", "a b", "a\\nb", "ä", "a:b", &long] {
        let text = FEED.replace("\"a\"", &format!("\"{name}\""));
        let errors = parse(&text).expect_err("a bad name").to_string();
        assert!(
            errors.starts_with("config.toml:2: feed[1]: name: expected a name of 1 to 64"),
            "{errors}"
        );
    }
    let text = format!("{FEED}{FEED}");
    check(
        &text,
        &[
            "config.toml:6: feed[2] \"a\": name: the feed on line 2 has the name \"a\" too; rename one of them",
            "config.toml:8: feed[2] \"a\": url: reads the same source as feed[1] \"a\" on line 4; merge the two feeds",
        ],
    );
}

#[test]
fn one_upstream_is_read_by_one_feed() {
    let tree = |name: &str, more: &str| {
        format!(
            "[[feed]]\nname = \"{name}\"\nkind = \"tree\"\nurl = \"https://git.example/x.git\"\n{more}\n"
        )
    };
    check(
        &[tree("a", ""), tree("b", "branch = \"net\"")].concat(),
        &[],
    );
    check(
        &[tree("a", ""), tree("b", "branch = \"master\"")].concat(),
        &[
            "config.toml:9: feed[2] \"b\": url: reads the same source as feed[1] \"a\" on line 4; merge the two feeds",
        ],
    );
}

#[test]
fn missing_keys_and_feeds_are_reported() {
    let none =
        "feed: there is none; write a [[feed]] for each, or copy some from config.example.toml";
    let shape =
        "expected tables: write [[feed]], in two brackets, above the keys of each feed, found";
    check("", &[&format!("config.toml: {none}")]);
    check("feed = []", &[&format!("config.toml:1: {none}")]);
    check(
        "[feed]\nname = \"a\"",
        &[&format!("config.toml:1: feed: {shape} a table")],
    );
    check(
        "feed = [3]",
        &[&format!("config.toml:1: feed[1]: {shape} 3")],
    );
    check(
        "\n[[feed]]\n",
        &[
            "config.toml:2: feed[1]: name: missing; expected a name of 1 to 64 letters, digits and any of . _ - / +",
            "config.toml:2: feed[1]: kind: missing; expected one of tree, archive, lwn, feed",
            "config.toml:2: feed[1]: url: missing; expected an http or https URL, such as \
             \"https://lore.kernel.org/bpf/\"",
        ],
    );
    check(
        &format!("network = 3\n{FEED}"),
        &["config.toml:1: network: expected a table: write [network], its keys below, found 3"],
    );
}

#[test]
fn errors_of_syntax_do_not_hide_the_others() {
    let texts = [
        FEED.replace("\"a\"", "\"a"),
        "[[feed]]\nname \"a\"\nkind = \"lwn\"\nkind = \"lwn\"\nzzz = 1\n".to_owned(),
        format!("[[feed\n{FEED}"),
        format!("{FEED}paths = [\"a\",\n"),
        format!("{FEED}poll_gap_s =\n"),
        format!("{FEED}poll_gap_s = 1O0\n"),
    ];
    let told = texts.map(|text| match parse(&format!("database = 3\n{text}")) {
        Ok(_) => "nothing".to_owned(),
        Err(errors) => errors.to_string(),
    });
    insta::assert_snapshot!(told.join("\n\n"), @r#"
    config.toml:1: database: expected the path of a file, such as "bpfnews.sqlite", found 3
    config.toml:3: not TOML: invalid basic string, expected `"`
    2 problems in the configuration

    config.toml:1: database: expected the path of a file, such as "bpfnews.sqlite", found 3
    config.toml:3: not TOML: key with no value, expected `=`
    2 problems in the configuration

    config.toml:1: database: expected the path of a file, such as "bpfnews.sqlite", found 3
    config.toml:2: not TOML: unclosed array table, expected `]]`
    2 problems in the configuration

    config.toml:1: database: expected the path of a file, such as "bpfnews.sqlite", found 3
    config.toml:6: not TOML: unclosed array, expected `]`
    2 problems in the configuration

    config.toml:1: database: expected the path of a file, such as "bpfnews.sqlite", found 3
    config.toml:6: not TOML: string values must be quoted, expected literal string
    2 problems in the configuration

    config.toml:1: database: expected the path of a file, such as "bpfnews.sqlite", found 3
    config.toml:6: not TOML: string values must be quoted, expected literal string
    2 problems in the configuration
    "#);
}

#[test]
fn one_open_bracket_does_not_fill_the_screen() {
    let text = format!("x = [\n{}", FEED.repeat(100));
    let errors = parse(&text).expect_err("the list never ends");
    assert!(errors.problems.len() < 15, "{errors}");
}

#[test]
fn an_unreadable_file_is_reported_with_advice() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let missing = folder.path().join("config.toml");
    let shown = missing.display();
    let message = Config::load(&missing)
        .expect_err("no such file")
        .to_string();
    assert_eq!(
        message,
        format!(
            "{shown}: no such file; create one with bpfnews setup, or name another with --config\n\
             1 problem in the configuration"
        )
    );
    let message = Config::load(folder.path())
        .expect_err("a folder")
        .to_string();
    assert!(message.contains("cannot be read ("), "{message}");

    std::fs::write(&missing, b"# caf\n# caf\xe9\n").expect("the folder can be written");
    let errors = Config::load(&missing).expect_err("not UTF-8");
    assert_eq!(errors.problems[0].line, Some(2));

    std::fs::write(&missing, format!("\u{feff}{FEED}").replace('\n', "\r\n"))
        .expect("the folder can be written");
    let config = Config::load(&missing).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.database, folder.path().join("bpfnews.sqlite"));
}

#[test]
fn hosts_of_the_bot_are_distinguished_from_others() {
    let text = format!(
        "[network]\nallow_private_hosts = [\"::1\", \"Build.Example.\", \"10.0.0.1\"]\n{FEED}"
    );
    let network = parse(&text)
        .unwrap_or_else(|errors| panic!("{errors}"))
        .network;
    let cases = [
        ("http://[::1]:80/", true),
        ("http://[0:0:0:0:0:0:0:1]/", true),
        ("http://build.example/", true),
        ("http://BUILD.example./", true),
        ("http://10.0.0.1/", true),
        ("http://10.0.0.10/", false),
        ("http://x.build.example/", false),
    ];
    for (url, right) in cases {
        let url = Url::parse(url).expect("a URL of ours");
        assert_eq!(network.allows_private(&url), right, "{url}");
    }
}

/// Whether a line of the example is prose: a comment, but not a commented-out key, header or rule.
fn is_prose(line: &str) -> bool {
    let Some(text) = line.strip_prefix("# ") else {
        return false;
    };
    !text.starts_with(['[', '-', '=']) && !text.contains(" = ")
}

fn check_channels(config: &Config) {
    let discord = DiscordConfig {
        token_file: Some(PathBuf::from("/etc/bpfnews/token")),
        api: "http://127.0.0.1:3020".to_owned(),
    };
    assert_eq!(config.discord, Some(discord));
    let matrix = MatrixConfig {
        homeserver: "https://matrix.example.org".to_owned(),
        user: "@bpfnews:example.org".to_owned(),
        token_file: None,
        password_file: Some(PathBuf::from("/etc/bpfnews/password")),
        folder: Some(PathBuf::from("/etc/bpfnews/matrix")),
        inviters: vec!["@alice:example.org".to_owned(), "*:example.com".to_owned()],
        send_gap_s: 0,
    };
    assert_eq!(config.matrix, Some(matrix));
    let [news, weekly, here, room, service] = &config.channels[..] else {
        panic!("five channels, got {:?}", config.channels);
    };
    let hook = HookConfig {
        url: HookUrl::File(PathBuf::from("/etc/bpfnews/hook-url")),
        secret_file: Some(PathBuf::from("/etc/bpfnews/hook-secret")),
        template_file: Some(PathBuf::from("/etc/bpfnews/hook.jinja")),
    };
    assert_eq!((&*service.address, &service.hook), ("service", &Some(hook)));
    assert_eq!(
        (room.platform, room.address.as_str()),
        (PlatformKind::Matrix, "!abc:example.org")
    );
    assert_eq!(
        (news.platform, news.address.as_str()),
        (PlatformKind::Discord, "123456789012345678")
    );
    let route = Route {
        kinds: vec![StoryKind::Series, StoryKind::Article],
        feeds: vec!["a".to_owned(), "l".to_owned()],
        trees: vec!["bpf-next".to_owned()],
        states: vec![State::Posted, State::PartlyApplied],
        words: vec!["verifier".to_owned()],
        people: vec!["A. Author".to_owned()],
        score_min: Some(40),
        off_topic: true,
        filter: Filter::parse("subsystem:core or feed:a").ok(),
        subsystems: config.subsystems.clone(),
    };
    assert_eq!(config.subsystems.len(), 1);
    assert_eq!(news.route, route);
    assert_eq!(
        (
            news.mode,
            news.hourly_max,
            &news.milestones,
            news.maintainers
        ),
        (
            ChannelMode::Stories,
            Some(6),
            &MilestoneWays::of_older_key(MilestoneWay::Reply),
            false
        )
    );
    assert!(news.quiet.is_some());
    let at = NaiveTime::from_hms_opt(8, 0, 0).expect("a time of day");
    let when = Schedule {
        day: Some(Weekday::Mon),
        at,
    };
    assert_eq!(weekly.mode, ChannelMode::Digest { when });
    let others = Route {
        subsystems: config.subsystems.clone(),
        ..Route::default()
    };
    let ways = MilestoneWays::all(&[MilestoneKind::Revision(2)], MilestoneWay::Thread);
    assert_eq!(
        (&weekly.milestones, weekly.pull_waits.num_days()),
        (&ways, 9)
    );
    assert_eq!(weekly.route, others);
    assert_eq!(
        (here.platform, here.maintainers),
        (PlatformKind::Terminal, true)
    );
}

/// A channel on Discord with these keys.
fn channel_with(keys: &str) -> String {
    format!(
        "[[feed]]\nname = \"a\"\nkind = \"lwn\"\nurl = \"https://lwn.net/headlines/rss\"\n[discord]\n\
         [[channel]]\nname = \"x\"\nplatform = \"discord\"\nid = \"123456\"\n{keys}\n"
    )
}

#[test]
fn a_channel_chooses_its_milestones() {
    use MilestoneKind::{Applied, Mainline, Nack, PullWaits, Revision};
    use MilestoneWay::{Edit, Reply, Thread};
    let usual = MilestoneWays::usual;
    for (keys, right) in [
        ("", usual(Reply)),
        ("how = \"edit\"", usual(Edit)),
        ("how = \"thread\"", usual(Thread)),
        ("mode = \"digest\"", usual(Edit)),
        ("mode = \"digest\"\nhow = \"reply\"", usual(Reply)),
        ("milestones = \"edit\"", MilestoneWays::of_older_key(Edit)),
        (
            "milestones = \"thread\"",
            MilestoneWays::of_older_key(Thread),
        ),
        ("tell = []", MilestoneWays::default()),
        (
            "tell = [\"v2+\", \"NACK\", \"pull-waits\"]",
            MilestoneWays::all(&[Revision(2), Nack, PullWaits], Reply),
        ),
        (
            "tell = [\"applied\"]\nhow = \"thread\"",
            MilestoneWays::all(&[Applied], Thread),
        ),
        (
            "tell = { mainline = \"reply\", \"v3+\" = \"thread\", applied = \"edit\" }",
            MilestoneWays::new(vec![
                (Mainline, Reply),
                (Revision(3), Thread),
                (Applied, Edit),
            ]),
        ),
    ] {
        let text = channel_with(keys);
        let config = parse(&text).unwrap_or_else(|errors| panic!("{errors}\nfor:\n{text}"));
        assert_eq!(config.channels[0].milestones, right, "{keys}");
        assert_eq!(config.channels[0].pull_waits.num_days(), 7, "{keys}");
    }
    let config = parse(&channel_with("pull_waits_days = 3")).expect("a good configuration");
    assert_eq!(config.channels[0].pull_waits.num_days(), 3);
}

#[test]
fn faults_of_milestones_are_reported() {
    let of = |line: usize, rest: &str| format!("config.toml:{line}: channel[1] \"x\": {rest}");
    let known = "nack, changes-requested, withdrawn, superseded, applied, pulled, mainline, stable, released, reverted, cve, free, pull-waits";
    let list = "a list such as [\"applied\", \"v2+\"], or a table such as { applied = \"reply\", \"v2+\" = \"thread\" }";
    for (keys, right) in [
        (
            "milestones = \"reply\"\ntell = [\"applied\"]",
            vec![of(
                10,
                "milestones: tell and how replace this key; remove it",
            )],
        ),
        (
            "milestones = \"reply\"\nhow = \"edit\"",
            vec![of(
                10,
                "milestones: tell and how replace this key; remove it",
            )],
        ),
        (
            "tell = [\"v1+\", \"applied\", \"applied\"]",
            vec![
                of(
                    10,
                    &format!(
                        "tell[1]: \"v1+\" is not a milestone; expected v2+ to v99+, or one of {known}"
                    ),
                ),
                of(10, "tell[3]: applied is there twice"),
            ],
        ),
        (
            "how = \"edit\"\ntell = [\"pull-waits\"]",
            vec![of(
                11,
                "tell[1]: pull-waits is a message of its own; use \"reply\" or \"thread\", or leave it out",
            )],
        ),
        (
            "tell = { nak = \"reply\", nack = \"loud\" }",
            vec![
                of(
                    10,
                    &format!(
                        "tell.nak: \"nak\" is not a milestone; expected v2+ to v99+, or one of {known}"
                    ),
                ),
                of(
                    10,
                    "tell.nack: expected one of edit, reply, thread, found \"loud\"",
                ),
            ],
        ),
        (
            "tell = { nack = \"reply\" }\nhow = \"thread\"",
            vec![of(
                11,
                "how: tell has a way for each milestone; remove this key",
            )],
        ),
        (
            "tell = \"applied\"",
            vec![of(10, &format!("tell: expected {list}, found \"applied\""))],
        ),
        (
            "pull_waits_days = 0",
            vec![of(
                10,
                "pull_waits_days: expected a whole number of days from 1 to 90, found 0",
            )],
        ),
    ] {
        let right: Vec<&str> = right.iter().map(String::as_str).collect();
        check(&channel_with(keys), &right);
    }
}

#[test]
fn a_filter_is_read_and_its_errors_name_the_column() {
    let channel = |filter: &str| {
        let channel = "[[channel]]\nname = \"x\"\nplatform = \"terminal\"\n";
        format!("{FEED}{channel}score_min = 2\nfilter = '{filter}'\n")
    };
    let config = parse(&channel("feed:a or author:\"A B\"")).expect("a filter");
    let whole = config.channels[0].route.as_filter().to_string();
    assert_eq!(
        whole,
        "about:bpf and score>=2 and (feed:a or author:\"A B\")"
    );
    #[rustfmt::skip]
    let table = [
        ("kind:series autor:x", "column 13: there is no name \"autor\"; write author; to search titles for \"autor:x\", \
                                 put it in quotation marks"),
        ("feed:b", "there is no feed \"b\""),
        ("subsystem:bpf", "column 1: no file with subsystems is configured; set maintainers = \"FILE\" in [subsystems] to a \
                           kernel's MAINTAINERS file"),
    ];
    for (filter, wrong) in table {
        let right = format!("config.toml:9: channel[1] \"x\": filter: {wrong}");
        check(&channel(filter), &[&right]);
    }
}

#[test]
fn subsystems_are_read_from_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let maintainers = "BPF [CORE]\nM:\tZo\u{eb} <z@x.example>\nF:\tkernel/bpf/\n";
    std::fs::write(folder.path().join("MAINTAINERS"), maintainers).expect("room on the disk");
    std::fs::write(folder.path().join("empty"), "Nothing.\n").expect("room on the disk");
    let read = |file: &str, subsystem: &str| {
        let text = format!(
            "[subsystems]\nmaintainers = \"{file}\"\n{FEED}[[channel]]\nname = \"x\"\nplatform = \"terminal\"\n\
             filter = \"subsystem:{subsystem}\"\n"
        );
        Config::parse(&text, &folder.path().join("config.toml"))
    };
    let config = read("MAINTAINERS", "core").expect("a subsystem");
    assert_eq!(config.subsystems.len(), 1);
    assert_eq!(config.channels[0].route.subsystems, config.subsystems);
    for (file, subsystem, wrong) in [
        ("MAINTAINERS", "cor", "similar names are \"BPF [CORE]\""),
        (
            "empty",
            "core",
            "it has no subsystem with F:, N: or K: lines",
        ),
        ("nowhere", "core", "No such file"),
        ("", "core", "expected the path of a file"),
    ] {
        let errors = read(file, subsystem).expect_err(wrong).to_string();
        assert!(errors.contains(wrong), "{errors}");
    }
}

#[test]
fn subsystems_may_come_from_a_feed() {
    let read = |maintainers: &str| {
        let text = format!(
            "[subsystems]\nmaintainers = {maintainers}\n\
             [[feed]]\nname = \"next\"\nkind = \"tree\"\nurl = [\"https://git.example/next.git\", \
             \"git+https://git.example/next.git\"]\nbranch = \"master\"\n\
             [[feed]]\nname = \"cgit\"\nkind = \"tree\"\nurl = \"https://git.example/cgit.git\"\nbranch = \"master\"\n\
             [[channel]]\nname = \"x\"\nplatform = \"terminal\"\nfilter = \"subsystem:anything\"\n"
        );
        Config::parse(&text, Path::new("config.toml"))
    };
    let config = read("{ feed = \"next\" }").expect("a feed that git reads");
    assert_eq!(config.subsystems.feed(), Some("next"));
    assert!(config.subsystems.is_empty());
    let channel = &config.channels[0].route;
    // What is read later is there for channels too.
    let read_later = Subsystems::parse("ANYTHING\nF:\tnet/\n").expect("a file");
    config.subsystems.fill("cgit", &read_later);
    assert!(channel.subsystems.is_empty());
    config.subsystems.fill("next", &read_later);
    assert_eq!(channel.subsystems.len(), 1);
    for (maintainers, wrong) in [
        ("{ feed = \"nowhere\" }", "there is no feed \"nowhere\""),
        (
            "{ feed = \"cgit\" }",
            "\"cgit\" is no tree that git reads; add an address such as",
        ),
        ("{ feed = 1 }", "expected the name of a feed of kind tree"),
        (
            "{ file = \"x\" }",
            "unknown key; expected the path of a file",
        ),
        ("{}", "expected the path of a file"),
        ("1", "expected the path of a file"),
    ] {
        let errors = read(maintainers).expect_err(wrong).to_string();
        assert!(errors.contains(wrong), "{errors}");
    }
}

#[test]
fn faults_of_channels_are_reported() {
    check(
        "[[feed]]\nname = \"a\"\nkind = \"lwn\"\nurl = \"https://lwn.net/headlines/rss\"\n\
         [discord]\napi = \"http://discord.com\"\n\
         [[channel]]\nname = \"x\"\nplatform = \"discord\"\nid = \"#general\"\nmode = \"digest\"\ndigest_at = \"8\"\n\
         [[channel]]\nname = \"y\"\nplatform = \"irc\"\nquiet = \"22:00\"\nkinds = [\"serie\"]\nfeeds = [\"b\"]\nmaintainer = 1\n\
         [[channel]]\nname = \"z\"\nplatform = \"terminal\"\nid = \"1\"\nhourly_max = 0\ndigest_at = \"08:00\"\n",
        &[
            "config.toml:6: discord.api: expected an https address, such as \"https://discord.com\"; http only for this machine's loopback, found \"http://discord.com\"",
            "config.toml:10: channel[1] \"x\": id: expected the channel's id, a number in quotation marks: copy it from the channel's menu in Discord, found \"#general\"",
            "config.toml:12: channel[1] \"x\": digest_at: expected a time, UTC, such as \"08:00\" for every day or \"mon 08:00\" for every week, found \"8\"",
            "config.toml:15: channel[2] \"y\": platform: expected one of discord, matrix, terminal, webhook, found \"irc\"",
            "config.toml:16: channel[2] \"y\": quiet: expected two different times, UTC, such as \"22:00-06:30\", found \"22:00\"",
            "config.toml:17: channel[2] \"y\": kinds[1]: \"serie\" is not a kind of story; expected one of series, commit, pull, thread, article, release, video",
            "config.toml:18: channel[2] \"y\": feeds[1]: there is no feed \"b\"",
            "config.toml:19: channel[2] \"y\": maintainer: unknown key; did you mean \"maintainers\"?",
            "config.toml:23: channel[3] \"z\": id: the terminal has no id; remove this key",
            "config.toml:24: channel[3] \"z\": hourly_max: expected a whole number of posts from 1 to 1000, found 0",
            "config.toml:25: channel[3] \"z\": digest_at: only valid with mode = \"digest\"",
        ],
    );
}

const MAIL: &str = "[[feed]]\nname = \"a\"\nkind = \"lwn\"\nurl = \"https://lwn.net/headlines/rss\"\n\
    [web]\nlisten = \"127.0.0.1:0\"\nurl = \"https://pages.example/\"\n[mail]\n";

#[test]
fn faults_of_mail_are_reported_at_once() {
    check(
        &format!(
            "{MAIL}from = \"news\"\nname = \"a\\nb\"\nbounces = \"a+b@example.org\"\nhost = \"mail.example\"\ntls = \"none\"\n\
             port = 0\npassword_file = \"x\"\nper_day_max = 0\nlist_id = \"a b\"\nhosts = 1\n"
        ),
        &[
            "config.toml:9: mail.from: expected the address that mails come from, such as \"bpfnews@example.org\", found \"news\"",
            "config.toml:10: mail.name: expected the sender's name in at most 60 characters, such as \"BPF updates\", found \"a\\nb\"",
            "config.toml:11: mail.bounces: the part before the @ has at most 30 characters and no \"+\": each mail adds its own token",
            "config.toml:13: mail.tls: \"none\" is only for localhost and for private addresses such as \"10.0.0.1\"; use \"starttls\" or \"implicit\"",
            "config.toml:14: mail.port: expected a whole number of port from 1 to 65535, found 0",
            "config.toml:15: mail.password_file: there is no `user` for this password; set `user`, or remove this",
            "config.toml:16: mail.per_day_max: expected a whole number of mails from 1 to 1000000, found 0",
            "config.toml:17: mail.list_id: expected the list's id, such as \"bpf-updates.example.org\", found \"a b\"",
            "config.toml:18: mail.hosts: unknown key; did you mean \"host\"?",
        ],
    );
    check(
        &format!(
            "{}[mail]\nfrom = \"a@example.org\"\nhost = \"m.example\"\n",
            MAIL.split("[web]").next().unwrap_or_default()
        ),
        &[
            "config.toml:5: mail: mails have links to confirm and to unsubscribe: set `url` under [web] to an https address",
        ],
    );
}

#[test]
fn mail_has_safe_defaults() {
    let read = |keys: &str| {
        let text = format!("{MAIL}from = \"News@Bpf.Example\"\n{keys}\n");
        let config = parse(&text).unwrap_or_else(|errors| panic!("{errors}"));
        config.mail.expect("there is a [mail]")
    };
    let mail = read("host = \"mail.example\"");
    assert_eq!(
        (mail.tls, mail.port, mail.per_day_max),
        (MailTls::StartTls, 587, 2_000)
    );
    assert_eq!(mail.list_id(), "bpfnews.bpf.example");
    for (keys, tls, port) in [
        (
            "host = \"m.example\"\ntls = \"implicit\"",
            MailTls::Implicit,
            465,
        ),
        ("host = \"localhost\"\ntls = \"none\"", MailTls::None, 25),
        (
            "host = \"10.1.2.3\"\ntls = \"none\"\nport = 2525",
            MailTls::None,
            2525,
        ),
        ("host = \"[::1]\"\ntls = \"none\"", MailTls::None, 25),
    ] {
        let mail = read(keys);
        assert_eq!((mail.tls, mail.port), (tls, port), "{keys}");
    }
}

#[test]
fn channels_are_held_against_each_other() {
    check(
        "[[feed]]\nname = \"a\"\nkind = \"lwn\"\nurl = \"https://lwn.net/headlines/rss\"\n\
         [[channel]]\nname = \"x\"\nplatform = \"discord\"\nid = \"123456\"\n\
         [[channel]]\nname = \"x\"\nplatform = \"discord\"\nid = \"123456\"\n",
        &[
            "config.toml:5: channel \"x\": is on Discord, but there is no [discord]: add it, with token_file",
            "config.toml:9: channel \"x\": the channel on line 5 has this name too; rename one of them",
            "config.toml:9: channel \"x\": posts to the same room as x; merge the two channels",
            "config.toml:9: channel \"x\": is on Discord, but there is no [discord]: add it, with token_file",
        ],
    );
}

#[test]
fn an_archive_may_have_several_addresses_and_a_news_server() {
    let read = feed(
        "kind = \"archive\"\nurl = [\"nntps://News.example./a.list/\", \"https://a.example/l\"]\n\
         user = \"me\"\npassword_file = \"secret\"",
    );
    let ways: Vec<&str> = read.ways().iter().map(Url::as_str).collect();
    assert_eq!(
        ways,
        ["nntps://news.example./a.list", "https://a.example/l/"]
    );
    assert_eq!(
        read.url.as_str(),
        "https://a.example/l/",
        "the address with pages"
    );
    let login = read.addresses.login.as_ref().expect("an account");
    assert_eq!(login.user, "me");
    assert_eq!(login.password_file, PathBuf::from("secret"));

    let read = feed("kind = \"archive\"\nurl = \"nntp://127.1:1119/a.list\"");
    assert_eq!(read.url.as_str(), "nntp://127.0.0.1:1119/a.list");
    assert_eq!(read.ways(), std::slice::from_ref(&read.url));
    let place = host_and_port(&read.url).expect("a host");
    assert_eq!(
        (place.0.to_string(), place.1),
        ("127.0.0.1".to_owned(), 1119)
    );
    for (url, port) in [
        ("nntp://[::1]/a", 119),
        ("nntps://x.y/a", 563),
        ("https://x.y/", 443),
    ] {
        let url = url.parse().expect("a URL");
        assert_eq!(host_and_port(&url).expect("a host").1, port);
    }
    let read =
        feed("kind = \"tree\"\nurl = [\"https://git.example/x.git\", \"https://github.com/o/r\"]");
    assert_eq!(read.ways().len(), 2);
}

#[test]
fn faults_of_addresses_are_reported() {
    const GROUP: &str =
        "expected nntps://HOST/GROUP, such as nntps://nntp.lore.kernel.org/org.kernel.vger.bpf";
    for url in [
        "nntps://a.example",
        "nntp://a.example/",
        "nntps://a.example/a/b",
        "nntp://a.example/*",
        "nntp://a.example/a?b",
        "nntp://a%20b/a",
        "nntp://a.example/a%20b",
    ] {
        check_feed(
            &format!("kind = \"archive\"\nurl = \"{url}\""),
            &[&format!("4 url: {GROUP}")],
        );
    }
    let wrong = "expected an http or https URL, such as \"https://lore.kernel.org/bpf/\", found";
    check_feed(
        "kind = \"tree\"\nurl = \"nntps://a.example/a\"",
        &[&format!(
            "4 url: {wrong} \"nntps://a.example/a\"; only feeds of kind \"archive\" are read by NNTP"
        )],
    );
    check_feed(
        "kind = \"lwn\"\nurl = [\"https://lwn.net/headlines/rss\"]",
        &["4 url: is a list; a feed of kind \"lwn\" has one address"],
    );
    check_feed(
        "kind = \"archive\"\nurl = [\"https://a.example/l\", \"x\", \"https://a.example/l/\"]",
        &[
            &format!("4 url[2]: {wrong} \"x\": relative URL without a base"),
            "4 url[3]: the list on line 4 has this address twice",
        ],
    );
    check_feed(
        "kind = \"archive\"\nurl = []",
        &["4 url: expected a URL or a list of URLs, the best first, found a list"],
    );
    check_feed(
        "kind = \"archive\"\nurl = [\"https://a.example/l\", \"nntps://a.example/a\"]\nquery = \"s:bpf\"",
        &["5 query: needs http addresses; a news server has no search"],
    );
    check_feed(
        "kind = \"archive\"\nurl = \"nntps://a.example/a\"\nuser = \"me\"",
        &["5 user: needs `password_file` beside it"],
    );
    check_feed(
        "kind = \"archive\"\nurl = \"nntps://a.example/a\"\npassword_file = \"x\"",
        &["5 password_file: needs `user` beside it"],
    );
    check_feed(
        "kind = \"archive\"\nurl = \"nntp://a.example/a\"\nuser = \"me\"\npassword_file = \"x\"",
        &["5 user: would be sent to an nntp:// address in clear text; use nntps://"],
    );
    check_feed(
        "kind = \"archive\"\nurl = \"https://a.example/a\"\nuser = \"me\"\npassword_file = \"x\"",
        &["5 user: belongs to feeds with an nntps:// address"],
    );
}

#[test]
fn two_feeds_do_not_share_an_address() {
    let text = "[[feed]]\nname = \"a\"\nkind = \"archive\"\nurl = [\"nntps://x.y/g\", \"https://x.y/l/\"]\n\
                [[feed]]\nname = \"b\"\nkind = \"archive\"\nurl = \"nntps://x.y/g\"\n";
    check(
        text,
        &[
            "config.toml:8: feed[2] \"b\": url: reads the same source as feed[1] \"a\" on line 4; merge the two feeds",
        ],
    );
}

#[test]
fn the_example_is_good_and_explains_every_key() {
    let config = parse(EXAMPLE).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(config.feeds.len() > 40, "{} feeds", config.feeds.len());

    let lines: Vec<&str> = EXAMPLE.lines().collect();
    for (within, key) in KEYS {
        let is_first_use = |line: &&str| {
            let line = line.strip_prefix("# ").unwrap_or(line);
            match (*within, *key) {
                (TableName::Top, "network") => line == "[network]",
                (TableName::Top, "feed") => line.starts_with("[[feed]] # "),
                (TableName::Top, "relevance") => line == "[relevance]",
                (TableName::Relevance, "weights") => line == "[relevance.weights]",
                (TableName::Top, "machines") => line == "[machines]",
                (TableName::Top, "discord") => line == "[discord]",
                (TableName::Top, "matrix") => line == "[matrix]",
                (TableName::Top, "channel") => line == "[[channel]]",
                (TableName::Top, "commands") => line == "[commands]",
                (TableName::Top, "issue") => line == "[issue]",
                (TableName::Top, "web") => line == "[web]",
                (TableName::Top, "mail") => line == "[mail]",
                (TableName::Top, "follow") => line == "[follow]",
                (TableName::Top, "subsystems") => line == "[subsystems]",
                (
                    TableName::Top
                    | TableName::Network
                    | TableName::Relevance
                    | TableName::Weights
                    | TableName::Machines
                    | TableName::Feed
                    | TableName::Discord
                    | TableName::Matrix
                    | TableName::Channel
                    | TableName::Commands
                    | TableName::Follow
                    | TableName::Issue
                    | TableName::Web
                    | TableName::Mail
                    | TableName::Subsystems,
                    _,
                ) => line.starts_with(&format!("{key} = ")),
            }
        };
        let at = lines.iter().position(is_first_use);
        let at = at.unwrap_or_else(|| panic!("{key} is not in config.example.toml"));
        let above = lines[..at].iter().rev().find(|line| !line.is_empty());
        let explained = match *key {
            "network" | "feed" | "relevance" | "weights" | "machines" | "discord" | "matrix"
            | "channel" | "commands" | "issue" | "web" | "mail" | "subsystems" => {
                above.is_some_and(|line| line.starts_with('#') || line.contains('='))
            }
            _ => at > 0 && is_prose(lines[at - 1]),
        };
        assert!(explained, "line {}: {key} has no comment above it", at + 1);
    }
    let urls = (0..lines.len()).filter(|&at| lines[at].starts_with("url = "));
    for at in urls {
        // The mark of several addresses is behind the last one.
        let end = lines[at..]
            .iter()
            .find(|line| **line != "url = [" && !line.starts_with("    "));
        let line = end.expect("a list of addresses ends");
        let address = line.strip_suffix(", guessed").unwrap_or(line);
        let address = address.strip_suffix(" # untried");
        let marked = address.is_some_and(|address| address.ends_with(['"', ']']));
        assert!(marked, "no mark: {line}");
    }
}

#[test]
fn faults_of_the_relevance_are_reported() {
    check(
        "[relevance]\ntitle_words = \"bpf\"\npath_words = [\"x\", 7]\ntitels = 1\n[relevance.weights]\nkfunk = 1\nhelper = 101\njit = \"much\"\n\
         [[feed]]\nname = \"a\"\nkind = \"lwn\"\nurl = \"https://lwn.net/headlines/rss\"\n",
        &[
            "config.toml:2: relevance.title_words: expected a list of words, such as [\"bpf\", \"xdp\"], found \"bpf\"",
            "config.toml:3: relevance.path_words[1]: expected a word of 2 to 80 characters, found \"x\"",
            "config.toml:3: relevance.path_words[2]: expected a word of 2 to 80 characters, found 7",
            "config.toml:4: relevance.titels: unknown key; expected one of title_words, path_words, weights",
            "config.toml:6: relevance.weights.kfunk: unknown key; did you mean \"kfunc\"?",
            "config.toml:7: relevance.weights.helper: expected a whole number from -100 to 100, found 101",
            "config.toml:8: relevance.weights.jit: expected a whole number from -100 to 100, found \"much\"",
        ],
    );
}

#[test]
fn the_example_shows_the_defaults_of_the_relevance() {
    let config = parse(EXAMPLE).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.relevance, FoldRules::default());
}

#[test]
fn faults_of_the_commands_are_reported() {
    check(
        &format!(
            "[commands]\ndiscord_users = [\"alice\"]\ndiscord_roles = \"1\"\nmatrix_users = [\"@a:b.example\", 7]\n\
             managers = \"no\"\ncooldown_s = 601\nsuggestions_person_max = -1\nsuggestion_server_max = 1\n{FEED}"
        ),
        &[
            "config.toml:2: commands.discord_users[1]: expected a list of people's ids on Discord, such as \"123456789012345678\": copy them from their menus, found \"alice\"",
            "config.toml:3: commands.discord_roles: expected a list of roles' ids on Discord, such as \"123456789012345678\": copy them from their menus, found \"1\"",
            "config.toml:4: commands.matrix_users[2]: expected a list of accounts on Matrix, such as \"@alice:example.org\", found 7",
            "config.toml:5: commands.managers: expected true or false, found \"no\"",
            "config.toml:6: commands.cooldown_s: expected a whole number of seconds from 0 to 600, found 601",
            "config.toml:7: commands.suggestions_person_max: expected a whole number of suggestions from 0 to 10000, found -1",
            "config.toml:8: commands.suggestion_server_max: unknown key; did you mean \"suggestions_server_max\"?",
        ],
    );
    let config = parse(EXAMPLE).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.commands, CommandsConfig::default());
}

/// The name of a server is kept as a name, and everything else must be an address.
#[test]
fn a_homeserver_is_a_name_or_an_address() {
    let read = |homeserver: &str| {
        let feed =
            "[[feed]]\nname = \"a\"\nkind = \"lwn\"\nurl = \"https://lwn.net/headlines/rss\"\n";
        let text =
            format!("{feed}[matrix]\nhomeserver = \"{homeserver}\"\nuser = \"@bot:matrix.org\"\n");
        parse(&text).map(|config| config.matrix.map(|matrix| matrix.homeserver))
    };
    for (written, right) in [
        ("matrix.org", "matrix.org"),
        ("Matrix.ORG:8448", "matrix.org:8448"),
        ("https://matrix.org/", "https://matrix.org"),
        ("http://127.0.0.1:8008", "http://127.0.0.1:8008"),
    ] {
        assert_eq!(read(written), Ok(Some(right.to_owned())), "{written}");
    }
    for wrong in [
        "http://matrix.org",
        "matrix",
        "matrix.org/path",
        "@bot:matrix.org",
        "ftp://matrix.org",
    ] {
        let said = read(wrong).expect_err(wrong).to_string();
        assert!(
            said.contains("the server's name, such as"),
            "{wrong}: {said}"
        );
    }
}

#[test]
fn faults_of_the_newsletter_and_the_pages_are_reported_at_once() {
    let feed =
        "[[feed]]\nname = \"a\"\nkind = \"archive\"\nurl = \"https://lore.kernel.org/bpf/\"\n";
    let text = format!(
        "{feed}[issue]\nname = \"\"\npublish = \"noon\"\nfolder = \"~/x\"\nmatrix_users = [\"eve\"]\n\
         [web]\nlisten = \"8080\"\nurl = \"https://x.example/bpf\"\n"
    );
    let errors = parse(&text).expect_err("it is wrong").to_string();
    for key in [
        "issue.name",
        "issue.publish",
        "issue.folder",
        "issue.matrix_users",
        "web.listen",
        "web.url",
    ] {
        assert!(errors.contains(key), "{key}: {errors}");
    }
    let missing =
        parse(&format!("{feed}[web]\nurl = \"https://x.example/\"\n")).expect_err("no address");
    assert!(missing.to_string().contains("web.listen"), "{missing}");
}

#[test]
fn faults_of_the_machines_are_reported() {
    check(
        &format!(
            "[machines]\nci = [\"ci\", \"x@*\", \"@example.org\", 7]\nbots = []\nother = \"x@example.org\"\n{FEED}"
        ),
        &[
            "config.toml:2: machines.ci[1]: expected an address with its domain, such as \"ci+*@example.org\"; * only before the @, found \"ci\"",
            "config.toml:2: machines.ci[2]: expected an address with its domain, such as \"ci+*@example.org\"; * only before the @, found \"x@*\"",
            "config.toml:2: machines.ci[3]: expected an address with its domain, such as \"ci+*@example.org\"; * only before the @, found \"@example.org\"",
            "config.toml:2: machines.ci[4]: expected an address with its domain, such as \"ci+*@example.org\"; * only before the @, found 7",
            "config.toml:3: machines.bots: unknown key; expected one of ai_review, ci, build, notices, other, people",
            "config.toml:4: machines.other: expected a list of addresses, such as [\"review-bot@example.org\", \"ci+*@example.org\"], found \"x@example.org\"",
        ],
    );
}

/// Operators have files with these keys: none may go or change its name.
#[test]
fn the_keys_stay() {
    let keys = KEYS.iter().map(|(table, key)| match table {
        TableName::Top => (*key).to_owned(),
        _ => format!("{}: {key}", table.place()),
    });
    insta::assert_snapshot!(keys.collect::<Vec<_>>().join("\n"));
}
