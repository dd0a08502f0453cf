//! Gives the sockets that the runner opens to `host`.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::{
    host::{self, Gate, GitRepo, Problem, Sandbox, Upstream, UsageRecord},
    model::{machine::Used, usage::Tokens},
    runner::{Budgets, Handle, Opened, Parts},
};

/// A thread as the judge of its own model calls.
#[derive(Debug)]
struct ThreadGate {
    handle: Handle,
    budgets: Arc<Budgets>,
}

impl Gate for ThreadGate {
    fn may_call_model(&self) -> BoxFuture<'_, Result<(), Problem>> {
        Box::pin(async {
            self.handle.may_call_model().await.map_err(|problem| Problem {
                reason: if problem.reason == "BUDGET_SPENT" {
                    "BUDGET_SPENT"
                } else {
                    "MODEL_REFUSED"
                },
                message: problem.message,
                hint: Some(problem.hint),
            })
        })
    }

    fn record_usage(&self, usage: UsageRecord) -> BoxFuture<'_, ()> {
        let tokens = Tokens {
            input: usage.input_tokens,
            cache_read: usage.cached_tokens,
            cache_write: usage.cache_write_tokens,
            output: usage.output_tokens,
        };
        let cost = self.budgets.cost(&usage.model, &tokens);
        Box::pin(self.handle.record_usage(Used { model: usage.model, tokens, cost }))
    }
}

/// Serves every socket until its sandbox ends.
pub(super) async fn serve(mut opened: mpsc::Receiver<Opened>, parts: Parts) {
    let tasks = TaskTracker::new();
    let upstream = match Upstream::new(parts.keys) {
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
            gate: Arc::new(ThreadGate { handle, budgets: Arc::clone(&parts.budgets) }),
            upstream: upstream.clone(),
        };
        tasks.spawn(host::serve(listener, sandbox, closed));
    }
}
