//! The cloud as another client of its gRPC sees it.

use aloft_proto::v1::thread_service_client::ThreadServiceClient;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};

use crate::home::Home;

/// A client of the threads of a home's embedded cloud, which must run.
pub async fn threads(home: &Home) -> ThreadServiceClient<Channel> {
    let address = home.json(["cloud", "status"])["address"].as_str().unwrap().to_owned();
    let path = address.trim_start_matches("unix:").to_owned();
    let connector = tower::service_fn(move |_| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    let endpoint = Endpoint::from_static("http://localhost");
    ThreadServiceClient::new(endpoint.connect_with_connector(connector).await.unwrap())
}
