//! GitLab. Its merge requests are our pull requests, its projects our repositories; a draft is one by its title.

mod findings;

use percent_encoding::percent_decode_str;
use reqwest::{Method, Url};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::forge::{
    Answer, Change, Checks, Comment, Error, Findings, Forge, Issue, Kind, Making, Page, Person,
    Picture, Proposal, PullRequest, Reference, Repository, Result, State, Tracker, Web,
    driver::driver, gitlab::findings::Position, http::Http, picture,
};

/// What a token must be allowed: nothing less opens a merge request.
const SCOPE: &str = "api";
/// From here on an account may push: GitLab's Developer.
const MAY_PUSH: u32 = 30;
/// What a draft's title begins with.
const DRAFT: &str = "Draft: ";

/// One account.
#[derive(Debug)]
pub(super) struct GitLab {
    http: Http,
    web: Web,
}

#[derive(Deserialize)]
struct User {
    username: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    commit_email: Option<String>,
    #[serde(default)]
    email: Option<String>,
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    scopes: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Project {
    #[serde(default)]
    id: u64,
    path_with_namespace: String,
    #[serde(default)]
    default_branch: Option<String>,
    #[serde(default)]
    last_activity_at: Option<String>,
    #[serde(default)]
    visibility: Option<String>,
    #[serde(default)]
    archived: Option<bool>,
    #[serde(default, rename = "forked_from_project")]
    origin: Option<Origin>,
    #[serde(default)]
    import_status: Option<String>,
    #[serde(default)]
    permissions: Option<Permissions>,
}

/// What a project is a copy of.
#[derive(Deserialize)]
struct Origin {
    #[serde(default)]
    path_with_namespace: Option<String>,
}

#[derive(Deserialize)]
struct Permissions {
    #[serde(default)]
    project_access: Option<Access>,
    #[serde(default)]
    group_access: Option<Access>,
}

#[derive(Deserialize)]
struct Access {
    #[serde(default)]
    access_level: Option<u32>,
}

#[derive(Deserialize)]
struct MergeRequest {
    iid: u64,
    web_url: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    draft: Option<bool>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    target_branch: Option<String>,
    #[serde(default)]
    sha: Option<String>,
    #[serde(default)]
    user_notes_count: Option<u64>,
    #[serde(default)]
    source_project_id: Option<u64>,
    #[serde(default)]
    target_project_id: Option<u64>,
    #[serde(default)]
    reviewers: Option<Vec<Reviewer>>,
}

#[derive(Deserialize)]
struct Reviewer {
    id: u64,
}

#[derive(Deserialize)]
struct Ticket {
    iid: u64,
    web_url: String,
    title: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    author: Option<Author>,
    /// How many there are, GitLab's own words left out.
    #[serde(default)]
    user_notes_count: Option<usize>,
}

#[derive(Deserialize)]
struct Note {
    #[serde(default)]
    id: u64,
    #[serde(default)]
    created_at: Option<String>,
    #[serde(default)]
    position: Option<Position>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    author: Option<Author>,
    /// GitLab's own words: who was assigned, which label came.
    #[serde(default)]
    system: Option<bool>,
}

#[derive(Deserialize)]
struct Author {
    #[serde(default)]
    id: u64,
    #[serde(default)]
    username: Option<String>,
}

impl GitLab {
    pub(super) fn new(web: &Web, token: &SecretString) -> Result<Self> {
        // Personal, group, project and OAuth tokens are all taken this way.
        let http = Http::new(&web.join("api/v4"), web.host(), "Bearer", token)?;
        let http = http.keeping(&[web.join("api/v4/projects/")], &[]);
        Ok(Self { http, web: web.clone() })
    }

    async fn whoami(&self) -> Result<Person> {
        let scopes = self.scopes().await?;
        let url = self.http.url(&["user"], &[]);
        let User { username, name, commit_email, email } =
            self.http.get(url, "ask whose token this is").await?.body;
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let host = self.http.host().split(':').next().unwrap_or_default();
        let hidden = format!("{username}@users.noreply.{host}");
        Ok(Person {
            name: given(name).unwrap_or_else(|| username.clone()),
            email: given(commit_email).or(given(email)).unwrap_or(hidden),
            login: username,
            scopes,
        })
    }

