//! The sandbox's server from outside: a scripted model API behind it, real git in front of it.

mod gateway;
mod git;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use futures_util::future::BoxFuture;
use tokio::net::UnixListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    accounts::keys::{EnvironmentKeys, Keys, Vault, VaultError},
    host::{Gate, GitRepo, Problem, Sandbox, Upstream, UsageRecord, serve},
    trust::Sealer,
};

const TOKEN: &str = "token-of-the-sandbox";
const KEY: &str = "sk-key-of-the-cloud";

/// A vault that stays empty.
#[derive(Debug)]
struct NoVault;

impl Vault for NoVault {
    fn get<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, VaultError>> {
        Box::pin(async { Ok(None) })
    }

    fn put<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        _: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), VaultError>> {
        Box::pin(async { Err("this vault is closed".into()) })
    }

    fn delete<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<bool, VaultError>> {
        Box::pin(async { Ok(false) })
    }

    fn list<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Vec<String>, VaultError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// Records usage and refuses when told to.
#[derive(Debug, Default)]
struct TestGate {
    refusal: Mutex<Option<Problem>>,
    usage: Mutex<Vec<UsageRecord>>,
    recorded: tokio::sync::Notify,
}

impl Gate for TestGate {
    fn may_call_model(&self) -> BoxFuture<'_, Result<(), Problem>> {
        let refusal = self.refusal.lock().unwrap().clone();
        Box::pin(async move { refusal.map_or(Ok(()), Err) })
    }

    fn record_usage(&self, usage: UsageRecord) -> BoxFuture<'_, ()> {
        self.usage.lock().unwrap().push(usage);
        self.recorded.notify_one();
        Box::pin(async {})
    }
}

/// A sandbox that is served.
struct Served {
    socket: PathBuf,
    gate: Arc<TestGate>,
    client: reqwest::Client,
    folder: tempfile::TempDir,
    _ends: DropGuard,
}

/// Serves a sandbox whose keys point at `upstream`, and whose repository is `repository` in its folder.
fn sandbox(upstream: Option<&str>, branch: &str) -> Served {
    drop(rustls::crypto::ring::default_provider().install_default());
    let folder = tempfile::tempdir().unwrap();
    let sealer = Arc::new(Sealer::from_key_file(&folder.path().join("key")).unwrap());
    let environment = EnvironmentKeys::read(|name| match name {
        _ if upstream.is_none() => None,
        "ANTHROPIC_BASE_URL" | "OPENAI_BASE_URL" => upstream.map(str::to_owned),
        _ => Some(KEY.to_owned()),
    });
    let keys = Keys::new(Arc::new(NoVault), sealer, environment);
    let gate = Arc::new(TestGate::default());
    let socket = folder.path().join("host.sock");
    let shutdown = CancellationToken::new();
    let listener = UnixListener::bind(&socket).unwrap();
    let sandbox = Sandbox {
        thread: "thread-1".into(),
        owner: "ada".into(),
        token: TOKEN.into(),
        git: GitRepo { path: folder.path().join("repository"), branch: branch.into() },
        gate: gate.clone(),
        upstream: Upstream::new(keys).unwrap(),
    };
    tokio::spawn(serve(listener, sandbox, shutdown.clone()));
    let client = reqwest::Client::builder().unix_socket(socket.clone()).build().unwrap();
    Served { socket, gate, client, folder, _ends: shutdown.drop_guard() }
}

impl Served {
    fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.post(format!("http://sandbox.localhost{path}"))
    }
}
