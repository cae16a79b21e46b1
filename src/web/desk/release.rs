//! Publishing from the desk, with the same questions as in chat, and corrections.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use maud::html;

use super::DeskState;
use super::act::{ActionEnd, not_changed};
use super::form::DeskForm;
use super::refusal::to_desk;
use super::session::DeskSession;
use crate::publish::edit::{Desk, PublishAnswer};
use crate::publish::{self, Rules, files};
use crate::store::issues;
use crate::web::layout::private_page;

/// The questions before the coming issue is published, and the form for a correction of a published one.
pub(super) async fn ask(
    State(desk): State<DeskState>,
    session: DeskSession,
) -> Result<Response, ActionEnd> {
    let generation = desk.live.now();
    let rules = Rules::of(&generation.effective.config);
    let mut tx = desk.live.store.snapshot().await?;
    let last = issues::last_issue((&mut tx).into()).await?;
    let last = last.map_or(0, |last| last.number);
    let number = u32::try_from(last + 1).map_err(anyhow::Error::from)?;
    let prepared = publish::prepare(&mut tx, rules, number, None, desk.live.clock.now()).await?;
    tx.rollback().await;
    let name = crate::issue::title(&rules.issue.name, number);
    let content = html! {
        h1 { "Publish " (name) }
        @match &prepared {
            Ok(prepared) => {
                p { "After that, only corrections change it." }
                @for doubt in &prepared.doubts { p.missing { (doubt) } }
                form method="post" action="/desk/publish" {
                    (session.token())
                    input type="hidden" name="number" value=(number);
                    @if !prepared.doubts.is_empty() {
                        label for="sure" { "I am sure: publish it anyway" }
                        input id="sure" type="checkbox" name="sure" value="yes" required;
                    }
                    button type="submit" { "Publish it now" }
                }
            }
            Err(why) => { p { "It cannot be published: " (why) "." } }
        }
        @if last > 0 {
            h2 { "Correct a published issue" }
            form.text method="post" action="/desk/correct" {
                (session.token())
                label for="number" { "Its number" }
                input id="number" name="number" type="number" min="1" max=(last) value=(last) required;
                label for="correction" { "The correction, in Markdown. It stands at the top of the issue, marked as such." }
                textarea id="correction" name="text" rows="5" maxlength="600" required {}
                button type="submit" { "Publish the correction" }
            }
        }
    };
    Ok(private_page("Publish", &content).into_response())
}

pub(super) async fn publish(
    State(desk): State<DeskState>,
    session: DeskSession,
    body: Body,
) -> Result<Response, ActionEnd> {
    let form = DeskForm::read(body).await?;
    session.check(&form)?;
    let generation = desk.live.now();
    let rules = Rules::of(&generation.effective.config);
    let destinations = generation.ingest.destinations();
    let editing = Desk {
        by: &session.by,
        destinations: &destinations,
        now: desk.live.clock.now(),
    };
    let number = form.get("number").parse().unwrap_or_default();
    let is_sure = form.get("sure") == "yes";
    let mut tx = desk.live.store.write().await?;
    match editing.publish(&mut tx, rules, number, is_sure).await? {
        Ok(PublishAnswer::Out(_)) => {}
        Ok(PublishAnswer::Asked(doubts)) => {
            tx.rollback().await;
            let why = format!("{} Tick the box to publish it anyway.", doubts.join(" "));
            return Err(not_changed(&why).into());
        }
        Err(why) => return Err(not_changed(&format!("It was not published: {why}.")).into()),
    }
    tx.commit().await.map_err(anyhow::Error::from)?;
    desk.live.wake();
    write_files(&desk, rules).await;
    Ok(to_desk("?did=published"))
}

pub(super) async fn correct(
    State(desk): State<DeskState>,
    session: DeskSession,
    body: Body,
) -> Result<Response, ActionEnd> {
    let form = DeskForm::read(body).await?;
    session.check(&form)?;
    let number = form.get("number").parse().unwrap_or_default();
    let editing = Desk {
        by: &session.by,
        destinations: &[],
        now: desk.live.clock.now(),
    };
    let mut tx = desk.live.store.write().await?;
    if let Err(why) = editing.correct(&mut tx, number, form.get("text")).await? {
        return Err(not_changed(&why.to_string()).into());
    }
    tx.commit().await.map_err(anyhow::Error::from)?;
    let generation = desk.live.now();
    write_files(&desk, Rules::of(&generation.effective.config)).await;
    Ok(to_desk("?did=corrected"))
}

/// Writes the files of issues. The log has those that somebody changed by hand.
async fn write_files(desk: &DeskState, rules: Rules<'_>) {
    for kept in files::write(&desk.live.store, rules).await {
        tracing::warn!("{kept}");
    }
}
