//! GitHub and what speaks its REST API.

mod checks;
mod findings;

use reqwest::{Method, Url};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::forge::{
    self, Answer, Change, Checks, Comment, Error, Findings, Forge, Issue, Making, Page, Person,
    Picture, Proposal, PullRequest, Reference, Repository, Result, State, Tracker, Web, copy_name,
    copy_of, driver::driver, http::Http, picture,
};

/// What a classic token must be allowed, each with what includes it.
const SCOPES: [(&str, &[&str]); 1] = [("repo", &["repo", "public_repo"])];

/// What somebody is to a repository who belongs to it, and what an app is among users.
const INSIDERS: [&str; 3] = ["OWNER", "MEMBER", "COLLABORATOR"];
const BOT: &str = "Bot";

/// Where pictures lie for everybody who knows their whole address.
const PICTURES: &[&str] = &[
    "private-user-images.githubusercontent.com",
    "user-images.githubusercontent.com",
    "github-production-user-asset-6210df.s3.amazonaws.com",
];

/// One account.
#[derive(Debug)]
pub(super) struct GitHub {
    http: Http,
    /// The same, with texts also as a browser shows them: there pictures have addresses that open them for a few minutes. A
    /// fine-grained token opens no other.
    shown: Http,
}

#[derive(Deserialize)]
struct User {
    login: String,
    #[serde(default)]
    id: u64,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    email: Option<String>,
}

#[derive(Deserialize)]
struct Repo {
    full_name: String,
    #[serde(default)]
    default_branch: Option<String>,
    #[serde(default)]
    pushed_at: Option<String>,
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

/// What a repository is a copy of, at GitHub and at Forgejo.
#[derive(Deserialize)]
pub(super) struct Parent {
    #[serde(default)]
    pub(super) full_name: Option<String>,
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
    state: Option<String>,
    #[serde(default)]
    draft: Option<bool>,
    #[serde(default)]
    merged: Option<bool>,
    #[serde(default)]
    merged_at: Option<String>,
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
}

/// An issue, at GitHub and at Forgejo.
#[derive(Deserialize)]
pub(super) struct Ticket {
    number: u64,
    html_url: String,
    title: String,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    body_html: Option<String>,
    #[serde(default)]
    user: Option<Author>,
    /// How many there are.
    #[serde(default)]
    comments: Option<usize>,
}

/// A comment, at GitHub and at Forgejo; at GitHub a review too.
#[derive(Deserialize)]
pub(super) struct Remark {
    #[serde(default)]
    pub(super) id: u64,
    #[serde(default, alias = "submitted_at")]
    created_at: Option<String>,
    #[serde(default)]
    html_url: Option<String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    body_html: Option<String>,
    #[serde(default)]
    user: Option<Author>,
    /// What its author is to the repository. Forgejo tells it elsewhere.
    #[serde(default)]
    author_association: Option<String>,
}

#[derive(Deserialize)]
struct Author {
    #[serde(default)]
    login: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

impl GitHub {
    pub(super) fn new(web: &Web, token: &SecretString) -> Result<Self> {
        let base = match web.host().as_str() {
            "github.com" => "https://api.github.com".to_owned(),
            // An enterprise's own place in GitHub's cloud.
            host if host.ends_with(".ghe.com") => format!("https://api.{host}"),
            _ => web.join("api/v3"),
        };
        let own = [web.join("user-attachments/assets/"), web.join("storage/user/")];
        let http = |accept: &'static str| -> Result<Http> {
            let http = Http::new(&base, web.host(), "Bearer", token)?;
            let http = http.with("accept", accept).with("x-github-api-version", "2022-11-28");
            Ok(http.keeping(&own, PICTURES))
        };
        Ok(Self {
            http: http("application/vnd.github+json")?,
            shown: http("application/vnd.github.full+json")?,
        })
    }

    async fn whoami(&self) -> Result<Person> {
        let url = self.http.url(&["user"], &[]);
        let reply = self.http.get::<User>(url, "ask whose token this is").await?;
        // A fine-grained token has no scopes; what it lacks is told when it is needed.
        if let Some(has) = &reply.scopes {
            for (scope, enough) in SCOPES {
                if !has.iter().any(|one| enough.contains(&one.as_str())) {
                    return Err(Error::ScopeMissing {
                        host: self.http.host().to_owned(),
                        scope: scope.to_owned(),
                        has: has.clone(),
                    });
                }
            }
        }
        let User { login, id, name, email } = reply.body;
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let hidden = match self.http.host() {
            "github.com" => format!("{id}+{login}@users.noreply.github.com"),
            host => {
                format!("{login}@users.noreply.{}", host.split(':').next().unwrap_or_default())
            }
        };
        Ok(Person {
            name: given(name).unwrap_or_else(|| login.clone()),
            email: given(email).unwrap_or(hidden),
            login,
            scopes: reply.scopes.unwrap_or_default(),
        })
    }

