//! The agent writes title and text of a new pull request, in one short turn that is the pull request's own.
//!
//! Where it cannot, for whatever reason, the pull request has the words that the log gives; only a person who stops the turn
//! stops the pull request.

use aloft_proto::v1::{
    Input as Part, Item, Level, TextInput, Thread, ThreadState, Turn, TurnState, input, item::Kind,
};

use crate::{
    git::{DiffOptions, snapshot::SnapshotName},
    model::{
        machine::{Fact, Input},
        proposal::{self, Facts, Words},
    },
    runner::{Error, Obstacle, Runner, whole},
};

/// Files that are named where the agent changed some.
const NAMED: usize = 10;

impl Runner {
    /// What the agent writes; none where it does not, and then the thread says why.
    pub(super) async fn words(
        &self,
        thread: &Thread,
        facts: &Facts<'_>,
        template: &str,
    ) -> Result<Option<Words>, Error> {
        let calls_models = self.parts().agents.calls_models(&thread.agent);
        if !calls_models || thread.state() == ThreadState::Failed {
            return Ok(None);
        }
        let text = proposal::question(facts, template);
        let parts = vec![Part { kind: Some(input::Kind::Text(TextInput { text })) }];
        let author = thread.owner.clone();
        let asked = Input::Describe { parts, author: author.clone() };
        let begun = self.apply(&author, &thread.id, asked, None).await?.turn.unwrap_or_default();
        let turn = self.ended(&thread.id, begun).await?;
        self.tell_changes(thread, &turn).await;
        let why = match (turn.state(), turn.stopped_by.as_str()) {
            (TurnState::Completed, _) => {
                let answer = self.answer(&thread.id, &turn.id).await?;
                match proposal::answer(&answer, template) {
                    Some(words) => return Ok(Some(words)),
                    None => "it answered something else".to_owned(),
                }
            }
            (TurnState::Interrupted, by) if !matches!(by, "" | "agent" | "cloud") => {
                return Err(Obstacle::ProposalStopped { by: by.to_owned() }.into());
            }
            (_, by) => match (&turn.error, by) {
                (Some(error), _) => error.message.clone(),
                (None, "cloud") => "it took too long".to_owned(),
                (None, _) => "it stopped".to_owned(),
            },
        };
        let text = format!(
            "The agent did not write title and text of the pull request: {why}. They are from the log."
        );
        self.tell(thread, Fact::Told { level: Level::Warning, text }, None).await?;
        Ok(None)
    }

    /// A turn as it ended.
    pub(super) async fn ended(&self, thread: &str, turn: Turn) -> Result<Turn, Error> {
        let store = &self.parts().store;
        let mut wake = store.watch_thread(thread);
        loop {
            wake.mark_unchanged();
            let now = store.turn_by_number(thread, turn.number).await?;
            match now {
                Some(now) if now.state() != TurnState::Running => return Ok(now),
                Some(_) => {}
                None => return Err(Error::ThreadNotFound { name: thread.to_owned() }),
            }
            if wake.changed().await.is_err() {
                return Err(Error::ThreadNotFound { name: thread.to_owned() });
            }
        }
    }

    /// What the agent said last in a turn.
    async fn answer(&self, thread: &str, turn: &str) -> Result<String, Error> {
        let items = self.parts().store.items(thread, None, super::ITEMS).await?.items;
        let said = items.into_iter().rev().filter(|item| item.turn_id == turn).find_map(|item| {
            let Item { kind: Some(Kind::AgentMessage(message)), .. } = item else { return None };
            Some(message.text)
        });
        Ok(said.unwrap_or_default())
    }

    /// Says what the agent changed although it was only to write: what is pushed is of before.
    async fn tell_changes(&self, thread: &Thread, turn: &Turn) {
        match self.changed(thread, turn).await {
            Ok(files) if files.is_empty() => {}
            Ok(files) => {
                let (slug, number) = (&thread.slug, turn.number.saturating_sub(1));
                let text = format!(
                    "While it wrote title and text of the pull request, the agent changed {}: that is not in the pull request. \
                     The next `aloft pr` proposes it; `aloft rewind {slug} --turn {number}` takes it back.",
                    files.join(", ")
                );
                let told = Fact::Told { level: Level::Warning, text };
                if let Err(error) = self.tell(thread, told, None).await {
                    tracing::warn!(thread = thread.id, error = whole(&error), "could not tell it");
                }
            }
            Err(error) => {
                tracing::warn!(thread = thread.id, error = whole(&error), "could not compare");
            }
        }
    }

    /// Names of files that a turn changed.
    async fn changed(&self, thread: &Thread, turn: &Turn) -> Result<Vec<String>, Error> {
        let snapshots = &self.parts().snapshots;
        let began = snapshots.get(&thread.id, SnapshotName::Before(turn.number)).await?;
        let Some(began) = began.filter(|_| !turn.commit.is_empty()) else { return Ok(Vec::new()) };
        let options = DiffOptions { stat_only: true, ..DiffOptions::default() };
        let mut stream = snapshots.diff(&thread.id, &began.commit, &turn.commit, options).await?;
        let mut files = Vec::new();
        let mut more = 0_u32;
        while let Some(file) = stream.recv().await {
            let file = file?;
            if files.len() < NAMED { files.push(file.path) } else { more += 1 }
        }
        if more > 0 {
            files.push(format!("and {more} more"));
        }
        Ok(files)
    }
}
