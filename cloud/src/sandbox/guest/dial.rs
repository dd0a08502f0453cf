//! Connections to what listens inside a sandbox.

use aloft_proto::guest as proto;
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _, future, stream::BoxStream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::io::{CopyToBytes, SinkWriter, StreamReader};
use tokio_util::sync::PollSender;
use tonic_types::StatusExt as _;

use crate::sandbox::guest::{CALL, Error, Guest, Result};

/// Messages that wait to be sent.
const WAITING: usize = 16;

/// Bytes to and from a listener inside. Shutting it down ends what is sent; dropping it ends both ways.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

impl Guest {
    /// Connects to `tcp:PORT` on the sandbox's loopback, or to `unix:PATH`.
    pub async fn dial(&self, address: &str) -> Result<impl Connection + use<>> {
        let (sender, receiver) = mpsc::channel(WAITING);
        let first = proto::DialRequest { address: address.to_owned(), data: Bytes::new() };
        // There is room: nothing was sent before.
        sender.try_send(first).ok();
        let mut client = proto::guest_dial_client::GuestDialClient::new(self.channel.clone());
        let call = "connect to a listener inside";
        let parts = self.call(call, CALL, client.dial(ReceiverStream::new(receiver))).await?;
        let parts: BoxStream<'static, _> =
            parts.map(|part| part.map(|part| part.data).map_err(std::io::Error::other)).boxed();
        let sink = PollSender::new(sender)
            .with(|data: Bytes| {
                future::ready(Ok(proto::DialRequest { address: String::new(), data }))
            })
            .sink_map_err(|_: tokio_util::sync::PollSendError<_>| {
                std::io::Error::from(std::io::ErrorKind::BrokenPipe)
            });
        Ok(tokio::io::join(StreamReader::new(parts), SinkWriter::new(CopyToBytes::new(sink))))
    }

    /// TCP ports that listen inside, by number.
    pub async fn list_ports(&self) -> Result<Vec<proto::Port>> {
        let mut client = proto::guest_dial_client::GuestDialClient::new(self.channel.clone());
        Ok(self
            .call("list ports", CALL, client.list_ports(proto::ListPortsRequest {}))
            .await?
            .ports)
    }
}

impl Error {
    /// Whether nothing listens at the address, or nothing is at the path.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Whether what was to be connected to does not take connections.
    pub fn refused_connection(&self) -> bool {
        let (Self::NotFound { source: status, .. }
        | Self::Refused { source: status, .. }
        | Self::Gone { source: status, .. }) = self
        else {
            return false;
        };
        let details = status.get_error_details();
        details.error_info().is_some_and(|info| info.reason == "CONNECT_FAILED")
    }
}
