//! The door for plain OpenSSH: a server that does one thing, which is to lead a key's owner on to the SSH server of one of
//! their threads (`ssh -J`).
//!
//! It speaks to strangers before they have proved anything, so it is a process of its own with no secret of the cloud in it:
//! whom to admit and where they may go it asks the cloud, each time. It reads nothing of what passes.

use std::{
    net::SocketAddr,
    os::fd::AsFd,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use russh::{
    Channel, ChannelOpenFailure, MethodKind, MethodSet, Preferred,
    keys::{Algorithm, Certificate, PrivateKey},
    server::{self, Auth, ChannelOpenHandle, Config, Handler, Msg, Session, VerifiedPublicKey},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;

use crate::{
    ssh::desk::{self, Answer, Proof, Question},
    trust::authority::{HOST_SUFFIX, USER},
};

/// Connections at once; more wait to be accepted.
const CONNECTIONS: usize = 2_048;

/// How long a client may take to prove who it is.
const LOGIN: Duration = Duration::from_secs(30);

/// Tries of one client to prove who it is.
const TRIES: usize = 6;

/// A client that is silent is asked so often, and given up after three times.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// The port of a sandbox's SSH server, as clients name it.
const PORT: u32 = 22;

/// How the gateway is started.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The socket on which its cloud answers; the listener is its standard input
    #[arg(long, value_name = "PATH")]
    pub cloud: PathBuf,
}

/// Serves until it is ended, or its cloud is gone.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let listener = std::net::TcpListener::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    listener.set_nonblocking(true).context("take over the listener on standard input")?;
    let listener = TcpListener::from_std(listener)?;
    let (answer, _stream) = desk::ask(&options.cloud, &Question::Identity).await?;
    let Answer::Identity(key) = answer else { bail!("learn from the cloud what to show") };
    let config = Arc::new(config(PrivateKey::from_openssh(key)?));
    let socket: Arc<Path> = options.cloud.into();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned().await?;
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (config, socket) = (Arc::clone(&config), Arc::clone(&socket));
        tokio::spawn(async move {
            if let Err(error) = serve(config, stream, peer, socket).await {
                tracing::debug!(%peer, %error, "a connection ended");
            }
            drop(place);
        });
    }
}

fn config(key: PrivateKey) -> Config {
    let keys = Preferred::DEFAULT
        .key
        .iter()
        .filter(|key| !matches!(key, Algorithm::Rsa { .. }))
        .cloned()
        .collect();
    Config {
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        auth_rejection_time_initial: Some(Duration::ZERO),
        max_auth_attempts: TRIES,
        keys: vec![key],
        inactivity_timeout: None,
        keepalive_interval: Some(KEEP_ALIVE),
        event_buffer_size: 64,
        preferred: Preferred { key: keys, ..Preferred::DEFAULT },
        ..Config::default()
    }
}

async fn serve(
    config: Arc<Config>,
    stream: TcpStream,
    peer: SocketAddr,
    cloud: Arc<Path>,
) -> Result<(), russh::Error> {
    stream.set_nodelay(true)?;
    let known = CancellationToken::new();
    let client = Client { cloud, peer, proof: None, known: known.clone() };
    let begun = tokio::time::timeout(LOGIN, server::run_stream(config, stream, client)).await;
    let running = begun.map_err(|_| russh::Error::ConnectionTimeout)??;
    let handle = running.handle();
    tokio::pin!(running);
    tokio::select! {
        ended = &mut running => return ended,
        () = known.cancelled() => {}
        () = tokio::time::sleep(LOGIN) => {
            let why = "too long without a login".to_owned();
            handle.disconnect(russh::Disconnect::ByApplication, why, String::new()).await?;
        }
    }
    running.await
}

/// One client.
#[derive(Debug)]
struct Client {
    cloud: Arc<Path>,
    peer: SocketAddr,
    proof: Option<Proof>,
    known: CancellationToken,
}

impl Client {
    async fn judge(&mut self, user: &str, proof: Proof) -> Auth {
        if user != USER {
            return Auth::reject();
        }
        match desk::ask(&self.cloud, &Question::Admit(proof.clone())).await {
            Ok((Answer::Granted, _)) => {
                self.proof = Some(proof);
                self.known.cancel();
                Auth::Accept
            }
            Ok((answer, _)) => {
                tracing::info!(peer = %self.peer, ?answer, "a client was not admitted");
                Auth::reject()
            }
            Err(error) => {
                tracing::warn!(%error, "the cloud could not be asked");
                Auth::reject()
            }
        }
    }
}

impl Handler for Client {
    type Error = russh::Error;

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, russh::Error> {
        Ok(self.judge(user, Proof::Key(key.public_key.to_openssh()?)).await)
    }

    async fn auth_openssh_certificate(
        &mut self,
        user: &str,
        certificate: &Certificate,
    ) -> Result<Auth, russh::Error> {
        Ok(self.judge(user, Proof::Certificate(certificate.to_openssh()?)).await)
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _originator: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        let thread = host.strip_suffix(HOST_SUFFIX).filter(|_| port == PORT).map(str::to_owned);
        let (Some(thread), Some(proof)) = (thread, self.proof.clone()) else {
            reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
            return Ok(());
        };
        let (cloud, peer) = (Arc::clone(&self.cloud), self.peer);
        tokio::spawn(async move {
            match desk::ask(&cloud, &Question::Connect(proof, thread)).await {
                Ok((Answer::Granted, mut way)) => {
                    reply.accept().await;
                    // Dropped, it closes the channel: whoever waits for the client to close first waits for ever.
                    let mut channel = channel.into_stream();
                    let _either_left = tokio::io::copy_bidirectional(&mut channel, &mut way).await;
                }
                Ok((answer, _)) => {
                    tracing::info!(%peer, ?answer, "a client was not led on");
                    reply.reject(ChannelOpenFailure::ConnectFailed).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "the cloud could not be asked");
                    reply.reject(ChannelOpenFailure::ConnectFailed).await;
                }
            }
        });
        Ok(())
    }
}
