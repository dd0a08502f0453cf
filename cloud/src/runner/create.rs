//! A new thread: everything a request says, checked and named.

use aloft_fault::pass;
use aloft_proto::v1::{Input as Part, Mode, Repository, Thread};

use crate::{
    model::{
        machine::{About, Input, Machine, Refused},
        naming,
        time::timestamp,
    },
    runner::{Applied, Error, Obstacle, RequestKey, Runner, new_id, now, stored},
    store::{self, RepositoryKey},
};

/// Where a thread's files are inside its sandbox.
const WORKSPACE: &str = "/workspace";

/// What a new thread is to be.
#[derive(Clone, Debug, Default)]
pub struct Create {
    /// Whose it is.
    pub owner: String,
    /// `id` of an uploaded repository, or `url`.
    pub repository: Repository,
    /// Branch, tag or commit; empty = the default branch.
    pub reference: String,
    /// Its own branch; empty = `aloft/<slug>`.
    pub branch: String,
    /// The environment; empty = the default.
    pub environment: String,
    /// The agent; empty = the first usable.
    pub agent: String,
    /// The model; empty = the agent's own choice.
    pub model: String,
    /// Whether the agent asks first.
    pub mode: Mode,
    /// One line; empty = from the message.
    pub title: String,
    /// The first message; none = the thread waits.
    pub parts: Vec<Part>,
    /// The issue it is about, by number or address; empty = none.
    pub issue: String,
    /// A commit to lay over the base.
    pub carry: Option<String>,
}

impl Runner {
    /// Creates a thread and begins to start it; returns as soon as it is on disk.
    pub async fn create(
        &self,
        create: Create,
        request: Option<RequestKey>,
    ) -> Result<Applied, Error> {
        if let Some(known) = self.remembered(request.as_ref()).await? {
            return Ok(known);
        }
        // There is one so far; a name that means nothing must not be taken for it.
        if !matches!(create.environment.as_str(), "" | "default") {
            let message =
                format!("there is no environment {}; the only one is default", create.environment);
            return Err(Error::Invalid { message });
        }
        let mut create = create;
        create.repository.url = self.address(&create.owner, &create.repository.url).await?;
        let agent = self.choose_agent(&create.owner, &create.agent).await?;
        // A default of whoever asks may be of another agent; `aloft new` says when it was more than that.
        if !self.parts().agents.calls_models(&agent) {
            create.model.clear();
        }
        let repository = self.repository(&create.owner, &create.repository).await?;
        let (mut issue, mut about, mut closes) = (None, About::default(), String::new());
        if !create.issue.is_empty() {
            let found = self.issue(&create.owner, &repository.url, &create.issue).await?;
            create.parts.splice(0..0, found.parts);
            if create.title.trim().is_empty() {
                create.title = found.title;
            }
            (issue, about, closes) = (Some(found.shown), found.about, found.closes);
        }
        let id = new_id();
        let title = match create.title.trim() {
            "" => naming::title(&create.parts),
            given => naming::given_title(given).ok_or(Refused::Title)?,
        };
        let slug = self.free_slug(&title, &id).await?;
        let branch = self.free_branch(&repository.id, &create.branch, &slug).await?;
        let mode = if create.mode == Mode::Unspecified { Mode::Manual } else { create.mode };
        let time = now();
        let mut thread = Thread {
            id: id.clone(),
            slug,
            owner: create.owner,
            title,
            agent,
            model: create.model,
            repository: Some(repository),
            base_ref: create.reference,
            branch,
            environment: if create.environment.is_empty() {
                "default".to_owned()
            } else {
                create.environment
            },
            create_time: Some(timestamp(time)),
            update_time: Some(timestamp(time)),
            workspace_path: WORKSPACE.to_owned(),
            issue,
            ..Thread::default()
        };
        thread.set_mode(mode);
        let author = thread.owner.clone();
        let mut machine = Machine::new(thread, create.carry, stored::resting(&self.parts().config));
        machine.begins_with(about, closes);
        let first = if create.parts.is_empty() {
            Input::Resume
        } else {
            Input::Message { parts: create.parts, queue: false, author }
        };
        let handle = self.begin(&id, machine, None, None);
        match handle.ask(first, request.clone()).await {
            Err(Error::Store(store::Error::RequestExists(_))) => {
                self.remembered(request.as_ref()).await?.ok_or(Error::Ended)
            }
            answer => answer,
        }
    }

