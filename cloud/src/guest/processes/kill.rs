//! Ends everything that a process started, and comes back only when it is gone.
//!
//! A tree that goes on forking must not outrun its hunter: everything found is first stopped, and searched for again
//! until nothing new is found, and only then killed. A stopped process still counts against the limit of processes, so
//! a fork bomb that has reached the limit cannot refill it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::Instant;

use crate::guest::proc::{self, Seen};
use crate::guest::processes::launch::MARK;
use crate::guest::processes::ownership::{self, Head, Owner};
use crate::guest::processes::{Process, Processes};
use crate::guest::refusal::Refusal;

/// How long the end of processes that were killed may take; longer only what hangs in the kernel.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often a tree that keeps growing is searched before what was found is killed anyway.
const SEARCHES: usize = 30;

/// A process and when it started, which together never come back.
type Identity = (i32, u64);

/// Whom a kill is for.
#[derive(Clone, Copy, Debug)]
enum Target<'id> {
    Everything,
    Process(&'id str),
}

impl Processes {
    /// Ends a process with everything it started, or everything if `id` is empty: with SIGTERM, and with SIGKILL what
    /// is left after `grace`. How many were ended.
    pub(in crate::guest) async fn kill(&self, id: &str, grace: Duration) -> Result<usize, Refusal> {
        let target = if id.is_empty() {
            Target::Everything
        } else {
            self.find(id).map(|_| Target::Process(id))?
        };
        let mut found = HashSet::new();
        if !grace.is_zero() {
            self.ask_to_end(target, grace, &mut found).await?;
        }
        let deadline = Instant::now() + PATIENCE;
        let mut pause = Duration::from_millis(1);
        // One empty look is not enough: a parent that ended while the list was read hides its children.
        let mut empty_looks = 0;
        while empty_looks < 2 {
            let living = self.stop(target)?;
            found.extend(living.iter().map(identity));
            for seen in &living {
                proc::signal(seen, Signal::KILL);
            }
            empty_looks = if living.is_empty() { empty_looks + 1 } else { 0 };
            self.reap();
            if Instant::now() > deadline {
                return Err(Refusal::StillAlive(living.len()));
            }
            if !living.is_empty() {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(20));
            }
        }
        Ok(found.len())
    }

    async fn ask_to_end(
        &self,
        target: Target<'_>,
        grace: Duration,
        found: &mut HashSet<Identity>,
    ) -> Result<(), Refusal> {
        let deadline = Instant::now() + grace;
        let asked = self.living(target)?;
        for seen in &asked {
            proc::signal(seen, Signal::TERM);
            // One that is stopped could not hear it.
            proc::signal(seen, Signal::CONT);
        }
        found.extend(asked.iter().map(identity));
        while Instant::now() < deadline && !self.living(target)?.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
            self.reap();
        }
        Ok(())
    }

    /// Stops what lives of the target until it grows no more; what was found last.
    fn stop(&self, target: Target<'_>) -> Result<Vec<Seen>, Refusal> {
        let mut stopped = HashSet::new();
        let mut living = Vec::new();
        for _ in 0..SEARCHES {
            living = self.living(target)?;
            let new: Vec<&Seen> =
                living.iter().filter(|seen| stopped.insert(identity(seen))).collect();
            if new.is_empty() {
                break;
            }
            for seen in new {
                proc::signal(seen, Signal::STOP);
            }
        }
        Ok(living)
    }

    fn living(&self, target: Target<'_>) -> Result<Vec<Seen>, Refusal> {
        let guest = std::process::id().cast_signed();
        let all = proc::processes().map_err(Refusal::Processes)?;
        let heads = self.heads();
        let mark = |pid| proc::variable(pid, MARK);
        let is_meant = |seen: &Seen| match target {
            Target::Everything => true,
            Target::Process(id) => match ownership::owner(&all, guest, &heads, seen, mark) {
                Owner::Process(owner) => owner == id,
                Owner::Nobody => true,
            },
        };
        Ok(ownership::below(&all, guest).filter(|seen| !seen.zombie && is_meant(seen)).collect())
    }

    fn heads(&self) -> Vec<Head> {
        let head = |process: &Arc<Process>| Head {
            id: process.id.clone(),
            pid: process.pid.as_raw_nonzero().get(),
            running: !process.output.has_ended(),
        };
        self.lock().by_id.values().map(head).collect()
    }
}

fn identity(seen: &Seen) -> Identity {
    (seen.pid, seen.started)
}
