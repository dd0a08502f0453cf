//! The gRPC face of [`crate::guest::processes`].

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use aloft_proto::guest::guest_process_server::GuestProcess;
use aloft_proto::guest::{
    AttachRequest, HoldRequest, HoldResponse, KillRequest, KillResponse, ListRequest, ListResponse,
    ProcessEvent, ResizeRequest, ResizeResponse, SignalRequest, SignalResponse, StartRequest,
    StartResponse, WriteRequest, WriteResponse,
};
use futures_util::Stream;
use futures_util::stream::unfold;
use tonic::{Request, Response, Status};

use crate::guest::processes::Processes;

/// Answers calls about processes.
#[derive(Debug)]
pub(super) struct ProcessService(pub(super) Arc<Processes>);

#[tonic::async_trait]
impl GuestProcess for ProcessService {
    async fn start(
        &self,
        request: Request<StartRequest>,
    ) -> Result<Response<StartResponse>, Status> {
        let pid = self.0.start(request.into_inner())?;
        Ok(Response::new(StartResponse { pid }))
    }

    type AttachStream = Pin<Box<dyn Stream<Item = Result<ProcessEvent, Status>> + Send>>;

    async fn attach(
        &self,
        request: Request<AttachRequest>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let AttachRequest { id, stdout_offset, stderr_offset } = request.into_inner();
        let reader = self.0.attach(&id, [stdout_offset, stderr_offset])?;
        // Nothing is read ahead of the connection: its flow control is what holds a process up.
        let events =
            unfold(reader, async |mut reader| reader.next().await.map(|event| (Ok(event), reader)));
        Ok(Response::new(Box::pin(events)))
    }

    async fn write(
        &self,
        request: Request<WriteRequest>,
    ) -> Result<Response<WriteResponse>, Status> {
        self.0.write(request.into_inner()).await?;
        Ok(Response::new(WriteResponse {}))
    }

    async fn resize(
        &self,
        request: Request<ResizeRequest>,
    ) -> Result<Response<ResizeResponse>, Status> {
        let ResizeRequest { id, rows, columns } = request.into_inner();
        self.0.resize(&id, rows, columns)?;
        Ok(Response::new(ResizeResponse {}))
    }

    async fn signal(
        &self,
        request: Request<SignalRequest>,
    ) -> Result<Response<SignalResponse>, Status> {
        let SignalRequest { id, signal } = request.into_inner();
        let sent = self.0.signal(&id, signal)?;
        Ok(Response::new(SignalResponse { sent }))
    }

    async fn kill(&self, request: Request<KillRequest>) -> Result<Response<KillResponse>, Status> {
        let KillRequest { id, grace_millis } = request.into_inner();
        let killed = self.0.kill(&id, Duration::from_millis(grace_millis.into())).await?;
        Ok(Response::new(KillResponse { killed: u32::try_from(killed).unwrap_or(u32::MAX) }))
    }

    async fn hold(&self, request: Request<HoldRequest>) -> Result<Response<HoldResponse>, Status> {
        let HoldRequest { id, held } = request.into_inner();
        self.0.hold(&id, held)?;
        Ok(Response::new(HoldResponse {}))
    }

    async fn list(&self, _request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        let (processes, others) = self.0.list()?;
        Ok(Response::new(ListResponse { processes, others }))
    }
}