    async fn repositories(&self, page: u32) -> Result<Page<Repository>> {
        let (parts, query) = (["user", "repos"], [("sort", "pushed")]);
        let entries = |page: Vec<Repo>| page.into_iter().map(Into::into).collect();
        self.http.page(&parts, &query, page, "list repositories", entries).await
    }

    async fn repository(&self, name: &str) -> Result<Repository> {
        let url = self.http.url(&repos(name, &[]), &[]);
        let reply = self.http.get::<Repo>(url, &format!("look at the repository {name}")).await?;
        Ok(reply.body.into())
    }

    async fn has_branch(&self, name: &str, branch: &str) -> Result<bool> {
        let url = self.http.url(&repos(name, &["branches", branch]), &[]);
        match self.http.get::<Value>(url, &format!("look for the branch {branch}")).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn issue(&self, at: &Reference) -> Result<Issue> {
        let Reference { repository, key } = at;
        let what = format!("read issue {key} of {repository}");
        let url = self.shown.url(&repos(repository, &["issues", key]), &[]);
        let ticket = self.shown.get::<Ticket>(url, &what).await?.body;
        let parts = repos(repository, &["issues", key, "comments"]);
        let count = ticket.comments.unwrap_or_default();
        let comments = self.shown.newest(count, &parts, &what, |page: Vec<Remark>| page).await?;
        let unread = count.saturating_sub(comments.len());
        Ok(Issue { unread, ..ticket.with(comments, |address| self.shown.reaches(address)) })
    }

    async fn comment(&self, at: &Reference, text: &str) -> Result<String> {
        let Reference { repository, key } = at;
        let url = self.http.url(&repos(repository, &["issues", key, "comments"]), &[]);
        let what = format!("comment on issue {key} of {repository}");
        let body = json!({ "body": text });
        let said = self.http.send::<Remark>(Method::POST, url, &body, &what).await?.body;
        Ok(said.page())
    }

    async fn pull_request(&self, name: &str, number: u64) -> Result<PullRequest> {
        let text = number.to_string();
        let url = self.http.url(&repos(name, &["pulls", &text]), &[]);
        let what = format!("look at pull request {number} of {name}");
        Ok(self.http.get::<Pull>(url, &what).await?.body.into())
    }

    async fn own_fork(&self, name: &str, login: &str) -> Result<Option<Repository>> {
        copy_of(name, self.repository(&copy_name(name, login)).await)
    }

    /// One that the account has under another name is given too.
    async fn fork(&self, name: &str, login: &str) -> Result<Repository> {
        let url = self.http.url(&repos(name, &["forks"]), &[]);
        let body = json!({ "default_branch_only": true });
        let what = format!("fork {name}");
        let error = match self.http.send::<Repo>(Method::POST, url, &body, &what).await {
            Ok(reply) => return Ok(reply.body.into()),
            Err(error) => error,
        };
        match self.own_fork(name, login).await {
            Ok(Some(found)) if error.may_be_done() => Ok(found),
            _ => Err(error),
        }
    }

    async fn find(&self, name: &str, head: &str) -> Result<Option<PullRequest>> {
        let owner = name.split('/').next().unwrap_or_default();
        let head = if head.contains(':') { head.to_owned() } else { format!("{owner}:{head}") };
        let url = self.http.url(
            &repos(name, &["pulls"]),
            &[("state", "open"), ("head", &head), ("per_page", "1")],
        );
        let what = format!("look for a pull request of {head}");
        let reply = self.http.get::<Vec<Pull>>(url, &what).await?;
        Ok(reply.body.into_iter().next().map(Into::into))
    }

    async fn open(&self, name: &str, proposal: &Proposal) -> Result<PullRequest> {
        let Proposal { head, base, title, body, draft } = proposal;
        let url = self.http.url(&repos(name, &["pulls"]), &[]);
        let request =
            json!({"head": head, "base": base, "title": title, "body": body, "draft": draft});
        let what = format!("open a pull request at {name}");
        let error = match self.http.send::<Pull>(Method::POST, url, &request, &what).await {
            Ok(reply) => return Ok(reply.body.into()),
            Err(error) => error,
        };
        match self.find(name, head).await {
            Ok(Some(found)) if error.may_be_done() => Ok(found),
            _ => Err(error),
        }
    }

    async fn change(&self, name: &str, number: u64, change: &Change) -> Result<PullRequest> {
        let text = number.to_string();
        let url = self.http.url(&repos(name, &["pulls", &text]), &[]);
        let fields = [("title", &change.title), ("body", &change.body), ("base", &change.base)];
        let body: serde_json::Map<String, Value> = fields
            .into_iter()
            .filter_map(|(field, value)| Some((field.to_owned(), value.clone()?.into())))
            .collect();
        let what = format!("change pull request {number} of {name}");
        let reply = self.http.send::<Pull>(Method::PATCH, url, &body.into(), &what).await?;
        Ok(reply.body.into())
    }

    async fn label(&self, name: &str, number: u64, label: &str) -> Result<()> {
        // GitHub would make one that is not there.
        let url = self.http.url(&repos(name, &["labels", label]), &[]);
        self.http.get::<Value>(url, &format!("find the label {label} of {name}")).await?;
        let text = number.to_string();
        let url = self.http.url(&repos(name, &["issues", &text, "labels"]), &[]);
        let what = format!("label pull request {number} of {name}");
        let body = json!({ "labels": [label] });
        self.http.send::<Value>(Method::POST, url, &body, &what).await.map(drop)
    }

    /// `ORGANIZATION/TEAM` asks a team.
    async fn ask_reviewer(&self, name: &str, number: u64, login: &str) -> Result<()> {
        let text = number.to_string();
        let url = self.http.url(&repos(name, &["pulls", &text, "requested_reviewers"]), &[]);
        let body = match login.split_once('/') {
            Some((_, team)) => json!({ "team_reviewers": [team] }),
            None => json!({ "reviewers": [login] }),
        };
        let what = format!("ask {login} for a review");
        self.http.send::<Value>(Method::POST, url, &body, &what).await.map(drop)
    }
}

driver!(GitHub);

impl Remark {
    /// Whether it is of somebody whom the repository let in, with whatever rights, or of an app, which says nothing there
    /// without that.
    fn belongs(&self) -> bool {
        let is_bot = self.user.as_ref().and_then(|user| user.kind.as_deref()) == Some(BOT);
        is_bot || self.author_association.as_deref().is_some_and(|word| INSIDERS.contains(&word))
    }

