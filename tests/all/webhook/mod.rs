//! Webhooks: events of the documented form reach a receiver at least once, with a stable id, and in order for each message,
//! whatever the receiver answers and whenever the program dies.

mod receiver;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bpfnews::channel::webhook::{HookEndpoint, HookKey, HookTemplate, Webhook};
use bpfnews::channel::{Act, Below, Platform, Receipt, Scope, SendError, Work};
use bpfnews::config::{ChannelConfig, Config, HookUrl, NetworkConfig, PlatformKind};
use bpfnews::deliver::DeliveryLoop;
use bpfnews::post::story::{Content, Digest, IssuePart, IssuePost, Line, Suggestion, Tone};
use bpfnews::source::fetch::WebCaller;
use chrono::TimeDelta;
use serde_json::{Value, json};

use self::receiver::{Receiver, SECRET, Treatment, schema};
use crate::documents::{Mail, mail, mails_atom};
use crate::world::{World, archive, everything};

const NAME: &str = "hook";

fn network(timeout: Duration) -> NetworkConfig {
    NetworkConfig {
        allow_private_hosts: vec!["127.0.0.1".to_owned()],
        request_timeout: timeout,
        ..NetworkConfig::default()
    }
}

fn webhook(url: &str, template: Option<&str>, network: &NetworkConfig) -> Webhook {
    let endpoint = HookEndpoint {
        url: url.parse().expect("an address"),
        secret: Some(HookKey::read(SECRET).expect("a secret")),
        template: template
            .map(|source| HookTemplate::compile(source.to_owned()).expect("a template")),
    };
    let now = Arc::new(|| 1_736_510_400);
    Webhook::new(
        WebCaller::new(network, &[]),
        HashMap::from([(NAME.to_owned(), endpoint)]),
        now,
    )
}

fn work(act: Act, key: &str) -> Work {
    Work {
        address: NAME.to_owned(),
        act,
        key: key.to_owned(),
        is_retry: false,
        tried_ago: None,
        person: None,
    }
}

fn send(content: Content, key: &str) -> Work {
    work(
        Act::Send {
            content,
            under: None,
        },
        key,
    )
}

fn line(title: &str) -> Line {
    Line {
        what: "Applied to bpf-next".to_owned(),
        title: title.to_owned(),
        author: "A. Author".to_owned(),
        summary: title.to_owned(),
        link: Some("https://lore.example/1/".to_owned()),
        tone: Tone::Applied,
        mark: "m".to_owned(),
    }
}

/// One event of each kind.
fn contents() -> Vec<Content> {
    let evil = "\"}, @all <!channel> **x** {{ 1 }} \u{1f600}";
    let stories = crate::posts::cases::cases().into_iter();
    let mut stories = stories.filter_map(|(_, content)| match content {
        Content::Story(post) => Some(*post),
        _ => None,
    });
    let mut story = stories.next().expect("a story");
    story.title = evil.to_owned();
    vec![
        Content::Story(Box::new(story)),
        Content::Line(line(evil)),
        Content::Digest(Digest {
            title: evil.to_owned(),
            lines: vec![line("a"), line(evil)],
            mark: "d".to_owned(),
        }),
        Content::Issue(Box::new(IssuePost {
            title: "BPF updates 01".to_owned(),
            lead: evil.to_owned(),
            parts: vec![IssuePart {
                heading: "Applied".to_owned(),
                lines: vec![line("b")],
                is_list_of_patches: false,
            }],
            link: None,
            left_out: 2,
            picture: None,
            number: 1,
            mark: "i".to_owned(),
        })),
        Content::Suggestion(Suggestion {
            number: 3,
            link: "https://blog.example/".to_owned(),
            note: evil.to_owned(),
            known: String::new(),
            decided: String::new(),
            mark: "s".to_owned(),
        }),
        Content::Notice {
            title: evil.to_owned(),
            text: "a\nb".to_owned(),
            mark: "n".to_owned(),
        },
    ]
}

