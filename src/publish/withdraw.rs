//! Withdraws the newest issue, as long as nothing refers to it: removes its posts, frees its number, and returns its edits to
//! the coming issue.

use chrono::{DateTime, Utc};
use tracing::info;
use url::Url;

use super::Rules;
use crate::issue::post;
use crate::plan::retract_post;
use crate::store::{Tx, issues, mailings, outbox, withdrawn};

/// An issue that was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawn {
    /// Its title.
    pub title: String,
    /// How many posts are being removed.
    pub posts: usize,
}

/// Why an issue cannot be taken back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotWithdrawn {
    /// None is out.
    #[error("no issue is out")]
    None,
    /// It is not the newest.
    #[error(
        "issue {0} is the newest; earlier ones cannot be withdrawn, because later ones refer to them"
    )]
    Number(i64),
    /// A correction was published, so readers have seen it twice.
    #[error("it was corrected since, and the correction refers to it")]
    Corrected,
    /// A feed brought its address, or a reader handed it in.
    #[error("others refer to its page already, so correct it instead")]
    Cited,
}

/// Takes the newest issue back.
///
/// # Errors
///
/// When the database fails; inside, why it is not to be.
pub async fn withdraw(
    tx: &mut Tx,
    rules: Rules<'_>,
    number: u32,
    by: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<Result<Withdrawn, NotWithdrawn>> {
    let Some(last) = issues::last_issue((&mut *tx).into()).await? else {
        return Ok(Err(NotWithdrawn::None));
    };
    if last.number != i64::from(number) {
        return Ok(Err(NotWithdrawn::Number(last.number)));
    }
    let corrections = issues::corrections((&mut *tx).into(), last.number).await?;
    if !corrections.is_empty() {
        return Ok(Err(NotWithdrawn::Corrected));
    }
    let page = rules.page(number).and_then(|page| Url::parse(&page).ok());
    if let Some(page) = page
        && withdrawn::is_cited(tx, &page).await?
    {
        return Ok(Err(NotWithdrawn::Cited));
    }
    let mut removed = 0;
    for mut post in outbox::posts_by_mark(tx, &post::mark(number)).await? {
        removed += usize::from(retract_post(tx, &mut post, now).await?);
    }
    // Mails that were sent stay. Those that wait find no issue.
    mailings::end_mailing(tx, last.number, now).await?;
    withdrawn::withdraw_issue(tx, last.number, by, now).await?;
    info!("issue {number} is withdrawn by {by}");
    Ok(Ok(Withdrawn {
        title: crate::issue::title(&rules.issue.name, number),
        posts: removed,
    }))
}
