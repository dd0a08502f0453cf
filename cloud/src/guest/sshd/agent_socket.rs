//! The socket by which programs inside reach the key agent of a client.
//!
//! There is one path for all clients and all times, because an editor's server keeps the one it was started with and
//! outlives its connection. It leads to the client that offered its agent last; when nobody does, nothing is there.

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use russh::server::Handle;
use tokio::net::UnixListener;
use tokio_util::task::AbortOnDropHandle;

use crate::guest::sshd::flow::{self, OnDisk};

/// The socket; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct AgentSocket(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Those who offer one, the newest last.
    offers: Vec<(u64, Handle)>,
    listening: Option<Listening>,
}

#[derive(Debug)]
struct Listening {
    path: PathBuf,
    _task: AbortOnDropHandle<()>,
}

/// A client's agent can be reached until this is dropped.
#[derive(Debug)]
pub(super) struct Offer {
    socket: AgentSocket,
    number: u64,
    path: PathBuf,
}

impl AgentSocket {
    /// Leads the socket to this client.
    pub(super) fn offer(&self, number: u64, client: Handle) -> io::Result<Offer> {
        let path = std::env::temp_dir().join("aloft-agent").join("socket");
        let mut state = self.lock();
        if state.listening.is_none() {
            state.listening = Some(self.listen(&path)?);
        }
        state.offers.push((number, client));
        Ok(Offer { socket: self.clone(), number, path })
    }

    /// Takes the socket away.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.offers.clear();
        state.listening = None;
    }

    fn listen(&self, path: &Path) -> io::Result<Listening> {
        let folder = path.parent().unwrap_or(path);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        // What another start of the guest left.
        let _none = std::fs::remove_file(path);
        let listener = UnixListener::bind(path)?;
        let offers = self.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let newest = offers.lock().offers.last().map(|(_, client)| client.clone());
                let Some(client) = newest else { continue };
                tokio::spawn(async move {
                    if let Ok(channel) = client.channel_open_agent().await {
                        flow::join(channel, stream, OnDisk::default()).await;
                    }
                });
            }
        });
        Ok(Listening { path: path.to_owned(), _task: AbortOnDropHandle::new(task) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Offer {
    /// What programs find in `SSH_AUTH_SOCK`.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        let mut state = self.socket.lock();
        state.offers.retain(|(number, _)| *number != self.number);
        if state.offers.is_empty() {
            state.listening = None;
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.path);
    }
}
