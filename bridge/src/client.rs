//! The cloud as seen from here: one cheap handle with a typed method for every call.
//!
//! The channel connects when it is first used and again when it broke; for the embedded cloud, connecting includes
//! starting it. Every call has a deadline. A call that could not be delivered is sent again after a pause with jitter:
//! those that change something carry a `request_id` (made here where the caller made none), so that twice is once.
//! Errors come as [`protocol::error::Error`](crate::protocol::error::Error).

mod archive;
mod bearer;
mod calls;
mod channel;
pub mod embedded;
mod retry;

use std::sync::Arc;

use aloft_proto::v1::cloud_service_client::CloudServiceClient;
use aloft_proto::v1::feed_service_client::FeedServiceClient;
use aloft_proto::v1::repository_service_client::RepositoryServiceClient;
use aloft_proto::v1::ssh_service_client::SshServiceClient;
use aloft_proto::v1::thread_service_client::ThreadServiceClient;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

use crate::client::bearer::Bearer;
use crate::client::channel::StartFailure;
use crate::config::{Address, Config};
use crate::protocol::error::Error;

/// Largest message in bytes, both ways: a diff or an image may pass tonic's 4 MiB.
pub const LARGEST_MESSAGE: usize = 64 << 20;

/// What the generated clients run on: the channel with our token.
pub type Transport = InterceptedService<Channel, Bearer>;

/// A cloud. Clones share one connection.
#[derive(Clone, Debug)]
pub struct Client {
    transport: Transport,
    address: Address,
    /// Why the embedded cloud could not be started, for calls that failed because of it.
    start_failure: StartFailure,
}

impl Client {
    /// Makes the handle; nothing is connected or started yet.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let bearer = Bearer::new(config.token.clone())?;
        let start_failure = StartFailure::default();
        let channel = channel::lazy(config, Arc::clone(&start_failure))?;
        Ok(Self {
            transport: InterceptedService::new(channel, bearer),
            address: config.address.clone(),
            start_failure,
        })
    }

    /// Returns where the cloud is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Returns the generated client for threads. Prefer the typed methods: they have deadlines and retry.
    pub fn threads(&self) -> ThreadServiceClient<Transport> {
        ThreadServiceClient::new(self.transport.clone())
            .max_decoding_message_size(LARGEST_MESSAGE)
            .max_encoding_message_size(LARGEST_MESSAGE)
    }

    /// Returns the generated client for the feed. Prefer the typed methods: they have deadlines and retry.
    pub fn feed(&self) -> FeedServiceClient<Transport> {
        FeedServiceClient::new(self.transport.clone()).max_decoding_message_size(LARGEST_MESSAGE)
    }

    /// Returns the generated client for the cloud itself. Prefer the typed methods: they have deadlines and retry.
    pub fn cloud(&self) -> CloudServiceClient<Transport> {
        CloudServiceClient::new(self.transport.clone())
    }

    /// Returns the generated client for ways into sandboxes, as tunnels need it.
    pub fn ssh(&self) -> SshServiceClient<Transport> {
        SshServiceClient::new(self.transport.clone())
    }

    /// Returns the generated client for repositories, as uploads need it.
    pub fn repositories(&self) -> RepositoryServiceClient<Transport> {
        RepositoryServiceClient::new(self.transport.clone())
            .max_decoding_message_size(LARGEST_MESSAGE)
            .max_encoding_message_size(LARGEST_MESSAGE)
    }

    /// Turns a status of one of the generated clients into the error people see.
    pub fn error(&self, status: tonic::Status) -> Error {
        let mut error = Error::from(status);
        if error.reason == "CLOUD_UNREACHABLE" {
            if let Some(failure) =
                self.start_failure.lock().ok().and_then(|failure| failure.clone())
            {
                return failure;
            }
            error.message = format!("the cloud at {} cannot be reached", self.address);
            error.hint = Some(match self.address {
                Address::Embedded => "see `aloft cloud status` and `aloft doctor`".to_owned(),
                _ => "check the address and whether the cloud runs there".to_owned(),
            });
        }
        error
    }
}
