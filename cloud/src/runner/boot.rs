//! Takes threads up that nobody holds: all of them when the cloud begins, one whose task broke, one that somebody asks for.

use std::{collections::HashSet, time::Duration};

use aloft_fault::pass;
use aloft_proto::v1::{Thread, ThreadState};
use tokio::sync::oneshot;

use crate::{
    model::machine::Input,
    runner::{Error, Handle, Parts, Runner, handle, stored, whole},
    sandbox::Sandbox,
    store::ThreadRow,
};

/// Between the break of a thread's task and taking the thread up again.
const BROKEN: Duration = Duration::from_secs(1);

impl Runner {
    /// Takes up every thread where the last cloud left it: turns that ran are interrupted, sandboxes that live are kept.
    pub async fn boot(&self) -> Result<(), Error> {
        pass!("boot.before");
        let rows = self.parts().store.all_threads().await?;
        let known: HashSet<&str> = rows.iter().map(|row| row.thread.id.as_str()).collect();
        self.clear_leftovers(&known).await?;
        let mut alive = HashSet::new();
        for listed in self.parts().runtime.list().await? {
            if !known.contains(listed.id.as_str()) {
                tracing::warn!(sandbox = listed.id, "removing a sandbox no thread has");
                self.parts().runtime.destroy(&listed.id).await?;
            } else if listed.running {
                alive.insert(listed.id);
            }
        }
        for row in rows {
            if stored::memory(&row).filling {
                self.take_back(&row.thread.id).await;
                continue;
            }
            if is_settled(&row.thread) && !alive.contains(&row.thread.id) {
                continue;
            }
            let id = row.thread.id.clone();
            // One that cannot be taken up keeps nobody else from going on; it is tried again when somebody asks for it.
            if let Err(error) = self.take_up(row).await {
                tracing::error!(thread = id, error = whole(&error), "could not take up a thread");
            }
            pass!("boot.thread");
        }
        pass!("boot.after");
        Ok(())
    }

    /// Goes on with a thread that nobody holds although it was at work: what its last holder left is looked at, not believed.
    pub(super) async fn take_up(&self, row: ThreadRow) -> Result<Handle, Error> {
        let id = row.thread.id.clone();
        let _one_at_a_time = self.shared.taking_up.lock().await;
        if let Some(handle) = self.live(&id) {
            return Ok(handle);
        }
        let sandbox = self.find_sandbox(&id).await?;
        let found = Input::Restarted { sandbox: sandbox.is_some() };
        let machine = stored::restore(self.parts(), row).await?;
        let (reply, taken) = oneshot::channel();
        let handle = self.begin(&id, machine, sandbox, Some(handle::Ask::TakeUp { found, reply }));
        taken.await.map_err(|_| Error::Ended)??;
        Ok(handle)
    }

    /// The same after the thread's task broke.
    pub(super) async fn take_up_broken(&self, id: &str) {
        tokio::select! {
            () = self.shared.stop.cancelled() => return,
            // One that breaks again and again does not keep the cloud busy.
            () = tokio::time::sleep(BROKEN) => {}
        }
        let taken = async {
            match self.parts().store.thread(id).await? {
                Some((row, _)) => self.take_up(row).await.map(drop),
                None => Ok(()),
            }
        };
        if let Err(error) = taken.await {
            tracing::error!(thread = id, error = whole(&error), "could not take up a thread");
        }
    }

    /// Removes repositories that a crash left unfinished, or without the row of whom they belonged to.
    async fn clear_leftovers(&self, threads: &HashSet<&str>) -> Result<(), Error> {
        let Parts { store, mirrors, snapshots, .. } = self.parts();
        snapshots.clear_leftovers(threads.iter().map(|id| (*id).to_owned()).collect()).await?;
        let mut known = HashSet::new();
        for id in mirrors.list().await? {
            if store.repository(&id).await?.is_some() {
                known.insert(id);
            }
        }
        Ok(mirrors.clear_leftovers(known).await?)
    }

    /// The sandbox an earlier cloud left running; one that does not answer is ended.
    async fn find_sandbox(&self, id: &str) -> Result<Option<Sandbox>, Error> {
        match self.parts().runtime.attach(id).await {
            Ok(sandbox) => Ok(sandbox),
            Err(error) => {
                tracing::warn!(
                    thread = id,
                    error = whole(&error),
                    "a sandbox could not be reached"
                );
                self.parts().runtime.suspend(id).await?;
                Ok(None)
            }
        }
    }
}

/// Whether nothing of a thread is at work, so that nobody need hold it.
pub(super) fn is_settled(thread: &Thread) -> bool {
    matches!(thread.state(), ThreadState::Paused | ThreadState::Failed)
}