    async fn choose_agent(&self, owner: &str, name: &str) -> Result<String, Error> {
        let agents = self.agents(owner).await?;
        if name.is_empty() {
            let reasons = agents
                .iter()
                .filter(|agent| !agent.usable)
                .map(|agent| format!("{}: {}", agent.name, agent.reason))
                .collect();
            return agents
                .into_iter()
                .find(|agent| agent.is_default)
                .map(|agent| agent.name)
                .ok_or(Error::NoAgent { reasons });
        }
        match agents.iter().find(|agent| agent.name == name) {
            Some(agent) if agent.usable => Ok(agent.name.clone()),
            Some(agent) => Err(Error::AgentUnusable {
                name: agent.name.clone(),
                reason: agent.reason.clone(),
                hint: agent.hint.clone(),
            }),
            None => Err(Error::AgentUnknown {
                name: name.to_owned(),
                known: agents.into_iter().map(|agent| agent.name).collect(),
            }),
        }
    }

    /// The whole address of what a person named. One with a secret in it is kept nowhere.
    pub(super) async fn address(&self, owner: &str, url: &str) -> Result<String, Error> {
        if let Some((scheme, rest)) = url.split_once("://") {
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let web = ["http", "https"].iter().any(|web| scheme.eq_ignore_ascii_case(web));
            let user = authority.rsplit_once('@').map(|(user, _)| user);
            let secret = user.is_some_and(|user| web || user.contains(':'));
            // A token may be in a query, too, and no repository's address needs one.
            if secret || (web && rest.contains('?')) {
                return Err(Obstacle::SecretInAddress.into());
            }
        }
        Ok(self.parts().forges.address(owner, url).await?)
    }

    /// The repository a request means, as the cloud knows it.
    async fn repository(&self, owner: &str, asked: &Repository) -> Result<Repository, Error> {
        let store = &self.parts().store;
        // Many may name the same address at once: it gets one mirror.
        let _one_at_a_time = self.shared.repositories.lock().await;
        let found = if !asked.id.is_empty() {
            store
                .repository(&asked.id)
                .await?
                .filter(|row| row.owner == owner)
                .ok_or_else(|| Error::RepositoryUnknown { id: asked.id.clone() })?
        } else if asked.url.is_empty() {
            return Err(Error::RepositoryMissing);
        } else if let Some(row) =
            store.find_repository(owner, RepositoryKey::Url(asked.url.clone())).await?
        {
            row
        } else {
            store::Repository {
                id: new_id(),
                owner: owner.to_owned(),
                url: asked.url.clone(),
                name: repository_name(&asked.url),
                ..store::Repository::default()
            }
        };
        // One that its last thread leaves just now stays for this one.
        let row = store::Repository { last_used: now(), ..found };
        store.put_repository(row.clone()).await?;
        pass!("repository.row");
        let url = if row.url.is_empty() { row.remote_url } else { row.url };
        Ok(Repository { id: row.id, url, path: row.path, name: row.name })
    }

    pub(super) async fn free_slug(&self, title: &str, id: &str) -> Result<String, Error> {
        let slug = naming::slug(title, id);
        if self.parts().store.slug_taken(&slug).await? {
            return Ok(naming::slug(&format!("{title} {id}"), id));
        }
        Ok(slug)
    }

    async fn free_branch(
        &self,
        repository: &str,
        asked: &str,
        slug: &str,
    ) -> Result<String, Error> {
        if asked.is_empty() {
            return Ok(format!("aloft/{slug}"));
        }
        if !naming::is_branch(asked) {
            return Err(Error::BranchInvalid { branch: asked.to_owned() });
        }
        if self.parts().store.branch_taken(repository, asked).await? {
            return Err(Error::BranchTaken { branch: asked.to_owned() });
        }
        Ok(asked.to_owned())
    }
}

/// The last part of an address, for people.
fn repository_name(url: &str) -> String {
    let path = url.trim_end_matches('/').trim_end_matches(".git");
    let name = path.rsplit(['/', ':']).next().unwrap_or(path);
    if name.is_empty() { url.to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_named_after_the_end_of_its_address() {
        for (url, name) in [
            ("https://example.com/a/tool.git", "tool"),
            ("git@example.com:a/tool.git", "tool"),
            ("/srv/code/tool/", "tool"),
        ] {
            assert_eq!(repository_name(url), name);
        }
    }
}
