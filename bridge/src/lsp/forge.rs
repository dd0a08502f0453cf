//! `forge/*`, `repository/list`, `branch/list` and `thread/createPullRequest`.

use std::sync::Arc;

use aloft_proto::v1;

use crate::lsp::front::Session;
use crate::protocol::error::Error;
use crate::protocol::request::Empty;
use crate::protocol::request::forge::{
    BranchListParams, BranchListResult, ForgeAccount, ForgeAwaitSignInParams, ForgeConnectParams,
    ForgeDisconnectParams, ForgeSignIn, ForgeSignInParams, RepositoryListParams,
    RepositoryListResult, ThreadCommentOnIssueParams, ThreadCommentOnIssueResult,
    ThreadCreatePullRequestParams, ThreadCreatePullRequestResult, ThreadFixPullRequestParams,
};
use crate::protocol::request::turn::TurnResult;

/// `forge/connect`.
pub(super) async fn connect(
    session: Arc<Session>,
    params: ForgeConnectParams,
) -> Result<ForgeAccount, Error> {
    let request = v1::ConnectForgeRequest {
        request_id: params.request_id.unwrap_or_default(),
        kind: params.kind,
        url: params.url.unwrap_or_default(),
        token: params.token,
    };
    session.mirror.client().connect_forge(request).await.map(Into::into)
}

/// `forge/signIn`.
pub(super) async fn sign_in(
    session: Arc<Session>,
    params: ForgeSignInParams,
) -> Result<ForgeSignIn, Error> {
    let request = v1::BeginForgeSignInRequest {
        request_id: params.request_id.unwrap_or_default(),
        kind: params.kind,
        url: params.url.unwrap_or_default(),
    };
    session.mirror.client().begin_forge_sign_in(request).await.map(Into::into)
}

/// `forge/awaitSignIn`.
pub(super) async fn await_sign_in(
    session: Arc<Session>,
    params: ForgeAwaitSignInParams,
) -> Result<ForgeAccount, Error> {
    session.mirror.client().signed_in(&params.sign_in_id).await.map(Into::into)
}

/// `forge/list`.
pub(super) async fn list(session: Arc<Session>, _: Empty) -> Result<Vec<ForgeAccount>, Error> {
    let answer = session.mirror.client().list_forges(v1::ListForgesRequest {}).await?;
    Ok(answer.accounts.into_iter().map(Into::into).collect())
}

/// `forge/disconnect`.
pub(super) async fn disconnect(
    session: Arc<Session>,
    params: ForgeDisconnectParams,
) -> Result<Empty, Error> {
    let request = v1::DisconnectForgeRequest {
        request_id: params.request_id.unwrap_or_default(),
        forge: params.forge,
    };
    session.mirror.client().disconnect_forge(request).await?;
    Ok(Empty {})
}

/// `repository/list`.
pub(super) async fn repositories(
    session: Arc<Session>,
    params: RepositoryListParams,
) -> Result<RepositoryListResult, Error> {
    let request = v1::ListRepositoriesRequest {
        query: params.query.unwrap_or_default(),
        forge: params.forge.unwrap_or_default(),
        page_size: params.page_size.unwrap_or_default(),
        page_token: params.page_token.unwrap_or_default(),
    };
    session.mirror.client().list_repositories(request).await.map(Into::into)
}

/// `branch/list`.
pub(super) async fn branches(
    session: Arc<Session>,
    params: BranchListParams,
) -> Result<BranchListResult, Error> {
    let request = v1::ListBranchesRequest {
        repository: params.repository,
        query: params.query.unwrap_or_default(),
        page_size: params.page_size.unwrap_or_default(),
        page_token: params.page_token.unwrap_or_default(),
    };
    session.mirror.client().list_branches(request).await.map(Into::into)
}

/// `thread/fixPullRequest`.
pub(super) async fn fix(
    session: Arc<Session>,
    params: ThreadFixPullRequestParams,
) -> Result<TurnResult, Error> {
    let request = v1::FixPullRequestRequest {
        request_id: params.request_id.unwrap_or_default(),
        thread_id: params.thread_id,
    };
    let v1::FixPullRequestResponse { turn, cursor, item, .. } =
        session.mirror.client().fix_pull_request(request).await?;
    Ok(v1::TurnResponse { turn, cursor, item }.into())
}

/// `thread/commentOnIssue`.
pub(super) async fn comment(
    session: Arc<Session>,
    params: ThreadCommentOnIssueParams,
) -> Result<ThreadCommentOnIssueResult, Error> {
    let request = v1::CommentOnIssueRequest {
        request_id: params.request_id.unwrap_or_default(),
        thread_id: params.thread_id,
    };
    session.mirror.client().comment_on_issue(request).await.map(Into::into)
}

/// `thread/createPullRequest`: it ends when the pull request is there.
pub(super) async fn pull_request(
    session: Arc<Session>,
    params: ThreadCreatePullRequestParams,
) -> Result<ThreadCreatePullRequestResult, Error> {
    let request = v1::CreatePullRequestRequest {
        request_id: params.request_id.unwrap_or_default(),
        thread_id: params.thread_id,
        title: params.title,
        body: params.body,
        draft: params.draft,
        base: params.base.unwrap_or_default(),
        labels: params.labels,
        reviewers: params.reviewers,
        sync: params.sync,
    };
    let answer = session.mirror.client().propose(request).await?;
    let turn_id = answer.turn.map(|turn| turn.id);
    Ok(ThreadCreatePullRequestResult { cursor: answer.cursor, text: answer.text, turn_id })
}
