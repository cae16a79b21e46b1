//! Sign-ups in chat for issues by mail.

use bpfnews::store::subscribers;

use super::house::{House, NEWS, ROOM, SERVER, discord, matrix, reader};

const MAIL: &str = "cooldown_s = 0\n\n[web]\nlisten = \"127.0.0.1:0\"\nurl = \"https://pages.example/\"\n\n\
                    [mail]\nfrom = \"news@bpf.example\"\nhost = \"mail.example\"\n";

async fn known(house: &House, address: &str) -> bool {
    let row = subscribers::subscriber_of(house.live.store.read().into(), address).await;
    row.expect("a database").is_some()
}

#[tokio::test]
async fn mail_is_asked_for_in_private_and_the_address_is_never_repeated() {
    let house = House::with(MAIL).await;
    let ann = discord("777000111222333", NEWS, SERVER);
    let said = house.ask(&ann, "mail add Ann@example.org").await;
    assert!(said.starts_with("(privately)"), "{said}");
    assert!(
        said.contains("Look into your mailbox") && !said.to_lowercase().contains("ann@"),
        "{said}"
    );
    assert!(known(&house, "ann@example.org").await);
    assert_eq!(
        said,
        house.ask(&ann, "mail add ann@example.org").await,
        "a known address has the same answer"
    );
    let said = house.ask(&ann, "mail add nonsense").await;
    assert!(said.contains("no address for mail"), "{said}");
    let said = house
        .ask(&matrix("@bea:x.example", ROOM), "mail add bea@example.org")
        .await;
    assert!(
        said.contains("Everybody in this room") && said.contains("https://pages.example/mail"),
        "{said}"
    );
    assert!(!known(&house, "bea@example.org").await, "the room saw it");
}

#[tokio::test]
async fn without_a_mail_server_there_is_no_mail() {
    let house = House::new().await;
    let said = house.ask(&reader(), "mail add ann@example.org").await;
    assert!(said.contains("not set up"), "{said}");
    assert!(!known(&house, "ann@example.org").await);
}
