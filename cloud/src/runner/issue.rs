//! The issue a thread is about: read with the account of its repository's forge.

use crate::{
    forge::{Issue, Located, Reference},
    runner::{Error, Runner, obstacle::Obstacle},
};

/// An issue, found.
#[derive(Debug)]
pub(super) struct Found {
    /// As the forge has it.
    pub(super) issue: Issue,
    /// How a pull request of the repository says that it closes it.
    pub(super) closes: String,
}

impl Runner {
    /// The issue that a number or an address means for the repository at `url`.
    pub(super) async fn issue(&self, owner: &str, url: &str, asked: &str) -> Result<Found, Error> {
        let forges = &self.parts().forges;
        let Some((account, own)) = forges.of_repository(owner, url).await? else {
            let host = Located::parse(url).map_or_else(|| url.to_owned(), |located| located.host);
            return Err(Obstacle::AccountMissing { host }.into());
        };
        let unknown = || Error::from(Obstacle::IssueUnknown { issue: asked.to_owned() });
        let reference = Reference::parse(asked, &account.web).ok_or_else(unknown)?;
        let name = reference.repository.as_deref().unwrap_or(&own);
        if !account.kind.takes(name) {
            return Err(unknown());
        }
        let issue = account.open()?.issue(name, reference.number).await?;
        let closes = if name == own {
            format!("#{}", issue.number)
        } else {
            format!("{name}#{}", issue.number)
        };
        Ok(Found { issue, closes })
    }
}