#[tokio::test]
async fn every_event_is_signed_and_as_the_schema_says() {
    let receiver = Receiver::start(true).await;
    let hook = webhook(&receiver.url, None, &network(Duration::from_secs(10)));
    let mut receipts: Vec<Receipt> = Vec::new();
    for (n, content) in contents().into_iter().enumerate() {
        let receipt = hook
            .deliver(&send(content.clone(), &format!("a{n}-0")))
            .await
            .expect("taken");
        let edit = Act::Edit {
            receipt: receipt.clone(),
            content: content.clone(),
        };
        let edited = hook
            .deliver(&work(edit, &format!("b{n}-2")))
            .await
            .expect("taken");
        let under = Some(Below::Answer(edited.clone()));
        hook.deliver(&work(Act::Send { content, under }, &format!("c{n}-0")))
            .await
            .expect("taken");
        hook.deliver(&work(
            Act::Remove {
                receipt: edited.clone(),
            },
            &format!("d{n}-0"),
        ))
        .await
        .expect("taken");
        receipts.push(edited);
    }
    let events = receiver.events();
    assert_eq!(events.len(), 4 * receipts.len());
    assert_eq!(receiver.inside().wrong, [""; 0]);
    let of_first: Vec<Value> = events[..4]
        .iter()
        .map(|event| json!([event["event"], event["message"]]))
        .collect();
    assert_eq!(
        of_first,
        [
            json!(["posted", {"id": "a0-0", "revision": 1, "reply_to": null}]),
            json!(["changed", {"id": "a0-0", "revision": 4, "reply_to": null}]),
            json!(["posted", {"id": "c0-0", "revision": 1, "reply_to": "a0-0"}]),
            json!(["removed", {"id": "a0-0", "revision": 5, "reply_to": null}]),
        ]
    );
    // The schema rejects events of another form.
    let schema = schema();
    for change in [
        |event: &mut Value| event["event"] = "deleted".into(),
        |event: &mut Value| event["content"] = Value::Null,
        |event: &mut Value| event["more"] = 1.into(),
        |event: &mut Value| event["message"]["revision"] = 0.into(),
        |event: &mut Value| event["content"]["tone"] = "loud".into(),
        |event: &mut Value| {
            drop(
                event["content"]
                    .as_object_mut()
                    .expect("an object")
                    .remove("title"),
            )
        },
    ] {
        let mut event = events[0].clone();
        change(&mut event);
        assert!(!schema.is_valid(&event), "{event}");
    }
}

