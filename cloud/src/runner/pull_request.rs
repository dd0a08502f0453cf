//! From a thread to its pull request: its work as commits, its branch pushed, the pull request opened or brought up to date.
//!
//! It is done beside the thread's task, from the thread's own repository, one at a time for each thread. Asked twice it is
//! the same pull request. What is about to be pushed is written down first, so that also after a crash the thread
//! knows its own commits at the remote from those of others.

mod at_forge;
mod base;
mod forked;
mod stop;
mod words;

use std::{sync::Arc, time::Duration};

use aloft_proto::v1::{self, FileDiff, Item, Thread, TurnState};
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};

use crate::{
    accounts::forges::{self, Account},
    forge::{self, Located, PullRequest, State},
    git::{DiffOptions, Remote},
    model::{
        machine::{Fact, Input, Memory, Refused},
        proposal,
    },
    runner::{
        Applied, Error, Obstacle, RequestKey, Runner,
        pull_request::{at_forge::At, stop::Stop},
        signature::{committer, remote_url},
    },
};

/// How long one request waits for it; the client asks again.
const PATIENCE: Duration = Duration::from_secs(15);
/// Items the words are made from, the newest.
const ITEMS: usize = 1_000;

/// What a person wants of the pull request.
#[derive(Clone, Debug, Default)]
pub struct Propose {
    /// One line; none = what the agent writes, or as it is.
    pub title: Option<String>,
    /// Markdown; none = what the agent writes, or as it is.
    pub body: Option<String>,
    /// Not for review yet; of a new one.
    pub draft: bool,
    /// Where it is to be merged into; none = where the thread began, or as it is.
    pub base: Option<String>,
    /// Labels that it gets, beside those it has.
    pub labels: Vec<String>,
    /// People who are asked to review it, beside those who were.
    pub reviewers: Vec<String>,
    /// First bring in what the branch has got that it goes to.
    pub sync: bool,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Proposed {
    /// The thread as it is now.
    pub applied: Applied,
    /// What was done, for people.
    pub text: String,
    /// What of it was not done, for people.
    pub notes: Vec<String>,
}

/// One at work, or done and not yet told.
#[derive(Clone, Debug)]
pub(super) struct Work {
    request: String,
    stop: Stop,
    outcome: Shared<BoxFuture<'static, Result<Proposed, Arc<Error>>>>,
}

/// Where the branch goes.
enum Target {
    /// To a forge, in the name of an account.
    Forge { account: Account, name: String },
    /// Just there.
    Remote(Remote),
}

impl Runner {
    /// Opens the pull request of a thread or brings it up to date; none = it is still at work, ask again.
    pub async fn propose(
        &self,
        owner: &str,
        name: &str,
        propose: Propose,
        request: Option<RequestKey>,
    ) -> Result<Option<Proposed>, Error> {
        if let Some(applied) = self.remembered(request.as_ref()).await? {
            let text = shown(&applied.thread);
            return Ok(Some(Proposed { applied, text, notes: Vec::new() }));
        }
        let (thread, _) = self.find(owner, name).await?;
        let asked = request.as_ref().map(|request| request.id.clone()).unwrap_or_default();
        let waiting = async {
            loop {
                let (work, is_own) =
                    self.work(&thread.id, owner, &propose, request.as_ref(), &asked);
                let outcome = work.outcome.clone().await;
                self.told(&thread.id, &work);
                if is_own {
                    return outcome.map_err(Error::Same);
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.ok().transpose()
    }

    /// The work under way for a thread, begun where there is none; whether it is that of this request.
    fn work(
        &self,
        thread: &str,
        owner: &str,
        propose: &Propose,
        request: Option<&RequestKey>,
        asked: &str,
    ) -> (Work, bool) {
        let mut works =
            self.shared.proposals.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(work) = works.get(thread) {
            return (work.clone(), !asked.is_empty() && work.request == asked);
        }
        let (runner, owner, id) = (self.clone(), owner.to_owned(), thread.to_owned());
        let (propose, request) = (propose.clone(), request.cloned());
        let stop = Stop::default();
        let stopped = stop.clone();
        // To its end, whoever waits for it.
        let task = self.shared.tasks.spawn(async move {
            tokio::select! {
                outcome = stopped.or(Box::pin(runner.propose_now(&owner, &id, &propose, request))) => outcome,
                () = runner.shared.stop.cancelled() => Err(Error::Ended),
            }
        });
        let outcome = async { task.await.unwrap_or(Err(Error::Ended)).map_err(Arc::new) };
        let work = Work { request: asked.to_owned(), stop, outcome: outcome.boxed().shared() };
        works.insert(thread.to_owned(), work.clone());
        (work, true)
    }

    /// Its outcome was heard.
    fn told(&self, thread: &str, work: &Work) {
        let mut works =
            self.shared.proposals.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if works.get(thread).is_some_and(|known| known.outcome.ptr_eq(&work.outcome)) {
            works.remove(thread);
        }
    }

    async fn propose_now(
        &self,
        owner: &str,
        id: &str,
        propose: &Propose,
        request: Option<RequestKey>,
    ) -> Result<Proposed, Error> {
        let (mut thread, mut memory) = self.find_whole(owner, id).await?;
        // The turn of one before that was broken off comes to its end by itself.
        if memory.describes
            && let Some(turn) = self.parts().store.turn_by_number(&thread.id, memory.turns).await?
        {
            self.ended(&thread.id, turn).await?;
            (thread, memory) = self.find_whole(owner, id).await?;
        }
        Self::rests(&thread, &memory)?;
        let target = self.target(owner, &thread).await?;
        let person = committer(match &target {
            Target::Forge { account, .. } => Some(account),
            Target::Remote(_) => None,
        });
        if propose.sync {
            let (remote, base) = self.base_of(&thread, &memory, &target, propose).await?;
            let key = request.clone();
            let told = Box::pin(self.sync(&thread, &memory, (&remote, &base), person, key)).await?;
            if let Some(told) = told {
                return Ok(told);
            }
            (thread, memory) = self.find_whole(owner, id).await?;
        }
        let (tip, files) = self.committed(&thread, &memory, person).await?;
        match &target {
            Target::Remote(remote) => {
                let default = self.branch_named(&thread, "").await;
                if default.as_deref() == Some(thread.branch.as_str()) {
                    return Err(Obstacle::BranchIsBase { branch: thread.branch.clone() }.into());
                }
                let (applied, said) = self.push(&thread, &memory, remote, &tip, request).await?;
                let mut text = format!("pushed {} to {}", thread.branch, remote.url);
                if let Some(link) = link(&said) {
                    text = format!("{text}\nopen a pull request at {link}");
                }
                let notes = match self.plain_base(&thread, propose).await {
                    Some(base) => self.tell_moved(&thread, (remote, &base), &tip).await,
                    None => Vec::new(),
                };
                Ok(Proposed { applied, text, notes })
            }
            Target::Forge { account, name } => {
                let forge = account.open()?;
                let at = At { forge: forge.as_ref(), account, name };
                self.at_forge(&thread, &memory, at, propose, &tip, &files, request).await
            }
        }
    }

    /// Whether what was saved is the thread's newest work.
    pub(super) fn rests(thread: &Thread, memory: &Memory) -> Result<(), Error> {
        if let Some(last) = &thread.last_turn
            && last.state() == TurnState::Running
        {
            return Err(Refused::TurnActive(last.id.clone()).into());
        }
        if memory.filling || memory.rewind.is_some() {
            return Err(Refused::Rewinding.into());
        }
        Ok(())
    }

    /// Where the thread's repository came from, and in whose name the branch goes there.
    async fn target(&self, owner: &str, thread: &Thread) -> Result<Target, Error> {
        let url = remote_url(self.parts(), thread).await?;
        if url.is_empty() {
            let path = thread.repository.clone().unwrap_or_default().path;
            return Err(Obstacle::NoRemote { path, slug: thread.slug.clone() }.into());
        }
        if let Some((account, name)) = self.parts().forges.of_repository(owner, &url).await? {
            return Ok(Target::Forge { account, name });
        }
        match Located::parse(&url) {
            Some(located) if located.host == "github.com" => {
                Err(Obstacle::AccountMissing { host: located.host }.into())
            }
            _ => Ok(Target::Remote(Remote::from(url))),
        }
    }

    /// Where the branch is that the work is to be merged into, and its name.
    async fn base_of(
        &self,
        thread: &Thread,
        memory: &Memory,
        target: &Target,
        propose: &Propose,
    ) -> Result<(Remote, String), Error> {
        match target {
            Target::Remote(remote) => {
                let (branch, name) = (thread.base_ref.clone(), remote.url.clone());
                let base = self.plain_base(thread, propose).await;
                Ok((remote.clone(), base.ok_or(Obstacle::BaseMissing { branch, name })?))
            }
            Target::Forge { account, name } => {
                let forge = account.open()?;
                let repository = forge.repository(name).await?;
                let at = At { forge: forge.as_ref(), account, name: &repository.name };
                let known = self.known_request(thread, memory, &at).await?;
                let open = known.filter(PullRequest::is_open);
                let base =
                    self.base_branch(thread, &at, propose, open.as_ref(), &repository).await?;
                Ok((account.remote(at.name), base))
            }
        }
    }

    /// The branch that the work is to be merged into where no forge says so.
    async fn plain_base(&self, thread: &Thread, propose: &Propose) -> Option<String> {
        if propose.base.is_some() {
            return propose.base.clone();
        }
        match self.branch_named(thread, &thread.base_ref).await {
            // It began at a commit or a tag.
            None => self.branch_named(thread, "").await,
            began => began,
        }
    }

    /// The thread's newest work as the tip of its branch, and what it changes.
    pub(super) async fn committed(
        &self,
        thread: &Thread,
        memory: &Memory,
        person: (&str, &str),
    ) -> Result<(String, Vec<FileDiff>), Error> {
        let snapshots = &self.parts().snapshots;
        let Some(saved) = &memory.snapshot else { return Err(Obstacle::NothingToPropose.into()) };
        let saved = snapshots.describe(&thread.id, &saved.commit).await?;
        let head = saved.head.unwrap_or_else(|| thread.base_commit.clone());
        let message = proposal::commit_message(&thread.title, &thread.id);
        let pushed = Some(memory.pushed.commit.as_str()).filter(|commit| !commit.is_empty());
        let tip =
            snapshots.commit(&thread.id, &saved.commit, (&head, pushed), &message, person).await?;
        let options = DiffOptions { stat_only: true, ..DiffOptions::default() };
        let (base, upstreams) = (&thread.base_commit, &memory.upstreams);
        let origin = snapshots.origin(&thread.id, base, upstreams, &tip).await?;
        let mut stream = snapshots.diff(&thread.id, &origin, &tip, options).await?;
        let mut files = Vec::new();
        while let Some(file) = stream.recv().await {
            files.push(file?);
        }
        if files.is_empty() {
            return Err(Obstacle::NothingToPropose.into());
        }
        Ok((tip, files))
    }

    /// The branch of a thread's mirror that this names; an empty name is that of the default one.
    async fn branch_named(&self, thread: &Thread, name: &str) -> Option<String> {
        let repository = thread.repository.as_ref()?;
        let found = self.parts().mirrors.resolve(&repository.id, name).await.ok()?;
        found.is_branch.then_some(found.name)
    }

    async fn push(
        &self,
        thread: &Thread,
        memory: &Memory,
        remote: &Remote,
        tip: &str,
        request: Option<RequestKey>,
    ) -> Result<(Applied, String), Error> {
        let own = memory.pushed.own();
        let (url, commit) = (remote.url.clone(), tip.to_owned());
        let intent = Fact::Pushing { commit: commit.clone() };
        self.tell(thread, intent, None).await?;
        let pushed =
            self.parts().snapshots.push(&thread.id, remote, &thread.branch, tip, &own).await;
        let said = pushed.map_err(|error| match (error, Located::parse(&remote.url)) {
            // It was taken from the account while this was on its way.
            (error, Some(located)) if error.needs_login() && remote.login.is_some() => {
                let (what, host) = ("push the branch".to_owned(), located.host);
                forges::Error::from(forge::Error::TokenRefused { what, host }).into()
            }
            (error, Some(located)) if error.needs_login() => {
                Error::from(Obstacle::AccountMissing { host: located.host })
            }
            (error, _) => error.into(),
        })?;
        let applied = self.tell(thread, Fact::Pushed { remote: url, commit }, request).await?;
        Ok((applied, said))
    }

    async fn tell(
        &self,
        thread: &Thread,
        fact: Fact,
        request: Option<RequestKey>,
    ) -> Result<Applied, Error> {
        self.apply(&thread.owner, &thread.id, Input::Fact(fact), request).await
    }

    /// The template of the repository for new pull requests, as it was where the thread began; empty = it has none.
    async fn template(&self, thread: &Thread) -> String {
        let (snapshots, base) = (&self.parts().snapshots, &thread.base_commit);
        let read = async {
            let files = snapshots.files(&thread.id, base).await?;
            let sizes = files.iter().map(|file| (file.path.as_str(), file.size));
            match proposal::template(sizes) {
                Some(path) => snapshots.file(&thread.id, base, path).await,
                None => Ok(Vec::new()),
            }
        };
        match read.await {
            Ok(text) => String::from_utf8_lossy(&text).into_owned(),
            Err(error) => {
                let thread = &thread.id;
                tracing::warn!(thread, %error, "could not read the template of pull requests");
                String::new()
            }
        }
    }

    /// What was done, newest last, without the turns in which the agent was asked for words.
    pub(super) async fn newest_items(&self, thread: &str) -> Result<Vec<Item>, Error> {
        let page = self.parts().store.items(thread, None, ITEMS).await?;
        Ok(proposal::of_the_work(page.items))
    }
}

/// The pull request as the thread's record has it.
pub(super) fn record(request: &PullRequest) -> v1::PullRequest {
    let mut record = v1::PullRequest {
        url: request.url.clone(),
        number: request.number,
        comments: request.comments,
        ..v1::PullRequest::default()
    };
    record.set_state(match request.state {
        State::Draft => v1::PullRequestState::Draft,
        State::Open => v1::PullRequestState::Open,
        State::Merged => v1::PullRequestState::Merged,
        State::Closed => v1::PullRequestState::Closed,
    });
    record
}

/// What a person is told of a pull request that is there.
fn shown(thread: &Thread) -> String {
    let Some(request) = &thread.pull_request else {
        return format!("the branch {} is pushed", thread.branch);
    };
    match request.state() {
        v1::PullRequestState::Merged => format!("{} was merged", request.url),
        v1::PullRequestState::Closed => format!("{} was closed", request.url),
        _ => request.url.clone(),
    }
}

/// The first address in a server's words: many print where a pull request can be opened.
fn link(words: &str) -> Option<&str> {
    words.split_whitespace().find(|word| word.starts_with("https://"))
}

impl From<crate::forge::Error> for Error {
    fn from(error: crate::forge::Error) -> Self {
        Self::Forges(error.into())
    }
}
