//! A stop of a person while a pull request is being made: of the turn in which the agent writes for it, and of the rest.

use std::sync::{Arc, OnceLock};

use aloft_proto::v1::Level;
use tokio_util::sync::CancellationToken;

use crate::{
    model::machine::{Fact, Input, Refused},
    runner::{Applied, Error, Obstacle, RequestKey, Runner},
};

/// How the making of a pull request is stopped.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop {
    by: Arc<OnceLock<String>>,
    asked: CancellationToken,
    over: CancellationToken,
}

impl Stop {
    /// Runs `work` to its end, or to where somebody stops it.
    pub(super) async fn or<T>(
        self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let _over = self.over.clone().drop_guard();
        tokio::select! {
            outcome = work => outcome,
            () = self.asked.cancelled() => {
                let by = self.by.get().cloned().unwrap_or_default();
                Err(Obstacle::ProposalStopped { by }.into())
            }
        }
    }

    fn ask(&self, by: &str) {
        self.by.get_or_init(|| by.to_owned());
        self.asked.cancel();
    }
}

impl Runner {
    /// Stops the running turn, and with it the pull request that is being made; that alone where no turn runs.
    pub async fn interrupt(
        &self,
        owner: &str,
        name: &str,
        (expected_turn, finish): (String, bool),
        request: Option<RequestKey>,
    ) -> Result<Applied, Error> {
        let (thread, _) = self.find(owner, name).await?;
        let stop = self.stop_of(&thread.id);
        let by = owner.to_owned();
        let input = Input::Interrupt { expected_turn, finish, by };
        let applied = self.apply(owner, &thread.id, input, request.clone()).await;
        let no_turn = matches!(applied, Err(Error::Refused(Refused::NoTurn)));
        let Some(stop) = stop.filter(|_| no_turn || applied.is_ok()) else { return applied };
        stop.ask(owner);
        let text = format!("The pull request that was being made was stopped by {owner}.");
        let told = Input::Fact(Fact::Told { level: Level::Info, text });
        let key = request.filter(|_| no_turn);
        let said = self.apply(owner, &thread.id, told, key).await?;
        if no_turn { Ok(said) } else { applied }
    }

    /// How the pull request that is being made for a thread is stopped.
    fn stop_of(&self, thread: &str) -> Option<Stop> {
        let works = self.shared.proposals.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        works.get(thread).map(|work| work.stop.clone()).filter(|stop| !stop.over.is_cancelled())
    }
}
