//! The gRPC services that bridges call; the only place that makes a status.
//!
//! Handlers translate: a request becomes an input of the runner or a read of the store, an error becomes a status with a
//! reason. None waits for an agent or a person.

mod access;
mod caller;
mod cloud;
mod feed;
mod forges;
mod repositories;
mod ssh;
mod status;
mod threads;
mod tunnel;
mod usage;
mod watch;

use std::sync::Arc;

use aloft_proto::v1::{
    cloud_service_server::CloudServiceServer, feed_service_server::FeedServiceServer,
    forge_service_server::ForgeServiceServer, repository_service_server::RepositoryServiceServer,
    ssh_service_server::SshServiceServer, thread_service_server::ThreadServiceServer,
    usage_service_server::UsageServiceServer,
};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

pub use self::access::Access;
use crate::{runner::Runner, ssh::Ssh};

/// Largest message either way.
const MESSAGE: usize = 64 * 1024 * 1024;

/// What the services stand on.
#[derive(Clone, Debug)]
pub struct Api {
    /// Threads.
    pub runner: Runner,
    /// Ways into their sandboxes.
    pub ssh: Ssh,
    /// What the cloud says of itself.
    pub about: Arc<About>,
    /// Cancelled when the cloud stops: every stream ends.
    pub stop: CancellationToken,
    /// Cancelled when somebody asks the cloud to stop.
    pub quit: CancellationToken,
}

/// What the cloud says of itself.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Where it listens.
    pub address: String,
    /// Where it keeps everything.
    pub data_dir: String,
    /// What the host allows.
    pub checks: Vec<aloft_proto::v1::Check>,
}

impl Api {
    /// All services as routes of one server.
    pub fn routes(self) -> Routes {
        Routes::new(
            ThreadServiceServer::new(self.clone())
                .max_decoding_message_size(MESSAGE)
                .max_encoding_message_size(MESSAGE),
        )
        .add_service(FeedServiceServer::new(self.clone()).max_encoding_message_size(MESSAGE))
        .add_service(CloudServiceServer::new(self.clone()))
        .add_service(SshServiceServer::new(self.clone()))
        .add_service(ForgeServiceServer::new(self.clone()))
        .add_service(UsageServiceServer::new(self.clone()).max_encoding_message_size(MESSAGE))
        .add_service(RepositoryServiceServer::new(self).max_decoding_message_size(MESSAGE))
    }
}

/// Lets only those calls through that `access` admits.
pub fn guarded(routes: Routes, access: Access) -> Routes {
    let guard = axum::middleware::from_fn_with_state(access, access::check);
    Routes::from(routes.into_axum_router().layer(guard))
}
