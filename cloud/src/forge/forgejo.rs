//! Forgejo and Gitea. A draft is one by its title.

mod findings;

use reqwest::{Method, Url};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::forge::{
    Answer, Change, Checks, Error, Findings, Forge, Issue, Making, Page, Person, Picture, Proposal,
    PullRequest, Reference, Repository, Result, State, Tracker, Web, copy_name, copy_of,
    driver::driver,
    github::{Parent, Remark, Ticket, ended, repos, sum},
    http::Http,
};

/// Entries of a page: no server allows fewer as its highest number, unless told to.
const PAGE: usize = 50;
/// What a draft's title begins with.
const DRAFT: &str = "WIP: ";

/// One account.
#[derive(Debug)]
pub(super) struct Forgejo {
    http: Http,
    web: Web,
}

#[derive(Deserialize)]
struct User {
    login: String,
    #[serde(default)]
    full_name: Option<String>,
    #[serde(default)]
    email: Option<String>,
}

#[derive(Deserialize)]
struct Repo {
    full_name: String,
    #[serde(default)]
    default_branch: Option<String>,
    #[serde(default)]
    updated_at: Option<String>,
    #[serde(default)]
    private: Option<bool>,
    #[serde(default)]
    archived: Option<bool>,
    #[serde(default)]
    fork: Option<bool>,
    #[serde(default)]
    permissions: Option<Permissions>,
    /// What it is a copy of.
    #[serde(default)]
    parent: Option<Parent>,
}

#[derive(Deserialize)]
struct Permissions {
    #[serde(default)]
    push: Option<bool>,
}

#[derive(Deserialize)]
struct Pull {
    number: u64,
    html_url: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    draft: Option<bool>,
    #[serde(default)]
    merged: Option<bool>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    base: Option<Side>,
    #[serde(default)]
    head: Option<Side>,
    #[serde(default)]
    comments: Option<u64>,
    #[serde(default)]
    review_comments: Option<u64>,
}

#[derive(Deserialize)]
struct Side {
    #[serde(default, rename = "ref")]
    branch: Option<String>,
    #[serde(default)]
    sha: Option<String>,
    #[serde(default)]
    repo_id: Option<i64>,
    #[serde(default)]
    repo: Option<Parent>,
}

#[derive(Deserialize)]
struct Label {
    id: i64,
    name: String,
}

#[derive(Deserialize)]
struct CombinedStatus {
    /// Null where there are none.
    #[serde(default)]
    statuses: Option<Vec<CommitStatus>>,
}

#[derive(Deserialize)]
struct CommitStatus {
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    context: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    target_url: Option<String>,
}

impl Forgejo {
    pub(super) fn new(web: &Web, token: &SecretString) -> Result<Self> {
        let http = Http::new(&web.join("api/v1"), web.host(), "token", token)?;
        let http = http.paged("limit", PAGE).keeping(&[web.join("attachments/")], &[]);
        Ok(Self { http, web: web.clone() })
    }

    async fn whoami(&self) -> Result<Person> {
        let url = self.http.url(&["user"], &[]);
        let asked = self.http.get::<User>(url, "ask whose token this is").await;
        let User { login, full_name, email } = asked.map_err(scope)?.body;
        // A token does not tell what it may do, so what it needs is tried as far as nothing is changed by that.
        let url = self.http.url(&["user", "repos"], &[("limit", "1")]);
        self.http.get::<Value>(url, "list repositories").await.map_err(scope)?;
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let host = self.http.host().split(':').next().unwrap_or_default();
        Ok(Person {
            name: given(full_name).unwrap_or_else(|| login.clone()),
            email: given(email).unwrap_or_else(|| format!("{login}@noreply.{host}")),
            login,
            scopes: Vec::new(),
        })
    }

    async fn repositories(&self, page: u32) -> Result<Page<Repository>> {
        let entries = |page: Vec<Repo>| page.into_iter().map(Into::into).collect();
        let listed = self.http.page(&["user", "repos"], &[], page, "list repositories", entries);
        listed.await.map_err(scope)
    }

