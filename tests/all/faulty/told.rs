//! The posts and notices that people get if an upstream misbehaves.

use chrono::TimeDelta;

use crate::documents::{Mail, cgit, commit, mail, public_inbox};
use crate::rude::answer;
use crate::world::{World, archive, tree};

/// Two changes of one author with one subject, far below the feed's window.
#[tokio::test]
async fn another_change_with_the_same_subject_is_posted() {
    let mut world = World::new(&[tree("linux", "/linux/", &[])]).await;
    let serve = |world: &World, newest: u32| {
        let mut line: Vec<_> = (1..=newest).rev().map(commit).collect();
        for commit in &mut line {
            if commit.subject.ends_with("05") {
                commit.subject = "scx: Sync".to_owned();
            }
        }
        world.put_folder("/linux/", move |path| cgit("/linux/", &line, 3, 50, path));
    };
    serve(&world, 100);
    world.poll().await;
    world.tell().await;
    for newest in [120, 220] {
        world.advance(TimeDelta::days(5));
        serve(&world, newest);
        world.poll_when_due("linux").await;
        world.check_ok("linux").await;
        let told = world.tell().await;
        let told = told.iter().flatten();
        assert_eq!(told.filter(|title| *title == "scx: Sync").count(), 1);
    }
}

#[tokio::test]
async fn a_gap_is_shown_until_it_heals() {
    let mut world = World::new(&[archive("bpf", "/bpf/")]).await;
    let mails = |many: i64| -> Vec<Mail> {
        let mail_at = |n: i64| mail(&format!("m{n}"), n - 60, &format!("mail {n}"), "");
        (0..many).map(mail_at).collect()
    };
    let seed = mails(40);
    world.put_folder("/bpf/", move |path| public_inbox("/bpf/", &seed, 25, path));
    world.poll().await;
    world.tell().await;
    let all = mails(200);
    let refused = all.clone();
    world.put_folder("/bpf/", move |path| match path == "/bpf/new.atom" {
        true => public_inbox("/bpf/", &refused, 25, path),
        false => answer("403 Forbidden", &[], ""),
    });
    world.advance(TimeDelta::minutes(160));
    world.poll().await;
    world.check_ok("bpf").await;
    let gaps = world.gaps("bpf").await;
    assert!(
        matches!(&gaps[..], [(from, to)] if 0 < *from && from < to),
        "{gaps:?}"
    );
    world.put_folder("/bpf/", move |path| public_inbox("/bpf/", &all, 25, path));
    world.advance(TimeDelta::hours(2));
    world.poll().await;
    world.check_ok("bpf").await;
    let titles = world.titles("bpf").await;
    let is_here = |n: &i64| titles.contains(&format!("mail {n}"));
    assert!((40..200).all(|n| is_here(&n)));
    assert!(world.gaps("bpf").await.is_empty());
}

#[tokio::test]
async fn odd_message_ids_are_kept_with_the_link_that_works() {
    let mut world = World::new(&[archive("bpf", "/bpf/")]).await;
    let odd = |id: &str, subject: &str| Mail {
        id: id.to_owned(),
        ..mail("", -5, subject, "")
    };
    let mails = [
        odd("a%20b@x.example", "a space"),
        odd("%ff%fe@x.example", "odd bytes"),
        odd("c%3Cd%3E@x.example", "brackets"),
    ];
    world.put_folder("/bpf/", move |path| public_inbox("/bpf/", &mails, 25, path));
    world.poll().await;
    world.check_ok("bpf").await;
    assert!(world.faults("bpf").await.is_empty());
    let items = world.items("bpf").await;
    assert_eq!(items.len(), 3);
    for item in items {
        let url = item.url.expect("its link");
        assert!(
            url.starts_with("http://list.example/bpf/") && url.contains('%'),
            "{url}"
        );
    }
}
