//! Jira, a tracker: issues and what is said to them. In Atlassian's cloud texts are documents, on a server of one's own words.

mod adf;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::forge::{
    Answer, Comment, Issue, Person, Picture, Reference, Result, Tracker, Web, driver::tracker,
    http::Http,
};

/// Comments that are read, the newest.
const COMMENTS: &str = "100";

/// One account.
#[derive(Debug)]
pub(super) struct Jira {
    http: Http,
    web: Web,
    /// It is in Atlassian's cloud.
    cloud: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct User {
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    email_address: Option<String>,
    /// Not in the cloud.
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize)]
struct Ticket {
    key: String,
    fields: Fields,
}

#[derive(Deserialize)]
struct Fields {
    #[serde(default)]
    summary: Option<String>,
    #[serde(default)]
    description: Value,
    #[serde(default)]
    reporter: Option<User>,
    #[serde(default)]
    attachment: Option<Vec<Attachment>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attachment {
    #[serde(default)]
    id: String,
    #[serde(default)]
    filename: String,
    #[serde(default)]
    mime_type: String,
    /// Where it is.
    #[serde(default)]
    content: String,
}

#[derive(Deserialize)]
struct Remarks {
    #[serde(default)]
    comments: Vec<Remark>,
    /// How many there are.
    #[serde(default)]
    total: Option<usize>,
}

#[derive(Deserialize)]
struct Remark {
    #[serde(default)]
    id: String,
    #[serde(default)]
    body: Value,
    #[serde(default)]
    author: Option<User>,
}

impl Jira {
    /// The token is `EMAIL:TOKEN` in Atlassian's cloud, and a personal access token elsewhere.
    pub(super) fn new(web: &Web, token: &SecretString) -> Result<Self> {
        let cloud = token.expose_secret().contains(':');
        let (base, own) = if cloud {
            (web.join("rest/api/3"), web.join("rest/api/3/attachment/content/"))
        } else {
            (web.join("rest/api/2"), web.join("secure/attachment/"))
        };
        let http = if cloud {
            let pair = SecretString::from(STANDARD.encode(token.expose_secret()));
            Http::new(&base, web.host(), "Basic", &pair)?
        } else {
            Http::new(&base, web.host(), "Bearer", token)?
        };
        let http = http.with("accept", "application/json").keeping(&[own], &[]);
        Ok(Self { http, web: web.clone(), cloud })
    }

    async fn whoami(&self) -> Result<Person> {
        let url = self.http.url(&["myself"], &[]);
        let user = self.http.get::<User>(url, "ask whose token this is").await?.body;
        let email = user.email_address.unwrap_or_default();
        let name = user.display_name.unwrap_or_default();
        let known = user.name.or_else(|| (!email.is_empty()).then(|| email.clone()));
        let login = known.unwrap_or_else(|| name.clone());
        Ok(Person { login, name, email, scopes: Vec::new() })
    }

    async fn issue(&self, at: &Reference) -> Result<Issue> {
        let what = format!("read {}", at.key);
        let fields = [("fields", "summary,description,reporter,attachment")];
        let url = self.http.url(&["issue", &at.key], &fields);
        let Ticket { key, fields } = self.http.get::<Ticket>(url, &what).await?.body;
        let newest = [("orderBy", "-created"), ("maxResults", COMMENTS)];
        let url = self.http.url(&["issue", &key, "comment"], &newest);
        let Remarks { comments: remarks, total } = self.http.get(url, &what).await?.body;
        let unread = total.unwrap_or_default().saturating_sub(remarks.len());
        let url = self.web.join(&format!("browse/{key}"));
        let name = |user: Option<User>| user.and_then(|user| user.display_name).unwrap_or_default();
        let comments = remarks.into_iter().rev().map(|remark| Comment {
            author: name(remark.author),
            text: adf::text(&remark.body),
            url: comment_page(&url, &remark.id),
        });
        let attached = fields.attachment.unwrap_or_default();
        let pictures = attached.into_iter().filter_map(|one| self.picture(one)).collect();
        Ok(Issue {
            comments: comments.collect(),
            unread,
            title: fields.summary.unwrap_or_default(),
            author: name(fields.reporter),
            text: adf::text(&fields.description),
            key,
            url,
            pictures,
        })
    }

    /// Texts name pictures only by what their files are called, so all that are attached count.
    fn picture(&self, attached: Attachment) -> Option<Picture> {
        let Attachment { id, filename, mime_type, content } = attached;
        let url = if self.cloud {
            // From itself: otherwise it points to a store elsewhere.
            Some(self.http.url(&["attachment", "content", &id], &[("redirect", "false")]))
        } else {
            self.http.reaches(&content)
        };
        url.filter(|_| mime_type.starts_with("image/")).map(|url| Picture { name: filename, url })
    }

    async fn comment(&self, at: &Reference, text: &str) -> Result<String> {
        let what = format!("comment on {}", at.key);
        let url = self.http.url(&["issue", &at.key, "comment"], &[]);
        let body = if self.cloud { adf::document(text) } else { text.into() };
        let body = json!({ "body": body });
        let said = self.http.send::<Remark>(Method::POST, url, &body, &what).await?.body;
        Ok(comment_page(&self.web.join(&format!("browse/{}", at.key)), &said.id))
    }
}

tracker!(Jira);

fn comment_page(issue: &str, id: &str) -> String {
    format!("{issue}?focusedCommentId={id}")
}
