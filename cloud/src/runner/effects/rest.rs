//! A sandbox at rest: frozen, let go on, or suspended.

use std::sync::Arc;

use aloft_fault::pass;

use crate::{
    model::{
        machine::{Fact, Machine},
        redact::Redactor,
    },
    runner::{
        effects::{
            Live, World,
            lost::{end_sandbox, gone},
        },
        jobs, whole,
    },
};

impl World {
    /// Stops every process of an unused sandbox where it is. The driver waits for that: what comes next thaws it again.
    pub(super) async fn freeze(&self, machine: &Machine, activity: u64) {
        let Some(jobs) = self.jobs().await else { return };
        let thread = &machine.thread().id;
        let frozen = self.parts.runtime.freeze(thread).await;
        let reporter = self.reporter(&self.sandbox_scope);
        self.spawn(reporter.clone(), async move { reporter.say(Fact::LeftRunning(jobs)).await });
        if let Err(error) = frozen {
            tracing::warn!(thread, error = whole(&error), "could not freeze a sandbox");
            // Some of it may stand still: all of it is to run.
            if let Err(error) = self.parts.runtime.thaw(thread).await {
                tracing::warn!(thread, error = whole(&error), "could not thaw a sandbox");
            }
            let reporter = self.reporter(&self.sandbox_scope);
            self.spawn(reporter.clone(), async move {
                reporter.say(Fact::NotFrozen(activity)).await;
            });
        }
    }

    /// Lets the processes of a sandbox go on; one that does not is ended, and comes back with the next message.
    pub(super) async fn thaw(&self, machine: &Machine) {
        let thread = &machine.thread().id;
        let Err(error) = self.parts.runtime.thaw(thread).await else { return };
        tracing::error!(thread, error = whole(&error), "could not thaw a sandbox");
        *self.live.lock().await = Live::default();
        if let Err(error) = end_sandbox(self.parts.runtime.as_ref(), thread).await {
            tracing::error!(thread, error = whole(&error), "could not end it either");
        }
        let (reporter, given) = (self.reporter(&self.sandbox_scope), self.turn.get());
        self.spawn(reporter.clone(), async move {
            reporter.say(Fact::SandboxGone { given, problem: gone() }).await;
        });
    }

    /// Command lines of what runs in the background, without the sandbox's secret; none without a sandbox.
    pub(super) async fn jobs(&self) -> Option<Vec<String>> {
        let (guest, helpers, token) = {
            let live = self.live.lock().await;
            let guest = live.sandbox.as_ref()?.guest.clone();
            (guest, live.helpers.clone(), live.token.clone())
        };
        let redactor = Redactor::new(token.as_slice());
        let jobs = jobs::running(&guest, &helpers).await;
        Some(jobs.into_iter().map(|job| redactor.text(job)).collect())
    }

    /// Ends every process of the sandbox, whatever else is under way.
    pub(super) async fn suspend(&mut self, machine: &Machine, look: bool) {
        let jobs = if look { self.jobs().await } else { None };
        self.sandbox_scope.cancel();
        let (live, runtime) = (Arc::clone(&self.live), Arc::clone(&self.parts.runtime));
        let reporter = self.reporter(&self.scope);
        let thread = machine.thread().id.clone();
        self.tasks.spawn(async move {
            // Told before they end.
            if let Some(jobs) = jobs {
                reporter.say(Fact::LeftRunning(jobs)).await;
            }
            *live.lock().await = Live::default();
            if let Err(error) = end_sandbox(runtime.as_ref(), &thread).await {
                tracing::error!(thread, error = whole(&error), "could not suspend a sandbox");
            }
            pass!("suspend.done");
            reporter.say(Fact::Suspended).await;
        });
    }
}
