//! Greets the cloud and ends the guest when told.

use std::sync::Arc;
use std::time::Duration;

use aloft_proto::guest::guest_control_server::GuestControl;
use aloft_proto::guest::{
    ConfigureSshRequest, ConfigureSshResponse, HelloRequest, HelloResponse, KeepAliveRequest,
    KeepAliveResponse, ShutdownRequest, ShutdownResponse,
};
use tonic::{Request, Response, Status};

use crate::guest::PROTOCOL;
use crate::guest::life::Life;
use crate::guest::processes::Processes;
use crate::guest::refusal::Refusal;
use crate::guest::sshd::Sshd;

/// Answers calls about the guest itself.
#[derive(Debug)]
pub(super) struct ControlService {
    pub(super) sandbox: String,
    pub(super) incarnation: u64,
    pub(super) port: u16,
    pub(super) life: Life,
    pub(super) processes: Arc<Processes>,
    pub(super) sshd: Sshd,
}

#[tonic::async_trait]
impl GuestControl for ControlService {
    async fn hello(
        &self,
        request: Request<HelloRequest>,
    ) -> Result<Response<HelloResponse>, Status> {
        let HelloRequest { protocol, sandbox_id } = request.into_inner();
        if protocol > PROTOCOL {
            return Err(Refusal::Protocol { theirs: protocol, ours: PROTOCOL }.into());
        }
        if sandbox_id != self.sandbox {
            return Err(
                Refusal::OtherSandbox { theirs: sandbox_id, ours: self.sandbox.clone() }.into()
            );
        }
        Ok(Response::new(HelloResponse {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").into(),
            incarnation: self.incarnation,
            port: self.port.into(),
        }))
    }

    async fn keep_alive(
        &self,
        _request: Request<KeepAliveRequest>,
    ) -> Result<Response<KeepAliveResponse>, Status> {
        let processes = u32::try_from(self.processes.running()).unwrap_or(u32::MAX);
        Ok(Response::new(KeepAliveResponse { processes }))
    }

    async fn shutdown(
        &self,
        _request: Request<ShutdownRequest>,
    ) -> Result<Response<ShutdownResponse>, Status> {
        // The guest ends in any case, and the sandbox with it.
        let killed =
            tokio::time::timeout(Duration::from_secs(1), self.processes.kill("", Duration::ZERO))
                .await;
        if !matches!(killed, Ok(Ok(_))) {
            tracing::warn!("ends with processes that could not be ended");
        }
        self.life.end();
        Ok(Response::new(ShutdownResponse {}))
    }

    async fn configure_ssh(
        &self,
        request: Request<ConfigureSshRequest>,
    ) -> Result<Response<ConfigureSshResponse>, Status> {
        let closed = self.sshd.configure(request.get_ref())?;
        Ok(Response::new(ConfigureSshResponse {
            closed: u32::try_from(closed).unwrap_or(u32::MAX),
        }))
    }
}
