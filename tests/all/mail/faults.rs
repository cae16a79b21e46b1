//! The mail server fails at each step. Nobody loses a mail, only the faulty addresses are suspended, and no address is in a
//! log.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bpfnews::clock::Clock as _;
use chrono::TimeDelta;

use super::sink::{Sink, SinkAct, SinkStep};
use super::world::MailWorld;

const TWO: [&str; 2] = ["bad@example.org", "good@example.org"];

/// A world with a bad and a good address. The sink fails `times` times with `act`, at a step of the mail to the bad
/// address.
async fn failing(step: SinkStep, act: SinkAct, times: usize) -> (MailWorld, Arc<AtomicUsize>) {
    let met = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&met);
    let sink = Sink::with(move |at, to| {
        let is_meant = at == step && (to.is_empty() || to == TWO[0]);
        if is_meant && count.fetch_add(1, Ordering::SeqCst) < times {
            return act.clone();
        }
        SinkAct::Take
    })
    .await;
    let world = MailWorld::with(sink, "", Duration::from_millis(400)).await;
    world.subscribe(TWO.map(str::to_owned)).await;
    world.publish(1).await;
    (world, met)
}

/// Sends until the queue is empty, for at most a day.
async fn send_all(world: &MailWorld) {
    for _ in 0..24 * 12 {
        world.send().await;
        world.advance(TimeDelta::minutes(5));
    }
}

/// How often each of the two addresses got the mail, and the number of different Message-IDs of these mails.
fn counted(world: &MailWorld) -> [(usize, usize); 2] {
    TWO.map(|address| {
        let mails: Vec<_> = world
            .sink
            .taken()
            .into_iter()
            .filter(|mail| mail.to == address)
            .collect();
        let mut ids: Vec<_> = mails
            .iter()
            .map(|mail| mail.header("Message-ID").expect("an id"))
            .collect();
        ids.sort();
        ids.dedup();
        (mails.len(), ids.len())
    })
}

#[tokio::test]
async fn a_fault_that_passes_costs_nobody_a_mail() {
    #[rustfmt::skip]
    let table = [
        (SinkStep::Greeting, SinkAct::Cut), (SinkStep::Greeting, SinkAct::Answer("554 5.3.2 Not now")),
        (SinkStep::Greeting, SinkAct::Slow(Duration::from_secs(3))),
        (SinkStep::Sender, SinkAct::Answer("451 4.3.0 Later")), (SinkStep::Sender, SinkAct::Answer("550 5.7.1 Sender refused")),
        (SinkStep::Sender, SinkAct::Cut), (SinkStep::Recipient, SinkAct::Answer("450 4.7.1 <bad@example.org>: greylisted")),
        (SinkStep::Recipient, SinkAct::Answer("421 4.3.2 Closing")), (SinkStep::Recipient, SinkAct::Cut),
        (SinkStep::Data, SinkAct::Answer("452 4.3.1 Full")), (SinkStep::Data, SinkAct::Cut),
        (SinkStep::End, SinkAct::Answer("451 4.7.1 Later")), (SinkStep::End, SinkAct::Cut),
    ];
    for (step, act) in table {
        let (world, met) = failing(step, act.clone(), 3).await;
        send_all(&world).await;
        assert!(met.load(Ordering::SeqCst) >= 3, "{step:?} {act:?} was met");
        assert_eq!(counted(&world), [(1, 1), (1, 1)], "{step:?} {act:?}");
        for address in TWO {
            assert_eq!(world.state(address).await, "on", "{step:?} {act:?}");
        }
        world.sink.check();
    }
}

#[tokio::test]
async fn a_mail_whose_answer_is_lost_comes_again_with_its_message_id() {
    for act in [SinkAct::TakeAndCut, SinkAct::Slow(Duration::from_secs(5))] {
        let (world, _) = failing(SinkStep::End, act, 2).await;
        send_all(&world).await;
        assert_eq!(
            counted(&world),
            [(3, 1), (1, 1)],
            "two doubles that clients recognise"
        );
        world.sink.check();
    }
}

