//! `SshService`: keys, and ways into sandboxes.

use std::pin::Pin;

use aloft_proto::v1::{
    GetSshHostsRequest, GetSshHostsResponse, IssueSshCertificateRequest,
    IssueSshCertificateResponse, ListPortsRequest, ListPortsResponse, ListSshKeysRequest,
    ListSshKeysResponse, RegisterSshKeyRequest, RevokeSshKeyRequest, RevokeSshKeyResponse, SshKey,
    TunnelRequest, TunnelResponse, ssh_service_server::SshService, tunnel_header,
};
use futures_util::Stream;
use tonic::{Request, Response, Status, Streaming, transport::server::UdsConnectInfo};

use crate::{
    accounts::ssh_keys,
    api::{Api, caller::owner, status::status, tunnel},
    runner::{ErrorKind, problem},
    ssh::Target,
};

type Reply<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl SshService for Api {
    type TunnelStream = Pin<Box<dyn Stream<Item = Result<TunnelResponse, Status>> + Send>>;

    async fn register_ssh_key(&self, request: Request<RegisterSshKeyRequest>) -> Reply<SshKey> {
        let owner = owner(&request);
        // Registering twice is registering once: the request id needs no memory.
        let asked = request.into_inner();
        let key = self.ssh.register(&owner, &asked.public_key, &asked.name).await?;
        Ok(Response::new(shown(key)))
    }

    async fn list_ssh_keys(
        &self,
        request: Request<ListSshKeysRequest>,
    ) -> Reply<ListSshKeysResponse> {
        let keys = self.ssh.keys(&owner(&request)).await?;
        Ok(Response::new(ListSshKeysResponse { keys: keys.into_iter().map(shown).collect() }))
    }

    async fn revoke_ssh_key(
        &self,
        request: Request<RevokeSshKeyRequest>,
    ) -> Reply<RevokeSshKeyResponse> {
        let owner = owner(&request);
        self.ssh.revoke(&owner, &request.into_inner().fingerprint).await?;
        Ok(Response::new(RevokeSshKeyResponse {}))
    }

    async fn get_ssh_hosts(
        &self,
        _request: Request<GetSshHostsRequest>,
    ) -> Reply<GetSshHostsResponse> {
        let hosts = self.ssh.hosts()?;
        Ok(Response::new(GetSshHostsResponse {
            authorities: hosts.authorities,
            gateway: hosts.gateway.unwrap_or_default(),
            gateway_key: hosts.gateway_key,
            user: hosts.user,
        }))
    }

    async fn issue_ssh_certificate(
        &self,
        request: Request<IssueSshCertificateRequest>,
    ) -> Reply<IssueSshCertificateResponse> {
        let owner = owner(&request);
        let asked = request.into_inner();
        let (certificate, expire_time_millis) =
            self.ssh.certificate(&owner, &asked.public_key, asked.seconds)?;
        Ok(Response::new(IssueSshCertificateResponse { certificate, expire_time_millis }))
    }

    async fn tunnel(
        &self,
        request: Request<Streaming<TunnelRequest>>,
    ) -> Reply<Self::TunnelStream> {
        let owner = owner(&request);
        let on_this_machine = request.extensions().get::<UdsConnectInfo>().is_some();
        let mut said = request.into_inner();
        let first = said.message().await?.unwrap_or_default();
        let Some(header) = first.header else {
            return Err(invalid("a tunnel begins with its header"));
        };
        let target = match header.target {
            None | Some(tunnel_header::Target::Ssh(_)) => Target::Ssh,
            Some(tunnel_header::Target::Port(port)) => match u16::try_from(port) {
                Ok(port @ 1..) => Target::Port(port),
                _ => return Err(invalid(format!("port: {port} is none"))),
            },
            Some(tunnel_header::Target::Socket(path)) if path.starts_with('/') => {
                Target::Socket(path)
            }
            Some(tunnel_header::Target::Socket(_)) => {
                return Err(invalid("socket: an absolute path is wanted"));
            }
        };
        let tunnel = tunnel::Tunnel {
            owner,
            thread: header.thread_id,
            beside: header.same_machine && on_this_machine && target == Target::Ssh,
            target,
            first: first.data,
        };
        Ok(Response::new(tunnel.begin(self.ssh.clone(), said)))
    }

    async fn list_ports(&self, request: Request<ListPortsRequest>) -> Reply<ListPortsResponse> {
        let owner = owner(&request);
        let ports = self.ssh.ports(&owner, &request.into_inner().thread_id).await?;
        Ok(Response::new(ListPortsResponse { ports }))
    }
}

fn invalid(text: impl Into<String>) -> Status {
    status(ErrorKind::Invalid, problem("INVALID_ARGUMENT", text, "", false))
}

fn shown(key: ssh_keys::SshKey) -> SshKey {
    SshKey {
        fingerprint: key.fingerprint,
        public_key: key.public_key,
        name: key.name,
        create_time_millis: key.created,
    }
}
