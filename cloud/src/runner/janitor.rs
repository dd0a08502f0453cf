//! The janitor: looks at the age of every thread, so that unused ones are announced and removed.
//!
//! What is to happen the machine of each thread decides; here is only who is looked at, and when.

use std::time::Duration;

use crate::{
    clock,
    model::machine::{Input, Refused},
    runner::{Error, Runner, stored, whole},
};

/// Between two looks. A cloud that was down looks as soon as it is up.
const ROUND: Duration = Duration::from_secs(3_600);

impl Runner {
    /// Looks at all threads again and again, for as long as the cloud runs.
    pub async fn clean_up(&self) {
        let round = i64::try_from(ROUND.as_millis()).unwrap_or(i64::MAX);
        loop {
            let began = clock::now();
            if let Err(error) = self.review_all().await {
                tracing::error!(error = whole(&error), "could not look for unused threads");
            }
            clock::until(began.saturating_add(round)).await;
        }
    }

    async fn review_all(&self) -> Result<(), Error> {
        for row in self.parts().store.all_threads().await? {
            let id = row.thread.id.clone();
            // Read as it is stored: hardly any of them needs its task to begin.
            if !stored::sketch(self.parts(), row).is_due(clock::now()) {
                continue;
            }
            // One that cannot be looked at keeps nobody else from being looked at.
            let looked = async { self.handle(&id).await?.ask(Input::Review, None).await };
            match looked.await {
                // Somebody fills it, removes it, or uses it just now: the next round looks again.
                Ok(_) | Err(Error::Refused(Refused::Deleting) | Error::Filling | Error::Ended) => {}
                Err(error) => {
                    tracing::error!(
                        thread = id,
                        error = whole(&error),
                        "could not look at its age"
                    );
                }
            }
        }
        Ok(())
    }
}
