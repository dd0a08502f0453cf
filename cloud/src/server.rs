//! Builds all parts of the cloud, listens, and stops them in order: streams, then threads and sandboxes, then the store.

mod authority;
mod forge_calls;
mod gateway;
mod heir;
mod listen;
mod places;
mod program;
mod sockets;
mod token;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use aloft_proto::v1::{
    Check, cloud_service_server::CloudServiceServer, feed_service_server::FeedServiceServer,
    forge_service_server::ForgeServiceServer, repository_service_server::RepositoryServiceServer,
    ssh_service_server::SshServiceServer, thread_service_server::ThreadServiceServer,
    usage_service_server::UsageServiceServer,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tonic::{service::Routes, transport::Server};

use crate::{
    accounts::{
        forges::Forges,
        keys::{EnvironmentKeys, Keys},
        vault::StoreVault,
    },
    acp::known::{Configured, HostAgents, Search},
    api::{self, About, Access, Api},
    clock,
    config::{Config, Environment},
    git::{mirror::Mirrors, snapshot::Snapshots},
    notices::webhook::Webhook,
    runner::{Budgets, Parts, Runner, whole},
    sandbox::{
        Runtime,
        bubblewrap::{self, Bubblewrap},
    },
    ssh::Ssh,
    store::{Store, sqlite::Sqlite},
    trust::Sealer,
};

pub use self::listen::Address;
use self::{forge_calls::ForgeCalls, gateway::Gateway};

/// How long open calls are waited for at the end.
const GRACE: Duration = Duration::from_secs(2);
/// Bytes under way in one call, and in all of a connection: a tunnel must fill a line that is long.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// Most bytes of a frame: a piece of a tunnel is one, not several.
const FRAME: u32 = 128 << 10;
/// How often old requests and notices are forgotten.
const PRUNE: Duration = Duration::from_secs(3_600);

/// How a cloud is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens.
    pub listen: Address,
    /// Where the SSH gateway listens, if there is to be one.
    pub ssh_listen: Option<SocketAddr>,
    /// Where it keeps everything.
    pub data: PathBuf,
    /// What was configured.
    pub config: Config,
    /// What the environment says.
    pub environment: Environment,
    /// Model keys of the environment.
    pub keys: EnvironmentKeys,
}

/// Runs a cloud until a signal or a call ends it.
pub async fn serve(options: Options) -> anyhow::Result<()> {
    clock::follow(options.environment.test_clock.clone());
    let places = places::Places::prepare(&options.data, options.config.sandbox_dir.as_deref())?;
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(&places.store)?);
    crate::git::version().await?;
    let listener = listen::Listener::bind(&options.listen).await?;
    let gateway = match options.ssh_listen {
        Some(address) => Some(Gateway::bind(address, places.gateway.clone()).await?),
        None => None,
    };
    let forge_calls = forge_calls(&options, &store).await?;
    let heir = heir::Heir::appoint(&places, options.config.outlive()).await?;
    let runtime: Arc<dyn Runtime> = Arc::new(Bubblewrap::open(bubblewrap::Options {
        ranges: places.ranges(),
        outlive: options.config.outlive(),
        ..bubblewrap::Options::new(places.sandboxes.clone())
    })?);
    let webhook = webhook(&options, store.as_ref()).await?;
    let (checks, unenforced) = probe(runtime.as_ref()).await;
    let agents = find_agents(&options).await?;
    let access = access(&options)?;
    let sealer = Arc::new(Sealer::from_key_file(&places.key)?);
    let authority = authority::of(store.as_ref(), &sealer).await?;
    let vault = Arc::new(StoreVault::new(Arc::clone(&store)));
    let parts = Parts {
        forges: Forges::new(vault.clone(), Arc::clone(&sealer), options.config.applications()),
        keys: Keys::new(vault, sealer, options.keys),
        mirrors: Arc::new(Mirrors::new(places.mirrors.clone())),
        snapshots: Arc::new(Snapshots::new(places.snapshots.clone())),
        agents: Arc::new(agents),
        budgets: Arc::new(Budgets::new(Arc::clone(&store), &options.config.prices)),
        unenforced: unenforced.into(),
        config: Arc::new(options.config),
        scratch: places.scratch.clone(),
        store: Arc::clone(&store),
        runtime,
    };
    let (runner, opened) = Runner::new(parts);
    let sockets = tokio::spawn(sockets::serve(opened, runner.parts().clone()));
    runner.boot().await?;

    let (stop, quit) = (CancellationToken::new(), CancellationToken::new());
    let about = About {
        address: options.listen.to_string(),
        data_dir: options.data.display().to_string(),
        checks,
    };
    let door = gateway.as_ref().map(Gateway::address).transpose()?;
    let door = door.map(|address| address.to_string());
    let ssh = Ssh::new(runner.clone(), authority, door, stop.clone());
    let gateway =
        gateway.map(|gateway| AbortOnDropHandle::new(tokio::spawn(gateway.run(ssh.clone()))));
    let api = Api {
        runner: runner.clone(),
        ssh,
        about: Arc::new(about),
        stop: stop.clone(),
        quit: quit.clone(),
    };
    let routes = routes(api).await?;
    let server = Server::builder()
        .tcp_nodelay(true)
        .http2_keepalive_interval(Some(Duration::from_secs(20)))
        .initial_stream_window_size(Some(STREAM_WINDOW))
        .initial_connection_window_size(Some(CONNECTION_WINDOW))
        .max_frame_size(FRAME)
        .add_routes(api::guarded(routes, access));
    let serving = listener.serve(server, stop.clone());
    tokio::pin!(serving);
    tracing::info!(address = %options.listen, "listening");

    let webhook =
        webhook.map(|webhook| tokio::spawn(webhook.run(Arc::clone(&store), stop.clone())));
    let forge_calls = forge_calls
        .map(|calls| AbortOnDropHandle::new(tokio::spawn(calls.run(runner.clone(), stop.clone()))));
    let _heir = AbortOnDropHandle::new(tokio::spawn(heir.keep()));
    tokio::select! {
        ended = &mut serving => ended?,
        () = until_told(&quit) => {}
        () = upkeep(&runner, places.sandboxes.clone()) => {}
    }
    tracing::info!("stopping");
    stop.cancel();
    let ending = async {
        if tokio::time::timeout(GRACE, &mut serving).await.is_err() {
            tracing::debug!("calls were cut");
        }
        drop((gateway, forge_calls));
        runner.stop().await;
        sockets.abort();
        if let Some(webhook) = webhook {
            webhook.abort();
        }
    };
    let never = CancellationToken::new();
    tokio::select! {
        () = ending => {}
        () = until_told(&never) => tracing::warn!("stopped at once"),
    }
    options.listen.remove();
    Ok(())
}

