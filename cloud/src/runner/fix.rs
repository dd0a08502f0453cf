//! Brings to the agent what stands against its pull request: failing checks with their reports, and what people said since.
//!
//! It is one message, and each remark is told once. A check that fails again and again is told only so often: then a person
//! has to say something.

use aloft_proto::v1::{Input as Part, PullRequestState, TextInput, input};

use crate::{
    model::machine::{Against, Input, Refused},
    runner::{Applied, Error, Obstacle, RequestKey, Runner},
};

/// How often failing checks are told to the agent while nobody says anything new and they never pass.
const ATTEMPTS: u32 = 5;
/// How often it is found out anew where somebody else told the agent meanwhile.
const AGAIN: u32 = 2;

/// What the agent was told.
#[derive(Debug)]
pub struct Fixing {
    /// The thread with the turn that mends it.
    pub applied: Applied,
    /// How much it is, for people.
    pub text: String,
}

impl Runner {
    /// Sends the agent what stands against the thread's pull request, as a person asks for it.
    pub async fn fix(
        &self,
        owner: &str,
        name: &str,
        request: Option<RequestKey>,
    ) -> Result<Fixing, Error> {
        if let Some(applied) = self.remembered(request.as_ref()).await? {
            return Ok(Fixing { applied, text: "sent".to_owned() });
        }
        self.tell_findings(owner, name, None, request).await
    }

    /// The same; `unasked`: nobody asks for it, and it is done at most so often for each pull request.
    pub(super) async fn tell_findings(
        &self,
        owner: &str,
        name: &str,
        unasked: Option<u32>,
        request: Option<RequestKey>,
    ) -> Result<Fixing, Error> {
        let mut again = AGAIN;
        loop {
            match self.tell_once(owner, name, unasked, request.clone()).await {
                // Somebody else told it just now: what is left?
                Err(Error::Refused(Refused::PullRequestChanged)) if again > 0 => again -= 1,
                other => return other,
            }
        }
    }

    async fn tell_once(
        &self,
        owner: &str,
        name: &str,
        unasked: Option<u32>,
        request: Option<RequestKey>,
    ) -> Result<Fixing, Error> {
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
        let mut findings = forge.findings(&repository, known.number, &commit).await?;
        // Nobody has read it who could tell whether it is to be done.
        if unasked.is_some() {
            findings = findings.without_strangers(&account.person.login);
        }
        let mut findings = findings.since(&memory.fix.heard);
        // What was told of this very commit was told.
        if memory.fix.commit == commit {
            findings.checks.retain(|check| !memory.fix.checks.contains(&check.name));
        }
        if findings.is_empty() {
            return Err(Obstacle::NothingToFix { url: now.url }.into());
        }
        let attempt = if findings.remarks.is_empty() { memory.fix.attempts + 1 } else { 1 };
        if attempt > ATTEMPTS {
            return Err(Obstacle::FixGivenUp { attempts: ATTEMPTS, url: now.url }.into());
        }
        let (text, sum) = (account.hidden(findings.words(&now.url)), findings.sum());
        let parts = vec![Part { kind: Some(input::Kind::Text(TextInput { text })) }];
        let unasked = unasked.map(|most| {
            let time = memory.fix.unasked + 1;
            format!("The cloud told the agent what stands against its pull request: {sum} ({time} of {most} times).")
        });
        let told = Against {
            number: known.number,
            times: memory.fix.times,
            commit,
            checks: findings.told_checks().into_iter().map(|check| check.name.clone()).collect(),
            heard: findings.remarks.into_iter().map(|remark| remark.id).collect(),
            attempt,
            unasked: unasked.unwrap_or_default(),
        };
        let input = Input::Fix { parts, author: thread.owner.clone(), told };
        let applied = self.apply(owner, &thread.id, input, request).await?;
        Ok(Fixing { applied, text: sum })
    }
}
