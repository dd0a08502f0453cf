//! `ForgeService`: accounts at forges and the repositories these reach.

use aloft_proto::v1::{
    AccountProblem, AwaitForgeSignInRequest, AwaitForgeSignInResponse, BeginForgeSignInRequest,
    Branch, ConnectForgeRequest, DisconnectForgeRequest, DisconnectForgeResponse, ForgeAccount,
    ForgeRepository, ForgeSignIn, ListBranchesRequest, ListBranchesResponse, ListForgesRequest,
    ListForgesResponse, ListRepositoriesRequest, ListRepositoriesResponse,
    forge_service_server::ForgeService,
};
use secrecy::SecretString;
use tonic::{Request, Response, Status};

use crate::{
    accounts::forges::Account,
    api::{Api, caller::owner},
    model::time::timestamp,
    runner::{BranchPage, BranchQuery, Error, RepositoryPage, RepositoryQuery},
};

type Reply<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl ForgeService for Api {
    async fn connect_forge(&self, request: Request<ConnectForgeRequest>) -> Reply<ForgeAccount> {
        let owner = owner(&request);
        let asked = request.into_inner();
        // Connecting twice is connecting once: the request id needs no memory, and the token is never remembered.
        let token = SecretString::from(asked.token);
        let forges = &self.runner.parts().forges;
        let account =
            forges.connect(&owner, &asked.kind, &asked.url, &token).await.map_err(Error::from)?;
        Ok(Response::new(shown(account)))
    }

    async fn begin_forge_sign_in(
        &self,
        request: Request<BeginForgeSignInRequest>,
    ) -> Reply<ForgeSignIn> {
        let owner = owner(&request);
        let asked = request.into_inner();
        let forges = &self.runner.parts().forges;
        let begun = forges.begin_sign_in(&owner, &asked.kind, &asked.url).await;
        let begun = begun.map_err(Error::from)?;
        Ok(Response::new(ForgeSignIn {
            id: begun.id,
            host: begun.host,
            user_code: begun.user_code,
            verification_url: begun.url,
            expire_time: Some(timestamp(begun.expires)),
        }))
    }

    async fn await_forge_sign_in(
        &self,
        request: Request<AwaitForgeSignInRequest>,
    ) -> Reply<AwaitForgeSignInResponse> {
        let owner = owner(&request);
        let id = request.into_inner().id;
        let account = self.runner.parts().forges.await_sign_in(&owner, &id).await;
        let account = account.map_err(Error::from)?.map(shown);
        Ok(Response::new(AwaitForgeSignInResponse { account }))
    }

    async fn list_forges(&self, request: Request<ListForgesRequest>) -> Reply<ListForgesResponse> {
        let accounts = self.runner.parts().forges.list(&owner(&request)).await;
        let accounts = accounts.map_err(Error::from)?.into_iter().map(shown).collect();
        Ok(Response::new(ListForgesResponse { accounts }))
    }

    async fn disconnect_forge(
        &self,
        request: Request<DisconnectForgeRequest>,
    ) -> Reply<DisconnectForgeResponse> {
        let owner = owner(&request);
        let forge = request.into_inner().forge;
        let account = self.runner.parts().forges.disconnect(&owner, &forge).await;
        let account = Some(shown(account.map_err(Error::from)?));
        Ok(Response::new(DisconnectForgeResponse { account }))
    }

    async fn list_repositories(
        &self,
        request: Request<ListRepositoriesRequest>,
    ) -> Reply<ListRepositoriesResponse> {
        let owner = owner(&request);
        let asked = request.into_inner();
        let query = RepositoryQuery {
            words: asked.query,
            forge: asked.forge,
            page_size: asked.page_size,
            page_token: asked.page_token,
        };
        let RepositoryPage { found, next: next_page_token, problems } =
            self.runner.repositories(&owner, query).await?;
        let repositories = found.into_iter().map(|(account, repository)| ForgeRepository {
            url: account.web.clone_url(&repository.name),
            host: account.host(),
            push_time: repository.push_time().map(timestamp),
            name: repository.name,
            default_branch: repository.default_branch,
            private: repository.private,
            archived: repository.archived,
            fork: repository.fork,
        });
        let repositories = repositories.collect();
        let problems = problems.into_iter().map(|(account, problem)| AccountProblem {
            account: Some(shown(account)),
            problem: Some(problem),
        });
        let problems = problems.collect();
        Ok(Response::new(ListRepositoriesResponse { repositories, next_page_token, problems }))
    }

    async fn list_branches(
        &self,
        request: Request<ListBranchesRequest>,
    ) -> Reply<ListBranchesResponse> {
        let owner = owner(&request);
        let asked = request.into_inner();
        let query = BranchQuery {
            repository: asked.repository,
            words: asked.query,
            page_size: asked.page_size,
            page_token: asked.page_token,
        };
        let BranchPage { found, default, next: next_page_token } =
            self.runner.branches(&owner, query).await?;
        let branches = found.into_iter().map(|name| {
            let is_default = default.as_ref() == Some(&name);
            Branch { name, is_default }
        });
        let branches = branches.collect();
        Ok(Response::new(ListBranchesResponse { branches, next_page_token }))
    }
}

fn shown(account: Account) -> ForgeAccount {
    ForgeAccount {
        kind: account.kind.name().to_owned(),
        host: account.host(),
        url: account.web.to_string(),
        login: account.person.login,
        name: account.person.name,
        scopes: account.person.scopes,
    }
}
