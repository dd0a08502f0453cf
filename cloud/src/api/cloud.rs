//! `CloudService`: how the cloud is, its agents, its model keys.

use aloft_proto::v1::{
    DeleteKeyRequest, DeleteKeyResponse, GetStatusRequest, GetStatusResponse, Key,
    ListAgentsRequest, ListAgentsResponse, ListKeysRequest, ListKeysResponse, SetKeyRequest,
    ShutdownRequest, ShutdownResponse, TestKeyRequest, TestKeyResponse,
    cloud_service_server::CloudService,
};
use secrecy::SecretString;
use tonic::{Request, Response, Status};

use crate::{
    accounts::keys::{KeySummary, Provider},
    api::{Api, caller::owner},
    model::machine::Refused,
    runner::Error,
};

type Reply<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl CloudService for Api {
    async fn get_status(&self, _request: Request<GetStatusRequest>) -> Reply<GetStatusResponse> {
        let threads = self.store().count_threads().await.map_err(Error::from)?;
        Ok(Response::new(GetStatusResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            data_dir: self.about.data_dir.clone(),
            address: self.about.address.clone(),
            threads: threads.all,
            running_turns: threads.busy,
            checks: self.about.checks.clone(),
        }))
    }

    async fn shutdown(&self, request: Request<ShutdownRequest>) -> Reply<ShutdownResponse> {
        let running = self.store().count_threads().await.map_err(Error::from)?.busy;
        if request.into_inner().only_when_idle && running > 0 {
            return Err(Error::from(Refused::TurnActive(format!("of {running} threads"))).into());
        }
        self.quit.cancel();
        Ok(Response::new(ShutdownResponse {}))
    }

    async fn list_agents(&self, request: Request<ListAgentsRequest>) -> Reply<ListAgentsResponse> {
        let agents = self.runner.agents(&owner(&request)).await?;
        Ok(Response::new(ListAgentsResponse { agents }))
    }

    async fn set_key(&self, request: Request<SetKeyRequest>) -> Reply<Key> {
        let owner = owner(&request);
        let asked = request.into_inner();
        // Setting twice is setting once: the request id needs no memory, and the value is never remembered.
        let value = SecretString::from(asked.value);
        let base_url = Some(asked.base_url.as_str()).filter(|url| !url.is_empty());
        let provider = provider(&asked.provider)?;
        let key = self
            .runner
            .parts()
            .keys
            .set(&owner, provider, &value, base_url)
            .await
            .map_err(Error::from)?;
        Ok(Response::new(shown(key)))
    }

    async fn list_keys(&self, request: Request<ListKeysRequest>) -> Reply<ListKeysResponse> {
        let keys = self.runner.parts().keys.list(&owner(&request)).await.map_err(Error::from)?;
        Ok(Response::new(ListKeysResponse { keys: keys.into_iter().map(shown).collect() }))
    }

    async fn delete_key(&self, request: Request<DeleteKeyRequest>) -> Reply<DeleteKeyResponse> {
        let owner = owner(&request);
        let provider = provider(&request.into_inner().provider)?;
        self.runner.parts().keys.delete(&owner, provider).await.map_err(Error::from)?;
        Ok(Response::new(DeleteKeyResponse {}))
    }

    async fn test_key(&self, request: Request<TestKeyRequest>) -> Reply<TestKeyResponse> {
        let owner = owner(&request);
        let provider = provider(&request.into_inner().provider)?;
        let verdict = self.runner.parts().keys.test(&owner, provider).await.map_err(Error::from)?;
        Ok(Response::new(TestKeyResponse { ok: verdict.ok, detail: verdict.detail }))
    }
}

fn provider(name: &str) -> Result<Provider, Status> {
    name.parse().map_err(|error: crate::accounts::keys::Error| Error::from(error).into())
}

fn shown(key: KeySummary) -> Key {
    Key {
        provider: key.provider.name().to_owned(),
        source: key.source.name().to_owned(),
        base_url: key.base_url,
        suffix: key.suffix,
    }
}
