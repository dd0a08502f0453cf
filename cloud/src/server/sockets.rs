//! Gives the sockets that the runner opens to `host`.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::{
    accounts::keys::Keys,
    host::{self, Gate, GitRepo, Problem, Sandbox, Upstream, UsageRecord},
    runner::{Handle, Opened},
};

/// A thread as the judge of its own model calls.
#[derive(Debug)]
struct ThreadGate(Handle);

impl Gate for ThreadGate {
    fn may_call_model(&self) -> BoxFuture<'_, Result<(), Problem>> {
        Box::pin(async {
            self.0.may_call_model().await.map_err(|problem| Problem {
                reason: "MODEL_REFUSED",
                message: problem.message,
                hint: Some(problem.hint),
            })
        })
    }

    fn record_usage(&self, usage: UsageRecord) -> BoxFuture<'_, ()> {
        Box::pin(self.0.record_usage(usage.input_tokens, usage.output_tokens))
    }
}

/// Serves every socket until its sandbox ends.
pub(super) async fn serve(mut opened: mpsc::Receiver<Opened>, keys: Keys) {
    let tasks = TaskTracker::new();
    let upstream = match Upstream::new(keys) {
        Ok(upstream) => upstream,
        Err(error) => {
            tracing::error!(
                error = crate::runner::whole(&error),
                "sandboxes have no model gateway"
            );
            return;
        }
    };
    while let Some(Opened { thread, handle, listener, token, repository, closed }) =
        opened.recv().await
    {
        let sandbox = Sandbox {
            git: GitRepo { path: repository, branch: thread.branch },
            thread: thread.id,
            owner: thread.owner,
            token,
            gate: Arc::new(ThreadGate(handle)),
            upstream: upstream.clone(),
        };
        tasks.spawn(host::serve(listener, sandbox, closed));
    }
}
