//! Starts the gateway as a process of its own, answers its questions, and starts it again when it ends.

use std::{net::SocketAddr, os::fd::OwnedFd, path::PathBuf, process::Stdio};

use anyhow::Context;
use tokio::net::UnixListener;

use crate::{
    server::{
        listen,
        program::{AGAIN, own},
    },
    ssh::{Ssh, desk},
};

/// The gateway's places, bound before anything else is done with them.
#[derive(Debug)]
pub(super) struct Gateway {
    listener: std::net::TcpListener,
    socket: PathBuf,
    questions: UnixListener,
}

impl Gateway {
    /// Listens for clients, and for the gateway's own questions beside the data.
    pub(super) async fn bind(address: SocketAddr, socket: PathBuf) -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind(address)
            .with_context(|| format!("listen on {address} for SSH"))?;
        let questions = listen::bind_unix(&socket).await?;
        Ok(Self { listener, socket, questions })
    }

    /// Where clients come in.
    pub(super) fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Keeps it running, until this is dropped.
    pub(super) async fn run(self, ssh: Ssh) {
        let Self { listener, socket, questions } = self;
        let keeping = async {
            loop {
                match start(&listener, &socket).await {
                    Ok(status) => tracing::warn!(%status, "the SSH gateway ended; it starts again"),
                    Err(error) => tracing::error!(%error, "the SSH gateway could not be started"),
                }
                tokio::time::sleep(AGAIN).await;
            }
        };
        tokio::select! {
            () = desk::serve(questions, ssh) => {}
            () = keeping => {}
        }
    }
}

async fn start(
    listener: &std::net::TcpListener,
    socket: &PathBuf,
) -> std::io::Result<std::process::ExitStatus> {
    let mut command = own("ssh-gateway")?;
    command.arg("--cloud").arg(socket);
    command.stdin(Stdio::from(OwnedFd::from(listener.try_clone()?)));
    command.kill_on_drop(true).spawn()?.wait().await
}
