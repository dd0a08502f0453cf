//! One client: answers what it asks for, and forgets all of it when it leaves.
//!
//! Nothing here waits for anything but the shortest system calls: the library has one task for a connection.

use std::collections::HashMap;
use std::sync::Arc;

use russh::keys::Certificate;
use russh::server::{
    Auth, ChannelOpenHandle, Handler, Msg, Session as Protocol, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelOpenFailure, Error, Pty, Sig};

use crate::guest::sshd::Shared;
use crate::guest::sshd::access::Entry;
use crate::guest::sshd::agent_socket::Offer;
use crate::guest::sshd::child::Task;
use crate::guest::sshd::flow::OnDisk;
use crate::guest::sshd::forward::{self, Listeners, Target};
use crate::guest::sshd::session::{self, Running, Session};
use crate::guest::sshd::terminal::{self, Wish};

/// Sessions of one connection at once.
const SESSIONS: usize = 1_024;

/// One client.
#[derive(Debug)]
pub(super) struct Connection {
    shared: Arc<Shared>,
    entry: Entry,
    sessions: HashMap<ChannelId, Slot>,
    listeners: Listeners,
    agent: Option<Offer>,
    on_disk: OnDisk,
}

#[derive(Debug)]
enum Slot {
    Waiting(Session),
    Running(Running),
    /// It could not be started.
    Failed,
}

impl Connection {
    pub(super) fn new(shared: Arc<Shared>, entry: Entry) -> Self {
        Self {
            shared,
            entry,
            sessions: HashMap::new(),
            listeners: Listeners::default(),
            agent: None,
            on_disk: OnDisk::default(),
        }
    }

    fn waiting(&mut self, channel: ChannelId) -> Option<&mut Session> {
        match self.sessions.get_mut(&channel) {
            Some(Slot::Waiting(session)) => Some(session),
            _ => None,
        }
    }

    fn running(&self, channel: ChannelId) -> Option<&Running> {
        match self.sessions.get(&channel) {
            Some(Slot::Running(running)) => Some(running),
            _ => None,
        }
    }

    /// Runs something in a session, once.
    fn run(
        &mut self,
        channel: ChannelId,
        task: &Task,
        protocol: &mut Protocol,
    ) -> Result<(), Error> {
        let Some(Slot::Waiting(mut session)) = self.sessions.remove(&channel) else {
            return protocol.channel_failure(channel);
        };
        // There are no addresses behind a relay, and programs only ask whether this is SSH at all.
        let port = 1_024 + self.entry.number() % 60_000;
        session.add("SSH_CLIENT", format!("127.0.0.1 {port} 22"));
        session.add("SSH_CONNECTION", format!("127.0.0.1 {port} 127.0.0.1 22"));
        protocol.channel_success(channel)?;
        let shared = &self.shared;
        let running = session.run(task, &shared.processes, &shared.root, protocol.handle());
        self.sessions.insert(channel, running.map_or(Slot::Failed, Slot::Running));
        Ok(())
    }
}

fn answer(protocol: &mut Protocol, channel: ChannelId, done: bool) -> Result<(), Error> {
    if done { protocol.channel_success(channel) } else { protocol.channel_failure(channel) }
}

fn judged(may_enter: bool) -> Auth {
    if may_enter { Auth::Accept } else { Auth::reject() }
}

impl Handler for Connection {
    type Error = Error;

    // A certificate is offered by its bare key, of which nothing is known here: whoever offers may try.

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Error> {
        Ok(judged(self.entry.by_key(user, key.public_key)))
    }