    async fn repository(&self, name: &str) -> Result<Repository> {
        let url = self.http.url(&repos(name, &[]), &[]);
        let what = format!("look at the repository {name}");
        Ok(self.http.get::<Repo>(url, &what).await.map_err(scope)?.body.into())
    }

    async fn has_branch(&self, name: &str, branch: &str) -> Result<bool> {
        let url = self.http.url(&repos(name, &["branches", branch]), &[]);
        match self.http.get::<Value>(url, &format!("look for the branch {branch}")).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(scope(error)),
        }
    }

    async fn issue(&self, at: &Reference) -> Result<Issue> {
        let Reference { repository, key } = at;
        let what = format!("read issue {key} of {repository}");
        let url = self.http.url(&repos(repository, &["issues", key]), &[]);
        let ticket = self.http.get::<Ticket>(url, &what).await.map_err(scope)?.body;
        let url = self.http.url(&repos(repository, &["issues", key, "comments"]), &[]);
        let remarks = self.http.get::<Vec<Remark>>(url, &what).await.map_err(scope)?.body;
        Ok(ticket.with(remarks, |address| self.picture(address)))
    }

    /// Where a picture is: in texts it has an address without the host, with a slash before it or without.
    fn picture(&self, address: &str) -> Option<Url> {
        let path = address.trim_start_matches('/');
        if path.starts_with("attachments/") && !address.starts_with("//") {
            return self.http.reaches(&self.web.join(path));
        }
        self.http.reaches(address)
    }

    async fn comment(&self, at: &Reference, text: &str) -> Result<String> {
        let Reference { repository, key } = at;
        let url = self.http.url(&repos(repository, &["issues", key, "comments"]), &[]);
        let what = format!("comment on issue {key} of {repository}");
        let body = json!({ "body": text });
        let said = self.http.send::<Remark>(Method::POST, url, &body, &what).await;
        Ok(said.map_err(scope)?.body.page())
    }

    async fn statuses(&self, name: &str, commit: &str) -> Result<Vec<CommitStatus>> {
        let parts = repos(name, &["commits", commit, "status"]);
        let what = format!("look at the checks of {name}");
        let entries = |page: CombinedStatus| page.statuses.unwrap_or_default();
        self.http.all(&parts, &[], &what, entries).await.map_err(scope)
    }

    async fn checks(&self, name: &str, commit: &str) -> Result<Option<Checks>> {
        Ok(sum(self.statuses(name, commit).await?.iter().map(CommitStatus::stands)))
    }

    async fn pull(&self, name: &str, number: u64) -> Result<Pull> {
        let text = number.to_string();
        let url = self.http.url(&repos(name, &["pulls", &text]), &[]);
        let what = format!("look at pull request {number} of {name}");
        Ok(self.http.get::<Pull>(url, &what).await.map_err(scope)?.body)
    }

    async fn pull_request(&self, name: &str, number: u64) -> Result<PullRequest> {
        Ok(self.pull(name, number).await?.into())
    }

    async fn own_fork(&self, name: &str, login: &str) -> Result<Option<Repository>> {
        copy_of(name, self.repository(&copy_name(name, login)).await)
    }

    async fn fork(&self, name: &str, login: &str) -> Result<Repository> {
        let url = self.http.url(&repos(name, &["forks"]), &[]);
        let what = format!("fork {name}");
        let error = match self.http.send::<Repo>(Method::POST, url, &json!({}), &what).await {
            Ok(reply) => return Ok(reply.body.into()),
            Err(error) => scope(error),
        };
        // One that it has under another name is refused, and found among all of them.
        let owned = |one: &Repo| one.full_name.split('/').next() == Some(login);
        match self.http.first(&repos(name, &["forks"]), &[], &what, owned).await {
            Ok(Some(found)) if error.may_be_done() => Ok(found.into()),
            _ => Err(error),
        }
    }

    async fn find(&self, name: &str, head: &str) -> Result<Option<PullRequest>> {
        let what = format!("look for a pull request of {head}");
        // One that could not be loaded is null.
        let fits = |pull: &Option<Pull>| pull.as_ref().is_some_and(|pull| pull.is_of(head));
        let (parts, query) = (repos(name, &["pulls"]), [("state", "open")]);
        let found = self.http.first(&parts, &query, &what, fits).await.map_err(scope)?;
        Ok(found.flatten().map(Into::into))
    }

    async fn open(&self, name: &str, proposal: &Proposal) -> Result<PullRequest> {
        let Proposal { head, base, title, body, draft } = proposal;
        let url = self.http.url(&repos(name, &["pulls"]), &[]);
        let title = titled(title, *draft);
        let request = json!({"head": head, "base": base, "title": title, "body": body});
        let what = format!("open a pull request at {name}");
        let error = match self.http.send::<Pull>(Method::POST, url, &request, &what).await {
            Ok(reply) => return Ok(reply.body.into()),
            Err(error) => scope(error),
        };
        match self.find(name, head).await {
            Ok(Some(found)) if error.may_be_done() => Ok(found),
            _ => Err(error),
        }
    }

    async fn change(&self, name: &str, number: u64, change: &Change) -> Result<PullRequest> {
        let mut body = Map::new();
        if let Some(title) = &change.title {
            // It stays a draft if it is one.
            let draft = self.pull(name, number).await?.is_draft();
            body.insert("title".to_owned(), titled(title, draft).into());
        }
        body.extend(change.body.clone().map(|text| ("body".to_owned(), text.into())));
        body.extend(change.base.clone().map(|base| ("base".to_owned(), base.into())));
        let text = number.to_string();
        let url = self.http.url(&repos(name, &["pulls", &text]), &[]);
        let what = format!("change pull request {number} of {name}");
        let reply = self.http.send::<Pull>(Method::PATCH, url, &body.into(), &what).await;
        Ok(reply.map_err(scope)?.body.into())
    }

    async fn label(&self, name: &str, number: u64, label: &str) -> Result<()> {
        let what = format!("find the label {label} of {name}");
        let fits = |one: &Label| one.name == label;
        let found = self.http.first(&repos(name, &["labels"]), &[], &what, fits).await;
        let host = self.http.host().to_owned();
        let Label { id, .. } = found.map_err(scope)?.ok_or(Error::NotFound { what, host })?;
        let text = number.to_string();
        let url = self.http.url(&repos(name, &["issues", &text, "labels"]), &[]);
        let what = format!("label pull request {number} of {name}");
        let body = json!({ "labels": [id] });
        self.http.send::<Value>(Method::POST, url, &body, &what).await.map(drop).map_err(scope)
    }

    async fn ask_reviewer(&self, name: &str, number: u64, login: &str) -> Result<()> {
        let text = number.to_string();
        let url = self.http.url(&repos(name, &["pulls", &text, "requested_reviewers"]), &[]);
        let what = format!("ask {login} for a review");
        let body = json!({ "reviewers": [login] });
        self.http.send::<Value>(Method::POST, url, &body, &what).await.map(drop).map_err(scope)
    }
}

