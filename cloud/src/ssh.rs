//! Ways into the sandboxes of threads, for their owners: to the SSH server, a port or a socket.
//!
//! Who comes in by SSH is judged in the sandbox; it is told before each connection whom to let in, and again whenever a
//! key is taken back. The bytes of a way are moved by whoever opened it, and SSH's cannot be read on the way.

pub mod desk;
mod inside;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aloft_proto::{
    guest::ConfigureSshRequest,
    v1::{Port, ThreadState},
};
use secrecy::ExposeSecret;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    accounts::ssh_keys::{self, SshKey, SshKeys},
    runner::{Attached, Error, Runner, now, problem, whole},
    sandbox::{Sandbox, guest::Connection},
    ssh::inside::{Entry, Inside},
    trust::authority::{Authority, USER},
};

/// How long a user certificate is good when nobody asks, and at most.
const CERTIFICATE: (u32, u32) = (900, 3_600);

/// How long a sandbox may take to hear that a key was taken back, before its connections are cut instead.
const REVOKE: Duration = Duration::from_secs(3);

/// All ways into sandboxes; cheap to clone.
#[derive(Clone, Debug)]
pub struct Ssh(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    runner: Runner,
    keys: SshKeys,
    authority: Authority,
    gateway: Option<String>,
    inside: Inside,
    /// Cancelled when the cloud stops.
    stop: CancellationToken,
}

/// Where a way leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The SSH server.
    Ssh,
    /// A port of the sandbox's loopback.
    Port(u16),
    /// The absolute path of a socket.
    Socket(String),
}

/// A way that stands.
pub struct Way {
    /// The bytes.
    pub stream: Box<dyn Connection>,
    /// What it is held by.
    pub hold: Hold,
}

/// Keeps a way open: the thread is not idle while it does.
#[derive(Debug)]
pub struct Hold {
    attached: Attached,
    entry: Entry,
    stop: CancellationToken,
}

/// What a `known_hosts` file is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    /// Whose host certificates to believe.
    pub authorities: Vec<String>,
    /// Where the gateway listens.
    pub gateway: Option<String>,
    /// What the gateway shows.
    pub gateway_key: String,
    /// The login name.
    pub user: String,
}

impl std::fmt::Debug for Way {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Way").field("hold", &self.hold).finish_non_exhaustive()
    }
}

impl Hold {
    /// The thread it leads to.
    pub fn thread(&self) -> &str {
        &self.attached.sandbox.id
    }

    /// Waits until the way must end; why.
    pub async fn ended(&self) -> Error {
        tokio::select! {
            () = self.stop.cancelled() => Error::Ended,
            () = self.entry.cut() => {
                let why = "an SSH key was revoked, and the sandbox did not hear of it in time";
                Error::Down(Box::new(problem("TUNNEL_CUT", why, "connect again", true)))
            }
            _exit = self.attached.sandbox.ended() => {
                let (why, hint) = ("the sandbox was stopped", "connect again to bring it back");
                Error::Down(Box::new(problem("SANDBOX_GONE", why, hint, true)))
            }
        }
    }
}

impl Ssh {
    /// The ways of this runner's threads; `gateway` = where the gateway listens.
    pub fn new(
        runner: Runner,
        authority: Authority,
        gateway: Option<String>,
        stop: CancellationToken,
    ) -> Self {
        let keys = SshKeys::new(Arc::clone(&runner.parts().store));
        let inside = Inside::default();
        Self(Arc::new(Shared { runner, keys, authority, gateway, inside, stop }))
    }

    /// Lets a public key open the owner's threads, those that run too.
    pub async fn register(&self, owner: &str, line: &str, name: &str) -> Result<SshKey, Error> {
        // Each connection is told anew who may enter.
        Ok(self.0.keys.register(owner, line, name, now()).await?)
    }

    /// The owner's keys.
    pub async fn keys(&self, owner: &str) -> Result<Vec<SshKey>, Error> {
        Ok(self.0.keys.list(owner).await?)
    }

    /// Takes a key back. When this returns, what it opened is closed.
    pub async fn revoke(&self, owner: &str, fingerprint: &str) -> Result<(), Error> {
        self.0.keys.revoke(owner, fingerprint, now()).await?;
        let telling = self.0.inside.sandboxes(owner).into_iter().map(|sandbox| async move {
            let told = tokio::time::timeout(REVOKE, self.configure(owner, &sandbox)).await;
            if let Ok(Ok(())) = told {
                return;
            }
            tracing::warn!(thread = sandbox.id, "a sandbox did not hear that a key was revoked");
            self.0.inside.cut(&sandbox.id);
        });
        futures_util::future::join_all(telling).await;
        Ok(())
    }

    /// How to know the hosts of this cloud.
    pub fn hosts(&self) -> Result<Hosts, Error> {
        let gateway_key = match &self.0.gateway {
            Some(_) => self.0.authority.gateway()?.public_key,
            None => String::new(),
        };
        Ok(Hosts {
            authorities: vec![self.0.authority.host_authority()?],
            gateway: self.0.gateway.clone(),
            gateway_key,
            user: USER.to_owned(),
        })
    }

    /// A user certificate, good for so many seconds, and until when.
    pub fn certificate(
        &self,
        owner: &str,
        line: &str,
        seconds: u32,
    ) -> Result<(String, i64), Error> {
        let (default, most) = CERTIFICATE;
        let seconds = if seconds == 0 { default } else { seconds.min(most) };
        let life = Duration::from_secs(seconds.into());
        let key = ssh_keys::parse(line)?;
        let certificate =
            self.0.authority.user_certificate(owner, &key, life, SystemTime::now())?;
        Ok((certificate, now() + i64::from(seconds) * 1_000))
    }

