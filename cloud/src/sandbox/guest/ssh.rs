//! The way to the SSH server inside a sandbox.

use std::path::Path;
use std::sync::atomic::Ordering;

use aloft_proto::guest as proto;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;

use crate::sandbox::guest::{CALL, Error, Guest, Result};

/// Begins a connection that speaks SSH instead of gRPC.
const SSH: u8 = 0;

/// What may be on its way to the server; the kernel gives as much of it as it allows.
const SENT: usize = 4 * 1024 * 1024;

impl Guest {
    /// Says whom the server lets in from now on, and as which host it shows itself.
    pub async fn configure_ssh(&self, request: proto::ConfigureSshRequest) -> Result<u32> {
        let mut client = proto::guest_control_client::GuestControlClient::new(self.channel.clone());
        let call = client.configure_ssh(request);
        Ok(self.call("say who may enter by SSH", CALL, call).await?.closed)
    }

    /// Where the server listens on this machine: a connection to it begins with a zero, or with a one that brings two pipes.
    pub fn ssh_socket(&self) -> &Path {
        self.socket.as_path()
    }

    /// Connects to the server. What it and a client say to each other is theirs.
    pub async fn ssh(&self) -> Result<UnixStream> {
        let call = "connect to the SSH server";
        if self.frozen.load(Ordering::Acquire) {
            return Err(Error::Frozen { call });
        }
        let connect = async {
            let mut stream = UnixStream::connect(self.socket.as_path()).await?;
            // While the guest waits for a processor its client works on.
            let _only_slower = rustix::net::sockopt::set_socket_send_buffer_size(&stream, SENT);
            stream.write_all(&[SSH]).await?;
            Ok(stream)
        };
        match tokio::time::timeout(CALL, connect).await {
            Ok(connected) => connected.map_err(|source| Error::Local {
                action: "connect to the SSH server from",
                source,
            }),
            Err(_) => Err(Error::Timeout { call, after: CALL }),
        }
    }
}