driver!(Forgejo);

impl CommitStatus {
    fn stands(&self) -> Checks {
        match self.status.as_deref() {
            Some("pending") => Checks::Pending,
            word => ended(word.unwrap_or_default()),
        }
    }
}

impl Pull {
    /// Whether it is of this branch of the repository itself, or of `OWNER:BRANCH`.
    fn is_of(&self, head: &str) -> bool {
        let Some(side) = &self.head else { return false };
        let (owner, branch) =
            head.split_once(':').map_or((None, head), |(owner, branch)| (Some(owner), branch));
        let is_there = match (owner, &side.repo) {
            (None, _) => side.repo_id == self.base.as_ref().and_then(|base| base.repo_id),
            (Some(owner), Some(repository)) => repository.owner().eq_ignore_ascii_case(owner),
            (Some(_), None) => false,
        };
        side.branch.as_deref() == Some(branch) && is_there
    }

    fn is_draft(&self) -> bool {
        self.draft.unwrap_or_else(|| {
            self.title.as_deref().is_some_and(|title| title.starts_with(DRAFT.trim_end()))
        })
    }
}

impl From<Repo> for Repository {
    fn from(repo: Repo) -> Self {
        Self {
            name: repo.full_name,
            default_branch: repo
                .default_branch
                .filter(|branch| !branch.is_empty())
                .unwrap_or_else(|| "main".to_owned()),
            pushed: repo.updated_at.unwrap_or_default(),
            private: repo.private.unwrap_or_default(),
            archived: repo.archived.unwrap_or_default(),
            fork: repo.fork.unwrap_or_default(),
            parent: repo.parent.and_then(|parent| parent.full_name),
            push: repo.permissions.and_then(|permissions| permissions.push),
            making: Making::Done,
        }
    }
}