/// The place where forges call, where there is to be one.
async fn forge_calls(
    options: &Options,
    store: &Arc<dyn Store>,
) -> anyhow::Result<Option<ForgeCalls>> {
    match &options.config.forge_calls {
        Some(settings) => ForgeCalls::bind(settings, Arc::clone(store)).await.map(Some),
        None => Ok(None),
    }
}

/// The configured webhook; where there is none, what one before had not delivered is forgotten.
async fn webhook(options: &Options, store: &dyn Store) -> anyhow::Result<Option<Webhook>> {
    let webhook = options.config.notices.webhook.as_ref().map(Webhook::open).transpose()?;
    if webhook.is_none() {
        Webhook::forget(store).await?;
    }
    Ok(webhook)
}

/// Whom it answers: on a socket whoever may open it, on a port whoever has the token.
fn access(options: &Options) -> anyhow::Result<Access> {
    Ok(match options.listen {
        Address::Unix(_) => Access::default(),
        Address::Tcp(_) => {
            Access::token(&token::of(options.environment.token.clone(), &options.data)?)
        }
    })
}

/// What the cloud serves, with how it is and what it can be asked.
async fn routes(api: Api) -> anyhow::Result<Routes> {
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<ThreadServiceServer<Api>>().await;
    health.set_serving::<FeedServiceServer<Api>>().await;
    health.set_serving::<CloudServiceServer<Api>>().await;
    health.set_serving::<RepositoryServiceServer<Api>>().await;
    health.set_serving::<SshServiceServer<Api>>().await;
    health.set_serving::<UsageServiceServer<Api>>().await;
    health.set_serving::<ForgeServiceServer<Api>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(aloft_proto::DESCRIPTORS)
        .build_v1()?;
    Ok(api.routes().add_service(health_service).add_service(reflection))
}

/// What the host allows, shown by status and doctor; a thread fails with the same text where it does not.
async fn probe(runtime: &dyn Runtime) -> (Vec<Check>, Vec<String>) {
    match runtime.probe().await {
        Ok(report) => {
            let checks = report.checks.into_iter().map(|check| Check {
                name: check.name.to_owned(),
                ok: check.ok,
                detail: check.detail,
                hint: check.hint,
            });
            let unenforced = report.unenforced.iter().map(|limit| Check {
                name: "limits".to_owned(),
                ok: true,
                detail: format!("not enforced by this host: {limit}"),
                hint: String::new(),
            });
            (checks.chain(unenforced).collect(), report.unenforced)
        }
        Err(error) => {
            tracing::error!(error = whole(&error), "this host cannot run sandboxes");
            let (_, problem) = crate::runner::Error::from(error).explain();
            let check = Check {
                name: "sandbox".to_owned(),
                ok: false,
                detail: problem.message,
                hint: problem.hint,
            };
            (vec![check], Vec::new())
        }
    }
}

/// The agents of this host.
async fn find_agents(options: &Options) -> anyhow::Result<HostAgents> {
    let configured = options.config.agents.iter().map(|(name, agent)| Configured {
        name: name.clone(),
        command: agent.command.clone(),
        env: agent.env.clone(),
    });
    let search = Search {
        path: options.environment.path.clone(),
        folders: options.environment.agents_dirs.clone(),
        configured: configured.collect(),
        own_users: rustix::process::geteuid().is_root(),
    };
    Ok(tokio::task::spawn_blocking(move || HostAgents::find(&search)).await?)
}

/// Until a signal or a call says that it is enough.
async fn until_told(quit: &CancellationToken) {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return quit.cancelled().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = quit.cancelled() => {}
    }
}

/// What goes on beside the calls, for as long as the cloud runs.
async fn upkeep(runner: &Runner, sandboxes: PathBuf) {
    tokio::join!(
        prune(Arc::clone(&runner.parts().store)),
        runner.guard_disk(sandboxes),
        runner.clean_up(),
        runner.follow_pull_requests(),
    );
}

async fn prune(store: Arc<dyn Store>) {
    let mut ticks = tokio::time::interval(PRUNE);
    loop {
        ticks.tick().await;
        if let Err(error) = store.prune(clock::now()).await {
            tracing::error!(error = whole(&error), "could not forget old records");
        }
    }
}
