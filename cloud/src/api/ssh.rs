//! `SshService`.

use std::pin::Pin;

use aloft_proto::v1::{
    GetSshHostsRequest, GetSshHostsResponse, IssueSshCertificateRequest,
    IssueSshCertificateResponse, ListPortsRequest, ListPortsResponse, ListSshKeysRequest,
    ListSshKeysResponse, RegisterSshKeyRequest, RevokeSshKeyRequest, RevokeSshKeyResponse, SshKey,
    TunnelRequest, TunnelResponse, ssh_service_server::SshService,
};
use futures_util::Stream;
use tonic::{Request, Response, Status, Streaming};

use crate::api::Api;

type Reply<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl SshService for Api {
    type TunnelStream = Pin<Box<dyn Stream<Item = Result<TunnelResponse, Status>> + Send>>;

    async fn register_ssh_key(&self, _request: Request<RegisterSshKeyRequest>) -> Reply<SshKey> {
        Err(Status::unimplemented("SSH"))
    }

    async fn list_ssh_keys(
        &self,
        _request: Request<ListSshKeysRequest>,
    ) -> Reply<ListSshKeysResponse> {
        Err(Status::unimplemented("SSH"))
    }

    async fn revoke_ssh_key(
        &self,
        _request: Request<RevokeSshKeyRequest>,
    ) -> Reply<RevokeSshKeyResponse> {
        Err(Status::unimplemented("SSH"))
    }

    async fn get_ssh_hosts(
        &self,
        _request: Request<GetSshHostsRequest>,
    ) -> Reply<GetSshHostsResponse> {
        Err(Status::unimplemented("SSH"))
    }

    async fn issue_ssh_certificate(
        &self,
        _request: Request<IssueSshCertificateRequest>,
    ) -> Reply<IssueSshCertificateResponse> {
        Err(Status::unimplemented("SSH"))
    }

    async fn tunnel(
        &self,
        _request: Request<Streaming<TunnelRequest>>,
    ) -> Reply<Self::TunnelStream> {
        Err(Status::unimplemented("SSH"))
    }

    async fn list_ports(&self, _request: Request<ListPortsRequest>) -> Reply<ListPortsResponse> {
        Err(Status::unimplemented("SSH"))
    }
}
