//! Island: the daemon inside one sandbox. It knows the contract with the cloud and nothing else of the project.
//!
//! It starts and ends processes, moves files, dials what listens inside, lets people in by SSH, and leads one loopback
//! port to the cloud. It serves all of that on a unix listener that it inherited: the socket's path does not exist inside, so nothing that
//! runs there can call it. It keeps no secrets and decides no policy. One thread runs everything but file access.

mod control_service;
mod dial_service;
mod door;
mod file_service;
mod kernel;
mod life;
mod ports;
mod proc;
mod process_service;
mod processes;
mod refusal;
mod relay;
mod sshd;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aloft_proto::guest::guest_control_server::GuestControlServer;
use aloft_proto::guest::guest_dial_server::GuestDialServer;
use aloft_proto::guest::guest_files_server::GuestFilesServer;
use aloft_proto::guest::guest_process_server::GuestProcessServer;
use rustix::process::{DumpableBehavior, Resource, Rlimit};
use tokio::net::UnixListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tonic::service::InterceptorLayer;
use tonic::transport::Server;

use crate::guest::control_service::ControlService;
use crate::guest::dial_service::DialService;
use crate::guest::door::Door;
use crate::guest::file_service::FileService;
use crate::guest::life::Life;
use crate::guest::process_service::ProcessService;
use crate::guest::processes::Processes;
use crate::guest::relay::Relay;
use crate::guest::sshd::Sshd;

/// Version of the contract that this guest speaks; a cloud with a newer one is refused.
pub const PROTOCOL: u32 = 1;

/// How long answers that are under way may take once the guest ends.
const FAREWELL: Duration = Duration::from_millis(300);

/// Threads for file access; each costs memory in every sandbox.
const FILE_THREADS: usize = 2;

/// How a guest is started.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The inherited unix listener on which the cloud calls
    #[arg(long, value_name = "FD")]
    pub listen_fd: i32,
    /// An inherited pipe on which the cloud says that it knows of this sandbox; where it ends without a word, so does the guest
    #[arg(long, value_name = "FD")]
    pub gate_fd: Option<i32>,
    /// The cloud's socket to which the loopback port leads
    #[arg(long, value_name = "PATH")]
    pub relay: PathBuf,
    /// The loopback port that leads to the cloud; 0 = any free one
    #[arg(long)]
    pub port: u16,
    /// Whose guest this is
    #[arg(long, value_name = "ID")]
    pub sandbox: String,
    /// Which start of the sandbox this is
    #[arg(long, value_name = "N")]
    pub incarnation: u64,
    /// Ends everything when the cloud has not called for so long
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub lonely_seconds: u64,
    /// Most processes and threads of the sandbox; 0 = limited by others, or not
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub processes: u64,
    /// Where processes start and against which relative paths are read
    #[arg(long, value_name = "PATH", default_value = "/workspace")]
    pub root: PathBuf,
}

/// What stops a guest from starting.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The descriptor is not what the cloud should have handed over.
    #[error("take over the listener on descriptor {fd}")]
    Listener {
        /// Its number.
        fd: i32,
        /// Why not.
        source: io::Error,
    },
    /// Somebody has the port, or loopback is down.
    #[error("listen on port {port} of loopback")]
    Port {
        /// Its number.
        port: u16,
        /// Why not.
        source: io::Error,
    },
    /// The kernel refused something every guest needs.
    #[error("prepare the guest")]
    Prepare(#[from] io::Error),
    /// The listener broke while it served.
    #[error("serve the cloud")]
    Serve(#[from] tonic::transport::Error),
}

/// Serves the sandbox until the cloud ends it or is no longer heard.
pub fn run(options: &Options) -> Result<(), Error> {
    let listener = kernel::inherited_listener(options.listen_fd)
        .map_err(|source| Error::Listener { fd: options.listen_fd, source })?;
    if let Some(fd) = options.gate_fd
        && !kernel::said_to_go(fd)?
    {
        return Ok(());
    }
    // Others of the same user could else read our memory and descriptors.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(io::Error::from)?;
    // What loses its parent becomes our child, so that it can be found and reaped.
    rustix::process::set_child_subreaper(rustix::process::Pid::from_raw(1))
        .map_err(io::Error::from)?;
    if options.processes > 0 {
        // Inherited by everything that is started, and nobody inside may raise it. The kernel counts what lives in this user
        // namespace alone.
        let limit = Some(options.processes);
        rustix::process::setrlimit(Resource::Nproc, Rlimit { current: limit, maximum: limit })
            .map_err(io::Error::from)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(FILE_THREADS)
        .thread_keep_alive(Duration::from_secs(2))
        .build()?;
    let served = runtime.block_on(serve(options, listener));
    // A file operation may hang on a file system that does.
    runtime.shutdown_background();
    served
}

async fn serve(options: &Options, listener: std::os::unix::net::UnixListener) -> Result<(), Error> {
    let listener = UnixListener::from_std(listener)?;
    let relay = Relay::open(options.port, options.relay.clone())
        .await
        .map_err(|source| Error::Port { port: options.port, source })?;
    let port = relay.port()?;
    let life = Life::default();
    let processes = Arc::new(Processes::new(options.root.clone()));
    let sshd = Sshd::new(Arc::clone(&processes), options.root.clone());
    let control = ControlService {
        sandbox: options.sandbox.clone(),
        incarnation: options.incarnation,
        port,
        life: life.clone(),
        processes: Arc::clone(&processes),
        sshd: sshd.clone(),
    };
    let (door, calls) = Door::new(listener, sshd.clone());
    let heard = life.clone();
    let server = Server::builder()
        .layer(InterceptorLayer::new(move |call| {
            heard.heard();
            Ok(call)
        }))
        .add_service(GuestControlServer::new(control))
        .add_service(GuestProcessServer::new(ProcessService(Arc::clone(&processes))))
        .add_service(GuestFilesServer::new(FileService { root: options.root.clone() }))
        .add_service(GuestDialServer::new(DialService { own_port: port }))
        .serve_with_incoming_shutdown(calls, life.ended());
    let ended = async {
        life.ended().await;
        tokio::time::sleep(FAREWELL).await;
    };
    let children = signal(SignalKind::child())?;
    tokio::select! {
        served = server => served?,
        // A stream that is open would keep the server for ever.
        () = ended => {}
        () = reap(&processes, children) => {}
        () = relay.run() => {}
        () = door.run() => {}
        () = outlive(unwanted_signals()?) => {}
        () = life.lonely(Duration::from_secs(options.lonely_seconds)) => {
            tracing::warn!("no word from the cloud for {} seconds: ends", options.lonely_seconds);
            if let Err(error) = processes.kill("", Duration::ZERO).await {
                tracing::warn!(%error, "ends with processes that could not be ended");
            }
        }
    }
    sshd.end();
    Ok(())
}

async fn reap(processes: &Processes, mut children: Signal) {
    loop {
        processes.reap();
        if children.recv().await.is_none() {
            return;
        }
    }
}

/// An agent that signals everything it can must not end its guest by accident. A handler, unlike ignoring, is not
/// inherited by what the guest starts.
fn unwanted_signals() -> io::Result<[Signal; 4]> {
    Ok([
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
        signal(SignalKind::hangup())?,
        signal(SignalKind::quit())?,
    ])
}

async fn outlive(signals: [Signal; 4]) {
    std::future::pending::<()>().await;
    drop(signals);
}
