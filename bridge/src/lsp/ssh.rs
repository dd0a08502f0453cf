//! `ssh/connect` and `port/*`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aloft_proto::v1;
use tokio_util::task::AbortOnDropHandle;

use crate::lsp::front::Session;
use crate::lsp::turns::in_order;
use crate::protocol::error::{Code, Error};
use crate::protocol::request::ssh::{
    PortForwardParams, PortForwardResult, PortListResult, PortUnforwardParams, SshConnectParams,
    SshConnectResult,
};
use crate::protocol::request::{Empty, ThreadParams};
use crate::ssh::{Forward, Ssh, State, UserConfig};

/// Where the checkout is in every sandbox.
const WORKSPACE: &str = "/workspace";
/// Where what touches our files of ssh keeps its order.
const FILES: &str = "ssh";

/// A port of a thread.
type Key = (String, u16);

/// The ports brought here.
#[derive(Debug, Default)]
pub(super) struct Forwards {
    running: Mutex<HashMap<Key, Running>>,
}

/// A port that is served, for as long as this is kept.
#[derive(Debug)]
struct Running {
    result: PortForwardResult,
    _task: AbortOnDropHandle<()>,
}

/// `ssh/connect`.
pub(super) async fn connect(
    session: Arc<Session>,
    params: SshConnectParams,
) -> Result<SshConnectResult, Error> {
    let connecting = async {
        let client = session.mirror.client();
        let thread = thread(&session, &params.thread_id).await?;
        let ssh = Ssh::new(&session.config, client.clone());
        let host = ssh.connect(&thread).await?;
        let home = session.config.directories.home.clone();
        let config = home.map(|home| UserConfig::new(&ssh.folder, &home)).transpose()?;
        let mut set_up = false;
        let mut lines = String::new();
        if let Some(config) = config {
            if params.set_up {
                config.install().await?;
            }
            set_up = matches!(config.state(), Ok(State::First));
            lines = config.lines();
        }
        Ok(SshConnectResult {
            uri: format!("vscode-remote://ssh-remote+{}{WORKSPACE}", host.name),
            host: host.name,
            user: host.user,
            workspace_path: WORKSPACE.to_owned(),
            set_up,
            config_file: ssh.folder.config().display().to_string(),
            lines,
        })
    };
    in_order(&session, FILES, connecting).await
}

/// `port/list`.
pub(super) async fn ports(
    session: Arc<Session>,
    params: ThreadParams,
) -> Result<PortListResult, Error> {
    let request = v1::ListPortsRequest { thread_id: params.thread_id };
    let answer = session.mirror.client().list_ports(request).await?;
    Ok(PortListResult { ports: answer.ports.into_iter().map(Into::into).collect() })
}

/// `port/forward`. A port that is here already stays where it is.
pub(super) async fn forward(
    session: Arc<Session>,
    params: PortForwardParams,
) -> Result<PortForwardResult, Error> {
    if params.port == 0 {
        return Err(Error::new(Code::InvalidParams, "INVALID_PARAMS", "port: 0 is no port"));
    }
    let forwarding = async {
        let thread = thread(&session, &params.thread_id).await?;
        let key = (thread.id.clone(), params.port);
        if let Some(there) = session.forwards.find(&key) {
            if params.local.is_none_or(|local| local == 0 || local == there.local) {
                return Ok(there);
            }
            session.forwards.end(&key);
        }
        let client = session.mirror.client().clone();
        let forward = Forward::listen(client, thread.id.clone(), params.port, params.local).await?;
        let local = forward.local();
        let result = PortForwardResult {
            thread_id: thread.id,
            port: params.port,
            local,
            address: format!("127.0.0.1:{local}"),
        };
        let slug = thread.slug;
        let serving = forward.run(move |error| {
            tracing::warn!(port = key.1, %slug, %error, "a connection to a port of the sandbox failed");
        });
        let task = AbortOnDropHandle::new(tokio::spawn(serving));
        session.forwards.keep(result.clone(), task);
        Ok(result)
    };
    in_order(&session, &params.thread_id, forwarding).await
}

/// `port/unforward`; one that is not here is no error.
pub(super) async fn unforward(
    session: Arc<Session>,
    params: PortUnforwardParams,
) -> Result<Empty, Error> {
    let ending = async {
        // A thread that is gone is meant by its id.
        let id = match thread(&session, &params.thread_id).await {
            Ok(thread) => thread.id,
            Err(error) if error.code == Code::NotFound => params.thread_id.clone(),
            Err(error) => return Err(error),
        };
        session.forwards.end(&(id, params.port));
        Ok(Empty {})
    };
    in_order(&session, &params.thread_id, ending).await
}

async fn thread(session: &Session, name: &str) -> Result<v1::Thread, Error> {
    let request = v1::GetThreadRequest { thread_id: name.to_owned() };
    Ok(session.mirror.client().get_thread(request).await?.thread.unwrap_or_default())
}

impl Forwards {
    fn find(&self, key: &Key) -> Option<PortForwardResult> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.get(key).map(|running| running.result.clone())
    }

    fn keep(&self, result: PortForwardResult, task: AbortOnDropHandle<()>) {
        let key = (result.thread_id.clone(), result.port);
        let running = Running { result, _task: task };
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(key, running);
    }

    fn end(&self, key: &Key) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}
