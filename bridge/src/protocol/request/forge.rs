//! Parameters and results of `forge/*`, `repository/list`, `branch/list` and `thread/createPullRequest`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::thread::Problem;
use crate::protocol::time::Time;

/// `forge/connect`.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForgeConnectParams {
    /// Client-made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// `github`.
    pub kind: String,
    /// Its address in a browser; absent = the kind's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Kept encrypted, never printed.
    pub token: String,
}

impl std::fmt::Debug for ForgeConnectParams {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ForgeConnectParams")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// `forge/signIn`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForgeSignInParams {
    /// Client-made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// `github`.
    pub kind: String,
    /// Its address in a browser; absent = the kind's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// What a person does to sign in at a forge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForgeSignIn {
    /// For `forge/awaitSignIn`.
    pub sign_in_id: String,
    /// The forge.
    pub host: String,
    /// To be typed in.
    pub user_code: String,
    /// Where, in a browser.
    pub verification_url: String,
    /// When it is too late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expire_time: Option<Time>,
}

/// `forge/awaitSignIn`: it ends when the person has confirmed the code, or it is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForgeAwaitSignInParams {
    /// From `forge/signIn`.
    pub sign_in_id: String,
}

/// An account at a forge without its token, as `aloft forge list --json` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForgeAccount {
    /// `github`.
    pub kind: String,
    /// With the port, where it is not the usual one.
    pub host: String,
    /// Its address in a browser.
    pub url: String,
    /// Who it is there.
    pub login: String,
    /// Of the person, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the token may do; none = the forge does not say.
    pub scopes: Vec<String>,
}

/// `forge/disconnect`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForgeDisconnectParams {
    /// Client-made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Its host; its kind where only one account is of that.
    pub forge: String,
}

/// `repository/list`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryListParams {
    /// Words in owner and name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Only of this account, by its host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forge: Option<String>,
    /// Absent = 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_size: Option<u32>,
    /// From the answer before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_token: Option<String>,
}

/// A page of repositories.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryListResult {
    /// Those pushed to last first.
    pub repositories: Vec<ForgeRepository>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
    /// Accounts whose repositories are missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<AccountProblem>,
}

/// `branch/list`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BranchListParams {
    /// As for `thread/create`: a git URL, or `OWNER/NAME`.
    pub repository: String,
    /// Words in the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Absent = 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_size: Option<u32>,
    /// From the answer before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_token: Option<String>,
}

/// A page of branches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BranchListResult {
    /// The default one first, then by name.
    pub branches: Vec<Branch>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

/// A branch of a repository elsewhere, as `aloft repo branches --json` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Branch {
    /// Without `refs/heads/`.
    pub name: String,
    /// A thread begins at it when none is named.
    #[serde(default)]
    pub default: bool,
}

/// Why an account could not be asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountProblem {
    /// Which one.
    pub account: ForgeAccount,
    /// Why.
    pub problem: Problem,
}

/// A repository an account reaches, as `aloft repo list --json` prints it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForgeRepository {
    /// `OWNER/NAME`.
    pub name: String,
    /// For `thread/create`.
    pub url: String,
    /// The account's host.
    pub host: String,
    /// The branch a thread begins at.
    pub default_branch: String,
    /// When somebody pushed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub push_time: Option<Time>,
    /// Not everybody sees it.
    pub private: bool,
    /// Nobody may push.
    pub archived: bool,
    /// It is a copy of another one.
    pub fork: bool,
}

/// `thread/fixPullRequest`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadFixPullRequestParams {
    /// Client-made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The thread.
    pub thread_id: String,
}

/// `thread/commentOnIssue`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadCommentOnIssueParams {
    /// Client-made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The thread.
    pub thread_id: String,
}

/// The comment; each turn has one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadCommentOnIssueResult {
    /// Its page.
    pub url: String,
    /// It was not there before.
    pub posted: bool,
}

/// The pull request, or the push where the remote has no pull requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadCreatePullRequestResult {
    /// The newest event.
    pub cursor: u64,
    /// What was done, for people: its address, or what was pushed where and where to open one.
    pub text: String,
    /// With `sync`, where the agent has to solve conflicts: its turn. Nothing was pushed; ask again when it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn_id: Option<String>,
}

/// `thread/createPullRequest`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadCreatePullRequestParams {
    /// Client-made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The thread.
    pub thread_id: String,
    /// One line; absent = what the agent writes, or as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Markdown; absent = what the agent writes, or as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Not for review yet; only of a new one.
    #[serde(default)]
    pub draft: bool,
    /// The branch it is to be merged into; absent = where the thread began, or as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Labels of the repository that it gets, beside those it has; the thread says which could not be set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Logins of those who are asked to review it, beside those who were; the thread says who could not be asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reviewers: Vec<String>,
    /// First bring in what the branch has got that it goes to.
    #[serde(default)]
    pub sync: bool,
}