#[tokio::test]
async fn each_answer_has_its_meaning() {
    let receiver = Receiver::start(true).await;
    let hook = webhook(&receiver.url, None, &network(Duration::from_millis(400)));
    let notice = || contents().pop().expect("one");
    let short = |error: &SendError| match error {
        SendError::Later {
            after,
            scope: Scope::Channel,
            ..
        } => format!("later {}", after.as_secs()),
        SendError::Unknown { .. } => "unknown".to_owned(),
        SendError::Failed { .. } => "failed".to_owned(),
        SendError::Never { scope, .. } => format!("never {scope:?}"),
        other => format!("{other:?}"),
    };
    let table = [
        (Treatment::TakesAndSays(200), "ok"),
        (Treatment::TakesAndSays(299), "ok"),
        (Treatment::Slower(17), "later 17"),
        (Treatment::Says(429), "later 60"),
        (Treatment::Says(500), "unknown"),
        (Treatment::TakesAndSays(503), "unknown"),
        (Treatment::Says(408), "unknown"),
        (Treatment::TakesAndCuts, "unknown"),
        (Treatment::TakesLate(Duration::from_secs(2)), "unknown"),
        (Treatment::Redirects, "never Channel"),
        (Treatment::Says(401), "never Channel"),
        (Treatment::Says(404), "never Channel"),
        (Treatment::Says(410), "never Channel"),
        (Treatment::Says(400), "never Delivery"),
        (Treatment::Says(413), "never Delivery"),
        (Treatment::Says(422), "never Delivery"),
    ];
    for (n, (treatment, right)) in table.into_iter().enumerate() {
        receiver.treat(&[treatment]);
        let told = hook.deliver(&send(notice(), &format!("k{n}-0"))).await;
        let told = match &told {
            Ok(_) => "ok".to_owned(),
            Err(error) => short(error),
        };
        assert_eq!(told, right, "{treatment:?}");
    }
    // A receiver that is down, and addresses that are not allowed. No message contains the secret part of the address.
    for (url, allowed, right) in [
        ("http://127.0.0.1:1/?key=s3cret", "127.0.0.1", "failed"),
        (
            "http://127.0.0.1:1/?key=s3cret",
            "10.0.0.1",
            "never Channel",
        ),
        (
            "https://169.254.169.254/?key=s3cret",
            "127.0.0.1",
            "never Channel",
        ),
        ("https://[::1]/?key=s3cret", "127.0.0.1", "never Channel"),
        (
            "http://hooks.example.com/?key=s3cret",
            "127.0.0.1",
            "never Channel",
        ),
    ] {
        let network = NetworkConfig {
            allow_private_hosts: vec![allowed.to_owned()],
            ..network(Duration::from_secs(2))
        };
        let error = webhook(url, None, &network)
            .deliver(&send(notice(), "k-0"))
            .await
            .expect_err(url);
        assert_eq!(short(&error), right, "{url}: {error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    let unknown = Work {
        address: "other".to_owned(),
        ..send(notice(), "k-0")
    };
    let error = hook.deliver(&unknown).await.expect_err("no such webhook");
    assert!(error.to_string().contains("restart"), "{error}");
}

#[tokio::test]
async fn the_recipes_make_bodies_that_other_programs_accept() {
    let text = include_str!("../../../docs/webhooks.md");
    for name in ["slack", "mattermost", "zulip"] {
        let recipe = text
            .split(&format!("<!-- recipe: {name}.jinja -->\n```jinja\n"))
            .nth(1)
            .expect("a recipe");
        let recipe = recipe.split("\n```").next().expect("its end");
        let receiver = Receiver::start(false).await;
        let hook = webhook(
            &receiver.url,
            Some(recipe),
            &network(Duration::from_secs(10)),
        );
        let mut texts = Vec::new();
        for (n, content) in contents().into_iter().enumerate() {
            let receipt = hook
                .deliver(&send(content.clone(), &format!("a{n}-0")))
                .await
                .expect("taken");
            // Edits and removals are not sent, because they would become separate messages.
            let edit = Act::Edit {
                receipt: receipt.clone(),
                content,
            };
            hook.deliver(&work(edit, &format!("b{n}-0")))
                .await
                .expect("left out");
            hook.deliver(&work(Act::Remove { receipt }, &format!("c{n}-0")))
                .await
                .expect("left out");
        }
        for event in receiver.events() {
            let text = event["text"]
                .as_str()
                .unwrap_or_else(|| panic!("{name}: {event}"))
                .to_owned();
            match name {
                "slack" => assert!(!text.contains("<!channel>"), "{text}"),
                _ => assert!(
                    !text.contains("@all") && !text.contains("**x**"),
                    "{name}: {text}"
                ),
            }
            texts.push(text);
        }
        // All kinds except the suggestion, which only bpfnews' own commands can answer.
        assert_eq!(texts.len(), 5, "{name}: {texts:#?}");
        assert_eq!(receiver.inside().wrong, [""; 0]);
        assert!(texts[2].lines().count() == 3, "{name}: {}", texts[2]);
    }
}

#[test]
fn the_configuration_is_checked() {
    let base = "[[feed]]\nname = \"a\"\nkind = \"lwn\"\nurl = \"https://lwn.net/headlines/rss\"\n[[channel]]\nname = \"hook\"\nplatform = \"webhook\"\n";
    let parse = |more: &str| {
        Config::parse(
            &format!("{base}{more}"),
            std::path::Path::new("/etc/b/config.toml"),
        )
    };
    let config =
        parse("url = \"https://a.example/h?x=1\"\nsecret_file = \"s\"").expect("a configuration");
    let hook = config.channels[0].hook.as_ref().expect("a webhook");
    assert_eq!(config.channels[0].address, "hook");
    assert_eq!(
        hook.secret_file.as_deref(),
        Some(std::path::Path::new("/etc/b/s"))
    );
    assert!(parse("url_file = \"u\"\ntemplate_file = \"t\"").is_ok());
    for (more, words) in [
        ("secret_file = \"s\"", "url"),
        ("url = \"https://a.example/\"", "secret_file"),
        (
            "url = \"ftp://a.example/\"\nsecret_file = \"s\"",
            "an https address",
        ),
        (
            "url = \"https://a.example/\"\nurl_file = \"u\"\nsecret_file = \"s\"",
            "url_file too",
        ),
        (
            "url = \"https://a.example/\"\nsecret_file = \"s\"\nid = \"1\"",
            "no id",
        ),
    ] {
        let problems = parse(more).expect_err(more).to_string();
        assert!(problems.contains(words), "{more}: {problems}");
    }
    let other = base.replace("webhook", "terminal");
    let problems = Config::parse(
        &format!("{other}url = \"https://a.example/\""),
        std::path::Path::new("c.toml"),
    );
    assert!(
        problems
            .expect_err("a wrong key")
            .to_string()
            .contains("only valid with")
    );
    assert_eq!(
        HookUrl::parse(" https://a.example/x\n")
            .map(|url| url.to_string())
            .as_deref(),
        Some("https://a.example/x")
    );
}

fn put_mails(world: &World, mails: &[Mail]) {
    let mut all = mails.to_vec();
    all.push(mail("seed", -60, "hello", ""));
    all.sort_by_key(|mail| std::cmp::Reverse(mail.at));
    world.put(
        "/bpf/new.atom",
        mails_atom("http://list.example/bpf/", &all),
    );
}

/// The delivery loop of a program that was just started.
fn delivery_loop(world: &World, receiver: &Receiver) -> DeliveryLoop {
    let hook: Arc<dyn Platform> = Arc::new(webhook(
        &receiver.url,
        None,
        &network(Duration::from_millis(150)),
    ));
    let ingest = &world.ingest;
    DeliveryLoop::new(
        ingest.store.clone(),
        Arc::clone(&ingest.clock),
        ingest.destinations(),
        HashMap::from([(PlatformKind::Webhook, hook)]),
    )
}

fn trouble(random: &mut fastrand::Rng) -> Treatment {
    match random.u8(0..8) {
        0 => Treatment::Says(500),
        1 => Treatment::TakesAndSays(502),
        2 => Treatment::TakesAndCuts,
        3 => Treatment::Slower(random.u64(1..30)),
        4 => Treatment::TakesLate(Duration::from_millis(400)),
        _ => Treatment::Takes,
    }
}

/// The program is killed two hundred times between two steps of a delivery, while the receiver fails in every way.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "the counts are for people to see")]
async fn whenever_it_dies_each_event_comes_in_order_with_a_stable_id() {
    const KILLS: usize = 200;
    const STORIES: i64 = 5;
    let receiver = Receiver::start(true).await;
    let mut random = fastrand::Rng::with_seed(29);
    let mut world = World::new(&[archive("bpf", "/bpf/")]).await;
    let hook = |config: &mut Config| {
        config.channels = vec![ChannelConfig {
            name: NAME.to_owned(),
            platform: PlatformKind::Webhook,
            address: NAME.to_owned(),
            ..everything()
        }];
    };
    world.restart(hook).await;
    put_mails(&world, &[]);
    world.poll().await;
    delivery_loop(&world, &receiver)
        .pass()
        .await
        .expect("a pass");
    world.advance(TimeDelta::hours(2));
    let (mut mails, mut versions): (Vec<Mail>, Vec<i64>) = (Vec::new(), vec![0; 5]);
    let mut killed = 0;
    for round in 0.. {
        for story in 0..STORIES {
            let version = &mut versions[usize::try_from(story).expect("few")];
            if *version > 0 && random.u8(0..4) > 0 {
                continue;
            }
            *version += 1;
            let id = format!("s{story}v{version}");
            let parent = if *version == 1 {
                String::new()
            } else {
                format!("s{story}v1")
            };
            let title = format!("[PATCH bpf-next v{version}] bpf: Do it {story}");
            mails.push(mail(&id, 61 + round * 70 + story, &title, &parent));
        }
        put_mails(&world, &mails);
        world.poll_when_due("bpf").await;
        for _ in 0..random.u32(2..6) {
            let treatments: Vec<Treatment> = (0..3).map(|_| trouble(&mut random)).collect();
            receiver.treat(&treatments);
            let running = delivery_loop(&world, &receiver);
            let pass = running.pass();
            let limit = Duration::from_micros(random.u64(200..60_000));
            killed += usize::from(tokio::time::timeout(limit, pass).await.is_err());
            drop(running);
            world.restart(|_| {}).await;
            world.advance(TimeDelta::seconds(random.i64(1..900)));
        }
        if killed >= KILLS {
            break;
        }
    }
    receiver.inside().next.clear();
    for _ in 0..6 {
        world.advance(TimeDelta::minutes(40));
        delivery_loop(&world, &receiver)
            .pass()
            .await
            .expect("a pass");
    }
    // Requests of killed processes may still be in progress.
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(receiver.inside().wrong, [""; 0]);
    let wanted = versions
        .iter()
        .enumerate()
        .map(|(story, version)| match version {
            1 => format!("bpf: Do it {story}: posted"),
            version => format!("bpf: Do it {story}: v{version}"),
        });
    let stands: Vec<String> = receiver
        .stands()
        .into_iter()
        .filter(|text| text.starts_with("bpf: Do it"))
        .collect();
    assert_eq!(stands, wanted.collect::<Vec<_>>());
    // The first appearances of a message's events are in order.
    let mut last: HashMap<String, u64> = HashMap::new();
    for event in receiver.events() {
        let id = event["message"]["id"].as_str().expect("an id").to_owned();
        let revision = event["message"]["revision"].as_u64().expect("a number");
        let before = last.insert(id, revision);
        assert!(before.is_none_or(|before| before < revision), "{event}");
    }
    let inside = receiver.inside();
    let doubles = inside.taken.len() - last.len();
    println!(
        "{killed} kills, {} requests, {} taken, {doubles} more than messages",
        inside.requests,
        inside.taken.len()
    );
    assert!(inside.requests > inside.taken.len());
}
