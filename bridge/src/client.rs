//! The cloud as seen from here: one cheap handle with a typed method for every call.
//!
//! The channel connects when it is first used and again when it broke; for the embedded cloud, connecting includes
//! starting it. A connection that is dead without a sign of it is given up for a fresh one ([`Client::keep_watch`]). Every call has a deadline. A call that could not be delivered is sent again after a pause with jitter:
//! those that change something carry a `request_id` (made here where the caller made none), so that twice is once.
//! Errors come as [`protocol::error::Error`](crate::protocol::error::Error).

mod archive;
mod bearer;
mod branch;
mod calls;
mod channel;
mod dial;
pub mod embedded;
mod line;
mod retry;
mod series;
mod stream;
mod vigil;

use std::sync::Arc;

use aloft_proto::v1::cloud_service_client::CloudServiceClient;
use aloft_proto::v1::feed_service_client::FeedServiceClient;
use aloft_proto::v1::forge_service_client::ForgeServiceClient;
use aloft_proto::v1::repository_service_client::RepositoryServiceClient;
use aloft_proto::v1::ssh_service_client::SshServiceClient;
use aloft_proto::v1::thread_service_client::ThreadServiceClient;
use aloft_proto::v1::usage_service_client::UsageServiceClient;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

pub use stream::Stream;

use crate::client::bearer::Bearer;
use crate::client::channel::StartFailure;
use crate::client::line::Line;
use crate::config::{Address, Config};
use crate::protocol::error::{Code, Error};

/// Largest message in bytes, both ways: a diff or an image may pass tonic's 4 MiB.
pub const LARGEST_MESSAGE: usize = 64 << 20;

/// Refuses a request that no cloud takes: on its way it would break the connection, and look like a cloud out of reach.
pub fn check_size(request: &impl prost::Message) -> Result<(), Error> {
    let size = request.encoded_len();
    if size <= LARGEST_MESSAGE {
        return Ok(());
    }
    let (size, most) = (size.div_ceil(1 << 20), LARGEST_MESSAGE >> 20);
    let message =
        format!("the request has {size} MiB, more than the {most} MiB a cloud takes at once");
    Err(Error::new(Code::InvalidParams, "MESSAGE_TOO_LARGE", message)
        .with_hint("put what is large into a file of the repository and name it, or attach less"))
}

/// What the generated clients run on: the channel with our token.
pub type Transport = InterceptedService<Channel, Bearer>;

/// A cloud. Clones share one connection.
#[derive(Clone, Debug)]
pub struct Client {
    line: Arc<Line>,
    address: Address,
    /// Why the embedded cloud could not be started, for calls that failed because of it.
    start_failure: StartFailure,
}

impl Client {
    /// Makes the handle; nothing is connected or started yet.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let start_failure = StartFailure::default();
        let line = Arc::new(Line::new(config, Arc::clone(&start_failure))?);
        Ok(Self { line, address: config.address.clone(), start_failure })
    }

    /// Waits before another try after `failures` of them; less long when there is a sign that one may work now, which
    /// counts as none failed: true.
    pub async fn rest(&self, failures: u32) -> bool {
        self.line.rest(retry::before_reconnecting(&self.address, failures)).await
    }

    /// Returns where the cloud is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Returns the generated client for threads. Prefer the typed methods: they have deadlines and retry.
    pub fn threads(&self) -> ThreadServiceClient<Transport> {
        ThreadServiceClient::new(self.line.live())
            .max_decoding_message_size(LARGEST_MESSAGE)
            .max_encoding_message_size(LARGEST_MESSAGE)
    }

    /// Returns the generated client for the feed. Prefer the typed methods: they have deadlines and retry.
    pub fn feed(&self) -> FeedServiceClient<Transport> {
        FeedServiceClient::new(self.line.live()).max_decoding_message_size(LARGEST_MESSAGE)
    }

    /// Returns the generated client for the cloud itself. Prefer the typed methods: they have deadlines and retry.
    pub fn cloud(&self) -> CloudServiceClient<Transport> {
        CloudServiceClient::new(self.line.live())
    }

    /// Returns the generated client for forges. Prefer the typed methods: they have deadlines and retry.
    pub fn forges(&self) -> ForgeServiceClient<Transport> {
        ForgeServiceClient::new(self.line.live())
    }

    /// Returns the generated client for ways into sandboxes, as tunnels need it.
    pub fn ssh(&self) -> SshServiceClient<Transport> {
        SshServiceClient::new(self.line.bulk())
    }

    /// Returns the generated client for usage and budgets. Prefer the typed methods: they have deadlines and retry.
    pub fn usage(&self) -> UsageServiceClient<Transport> {
        UsageServiceClient::new(self.line.live()).max_decoding_message_size(LARGEST_MESSAGE)
    }

    /// Returns the generated client for repositories, as uploads need it.
    pub fn repositories(&self) -> RepositoryServiceClient<Transport> {
        RepositoryServiceClient::new(self.line.bulk())
            .max_decoding_message_size(LARGEST_MESSAGE)
            .max_encoding_message_size(LARGEST_MESSAGE)
    }

    /// Turns a status of one of the generated clients into the error people see.
    pub fn error(&self, status: tonic::Status) -> Error {
        let broke = retry::is_of_the_line(&status);
        let error = Error::from(status);
        if broke || error.reason == "CLOUD_UNREACHABLE" { self.unreachable() } else { error }
    }

    /// Returns the error of a cloud that nothing is heard of.
    pub fn unreachable(&self) -> Error {
        if let Some(failure) = self.start_failure.lock().ok().and_then(|failure| failure.clone()) {
            return failure;
        }
        let message = format!("the cloud at {} cannot be reached", self.address);
        let hint = match self.address {
            Address::Embedded => "see `aloft cloud status` and `aloft doctor`",
            _ => "check the address and whether the cloud runs there",
        };
        Error::new(Code::Unavailable, "CLOUD_UNREACHABLE", message).with_hint(hint)
    }
}