    /// What the token may do; an OAuth token does not say.
    async fn scopes(&self) -> Result<Vec<String>> {
        let url = self.http.url(&["personal_access_tokens", "self"], &[]);
        let missing = |has| Error::ScopeMissing {
            host: self.http.host().to_owned(),
            scope: SCOPE.to_owned(),
            has,
        };
        match self.http.get::<Token>(url, "ask what the token may do").await {
            Ok(reply) => match reply.body.scopes {
                Some(has) if !has.iter().any(|scope| scope == SCOPE) => Err(missing(has)),
                has => Ok(has.unwrap_or_default()),
            },
            Err(Error::Denied { detail, .. }) if detail.contains("insufficient_scope") => {
                Err(missing(Vec::new()))
            }
            Err(Error::NotFound { .. } | Error::Invalid { .. } | Error::Denied { .. }) => {
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    async fn repositories(&self, page: u32) -> Result<Page<Repository>> {
        let query = [("membership", "true"), ("order_by", "last_activity_at"), ("sort", "desc")];
        let entries = |page: Vec<Project>| page.into_iter().map(Into::into).collect();
        self.http.page(&["projects"], &query, page, "list repositories", entries).await
    }

    async fn project(&self, name: &str) -> Result<Project> {
        let url = self.http.url(&["projects", name], &[]);
        let what = format!("look at the repository {name}");
        Ok(self.http.get::<Project>(url, &what).await?.body)
    }

    async fn repository(&self, name: &str) -> Result<Repository> {
        Ok(self.project(name).await?.into())
    }

    async fn has_branch(&self, name: &str, branch: &str) -> Result<bool> {
        let url = self.http.url(&["projects", name, "repository", "branches", branch], &[]);
        match self.http.get::<Value>(url, &format!("look for the branch {branch}")).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn issue(&self, at: &Reference) -> Result<Issue> {
        let Reference { repository, key } = at;
        let what = format!("read issue {key} of {repository}");
        let url = self.http.url(&["projects", repository, "issues", key], &[]);
        let ticket = self.http.get::<Ticket>(url, &what).await?.body;
        let notes = self.notes(repository, ["issues", key], &what).await?;
        let login = |author: Option<Author>| author.and_then(|author| author.username);
        let page = |note: u64| format!("{}#note_{note}", ticket.web_url);
        let comments: Vec<Comment> = notes
            .into_iter()
            .map(|note| Comment {
                author: login(note.author).unwrap_or_default(),
                text: note.body.unwrap_or_default(),
                url: page(note.id),
            })
            .collect();
        let unread = ticket.user_notes_count.unwrap_or_default().saturating_sub(comments.len());
        let text = ticket.description.unwrap_or_default();
        let texts = std::iter::once(&text).chain(comments.iter().map(|comment| &comment.text));
        let place = |address: &str| self.picture(address, repository);
        let pictures = picture::of(texts.map(String::as_str), place);
        Ok(Issue {
            key: ticket.iid.to_string(),
            url: ticket.web_url,
            title: ticket.title,
            author: login(ticket.author).unwrap_or_default(),
            text,
            comments,
            unread,
            pictures,
        })
    }

    /// Where the API has a picture. In texts it is `/uploads/SECRET/FILE` of the project, or a whole address of another one.
    fn picture(&self, address: &str, repository: &str) -> Option<Url> {
        let (before, rest) = address.split_once("/uploads/")?;
        let (secret, file) = rest.split_once('/')?;
        let file = percent_decode_str(file.split(['?', '#']).next()?).decode_utf8().ok()?;
        let web = self.web.to_string();
        let own = before.strip_prefix(&web).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let project = own.unwrap_or(before);
        let project = project.trim_start_matches('/').trim_start_matches("-/project/");
        let known = project.is_empty()
            || project.bytes().all(|byte| byte.is_ascii_digit())
            || Kind::GitLab.takes(project);
        let good = known
            && secret.len() == 32
            && secret.bytes().all(|byte| byte.is_ascii_hexdigit())
            && !file.is_empty()
            && !file.contains('/')
            && !matches!(file.as_ref(), "." | "..");
        let project = if project.is_empty() { repository } else { project };
        good.then(|| self.http.url(&["projects", project, "uploads", secret, &file], &[]))
    }

    async fn comment(&self, at: &Reference, text: &str) -> Result<String> {
        let Reference { repository, key } = at;
        let what = format!("comment on issue {key} of {repository}");
        let url = self.http.url(&["projects", repository, "issues", key, "notes"], &[]);
        let body = json!({ "body": text });
        let note = self.http.send::<Note>(Method::POST, url, &body, &what).await?.body;
        Ok(self.web.join(&format!("{repository}/-/issues/{key}#note_{}", note.id)))
    }

    /// What people said of an issue or a merge request, oldest first; where that is too much, the newest of it.
    async fn notes(&self, name: &str, of: [&str; 2], what: &str) -> Result<Vec<Note>> {
        let (parts, query) = (
            ["projects", name, of[0], of[1], "notes"],
            [("sort", "desc"), ("order_by", "created_at")],
        );
        let mut notes = self.http.all(&parts, &query, what, |page: Vec<Note>| page).await?;
        // Where one came meanwhile, the last of a page is the first of the next one too.
        notes.dedup_by_key(|note| note.id);
        Ok(notes.into_iter().rev().filter(|note| note.system != Some(true)).collect())
    }

    async fn request(&self, name: &str, number: u64) -> Result<MergeRequest> {
        let text = number.to_string();
        let url = self.http.url(&["projects", name, "merge_requests", &text], &[]);
        let what = format!("look at merge request {number} of {name}");
        Ok(self.http.get::<MergeRequest>(url, &what).await?.body)
    }

    async fn pull_request(&self, name: &str, number: u64) -> Result<PullRequest> {
        Ok(self.request(name, number).await?.into())
    }

    /// The copy that somebody has of a project, whatever it is called: GitLab would make another one.
    async fn copy(&self, name: &str, login: &str) -> Result<Option<Project>> {
        let (parts, query) = (["projects", name, "forks"], [("owned", "true")]);
        let what = format!("look for a fork of {name}");
        let owned = |one: &Project| {
            let owner = one.path_with_namespace.rsplit_once('/').map(|(owner, _)| owner);
            owner.is_some_and(|owner| owner.eq_ignore_ascii_case(login))
        };
        self.http.first(&parts, &query, &what, owned).await
    }

    async fn own_fork(&self, name: &str, login: &str) -> Result<Option<Repository>> {
        Ok(self.copy(name, login).await?.map(Into::into))
    }

    async fn fork(&self, name: &str, login: &str) -> Result<Repository> {
        let url = self.http.url(&["projects", name, "fork"], &[]);
        let what = format!("fork {name}");
        let error = match self.http.send::<Project>(Method::POST, url, &json!({}), &what).await {
            Ok(reply) => return Ok(reply.body.into()),
            Err(error) => error,
        };
        match self.own_fork(name, login).await {
            Ok(Some(found)) if error.may_be_done() => Ok(found),
            _ => Err(error),
        }
    }

    /// The branch of `BRANCH` or `OWNER:BRANCH`, and in the second case the project of that owner in which it is.
    async fn source<'a>(&self, name: &str, head: &'a str) -> Result<(&'a str, Option<Project>)> {
        let Some((owner, branch)) = head.split_once(':') else { return Ok((head, None)) };
        match self.copy(name, owner).await? {
            Some(copy) => Ok((branch, Some(copy))),
            None => Err(Error::NotFound {
                what: format!("find the fork of {name} that {owner} has"),
                host: self.http.host().to_owned(),
            }),
        }
    }

    async fn find(&self, name: &str, head: &str) -> Result<Option<PullRequest>> {
        let (branch, copy) = self.source(name, head).await?;
        let parts = ["projects", name, "merge_requests"];
        let query = [("state", "opened"), ("source_branch", branch)];
        let what = format!("look for a merge request of {head}");
        // Others may have a branch of the same name.
        let fits = |one: &MergeRequest| match &copy {
            Some(copy) => one.source_project_id == Some(copy.id),
            None => one.source_project_id == one.target_project_id,
        };
        Ok(self.http.first(&parts, &query, &what, fits).await?.map(Into::into))
    }

    async fn open(&self, name: &str, proposal: &Proposal) -> Result<PullRequest> {
        let Proposal { head, base, title, body, draft } = proposal;
        let what = format!("open a merge request at {name}");
        // GitLab takes a request into a branch that is not there, and it is broken.
        if !self.has_branch(name, base).await? {
            return Err(Error::Invalid {
                what,
                host: self.http.host().to_owned(),
                detail: format!("there is no branch {base} to merge into"),
            });
        }
        let (branch, copy) = self.source(name, head).await?;
        let mut request = json!({
            "source_branch": branch,
            "target_branch": base,
            "title": titled(title, *draft),
            "description": body,
        });
        // It is asked for where the branch is.
        let mut from = name;
        if let Some(copy) = &copy {
            from = &copy.path_with_namespace;
            request["target_project_id"] = self.project(name).await?.id.into();
        }
        let url = self.http.url(&["projects", from, "merge_requests"], &[]);
        let error = match self.http.send::<MergeRequest>(Method::POST, url, &request, &what).await {
            Ok(reply) => return Ok(reply.body.into()),
            Err(error) => error,
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
            let draft = self.request(name, number).await?.is_draft();
            body.insert("title".to_owned(), titled(title, draft).into());
        }
        body.extend(change.body.clone().map(|text| ("description".to_owned(), text.into())));
        body.extend(change.base.clone().map(|base| ("target_branch".to_owned(), base.into())));
        let text = number.to_string();
        let url = self.http.url(&["projects", name, "merge_requests", &text], &[]);
        let what = format!("change merge request {number} of {name}");
        let reply = self.http.send::<MergeRequest>(Method::PUT, url, &body.into(), &what).await?;
        Ok(reply.body.into())
    }

    async fn put(&self, name: &str, number: u64, body: &Value, what: &str) -> Result<()> {
        let text = number.to_string();
        let url = self.http.url(&["projects", name, "merge_requests", &text], &[]);
        self.http.send::<Value>(Method::PUT, url, body, what).await.map(drop)
    }

    async fn label(&self, name: &str, number: u64, label: &str) -> Result<()> {
        // GitLab would make one that is not there.
        let url = self.http.url(&["projects", name, "labels", label], &[]);
        self.http.get::<Value>(url, &format!("find the label {label} of {name}")).await?;
        let what = format!("label merge request {number} of {name}");
        self.put(name, number, &json!({ "add_labels": label }), &what).await
    }

    async fn ask_reviewer(&self, name: &str, number: u64, login: &str) -> Result<()> {
        let what = format!("ask {login} for a review");
        let url = self.http.url(&["users"], &[("username", login)]);
        let found = self.http.get::<Vec<Reviewer>>(url, &what).await?.body;
        let Some(one) = found.first() else {
            return Err(Error::NotFound { what, host: self.http.host().to_owned() });
        };
        // Those that are given stand in place of those that are there.
        let there = self.request(name, number).await?.reviewers.unwrap_or_default();
        let ids: Vec<u64> = there.iter().chain([one]).map(|reviewer| reviewer.id).collect();
        self.put(name, number, &json!({ "reviewer_ids": ids }), &what).await
    }
}

driver!(GitLab);

impl MergeRequest {
    fn is_draft(&self) -> bool {
        self.draft.unwrap_or_else(|| {
            self.title.as_deref().is_some_and(|title| title.starts_with(DRAFT.trim_end()))
        })
    }
}

impl From<Project> for Repository {
    fn from(project: Project) -> Self {
        let push = project.permissions.map(|Permissions { project_access, group_access }| {
            let level = |access: Option<Access>| access.and_then(|access| access.access_level);
            level(project_access).max(level(group_access)).is_some_and(|level| level >= MAY_PUSH)
        });
        Self {
            name: project.path_with_namespace,
            default_branch: project.default_branch.unwrap_or_else(|| "main".to_owned()),
            pushed: project.last_activity_at.unwrap_or_default(),
            private: project.visibility.is_some_and(|visibility| visibility != "public"),
            archived: project.archived.unwrap_or_default(),
            fork: project.origin.is_some(),
            parent: project.origin.and_then(|from| from.path_with_namespace),
            push,
            making: match project.import_status.as_deref() {
                Some("scheduled" | "started") => Making::UnderWay,
                Some("failed") => Making::Failed,
                _ => Making::Done,
            },
        }
    }
}

impl From<MergeRequest> for PullRequest {
    fn from(request: MergeRequest) -> Self {
        let state = match request.state.as_deref() {
            Some("merged") => State::Merged,
            Some("closed") => State::Closed,
            _ if request.is_draft() => State::Draft,
            _ => State::Open,
        };
        Self {
            number: request.iid,
            url: request.web_url,
            state,
            body: request.description.unwrap_or_default(),
            base: request.target_branch.unwrap_or_default(),
            head: request.sha.unwrap_or_default(),
            comments: request.user_notes_count.unwrap_or_default(),
        }
    }
}

fn titled(title: &str, draft: bool) -> String {
    if draft && !title.starts_with(DRAFT) { format!("{DRAFT}{title}") } else { title.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whatever_else_is_in_them_or_missing() {
        let request =
            |text: &str| PullRequest::from(serde_json::from_str::<MergeRequest>(text).unwrap());
        let least = r#"{"iid": 12, "id": 900, "web_url": "https://a/12"}"#;
        assert_eq!((request(least).number, request(least).state), (12, State::Open));
        let nulls = r#"{"iid": 12, "web_url": "u", "title": null, "state": null, "draft": null, "description": null, "target_branch": null, "source_project_id": null, "new": []}"#;
        assert_eq!(request(nulls).state, State::Open);
        let old = r#"{"iid": 12, "web_url": "u", "title": "Draft: a", "state": "opened"}"#;
        assert_eq!(request(old).state, State::Draft);
        let locked = r#"{"iid": 12, "web_url": "u", "state": "locked", "draft": false}"#;
        assert_eq!(request(locked).state, State::Open);
        let merged = r#"{"iid": 12, "web_url": "u", "state": "merged", "draft": true}"#;
        assert_eq!(request(merged).state, State::Merged);
    }

    #[test]
    fn who_may_push_is_the_higher_of_two_rights() {
        let push = |permissions: &str| {
            let text =
                format!(r#"{{"path_with_namespace": "a/b/c", "permissions": {permissions}}}"#);
            Repository::from(serde_json::from_str::<Project>(&text).unwrap()).push
        };
        assert_eq!(push("null"), None);
        assert_eq!(push(r#"{"project_access": null, "group_access": null}"#), Some(false));
        let group =
            r#"{"project_access": {"access_level": 20}, "group_access": {"access_level": 40}}"#;
        assert_eq!(push(group), Some(true));
    }

    #[test]
    fn a_copy_says_of_what_it_is_and_how_far() {
        let read = |more: &str| {
            let text = format!(r#"{{"path_with_namespace": "ada/c", {more}}}"#);
            Repository::from(serde_json::from_str::<Project>(&text).unwrap())
        };
        let whole = read(r#""forked_from_project": null, "import_status": null"#);
        assert_eq!((whole.fork, whole.parent, whole.making), (false, None, Making::Done));
        let begun = read(
            r#""forked_from_project": {"id": 1, "path_with_namespace": "a/b/c"}, "import_status": "started""#,
        );
        assert_eq!((begun.fork, begun.parent.as_deref()), (true, Some("a/b/c")));
        assert_eq!(begun.making, Making::UnderWay);
        assert_eq!(read(r#""import_status": "failed""#).making, Making::Failed);
        for done in ["none", "finished", "frozen"] {
            assert_eq!(read(&format!(r#""import_status": "{done}""#)).making, Making::Done);
        }
    }

    #[test]
    fn a_picture_is_found_by_every_address_it_has_in_a_text() {
        drop(rustls::crypto::ring::default_provider().install_default());
        let web = Web::parse("https://example.com/git").unwrap();
        let gitlab = GitLab::new(&web, &"t".into()).unwrap();
        let secret = "0123456789abcdef0123456789abcdef";
        let place = |before: &str, file: &str| {
            let address = format!("{before}/uploads/{secret}/{file}");
            let url = gitlab.picture(&address, "a/b")?.to_string();
            Some(url.strip_prefix("https://example.com/git/api/v4/projects/")?.to_owned())
        };
        let of = |project: &str, file: &str| Some(format!("{project}/uploads/{secret}/{file}"));
        assert_eq!(place("", "a%20b.png?width=10"), of("a%2Fb", "a%20b.png"));
        assert_eq!(place("/-/project/12", "a.png"), of("12", "a.png"));
        assert_eq!(place("https://example.com/git/-/project/12", "a.png"), of("12", "a.png"));
        assert_eq!(place("https://example.com/git/c/d/e", "a.png"), of("c%2Fd%2Fe", "a.png"));
        for (before, file) in [
            ("https://example.com.evil.test/git", "a.png"),
            ("https://evil.test", "a.png"),
            ("//evil.test", "a.png"),
            ("", "..%2F..%2Fuser"),
            ("", "a/b.png"),
            ("", ""),
            ("", ".."),
        ] {
            assert_eq!(place(before, file), None, "{before} {file}");
        }
        assert_eq!(gitlab.picture("/uploads/short/a.png", "a/b"), None);
    }

    #[test]
    fn a_project_in_a_group_of_a_group_is_one_part_of_an_address() {
        drop(rustls::crypto::ring::default_provider().install_default());
        let web = Web::parse("https://example.com").unwrap();
        let gitlab = GitLab::new(&web, &"t".into()).unwrap();
        assert_eq!(
            gitlab.http.url(&["projects", "group/sub/app"], &[]).as_str(),
            "https://example.com/api/v4/projects/group%2Fsub%2Fapp"
        );
    }
}
