//! Ends everything that a process started, and comes back only when it is gone; or lets it stand still.
//!
//! A tree that goes on forking must not outrun its hunter: everything found is first stopped, and searched for again
//! until nothing new is found, and only then killed. A stopped process still counts against the limit of processes, so
//! a fork bomb that has reached the limit cannot refill it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::time::Instant;

use crate::guest::kernel;
use crate::guest::proc::{self, Look, Seen};
use crate::guest::processes::launch::MARK;
use crate::guest::processes::ownership::{self, Head, Owner};
use crate::guest::processes::{Process, Processes};
use crate::guest::refusal::Refusal;

/// How long the end of processes that were killed may take; longer only what hangs in the kernel.
const PATIENCE: Duration = Duration::from_secs(5);

/// More processes than this are a crowd.
const CROWD: usize = 64;

/// How often a tree that keeps growing is searched before what was found is killed anyway.
const SEARCHES: usize = 30;

/// How many looks in a row must find nothing, if nothing ended meanwhile: a parent that ends while the list is read hides
/// its children, so no single look is believed...
const EMPTY_LOOKS: usize = 2;

/// ...and for how long looks must find nothing if something ends during each of them.
const EMPTY: Duration = Duration::from_millis(200);

/// A process and when it started, which together never come back.
type Identity = (i32, u64);

/// Whom a kill is for.
#[derive(Clone, Copy, Debug)]
enum Target<'id> {
    Everything,
    Process(&'id str),
}

/// What of a target lives.
#[derive(Debug, Default)]
struct Found {
    living: Vec<Seen>,
    /// It may be more.
    hasty: bool,
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
        let held = self.hold_breath(target)?;
        let gone = self.hunt(target, &mut found).await;
        if held {
            self.breathe_on(Target::Everything)?;
        }
        gone.map(|()| found.len())
    }

    /// Stops a process with everything it started where they are, or lets them go on.
    pub(in crate::guest) fn hold(&self, id: &str, held: bool) -> Result<(), Refusal> {
        self.find(id)?;
        let target = Target::Process(id);
        if held { self.stop(target).map(|_| ()) } else { self.breathe_on(target) }
    }

    /// Ends what lives of the target, until nothing does.
    async fn hunt(&self, target: Target<'_>, found: &mut HashSet<Identity>) -> Result<(), Refusal> {
        let deadline = Instant::now() + PATIENCE;
        let mut pause = Duration::from_millis(1);
        let mut empty_looks = 0;
        let mut last_found = Instant::now();
        while empty_looks < EMPTY_LOOKS && last_found.elapsed() < EMPTY {
            let Found { living, hasty } = self.stop(target)?;
            found.extend(living.iter().map(identity));
            signal_with_groups(&living, Signal::KILL);
            self.reap();
            if Instant::now() > deadline {
                return Err(Refusal::StillAlive(living.len()));
            }
            empty_looks = if living.is_empty() && !hasty { empty_looks + 1 } else { 0 };
            if !living.is_empty() {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(20));
                last_found = Instant::now();
            }
        }
        Ok(())
    }

    async fn ask_to_end(
        &self,
        target: Target<'_>,
        grace: Duration,
        found: &mut HashSet<Identity>,
    ) -> Result<(), Refusal> {
        let deadline = Instant::now() + grace;
        let asked = self.look(target)?.living;
        for seen in &asked {
            proc::signal(seen, Signal::TERM);
            // One that is stopped could not hear it.
            proc::signal(seen, Signal::CONT);
        }
        found.extend(asked.iter().map(identity));
        while Instant::now() < deadline && !self.look(target)?.living.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
            self.reap();
        }
        Ok(())
    }

    /// A crowd that never rests leaves its hunter hardly any time on the processors. Where nothing lives that is not the
    /// guest's own, everything can be stopped at one stroke. Whether that was done.
    fn hold_breath(&self, target: Target<'_>) -> Result<bool, Refusal> {
        let crowd = self.alone && proc::count().map_err(Refusal::Processes)? > CROWD;
        if crowd {
            kernel::signal_all(Signal::STOP);
        }
        Ok(crowd && matches!(target, Target::Process(_)))
    }

    /// Lets those go on that stand still. Children first: a shell that sees its job stopped would take note.
    fn breathe_on(&self, target: Target<'_>) -> Result<(), Refusal> {
        let mut living = self.look(target)?.living;
        living.sort_by_key(|seen| std::cmp::Reverse(seen.started));
        for seen in &living {
            proc::signal(seen, Signal::CONT);
        }
        Ok(())
    }

    /// Stops what lives of the target until it grows no more; what was found last.
    fn stop(&self, target: Target<'_>) -> Result<Found, Refusal> {
        let mut stopped = HashSet::new();
        let mut found = Found::default();
        for _ in 0..SEARCHES {
            found = self.look(target)?;
            let new: Vec<Seen> = found
                .living
                .iter()
                .filter(|seen| stopped.insert(identity(seen)))
                .copied()
                .collect();
            if new.is_empty() {
                break;
            }
            signal_with_groups(&new, Signal::STOP);
        }
        Ok(found)
    }

    fn look(&self, target: Target<'_>) -> Result<Found, Refusal> {
        let guest = std::process::id().cast_signed();
        let Look { all, hasty } = proc::processes().map_err(Refusal::Processes)?;
        let heads = self.heads();
        let mark = |pid| proc::variable(pid, MARK);
        let is_meant = |seen: &Seen| match target {
            Target::Everything => true,
            Target::Process(id) => match ownership::owner(&all, guest, &heads, seen, mark) {
                Owner::Process(owner) => owner == id,
                Owner::Nobody => true,
            },
        };
        let living =
            ownership::below(&all, guest).filter(|seen| !seen.zombie && is_meant(seen)).collect();
        Ok(Found { living, hasty })
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

/// Signals each, and then their groups: what was forked after the look is in the group, and a group cannot be outrun.
///
/// A group never spans two owners, because it never spans two sessions. One that a signal reached is still in its
/// group, so the group's number stands for no other.
fn signal_with_groups(processes: &[Seen], signal: Signal) {
    let own = rustix::process::getpgrp();
    let reached = processes.iter().filter(|seen| proc::signal(seen, signal));
    let groups: HashSet<i32> = reached.map(|seen| seen.group).collect();
    for group in groups.into_iter().filter_map(Pid::from_raw).filter(|group| *group != own) {
        // An empty group needs no signal.
        let _all_gone = rustix::process::kill_process_group(group, signal);
    }
}

fn identity(seen: &Seen) -> Identity {
    (seen.pid, seen.started)
}
