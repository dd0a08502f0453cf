//! The cloud as another client of its gRPC sees it.

use std::path::PathBuf;

use aloft_proto::v1::{
    ssh_service_client::SshServiceClient, thread_service_client::ThreadServiceClient,
};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};

use crate::home::Home;

/// A client of the threads of a home's embedded cloud, which must run.
pub async fn threads(home: &Home) -> ThreadServiceClient<Channel> {
    ThreadServiceClient::new(channel(socket(home)).await)
}

/// A client of the ways into its sandboxes.
pub async fn ssh(home: &Home) -> SshServiceClient<Channel> {
    SshServiceClient::new(channel(socket(home)).await)
}

/// The socket of a home's embedded cloud, which must run.
pub fn socket(home: &Home) -> PathBuf {
    let address = home.json(["cloud", "status"])["address"].as_str().unwrap().to_owned();
    address.trim_start_matches("unix:").into()
}

/// A connection to a cloud's socket.
pub async fn channel(socket: PathBuf) -> Channel {
    let connector = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    Endpoint::from_static("http://localhost").connect_with_connector(connector).await.unwrap()
}
