//! Opens the pull request at its forge, or brings it up to date.

use aloft_proto::v1::{FileDiff, Level, Thread};

use crate::{
    accounts::forges::Account,
    forge::{self, Change, Forge, Proposal, PullRequest, State},
    model::{
        machine::{Fact, Memory},
        proposal::{self, Facts, Words},
    },
    runner::{
        Error, Obstacle, RequestKey, Runner,
        pull_request::{Propose, Proposed, record, shown},
    },
};

/// A repository at a forge.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) forge: &'a dyn Forge,
    pub(super) account: &'a Account,
    pub(super) name: &'a str,
}

impl Runner {
    #[expect(clippy::too_many_arguments, reason = "each is another thing")]
    pub(super) async fn at_forge(
        &self,
        thread: &Thread,
        memory: &Memory,
        at: At<'_>,
        propose: &Propose,
        tip: &str,
        files: &[FileDiff],
        request: Option<RequestKey>,
    ) -> Result<Proposed, Error> {
        let repository = at.forge.repository(at.name).await?;
        let host = at.account.host();
        if repository.archived {
            return Err(Obstacle::RepositoryArchived { name: repository.name, host }.into());
        }
        // As it is called now.
        let at = At { name: &repository.name, ..at };
        let remote = at.account.remote(at.name);
        let mut to = (remote.clone(), thread.branch.clone());
        if repository.push == Some(false) {
            to = self.fork_of(thread, &at).await?;
        }
        let (pushed_to, head) = to;
        let known = self.known_request(thread, memory, &at).await?;
        // Merged or closed, and nothing was done since: there is nothing to propose anew.
        if let Some(known) = &known
            && matches!(known.state, State::Merged | State::Closed)
            && memory.pushed.commit == tip
        {
            let applied = self.tell(thread, Fact::PullRequest(record(known)), request).await?;
            let text = shown(&applied.thread);
            return Ok(Proposed { applied, text, notes: Vec::new() });
        }
        let open = known.filter(PullRequest::is_open);
        let base = self.base_branch(thread, &at, propose, open.as_ref(), &repository).await?;
        if base == head {
            return Err(Obstacle::BranchIsBase { branch: base }.into());
        }
        let (items, agent) = (self.newest_items(&thread.id).await?, &thread.agent);
        let issue = &memory.of_issue();
        let facts = Facts { thread: &thread.id, agent, issue, items: &items, files };
        let template = self.template(thread).await;
        let mut words = None;
        // One that somebody opened, or that an answer was lost of, has its words.
        if open.is_none()
            && propose.title.is_none()
            && propose.body.is_none()
            && at.forge.find_pull_request(at.name, &head).await?.is_none()
        {
            words = Box::pin(self.words(thread, &facts, &template)).await?;
        }
        self.push(thread, memory, &pushed_to, tip, None).await?;
        let open = match open {
            None => at.forge.find_pull_request(at.name, &head).await?,
            open => open,
        };
        let (now, text) = if let Some(open) = open {
            let renewed = proposal::renewed(&open.body, &facts);
            let body = propose.body.as_deref().map(proposal::fitting).or(renewed);
            let change = Change {
                title: propose.title.clone(),
                body: body.filter(|body| *body != open.body),
                base: propose.base.clone().filter(|base| *base != open.base),
            };
            let now = if change.is_empty() {
                open
            } else {
                at.forge.change_pull_request(at.name, open.number, &change).await?
            };
            let text = format!("{} is up to date", now.url);
            (now, text)
        } else {
            let (title, body) = if let Some(Words { title, text }) = words {
                (title, format!("{text}\n\n{}", proposal::below(&facts)))
            } else {
                let body = || proposal::with_template(&proposal::body(&facts), &template);
                let title = propose.title.clone().unwrap_or_else(|| thread.title.clone());
                (title, propose.body.clone().unwrap_or_else(body))
            };
            let new = Proposal {
                head,
                base: base.clone(),
                title,
                body: proposal::fitting(&body),
                draft: propose.draft,
            };
            let now = at.forge.open_pull_request(at.name, &new).await?;
            let text = now.url.clone();
            (now, text)
        };
        self.tell(thread, Fact::PullRequest(record(&now)), None).await?;
        let mut notes = self.mark(thread, &at, now.number, propose).await?;
        notes.extend(self.tell_moved(thread, (&remote, &base), tip).await);
        let applied = self.tell(thread, Fact::PullRequest(record(&now)), request).await?;
        Ok(Proposed { applied, text, notes })
    }

    /// Labels and reviewers of a pull request that is there; what of them could not be set, which the thread says too.
    async fn mark(
        &self,
        thread: &Thread,
        at: &At<'_>,
        number: u64,
        propose: &Propose,
    ) -> Result<Vec<String>, Error> {
        let mut notes = Vec::new();
        for label in &propose.labels {
            if let Err(error) = at.forge.label(at.name, number, label).await {
                notes.push(format!("the label {label} was not set: failed to {error}"));
            }
        }
        for login in &propose.reviewers {
            if let Err(error) = at.forge.ask_reviewer(at.name, number, login).await {
                notes.push(format!("{login} was not asked for a review: failed to {error}"));
            }
        }
        if !notes.is_empty() {
            let text = format!("Of pull request {number} {}.", notes.join("; "));
            self.tell(thread, Fact::Told { level: Level::Warning, text }, None).await?;
        }
        Ok(notes)
    }

    /// The pull request that the thread is known to have, as it is now.
    pub(super) async fn known_request(
        &self,
        thread: &Thread,
        memory: &Memory,
        at: &At<'_>,
    ) -> Result<Option<PullRequest>, Error> {
        let Some(known) = &thread.pull_request else { return Ok(None) };
        let own = memory.pushed.own();
        match at.forge.pull_request(at.name, known.number).await {
            // Elsewhere it is the same where it stands at what the thread pushed; else another one has its number.
            Ok(found) if found.url != known.url && !own.contains(&found.head) => Ok(None),
            Ok(found) => Ok(Some(found)),
            Err(forge::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Where the pull request is to be merged into.
    pub(super) async fn base_branch(
        &self,
        thread: &Thread,
        at: &At<'_>,
        propose: &Propose,
        open: Option<&PullRequest>,
        repository: &forge::Repository,
    ) -> Result<String, Error> {
        if let Some(base) = &propose.base {
            if at.forge.has_branch(at.name, base).await? {
                return Ok(base.clone());
            }
            return Err(
                Obstacle::BaseMissing { branch: base.clone(), name: at.name.to_owned() }.into()
            );
        }
        if let Some(open) = open.filter(|open| !open.base.is_empty()) {
            return Ok(open.base.clone());
        }
        let began = thread.base_ref.as_str();
        let is_branch = !began.is_empty()
            && began != repository.default_branch
            && at.forge.has_branch(at.name, began).await?;
        Ok(if is_branch { began.to_owned() } else { repository.default_branch.clone() })
    }
}