    /// Opens a way into the sandbox of an owner's thread, brought up where it rests; what is waited for is told.
    pub async fn open(
        &self,
        owner: &str,
        name: &str,
        target: &Target,
        progress: &mpsc::Sender<String>,
    ) -> Result<Way, Error> {
        let hold = self.enter(owner, name, progress).await?;
        let sandbox = &hold.attached.sandbox;
        let stream: Box<dyn Connection> = match target {
            Target::Ssh => {
                self.configure(owner, sandbox).await?;
                Box::new(sandbox.guest.ssh().await?)
            }
            Target::Port(port) => Box::new(dial(sandbox, &format!("tcp:{port}")).await?),
            Target::Socket(path) => Box::new(dial(sandbox, &format!("unix:{path}")).await?),
        };
        Ok(Way { stream, hold })
    }

    /// The same to the SSH server, for somebody on this machine who connects to its socket himself.
    pub async fn admit(
        &self,
        owner: &str,
        name: &str,
        progress: &mpsc::Sender<String>,
    ) -> Result<(PathBuf, Hold), Error> {
        let hold = self.enter(owner, name, progress).await?;
        let sandbox = &hold.attached.sandbox;
        self.configure(owner, sandbox).await?;
        Ok((sandbox.guest.ssh_socket().to_owned(), hold))
    }

    async fn enter(
        &self,
        owner: &str,
        name: &str,
        progress: &mpsc::Sender<String>,
    ) -> Result<Hold, Error> {
        let attached = self.attach(owner, name, progress).await?;
        // Before it is asked who may enter: a key that is taken back from now on is taken back here too.
        let entry = self.0.inside.enter(owner, &attached.sandbox);
        Ok(Hold { attached, entry, stop: self.0.stop.clone() })
    }

    /// Ports that listen in the sandbox of an owner's thread; one that rests is left to rest.
    pub async fn ports(&self, owner: &str, name: &str) -> Result<Vec<Port>, Error> {
        let (thread, _) = self.0.runner.find(owner, name).await?;
        if matches!(thread.state(), ThreadState::Paused | ThreadState::Failed) {
            let hint = "`aloft resume ID` brings it back";
            let why = "the sandbox does not run";
            return Err(Error::Down(Box::new(problem("SANDBOX_NOT_RUNNING", why, hint, false))));
        }
        let attached = self.0.runner.attach(owner, &thread.id).await?;
        let ports = attached.sandbox.guest.list_ports().await?;
        let port = |port: aloft_proto::guest::Port| Port {
            port: port.port,
            process: port.process,
            loopback_only: port.loopback_only,
        };
        Ok(ports.into_iter().map(port).collect())
    }

    async fn attach(
        &self,
        owner: &str,
        name: &str,
        progress: &mpsc::Sender<String>,
    ) -> Result<Attached, Error> {
        let (thread, _) = self.0.runner.find(owner, name).await?;
        let store = &self.0.runner.parts().store;
        let mut wake = store.watch_thread(&thread.id);
        let attaching = self.0.runner.attach(owner, &thread.id);
        tokio::pin!(attaching);
        let mut told = String::new();
        if matches!(thread.state(), ThreadState::Paused | ThreadState::Failed) {
            let _nobody_listens = progress.try_send(format!("Resuming {}", thread.slug));
        }
        loop {
            tokio::select! {
                attached = &mut attaching => return attached,
                Ok(()) = wake.changed() => {
                    let Some((row, _)) = store.thread(&thread.id).await? else { continue };
                    if !row.thread.step.is_empty() && row.thread.step != told {
                        told.clone_from(&row.thread.step);
                        // Only the newest matters: one that finds no room is left out.
                        let _full = progress.try_send(row.thread.step);
                    }
                }
            }
        }
    }

    /// Tells a sandbox whom to let in, as things are now.
    async fn configure(&self, owner: &str, sandbox: &Sandbox) -> Result<(), Error> {
        // What was read first must not be told last.
        let order = self.0.inside.order(&sandbox.id);
        let _turn = order.lock().await;
        let shared = &self.0;
        let host = shared.authority.sandbox(&sandbox.id, SystemTime::now())?;
        let keys = shared.keys.list(owner).await?;
        let closed = sandbox
            .guest
            .configure_ssh(ConfigureSshRequest {
                host_key: host.key.expose_secret().to_owned(),
                host_certificate: host.certificate,
                keys: keys.into_iter().map(|key| key.public_key).collect(),
                authorities: vec![shared.authority.user_authority()?],
                principal: owner.to_owned(),
                revoked: shared.keys.revoked(owner, now()).await?,
            })
            .await
            .inspect_err(|error| {
                tracing::warn!(
                    thread = sandbox.id,
                    error = whole(error),
                    "a sandbox was not told who may enter"
                );
            })?;
        if closed > 0 {
            tracing::info!(thread = sandbox.id, closed, "SSH connections of a revoked key ended");
        }
        Ok(())
    }
}

async fn dial(sandbox: &Sandbox, address: &str) -> Result<impl Connection + use<>, Error> {
    sandbox.guest.dial(address).await.map_err(|error| {
        if error.refused_connection() {
            let address = address
                .split_once(':')
                .map_or(address, |(kind, rest)| if kind == "tcp" { address } else { rest });
            return Error::NotListening { address: address.replace("tcp:", "port ") };
        }
        error.into()
    })
}
