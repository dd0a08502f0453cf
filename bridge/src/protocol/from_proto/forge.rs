//! Accounts at forges and their repositories.

use aloft_proto::v1;

use crate::protocol::from_proto::{optional_time, text};
use crate::protocol::request::forge::{
    AccountProblem, Branch, BranchListResult, ForgeAccount, ForgeRepository, ForgeSignIn,
    RepositoryListResult, ThreadCommentOnIssueResult,
};

impl From<v1::ForgeSignIn> for ForgeSignIn {
    fn from(begun: v1::ForgeSignIn) -> Self {
        Self {
            sign_in_id: begun.id,
            host: begun.host,
            user_code: begun.user_code,
            verification_url: begun.verification_url,
            expire_time: optional_time(begun.expire_time),
        }
    }
}

impl From<v1::CommentOnIssueResponse> for ThreadCommentOnIssueResult {
    fn from(answer: v1::CommentOnIssueResponse) -> Self {
        let v1::CommentOnIssueResponse { url, posted } = answer;
        Self { url, posted }
    }
}

impl From<v1::ForgeAccount> for ForgeAccount {
    fn from(account: v1::ForgeAccount) -> Self {
        Self {
            kind: account.kind,
            host: account.host,
            url: account.url,
            login: account.login,
            name: text(account.name),
            scopes: account.scopes,
        }
    }
}

impl From<v1::ForgeRepository> for ForgeRepository {
    fn from(repository: v1::ForgeRepository) -> Self {
        Self {
            name: repository.name,
            url: repository.url,
            host: repository.host,
            default_branch: repository.default_branch,
            push_time: optional_time(repository.push_time),
            private: repository.private,
            archived: repository.archived,
            fork: repository.fork,
        }
    }
}

impl From<v1::AccountProblem> for AccountProblem {
    fn from(missing: v1::AccountProblem) -> Self {
        Self {
            account: missing.account.unwrap_or_default().into(),
            problem: missing.problem.unwrap_or_default().into(),
        }
    }
}

impl From<v1::ListRepositoriesResponse> for RepositoryListResult {
    fn from(response: v1::ListRepositoriesResponse) -> Self {
        Self {
            repositories: response.repositories.into_iter().map(Into::into).collect(),
            next_page_token: text(response.next_page_token),
            problems: response.problems.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<v1::Branch> for Branch {
    fn from(branch: v1::Branch) -> Self {
        Self { name: branch.name, default: branch.is_default }
    }
}

impl From<v1::ListBranchesResponse> for BranchListResult {
    fn from(response: v1::ListBranchesResponse) -> Self {
        Self {
            branches: response.branches.into_iter().map(Into::into).collect(),
            next_page_token: text(response.next_page_token),
        }
    }
}