#[tokio::test]
async fn a_refused_address_is_suspended_and_the_others_go_on() {
    #[rustfmt::skip]
    let table = [
        (SinkStep::Recipient, "550 5.1.1 <bad@example.org>: no such user bad", "suspended", Some("550 5.1.1")),
        (SinkStep::Recipient, "553 no mailbox here", "suspended", Some("553")),
        (SinkStep::End, "550 5.1.1 no such user", "suspended", Some("550 5.1.1")),
        (SinkStep::Recipient, "554 5.7.1 blocked for spam", "on", Some("554 5.7.1")),
        (SinkStep::End, "552 5.3.4 too large", "on", Some("552 5.3.4")),
        (SinkStep::Data, "554 5.5.1 no valid recipients", "on", None),
    ];
    for (step, answer, state, why) in table {
        let (world, _) = failing(step, SinkAct::Answer(answer), usize::MAX).await;
        send_all(&world).await;
        assert_eq!(counted(&world), [(0, 0), (1, 1)], "{answer}");
        assert_eq!(world.state(TWO[0]).await, state, "{answer}");
        assert_eq!(
            world.row(TWO[0]).await.expect("a row").why.as_deref(),
            why,
            "{answer}"
        );
        assert_eq!(world.state(TWO[1]).await, "on");
        // Three refusals in a row are enough.
        for number in 2..4 {
            world.publish(number).await;
            send_all(&world).await;
        }
        if why.is_some() {
            assert_eq!(world.state(TWO[0]).await, "suspended", "{answer}");
        }
        assert_eq!(counted(&world)[1].0, 3);
        world.sink.check();
    }
}

#[tokio::test]
async fn the_address_is_in_no_other_table() {
    let act = SinkAct::Answer(
        "450 4.2.0 <bad@example.org>: Bad@example.org is 'bad' today, see http://x.example/bad@example.org",
    );
    let (world, _) = failing(SinkStep::Recipient, act, usize::MAX).await;
    send_all(&world).await;
    assert_eq!(counted(&world), [(0, 0), (1, 1)]);
    assert!(
        world.has_bytes("bad@example.org").await,
        "it is a subscriber"
    );
    let id = world.row(TWO[0]).await.expect("a row").id;
    let mut tx = world.store.write().await.expect("a transaction");
    bpfnews::store::subscribers::erase(&mut tx, id)
        .await
        .expect("a good database");
    tx.commit().await.expect("room on the disk");
    assert!(
        !world.has_bytes("bad@example.org").await,
        "nothing else has it"
    );
}

#[tokio::test]
async fn a_day_has_a_bound_and_the_rest_comes_later() {
    let world = MailWorld::with(
        Sink::start().await,
        "per_day_max = 10\n",
        Duration::from_secs(5),
    )
    .await;
    world
        .subscribe((0..25).map(|number| format!("r{number}@example.org")))
        .await;
    world.publish(1).await;
    let mut days = Vec::new();
    for _ in 0..3 {
        let before = world.sink.taken().len();
        for _ in 0..23 {
            world.send().await;
            world.advance(TimeDelta::hours(1));
        }
        days.push(world.sink.taken().len() - before);
        world.advance(TimeDelta::hours(2));
    }
    assert_eq!(days, [10, 10, 5]);
    world.sink.check();
}

#[tokio::test]
async fn connections_are_used_again_and_closed_ones_are_replaced() {
    let world = MailWorld::new(Sink::start().await).await;
    world
        .subscribe((0..120).map(|number| format!("r{number}@example.org")))
        .await;
    world.publish(1).await;
    assert_eq!(world.send().await, 120);
    assert_eq!(world.sink.connections(), 3, "fifty mails each");
    // The server closes the idle connection: the next mail opens another, and is not counted as failed.
    let closed = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&closed);
    let sink = Sink::with(move |step, _| {
        let second = step == SinkStep::Sender && seen.fetch_add(1, Ordering::SeqCst) == 1;
        if second {
            SinkAct::Answer("421 4.4.2 idle for too long")
        } else {
            SinkAct::Take
        }
    })
    .await;
    let world = MailWorld::new(sink).await;
    world
        .subscribe((0..3).map(|number| format!("r{number}@example.org")))
        .await;
    world.publish(1).await;
    assert_eq!(world.send().await, 3);
    let _ = world.clock.now();
    world.sink.check();
}