    /// Where it is read.
    pub(super) fn page(self) -> String {
        self.html_url.unwrap_or_default()
    }

    /// As what stands against a pull request; each kind counts for itself.
    pub(super) fn told(self, kind: &str) -> forge::Remark {
        let belongs = self.belongs();
        forge::Remark {
            id: format!("{kind}-{}", self.id),
            time: self.created_at.unwrap_or_default(),
            author: self.user.and_then(|user| user.login).unwrap_or_default(),
            belongs,
            place: String::new(),
            text: self.body.unwrap_or_default(),
        }
    }
}

impl Ticket {
    /// The issue with these comments, and with the pictures of which `place` knows where they are.
    pub(super) fn with(self, remarks: Vec<Remark>, place: impl Fn(&str) -> Option<Url>) -> Issue {
        let shown = |html: &'_ Option<String>, text: &'_ Option<String>| {
            html.as_ref().or(text.as_ref()).cloned().unwrap_or_default()
        };
        let mut texts = vec![shown(&self.body_html, &self.body)];
        texts.extend(remarks.iter().map(|remark| shown(&remark.body_html, &remark.body)));
        let login = |author: Option<Author>| author.and_then(|author| author.login);
        let comments = remarks.into_iter().map(|remark| Comment {
            author: login(remark.user).unwrap_or_default(),
            text: remark.body.unwrap_or_default(),
            url: remark.html_url.unwrap_or_default(),
        });
        Issue {
            key: self.number.to_string(),
            url: self.html_url,
            title: self.title,
            author: login(self.user).unwrap_or_default(),
            text: self.body.unwrap_or_default(),
            comments: comments.collect(),
            unread: 0,
            pictures: picture::of(texts.iter().map(String::as_str), place),
        }
    }
}

impl Parent {
    /// Who it belongs to.
    pub(super) fn owner(&self) -> &str {
        self.full_name.as_deref().and_then(|name| name.split('/').next()).unwrap_or_default()
    }
}

impl From<Repo> for Repository {
    fn from(repo: Repo) -> Self {
        Self {
            name: repo.full_name,
            default_branch: repo.default_branch.unwrap_or_else(|| "main".to_owned()),
            pushed: repo.pushed_at.unwrap_or_default(),
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
        let merged = pull.merged.unwrap_or_default() || pull.merged_at.is_some();
        let state = match (merged, pull.state.as_deref()) {
            (true, _) => State::Merged,
            (false, Some("closed")) => State::Closed,
            (false, _) if pull.draft.unwrap_or_default() => State::Draft,
            (false, _) => State::Open,
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

/// How a check ended, by the forge's word for it; words that are not known here do no harm.
pub(super) fn ended(word: &str) -> Checks {
    let bad = ["failure", "error", "timed_out", "cancelled", "action_required", "startup_failure"];
    if bad.contains(&word) { Checks::Failing } else { Checks::Passing }
}

/// How several stand together.
pub(super) fn sum(checks: impl Iterator<Item = Checks>) -> Option<Checks> {
    checks.reduce(|one, other| match (one, other) {
        (Checks::Failing, _) | (_, Checks::Failing) => Checks::Failing,
        (Checks::Pending, _) | (_, Checks::Pending) => Checks::Pending,
        (Checks::Passing, Checks::Passing) => Checks::Passing,
    })
}

/// The path of something of a repository.
pub(super) fn repos<'a>(name: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    let mut parts = vec!["repos"];
    parts.extend(name.split('/'));
    parts.extend(rest);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whatever_else_is_in_them_or_missing() {
        let pull = |text: &str| PullRequest::from(serde_json::from_str::<Pull>(text).unwrap());
        let least = r#"{"number": 7, "html_url": "https://a/7"}"#;
        assert_eq!(pull(least).state, State::Open);
        let nulls = r#"{"number": 7, "html_url": "u", "state": null, "draft": null, "merged": null, "merged_at": null, "body": null, "base": {"ref": null}, "new": {}}"#;
        assert_eq!(pull(nulls).state, State::Open);
        let draft = r#"{"number": 7, "html_url": "u", "state": "open", "draft": true, "base": {"ref": "main"}}"#;
        assert_eq!((pull(draft).state, pull(draft).base.as_str()), (State::Draft, "main"));
        let closed = r#"{"number": 7, "html_url": "u", "state": "closed", "draft": true}"#;
        assert_eq!(pull(closed).state, State::Closed);
        let merged = r#"{"number": 7, "html_url": "u", "state": "closed", "merged_at": "2026-01-01T00:00:00Z"}"#;
        assert_eq!(pull(merged).state, State::Merged);
        let odd = r#"{"number": 7, "html_url": "u", "state": "frozen"}"#;
        assert_eq!(pull(odd).state, State::Open);
        let repo: Repo =
            serde_json::from_str(r#"{"full_name": "a/b", "permissions": {}}"#).unwrap();
        assert_eq!(Repository::from(repo).push, None);
    }

    #[test]
    fn the_api_is_where_each_github_has_it() {
        drop(rustls::crypto::ring::default_provider().install_default());
        for (web, api) in [
            ("github.com", "https://api.github.com/user"),
            ("https://acme.ghe.com", "https://api.acme.ghe.com/user"),
            ("https://git.example.com", "https://git.example.com/api/v3/user"),
            ("https://ghe.com.example.com", "https://ghe.com.example.com/api/v3/user"),
        ] {
            let github = GitHub::new(&Web::parse(web).unwrap(), &"t".into()).unwrap();
            assert_eq!(github.http.url(&["user"], &[]).as_str(), api);
        }
    }

    #[test]
    fn names_with_slashes_are_one_part_of_an_address() {
        drop(rustls::crypto::ring::default_provider().install_default());
        let web = Web::parse("https://example.com/forge").unwrap();
        let github = GitHub::new(&web, &"t".into()).unwrap();
        let url = github.http.url(&repos("a/b", &["branches", "x/ü#1"]), &[("q", "a b")]);
        assert_eq!(
            url.as_str(),
            "https://example.com/forge/api/v3/repos/a/b/branches/x%2F%C3%BC%231?q=a+b"
        );
    }
}