impl From<Pull> for PullRequest {
    fn from(pull: Pull) -> Self {
        let state = match (pull.merged, pull.state.as_deref()) {
            (Some(true), _) => State::Merged,
            (_, Some("closed")) => State::Closed,
            _ if pull.is_draft() => State::Draft,
            _ => State::Open,
        };
        Self {
            number: pull.number,
            url: pull.html_url,
            state,
            body: pull.body.unwrap_or_default(),
            base: pull.base.and_then(|base| base.branch).unwrap_or_default(),
            head: pull.head.and_then(|head| head.sha).unwrap_or_default(),
            comments: pull.comments.unwrap_or_default() + pull.review_comments.unwrap_or_default(),
        }
    }
}

/// A refusal for want of a scope names it: `… at least one of required scope(s): [write:repository]`.
fn scope(error: Error) -> Error {
    match error {
        Error::Denied { host, detail, what } => match named(&detail) {
            Some(scope) => Error::ScopeMissing { host, scope, has: Vec::new() },
            None => Error::Denied { host, detail, what },
        },
        other => other,
    }
}

fn named(detail: &str) -> Option<String> {
    let (_, list) = detail.split_once("required scope(s): [")?;
    let (list, _) = list.split_once(']')?;
    let first = list.split([' ', ',']).next()?;
    (!first.is_empty()).then(|| first.to_owned())
}

fn titled(title: &str, draft: bool) -> String {
    if draft && !title.starts_with(DRAFT) { format!("{DRAFT}{title}") } else { title.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whatever_else_is_in_them_or_missing() {
        let pull = |text: &str| PullRequest::from(serde_json::from_str::<Pull>(text).unwrap());
        let least = r#"{"number": 7, "html_url": "https://a/7"}"#;
        assert_eq!(pull(least).state, State::Open);
        let nulls = r#"{"number": 7, "html_url": "u", "title": null, "state": null, "draft": null, "merged": null, "body": null, "base": null, "head": {"ref": null, "repo_id": null}, "new": 1}"#;
        assert_eq!(pull(nulls).state, State::Open);
        let old = r#"{"number": 7, "html_url": "u", "title": "WIP: a", "state": "open"}"#;
        assert_eq!(pull(old).state, State::Draft);
        let merged = r#"{"number": 7, "html_url": "u", "state": "closed", "merged": true}"#;
        assert_eq!(pull(merged).state, State::Merged);
        let repo: Repo =
            serde_json::from_str(r#"{"full_name": "a/b", "default_branch": ""}"#).unwrap();
        assert_eq!(Repository::from(repo).default_branch, "main");
    }

    #[test]
    fn a_pull_request_of_a_fork_is_not_taken_for_our_own() {
        let pull = |head: i64| {
            let text = format!(
                r#"{{"number": 1, "html_url": "u", "base": {{"ref": "main", "repo_id": 1}}, "head": {{"ref": "x", "repo_id": {head}}}}}"#
            );
            serde_json::from_str::<Pull>(&text).unwrap().is_of("x")
        };
        assert!(pull(1));
        assert!(!pull(2));
    }

    #[test]
    fn a_missing_scope_is_named() {
        let denied = |detail: &str| {
            scope(Error::Denied {
                what: "open it".to_owned(),
                host: "a".to_owned(),
                detail: detail.to_owned(),
            })
        };
        let text = "token does not have at least one of required scope(s): [write:repository]";
        assert!(
            matches!(denied(text), Error::ScopeMissing { scope, .. } if scope == "write:repository")
        );
        assert!(matches!(denied("you are blocked"), Error::Denied { .. }));
    }
}