    async fn auth_openssh_certificate(
        &mut self,
        user: &str,
        certificate: &Certificate,
    ) -> Result<Auth, Error> {
        Ok(judged(self.entry.by_certificate(user, certificate)))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _protocol: &mut Protocol,
    ) -> Result<(), Error> {
        if self.sessions.len() >= SESSIONS {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        let id = channel.id();
        let session = Session::new(channel, OnDisk::clone(&self.on_disk));
        self.sessions.insert(id, Slot::Waiting(session));
        reply.accept().await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _originator: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _protocol: &mut Protocol,
    ) -> Result<(), Error> {
        let target = Target::Tcp(host.to_owned(), port);
        forward::connect(target, channel, reply, OnDisk::clone(&self.on_disk));
        Ok(())
    }

    async fn channel_open_direct_streamlocal(
        &mut self,
        channel: Channel<Msg>,
        path: &str,
        reply: ChannelOpenHandle,
        _protocol: &mut Protocol,
    ) -> Result<(), Error> {
        let target = Target::Unix(path.to_owned());
        forward::connect(target, channel, reply, OnDisk::clone(&self.on_disk));
        Ok(())
    }

    async fn channel_close(
        &mut self,
        channel: ChannelId,
        _protocol: &mut Protocol,
    ) -> Result<(), Error> {
        self.sessions.remove(&channel);
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        term: &str,
        columns: u32,
        rows: u32,
        width: u32,
        height: u32,
        modes: &[(Pty, u32)],
        protocol: &mut Protocol,
    ) -> Result<(), Error> {
        let size = terminal::size(columns, rows, width, height);
        let is_name = !term.is_empty() && !term.contains('\0');
        let term = if is_name { term } else { "xterm-256color" }.to_owned();
        let modes = modes.iter().copied().take_while(|(mode, _)| *mode != Pty::TTY_OP_END);
        let wish = Wish { term, size, modes: modes.collect() };
        let waiting = self.waiting(channel).map(|session| session.terminal = Some(wish));
        answer(protocol, channel, waiting.is_some())
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        value: &str,
        protocol: &mut Protocol,
    ) -> Result<(), Error> {
        let done = self.waiting(channel).is_some_and(|session| session.set(name, value));
        answer(protocol, channel, done)
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        protocol: &mut Protocol,
    ) -> Result<(), Error> {
        self.run(channel, &Task::Shell, protocol)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        line: &[u8],
        protocol: &mut Protocol,
    ) -> Result<(), Error> {
        if line.contains(&0) {
            return protocol.channel_failure(channel);
        }
        self.run(channel, &Task::Command(line.to_vec()), protocol)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        protocol: &mut Protocol,
    ) -> Result<(), Error> {
        match session::subsystem(name) {
            Some(program) => self.run(channel, &Task::Program(program), protocol),
            None => protocol.channel_failure(channel),
        }
    }

    async fn window_change_request(
        &mut self,
        channel: ChannelId,
        columns: u32,
        rows: u32,
        width: u32,
        height: u32,
        protocol: &mut Protocol,
    ) -> Result<(), Error> {
        let size = terminal::size(columns, rows, width, height);
        let running = self.running(channel).map(|running| running.resize(size));
        answer(protocol, channel, running.is_some())
    }

    async fn signal(
        &mut self,
        channel: ChannelId,
        signal: Sig,
        _protocol: &mut Protocol,
    ) -> Result<(), Error> {
        if let Some(running) = self.running(channel) {
            running.signal(&signal);
        }
        Ok(())
    }

    async fn agent_request(
        &mut self,
        channel: ChannelId,
        protocol: &mut Protocol,
    ) -> Result<bool, Error> {
        if self.agent.is_none() {
            let offered = self.shared.agent_socket.offer(self.entry.number(), protocol.handle());
            self.agent = offered
                .inspect_err(|error| tracing::warn!(%error, "no socket for a client's key agent"))
                .ok();
        }
        let Some(path) = self.agent.as_ref().map(|offer| offer.path().to_owned()) else {
            return Ok(false);
        };
        Ok(self.waiting(channel).map(|session| session.add("SSH_AUTH_SOCK", path)).is_some())
    }

    async fn tcpip_forward(
        &mut self,
        address: &str,
        port: &mut u32,
        protocol: &mut Protocol,
    ) -> Result<bool, Error> {
        let (client, on_disk) = (protocol.handle(), OnDisk::clone(&self.on_disk));
        match self.listeners.listen_tcp(address, *port, client, on_disk).await {
            Ok(chosen) => *port = chosen,
            Err(error) => {
                tracing::debug!(%error, "a client cannot listen on a port");
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn cancel_tcpip_forward(
        &mut self,
        address: &str,
        port: u32,
        _protocol: &mut Protocol,
    ) -> Result<bool, Error> {
        Ok(self.listeners.cancel_tcp(address, port))
    }

    async fn streamlocal_forward(
        &mut self,
        path: &str,
        protocol: &mut Protocol,
    ) -> Result<bool, Error> {
        let (client, on_disk) = (protocol.handle(), OnDisk::clone(&self.on_disk));
        let listening = self.listeners.listen_unix(path, client, on_disk);
        Ok(listening
            .inspect_err(|error| tracing::debug!(%error, "a client cannot listen at a path"))
            .is_ok())
    }

    async fn cancel_streamlocal_forward(
        &mut self,
        path: &str,
        _protocol: &mut Protocol,
    ) -> Result<bool, Error> {
        Ok(self.listeners.cancel_unix(path))
    }
}
