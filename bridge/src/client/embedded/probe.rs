//! Asks what listens on the embedded cloud's socket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aloft_proto::v1;
use aloft_proto::v1::cloud_service_client::CloudServiceClient;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use crate::client::{embedded::Error, retry};
use crate::protocol::error::Error as ProtocolError;

/// How long a cloud may take to say how it is.
const ANSWER: Duration = Duration::from_secs(5);

/// What was found.
#[derive(Debug)]
pub(crate) enum Found {
    /// A cloud that answers.
    Running(v1::GetStatusResponse),
    /// Something that listens, but does not answer: a cloud on its way in or out, or a hanging one.
    Silent,
    /// Nothing listens.
    Nothing,
}

/// Looks who is there.
pub(crate) async fn probe(socket: &Path) -> Found {
    let Ok(stream) = UnixStream::connect(socket).await else { return Found::Nothing };
    let asked = async {
        let mut cloud = CloudServiceClient::new(connected(stream).await.ok()?);
        cloud.get_status(v1::GetStatusRequest {}).await.ok()
    };
    match tokio::time::timeout(ANSWER, asked).await {
        Ok(Some(response)) => Found::Running(response.into_inner()),
        Ok(None) | Err(_) => Found::Silent,
    }
}

/// Asks the cloud to end. False where it refuses because a turn runs.
pub(crate) async fn shutdown(socket: &Path, only_when_idle: bool) -> Result<bool, Error> {
    let failed = |source| Error::Connect { socket: PathBuf::from(socket), source };
    let stream = UnixStream::connect(socket).await.map_err(failed)?;
    let asked = async {
        let channel =
            connected(stream).await.map_err(|error| tonic::Status::from_error(error.into()))?;
        CloudServiceClient::new(channel).shutdown(v1::ShutdownRequest { only_when_idle }).await
    };
    match tokio::time::timeout(ANSWER, asked).await {
        Ok(Ok(_)) => Ok(true),
        // It may be gone before its answer is: the caller waits for the process.
        Ok(Err(status)) if retry::is_worth_it(&status) => Ok(true),
        Ok(Err(status)) => {
            let refused = ProtocolError::from(status.clone()).reason == "TURN_ACTIVE";
            if refused { Ok(false) } else { Err(Error::Shutdown { status: Box::new(status) }) }
        }
        Err(_) => Err(Error::Silent { socket: socket.to_owned() }),
    }
}

/// Speaks over a connection that is there already.
async fn connected(stream: UnixStream) -> Result<Channel, tonic::transport::Error> {
    let mut stream = Some(stream);
    let connector = service_fn(move |_: Uri| {
        let stream =
            stream.take().ok_or_else(|| std::io::Error::other("the connection was used up"));
        async move { stream.map(TokioIo::new) }
    });
    Endpoint::from_static("http://localhost").connect_with_connector(connector).await
}
