//! Linear, a tracker: issues and what is said to them, by its GraphQL.

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::forge::{
    Answer, Comment, Error, Issue, Person, Picture, Reference, Result, Tracker, Web,
    driver::tracker, http::Http, picture,
};

/// Keys that a person makes for themselves begin so, and are sent without a scheme.
const KEY: &str = "lin_api_";

const VIEWER: &str = "query { viewer { displayName email } }";
const ISSUE: &str = "query($id: String!) { issue(id: $id) { identifier title url description \
    creator { displayName } comments(first: 100) { nodes { body url createdAt \
    user { displayName } botActor { name } externalUser { displayName } } } } }";
const COMMENT: &str = "mutation($input: CommentCreateInput!) { commentCreate(input: $input) { \
    success comment { url } } }";

/// One account.
#[derive(Debug)]
pub(super) struct Linear {
    http: Http,
    /// Where questions go.
    api: Url,
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: Option<T>,
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    message: String,
    #[serde(default)]
    extensions: Option<Extensions>,
}

#[derive(Deserialize)]
struct Extensions {
    #[serde(default)]
    code: Option<String>,
    /// For people.
    #[serde(default, rename = "userPresentableMessage")]
    words: Option<String>,
}

#[derive(Deserialize)]
struct Viewer {
    viewer: User,
}

#[derive(Deserialize)]
struct User {
    #[serde(default, rename = "displayName", alias = "name")]
    login: Option<String>,
    #[serde(default)]
    email: Option<String>,
}

#[derive(Deserialize)]
struct OfIssue {
    issue: Ticket,
}

#[derive(Deserialize)]
struct Ticket {
    identifier: String,
    title: String,
    url: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    creator: Option<User>,
    #[serde(default)]
    comments: Option<Nodes>,
}

#[derive(Deserialize)]
struct Nodes {
    #[serde(default)]
    nodes: Vec<Remark>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Remark {
    #[serde(default)]
    body: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    created_at: String,
    #[serde(default)]
    user: Option<User>,
    #[serde(default)]
    bot_actor: Option<User>,
    #[serde(default)]
    external_user: Option<User>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    comment_create: Created,
}

#[derive(Deserialize)]
struct Created {
    #[serde(default)]
    success: bool,
    #[serde(default)]
    comment: Option<Page>,
}

#[derive(Deserialize)]
struct Page {
    url: String,
}

impl Linear {
    pub(super) fn new(web: &Web, token: &SecretString) -> Result<Self> {
        let is_linear = web.host() == "linear.app";
        let (base, pictures) = if is_linear {
            ("https://api.linear.app".to_owned(), "https://uploads.linear.app/".to_owned())
        } else {
            (web.to_string(), web.join("uploads/"))
        };
        let scheme = if token.expose_secret().starts_with(KEY) { "" } else { "Bearer" };
        let http = Http::new(&base, web.host(), scheme, token)?.keeping(&[pictures], &[]);
        let api = http.url(&["graphql"], &[]);
        Ok(Self { http, api })
    }

    async fn whoami(&self) -> Result<Person> {
        let what = "ask whose key this is";
        let Viewer { viewer } = self.ask(VIEWER, &json!({}), what, true).await?;
        let login = viewer.login.unwrap_or_default();
        let email = viewer.email.unwrap_or_default();
        Ok(Person { name: login.clone(), login, email, scopes: Vec::new() })
    }

    async fn issue(&self, at: &Reference) -> Result<Issue> {
        let what = format!("read {}", at.key);
        let OfIssue { issue } = self.ask(ISSUE, &json!({ "id": at.key }), &what, true).await?;
        // A key opens one workspace, and keys of issues are the same in several.
        if !at.repository.is_empty() && !is_of(&issue.url, &at.repository) {
            return Err(Error::NotFound { what, host: self.http.host().to_owned() });
        }
        let mut remarks = issue.comments.map(|comments| comments.nodes).unwrap_or_default();
        remarks.sort_by(|one, other| one.created_at.cmp(&other.created_at));
        let login = |user: Option<User>| user.and_then(|user| user.login);
        let comments: Vec<Comment> = remarks
            .into_iter()
            .map(|remark| Comment {
                author: login(remark.user)
                    .or_else(|| login(remark.bot_actor))
                    .or_else(|| login(remark.external_user))
                    .unwrap_or_default(),
                text: remark.body,
                url: remark.url,
            })
            .collect();
        let text = issue.description.unwrap_or_default();
        let texts = std::iter::once(&text).chain(comments.iter().map(|comment| &comment.text));
        let pictures = picture::of(texts.map(String::as_str), |address| self.http.reaches(address));
        Ok(Issue {
            key: issue.identifier,
            url: issue.url,
            title: issue.title,
            author: login(issue.creator).unwrap_or_default(),
            text,
            comments,
            // Linear does not say.
            unread: 0,
            pictures,
        })
    }

    async fn comment(&self, at: &Reference, text: &str) -> Result<String> {
        let what = format!("comment on {}", at.key);
        let input = json!({ "input": { "issueId": at.key, "body": text } });
        let Said { comment_create } = self.ask(COMMENT, &input, &what, false).await?;
        match comment_create {
            Created { success: true, comment: Some(comment) } => Ok(comment.url),
            Created { .. } => Err(Error::Invalid {
                what,
                host: self.http.host().to_owned(),
                detail: "it was not kept".to_owned(),
            }),
        }
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        query: &str,
        variables: &Value,
        what: &str,
        reads: bool,
    ) -> Result<T> {
        let body = json!({ "query": query, "variables": variables });
        let url = self.api.clone();
        let answer: Result<_> = if reads {
            self.http.query::<Envelope<T>>(url, &body, what).await
        } else {
            self.http.send::<Envelope<T>>(reqwest::Method::POST, url, &body, what).await
        };
        // Faults come with the status 200, and with 400.
        let Envelope { data, errors } = match answer {
            Ok(reply) => reply.body,
            Err(Error::Invalid { detail, .. }) => {
                return Err(self.judge(what, &Fault { message: detail, extensions: None }));
            }
            Err(error) => return Err(error),
        };
        match (errors.first(), data) {
            (Some(fault), _) => Err(self.judge(what, fault)),
            (None, Some(data)) => Ok(data),
            (None, None) => Err(Error::Odd {
                what: what.to_owned(),
                host: self.http.host().to_owned(),
                status: 200,
                detail: "nothing".to_owned(),
            }),
        }
    }

    fn judge(&self, what: &str, fault: &Fault) -> Error {
        let (what, host) = (what.to_owned(), self.http.host().to_owned());
        let (message, more) = (&fault.message, fault.extensions.as_ref());
        let words = more.and_then(|more| more.words.clone());
        let detail = words.unwrap_or_else(|| message.clone());
        match more.and_then(|more| more.code.as_deref()) {
            Some(code) if code.starts_with("AUTHENTICATION") => Error::TokenRefused { what, host },
            Some("FORBIDDEN") => Error::Denied { what, host, detail },
            Some("RATELIMITED") => Error::RateLimited { what, host, seconds: 60 },
            _ if message.contains("not authenticated") => Error::TokenRefused { what, host },
            _ if message.starts_with("Entity not found") => Error::NotFound { what, host },
            _ => Error::Invalid { what, host, detail },
        }
    }
}

tracker!(Linear);

/// Whether the page of an issue is in this workspace.
fn is_of(page: &str, workspace: &str) -> bool {
    let own = Url::parse(page).ok();
    let own = own.as_ref().and_then(|url| url.path_segments()?.next());
    own.is_some_and(|own| own.eq_ignore_ascii_case(workspace))
}
