//! What the cloud does about an open pull request without being asked, where it is configured: it tells the agent what stands
//! against it, and pushes what that gives.
//!
//! All of it follows from what the thread's record says, so a cloud that died in between goes on. Where a person stopped the
//! agent or took over, it is left to people.

use aloft_proto::v1::{Thread, ThreadState, TurnState};

use crate::{
    model::machine::{Fact, Input, Memory, Refused},
    runner::{Error, Obstacle, Propose, Runner, whole},
};

impl Runner {
    /// One step for a thread with an open pull request.
    pub(super) async fn see_to(&self, thread: &Thread) -> Result<(), Error> {
        let most = self.parts().config.fix_attempts;
        if most == 0 {
            return Ok(());
        }
        let (thread, memory) = self.find_whole(&thread.owner, &thread.id).await?;
        if memory.held {
            return Ok(());
        }
        if memory.fix.turn != 0 {
            return Box::pin(self.push_mended(&thread, &memory)).await;
        }
        let rests = matches!(thread.state(), ThreadState::Idle | ThreadState::Paused);
        if !memory.fix.due || !rests {
            return Ok(());
        }
        let known = thread.pull_request.clone().unwrap_or_default();
        if memory.fix.unasked >= most {
            let times = if most == 1 { "once".to_owned() } else { format!("{most} times") };
            let text = format!(
                "Something new stands against pull request {}, and the cloud has told the agent {times} by itself: `aloft pr {} --fix` tells it.",
                known.number, thread.slug
            );
            // Where nothing does, nobody has to know.
            let text = if memory.fix.times > 0 { text } else { String::new() };
            return self.seen_to(&thread, false, text).await;
        }
        match Box::pin(self.tell_findings(&thread.owner, &thread.id, Some(most), None)).await {
            // Where it runs again by now: the next time.
            Ok(_) | Err(Error::Refused(Refused::TurnActive(_) | Refused::Rewinding)) => Ok(()),
            Err(Error::Obstacle(
                Obstacle::NothingToFix { .. } | Obstacle::NoPullRequest { .. },
            )) => self.seen_to(&thread, false, String::new()).await,
            Err(error @ Error::Obstacle(Obstacle::FixGivenUp { .. })) => {
                self.seen_to(&thread, false, format!("{}.", error.explain().1.message)).await
            }
            Err(error) => Err(error),
        }
    }

    /// Pushes what the agent has mended, once its turn has ended.
    async fn push_mended(&self, thread: &Thread, memory: &Memory) -> Result<(), Error> {
        let (owner, id) = (&thread.owner, &thread.id);
        let turn = self.parts().store.turn_by_number(id, memory.fix.turn).await?;
        let state = turn.map(|turn| turn.state()).unwrap_or_default();
        let newest = thread.last_turn.as_ref().map(|last| last.number);
        match state {
            TurnState::Running => return Ok(()),
            TurnState::Completed if newest == Some(memory.fix.turn) => {}
            // It came to nothing, or a person goes on with it.
            _ => return self.seen_to(thread, false, String::new()).await,
        }
        match self.propose(owner, id, Propose::default(), None).await {
            // Still at it.
            Ok(None) => Ok(()),
            Ok(Some(_)) => self.seen_to(thread, true, String::new()).await,
            Err(error) => {
                let text =
                    format!("The pull request was not brought up to date: {}.", whole(&error));
                self.seen_to(thread, false, text).await
            }
        }
    }

    async fn seen_to(&self, thread: &Thread, due: bool, text: String) -> Result<(), Error> {
        let fact = Input::Fact(Fact::FixSeen { due, text });
        self.apply(&thread.owner, &thread.id, fact, None).await.map(drop)
    }
}
