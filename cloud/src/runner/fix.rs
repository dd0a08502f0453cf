//! Brings to the agent what stands against its pull request: failing checks with their reports, and what people said since.
//!
//! It is one message, and each remark is told once. A check that fails again and again is told only so often: then a person
//! has to say something.

use aloft_proto::v1::{Input as Part, PullRequestState, TextInput, input};

use crate::{
    model::machine::Input,
    runner::{Applied, Error, Obstacle, RequestKey, Runner},
};

/// How often failing checks are told to the agent while nobody says anything new and they never pass.
const ATTEMPTS: u32 = 5;

/// What the agent was told.
#[derive(Debug)]
pub struct Fixing {
    /// The thread with the turn that mends it.
    pub applied: Applied,
    /// How much it is, for people.
    pub text: String,
}

impl Runner {
    /// Sends the agent what stands against the thread's pull request.
    pub async fn fix(
        &self,
        owner: &str,
        name: &str,
        request: Option<RequestKey>,
    ) -> Result<Fixing, Error> {
        if let Some(applied) = self.remembered(request.as_ref()).await? {
            return Ok(Fixing { applied, text: "sent".to_owned() });
        }
        let (thread, memory) = self.find_whole(owner, name).await?;
        let is_open = |state| matches!(state, PullRequestState::Draft | PullRequestState::Open);
        let Some(known) = thread.pull_request.as_ref().filter(|known| is_open(known.state()))
        else {
            return Err(Obstacle::NoPullRequest { slug: thread.slug }.into());
        };
        let Some((account, repository)) = self.account_of(&thread, &known.url).await? else {
            let host = known.url.split('/').nth(2).unwrap_or_default().to_owned();
            return Err(Obstacle::AccountMissing { host }.into());
        };
        let forge = account.open()?;
        let now = forge.pull_request(&repository, known.number).await?;
        if !now.is_open() {
            return Err(Obstacle::NoPullRequest { slug: thread.slug }.into());
        }
        // Where the forge does not say, it is what was pushed last.
        let commit = if now.head.is_empty() { memory.pushed.commit } else { now.head };
        let findings = forge.findings(&repository, known.number, &commit).await?;
        let mut findings = findings.since(&memory.fix.heard);
        // What was told of this very commit was told.
        if memory.fix.commit == commit {
            findings.checks.clear();
        }
        if findings.is_empty() {
            return Err(Obstacle::NothingToFix { url: now.url }.into());
        }
        let attempt = if findings.remarks.is_empty() { memory.fix.attempts + 1 } else { 1 };
        if attempt > ATTEMPTS {
            return Err(Obstacle::FixGivenUp { attempts: ATTEMPTS, url: now.url }.into());
        }
        let text = findings.words(&now.url);
        let parts = vec![Part { kind: Some(input::Kind::Text(TextInput { text })) }];
        let input = Input::Fix {
            parts,
            author: owner.to_owned(),
            commit,
            heard: findings.remarks.iter().map(|remark| remark.id.clone()).collect(),
            attempt,
        };
        let applied = self.apply(owner, &thread.id, input, request).await?;
        Ok(Fixing { applied, text: findings.sum() })
    }
}
