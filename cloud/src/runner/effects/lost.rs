//! A sandbox that is of no use any more: why, and how the rest of it ends.

use std::time::Duration;

use aloft_proto::v1::Problem;

use crate::{
    runner::{Parts, effects::Live, problem, whole},
    sandbox::{self, Runtime},
};

/// How long a guest that lives may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Between looks whether what is under way with a sandbox has come to its end.
const BUSY_AGAIN: Duration = Duration::from_millis(10);

/// Why the sandbox is of no use any more, where its guest does not answer: then the rest of it is ended.
pub(super) async fn lost(
    live: &tokio::sync::Mutex<Live>,
    parts: &Parts,
    thread: &str,
) -> Option<Problem> {
    let sandbox = live.lock().await.sandbox.clone();
    let guest = sandbox.map(|sandbox| sandbox.guest);
    if let Some(guest) = guest
        && guest.hello(ANSWER_LIMIT).await.is_ok()
    {
        return None;
    }
    end_lost(live, parts, thread).await;
    Some(gone())
}

/// Ends what is left of a sandbox that is of no use any more.
pub(super) async fn end_lost(live: &tokio::sync::Mutex<Live>, parts: &Parts, thread: &str) {
    if let Err(error) = end_sandbox(parts.runtime.as_ref(), thread).await {
        tracing::error!(thread, error = whole(&error), "could not end a sandbox that is gone");
    }
    *live.lock().await = Live::default();
}

/// Ends all processes of a sandbox, after what is still under way with it: a start that was broken off goes on to its end.
pub(in crate::runner) async fn end_sandbox(runtime: &dyn Runtime, id: &str) -> sandbox::Result<()> {
    loop {
        match runtime.suspend(id).await {
            Err(sandbox::Error::Busy { .. }) => tokio::time::sleep(BUSY_AGAIN).await,
            other => return other,
        }
    }
}

pub(super) fn vanished() -> Problem {
    problem(
        "SANDBOX_VANISHED",
        "its files are gone from the cloud's disk",
        "send a message: the workspace is made again from its last snapshot",
        true,
    )
}

pub(super) fn gone() -> Problem {
    problem("SANDBOX_GONE", "the sandbox is gone", "send a message to bring it back", true)
}
