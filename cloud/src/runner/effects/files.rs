//! Works on the files of a workspace, one at a time.

use std::sync::Arc;

use crate::{
    model::machine::{Fact, Machine, Rewind},
    runner::{
        by_hand,
        effects::{
            Reporter, World,
            lost::{end_lost, gone, lost, vanished},
        },
        rewind::Rewinding,
        snapshot::Taking,
        whole,
    },
};

impl World {
    pub(super) fn snapshot(&self, machine: &Machine, turn: String, number: u32) {
        self.on_files(machine, async move |taking, reporter| {
            let Some(taking) = taking else {
                return reporter.say(Fact::SnapshotFailed { turn, problem: gone() }).await;
            };
            match taking.take(number).await {
                Ok((saved, diff)) => {
                    let commit = saved.commit;
                    reporter.say(Fact::Snapshot { turn, commit, diff }).await;
                }
                Err(error) => {
                    tracing::warn!(thread = taking.thread.id, error = whole(&error), "no snapshot");
                    reporter.say(Fact::SnapshotFailed { turn, problem: error.explain().1 }).await;
                }
            }
        });
    }

    /// Looks whether files were changed by hand. What goes wrong with that does not hold the turn up.
    pub(super) fn look(&self, machine: &Machine, turn: String, number: u32) {
        let (live, given) = (Arc::clone(&self.live), self.turn.get());
        self.on_files(machine, async move |taking, reporter| {
            let found = match &taking {
                Some(taking) => by_hand::look(taking, number).await,
                None => Ok(None),
            };
            let found = match (found, &taking) {
                (Ok(found), _) => found,
                (Err(error), taking) => {
                    // Where the sandbox is gone it is looked again in the next one.
                    if let Some(Taking { parts, thread, .. }) = taking
                        && let Some(problem) = lost(&live, parts, &thread.id).await
                    {
                        return reporter.say(Fact::SandboxGone { given, problem }).await;
                    }
                    let error = whole(&error);
                    tracing::warn!(error, turn, "could not look for changes by hand");
                    None
                }
            };
            reporter.say(Fact::Looked { turn, found: found.map(Box::new) }).await;
        });
    }

    pub(super) fn rewind(&self, machine: &Machine, rewind: Rewind) {
        self.on_files(machine, async move |taking, reporter| match taking {
            Some(taking) => Rewinding { taking, rewind, reporter }.run().await,
            None => reporter.say(Fact::NotRewound(gone())).await,
        });
    }

    /// Works on the files of the workspace, one at a time, while the sandbox lives.
    pub(super) fn on_files<Work>(
        &self,
        machine: &Machine,
        work: impl FnOnce(Option<Taking>, Reporter) -> Work + Send + 'static,
    ) where
        Work: Future<Output = ()> + Send + 'static,
    {
        let (thread, memory) = (machine.thread().clone(), machine.memory().clone());
        let (parts, live) = (self.parts.clone(), Arc::clone(&self.live));
        let (reporter, files) = (self.reporter(&self.sandbox_scope), Arc::clone(&self.files));
        let given = self.turn.get();
        self.spawn(reporter.clone(), async move {
            let _alone = files.lock().await;
            let sandbox = live.lock().await.sandbox.clone();
            if sandbox.is_some() && matches!(parts.runtime.has_workspace(&thread.id), Ok(false)) {
                // What is there is not what the thread left: it must not be saved. Told first, so that its end is not news.
                reporter.say(Fact::SandboxGone { given, problem: vanished() }).await;
                return end_lost(&live, &parts, &thread.id).await;
            }
            let taking =
                sandbox.map(|sandbox| Taking { parts, thread, memory, guest: sandbox.guest });
            work(taking, reporter).await;
        });
    }
}
