//! Publishing the coming issue, after the questions that its doubts raise.

use super::super::{NotPublished, Rules, prepare};
use super::{Desk, with_text};
use crate::issue::Issue;
use crate::store::Tx;

/// The result of publishing.
#[derive(Debug)]
pub enum PublishAnswer {
    /// It is published.
    Out(Box<Issue>),
    /// The editor must say that they are sure, for these reasons. Nothing was changed.
    Asked(Vec<String>),
}

impl Desk<'_> {
    /// Publishes the coming issue if there are no doubts, or if the editor is sure.
    ///
    /// # Errors
    ///
    /// Returns an error if the database fails. The inner error says why the issue was not published.
    pub async fn publish(
        &self,
        tx: &mut Tx,
        rules: Rules<'_>,
        number: u32,
        is_sure: bool,
    ) -> anyhow::Result<Result<PublishAnswer, NotPublished>> {
        let prepared = match prepare(tx, rules, number, None, self.now).await? {
            Ok(prepared) => prepared,
            Err(why) => return Ok(Err(why)),
        };
        let doubts: Vec<String> = prepared.doubts.iter().map(ToString::to_string).collect();
        if !doubts.is_empty() && !is_sure {
            return Ok(Ok(PublishAnswer::Asked(doubts)));
        }
        let (destinations, by) = (self.destinations, &self.by.name);
        let issue = prepared
            .publish(tx, destinations, rules, by, self.now)
            .await?;
        let what = with_text(format!("published issue {number}"), &doubts.join(" "));
        self.record(tx, &what).await?;
        Ok(Ok(PublishAnswer::Out(Box::new(issue))))
    }
}
